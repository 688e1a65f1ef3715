// Package modules is the contract between the run and the modules: what a
// module is (Define), what it may do to its host (Host), what its arguments and
// results look like. The modules themselves are in the families below.
package modules

import (
	"context"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Module is one module: its name, its documentation and how to run it. Made by Define.
type Module struct {
	Name  string
	Names []string // further names it answers to, fully qualified ones included
	Docs  Docs
	// unexported: argument schema, decode, run
}

// Docs is a module's manual, read from its source's comments.
type Docs struct {
	Summary     string
	Description string
	Args        []ArgDoc
	Returns     []ReturnDoc
	Examples    string // YAML
}

// ArgDoc is one argument's manual.
type ArgDoc struct {
	Name, Type, Default, Text string
	Aliases, Choices          []string
	Required                  bool
	Args                      []ArgDoc // of a nested dict
}

// ReturnDoc is one return key's manual.
type ReturnDoc struct{ Name, Type, Text string }

// ArgError is a mistake in the arguments: where below them (keys and indexes), what, and a hint.
type ArgError struct {
	Path []any
	Key  bool // the key itself is wrong, not its value
	Msg  string
	Hint string
}

func (e *ArgError) Error() string { return e.Msg }

// Option changes what Define makes.
type Option func(*Module)

// Aliases are further names, for instance "ansible.builtin.copy".
func Aliases(names ...string) Option { panic("skeleton") }

// FreeForm lets the argument take text in place of key=value pairs (command: echo hi).
func FreeForm(arg string) Option { panic("skeleton") }

// Converges declares that after a Change the module's probe must find nothing left to do.
func Converges() Option { panic("skeleton") }

// Define makes a module that runs once per host. Source is the file it stands in, embedded, from
// which the manual is taken: the comment of the arguments' struct and of each field.
func Define[A, R any](name, source string, run func(context.Context, *Host, A) (R, error), opts ...Option) *Module {
	panic("skeleton")
}

// Check looks for mistakes in arguments that may still hold *value.Template: unknown keys, literals of the
// wrong type, missing or exclusive ones. It contacts nothing.
func (m *Module) Check(args *value.Dict) []*ArgError { panic("skeleton") }

// Run runs the module on a host. Args are rendered, but for those that the module takes late.
// A module's failure is in the Result; err is for what is not the module's: *transport.UnreachableError,
// transport.ErrLost, a cancelled context.
func (m *Module) Run(ctx context.Context, h *Host, args *value.Dict) (Result, error) {
	panic("skeleton")
}

// Result is what a module came to.
type Result struct {
	// Data are the register keys, in order: the module's own and changed, failed, msg, skipped, diff,
	// warnings, ansible_facts as far as they apply; our extras under "hostler".
	Data     *value.Dict
	Changed  bool
	Failed   bool
	Skipped  bool
	Msg      string
	Diff     []Diff
	Warnings []string
	Facts    *value.Dict // new facts, without the ansible_ prefix unless the name itself has it
	NoLog    bool        // the module itself asks that its result be hidden
}

// Diff is one difference in Ansible's shape.
type Diff struct {
	Before       string `json:"before"`
	After        string `json:"after"`
	BeforeHeader string `json:"before_header,omitempty"`
	AfterHeader  string `json:"after_header,omitempty"`
	Prepared     string `json:"prepared,omitempty"`
}

// Lookup finds a module by any of its names.
type Lookup func(name string) (*Module, bool)

// Where gives the place of an argument error in the user's file.
type Where func(path []any, key bool) diag.Pos
