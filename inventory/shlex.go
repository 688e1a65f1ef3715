package inventory

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// word is one word of a host line, with the column of its first character.
type word struct {
	text string
	col  int // from 1
}

// splitWords splits a line as Python's shlex.split does with comments: quotes,
// backslashes, and a # anywhere outside quotes ends the line.
func splitWords(line string) ([]word, error) {
	var words []word
	var b strings.Builder
	inWord := false
	start, col := 0, 0
	var quote rune
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRuneInString(line[i:])
		i += size
		col++
		if !inWord && quote == 0 {
			start = col
		}
		next := func() (rune, bool) {
			if i >= len(line) {
				return 0, false
			}
			n, size := utf8.DecodeRuneInString(line[i:])
			i += size
			col++
			return n, true
		}
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == '"' && r == '\\':
			n, ok := next()
			if !ok {
				return nil, errors.New("no closing quotation")
			}
			if n != '"' && n != '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(n)
		case quote != 0:
			b.WriteRune(r)
		case r == '\\':
			n, ok := next()
			if !ok {
				return nil, errors.New("no escaped character")
			}
			inWord = true
			b.WriteRune(n)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == '#':
			i = len(line)
		case r == ' ' || r == '\t' || r == '\r' || r == '\n':
			if inWord {
				words = append(words, word{b.String(), start})
				b.Reset()
				inWord = false
			}
		default:
			inWord = true
			b.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, errors.New("no closing quotation")
	}
	if inWord {
		words = append(words, word{b.String(), start})
	}
	return words, nil
}
