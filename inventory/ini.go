package inventory

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
)

var (
	sectionForm   = regexp.MustCompile(`^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$`)
	groupNameForm = regexp.MustCompile(`^([^:\]\s]+)\s*(?:#.*)?$`)
)

// iniLine is one line of an INI inventory that says something, understood.
type iniLine struct {
	pos     diag.Pos
	section string // of which group
	kind    string // hosts, children, vars, or "" for the section's head
	names   []string
	port    int
	vars    []iniVar
	child   string
}

type iniVar struct {
	key string
	val any
}

// parseINI reads a whole file and gives every mistake in it; nothing reaches
// the inventory yet.
func parseINI(file string, text []byte) ([]iniLine, diag.List) {
	var out []iniLine
	var errs diag.List
	section, kind := "ungrouped", "hosts"
	for i, raw := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		line := strings.TrimSpace(raw)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		indent := len(raw) - len(strings.TrimLeft(raw, " \t\r"))
		pos := diag.Pos{File: file, Line: i + 1, Col: utf8.RuneCountInString(raw[:indent]) + 1}
		if !utf8.ValidString(line) {
			errs.Add(diag.Errorf(pos, "line is not valid UTF-8").WithHint("save the file as UTF-8"))
			continue
		}
		var m []string
		if line[0] == '[' {
			m = sectionForm.FindStringSubmatch(line)
		}
		if m != nil {
			section, kind = m[1], m[2]
			switch kind {
			case "":
				kind = "hosts"
			case "hosts", "children", "vars":
			default:
				errs.Add(diag.Errorf(pos, "section [%s:%s] has the unknown type %q", section, kind, kind).
					WithHint("%s", sectionHint(kind)))
				kind = "unknown"
			}
			out = append(out, iniLine{pos: pos, section: section, child: kind})
			continue
		}
		if line[0] == '[' && line[len(line)-1] == ']' {
			errs.Add(diag.Errorf(pos, "invalid section %s", line).
				WithHint("write [group], [group:children] or [group:vars], without blanks"))
			kind = "unknown"
			continue
		}
		if line[0] == '[' && kind != "vars" && !strings.Contains(line, "]") {
			errs.Add(diag.Errorf(pos, "section %s lacks its ]", line))
			kind = "unknown"
			continue
		}
		entry, err := parseINILine(line, kind, pos)
		if err != nil {
			errs.Add(err)
			continue
		}
		entry.section, entry.kind, entry.pos = section, kind, pos
		out = append(out, entry)
	}
	return out, errs
}

func sectionHint(kind string) string {
	if near := diag.Near(kind, []string{"hosts", "children", "vars"}); near != "" {
		return "did you mean :" + near + "?"
	}
	return "a section is [group], [group:children] or [group:vars]"
}

func parseINILine(line, kind string, pos diag.Pos) (iniLine, error) {
	switch kind {
	case "hosts":
		return parseHostLine(line, pos)
	case "vars":
		key, val, ok := strings.Cut(line, "=")
		if !ok {
			return iniLine{}, diag.Errorf(pos, "expected key=value, got %q", line)
		}
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		return iniLine{vars: []iniVar{{key, iniValue(val, pos)}}}, nil
	case "children":
		m := groupNameForm.FindStringSubmatch(line)
		if m == nil {
			return iniLine{}, diag.Errorf(pos, "expected the name of a group, got %q", line).
				WithHint("a :children section lists groups, one a line")
		}
		return iniLine{child: m[1]}, nil
	}
	return iniLine{}, nil
}

func parseHostLine(line string, pos diag.Pos) (iniLine, error) {
	words, err := splitWords(line)
	if err != nil {
		return iniLine{}, diag.Errorf(pos, "reading host line: %w", err).WithHint("close the quotes, or escape the quote with a backslash")
	}
	if len(words) == 0 {
		return iniLine{}, nil
	}
	names, port, err := expandPattern(words[0].text)
	if err != nil {
		return iniLine{}, diag.Errorf(pos, "%w", err)
	}
	out := iniLine{names: names, port: port}
	for _, w := range words[1:] {
		at := pos
		at.Col += w.col - 1
		key, val, ok := strings.Cut(w.text, "=")
		if !ok {
			return iniLine{}, diag.Errorf(at, "expected key=value after the host, got %q", w.text).
				WithHint("one host a line; quote values with blanks, and write no blanks around the =")
		}
		out.vars = append(out.vars, iniVar{key, iniValue(val, at)})
	}
	return out, nil
}

