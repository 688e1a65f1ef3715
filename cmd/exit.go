package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Exit statuses are Ansible's, so that CI jobs written for it keep their meaning.
const (
	exitOK            = 0
	exitError         = 1   // a general error: no such playbook, no hosts to work on
	exitFailed        = 2   // a host failed; also wrong usage
	exitNotIdempotent = 3   // --assert-idempotent: the second run changed something
	exitUnreachable   = 4   // a host was unreachable; also mistakes in playbooks and inventories
	exitOptions       = 5   // options that do not go together
	exitInterrupted   = 99  // by the user
	exitPanic         = 250 // a defect of ours
)

// statusError ends a command with a status after everything has been said.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a wrong command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func (e usageError) Unwrap() error { return e.err }

// optionsError is a command line whose options do not go together.
type optionsError struct{ err error }

func (e optionsError) Error() string { return e.err.Error() }

func (e optionsError) Unwrap() error { return e.err }

// hintError adds what to do to an error that has no place in a file.
type hintError struct {
	err  error
	hint string
}

func (e hintError) Error() string { return e.err.Error() }

func (e hintError) Unwrap() error { return e.err }

// finish is the only place where an error becomes text and an exit status.
func finish(s Streams, err error) int {
	if err == nil {
		return exitOK
	}
	if status, ok := errors.AsType[statusError](err); ok {
		return int(status)
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(s.Err, "ERROR! interrupted by the user")
		return exitInterrupted
	}
	if mistakes := asMistakes(err); mistakes != nil {
		printMistakes(s, mistakes)
		return exitUnreachable
	}
	if placeless, ok := errors.AsType[diag.List](err); ok {
		return finishPlaceless(s, placeless)
	}
	fmt.Fprintf(s.Err, "ERROR! %v\n", err)
	if hinted, ok := errors.AsType[hintError](err); ok {
		fmt.Fprintf(s.Err, "hint: %s\n", hinted.hint)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitFailed
	}
	if _, ok := errors.AsType[optionsError](err); ok {
		return exitOptions
	}
	return exitError
}

// finishPlaceless prints mistakes that stand in no file.
func finishPlaceless(s Streams, list diag.List) int {
	for _, e := range diag.Sorted(list) {
		fmt.Fprintf(s.Err, "ERROR! %v\n", e)
		if e.Hint != "" {
			fmt.Fprintf(s.Err, "hint: %s\n", e.Hint)
		}
	}
	return exitError
}

// asMistakes gives the mistakes in users' files that an error is about.
func asMistakes(err error) diag.List {
	list, ok := errors.AsType[diag.List](err)
	if ok && slices.ContainsFunc(list, func(e *diag.Error) bool { return !e.Pos.IsZero() }) {
		return list
	}
	if one, ok := errors.AsType[*diag.Error](err); ok && !one.Pos.IsZero() {
		return diag.List{one}
	}
	return nil
}

// printMistakes prints errors and warnings with their snippets and hints.
func printMistakes(s Streams, mistakes diag.List) {
	fmt.Fprint(s.Err, diag.Render(mistakes, os.ReadFile))
}

// fileError words the usual errors of opening a file that the user named.
func fileError(what, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return hintError{
			fmt.Errorf("%s %q could not be found", what, path),
			"check the name; relative names start at the current folder",
		}
	}
	return fmt.Errorf("read %s %q: %w", what, path, err)
}

// guard turns a panic into a message that asks for a report, and status 250.
func guard(s Streams, status *int) {
	if r := recover(); r != nil {
		fmt.Fprintf(s.Err, "ERROR! unexpected: %v\nThis is a defect of hostler; please report it with what follows.\n%s", r, debug.Stack())
		*status = exitPanic
	}
}
