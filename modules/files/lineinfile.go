package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/pyre"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed lineinfile.go
var lineinfileSource string

// Lineinfile sees to one line of a file.
var Lineinfile = modules.Define("lineinfile", lineinfileSource+attributesSource, runLineinfile,
	modules.Aliases("ansible.builtin.lineinfile", "ansible.legacy.lineinfile"))

// LineinfileArgs see that one line is in a file, in place of the one that a regular expression finds, or that such lines are not.
//
//	# Nobody logs in as root.
//	- lineinfile:
//	    path: /etc/ssh/sshd_config
//	    regexp: '^#?PermitRootLogin'
//	    line: PermitRootLogin no
//	    validate: /usr/sbin/sshd -t -f %s
type LineinfileArgs struct {
	// Path of the file.
	Path modules.Path `arg:"path,alias=dest,alias=destfile,alias=name" required:"true"`
	// State is whether the line shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Regexp finds the line to replace, the last of those that match; with state absent all that match are removed. Its flavour is
	// Python's, and what it matches are bytes.
	Regexp *string `arg:"regexp,alias=regex" exclusive:"find"`
	// SearchString finds the line by a text that it contains.
	SearchString *string `arg:"search_string" exclusive:"find"`
	// Line that shall be there; with state absent the line that shall not.
	Line *string `arg:"line,alias=value"`
	// InsertAfter is a regular expression for the line, the last that matches, behind which a new line goes; EOF is the end.
	InsertAfter *string `arg:"insertafter" exclusive:"where"`
	// InsertBefore is a regular expression for the line, the last that matches, before which a new line goes; BOF is the beginning.
	InsertBefore *string `arg:"insertbefore" exclusive:"where"`
	// Backrefs lets line refer to groups of regexp (\1, \g<name>); then nothing is done where regexp does not match.
	Backrefs bool `arg:"backrefs"`
	// Create makes the file, and folders above it, when it is not there.
	Create bool `arg:"create"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// FirstMatch takes the first line that matches, not the last.
	FirstMatch bool `arg:"firstmatch"`
	// Validate is a command that checks the new file before it takes its place; %s is its name.
	Validate string `arg:"validate"`
	Attributes
}

// Check holds the rules over several arguments.
func (a LineinfileArgs) Check() error {
	switch {
	case a.Backrefs && a.SearchString != nil:
		return errBoth("backrefs", "search_string")
	case a.State == modules.Present && a.Backrefs && a.Regexp == nil:
		return errors.New("regexp is required with backrefs=true")
	case a.State == modules.Present && a.Line == nil:
		return errors.New("line is required with state=present")
	case a.Line == nil && a.Regexp == nil && a.SearchString == nil:
		return errors.New("one of line, search_string, or regexp is required with state=absent")
	}
	if _, err := a.finder(); err != nil {
		return err
	}
	if _, err := a.place(); err != nil {
		return err
	}
	return checkValidate(a.Validate)
}

// LineinfileResult is what became of the line.
type LineinfileResult struct {
	// Msg says what was done.
	Msg string `json:"msg"`
	// Backup is the copy of the old file.
	Backup string `json:"backup"`
	// Found is how many lines were removed.
	Found *int `json:"found,omitempty"`
	// RC is 256 for a folder and 257 for a file that is not there.
	RC int `json:"rc,omitempty"`
}

func runLineinfile(ctx context.Context, h *modules.Host, a LineinfileArgs) (LineinfileResult, error) {
	for _, one := range []struct {
		text         *string
		name, advice string
	}{
		{a.Regexp, "regular expression", " If this is desired, use '^' to match every line in the file and avoid this warning."},
		{a.SearchString, "search string", ""},
	} {
		if one.text != nil && *one.text == "" {
			h.Warn("The %s is an empty string, which will match every line in the file. This may have unintended consequences, "+
				"such as replacing the last line in the file rather than appending.%s", one.name, one.advice)
		}
	}
	e := newEdit(a.Path, a.Attributes, a.Backup, a.Validate)
	e.parted = true
	e.create = a.Create
	var result LineinfileResult
	if a.State == modules.Absent {
		e.change = func(before string, exists bool) (edited, error) {
			if !exists {
				return edited{msg: "file not present", leave: true}, nil
			}
			text, n, err := a.remove(before)
			result.Found = &n
			if n == 0 {
				return edited{content: text}, err
			}
			return edited{content: text, msg: fmt.Sprintf("%d line(s) removed", n)}, err
		}
	} else {
		e.missing = "Destination %s does not exist !"
		e.change = func(before string, _ bool) (edited, error) { return a.insert(before) }
	}
	o, err := e.run(ctx, h)
	if modules.IgnorePlanned(err) != nil {
		return LineinfileResult{RC: editCode(err)}, err
	}
	result.Msg, result.Backup = o.message(), o.backup
	return result, err
}

// splitLines splits after each newline, and nowhere else.
func splitLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	return lines[:len(lines)-1+min(1, len(lines[len(lines)-1]))]
}

// chomp takes a line's end away.
func chomp(line string) string { return strings.TrimRight(line, "\r\n") }

// finder tells of each line whether it is the one to replace or to remove; nil when neither regexp nor search_string says. A
// match is what backrefs refer to.
func (a LineinfileArgs) finder() (func(line string) (bool, *pyre.Match, error), error) {
	switch {
	case a.Regexp != nil:
		re, err := compile("regexp", *a.Regexp, pyre.Options{Bytes: true})
		if err != nil {
			return nil, err
		}
		return func(line string) (bool, *pyre.Match, error) {
			m, err := re.Search(line)
			return m != nil, m, err
		}, nil
	case a.SearchString != nil:
		return func(line string) (bool, *pyre.Match, error) { return strings.Contains(line, *a.SearchString), nil, nil }, nil
	}
	return nil, nil
}

// place compiles what says where a new line goes, nil when it is the beginning or the end.
func (a LineinfileArgs) place() (*pyre.Regexp, error) {
	switch {
	case a.InsertAfter != nil && *a.InsertAfter != "BOF" && *a.InsertAfter != "EOF":
		return compile("insertafter", *a.InsertAfter, pyre.Options{Bytes: true})
	case a.InsertBefore != nil && *a.InsertBefore != "BOF":
		return compile("insertbefore", *a.InsertBefore, pyre.Options{Bytes: true})
	}
	return nil, nil
}

// remove takes the lines away that are not to be there.
func (a LineinfileArgs) remove(text string) (string, int, error) {
	find, err := a.finder()
	if err != nil {
		return text, 0, err
	}
	if find == nil {
		find = func(line string) (bool, *pyre.Match, error) { return chomp(line) == *a.Line, nil, nil }
	}
	var kept strings.Builder
	n := 0
	for _, line := range splitLines(text) {
		found, _, err := find(line)
		if err != nil {
			return text, 0, fmt.Errorf("regexp: %w", err)
		}
		if found {
			n++
			continue
		}
		kept.WriteString(line)
	}
	return kept.String(), n, nil
}

// insert puts the line where it belongs.
func (a LineinfileArgs) insert(text string) (edited, error) {
	lines := splitLines(text)
	at, match, err := a.existing(lines)
	if err != nil {
		return edited{}, err
	}
	line := *a.Line
	switch {
	case at >= 0:
		if a.Backrefs && match != nil {
			if line, err = match.Expand(line); err != nil {
				return edited{}, fmt.Errorf("line: %w: %s", err, *a.Line)
			}
		}
		if !strings.HasSuffix(line, "\n") {
			line += "\n"
		}
		if lines[at] == line {
			return edited{content: text}, nil
		}
		lines[at] = line
		return edited{content: strings.Join(lines, ""), msg: "line replaced"}, nil
	case a.Backrefs:
		return edited{content: text}, nil
	}
	at, err = a.position(lines)
	if err != nil {
		return edited{}, err
	}
	if a.InsertAfter != nil && at > 0 && *a.InsertAfter != "EOF" && a.already(lines, at) {
		return edited{content: text}, nil
	}
	if at == len(lines) && at > 0 && !strings.HasSuffix(lines[at-1], "\n") && !strings.HasSuffix(lines[at-1], "\r") {
		lines[at-1] += "\n"
	}
	lines = slices.Insert(lines, at, line+"\n")
	return edited{content: strings.Join(lines, ""), msg: "line added"}, nil
}

// existing finds the line to replace: by regexp or search_string, or else the very line itself. -1 is none.
func (a LineinfileArgs) existing(lines []string) (int, *pyre.Match, error) {
	find, err := a.finder()
	if err != nil {
		return -1, nil, err
	}
	at := -1
	var match *pyre.Match
	for i, line := range lines {
		if find == nil {
			break
		}
		found, m, err := find(line)
		if err != nil {
			return -1, nil, fmt.Errorf("regexp: %w", err)
		}
		if found {
			at, match = i, m
			if a.FirstMatch {
				break
			}
		}
	}
	if at >= 0 {
		return at, match, nil
	}
	// With firstmatch, the search ends where the place for a new line is found.
	place, err := a.place()
	if err != nil {
		return -1, nil, err
	}
	for i, line := range lines {
		if chomp(line) == *a.Line {
			at = i
			continue
		}
		if place == nil || !a.FirstMatch {
			continue
		}
		if found, err := place.Contains(line); found || err != nil {
			return at, nil, err
		}
	}
	return at, nil, nil
}

// position is where a new line goes.
func (a LineinfileArgs) position(lines []string) (int, error) {
	if present(a.InsertAfter) == "BOF" || present(a.InsertBefore) == "BOF" {
		return 0, nil
	}
	place, err := a.place()
	if place == nil || err != nil {
		return len(lines), err
	}
	at := len(lines)
	for i, line := range lines {
		found, err := place.Contains(line)
		if err != nil {
			return 0, fmt.Errorf("insertafter, insertbefore: %w", err)
		}
		if !found {
			continue
		}
		at = i
		if a.InsertAfter != nil {
			at = i + 1
		}
		if a.FirstMatch {
			break
		}
	}
	return at, nil
}

// already reports that the line is next to the place where it would go.
func (a LineinfileArgs) already(lines []string, at int) bool {
	if at == len(lines) {
		at--
	}
	return chomp(lines[at]) == *a.Line
}
