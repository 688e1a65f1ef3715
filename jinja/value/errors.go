package value

import "fmt"

// Kind is the Python exception that an Error stands for.
type Kind string

// The kinds.
const (
	TypeError         Kind = "TypeError"
	ValueError        Kind = "ValueError"
	KeyError          Kind = "KeyError"
	IndexError        Kind = "IndexError"
	AttributeError    Kind = "AttributeError"
	ZeroDivisionError Kind = "ZeroDivisionError"
	OverflowError     Kind = "OverflowError"
	RuntimeError      Kind = "RuntimeError"
	RecursionError    Kind = "RecursionError"
	// LimitError has no Python counterpart: a bound that keeps a rendering small was passed.
	LimitError Kind = "LimitError"
)

// Error is what Python would raise.
type Error struct {
	Kind Kind
	Text string
}

func (e *Error) Error() string { return e.Text }

// Errorf makes an Error.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}
