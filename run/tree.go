package run

import (
	"slices"

	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// node is one element of a list of tasks: a task, a block, or a step that the run puts in itself.
type node struct {
	task  *playbook.Task
	block *block
	// implicit is "flush_handlers" or "role_complete"; task and block are then nil.
	implicit string
	role     *playbook.Role // of role_complete
	// extra are the variables of the includes that brought the task.
	extra []vars.Layer
	work  *work // made when first needed
	// order tells nodes of one list apart: hosts in step are those at the same orders all the way up.
	order int
}

// block is a playbook.Block after the choice by tags.
type block struct {
	src                  *playbook.Block // nil for lists that the run makes
	body, rescue, always []node
}

func (b *block) empty() bool { return len(b.body) == 0 && len(b.rescue) == 0 && len(b.always) == 0 }

// section is a part of a block.
type section int

const (
	inBody section = iota
	inRescue
	inAlways
)

func (b *block) list(s section) []node {
	switch s {
	case inRescue:
		return b.rescue
	case inAlways:
		return b.always
	default:
		return b.body
	}
}

// compile makes nodes of what the loader read, leaving out tasks that want does not choose.
func compile(in []playbook.Node, want func(*playbook.Task) bool, extra []vars.Layer) []node {
	var out []node
	for _, n := range in {
		switch n := n.(type) {
		case *playbook.Task:
			if want(n) {
				out = append(out, node{task: n, extra: extra, order: len(out)})
			}
		case *playbook.Block:
			b := &block{
				src:    n,
				body:   compile(n.Body, want, extra),
				rescue: compile(n.Rescue, want, extra),
				always: compile(n.Always, want, extra),
			}
			if b.empty() {
				continue
			}
			out = append(out, node{block: b, order: len(out)})
			if n.RoleEnd && n.Role != nil {
				out = append(out, node{implicit: "role_complete", role: n.Role, order: len(out)})
			}
		}
	}
	return out
}

// compilePlay lays the parts of a play out in the order in which they run, a flush of handlers after each.
func compilePlay(p *playbook.Play, force bool, want func(*playbook.Task) bool) []node {
	flush := node{implicit: "flush_handlers"}
	var out []node
	add := func(lists ...[]playbook.Node) {
		var part []node
		for _, l := range lists {
			part = append(part, compile(l, want, nil)...)
		}
		for i := range part {
			part[i].order = i
		}
		if force {
			// both in blocks of their own, as in Ansible: so any_errors_fatal ends the hosts that stand before either
			part = []node{{block: &block{body: within(part), always: within([]node{flush})}}}
		} else {
			part = append(part, flush)
		}
		for _, n := range part {
			n.order = len(out)
			out = append(out, n)
		}
	}
	add(p.PreTasks)
	add(p.RoleTasks, p.Tasks)
	add(p.PostTasks)
	return out
}

func within(list []node) []node { return []node{{block: &block{body: list}}} }

// frame is a place in one block.
type frame struct {
	b      *block
	in     section
	next   int
	failed bool // the body or the rescue failed, and nothing mended it
}

// walker is one host's place in a play. The zero value with a first frame is at the start.
type walker struct {
	frames []frame
	done   bool
	failed bool // the walk ended by a failure that nothing rescued
}

func newWalker(root []node) *walker {
	return &walker{frames: []frame{{b: &block{body: root}}}}
}

func (w *walker) clone() *walker {
	c := *w
	c.frames = slices.Clone(w.frames)
	return &c
}

// advance moves to the next task and gives it; nil at the end.
func (w *walker) advance() *node {
	for !w.done {
		f := &w.frames[len(w.frames)-1]
		list := f.b.list(f.in)
		if f.next < len(list) {
			n := &list[f.next]
			f.next++
			if n.block == nil {
				return n
			}
			w.frames = append(w.frames, frame{b: n.block})
			continue
		}
		w.sectionEnd(f)
	}
	return nil
}

// sectionEnd goes from a finished section to what follows it.
func (w *walker) sectionEnd(f *frame) {
	switch {
	case f.in == inRescue:
		f.failed = false
		f.in, f.next = inAlways, 0
	case f.in == inBody:
		f.in, f.next = inAlways, 0
	case f.failed:
		w.leave()
		w.fail()
	default:
		w.leave()
	}
}

// leave goes back to the block around the present one.
func (w *walker) leave() {
	w.frames = w.frames[:len(w.frames)-1]
	if len(w.frames) == 0 {
		w.done = true
	}
}

// fail records that the task given last failed and moves to the section that deals with it.
func (w *walker) fail() {
	for len(w.frames) > 0 {
		f := &w.frames[len(w.frames)-1]
		switch {
		case f.in == inBody && len(f.b.rescue) > 0:
			f.in, f.next, f.failed = inRescue, 0, true
			return
		case f.in != inAlways && len(f.b.always) > 0:
			f.in, f.next, f.failed = inAlways, 0, true
			return
		}
		w.leave()
	}
	w.done, w.failed = true, true
}

// rescuable reports whether a failure now would be taken over by a rescue.
func (w *walker) rescuable() bool {
	for i := range w.frames {
		if f := &w.frames[i]; f.in == inBody && len(f.b.rescue) > 0 {
			return true
		}
	}
	return false
}

// stranded reports whether a failure now counts as the host's at once, as Ansible sees it: the innermost block neither
// rescues nor has an always to do first, and no block around it rescues. (That one around has an always does not help.)
func (w *walker) stranded() bool {
	for i, f := range slices.Backward(w.frames) {
		last := i == len(w.frames)-1
		switch {
		case f.in == inBody && len(f.b.rescue) > 0, last && f.in != inAlways && len(f.b.always) > 0:
			return false
		}
	}
	return true
}

// sheltered reports whether the innermost block is in its rescue or always section.
func (w *walker) sheltered() bool {
	if len(w.frames) == 0 {
		return false
	}
	return w.frames[len(w.frames)-1].in != inBody
}

// insert makes nodes the next thing to do, as include does.
func (w *walker) insert(nodes []node) {
	if w.done || len(nodes) == 0 {
		return
	}
	w.frames = append(w.frames, frame{b: &block{body: nodes}})
}

// end stops the walk without a failure.
func (w *walker) end() { w.frames, w.done = nil, true }

// endRole leaves the block of a role, and with it what stands around the present place in it.
func (w *walker) endRole(r *playbook.Role) {
	for i := range slices.Backward(w.frames) {
		src := w.frames[i].b.src
		w.frames = w.frames[:i]
		if src != nil && src.RoleEnd && src.Role == r {
			break
		}
	}
	w.done = len(w.frames) == 0
}

// before orders the places of two walkers that each stand on a task just given by advance.
func (w *walker) before(o *walker) int {
	for i := range min(len(w.frames), len(o.frames)) {
		a, b := &w.frames[i], &o.frames[i]
		if a.in != b.in {
			return int(a.in) - int(b.in)
		}
		if d := a.at() - b.at(); d != 0 {
			return d
		}
	}
	return len(w.frames) - len(o.frames)
}

// at is the order of the element that the frame stands on.
func (f *frame) at() int {
	if f.next == 0 {
		return -1 // an insertion before the first element
	}
	return f.b.list(f.in)[f.next-1].order
}
