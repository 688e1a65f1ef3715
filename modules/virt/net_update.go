package virt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// netSection is a part of a network that changes while it runs (virsh net-update).
type netSection struct {
	name   string   // as net-update says it
	way    []string // the elements around it; "ip" stands for each <ip>
	item   string
	modify bool // an entry can be changed in place; otherwise it is deleted and added
	same   func(a, b *libvirt.Node) bool
}

// netSections are those of libvirt 9.0.
func netSections() []netSection {
	attr := func(names ...string) func(a, b *libvirt.Node) bool {
		return func(a, b *libvirt.Node) bool {
			return !slices.ContainsFunc(names, func(n string) bool { return a.Attr(n) != b.Attr(n) })
		}
	}
	return []netSection{
		{"ip-dhcp-range", []string{"ip", "dhcp"}, "range", false, attr("start", "end")},
		{"ip-dhcp-host", []string{"ip", "dhcp"}, "host", true, sameHost},
		{"dns-host", []string{"dns"}, "host", false, attr("ip")},
		{"dns-txt", []string{"dns"}, "txt", false, attr("name")},
		{"dns-srv", []string{"dns"}, "srv", false, attr("service", "protocol", "domain", "target")},
		{"portgroup", nil, "portgroup", true, attr("name")},
		{"forward-interface", []string{"forward"}, "interface", false, attr("dev")},
	}
}

// soft reports a difference that net-update can settle.
func soft(d libvirt.Difference) bool {
	first, rest, _ := strings.Cut(d.Path, "/")
	switch kind, _, _ := strings.Cut(first, "["); kind {
	case "portgroup":
		return true
	case "ip":
		return strings.HasPrefix(rest, "dhcp/host") || strings.HasPrefix(rest, "dhcp/range")
	case "dns":
		return slices.ContainsFunc([]string{"host", "txt", "srv"}, func(s string) bool { return strings.HasPrefix(rest, s) })
	case "forward":
		return strings.HasPrefix(rest, "interface")
	}
	return false
}

// withContainers gives a definition with the elements that net-update makes by itself when their first entry comes.
func withContainers(want, have *libvirt.Node) *libvirt.Node {
	have = have.Clone()
	if want.At("dns") != nil && have.At("dns") == nil {
		have.Add(libvirt.New("dns", ""))
	}
	wants := want.All("ip")
	for i, ip := range have.All("ip") {
		if i < len(wants) && wants[i].At("dhcp") != nil && ip.At("dhcp") == nil {
			ip.Add(libvirt.New("dhcp", ""))
		}
	}
	return have
}

// containers gives the elements that hold a section, with the index of their <ip>, -1 for others.
func (s netSection) containers(doc *libvirt.Node) (nodes []*libvirt.Node, index []int) {
	if len(s.way) > 0 && s.way[0] == "ip" {
		for i, ip := range doc.All("ip") {
			nodes, index = append(nodes, ip.At(s.way[1:]...)), append(index, i)
		}
		return nodes, index
	}
	return []*libvirt.Node{doc.At(s.way...)}, []int{-1}
}

// updates gives what brings the running network to what is wanted, section by section.
func updates(j *netJob, n network) []modules.Action {
	if n.live == nil {
		return nil
	}
	var actions []modules.Action
	for _, s := range netSections() {
		wants, _ := s.containers(j.want)
		haves, index := s.containers(n.live)
		for i, have := range haves {
			if i >= len(wants) {
				break
			}
			actions = append(actions, s.update(j, n, wants[i], have, index[i])...)
		}
	}
	return actions
}

// update settles one container: first what is to go, then what comes.
func (s netSection) update(j *netJob, n network, want, have *libvirt.Node, index int) []modules.Action {
	var gone, come []modules.Action
	items := have.All(s.item)
	for _, w := range want.All(s.item) {
		at := slices.IndexFunc(items, func(h *libvirt.Node) bool { return s.same(w, h) })
		switch {
		case at < 0:
			come = append(come, s.action(j.Place, j.Name, "add-last", w, index, "--live"))
		case len(libvirt.Compare(w, items[at], nil)) == 0:
		case s.modify:
			come = append(come, s.action(j.Place, j.Name, "modify", w, index, "--live"))
		default:
			gone = append(gone, s.action(j.Place, j.Name, "delete", items[at], index, "--live"))
			come = append(come, s.action(j.Place, j.Name, "add-last", w, index, "--live"))
		}
	}
	for _, h := range s.unwanted(j, n, want, items) {
		gone = append(gone, s.action(j.Place, j.Name, "delete", h, index, "--live"))
	}
	return append(gone, come...)
}

