package run

import (
	"context"
	"slices"

	"github.com/hostlerhq/hostler/playbook"
)

// free lets every host go through the play at its own pace. With host_pinned no more hosts are under way than there
// are forks, each to its end.
func (b *batch) free(ctx context.Context) {
	f := &freeRun{
		batch: b, active: make(map[*playbook.Task]int), works: make(map[*node]*work), ready: slices.Clone(b.hosts),
		onces: make(map[onceKey]*once), reached: make(map[*hostState]map[*playbook.Task]int),
	}
	if b.strategy == "host_pinned" {
		n := min(b.r.o.Forks, len(f.ready))
		f.ready, f.waiting = f.ready[:n:n], f.ready[n:]
	}
	for b.err == nil {
		f.start(ctx)
		if f.running == 0 {
			return
		}
		o := b.await()
		f.running--
		f.active[o.w.n.task]--
		f.ready = append(f.ready, o.h)
		b.process(o)
		f.onceDone(o)
		b.includes(ctx, []*outcome{o})
		f.rules(o)
	}
	for f.running > 0 {
		b.process(b.await())
		f.running--
	}
}

type freeRun struct {
	*batch
	ready   []*hostState // that do nothing and may go on, the longest idle first
	waiting []*hostState // of host_pinned, that have not begun
	ended   []*hostState // that came to the end or went missing
	active  map[*playbook.Task]int
	works   map[*node]*work
	onces   map[onceKey]*once
	reached map[*hostState]map[*playbook.Task]int // how often a host came by a task with run_once
	running int
}

// onceKey is a task with run_once, for hosts that come by it for the nth time: an include in a loop brings it several times.
type onceKey struct {
	task *playbook.Task
	nth  int
}

// once is what became of a task that one host does for all.
type once struct {
	by           *hostState
	done, failed bool
}

// progress is how far a host got.
type progress int

const (
	moved progress = iota // it may go on at once
	busy                  // it has work
	held                  // throttle keeps it waiting
	full                  // there is no free slot
	atEnd
)

// start gives work to the idle hosts as far as slots are free.
func (f *freeRun) start(ctx context.Context) {
	var stay []*hostState
	for len(f.ready) > 0 && f.err == nil && !f.r.stopping(ctx) {
		h := f.ready[0]
		got := moved
		for got == moved && f.err == nil {
			got = f.one(ctx, h)
		}
		if got == full {
			break
		}
		f.ready = f.ready[1:]
		switch got {
		case held:
			stay = append(stay, h)
		case atEnd:
			f.ended = append(f.ended, h)
			if len(f.waiting) > 0 {
				f.ready, f.waiting = append(f.ready, f.waiting[0]), f.waiting[1:]
			}
		}
	}
	if stay != nil {
		f.ready = append(stay, f.ready...)
	}
}

// one takes a host one node further.
func (f *freeRun) one(ctx context.Context, h *hostState) progress {
	if h.unreachable {
		return atEnd
	}
	n := h.peek().n
	switch {
	case n == nil:
		h.take()
		return atEnd
	case n.implicit != "":
		h.take()
		f.implicit(n, []*hostState{h})
		return moved
	case len(f.willing(n.task, []*hostState{h})) == 0:
		h.take()
		return moved
	}
	w := f.workOf(ctx, h, n)
	if n.task.BaseAction() == "meta" {
		h.take()
		f.r.events.emit(TaskStarted{Task: w.info, Hosts: 1})
		f.meta(ctx, w, metaName(n.task), h)
		f.revive()
		return moved
	}
	if w.once {
		if got, mine := f.oneForAll(h, w); !mine {
			return got
		}
	}
	if f.r.o.Step != nil {
		if f.running > 0 {
			return held // one after another, or questions and results would mix
		}
		if !f.r.stepInto(w.info, h.name) {
			h.take()
			return moved
		}
	}
	if w.throttle > 0 && f.active[n.task] >= w.throttle {
		return held
	}
	select {
	case f.r.slots <- struct{}{}:
	default:
		return full
	}
	if w.once {
		f.onces[f.onceKey(h, w)] = &once{by: h}
	}
	h.take()
	f.running++
	f.active[n.task]++
	f.r.events.emit(TaskStarted{Task: w.info, Hosts: 1})
	f.look.begin(h, w.info)
	go f.work1(ctx, w, h)
	return busy
}

// workOf is the task made ready, once for all hosts.
func (f *freeRun) workOf(ctx context.Context, h *hostState, n *node) *work {
	if w, ok := f.works[n]; ok {
		return w
	}
	w := f.work(n)
	w.begin(ctx, f.batch, h)
	f.works[n] = w
	return w
}

func (f *freeRun) onceKey(h *hostState, w *work) onceKey {
	return onceKey{task: w.task, nth: f.reached[h][w.task]}
}

// oneForAll reports whether a task with run_once is the host's to do. Else the host waits until another has done it and then
// goes past it, or fails with it.
func (f *freeRun) oneForAll(h *hostState, w *work) (got progress, mine bool) {
	c := f.onces[f.onceKey(h, w)]
	if c == nil {
		return moved, true
	}
	if !c.done {
		return held, false
	}
	f.pass(h, w.task)
	h.take()
	if c.failed {
		h.fail()
		if h.failed() {
			f.lose(h)
		}
	}
	return moved, false
}

func (f *freeRun) pass(h *hostState, t *playbook.Task) {
	if f.reached[h] == nil {
		f.reached[h] = make(map[*playbook.Task]int)
	}
	f.reached[h][t]++
}

// onceDone lets the hosts go on that wait for a task with run_once.
func (f *freeRun) onceDone(o *outcome) {
	if !o.w.once {
		return
	}
	c := f.onces[f.onceKey(o.h, o.w)]
	c.done, c.failed = true, o.res.losesHost() || o.res.failed && !o.res.ignoreErrors
	f.pass(o.h, o.w.task)
}

// revive takes hosts up again that meta: clear_host_errors gave back.
func (f *freeRun) revive() {
	f.ended = slices.DeleteFunc(f.ended, func(h *hostState) bool {
		if !h.active() {
			return false
		}
		f.ready = append(f.ready, h)
		return true
	})
}

// rules applies any_errors_fatal and max_fail_percentage.
func (f *freeRun) rules(o *outcome) {
	bad := o.res.losesHost() || o.res.failed && o.h.failed()
	over := bad && o.w.fatal && !o.res.ignoreErrors
	if f.maxFail >= 0 && f.share() > f.maxFail {
		over = true
	}
	if !over || f.broke {
		return
	}
	for _, h := range f.hosts {
		if !h.unreachable && !h.walk.done {
			h.fail()
			if h.failed() {
				f.lose(h)
			}
		}
	}
	f.broke = true
	f.r.events.emit(NoMoreHosts{})
}
