package jinja

import (
	"strconv"

	"github.com/hostlerhq/hostler/jinja/value"
)

// loop is the variable loop inside a for, and the loop's way through what it goes through: items are
// taken one at a time, so that a body that changes its own list sees the change, as in Python.
type loop struct {
	source  source
	node    *forNode
	f       *frame
	at      int // index0
	depth0  int
	size    int // what loop.length gave; -1 before it was asked
	before  any
	current any
	after   any          // the next item, when it was taken ahead
	ahead   bool         // after is set
	ended   bool         // there is no next item
	asked   bool         // loop.changed was called
	changed any          // the arguments of the last loop.changed
	methods [2]*function // cycle, changed; made when asked for
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
		more, err := l.peek()
		return !more, true, err
	case "length":
		n, err := l.length()
		return n, true, err
	case "revindex":
		n, err := l.length()
		return n - l.at, true, err
	case "revindex0":
		n, err := l.length()
		return n - l.at - 1, true, err
	case "depth":
		return l.depth0 + 1, true, nil
	case "depth0":
		return l.depth0, true, nil
	case "previtem":
		if l.at == 0 {
			return l.missing(rt, "there is no previous item"), true, nil
		}
		return l.before, true, nil
	case "nextitem":
		more, err := l.peek()
		if err == nil && !more {
			return l.missing(rt, "there is no next item"), true, nil
		}
		return l.after, true, err
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

func (l *loop) missing(rt *runtime, reason string) any {
	u := l.f.undefined(l.node.pos, "", reason, nil, "")
	u.rt = rt
	return u
}

// peek takes the next item ahead and reports whether there is one.
func (l *loop) peek() (bool, error) {
	if l.ahead || l.ended {
		return l.ahead, nil
	}
	var kept []any
	if l.node.test != nil { // the loop's condition uses the slots of the body under way
		kept = append([]any(nil), l.f.slots...)
	}
	v, more, err := l.pull()
	if kept != nil {
		copy(l.f.slots, kept)
	}
	l.after, l.ahead, l.ended = v, more, !more
	return more, err
}

// length is how many items there are. A loop with a condition must go through the rest to know.
func (l *loop) length() (int, error) {
	if l.size >= 0 {
		return l.size, nil
	}
	if l.node.test == nil {
		l.size = l.source.length()
		return l.size, nil
	}
	kept := append([]any(nil), l.f.slots...)
	defer func() { copy(l.f.slots, kept) }()
	var rest []any
	for {
		v, more, err := l.pull()
		if err != nil {
			return 0, err
		}
		if !more {
			break
		}
		rest = append(rest, v)
	}
	l.size = l.at + 1 + len(rest)
	if l.ahead {
		l.size++
	}
	l.source = source{items: rest, passed: true}
	return l.size, nil
}

// next moves on to the next item.
func (l *loop) next() (any, bool, error) {
	if l.ahead {
		v := l.after
		l.after, l.ahead = nil, false
		return v, true, nil
	}
	if l.ended {
		return nil, false, nil
	}
	return l.pull()
}

// pull takes items from the source up to one that passes the loop's condition.
func (l *loop) pull() (any, bool, error) {
	n, f := l.node, l.f
	for {
		v, more, err := l.source.next()
		if err != nil || !more {
			return nil, false, f.fail(n.iter.at(), err)
		}
		if n.test == nil || l.source.passed {
			return v, true, nil
		}
		if err := f.rt.looped(); err != nil {
			return nil, false, f.fail(n.pos, err)
		}
		f.reset(n.body)
		if err := n.target.assign(f, v); err != nil {
			return nil, false, err
		}
		ok, err := f.truth(n.test)
		if err != nil {
			return nil, false, err
		}
		if ok {
			return v, true, nil
		}
	}
}

// source is what a loop goes through: a list as it is now, a dict that must keep its size, or fixed items.
type source struct {
	list   *value.List
	dict   *value.Dict
	kind   string // of dict: keys, values or items
	items  []any
	at     int
	size   int  // of dict, at the start
	passed bool // the items passed the loop's condition
}

func (rt *runtime) sourceOf(v any) (source, error) {
	switch x := v.(type) {
	case *value.List:
		return source{list: x}, nil
	case *value.Dict:
		return source{dict: x, kind: "keys", size: x.Len()}, nil
	case *dictView:
		return source{dict: x.d, kind: x.kind, size: x.d.Len()}, nil
	}
	items, err := rt.items(v)
	if err == nil {
		err = rt.made(itemSize * len(items))
	}
	return source{items: items}, err
}

func (s *source) length() int {
	switch {
	case s.list != nil:
		return len(s.list.Items)
	case s.dict != nil:
		return s.dict.Len()
	}
	return len(s.items)
}

func (s *source) next() (any, bool, error) {
	if s.dict != nil && s.dict.Len() != s.size {
		return nil, false, value.Errorf(value.RuntimeError, "dictionary changed size during iteration")
	}
	if s.at >= s.length() {
		return nil, false, nil
	}
	s.at++
	switch {
	case s.list != nil:
		return s.list.Items[s.at-1], true, nil
	case s.dict == nil:
		return s.items[s.at-1], true, nil
	}
	k, v := s.dict.At(s.at - 1)
	switch s.kind {
	case "keys":
		return k, true, nil
	case "values":
		return v, true, nil
	}
	return value.Tuple{k, v}, true, nil
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
		return l.node.run(l.f, iterable, l.depth0+1)
	})
	copy(l.f.slots, kept)
	return r, err
}

// TypeName implements value.Custom.
func (l *loop) TypeName() string { return "LoopContext" }

// Repr implements value.Custom.
func (l *loop) Repr() (string, error) {
	n, err := l.length()
	return "<LoopContext " + strconv.Itoa(l.at+1) + "/" + strconv.Itoa(n) + ">", err
}

// Truth implements value.Custom.
func (l *loop) Truth() (bool, error) { return true, nil }

func (n *forNode) exec(f *frame) (signal, error) {
	v, err := n.iter.eval(f)
	if err != nil {
		return sigNone, err
	}
	return sigNone, n.run(f, v, 0)
}

// run goes through the items of v.
func (n *forNode) run(f *frame, v any, depth int) error {
	src, err := f.rt.sourceOf(v)
	if err != nil {
		return f.fail(n.iter.at(), err)
	}
	l := &loop{source: src, at: -1, size: -1, depth0: depth, node: n, f: f}
	for {
		item, more, err := l.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := f.rt.looped(); err != nil {
			return f.fail(n.pos, err)
		}
		l.at++
		l.before, l.current = l.current, item
		f.reset(n.body)
		f.slots[n.loopSlot] = l
		if err := n.target.assign(f, item); err != nil {
			return err
		}
		sig, err := f.run(n.stmts)
		if err != nil {
			return err
		}
		if sig == sigBreak {
			break
		}
	}
	f.reset(n.body)
	if l.at < 0 && n.els != nil {
		f.reset(n.elseBlock)
		_, err := f.run(n.els)
		return err
	}
	return nil
}