// unwanted are the entries that go: those that an earlier definition of ours had, and all other reservations with exact.
func (s netSection) unwanted(j *netJob, n network, want *libvirt.Node, items []*libvirt.Node) []*libvirt.Node {
	stale := libvirt.Compare(j.want, n.live, libvirt.Recorded(n.config))
	var gone []*libvirt.Node
	for _, h := range items {
		if slices.ContainsFunc(want.All(s.item), func(w *libvirt.Node) bool { return s.same(w, h) }) {
			continue
		}
		ours := slices.ContainsFunc(stale, func(d libvirt.Difference) bool {
			return d.After == "" && strings.Contains(d.Path+"/", "/"+s.item+"["+entryKey(h)+"]/") || d.After == "" && strings.HasPrefix(d.Path, s.item+"["+entryKey(h)+"]")
		})
		if ours || j.HostsMode == "exact" && s.name == "ip-dhcp-host" {
			gone = append(gone, h)
		}
	}
	return gone
}

// entryKey is how a record names an entry.
func entryKey(h *libvirt.Node) string {
	for _, name := range []string{"mac", "start", "name", "ip"} {
		if v := h.Attr(name); v != "" {
			return strings.ToLower(v)
		}
	}
	return ""
}

func (s netSection) action(p Place, name, verb string, item *libvirt.Node, index int, where ...string) modules.Action {
	args := []string{"net-update", "--network", name, "--command", verb, "--section", s.name}
	if index >= 0 {
		args = append(args, "--parent-index", strconv.Itoa(index))
	}
	word := map[string]string{"add-last": "add", "modify": "change", "delete": "delete"}[verb]
	return withFile(p, fmt.Sprintf("%s %s %s in network %s", word, s.item, entryKey(item), name), item.String(), "--xml", append(args, where...)...)
}

// netPiece is what modify changes.
type netPiece struct {
	section netSection
	item    *libvirt.Node
}

// piece finds the section that an element belongs to.
func (a NetArgs) piece() (*netPiece, error) {
	doc, err := libvirt.Parse(a.XML)
	if err != nil {
		return nil, &modules.ArgError{Path: []any{"xml"}, Msg: "xml: " + err.Error()}
	}
	section := doc.Name
	switch {
	case doc.Name == "host" && (doc.Attr("mac") != "" || doc.Attr("id") != "" || doc.Attr("name") != ""):
		section = "ip-dhcp-host"
		if mac := doc.Attr("mac"); mac != "" {
			if _, err := libvirt.ParseMAC(mac); err != nil {
				return nil, &modules.ArgError{Path: []any{"xml"}, Msg: "xml: mac " + err.Error()}
			}
		}
	case doc.Name == "host":
		section = "dns-host"
	case doc.Name == "range":
		section = "ip-dhcp-range"
	case doc.Name == "txt", doc.Name == "srv":
		section = "dns-" + doc.Name
	case doc.Name == "interface":
		section = "forward-interface"
	}
	for _, s := range netSections() {
		if s.name == section {
			return &netPiece{s, doc}, nil
		}
	}
	return nil, &modules.ArgError{Path: []any{"xml"}, Msg: "updating this is not supported yet " + a.XML}
}

// plan adds or changes one entry in the stored and the running definition, as far as they differ.
func (p *netPiece) plan(j *netJob, n network) ([]modules.Action, error) {
	type target struct {
		doc  *libvirt.Node
		flag string
	}
	var actions []modules.Action
	verbs := map[string][]string{}
	for _, t := range []target{{n.live, "--live"}, {n.config, "--config"}} {
		if t.doc == nil || t.flag == "--config" && !n.persistent {
			continue
		}
		verb := p.verb(t.doc)
		if verb != "" {
			verbs[verb] = append(verbs[verb], t.flag)
		}
	}
	for _, verb := range []string{"modify", "replace", "add-last"} {
		flags := verbs[verb]
		if len(flags) == 0 {
			continue
		}
		if verb == "replace" {
			old := p.find(n.config)
			actions = append(actions, p.section.action(j.Place, j.Name, "delete", old, -1, flags...))
			verb = "add-last"
		}
		actions = append(actions, p.section.action(j.Place, j.Name, verb, p.item, -1, flags...))
	}
	return actions, nil
}

// find gives the entry that the item is for.
func (p *netPiece) find(doc *libvirt.Node) *libvirt.Node {
	nodes, _ := p.section.containers(doc)
	for _, c := range nodes {
		for _, h := range c.All(p.section.item) {
			if p.section.same(p.item, h) {
				return h
			}
		}
	}
	return nil
}

// verb is what net-update is to do with a definition; "" when it is so.
func (p *netPiece) verb(doc *libvirt.Node) string {
	switch old := p.find(doc); {
	case old == nil:
		return "add-last"
	case len(libvirt.Compare(p.item, old, nil)) == 0:
		return ""
	case p.section.modify:
		return "modify"
	}
	return "replace"
}
