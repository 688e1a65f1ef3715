package jinja

import (
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// function is a filter, test, global function or method with its signature.
type function struct {
	name      string
	params    []param
	required  int // params without a default come first
	leading   int // params that may be given by place; those behind *rest have names only
	rest, kw  bool
	undefined bool
	fn        Func
}

type param struct {
	name string
	def  any
	must bool
}

func newFunction(name, params string, fn Func, opts []FuncOption) *function {
	f := &function{name: name, fn: fn}
	for _, o := range opts {
		o(f)
	}
	for _, p := range splitParams(params) {
		switch {
		case strings.HasPrefix(p, "**"):
			f.kw = true
		case strings.HasPrefix(p, "*"):
			f.rest = true
		default:
			name, def, hasDefault := strings.Cut(p, "=")
			q := param{name: strings.TrimSpace(name), must: !hasDefault}
			if hasDefault {
				v, ok := value.ParseLiteral(strings.TrimSpace(def))
				if !ok {
					panic("jinja: signature " + params + ": the default of " + q.name + " is no literal")
				}
				q.def = v
			}
			f.params = append(f.params, q)
			if q.must {
				f.required = len(f.params)
			}
			if !f.rest {
				f.leading = len(f.params)
			}
		}
	}
	return f
}

// splitParams splits a signature at the commas that are outside of quotes and brackets.
func splitParams(s string) []string {
	var parts []string
	depth, start := 0, 0
	quote := byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	if last := strings.TrimSpace(s[start:]); last != "" {
		parts = append(parts, last)
	}
	return parts
}

// TypeName implements value.Custom.
func (f *function) TypeName() string { return "function" }

// Repr implements value.Custom.
func (f *function) Repr() (string, error) { return "<function " + f.name + ">", nil }

// Truth implements value.Custom.
func (f *function) Truth() (bool, error) { return true, nil }

// given are the arguments of one call, evaluated.
type given struct {
	pos   []any
	names []string
	named []any
}

func (g *given) add(name string, v any) {
	g.names, g.named = append(g.names, name), append(g.named, v)
}

// args evaluates arguments onto the runtime's stack; the caller cuts it back.
func (f *frame) args(a *arguments) (given, error) {
	rt := f.rt
	base := len(rt.stack)
	for _, x := range a.pos {
		v, err := x.eval(f)
		if err != nil {
			return given{}, err
		}
		rt.stack = append(rt.stack, v)
	}
	g := given{}
	if len(a.names) > 0 {
		g.names = a.names
		kept := len(rt.kept)
		named, err := f.evalAll(a.named)
		if err != nil {
			return given{}, err
		}
		g.named = named
		rt.drop(kept)
	}
	if a.star != nil {
		v, err := a.star.eval(f)
		if err != nil {
			return given{}, err
		}
		items, err := rt.items(v)
		if err != nil {
			return given{}, f.fail(a.star.at(), err)
		}
		rt.stack = append(rt.stack, items...)
	}
	if a.starStar != nil {
		if err := f.starStar(a, &g); err != nil {
			return given{}, err
		}
	}
	g.pos = rt.stack[base:len(rt.stack):len(rt.stack)]
	return g, nil
}

func (f *frame) starStar(a *arguments, g *given) error {
	v, err := a.starStar.eval(f)
	if err != nil {
		return err
	}
	d, ok := v.(*value.Dict)
	if !ok {
		if u, ok := v.(*Undefined); ok {
			return u.Use()
		}
		return f.fail(a.starStar.at(), value.Errorf(value.TypeError, "argument after ** must be a mapping, not %s", value.TypeName(v)))
	}
	g.names, g.named = append([]string(nil), g.names...), append([]any(nil), g.named...)
	for k, v := range d.All() {
		name, ok := k.(string)
		if !ok {
			return f.fail(a.starStar.at(), value.Errorf(value.TypeError, "keywords must be strings"))
		}
		if contains(g.names, name) {
			return f.fail(a.starStar.at(), value.Errorf(value.TypeError, "got multiple values for keyword argument '%s'", name))
		}
		g.add(name, v)
	}
	return nil
}

// invoke binds arguments to a function's signature and calls it.
func (rt *runtime) invoke(fn *function, f *frame, b *block, name string, v any, g given) (any, error) {
	base := len(rt.stack)
	defer func() { rt.stack = rt.stack[:base] }()
	c := rt.newCall()
	c.Ctx, c.Env, c.Name, c.Value, c.rt, c.f, c.block = rt.ctx, rt.env, name, v, rt, f, b
	if err := rt.bind(fn, c, g); err != nil {
		rt.inUse--
		return nil, err
	}
	if !fn.undefined {
		if err := anyUndefined(c); err != nil {
			rt.inUse--
			return nil, err
		}
	}
	r, err := fn.fn(c)
	rt.inUse--
	if err == nil {
		err = rt.made(objectSize + shallow(r) + itemSize*len(c.Rest))
	}
	return r, err
}

func (rt *runtime) newCall() *Call {
	if rt.inUse == len(rt.calls) {
		rt.calls = append(rt.calls, &Call{})
	}
	c := rt.calls[rt.inUse]
	rt.inUse++
	return c
}

func anyUndefined(c *Call) error {
	if u, ok := c.Value.(*Undefined); ok && !u.lenient() {
		return u.Use()
	}
	for _, a := range c.Args {
		if u, ok := a.(*Undefined); ok && !u.lenient() {
			return u.Use()
		}
	}
	for _, a := range c.Rest {
		if u, ok := a.(*Undefined); ok && !u.lenient() {
			return u.Use()
		}
	}
	return nil
}

func (rt *runtime) bind(fn *function, c *Call, g given) error {
	n := fn.leading
	c.Rest, c.Kwargs, c.given = nil, nil, 0
	if len(g.pos) > n {
		if !fn.rest {
			return value.Errorf(value.TypeError, "%s() takes %d positional arguments but %d were given", fn.name, n, len(g.pos))
		}
		c.Rest = append([]any(nil), g.pos[n:]...)
	}
	base := len(rt.stack)
	for i := range fn.params {
		if i < min(len(g.pos), n) {
			rt.stack = append(rt.stack, g.pos[i])
			c.given |= 1 << i
		} else {
			rt.stack = append(rt.stack, fn.params[i].def)
		}
	}
	c.Args = rt.stack[base:len(rt.stack):len(rt.stack)]
	for i, name := range g.names {
		if err := fn.keyword(c, name, g.named[i]); err != nil {
			return err
		}
	}
	for i := range fn.required {
		if fn.params[i].must && !c.Given(i) {
			return value.Errorf(value.TypeError, "%s() missing required argument: '%s'", fn.name, fn.params[i].name)
		}
	}
	return nil
}

func (f *function) keyword(c *Call, name string, v any) error {
	for i := range f.params {
		if f.params[i].name != name {
			continue
		}
		if c.Given(i) {
			return value.Errorf(value.TypeError, "%s() got multiple values for argument '%s'", f.name, name)
		}
		c.Args[i] = v
		c.given |= 1 << i
		return nil
	}
	if !f.kw {
		return value.Errorf(value.TypeError, "%s() got an unexpected keyword argument '%s'", f.name, name)
	}
	if c.Kwargs == nil {
		c.Kwargs = &value.Dict{}
	}
	c.Kwargs.Set(name, v)
	return nil
}

// callNamed calls a filter or test that was named by a value.
func (rt *runtime) callNamed(c *Call, kind, name string, v any, args []any, kw *value.Dict) (any, error) {
	set := rt.env.filters
	if kind == "test" {
		set = rt.env.tests
	}
	fn := set[name]
	if fn == nil {
		return nil, rt.env.unknown(kind, name)
	}
	g := given{pos: args}
	for k, v := range kw.All() {
		g.add(k.(string), v)
	}
	outer := rt.operand
	rt.operand = nil
	defer func() { rt.operand = outer }()
	return rt.invoke(fn, c.f, c.block, name, v, g)
}

func (e *Env) unknown(kind, name string) error {
	return &syntaxError{text: "No " + kind + " named " + quote(name) + ".", name: name, near: e.namesOf(kind)}
}

func (x *filterExpr) eval(f *frame) (any, error) {
	v, err := x.x.eval(f)
	if err != nil {
		return nil, err
	}
	return f.apply("filter", x.fn, x.name, x.pos, x.block, v, &x.args)
}

func (f *frame) apply(kind string, fn *function, name string, pos int, b *block, v any, a *arguments) (any, error) {
	if fn == nil {
		return nil, f.fail(pos, f.rt.env.unknown(kind, name))
	}
	base := len(f.rt.stack)
	g, err := f.args(a)
	if err != nil {
		f.rt.stack = f.rt.stack[:base]
		return nil, err
	}
	r, err := f.rt.invoke(fn, f, b, name, v, g)
	f.rt.stack = f.rt.stack[:base]
	if err != nil {
		return nil, f.fail(pos, err)
	}
	switch u := r.(type) {
	case *Undefined:
		if u.rt == nil {
			u.rt, u.place = f.rt, f.place(pos)
			f.rt.special = true
		}
	case Markup:
		f.rt.special = true
	}
	return r, nil
}

func (x *testExpr) eval(f *frame) (any, error) {
	v, err := x.x.eval(f)
	if err != nil {
		return nil, err
	}
	outer := f.rt.operand
	f.rt.operand = x.x
	r, err := f.apply("test", x.fn, x.name, x.pos, x.block, v, &x.args)
	f.rt.operand = outer
	if err != nil {
		return nil, err
	}
	if x.negated {
		ok, err := value.Truth(r)
		return !ok, f.fail(x.pos, err)
	}
	return r, nil
}

func (x *callExpr) eval(f *frame) (any, error) {
	var recv any
	var fn any
	var err error
	if a, ok := x.fn.(*attrExpr); ok {
		// A method call makes no value of the method.
		if recv, err = a.x.eval(f); err != nil {
			return nil, err
		}
		if m := f.rt.env.method(recv, a.name); m != nil {
			return f.apply("method", m, a.name, x.pos, x.block, recv, &x.args)
		}
		if fn, err = a.on(f, recv); err != nil {
			return nil, err
		}
	} else if fn, err = x.fn.eval(f); err != nil {
		return nil, err
	}
	base := len(f.rt.stack)
	defer func() { f.rt.stack = f.rt.stack[:base] }()
	g, err := f.args(&x.args)
	if err != nil {
		return nil, err
	}
	return f.callGiven(fn, x.pos, x.block, pathOf(x.fn), g)
}

func (f *frame) callGiven(fn any, pos int, b *block, name string, g given) (any, error) {
	r, err := f.rt.callAny(fn, f, b, pos, name, g)
	if err != nil {
		return nil, f.fail(pos, err)
	}
	if u, ok := r.(*Undefined); ok && u.rt == nil {
		u.rt, u.place = f.rt, f.place(pos)
		f.rt.special = true
	}
	return r, nil
}

// callable is a value that can be called, other than a function or bound method.
type callable interface {
	call(f *frame, pos int, g given) (any, error)
}

func (rt *runtime) callAny(fn any, f *frame, b *block, pos int, name string, g given) (any, error) {
	switch c := fn.(type) {
	case *function:
		return rt.invoke(c, f, b, name, nil, g)
	case *boundMethod:
		return rt.invoke(c.fn, f, b, c.fn.name, c.recv, g)
	case callable:
		return c.call(f, pos, g)
	case *Undefined:
		return nil, c.Use()
	}
	return nil, value.Errorf(value.TypeError, "'%s' object is not callable", value.TypeName(fn))
}

// call calls a value with values, for Func.
func (rt *runtime) call(f *frame, b *block, fn any, args []any, kw *value.Dict) (any, error) {
	g := given{pos: args}
	for k, v := range kw.All() {
		g.add(k.(string), v)
	}
	return rt.callAny(fn, f, b, 0, "", g)
}

func (rt *runtime) truth(v any) (bool, error) { return value.Truth(v) }

func (rt *runtime) str(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	b, err := value.AppendStr(nil, v, rt.maxOutput)
	return string(b), err
}

// boundMethod is a method taken from its object: {{ x.upper }}.
type boundMethod struct {
	recv any
	fn   *function
}

// TypeName implements value.Custom.
func (m *boundMethod) TypeName() string { return "builtin_function_or_method" }

// Repr implements value.Custom.
func (m *boundMethod) Repr() (string, error) {
	return "<built-in method " + m.fn.name + " of " + value.TypeName(m.recv) + " object>", nil
}

// Truth implements value.Custom.
func (m *boundMethod) Truth() (bool, error) { return true, nil }
