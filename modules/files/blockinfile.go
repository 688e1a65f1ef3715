package files

import (
	"context"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/pyre"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed blockinfile.go
var blockinfileSource string

// Blockinfile sees to a block of lines between two markers.
var Blockinfile = modules.Define("blockinfile", blockinfileSource+attributesSource, runBlockinfile,
	modules.Aliases("ansible.builtin.blockinfile", "ansible.legacy.blockinfile"))

// BlockinfileArgs keep a block of lines in a file between two marker lines, by which it is found again.
//
//	# Names that every host knows.
//	- blockinfile:
//	    path: /etc/hosts
//	    block: |
//	      10.0.0.1 storage
//	      10.0.0.2 backup
type BlockinfileArgs struct {
	// Path of the file.
	Path modules.Path `arg:"path,alias=dest,alias=destfile,alias=name" required:"true"`
	// State is whether the block shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Marker is the line before and after the block, in which {mark} becomes marker_begin or marker_end.
	Marker string `arg:"marker" default:"# {mark} ANSIBLE MANAGED BLOCK"`
	// Block is the text; an empty one removes the block with its markers.
	Block string `arg:"block,alias=content"`
	// InsertAfter is a regular expression for the line, the last that matches, behind which a new block goes; EOF is the end.
	InsertAfter *string `arg:"insertafter" exclusive:"where"`
	// InsertBefore is a regular expression for the line, the last that matches, before which a new block goes; BOF is the beginning.
	InsertBefore *string `arg:"insertbefore" exclusive:"where"`
	// Create makes the file, and folders above it, when it is not there.
	Create bool `arg:"create"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// Validate is a command that checks the new file before it takes its place; %s is its name.
	Validate string `arg:"validate"`
	// MarkerBegin is what {mark} becomes before the block.
	MarkerBegin string `arg:"marker_begin" default:"BEGIN"`
	// MarkerEnd is what {mark} becomes after the block.
	MarkerEnd string `arg:"marker_end" default:"END"`
	// PrependNewline sees to an empty line before the block.
	PrependNewline bool `arg:"prepend_newline"`
	// AppendNewline sees to an empty line after the block.
	AppendNewline bool `arg:"append_newline"`
	Attributes
}

// Check holds the rules over several arguments.
func (a BlockinfileArgs) Check() error {
	if _, err := a.place(); err != nil {
		return err
	}
	return checkValidate(a.Validate)
}

// BlockinfileResult is what became of the block.
type BlockinfileResult struct {
	// Msg says what was done.
	Msg string `json:"msg"`
	// BackupFile is the copy of the old file.
	BackupFile string `json:"backup_file,omitempty"`
	// RC is 256 for a folder and 257 for a file that is not there.
	RC int `json:"rc,omitempty"`
}

func runBlockinfile(ctx context.Context, h *modules.Host, a BlockinfileArgs) (BlockinfileResult, error) {
	e := newEdit(a.Path, a.Attributes, a.Backup, a.Validate)
	e.parted = true
	e.create, e.missing = a.Create, "Path %s does not exist !"
	e.change = a.edit
	o, err := e.run(ctx, h)
	if modules.IgnorePlanned(err) != nil {
		return BlockinfileResult{RC: editCode(err)}, err
	}
	return BlockinfileResult{Msg: o.message(), BackupFile: o.backup}, err
}

// anyLine finds where a line begins and ends that \n, \r or \r\n ends.
var anyLine = regexp.MustCompile(`[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+`)

// place compiles what says where a new block goes, nil when it is the beginning or the end.
func (a BlockinfileArgs) place() (*pyre.Regexp, error) {
	switch {
	case a.InsertAfter != nil && *a.InsertAfter != "EOF":
		return compile("insertafter", *a.InsertAfter, pyre.Options{Bytes: true})
	case a.InsertBefore != nil && *a.InsertBefore != "BOF":
		return compile("insertbefore", *a.InsertBefore, pyre.Options{Bytes: true})
	}
	return nil, nil
}

func (a BlockinfileArgs) edit(before string, exists bool) (edited, error) {
	if !exists && a.State == modules.Absent {
		return edited{msg: fmt.Sprintf("File %s not present", a.Path), leave: true}, nil
	}
	lines := anyLine.FindAllString(before, -1)
	begin := strings.ReplaceAll(a.Marker, "{mark}", a.MarkerBegin) + "\n"
	end := strings.ReplaceAll(a.Marker, "{mark}", a.MarkerEnd) + "\n"
	var block []string
	if a.State == modules.Present && a.Block != "" {
		block = []string{begin, strings.TrimSuffix(a.Block, "\n") + "\n", end}
	}
	lines, at, err := a.cut(before, lines, begin, end)
	if err != nil {
		return edited{}, err
	}
	if at > 0 && !strings.HasSuffix(lines[at-1], "\n") {
		lines[at-1] += "\n"
	}
	if a.PrependNewline && a.State == modules.Present && at > 0 && lines[at-1] != "\n" {
		lines, at = slices.Insert(lines, at, "\n"), at+1
	}
	if a.AppendNewline && a.State == modules.Present && at < len(lines) && lines[at] != "\n" {
		lines = slices.Insert(lines, at, "\n")
	}
	lines = slices.Insert(lines, at, block...)
	r := edited{content: strings.Join(lines, "")}
	switch {
	case !exists:
		r.msg = "File created"
	case r.content == before:
	case len(block) == 0:
		r.msg = "Block removed"
	default:
		r.msg = "Block inserted"
	}
	return r, nil
}

// cut takes the block out of the lines and tells where it was, or where a new one goes.
func (a BlockinfileArgs) cut(text string, lines []string, begin, end string) ([]string, int, error) {
	first, last := -1, -1
	for i, line := range lines {
		if line == begin {
			first = i
		}
		if line == end {
			last = i
		}
	}
	if first < 0 || last < 0 {
		at, err := a.position(text, lines)
		return lines, at, err
	}
	if last < first {
		first, last = last, first
	}
	return slices.Delete(lines, first, last+1), first, nil
}

// overLines finds a pattern's flag that lets it match over several lines.
var overLines = regexp.MustCompile(`^\(\?[a-zA-Z]*m`)

// position is where a new block goes.
func (a BlockinfileArgs) position(text string, lines []string) (int, error) {
	place, err := a.place()
	if err != nil {
		return 0, err
	}
	pattern := present(a.InsertAfter) + present(a.InsertBefore)
	at := -1
	switch {
	case place == nil && a.InsertBefore != nil:
		return 0, nil
	case place == nil:
		return len(lines), nil
	case overLines.MatchString(pattern):
		m, err := place.Search(text)
		if err != nil {
			return 0, fmt.Errorf("insertafter, insertbefore: %w", err)
		}
		if m == nil {
			break
		}
		start, end := m.Span("0")
		if a.InsertAfter != nil {
			start = end
		}
		at = strings.Count(text[:start], "\n")
	default:
		for i, line := range lines {
			found, err := place.Contains(line)
			if err != nil {
				return 0, fmt.Errorf("insertafter, insertbefore: %w", err)
			}
			if found {
				at = i
			}
		}
	}
	switch {
	case at < 0:
		return len(lines), nil
	case a.InsertAfter != nil:
		at++
	}
	return min(at, len(lines)), nil
}
