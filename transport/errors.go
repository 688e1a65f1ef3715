package transport

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrChanged says that a file is no longer what it was when it was read (PutOptions.IfHash).
	ErrChanged = errors.New("the file changed since it was read")
	// ErrLost says that the connection broke while a command ran. Whether it took effect is
	// unknown; only looking again tells.
	ErrLost = errors.New("connection lost")
	// ErrForwarding says that the server lets nobody connect through it (AllowTcpForwarding).
	ErrForwarding = errors.New("the server allows no connections through it")
)

// ExitError is a command that ended with a status other than 0, or by a signal.
type ExitError struct {
	Command string // how to show it; no secrets
	Status  int    // 128+n for signal n
	Signal  string // "KILL"; "" for an ordinary end
	Stderr  []byte // its last few KiB
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return fmt.Sprintf("%s: killed by signal %s", e.Command, e.Signal)
	}
	return fmt.Sprintf("%s: exit status %d", e.Command, e.Status)
}

// UnreachableError says that a host could not be reached or would not let us in.
// It does not mean that a command failed.
type UnreachableError struct {
	Host string // inventory name
	Op   string // what was tried: "resolve", "connect", "handshake", "authenticate", "start a session", …
	Err  error
	Hint string
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("%s: %v", e.Op, e.Err) }

func (e *UnreachableError) Unwrap() error { return e.Err }

// BecomeError says that sudo, su or doas refused. The host itself is reachable.
type BecomeError struct {
	Method, User string
	Reason       string // "Missing sudo password", "Incorrect sudo password", … as Ansible words it
	Output       string // what the tool said
}

func (e *BecomeError) Error() string { return e.Reason }

// Hint says what to do; "" where the reason says it all.
func (e *BecomeError) Hint() string {
	switch e.Reason {
	case missingPassword(e.Method):
		return "ask for it with --ask-become-pass, or set ansible_become_password"
	case incorrectPassword(e.Method):
		return "it came from ansible_become_password, --become-password-file or the question asked"
	}
	return ""
}

func missingPassword(method string) string { return "Missing " + method + " password" }

func incorrectPassword(method string) string { return "Incorrect " + method + " password" }

// TimeoutError says that a command ran longer than it was allowed to; it was killed.
type TimeoutError struct {
	Command string
	After   time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s: still running after %s; killed", e.Command, e.After)
}

// InvalidError says that PutOptions.Validate refused the content. The file is as it was.
type InvalidError struct {
	Check  string // the command as it was given
	Status int
	Output []byte // what it printed
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s: exit status %d: %s", e.Check, e.Status, e.Output)
}
