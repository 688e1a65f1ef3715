package files

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/hostlerhq/hostler/internal/pyre"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed replace.go
var replaceSource string

// Replace replaces what a regular expression finds in a file.
var Replace = modules.Define("replace", replaceSource+attributesSource, runReplace,
	modules.Aliases("ansible.builtin.replace", "ansible.legacy.replace"))

// ReplaceArgs replace all that a regular expression finds in a file, over lines. A second run must not find it again, which is
// for the expression to see to.
//
//	# A host has got another name.
//	- replace:
//	    path: /etc/hosts
//	    regexp: '(\s+)old\.host\.name(\s+.*)?$'
//	    replace: '\1new.host.name\2'
type ReplaceArgs struct {
	// Path of the file.
	Path modules.Path `arg:"path,alias=dest,alias=destfile,alias=name" required:"true"`
	// Regexp is what to find, in Python's flavour; ^ and $ match at every line.
	Regexp string `arg:"regexp" required:"true"`
	// Replace is what to put in its place, with \1 or \g<name> for groups; without, what was found is removed.
	Replace string `arg:"replace"`
	// After is a regular expression, over lines, behind which alone to replace.
	After string `arg:"after"`
	// Before is a regular expression, over lines, before which alone to replace.
	Before string `arg:"before"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// Validate is a command that checks the new file before it takes its place; %s is its name.
	Validate string `arg:"validate"`
	// Encoding of the file.
	Encoding string `arg:"encoding" default:"utf-8"`
	Attributes
}

// Check holds the rules over several arguments.
func (a ReplaceArgs) Check() error {
	if _, err := compile("regexp", a.Regexp, pyre.Options{Multiline: true}); err != nil {
		return err
	}
	arg := "before"
	if a.After != "" {
		arg = "after"
	}
	if _, err := compile(arg, a.section(), pyre.Options{DotAll: true}); err != nil {
		return err
	}
	if _, err := a.encoding(); err != nil {
		return err
	}
	return checkValidate(a.Validate)
}

// ReplaceResult is what was replaced.
type ReplaceResult struct {
	// Msg says how much was replaced.
	Msg string `json:"msg"`
	// BackupFile is the copy of the old file.
	BackupFile string `json:"backup_file,omitempty"`
	// RC is 0, 256 for a folder and 257 for a file that is not there.
	RC int `json:"rc"`
}

func runReplace(ctx context.Context, h *modules.Host, a ReplaceArgs) (ReplaceResult, error) {
	e := newEdit(a.Path, a.Attributes, a.Backup, a.Validate)
	e.missing = "Path %s does not exist !"
	e.change = func(before string, _ bool) (edited, error) { return a.edit(before) }
	o, err := e.run(ctx, h)
	if modules.IgnorePlanned(err) != nil {
		return ReplaceResult{RC: editCode(err)}, err
	}
	return ReplaceResult{Msg: o.message(), BackupFile: o.backup}, err
}

// encoding gives the file's encoding, nil for UTF-8.
func (a ReplaceArgs) encoding() (encoding.Encoding, error) {
	switch strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(a.Encoding)) {
	case "utf8", "":
		return nil, nil
	case "latin1", "iso88591", "l1", "ascii", "usascii":
		return charmap.ISO8859_1, nil
	}
	enc, err := htmlindex.Get(a.Encoding)
	if err != nil {
		return nil, &modules.ArgError{Path: []any{"encoding"}, Msg: "unknown encoding: " + a.Encoding}
	}
	return enc, nil
}

// section is the expression whose group finds the part of the file in which to replace, "" for all of it.
func (a ReplaceArgs) section() string {
	switch {
	case a.After != "" && a.Before != "":
		return a.After + "(?P<subsection>.*?)" + a.Before
	case a.After != "":
		return a.After + "(?P<subsection>.*)"
	case a.Before != "":
		return "(?P<subsection>.*)" + a.Before
	}
	return ""
}

func (a ReplaceArgs) edit(before string) (edited, error) {
	enc, err := a.encoding()
	if err != nil {
		return edited{}, err
	}
	text := before
	if enc != nil {
		if text, err = enc.NewDecoder().String(before); err != nil {
			return edited{}, fmt.Errorf("read %s as %s: %w", a.Path, a.Encoding, err)
		}
	}
	from, to := 0, len(text)
	if pattern := a.section(); pattern != "" {
		re, err := compile("after", pattern, pyre.Options{DotAll: true})
		if err != nil {
			return edited{}, err
		}
		m, err := re.Search(text)
		if err != nil {
			return edited{}, fmt.Errorf("after, before: %w", err)
		}
		if m == nil {
			return edited{leave: true, msg: "Pattern for before/after params did not match the given file: " + pattern}, nil
		}
		from, to = m.Span("subsection")
	}
	re, err := compile("regexp", a.Regexp, pyre.Options{Multiline: true})
	if err != nil {
		return edited{}, err
	}
	part, n, err := re.Sub(a.Replace, text[from:to], 0)
	switch {
	case err != nil:
		return edited{}, fmt.Errorf("replace %s by %s: %w", a.Regexp, a.Replace, err)
	case part == text[from:to]:
		return edited{content: before}, nil
	}
	after := text[:from] + part + text[to:]
	if enc != nil {
		if after, err = enc.NewEncoder().String(after); err != nil {
			return edited{}, fmt.Errorf("write %s as %s: %w", a.Path, a.Encoding, err)
		}
	}
	return edited{content: after, msg: fmt.Sprintf("%d replacements made", n)}, nil
}
