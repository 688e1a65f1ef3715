// Package jinja is a Jinja2 engine: lexer, parser, evaluator, Jinja's own
// filters, tests and globals, with Python's values (package value). It does no
// input or output of its own and can be used alone.
//
// Where Jinja2 and Ansible differ, Ansible wins: undefined values are errors when
// they are used, an attribute of an undefined value is the same undefined value,
// and filters give lists where Jinja2 gives generators.
package jinja

import (
	"context"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Scope gives a template its variables, one at a time, as they are read.
type Scope interface {
	// Lookup gives the value of a name. Found false means that there is no such variable;
	// an error ends the rendering and is reported with the template's place.
	Lookup(ctx context.Context, name string) (v any, found bool, err error)
}

// Loader gives the text of the templates that include, import, from and extends
// name. A Scope that is also a Loader is asked before Options.Loader.
type Loader interface {
	// Load finds the template called name as seen from the template called from. Path is the
	// name for errors and for further Loads. No such template: an error that is fs.ErrNotExist.
	Load(ctx context.Context, name, from string) (path, text string, err error)
}

// Options set an Env's syntax and rules; the zero value is Jinja's default, but
// with strict undefined.
type Options struct {
	TrimBlocks, LstripBlocks, KeepTrailingNewline bool
	// AllowUndefined makes undefined names render as nothing, as Jinja does unless told
	// otherwise. Ansible, and the zero value, make them an error.
	AllowUndefined bool
	// NoneEmpty prints a {{ None }} as nothing, as Ansible does; Jinja prints None.
	NoneEmpty bool
	// Literals makes Native read its text as a Python literal, as Jinja2's NativeEnvironment and
	// Ansible's jinja2_native before ansible-core 2.19 do.
	Literals bool
	// RawStrings makes the backslashes in strings of {{ }} stand for themselves, but for one before the string's own quote, in
	// text that is part of a file (TemplateAt, ExpressionAt). So Ansible has it: there YAML has done its unescaping.
	RawStrings bool
	// The delimiters; empty means Jinja's own. The two prefixes are off when empty.
	BlockStart, BlockEnd, VariableStart, VariableEnd, CommentStart, CommentEnd string
	LineStatementPrefix, LineCommentPrefix                                     string
	// NewlineSequence is what line ends in the template become; empty means "\n".
	NewlineSequence string
	// Loader finds included and imported templates; may be nil.
	Loader Loader
	// MaxOutput bounds the bytes of one rendering and of any one string made in it; 0 means 16 MiB.
	MaxOutput int
	// MaxMemory bounds the bytes of the values that one rendering makes and holds at a time, counted roughly; 0 means 32 MiB.
	MaxMemory int
	// MaxSteps bounds the loop steps of one rendering; 0 means ten million.
	MaxSteps int
	// MaxDepth bounds nested macro calls, includes and blocks; 0 means 200.
	MaxDepth int
}

// Template is a compiled template, safe for concurrent use.
type Template struct {
	env  *Env
	opts *Options
	code *code
	at   origin
}

// Expression is a compiled expression without braces, as in when:.
type Expression struct {
	env  *Env
	opts *Options
	code *code
	at   origin
}

// Template compiles text, or gives the copy compiled before. Name (a file, or the
// position of the text) is for errors.
func (e *Env) Template(name, text string) (*Template, error) {
	return e.template(origin{name: name, line: 1, col: 1}, text, &e.fileOpts)
}

// TemplateAt is Template for text that begins at a place inside a file.
func (e *Env) TemplateAt(pos diag.Pos, text string) (*Template, error) {
	return e.template(originOf(pos), text, &e.opts)
}

// TemplateWith is Template with other options than the Env's, as a #jinja2: header asks for.
func (e *Env) TemplateWith(name, text string, opts Options) (*Template, error) {
	opts.RawStrings = false
	return e.template(origin{name: name, line: 1, col: 1}, text, &opts)
}

// Expression compiles an expression, or gives the copy compiled before.
func (e *Env) Expression(name, text string) (*Expression, error) {
	return e.expression(origin{name: name, line: 1, col: 1}, text, &e.fileOpts)
}

// ExpressionAt is Expression for text that begins at a place inside a file.
func (e *Env) ExpressionAt(pos diag.Pos, text string) (*Expression, error) {
	return e.expression(originOf(pos), text, &e.opts)
}

// ConditionAt is ExpressionAt for conditions, which Options.RawStrings does not concern: Ansible evaluates them in {% if %}.
func (e *Env) ConditionAt(pos diag.Pos, text string) (*Expression, error) {
	return e.expression(originOf(pos), text, &e.fileOpts)
}

// Options gives a copy of the Env's options, to change for TemplateWith.
func (e *Env) Options() Options { return e.opts }
