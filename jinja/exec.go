package jinja

import (
	"github.com/hostlerhq/hostler/jinja/value"
)

// reset unsets the names of a scope that is entered.
func (f *frame) reset(b *block) {
	for _, slot := range b.reset {
		f.slots[slot] = unset
	}
}

// run executes statements up to a break or continue.
func (f *frame) run(stmts []node) (signal, error) {
	for _, n := range stmts {
		if sig, err := n.exec(f); err != nil || sig != sigNone {
			return sig, err
		}
	}
	return sigNone, nil
}

func (n *textNode) exec(f *frame) (signal, error) { return sigNone, f.rt.out.text(n.text) }

func (n *printNode) exec(f *frame) (signal, error) {
	v, err := n.x.eval(f)
	if err != nil {
		return sigNone, err
	}
	if s, ok := v.(string); ok && !f.rt.out.native && !f.rt.autoescape {
		if err := f.rt.out.text(s); err != nil {
			return sigNone, f.fail(n.pos, err)
		}
		return sigNone, nil
	}
	if err := f.rt.out.value(v); err != nil {
		return sigNone, f.fail(n.pos, err)
	}
	return sigNone, nil
}

func (n *groupNode) exec(f *frame) (signal, error) { return f.run(n.stmts) }

func (n *ifNode) exec(f *frame) (signal, error) {
	for i := range n.arms {
		ok, err := f.truth(n.arms[i].test)
		if err != nil {
			return sigNone, err
		}
		if ok {
			return f.run(n.arms[i].stmts)
		}
	}
	return f.run(n.els)
}

func (n *setNode) exec(f *frame) (signal, error) {
	v, err := n.x.eval(f)
	if err != nil {
		return sigNone, err
	}
	return sigNone, n.target.assign(f, v)
}

// captured runs a body and gives what x makes of its text.
func (f *frame) captured(b *block, stmts []node, x expr) (any, error) {
	f.reset(b)
	text, err := f.rt.capture(func() error {
		_, err := f.run(stmts)
		return err
	})
	if err != nil {
		return nil, f.fail(x.at(), err)
	}
	f.rt.captured = text
	return x.eval(f)
}

func (n *setBlockNode) exec(f *frame) (signal, error) {
	v, err := f.captured(n.body, n.stmts, n.x)
	if err != nil {
		return sigNone, err
	}
	return sigNone, n.target.assign(f, v)
}

func (n *filterNode) exec(f *frame) (signal, error) {
	v, err := f.captured(n.body, n.stmts, n.x)
	if err != nil {
		return sigNone, err
	}
	return sigNone, f.fail(n.pos, f.rt.out.value(v))
}

func (n *withNode) exec(f *frame) (signal, error) {
	values, err := f.evalAll(n.values)
	if err != nil {
		return sigNone, err
	}
	f.reset(n.body)
	for i, t := range n.targets {
		if err := t.assign(f, values[i]); err != nil {
			return sigNone, err
		}
	}
	sig, err := f.run(n.stmts)
	f.reset(n.body)
	return sig, err
}

func (n *doNode) exec(f *frame) (signal, error) {
	_, err := n.x.eval(f)
	return sigNone, err
}

func (n *controlNode) exec(*frame) (signal, error) { return n.signal, nil }

func (n *autoescapeNode) exec(f *frame) (signal, error) {
	on, err := f.truth(n.x)
	if err != nil {
		return sigNone, err
	}
	before := f.rt.autoescape
	f.rt.autoescape = on
	f.reset(n.body)
	sig, err := f.run(n.stmts)
	f.rt.autoescape = before
	return sig, err
}

func (n *macroNode) exec(f *frame) (signal, error) {
	f.slots[n.slot] = &macro{fn: n.fn, up: f, escapes: f.rt.autoescape}
	return sigNone, nil
}

func (n *callNode) exec(f *frame) (signal, error) {
	x := n.call
	fn, err := x.fn.eval(f)
	if err != nil {
		return sigNone, err
	}
	base := len(f.rt.stack)
	defer func() { f.rt.stack = f.rt.stack[:base] }()
	g, err := f.args(&x.args)
	if err != nil {
		return sigNone, err
	}
	g.names, g.named = append([]string(nil), g.names...), append([]any(nil), g.named...)
	g.add("caller", &macro{fn: n.fn, up: f, escapes: f.rt.autoescape})
	v, err := f.callGiven(fn, x.pos, x.block, pathOf(x.fn), g)
	if err != nil {
		return sigNone, err
	}
	return sigNone, f.fail(n.pos, f.rt.out.value(v))
}

