package inventory

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Match gives the hosts of a pattern (surface 10: unions, &, !, globs, ~regex, [0:3], @file) in inventory order,
// without duplicates. limit is a second pattern, "" for none. No match at all is an empty slice; the names of parts
// that match nothing come as warnings.
func (inv *Inventory) Match(pattern, limit string) ([]*Host, diag.List, error) {
	return inv.MatchList([]string{pattern}, limit)
}

// MatchList is Match for a list of patterns, as hosts: of a play may be one.
func (inv *Inventory) MatchList(patterns []string, limit string) ([]*Host, diag.List, error) {
	m := matcher{inv: inv}
	var parts []string
	for _, p := range patterns {
		parts = append(parts, splitPattern(p)...)
	}
	hosts, err := m.evaluate(parts)
	if err != nil {
		return nil, m.warnings, err
	}
	if limit != "" {
		parts, err := inv.limitParts(limit)
		if err != nil {
			return nil, m.warnings, err
		}
		within, err := m.evaluate(parts)
		if err != nil {
			return nil, m.warnings, err
		}
		allowed := hostSet(within)
		hosts = slices.DeleteFunc(hosts, func(h *Host) bool { return !allowed[h] })
	}
	return unique(hosts), m.warnings, nil
}

// limitParts splits --limit; @file stands for the lines of a file.
func (inv *Inventory) limitParts(limit string) ([]string, error) {
	var out []string
	for _, part := range splitPattern(limit) {
		file, ok := strings.CutPrefix(part, "@")
		if !ok {
			out = append(out, part)
			continue
		}
		text, err := inv.opts.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read the limit file: %w", err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out, nil
}

var colonParts = regexp.MustCompile(`(?:[^\s:\[\]]|\[[^\]]*\])+`)

// splitPattern splits at commas; without any, at colons, unless the whole is an address or range.
func splitPattern(pattern string) []string {
	var parts []string
	if strings.Contains(pattern, ",") {
		parts = strings.Split(pattern, ",")
	} else if _, _, ok := parseAddress(pattern); ok {
		parts = []string{pattern}
	} else {
		parts = colonParts.FindAllString(pattern, -1)
	}
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// matcher evaluates patterns and gathers warnings.
type matcher struct {
	inv      *Inventory
	warnings diag.List
}

// evaluate takes the unions first, then & and then !, whatever their order.
func (m *matcher) evaluate(parts []string) ([]*Host, error) {
	var plain, and, not []string
	for _, p := range parts {
		switch {
		case p == "":
		case p[0] == '!':
			not = append(not, p[1:])
		case p[0] == '&':
			and = append(and, p[1:])
		default:
			plain = append(plain, p)
		}
	}
	if len(plain) == 0 {
		plain = []string{"all"}
	}
	var hosts []*Host
	have := map[*Host]bool{}
	for _, p := range plain {
		found, err := m.one(p)
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			if !have[h] {
				have[h] = true
				hosts = append(hosts, h)
			}
		}
	}
	for i, p := range slices.Concat(and, not) {
		found, err := m.one(p)
		if err != nil {
			return nil, err
		}
		set, keep := hostSet(found), i < len(and)
		hosts = slices.DeleteFunc(hosts, func(h *Host) bool { return set[h] != keep })
	}
	return hosts, nil
}

// one gives the hosts of a single pattern, with Ansible's repeats, which count for its subscript.
func (m *matcher) one(pattern string) ([]*Host, error) {
	if h, ok := m.inv.hostByName[pattern]; ok {
		return []*Host{h}, nil
	}
	if pattern == "" {
		return nil, fmt.Errorf("host pattern: ! and & need a name behind them")
	}
	name, sub, err := splitSubscript(pattern)
	if err != nil {
		return nil, err
	}
	hosts, err := m.named(name)
	if err != nil {
		return nil, err
	}
	return sub.apply(hosts, pattern)
}

// named gives the hosts of the groups that match a name, else the hosts that do; with wildcards, both.
func (m *matcher) named(name string) ([]*Host, error) {
	match, literal, err := nameMatcher(name)
	if err != nil {
		return nil, err
	}
	var out []*Host
	groupFound := false
	if literal {
		if g, ok := m.inv.groupBy[name]; ok {
			groupFound = true
			out = append(out, g.AllHosts()...)
		}
	} else {
		for _, g := range m.inv.groups {
			if match(g.Name) {
				groupFound = true
				out = append(out, g.AllHosts()...)
			}
		}
	}
	switch {
	case groupFound && name[0] != '~' && !strings.ContainsAny(name, ".?*["):
	case literal:
		if h, ok := m.inv.hostByName[name]; ok {
			out = append(out, h)
		}
	default:
		for _, h := range m.inv.hosts {
			if match(h.Name) {
				out = append(out, h)
			}
		}
	}
	if len(out) == 0 {
		if h, ok := m.inv.Host(name); ok {
			return []*Host{h}, nil
		}
	}
	if len(out) == 0 && !groupFound && name != "all" {
		m.noMatch(name)
	}
	return out, nil
}

// noMatch warns, with a near name when there is one.
func (m *matcher) noMatch(name string) {
	e := diag.Errorf(diag.Pos{}, "Could not match supplied host pattern, ignoring: %s", name)
	e.Severity = diag.Warning
	var names []string
	for _, g := range m.inv.groups {
		names = append(names, g.Name)
	}
	for _, h := range m.inv.hosts {
		names = append(names, h.Name)
	}
	if near := diag.Near(name, names); near != "" {
		e = e.WithHint("did you mean %q?", near)
	}
	m.warnings.Add(e)
}

// nameMatcher compiles a glob or a ~regex; literal tells that the pattern has no wildcards.
func nameMatcher(pattern string) (match func(string) bool, literal bool, err error) {
	if rest, ok := strings.CutPrefix(pattern, "~"); ok {
		re, err := regexp.Compile(`^(?:` + rest + `)`)
		if err != nil {
			return nil, false, fmt.Errorf("host pattern %q: %w", pattern, err)
		}
		return re.MatchString, false, nil
	}
	if !strings.ContainsAny(pattern, "*?[") {
		return nil, true, nil
	}
	re, err := regexp.Compile(GlobRegexp(pattern))
	if err != nil {
		return nil, false, fmt.Errorf("host pattern %q: %w", pattern, err)
	}
	return re.MatchString, false, nil
}

// GlobRegexp translates a shell glob as Python's fnmatch does. A range whose ends are swapped gives what does not compile.
func GlobRegexp(glob string) string {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	runes := []rune(glob)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; r {
		case '*':
			b.WriteString(`.*`)
		case '?':
			b.WriteByte('.')
		case '[':
			end := classEnd(runes, i)
			if end < 0 {
				b.WriteString(`\[`)
				continue
			}
			class := runes[i+1 : end]
			b.WriteByte('[')
			if class[0] == '!' {
				b.WriteByte('^')
				class = class[1:]
			}
			for _, c := range class {
				if strings.ContainsRune(`\[]^&~|`, c) {
					b.WriteByte('\\')
				}
				b.WriteRune(c)
			}
			b.WriteByte(']')
			i = end
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteByte('$')
	return b.String()
}

// classEnd finds the ] of a class that begins at i, or -1.
func classEnd(runes []rune, i int) int {
	j := i + 1
	if j < len(runes) && runes[j] == '!' {
		j++
	}
	if j < len(runes) && runes[j] == ']' {
		j++
	}
	for ; j < len(runes); j++ {
		if runes[j] == ']' {
			return j
		}
	}
	return -1
}

// subscript is [i], [i:j] (both included) or [i:].
type subscript struct {
	set, single, open bool
	from, to          int
}

var subscriptForm = regexp.MustCompile(`^(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$`)

func splitSubscript(pattern string) (string, subscript, error) {
	m := subscriptForm.FindStringSubmatch(pattern)
	if m == nil || pattern[0] == '~' {
		return pattern, subscript{}, nil
	}
	s := subscript{set: true, single: m[2] != "", open: m[4] == ""}
	var err error
	for _, n := range []struct {
		text string
		into *int
	}{{m[2] + m[3], &s.from}, {m[4], &s.to}} {
		if n.text == "" {
			continue
		}
		if *n.into, err = strconv.Atoi(n.text); err != nil {
			return "", s, fmt.Errorf("host pattern %q: %w", pattern, err)
		}
	}
	return m[1], s, nil
}

func (s subscript) apply(hosts []*Host, pattern string) ([]*Host, error) {
	if !s.set || len(hosts) == 0 {
		return hosts, nil
	}
	// [0:0] is [0], as in Ansible.
	if s.single || !s.open && s.to == 0 {
		i := s.from
		if i < 0 {
			i += len(hosts)
		}
		if i < 0 || i >= len(hosts) {
			return nil, fmt.Errorf("no hosts matched the subscripted pattern %q: it has %d hosts, counted from 0", pattern, len(hosts))
		}
		return hosts[i : i+1], nil
	}
	end := len(hosts)
	if !s.open {
		end = min(s.to, len(hosts)-1) + 1
	}
	if s.from >= end {
		return nil, nil
	}
	return hosts[s.from:end], nil
}

func hostSet(hosts []*Host) map[*Host]bool {
	set := make(map[*Host]bool, len(hosts))
	for _, h := range hosts {
		set[h] = true
	}
	return set
}

func unique(hosts []*Host) []*Host {
	seen := make(map[*Host]bool, len(hosts))
	out := make([]*Host, 0, len(hosts))
	for _, h := range hosts {
		if !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	return out
}
