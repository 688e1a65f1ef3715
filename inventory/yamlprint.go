package inventory

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
)

// YAML is --list --yaml.
func (p Printer) YAML() string {
	top := value.NewDict()
	p.yamlGroup(p.Inventory.all, top, map[*Host]bool{})
	return yamlText(top)
}

// yamlGroup adds a group, with those below it inside; a host's variables show only the first time.
func (p Printer) yamlGroup(g *Group, into *value.Dict, seen map[*Host]bool) {
	entry := value.NewDict()
	children := value.NewDict()
	for _, c := range g.Children {
		p.yamlGroup(c, children, seen)
	}
	if children.Len() > 0 {
		entry.Set("children", children)
	}
	hosts := value.NewDict()
	if g != p.Inventory.all {
		for _, h := range p.hosts(g) {
			vars := value.NewDict()
			if !seen[h] {
				seen[h] = true
				vars = p.hostVars(h)
			}
			hosts.Set(h.Name, vars)
		}
	}
	if hosts.Len() > 0 {
		entry.Set("hosts", hosts)
	}
	if p.Export {
		if vars := p.groupVars(g); vars.Len() > 0 {
			entry.Set("vars", vars)
		}
	}
	into.Set(g.Name, entry)
}

// yamlWidth is the column beyond which PyYAML folds text.
const yamlWidth = 80

// yamlText writes a value as PyYAML's dump does in block style with sorted
// keys: its quoting, its folding and its anchors for what appears twice.
func yamlText(v any) string {
	w := yamlWriter{count: map[any]int{}, anchors: map[any]string{}}
	w.anchorPass(v)
	w.node(v, 0, 0, false)
	return w.out.String()
}

type yamlWriter struct {
	out     strings.Builder
	column  int
	count   map[any]int    // how often a list or dict was met
	anchors map[any]string // names of those met again
	written map[any]bool
}

// identity is what makes a list or dict the same one again, nil for plain values.
func identity(v any) any {
	switch x := v.(type) {
	case *value.List, *value.Dict, *value.Sealed:
		return v
	case value.Tuple:
		if len(x) > 0 {
			return &x[0]
		}
	}
	return nil
}

// anchorPass names what appears more than once, in the order in which it is met again.
func (w *yamlWriter) anchorPass(v any) {
	if id := identity(v); id != nil {
		if w.count[id]++; w.count[id] > 1 {
			if w.count[id] == 2 {
				w.anchors[id] = fmt.Sprintf("id%03d", len(w.anchors)+1)
			}
			return
		}
	}
	switch x := v.(type) {
	case *value.List:
		for _, item := range x.Items {
			w.anchorPass(item)
		}
	case value.Tuple:
		for _, item := range x {
			w.anchorPass(item)
		}
	case *value.Dict:
		for _, k := range sortedKeys(x) {
			item, _ := x.Get(k)
			w.anchorPass(item)
		}
	}
}

func (w *yamlWriter) write(s string) {
	w.out.WriteString(s)
	if nl := strings.LastIndexByte(s, '\n'); nl >= 0 {
		w.column = len([]rune(s[nl+1:]))
		return
	}
	w.column += len([]rune(s))
}

func (w *yamlWriter) newline(indent int) { w.write("\n" + strings.Repeat(" ", indent)) }

// node writes a value that follows a key's colon or an item's dash. indent is that of the
// enclosing collection, inner that of a collection inside; compact lets it begin on the same line.
func (w *yamlWriter) node(v any, indent, inner int, compact bool) {
	lead := " "
	if w.column == 0 {
		lead = ""
	}
	if name, ok := w.anchors[identity(v)]; ok {
		if w.written[identity(v)] {
			w.write(lead + "*" + name + "\n")
			return
		}
		if w.written == nil {
			w.written = map[any]bool{}
		}
		w.written[identity(v)] = true
		w.write(lead + "&" + name)
		lead, compact = " ", false
	}
	switch x := v.(type) {
	case *value.List:
		w.list(x.Items, inner, lead, compact)
	case value.Tuple:
		w.list(x, inner, lead, compact)
	case *value.Dict:
		w.dict(x, indent, lead, compact)
	case *value.Sealed:
		w.write(lead + "!vault |")
		for line := range strings.SplitSeq(strings.TrimRight(x.Text, "\n"), "\n") {
			w.newline(indent)
			w.write(line)
		}
		w.write("\n")
	default:
		w.write(lead)
		w.scalar(v, indent, false)
		w.write("\n")
	}
}

func (w *yamlWriter) list(items []any, indent int, lead string, compact bool) {
	if len(items) == 0 {
		w.write(lead + "[]\n")
		return
	}
	for i, item := range items {
		switch {
		case i == 0 && compact:
			w.write(lead + "-")
		case i == 0 && w.column > 0:
			w.newline(indent)
			w.write("-")
		default:
			w.write(strings.Repeat(" ", indent) + "-")
		}
		w.node(item, indent+2, indent+2, true)
	}
}

func (w *yamlWriter) dict(d *value.Dict, indent int, lead string, compact bool) {
	if d.Len() == 0 {
		w.write(lead + "{}\n")
		return
	}
	for i, k := range sortedKeys(d) {
		switch {
		case i == 0 && compact:
			w.write(lead)
		case i == 0 && w.column > 0:
			w.newline(indent)
		default:
			w.write(strings.Repeat(" ", indent))
		}
		w.scalar(k, indent, true)
		w.write(":")
		v, _ := d.Get(k)
		w.node(v, indent+2, indent, false)
	}
}

