//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/integration/faults"
)

// faultFiles are samples of the matrix: those in which the other hosts go on stand in one playbook, each with hosts of
// its own; those that end a run have a playbook each.
func faultFiles() [][]faults.Case {
	var together []faults.Case
	var out [][]faults.Case
	for i, c := range faults.All() {
		switch {
		case c.Kind == "timeout" && (c.Ignore || c.Force || c.Serial > 0 || c.Strategy != "linear"): // a second each
		case !c.Fatal() && (i/3)%11 == 0:
			together = append(together, c)
		case c.Fatal() && c.Kind != "skipped" && c.Strategy == "linear" && i%29 == 1:
			out = append(out, []faults.Case{c})
		}
	}
	return append(out, together)
}

// TestFaultsAsAnsible runs plays in which one host fails with ansible-playbook and here.
func TestFaultsAsAnsible(t *testing.T) {
	bin := hostlerBinary(t)
	for _, cases := range faultFiles() {
		t.Run(fmt.Sprintf("%s and %d more", cases[0], len(cases)-1), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := faults.WriteIncludes(dir); err != nil {
				t.Fatal(err)
			}
			var plays, hosts strings.Builder
			for i, c := range cases {
				names := []string{fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i), fmt.Sprintf("c%d", i)}
				plays.WriteString(c.Play(names))
				hosts.WriteString(strings.Join(names, "\n") + "\n")
			}
			hosts.WriteString("[all:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n")
			for name, text := range map[string]string{"site.yml": plays.String(), "hosts": hosts.String()} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"-i", "hosts", "-f", "1", "site.yml"}
			want, wantCode := playedBy(t, dir, append([]string{"ansible-playbook"}, args...))
			got, code := playedBy(t, dir, append([]string{bin, "play"}, args...))
			if code != wantCode {
				t.Errorf("exit status: ansible %d, here %d", wantCode, code)
			}
			compareFaults(t, cases, want, got)
		})
	}
}

// compareFaults compares by host, for the strategy free leaves the order among hosts open.
func compareFaults(t *testing.T, cases []faults.Case, want, got string) {
	t.Helper()
	theirs, ours := byHost(masked(want)), byHost(masked(got))
	for i, c := range cases {
		for _, host := range []string{"a", "b", "c"} {
			name := fmt.Sprint(host, i)
			if diff := cmp.Diff(theirs[name], ours[name]); diff != "" {
				t.Errorf("%s, %s (-ansible +here):\n%s", c, name, diff)
			}
		}
	}
	if diff := cmp.Diff(theirs["PLAY RECAP"], ours["PLAY RECAP"]); diff != "" {
		t.Errorf("recap (-ansible +here):\n%s", diff)
	}
}
