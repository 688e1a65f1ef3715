package storage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// fstabEntry is one entry of fstab(5), its fields as they are meant, without escapes.
type fstabEntry struct {
	src, path, fstype, opts, dump, passno string
}

// fstabEscapes are what fstab(5) and Ansible write for characters that would end a field or begin something else. The ampersand
// needs no escape, but a line that Ansible wrote has one.
func fstabEscapes() []string {
	return []string{`\`, `\134`, " ", `\040`, "&", `\046`, "\t", `\011`, "\n", `\012`}
}

func escapeField(text string) string { return strings.NewReplacer(fstabEscapes()...).Replace(text) }

func unescapeField(text string) string {
	pairs := fstabEscapes()
	slices.Reverse(pairs)
	return strings.NewReplacer(pairs...).Replace(text)
}

// parseFstabLine reads a line; ok is false for blank lines, comments and what is no entry.
func parseFstabLine(line string) (e fstabEntry, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields) > 6 || strings.HasPrefix(fields[0], "#") {
		return e, false
	}
	for len(fields) < 6 {
		fields = append(fields, "0")
	}
	for i := range fields {
		fields[i] = unescapeField(fields[i])
	}
	return fstabEntry{fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]}, true
}

// line gives the entry as it stands in the file, with its newline.
func (e fstabEntry) line() string {
	fields := []string{e.src, e.path, e.fstype, e.opts, e.dump, e.passno}
	for i := range fields {
		fields[i] = escapeField(fields[i])
	}
	return strings.Join(fields, " ") + "\n"
}

// same reports whether two entries mean the same: options count without their order.
func (e fstabEntry) same(o fstabEntry) bool {
	return slices.Equal(optionSet(e.opts), optionSet(o.opts)) && e.src == o.src && e.path == o.path && e.fstype == o.fstype &&
		e.dump == o.dump && e.passno == o.passno
}

// optionSet gives options in order of their names; defaults says nothing.
func optionSet(opts string) []string {
	set := slices.DeleteFunc(splitOptions(opts), func(o string) bool { return o == "defaults" })
	slices.Sort(set)
	return slices.Compact(set)
}

// splitOptions takes options apart at commas that are not within quotes: context="a,b" is one.
func splitOptions(opts string) []string {
	quoted := false
	return strings.FieldsFunc(opts, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ',' && !quoted
	})
}

// fstabFind gives the entry of a mount point, of which there may be one only. Entries of swap have the path none and are told apart
// by their source.
func fstabFind(text, path, src string) (found fstabEntry, there bool, err error) {
	var at int
	for i, line := range modules.SplitLines(text) {
		e, ok := parseFstabLine(line)
		if !ok || !e.about(path, src) {
			continue
		}
		if there {
			return found, there, fmt.Errorf("%s has two entries, in line %d and line %d: remove one", path, at, i+1)
		}
		found, there, at = e, true, i+1
	}
	return found, there, nil
}

func (e fstabEntry) about(path, src string) bool {
	if path == "none" || path == "swap" {
		return e.fstype == "swap" && e.src == src
	}
	return e.path == path
}

// fstabSet gives the text with the entry in place of the one of its path, or at the end. All other lines stay as they are.
func fstabSet(text string, e fstabEntry) string {
	return fstabEdit(text, e, e.line())
}

// fstabRemove gives the text without the entry of e's path.
func fstabRemove(text string, e fstabEntry) string { return fstabEdit(text, e, "") }

func fstabEdit(text string, e fstabEntry, line string) string {
	var out strings.Builder
	done := false
	for old := range strings.Lines(text) {
		if !strings.HasSuffix(old, "\n") {
			old += "\n"
		}
		if o, ok := parseFstabLine(old); ok && o.about(e.path, e.src) {
			old, line, done = line, "", true
		}
		out.WriteString(old)
	}
	if !done {
		out.WriteString(line)
	}
	return out.String()
}
