//go:build integration

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
)

// sampleArgs are the arguments that the sample playbooks give to modules.
type sampleArgs struct {
	// Any of these.
	Msg  any    `arg:"msg"`
	Var  string `arg:"var"`
	Cmd  string `arg:"cmd"`
	File string `arg:"file"`
	Name string `arg:"name"`

	Chdir      string `arg:"chdir"`
	Creates    string `arg:"creates"`
	Executable string `arg:"executable"`
}

// copyArgs are those of copy, which the broken playbooks get wrong.
type copyArgs struct {
	// Any of these.
	Src   string `arg:"src"`
	Dest  string `arg:"dest" required:"true"`
	Mode  string `arg:"mode"`
	Force bool   `arg:"force"`
}

type noResult struct{}

// sampleLoader knows the modules of the samples and no others.
func sampleLoader(dir string) *playbook.Loader {
	names := []string{"command", "copy", "debug", "fail", "ping", "shell"}
	known := make(map[string]*modules.Module)
	run := func(context.Context, *modules.Host, sampleArgs) (noResult, error) { return noResult{}, nil }
	for _, name := range names {
		var opts []modules.Option
		if name == "command" || name == "shell" {
			opts = append(opts, modules.FreeForm("cmd"))
		}
		known[name] = modules.Define(name, "", run, opts...)
	}
	known["copy"] = modules.Define("copy", "", func(context.Context, *modules.Host, copyArgs) (noResult, error) { return noResult{}, nil })
	known["include_vars"] = modules.Define("include_vars", "", run, modules.FreeForm("file"))
	return &playbook.Loader{
		Modules:         func(name string) (*modules.Module, bool) { m, ok := known[name]; return m, ok },
		Names:           names,
		CollectionsPath: []string{filepath.Join(dir, "collections")},
		Early: func(t *value.Template, layers ...*value.Dict) (string, error) {
			text := t.Text
			for _, layer := range layers {
				for k, v := range layer.All() {
					text = strings.ReplaceAll(text, fmt.Sprintf("{{ %v }}", k), fmt.Sprint(v))
				}
			}
			if strings.Contains(text, "{{") {
				return "", fmt.Errorf("undefined variable")
			}
			return text, nil
		},
	}
}

// unpackAll writes each archive of a folder below a temporary one and gives the playbooks' folders.
func unpackAll(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no archives %s: %v", pattern, err)
	}
	root := t.TempDir()
	var dirs []string
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, strings.TrimSuffix(filepath.Base(name), ".txtar"))
		for _, f := range a.Files {
			path := filepath.Join(dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// listing writes what --list-tasks prints, but for the plays' own lines.
func listing(pb *playbook.Playbook, only, skip []string) string {
	var b strings.Builder
	for i, p := range pb.Plays {
		fmt.Fprintf(&b, "play %d\n", i+1)
		for _, t := range p.ListTasks(only, skip) {
			fmt.Fprintf(&b, "%s [%s]\n", t.Name, strings.Join(t.Tags, ", "))
		}
	}
	return b.String()
}

// ansibleListing brings ansible-playbook's --list-tasks to the same shape.
func ansibleListing(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("ansible-playbook", append([]string{"-i", "localhost,", "--list-tasks", "site.yml"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ANSIBLE_LOCALHOST_WARNING=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ansible-playbook: %v\n%s", err, out)
	}
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		name, tags, ok := strings.Cut(strings.TrimSpace(line), "\tTAGS: ")
		switch {
		case strings.HasPrefix(name, "play #"):
			fmt.Fprintf(&b, "play %s\n", strings.Fields(strings.TrimPrefix(name, "play #"))[0])
		case ok:
			fmt.Fprintf(&b, "%s %s\n", name, tags)
		}
	}
	return b.String()
}

// TestListTasks compares the tasks of every sample, in order and with their tags, with ansible-playbook's.
func TestListTasks(t *testing.T) {
	choices := []struct{ only, skip []string }{
		{},
		{only: []string{"inner", "special"}},
		{only: []string{"tagged"}, skip: []string{"outer"}},
		{only: []string{"untagged"}, skip: []string{"always"}},
	}
	for _, dir := range unpackAll(t, "../playbook/testdata/samples/*.txtar") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			pb, _, err := sampleLoader(dir).Load(filepath.Join(dir, "site.yml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range choices {
				var args []string
				if c.only != nil {
					args = append(args, "--tags", strings.Join(c.only, ","))
				}
				if c.skip != nil {
					args = append(args, "--skip-tags", strings.Join(c.skip, ","))
				}
				if d := cmp.Diff(ansibleListing(t, dir, args...), listing(pb, c.only, c.skip)); d != "" {
					t.Errorf("tags %v, skipped %v (-ansible +ours):\n%s", c.only, c.skip, d)
				}
			}
		})
	}
}

// loadAll asks Ansible's own loader about many playbooks in one process: {folder: error or null}.
const loadAll = `
import json, os, sys
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
context.CLIARGS = ImmutableDict(tags={}, skip_tags={}, check=False, diff=False, syntax=True, verbosity=0)
from ansible.parsing.dataloader import DataLoader
from ansible.inventory.manager import InventoryManager
from ansible.vars.manager import VariableManager
from ansible.playbook import Playbook
answers = {}
for folder in sys.argv[1:]:
    os.chdir(folder)
    loader = DataLoader()
    loader.set_basedir(folder)
    inventory = InventoryManager(loader=loader, sources=['localhost,'])
    variables = VariableManager(loader=loader, inventory=inventory)
    try:
        Playbook.load(os.path.join(folder, 'site.yml'), variable_manager=variables, loader=loader)
        answers[folder] = None
    except Exception as e:
        answers[folder] = str(e).split('\n')[0] or type(e).__name__
print('ANSWERS' + json.dumps(answers))
`

// TestRefusals holds us to find fault with what Ansible refuses at load: what hostler check says of each stands in its archive, and
// is held to there.
func TestRefusals(t *testing.T) {
	dirs := unpackAll(t, "../testdata/broken/*.txtar")
	cmd := exec.Command("/usr/bin/python3", append([]string{"-c", loadAll}, dirs...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ansible's loader: %v\n%s", err, stderr.String())
	}
	_, text, _ := strings.Cut(string(out), "ANSWERS")
	answers := make(map[string]*string)
	if err := json.Unmarshal([]byte(text), &answers); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	refused := 0
	for _, dir := range dirs {
		theirs := answers[dir]
		if theirs == nil {
			continue
		}
		refused++
		if want := readFile(t, filepath.Join(dir, "want")); strings.HasSuffix(want, "nothing found\n") {
			t.Errorf("%s: Ansible refuses it: %s", filepath.Base(dir), *theirs)
		}
	}
	if refused < 40 {
		t.Errorf("Ansible refused %d playbooks only: was it asked?", refused)
	}
}
