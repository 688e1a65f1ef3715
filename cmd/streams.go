package cmd

import (
	"io"
	"os"

	"github.com/hostlerhq/hostler/config"
	"golang.org/x/term"
)

// Streams are where a command reads and writes, so that tests can give it others than the process's.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Terminal reports whether Out is a terminal, and its width; Ask whether In is one, so that a
	// person can be asked.
	Terminal bool
	Width    int
	Ask      bool
	// Env gives an environment variable.
	Env func(name string) string

	conf   *config.Config // what files and environment set; Main reads it
	compat bool           // called by one of Ansible's names
}

// SystemStreams are the process's own.
func SystemStreams() Streams {
	out := int(os.Stdout.Fd())
	s := Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv}
	s.Terminal = term.IsTerminal(out)
	s.Ask = term.IsTerminal(int(os.Stdin.Fd()))
	if w, _, err := term.GetSize(out); err == nil {
		s.Width = w
	}
	return s
}
