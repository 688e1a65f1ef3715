package inventory

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// TOML is --list --toml, as Python's toml library writes it. Values that are null are left
// out: TOML has none.
func (p Printer) TOML() string {
	top := value.NewDict()
	p.tomlPrintGroup(p.Inventory.all, top, map[*Host]bool{})
	return tomlText(top)
}

// tomlPrintGroup adds a group and those below it side by side; a host's variables show only the first time.
func (p Printer) tomlPrintGroup(g *Group, into *value.Dict, seen map[*Host]bool) {
	_, before := into.Get(g.Name)
	if !before {
		into.Set(g.Name, value.NewDict())
	}
	entry := value.NewDict()
	children := value.NewList()
	for _, c := range g.Children {
		if c == p.Inventory.ungrouped && len(c.Hosts) == 0 {
			continue
		}
		if g != p.Inventory.all {
			children.Append(c.Name)
		}
		p.tomlPrintGroup(c, into, seen)
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
	switch {
	case entry.Len() > 0:
		into.Set(g.Name, entry)
	case !before:
		into.Delete(g.Name)
	}
}

// tomlSection is a table still to be written, under its full name.
type tomlSection struct {
	name string
	dict *value.Dict
}

// tomlText writes tables level by level: those of the top, then those inside them.
func tomlText(top *value.Dict) string {
	var b strings.Builder
	text, sections := tomlEntries(top, "")
	b.WriteString(text)
	for len(sections) > 0 {
		var next []tomlSection
		for _, s := range sections {
			text, inner := tomlEntries(s.dict, s.name+".")
			if text != "" || len(inner) == 0 {
				if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n\n") {
					b.WriteByte('\n')
				}
				b.WriteString("[" + s.name + "]\n" + text)
			}
			next = append(next, inner...)
		}
		sections = next
	}
	return b.String()
}

var tomlBareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// tomlEntries writes the plain entries of a table and gives the tables in it.
func tomlEntries(d *value.Dict, prefix string) (string, []tomlSection) {
	var b strings.Builder
	var inner []tomlSection
	for k, v := range d.All() {
		key := pythonText(k)
		if !tomlBareKey.MatchString(key) {
			key = tomlString(key)
		}
		if dict, ok := v.(*value.Dict); ok {
			inner = append(inner, tomlSection{prefix + key, dict})
			continue
		}
		if v != nil {
			b.WriteString(key + " = " + tomlScalar(v) + "\n")
		}
	}
	return b.String(), inner
}

func tomlScalar(v any) string {
	switch x := v.(type) {
	case bool:
		return strings.ToLower(pythonText(x))
	case *value.List:
		return tomlArray(x.Items)
	case value.Tuple:
		return tomlArray(x)
	case *value.Dict:
		var parts []string
		for k, item := range x.All() {
			parts = append(parts, tomlString(pythonText(k))+" = "+tomlScalar(item))
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case string, *value.Template, *value.Sealed, value.Bytes:
		return tomlString(pythonText(v))
	}
	return pythonText(v)
}

func tomlArray(items []any) string {
	var b strings.Builder
	b.WriteByte('[')
	for _, item := range slices.DeleteFunc(slices.Clone(items), func(v any) bool { return v == nil }) {
		b.WriteString(" " + tomlScalar(item) + ",")
	}
	b.WriteByte(']')
	return b.String()
}

// tomlString quotes text the way the toml library does, by way of Python's repr.
func tomlString(s string) string {
	repr := reprString(s)
	inner := repr[1 : len(repr)-1]
	if repr[0] == '\'' {
		inner = strings.ReplaceAll(strings.ReplaceAll(inner, `\'`, `'`), `"`, `\"`)
	}
	return `"` + strings.ReplaceAll(inner, `\x`, `\u00`) + `"`
}
