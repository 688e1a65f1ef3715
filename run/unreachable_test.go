package run_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/transport"
)

// flaky is an Opener whose hosts cannot be reached for the first times.
type flaky struct {
	mu    sync.Mutex
	times map[string]int // how often that still is, by host
}

// connected is a connection that nobody uses.
type connected struct{ transport.Conn }

func (connected) Close() error { return nil }

func (f *flaky) Open(ctx context.Context, e transport.Endpoint, b transport.Become) (transport.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.times[e.Name] > 0 {
		f.times[e.Name]--
		return nobody{}.Open(ctx, e, b)
	}
	return connected{}, nil
}

const unreachablePlay = `
- hosts: all
  strategy: %s
  tasks:
    - name: guarded
      rescue_unreachable: true
      block:
        - {name: reach, touch: {}%s}
        - {name: not if it was lost, debug: {}}
      rescue:
        - {name: why, debug: {msg: "{{ ansible_failed_task.name }} {{ ansible_failed_result.unreachable }}"}}
        - {name: again, touch: {}}
      always:
        - {name: always, debug: {}}
    - {name: outside, touch: {}, rescue_unreachable: true}
    - {name: last, debug: {}}
`

// TestRescueOfUnreachable: with rescue_unreachable a block's rescue takes over a host that cannot be reached, where there is
// one; else the host is lost, as in Ansible.
func TestRescueOfUnreachable(t *testing.T) {
	for _, strategy := range []string{"linear", "free"} {
		for _, loop := range []string{"", ", loop: [1]"} {
			o := onHost(t, "once,twice,never", fmt.Sprintf(unreachablePlay, strategy, loop))
			rec := &recorder{}
			o.Sink, o.Pool = rec, &flaky{times: map[string]int{"once": 1, "twice": 2}}
			res, err := run.Play(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string][]string{
				"once":  {"reach rescued", "why ok", "again ok", "always ok", "outside ok", "last ok"},
				"twice": {"reach rescued", "why ok", "again unreachable"},
				"never": {"reach ok", "not if it was lost ok", "always ok", "outside ok", "last ok"},
			}
			for h, lines := range want {
				if diff := cmp.Diff(lines, forHost(rec.lines, h)); diff != "" {
					t.Errorf("%s %s%s (-want +got):\n%s", h, strategy, loop, diff)
				}
			}
			if got := strings.Join(res.Unreachable, " "); got != "twice" || len(res.Failed) > 0 {
				t.Errorf("unreachable %q, failed %q; want twice", got, res.Failed)
			}
			for _, s := range res.Hosts {
				if s.Host == "once" && (s.Rescued != 1 || s.Unreachable != 0 || s.Failed != 0) {
					t.Errorf("the recap of once: %+v", s)
				}
			}
		}
	}
}

// TestUnreachableStaysLost: without the keyword, or with no rescue around, nothing takes over; clear_host_errors gives the
// host back.
func TestUnreachableStaysLost(t *testing.T) {
	for name, tasks := range map[string]string{
		"no keyword": "{block: [{name: reach, touch: {}}], rescue: [{name: never, debug: {}}]}",
		"no rescue":  "{name: reach, touch: {}, rescue_unreachable: true}",
	} {
		o := onHost(t, "a,b", "- hosts: all\n  tasks:\n    - "+tasks+"\n    - {meta: clear_host_errors}\n    - {name: after, touch: {}}\n")
		rec := &recorder{}
		o.Sink, o.Pool = rec, &flaky{times: map[string]int{"b": 1}}
		res, err := run.Play(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"reach unreachable", "after ok"}, forHost(rec.lines, "b")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(res.Unreachable)+len(res.Failed) > 0 {
			t.Errorf("%s: lost %v %v", name, res.Unreachable, res.Failed)
		}
	}
}
