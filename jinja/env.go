package jinja

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Env is a set of filters, tests, globals and options. It caches what it compiles
// and is safe for concurrent use once its first template was compiled.
type Env struct {
	opts           Options
	fileOpts       Options // opts without RawStrings
	filters, tests map[string]*function
	globals        map[string]any
	methods        map[string]map[string]*function // by type name

	idle     sync.Pool // of *activation
	mu       sync.RWMutex
	syntaxes map[Options]int
	cache    map[cacheKey]*code
	previous map[cacheKey]*code // the cache before it was full
}

// cacheKey says what made a code.
type cacheKey struct {
	text       string
	expression bool
	syntax     int
}

// cacheSize bounds each half of the cache.
const cacheSize = 4096

// New makes an Env with Jinja's own filters, tests and globals.
func New(opts Options) *Env {
	e := &Env{
		opts: opts, fileOpts: opts, filters: map[string]*function{}, tests: map[string]*function{}, globals: map[string]any{},
		methods: map[string]map[string]*function{}, syntaxes: map[Options]int{}, cache: map[cacheKey]*code{},
	}
	e.fileOpts.RawStrings = false
	e.addFilters()
	e.addTests()
	e.addGlobals()
	e.addMethods()
	return e
}

// HasFilter reports whether there is a filter of that name.
func (e *Env) HasFilter(name string) bool { return e.filters[name] != nil }

// HasTest reports whether there is a test of that name.
func (e *Env) HasTest(name string) bool { return e.tests[name] != nil }

// HasGlobal reports whether there is a global of that name.
func (e *Env) HasGlobal(name string) bool {
	_, ok := e.globals[name]
	return ok
}

func (e *Env) namesOf(kind string) []string {
	set := e.filters
	if kind == "test" {
		set = e.tests
	}
	return slices.Sorted(maps.Keys(set))
}

// syntax numbers the options that change what a text compiles to: all but the loader and the limits. The Env's own
// are 0 and 1.
func (e *Env) syntax(o *Options) int {
	switch o {
	case &e.opts:
		return 0
	case &e.fileOpts:
		return 1
	}
	of := *o
	of.Loader, of.MaxDepth, of.MaxOutput, of.MaxMemory, of.MaxSteps = nil, 0, 0, 0, 0
	e.mu.Lock()
	defer e.mu.Unlock()
	n, known := e.syntaxes[of]
	if !known {
		n = len(e.syntaxes) + 2
		e.syntaxes[of] = n
	}
	return n
}

