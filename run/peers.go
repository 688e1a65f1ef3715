package run

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

// peers are the hosts besides the one that a task works on.
type peers struct {
	j   *job
	own *hostVars // where the task's module works
}

var _ modules.Peers = peers{}

func (j *job) peers(k *settings) peers {
	if k.delegate != nil {
		return peers{j: j, own: k.delegate}
	}
	return peers{j: j, own: j.h.hostVars}
}

// Play implements modules.Peers.
func (p peers) Play() []string {
	return slices.DeleteFunc(slices.Clone(p.j.b.all), func(name string) bool { return name == p.own.name })
}

// Open implements modules.Peers.
func (p peers) Open(ctx context.Context, name string) (transport.Conn, error) {
	r := p.j.b.r
	if name == p.own.name {
		return nil, fmt.Errorf("%s is the host that the task works on", name)
	}
	h := r.varsOf(name)
	if h == nil {
		return nil, r.noHost(name)
	}
	s := p.j.b.scope(ctx, p.j.w, h)
	c := connector{j: p.j, h: h, s: s, keys: s}
	e, err := c.endpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	b, err := c.become(ctx)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	return r.o.Pool.Open(ctx, e, b)
}

// Alone implements modules.Peers.
func (p peers) Alone(ctx context.Context, key string) (func(), error) {
	return p.j.b.r.alone.hold(ctx, key)
}

// keyed are things that one task at a time holds.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when it is let go
}

// hold waits for a key and takes it.
func (k *keyed) hold(ctx context.Context, key string) (func(), error) {
	for {
		k.mu.Lock()
		wait, taken := k.held[key]
		if !taken {
			mine := make(chan struct{})
			if k.held == nil {
				k.held = map[string]chan struct{}{}
			}
			k.held[key] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// noHost says that the inventory has no host of a name, and which one may have been meant.
func (r *runner) noHost(name string) error {
	var names []string
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, h := range r.inv.Hosts() {
		names = append(names, h.Name)
	}
	if near := diag.Near(name, names); near != "" {
		return fmt.Errorf("the inventory has no host %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("the inventory has no host %q", name)
}
