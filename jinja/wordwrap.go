package jinja

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

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
	w := wrapper{width: width, breakLong: breakLong, onHyphens: onHyphens, end: end, limit: c.rt.maxOutput}
	for i, line := range splitLines(s, false) {
		if width <= 0 {
			return nil, value.Errorf(value.ValueError, "invalid width %d (must be > 0)", width)
		}
		if i > 0 {
			w.out.WriteString(end)
		}
		if w.wrap([]rune(line)); w.out.Len() > w.limit {
			return nil, c.rt.tooBig()
		}
	}
	return w.out.String(), nil
}

// wrapper wraps lines as Python's textwrap does.
type wrapper struct {
	width                int
	breakLong, onHyphens bool
	end                  string // between lines
	limit                int    // of out, in bytes
	out                  strings.Builder
	lines                int // of the line under way
}

// splitter cuts a line into words and white space, words behind their hyphens and around long dashes too.
type splitter struct {
	r         []rune
	at        int
	onHyphens bool
	dashes    int // the end of the last run of hyphens that was measured
}

func (s *splitter) is(i int, ok func(rune) bool) bool { return i >= 0 && i < len(s.r) && ok(s.r[i]) }

func isBlank(r rune) bool { return strings.ContainsRune("\t\n\v\f\r ", r) }

func isHyphen(r rune) bool { return r == '-' }

// isLetterRune is what no digit and part of a word is.
func isLetterRune(r rune) bool { return isWordRune(r) && !unicode.Is(unicode.Nd, r) }

// isWordPunct is what may stand before a long dash.
func isWordPunct(r rune) bool { return isWordRune(r) || strings.ContainsRune(`!"'&.,?`, r) }

// next gives the next piece; it is empty at the end.
func (s *splitter) next() []rune {
	start := s.at
	if s.is(start, isBlank) {
		for s.is(s.at, isBlank) {
			s.at++
		}
		return s.r[start:s.at]
	}
	if s.onHyphens {
		if end, ok := s.longDash(start); ok && s.is(start-1, isWordPunct) {
			s.at = end
			return s.r[start:end]
		}
	}
	for s.at < len(s.r) && !isBlank(s.r[s.at]) {
		i := s.at
		if s.onHyphens && i > start {
			if s.breaksAt(i) {
				s.at++
				break
			}
			if _, ok := s.longDash(i); ok && isWordPunct(s.r[i-1]) {
				break
			}
		}
		s.at++
	}
	return s.r[start:s.at]
}

// longDash reports that at least two hyphens and then a word begin at i, and where they end.
func (s *splitter) longDash(i int) (end int, ok bool) {
	if !s.is(i, isHyphen) {
		return 0, false
	}
	if s.dashes <= i {
		for s.dashes = i; s.is(s.dashes, isHyphen); {
			s.dashes++
		}
	}
	return s.dashes, s.dashes-i >= 2 && s.is(s.dashes, isWordRune)
}

// breaksAt reports a hyphen to break behind: behind two letters, or one between hyphens, and before two letters.
func (s *splitter) breaksAt(i int) bool {
	if s.r[i] != '-' {
		return false
	}
	behind := s.is(i-2, isLetterRune) && s.is(i-1, isLetterRune) ||
		s.is(i-3, isLetterRune) && s.is(i-2, isHyphen) && s.is(i-1, isLetterRune)
	next := i + 2
	if s.is(next, isHyphen) {
		next++
	}
	return behind && s.is(i+1, isLetterRune) && s.is(next, isLetterRune)
}

func blank(r []rune) bool {
	return !slices.ContainsFunc(r, func(r rune) bool { return !isSpace(r) })
}

func (w *wrapper) wrap(line []rune) {
	w.lines = 0
	words := &splitter{r: line, onHyphens: w.onHyphens}
	chunk := words.next()
	for len(chunk) > 0 && w.out.Len() <= w.limit {
		if w.lines > 0 && blank(chunk) {
			chunk = words.next()
		}
		var cur [][]rune
		n := 0
		for len(chunk) > 0 && n+len(chunk) <= w.width {
			cur = append(cur, chunk)
			n += len(chunk)
			chunk = words.next()
		}
		if len(chunk) > w.width {
			switch {
			case w.breakLong:
				at := w.cut(chunk, w.width-n)
				cur, chunk = append(cur, chunk[:at]), chunk[at:]
			case len(cur) == 0:
				cur, chunk = append(cur, chunk), words.next()
			}
		}
		if len(cur) > 0 && blank(cur[len(cur)-1]) {
			cur = cur[:len(cur)-1]
		}
		w.write(cur)
	}
}

// write adds a line, unless it is empty.
func (w *wrapper) write(pieces [][]rune) {
	if len(pieces) == 0 {
		return
	}
	if w.lines > 0 {
		w.out.WriteString(w.end)
	}
	w.lines++
	for _, p := range pieces {
		w.out.WriteString(string(p))
	}
}

// cut says where to break a word that is too long: behind a hyphen when there is one.
func (w *wrapper) cut(word []rune, room int) int {
	if w.onHyphens {
		for i := room - 1; i > 0; i-- {
			if word[i] != '-' {
				continue
			}
			if slices.ContainsFunc(word[:i], func(r rune) bool { return r != '-' }) {
				return i + 1
			}
			break
		}
	}
	return room
}
