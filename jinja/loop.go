package jinja

import (
	"strconv"

	"github.com/hostlerhq/hostler/jinja/value"
)

// loop is the variable loop inside a for.
type loop struct {
	items   []any
	at      int // index0
	length  int
	depth0  int
	changed any // the arguments of the last loop.changed, nil before
	asked   bool
	node    *forNode
	f       *frame
	methods [3]*function // changed, cycle; made when asked for
}

func (l *loop) attr(rt *runtime, name string) (any, bool, error) {
	switch name {
	case "index":
		return l.at + 1, true, nil
	case "index0":
		return l.at, true, nil
	case "first":
		return l.at == 0, true, nil
	case "last":
		return l.at == l.length-1, true, nil
	case "length":
		return l.length, true, nil
	case "revindex":
		return l.length - l.at, true, nil
	case "revindex0":
		return l.length - l.at - 1, true, nil
	case "depth":
		return l.depth0 + 1, true, nil
	case "depth0":
		return l.depth0, true, nil
	case "previtem":
		return l.neighbour(rt, l.at-1, "there is no previous item"), true, nil
	case "nextitem":
		return l.neighbour(rt, l.at+1, "there is no next item"), true, nil
	case "cycle":
		if l.methods[0] == nil {
			l.methods[0] = newFunction("cycle", "*args", l.cycle, []FuncOption{TakesUndefined()})
		}
		return l.methods[0], true, nil
	case "changed":
		if l.methods[1] == nil {
			l.methods[1] = newFunction("changed", "*value", l.hasChanged, nil)
		}
		return l.methods[1], true, nil
	}
	return nil, false, nil
}

func (l *loop) neighbour(rt *runtime, i int, missing string) any {
	if i < 0 || i >= l.length {
		u := l.f.undefined(l.node.pos, "", missing, nil, "")
		u.rt = rt
		return u
	}
	return l.items[i]
}

func (l *loop) cycle(c *Call) (any, error) {
	if len(c.Rest) == 0 {
		return nil, value.Errorf(value.TypeError, "no items for cycling given")
	}
	return c.Rest[l.at%len(c.Rest)], nil
}

func (l *loop) hasChanged(c *Call) (any, error) {
	now := value.Tuple(c.Rest)
	if l.asked {
		if eq, err := value.Equal(l.changed, now); err != nil || eq {
			return false, err
		}
	}
	l.asked, l.changed = true, now
	return true, nil
}

// call renders the loop's body for the items of a deeper level: loop(item.children).
func (l *loop) call(f *frame, pos int, g given) (any, error) {
	if !l.node.recursive {
		return nil, value.Errorf(value.TypeError, "The loop must have the 'recursive' marker to be called recursively.")
	}
	if len(g.pos) != 1 || len(g.names) > 0 {
		return nil, value.Errorf(value.TypeError, "a recursive loop takes one argument")
	}
	iterable := g.pos[0]
	if err := f.rt.enter("recursive loop", f.place(pos)); err != nil {
		return nil, err
	}
	defer f.rt.leave()
	// The body's slots belong to the loop under way: keep them aside.
	kept := append([]any(nil), l.f.slots...)
	r, err := f.rt.capture(func() error {
		_, err := l.node.run(l.f, iterable, l.depth0+1)
		return err
	})
	copy(l.f.slots, kept)
	return r, err
}

// TypeName implements value.Custom.
func (l *loop) TypeName() string { return "LoopContext" }

// Repr implements value.Custom.
func (l *loop) Repr() (string, error) {
	return "<LoopContext " + strconv.Itoa(l.at+1) + "/" + strconv.Itoa(l.length) + ">", nil
}

// Truth implements value.Custom.
func (l *loop) Truth() (bool, error) { return true, nil }

func (n *forNode) exec(f *frame) (signal, error) {
	v, err := n.iter.eval(f)
	if err != nil {
		return sigNone, err
	}
	_, err = n.run(f, v, 0)
	return sigNone, err
}

// run goes through the items of v; it reports whether there were any.
func (n *forNode) run(f *frame, v any, depth int) (bool, error) {
	items, err := f.rt.items(v)
	if err != nil {
		return false, f.fail(n.iter.at(), err)
	}
	if n.test != nil {
		if items, err = n.selected(f, items); err != nil {
			return false, err
		}
	}
	l := &loop{items: items, length: len(items), depth0: depth, node: n, f: f}
	for i := range items {
		l.at = i
		if err := f.rt.looped(); err != nil {
			return false, f.fail(n.pos, err)
		}
		f.reset(n.body)
		f.slots[n.loopSlot] = l
		if err := n.target.assign(f, items[i]); err != nil {
			return false, err
		}
		sig, err := f.run(n.stmts)
		if err != nil {
			return false, err
		}
		if sig == sigBreak {
			break
		}
	}
	f.reset(n.body)
	if len(items) == 0 && n.els != nil {
		f.reset(n.elseBlock)
		_, err := f.run(n.els)
		return false, err
	}
	return len(items) > 0, nil
}

// selected gives the items that pass the loop's own condition.
func (n *forNode) selected(f *frame, items []any) ([]any, error) {
	var out []any
	f.reset(n.body)
	for _, item := range items {
		if err := f.rt.looped(); err != nil {
			return nil, f.fail(n.pos, err)
		}
		if err := n.target.assign(f, item); err != nil {
			return nil, err
		}
		ok, err := f.truth(n.test)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, item)
		}
	}
	return out, nil
}
