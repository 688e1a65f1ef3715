package inventory

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Printer prints an inventory as ansible-inventory does.
type Printer struct {
	Inventory *Inventory
	// HostVars gives the merged variables of a host; nil is Inventory.HostVars. Magic ones are left out by the printer.
	HostVars func(h *Host) *value.Dict
	// Export keeps variables with the group or host that defines them.
	Export bool
	// Only, when set, chooses the hosts that are printed (--limit).
	Only func(h *Host) bool
}

// hosts are the direct hosts of a group that are printed.
func (p Printer) hosts(g *Group) []*Host {
	if p.Only == nil {
		return g.Hosts
	}
	return slices.DeleteFunc(slices.Clone(g.Hosts), func(h *Host) bool { return !p.Only(h) })
}

// internalVars are variables that ansible-inventory does not show.
func internalVars() []string {
	return []string{
		"ansible_diff_mode", "ansible_config_file", "ansible_facts", "ansible_forks", "ansible_inventory_sources",
		"ansible_limit", "ansible_playbook_python", "ansible_run_tags", "ansible_skip_tags", "ansible_verbosity",
		"ansible_version", "inventory_dir", "inventory_file", "inventory_hostname", "inventory_hostname_short",
		"groups", "group_names", "omit", "playbook_dir",
	}
}

func (p Printer) hostVars(h *Host) *value.Dict {
	var vars *value.Dict
	switch {
	case p.Export:
		vars = p.Inventory.layerVars(h.Vars)
	case p.HostVars != nil:
		vars = p.HostVars(h)
	default:
		vars = p.Inventory.HostVars(h)
	}
	return withoutInternal(vars)
}

func (p Printer) groupVars(g *Group) *value.Dict {
	vars := p.Inventory.layerVars(g.Vars)
	if g.Priority != 1 {
		vars.Set("ansible_group_priority", g.Priority)
	}
	return withoutInternal(vars)
}

func withoutInternal(vars *value.Dict) *value.Dict {
	internal := internalVars()
	out := value.NewDict()
	for k, v := range vars.All() {
		if name, ok := k.(string); ok && slices.Contains(internal, name) {
			continue
		}
		out.Set(k, v)
	}
	return out
}

// List is --list as JSON, with its newline.
func (p Printer) List() string {
	top := value.NewDict()
	p.jsonGroup(p.Inventory.all, top, map[*Group]bool{})
	hostvars := value.NewDict()
	for _, h := range p.Inventory.all.AllHosts() {
		if p.Only != nil && !p.Only(h) {
			continue
		}
		if vars := p.hostVars(h); vars.Len() > 0 {
			hostvars.Set(h.Name, vars)
		}
	}
	top.Set("_meta", value.NewDict("hostvars", hostvars))
	return jsonText(top)
}

// jsonGroup adds a group and those below it.
func (p Printer) jsonGroup(g *Group, top *value.Dict, seen map[*Group]bool) {
	entry := value.NewDict()
	if hosts := p.hosts(g); g != p.Inventory.all && len(hosts) > 0 {
		entry.Set("hosts", hostNames(hosts))
	}
	children := value.NewList()
	for _, c := range g.Children {
		children.Append(c.Name)
		if !seen[c] {
			seen[c] = true
			p.jsonGroup(c, top, seen)
		}
	}
	if children.Len() > 0 {
		entry.Set("children", children)
	}
	if p.Export {
		if vars := p.groupVars(g); vars.Len() > 0 {
			entry.Set("vars", vars)
		}
	}
	if entry.Len() > 0 {
		top.Set(g.Name, entry)
	}
}

func hostNames(hosts []*Host) *value.List {
	names := value.NewList()
	for _, h := range hosts {
		names.Append(h.Name)
	}
	return names
}

// Host is --host as JSON, with its newline.
func (p Printer) Host(h *Host) string { return jsonText(p.hostVars(h)) }

// HostYAML is --host --yaml.
func (p Printer) HostYAML(h *Host) string { return yamlText(p.hostVars(h)) }

// Graph is --graph from a group on (usually "all"), with --vars when vars is set.
func (p Printer) Graph(group string, vars bool) (string, error) {
	g, ok := p.Inventory.groupBy[group]
	if !ok {
		var names []string
		for _, g := range p.Inventory.groups {
			names = append(names, g.Name)
		}
		e := diag.Errorf(diag.Pos{}, "no group is named %q", group)
		if near := diag.Near(group, names); near != "" {
			e = e.WithHint("did you mean %q?", near)
		}
		return "", e
	}
	var b strings.Builder
	p.graphGroup(&b, g, 0, vars)
	return b.String(), nil
}

func (p Printer) graphGroup(b *strings.Builder, g *Group, depth int, vars bool) {
	graphLine(b, "@"+g.Name+":", depth)
	depth++
	for _, c := range g.Children {
		p.graphGroup(b, c, depth, vars)
	}
	if g != p.Inventory.all {
		for _, h := range p.hosts(g) {
			graphLine(b, h.Name, depth)
			if vars {
				graphVars(b, p.hostVars(h), depth+1)
			}
		}
	}
	if vars {
		graphVars(b, p.groupVars(g), depth)
	}
}

