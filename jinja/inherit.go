package jinja

import (
	"context"
	"errors"
	"io/fs"
	"maps"

	"github.com/hostlerhq/hostler/jinja/value"
)

// inheritance is what a template and those it extends share: for each block its
// versions, the most derived first, and where their names come from.
type inheritance struct {
	blocks map[string][]*blockCode
	at     map[*code]origin
	scope  Scope // what blocks see
	parent *Template
}

// emptyScope is the end of a chain of scopes.
type emptyScope struct{}

func (emptyScope) Lookup(context.Context, string) (any, bool, error) { return nil, false, nil }

// renderTemplate runs a template and those that it extends.
func (rt *runtime) renderTemplate(c *code, at origin, s Scope) error {
	_, err := rt.runTemplate(c, at, s)
	return err
}

// runTemplate gives the frame of the template's own top level.
func (rt *runtime) runTemplate(c *code, at origin, s Scope) (*frame, error) {
	inner := &inheritance{blocks: map[string][]*blockCode{}, at: map[*code]origin{}}
	first := (*frame)(nil)
	for depth := 0; ; depth++ {
		for name, b := range c.blocks {
			inner.blocks[name] = append(inner.blocks[name], b)
		}
		inner.at[c] = at
		sp := newSpace(c, at, s)
		sp.inner = inner
		f := newFrame(rt, sp, nil, c.slots)
		if first == nil {
			first = f
		}
		inner.scope = f.scopeAt(c.root)
		inner.parent = nil
		if err := f.runTop(c.body); err != nil {
			return first, err
		}
		if inner.parent == nil {
			return first, nil
		}
		if depth > 50 {
			return first, value.Errorf(value.RecursionError, "templates extend one another more than %d times", depth)
		}
		c, at, s = inner.parent.code, inner.parent.at, inner.scope
	}
}

// runTop runs a template's top level. Behind an extends, text and blocks print nothing.
func (f *frame) runTop(stmts []node) error {
	inner := f.space.inner
	mark, parts := 0, 0
	for _, n := range stmts {
		extended := inner.parent != nil
		if _, err := n.exec(f); err != nil {
			return err
		}
		switch {
		case inner.parent == nil:
		case extended:
			f.rt.out.b, f.rt.out.parts = f.rt.out.b[:mark], f.rt.out.parts[:parts]
		default:
			mark, parts = len(f.rt.out.b), len(f.rt.out.parts)
		}
	}
	return nil
}

func (n *extendsNode) exec(f *frame) (signal, error) {
	if f.space.inner == nil {
		return sigNone, f.fail(n.pos, value.Errorf(value.TypeError, "extends works at the top of a template only"))
	}
	if f.space.inner.parent != nil {
		return sigNone, f.fail(n.pos, value.Errorf(value.RuntimeError, "extended multiple times"))
	}
	t, err := f.load(n.x)
	if err != nil {
		return sigNone, f.fail(n.pos, err)
	}
	f.space.inner.parent = t
	return sigNone, nil
}

func (n *blockNode) exec(f *frame) (signal, error) {
	inner := f.space.inner
	if inner == nil {
		return sigNone, f.fail(n.pos, value.Errorf(value.RuntimeError, "blocks work in templates only"))
	}
	if inner.parent != nil {
		return sigNone, nil // a child's blocks are printed by its parent
	}
	scope := inner.scope
	if n.b.scoped {
		scope = &localScope{f: f, block: n.outer}
	}
	if inner.blocks[n.b.name][0].required {
		return sigNone, f.fail(n.pos, value.Errorf(value.RuntimeError, "Required block %s not found", quote(n.b.name)))
	}
	return sigNone, f.runBlock(n.b.name, 0, scope, n.pos)
}

// runBlock prints a block's version at a level of the inheritance, 0 being the most derived.
func (f *frame) runBlock(name string, level int, scope Scope, pos int) error {
	rt, inner := f.rt, f.space.inner
	b := inner.blocks[name][level]
	if err := rt.enter("block "+name, f.place(pos)); err != nil {
		return f.fail(pos, err)
	}
	defer rt.leave()
	sp := newSpace(b.code, inner.at[b.code], scope)
	sp.inner = inner
	bf := newFrame(rt, sp, nil, b.scope.fn.slots)
	sp.block, sp.level = b, level
	_, err := bf.run(b.stmts)
	return err
}

// blockRef is self.name or super(): a block to be called.
type blockRef struct {
	f     *frame
	name  string
	level int
}

func (r *blockRef) call(f *frame, pos int, _ given) (any, error) {
	return f.rt.capture(func() error { return r.f.runBlock(r.name, r.level, r.f.space.scope, pos) })
}

func (r *blockRef) attr(_ *runtime, name string) (any, bool, error) { //nolint:unparam // loop has errors
	if name != "super" {
		return nil, false, nil
	}
	return r.f.super(r.name, r.level+1, 0), true, nil
}

// TypeName implements value.Custom.
func (r *blockRef) TypeName() string { return "BlockReference" }

// Repr implements value.Custom.
func (r *blockRef) Repr() (string, error) { return "<BlockReference " + quote(r.name) + ">", nil }

// Truth implements value.Custom.
func (r *blockRef) Truth() (bool, error) { return true, nil }

// super gives the version of a block at a level, or an undefined value.
func (f *frame) super(name string, level, pos int) any {
	if level >= len(f.space.inner.blocks[name]) {
		return f.undefined(pos, "super", "there is no parent block called "+quote(name)+".", nil, "")
	}
	return &blockRef{f: f, name: name, level: level}
}

// selfRef is the variable self: the template's blocks.
type selfRef struct{ f *frame }

