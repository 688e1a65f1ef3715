package run

import (
	"context"
	"sync"
)

// maxLive bounds the live output that waits for the Sink.
const maxLive = 1 << 20

// queue hands events to the Sink from one goroutine, so that a slow terminal never holds work up; only live output
// waits for it, as it would in a pipe.
type queue struct {
	sink  Sink
	mu    sync.Mutex
	more  *sync.Cond
	room  *sync.Cond
	list  []Event
	bytes int // of live output in list and with the Sink
	ended bool
	done  chan struct{}
}

func newQueue(ctx context.Context, sink Sink) *queue {
	q := &queue{sink: sink, done: make(chan struct{})}
	q.more, q.room = sync.NewCond(&q.mu), sync.NewCond(&q.mu)
	go q.drain(context.WithoutCancel(ctx))
	return q
}

func (q *queue) emit(e Event) {
	q.mu.Lock()
	if out, ok := e.(Output); ok {
		for q.bytes > maxLive {
			q.room.Wait()
		}
		q.bytes += len(out.Chunk)
	}
	q.list = append(q.list, e)
	q.mu.Unlock()
	q.more.Signal()
}

// drain passes on all there is, then waits for more.
func (q *queue) drain(ctx context.Context) {
	defer close(q.done)
	for {
		q.mu.Lock()
		for len(q.list) == 0 && !q.ended {
			q.more.Wait()
		}
		list, ended := q.list, q.ended
		q.list = nil
		q.mu.Unlock()
		for i, e := range list {
			if f, ok := e.(flushed); ok {
				close(f.done)
				continue
			}
			q.sink.Emit(ctx, e)
			q.shown(e)
			list[i] = nil // it may be large
		}
		if ended && len(list) == 0 {
			return
		}
	}
}

// shown makes room for more live output.
func (q *queue) shown(e Event) {
	out, ok := e.(Output)
	if !ok {
		return
	}
	q.mu.Lock()
	q.bytes -= len(out.Chunk)
	q.mu.Unlock()
	q.room.Broadcast()
}

// flush waits until the Sink has taken all that was told so far.
func (q *queue) flush() {
	done := make(chan struct{})
	q.emit(flushed{done})
	<-done
}

// flushed marks a place among the events for flush; no Sink sees it.
type flushed struct{ done chan struct{} }

func (flushed) event() {}

// close waits until the Sink has taken everything. The Sink stays open.
func (q *queue) close() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.more.Signal()
	<-q.done
}
