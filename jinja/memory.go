package jinja

import (
	"cmp"
	"math/big"
	"unsafe"

	"github.com/hostlerhq/hostler/jinja/value"
)

// A rendering counts roughly what it makes. Each time that has grown by measureEvery, it looks at what it still holds, so
// that a template which builds a text or list step by step, leaving the former ones to the garbage collector, is not taken
// for one that fills the memory.

const (
	defaultMaxMemory = 32 << 20
	measureEvery     = 8 << 20
	maxTotal         = 4 << 30 // of all that was made, held or not: it stands for time
	// largeText is the size from which a text is counted once however often it is held, and from which a value
	// waiting for the others of its expression counts.
	largeText = 512
	// sizes of a value in a list, an entry of a dict and anything else that is made
	itemSize, entrySize, objectSize = 16, 64, 48
	// roughly what the look at the values may go through; it is more than fits into the bounds
	maxLook = 4_000_000
)

// made counts bytes that the rendering has made.
func (rt *runtime) made(n int) error {
	if rt.fresh += n; rt.fresh < measureEvery {
		return nil
	}
	if rt.total += rt.fresh; rt.total > maxTotal {
		return value.Errorf(value.LimitError, "the values that the template made one after another grow past %d bytes", maxTotal)
	}
	rt.fresh = 0
	return rt.measure()
}

// madeValue counts a new value without what is in it.
func (rt *runtime) madeValue(v any) error { return rt.made(shallow(v)) }

// madeText is madeValue, but fails for a text longer than any may be.
func (rt *runtime) madeText(v any) error {
	n := shallow(v)
	switch v.(type) {
	case string, Markup, value.Bytes:
		if n > rt.maxOutput {
			return rt.tooBig()
		}
	}
	return rt.made(n)
}

func shallow(v any) int {
	switch x := v.(type) {
	case string:
		return len(x)
	case Markup:
		return len(x)
	case value.Bytes:
		return len(x)
	case *value.List:
		return objectSize + itemSize*len(x.Items)
	case value.Tuple:
		return objectSize + itemSize*len(x)
	case *value.Dict:
		return objectSize + entrySize*x.Len()
	case *big.Int:
		return x.BitLen() / 8
	}
	return 0
}

// keep holds a value that nothing else refers to yet, up to drop.
func (rt *runtime) keep(v any) {
	switch x := v.(type) {
	case string:
		if len(x) < largeText {
			return
		}
	case nil, bool, int, float64, *value.Dict, *Undefined:
		if d, ok := x.(*value.Dict); !ok || d.Len() == 0 {
			return
		}
	}
	rt.kept = append(rt.kept, v)
}

// drop lets go of all that was kept since there were n.
func (rt *runtime) drop(n int) {
	clear(rt.kept[n:])
	rt.kept = rt.kept[:n]
}

// measure fails when the values that the rendering holds are too large. What the Scope gave does not count.
func (rt *runtime) measure() error {
	limit := cmp.Or(rt.opts.MaxMemory, defaultMaxMemory)
	m := meter{seen: map[any]struct{}{}, limit: limit + rt.given}
	if !rt.mutates {
		m.passScope(rt)
	}
	for _, f := range rt.frames {
		m.frame(f)
	}
	for _, v := range rt.copies {
		m.value(v)
	}
	m.values(rt.kept)
	m.values(rt.stack)
	m.values(rt.out.parts)
	m.value(rt.captured)
	m.size += len(rt.out.b) + rt.waiting
	if m.size > m.limit {
		return value.Errorf(value.LimitError, "the values that the template made grow past %d bytes", limit)
	}
	return nil
}

// meter adds up the bytes of values.
type meter struct {
	seen  map[any]struct{}
	size  int
	looks int
	limit int
}

// passScope sees to it that values of the Scope are taken for seen.
func (m *meter) passScope(rt *runtime) {
	limit := m.limit
	m.limit = maxLook * objectSize
	for _, f := range rt.frames {
		if f.space.scope == rt.scope {
			m.values(f.space.cache)
		}
	}
	m.size, m.looks, m.limit = 0, 0, limit
}

// first reports whether something is seen for the first time.
func (m *meter) first(p any) bool {
	if _, known := m.seen[p]; known {
		return false
	}
	m.seen[p] = struct{}{}
	return true
}

func (m *meter) values(list []any) {
	for _, v := range list {
		if m.size > m.limit || m.looks > maxLook {
			return
		}
		m.value(v)
	}
}

func (m *meter) text(s string) {
	if len(s) < largeText || m.first(unsafe.StringData(s)) {
		m.size += len(s)
	}
}

func (m *meter) frame(f *frame) {
	for ; f != nil && m.first(f); f = f.up {
		m.values(f.slots)
		m.values(f.space.cache)
	}
}

func (m *meter) value(v any) {
	m.looks++
	switch x := v.(type) {
	case nil, bool:
	case string:
		m.text(x)
	case Markup:
		m.text(string(x))
	case value.Bytes:
		m.text(string(x))
	case value.Tuple:
		if len(x) > 0 && m.first(&x[0]) {
			m.size += objectSize + itemSize*len(x)
			m.values(x)
		}
	case *value.List:
		if m.first(x) {
			m.size += objectSize + itemSize*len(x.Items)
			m.values(x.Items)
		}
	case *value.Dict:
		m.dict(x)
	case *big.Int:
		if m.first(x) {
			m.size += x.BitLen() / 8
		}
	default:
		m.size += objectSize
		m.holder(v)
	}
}

func (m *meter) dict(d *value.Dict) {
	if !m.first(d) {
		return
	}
	m.size += objectSize + entrySize*d.Len()
	for k, v := range d.All() {
		if m.size > m.limit || m.looks > maxLook {
			return
		}
		m.value(k)
		m.value(v)
	}
}

// holder looks into the engine's own values that hold others.
func (m *meter) holder(v any) {
	switch x := v.(type) {
	case *dictView:
		m.dict(x.d)
	case *namespace:
		m.dict(x.d)
	case *groupTuple:
		m.value(x.list)
	case *cycler:
		if m.first(x) {
			m.size += itemSize * len(x.items)
			m.values(x.items)
		}
	case *joiner:
		m.value(x.sep)
	case *boundMethod:
		m.value(x.recv)
	case *macro:
		m.frame(x.up)
	case *module:
		m.frame(x.f)
		m.value(x.body)
	case *loop:
		m.loop(x)
	}
}

func (m *meter) loop(l *loop) {
	if !m.first(l) {
		return
	}
	if l.source.list != nil {
		m.value(l.source.list)
	}
	if l.source.dict != nil {
		m.dict(l.source.dict)
	}
	m.size += itemSize * len(l.source.items)
	m.values(l.source.items)
	m.values([]any{l.before, l.current, l.after, l.changed})
}

// sizeOf is roughly what a value with all that is in it takes.
func sizeOf(v any) int {
	m := meter{seen: map[any]struct{}{}, limit: maxLook * objectSize}
	m.value(v)
	return m.size
}
