//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// precedenceLevels are the places of Ansible's list where a variable can be defined, the lowest first: lines of the files of
// testdata/vars/precedence.txtar that end in "# NAME" belong to the level NAME.
func precedenceLevels() []string {
	return []string{
		"role defaults", "inventory group vars", "inventory group_vars all", "playbook group_vars all", "inventory group_vars",
		"playbook group_vars", "inventory host vars", "inventory host_vars", "playbook host_vars", "facts", "play vars", "vars_prompt",
		"vars_files", "role vars", "block vars", "task vars", "include_vars", "set_fact", "role params", "include params", "extra vars",
	}
}

// TestPrecedence defines one variable at every level, removes the levels from the highest down, and wants ansible-playbook's answer
// at each step.
func TestPrecedence(t *testing.T) {
	bin := hostlerBinary(t)
	levels := precedenceLevels()
	archive, err := txtar.ParseFile("../testdata/vars/precedence.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for n := len(levels); n >= 0; n-- {
		kept := map[string]bool{}
		for _, l := range levels[:n] {
			kept[l] = true
		}
		dir := writeLevels(t, archive, kept)
		args := []string{"-i", "inv/hosts.ini", "site.yml"}
		if kept["extra vars"] {
			args = append(args, "-e", "ansible_machine='extra vars'")
		}
		theirs := probed(t, dir, "/usr/bin/python3", append([]string{"/usr/bin/ansible-playbook"}, args...))
		ours := probed(t, dir, bin, append([]string{"play"}, args...))
		want := "undefined"
		if n > 0 {
			want = levels[n-1]
		}
		if want == "facts" {
			want = machine(t)
		}
		if theirs != want {
			t.Errorf("with %d levels ansible-playbook answers %q: the playbook does not define %q", n, theirs, want)
		}
		if ours != theirs {
			t.Errorf("with %d levels: %q here, %q with ansible-playbook", n, ours, theirs)
		}
	}
}

// machine is the fact ansible_machine, after which the variable is named so that facts can define it.
func machine(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "uname", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// writeLevels writes the files without the lines of levels that are not kept.
func writeLevels(t *testing.T, archive *txtar.Archive, kept map[string]bool) string {
	t.Helper()
	dir := t.TempDir()
	level := regexp.MustCompile(` +# ([a-z_ ]+)$`)
	for _, f := range archive.Files {
		var b strings.Builder
		for line := range strings.Lines(string(f.Data)) {
			line = strings.TrimSuffix(line, "\n")
			if m := level.FindStringSubmatch(line); m != nil {
				if !kept[m[1]] {
					continue
				}
				line = strings.TrimSuffix(line, m[0])
			}
			fmt.Fprintln(&b, line)
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// probed runs a playbook and gives the message of its task "Probe".
func probed(t *testing.T, dir, program string, args []string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "NO_COLOR=1", "HOME="+dir, "LC_ALL=C.UTF-8", "ANSIBLE_LOCALHOST_WARNING=False")
	out, err := c.CombinedOutput()
	_, after, found := strings.Cut(string(out), "TASK [r : Probe]")
	m := regexp.MustCompile(`"msg": "([^"]*)"`).FindStringSubmatch(after)
	if !found || m == nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return m[1]
}