func graphVars(b *strings.Builder, vars *value.Dict, depth int) {
	for _, k := range sortedKeys(vars) {
		v, _ := vars.Get(k)
		graphLine(b, fmt.Sprintf("{%s = %s}", pythonText(k), pythonText(v)), depth)
	}
}

func graphLine(b *strings.Builder, text string, depth int) {
	if depth > 0 {
		text = strings.Repeat("  |", depth) + "--" + text
	}
	b.WriteString(text + "\n")
}

// sortedKeys orders keys as Python sorts them; when they cannot be compared they stay in order.
func sortedKeys(d *value.Dict) []any {
	keys := d.Keys()
	comparable := true
	slices.SortStableFunc(keys, func(a, b any) int {
		if x, ok := a.(string); ok {
			if y, ok := b.(string); ok {
				return strings.Compare(x, y)
			}
		}
		x, okX := number(a)
		y, okY := number(b)
		if !okX || !okY {
			comparable = false
			return 0
		}
		return int(math.Copysign(1, x-y))
	})
	if !comparable {
		return d.Keys()
	}
	return keys
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case bool:
		if n {
			return 1, true
		}
		return 0, true
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// jsonText writes a value as Python's json.dumps with sorted keys and an indent of 4. When the
// keys of any dict cannot be compared none are sorted, as ansible-inventory does.
func jsonText(v any) string {
	w := jsonWriter{keys: sortedKeys}
	if !sortable(v) {
		w.keys = (*value.Dict).Keys
	}
	w.value(v, 0)
	w.WriteByte('\n')
	return w.String()
}

// sortable tells whether Python could sort the keys of every dict in a value.
func sortable(v any) bool {
	switch x := v.(type) {
	case *value.List:
		return !slices.ContainsFunc(x.Items, func(item any) bool { return !sortable(item) })
	case value.Tuple:
		return !slices.ContainsFunc(x, func(item any) bool { return !sortable(item) })
	case *value.Dict:
		texts, numbers := 0, 0
		for k, item := range x.All() {
			if _, ok := k.(string); ok {
				texts++
			} else if _, ok := number(k); ok {
				numbers++
			}
			if !sortable(item) {
				return false
			}
		}
		return x.Len() < 2 || texts == x.Len() || numbers == x.Len()
	}
	return true
}

// jsonWriter writes JSON text.
type jsonWriter struct {
	strings.Builder
	keys func(*value.Dict) []any
}

func (b *jsonWriter) value(v any, depth int) {
	switch x := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		fmt.Fprint(b, x)
	case int:
		fmt.Fprint(b, x)
	case *big.Int:
		b.WriteString(x.String())
	case float64:
		b.WriteString(jsonFloat(x))
	case string:
		// Only text marked !unsafe holds Jinja and is no template.
		if document.HasTemplate(x) {
			b.dict(value.NewDict("__ansible_unsafe", &value.Template{Text: x}), depth)
			return
		}
		b.text(x)
	case value.Bytes:
		b.text(string(x))
	case *value.Template:
		b.text(x.Text)
	case *value.Sealed:
		b.dict(value.NewDict("__ansible_vault", x.Text), depth)
	case *value.List:
		b.list(x.Items, depth)
	case value.Tuple:
		b.list(x, depth)
	case *value.Dict:
		b.dict(x, depth)
	default:
		b.text(fmt.Sprint(x))
	}
}

func (b *jsonWriter) list(items []any, depth int) {
	if len(items) == 0 {
		b.WriteString("[]")
		return
	}
	b.WriteByte('[')
	for i, item := range items {
		b.newline(i, depth+1)
		b.value(item, depth+1)
	}
	b.newline(0, depth)
	b.WriteByte(']')
}

func (b *jsonWriter) dict(d *value.Dict, depth int) {
	if d.Len() == 0 {
		b.WriteString("{}")
		return
	}
	b.WriteByte('{')
	for i, k := range b.keys(d) {
		b.newline(i, depth+1)
		v, _ := d.Get(k)
		b.text(jsonKey(k))
		b.WriteString(": ")
		b.value(v, depth+1)
	}
	b.newline(0, depth)
	b.WriteByte('}')
}

func (b *jsonWriter) newline(i, depth int) {
	if i > 0 {
		b.WriteByte(',')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Repeat("    ", depth))
}

func jsonKey(k any) string {
	switch x := k.(type) {
	case string:
		return x
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(x)
	case float64:
		return jsonFloat(x)
	}
	return pythonText(k)
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return pythonFloat(f)
}

// writeString writes JSON text with only the escapes that must be.
func (b *jsonWriter) text(s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '\f':
			b.WriteString(`\f`)
		case '\b':
			b.WriteString(`\b`)
		default:
			if r < ' ' {
				fmt.Fprintf(b, `\u%04x`, r)
				continue
			}
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
