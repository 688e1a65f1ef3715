package inventory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// addGroup finds or makes a group.
func (inv *Inventory) addGroup(name string, pos diag.Pos) (g *Group, added bool) {
	if g, ok := inv.groupBy[name]; ok {
		return g, false
	}
	g = &Group{Name: name, Priority: 1, Pos: pos, hostSet: map[*Host]bool{}, id: len(inv.groups)}
	inv.groups = append(inv.groups, g)
	inv.groupBy[name] = g
	return g, true
}

// addHost finds or makes a host. A port counts only for a new one, as in Ansible.
func (inv *Inventory) addHost(name string, port int, source string, pos diag.Pos) (h *Host, added bool) {
	if h, ok := inv.hostByName[name]; ok {
		return h, false
	}
	h = &Host{Name: name, Pos: pos, Source: source}
	if port > 0 {
		setVar(&h.Vars, source, "ansible_port", port)
	}
	inv.hosts = append(inv.hosts, h)
	inv.hostByName[name] = h
	return h, true
}

// addMember puts a host in a group.
func (inv *Inventory) addMember(g *Group, h *Host) bool {
	if g.hostSet[h] {
		return false
	}
	g.hostSet[h] = true
	g.Hosts = append(g.Hosts, h)
	h.Groups = append(h.Groups, g)
	return true
}

// addChild puts a group below another; a loop is an error with its chain.
func (inv *Inventory) addChild(parent, child *Group, pos diag.Pos) (bool, error) {
	if slices.Contains(parent.Children, child) {
		return false, nil
	}
	if chain := pathDown(child, parent, map[*Group]bool{}); chain != nil {
		names := []string{parent.Name}
		for _, g := range chain {
			names = append(names, g.Name)
		}
		return false, diag.Errorf(pos, "groups contain each other: %s", strings.Join(names, " > ")).
			WithHint("take one of them out of the other's children")
	}
	parent.Children = append(parent.Children, child)
	child.Parents = append(child.Parents, parent)
	deepen(child, parent.Depth+1)
	return true, nil
}

// pathDown gives the groups from one down to another, both included, or nil.
func pathDown(from, to *Group, seen map[*Group]bool) []*Group {
	if from == to {
		return []*Group{from}
	}
	seen[from] = true
	for _, c := range from.Children {
		if seen[c] {
			continue
		}
		if rest := pathDown(c, to, seen); rest != nil {
			return append([]*Group{from}, rest...)
		}
	}
	return nil
}

// deepen keeps Depth the longest way from the top. Groups form no loops, so it ends.
func deepen(g *Group, depth int) {
	if g.Depth >= depth {
		return
	}
	g.Depth = depth
	for _, c := range g.Children {
		deepen(c, depth+1)
	}
}

// setVar sets a variable in the layer of its source file.
func setVar(layers *[]Layer, file, key string, v any) {
	if n := len(*layers); n == 0 || (*layers)[n-1].File != file || (*layers)[n-1].Kind != FromSource {
		*layers = append(*layers, Layer{Kind: FromSource, File: file, Vars: value.NewDict()})
	}
	(*layers)[len(*layers)-1].Vars.Set(key, v)
}

// setGroupVar sets a variable of a group; ansible_group_priority is its priority.
func setGroupVar(g *Group, file, key string, v any, pos diag.Pos) error {
	if key != "ansible_group_priority" {
		setVar(&g.Vars, file, key, v)
		return nil
	}
	p, ok := toInt(v)
	if !ok {
		return diag.Errorf(pos, "ansible_group_priority of group %q must be an integer", g.Name)
	}
	g.Priority = p
	return nil
}

func toInt(v any) (int, bool) {
	switch n := v.(type) {
	case int:
		return n, true
	case float64:
		return int(n), true
	case string:
		var i int
		_, err := fmt.Sscanf(strings.TrimSpace(n), "%d", &i)
		return i, err == nil
	}
	return 0, false
}

// AllHosts are the hosts of a group and of the groups below it, nearest groups
// first, without duplicates.
func (g *Group) AllHosts() []*Host {
	if len(g.Children) == 0 {
		return g.Hosts
	}
	var out []*Host
	seen := map[*Host]bool{}
	for _, d := range g.descendants() {
		for _, h := range d.Hosts {
			if !seen[h] {
				seen[h] = true
				out = append(out, h)
			}
		}
	}
	return out
}

// descendants are the group and all below it, level by level.
func (g *Group) descendants() []*Group {
	queue := []*Group{g}
	seen := map[*Group]bool{g: true}
	for i := 0; i < len(queue); i++ {
		for _, c := range queue[i].Children {
			if !seen[c] {
				seen[c] = true
				queue = append(queue, c)
			}
		}
	}
	return queue
}

// ancestors adds a group and all above it to a set.
func (g *Group) ancestors(into map[*Group]bool) {
	if into[g] {
		return
	}
	into[g] = true
	for _, p := range g.Parents {
		p.ancestors(into)
	}
}

// settle brings the graph in order after sources were read or a run changed it:
// every group is below all, every host in a group or in ungrouped.
func (inv *Inventory) settle() {
	for _, g := range inv.groups {
		if g != inv.all && len(g.Parents) == 0 {
			// A group without parents can have all below it only when it is above all; skip that loop.
			_, _ = inv.addChild(inv.all, g, g.Pos)
		}
	}
	inv.ungrouped.Hosts = slices.DeleteFunc(inv.ungrouped.Hosts, func(h *Host) bool {
		grouped := slices.ContainsFunc(h.Groups, func(g *Group) bool { return g != inv.all && g != inv.ungrouped })
		if grouped {
			delete(inv.ungrouped.hostSet, h)
			h.Groups = slices.DeleteFunc(h.Groups, func(g *Group) bool { return g == inv.ungrouped })
		}
		return grouped
	})
	clear(inv.shared)
	for _, h := range inv.hosts {
		inv.settleHost(h)
	}
}

