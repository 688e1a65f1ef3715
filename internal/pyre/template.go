package pyre

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// letters are the escapes of a template that stand for one character.
var letters = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\'}

// Expand gives a template in Python's notation (\1, \g<name>, \n) for the match.
func (m *Match) Expand(template string) (string, error) {
	if !strings.Contains(template, `\`) {
		return template, nil
	}
	var out strings.Builder
	for rest := template; rest != ""; {
		plain, after, found := strings.Cut(rest, `\`)
		out.WriteString(plain)
		if !found {
			break
		}
		text, used, err := m.escape(after)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
		rest = after[used:]
	}
	return out.String(), nil
}

// escape gives what a backslash and the text behind it mean, and how much of that text belongs to it.
func (m *Match) escape(text string) (string, int, error) {
	if text == "" {
		return "", 0, errors.New("bad escape (end of pattern)")
	}
	c := text[0]
	switch {
	case c == 'g':
		return m.named(text)
	case c >= '0' && c <= '9':
		return m.numbered(text)
	}
	if one, ok := letters[c]; ok {
		return string(one), 1, nil
	}
	if isLetter(c) {
		return "", 0, fmt.Errorf(`bad escape \%c`, c)
	}
	return `\` + text[:1], 1, nil
}

func (m *Match) named(text string) (string, int, error) {
	if !strings.HasPrefix(text, "g<") {
		return "", 0, errors.New("missing <")
	}
	name, _, ok := strings.Cut(text[2:], ">")
	switch {
	case !ok:
		return "", 0, errors.New("missing >, unterminated name")
	case name == "":
		return "", 0, errors.New("missing group name")
	}
	value, _, ok := m.Group(name)
	if _, err := strconv.Atoi(name); !ok && err == nil {
		return "", 0, fmt.Errorf("invalid group reference %s", name)
	} else if !ok {
		return "", 0, fmt.Errorf("unknown group name %q", name)
	}
	return value, len(name) + 3, nil
}

// numbered reads \1, \12, and octal characters: \0, \07, \123.
func (m *Match) numbered(text string) (string, int, error) {
	n := 1
	for n < len(text) && n < 3 && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	octal := strings.Trim(text[:n], "01234567") == ""
	switch {
	case text[0] == '0':
		for n > 1 && strings.Trim(text[1:n], "01234567") != "" {
			n--
		}
		octal = true
	case n == 3 && !octal, n == 2:
		n, octal = 2, false
	case n == 1:
		octal = false
	}
	if octal {
		code, err := strconv.ParseUint(text[:n], 8, 16)
		if err != nil || code > 0o377 {
			return "", 0, fmt.Errorf(`octal escape value \%s outside of range 0-0o377`, text[:n])
		}
		return m.re.encode([]rune{rune(code)}), n, nil
	}
	value, _, ok := m.Group(text[:n])
	if !ok {
		return "", 0, fmt.Errorf("invalid group reference %s", text[:n])
	}
	return value, n, nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
