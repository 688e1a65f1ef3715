//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hostlerhq/hostler/internal/shell"
)

// TestVarsAsInAnsible runs playbooks about variables with both programs, with native types and without, and wants the same output,
// recap and status. What is left out of the comparison is the wording of failures. The file "runs" of each archive holds
// a command line a line, NAME=value before the options.
func TestVarsAsInAnsible(t *testing.T) {
	bin := hostlerBinary(t)
	for _, name := range []string{"include_vars", "values", "facts"} {
		archive, err := txtar.ParseFile("../testdata/vars/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(archive.Files[0].Data)) {
			for _, native := range []string{"0", "1"} {
				t.Run(name+" native="+native+" "+strings.TrimSpace(line), func(t *testing.T) {
					args, err := shell.Split(line)
					if err != nil {
						t.Fatal(err)
					}
					args = append([]string{"ANSIBLE_JINJA2_NATIVE=" + native}, args...)
					theirs := playOutput(t, writeArchive(t, archive), []string{"/usr/bin/python3", "/usr/bin/ansible-playbook"}, args)
					ours := playOutput(t, writeArchive(t, archive), []string{bin, "play"}, args)
					if !strings.Contains(theirs, "PLAY RECAP") {
						t.Fatalf("ansible-playbook did not come to its recap:\n%s", theirs)
					}
					if diff := cmp.Diff(strings.Split(theirs, "\n"), strings.Split(ours, "\n")); diff != "" {
						t.Errorf("ansible-playbook's output is -, ours is +\n%s", diff)
					}
				})
			}
		}
	}
}

// writeArchive unpacks an archive into a folder of its own.
func writeArchive(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// playOutput gives a run's standard output, without what differs from run to run, and its status.
func playOutput(t *testing.T, dir string, program, args []string) string {
	t.Helper()
	env := playEnv(dir)
	for len(args) > 0 && regexp.MustCompile(`^[A-Z0-9_]+=`).MatchString(args[0]) {
		env, args = append(env, args[0]), args[1:]
	}
	c := exec.CommandContext(t.Context(), program[0], append(program[1:len(program):len(program)], args...)...)
	c.Dir, c.Env = dir, env
	out, err := c.Output()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Fatal(err)
	}
	return placeless(string(out), dir) + "status " + c.ProcessState.String()
}

func playEnv(dir string) []string {
	return append(os.Environ(), "ANSIBLE_NOCOLOR=1", "NO_COLOR=1", "HOME="+dir, "LC_ALL=C.UTF-8", "TERM=dumb", "ANSIBLE_LOCALHOST_WARNING=False")
}

func placeless(out, dir string) string {
	out = strings.ReplaceAll(out, dir, "DIR")
	out = regexp.MustCompile(`(?m) \*+$`).ReplaceAllString(out, "")
	return regexp.MustCompile(`(?m)^(fatal: .*!) => .*$`).ReplaceAllString(out, "$1")
}

// TestPromptsAsInAnsible types answers to vars_prompt.
func TestPromptsAsInAnsible(t *testing.T) {
	archive, err := txtar.ParseFile("../testdata/vars/prompts.txtar")
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/answer.py")
	if err != nil {
		t.Fatal(err)
	}
	answers, err := json.Marshal([][2]string{
		{"Plain: ", "p"},
		{"Secretive: ", "s"},
		{"Dflt [d]: ", ""},
		{"Conf: ", "one"},
		{"confirm Conf: ", "two"},
		{"Conf: ", "same"},
		{"confirm Conf: ", "same"},
		{"Enc: ", "pw"},
		{"Encs: ", "pw"},
		{"Tpl: ", "{{ base }}"},
		{"Uns: ", "{{ base }}"},
		{"noprompt: ", "np"},
	})
	if err != nil {
		t.Fatal(err)
	}
	answered := func(program ...string) string {
		args, err := shell.Split(string(archive.Files[0].Data))
		if err != nil {
			t.Fatal(err)
		}
		program = append([]string{"/usr/bin/python3", script, string(answers)}, program...)
		out := playOutput(t, writeArchive(t, archive), program, append([]string{"ANSIBLE_JINJA2_NATIVE=0"}, args...))
		return regexp.MustCompile(`\*{5} VALUES ENTERED DO NOT MATCH\n|\[WARNING\]: the values entered do not match\n`).ReplaceAllString(out, "")
	}
	theirs := answered("/usr/bin/python3", "/usr/bin/ansible-playbook")
	ours := answered(hostlerBinary(t), "play")
	if diff := cmp.Diff(strings.Split(theirs, "\n"), strings.Split(ours, "\n")); diff != "" {
		t.Errorf("ansible-playbook's terminal is -, ours is +\n%s", diff)
	}
	if strings.Contains(ours, "Secretive: s") || !strings.Contains(ours, "0 questions did not come") {
		t.Errorf("the terminal shows:\n%s", ours)
	}
}
