// Package vars is the variables that one host sees: Ansible's 22 levels of precedence as
// shared, immutable layers, magic variables and lazy rendering. Nothing is merged into one big map.
package vars

import (
	"context"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Level is a layer's place in the order of precedence (surface 5.1).
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

// Layer is one set of variables at one level. Its Dict must not change while a Scope uses it.
type Layer struct {
	Level  Level
	Source string // for hostler vars: "group_vars/all.yml", "play vars", "set_fact"
	Vars   *value.Dict
	// Lookup, when set, is asked in place of Vars: magic variables that are made on demand.
	Lookup func(ctx context.Context, name string) (v any, found bool, err error)
}

// Engine renders: it holds the template environment, with Ansible's filters, tests and lookups, that all
// scopes share.
type Engine struct {
	Env *jinja.Env
	// Native: expressions give native values (ansible-core 2.19). Otherwise text that looks like a list or
	// dict becomes one, as in 2.14.
	Native bool
	// Open opens a *value.Sealed; nil makes reading one an error.
	Open func(sealed *value.Sealed) (string, error)
	// MergeHashes is hash_behaviour=merge.
	MergeHashes bool
}

// Scope is the variables of one host and task. It remembers what it rendered; make a new one for the next
// task. It is for one goroutine.
type Scope struct{}

// Scope makes one from layers, in any order; among equal levels the later wins.
func (e *Engine) Scope(layers ...Layer) *Scope { panic("skeleton") }

// With gives a scope with further layers above s's own level order, sharing what s remembers of names that the new
// layers cannot reach (loop items).
func (s *Scope) With(layers ...Layer) *Scope { panic("skeleton") }

// Lookup implements jinja.Scope: the rendered value of a variable.
func (s *Scope) Lookup(ctx context.Context, name string) (any, bool, error) { panic("skeleton") }

// Render gives v with every *value.Template in it rendered and every *value.Sealed opened. Entries that come to omit
// are left out of dicts and lists.
func (s *Scope) Render(ctx context.Context, v any) (any, error) { panic("skeleton") }

// Text renders v and gives it as text.
func (s *Scope) Text(ctx context.Context, v any) (string, error) { panic("skeleton") }

// Condition evaluates a bare expression (when, until …); v may also be a bool or a number.
func (s *Scope) Condition(ctx context.Context, v any, pos diag.Pos) (bool, error) { panic("skeleton") }

// Omit is the value of the variable omit.
var Omit = new(omit)

type omit struct{ _ byte }
