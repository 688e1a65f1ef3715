// Package inventory reads hosts and groups from INI, YAML, TOML, folders,
// scripts, host lists and libvirt's domains, with their variables, and answers host patterns. It never
// touches the network: package cmd lends what asks libvirt.
package inventory

import (
	"context"
	"fmt"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Inventory is all hosts and groups of the sources read. "all" and "ungrouped" always exist.
// Reading it is safe for concurrent use; AddHost and AddToGroup are not.
type Inventory struct {
	Sources []string

	hosts      []*Host
	hostByName map[string]*Host
	groups     []*Group
	groupBy    map[string]*Group
	all        *Group
	ungrouped  *Group
	implicit   map[string]*Host
	files      *varsFiles
	opts       Options
	// shared are the sorted groups of hosts that are in the same groups directly.
	shared map[string][]*Group
}

// Host is one host. Vars are those of its source line and of host_vars, unrendered, not merged with its groups'.
type Host struct {
	Name   string
	Vars   []Layer  // lowest precedence first
	Groups []*Group // direct ones
	// Implicit marks the localhost that nobody defined.
	Implicit bool
	// Source is the absolute path of the source that named the host first (inventory_file); "" when it was added in a run.
	Source string
	Pos    diag.Pos

	groups []*Group // all but "all", in the order of GroupsOf
}

// Group is one group.
type Group struct {
	Name     string
	Vars     []Layer
	Children []*Group
	Parents  []*Group
	Hosts    []*Host // direct ones
	Priority int     // ansible_group_priority, 1 by default
	Depth    int     // longest distance from all
	Pos      diag.Pos

	hostSet map[*Host]bool
	id      int
}

// Layer is one source of variables of a host or group.
type Layer struct {
	Kind LayerKind
	File string
	Vars *value.Dict // unrendered

	order int // of the folder that the file lies in
}

// LayerKind orders layers as Ansible's precedence does (levels 3 to 10).
type LayerKind int

// The kinds, for groups (the first three also split by "all" and others) and hosts.
const (
	FromSource    LayerKind = iota // in the inventory source itself
	FromInventory                  // group_vars or host_vars beside the inventory
	FromPlaybook                   // group_vars or host_vars beside the playbook
)

// Options say how sources are read.
type Options struct {
	// Open reads a file; vaulted ones come opened. nil is os.ReadFile.
	Open func(path string) ([]byte, error)
	// Loaded, when set, is given the variables that each file holds, also a source, and gives what counts in their place.
	Loaded func(path string, vars *value.Dict) *value.Dict
	// Evaluate renders a template (or, with expr, an expression) against variables, for constructed
	// sources; package cmd lends the template engine.
	Evaluate func(ctx context.Context, text string, expr bool, vars *value.Dict) (any, error)
	// RunScript runs an inventory script and gives its output; package cmd lends internal/localexec.
	RunScript func(ctx context.Context, path string, args ...string) ([]byte, error)
	// Guests asks a libvirt for its domains; package cmd lends the module virt_info and the ways to hosts. What libvirt refuses is an error with a hint.
	Guests func(ctx context.Context, q GuestQuery) (Guests, error)
	// Enabled are the plugins to try, in order; empty is Ansible's default, advanced_host_list and constructed.
	Enabled []string
	// PlaybookDir is where group_vars and host_vars beside the playbook are; "" is none.
	PlaybookDir string
	// UnparsedFatal makes it an error when no source at all can be read, AnyUnparsedFatal when one cannot.
	// Otherwise that is a warning, as in Ansible.
	UnparsedFatal, AnyUnparsedFatal bool
	// IgnoreExtensions and IgnorePatterns (regular expressions) leave files of a folder out; nil
	// extensions are Ansible's.
	IgnoreExtensions, IgnorePatterns []string
	// GroupNames is force_valid_group_names: "never" (the default, warns), "ignore", "always" (replaces and warns), "silently".
	GroupNames string
	// MergeHashes is hash_behaviour=merge.
	MergeHashes bool
	// ExtraVars are those of the command line, for constructed sources that use them.
	ExtraVars *value.Dict
}

// NotFoundError tells that an inventory source does not exist.
type NotFoundError struct{ Path string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("no such inventory: %s", e.Path) }

// newInventory makes one with the two groups that always exist.
func newInventory(sources []string, opts Options) *Inventory {
	inv := &Inventory{
		Sources:    sources,
		hostByName: map[string]*Host{},
		groupBy:    map[string]*Group{},
		implicit:   map[string]*Host{},
		shared:     map[string][]*Group{},
		opts:       opts,
	}
	inv.all, _ = inv.addGroup("all", diag.Pos{})
	inv.ungrouped, _ = inv.addGroup("ungrouped", diag.Pos{})
	// Two fresh groups cannot form a loop.
	_, _ = inv.addChild(inv.all, inv.ungrouped, diag.Pos{})
	for _, name := range localNames() {
		h := &Host{Name: name, Implicit: true}
		h.Vars = []Layer{{Vars: value.NewDict("ansible_connection", "local")}}
		inv.implicit[name] = h
	}
	return inv
}

// localNames are the names that mean this machine without being defined.
func localNames() []string { return []string{"localhost", "127.0.0.1", "::1"} }

// Host finds a host by name; "localhost" and its addresses always exist.
func (inv *Inventory) Host(name string) (*Host, bool) {
	if h, ok := inv.hostByName[name]; ok {
		return h, true
	}
	if _, ok := inv.implicit[name]; !ok {
		return nil, false
	}
	// As in Ansible, a defined host with one of the three names stands for the others.
	for _, other := range localNames() {
		if h, ok := inv.hostByName[other]; ok {
			return h, true
		}
	}
	return inv.implicit[name], true
}

// Group finds a group by name.
func (inv *Inventory) Group(name string) (*Group, bool) {
	g, ok := inv.groupBy[name]
	return g, ok
}

// Hosts are all hosts in order of their definition, without the implicit localhost.
func (inv *Inventory) Hosts() []*Host { return inv.hosts }

// Groups are all groups in order of their definition, "all" and "ungrouped" first.
func (inv *Inventory) Groups() []*Group { return inv.groups }

// GroupsOf are all groups of a host but "all", ancestors included, in the order in which their variables apply: depth,
// ansible_group_priority, name. The slice is shared: do not change it.
func (inv *Inventory) GroupsOf(h *Host) []*Group { return h.groups }
