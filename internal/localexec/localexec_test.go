package localexec

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOutput(t *testing.T) {
	out, err := Output(t.Context(), Program{
		Path: "/bin/sh", Args: []string{"-c", `read -r line; printf '%s|%s|%s' "$1" "$WORD" "$line"`, "sh", "a b"},
		Env: []string{"WORD=w"}, Stdin: strings.NewReader("in\n"),
	})
	if err != nil || string(out) != "a b|w|in" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestOutputStatus(t *testing.T) {
	out, err := Output(t.Context(), Program{Path: "/bin/sh", Args: []string{"-c", "echo out; echo no such thing >&2; exit 3"}})
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Status != 3 || string(out) != "out\n" || err.Error() != "/bin/sh: exit status 3: no such thing" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := Output(t.Context(), Program{Path: "/no/such/program"}); err == nil || !strings.HasPrefix(err.Error(), "start /no/such/program: ") {
		t.Errorf("missing program: %v", err)
	}
}

func TestOutputCancelEndsChildrenToo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	mark := filepath.Join(t.TempDir(), "mark")
	go func() {
		for range 200 { // until the grandchild is there
			if _, err := os.Stat(mark); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	start := time.Now()
	_, err := Output(ctx, Program{Path: "/bin/sh", Args: []string{"-c", `sh -c 'echo $$ >"$1"; sleep 60' sh "$1"; true`, "sh", mark}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if waited := time.Since(start); waited > 30*time.Second {
		t.Errorf("returned only after %v", waited)
	}
	pid, _ := os.ReadFile(mark)
	for range 500 { // a killed process takes a moment to go
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("grandchild %s still runs", pid)
}

func TestOutputOverLimit(t *testing.T) {
	_, err := Output(t.Context(), Program{Path: "/bin/sh", Args: []string{"-c", "yes & yes"}, Limit: 1 << 20})
	if over, ok := errors.AsType[*LimitError](err); !ok || over.Limit != 1<<20 {
		t.Errorf("error %v, want a limit of 1 MiB", err)
	}
}
