package run_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
)

type holdArgs struct {
	// Whether to hold until the run is broken off.
	Hold bool `arg:"hold"`
}

type holdResult struct {
	// Whether anything changed.
	Changed bool `json:"changed"`
}

// holder is a module that tells when it began and, when asked to, works until its context ends.
func holder(began chan<- struct{}) *modules.Module {
	return modules.Define("holder", "", func(ctx context.Context, _ *modules.Host, a holdArgs) (holdResult, error) {
		if !a.Hold {
			return holdResult{}, nil
		}
		select {
		case began <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return holdResult{}, ctx.Err()
	})
}

// TestNoGoroutineIsLeft holds that a run leaves no goroutine behind, however it ends.
func TestNoGoroutineIsLeft(t *testing.T) {
	const play = "- hosts: all\n  gather_facts: false\n"
	for name, c := range map[string]struct {
		text   string
		broken bool                                    // Play gives an error
		end    func(stop chan struct{}, cancel func()) // once a task holds
		down   bool
	}{
		"well":            {text: play + "  tasks: [{holder: {}}]\n"},
		"a host fails":    {text: play + "  tasks: [{fail: {}, when: inventory_hostname == 'a'}, {holder: {}}]\n"},
		"rescued":         {text: play + "  tasks: [{block: [{fail: {}}], rescue: [{holder: {}}], always: [{holder: {}}]}]\n"},
		"all fail":        {text: play + "  tasks: [{fail: {}}, {holder: {}}]\n"},
		"any errors":      {text: play + "  any_errors_fatal: true\n  tasks: [{fail: {}, when: inventory_hostname == 'a'}]\n"},
		"too many":        {text: play + "  max_fail_percentage: 10\n  tasks: [{fail: {}, when: inventory_hostname == 'a'}]\n"},
		"free":            {text: play + "  strategy: free\n  tasks: [{fail: {}, when: inventory_hostname == 'a'}, {holder: {}}]\n"},
		"pinned":          {text: play + "  strategy: host_pinned\n  tasks: [{holder: {}}]\n"},
		"serial":          {text: play + "  serial: 1\n  tasks: [{holder: {}}, {fail: {}}]\n"},
		"unreachable":     {text: play + "  tasks: [{holder: {}}]\n", down: true},
		"no such handler": {text: play + "  tasks: [{debug: {}, changed_when: true, notify: \"{{ 'nobody' }}\"}]\n", broken: true},
		"no such hosts":   {text: "- hosts: \"{{ nowhere }}\"\n  tasks: [{holder: {}}]\n", broken: true},
		"time is over":    {text: play + "  tasks: [{holder: {hold: true}, timeout: 1}]\n"},
		"a job":           {text: play + "  tasks: [{holder: {}, async: 60, poll: 1}]\n"},
		"a late job":      {text: play + "  tasks: [{holder: {hold: true}, async: 1, poll: 1}]\n"},
		"a job left alone": {
			text: play + "  tasks: [{holder: {hold: true}, async: 1, poll: 0}]\n",
		},
		"a job left alone by a run that breaks": {
			text:   play + "  tasks: [{holder: {hold: true}, async: 1, poll: 0}, {debug: {}, changed_when: true, notify: \"{{ 'nobody' }}\"}]\n",
			broken: true,
		},
		"cut off": {
			text: play + "  tasks: [{holder: {hold: true}}]\n",
			end:  func(_ chan struct{}, cancel func()) { cancel() },
		},
		"cut off while jobs run": {
			text: play + "  tasks: [{holder: {hold: true}, async: 600, poll: 0}, {holder: {}}]\n",
			end:  func(_ chan struct{}, cancel func()) { cancel() },
		},
		"stopped": {
			text: play + "  tasks: [{holder: {hold: true}, timeout: 1}, {holder: {}}]\n",
			end:  func(stop chan struct{}, _ func()) { close(stop) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			began := make(chan struct{}, 1)
			m := holder(began)
			find := func(name string) (*modules.Module, bool) { return m, name == "holder" }
			o := optionsWith(t, "a,b,c", c.text, &playbook.Loader{Actions: actions.Specs, Modules: find, Names: []string{"holder"}})
			o.Modules, o.Sink = find, nothing{}
			pool := transport.NewPool(transport.PoolOptions{})
			if !c.down {
				o.Pool, o.Connect.Connection = pool, "local"
			}
			ctx, cancel := context.WithCancel(t.Context())
			stop := make(chan struct{})
			o.Stop = stop
			ended := make(chan struct{})
			if c.end != nil {
				go func() {
					defer close(ended)
					<-began
					c.end(stop, cancel)
				}()
			} else {
				close(ended)
			}
			if _, err := run.Play(ctx, o); (err != nil) != c.broken {
				t.Errorf("Play: %v", err)
			}
			<-ended
			cancel()
			if err := pool.Close(); err != nil {
				t.Error(err)
			}
			goleak.VerifyNone(t, before)
		})
	}
}
