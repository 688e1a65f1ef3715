//go:build integration

package integration

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/modules/catalog"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/report"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
)

// runCase is one playbook with options that both programs understand.
type runCase struct {
	name      string // of the playbook, without .yml
	args      []string
	change    func(*run.Options)
	verbosity int
	code      int
}

func runCases() []runCase {
	return []runCase{
		{name: "basic"},
		{name: "basic", args: []string{"-v"}, verbosity: 1},
		{name: "failure", code: 2},
		{name: "blocks", code: 2},
		{name: "loops"},
		{name: "handlers"},
		{name: "handlers_fail", code: 2},
		{name: "delegate"},
		{name: "includes"},
		{name: "includefail", code: 2},
		{name: "roles"},
		{name: "fatal", code: 2},
		{name: "maxfail", code: 2},
		{name: "meta"},
		{name: "handlers_force", code: 2},
		{name: "inventory_changes"},
		{name: "imported"},
		{name: "argspec"},
		{name: "serial", code: 2},
		{name: "scopes"},
		{name: "loops_more"},
		{name: "tagged_includes", args: []string{"-t", "two"}, change: func(o *run.Options) { o.Tags = []string{"two"} }},
		{name: "delegvars"},
		{name: "connection"},
		{name: "levels", args: []string{"-v"}, verbosity: 1},
		{name: "nohosts"},
		{name: "nolog"},
		{name: "nolog_more", args: []string{"-v"}, verbosity: 1},
		{name: "runonce"},
		{name: "failedwhen"},
		{name: "free"},
		{name: "unreachable", code: 4},
		{name: "tags"},
		{name: "tags", args: []string{"-t", "one"}, change: func(o *run.Options) { o.Tags = []string{"one"} }},
		{name: "tags", args: []string{"--skip-tags", "one,always"}, change: func(o *run.Options) { o.SkipTags = []string{"one", "always"} }},
		{name: "tags", args: []string{"-t", "never,tagged"}, change: func(o *run.Options) { o.Tags = []string{"never", "tagged"} }},
		{name: "basic", args: []string{"--start-at-task", "Set facts"}, change: func(o *run.Options) { o.StartAtTask = "Set facts" }},
		{name: "basic", args: []string{"--check"}, change: func(o *run.Options) { o.Check = true }},
		{name: "failure", args: []string{"-l", "beta"}, change: func(o *run.Options) { o.Limit = "beta" }},
	}
}

// TestRunAsAnsible runs playbooks with ansible-playbook and here: standard output, exit code and recap must be the same.
func TestRunAsAnsible(t *testing.T) {
	dir, err := filepath.Abs("../testdata/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range runCases() {
		t.Run(strings.Join(append([]string{c.name}, c.args...), " "), func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, c.name+".yml")
			want, wantCode := ansiblePlaybook(t, dir, file, c.args)
			got, res := hostlerPlay(t, dir, file, c)
			if diff := cmp.Diff(masked(want), masked(got)); diff != "" {
				t.Errorf("standard output (-ansible +here):\n%s", diff)
			}
			if code := codeOf(res); code != wantCode || code != c.code {
				t.Errorf("exit code: ansible %d, here %d, expected %d", wantCode, code, c.code)
			}
		})
	}
}

// codeOf is what the command makes of a Result.
func codeOf(r run.Result) int {
	switch {
	case r.BrokenOff:
		return 2
	case len(r.Unreachable) > 0:
		return 4
	case len(r.Failed) > 0:
		return 2
	}
	return 0
}

func ansiblePlaybook(t *testing.T, dir, file string, args []string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ansible-playbook", append([]string{"-i", filepath.Join(dir, "hosts"), file}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8", "ANSIBLE_CONFIG="+filepath.Join(dir, "ansible.cfg"), "ANSIBLE_FORKS=1", "ANSIBLE_PIPELINING=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Logf("ansible's stderr: %s", errs.String())
	return out.String(), cmd.ProcessState.ExitCode()
}

func hostlerPlay(t *testing.T, dir, file string, c runCase) (string, run.Result) {
	t.Helper()
	ctx := t.Context()
	var out, errs bytes.Buffer
	o := optionsFor(ctx, t, dir)
	pb, _, err := o.Loader.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if bad := run.Check(pb); len(bad) > 0 {
		t.Fatal(bad)
	}
	o.Playbooks = []*playbook.Playbook{pb}
	o.Verbosity = c.verbosity
	if c.change != nil {
		c.change(&o)
	}
	sink := report.NewText(report.Options{Out: &out, Err: &errs, Verbosity: c.verbosity})
	o.Sink = sink
	res, err := run.Play(ctx, o)
	if err != nil {
		t.Errorf("run: %v", err)
	}
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("our stderr: %s", errs.String())
	return out.String(), res
}

func optionsFor(ctx context.Context, t *testing.T, dir string) run.Options {
	t.Helper()
	inv, _, err := inventory.Load(ctx, []string{filepath.Join(dir, "hosts")}, inventory.Options{PlaybookDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	env := jinja.New(jinja.Options{NoneEmpty: true, RawStrings: true})
	filters.Register(env, filters.Options{})
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return run.Options{
		Inventory: inv, Engine: &vars.Engine{Env: env, Legacy: true}, Pool: pool, Modules: catalog.Lookup(),
		Loader: &playbook.Loader{Modules: catalog.Lookup(), Actions: actions.Specs}, Forks: 1,
	}
}

// masked replaces what differs from one run to the next, and the words of errors that are our own on purpose.
func masked(s string) string {
	for _, r := range []struct{ from, to string }{
		{`"(delta|start|end)": "[^"]*"`, `"$1": "TIME"`},
		{`ansible\.parsing\.yaml\.objects\.AnsibleUnicode`, "str"},
		// How ssh's own words are wrapped differs between the versions and states of Ansible's connection.
		{`("msg": ")(?:Failed to connect to the host via ssh|Data could not be sent to remote host)(?:[^"\\]|\\.)*"`, `${1}unreachable"`},
		{`("msg": "The (task includes an option with an undefined variable|conditional check '[^']*' failed))[^"]*"`, `$1"`},
		{`Using \S+ as config file\n`, ""},
		{`"VARIABLE IS NOT DEFINED!: [^"]*"`, `"VARIABLE IS NOT DEFINED!: WHY"`},
		{`"reason": "Could not find or access.*"}`, `"reason": "NOT FOUND"}`},
	} {
		s = regexp.MustCompile(r.from).ReplaceAllString(s, r.to)
	}
	return s
}
