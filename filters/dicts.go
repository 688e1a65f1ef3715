package filters

import (
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func dictFilters() []entry {
	return []entry{
		one("combine", "*dicts, recursive=False, list_merge='replace'", combine),
		one("dict2items", "key_name='key', value_name='value'", dictToItems),
		one("items2dict", "key_name='key', value_name='value'", itemsToDict),
		one("rekey_on_member", "key, duplicates='error'", rekeyOnMember),
	}
}

func combine(c *jinja.Call) (any, error) {
	recursive, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	lists, _ := c.Args[1].(string)
	switch lists {
	case "replace", "keep", "append", "prepend", "append_rp", "prepend_rp":
	default:
		return nil, value.Errorf(value.ValueError, "combine: list_merge must be replace, keep, append, prepend, append_rp or prepend_rp, not %q", lists)
	}
	out := value.NewDict()
	dicts, err := flattened(c.Room, append([]any{c.Value}, c.Rest...), -1, true)
	if err != nil {
		return nil, err
	}
	for _, v := range dicts {
		d, ok := v.(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "failed to combine variables, expected dicts but got a '%s'", value.TypeName(v))
		}
		out = combined(out, d, recursive, lists)
	}
	return out, nil
}

// combined gives low with high's entries over it.
func combined(low, high *value.Dict, recursive bool, lists string) *value.Dict {
	out := value.NewDict()
	for k, v := range low.All() {
		out.Set(k, v)
	}
	for k, v := range high.All() {
		under, ok := out.Get(k)
		if !ok {
			out.Set(k, v)
			continue
		}
		a, aDict := under.(*value.Dict)
		b, bDict := v.(*value.Dict)
		x, xList := under.(*value.List)
		y, yList := v.(*value.List)
		switch {
		case aDict && bDict && recursive:
			out.Set(k, combined(a, b, recursive, lists))
		case xList && yList:
			out.Set(k, combinedLists(x, y, lists))
		default:
			out.Set(k, v)
		}
	}
	return out
}

func combinedLists(x, y *value.List, how string) *value.List {
	without := func(l, other *value.List) []any {
		skip := setOf(other.Items)
		var kept []any
		for _, item := range l.Items {
			if !skip.has(item) {
				kept = append(kept, item)
			}
		}
		return kept
	}
	switch how {
	case "keep":
		return x
	case "append":
		return value.NewList(append(append([]any(nil), x.Items...), y.Items...)...)
	case "prepend":
		return value.NewList(append(append([]any(nil), y.Items...), x.Items...)...)
	case "append_rp":
		return value.NewList(append(without(x, y), y.Items...)...)
	case "prepend_rp":
		return value.NewList(append(append([]any(nil), y.Items...), without(x, y)...)...)
	}
	return y
}

func dictToItems(c *jinja.Call) (any, error) {
	d, ok := c.Value.(*value.Dict)
	if !ok {
		return nil, value.Errorf(value.TypeError, "dict2items requires a dictionary, got %s instead.", value.TypeName(c.Value))
	}
	out := value.NewList()
	for k, v := range d.All() {
		out.Append(value.NewDict(c.Args[0], k, c.Args[1], v))
	}
	return out, nil
}

func itemsToDict(c *jinja.Call) (any, error) {
	l, ok := c.Value.(*value.List)
	if !ok {
		return nil, value.Errorf(value.TypeError, "items2dict requires a list, got %s instead.", value.TypeName(c.Value))
	}
	out := value.NewDict()
	for _, item := range l.Items {
		d, ok := item.(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "items2dict requires a list of dictionaries, got a list with a %s", value.TypeName(item))
		}
		k, hasKey := d.Get(c.Args[0])
		v, hasValue := d.Get(c.Args[1])
		if !hasKey || !hasValue {
			return nil, value.Errorf(value.KeyError, "items2dict requires each dictionary in the list to contain the keys '%v' and '%v'", c.Args[0], c.Args[1])
		}
		out.Set(k, v)
	}
	return out, nil
}

func rekeyOnMember(c *jinja.Call) (any, error) {
	var entries []any
	switch v := c.Value.(type) {
	case *value.Dict:
		for _, item := range v.All() {
			entries = append(entries, item)
		}
	case *value.List:
		entries = v.Items
	default:
		return nil, value.Errorf(value.TypeError, "Type is not a valid list, set, or dict")
	}
	out := value.NewDict()
	for _, item := range entries {
		d, ok := item.(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "List item is not a valid dict")
		}
		if c.Args[1] != "error" && c.Args[1] != "overwrite" {
			return nil, value.Errorf(value.ValueError, "duplicates parameter to rekey_on_member has unknown value: %v", c.Args[1])
		}
		key, ok := d.Get(c.Args[0])
		if !ok {
			return nil, value.Errorf(value.KeyError, "Key %v was not found", c.Args[0])
		}
		if _, twice := out.Get(key); twice && c.Args[1] != "overwrite" {
			return nil, value.Errorf(value.ValueError, "Key %v is not unique, cannot convert to dict", key)
		}
		out.Set(key, item)
	}
	return out, nil
}
