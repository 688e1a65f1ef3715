package actions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// specCheck collects what is wrong with values by an argument specification (Ansible's developer guide, "Argument spec").
type specCheck struct {
	problems []string
	// extra are the names that the specification does not have, known those that it has beside them.
	extra, known []string
	// skipped are the rules between options that are not checked.
	skipped []string
}

// rules are those between the options of a dict.
var rules = []string{"mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by"}

// unknown is the complaint about names that there are not.
func (c *specCheck) unknown() []string {
	if len(c.extra) == 0 {
		return nil
	}
	slices.Sort(c.extra)
	slices.Sort(c.known)
	return []string{fmt.Sprintf("%s. Supported parameters include: %s.", strings.Join(c.extra, ", "), strings.Join(c.known, ", "))}
}

func (c *specCheck) fail(path []string, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(path) > 0 {
		text += " found in " + strings.Join(path, " -> ")
	}
	c.problems = append(c.problems, text)
}

// options checks the values of one level: path leads to it.
func (c *specCheck) options(spec, given *value.Dict, path []string) {
	given = aliased(spec, given)
	c.names(spec, given, path)
	var missing []string
	for name, o := range each(spec) {
		if v, ok := given.Get(name); truthy(o, "required") && (!ok || v == nil) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		c.fail(path, "missing required arguments: %s", strings.Join(missing, ", "))
	}
	converted := make(map[string]any)
	for name, o := range each(spec) {
		if v, ok := given.Get(name); ok && v != nil {
			if out, ok := c.typed(name, o, v, path); ok {
				converted[name] = out
			}
		}
	}
	for name, o := range each(spec) {
		if v, ok := converted[name]; ok {
			c.choices(name, o, v, path)
		}
	}
	for name, o := range each(spec) {
		inner, _ := o.Get("options")
		if sub, ok := inner.(*value.Dict); ok {
			c.inner(name, o, sub, converted[name], path)
		}
	}
}

// each gives the options of a specification.
func each(spec *value.Dict) func(func(string, *value.Dict) bool) {
	return func(yield func(string, *value.Dict) bool) {
		for k, v := range spec.All() {
			o, _ := v.(*value.Dict)
			if name, ok := k.(string); ok && !yield(name, o) {
				return
			}
		}
	}
}

// aliased gives the values with their options' own names.
func aliased(spec, given *value.Dict) *value.Dict {
	out := given.Copy()
	for name, o := range each(spec) {
		for _, alias := range texts(o, "aliases") {
			if v, ok := given.Get(alias); ok {
				out.Set(name, v)
				out.Delete(alias)
			}
		}
	}
	return out
}

// names notes the values that are no options.
func (c *specCheck) names(spec, given *value.Dict, path []string) {
	before := len(c.extra)
	for k := range given.All() {
		if _, ok := spec.Get(k); !ok {
			c.extra = append(c.extra, strings.Join(append(slices.Clone(path), fmt.Sprint(k)), "."))
		}
	}
	if len(c.extra) == before {
		return
	}
	for name, o := range each(spec) {
		if aliases := texts(o, "aliases"); len(aliases) > 0 {
			name += " (" + strings.Join(aliases, ", ") + ")"
		}
		c.known = append(c.known, name)
	}
}

// typed brings a value to its option's type.
func (c *specCheck) typed(name string, o *value.Dict, v any, path []string) (any, bool) {
	kind := cmp.Or(o.Str("type"), "str")
	out, err := convert(kind, v)
	if err != nil {
		c.fail(path, "argument '%s' is of type <class '%s'> and we were unable to convert to %s: %v", name, value.TypeName(v), kind, err)
		return nil, false
	}
	element := o.Str("elements")
	list, isList := out.(*value.List)
	if element == "" || !isList {
		return out, true
	}
	items := value.NewList()
	for _, item := range list.Items {
		one, err := convert(element, item)
		if err != nil {
			c.fail(path, "Elements value for option '%s' is of type <class '%s'> and we were unable to convert to %s: %v",
				name, value.TypeName(item), element, err)
			return nil, false
		}
		items.Append(one)
	}
	return items, true
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
		return nil, refuse("a dict")
	case "bytes", "bits":
		if s, err := modules.Str(v); err == nil {
			if n, err := modules.ParseSize(s); err == nil {
				return int(n), nil
			}
		}
		return nil, refuse("a size")
	case "str", "path":
		return value.Str(v)
	case "raw", "json", "jsonarg":
		return v, nil
	}
	return nil, fmt.Errorf("there is no type %q", kind)
}

// choices holds a value, or each of a list, to those that the option allows.
func (c *specCheck) choices(name string, o *value.Dict, v any, path []string) {
	allowed, _ := o.Get("choices")
	list, ok := allowed.(*value.List)
	if !ok {
		return
	}
	var names []string
	for _, item := range list.Items {
		names = append(names, fmt.Sprint(item))
	}
	among := func(v any) bool {
		return slices.ContainsFunc(list.Items, func(item any) bool {
			eq, err := value.Equal(item, v)
			return eq && err == nil
		})
	}
	if many, ok := v.(*value.List); ok {
		var wrong []string
		for _, item := range many.Items {
			if !among(item) {
				wrong = append(wrong, fmt.Sprint(item))
			}
		}
		if len(wrong) > 0 {
			c.fail(path, "value of %s must be one or more of: %s. Got no match for: %s", name, strings.Join(names, ", "), strings.Join(wrong, ", "))
		}
		return
	}
	if !among(v) {
		c.fail(path, "value of %s must be one of: %s, got: %v", name, strings.Join(names, ", "), v)
	}
}

// inner checks the options of a dict, or of each dict of a list.
func (c *specCheck) inner(name string, o, spec *value.Dict, v any, path []string) {
	path = append(slices.Clone(path), name)
	for _, rule := range rules {
		if _, ok := o.Get(rule); ok {
			c.skipped = append(c.skipped, rule+" of "+strings.Join(path, "."))
		}
	}
	switch v := v.(type) {
	case *value.Dict:
		c.options(spec, v, path)
	case *value.List:
		for _, item := range v.Items {
			if d, ok := item.(*value.Dict); ok {
				c.options(spec, d, path)
			}
		}
	case nil:
		if truthy(o, "apply_defaults") {
			c.options(spec, value.NewDict(), path)
		}
	}
}

func truthy(o *value.Dict, key string) bool {
	v, _ := o.Get(key)
	b, err := modules.Bool(v)
	return err == nil && b
}

func texts(o *value.Dict, key string) []string {
	v, _ := o.Get(key)
	list, _ := v.(*value.List)
	if list == nil {
		return nil
	}
	var out []string
	for _, item := range list.Items {
		out = append(out, fmt.Sprint(item))
	}
	return out
}
