// Package modules is the contract between the run and the modules: what a
// module is (Define), what it may do to its host (Host), what its arguments and
// results look like. The modules themselves are in the families below.
package modules

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Module is one module: its name, its documentation and how to run it. Made by Define.
type Module struct {
	Name  string
	Names []string // further names it answers to, fully qualified ones included

	source     string
	args       *schema
	result     reflect.Type
	freeForm   string
	converge   bool
	detaches   bool
	executable bool // a program of the user's; text is it
	text       []byte
	run        func(context.Context, *Host, reflect.Value) (any, error)
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
	// Missing says that an argument is not there, which somebody who has more arguments still to come may ignore.
	Missing bool
}

func (e *ArgError) Error() string { return e.Msg }

// ArgErrors are all the mistakes in one task's arguments.
type ArgErrors []*ArgError

func (e ArgErrors) Error() string {
	texts := make([]string, len(e))
	for i, one := range e {
		texts[i] = one.Msg
		if one.Hint != "" {
			texts[i] += " (" + one.Hint + ")"
		}
	}
	return strings.Join(texts, "; ")
}

// Option changes what Define makes.
type Option func(*Module)

// Aliases are further names, for instance "ansible.builtin.copy".
func Aliases(names ...string) Option {
	return func(m *Module) { m.Names = append(m.Names, names...) }
}

// FreeForm lets the argument take text in place of key=value pairs (command: echo hi).
func FreeForm(arg string) Option { return func(m *Module) { m.freeForm = arg } }

// Converges declares that after a Change the module's probe must find nothing left to do: Reconcile then
// looks once more in the same round trip, and fails when its plan is not empty.
func Converges() Option { return func(m *Module) { m.converge = true } }

// AnyKeys lets the arguments have further keys of any name, as set_fact's and add_host's variables are.
func AnyKeys() Option { return func(m *Module) { m.args.open = true } }

// Define makes a module that runs once per host. Source is the file it stands in, embedded, from
// which the manual is taken: the comment of the arguments' struct and of each field. It panics
// when A's tags make no sense, which the first test of the module shows.
func Define[A, R any](name, source string, run func(context.Context, *Host, A) (R, error), opts ...Option) *Module {
	m := Declare[A](name, source, opts...)
	m.result = reflect.TypeFor[R]()
	m.run = func(ctx context.Context, h *Host, args reflect.Value) (any, error) {
		return run(ctx, h, args.Interface().(A))
	}
	return m
}

// Declare makes the description of an action of the run itself (debug, set_fact …): arguments and manual as a
// module has them, but nothing that Run could run.
func Declare[A any](name, source string, opts ...Option) *Module {
	s, err := newSchema(reflect.TypeFor[A]())
	if err != nil {
		panic(fmt.Sprintf("module %s: %v", name, err))
	}
	m := &Module{Name: name, source: source, args: s}
	for _, opt := range opts {
		opt(m)
	}
	return m
}

// Docs reads the module's manual from its source's comments, each time anew: a run needs none.
func (m *Module) Docs() Docs {
	c := readComments(m.source)
	docs := readDocs(c, m.args)
	if m.result != nil {
		docs.Returns = appendReturns(nil, c, m.result, "")
	}
	return docs
}

// FreeForm gives the argument that takes free-form text, "" when there is none.
func (m *Module) FreeForm() string { return m.freeForm }

// Late gives the arguments that are to arrive unrendered, as *value.Template.
func (m *Module) Late() []string {
	var names []string
	for _, f := range m.args.fields {
		if f.late {
			names = append(names, f.name)
			names = append(names, f.aliases...)
		}
	}
	return names
}

// Has reports whether the module knows the argument, by its name or an alias.
func (m *Module) Has(arg string) bool { return m.args.field(arg) != nil }

// ArgNames gives every name that an argument may be written by, aliases included.
func (m *Module) ArgNames() []string { return m.args.names() }

// Check looks for mistakes in arguments that may still hold *value.Template: unknown keys, literals of the
// wrong type, missing or exclusive ones. It contacts nothing.
func (m *Module) Check(args *value.Dict) []*ArgError {
	d := decoder{load: true}
	d.decode(m.args, args, nil)
	return d.errs
}

// Decode turns rendered arguments into an action's struct A, which must be the one that it was declared with.
// The error is ArgErrors.
func Decode[A any](m *Module, args *value.Dict) (out A, warnings []string, err error) {
	var d decoder
	v := d.decode(m.args, args, nil)
	if len(d.errs) > 0 {
		return out, d.warnings, ArgErrors(d.errs)
	}
	return v.Interface().(A), d.warnings, nil
}

// Lookup finds a module by any of its names.
type Lookup func(name string) (*Module, bool)

// Where gives the place of an argument error in the user's file.
type Where func(path []any, key bool) diag.Pos
