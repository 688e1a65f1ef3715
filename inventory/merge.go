package inventory

import (
	"cmp"
	"slices"

	"github.com/hostlerhq/hostler/jinja/value"
)

// Applied is a layer of a host or of one of its groups, at its level of
// precedence.
type Applied struct {
	Layer
	Group string // "" for the host's own
	Level int    // Ansible's number for it: 3 to 10
}

// LayersOf gives every layer of variables that a host gets from the inventory, lowest
// precedence first, unrendered and shared: Ansible's levels 3 to 10.
func (inv *Inventory) LayersOf(h *Host) []Applied {
	var out []Applied
	add := func(group string, level int, layers []Layer, kind LayerKind) {
		for _, l := range layers {
			if l.Kind == kind {
				out = append(out, Applied{Layer: l, Group: group, Level: level})
			}
		}
	}
	add("all", 3, inv.all.Vars, FromSource)
	for _, g := range h.groups {
		add(g.Name, 3, g.Vars, FromSource)
	}
	add("all", 4, inv.all.Vars, FromInventory)
	add("all", 5, inv.all.Vars, FromPlaybook)
	start := len(out)
	for _, g := range h.groups {
		add(g.Name, 6, g.Vars, FromInventory)
	}
	// Ansible goes through the folders of the sources first, then through the groups.
	slices.SortStableFunc(out[start:], func(a, b Applied) int { return cmp.Compare(a.order, b.order) })
	for _, g := range h.groups {
		add(g.Name, 7, g.Vars, FromPlaybook)
	}
	add("", 8, h.Vars, FromSource)
	add("", 9, h.Vars, FromInventory)
	add("", 10, h.Vars, FromPlaybook)
	return out
}

// HostVars merges the layers of a host, unrendered, as ansible-inventory shows them. It makes
// a new dict each time: a run reads LayersOf instead.
func (inv *Inventory) HostVars(h *Host) *value.Dict {
	out := value.NewDict()
	for _, l := range inv.LayersOf(h) {
		inv.mergeInto(out, l.Vars)
	}
	return out
}

// mergeInto sets the entries of more in out; with hash_behaviour=merge dicts are merged.
func (inv *Inventory) mergeInto(out, more *value.Dict) {
	for k, v := range more.All() {
		if inv.opts.MergeHashes {
			had, _ := out.Get(k)
			old, isOld := had.(*value.Dict)
			add, isAdd := v.(*value.Dict)
			if isOld && isAdd {
				merged := value.NewDict()
				inv.mergeInto(merged, old)
				inv.mergeInto(merged, add)
				v = merged
			}
		}
		out.Set(k, v)
	}
}

// layerVars merges layers of one host or group.
func (inv *Inventory) layerVars(layers []Layer) *value.Dict {
	out := value.NewDict()
	for _, l := range layers {
		inv.mergeInto(out, l.Vars)
	}
	return out
}

// sameValue compares unrendered values.
func sameValue(a, b any) bool {
	switch x := a.(type) {
	case *value.Template:
		y, ok := b.(*value.Template)
		return ok && x.Text == y.Text
	case *value.Sealed:
		y, ok := b.(*value.Sealed)
		return ok && x.Text == y.Text
	case *value.List:
		y, ok := b.(*value.List)
		return ok && slices.EqualFunc(x.Items, y.Items, sameValue)
	case value.Tuple:
		y, ok := b.(value.Tuple)
		return ok && slices.EqualFunc(x, y, sameValue)
	case value.Bytes:
		y, ok := b.(value.Bytes)
		return ok && slices.Equal(x, y)
	case *value.Dict:
		y, ok := b.(*value.Dict)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for k, v := range x.All() {
			w, has := y.Get(k)
			if !has || !sameValue(v, w) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case value.Tuple, value.Bytes:
		return false
	}
	return a == b
}
