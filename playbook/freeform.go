package playbook

import (
	"errors"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// rawOptions are the keys that count as arguments in the text of command and its like.
var rawOptions = map[string]bool{
	"creates": true, "removes": true, "chdir": true, "executable": true, "warn": true, "stdin": true,
	"stdin_add_newline": true, "strip_empty_ends": true,
}

// splitKV parts text into key=value pairs and what is left over.
func splitKV(s string, only bool) (pairs *value.Dict, raw string, err error) {
	words, err := splitWords(s)
	if err != nil {
		return nil, "", err
	}
	pairs = value.NewDict()
	var rest []string
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if ok && k != "" && !strings.ContainsAny(k, "{}\"' \t\n") && (!only || rawOptions[k]) {
			pairs.Set(k, unquote(v))
			continue
		}
		rest = append(rest, w)
	}
	return pairs, strings.Join(rest, " "), nil
}

func unquote(s string) string {
	if len(s) > 1 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// splitWords parts text at blanks outside quotes and templates.
func splitWords(s string) ([]string, error) {
	var words []string
	var quote rune
	start, depth := -1, 0
	for i, r := range s {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "{%"):
			depth++
		case strings.HasPrefix(s[i:], "}}"), strings.HasPrefix(s[i:], "%}"):
			depth--
		}
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
			continue
		case depth <= 0 && (r == '"' || r == '\''):
			quote = r
		case depth <= 0 && (r == ' ' || r == '\n' || r == '\t'):
			if start >= 0 {
				words = append(words, s[start:i])
				start = -1
			}
			continue
		}
		if start < 0 {
			start = i
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is opened and never closed")
	}
	if start >= 0 {
		words = append(words, s[start:])
	}
	return words, nil
}