// scalar writes a plain value; continuation lines are indented by indent.
func (w *yamlWriter) scalar(v any, indent int, key bool) {
	text := ""
	switch x := v.(type) {
	case nil:
		w.write("null")
		return
	case bool:
		w.write(fmt.Sprint(x))
		return
	case int, *big.Int:
		w.write(pythonText(x))
		return
	case float64:
		w.write(yamlFloat(x))
		return
	case value.Bytes:
		text = string(x)
	default:
		text = pythonText(v)
	}
	plain, single := analyze(text)
	multiline := strings.Contains(text, "\n")
	switch {
	case plain && resolvesToText(text):
		w.plain(text, indent, key)
	case single && (!key || !multiline):
		w.single(text, indent, key)
	default:
		w.double(text, indent, key)
	}
}

func yamlFloat(f float64) string {
	s := jsonFloat(f)
	switch s {
	case "NaN":
		return ".nan"
	case "Infinity":
		return ".inf"
	case "-Infinity":
		return "-.inf"
	}
	if !strings.Contains(s, ".") {
		s = strings.Replace(s, "e", ".0e", 1)
	}
	return s
}

var timestampForm = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$`)

var base60Form = regexp.MustCompile(`^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$`)

// resolvesToText tells whether PyYAML would read plain text back as text.
func resolvesToText(s string) bool {
	_, text := document.Scalar(s).(string)
	return text && s != "=" && s != "<<" && !timestampForm.MatchString(s) && !base60Form.MatchString(s)
}

// analyze tells whether text may stand plain in block style, and whether in single quotes.
func analyze(s string) (plain, single bool) {
	if s == "" {
		return false, true
	}
	plain, single = true, true
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		plain = false
	}
	const blank = "\x00 \t\r\n\u0085\u2028\u2029"
	runes := []rune(s)
	isBreak := func(r rune) bool { return strings.ContainsRune("\n\u0085\u2028\u2029", r) }
	for i, r := range runes {
		followed := i+1 >= len(runes) || strings.ContainsRune(blank, runes[i+1])
		switch {
		case i == 0 && (strings.ContainsRune("#,[]{}&*!|>'\"%@`", r) || followed && strings.ContainsRune("?:-", r)):
			plain = false
		case i > 0 && (r == ':' && followed || r == '#' && strings.ContainsRune(blank, runes[i-1])):
			plain = false
		}
		if isBreak(r) {
			plain = false
			if i > 0 && runes[i-1] == ' ' {
				single = false
			}
		}
		if r == ' ' && i > 0 && isBreak(runes[i-1]) {
			plain, single = false, false
		}
		if !printable(r) {
			plain, single = false, false
		}
	}
	if first, last := runes[0], runes[len(runes)-1]; first == ' ' || last == ' ' {
		plain = false
	}
	return plain, single
}

func printable(r rune) bool {
	return r == '\n' || r >= ' ' && r <= '~' || r == 0x85 || r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd && r != 0xfeff
}

// plain folds at single blanks once a line is too long.
func (w *yamlWriter) plain(s string, indent int, key bool) {
	for i, r := range s {
		if r == ' ' && !key && w.column > yamlWidth && !strings.HasPrefix(s[i+1:], " ") && s[i-1] != ' ' {
			w.newline(indent)
			continue
		}
		w.write(string(r))
	}
}

// single writes text in single quotes; a line break becomes an empty line.
func (w *yamlWriter) single(s string, indent int, key bool) {
	w.write("'")
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\n':
			run := len(s[i:]) - len(strings.TrimLeft(s[i:], "\n"))
			w.write(strings.Repeat("\n", run))
			w.newline(indent)
			i += run
		case s[i] == ' ' && !key && w.column > yamlWidth && i > 0 && i+1 < len(s) && s[i-1] != ' ' && s[i+1] != ' ' && s[i-1] != '\n':
			w.newline(indent)
			i++
		case s[i] == '\'':
			w.write("''")
			i++
		default:
			end := i + 1
			for end < len(s) && s[end] != ' ' && s[end] != '\n' && s[end] != '\'' {
				end++
			}
			w.write(s[i:end])
			i = end
		}
	}
	w.write("'")
}

// double writes text in double quotes with escapes, folded as libyaml does, which PyYAML uses.
func (w *yamlWriter) double(s string, indent int, key bool) {
	w.write(`"`)
	runes := []rune(s)
	for i, r := range runes {
		if r == ' ' && !key && i > 0 && i < len(runes)-1 && runes[i-1] != ' ' && w.column > yamlWidth {
			w.newline(indent)
			if runes[i+1] == ' ' {
				w.write(`\`)
			}
			continue
		}
		w.write(yamlEscape(r))
	}
	w.write(`"`)
}

func yamlEscape(r rune) string {
	const from, to = "\x00\a\b\t\n\v\f\r\x1b\"\\\u0085\u00a0\u2028\u2029", `0abtnvfre"\N_LP`
	at := 0
	for _, c := range from {
		if c == r {
			return `\` + to[at:at+1]
		}
		at++
	}
	switch {
	case r >= ' ' && r <= '~', r >= 0xa0 && r != 0xfeff && r <= 0xfffd:
		return string(r)
	case r <= 0xff:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	default:
		return fmt.Sprintf(`\U%08X`, r)
	}
}
