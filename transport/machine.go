package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// machineOptions set a machine up.
type machineOptions struct {
	// name is for messages.
	name string
	// relink gives a link in place of one that was lost; nil when there is none to be had.
	relink func(ctx context.Context) (link, error)
	// tempDir gives the folder for spilled output; it is called when the first byte spills. nil is the system's.
	tempDir func() (string, error)
	// log takes what happens, for -vvv; nil is silence.
	log func(event string)
	// shell is the worker's shell and its arguments; nil is /bin/sh.
	shell []string
}

// maxWorkers is how many shells one identity keeps on a host.
const maxWorkers = 2

// machine is one host behind one link: its workers of every identity and the Conns that use them.
type machine struct {
	opts  machineOptions
	pairs pairing

	mu         sync.Mutex
	current    link
	old        []link        // that a command may still use
	relinking  chan struct{} // closed when the attempt that runs now ended; nil when none runs
	identities map[string]*identity
	wanted     int // sessions that a full link asked us to give up
	closed     bool
}

// identity is the workers of one user on one machine.
type identity struct {
	become   Become
	idle     []*worker
	open     int         // workers, idle or busy or starting
	noWorker bool        // shells that stay are refused: one session a command
	terminal atomic.Bool // the tool wants a terminal to let us in
}

// pairing lets one escalation on a terminal at a time take its two sessions: several that hold their first would
// wait for each other's second.
type pairing chan struct{}

func (p pairing) begin(ctx context.Context) (done func(), err error) {
	select {
	case p <- struct{}{}:
		return func() { <-p }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newMachine makes the machine behind a link. It contacts nothing. Closing it closes the link.
func newMachine(l link, opts machineOptions) *machine {
	if len(opts.shell) == 0 {
		opts.shell = []string{"/bin/sh"}
	}
	return &machine{current: l, opts: opts, pairs: make(pairing, 1), identities: map[string]*identity{}}
}

// conn gives a Conn as an identity. Its Close calls release, once; workers stay with the
// machine for the next Conn of that identity.
func (m *machine) conn(b Become, release func() error) *conn {
	key := strings.Join(append([]string{b.Method, b.User, b.Exe, b.Password.Reveal()}, b.Flags...), "\x00")
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.identities[key]
	if id == nil {
		id = &identity{become: b}
		// doas reads a password from the terminal only, and without one says no more than that it failed.
		id.terminal.Store(b.Method == "doas" && !b.Password.IsZero())
		m.identities[key] = id
	}
	return &conn{m: m, id: id, release: release}
}

// close ends all workers and the link.
func (m *machine) close() error {
	m.mu.Lock()
	m.closed = true
	l, old := m.current, m.old
	m.old = nil
	m.mu.Unlock()
	m.dropIdle()
	for _, o := range old {
		_ = o.close()
	}
	return l.close()
}

func (m *machine) logf(format string, args ...any) {
	if m.opts.log != nil {
		m.opts.log(fmt.Sprintf(format, args...))
	}
}

// live gives the link, or a new one when it was lost.
func (m *machine) live(ctx context.Context) (link, error) {
	for {
		m.mu.Lock()
		l, running := m.current, m.relinking
		select {
		case <-l.lost():
		default:
			m.mu.Unlock()
			return l, nil
		}
		if m.closed || m.opts.relink == nil {
			m.mu.Unlock()
			return nil, fmt.Errorf("%w: %w", ErrLost, l.err())
		}
		if running == nil {
			done := make(chan struct{})
			m.relinking = done
			m.mu.Unlock()
			return m.relink(ctx, done)
		}
		m.mu.Unlock()
		select {
		case <-running:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (m *machine) relink(ctx context.Context, done chan struct{}) (link, error) {
	m.dropIdle()
	m.logf("connecting again")
	l, err := m.opts.relink(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.relinking = nil
	close(done)
	if err != nil {
		return nil, err
	}
	if m.closed {
		return nil, errors.Join(fmt.Errorf("%w: the connection was closed", ErrLost), l.close())
	}
	m.current = l
	m.wanted = 0
	return l, nil
}

// renew proves that the host answers by a new link, which takes the place of the old one. What runs on the
// old one may go on.
func (m *machine) renew(ctx context.Context) error {
	if m.opts.relink == nil {
		return nil // this machine
	}
	l, err := m.opts.relink(ctx)
	if err != nil {
		return err
	}
	m.dropIdle()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errors.Join(fmt.Errorf("%w: the connection was closed", ErrLost), l.close())
	}
	busy := 0
	for _, id := range m.identities {
		busy += id.open
	}
	old := m.current
	m.current, m.wanted = l, 0
	if busy > 0 {
		m.old = append(m.old, old)
		return nil
	}
	_ = old.close() // it may be dead already
	return nil
}

// dropIdle retires all workers that do nothing.
func (m *machine) dropIdle() {
	m.mu.Lock()
	var idle []*worker
	for _, id := range m.identities {
		idle = append(idle, id.idle...)
		id.open -= len(id.idle)
		id.idle = nil
	}
	m.mu.Unlock()
	for _, w := range idle {
		w.retire()
	}
}

// makeRoom gives up one idle worker, now or as soon as one is idle: the link is full.
func (m *machine) makeRoom() {
	m.mu.Lock()
	var w *worker
	for _, id := range m.identities {
		if n := len(id.idle); n > 0 {
			w = id.idle[0]
			id.idle = id.idle[1:]
			id.open--
			break
		}
	}
	if w == nil {
		m.wanted++
	}
	m.mu.Unlock()
	if w != nil {
		w.retire()
	}
}

// acquire gives an idle worker or starts one; nil where the command needs a session of its own.
func (m *machine) acquire(ctx context.Context, id *identity) (*worker, error) {
	m.mu.Lock()
	for len(id.idle) > 0 {
		w := id.idle[len(id.idle)-1]
		id.idle = id.idle[:len(id.idle)-1]
		select {
		case <-w.link.lost():
			id.open--
			w.retire()
			continue
		default:
		}
		m.mu.Unlock()
		return w, nil
	}
	if id.open >= maxWorkers || id.noWorker {
		m.mu.Unlock()
		return nil, nil
	}
	id.open++
	m.mu.Unlock()
	w, err := m.openWorker(ctx, id)
	if err != nil {
		m.mu.Lock()
		id.open--
		m.mu.Unlock()
	}
	return w, err
}

// release takes a worker back, or ends it.
func (m *machine) release(id *identity, w *worker) {
	if w.once {
		w.retire()
		return
	}
	m.mu.Lock()
	keep := !w.dead.Load() && !m.closed && m.wanted == 0 && w.link == m.current
	if keep {
		id.idle = append(id.idle, w)
	} else {
		id.open--
		m.wanted = max(0, m.wanted-1)
	}
	m.mu.Unlock()
	if !keep {
		w.retire()
	}
}
