package jinja

import (
	"github.com/hostlerhq/hostler/jinja/value"
)

// Undefined is the value of a name, attribute or item that does not exist. Any use
// of it but default, is defined and is undefined is an error (Options.AllowUndefined: prints
// as nothing). Its own attributes and items are itself, so that a.b.c | default(x) works when b is missing.
type Undefined struct {
	// Name is the path as written in the template, as far as known: "vm.disks".
	Name string
	// Reason says what is missing: "'vm' is undefined".
	Reason string
	place  place
	rt     *runtime
	owner  any    // what lacks the attribute or item
	key    string // the name that is missing; "" when it is no name
	soft   bool   // of an if without else: prints as nothing even where undefined values are errors
}

// Markup is text that is HTML already: escaping leaves it alone.
type Markup = value.Markup

// UndefinedError is implemented by errors that come of using an undefined value.
type UndefinedError interface {
	error
	Undefined() *Undefined
}

// undefinedError is the use of an undefined value.
type undefinedError struct{ u *Undefined }

func (e *undefinedError) Error() string { return e.u.Reason }

// Undefined gives the value that was used.
func (e *undefinedError) Undefined() *Undefined { return e.u }

// Use gives the error of using u.
func (u *Undefined) Use() error {
	err := &undefinedError{u}
	if u.rt == nil {
		return err
	}
	return u.rt.errorAt(u.place, err)
}

// TypeName implements value.Custom.
func (u *Undefined) TypeName() string { return "Undefined" }

func (u *Undefined) lenient() bool { return u.soft || u.rt != nil && u.rt.opts.AllowUndefined }

// Repr implements value.Custom.
func (u *Undefined) Repr() (string, error) {
	if u.lenient() {
		return "Undefined", nil
	}
	return "", u.Use()
}

// Text of an undefined value is empty, where that is allowed at all.
func (u *Undefined) Text() (string, error) {
	if u.lenient() {
		return "", nil
	}
	return "", u.Use()
}

// Truth implements value.Custom.
func (u *Undefined) Truth() (bool, error) {
	if u.lenient() {
		return false, nil
	}
	return false, u.Use()
}

// Equal makes == an error, or lets two undefined values be equal where they are allowed.
func (u *Undefined) Equal(other any) (bool, error) {
	o, same := other.(*Undefined)
	if same && !o.lenient() {
		return false, o.Use() // whose comparison it is, being the stricter type
	}
	if u.lenient() {
		return same, nil
	}
	return false, u.Use()
}

// Hashable makes using u as a key an error.
func (u *Undefined) Hashable() error {
	if u.lenient() {
		return nil
	}
	return u.Use()
}

// deepest is how many containers within each other Defined looks through.
const deepest = 500

// Defined gives the error of the first undefined value within v, nil when there is none: a list read from a variable
// may hold one that nobody used yet.
func Defined(v any) error { return defined(v, 0) }

func defined(v any, depth int) error {
	if depth > deepest {
		return value.Errorf(value.RecursionError, "the value contains itself or nests too deeply")
	}
	switch v := v.(type) {
	case *Undefined:
		if !v.lenient() {
			return v.Use()
		}
	case *value.List:
		return definedAll(v.Items, depth)
	case value.Tuple:
		return definedAll(v, depth)
	case *value.Dict:
		for _, item := range v.All() {
			if err := defined(item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func definedAll(items []any, depth int) error {
	for _, item := range items {
		if err := defined(item, depth+1); err != nil {
			return err
		}
	}
	return nil
}
