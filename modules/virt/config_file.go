package virt

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// confSyntax is how a file is written: how it is read, and the line of a setting.
type confSyntax struct {
	parse func(text string) (entries, samples []confEntry, err error)
	write func(key string, val any) string
}

func libvirtSyntax() confSyntax {
	return confSyntax{parseConf, func(key string, val any) string { return key + " = " + writeConf(val) }}
}

// confEntry is one setting of a configuration file of libvirt's: its bytes from start to end, without the line's end.
type confEntry struct {
	key        string
	start, end int
	line       int
	val        any // string, int64, []any; of a sample what could be read
}

// parseConf reads libvirt's syntax (util/virconf.c): key = number, "text", 'text', """text""" or [list over lines], and # comments. Samples
// are settings in comments (#key = …), which the files that libvirt brings have for every key; what stands there after "# " is prose.
func parseConf(text string) (entries, samples []confEntry, err error) {
	line := 1
	for at := 0; at < len(text); {
		end := at + strings.IndexByte(text[at:], '\n')
		if end < at {
			end = len(text)
		}
		row := text[at:end]
		trimmed := strings.TrimLeft(row, " \t")
		if rest, ok := strings.CutPrefix(trimmed, "#"); ok {
			if key, _, isSetting := strings.Cut(rest, "="); isSetting && isConfKey(strings.TrimRight(key, " \t")) {
				s := confSample(text, at)
				samples = append(samples, s)
				line += strings.Count(text[at:s.end], "\n")
				end = s.end
			}
		} else if strings.TrimSpace(trimmed) != "" {
			key, after, ok := strings.Cut(trimmed, "=")
			key = strings.TrimRight(key, " \t")
			if !ok || !isConfKey(key) {
				return nil, nil, fmt.Errorf("line %d: %q is no setting (key = value)", line, trimmed)
			}
			s := confScanner{text: text, at: end - len(after), line: line}
			e := confEntry{key: key, start: at + len(row) - len(trimmed), line: line}
			if e.val, err = s.value(); err != nil {
				return nil, nil, err
			}
			e.end = s.at
			entries = append(entries, e)
			if end = e.end + strings.IndexByte(text[e.end:], '\n'); end < e.end {
				end = len(text)
			}
			if rest := strings.TrimSpace(text[e.end:end]); rest != "" && rest[0] != '#' {
				return nil, nil, fmt.Errorf("line %d: after the value of %s stands %q", s.line, key, rest)
			}
			line = s.line
		}
		at = end + 1
		line++
	}
	return entries, samples, nil
}

func isConfKey(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// confSample reads the setting in a comment that starts at a line; a list in it may go on in the comments below.
func confSample(text string, at int) confEntry {
	rows := strings.SplitAfter(text[at:], "\n")
	plain, length := "", 0
	for i, row := range rows {
		rest, ok := strings.CutPrefix(strings.TrimLeft(row, " \t"), "#")
		if !ok {
			break
		}
		plain += rest
		length += len(row)
		s := confScanner{text: plain, at: strings.IndexByte(plain, '=') + 1}
		if v, err := s.value(); err == nil {
			key, _, _ := strings.Cut(plain, "=")
			return confEntry{key: strings.TrimSpace(key), start: at, end: at + len(strings.TrimRight(text[at:at+length], "\n")), val: v}
		}
		if i == 0 && !strings.Contains(plain, "[") {
			break
		}
	}
	key, _, _ := strings.Cut(strings.TrimLeft(strings.TrimLeft(rows[0], " \t"), "#"), "=")
	return confEntry{key: strings.TrimSpace(key), start: at, end: at + len(strings.TrimRight(rows[0], "\n"))}
}

// confScanner reads values.
type confScanner struct {
	text string
	at   int
	line int
}

func (s *confScanner) blank(lines bool) {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c == '\t' || c == '\r':
		case c == '\n' && lines:
			s.line++
		case c == '#' && lines:
			for s.at < len(s.text) && s.text[s.at] != '\n' {
				s.at++
			}
			continue
		default:
			return
		}
		s.at++
	}
}

func (s *confScanner) value() (any, error) {
	s.blank(false)
	rest := s.text[min(s.at, len(s.text)):]
	switch {
	case strings.HasPrefix(rest, `"""`):
		return s.quoted(`"""`)
	case strings.HasPrefix(rest, `"`):
		return s.quoted(`"`)
	case strings.HasPrefix(rest, `'`):
		return s.quoted(`'`)
	case strings.HasPrefix(rest, "["):
		return s.list()
	}
	n := len(rest) - len(strings.TrimLeft(rest, "-0123456789"))
	v, err := strconv.ParseInt(rest[:n], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("line %d: a value is text in quotes, a number or a list in [ ]", s.line)
	}
	s.at += n
	return v, nil
}

func (s *confScanner) quoted(mark string) (any, error) {
	from := s.at + len(mark)
	n := strings.Index(s.text[from:], mark)
	if n < 0 || mark != `"""` && strings.Contains(s.text[from:from+n], "\n") {
		return nil, fmt.Errorf("line %d: the text has no end", s.line)
	}
	v := s.text[from : from+n]
	s.line += strings.Count(v, "\n")
	s.at = from + n + len(mark)
	return v, nil
}

func (s *confScanner) list() (any, error) {
	start := s.line
	items := []any{}
	for s.at++; ; {
		s.blank(true)
		if s.at >= len(s.text) {
			return nil, fmt.Errorf("line %d: the list has no end", start)
		}
		if s.text[s.at] == ']' {
			s.at++
			return items, nil
		}
		v, err := s.value()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		s.blank(true)
		if s.at < len(s.text) && s.text[s.at] == ',' {
			s.at++
		} else if s.at < len(s.text) && s.text[s.at] != ']' {
			return nil, fmt.Errorf("line %d: between the items of a list stands a comma", s.line)
		}
	}
}

// confValue makes what a setting of a task means: text, a number or a list of these; nil removes.
func confValue(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int:
		return int64(v), nil
	case string:
		if strings.ContainsAny(v, "\n\x00") {
			return nil, fmt.Errorf("has a line break in it")
		}
		if strings.Contains(v, `"`) && strings.Contains(v, `'`) {
			return nil, fmt.Errorf("has both kinds of quotes in it, which libvirt cannot read on one line")
		}
		return v, nil
	case *value.List:
		items := []any{}
		for _, item := range v.Items {
			one, err := confValue(item)
			if _, nested := one.([]any); err != nil || nested || one == nil {
				return nil, fmt.Errorf("must be a list of texts or numbers")
			}
			items = append(items, one)
		}
		return items, nil
	}
	text, err := modules.Str(v)
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("must be text, a whole number or a list, not %s", text)
}

// writeConf writes a value as libvirt reads it.
func writeConf(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = writeConf(item)
		}
		return "[ " + strings.Join(items, ", ") + " ]"
	}
	text := confText(v)
	if strings.Contains(text, `"`) {
		return "'" + text + "'"
	}
	return `"` + text + `"`
}

// confText gives a text or number as text.
func confText(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
