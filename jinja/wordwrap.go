package jinja

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

func filterWordwrap(c *Call) (any, error) {
	s, ok := value.AsString(c.Value)
	if !ok {
		return nil, value.Errorf(value.AttributeError, "'%s' object has no attribute 'splitlines'", value.TypeName(c.Value))
	}
	width, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	breakLong, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	onHyphens, err := c.Truth(c.Args[3])
	if err != nil {
		return nil, err
	}
	end := cmp.Or(c.rt.opts.NewlineSequence, "\n")
	if c.Args[2] != nil {
		if end, err = c.Text(c.Args[2]); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, line := range splitLines(s, false) {
		if width <= 0 {
			return nil, value.Errorf(value.ValueError, "invalid width %d (must be > 0)", width)
		}
		w := wrapper{width: width, breakLong: breakLong, onHyphens: onHyphens}
		out = append(out, strings.Join(w.wrap(line), end))
	}
	return strings.Join(out, end), nil
}

// wrapper wraps one line as Python's textwrap does.
type wrapper struct {
	width                int
	breakLong, onHyphens bool
}

// chunks splits a line into words and white space; words behind their hyphens too.
func (w wrapper) chunks(line string) []string {
	var out []string
	isBlank := func(r rune) bool { return strings.ContainsRune("\t\n\v\f\r ", r) }
	for line != "" {
		end := strings.IndexFunc(line, func(r rune) bool { return isBlank(r) != isBlank(rune(line[0])) })
		if end < 0 {
			end = len(line)
		}
		word := line[:end]
		line = line[end:]
		if !isBlank(rune(word[0])) && w.onHyphens {
			out = append(out, splitHyphens(word)...)
			continue
		}
		out = append(out, word)
	}
	return out
}

// dashes finds the first run of at least two hyphens.
func dashes(s string) (from, to int, found bool) {
	if from = strings.Index(s, "--"); from < 0 {
		return 0, 0, false
	}
	rest := strings.TrimLeft(s[from:], "-")
	return from, len(s) - len(rest), true
}

// splitHyphens splits a word behind hyphens that have letters on both sides, and around long dashes.
func splitHyphens(word string) []string {
	var out []string
	for word != "" {
		if from, to, found := dashes(word); found && from > 0 && to < len(word) && isWordRune(lastRune(word[:from])) {
			if r, _ := utf8.DecodeRuneInString(word[to:]); isWordRune(r) {
				out = append(out, splitHyphens(word[:from])...)
				out = append(out, word[from:to])
				word = word[to:]
				continue
			}
		}
		out = append(out, behindHyphens(word)...)
		break
	}
	return out
}

func lastRune(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

// behindHyphens splits a word behind each hyphen to break at: behind two letters, or one between hyphens, and before
// two letters.
func behindHyphens(word string) []string {
	var out []string
	r := []rune(word)
	is := func(i int, ok func(rune) bool) bool { return i >= 0 && i < len(r) && ok(r[i]) }
	letter := func(r rune) bool { return unicode.IsLetter(r) || r == '_' }
	hyphen := func(r rune) bool { return r == '-' }
	start := 0
	for i := range r {
		behind := is(i-2, letter) && is(i-1, letter) || is(i-3, letter) && is(i-2, hyphen) && is(i-1, letter)
		before := is(i+1, letter) && (is(i+2, letter) || is(i+2, hyphen) && is(i+3, letter))
		if r[i] == '-' && i > start && behind && before {
			out = append(out, string(r[start:i+1]))
			start = i + 1
		}
	}
	return append(out, string(r[start:]))
}

func (w wrapper) wrap(line string) []string {
	var lines []string
	chunks := w.chunks(line)
	size := utf8.RuneCountInString
	blank := func(s string) bool { return strings.TrimFunc(s, isSpace) == "" }
	for len(chunks) > 0 {
		var cur []string
		n := 0
		if blank(chunks[0]) && len(lines) > 0 {
			chunks = chunks[1:]
		}
		for len(chunks) > 0 && n+size(chunks[0]) <= w.width {
			cur = append(cur, chunks[0])
			n += size(chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && size(chunks[0]) > w.width {
			switch room := w.width - n; {
			case w.breakLong:
				head, rest := w.cut(chunks[0], max(room, boolInt(w.width < 1)))
				cur, chunks[0] = append(cur, head), rest
			case len(cur) == 0:
				cur, chunks = append(cur, chunks[0]), chunks[1:]
			}
		}
		if len(cur) > 0 && blank(cur[len(cur)-1]) {
			cur = cur[:len(cur)-1]
		}
		if len(cur) > 0 {
			lines = append(lines, strings.Join(cur, ""))
		}
	}
	return lines
}

// cut breaks a word that is too long, behind a hyphen when there is one.
func (w wrapper) cut(word string, room int) (head, rest string) {
	r := []rune(word)
	if w.onHyphens && len(r) > room {
		for i := room - 1; i > 0; i-- {
			if r[i] == '-' {
				if strings.Trim(string(r[:i]), "-") != "" {
					room = i + 1
				}
				break
			}
		}
	}
	return string(r[:room]), string(r[room:])
}
