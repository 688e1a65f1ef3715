package inventory

import (
	"github.com/hostlerhq/hostler/internal/pyyaml"
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

// yamlText writes a value as ansible-inventory does: block style, sorted keys, anchors for what appears twice.
func yamlText(v any) string {
	text, err := pyyaml.Dump(v, pyyaml.Options{SortKeys: true, Anchors: true})
	if err != nil {
		return err.Error() + "\n" // a value that contains itself: YAML cannot make one without an alias
	}
	return text
}
