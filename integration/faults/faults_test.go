package faults_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/integration/faults"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/catalog"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
)

// nobody is an Opener whose hosts are all down.
type nobody struct{}

func (nobody) Open(_ context.Context, e transport.Endpoint, _ transport.Become) (transport.Conn, error) {
	return nil, &transport.UnreachableError{Host: e.Name, Op: "connect", Err: os.ErrDeadlineExceeded}
}

// told keeps, for each host, the tasks that had a result.
type told struct{ byHost map[string][]string }

func (s *told) Emit(_ context.Context, e run.Event) {
	if e, ok := e.(run.HostFinished); ok && e.Status != run.StatusSkipped {
		name := e.Task.Name[strings.LastIndex(e.Task.Name, ": ")+1:] // without the role's name
		s.byHost[e.Host] = append(s.byHost[e.Host], strings.TrimSpace(name))
	}
}

func (s *told) Close() error { return nil }

// outcome is what a case came to.
type outcome struct {
	byHost map[string][]string
	result run.Result
}

func play(t *testing.T, dir string, c faults.Case) outcome {
	t.Helper()
	file := filepath.Join(dir, "site.yml")
	if err := os.WriteFile(file, []byte(c.Play([]string{"a", "b", "c"})), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, _, err := inventory.Load(t.Context(), []string{"a,b,c"}, inventory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	known := func(name string) (*modules.Module, bool) { return catalog.Lookup()(name) }
	loader := &playbook.Loader{Actions: actions.Specs, Modules: known}
	pb, _, err := loader.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	env := jinja.New(jinja.Options{NoneEmpty: true})
	filters.Register(env, filters.Options{})
	sink := &told{byHost: make(map[string][]string)}
	res, err := run.Play(t.Context(), run.Options{
		Inventory: inv, Playbooks: []*playbook.Playbook{pb}, Engine: &vars.Engine{Env: env}, Pool: nobody{}, Modules: known,
		Loader: loader, Sink: sink, Forks: 3,
	})
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return outcome{byHost: sink.byHost, result: res}
}

// TestFaults runs the whole matrix and holds what must be true of every case.
func TestFaults(t *testing.T) {
	dir := t.TempDir()
	if err := faults.WriteIncludes(dir); err != nil {
		t.Fatal(err)
	}
	for _, c := range faults.All() {
		if c.Kind == "timeout" {
			continue // needs a host that answers
		}
		o := play(t, dir, c)
		for host, tasks := range o.byHost {
			once(t, c, host, tasks)
		}
		if c.Fatal() {
			continue // which hosts end where is compared with Ansible
		}
		faulty(t, c, o)
		for _, host := range []string{"b", "c"} {
			if diff := cmp.Diff(unharmed(c), o.byHost[host]); diff != "" {
				t.Errorf("%s: %s, where nothing fails (-want +got):\n%s", c, host, diff)
			}
		}
	}
}

// once holds that no task has two results on a host.
func once(t *testing.T, c faults.Case, host string, tasks []string) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(tasks))
	if len(slices.Compact(sorted)) != len(tasks) {
		t.Errorf("%s: %s has a result twice: %v", c, host, tasks)
	}
}

// unharmed are the results of a host without a fault.
func unharmed(c faults.Case) []string {
	out := []string{"notify"}
	if c.Point == "included" || c.Point == "role" {
		out = append(out, "include", "before", "behind")
	}
	return append(out, "body begins", "body ends", "always begins", "always ends", "last", "first handler", "second handler")
}

// faulty holds what the host with the fault does, worked out from the rules of the language alone.
func faulty(t *testing.T, c faults.Case, o outcome) {
	t.Helper()
	want := expected(c)
	if diff := cmp.Diff(want, o.byHost["a"]); diff != "" {
		t.Errorf("%s: the host with the fault (-want +got):\n%s", c, diff)
	}
	bad := c.Kind != "skipped" && !c.Ignore && (c.Point != "body" || c.Kind == "unreachable")
	failed, unreachable := fmt.Sprint(o.result.Failed), fmt.Sprint(o.result.Unreachable)
	wantFailed, wantUnreachable := "[]", "[]"
	switch {
	case bad && c.Kind == "unreachable":
		wantUnreachable = "[a]"
	case bad:
		wantFailed = "[a]"
	}
	if failed != wantFailed || unreachable != wantUnreachable {
		t.Errorf("%s: failed %s, unreachable %s; want %s and %s", c, failed, unreachable, wantFailed, wantUnreachable)
	}
}

// expected are the results of the host with the fault.
func expected(c faults.Case) []string {
	e := expectation{c: c, alive: true}
	e.add("notify")
	switch c.Point {
	case "included", "role":
		e.add("include", "before")
		e.fault("included", "role")
		e.add("behind")
	default:
		e.fault("task", "loop", "delegated")
	}
	if e.alive {
		e.block()
		e.add("last")
	}
	e.handlers()
	return e.out
}

type expectation struct {
	c     faults.Case
	out   []string
	alive bool // it goes on in its list of tasks
	lost  bool // it cannot be reached
}

func (e *expectation) add(names ...string) {
	if e.alive {
		e.out = append(e.out, names...)
	}
}

// fault is the task with the fault, if it stands at one of these points.
func (e *expectation) fault(points ...string) {
	if !e.alive || !slices.Contains(points, e.c.Point) || e.c.Kind == "skipped" {
		return
	}
	e.out = append(e.out, e.c.Point)
	e.alive = e.c.Ignore
	e.lost = e.c.Kind == "unreachable" && !e.c.Ignore
}

func (e *expectation) block() {
	e.add("body begins")
	e.fault("body")
	if e.c.Point == "rescue" {
		e.add("needs a rescue")
		e.alive = false
	}
	e.add("body ends")
	if !e.alive && !e.lost {
		e.alive = true
		e.add("rescue begins")
		e.fault("rescue")
		e.add("rescue ends")
	}
	rescued := e.alive
	if e.lost {
		return
	}
	e.alive = true
	e.add("always begins")
	e.fault("always")
	e.add("always ends")
	e.alive = e.alive && rescued
}

func (e *expectation) handlers() {
	if e.lost || !e.alive && !e.c.Force {
		return
	}
	e.alive = true
	e.add("first handler")
	e.fault("handler")
	e.add("second handler")
}
