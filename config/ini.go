package config

import (
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

// entry is one key of a file.
type entry struct {
	section, key, value string
	pos                 diag.Pos
}

// parse reads a file as Python's configparser does with Ansible's options: sections, key = value or key: value, comments
// that begin a line with # or ; or follow a blank and ;, values that go on in indented lines.
func parse(file string, text []byte) ([]entry, diag.List) {
	var (
		out      []entry
		mistakes diag.List
		section  string
		open     bool // the last line was a key, so that an indented line continues it
	)
	for i, raw := range strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n") {
		pos := diag.Pos{File: file, Line: i + 1, Col: 1}
		line := strings.TrimRight(raw, " \t")
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
			continue
		case trimmed[0] == '[' && strings.HasSuffix(uncommented(trimmed), "]"):
			section, open = strings.Trim(uncommented(trimmed), "[]"), false
			continue
		case open && (line[0] == ' ' || line[0] == '\t'):
			last := &out[len(out)-1]
			last.value = strings.TrimSpace(last.value + "\n" + uncommented(trimmed))
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 0 {
			mistakes = append(mistakes, diag.Errorf(pos, "%q is no setting", trimmed).WithHint("write key = value"))
			continue
		}
		if section == "" {
			mistakes = append(mistakes, diag.Errorf(pos, "%q stands before any section", trimmed).WithHint("begin with [defaults]"))
			continue
		}
		out = append(out, entry{
			section: section, key: strings.ToLower(strings.TrimSpace(line[:at])),
			value: strings.TrimSpace(uncommented(line[at+1:])), pos: pos,
		})
		open = true
	}
	return out, mistakes
}

// uncommented cuts off a comment that follows a blank.
func uncommented(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] == ';' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			return strings.TrimSpace(s[:i])
		}
	}
	return strings.TrimSpace(s)
}

// unquoted takes one pair of quotes off.
func unquoted(s string) string {
	if n := len(s); n > 1 && s[0] == s[n-1] && (s[0] == '"' || s[0] == '\'') {
		return s[1 : n-1]
	}
	return s
}
