package libvirt

import (
	"fmt"
	"slices"
	"strings"
)

// Difference is one field that is not as it should be. Before is "" where there is none, After where it is to go.
type Difference struct{ Path, Before, After string }

func (d Difference) String() string {
	switch {
	case d.Before == "":
		return d.Path + " is missing, wanted " + quoted(d.After)
	case d.After == "":
		return d.Path + " is " + quoted(d.Before) + ", which is no longer wanted"
	}
	return d.Path + " is " + quoted(d.Before) + ", wanted " + quoted(d.After)
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// hidden are the fields whose values nobody is to see.
func hidden(element, where string) bool {
	return where == "passwd" || element == "secret" && where == "value" || element == "commandline" || strings.HasPrefix(element, "qemu:")
}

// show gives a value for people.
func show(element, where, value string) string {
	if hidden(element, where) && value != "" {
		return "***"
	}
	return strings.TrimSpace(value)
}

// keyOf identifies an element among those of its name: by what libvirt's users take for its name, "" where only its place tells.
func keyOf(parent string, n *Node) string {
	switch parent + "/" + n.Name {
	case "devices/disk":
		return n.At("target").Attr("dev")
	case "devices/interface":
		return strings.ToLower(n.At("mac").Attr("address"))
	case "devices/controller":
		if n.Attr("index") == "" {
			return ""
		}
		return n.Attr("type") + n.Attr("index")
	case "devices/channel", "devices/serial", "devices/parallel":
		if name := n.At("target").Attr("name"); name != "" {
			return name
		}
		return n.At("target").Attr("port")
	case "devices/filesystem":
		return n.At("target").Attr("dir")
	case "devices/graphics":
		return n.Attr("type")
	case "devices/input":
		return n.Attr("type") + n.Attr("bus")
	case "devices/hostdev":
		return sourceKey(n.At("source"))
	case "cpu/feature", "clock/timer", "network/portgroup", "dns/txt", "hyperv/feature":
		return n.Attr("name")
	case "numa/cell", "cputune/vcpupin", "vcpus/vcpu", "iothreadids/iothread":
		return n.Attr("id") + n.Attr("vcpu")
	case "dhcp/host":
		if mac := strings.ToLower(n.Attr("mac")); mac != "" {
			return mac
		}
		return n.Attr("id") + n.Attr("name") + n.Attr("ip")
	case "dns/host":
		return n.Attr("ip")
	case "dhcp/range":
		return n.Attr("start")
	case "network/ip", "network/route":
		return n.Attr("family") + n.Attr("address")
	case "source/device":
		return n.Attr("path")
	}
	return ""
}

// sourceKey tells host devices apart by their address, or by vendor and product.
func sourceKey(source *Node) string {
	if id := source.At("vendor").Attr("id"); id != "" {
		return strings.ToLower(id + ":" + source.At("product").Attr("id")) // of USB; where it is plugged in is added when it runs
	}
	var b strings.Builder
	for _, a := range source.At("address").attrs() {
		b.WriteString(strings.TrimPrefix(strings.ToLower(a.Value), "0x") + ".")
	}
	return b.String()
}

func (n *Node) attrs() []Attr {
	if n == nil {
		return nil
	}
	return n.Attrs
}

// pairs finds for each wanted child of one name the one that it is on the host: by key, then by alias, then by place among those that
// are left and of the same type and source. Nil means that there is none.
func pairs(parent string, want, have []*Node) []*Node {
	found := make([]*Node, len(want))
	taken := map[*Node]bool{}
	pick := func(same func(w, h *Node) bool) {
		for i, w := range want {
			if found[i] != nil {
				continue
			}
			for _, h := range have {
				if !taken[h] && same(w, h) {
					found[i], taken[h] = h, true
					break
				}
			}
		}
	}
	pick(func(w, h *Node) bool { k := keyOf(parent, w); return k != "" && k == keyOf(parent, h) })
	pick(func(w, h *Node) bool {
		alias := w.At("alias").Attr("name")
		return strings.HasPrefix(alias, "ua-") && alias == h.At("alias").Attr("name")
	})
	pick(func(w, h *Node) bool {
		k := keyOf(parent, w)
		return (k == "" || keyOf(parent, h) == "") && w.Attr("type") == h.Attr("type") && sameSource(w.At("source"), h.At("source"))
	})
	pick(func(w, h *Node) bool {
		return keyOf(parent, w) == "" && w.Name != "interface" && (w.Attr("type") == "" || w.Attr("type") == h.Attr("type") || len(want) == 1)
	})
	return found
}

func sameSource(w, h *Node) bool {
	for _, name := range []string{"network", "bridge", "dev"} {
		if w.Attr(name) != "" && w.Attr(name) != h.Attr(name) {
			return false
		}
	}
	return true
}

// groups gives the children by name, in the order of their first.
func groups(n *Node) [][]*Node {
	var all [][]*Node
	if n == nil {
		return nil
	}
	for _, c := range n.Nodes {
		i := slices.IndexFunc(all, func(g []*Node) bool { return g[0].Name == c.Name })
		if i < 0 {
			all = append(all, []*Node{c})
			continue
		}
		all[i] = append(all[i], c)
	}
	return all
}

// Compare gives the fields that the user wrote and that are otherwise on the host, and those that the record says we once set and that
// the user no longer writes but the host still has. What nobody wrote is not compared. Values are compared by their meaning: sizes in
// any unit, MAC addresses and UUIDs in any case, machine aliases and what they were resolved to, yes and on, netmask and prefix.
// Record is what Record.Paths gave, nil where nothing is known.
func Compare(want, have *Node, record []string) []Difference {
	w, h := folded(want), folded(have)
	var diffs []Difference
	compareNode(&diffs, "", "", w, h)
	return append(diffs, stale(w, h, record)...)
}

func compareNode(diffs *[]Difference, at, parent string, want, have *Node) {
	for _, a := range want.Attrs {
		if ignoredAttr(parent, want.Name, a.Name) {
			continue
		}
		if got := implied(have, a.Name); !sameValue(parent, want.Name, a.Name, a.Value, got) {
			*diffs = append(*diffs, Difference{join(at, "@"+a.Name), show(want.Name, a.Name, got), show(want.Name, a.Name, a.Value)})
		}
	}
	if text := strings.TrimSpace(want.Text); text != "" && !sameValue(parent, want.Name, want.Name, text, have.Text) {
		*diffs = append(*diffs, Difference{at, show(want.Name, want.Name, have.Text), show(want.Name, want.Name, text)})
	}
	for _, group := range groups(want) {
		found := pairs(want.Name, group, have.All(group[0].Name))
		for i, w := range group {
			path := join(at, step(want.Name, w, i, len(group)))
			if found[i] == nil {
				*diffs = append(*diffs, Difference{path, "", summary(w)})
				continue
			}
			compareNode(diffs, path, want.Name, w, found[i])
		}
	}
}

// implied is an attribute, or what libvirt means by leaving it out.
func implied(n *Node, name string) string {
	if n.Name == "vcpu" && name == "current" && n.Attr(name) == "" {
		return strings.TrimSpace(n.Text) // all of them
	}
	return n.Attr(name)
}

func join(at, next string) string {
	if at == "" {
		return next
	}
	return at + "/" + next
}

// step is one part of a path: the name, and what tells it from its like.
func step(parent string, n *Node, i, of int) string {
	if key := keyOf(parent, n); key != "" {
		return n.Name + "[" + key + "]"
	}
	if of > 1 || repeats(parent) {
		return fmt.Sprintf("%s[#%d]", n.Name, i+1)
	}
	return n.Name
}

// repeats reports elements whose children mostly come in numbers.
func repeats(parent string) bool { return parent == "devices" }

// summary tells an element in a line.
func summary(n *Node) string {
	var b strings.Builder
	b.WriteString("<" + n.Name)
	for _, a := range n.Attrs {
		b.WriteString(" " + a.Name + "='" + show(n.Name, a.Name, a.Value) + "'")
	}
	b.WriteString(">")
	if text := show(n.Name, n.Name, n.Text); text != "" {
		b.WriteString(text)
	}
	for _, c := range n.Nodes {
		b.WriteString(summary(c))
	}
	return b.String()
}
