package actions

import (
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// groups gives the lists of names of a rule between options; one that is malformed has none.
func groups(rules *value.Dict, rule string) [][]string {
	v, _ := rules.Get(rule)
	list, _ := v.(*value.List)
	if list == nil {
		return nil
	}
	var out [][]string
	for _, item := range list.Items {
		out = append(out, ruleNames(item))
	}
	return out
}

// ruleNames gives a list of names, or a single one as such a list.
func ruleNames(v any) []string {
	list, ok := v.(*value.List)
	if !ok {
		return []string{shownText(v)}
	}
	var out []string
	for _, item := range list.Items {
		out = append(out, shownText(item))
	}
	return out
}

// absent gives those of the names that have no value.
func absent(given *value.Dict, names []string) []string {
	var out []string
	for _, name := range names {
		if !has(given, name) {
			out = append(out, name)
		}
	}
	return out
}

// exclusive checks mutually_exclusive, before defaults count.
func (c *specCheck) exclusive(rules, given *value.Dict, path []string) {
	var bad []string
	for _, group := range groups(rules, "mutually_exclusive") {
		if len(group)-len(absent(given, group)) > 1 {
			bad = append(bad, strings.Join(group, "|"))
		}
	}
	if len(bad) > 0 {
		c.fail(path, "parameters are mutually exclusive: %s", strings.Join(bad, ", "))
	}
}

// between checks the other rules between options; of each kind the first that does not hold is told.
func (c *specCheck) between(rules, given *value.Dict, path []string) {
	for _, group := range groups(rules, "required_together") {
		if missing := absent(given, group); len(missing) > 0 && len(missing) < len(group) {
			c.fail(path, "parameters are required together: %s", strings.Join(group, ", "))
			break
		}
	}
	for _, group := range groups(rules, "required_one_of") {
		if len(absent(given, group)) == len(group) {
			c.fail(path, "one of the following is required: %s", strings.Join(group, ", "))
			break
		}
	}
	c.requiredIf(rules, given, path)
	c.requiredBy(rules, given, path)
}

// requiredIf checks [name, value, names], with a fourth entry that is true when one of the names is enough.
func (c *specCheck) requiredIf(rules, given *value.Dict, path []string) {
	v, _ := rules.Get("required_if")
	list, _ := v.(*value.List)
	if list == nil {
		return
	}
	for _, item := range list.Items {
		r, _ := item.(*value.List)
		if r == nil || r.Len() < 3 {
			continue
		}
		name := shownText(r.Items[0])
		v, ok := given.Get(name)
		if eq, err := value.Equal(v, r.Items[1]); !ok || !eq || err != nil {
			continue
		}
		wanted := ruleNames(r.Items[2])
		missing, all := absent(given, wanted), "all"
		if r.Len() > 3 {
			if one, err := modules.Bool(r.Items[3]); err == nil && one {
				if len(missing) < len(wanted) {
					continue
				}
				all = "any"
			}
		}
		if len(missing) > 0 {
			c.fail(path, "%s is %s but %s of the following are missing: %s", name, shownText(v), all, strings.Join(missing, ", "))
			return
		}
	}
}

// requiredBy checks {name: names that it needs}.
func (c *specCheck) requiredBy(rules, given *value.Dict, path []string) {
	v, _ := rules.Get("required_by")
	d, _ := v.(*value.Dict)
	for k, wanted := range d.All() {
		name := shownText(k)
		if v, _ := given.Get(name); v == nil {
			continue
		}
		var missing []string
		for _, other := range ruleNames(wanted) {
			if v, _ := given.Get(other); v == nil {
				missing = append(missing, other)
			}
		}
		if len(missing) > 0 {
			c.fail(path, "missing parameter(s) required by '%s': %s", name, strings.Join(missing, ", "))
			return
		}
	}
}

// convert is Ansible's conversion to a type of arguments; the error words are its own.
func convert(kind string, v any) (any, error) {
	refuse := func(what string) error {
		return fmt.Errorf("<class '%s'> cannot be converted to %s", value.TypeName(v), what)
	}
	switch kind {
	case "int":
		if n, err := modules.Int(v); err == nil {
			return int(n), nil
		}
		return nil, refuse("an int")
	case "float":
		if n, err := modules.Float(v); err == nil {
			return n, nil
		}
		return nil, refuse("a float")
	case "bool":
		if b, err := modules.Bool(v); err == nil {
			return b, nil
		}
		return nil, refuse("a bool")
	case "list":
		if items, err := modules.Items(v); err == nil {
			return value.NewList(items...), nil
		}
		return nil, refuse("a list")
	case "dict":
		if d, err := modules.Dict(v); err == nil {
			return d, nil
		}
		if _, isText := v.(string); isText {
			return nil, fmt.Errorf("dictionary requested, could not parse JSON or key=value")
		}
		return nil, refuse("a dict")
	case "bytes", "bits":
		if s, err := modules.Str(v); err == nil {
			if n, err := modules.ParseSize(s); err == nil {
				return int(n), nil
			}
		}
		if kind == "bits" {
			return nil, refuse("a Bit value")
		}
		return nil, refuse("a Byte value")
	case "str", "path":
		return value.Str(v)
	case "raw", "json", "jsonarg":
		return v, nil
	}
	return nil, fmt.Errorf("there is no type %q", kind)
}