// settleHost puts a host that is in no group into ungrouped and works out all its groups.
func (inv *Inventory) settleHost(h *Host) {
	if !slices.ContainsFunc(h.Groups, func(g *Group) bool { return g != inv.all }) {
		inv.addMember(inv.ungrouped, h)
	}
	h.groups = inv.sortedGroups(h)
}

// sortedGroups gives the groups of a host as GroupsOf has them; hosts in the same
// groups share one slice.
func (inv *Inventory) sortedGroups(h *Host) []*Group {
	var key strings.Builder
	for _, g := range h.Groups {
		fmt.Fprintf(&key, "%d,", g.id)
	}
	if sorted, ok := inv.shared[key.String()]; ok {
		return sorted
	}
	set := map[*Group]bool{}
	for _, g := range h.Groups {
		g.ancestors(set)
	}
	delete(set, inv.all)
	sorted := make([]*Group, 0, len(set))
	for g := range set {
		sorted = append(sorted, g)
	}
	slices.SortFunc(sorted, compareGroups)
	inv.shared[key.String()] = sorted
	return sorted
}

func compareGroups(a, b *Group) int {
	return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Name, b.Name))
}

var invalidNameChars = regexp.MustCompile(`^[0-9]|[^\p{L}\p{N}_]`)

// safeName replaces what cannot be in a variable's name by underscores.
func safeName(name string) string { return invalidNameChars.ReplaceAllString(name, "_") }

// AddHost adds a host for the rest of the run (add_host), or changes it, and reports whether anything changed.
func (inv *Inventory) AddHost(name string, groups []string, vars *value.Dict) (changed bool, err error) {
	if strings.TrimSpace(name) == "" {
		return false, fmt.Errorf("adding a host: its name is empty")
	}
	h, changed := inv.addHost(name, 0, "", diag.Pos{})
	if changed {
		if h.Vars, err = inv.files.host(name, h.Vars); err != nil {
			return true, err
		}
	}
	if inv.setRunVars(h, vars) {
		changed = true
	}
	newGroup := false
	for _, group := range groups {
		g, added, err := inv.runGroup(group)
		if err != nil {
			return changed, err
		}
		newGroup = newGroup || added
		if inv.addMember(g, h) {
			changed = true
		}
	}
	switch {
	case newGroup || inv.ungrouped.hostSet[h] && len(h.Groups) > 1:
		inv.settle()
	case changed:
		inv.settleHost(h)
	}
	return changed || newGroup, nil
}

// setRunVars sets variables of add_host in a fresh copy of the layer, since scopes hold the old one.
func (inv *Inventory) setRunVars(h *Host, vars *value.Dict) bool {
	if vars.Len() == 0 {
		return false
	}
	at := slices.IndexFunc(h.Vars, func(l Layer) bool { return l.Kind == FromSource && l.File == addHostFile })
	old := (*value.Dict)(nil)
	if at >= 0 {
		old = h.Vars[at].Vars
	}
	// What the inventory gives the host already is no change, as in Ansible.
	var sources []Layer
	for _, l := range h.Vars {
		if l.Kind == FromSource {
			sources = append(sources, l)
		}
	}
	before := inv.layerVars(sources)
	next, changed := value.NewDict(), false
	for k, v := range old.All() {
		next.Set(k, v)
	}
	for k, v := range vars.All() {
		if had, ok := before.Get(k); !ok || !sameValue(had, v) {
			changed = true
		}
		next.Set(k, v)
	}
	layer := Layer{Kind: FromSource, File: addHostFile, Vars: next}
	h.Vars = slices.Clone(h.Vars)
	if at >= 0 {
		h.Vars[at] = layer
		return changed
	}
	// After the other source layers, before host_vars.
	at = slices.IndexFunc(h.Vars, func(l Layer) bool { return l.Kind != FromSource })
	if at < 0 {
		at = len(h.Vars)
	}
	h.Vars = slices.Insert(h.Vars, at, layer)
	return changed
}

// addHostFile stands for a file in the layer of variables that a run gave a host.
const addHostFile = "add_host"

// AddToGroup puts a host in a group, made when missing below parents (group_by).
func (inv *Inventory) AddToGroup(h *Host, group string, parents ...string) (changed bool, err error) {
	g, changed, err := inv.runGroup(group)
	if err != nil {
		return false, err
	}
	for _, name := range parents {
		p, added, err := inv.runGroup(name)
		if err != nil {
			return changed, err
		}
		linked, err := inv.addChild(p, g, diag.Pos{})
		if err != nil {
			return changed, err
		}
		changed = changed || added || linked
	}
	if inv.addMember(g, h) {
		changed = true
	}
	if changed {
		inv.settle()
		h.groups = inv.sortedGroups(h)
	}
	return changed, nil
}

// runGroup finds or makes a group during a run, with its group_vars.
func (inv *Inventory) runGroup(name string) (*Group, bool, error) {
	if strings.TrimSpace(name) == "" {
		return nil, false, fmt.Errorf("adding a group: its name is empty")
	}
	g, added := inv.addGroup(name, diag.Pos{})
	if !added {
		return g, false, nil
	}
	var err error
	g.Vars, err = inv.files.group(name, g.Vars)
	return g, true, err
}
