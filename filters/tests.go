package filters

import (
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// resultTests look at a registered result.
func resultTests() []entry {
	return []entry{
		one("failed", "", resultTest("failed", failed)).named("failure"),
		one("succeeded", "", resultTest("succeeded", func(d *value.Dict) bool { return !failed(d) })).named("success", "successful"),
		one("changed", "", resultTest("changed", changed)).named("change"),
		one("skipped", "", resultTest("skipped", func(d *value.Dict) bool { return truthOf(d, "skipped") })).named("skip"),
		one("started", "", resultTest("started", func(d *value.Dict) bool { return unlessKnown(d, "started") })),
		one("finished", "", resultTest("finished", func(d *value.Dict) bool { return unlessKnown(d, "finished") })),
		one("unreachable", "", resultTest("unreachable", func(d *value.Dict) bool { return truthOf(d, "unreachable") })),
		one("reachable", "", resultTest("reachable", func(d *value.Dict) bool { return !truthOf(d, "unreachable") })),
		one("timedout", "", resultTest("timedout", func(d *value.Dict) bool { return truthOf(d, "timedout") })),
	}
}

func resultTest(name string, holds func(*value.Dict) bool) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		d, ok := c.Value.(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "The '%s' test expects a dictionary", name)
		}
		return holds(d), nil
	}
}

func truthOf(d *value.Dict, key string) bool {
	v, _ := d.Get(key)
	truth, err := value.Truth(v)
	return err == nil && truth
}

// unlessKnown is 1 in the result of an async task; of any other task the answer is yes.
func unlessKnown(d *value.Dict, key string) bool {
	v, ok := d.Get(key)
	if !ok {
		return true
	}
	same, err := value.Equal(v, 1)
	return err == nil && same
}

func failed(d *value.Dict) bool { return truthOf(d, "failed") }

// changed looks at the items of a loop too, where the whole says nothing.
func changed(d *value.Dict) bool {
	if _, ok := d.Get("changed"); ok {
		return truthOf(d, "changed")
	}
	results, _ := d.Get("results")
	l, ok := results.(*value.List)
	if !ok {
		return false
	}
	for _, item := range l.Items {
		if one, ok := item.(*value.Dict); ok && truthOf(one, "changed") {
			return true
		}
	}
	return false
}

// valueTests look at any value.
func valueTests() []entry {
	return []entry{
		one("match", "pattern='', ignorecase=False, multiline=False", patternTest(true)),
		one("search", "pattern='', ignorecase=False, multiline=False", patternTest(false)),
		one("regex", "pattern='', ignorecase=False, multiline=False, match_type='search'", patternTest(false)),
		one("version", "version, operator='eq', strict=None, version_type=None", versionTest).named("version_compare"),
		one("truthy", "convert_bool=False", truthy),
		one("falsy", "convert_bool=False", falsy),
		one("contains", "item", contains),
		one("subset", "other", subset).named("issubset"),
		one("superset", "other", superset).named("issuperset"),
		one("any", "", anyTest),
		one("all", "", allTest),
		one("nan", "", func(c *jinja.Call) (any, error) {
			f, ok := c.Value.(float64)
			return ok && f != f, nil
		}).named("isnan"),
	}
}

func patternTest(atStart bool) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		text, err := c.Text(c.Value)
		if err != nil {
			return nil, err
		}
		re, err := shared.of(c, c.Args[0], 1, 2)
		if err != nil {
			return nil, err
		}
		start := atStart
		if len(c.Args) > 3 {
			kind, _ := c.Args[3].(string)
			switch kind {
			case "search":
			case "match":
				start = true
			case "fullmatch":
				m, err := re.Search(text)
				return m != nil && m.String() == text, err
			default:
				return nil, value.Errorf(value.ValueError, "the match_type must be search, match or fullmatch, not %q", kind)
			}
		}
		find := re.Contains
		if start {
			find = re.MatchStart
		}
		found, err := find(text)
		if err != nil {
			return nil, value.Errorf(value.ValueError, "%s: %v", c.Name, err)
		}
		return found, nil
	}
}

func truthy(c *jinja.Call) (any, error) {
	convert, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	v := c.Value
	if convert {
		if s, ok := v.(string); ok {
			switch strings.ToLower(s) {
			case "y", "yes", "on", "1", "true", "t":
				return true, nil
			case "n", "no", "off", "0", "false", "f":
				return false, nil
			}
		}
	}
	return c.Truth(v)
}

func falsy(c *jinja.Call) (any, error) {
	v, err := truthy(c)
	if err != nil {
		return nil, err
	}
	return v == false, nil
}

func contains(c *jinja.Call) (any, error) {
	if s, ok := c.Value.(string); ok {
		item, ok := c.Args[0].(string)
		return ok && strings.Contains(s, item), nil
	}
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	if _, isDict := c.Value.(*value.Dict); isDict {
		if err := value.Hashable(c.Args[0]); err != nil {
			return nil, err
		}
	}
	return setOf(items).has(c.Args[0]), nil
}

func subset(c *jinja.Call) (any, error) {
	a, b, err := twoSets(c)
	if err != nil {
		return nil, err
	}
	return within(a, b), nil
}

func superset(c *jinja.Call) (any, error) {
	a, b, err := twoSets(c)
	if err != nil {
		return nil, err
	}
	return within(b, a), nil
}

// twoSets is two, for items that Python can put into a set.
func twoSets(c *jinja.Call) (a, b []any, err error) {
	if a, b, err = two(c); err != nil {
		return nil, nil, err
	}
	for _, items := range [][]any{a, b} {
		for _, item := range items {
			if err := value.Hashable(item); err != nil {
				return nil, nil, err
			}
		}
	}
	return a, b, nil
}

func within(small, large []any) bool {
	all := setOf(large)
	for _, v := range small {
		if !all.has(v) {
			return false
		}
	}
	return true
}

func anyTest(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if truth, err := c.Truth(item); err != nil || truth {
			return truth, err
		}
	}
	return false, nil
}

func allTest(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if truth, err := c.Truth(item); err != nil || !truth {
			return false, err
		}
	}
	return true, nil
}
