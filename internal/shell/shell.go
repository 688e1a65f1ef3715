// Package shell quotes values for POSIX sh. It is the only place where a value
// becomes part of a program's text.
package shell

import (
	"errors"
	"fmt"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

// Quote makes one word of s for any POSIX shell. A NUL byte, which no shell can
// carry, is an error.
func Quote(s string) (string, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return "", fmt.Errorf("quote %q for the shell: it holds a NUL byte", s)
	}
	return shellescape.Quote(s), nil
}

// Join quotes words and joins them by blanks.
func Join(words ...string) (string, error) {
	quoted := make([]string, len(words))
	for i, w := range words {
		q, err := Quote(w)
		if err != nil {
			return "", err
		}
		quoted[i] = q
	}
	return strings.Join(quoted, " "), nil
}

// Split splits text into words as a POSIX shell does, with its quotes and backslashes but without expansions
// or comments: "$HOME" stays what it is.
func Split(text string) ([]string, error) {
	s := splitter{text: text}
	for s.at < len(s.text) {
		if err := s.step(); err != nil {
			return nil, fmt.Errorf("split %q into words: %w", text, err)
		}
	}
	s.end()
	return s.words, nil
}

type splitter struct {
	text   string
	at     int
	words  []string
	word   strings.Builder
	inWord bool
}

// step takes one character or one quoted part.
func (s *splitter) step() error {
	c := s.text[s.at]
	s.at++
	switch c {
	case ' ', '\t', '\n', '\r':
		s.end()
		return nil
	case '\'':
		s.inWord = true
		part, _, ok := strings.Cut(s.text[s.at:], "'")
		if !ok {
			return errors.New("a ' is not closed")
		}
		s.word.WriteString(part)
		s.at += len(part) + 1
		return nil
	case '"':
		s.inWord = true
		return s.double()
	case '\\':
		s.inWord = true
		if s.at == len(s.text) {
			return errors.New("it ends in a backslash")
		}
		if s.text[s.at] != '\n' {
			s.word.WriteByte(s.text[s.at])
		}
		s.at++
		return nil
	}
	s.inWord = true
	s.word.WriteByte(c)
	return nil
}

// double takes the rest of a part in double quotes, where a backslash quotes only $ ` " \ and newline.
func (s *splitter) double() error {
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return nil
		case c == '\\' && s.at < len(s.text) && strings.IndexByte("$`\"\\\n", s.text[s.at]) >= 0:
			if s.text[s.at] != '\n' {
				s.word.WriteByte(s.text[s.at])
			}
			s.at++
		default:
			s.word.WriteByte(c)
		}
	}
	return errors.New("a \" is not closed")
}

func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}
