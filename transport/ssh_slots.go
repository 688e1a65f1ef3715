package transport

import (
	"context"
	"errors"
	"sync"
)

// errSlotsGone says that the link ended while a slot was awaited.
var errSlotsGone = errors.New("the link is gone")

// slots counts a link's sessions. Its limit can shrink when the server turns out to allow fewer.
type slots struct {
	mu    *sync.Mutex
	used  int
	limit int
	queue []chan struct{} // each waiter's, oldest first
}

func newSlots(limit int) slots { return slots{mu: &sync.Mutex{}, limit: limit} }

// take waits for a free slot. full is called, without a lock held, when there is none now.
func (s *slots) take(ctx context.Context, gone <-chan struct{}, full func()) error {
	s.mu.Lock()
	if s.used < s.limit && len(s.queue) == 0 {
		s.used++
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	s.queue = append(s.queue, turn)
	s.mu.Unlock()
	full()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		s.leave(turn)
		return ctx.Err()
	case <-gone:
		s.leave(turn)
		return errSlotsGone
	}
}

// leave ends the wait; a slot that was given meanwhile goes on to the next.
func (s *slots) leave(turn chan struct{}) {
	s.mu.Lock()
	for i, other := range s.queue {
		if other == turn {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			s.mu.Unlock()
			return
		}
	}
	s.mu.Unlock()
	s.give()
}

// give frees a slot: it goes to the waiter who came first.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	s.wake()
}

// refused gives the slot back in which the server allowed no session, and lowers the limit to
// the number of those that are open, which it returns.
func (s *slots) refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if s.used > 0 {
		s.limit = min(s.limit, s.used)
	}
	s.wake()
	return s.used
}

func (s *slots) wake() {
	for s.used < s.limit && len(s.queue) > 0 {
		close(s.queue[0])
		s.queue = s.queue[1:]
		s.used++
	}
}
