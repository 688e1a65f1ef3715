package jinja

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// pprintWidth is how long a line of pprint may be.
const pprintWidth = 80

// filterPprint prints like Python's pprint: keys sorted, containers over several lines when they are long.
func filterPprint(c *Call) (any, error) {
	if _, err := c.Text(c.Value); err != nil { // fails for what is too large
		return nil, err
	}
	p := pretty{}
	if err := p.write(c.Value, 0, 0, 0); err != nil {
		return nil, err
	}
	return p.b.String(), nil
}

type pretty struct{ b strings.Builder }

// sortedRepr is repr with the keys of dicts sorted.
func sortedRepr(v any) (string, error) { return value.Repr(sortKeys(v, 0)) }

func sortKeys(v any, depth int) any {
	if depth > 100 {
		return v
	}
	switch x := v.(type) {
	case *value.Dict:
		out := value.NewDictSize(x.Len())
		for _, k := range sortedKeys(x) {
			item, _ := x.Get(k)
			out.Set(k, sortKeys(item, depth+1))
		}
		return out
	case *value.List:
		out := make([]any, len(x.Items))
		for i, item := range x.Items {
			out[i] = sortKeys(item, depth+1)
		}
		return &value.List{Items: out}
	case value.Tuple:
		out := make(value.Tuple, len(x))
		for i, item := range x {
			out[i] = sortKeys(item, depth+1)
		}
		return out
	}
	return v
}

func sortedKeys(d *value.Dict) []any {
	keys := d.Keys()
	slices.SortStableFunc(keys, func(a, b any) int {
		c, err := value.Compare(a, b)
		if err != nil {
			return strings.Compare(value.TypeName(a), value.TypeName(b))
		}
		return c
	})
	return keys
}

// write prints v at a column, with room taken behind it on the last line.
func (p *pretty) write(v any, indent, behind, depth int) error {
	s, err := sortedRepr(v)
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(s) <= pprintWidth-indent-behind || depth > 100 {
		p.b.WriteString(s)
		return nil
	}
	switch x := v.(type) {
	case *value.Dict:
		return p.dict(x, indent, behind, depth)
	case *value.List:
		return p.items("[", "]", x.Items, indent, behind, depth)
	case value.Tuple:
		end := ")"
		if len(x) == 1 {
			end = ",)"
		}
		return p.items("(", end, x, indent, behind, depth)
	case string:
		return p.text(x, indent, behind, depth)
	}
	p.b.WriteString(s)
	return nil
}

func (p *pretty) dict(d *value.Dict, indent, behind, depth int) error {
	p.b.WriteByte('{')
	for i, k := range sortedKeys(d) {
		if i > 0 {
			p.b.WriteString(",\n" + strings.Repeat(" ", indent+1))
		}
		name, err := sortedRepr(k)
		if err != nil {
			return err
		}
		p.b.WriteString(name + ": ")
		item, _ := d.Get(k)
		rest := 1
		if i == d.Len()-1 {
			rest = behind + 1
		}
		if err := p.write(item, indent+1+utf8.RuneCountInString(name)+2, rest, depth+1); err != nil {
			return err
		}
	}
	p.b.WriteByte('}')
	return nil
}

func (p *pretty) items(start, end string, items []any, indent, behind, depth int) error {
	p.b.WriteString(start)
	for i, item := range items {
		if i > 0 {
			p.b.WriteString(",\n" + strings.Repeat(" ", indent+1))
		}
		rest := 1
		if i == len(items)-1 {
			rest = behind + len(end)
		}
		if err := p.write(item, indent+1, rest, depth+1); err != nil {
			return err
		}
	}
	p.b.WriteString(end)
	return nil
}

// text prints a long text as several literals, split at its lines and words.
func (p *pretty) text(s string, indent, behind, depth int) error {
	if depth == 0 {
		indent, behind = indent+1, behind+1
	}
	var chunks []string
	width := pprintWidth - indent
	lines := splitLines(s, true)
	for i, line := range lines {
		r, _ := value.Repr(line)
		room := width
		if i == len(lines)-1 {
			room -= behind
		}
		if utf8.RuneCountInString(r) <= room {
			chunks = append(chunks, r)
			continue
		}
		cur := ""
		words := splitBehindSpace(line)
		for j, w := range words {
			room := width
			if j == len(words)-1 && i == len(lines)-1 {
				room -= behind
			}
			r, _ := value.Repr(cur + w)
			if utf8.RuneCountInString(r) > room && cur != "" {
				q, _ := value.Repr(cur)
				chunks = append(chunks, q)
				cur = w
			} else {
				cur += w
			}
		}
		if cur != "" {
			q, _ := value.Repr(cur)
			chunks = append(chunks, q)
		}
	}
	if len(chunks) == 1 {
		p.b.WriteString(chunks[0])
		return nil
	}
	text := strings.Join(chunks, "\n"+strings.Repeat(" ", indent))
	if depth == 0 {
		text = "(" + text + ")"
	}
	p.b.WriteString(text)
	return nil
}

// splitBehindSpace splits a line into words with the white space behind them.
func splitBehindSpace(s string) []string {
	var out []string
	for s != "" {
		word := len(s) - len(strings.TrimLeftFunc(s, func(r rune) bool { return !isSpace(r) }))
		end := word + len(s[word:]) - len(strings.TrimLeftFunc(s[word:], isSpace))
		out = append(out, s[:end])
		s = s[end:]
	}
	return out
}
