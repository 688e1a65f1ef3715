package modules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/hostlerhq/hostler/transport"
)

// Peers are the other hosts that a module may work with. The engine implements it.
type Peers interface {
	// Play gives the names of the play's other hosts in the play's order, whether or not they failed.
	Play() []string
	// Open connects to a host of the inventory by its name there: with that host's variables and as the user whom the task's become
	// names. A name that the inventory does not have is an error that says so.
	Open(ctx context.Context, name string) (transport.Conn, error)
	// Alone waits until no other task of the run holds key, and holds it until release is called. The error is the context's.
	Alone(ctx context.Context, key string) (release func(), err error)
}

// PeerError says that another host than the task's own cannot be reached, or was lost. It is the module's to judge: it never makes
// the task's own host unreachable.
type PeerError struct {
	Host string // its name in the inventory
	Err  error
}

// Error tells of the host and its trouble. What is in it is not unwrapped, for it would be taken for the loss of the task's own host.
func (e *PeerError) Error() string { return fmt.Sprintf("host %s: %v", e.Host, e.Err) }

// peering is what a host knows of the others that were opened for it.
type peering struct {
	mu   sync.Mutex
	open map[*Host]struct{}
	held map[string]func() // releases of Alone, by key
}

// Peers gives the names of the play's other hosts in the play's order, whether or not they failed; none where there is no play.
func (h *Host) Peers() []string {
	if h.opts.Peers == nil {
		return nil
	}
	return h.opts.Peers.Play()
}

// Peer gives another host of the inventory, by its name there, to look at and to alter as the task's own: check mode holds for it too, and what
// it notes (actions, with its name before their why, diffs, warnings, changed) is in the task's result. Facts, Ends and the play's
// other hosts it has none. A host that cannot be reached is a *PeerError, now or from its first command on. Several may be opened and looked at
// at once; what alters them goes one at a time. Close gives one back; those that are not are closed with the end of the module.
func (h *Host) Peer(ctx context.Context, name string) (*Host, error) {
	if h.opts.Peers == nil {
		return nil, &PeerError{name, errors.New("there are no other hosts to go to")}
	}
	conn, err := h.opts.Peers.Open(ctx, name)
	if err != nil {
		return nil, peerError(ctx, name, err)
	}
	opts := h.opts
	opts.Name, opts.At, opts.Conn, opts.Facts, opts.Ends, opts.Peers, opts.Live, opts.Job = name, "", peerConn{conn, name}, nil, nil, nil, nil, nil
	// The tests' hosts answer changes as well as looks.
	opts.Executor, _ = conn.(Executor)
	p := &Host{opts: opts, converge: h.converge, notes: h.notes, peerOf: h}
	h.peers.mu.Lock()
	defer h.peers.mu.Unlock()
	if h.peers.open == nil {
		h.peers.open = map[*Host]struct{}{}
	}
	h.peers.open[p] = struct{}{}
	return p, nil
}

// Alone keeps the run's other tasks that ask for the same key waiting until release is called, or the module ends: what two hosts must
// not do at once. A key that the task holds already it goes on holding: release then does nothing. Whoever asks for several asks in the order of the
// keys, or two tasks may wait for each other. It knows nothing of other runs. The error is the context's.
func (h *Host) Alone(ctx context.Context, key string) (release func(), err error) {
	if h.opts.Peers == nil {
		return func() {}, nil
	}
	h.peers.mu.Lock()
	_, mine := h.peers.held[key]
	h.peers.mu.Unlock()
	if mine {
		return func() {}, nil
	}
	letGo, err := h.opts.Peers.Alone(ctx, key)
	if err != nil {
		return nil, err
	}
	release = sync.OnceFunc(func() {
		h.peers.mu.Lock()
		delete(h.peers.held, key)
		h.peers.mu.Unlock()
		letGo()
	})
	h.peers.mu.Lock()
	defer h.peers.mu.Unlock()
	if h.peers.held == nil {
		h.peers.held = map[string]func(){}
	}
	h.peers.held[key] = release
	return release, nil
}

// whose begins what is noted of a host that is not the task's own.
func (h *Host) whose() string {
	if h.peerOf == nil {
		return ""
	}
	return h.opts.Name + ": "
}

// Close gives a host back that Peer gave. It does nothing to the task's own, or a second time.
func (h *Host) Close() error {
	if h.peerOf == nil {
		return nil
	}
	peers := &h.peerOf.peers
	peers.mu.Lock()
	_, open := peers.open[h]
	delete(peers.open, h)
	peers.mu.Unlock()
	if !open {
		return nil
	}
	return h.opts.Conn.Close()
}

// closePeers closes those that the module left open, and lets go of what it held.
func (h *Host) closePeers() {
	h.peers.mu.Lock()
	open, held := h.peers.open, h.peers.held
	h.peers.open, h.peers.held = nil, nil
	h.peers.mu.Unlock()
	for _, release := range held {
		release()
	}
	for p := range open {
		_ = p.opts.Conn.Close() // the pool takes it back, which cannot fail
	}
}

// peerError makes the loss of another host an error of the module's. The end of the run, and what a command came to, stay what they are.
func peerError(ctx context.Context, name string, err error) error {
	if err == nil || ctx.Err() != nil || notTheModules(ctx, err) == nil {
		return err
	}
	return &PeerError{name, err}
}

// peerConn is the connection to another host than the task's own.
type peerConn struct {
	transport.Conn
	name string
}

func (c peerConn) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	out, err := c.Conn.Exec(ctx, cmd)
	return out, peerError(ctx, c.name, err)
}

func (c peerConn) Put(ctx context.Context, path string, r io.Reader, opts transport.PutOptions) error {
	return peerError(ctx, c.name, c.Conn.Put(ctx, path, r, opts))
}

func (c peerConn) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	r, err := c.Conn.Get(ctx, path)
	return r, peerError(ctx, c.name, err)
}

// DialContext implements transport.Tunneler.
func (c peerConn) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	t, ok := c.Conn.(transport.Tunneler)
	if !ok {
		return nil, ErrNoTunnel
	}
	conn, err := t.DialContext(ctx, network, address)
	return conn, peerError(ctx, c.name, err)
}