func (s *selfRef) attr(_ *runtime, name string) (any, bool, error) { //nolint:unparam // loop has errors
	if len(s.f.space.inner.blocks[name]) == 0 {
		return nil, false, nil
	}
	return &blockRef{f: s.f, name: name}, true, nil
}

// TypeName implements value.Custom.
func (s *selfRef) TypeName() string { return "TemplateReference" }

// Repr implements value.Custom.
func (s *selfRef) Repr() (string, error) { return "<TemplateReference>", nil }

// Truth implements value.Custom.
func (s *selfRef) Truth() (bool, error) { return true, nil }

// builtin gives the names that the engine itself defines: self and super.
func (f *frame) builtin(name string, pos int) (any, bool) {
	sp := f.space
	if sp.inner == nil {
		return nil, false
	}
	switch {
	case name == "self":
		return &selfRef{f}, true
	case name == "super" && sp.block != nil:
		return f.super(sp.block.name, sp.level+1, pos), true
	}
	return nil, false
}

// load gives the template that an expression names; a list means the first that exists.
func (f *frame) load(x expr) (*Template, error) {
	v, err := x.eval(f)
	if err != nil {
		return nil, err
	}
	names := []any{v}
	switch l := v.(type) {
	case *value.List:
		names = l.Items
	case value.Tuple:
		names = l
	case *Undefined:
		return nil, l.Use()
	}
	for _, name := range names {
		text, ok := value.AsString(name)
		if !ok {
			return nil, value.Errorf(value.TypeError, "a template's name is text, not %s", value.TypeName(name))
		}
		t, err := f.rt.load(f.space.at.name, text)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return t, err
		}
	}
	if len(names) == 1 {
		return nil, &notFound{value.Errorf(value.ValueError, "no template named %s", quote(names[0].(string)))}
	}
	return nil, &notFound{value.Errorf(value.ValueError, "none of the templates given were found")}
}

// notFound is a template that does not exist.
type notFound struct{ error }

// Is makes it an fs.ErrNotExist.
func (*notFound) Is(target error) bool { return target == fs.ErrNotExist }

func (rt *runtime) load(from, name string) (*Template, error) {
	l, ok := rt.scope.(Loader)
	if !ok {
		l = rt.opts.Loader
	}
	if l == nil {
		return nil, value.Errorf(value.RuntimeError, "no template can be loaded here: %s", quote(name))
	}
	path, text, err := l.Load(rt.ctx, name, from)
	if err != nil {
		return nil, err
	}
	return rt.env.template(origin{name: path, line: 1, col: 1}, text, rt.opts)
}

func (n *includeNode) exec(f *frame) (signal, error) {
	t, err := f.load(n.x)
	if err != nil {
		if n.ignoreMissing && errors.Is(err, fs.ErrNotExist) {
			return sigNone, nil
		}
		return sigNone, f.fail(n.pos, err)
	}
	if err := f.rt.enter("include", f.place(n.pos)); err != nil {
		return sigNone, f.fail(n.pos, err)
	}
	defer f.rt.leave()
	var s Scope = emptyScope{}
	if n.withContext {
		s = f.scopeAt(n.block)
	}
	err = f.rt.escaping(false, func() error { return f.rt.renderTemplate(t.code, t.at, s) })
	return sigNone, f.fail(n.pos, err)
}

func (n *importNode) exec(f *frame) (signal, error) {
	m, err := n.module(f)
	if err != nil {
		return sigNone, f.fail(n.pos, err)
	}
	if n.slot >= 0 {
		f.slots[n.slot] = m
		return sigNone, nil
	}
	for _, im := range n.names {
		v, found, err := m.attr(f.rt, im.name)
		if err != nil {
			return sigNone, f.fail(n.pos, err)
		}
		if !found {
			v = f.undefined(n.pos, im.name, "the template "+quote(m.name)+" does not export the requested name "+quote(im.name), nil, "")
		}
		f.slots[im.slot] = v
	}
	return sigNone, nil
}

func (n *importNode) module(f *frame) (*module, error) {
	t, err := f.load(n.x)
	if err != nil {
		return nil, err
	}
	if err := f.rt.enter("import", f.place(n.pos)); err != nil {
		return nil, err
	}
	defer f.rt.leave()
	var s Scope = emptyScope{}
	if n.withContext {
		s = f.scopeAt(n.block)
	}
	m := &module{name: t.at.name}
	m.body, err = f.rt.capture(func() error {
		return f.rt.escaping(false, func() error {
			m.f, err = f.rt.runTemplate(t.code, t.at, s)
			return err
		})
	})
	return m, err
}

// module is an imported template: its macros and variables.
type module struct {
	name string
	f    *frame
	body any
}

func (m *module) attr(_ *runtime, name string) (any, bool, error) { //nolint:unparam // loop has errors
	slot, ok := m.f.space.code.root.names[name]
	if !ok || name[:1] == "_" || m.f.slots[slot] == unset {
		return nil, false, nil
	}
	return m.f.slots[slot], true, nil
}

// names gives what the module exports.
func (m *module) names() []string {
	var out []string
	for name := range maps.Keys(m.f.space.code.root.names) {
		out = append(out, name)
	}
	return out
}

// TypeName implements value.Custom.
func (m *module) TypeName() string { return "TemplateModule" }

// Repr implements value.Custom.
func (m *module) Repr() (string, error) { return "<TemplateModule " + quote(m.name) + ">", nil }

// Text is what the module printed.
func (m *module) Text() (string, error) { return value.Str(m.body) }

// Truth implements value.Custom.
func (m *module) Truth() (bool, error) { return true, nil }