// readINI is the ini plugin.
func (l *loader) readINI(file string, text []byte) error {
	lines, errs := parseINI(file, text)
	errs.Add(l.undefinedGroups(lines)...)
	if err := errs.Err(); err != nil {
		return err
	}
	// Children named before their group wait, as in Ansible, so that groups keep its order.
	pending := map[string][]*Group{}
	for _, line := range lines {
		if err := l.applyINI(line, pending); err != nil {
			errs.Add(err)
		}
	}
	return errs.Err()
}

// applyINI brings one line into the inventory.
func (l *loader) applyINI(line iniLine, pending map[string][]*Group) error {
	g, exists := l.inv.groupBy[l.groupName(line.section, line.pos)]
	if !exists && line.kind != "" {
		g = l.group(line.section, line.pos)
	}
	switch line.kind {
	case "":
		g = l.group(line.section, line.pos)
		if line.child != "vars" {
			return l.addPending(g, pending, line.pos)
		}
	case "hosts":
		for _, name := range line.names {
			h := l.host(name, line.port, line.pos)
			l.inv.addMember(g, h)
			for _, v := range line.vars {
				l.setHostVar(h, v.key, v.val)
			}
		}
	case "vars":
		for _, v := range line.vars {
			if err := setGroupVar(g, l.file, v.key, v.val, line.pos); err != nil {
				return err
			}
		}
	case "children":
		child, ok := l.inv.groupBy[line.child]
		if !ok {
			pending[line.child] = append(pending[line.child], g)
			return nil
		}
		_, err := l.inv.addChild(g, child, line.pos)
		return err
	}
	return nil
}

// addPending links a group, just declared, to the parents that named it before.
func (l *loader) addPending(g *Group, pending map[string][]*Group, pos diag.Pos) error {
	parents := pending[g.Name]
	delete(pending, g.Name)
	for _, p := range parents {
		if _, err := l.inv.addChild(p, g, pos); err != nil {
			return err
		}
	}
	return nil
}

// undefinedGroups finds groups that are named as children or given variables, but nowhere declared.
func (l *loader) undefinedGroups(lines []iniLine) []error {
	declared := map[string]bool{}
	var names []string
	for _, g := range l.inv.groups {
		declared[g.Name] = true
		names = append(names, g.Name)
	}
	for _, line := range lines {
		if line.kind == "" && line.child != "vars" {
			declared[line.section] = true
			names = append(names, line.section)
		}
	}
	var errs []error
	hint := func(e *diag.Error, name string) *diag.Error {
		if near := diag.Near(name, names); near != "" {
			return e.WithHint("did you mean %q?", near)
		}
		return e.WithHint("declare it with a section [%s]", name)
	}
	for _, line := range lines {
		switch {
		case line.kind == "children" && !declared[line.child]:
			errs = append(errs, hint(diag.Errorf(line.pos, "[%s:children] names the undefined group %q", line.section, line.child), line.child))
		case line.kind == "" && line.child == "vars" && !declared[line.section]:
			errs = append(errs, hint(diag.Errorf(line.pos, "[%s:vars] is for the undefined group %q", line.section, line.section), line.section))
		}
	}
	return errs
}

// setHostVar sets a variable that a source gives a host. Secrets sealed in it stay sealed.
func (l *loader) setHostVar(h *Host, key string, v any) { setVar(&h.Vars, l.file, key, v) }

// looksYAML guesses the format of a file that neither reader takes, to report
// the mistakes of the one that was meant.
func looksYAML(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		return line == "---" || strings.HasPrefix(line, "{") || strings.HasSuffix(line, ":") ||
			strings.Contains(line, ": ") && !document.HasTemplate(line)
	}
	return false
}
