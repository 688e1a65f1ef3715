// Package run runs plays over hosts: forks, order, strategies, handlers, failure rules, check mode,
// delegation. What happens is told to a Sink; it prints nothing.
package run

import "context"

// Sink takes what happens. Emit is called from one goroutine at a time and must not block long.
type Sink interface {
	Emit(ctx context.Context, e Event)
	Close() error
}

// Event is one of the types of this package whose names end in Started, Finished or the like.
type Event interface{ event() }
