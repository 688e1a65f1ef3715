package run_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
)

type meetArgs struct {
	// With whom.
	With string `arg:"with"`
}

type meetResult struct {
	// Peers of the play.
	Peers []string `json:"peers"`
	// Who answered.
	Who string `json:"who"`
	// At is where the module works.
	At string `json:"at"`
}

// peerPlay has a delegated task at last: the module's own host is then the other one.
const peerPlay = `
- hosts: all
  gather_facts: false
  serial: 1
  vars:
    ansible_become: "{{ inventory_hostname == 'b' }}"
  tasks:
    - {name: in order, meet: {}, register: r, failed_when: "r.peers != ['a', 'b', 'c'] | difference([inventory_hostname]) or r.at != inventory_hostname"}
    - {name: another, meet: {with: b}, when: "inventory_hostname == 'a'", register: r, failed_when: "r.who != 'b sudo'"}
    - {name: no such, meet: {with: bb}, ignore_errors: true, register: r}
    - {name: said, fail: {}, when: "r.msg != 'the inventory has no host \"bb\"; did you mean \"b\"?'"}
    - {name: itself, meet: {with: "{{ inventory_hostname }}"}, ignore_errors: true, register: r}
    - {name: said itself, fail: {}, when: "r.msg != inventory_hostname ~ ' is the host that the task works on'"}
    - {name: delegated, meet: {with: a}, delegate_to: b, when: "inventory_hostname == 'a'", register: r, failed_when: "r.peers != ['a', 'c'] or r.at != 'b'"}
`

// named is an Opener whose hosts answer with their name and the way to become root there.
type named struct{}

func (named) Open(_ context.Context, e transport.Endpoint, b transport.Become) (transport.Conn, error) {
	return namedConn{name: e.Name + " " + b.Method}, nil
}

type namedConn struct {
	transport.Conn
	name string
}

func (c namedConn) Exec(context.Context, transport.Command) (transport.Output, error) {
	return transport.Output{Stdout: fmt.Appendf(nil, "@@name %d 0\n%s\n", len(c.name), c.name)}, nil
}

func (namedConn) Close() error { return nil }

// TestPeers holds that a module sees the play's other hosts, those of other batches too, and reaches them with their own variables.
func TestPeers(t *testing.T) {
	var meeting atomic.Int32
	meet := modules.Define("meet", "", func(ctx context.Context, h *modules.Host, a meetArgs) (meetResult, error) {
		r := meetResult{Peers: h.Peers(), At: h.At()}
		if a.With == "" {
			return r, nil
		}
		release, err := h.Alone(ctx, "meet")
		if err != nil {
			return r, err
		}
		defer release()
		if meeting.Add(1) != 1 {
			t.Error("two meet at once")
		}
		defer meeting.Add(-1)
		p, err := h.Peer(ctx, a.With)
		if err != nil {
			return r, err
		}
		told, err := p.Probe(ctx, "say name x")
		r.Who = told.Text("name")
		return r, err
	})
	find := func(name string) (*modules.Module, bool) { return meet, name == "meet" }
	loader := &playbook.Loader{Actions: actions.Specs, Modules: find, Names: []string{"meet"}}
	for _, serial := range []string{"serial: 1", "strategy: free"} {
		o := optionsWith(t, "a,b,c,", strings.Replace(peerPlay, "serial: 1", serial, 1), loader)
		rec := &recorder{}
		o.Sink, o.Modules, o.Pool = rec, find, named{}
		if _, err := run.Play(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		want := []string{"in order ok", "another ok", "no such failed", "said skipped", "itself failed", "said itself skipped", "delegated ok"}
		if diff := cmp.Diff(want, forHost(rec.lines, "a")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", serial, diff)
		}
	}
}
