package virt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
)

// templateSpace is the namespace of a template's mark in <metadata>. It is not that of the record of a definition, for libvirt keeps one
// element of a namespace.
const templateSpace = "https://github.com/hostlerhq/hostler/libvirt/template/1"

// identityOperations are what virt-sysprep does so that two guests of one disk are not the same to others.
const identityOperations = "machine-id,ssh-hostkeys,random-seed,dhcp-client-state,udev-persistent-net"

// templateMark says in a domain's metadata that it is a template. The names of the operations are kept, and not a hash of them only, so that a
// refusal can tell them.
type templateMark struct {
	name, from string            // what the template is to be called, and what the domain was called
	operations string            // of virt-sysprep, sorted, with commas; defaultOperations when they were not given
	protected  bool              // it is not to be started
	modes      map[string]string // of the files that were made read-only, octal, as they were before
}

// defaultOperations stands for those that virt_template chooses: what they are may change with virt-sysprep, and is then not done again.
const defaultOperations = "default"

// templateOf reads the mark; nil when the domain has none, or there is no domain.
func templateOf(config *libvirt.Node) *templateMark {
	n := markNode(config)
	if n == nil {
		return nil
	}
	m := &templateMark{name: n.Attr("name"), from: n.Attr("from"), operations: n.Attr("operations"), protected: n.Attr("protect") != "no", modes: map[string]string{}}
	for _, c := range n.Nodes {
		m.modes[c.Attr("file")] = c.Attr("mode")
	}
	return m
}

func markNode(config *libvirt.Node) *libvirt.Node {
	metadata := config.At("metadata")
	if metadata == nil {
		return nil
	}
	ours := func(a libvirt.Attr) bool { return strings.HasPrefix(a.Name, "xmlns") && a.Value == templateSpace }
	i := slices.IndexFunc(metadata.Nodes, func(c *libvirt.Node) bool { return slices.ContainsFunc(c.Attrs, ours) })
	if i < 0 {
		return nil
	}
	return metadata.Nodes[i]
}

// unmark takes the mark out of a definition.
func unmark(config *libvirt.Node) {
	if n := markNode(config); n != nil {
		config.At("metadata").Remove(n)
	}
}

// node gives the mark as an element, as virsh metadata takes it.
func (m templateMark) node() *libvirt.Node {
	protect := "yes"
	if !m.protected {
		protect = "no"
	}
	n := libvirt.New("template", "", "name", m.name, "from", m.from, "operations", m.operations, "protect", protect)
	for _, f := range slices.Sorted(maps.Keys(m.modes)) {
		n.Add(libvirt.New("disk", "", "file", f, "mode", m.modes[f]))
	}
	return n
}

// text is the mark on one line.
func (m templateMark) text() string {
	var b strings.Builder
	for line := range strings.Lines(m.node().String()) {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}

// forgets reports that virt-sysprep took the guest's identity out of the disks.
func (m templateMark) forgets() bool {
	if m.operations == defaultOperations {
		return true
	}
	done := strings.Split(m.operations, ",")
	return slices.Contains(done, "machine-id") && slices.Contains(done, "ssh-hostkeys")
}

// protectedTemplate reports a domain that must not be started.
func protectedTemplate(config *libvirt.Node) bool {
	m := templateOf(config)
	return m != nil && m.protected
}

// errTemplate is why a template is not started.
func errTemplate(name string) error {
	return &libvirt.Error{
		Class: libvirt.WrongState, Text: fmt.Sprintf("domain %s is a template: what a guest writes to its disks would spoil every clone that stands on them", name),
		Advice: "clone it (virt_clone), or make it a domain again (virt_template: state: absent)",
	}
}
