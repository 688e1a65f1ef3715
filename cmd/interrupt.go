package cmd

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts turns Ctrl-C and SIGTERM into the end of a command. A run asks for grace: its first
// interrupt then only stops what has not begun, and the second cuts.
type interrupts struct {
	ctx  context.Context // done when everything shall end now
	mu   sync.Mutex
	soft chan struct{} // closed at the first interrupt; nil without grace
	told bool
	tell func() // says that the first interrupt was heard; may be nil
}

// watchInterrupts starts watching; release ends it.
func watchInterrupts() (in *interrupts, release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	in = &interrupts{ctx: ctx}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				if !in.first() {
					cancel()
				}
			case <-done:
				return
			}
		}
	}()
	return in, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// grace gives a channel that the first interrupt closes, after tell.
func (in *interrupts) grace(tell func()) <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.tell = tell
	if in.soft == nil {
		in.soft = make(chan struct{})
	}
	return in.soft
}

// sharp takes the grace back: the next interrupt cuts.
func (in *interrupts) sharp() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.soft = nil
}

// first reports whether this interrupt is the first of a command that asked for grace.
func (in *interrupts) first() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.soft == nil || in.told {
		return false
	}
	in.told = true
	if in.tell != nil {
		in.tell()
	}
	close(in.soft)
	return true
}
