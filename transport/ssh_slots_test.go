package transport

import (
	"context"
	"errors"
	"testing"
)

func TestSlots(t *testing.T) {
	s := newSlots(2)
	gone := make(chan struct{})
	never := func() { t.Error("full, though a slot is free") }
	for range 2 {
		if err := s.take(t.Context(), gone, never); err != nil {
			t.Fatal(err)
		}
	}
	waiting := make(chan struct{})
	ended := make(chan error)
	go func() { ended <- s.take(t.Context(), gone, func() { close(waiting) }) }()
	<-waiting
	if left := s.refused(); left != 1 { // the server allows one less than we thought
		t.Errorf("%d sessions left, want 1", left)
	}
	s.give()
	if err := <-ended; err != nil {
		t.Errorf("the waiter got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.take(ctx, gone, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
	if err := s.take(t.Context(), gone, func() { close(gone) }); !errors.Is(err, errSlotsGone) {
		t.Errorf("got %v, want the link's end", err)
	}
	s.give()
	if s.used != 0 || s.limit != 1 || len(s.queue) != 0 {
		t.Errorf("used %d of %d, %d wait; want 0 of 1, none", s.used, s.limit, len(s.queue))
	}
}
