package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/hostlerhq/hostler/internal/secret"
)

// PoolOptions set a Pool up; the zero value works.
type PoolOptions struct {
	// MaxOpen is how many connections stay open at once; the oldest idle one goes first. 0 is 256.
	MaxOpen int
	// Prompt asks the user for a passphrase or a keyboard-interactive answer; nil means that nobody can be asked.
	// The Pool asks one question at a time.
	Prompt func(ctx context.Context, question string, echo bool) (secret.Text, error)
	// TempDir takes spilled output; "" is a 0700 folder of the Pool's own, removed on Close.
	TempDir string
	// Log takes what happens on connections, for -vvv; nil is silence.
	Log func(host, event string)
}

// defaultMaxOpen is PoolOptions.MaxOpen's zero value.
const defaultMaxOpen = 256

// Pool opens and shares connections. Several inventory names with one endpoint share one
// connection, and all endpoints behind one jump host share that.
type Pool struct {
	opts       PoolOptions
	config     *configReader
	keys       *keyRing
	agents     *agents
	known      *knownStore
	handshakes chan struct{}

	mu      sync.Mutex
	entries map[string]*poolEntry
	tick    uint64 // orders uses
	closed  bool
	tempDir string
	closing chan struct{}
	running sync.WaitGroup // dials
}

// poolEntry is one endpoint's machine, or the attempt to reach it.
type poolEntry struct {
	key     string
	ready   chan struct{} // closed when the attempt ended
	machine *machine
	err     error
	cancel  context.CancelFunc // of the attempt
	refs    int                // users, or those who wait for the attempt
	used    uint64
}

// NewPool makes a Pool. It contacts nothing.
func NewPool(opts PoolOptions) *Pool {
	if opts.MaxOpen <= 0 {
		opts.MaxOpen = defaultMaxOpen
	}
	if ask := opts.Prompt; ask != nil {
		var one sync.Mutex
		opts.Prompt = func(ctx context.Context, question string, echo bool) (secret.Text, error) {
			one.Lock()
			defer one.Unlock()
			if err := ctx.Err(); err != nil {
				return secret.Text{}, err
			}
			return ask(ctx, question, echo)
		}
	}
	return &Pool{
		opts: opts, config: &configReader{local: newLocalSide()}, keys: &keyRing{prompt: opts.Prompt},
		agents: &agents{}, known: &knownStore{}, handshakes: make(chan struct{}, maxHandshakes),
		entries: map[string]*poolEntry{}, closing: make(chan struct{}),
	}
}

// Open gives the Conn of an endpoint as an identity. It connects when there is no connection yet.
// Errors: *UnreachableError. A refusal by sudo, su or doas comes with the first command: *BecomeError.
// Closing the Conn gives it back to the Pool.
func (p *Pool) Open(ctx context.Context, e Endpoint, b Become) (Conn, error) {
	entry, err := p.take(ctx, e)
	if err != nil {
		if unreachable, ok := errors.AsType[*UnreachableError](err); ok && unreachable.Host != e.Name {
			mine := *unreachable // one attempt served several names
			mine.Host = e.Name
			return nil, &mine
		}
		return nil, err
	}
	release := sync.OnceFunc(func() { p.give(entry) })
	return entry.machine.conn(b, func() error { release(); return nil }), nil
}

// Close ends every connection.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.closing)
	entries := p.entries
	p.entries = map[string]*poolEntry{}
	for _, entry := range entries {
		entry.cancel()
	}
	p.mu.Unlock()
	p.running.Wait()
	var errs []error
	for _, entry := range entries {
		if entry.machine != nil {
			errs = append(errs, entry.machine.close())
		}
	}
	p.agents.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tempDir != "" {
		errs = append(errs, os.RemoveAll(p.tempDir))
	}
	return errors.Join(errs...)
}

// errPoolClosed comes from a Pool that was closed.
var errPoolClosed = errors.New("the connection pool is closed")

// take gives an endpoint's entry with a connection that once worked; many callers at once make one attempt.
// give ends its use.
func (p *Pool) take(ctx context.Context, e Endpoint) (*poolEntry, error) {
	key := e.identity()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errPoolClosed
	}
	entry := p.entries[key]
	if entry == nil {
		entry = &poolEntry{key: key, ready: make(chan struct{})}
		var dialing context.Context
		// The attempt serves all who wait for it: it ends with the last of them, not with the first.
		dialing, entry.cancel = context.WithCancel(context.WithoutCancel(ctx))
		p.entries[key] = entry
		p.running.Add(1)
		go p.attempt(dialing, entry, e)
	}
	entry.refs++
	p.tick++
	entry.used = p.tick
	p.mu.Unlock()
	p.shrink()
	select {
	case <-entry.ready:
		if entry.err != nil {
			p.give(entry)
			return nil, entry.err
		}
		return entry, nil
	case <-ctx.Done():
		p.give(entry)
		return nil, ctx.Err()
	}
}

