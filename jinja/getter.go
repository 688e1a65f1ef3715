package jinja

import (
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// getter follows an attribute= argument: "a.b.0", an index, or nothing.
type getter struct {
	parts []any
}

func newGetter(attribute any) (getter, error) {
	switch a := attribute.(type) {
	case nil:
		return getter{}, nil
	case *Undefined:
		return getter{}, a.Use()
	}
	s, ok := value.AsString(attribute)
	if !ok {
		return getter{parts: []any{attribute}}, nil
	}
	var g getter
	for part := range strings.SplitSeq(s, ".") {
		if i, err := strconv.Atoi(part); err == nil && isDigits(part) {
			g.parts = append(g.parts, i)
		} else {
			g.parts = append(g.parts, part)
		}
	}
	return g, nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if !isDecimal(s[i]) {
			return false
		}
	}
	return s != ""
}

func (g getter) get(rt *runtime, v any) (any, error) {
	return g.getOr(rt, v, nil)
}

// getOr is get with a default for what is missing on the way; nil is no default.
func (g getter) getOr(rt *runtime, v, def any) (any, error) {
	for _, part := range g.parts {
		var err error
		if v, err = rt.getItem(v, part); err != nil {
			return nil, err
		}
		if _, missing := v.(*Undefined); missing && def != nil {
			v = def
		}
	}
	return v, nil
}

// ignoreCase lowers text; other values stay.
func ignoreCase(v any) any {
	if s, ok := value.AsString(v); ok {
		return strings.ToLower(s)
	}
	return v
}

// keyFunc gives the key by which sort, unique and their like compare.
func (c *Call) keyFunc(attribute any, caseSensitive bool) (func(v any) (any, error), error) {
	g, err := newGetter(attribute)
	if err != nil {
		return nil, err
	}
	return func(v any) (any, error) {
		k, err := g.get(c.rt, v)
		if err != nil || caseSensitive {
			return k, err
		}
		return ignoreCase(k), nil
	}, nil
}
