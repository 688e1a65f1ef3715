package modules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// rawKeys are what may stand as key=value in the free-form text of command, shell, script and raw; any other key=value
// there is part of the command.
var rawKeys = []string{"creates", "removes", "chdir", "executable", "warn", "stdin", "stdin_add_newline", "strip_empty_ends", "expand_argument_vars", "unless", "onlyif"}

// SplitKV reads "key=value key2='two words' text" as Ansible does: values in order, without their quotes, and the
// rest, which is no key=value, as it was written. With raw, only the options that command and shell know count as
// keys (creates=, removes=, chdir= …) and everything else is rest. A text with unbalanced quotes or Jinja blocks
// is an error.
func SplitKV(text string, raw bool) (args *value.Dict, rest string, err error) {
	words, err := SplitArgs(text)
	if err != nil {
		return nil, "", err
	}
	args = value.NewDict()
	var free []string
	for _, word := range words {
		plain := unescape(word)
		at := keyEnd(plain)
		switch {
		case at < 0 && strings.Contains(plain, "="):
			free = append(free, strings.ReplaceAll(plain, `\=`, "="))
		case at < 0:
			free = append(free, word)
		case raw && !slices.Contains(rawKeys, plain[:at]):
			free = append(free, word)
		default:
			args.Set(strings.TrimSpace(plain[:at]), unquote(strings.TrimSpace(plain[at+1:])))
		}
	}
	return args, joinArgs(free), nil
}

// keyEnd gives the place of the first = that is neither escaped nor the first byte, -1 when there is none.
func keyEnd(word string) int {
	for i := 1; i < len(word); i++ {
		if word[i] == '=' && word[i-1] != '\\' {
			return i
		}
	}
	return -1
}

// joinArgs puts words together again; each keeps the newlines it ended with.
func joinArgs(words []string) string {
	var b strings.Builder
	for _, w := range words {
		if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

// unquote takes one pair of quotes off that encloses the whole text.
func unquote(s string) string {
	if len(s) > 1 && s[0] == s[len(s)-1] && (s[0] == '"' || s[0] == '\'') && s[len(s)-2] != '\\' {
		return s[1 : len(s)-1]
	}
	return s
}

var escapes = regexp.MustCompile(`\\U[0-9a-fA-F]{8}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[\\'"abfnrtv]`)

// unescape replaces Python's escape sequences.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return escapes.ReplaceAllStringFunc(s, func(m string) string {
		switch m[1] {
		case 'U', 'u', 'x':
			n, err := strconv.ParseUint(m[2:], 16, 32)
			if err != nil || n > 0x10ffff {
				return m
			}
			return string(rune(n))
		}
		at := strings.IndexByte(`\'"abfnrtv`, m[1])
		return string("\\'\"\a\b\f\n\r\t\v"[at])
	})
}

// SplitArgs splits text at blanks, but keeps together what stands in quotes or in {{ }}, {% %} and {# #}. Words keep their
// quotes, the blanks that follow them beyond the first, and the newline at their end, so that the text can be put together again.
// A backslash alone at the end of a line continues it.
func SplitArgs(text string) ([]string, error) {
	s := argSplitter{}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		continued := s.line(line)
		if i < len(lines)-1 && !continued {
			s.extend("\n")
		}
	}
	if s.quote != 0 || s.blocks() {
		return nil, fmt.Errorf("failed at splitting arguments, either an unbalanced jinja2 block or quotes: %s", text)
	}
	return s.words, nil
}

type argSplitter struct {
	words []string
	quote byte   // the open quote, 0 for none
	depth [3]int // of {{, {% and {#
}

var blockMarks = [3][2]string{{"{{", "}}"}, {"{%", "%}"}, {"{#", "#}"}}

func (s *argSplitter) blocks() bool { return s.depth != [3]int{} }

// extend adds text to the last word.
func (s *argSplitter) extend(text string) {
	if len(s.words) == 0 {
		s.words = append(s.words, "")
	}
	s.words[len(s.words)-1] += text
}

// line takes one line in and reports whether it is continued.
func (s *argSplitter) line(line string) (continued bool) {
	tokens := strings.Split(line, " ")
	for i, token := range tokens {
		switch {
		case token == "" && i > 0:
			s.extend(" ")
		case token == `\` && s.quote == 0:
			continued = true
		default:
			s.token(token, i, len(tokens))
		}
	}
	return continued
}

// token takes one piece between blanks in.
func (s *argSplitter) token(token string, at, of int) {
	was, inBlock := s.quote != 0, s.blocks()
	s.quote = quoteAfter(token, s.quote)
	added := true
	switch {
	case s.quote != 0 && !was && !inBlock:
		s.words = append(s.words, token)
	case inBlock || s.quote != 0 || was:
		switch {
		case at == 0 && was:
			s.extend(token)
		case of > 1 && at > 0:
			s.extend(" " + token)
		case of > 1:
			s.extend(token)
		default:
			s.extend("\n" + token)
		}
	default:
		added = false
	}
	for i, marks := range blockMarks {
		depth := max(0, s.depth[i]+strings.Count(token, marks[0])-strings.Count(token, marks[1]))
		if depth != s.depth[i] && !added {
			s.words, added = append(s.words, token), true
		}
		s.depth[i] = depth
	}
	if !added && !s.blocks() && token != "" {
		s.words = append(s.words, token)
	}
}

// quoteAfter gives the quote that is open after the token.
func quoteAfter(token string, quote byte) byte {
	for i := range len(token) {
		c := token[i]
		if c != '"' && c != '\'' || i > 0 && token[i-1] == '\\' {
			continue
		}
		switch quote {
		case 0:
			quote = c
		case c:
			quote = 0
		}
	}
	return quote
}

// SplitWords splits text as a POSIX shell splits words: quotes and backslashes are honoured and removed,
// nothing is expanded. It is what Python's shlex.split does.
func SplitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	open := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case ' ', '\t', '\r', '\n':
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		case '\\':
			if i++; i == len(text) {
				return nil, errors.New("No escaped character")
			}
			open = true
			word.WriteByte(text[i])
		case '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				return nil, errors.New("No closing quotation")
			}
			open = true
			word.WriteString(text[i+1 : i+1+end])
			i += end + 1
		case '"':
			n, err := doubleQuoted(&word, text[i+1:])
			if err != nil {
				return nil, err
			}
			open = true
			i += n
		default:
			open = true
			word.WriteByte(c)
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

// doubleQuoted adds what stands before the closing quote and gives the length with that quote.
func doubleQuoted(word *strings.Builder, text string) (int, error) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return i + 1, nil
		case '\\':
			if i++; i == len(text) {
				return 0, errors.New("No escaped character")
			}
			if text[i] != '"' && text[i] != '\\' {
				word.WriteByte('\\')
			}
			word.WriteByte(text[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, errors.New("No closing quotation")
}
