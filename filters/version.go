package filters

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// versionTest compares versions as Python's LooseVersion does: runs of digits by number, runs of letters as text.
func versionTest(c *jinja.Call) (any, error) {
	a, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	b, err := c.Text(c.Args[0])
	if err != nil {
		return nil, err
	}
	if a == "" {
		return nil, value.Errorf(value.ValueError, "Input version value cannot be empty")
	}
	if b == "" {
		return nil, value.Errorf(value.ValueError, "Version parameter to compare against cannot be empty")
	}
	compare, err := versionScheme(c)
	if err != nil {
		return nil, err
	}
	order, err := compare(a, b)
	if err != nil {
		return nil, err
	}
	switch c.Args[1] {
	case "==", "=", "eq":
		return order == 0, nil
	case "!=", "<>", "ne":
		return order != 0, nil
	case "<", "lt":
		return order < 0, nil
	case "<=", "le":
		return order <= 0, nil
	case ">", "gt":
		return order > 0, nil
	case ">=", "ge":
		return order >= 0, nil
	}
	return nil, value.Errorf(value.ValueError, "Invalid operator type (%v). Must be one of ==, =, eq, !=, <>, ne, <, lt, <=, le, >, gt, >=, ge", c.Args[1])
}

// versionScheme chooses how versions are compared, by strict and version_type.
func versionScheme(c *jinja.Call) (func(a, b string) (int, error), error) {
	if c.Args[2] != nil && c.Args[3] != nil {
		return nil, value.Errorf(value.ValueError, "Cannot specify both 'strict' and 'version_type'")
	}
	strict, err := c.Truth(c.Args[2])
	if err != nil {
		return nil, err
	}
	if strict {
		return compareStrict, nil
	}
	switch c.Args[3] {
	case nil, "", "loose":
		return compareVersions, nil
	case "strict":
		return compareStrict, nil
	case "semver", "semantic":
		return compareSemantic, nil
	case "pep440":
		return comparePEP440, nil
	}
	return nil, value.Errorf(value.ValueError, "Invalid version type (%v). Must be one of 'loose', 'strict', 'semver', 'semantic', 'pep440'", c.Args[3])
}

func compareVersions(a, b string) (int, error) {
	x, y := versionParts(a), versionParts(b)
	for i := range min(len(x), len(y)) {
		n, nOK := x[i].(int)
		m, mOK := y[i].(int)
		switch {
		case nOK && mOK:
			if o := cmp.Compare(n, m); o != 0 {
				return o, nil
			}
		case nOK != mOK:
			return 0, value.Errorf(value.TypeError, "Version comparison failed: '<' not supported between instances of 'str' and 'int' (%s and %s)", a, b)
		default:
			if o := strings.Compare(x[i].(string), y[i].(string)); o != 0 {
				return o, nil
			}
		}
	}
	return cmp.Compare(len(x), len(y)), nil
}

func versionParts(v string) []any {
	var parts []any
	for v != "" {
		digit := func(r rune) bool { return r >= '0' && r <= '9' }
		letter := func(r rune) bool { return r >= 'a' && r <= 'z' }
		kind := func(r rune) int {
			switch {
			case digit(r):
				return 1
			case letter(r):
				return 2
			}
			return 3
		}
		first := kind(rune(v[0]))
		n := 1
		for n < len(v) && kind(rune(v[n])) == first && v[n] != '.' && v[n-1] != '.' {
			n++
		}
		part := v[:n]
		v = v[n:]
		if part == "." {
			continue
		}
		if i, err := strconv.Atoi(part); err == nil && first == 1 {
			parts = append(parts, i)
		} else {
			parts = append(parts, part)
		}
	}
	return parts
}
