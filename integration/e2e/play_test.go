//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// player runs playbooks on a lab's machines.
type player struct {
	program   []string // with its first arguments
	inventory string
}

// hostler builds the program; before machines start, for it may not build.
func hostler(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "hostler")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../cmd/hostler").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

var recap = regexp.MustCompile(`(?m)^(\w+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+) `)

// play runs a playbook, given with its further arguments, to its end on all hosts and gives how many tasks changed each.
func (p player) play(t *testing.T, args ...string) string {
	t.Helper()
	argv := append(p.program[1:], append([]string{"-i", p.inventory}, args...)...)
	cmd := exec.CommandContext(t.Context(), p.program[0], argv...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "ANSIBLE_NOCOLOR=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var changed []string
	for _, host := range recap.FindAllStringSubmatch(string(out), -1) {
		changed = append(changed, fmt.Sprintf("%s=%s", host[1], host[2]))
		if host[3] != "0" || host[4] != "0" {
			err = fmt.Errorf("%s is unreachable or has failed tasks", host[1])
		}
	}
	if err != nil || len(changed) == 0 {
		t.Fatalf("%v: %v\n%s\n%s", args, err, out, errs.String())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%v:\n%s", args, out)
		}
	})
	return strings.Join(changed, " ")
}
