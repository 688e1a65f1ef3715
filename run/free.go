package run

import (
	"context"

	"github.com/hostlerhq/hostler/playbook"
)

// free lets every host go through the play at its own pace. With host_pinned no more hosts are under way than there
// are forks, each to its end.
func (b *batch) free(ctx context.Context) {
	f := &freeRun{batch: b, busy: make(map[*hostState]bool), active: make(map[*playbook.Task]int), works: make(map[*node]*work)}
	f.pinned = b.strategy == "host_pinned"
	for b.err == nil {
		started := f.start(ctx)
		if f.running == 0 {
			if !started {
				return
			}
			continue
		}
		o := <-b.results
		f.running--
		f.active[o.w.task]--
		delete(f.busy, o.h)
		b.process(o)
		b.includes(ctx, []*outcome{o})
		f.rules(o)
	}
	for f.running > 0 {
		b.process(<-b.results)
		f.running--
	}
}

type freeRun struct {
	*batch
	busy    map[*hostState]bool
	active  map[*playbook.Task]int
	works   map[*node]*work
	running int
	pinned  bool
}

// start gives work to every idle host that a slot is free for, and reports whether anything was begun or done.
func (f *freeRun) start(ctx context.Context) bool {
	did := false
	under := 0
	for _, h := range f.hosts {
		if h.unreachable || f.busy[h] {
			under++
			continue
		}
		if f.pinned && under >= f.r.o.Forks {
			break
		}
		for !f.busy[h] && !h.unreachable && f.err == nil && !f.r.stopping(ctx) {
			n := h.peek().n
			if n == nil {
				h.take()
				break
			}
			under++
			if !f.one(ctx, h, n) {
				break
			}
			did = true
		}
	}
	return did
}

// one takes a host one node further; false means that it has to wait.
func (f *freeRun) one(ctx context.Context, h *hostState, n *node) bool {
	if n.implicit != "" {
		h.take()
		f.implicit(n, []*hostState{h})
		return true
	}
	if len(f.willing(n.task, []*hostState{h})) == 0 {
		h.take()
		return true
	}
	w, ok := f.works[n]
	if !ok {
		w = f.work(n)
		w.begin(ctx, f.batch, h)
		f.works[n] = w
		if w.once && w.action == nil {
			f.r.warn("Using run_once with the free strategy is not currently supported. This task will still be executed for every host in the inventory list.")
		}
		w.once = false
	}
	if n.task.BaseAction() == "meta" {
		h.take()
		f.r.events.emit(TaskStarted{Task: w.info, Hosts: 1})
		f.meta(ctx, w, metaName(n.task), h)
		return true
	}
	if w.throttle > 0 && f.active[n.task] >= w.throttle {
		return false
	}
	select {
	case f.r.slots <- struct{}{}:
	default:
		return false
	}
	h.take()
	f.busy[h] = true
	f.running++
	f.active[n.task]++
	f.r.events.emit(TaskStarted{Task: w.info, Hosts: 1})
	go f.work1(ctx, w, h)
	return true
}

// rules applies any_errors_fatal and max_fail_percentage.
func (f *freeRun) rules(o *outcome) {
	bad := o.res.unreachable && !o.res.ignoreUnreachable || o.res.failed && o.h.failed()
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
