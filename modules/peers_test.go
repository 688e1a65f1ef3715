package modules_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

// play is a play's other hosts: each is this machine, but for "gone" and "breaks".
type play struct {
	t    *testing.T
	open int
	held map[string]bool
}

func (p *play) Play() []string { return []string{"hv2", "gone"} }

func (p *play) Open(_ context.Context, name string) (transport.Conn, error) {
	if name == "gone" {
		return nil, &transport.UnreachableError{Host: name, Op: "connect", Err: io.ErrUnexpectedEOF}
	}
	p.open++
	c := counted{Conn: &shConn{t: p.t}, open: &p.open}
	if name == "breaks" {
		c.Conn = broken{c.Conn}
	}
	return c, nil
}

func (p *play) Alone(_ context.Context, key string) (func(), error) {
	if p.held[key] {
		return nil, errors.New("the task would wait for itself")
	}
	p.held[key] = true
	return func() { delete(p.held, key) }, nil
}

type counted struct {
	transport.Conn
	open *int
}

func (c counted) Close() error { *c.open--; return nil }

type broken struct{ transport.Conn }

func (broken) Exec(context.Context, transport.Command) (transport.Output, error) {
	return transport.Output{}, transport.ErrLost
}

// asPeer runs what a test does with its host as a module does.
func asPeer(t *testing.T, check bool, do func(ctx context.Context, h *modules.Host) error) (modules.Result, *play) {
	t.Helper()
	p := &play{t: t, held: map[string]bool{}}
	m := modules.Define("peering", "", func(ctx context.Context, h *modules.Host, _ struct{}) (struct{}, error) {
		return struct{}{}, do(ctx, h)
	})
	r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{Name: "hv1", Conn: &shConn{t: t}, Check: check, Peers: p}), value.NewDict())
	if err != nil {
		t.Fatalf("another host's trouble became the task's own: %v", err)
	}
	return r, p
}

func TestPeer(t *testing.T) {
	for _, check := range []bool{false, true} {
		r, p := asPeer(t, check, func(ctx context.Context, h *modules.Host) error {
			if diff := cmp.Diff([]string{"hv2", "gone"}, h.Peers()); diff != "" {
				t.Error(diff)
			}
			for range 2 { // a plan that is made anew asks again
				if _, err := h.Alone(ctx, "x"); err != nil {
					return err
				}
			}
			for range 2 {
				release, err := h.Alone(ctx, "y")
				if err != nil {
					return err
				}
				release()
			}
			hv2, err := h.Peer(ctx, "hv2")
			if err != nil {
				return err
			}
			if _, err := h.Peer(ctx, "hv2"); err != nil { // stays open until the module ends
				return err
			}
			told, err := hv2.Probe(ctx, `say name there`)
			if err != nil || told.Text("name") != "there" || hv2.Name() != "hv2" {
				t.Errorf("%q on %s: %v", told.Text("name"), hv2.Name(), err)
			}
			hv2.Warn("a warning")
			_, err = hv2.Change(ctx, modules.Action{Why: "do nothing", Argv: []string{"true"}})
			if check != errors.Is(err, modules.ErrPlanned) {
				t.Errorf("check mode %v: %v", check, err)
			}
			return hv2.Close()
		})
		if p.open+len(p.held) != 0 {
			t.Errorf("%d connections and %d locks are left open", p.open, len(p.held))
		}
		hostler, _ := r.Data.Get("hostler")
		actions, _ := hostler.(*value.Dict).Get("actions")
		if why := actions.(*value.List).Items[0].(*value.Dict).Str("why"); !r.Changed || why != "hv2: do nothing" || len(r.Warnings) != 1 || r.Warnings[0] != "hv2: a warning" {
			t.Errorf("changed %v, why %q, warnings %q", r.Changed, why, r.Warnings)
		}
	}
}

// TestPeerIsLost: another host that is not there, or goes away, fails the module and does not make the task's own host unreachable.
func TestPeerIsLost(t *testing.T) {
	for name, want := range map[string]string{
		"gone":   "host gone: connect: unexpected EOF",
		"breaks": "host breaks: connection lost",
	} {
		r, p := asPeer(t, false, func(ctx context.Context, h *modules.Host) error {
			peer, err := h.Peer(ctx, name)
			if err == nil {
				_, err = peer.Probe(ctx, `say name there`)
			}
			if _, ok := errors.AsType[*modules.PeerError](err); !ok {
				t.Errorf("%s: %T", name, err)
			}
			return err
		})
		if !r.Failed || r.Msg != want || p.open != 0 {
			t.Errorf("%s: failed %v: %q, want %q; %d open", name, r.Failed, r.Msg, want, p.open)
		}
	}
}
