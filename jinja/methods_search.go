package jinja

import (
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

func (e *Env) addTextSearch() {
	e.addMethod("str", "split", "sep=None, maxsplit=-1", func(c *Call) (any, error) { return c.split(false) })
	e.addMethod("str", "rsplit", "sep=None, maxsplit=-1", func(c *Call) (any, error) { return c.split(true) })
	e.addMethod("str", "splitlines", "keepends=False", func(c *Call) (any, error) {
		if err := c.rt.tooMany(strings.Count(c.self(), "\n")); err != nil {
			return nil, err
		}
		keep, err := c.Truth(c.Args[0])
		return textList(splitLines(c.self(), keep)), err
	})
	e.addMethod("str", "join", "iterable", methodJoin)
	e.addMethod("str", "replace", "old, new, count=-1", func(c *Call) (any, error) {
		old, err := c.textArg(0)
		if err != nil {
			return nil, err
		}
		with, err := c.textArg(1)
		if err != nil {
			return nil, err
		}
		count, err := c.intArg(2)
		if err != nil {
			return nil, err
		}
		return c.rt.replace(c.self(), old, with, count)
	})
	e.addMethod("str", "startswith", "prefix, start=None, end=None", func(c *Call) (any, error) { return c.affix(strings.HasPrefix) })
	e.addMethod("str", "endswith", "suffix, start=None, end=None", func(c *Call) (any, error) { return c.affix(strings.HasSuffix) })
	e.addMethod("str", "find", "sub, start=None, end=None", func(c *Call) (any, error) { return c.find(strings.Index, false) })
	e.addMethod("str", "rfind", "sub, start=None, end=None", func(c *Call) (any, error) { return c.find(strings.LastIndex, false) })
	e.addMethod("str", "index", "sub, start=None, end=None", func(c *Call) (any, error) { return c.find(strings.Index, true) })
	e.addMethod("str", "rindex", "sub, start=None, end=None", func(c *Call) (any, error) { return c.find(strings.LastIndex, true) })
	e.addMethod("str", "count", "sub, start=None, end=None", func(c *Call) (any, error) {
		part, _, ok, err := c.window()
		if err != nil || !ok {
			return 0, err
		}
		sub, err := c.textArg(0)
		return strings.Count(part, sub), err
	})
	e.addMethod("str", "partition", "sep", func(c *Call) (any, error) { return c.partition(strings.Index, false) })
	e.addMethod("str", "rpartition", "sep", func(c *Call) (any, error) { return c.partition(strings.LastIndex, true) })
	e.addMethod("str", "removeprefix", "prefix", func(c *Call) (any, error) {
		s, err := c.textArg(0)
		return strings.TrimPrefix(c.self(), s), err
	})
	e.addMethod("str", "removesuffix", "suffix", func(c *Call) (any, error) {
		s, err := c.textArg(0)
		return strings.TrimSuffix(c.self(), s), err
	})
}

func textList(parts []string) *value.List {
	l := &value.List{Items: make([]any, len(parts))}
	for i, p := range parts {
		l.Items[i] = p
	}
	return l
}

func (c *Call) split(fromRight bool) (any, error) {
	max, err := c.intArg(1)
	if err != nil {
		return nil, err
	}
	s := c.self()
	if c.Args[0] == nil {
		if len(s) > maxItems {
			words := 0
			for range strings.FieldsFuncSeq(s, isSpace) {
				words++
			}
			if err := c.rt.tooMany(words); err != nil {
				return nil, err
			}
		}
		return textList(splitSpace(s, max, fromRight)), nil
	}
	sep, err := c.textArg(0)
	if err != nil {
		return nil, err
	}
	if sep == "" {
		return nil, value.Errorf(value.ValueError, "empty separator")
	}
	if err := c.rt.tooMany(strings.Count(s, sep)); err != nil {
		return nil, err
	}
	switch {
	case max < 0:
		return textList(strings.Split(s, sep)), nil
	case !fromRight:
		return textList(strings.SplitN(s, sep, max+1)), nil
	}
	parts := strings.Split(s, sep)
	if head := len(parts) - max; head > 1 {
		parts = append([]string{strings.Join(parts[:head], sep)}, parts[head:]...)
	}
	return textList(parts), nil
}

// splitSpace splits at runs of white space, at most max times when max is not negative.
func splitSpace(s string, max int, fromRight bool) []string {
	if max < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	parts := []string{}
	if fromRight {
		s = strings.TrimRightFunc(s, isSpace)
		for s != "" && len(parts) < max {
			word := lastWord(s)
			parts = append([]string{word}, parts...)
			s = strings.TrimRightFunc(s[:len(s)-len(word)], isSpace)
		}
		if s != "" {
			parts = append([]string{s}, parts...)
		}
		return parts
	}
	s = strings.TrimLeftFunc(s, isSpace)
	for s != "" && len(parts) < max {
		at := strings.IndexFunc(s, isSpace)
		if at < 0 {
			at = len(s)
		}
		parts = append(parts, s[:at])
		s = strings.TrimLeftFunc(s[at:], isSpace)
	}
	if s != "" {
		parts = append(parts, s)
	}
	return parts
}

func lastWord(s string) string {
	rest := strings.TrimRightFunc(s, func(r rune) bool { return !isSpace(r) })
	return s[len(rest):]
}

func methodJoin(c *Call) (any, error) {
	items, err := c.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	size := 0
	parts := make([]string, len(items))
	for i, item := range items {
		s, ok := value.AsString(item)
		if !ok {
			if u, ok := item.(*Undefined); ok {
				return nil, u.Use()
			}
			return nil, value.Errorf(value.TypeError, "sequence item %d: expected str instance, %s found", i, value.TypeName(item))
		}
		parts[i] = s
		if size += len(s) + len(c.self()); size > c.rt.maxOutput {
			return nil, c.rt.tooBig()
		}
	}
	return strings.Join(parts, c.self()), nil
}

// window gives the part of the text between the arguments start and end, and how many characters are
// before it; ok is false when start is behind the text's end.
func (c *Call) window() (part string, before int, ok bool, err error) {
	s := c.self()
	if c.Args[1] == nil && c.Args[2] == nil {
		return s, 0, true, nil
	}
	n := utf8.RuneCountInString(s)
	bounds := [2]int{0, n}
	for i := range bounds {
		if c.Args[i+1] == nil {
			continue
		}
		k, isInt := index(c.Args[i+1])
		if !isInt {
			return "", 0, false, value.Errorf(value.TypeError, "slice indices must be integers or None or have an __index__ method")
		}
		if k < 0 {
			k = max(0, k+n)
		}
		bounds[i] = k
	}
	bounds[1] = min(bounds[1], n)
	if bounds[0] > n || bounds[0] > bounds[1] {
		return "", 0, false, nil
	}
	if isASCII(s) {
		return s[bounds[0]:bounds[1]], bounds[0], true, nil
	}
	return string([]rune(s)[bounds[0]:bounds[1]]), bounds[0], true, nil
}

func (c *Call) affix(has func(s, affix string) bool) (any, error) {
	part, _, ok, err := c.window()
	if err != nil || !ok {
		return false, err
	}
	affixes := []any{c.Args[0]}
	if t, isTuple := c.Args[0].(value.Tuple); isTuple {
		affixes = t
	}
	for _, a := range affixes {
		s, isText := value.AsString(a)
		if !isText {
			return nil, value.Errorf(value.TypeError, "%s first arg must be str or a tuple of str, not %s", c.Name, value.TypeName(a))
		}
		if has(part, s) {
			return true, nil
		}
	}
	return false, nil
}

func (c *Call) find(at func(s, sub string) int, must bool) (any, error) {
	sub, ok := value.AsString(c.Args[0])
	if !ok {
		return nil, value.Errorf(value.TypeError, "must be str, not %s", value.TypeName(c.Args[0]))
	}
	part, before, ok, err := c.window()
	if err != nil {
		return nil, err
	}
	i := -1
	if ok {
		i = at(part, sub)
	}
	switch {
	case i >= 0:
		return before + utf8.RuneCountInString(part[:i]), nil
	case must:
		return nil, value.Errorf(value.ValueError, "substring not found")
	}
	return -1, nil
}

func (c *Call) partition(at func(s, sub string) int, right bool) (any, error) {
	sep, err := c.textArg(0)
	if err != nil {
		return nil, err
	}
	if sep == "" {
		return nil, value.Errorf(value.ValueError, "empty separator")
	}
	s := c.self()
	switch i := at(s, sep); {
	case i >= 0:
		return value.Tuple{s[:i], sep, s[i+len(sep):]}, nil
	case right:
		return value.Tuple{"", "", s}, nil
	}
	return value.Tuple{s, "", ""}, nil
}
