//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

// outcomes are the lines of a run's output that tell what tasks came to, without what follows the host's name, and the recap.
var outcomes = regexp.MustCompile(`(?m)^(TASK .*|(?:ok|changed|skipping|fatal): \[\w+\]|\.\.\.ignoring|\w+ +: ok=.*)`)

// TestEditsAreAnsibles runs each playbook of testdata/edit by ansible-playbook and by us, each on a tree of its own: what tasks
// come to and the trees must be the same. A second run of both, without tasks that are tagged once, must change nothing.
func TestEditsAreAnsibles(t *testing.T) { byBoth(t, "../testdata/edit/*.yml", editedBy) }

// byBoth runs each playbook that a pattern finds by ansible-playbook and by us, as played does it: what tasks come to and the state
// afterwards must be the same.
func byBoth(t *testing.T, pattern string, played func(t *testing.T, file string, program ...string) (outcome, state string)) {
	t.Helper()
	bin := hostlerBinary(t)
	plays, err := filepath.Glob(pattern)
	if err != nil || len(plays) == 0 {
		t.Fatal(plays, err)
	}
	for _, file := range plays {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yml"), func(t *testing.T) {
			t.Parallel()
			want, wantState := played(t, file, "ansible-playbook")
			got, state := played(t, file, bin, "play")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("outcomes (-ansible +here):\n%s", diff)
			}
			if diff := cmp.Diff(wantState, state); diff != "" {
				t.Errorf("states (-ansible +here):\n%s", diff)
			}
		})
	}
}

// editedBy runs a playbook twice on a new tree, beside web servers of its own (web and, over TLS, safe), and gives what the first run came to, and the tree.
func editedBy(t *testing.T, file string, program ...string) (outcome, tree string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../testdata/edit/tree")); err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	web, safe := moduletest.NewSite(t, false), moduletest.NewSite(t, true)
	args := append(program, "-i", "localhost,", "-c", "local", "-e", "d="+dir, "-e", "web="+web.URL, "-e", "safe="+safe.URL, "-e", "ca="+safe.CA, "-e", "ansible_python_interpreter=/usr/bin/python3", file)
	first, code := playedBy(t, dir, args)
	if code != 0 {
		t.Errorf("%v ended with %d:\n%s", program, code, first)
	}
	tree = backups.ReplaceAllString(treeListing(t, dir), "BACKUP")
	second, _ := playedBy(t, dir, append(args, "--skip-tags", "once"))
	if again := strings.Join(outcomes.FindAllString(second, -1), "\n"); !strings.Contains(again, " changed=0 ") {
		t.Errorf("the second run of %v changes something:\n%s", program, again)
	}
	return strings.Join(outcomes.FindAllString(first, -1), "\n"), tree
}

// backups are the ends of names of files kept.
var backups = regexp.MustCompile(`\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~`)
