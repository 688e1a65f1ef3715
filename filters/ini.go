package filters

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// iniFile is what Python's configparser reads: sections in order, with those of DEFAULT under each.
type iniFile struct {
	sections *value.Dict // name → *value.Dict of raw text or None
	defaults *value.Dict
}

// iniRules say how configparser was told to read.
type iniRules struct {
	keepCase, allowNoValue bool
}

var (
	iniHeader = regexp.MustCompile(`^\[([^]]+)\]`)
	iniOption = regexp.MustCompile(`^(.*?)\s*[=:]\s*(.*)$`)
)

// readINI reads text as configparser.ConfigParser does.
func readINI(text string, rules iniRules) (*iniFile, error) {
	f := &iniFile{sections: value.NewDict(), defaults: value.NewDict()}
	var section *value.Dict
	var name string
	var key any
	indent := 0
	for i, line := range lines(text) {
		trimmed := strings.TrimSpace(line)
		comment := strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";")
		depth := len(line) - len(strings.TrimLeft(line, " \t"))
		if key != nil && (trimmed == "" || comment) { // blank lines go on with a value
			if old, ok := section.Get(key); ok && trimmed == "" && old != nil {
				section.Set(key, old.(string)+"\n")
			}
			continue
		}
		if trimmed == "" || comment {
			continue
		}
		if key != nil && depth > indent {
			old, _ := section.Get(key)
			s, _ := old.(string)
			section.Set(key, s+"\n"+trimmed)
			continue
		}
		indent = depth
		if m := iniHeader.FindStringSubmatch(trimmed); m != nil {
			if name, key = m[1], nil; name == "DEFAULT" {
				section = f.defaults
				continue
			}
			if _, twice := f.sections.Get(name); twice {
				return nil, fmt.Errorf("line %d: section '%s' already exists", i+1, name)
			}
			section = value.NewDict()
			f.sections.Set(name, section)
			continue
		}
		if section == nil {
			return nil, fmt.Errorf("line %d: File contains no section headers: %q", i+1, trimmed)
		}
		k, v, err := iniPair(trimmed, rules)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if _, twice := section.Get(k); twice {
			return nil, fmt.Errorf("line %d: option '%s' in section '%s' already exists", i+1, k, name)
		}
		key = k
		section.Set(k, v)
	}
	f.tidy()
	return f, nil
}

// tidy drops the blank lines at the end of values.
func (f *iniFile) tidy() {
	all := append([]any{f.defaults}, f.sections.Values()...)
	for _, section := range all {
		d := section.(*value.Dict)
		for k, v := range d.All() {
			if s, ok := v.(string); ok {
				d.Set(k, strings.TrimRight(s, "\n"))
			}
		}
	}
}

func iniPair(line string, rules iniRules) (string, any, error) {
	fold := func(s string) string {
		if rules.keepCase {
			return s
		}
		return strings.ToLower(s)
	}
	if m := iniOption.FindStringSubmatch(line); m != nil && m[1] != "" {
		return fold(strings.TrimSpace(m[1])), m[2], nil
	}
	if rules.allowNoValue {
		return fold(line), nil, nil
	}
	return "", nil, fmt.Errorf("Source contains parsing errors: %q", line)
}

// get gives a section's option, expanded; found is false when there is none.
func (f *iniFile) get(section *value.Dict, key string) (v any, found bool, err error) {
	if v, found = section.Get(key); !found {
		v, found = f.defaults.Get(key)
	}
	if text, ok := v.(string); ok {
		v, err = f.expand(section, text, 0)
	}
	return v, found, err
}

// expand replaces %(name)s by that option of the section, and %% by %.
func (f *iniFile) expand(section *value.Dict, text string, depth int) (string, error) {
	if !strings.Contains(text, "%") {
		return text, nil
	}
	if depth > 10 {
		return "", fmt.Errorf("Value interpolation too deeply recursive: %q", text)
	}
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "%")
		out.WriteString(before)
		if !ok {
			return out.String(), nil
		}
		if after, ok := strings.CutPrefix(rest, "%"); ok {
			out.WriteByte('%')
			text = after
			continue
		}
		name, after, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")s")
		if !strings.HasPrefix(rest, "(") || !ok {
			return "", fmt.Errorf("'%%' must be followed by '%%' or '(', found: %q", "%"+rest)
		}
		v, found := section.Get(strings.ToLower(name))
		if !found {
			if v, found = f.defaults.Get(strings.ToLower(name)); !found {
				return "", fmt.Errorf("Bad value substitution: %s", name)
			}
		}
		s, _ := v.(string)
		inner, err := f.expand(section, s, depth+1)
		if err != nil {
			return "", err
		}
		out.WriteString(inner)
		text = after
	}
}

func lookupINI(r *request) ([]any, error) {
	names := []string{"type", "file", "section", "re", "encoding", "default", "case_sensitive", "allow_no_value", "allow_none"}
	if err := r.only(names...); err != nil {
		return nil, err
	}
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		key, options, err := r.inline(term, names...)
		if err != nil {
			return nil, err
		}
		found, err := (&request{Query: Query{Name: r.Name, Options: options}, l: r.l, ctx: r.ctx, scope: r.scope}).iniValues(key)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// iniValues gives the value of a key, or with re the values of all keys that match.
func (r *request) iniValues(key string) ([]any, error) {
	file, err := r.textOption("file", "ansible.ini")
	if err != nil {
		return nil, err
	}
	sectionName, err := r.textOption("section", "global")
	if err != nil {
		return nil, err
	}
	_, text, err := r.read("files", file)
	if err != nil {
		return nil, err
	}
	if r.option("type", "ini") == "properties" {
		sectionName = "java_properties"
		text = "[java_properties]\n" + text
	}
	var rules iniRules
	if rules.keepCase, err = r.truthOption("case_sensitive", false); err != nil {
		return nil, err
	}
	for _, name := range []string{"allow_no_value", "allow_none"} {
		b, err := r.truthOption(name, false)
		if err != nil {
			return nil, err
		}
		rules.allowNoValue = rules.allowNoValue || b
	}
	parsed, err := readINI(text, rules)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	found, ok := parsed.sections.Get(sectionName)
	if !ok {
		return nil, fmt.Errorf("no section '%s' in %s", sectionName, file)
	}
	section := found.(*value.Dict)
	byPattern, err := r.truthOption("re", false)
	if err != nil {
		return nil, err
	}
	if byPattern {
		return parsed.matching(section, key)
	}
	if !rules.keepCase {
		key = strings.ToLower(key)
	}
	v, ok, err := parsed.get(section, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		v = r.option("default", "")
	}
	if v == nil {
		return nil, nil
	}
	return listed(v), nil
}

// matching gives the values whose keys begin with a match of a pattern.
func (f *iniFile) matching(section *value.Dict, text string) ([]any, error) {
	re, err := shared.compile(text, false, false)
	if err != nil {
		return nil, err
	}
	var out []any
	seen := map[any]bool{}
	for _, d := range []*value.Dict{f.defaults, section} {
		for k := range d.All() {
			found, err := re.MatchStart(k.(string))
			if err != nil {
				return nil, err
			}
			if !found || seen[k] {
				continue
			}
			seen[k] = true
			v, _, err := f.get(section, k.(string))
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}
