package pyre

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// asciiClasses are what letters, digits and blanks are in a pattern of bytes: inside of a class and, with brackets, outside.
var asciiClasses = map[byte]string{
	'd': `0-9`, 'D': `\x00-/:-\xff`,
	'w': `a-zA-Z0-9_`, 'W': "\\x00-/:-@\\[-^`{-\\xff",
	's': `\t-\r `, 'S': `\x00-\x08\x0e-\x1f!-\xff`,
}

// The borders of words in a pattern of bytes.
const (
	asciiBorder   = `(?:(?<=[a-zA-Z0-9_])(?![a-zA-Z0-9_])|(?<![a-zA-Z0-9_])(?=[a-zA-Z0-9_]))`
	asciiNoBorder = `(?:(?<=[a-zA-Z0-9_])(?=[a-zA-Z0-9_])|(?<![a-zA-Z0-9_])(?![a-zA-Z0-9_]))`
)

var atMost = regexp.MustCompile(`^\{,[0-9]*\}`)

// translator writes a pattern of Python's for an engine of .NET's kind.
type translator struct {
	out     strings.Builder
	bytes   bool
	names   map[string]int
	groups  int
	inClass bool
}

// translate gives the pattern for the engine, where \Z is \z, (?P<name> is (?<name>, and named groups are numbered after all
// others: so every group gets its number explicitly.
func translate(text string, bytes bool) (string, map[string]int, error) {
	t := &translator{bytes: bytes, names: map[string]int{}}
	for text != "" {
		used, err := t.step(text)
		if err != nil {
			return "", nil, err
		}
		text = text[used:]
	}
	return t.out.String(), t.names, nil
}

// step translates what the rest begins with and tells how much that was.
func (t *translator) step(rest string) (int, error) {
	switch {
	case rest[0] == '\\':
		return t.escape(rest)
	case t.inClass && rest[0] == '[':
		t.out.WriteString(`\[`) // a class within a class is .NET's
		return 1, nil
	case t.inClass:
		t.inClass = rest[0] != ']'
	case rest[0] == '[':
		t.inClass = true
		n := classStart(rest)
		t.out.WriteString(rest[:n])
		return n, nil
	case rest[0] == '(':
		return t.open(rest)
	case rest[0] == '{':
		if m := atMost.FindString(rest); m != "" {
			t.out.WriteString("{0" + m[1:])
			return len(m), nil
		}
	}
	t.out.WriteByte(rest[0])
	return 1, nil
}

// open translates the beginning of a group.
func (t *translator) open(rest string) (int, error) {
	switch {
	case strings.HasPrefix(rest, "(?#"):
		comment, _, ok := strings.Cut(rest, ")")
		if !ok {
			return 0, errors.New("missing ), unterminated comment")
		}
		return len(comment) + 1, nil
	case strings.HasPrefix(rest, "(?P="):
		name, _, ok := strings.Cut(rest[4:], ")")
		if t.names[name] == 0 || !ok {
			return 0, fmt.Errorf("unknown group name %q", name)
		}
		t.out.WriteString(`\k<` + strconv.Itoa(t.names[name]) + ">")
		return 5 + len(name), nil
	case strings.HasPrefix(rest, "(?P<"):
		name, _, ok := strings.Cut(rest[4:], ">")
		if !ok || name == "" {
			return 0, errors.New("missing group name")
		}
		if t.names[name] != 0 {
			return 0, fmt.Errorf("redefinition of group name %q", name)
		}
		t.groups++
		t.names[name] = t.groups
		t.out.WriteString("(?<" + strconv.Itoa(t.groups) + ">")
		return 5 + len(name), nil
	case strings.HasPrefix(rest, "(?<") && !strings.HasPrefix(rest, "(?<=") && !strings.HasPrefix(rest, "(?<!"), strings.HasPrefix(rest, "(?'"):
		return 0, fmt.Errorf("unknown extension %s", rest[1:min(len(rest), 4)])
	case !strings.HasPrefix(rest, "(?"):
		t.groups++
		t.out.WriteString("(?<" + strconv.Itoa(t.groups) + ">")
		return 1, nil
	}
	t.out.WriteByte('(')
	return 1, nil
}

// escape translates a backslash and what is behind it.
func (t *translator) escape(rest string) (int, error) {
	if len(rest) == 1 {
		return 0, errors.New("bad escape (end of pattern)")
	}
	c := rest[1]
	class, isClass := asciiClasses[c]
	known := "dDwWsSbntrfvax"
	if !t.inClass {
		known += "ABZ"
	}
	if !t.bytes {
		known += "uU"
	}
	switch {
	case isLetter(c) && !strings.ContainsRune(known, rune(c)):
		return 0, fmt.Errorf(`bad escape \%c`, c)
	case c == 'Z':
		t.out.WriteString(`\z`)
	case c == 'U':
		return t.long(rest)
	case t.bytes && isClass && t.inClass:
		t.out.WriteString(class)
	case t.bytes && isClass:
		t.out.WriteString("[" + class + "]")
	case t.bytes && c == 'b' && !t.inClass:
		t.out.WriteString(asciiBorder)
	case t.bytes && c == 'B':
		t.out.WriteString(asciiNoBorder)
	case c == '_' || c >= 0x80: // the engine knows no such escapes
		return 1, nil
	default:
		t.out.WriteString(rest[:2])
	}
	return 2, nil
}

// long translates \U and eight digits.
func (t *translator) long(rest string) (int, error) {
	if len(rest) >= 10 {
		if code, err := strconv.ParseUint(rest[2:10], 16, 32); err == nil && code <= 0x10ffff {
			t.out.WriteString(regexp.QuoteMeta(string(rune(code))))
			return 10, nil
		}
	}
	return 0, errors.New(`incomplete escape \U`)
}

// classStart is how long the beginning of a class is in which a ] stands for itself: "[", "[^", "[]", "[^]".
func classStart(text string) int {
	n := 1
	if n < len(text) && text[n] == '^' {
		n++
	}
	if n < len(text) && text[n] == ']' {
		n++
	}
	return n
}
