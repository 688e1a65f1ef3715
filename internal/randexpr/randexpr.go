// Package randexpr makes random expressions of a template language from patterns, for tests that ask two engines the same.
// It knows nothing of what an expression means; its main type is Generator.
package randexpr

import (
	"math/rand/v2"
	"regexp"
	"strings"
)

// Grammar says what expressions are made of. A type is one capital letter; where it stands alone in a pattern, outside of double
// quotes, an expression of that type goes.
type Grammar struct {
	// Patterns of each type, one a line: "S | upper".
	Patterns map[string]string
	// Leaves of each type are expressions without parts.
	Leaves map[string][]string
	// Same names the type whose patterns another type uses too.
	Same map[string]string
}

// Generator makes expressions of a Grammar. The same random source makes the same ones.
type Generator struct {
	*rand.Rand
	grammar  Grammar
	patterns map[string][]string
}

// New makes a Generator.
func New(r *rand.Rand, g Grammar) *Generator {
	out := &Generator{Rand: r, grammar: g, patterns: map[string][]string{}}
	for typ, text := range g.Patterns {
		out.patterns[typ] = strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	}
	return out
}

// Patterns gives the patterns of some types, in their order.
func (g *Generator) Patterns(types ...string) []string {
	var out []string
	for _, typ := range types {
		out = append(out, g.patterns[typ]...)
	}
	return out
}

// Pick gives one of a list.
func (g *Generator) Pick(list ...string) string { return list[g.IntN(len(list))] }

// Expr gives an expression whose parts nest at most depth deep; 0 is a leaf. A type without leaves is any of those that have some.
func (g *Generator) Expr(typ string, depth int) string {
	patterns := g.patterns[typ]
	if same, ok := g.grammar.Same[typ]; ok {
		patterns = g.patterns[same]
	}
	if depth <= 0 || len(patterns) == 0 || g.IntN(4) == 0 {
		return g.leaf(typ)
	}
	return "(" + g.Fill(g.Pick(patterns...), depth-1) + ")"
}

// anyTypes are those that a type without leaves stands for.
var anyTypes = []string{"S", "I", "N", "B", "L", "D"}

func (g *Generator) leaf(typ string) string {
	if list := g.grammar.Leaves[typ]; len(list) > 0 {
		return g.Pick(list...)
	}
	return g.leaf(g.Pick(anyTypes...))
}

var slot = regexp.MustCompile(`\b[A-Z]\b`)

// Fill puts expressions into a pattern; what stands in double quotes stays.
func (g *Generator) Fill(pattern string, depth int) string {
	parts := strings.Split(pattern, `"`)
	for i := 0; i < len(parts); i += 2 {
		parts[i] = slot.ReplaceAllStringFunc(parts[i], func(typ string) string {
			x := g.Expr(typ, depth)
			if strings.HasPrefix(x, "-") || (x[0] >= '0' && x[0] <= '9') {
				x = "(" + x + ")"
			}
			return x
		})
	}
	return strings.Join(parts, `"`)
}

// A Counter counts how often names of a surface occur in expressions.
type Counter map[string]int

var (
	filterUse = regexp.MustCompile(`\|\s*([\w.]+)|\bfilter\s+([a-z]\w*)`)
	mapUse    = regexp.MustCompile(`\bmap\("([\w.]+)"`)
	testUse   = regexp.MustCompile(`\bis\s+(?:not\s+)?'?([\w.]+)|\b(?:select|reject)\("([^"]+)"|(?:selectattr|rejectattr)\("[^"]+",\s*"([^"]+)"`)
	methodUse = regexp.MustCompile(`\.(\w+)\(`)
	lookupUse = regexp.MustCompile(`\b(?:lookup|query|q)\("([\w.]+)"`)
	quoted    = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	symbols   = regexp.MustCompile(`[=!<>]=|\*\*|//|[-+*/%~<>]|\b(?:not in|is not|in|not|and|or|if|else|is)\b`)
)

// Add counts the uses in an expression: as "filter upper", "test in", "method split", "lookup env" and "operator not in". Names in
// other roles, such as filters given to map, count too.
func (c Counter) Add(expression string) {
	for _, use := range []struct {
		kind string
		re   *regexp.Regexp
	}{{"filter", filterUse}, {"filter", mapUse}, {"test", testUse}, {"method", methodUse}, {"lookup", lookupUse}} {
		for _, m := range use.re.FindAllStringSubmatch(expression, -1) {
			c[use.kind+" "+strings.Join(m[1:], "")]++
		}
	}
	for _, m := range symbols.FindAllString(quoted.ReplaceAllString(expression, `""`), -1) {
		c["operator "+m]++
	}
}

// Rare gives the names that were counted fewer than least times, with their counts: lines of a surface, each a kind and names.
func (c Counter) Rare(surface string, least int) map[string]int {
	rare := map[string]int{}
	for line := range strings.Lines(surface) {
		kind, names, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || strings.HasPrefix(kind, "#") {
			continue
		}
		for name := range strings.SplitSeq(names, ", ") {
			if n := c[kind+" "+name]; n < least {
				rare[kind+" "+name] = n
			}
		}
	}
	return rare
}
