package jinja

import (
	"cmp"
	"regexp"
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

var dashes = regexp.MustCompile(`-{2,}`)

// splitHyphens splits a word behind hyphens that have letters on both sides, and around long dashes.
func splitHyphens(word string) []string {
	var out []string
	for word != "" {
		if at := dashes.FindStringIndex(word); at != nil && at[0] > 0 && at[1] < len(word) && isWordRune(lastRune(word[:at[0]])) {
			if r, _ := utf8.DecodeRuneInString(word[at[1]:]); isWordRune(r) {
				out = append(out, splitHyphens(word[:at[0]])...)
				out = append(out, word[at[0]:at[1]])
				word = word[at[1]:]
				continue
			}
		}
		at := hyphenBreak(word)
		out = append(out, word[:at])
		word = word[at:]
	}
	return out
}

func lastRune(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

// hyphenBreak gives the place behind the first hyphen to break at, or the word's length.
func hyphenBreak(word string) int {
	r := []rune(word)
	letter := func(i int) bool { return i >= 0 && i < len(r) && (unicode.IsLetter(r[i]) || r[i] == '_') }
	for i := 2; i < len(r); i++ {
		if r[i] == '-' && letter(i-1) && (letter(i-2) || i > 2 && r[i-2] == '-' && letter(i-3)) &&
			letter(i+1) && (letter(i+2) || i+2 < len(r) && r[i+2] == '-' && letter(i+3)) {
			return len(string(r[:i+1]))
		}
	}
	return len(word)
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
