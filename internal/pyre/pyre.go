// Package pyre matches regular expressions as Python's module re does: playbooks are written for it. Its main type is Regexp.
// It is a layer over a backtracking engine of .NET's kind; a search that backtracks for longer than two seconds is an error.
package pyre

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
	"github.com/dlclark/regexp2/syntax"
)

// matchLimit ends a search that backtracks without end.
const matchLimit = 900 * time.Millisecond

// Options are re's flags, and what the pattern is applied to.
type Options struct {
	IgnoreCase bool // re.IGNORECASE
	Multiline  bool // re.MULTILINE: ^ and $ match at every line
	DotAll     bool // re.DOTALL: a dot matches a newline too
	// Bytes makes pattern and subject bytes, as with Python's bytes: a dot is one byte, and letters are those of ASCII.
	Bytes bool
}

// Regexp is a compiled pattern. It may be used by several goroutines.
type Regexp struct {
	re    *regexp2.Regexp
	names map[string]int // numbers of named groups
	bytes bool
}

// Compile compiles a pattern. The error says what is wrong with it, without repeating it.
func Compile(pattern string, o Options) (*Regexp, error) {
	var flags regexp2.RegexOptions
	for flag, on := range map[regexp2.RegexOptions]bool{
		regexp2.IgnoreCase: o.IgnoreCase, regexp2.Multiline: o.Multiline, regexp2.Singleline: o.DotAll,
	} {
		if on {
			flags |= flag
		}
	}
	r := &Regexp{bytes: o.Bytes}
	translated, names, err := translate(string(r.decode(pattern)), o.Bytes)
	if err != nil {
		return nil, err
	}
	r.names = names
	if r.re, err = regexp2.Compile(translated, flags); err != nil {
		if bad, ok := errors.AsType[*syntax.Error](err); ok {
			return nil, fmt.Errorf(bad.Code.String(), bad.Args...)
		}
		return nil, err
	}
	r.re.MatchTimeout = matchLimit
	return r, nil
}

// surrogate is the first of the code points that stand for single bytes which are no UTF-8.
const surrogate = 0xdc00

// decode gives the characters that the pattern sees.
func (r *Regexp) decode(s string) []rune {
	out := make([]rune, 0, len(s))
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r.bytes:
			c, n = rune(s[i]), 1
		case c == utf8.RuneError && n == 1:
			c = surrogate + rune(s[i])
		}
		out = append(out, c)
		i += n
	}
	return out
}

// encode is decode's opposite.
func (r *Regexp) encode(text []rune) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case r.bytes:
			b.WriteByte(byte(c))
		case c >= surrogate+0x80 && c <= surrogate+0xff:
			b.WriteByte(byte(c - surrogate))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// Match is where a pattern was found.
type Match struct {
	re   *Regexp
	m    *regexp2.Match
	text []rune
}

func (r *Regexp) match(m *regexp2.Match, text []rune, err error) (*Match, error) {
	if m == nil || err != nil {
		return nil, err
	}
	return &Match{r, m, text}, nil
}

// Search finds the first match, nil when there is none (re.search).
func (r *Regexp) Search(s string) (*Match, error) {
	text := r.decode(s)
	m, err := r.re.FindRunesMatch(text)
	return r.match(m, text, err)
}

// Contains reports whether there is a match anywhere.
func (r *Regexp) Contains(s string) (bool, error) {
	m, err := r.Search(s)
	return m != nil, err
}

// MatchStart reports whether the text begins with a match (re.match).
func (r *Regexp) MatchStart(s string) (bool, error) {
	m, err := r.Search(s)
	// The first match found is the leftmost one.
	return m != nil && m.m.Index == 0, err
}

// Next finds the next match behind this one, nil when there is none.
func (m *Match) Next() (*Match, error) {
	next, err := m.re.re.FindNextMatch(m.m)
	return m.re.match(next, m.text, err)
}

// String is what was matched.
func (m *Match) String() string { return m.re.encode(m.m.Runes()) }

// Groups gives the text of every group; one that took no part is empty.
func (m *Match) Groups() []string {
	all := m.m.Groups()
	texts := make([]string, 0, len(all)-1)
	for i := range all[1:] {
		texts = append(texts, m.re.encode(all[i+1].Runes()))
	}
	return texts
}

// Names gives the names of the groups that have one, sorted.
func (r *Regexp) Names() []string { return slices.Sorted(maps.Keys(r.names)) }

// Group gives a group by its name or number. Matched is false when it took no part; ok is false when there is no such group.
func (m *Match) Group(name string) (text string, matched, ok bool) {
	g := m.group(name)
	if g == nil {
		return "", false, false
	}
	return m.re.encode(g.Runes()), len(g.Captures) > 0, true
}

func (m *Match) group(name string) *regexp2.Group {
	n, ok := m.re.names[name]
	if !ok {
		var err error
		if n, err = strconv.Atoi(name); err != nil {
			return nil
		}
	}
	return m.m.GroupByNumber(n)
}

// Span gives the bytes that a group covers, -1 when it took no part.
func (m *Match) Span(name string) (start, end int) {
	g := m.group(name)
	if g == nil || len(g.Captures) == 0 {
		return -1, -1
	}
	start = len(m.re.encode(m.text[:g.Index]))
	return start, start + len(m.re.encode(g.Runes()))
}

// maxMade bounds what Sub makes.
const maxMade = 16 << 20

// Sub replaces matches by a template (re.subn), all of them when count is 0. It tells how many it replaced.
func (r *Regexp) Sub(template, s string, count int) (string, int, error) {
	m, err := r.Search(s)
	var out strings.Builder
	made, at := 0, 0
	for ; m != nil && err == nil && (count <= 0 || made < count); m, err = m.Next() {
		text, err := m.Expand(template)
		if err != nil {
			return "", 0, err
		}
		if out.Len()+len(text) > maxMade {
			return "", 0, fmt.Errorf("the text grows past %d bytes", maxMade)
		}
		out.WriteString(r.encode(m.text[at:m.m.Index]) + text)
		at = m.m.Index + m.m.Length
		made++
	}
	switch {
	case err != nil:
		return "", 0, err
	case made == 0:
		return s, 0, nil
	}
	text := r.decode(s)
	out.WriteString(r.encode(text[at:]))
	return out.String(), made, nil
}
