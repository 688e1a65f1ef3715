// Package localexec runs programs on the controller: inventory and vault scripts, the pipe
// lookup, ProxyCommand's relatives. It is, beside transport, the only place that starts processes.
package localexec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Program is what to run. No shell sees Args.
type Program struct {
	Path  string
	Args  []string
	Dir   string
	Env   []string // added to the process's own, "NAME=value"
	Stdin io.Reader
	Limit int // most bytes of stdout that Output takes; 0 is no limit
}

// ExitError is a program that ended with a status other than 0.
type ExitError struct {
	Path   string
	Status int // -1 when a signal ended it
	Stderr string
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s: exit status %d", e.Path, e.Status)
	if first, _, _ := strings.Cut(strings.TrimSpace(e.Stderr), "\n"); first != "" {
		text += ": " + first
	}
	return text
}

// LimitError is a program that printed more than its caller takes.
type LimitError struct {
	Path  string
	Limit int // bytes
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d MiB were printed", e.Limit>>20)
}

// limited passes on what there is room for, and calls over when there is no more.
type limited struct {
	to   io.Writer
	left int
	over func()
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		l.over()
		return len(p), nil
	}
	l.left -= len(p)
	return l.to.Write(p)
}

// grace is how long a cancelled program has between TERM and KILL.
const grace = 2 * time.Second

// Output runs a program to its end and gives what it printed. When ctx ends, or it prints more than its limit, its whole process
// group is ended. Errors: *ExitError, *LimitError, or that it could not be started.
func Output(ctx context.Context, p Program) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := exec.CommandContext(ctx, p.Path, p.Args...)
	c.Dir, c.Stdin = p.Dir, p.Stdin
	c.Env = append(os.Environ(), p.Env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = grace
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	if p.Limit > 0 {
		c.Stdout = &limited{to: &out, left: p.Limit, over: func() { cancel(&LimitError{Path: p.Path, Limit: p.Limit}) }}
	}
	err := c.Run()
	if ctx.Err() != nil {
		if c.Process != nil {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what TERM left over; gone already is fine
		}
		return nil, fmt.Errorf("%s: %w", p.Path, context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.Bytes(), &ExitError{Path: p.Path, Status: exit.ExitCode(), Stderr: errOut.String()}
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	return out.Bytes(), nil
}

// Attached runs a program that may talk to the user: an editor, a pager, a script that asks for a password. It
// stays in this process's group, else a terminal would stop it, and a Ctrl-C reaches it too. Errors: *ExitError without
// Stderr, or that it could not be started.
func Attached(ctx context.Context, p Program, out, errOut io.Writer) error {
	c := exec.CommandContext(ctx, p.Path, p.Args...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = p.Dir, p.Stdin, out, errOut
	c.Env = append(os.Environ(), p.Env...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = grace
	err := c.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", p.Path, context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &ExitError{Path: p.Path, Status: exit.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Path, err)
	}
	return nil
}
