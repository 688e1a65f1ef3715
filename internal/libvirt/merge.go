package libvirt

import (
	"slices"
	"strings"
)

// MergeOptions say what of the host's definition goes on beside what the user wrote.
type MergeOptions struct {
	// Record is what an earlier definition of ours set (Record.Paths): elements that only it had are left out.
	Record []string
	// KeepHosts keeps DHCP reservations of a network that the user did not write.
	KeepHosts bool
}

// Merge gives the definition that has every field of want and otherwise stays as have: elements that already are as wanted are have's own,
// those that differ are want's with the identity of have's (MAC, machine version, address on the bus), and what want does not speak of stays.
// The UUID is have's.
func Merge(want, have *Node, opts MergeOptions) *Node {
	w, h := want.Clone(), have.Clone()
	m := merger{opts: opts, stale: stalePaths(folded(want), folded(have), opts.Record)}
	out := &Node{Name: h.Name, Attrs: w.Attrs, Nodes: m.children("", w, h)}
	for _, a := range h.Attrs {
		if out.Attr(a.Name) == "" {
			out.Attrs = append(out.Attrs, a)
		}
	}
	if uuid := h.Val("uuid"); uuid != "" {
		out.Set("uuid", uuid)
	}
	return out
}

type merger struct {
	opts  MergeOptions
	stale []string
}

// children merges the children of two elements of one name.
func (m merger) children(at string, want, have *Node) []*Node {
	var out []*Node
	match := map[*Node]*Node{} // from have to want
	var added []*Node
	for _, group := range groups(want) {
		for i, h := range pairs(want.Name, group, have.All(group[0].Name)) {
			if h == nil {
				added = append(added, group[i])
				continue
			}
			match[h] = group[i]
		}
	}
	index := map[string]int{}
	for _, h := range have.Nodes {
		i := index[h.Name]
		index[h.Name]++
		path := join(at, step(have.Name, h, i, len(have.All(h.Name))))
		switch w := match[h]; {
		case w == nil && h.Name == "metadata", w != nil && h.Name == "metadata":
			out = append(out, mergeMetadata(w, h))
		case w == nil && h.Name == "currentMemory" && sameMemory(h, have.At("memory")) && want.At("memory") != nil && !sameMemory(h, want.At("memory")):
			// libvirt filled it in, and does so again: it goes with the memory
		case w == nil:
			if !m.dropped(path) {
				out = append(out, h)
			}
		case h.Name == "devices":
			out = append(out, &Node{Name: "devices", Nodes: m.children(path, w, h)})
		case m.differs(path, have.Name, w, h):
			out = append(out, m.inherit(have.Name, w, h))
		default:
			out = append(out, h)
		}
	}
	return append(out, added...)
}

// sameMemory reports two amounts of memory that are one.
func sameMemory(a, b *Node) bool {
	x, ok1 := KiB(a)
	y, ok2 := KiB(b)
	return ok1 && ok2 && x == y
}

// dropped reports whether an element was all our doing and is no longer wanted.
func (m merger) dropped(path string) bool {
	return slices.ContainsFunc(m.stale, func(s string) bool { return s == path || strings.HasPrefix(s, path+"/") })
}

func (m merger) differs(path, parent string, want, have *Node) bool {
	var diffs []Difference
	w, h := folded(want), folded(have)
	foldNode(w, parent)
	foldNode(h, parent)
	compareNode(&diffs, path, parent, w, h)
	return len(diffs) > 0 || m.dropped(path)
}

// inherit gives want with what have's identity is made of.
func (m merger) inherit(parent string, want, have *Node) *Node {
	w := want.Clone()
	if w.At("mac") == nil && have.At("mac") != nil && w.Name == "interface" {
		w.Add(have.At("mac").Clone())
	}
	if parent == "devices" && w.At("address") == nil && have.At("address") != nil && samePlug(w, have) {
		w.Add(have.At("address").Clone())
	}
	if w.Name == "os" {
		if t := w.At("type"); t != nil && (t.Attr("machine") == "" || sameMachine(t.Attr("machine"), have.At("type").Attr("machine"))) {
			t.SetAttr("machine", have.At("type").Attr("machine"))
		}
	}
	if m.opts.KeepHosts && w.Name == "ip" && have.At("dhcp") != nil && w.At("dhcp") != nil {
		for _, h := range have.At("dhcp").All("host") {
			key := keyOf("dhcp", h)
			ours := slices.ContainsFunc(m.stale, func(s string) bool { return strings.Contains(s, "/dhcp/host["+key+"]") })
			if !ours && !slices.ContainsFunc(w.At("dhcp").All("host"), func(o *Node) bool { return keyOf("dhcp", o) == key }) {
				w.At("dhcp").Add(h.Clone())
			}
		}
	}
	return w
}

// samePlug reports whether a device still fits where it was plugged in.
func samePlug(want, have *Node) bool {
	for _, way := range [][]string{{"target", "bus"}, {"model", "type"}} {
		w := want.At(way[0]).Attr(way[1])
		if w != "" && w != have.At(way[0]).Attr(way[1]) {
			return false
		}
	}
	return want.Attr("model") == "" || want.Attr("model") == have.Attr("model")
}

// mergeMetadata keeps what others wrote and takes the user's own.
func mergeMetadata(want, have *Node) *Node {
	out := have.Clone()
	if want == nil {
		return out
	}
	for _, w := range want.Nodes {
		out.Nodes = slices.DeleteFunc(out.Nodes, func(n *Node) bool { return n.Name == w.Name })
		out.Nodes = append(out.Nodes, w.Clone())
	}
	return out
}
