package jinja

import (
	"context"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

type code struct{}

type origin struct {
	name      string
	line, col int
}

func originOf(pos diag.Pos) origin { panic("skeleton") }

// Env is a set of filters, tests, globals and options. It caches what it compiles
// and is safe for concurrent use once its first template was compiled.
type Env struct {
	opts           Options
	filters, tests map[string]*function
	globals        map[string]any
}

// New makes an Env with Jinja's own filters, tests and globals.
func New(opts Options) *Env { panic("skeleton") }

func (e *Env) template(at origin, text string, o *Options) (*Template, error) { panic("skeleton") }
func (e *Env) expression(at origin, text string) (*Expression, error)         { panic("skeleton") }

// HasFilter reports whether there is a filter of that name.
func (e *Env) HasFilter(name string) bool { return e.filters[name] != nil }

// HasTest reports whether there is a test of that name.
func (e *Env) HasTest(name string) bool { return e.tests[name] != nil }

// Render gives the text.
func (t *Template) Render(ctx context.Context, s Scope) (string, error) { panic("skeleton") }

// Native gives a native value: that of the expression when the template is one single
// {{ expression }}, else the text, as ansible-core 2.19 does. With Options.Literals the text is then
// read as a Python literal, if it is one.
func (t *Template) Native(ctx context.Context, s Scope) (any, error) { panic("skeleton") }

// Value evaluates the expression. An undefined result is an error.
func (x *Expression) Value(ctx context.Context, s Scope) (any, error) { panic("skeleton") }

// Use is a name, filter or test that a template uses, and where.
type Use struct {
	Name string
	Pos  diag.Pos
	// Guarded uses may well be undefined: under default, is defined or is undefined.
	Guarded bool
}

// Uses is what a template asks of its surroundings, for checks before a run.
type Uses struct {
	Names, Filters, Tests []Use
}

// Uses lists the names that the template reads and does not set, its filters and its tests.
func (t *Template) Uses() Uses { panic("skeleton") }

// Uses lists the names, filters and tests of the expression.
func (x *Expression) Uses() Uses { panic("skeleton") }

type runtime struct{}

type function struct{ undefined bool }

func newFunction(name, params string, fn Func, opts []FuncOption) *function { panic("skeleton") }
func (rt *runtime) callNamed(set map[string]*function, kind, name string, v any, args []any, kw *value.Dict) (any, error) {
	panic("skeleton")
}
func (rt *runtime) call(fn any, args []any, kw *value.Dict) (any, error) { panic("skeleton") }
func (rt *runtime) truth(v any) (bool, error)                            { panic("skeleton") }
func (rt *runtime) str(v any) (string, error)                            { panic("skeleton") }
func (rt *runtime) items(v any) ([]any, error)                           { panic("skeleton") }
func (rt *runtime) getItem(v, key any) (any, error)                      { panic("skeleton") }

type getter struct{}

func newGetter(attribute any) (getter, error)      { panic("skeleton") }
func (getter) get(rt *runtime, v any) (any, error) { panic("skeleton") }
