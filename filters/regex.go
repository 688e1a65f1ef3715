package filters

import (
	"strings"
	"sync"

	"github.com/hostlerhq/hostler/internal/pyre"
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

// patterns remembers compiled patterns: a playbook uses the same few for every host.
type patterns struct {
	mu   sync.Mutex
	seen map[patternKey]*pyre.Regexp
}

type patternKey struct {
	text    string
	options pyre.Options
}

const maxPatterns = 500

func (p *patterns) compile(text string, ignoreCase, multiline bool) (*pyre.Regexp, error) {
	key := patternKey{text, pyre.Options{IgnoreCase: ignoreCase, Multiline: multiline}}
	p.mu.Lock()
	defer p.mu.Unlock()
	if re, ok := p.seen[key]; ok {
		return re, nil
	}
	re, err := pyre.Compile(text, key.options)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "invalid regular expression %q: %v", text, err)
	}
	if p.seen == nil || len(p.seen) >= maxPatterns {
		p.seen = map[patternKey]*pyre.Regexp{}
	}
	p.seen[key] = re
	return re, nil
}

// flag reads an argument's truth.
func flag(c *jinja.Call, i int) (bool, error) { return c.Truth(c.Args[i]) }

func (p *patterns) of(c *jinja.Call, text any, ignoreCaseArg, multilineArg int) (*pyre.Regexp, error) {
	source, err := c.Text(text)
	if err != nil {
		return nil, err
	}
	fold, err := flag(c, ignoreCaseArg)
	if err != nil {
		return nil, err
	}
	multi, err := flag(c, multilineArg)
	if err != nil {
		return nil, err
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
	out, found, err := re.Sub(replacement, subject, count)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "regex_replace: %v", err)
	}
	if want, _ := c.Args[5].(int); want > 0 && found != want {
		return nil, value.Errorf(value.ValueError, "'%v' should match %d times, but matches %d times in '%s'", c.Args[0], want, found, subject)
	}
	return out, nil
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
	m, err := re.Search(subject)
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
		group, took, ok := m.Group(name)
		switch {
		case !ok:
			return nil, value.Errorf(value.IndexError, "no such group: %s", text)
		case took:
			out.Append(group)
		default:
			out.Append(nil)
		}
	}
	return out, nil
}

// regexCost is how many times the memory of an item of a list a match takes.
const regexCost = 4

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
	m, err := re.Search(subject)
	for ; m != nil && err == nil; m, err = m.Next() {
		if err := c.Room(regexCost * (out.Len() + 1)); err != nil {
			return nil, err
		}
		groups := m.Groups()
		switch len(groups) {
		case 0:
			out.Append(m.String())
		case 1:
			out.Append(groups[0])
		default:
			row := make(value.Tuple, 0, len(groups))
			for _, g := range groups {
				row = append(row, g)
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
