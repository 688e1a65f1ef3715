// Package jinja is a Jinja2 engine: lexer, parser, evaluator, Jinja's own
// filters, tests and globals, with Python's values (package value). It does no
// input or output of its own and can be used alone.
package jinja

import (
	"context"
)

// Scope gives a template its variables, one at a time, as they are read.
type Scope interface {
	// Lookup gives the value of a name. Found false means that there is no such variable;
	// an error ends the rendering and is reported with the template's place.
	Lookup(ctx context.Context, name string) (v any, found bool, err error)
}

// Options set an Env's syntax and rules; the zero value is Jinja's default.
type Options struct {
	TrimBlocks, LstripBlocks, KeepTrailingNewline bool
	// AllowUndefined makes undefined names render as nothing, as Jinja does unless told
	// otherwise. Ansible, and the zero value, make them an error.
	AllowUndefined bool
	// Further fields (delimiters, limits, loader, native) belong to this package's author.
}

// Env is a set of filters, tests, globals and options. It caches what it compiles
// and is safe for concurrent use once its first template was compiled.
type Env struct{}

// New makes an Env with Jinja's own filters, tests and globals.
func New(opts Options) *Env { panic("skeleton") }

// Template is a compiled template, safe for concurrent use.
type Template struct{}

// Expression is a compiled expression without braces, as in when:.
type Expression struct{}

// Template compiles text, or gives the copy compiled before. Name (a file, or the
// position of the text) is for errors.
func (e *Env) Template(name, text string) (*Template, error) { panic("skeleton") }

// Expression compiles an expression, or gives the copy compiled before.
func (e *Env) Expression(name, text string) (*Expression, error) { panic("skeleton") }

// Render gives the text.
func (t *Template) Render(ctx context.Context, s Scope) (string, error) { panic("skeleton") }

// Native gives a native value: that of the expression when the template is one single
// {{ expression }}, else the text (Jinja2's NativeEnvironment says when text becomes a value).
func (t *Template) Native(ctx context.Context, s Scope) (any, error) { panic("skeleton") }

// Value evaluates the expression.
func (x *Expression) Value(ctx context.Context, s Scope) (any, error) { panic("skeleton") }
