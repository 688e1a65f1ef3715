package run_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
)

// hung is an Opener one of whose hosts does not answer until the run told that it waits for it.
type hung struct {
	recorder
	name  string
	told  chan struct{}
	once  sync.Once
	event run.StillWaiting
}

func (h *hung) Open(ctx context.Context, e transport.Endpoint, b transport.Become) (transport.Conn, error) {
	if e.Name == h.name {
		select {
		case <-h.told:
		case <-ctx.Done():
		}
	}
	return nobody{}.Open(ctx, e, b)
}

func (h *hung) Emit(ctx context.Context, e run.Event) {
	if w, ok := e.(run.StillWaiting); ok {
		h.once.Do(func() {
			h.event = w
			close(h.told)
		})
	}
	h.recorder.Emit(ctx, e)
}

type noArgs struct{}

// onHost makes a playbook with the module "touch", which needs a connection, and the options to run it.
func onHost(t *testing.T, hosts, text string) run.Options {
	t.Helper()
	touch := modules.Define("touch", "", func(context.Context, *modules.Host, noArgs) (noArgs, error) { return noArgs{}, nil })
	find := func(name string) (*modules.Module, bool) { return touch, name == "touch" }
	return optionsWith(t, hosts, text, &playbook.Loader{Actions: actions.Specs, Modules: find})
}

// TestTellsWhatItWaitsFor holds that a host that hangs is named, with its task, while the run waits for it.
func TestTellsWhatItWaitsFor(t *testing.T) {
	for _, strategy := range []string{"linear", "free", "host_pinned"} {
		o := onHost(t, "a,b,c", fmt.Sprintf("- {hosts: all, strategy: %s, tasks: [{name: reach, touch: {}}]}", strategy))
		h := &hung{name: "b", told: make(chan struct{})}
		o.Pool, o.Sink, o.TellWaiting = h, h, 20*time.Millisecond
		res, err := run.Play(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if h.event.Task == nil || h.event.Task.Name != "reach" || !slices.Contains(h.event.Hosts, "b") || h.event.For < o.TellWaiting {
			t.Errorf("%s: told %+v", strategy, h.event)
		}
		if got := strings.Join(res.Unreachable, " "); got != "a b c" {
			t.Errorf("%s: unreachable %s", strategy, got)
		}
	}
}
