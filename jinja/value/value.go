// Package value holds the values that templates, variables, module arguments
// and results are made of, with Python's meaning.
//
// A value is an any holding one of: nil (None), bool, int, *big.Int (an integer
// too large for int), float64, string, Bytes, *List, *Dict, Tuple, and while a
// template runs also undefined values, functions and the like of package jinja.
// What is written in files may also hold *Template (text still to be
// rendered) and *Sealed (vaulted text still to be opened); neither ever comes
// out of rendering.
package value

import (
	"context"
	"math/big"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Template is text with Jinja in it, as read from a file; rendering replaces
// it by its result. A string that is not a Template is never rendered: facts,
// registered results and !unsafe text are plain strings.
type Template struct {
	Text string
	Pos  diag.Pos
}

// Sealed is a !vault value still to be opened.
type Sealed struct {
	Text string
	Pos  diag.Pos
}

// Bytes is Python's bytes.
type Bytes []byte

// Tuple is Python's tuple. It is a slice and so must not be used as a Dict key
// directly; Dict handles tuple keys itself.
type Tuple []any

// List is Python's list: a reference, so that append is seen by all who hold it.
type List struct{ Items []any }

// NewList makes a list of the items; it keeps the slice.
func NewList(items ...any) *List { return &List{Items: items} }

// Len gives the number of items.
func (l *List) Len() int { return len(l.Items) }

// Append adds items at the end.
func (l *List) Append(items ...any) { l.Items = append(l.Items, items...) }

// Markup is text that is HTML already: escaping leaves it alone. Everywhere else it is a string.
type Markup string

// Mapping is a mapping whose entries are made when they are read, such as hostvars.
// Templates read it like a dict.
type Mapping interface {
	Lookup(ctx context.Context, key any) (v any, found bool, err error)
	Keys(ctx context.Context) ([]any, error)
	// TypeName is Python's type(x).__name__.
	TypeName() string
}

// Custom is what kinds of value made in other packages implement, so that this package can
// print and judge them. A kind may also have Text() (string, error) for str() and
// Equal(other any) (bool, error) for ==; without them Repr and identity serve.
type Custom interface {
	TypeName() string
	Repr() (string, error)
	Truth() (bool, error)
}

// Wrapper is a Custom that is printed as another value between two texts. One that may contain itself must be a Wrapper, lest
// printing it never ends.
type Wrapper interface {
	Wraps() (before string, inner any, after string)
}

// TypeName is the name of v's type in Python: str, int, dict, NoneType ….
func TypeName(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int, *big.Int:
		return "int"
	case float64:
		return "float"
	case string, *Template, *Sealed:
		return "str"
	case Markup:
		return "Markup"
	case Bytes:
		return "bytes"
	case *List:
		return "list"
	case *Dict:
		return "dict"
	case Tuple:
		return "tuple"
	case interface{ TypeName() string }:
		return x.TypeName()
	}
	return "object"
}

// AsString gives the text of a string or Markup.
func AsString(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case Markup:
		return string(x), true
	}
	return "", false
}
