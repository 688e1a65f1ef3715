// Package diag carries the positions, hints and snippets of errors about
// files that users write. It prints nothing itself: cmd and report do.
package diag

import (
	"errors"
	"fmt"
	"strings"
)

// Pos is a place in a file. Line and Col count from 1; zero means unknown.
// Col counts characters (runes), not bytes.
type Pos struct {
	File string
	Line int
	Col  int
}

// IsZero reports whether the position is unknown altogether.
func (p Pos) IsZero() bool { return p == Pos{} }

// String gives file:line:col, leaving out what is unknown.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
}

// Severity tells an error, which stops a run, from a warning.
type Severity int

// The severities.
const (
	Fatal Severity = iota
	Warning
)

// Error is a mistake at a place in a user's file. Its text is
// "file:line:col: what"; Snippet and Hint are printed on lines of their own.
type Error struct {
	Pos      Pos
	Err      error
	Hint     string // what to do, without "hint:"; may be empty
	Severity Severity
	// Rule is the name of the check that found it, empty where none has a name.
	Rule string
}

// Errorf makes an Error; %w works as in fmt.Errorf.
func Errorf(pos Pos, format string, args ...any) *Error {
	return &Error{Pos: pos, Err: fmt.Errorf(format, args...)}
}

// WithRule returns e with its rule set, unless it has one.
func (e *Error) WithRule(rule string) *Error {
	if e.Rule == "" {
		e.Rule = rule
	}
	return e
}

// WithHint returns e with its hint set.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) Error() string {
	if e.Pos.IsZero() {
		return e.Err.Error()
	}
	return e.Pos.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// List is every mistake found, in the order of the files. A loader gathers
// them all before it gives up, so that a user mends them in one go.
type List []*Error

// Add appends errors; a nested List is flattened, a plain error gets no position.
func (l *List) Add(errs ...error) {
	for _, err := range errs {
		if err == nil {
			continue
		}
		if nested, ok := errors.AsType[List](err); ok {
			*l = append(*l, nested...)
			continue
		}
		if one, ok := errors.AsType[*Error](err); ok {
			*l = append(*l, one)
			continue
		}
		*l = append(*l, &Error{Err: err})
	}
}

// Err gives the list as an error, or nil when nothing in it is fatal.
func (l List) Err() error {
	for _, e := range l {
		if e.Severity == Fatal {
			return l
		}
	}
	return nil
}

func (l List) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}
