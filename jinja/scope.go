package jinja

import "context"

// block is a lexical scope of the template: the body of a loop, macro, with …. Names set in it live
// in slots of the frame of the function (template, macro, block, call) that it is part of.
type block struct {
	parent *block
	fn     *fnScope
	names  map[string]int // name → slot
	reset  []int          // slots that are unset each time the block is entered
}

// fnScope is what runs in a frame of its own.
type fnScope struct {
	root  *block
	slots int
}

// ref is a place where a name may have been set: up frames outwards, in a slot.
type ref struct{ up, slot int }

// declare gives the slot of a name set in b.
func (b *block) declare(name string) int {
	if slot, ok := b.names[name]; ok {
		return slot
	}
	if b.names == nil {
		b.names = make(map[string]int, 4)
	}
	slot := b.fn.slots
	b.fn.slots++
	b.names[name] = slot
	b.reset = append(b.reset, slot)
	return slot
}

// find gives the places where a name may have been set, innermost first.
func (b *block) find(name string) []ref {
	var refs []ref
	up := 0
	for ; b != nil; b = b.parent {
		if slot, ok := b.names[name]; ok {
			refs = append(refs, ref{up, slot})
		}
		if b.parent != nil && b.parent.fn != b.fn {
			up++
		}
	}
	return refs
}

type unsetType struct{ _ byte }

// unset fills slots that hold nothing; nil is Python's None.
var unset any = &unsetType{}

// frame is one activation of a template, macro or block.
type frame struct {
	rt    *runtime
	space *namespaceOf
	slots []any
	up    *frame
}

// namespaceOf is where names that no slot holds come from, with what was read remembered.
type namespaceOf struct {
	code  *code
	at    origin
	scope Scope
	cache []any // by the code's name ids; unset until read
	inner *inheritance
	block *blockCode // of a block being printed, and its level of inheritance
	level int
}

func newFrame(rt *runtime, space *namespaceOf, up *frame, slots int) *frame {
	f := &frame{rt: rt, space: space, up: up}
	if slots > 0 {
		f.slots = make([]any, slots)
		for i := range f.slots {
			f.slots[i] = unset
		}
	}
	rt.frames = append(rt.frames, f)
	return f
}

func newSpace(c *code, at origin, s Scope) *namespaceOf {
	sp := &namespaceOf{code: c, at: at, scope: s, cache: make([]any, len(c.names))}
	for i := range sp.cache {
		sp.cache[i] = unset
	}
	return sp
}

// lookup reads a name that no slot holds; missing is true when there is none.
func (f *frame) lookup(id int, name string, pos int) (v any, missing bool, err error) {
	sp := f.space
	if v := sp.cache[id]; v != unset {
		return v, false, nil
	}
	if sp.scope != nil {
		v, found, err := f.rt.fromScope(f.rt.ctx, sp.scope, name)
		if err != nil {
			return nil, false, err
		}
		if found {
			sp.cache[id] = v
			return v, false, nil
		}
	}
	if v, ok := f.builtin(name, pos); ok {
		return v, false, nil
	}
	if v, ok := f.rt.env.globals[name]; ok {
		sp.cache[id] = v
		return v, false, nil
	}
	return nil, true, nil
}

// localScope shows the names visible at a place in a template to included templates and to functions.
type localScope struct {
	f     *frame
	block *block
}

func (s *localScope) Lookup(ctx context.Context, name string) (any, bool, error) {
	for _, r := range s.block.find(name) {
		f := s.f
		for range r.up {
			f = f.up
		}
		if v := f.slots[r.slot]; v != unset {
			return v, true, nil
		}
	}
	return s.f.space.read(ctx, s.f.rt, name)
}

func (f *frame) scopeAt(b *block) Scope { return &localScope{f: f, block: b} }
