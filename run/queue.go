package run

import (
	"context"
	"sync"
)

// queue hands events to the Sink from one goroutine, so that a slow terminal never holds work up.
type queue struct {
	sink  Sink
	mu    sync.Mutex
	more  *sync.Cond
	list  []Event
	ended bool
	done  chan struct{}
}

func newQueue(ctx context.Context, sink Sink) *queue {
	q := &queue{sink: sink, done: make(chan struct{})}
	q.more = sync.NewCond(&q.mu)
	go q.drain(context.WithoutCancel(ctx))
	return q
}

func (q *queue) emit(e Event) {
	q.mu.Lock()
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
		for _, e := range list {
			q.sink.Emit(ctx, e)
		}
		if ended && len(list) == 0 {
			return
		}
	}
}

// close waits until the Sink has taken everything. The Sink stays open.
func (q *queue) close() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.more.Signal()
	<-q.done
}
