// Package inventory reads hosts and groups from INI, YAML, TOML, folders,
// scripts and host lists, with their variables, and answers host patterns. It never
// touches the network.
package inventory

import (
	"context"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Inventory is all hosts and groups of the sources read. "all" and "ungrouped" always exist.
// Reading it is safe for concurrent use; AddHost and AddGroup are not.
type Inventory struct {
	Sources []string
	// unexported: hosts, groups in order
}

// Host is one host. Vars are those of its source line and of host_vars, unrendered, not merged with its groups'.
type Host struct {
	Name   string
	Vars   []Layer  // lowest precedence first
	Groups []*Group // direct ones
	// Implicit marks the localhost that nobody defined.
	Implicit bool
	Pos      diag.Pos
}

// Group is one group.
type Group struct {
	Name     string
	Vars     []Layer
	Children []*Group
	Parents  []*Group
	Hosts    []*Host // direct ones
	Priority int     // ansible_group_priority
	Depth    int     // distance from all
}

// Layer is one source of variables of a host or group.
type Layer struct {
	Kind LayerKind
	File string
	Vars *value.Dict // unrendered
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
	// Evaluate renders a template (or, with expr, an expression) against variables, for constructed
	// sources; package cmd lends the template engine.
	Evaluate func(ctx context.Context, text string, expr bool, vars *value.Dict) (any, error)
	// RunScript runs an inventory script; package cmd lends internal/localexec.
	RunScript func(ctx context.Context, path string, args ...string) ([]byte, error)
	// Enabled are the plugins to try, in order; empty is Ansible's default and constructed.
	Enabled []string
	// PlaybookDir is where group_vars and host_vars beside the playbook are; "" is none.
	PlaybookDir string
	// UnparsedFatal makes a source that no plugin can read an error, not a warning.
	UnparsedFatal, AnyUnparsedFatal  bool
	IgnoreExtensions, IgnorePatterns []string
}

// Load reads the sources in order; later ones win. A source with a comma is a list of hosts. Warnings come also
// when there is no error.
func Load(ctx context.Context, sources []string, opts Options) (*Inventory, diag.List, error) {
	panic("skeleton")
}

// Match gives the hosts of a pattern (surface 10: unions, &, !, globs, ~regex, [0:3], @file) in inventory order,
// without duplicates. limit is a second pattern, "" for none. No match at all is an empty slice; the names of parts
// that match nothing come as warnings.
func (inv *Inventory) Match(pattern, limit string) ([]*Host, diag.List, error) { panic("skeleton") }

// Host finds a host by name; "localhost" and its addresses always exist.
func (inv *Inventory) Host(name string) (*Host, bool) { panic("skeleton") }

// Group finds a group by name.
func (inv *Inventory) Group(name string) (*Group, bool) { panic("skeleton") }

// Hosts are all hosts in order; Groups all groups.
func (inv *Inventory) Hosts() []*Host   { panic("skeleton") }
func (inv *Inventory) Groups() []*Group { panic("skeleton") }

// GroupsOf are all groups of a host but "all", ancestors included, in the order in which their variables apply: depth,
// ansible_group_priority, name.
func (inv *Inventory) GroupsOf(h *Host) []*Group { panic("skeleton") }

// AddHost adds a host for the rest of the run (add_host), or changes it, and reports whether anything changed.
func (inv *Inventory) AddHost(name string, groups []string, vars *value.Dict) (changed bool, err error) {
	panic("skeleton")
}

// AddToGroup puts a host in a group, made when missing below parents (group_by).
func (inv *Inventory) AddToGroup(h *Host, group string, parents ...string) (changed bool, err error) {
	panic("skeleton")
}
