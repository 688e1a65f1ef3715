package actions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// specCheck collects what is wrong with values by an argument specification (Ansible's developer guide, "Argument spec"), in
// the order and with the words of Ansible.
type specCheck struct {
	problems []string
	// extra are the names that no option has, each with what the specification has in its place.
	extra map[string]string
}

// check checks the values of a whole specification.
func (c *specCheck) check(spec, given *value.Dict) []string {
	c.extra = make(map[string]string)
	c.options(spec, value.NewDict(), given, nil)
	if len(c.extra) > 0 {
		names := make([]string, 0, len(c.extra))
		for name := range c.extra {
			names = append(names, name)
		}
		slices.Sort(names)
		c.problems = append(c.problems, fmt.Sprintf("%s. Supported parameters include: %s.", strings.Join(names, ", "), c.extra[names[0]]))
	}
	return c.problems
}

func (c *specCheck) fail(path []string, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(path) > 0 {
		text += " found in " + strings.Join(path, " -> ")
	}
	c.problems = append(c.problems, text)
}

// options checks the values of one level: path leads to it, and rules holds those between its options.
func (c *specCheck) options(spec, rules, given *value.Dict, path []string) {
	given = aliased(spec, given)
	if err := hideable(spec, given); err != nil {
		c.problems = append(c.problems, err.Error())
	}
	c.names(spec, given, path)
	c.exclusive(rules, given, path)
	for name, o := range each(spec) {
		if v, ok := o.Get("default"); ok && v != nil && !has(given, name) {
			given.Set(name, v)
		}
	}
	c.required(spec, given, path)
	for name, o := range each(spec) {
		if v, ok := given.Get(name); ok && v != nil {
			given.Set(name, c.typed(name, o, v, path))
		}
	}
	for name, o := range each(spec) {
		if v, ok := given.Get(name); ok {
			c.choices(name, o, v, path)
		}
	}
	c.between(rules, given, path)
	for name, o := range each(spec) {
		v, _ := given.Get(name)
		c.inner(name, o, v, path)
	}
}

// required reports options that are missing.
func (c *specCheck) required(spec, given *value.Dict, path []string) {
	var missing []string
	for name, o := range each(spec) {
		if truthy(o, "required") && !has(given, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		c.fail(path, "missing required arguments: %s", strings.Join(missing, ", "))
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

// aliased gives a copy of the values that also has the options' own names.
func aliased(spec, given *value.Dict) *value.Dict {
	out := given.Copy()
	for name, o := range each(spec) {
		for _, alias := range texts(o, "aliases") {
			if v, ok := given.Get(alias); ok {
				out.Set(name, v)
			}
		}
	}
	return out
}

// names notes the values that are no options.
func (c *specCheck) names(spec, given *value.Dict, path []string) {
	var names, aliases []string
	for name, o := range each(spec) {
		names = append(names, name)
		aliases = append(aliases, texts(o, "aliases")...)
	}
	slices.Sort(names)
	slices.Sort(aliases)
	known := strings.Join(names, ", ")
	if len(aliases) > 0 {
		known += " (" + strings.Join(aliases, ", ") + ")"
	}
	for k := range given.All() {
		if name := fmt.Sprint(k); !slices.Contains(names, name) && !slices.Contains(aliases, name) {
			c.extra[strings.Join(append(slices.Clone(path), name), ".")] = known
		}
	}
}

// typed brings a value to its option's type; one that does not fit stays as it is, items of a list that do not fit are dropped.
func (c *specCheck) typed(name string, o *value.Dict, v any, path []string) any {
	kind := cmp.Or(o.Str("type"), "str")
	out, err := convert(kind, v)
	if err != nil {
		c.problems = append(c.problems, fmt.Sprintf("argument '%s' is of type <class '%s'>%s and we were unable to convert to %s: %v",
			name, value.TypeName(v), within(path, "."), kind, err))
		return v
	}
	element := o.Str("elements")
	list, isList := out.(*value.List)
	if element == "" || !isList {
		return out
	}
	items := value.NewList()
	for _, item := range list.Items {
		one, err := convert(element, item)
		if err != nil {
			c.problems = append(c.problems, fmt.Sprintf("Elements value for option '%s'%s is of type <class '%s'> and we were unable to convert to %s: %v",
				name, within(path, ""), value.TypeName(item), element, err))
			continue
		}
		items.Append(one)
	}
	return items
}

// within names the place of an option in the middle of a message.
func within(path []string, end string) string {
	if len(path) == 0 {
		return ""
	}
	return " found in '" + strings.Join(path, " -> ") + "'" + end
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
		names = append(names, shownText(item))
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
				wrong = append(wrong, shownText(item))
			}
		}
		if len(wrong) > 0 {
			c.fail(path, "value of %s must be one or more of: %s. Got no match for: %s", name, strings.Join(names, ", "), strings.Join(wrong, ", "))
		}
		return
	}
	if !among(v) && !oneWord(list.Items, v) {
		c.fail(path, "value of %s must be one of: %s, got: %s", name, strings.Join(names, ", "), shownText(v))
	}
}

// oneWord reports whether a truth value that became text stands for the only choice of its kind, as no does in YAML.
func oneWord(choices []any, v any) bool {
	if v != "True" && v != "False" {
		return false
	}
	count := 0
	for _, choice := range choices {
		if b, err := modules.Bool(choice); err == nil && b == (v == "True") {
			count++
		}
	}
	return count == 1
}

// inner checks the options of a dict, or of each dict of a list.
func (c *specCheck) inner(name string, o *value.Dict, v any, path []string) {
	inner, _ := o.Get("options")
	spec, ok := inner.(*value.Dict)
	kind := o.Str("type")
	if !ok || kind != "dict" && (kind != "list" || o.Str("elements") != "dict") {
		return
	}
	if v == nil && truthy(o, "apply_defaults") {
		v = value.NewDict()
	}
	if v == nil {
		return
	}
	list, many := v.(*value.List)
	if !many {
		list = value.NewList(v)
	}
	for _, item := range list.Items {
		if d, ok := item.(*value.Dict); ok {
			c.options(spec, o, d, append(slices.Clone(path), name))
		} else {
			c.problems = append(c.problems, fmt.Sprintf("value of '%s' must be of type dict or list of dicts", name))
		}
	}
}

// hideable looks for what Ansible cannot look through for values to hide: suboptions that are no dicts.
func hideable(spec, given *value.Dict) error {
	for name, o := range each(spec) {
		inner, _ := o.Get("options")
		sub, ok := inner.(*value.Dict)
		v, _ := given.Get(name)
		kind := o.Str("type")
		if !ok || v == nil || kind != "dict" && (kind != "list" || o.Str("elements") != "dict") {
			continue
		}
		list, many := v.(*value.List)
		if !many {
			list = value.NewList(v)
		}
		for _, item := range list.Items {
			if text, ok := item.(string); ok {
				d, err := convert("dict", text)
				if err != nil {
					return err
				}
				item = d
			}
			d, ok := item.(*value.Dict)
			if !ok {
				return fmt.Errorf("Value '%s' in the sub parameter field '%s' must by a %s, not '%s'", shownText(item), name, kind, value.TypeName(item))
			}
			if err := hideable(sub, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// shownText is a value as Python prints it.
func shownText(v any) string {
	s, err := value.Str(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return s
}

func has(d *value.Dict, name string) bool {
	_, ok := d.Get(name)
	return ok
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
