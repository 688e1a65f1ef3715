package virt

import (
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
)

// shellSyntax is that of the file of libvirt-guests, which its script sources: KEY=word.
func shellSyntax() confSyntax {
	return confSyntax{parseShellConf, func(key string, val any) string {
		text := confText(val)
		if s, ok := val.(shellText); ok {
			return key + "=" + string(s)
		}
		if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:+-") == "" && text != "" {
			return key + "=" + text
		}
		quoted, err := shell.Quote(text)
		if err != nil {
			return key + "=" // confValue refused NUL, the one thing that cannot be quoted
		}
		return key + "=" + quoted
	}}
}

// shellText is a value that is more than a quoted text, as it is written.
type shellText string

// parseShellConf reads assignments and, as samples, those in comments (#KEY=…). What else there is belongs to the shell.
func parseShellConf(text string) (entries, samples []confEntry, err error) {
	at := 0
	for n, row := range strings.SplitAfter(text, "\n") {
		line := strings.TrimRight(row, "\n")
		trimmed := strings.TrimLeft(line, " \t")
		start := at + len(line) - len(trimmed)
		at += len(row)
		body, sample := strings.CutPrefix(trimmed, "#")
		key, val, ok := strings.Cut(body, "=")
		if !ok || !isConfKey(key) {
			continue
		}
		e := confEntry{key: key, start: start, line: n + 1}
		e.val, val = shellWord(val)
		e.end = start + len(trimmed) - len(body) + len(key) + 1 + len(val)
		if sample {
			samples = append(samples, e)
			continue
		}
		if _, err := shell.Split(val); err != nil {
			return nil, nil, fmt.Errorf("line %d: the value of %s goes on in the next line, which is left to people", n+1, key)
		}
		entries = append(entries, e)
	}
	return entries, samples, nil
}

// shellWord gives the text that a value means, or shellText, and the part of the line that is the value.
func shellWord(rest string) (val any, raw string) {
	raw = rest
	if at := strings.Index(raw, " #"); at >= 0 && !strings.ContainsAny(raw[at:], `"'`) {
		raw = raw[:at]
	}
	raw = strings.TrimRight(raw, " \t\r")
	words, err := shell.Split(raw)
	switch {
	case raw == "":
		return "", raw
	case err != nil || len(words) != 1 || strings.ContainsAny(raw, "$`\\;&|<>(){}*?[]~!"):
		return shellText(raw), raw
	}
	return words[0], raw
}
