package run

import (
	"context"

	"github.com/hostlerhq/hostler/playbook"
)

// linear takes all hosts through the play in step: a task is done on every host before the next begins.
func (b *batch) linear(ctx context.Context) {
	for b.err == nil && !b.r.stopping(ctx) {
		n, hosts := b.lockstep()
		if n == nil {
			return
		}
		for _, h := range hosts {
			h.take()
		}
		switch {
		case n.implicit != "":
			b.implicit(n, hosts)
		case n.task.BaseAction() == "meta":
			if b.metaStep(ctx, n, hosts) {
				return
			}
		default:
			if b.step(ctx, n, hosts) {
				return
			}
		}
	}
}

// lockstep finds the earliest task that a host stands before, and the hosts that do.
func (b *batch) lockstep() (*node, []*hostState) {
	if b.flushing {
		if n, hosts := b.lockstepHandlers(); n != nil {
			return n, hosts
		}
		b.flushing = false
	}
	var first *upcoming
	var hosts []*hostState
	for _, h := range b.hosts {
		if h.unreachable {
			continue
		}
		u := h.peek()
		if u.n == nil {
			if !h.walk.done {
				h.take()
			}
			continue
		}
		if first == nil {
			first, hosts = u, append(hosts[:0], h)
			continue
		}
		d := u.walk.before(first.walk)
		switch {
		case d < 0:
			first, hosts = u, append(hosts[:0], h)
		case d == 0 && same(u.n, first.n):
			hosts = append(hosts, h)
		}
	}
	if first == nil {
		return nil, nil
	}
	return first.n, hosts
}

func same(a, b *node) bool { return a.task == b.task && a.implicit == b.implicit && a.role == b.role }

func (b *batch) lockstepHandlers() (*node, []*hostState) {
	var first *upcoming
	var hosts []*hostState
	for _, h := range b.hosts {
		if h.unreachable || !h.flushing {
			continue
		}
		u := h.peek()
		switch {
		case u.h == nil:
		case first == nil || u.at < first.at:
			first, hosts = u, append(hosts[:0], h)
		case u.at == first.at && u.h == first.h:
			hosts = append(hosts, h)
		}
	}
	if first == nil {
		return nil, nil
	}
	return first.n, hosts
}

// implicit does what the run put between the tasks.
func (b *batch) implicit(n *node, hosts []*hostState) {
	for _, h := range hosts {
		switch n.implicit {
		case "flush_handlers":
			h.flush(b.handlers)
			b.flushing = true
		case "role_complete":
			if _, ok := h.ran[n.role.Key]; ok {
				mark(&h.finished, n.role.Key)
			}
		}
	}
}

// step runs one task on the hosts before it, and reports whether the play is over for all.
func (b *batch) step(ctx context.Context, n *node, hosts []*hostState) bool {
	hosts = b.willing(n.task, hosts)
	if len(hosts) == 0 {
		return false
	}
	w := b.work(n)
	w.begin(ctx, b, hosts[0])
	if !b.r.stepInto(w.info, "") {
		return false
	}
	targets := hosts
	if w.once {
		targets = hosts[:1]
	}
	b.r.events.emit(TaskStarted{Task: w.info, Hosts: len(targets)})
	outcomes := b.dispatch(ctx, w, targets)
	b.includes(ctx, outcomes)
	return b.rules(w, outcomes)
}

// willing leaves out hosts that have had the task's role already, or whose facts are known.
func (b *batch) willing(t *playbook.Task, hosts []*hostState) []*hostState {
	if t == b.gatherNode && b.smart {
		var out []*hostState
		for _, h := range hosts {
			if !h.isGathered() {
				out = append(out, h)
			}
		}
		return out
	}
	if t.Role == nil || t.Role.AllowDuplicates || t.Handler {
		return hosts
	}
	var out []*hostState
	for _, h := range hosts {
		if _, done := h.finished[t.Role.Key]; !done {
			out = append(out, h)
		}
	}
	return out
}

// dispatch starts the task on each host as a slot comes free, and takes results in as they come, until all are in.
func (b *batch) dispatch(ctx context.Context, w *work, hosts []*hostState) []*outcome {
	outcomes := make([]*outcome, 0, len(hosts))
	running, next := 0, 0
	take := func(o *outcome) {
		running--
		b.process(o)
		outcomes = append(outcomes, o)
	}
	limit := w.limit(b.r.o.Forks)
	for next < len(hosts) || running > 0 {
		slots := b.r.slots
		if next == len(hosts) || running >= limit || b.r.stopping(ctx) {
			slots = nil
			if running == 0 {
				break
			}
		}
		select {
		case slots <- struct{}{}:
			h := hosts[next]
			next++
			running++
			b.look.begin(h, w.info)
			go b.work1(ctx, w, h)
		case o := <-b.results:
			take(o)
		case now := <-b.look.due():
			b.tellLate(now)
		}
	}
	return outcomes
}

// work1 runs the task on one host and gives the slot back.
func (b *batch) work1(ctx context.Context, w *work, h *hostState) {
	b.r.events.emit(HostStarted{Host: h.name, Task: w.info})
	o, known := b.replay(w, h)
	if o == nil {
		o = (&job{b: b, w: w, h: h}).run(ctx)
		o.again = known
	}
	o.ran = true
	<-b.r.slots
	b.results <- o
}

// rules applies any_errors_fatal, run_once and max_fail_percentage after a task, and reports whether the play is over.
func (b *batch) rules(w *work, outcomes []*outcome) bool {
	bad := 0
	for _, o := range outcomes {
		if o.res.losesHost() || o.stranded {
			bad++
		}
	}
	if bad > 0 && (w.fatal || w.once) && !w.ignoreErrors {
		b.fatal()
	}
	if b.maxFail >= 0 && len(outcomes) > 0 && b.share() > b.maxFail {
		for _, h := range b.hosts {
			if !h.failed() && !h.unreachable {
				h.fail()
				b.lose(h)
			}
		}
		b.r.events.emit(NoMoreHosts{})
		b.broke = true
	}
	if !b.broke || b.lostNow() < b.reachable() {
		return false
	}
	b.r.events.emit(NoMoreHosts{})
	return true
}

// fatal ends the play for all hosts that are not about to mend something.
func (b *batch) fatal() {
	for _, h := range b.hosts {
		if h.unreachable {
			continue
		}
		w := h.walk
		if u := h.peek(); u.walk != nil {
			w = u.walk
		}
		if w.sheltered() {
			continue
		}
		b.lose(h)
		b.broke = true
	}
}

func (b *batch) share() float64 {
	return float64(b.lostNow()) / float64(len(b.hosts))
}

// lostNow counts the batch's hosts that failed for good.
func (b *batch) lostNow() int {
	n := 0
	for _, h := range b.hosts {
		if h.lost || h.failed() {
			n++
		}
	}
	return n
}

// reachable counts the hosts that can be reached.
func (b *batch) reachable() int {
	n := 0
	for _, h := range b.hosts {
		if !h.unreachable {
			n++
		}
	}
	return n
}
