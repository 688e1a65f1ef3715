package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/modules"
)

// Name is section.key, as in the file.
type Name string

// Kind is what a setting's text must be.
type Kind int

// The kinds.
const (
	Text  Kind = iota
	Bool       // yes, no, true, false, on, off, 1, 0 …
	Int        // a whole number
	List       // words between commas
	Path       // a file or folder, relative to the file that sets it
	Paths      // folders between colons
	Files      // files between commas
	OneOf      // one of Choices
)

// Support tells what a setting does here.
type Support int

// The supports.
const (
	Works       Support = iota
	Ignored             // it has nothing to act on here, or what it asks for is so anyhow; Note says why
	Unsupported         // setting it to anything but its default is warned of; Note says what to do
)

// Setting is one row of the table.
type Setting struct {
	Name    Name
	Also    []Name   // older and other spellings
	Env     []string // without HOSTLER_ or ANSIBLE_ before it; "=X" is X as it stands
	Kind    Kind
	Default string
	Choices []string
	Support Support
	Note    string
}

// Value is what a setting came to.
type Value struct {
	Text   string
	Origin string // "default", a variable's name, or file:line
	Pos    diag.Pos
	dir    string // relative paths begin here; "" is the working directory
}

// IsDefault reports whether nothing sets it.
func (v Value) IsDefault() bool { return v.Origin == defaultOrigin }

const defaultOrigin = "default"

// keys are all spellings in files.
func (s *Setting) keys() []Name { return append([]Name{s.Name}, s.Also...) }

// check gives the mistake in a value, or nil.
func (s *Setting) check(v Value) *diag.Error {
	var err error
	hint := ""
	switch s.Kind {
	case Bool:
		_, err = modules.Bool(v.Text)
		hint = "it is yes or no"
	case Int:
		_, err = strconv.Atoi(v.Text)
		if err != nil && v.Text == "" {
			err = nil // as good as unset
		}
		hint = "it takes a whole number"
	case OneOf:
		if !slices.Contains(s.Choices, strings.ToLower(v.Text)) {
			err = fmt.Errorf("not one of them")
			hint = "it is one of " + strings.Join(s.Choices, ", ")
			if near := diag.Near(v.Text, s.Choices); near != "" {
				hint += fmt.Sprintf("; did you mean %q?", near)
			}
		}
	}
	if err == nil {
		return nil
	}
	what := string(s.Name)
	if v.Pos.IsZero() {
		what = v.Origin
	}
	return diag.Errorf(v.Pos, "setting %s cannot be %q", what, v.Text).WithHint("%s", hint)
}

// Variables are the names of the environment that set it, the strongest first.
func (s *Setting) Variables() []string {
	var out []string
	for _, prefix := range []string{"HOSTLER_", "ANSIBLE_"} {
		for _, name := range s.Env {
			if plain, ok := strings.CutPrefix(name, "="); ok {
				name = plain
			} else {
				name = prefix + name
			}
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}
