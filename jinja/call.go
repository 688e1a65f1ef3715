package jinja

import (
	"context"

	"github.com/hostlerhq/hostler/jinja/value"
)

// Func is a filter, test or global. A test gives a bool. It must not keep c.
//
// Errors need no place or name: the engine adds both.
type Func func(c *Call) (any, error)

// Call is one call of a Func.
type Call struct {
	// Ctx ends with the rendering.
	Ctx context.Context
	Env *Env
	// Name that the template used.
	Name string
	// Value that is filtered or tested; nil for a global.
	Value any
	// Args has one value for each parameter of the signature, defaults filled in.
	Args []any
	// Rest has the further positional arguments of a signature with *args.
	Rest []any
	// Kwargs has the further named arguments of a signature with **kwargs; nil when there are none.
	Kwargs *value.Dict

	rt    *runtime
	f     *frame
	block *block
	given uint64
}

// Scope sees the names visible at the call: the template's own and the caller's.
func (c *Call) Scope() Scope {
	if c.f == nil {
		return c.rt.scope
	}
	return c.f.scopeAt(c.block)
}

// Caller is the Scope that was given to Render, Native or Value.
func (c *Call) Caller() Scope { return c.rt.scope }

// Given reports whether the call gave parameter i itself, rather than its default.
func (c *Call) Given(i int) bool { return c.given&(1<<i) != 0 }

// Operand is what a test is about as the template has it, vm.disks, where that is a name with attributes; else "".
func (c *Call) Operand() string {
	if c.rt.operand == nil {
		return ""
	}
	return pathOf(c.rt.operand)
}

// FuncOption changes how a Func is called.
type FuncOption func(*function)

// TakesUndefined lets undefined values through to the Func, as value and as arguments;
// without it they are an error before the call.
func TakesUndefined() FuncOption { return func(f *function) { f.undefined = true } }

// AddFilter registers a filter, replacing one of the same name. Params is the signature
// after the filtered value, in Python's notation with literal defaults:
//
//	"old, new, count=None"   "*names, sep=', ', **options"
//
// It panics when the signature is malformed. Register everything before the first Template.
func (e *Env) AddFilter(name, params string, fn Func, opts ...FuncOption) {
	e.filters[name] = newFunction(name, params, fn, opts)
}

// AddTest registers a test, as AddFilter does a filter.
func (e *Env) AddTest(name, params string, fn Func, opts ...FuncOption) {
	e.tests[name] = newFunction(name, params, fn, opts)
}

// AddFunction registers a global function, such as lookup.
func (e *Env) AddFunction(name, params string, fn Func, opts ...FuncOption) {
	e.globals[name] = newFunction(name, params, fn, opts)
}

// AddGlobal registers a global value. Variables of the Scope hide globals.
func (e *Env) AddGlobal(name string, v any) { e.globals[name] = v }

// Filter calls a filter by its name, as map('name') does.
func (c *Call) Filter(name string, v any, args ...any) (any, error) {
	return c.rt.callNamed(c, "filter", name, v, args, nil)
}

// Test calls a test by its name, as select('name') does.
func (c *Call) Test(name string, v any, args ...any) (bool, error) {
	r, err := c.rt.callNamed(c, "test", name, v, args, nil)
	if err != nil {
		return false, err
	}
	return c.rt.truth(r)
}

// Invoke calls a callable value, such as a macro.
func (c *Call) Invoke(fn any, args []any, kwargs *value.Dict) (any, error) {
	return c.rt.call(c.f, c.block, fn, args, kwargs)
}

// Item gives v[key], with attributes as a second choice, as a template would; what is missing is an *Undefined.
func (c *Call) Item(v, key any) (any, error) { return c.rt.getItem(v, key) }

// Path follows a dotted attribute ("nics.0.bridge") or an index, as attribute= arguments do.
func (c *Call) Path(v, attribute any) (any, error) {
	g, err := newGetter(attribute)
	if err != nil {
		return nil, err
	}
	return g.get(c.rt, v)
}

// Items gives the items of any value that can be looped over; the slice must not be changed.
func (c *Call) Items(v any) ([]any, error) { return c.rt.items(v) }

// MaxOutput is the most bytes that a text may have.
func (c *Call) MaxOutput() int { return c.rt.maxOutput }

// Room is an error when a list of n items is too large to be made.
func (c *Call) Room(n int) error { return c.rt.tooMany(n) }

// Text gives Python's str(v); undefined values in it are errors.
func (c *Call) Text(v any) (string, error) { return c.rt.str(v) }

// Truth gives Python's bool(v); an undefined value is an error.
func (c *Call) Truth(v any) (bool, error) { return c.rt.truth(v) }

// Render renders text as a template with the names of the call's Scope.
func (c *Call) Render(name, text string) (string, error) {
	t, err := c.Env.Template(name, text)
	if err != nil {
		return "", err
	}
	return t.Render(c.Ctx, c.Scope())
}
