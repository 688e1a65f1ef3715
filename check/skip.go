package check

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

// skipper knows which findings the user does not want to hear of.
type skipper struct {
	rules []string
	read  func(path string) ([]byte, error)
	lines map[string][]string // by file
}

func newSkipper(rules []string, read func(string) ([]byte, error)) *skipper {
	return &skipper{rules: rules, read: read, lines: map[string][]string{}}
}

// skips reports whether a finding's rule is off, altogether or by a comment "# noqa: rule" in its line or alone in the one above.
func (s *skipper) skips(e *diag.Error) bool {
	if firm(e) {
		return false
	}
	if slices.Contains(s.rules, e.Rule) {
		return true
	}
	if e.Pos.File == "" || e.Pos.Line < 1 {
		return false
	}
	lines, known := s.lines[e.Pos.File]
	if !known {
		if text, err := s.read(e.Pos.File); err == nil {
			lines = strings.Split(string(text), "\n")
		}
		s.lines[e.Pos.File] = lines
	}
	if e.Pos.Line > len(lines) {
		return false
	}
	if waived(lines[e.Pos.Line-1], e.Rule) {
		return true
	}
	above := ""
	if e.Pos.Line > 1 {
		above = strings.TrimSpace(lines[e.Pos.Line-2])
	}
	return strings.HasPrefix(above, "#") && waived(above, e.Rule)
}

// firm reports whether an error is one that nothing can be loaded with.
func firm(e *diag.Error) bool {
	if e.Severity == diag.Warning {
		return false
	}
	r, err := FindRule(e.Rule)
	return err == nil && r.Firm && e.Rule != ruleTemplateFile
}

// waived reports whether a line has a comment that switches a rule off: all of them when it names none.
func waived(line, rule string) bool {
	m := regexp.MustCompile(`#\s*noqa\b:?([^#]*)`).FindStringSubmatch(line)
	if m == nil {
		return false
	}
	names := strings.FieldsFunc(m[1], func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\r' })
	return len(names) == 0 || slices.Contains(names, rule)
}
