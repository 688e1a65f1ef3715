package jinja

import (
	"cmp"
	"context"

	"github.com/hostlerhq/hostler/jinja/value"
)

// Most templates of a playbook are text with a few {{ expressions }} and nothing else, and one task renders many of them for each
// host. They run in activations that are used again.

// activation is what the rendering of a plain template needs, in one piece.
type activation struct {
	rt    runtime
	space namespaceOf
	frame frame
}

// isPlain reports whether nothing that the code makes can outlive its rendering: no statements, names of its own or blocks.
func (c *code) isPlain() bool {
	if c.mutates || c.slots > 0 || len(c.blocks) > 0 {
		return false
	}
	for _, n := range c.body {
		switch n.(type) {
		case *textNode, *printNode:
		default:
			return false
		}
	}
	for _, name := range c.names {
		if name == "self" || name == "super" {
			return false
		}
	}
	return true
}

// activate takes an activation for a plain code.
func (e *Env) activate(ctx context.Context, o *Options, c *code, at origin, s Scope) *activation {
	a, _ := e.idle.Get().(*activation)
	if a == nil {
		a = &activation{}
	}
	rt := &a.rt
	rt.ctx, rt.env, rt.opts, rt.scope, rt.maxOutput = ctx, e, o, s, cmp.Or(o.MaxOutput, defaultMaxOutput)
	rt.out.rt = rt
	cache := a.space.cache[:0]
	for range c.names {
		cache = append(cache, unset)
	}
	a.space = namespaceOf{code: c, at: at, scope: s, cache: cache}
	a.frame = frame{rt: rt, space: &a.space}
	return a
}

// release gives an activation back, unless an undefined value or an error may still refer to it.
func (e *Env) release(a *activation) {
	rt := &a.rt
	if rt.special {
		return
	}
	const keep = 64 << 10 // bytes of output
	out, stack, calls := rt.out.b[:0], rt.stack, rt.calls
	if cap(out) > keep {
		out = nil
	}
	stack = stack[:cap(stack)]
	clear(stack)
	kept := rt.kept[:cap(rt.kept)]
	clear(kept)
	for _, c := range calls {
		*c = Call{}
	}
	*rt = runtime{stack: stack[:0], calls: calls, kept: kept[:0]}
	rt.out.b = out
	clear(a.space.cache)
	a.space = namespaceOf{cache: a.space.cache[:0]}
	a.frame = frame{}
	e.idle.Put(a)
}

// plainText renders a plain template as text.
func (e *Env) plainText(ctx context.Context, o *Options, c *code, at origin, s Scope) (string, error) {
	a := e.activate(ctx, o, c, at, s)
	if _, err := a.frame.run(c.body); err != nil {
		return "", err
	}
	text := string(a.rt.out.b)
	e.release(a)
	return text, nil
}

// plainValue renders a plain template in native mode: one expression gives its value, more give text.
func (e *Env) plainValue(ctx context.Context, o *Options, c *code, at origin, s Scope) (any, error) {
	if len(c.body) == 0 {
		return nil, nil
	}
	a := e.activate(ctx, o, c, at, s)
	var v any
	var err error
	if p, ok := c.body[0].(*printNode); ok && len(c.body) == 1 {
		if v, err = p.x.eval(&a.frame); err == nil {
			if u, ok := v.(*Undefined); ok && !u.lenient() {
				err = a.frame.fail(p.pos, u.Use())
			}
		}
	} else {
		_, err = a.frame.run(c.body)
		v = string(a.rt.out.b)
	}
	if err != nil {
		return nil, err
	}
	if v, err = a.rt.finalize(a.rt.literal(v)); err != nil {
		return nil, err
	}
	e.release(a)
	return v, nil
}

// literal reads text as a Python literal where Options.Literals asks for that.
func (rt *runtime) literal(v any) any {
	if s, ok := v.(string); ok && rt.opts.Literals {
		if lit, ok := value.ParseLiteral(s); ok {
			return lit
		}
	}
	return v
}