func (e *Env) compile(at origin, text string, o *Options, expression bool) (*code, error) {
	key := cacheKey{text: text, expression: expression, syntax: e.syntax(o)}
	e.mu.RLock()
	c := e.cache[key]
	if c == nil {
		c = e.previous[key]
	}
	e.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	c, err := e.parse(text, o, expression)
	if err != nil {
		pos := 0
		if s, ok := errors.AsType[*syntaxError](err); ok {
			pos = s.pos
		}
		return nil, (*runtime)(nil).errorAt(place{code: c, at: at, pos: pos}, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.cache) >= cacheSize {
		e.previous, e.cache = e.cache, make(map[cacheKey]*code, cacheSize/4)
	}
	e.cache[key] = c
	return c, nil
}

func (e *Env) template(at origin, text string, o *Options) (*Template, error) {
	c, err := e.compile(at, text, o, false)
	if err != nil {
		return nil, err
	}
	return &Template{env: e, opts: o, code: c, at: at}, nil
}

func (e *Env) expression(at origin, text string, o *Options) (*Expression, error) {
	c, err := e.compile(at, text, o, true)
	if err != nil {
		return nil, err
	}
	return &Expression{env: e, opts: o, code: c, at: at}, nil
}

// Render gives the text.
func (t *Template) Render(ctx context.Context, s Scope) (string, error) {
	if t.code.plain {
		return t.env.plainText(ctx, t.opts, t.code, t.at, s)
	}
	rt := newRuntime(ctx, t.env, t.opts, s)
	rt.mutates = t.code.mutates
	if err := rt.renderTemplate(t.code, t.at, s); err != nil {
		return "", err
	}
	return string(rt.out.b), nil
}

// Native gives a native value: that of the expression when the template is one single
// {{ expression }}, else the text, as ansible-core 2.19 does. With Options.Literals the text is then
// read as a Python literal, if it is one. A template without any output gives nil.
func (t *Template) Native(ctx context.Context, s Scope) (any, error) {
	if t.code.plain {
		return t.env.plainValue(ctx, t.opts, t.code, t.at, s)
	}
	rt := newRuntime(ctx, t.env, t.opts, s)
	rt.mutates = t.code.mutates
	rt.out.native = true
	if err := rt.renderTemplate(t.code, t.at, s); err != nil {
		return nil, err
	}
	return rt.nativeResult()
}

// Value evaluates the expression. An undefined result is an error.
func (x *Expression) Value(ctx context.Context, s Scope) (any, error) {
	rt := newRuntime(ctx, x.env, x.opts, s)
	rt.mutates = x.code.mutates
	sp := newSpace(x.code, x.at, s)
	f := newFrame(rt, sp, nil, x.code.slots)
	v, err := x.code.expr.eval(f)
	if err != nil {
		return nil, f.fail(x.code.expr.at(), err)
	}
	v, err = rt.finalize(v)
	return v, f.fail(x.code.expr.at(), err)
}

// LastFilter names the filter whose result is all that the template prints: to_json of
// {{ x | to_json }}. It is empty for any other template.
func (t *Template) LastFilter() string {
	if len(t.code.body) != 1 {
		return ""
	}
	p, ok := t.code.body[0].(*printNode)
	if !ok {
		return ""
	}
	f, ok := p.x.(*filterExpr)
	if !ok {
		return ""
	}
	return f.name
}

// Use is a name, filter or test that a template uses, and where.
type Use struct {
	Name string
	Pos  diag.Pos
	// Guarded uses may well be undefined: names under default, is defined or is undefined, filters and
	// tests under a condition.
	Guarded bool
}

// Uses is what a template asks of its surroundings, for checks before a run.
type Uses struct {
	Names, Filters, Tests []Use
	// Lookups are the names, as literals, of what lookup, query and q are asked for.
	Lookups []Use
	// Templates are those that are included, imported or extended by a literal name; one under a condition or
	// with "ignore missing" is Guarded.
	Templates []Use
	// Binds are the names that the template sets itself somewhere: targets of set and for, arguments, imports.
	Binds []string
}

// Uses lists the names that the template reads and does not set, its filters and its tests.
func (t *Template) Uses() Uses { return t.code.uses(t.at) }

// Uses lists the names, filters and tests of the expression.
func (x *Expression) Uses() Uses { return x.code.uses(x.at) }

func (c *code) uses(at origin) Uses {
	var u Uses
	for _, n := range c.reads {
		if len(n.refs) == 0 {
			u.Names = append(u.Names, Use{n.name, place{c, at, n.pos}.position(), n.guarded})
		}
	}
	for _, x := range c.filters {
		u.Filters = append(u.Filters, Use{x.name, place{c, at, x.pos}.position(), x.guarded})
	}
	for _, x := range c.tests {
		u.Tests = append(u.Tests, Use{x.name, place{c, at, x.pos}.position(), x.guarded})
	}
	for _, x := range c.templates {
		u.Templates = append(u.Templates, Use{x.name, place{c, at, x.pos}.position(), x.guarded})
	}
	for _, x := range c.calls {
		if x.first != "" && (x.fn == "lookup" || x.fn == "query" || x.fn == "q") {
			u.Lookups = append(u.Lookups, Use{x.first, place{c, at, x.pos}.position(), x.guarded})
		}
	}
	u.Binds = c.binds
	return u
}
