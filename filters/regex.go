package filters

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func regexFilters() []entry {
	return []entry{
		one("regex_replace", "pattern='', replacement='', ignorecase=False, multiline=False, count=0, mandatory_count=0", regexReplace),
		one("regex_search", "regex, *args, multiline=False, ignorecase=False", regexSearch),
		one("regex_findall", "regex, multiline=False, ignorecase=False", regexFindall),
		one("regex_escape", "re_type='python'", regexEscape),
	}
}

// matchLimit ends a search that backtracks without end.
const matchLimit = 2 * time.Second

// pattern is a compiled regular expression of Python's.
type pattern struct {
	*regexp2.Regexp
	names map[string]int // numbers of named groups
}

// patterns remembers compiled patterns: a playbook uses the same few for every host.
type patterns struct {
	mu   sync.Mutex
	seen map[patternKey]pattern
}

type patternKey struct {
	text    string
	options regexp2.RegexOptions
}

const maxPatterns = 500

func (p *patterns) compile(text string, ignoreCase, multiline bool) (pattern, error) {
	key := patternKey{text: text}
	if ignoreCase {
		key.options |= regexp2.IgnoreCase
	}
	if multiline {
		key.options |= regexp2.Multiline
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if re, ok := p.seen[key]; ok {
		return re, nil
	}
	translated, names := pythonPattern(text)
	re, err := regexp2.Compile(translated, key.options)
	if err != nil {
		return pattern{}, value.Errorf(value.ValueError, "invalid regular expression %q: %v", text, err)
	}
	re.MatchTimeout = matchLimit
	if p.seen == nil || len(p.seen) >= maxPatterns {
		p.seen = map[patternKey]pattern{}
	}
	p.seen[key] = pattern{re, names}
	return p.seen[key], nil
}

// pythonPattern writes a pattern of Python's for regexp2, which follows .NET: \Z is \z there, (?P<name> is (?<name>, and
// named groups are numbered after all others. So every group gets its number explicitly.
func pythonPattern(text string) (string, map[string]int) {
	var out strings.Builder
	names := map[string]int{}
	groups := 0
	inClass := false
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case strings.HasPrefix(rest, `\Z`):
			out.WriteString(`\z`)
			i++
		case rest[0] == '\\' && len(rest) > 1:
			out.WriteString(rest[:2])
			i++
		case inClass:
			inClass = rest[0] != ']'
			out.WriteByte(rest[0])
		case rest[0] == '[':
			inClass = true
			n := classStart(rest)
			out.WriteString(rest[:n])
			i += n - 1
		case strings.HasPrefix(rest, "(?P="):
			name, _, _ := strings.Cut(rest[4:], ")")
			out.WriteString(`\k<` + strconv.Itoa(names[name]) + ">")
			i += 4 + len(name)
		case strings.HasPrefix(rest, "(?P<"):
			groups++
			name, _, _ := strings.Cut(rest[4:], ">")
			names[name] = groups
			out.WriteString("(?<" + strconv.Itoa(groups) + ">")
			i += 4 + len(name)
		case rest[0] == '(' && !strings.HasPrefix(rest, "(?"):
			groups++
			out.WriteString("(?<" + strconv.Itoa(groups) + ">")
		default:
			out.WriteByte(rest[0])
		}
	}
	return out.String(), names
}

// classStart is how long the beginning of a class is in which a ] stands for itself: "[", "[^", "[]", "[^]".
func classStart(text string) int {
	n := 1
	if n < len(text) && text[n] == '^' {
		n++
	}
	if n < len(text) && text[n] == ']' {
		n++
	}
	return n
}

// flag reads an argument's truth.
func flag(c *jinja.Call, i int) (bool, error) { return c.Truth(c.Args[i]) }

func (p *patterns) of(c *jinja.Call, text any, ignoreCaseArg, multilineArg int) (pattern, error) {
	source, err := c.Text(text)
	if err != nil {
		return pattern{}, err
	}
	fold, err := flag(c, ignoreCaseArg)
	if err != nil {
		return pattern{}, err
	}
	multi, err := flag(c, multilineArg)
	if err != nil {
		return pattern{}, err
	}
	return p.compile(source, fold, multi)
}

// shared is the one memory of patterns of the process: a cache behind a lock.
var shared patterns

