//go:build script

package cmd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// program is one that runs in the background.
type program struct {
	cmd         *exec.Cmd
	out, errOut shared
}

// shared is a buffer that is read while it is written.
type shared struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	s := stateOf(ts)
	if neg || len(args) == 0 || s.program != nil {
		ts.Fatalf("usage: start program args..., one at a time")
	}
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	p := &program{cmd: exec.Command(path, args[1:]...)}
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), s.env
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errOut
	// A process group of its own, as a shell's job has: Ctrl-C reaches what it started, too.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(p.cmd.Start())
	s.program = p
	ts.Defer(func() {
		if s.program != nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
}

func running(ts *testscript.TestScript) *program {
	p := stateOf(ts).program
	if p == nil {
		ts.Fatalf("nothing runs in the background: start comes first")
	}
	return p
}

func interrupt(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(syscall.Kill(-running(ts).cmd.Process.Pid, syscall.SIGINT))
}

func killed(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(syscall.Kill(-running(ts).cmd.Process.Pid, syscall.SIGKILL))
}

func finish(ts *testscript.TestScript, neg bool, args []string) {
	p := running(ts)
	if neg || len(args) != 1 {
		ts.Fatalf("usage: finish N")
	}
	killed := time.AfterFunc(patience, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
	err := p.cmd.Wait()
	killed.Stop()
	s := stateOf(ts)
	s.program, s.last = nil, p
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		ts.Fatalf("%v", exit)
	}
	if got := fmt.Sprint(p.cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit status %s, want %s\nstdout:\n%s\nstderr:\n%s", got, args[0], &p.out, &p.errOut)
	}
}

// patience is how long something that must happen may take before a script fails.
const patience = time.Minute

// await looks again until a condition holds.
func await(ts *testscript.TestScript, what string, holds func() bool) {
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			text := ""
			if p := stateOf(ts).program; p != nil {
				text = fmt.Sprintf("\nstdout:\n%s\nstderr:\n%s", &p.out, &p.errOut)
			}
			ts.Fatalf("waited %s in vain: %s%s", patience, what, text)
		}
	}
}

func appears(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: appears FILE")
	}
	await(ts, args[0]+" does not appear", func() bool {
		info, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil && info.Size() > 0
	})
}

func says(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: says TEXT")
	}
	p := running(ts)
	await(ts, fmt.Sprintf("the program does not say %q", args[0]), func() bool {
		return strings.Contains(p.out.String()+p.errOut.String(), args[0])
	})
}

func gone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gone FILE")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	await(ts, fmt.Sprintf("process %d still runs", pid), func() bool {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid)
	})
}

// zombie reports whether a process has ended and only waits to be fetched, which is nobody's task in some containers.
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(text), ") ")
	return err == nil && ok && strings.HasPrefix(rest, "Z")
}

// peak checks what the program's memory came to (VmHWM, the largest resident size; rusage would count the parent's).
func peak(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: peak MEGABYTES")
	}
	limit, err := strconv.Atoi(args[0])
	ts.Check(err)
	_, rest, ok := strings.Cut(ts.ReadFile(ts.Getenv("PEAK_FILE")), "VmHWM:")
	var kib int
	if _, err := fmt.Sscanf(rest, "%d kB", &kib); !ok || err != nil {
		ts.Fatalf("no VmHWM in %s: %v", ts.Getenv("PEAK_FILE"), err)
	}
	ts.Logf("peak: %d MiB", kib>>10)
	if kib>>10 >= limit {
		ts.Fatalf("the program needed %d MiB of memory, want less than %d", kib>>10, limit)
	}
}
