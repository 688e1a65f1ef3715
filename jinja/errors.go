package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/internal/diag"
)

// origin is where the text of a template begins.
type origin struct {
	name      string
	line, col int
}

func originOf(pos diag.Pos) origin {
	return origin{name: pos.File, line: max(pos.Line, 1), col: max(pos.Col, 1)}
}

// place is a byte offset in the text of some code.
type place struct {
	code *code
	at   origin
	pos  int
}

// position gives the place in the file. In lines after the first, columns count within the template's text,
// which a YAML block may have indented further.
func (p place) position() diag.Pos {
	before := p.code.src[:min(p.pos, len(p.code.src))]
	line := strings.Count(before, "\n")
	col := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	if line == 0 {
		return diag.Pos{File: p.at.name, Line: p.at.line, Col: p.at.col + col}
	}
	return diag.Pos{File: p.at.name, Line: p.at.line + line, Col: col + 1}
}

// Step is one step on the way from the template that was rendered to the place of an error.
type Step struct {
	// What the step was: "macro disk", "include", "import", "block body" …
	What string
	Pos  diag.Pos
}

// Error is a mistake in a template, or something that went wrong while it was rendered.
// Its text is "file:line:col: what", and the steps that led there.
type Error struct {
	Pos diag.Pos
	// Snippet is the template's line with the mistake, and a caret under it.
	Snippet string
	// Err says what is wrong: an UndefinedError, a *value.Error or what a Func or Scope returned.
	Err error
	// Hint may name something similar that exists.
	Hint string
	// Chain is how the place was reached, innermost first; empty in the template itself.
	Chain []Step
}

func (e *Error) Error() string {
	var b strings.Builder
	if !e.Pos.IsZero() {
		b.WriteString(e.Pos.String())
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	for i := 0; i < len(e.Chain); {
		s := e.Chain[i]
		first := i
		for i < len(e.Chain) && e.Chain[i] == s {
			i++
		}
		fmt.Fprintf(&b, " (in %s at %s", s.What, s.Pos)
		if times := i - first; times > 1 { // a recursion
			fmt.Fprintf(&b, ", %d times", times)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// maxSnippet is how many characters of a line a snippet shows.
const maxSnippet = 160

func (p place) snippet() string {
	src := p.code.src
	at := min(p.pos, len(src))
	start := strings.LastIndexByte(src[:at], '\n') + 1
	end := len(src)
	if n := strings.IndexByte(src[at:], '\n'); n >= 0 {
		end = at + n
	}
	line := []rune(src[start:end])
	col := utf8.RuneCountInString(src[start:at])
	if len(line) > maxSnippet {
		from := max(0, min(col-maxSnippet/2, len(line)-maxSnippet))
		line, col = line[from:from+maxSnippet], col-from
	}
	return strings.ReplaceAll(string(line), "\t", " ") + "\n" + strings.Repeat(" ", col) + "^"
}

// errorAt wraps err with its place, unless a deeper place wrapped it already.
func (rt *runtime) errorAt(p place, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	e := &Error{Pos: p.position(), Snippet: p.snippet(), Err: err}
	if s, ok := errors.AsType[*syntaxError](err); ok && s.name != "" {
		if near := diag.Near(s.name, s.near); near != "" {
			e.Hint = "did you mean " + near + "?"
		}
	}
	if u, ok := errors.AsType[*undefinedError](err); ok && u.u.key != "" && rt != nil {
		if near := diag.Near(u.u.key, rt.candidates(u.u.owner)); near != "" {
			e.Hint = "did you mean " + near + "?"
		}
	}
	if rt != nil {
		for _, s := range slices.Backward(rt.chain) {
			e.Chain = append(e.Chain, Step{What: s.what, Pos: s.from.position()})
		}
	}
	return e
}

// fail wraps err with the place of a node.
func (f *frame) fail(pos int, err error) error {
	return f.rt.errorAt(f.place(pos), err)
}

func (f *frame) place(pos int) place {
	return place{code: f.space.code, at: f.space.at, pos: pos}
}