func regexReplace(c *jinja.Call) (any, error) {
	subject, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	re, err := shared.of(c, c.Args[0], 2, 3)
	if err != nil {
		return nil, err
	}
	replacement, err := c.Text(c.Args[1])
	if err != nil {
		return nil, err
	}
	count, _ := c.Args[4].(int)
	if count <= 0 {
		count = -1
	}
	found := 0
	var broken error
	out, err := re.ReplaceFunc(subject, func(m regexp2.Match) string {
		found++
		text, err := re.expand(replacement, &m)
		if err != nil {
			broken = err
		}
		return text
	}, -1, count)
	if err != nil || broken != nil {
		return nil, value.Errorf(value.ValueError, "regex_replace: %v", firstError(err, broken))
	}
	if want, _ := c.Args[5].(int); want > 0 && found != want {
		return nil, value.Errorf(value.ValueError, "'%v' should match %d times, but matches %d times in '%s'", c.Args[0], want, found, subject)
	}
	return out, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// expand gives a replacement in Python's notation (\1, \g<name>, \n) for a match.
func (p pattern) expand(replacement string, m *regexp2.Match) (string, error) {
	if !strings.Contains(replacement, `\`) {
		return replacement, nil
	}
	var out strings.Builder
	for i := 0; i < len(replacement); i++ {
		if replacement[i] != '\\' || i+1 == len(replacement) {
			out.WriteByte(replacement[i])
			continue
		}
		i++
		switch ch := replacement[i]; {
		case ch >= '0' && ch <= '9':
			number := int(ch - '0')
			if i+1 < len(replacement) && ch != '0' && replacement[i+1] >= '0' && replacement[i+1] <= '9' {
				i++
				number = number*10 + int(replacement[i]-'0')
			}
			text, err := groupText(m.GroupByNumber(number), "invalid group reference")
			if err != nil {
				return "", err
			}
			out.WriteString(text)
		case ch == 'g' && i+1 < len(replacement) && replacement[i+1] == '<':
			end := strings.IndexByte(replacement[i:], '>')
			if end < 0 {
				return "", value.Errorf(value.ValueError, "missing >, unterminated name")
			}
			text, err := groupText(p.group(m, replacement[i+2:i+end]), "unknown group name")
			if err != nil {
				return "", err
			}
			out.WriteString(text)
			i += end
		case ch == 'n':
			out.WriteByte('\n')
		case ch == 't':
			out.WriteByte('\t')
		case ch == 'r':
			out.WriteByte('\r')
		case ch == '\\':
			out.WriteByte('\\')
		default:
			out.WriteByte('\\')
			out.WriteByte(ch)
		}
	}
	return out.String(), nil
}

// group finds a group by its name or number.
func (p pattern) group(m *regexp2.Match, name string) *regexp2.Group {
	n, ok := p.names[name]
	if !ok {
		var err error
		if n, err = strconv.Atoi(name); err != nil {
			return nil
		}
	}
	return m.GroupByNumber(n)
}

func groupText(g *regexp2.Group, missing string) (string, error) {
	if g == nil {
		return "", value.Errorf(value.ValueError, "%s", missing)
	}
	return g.String(), nil
}

// matched gives a group's text, None when it took no part in the match.
func matched(g *regexp2.Group) any {
	if g == nil || len(g.Captures) == 0 {
		return nil
	}
	return g.String()
}

func regexSearch(c *jinja.Call) (any, error) {
	subject, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	re, err := shared.of(c, c.Args[0], 2, 1)
	if err != nil {
		return nil, err
	}
	m, err := re.FindStringMatch(subject)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "regex_search: %v", err)
	}
	if m == nil {
		return nil, nil
	}
	if len(c.Rest) == 0 {
		return m.String(), nil
	}
	out := value.NewList()
	for _, arg := range c.Rest {
		text, _ := arg.(string)
		name, ok := strings.CutPrefix(text, `\g<`)
		if ok {
			name = strings.TrimSuffix(name, ">")
		} else if name, ok = strings.CutPrefix(text, `\`); !ok {
			return nil, value.Errorf(value.ValueError, "Unknown argument")
		}
		g := re.group(m, name)
		if g == nil {
			return nil, value.Errorf(value.IndexError, "no such group")
		}
		out.Append(matched(g))
	}
	return out, nil
}

func regexFindall(c *jinja.Call) (any, error) {
	subject, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	re, err := shared.of(c, c.Args[0], 2, 1)
	if err != nil {
		return nil, err
	}
	out := value.NewList()
	m, err := re.FindStringMatch(subject)
	for ; m != nil && err == nil; m, err = re.FindNextMatch(m) {
		groups := m.Groups()
		switch len(groups) {
		case 1:
			out.Append(m.String())
		case 2:
			out.Append(groups[1].String())
		default:
			row := make(value.Tuple, 0, len(groups)-1)
			for _, g := range groups[1:] {
				row = append(row, g.String())
			}
			out.Append(row)
		}
	}
	if err != nil {
		return nil, value.Errorf(value.ValueError, "regex_findall: %v", err)
	}
	return out, nil
}

func regexEscape(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	special := "()[]{}?*+-|^$\\.&~# \t\n\r\v\f"
	switch c.Args[0] {
	case "python":
	case "posix_basic":
		special = `[].*^$\`
	case "posix_extended":
		return nil, value.Errorf(value.ValueError, "Regex type (posix_extended) not yet implemented")
	default:
		return nil, value.Errorf(value.ValueError, "Invalid regex type (%v)", c.Args[0])
	}
	var out strings.Builder
	for _, r := range text {
		if strings.ContainsRune(special, r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String(), nil
}
