package run_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder keeps what tests ask about: "host task status" of every result, in order.
type recorder struct{ lines []string }

func (r *recorder) Emit(_ context.Context, e run.Event) {
	switch e := e.(type) {
	case run.HostFinished:
		status := string(e.Status)
		if e.Rescued {
			status = "rescued"
		}
		r.lines = append(r.lines, fmt.Sprintf("%s %s %s", e.Host, e.Task.Name, status))
	case run.NoMoreHosts:
		r.lines = append(r.lines, "no more hosts")
	}
}

func (r *recorder) Close() error { return nil }

// nobody is an Opener whose hosts are all down.
type nobody struct{}

func (nobody) Open(_ context.Context, e transport.Endpoint, _ transport.Become) (transport.Conn, error) {
	return nil, &transport.UnreachableError{Host: e.Name, Op: "connect", Err: os.ErrDeadlineExceeded}
}

// options loads a playbook for some hosts.
func options(t testing.TB, hosts, text string) (run.Options, *recorder) {
	t.Helper()
	o := optionsWith(t, hosts, text, &playbook.Loader{Actions: actions.Specs})
	rec := &recorder{}
	o.Sink = rec
	return o, rec
}

// optionsWith is options with another loader and without a Sink.
func optionsWith(t testing.TB, hosts, text string, loader *playbook.Loader) run.Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return optionsFrom(t, hosts, file, loader)
}

// optionsFrom is optionsWith for a playbook that is there.
func optionsFrom(t testing.TB, hosts, file string, loader *playbook.Loader) run.Options {
	t.Helper()
	inv, _, err := inventory.Load(t.Context(), []string{hosts}, inventory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pb, _, err := loader.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	env := jinja.New(jinja.Options{NoneEmpty: true})
	filters.Register(env, filters.Options{})
	return run.Options{
		Inventory: inv, Playbooks: []*playbook.Playbook{pb}, Engine: &vars.Engine{Env: env}, Pool: nobody{},
		Loader: loader, Forks: 8, Gathering: "explicit",
	}
}

// forHost gives the lines of one host, without its name.
func forHost(lines []string, host string) []string {
	var out []string
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, host+" "); ok {
			out = append(out, rest)
		}
	}
	return out
}

const matrixPlay = `
- hosts: all
  force_handlers: %t
  handlers:
    - {name: handler, debug: {}}
  tasks:
    - {name: notify, debug: {}, changed_when: true, notify: handler}
    - name: guarded
      block:
        - {name: body, fail: {}, when: "inventory_hostname == 'at_body' or inventory_hostname == 'at_rescue' or inventory_hostname == 'at_always'"}
      rescue:
        - {name: rescue, fail: {}, when: "inventory_hostname == 'at_rescue'"}
      always:
        - {name: always, fail: {}, when: "inventory_hostname == 'at_always'"}
    - {name: last, fail: {}, when: "inventory_hostname == 'at_last'"}
`