// attempt connects for an entry. A failure is told to those who wait and then forgotten.
func (p *Pool) attempt(ctx context.Context, entry *poolEntry, e Endpoint) {
	defer p.running.Done()
	m, err := p.openMachine(ctx, e)
	p.mu.Lock()
	entry.machine, entry.err = m, err
	if err != nil && p.entries[entry.key] == entry {
		delete(p.entries, entry.key)
	}
	abandoned := err == nil && p.entries[entry.key] != entry && !p.closed
	close(entry.ready)
	p.mu.Unlock()
	if abandoned {
		_ = m.close()
	}
}

func (p *Pool) openMachine(ctx context.Context, e Endpoint) (*machine, error) {
	opts := machineOptions{name: e.Name, tempDir: p.spillDir, log: func(event string) { p.log(e.Name, event) }}
	if e.Kind == "local" {
		l := newLocalLink()
		l.dir = e.Dir
		return newMachine(l, opts), nil
	}
	if e.Kind != "ssh" && e.Kind != "" {
		return nil, &UnreachableError{Host: e.Name, Op: "connect", Err: fmt.Errorf("unknown kind of connection %q: want ssh or local", e.Kind)}
	}
	opts.relink = func(ctx context.Context) (link, error) { return p.relink(ctx, e) }
	l, err := p.dialSSH(ctx, e)
	if err != nil {
		return nil, err
	}
	return newMachine(l, opts), nil
}

// relink connects again for a machine whose link was lost.
func (p *Pool) relink(ctx context.Context, e Endpoint) (link, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errPoolClosed
	}
	p.running.Add(1)
	p.mu.Unlock()
	defer p.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	l, err := p.dialSSH(ctx, e)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// give ends a use. An attempt that nobody waits for any longer ends.
func (p *Pool) give(entry *poolEntry) {
	p.mu.Lock()
	entry.refs--
	p.tick++
	entry.used = p.tick
	select {
	case <-entry.ready:
	default:
		if entry.refs == 0 {
			entry.cancel()
			if p.entries[entry.key] == entry {
				delete(p.entries, entry.key)
			}
		}
	}
	p.mu.Unlock()
	p.shrink()
}

// shrink closes idle connections, the oldest first, while more are open than may stay.
func (p *Pool) shrink() {
	var old []*poolEntry
	p.mu.Lock()
	for len(p.entries) > p.opts.MaxOpen {
		var oldest *poolEntry
		for _, entry := range p.entries {
			if entry.refs == 0 && (oldest == nil || entry.used < oldest.used) {
				oldest = entry
			}
		}
		if oldest == nil {
			break // all are in use: they close when they are given back
		}
		delete(p.entries, oldest.key)
		old = append(old, oldest)
	}
	p.mu.Unlock()
	for _, entry := range old {
		if entry.machine != nil {
			_ = entry.machine.close()
		}
	}
}

// spillDir is where output that is too long goes.
func (p *Pool) spillDir() (string, error) {
	if p.opts.TempDir != "" {
		return p.opts.TempDir, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tempDir == "" && !p.closed {
		dir, err := os.MkdirTemp("", "hostler-")
		if err != nil {
			return "", fmt.Errorf("make a folder for long output: %w", err)
		}
		p.tempDir = dir
	}
	return p.tempDir, nil
}

func (p *Pool) log(host, event string) {
	if p.opts.Log != nil {
		p.opts.Log(host, event)
	}
}

// identity is equal for endpoints that may share a connection.
func (e Endpoint) identity() string {
	return fmt.Sprintf("%q", []string{
		e.Kind, e.Dir, e.Host, fmt.Sprint(e.Port), e.User, e.Password.Reveal(),
		strings.Join(e.KeyFiles, "\x00"), strings.Join(e.Args, "\x00"), e.HostKeys, strings.Join(e.KnownHosts, "\x00"),
		e.ConnectTimeout.String(), fmt.Sprint(e.Retries),
	})
}
