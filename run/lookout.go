package run

import (
	"cmp"
	"slices"
	"time"
)

// lookout tells now and then which hosts the run still waits for, each time after twice as long.
type lookout struct {
	after   time.Duration // 0 tells nothing
	ticker  *time.Ticker
	running map[*hostState]*vigil
}

// vigil is one host that is waited for.
type vigil struct {
	task  *TaskInfo
	since time.Time
	next  time.Duration // when it is told the next time
}

func newLookout(after time.Duration) *lookout {
	l := &lookout{after: after}
	if after > 0 {
		l.ticker, l.running = time.NewTicker(max(after/4, time.Millisecond)), make(map[*hostState]*vigil)
	}
	return l
}

// due fires when it may be time to tell something.
func (l *lookout) due() <-chan time.Time {
	if l.ticker == nil {
		return nil
	}
	return l.ticker.C
}

func (l *lookout) begin(h *hostState, t *TaskInfo) {
	if l.ticker != nil {
		l.running[h] = &vigil{task: t, since: time.Now(), next: l.after}
	}
}

func (l *lookout) end(h *hostState) { delete(l.running, h) }

func (l *lookout) stop() {
	if l.ticker != nil {
		l.ticker.Stop()
	}
}

// late gives an event for each task that hosts are at for so long that it is to be told.
func (l *lookout) late(now time.Time) []StillWaiting {
	var out []StillWaiting
	for h, v := range l.running {
		took := now.Sub(v.since)
		if took < v.next {
			continue
		}
		v.next *= 2
		i := slices.IndexFunc(out, func(w StillWaiting) bool { return w.Task == v.task })
		if i < 0 {
			i, out = len(out), append(out, StillWaiting{Task: v.task})
		}
		out[i].Hosts = append(out[i].Hosts, h.name)
		out[i].For = max(out[i].For, took)
	}
	for i := range out {
		slices.Sort(out[i].Hosts)
	}
	slices.SortFunc(out, func(a, b StillWaiting) int { return cmp.Compare(a.Task.ID, b.Task.ID) })
	return out
}

// tellLate emits what late gives.
func (b *batch) tellLate(now time.Time) {
	for _, e := range b.look.late(now) {
		b.r.events.emit(e)
	}
}

// await gives the next result that comes in.
func (b *batch) await() *outcome {
	for {
		select {
		case o := <-b.results:
			return o
		case now := <-b.look.due():
			b.tellLate(now)
		}
	}
}