// TestFaultsAtEachPoint lets one host fail at each point of a play with rescue, always and a notified handler.
func TestFaultsAtEachPoint(t *testing.T) {
	hosts := []string{"none", "at_body", "at_rescue", "at_always", "at_last"}
	for _, force := range []bool{false, true} {
		o, rec := options(t, strings.Join(hosts, ","), fmt.Sprintf(matrixPlay, force))
		res, err := run.Play(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		handler := func(failed bool) []string {
			if failed && !force {
				return nil
			}
			return []string{"handler ok"}
		}
		want := map[string][]string{
			"none":      {"notify changed", "body skipped", "always skipped", "last skipped"},
			"at_body":   {"notify changed", "body rescued", "rescue skipped", "always skipped", "last skipped"},
			"at_rescue": {"notify changed", "body rescued", "rescue failed", "always skipped"},
			"at_always": {"notify changed", "body rescued", "rescue skipped", "always failed"},
			"at_last":   {"notify changed", "body skipped", "always skipped", "last failed"},
		}
		failed := []string{"at_always", "at_last", "at_rescue"}
		for _, h := range hosts {
			lines := append(want[h], handler(slices.Contains(failed, h))...)
			if diff := cmp.Diff(lines, forHost(rec.lines, h)); diff != "" {
				t.Errorf("force_handlers %t, host %s:\n%s", force, h, diff)
			}
		}
		if diff := cmp.Diff(failed, res.Failed); diff != "" {
			t.Errorf("failed hosts:\n%s", diff)
		}
	}
}

// TestRescueTakesOver holds that only the host that failed runs the rescue, and goes on with the others.
func TestRescueTakesOver(t *testing.T) {
	o, rec := options(t, "a,b", `
- hosts: all
  tasks:
    - block:
        - {name: reach, wait_for_connection: {timeout: 0}, when: "inventory_hostname == 'a'"}
      rescue:
        - {name: rescue, debug: {}}
    - {name: last, debug: {}}
`)
	if _, err := run.Play(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"reach rescued", "rescue ok", "last ok"}, forHost(rec.lines, "a")); diff != "" {
		t.Error(diff)
	}
}

// TestStopEndsGently holds that no task starts once Stop is closed.
func TestStopEndsGently(t *testing.T) {
	o, rec := options(t, "a,", "- hosts: all\n  tasks:\n    - debug: {}\n")
	stop := make(chan struct{})
	close(stop)
	o.Stop = stop
	res, err := run.Play(t.Context(), o)
	if err != nil || !res.Interrupted || len(rec.lines) > 0 {
		t.Errorf("%v, interrupted %t, results %q", err, res.Interrupted, rec.lines)
	}
}

// TestMissingHandler holds that a notify without a handler ends the run.
func TestMissingHandler(t *testing.T) {
	o, _ := options(t, "a,", "- hosts: all\n  tasks:\n    - {debug: {}, changed_when: true, notify: \"{{ 'nobody' }}\"}\n")
	if _, err := run.Play(t.Context(), o); err == nil || !strings.Contains(err.Error(), "'nobody' was not found") {
		t.Errorf("error %v", err)
	}
}

// BenchmarkEngine runs 5 tasks on many hosts without any connection.
func BenchmarkEngine(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("h%05d", i)
			}
			o, _ := options(b, strings.Join(names, ","), `
- hosts: all
  tasks:
    - {set_fact: {a: "{{ inventory_hostname }}"}}
    - {debug: {msg: "{{ a }}"}, when: a != "x", register: r}
    - {debug: {msg: "{{ r.msg }}"}}
    - {set_fact: {b: "{{ r.msg }}-{{ a }}"}}
    - {debug: {var: b}}
`)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := run.Play(b.Context(), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestEndRole holds that meta: end_role leaves the role on that host alone, from within a block too. Ansible has it since 2.18.
func TestEndRole(t *testing.T) {
	o, rec := options(t, "a,b", "- hosts: all\n  tasks:\n    - debug: {}\n")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"roles/r/tasks/main.yml": `
- {name: one, debug: {}}
- block:
    - {meta: end_role, when: "inventory_hostname == 'a'"}
    - {name: two, debug: {}}
- {name: three, debug: {}}
`,
		"site.yml": "- hosts: all\n  roles: [r]\n  tasks:\n    - {name: after, debug: {}}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pb, _, err := o.Loader.Load(filepath.Join(dir, "site.yml"))
	if err != nil {
		t.Fatal(err)
	}
	o.Playbooks = []*playbook.Playbook{pb}
	if _, err := run.Play(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string][]string{
		"a": {"r : one ok", "after ok"},
		"b": {"r : one ok", "r : meta skipped", "r : two ok", "r : three ok", "after ok"},
	} {
		if diff := cmp.Diff(want, forHost(rec.lines, host)); diff != "" {
			t.Errorf("host %s:\n%s", host, diff)
		}
	}
}
