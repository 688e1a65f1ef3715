package modules

import (
	"errors"
	"strings"
)

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