// macro is a macro, or the body of a call block, as a value.
type macro struct {
	fn *macroCode
	up *frame
	// escapes is autoescape where the macro was defined; where it is called says whether its text is HTML.
	escapes bool
}

// TypeName implements value.Custom.
func (m *macro) TypeName() string { return "Macro" }

// Repr implements value.Custom.
func (m *macro) Repr() (string, error) { return "<Macro " + quote(m.fn.name) + ">", nil }

// Truth implements value.Custom.
func (m *macro) Truth() (bool, error) { return true, nil }

func (m *macro) attr(_ *runtime, name string) (any, bool, error) { //nolint:unparam // loop has errors
	switch name {
	case "name":
		return m.fn.name, true, nil
	case "arguments":
		t := value.Tuple{}
		for _, a := range m.fn.args {
			t = append(t, a.name)
		}
		return t, true, nil
	case "catch_kwargs":
		return m.fn.kwargs > 0, true, nil
	case "catch_varargs":
		return m.fn.varargs > 0, true, nil
	case "caller":
		return m.fn.caller > 0, true, nil
	}
	return nil, false, nil
}

func (m *macro) call(from *frame, pos int, g given) (any, error) {
	rt := from.rt
	if err := rt.enter("macro "+m.fn.name, from.place(pos)); err != nil {
		return nil, err
	}
	defer rt.leave()
	f := newFrame(rt, m.up.space, m.up, m.fn.scope.fn.slots)
	if err := m.bind(f, g); err != nil {
		return nil, err
	}
	return rt.capture(func() error {
		return rt.escaping(m.escapes, func() error {
			_, err := f.run(m.fn.stmts)
			return err
		})
	})
}

// escaping does something with autoescape on or off.
func (rt *runtime) escaping(on bool, do func() error) error {
	before := rt.autoescape
	rt.autoescape = on
	err := do()
	rt.autoescape = before
	return err
}

func (m *macro) bind(f *frame, g given) error {
	used := make([]bool, len(g.names))
	explicitCaller := false
	for i, a := range m.fn.args {
		explicitCaller = explicitCaller || a.name == "caller"
		if i < len(g.pos) {
			f.slots[a.slot] = g.pos[i]
			continue
		}
		for j, name := range g.names {
			if name == a.name {
				f.slots[a.slot], used[j] = g.named[j], true
			}
		}
	}
	kwargs := &value.Dict{}
	for j, name := range g.names {
		switch {
		case used[j]:
		case name == "caller" && m.fn.caller > 0 && !explicitCaller:
			f.slots[m.fn.caller-1] = g.named[j]
		case m.fn.kwargs > 0:
			kwargs.Set(name, g.named[j])
		case name == "caller":
			return value.Errorf(value.TypeError, "macro %s was invoked with two values for the special caller argument, or does not use caller", quote(m.fn.name))
		default:
			return value.Errorf(value.TypeError, "macro %s takes no keyword argument %s", quote(m.fn.name), quote(name))
		}
	}
	if m.fn.caller > 0 && f.slots[m.fn.caller-1] == unset {
		f.slots[m.fn.caller-1] = f.undefined(m.fn.pos, "caller", "No caller defined", nil, "")
	}
	if m.fn.kwargs > 0 {
		f.slots[m.fn.kwargs-1] = kwargs
	}
	if m.fn.varargs > 0 {
		f.slots[m.fn.varargs-1] = append(value.Tuple{}, g.pos[min(len(g.pos), len(m.fn.args)):]...)
	} else if len(g.pos) > len(m.fn.args) {
		return value.Errorf(value.TypeError, "macro %s takes not more than %d argument(s)", quote(m.fn.name), len(m.fn.args))
	}
	return m.defaults(f)
}

// defaults fills in what the call left out, in the order of the parameters.
func (m *macro) defaults(f *frame) error {
	for _, a := range m.fn.args {
		if f.slots[a.slot] != unset {
			continue
		}
		if a.def == nil {
			f.slots[a.slot] = f.undefined(m.fn.pos, a.name, "parameter "+quote(a.name)+" was not provided", nil, "")
			continue
		}
		v, err := a.def.eval(f)
		if err != nil {
			return err
		}
		f.slots[a.slot] = v
	}
	return nil
}
