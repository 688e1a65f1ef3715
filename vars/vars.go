// Package vars is the variables that one host sees: Ansible's 22 levels of
// precedence as shared, immutable layers, read and rendered one name at a time.
// Nothing is merged into one big map: a Scope is a short list of layers and a
// memory of what was rendered for one host and task.
package vars

import (
	"context"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Level is a layer's place in the order of precedence (Ansible's manual, "Understanding
// variable precedence").
type Level int

// The levels, lowest first, numbered as Ansible's manual numbers them.
const (
	CommandLine Level = iota + 1
	RoleDefaults
	InventorySourceGroup
	InventoryGroupAll
	PlaybookGroupAll
	InventoryGroup
	PlaybookGroup
	InventorySourceHost
	InventoryHost
	PlaybookHost
	Facts
	PlayVars
	PlayPrompt
	PlayFiles
	RoleVars
	BlockVars
	TaskVars
	IncludeVars
	SetFact // set_fact and registered results
	RoleParams
	IncludeParams
	Extra
	Magic // inventory_hostname, groups, item …: nothing overrides them
)

// String says what a level is, in the words of Ansible's manual.
func (l Level) String() string {
	names := []string{
		"", "command line values", "role defaults", "inventory group vars", "inventory group_vars/all", "playbook group_vars/all",
		"inventory group_vars", "playbook group_vars", "inventory host vars", "inventory host_vars", "playbook host_vars", "facts",
		"play vars", "play vars_prompt", "play vars_files", "role vars", "block vars", "task vars", "include_vars",
		"set_fact and registered results", "role params", "include params", "extra vars", "magic",
	}
	if l < 0 || int(l) >= len(names) {
		return "unknown"
	}
	return names[l]
}

// Layer is one set of variables at one level. Its Dict must not change while a
// Scope uses it.
type Layer struct {
	Level  Level
	Source string // for people: "group_vars/all.yml", "play vars", "set_fact"
	Vars   *value.Dict
	// Lookup, when set, is asked in place of Vars: variables that are made on demand. What it
	// gives is not rendered again.
	Lookup func(ctx context.Context, name string) (v any, found bool, err error)
}

func (l *Layer) get(ctx context.Context, name string) (any, bool, error) {
	if l.Lookup != nil {
		return l.Lookup(ctx, name)
	}
	v, ok := l.Vars.GetText(name)
	return v, ok, nil
}

// Engine renders. It holds what all scopes share and is safe for concurrent use.
type Engine struct {
	// Env has Ansible's filters, tests and lookups besides Jinja's own.
	Env *jinja.Env
	// Legacy renders as ansible-core 2.14 does without native types: an expression gives text,
	// and text that looks like a list, a dict or a boolean becomes one. Otherwise expressions give native values
	// (ansible-core 2.19).
	Legacy bool
	// Unseal opens a *value.Sealed; nil makes reading one an error.
	Unseal func(sealed *value.Sealed) (string, error)
	// Warn takes what is odd and stops nothing; nil drops it.
	Warn func(text string)
	// MergeHashes is hash_behaviour=merge: dicts of several levels are merged.
	MergeHashes bool
}

// omit is the type of Omit.
type omit struct{ _ byte }

// omitText is what Omit looks like within a longer text.
const omitText = "__omit_place_holder__5a9f1c0be0f24e6c8d37"

// TypeName implements value.Custom.
func (*omit) TypeName() string { return "str" }

// Repr implements value.Custom.
func (*omit) Repr() (string, error) { return "'" + omitText + "'", nil }

// Text is Python's str.
func (*omit) Text() (string, error) { return omitText, nil }

// Truth implements value.Custom.
func (*omit) Truth() (bool, error) { return true, nil }

// Omit is the value of the variable omit: an argument, dict entry or list item that
// comes to it is left out.
var Omit any = &omit{}
