package jinja

// Undefined is the value of a name, attribute or item that does not exist. Any use
// of it but default, is defined and is undefined is an error (Options.AllowUndefined: prints
// as nothing). Its own attributes and items are itself, so that a.b.c | default(x) works when b is missing.
type Undefined struct {
	// Name is the path as written in the template, as far as known: "vm.disks".
	Name string
	// Text says what is missing: "'vm' is undefined".
	Text string
	pos  int // byte offset in the template
	code *code
}

// Markup is text that is HTML already: escaping leaves it alone.
type Markup string

// UndefinedError is implemented by errors that come of using an undefined value.
type UndefinedError interface {
	error
	Undefined() *Undefined
}
