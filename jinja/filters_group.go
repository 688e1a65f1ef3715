package jinja

import (
	"github.com/hostlerhq/hostler/jinja/value"
)

func filterGroupby(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	g, err := newGetter(c.Args[0])
	if err != nil {
		return nil, err
	}
	caseSensitive, err := c.Truth(c.Args[2])
	if err != nil {
		return nil, err
	}
	key := func(v any) (any, error) {
		k, err := g.getOr(c.rt, v, c.Args[1])
		if err != nil || caseSensitive {
			return k, err
		}
		return ignoreCase(k), nil
	}
	if items, err = c.sorted(items, key, false); err != nil {
		return nil, err
	}
	out := &value.List{}
	var last *groupTuple
	var lastKey any
	for _, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		if last != nil {
			if eq, err := value.Equal(k, lastKey); err != nil {
				return nil, err
			} else if eq {
				last.list.Append(item)
				continue
			}
		}
		real, err := g.getOr(c.rt, item, c.Args[1])
		if err != nil {
			return nil, err
		}
		last, lastKey = &groupTuple{grouper: real, list: value.NewList(item)}, k
		out.Append(last)
	}
	c.rt.special = true
	return out, nil
}

func filterDictsort(c *Call) (any, error) {
	by, _ := value.AsString(c.Args[1])
	if by != "key" && by != "value" {
		return nil, value.Errorf(value.ValueError, `You can only sort by either "key" or "value"`)
	}
	caseSensitive, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	reverse, err := c.Truth(c.Args[2])
	if err != nil {
		return nil, err
	}
	pairs, err := c.pairs(c.Value)
	if err != nil {
		return nil, err
	}
	out, err := c.sorted(pairs, func(v any) (any, error) {
		k := v.(value.Tuple)[0]
		if by == "value" {
			k = v.(value.Tuple)[1]
		}
		if !caseSensitive {
			k = ignoreCase(k)
		}
		return k, nil
	}, reverse)
	return &value.List{Items: out}, err
}

// pairs gives the entries of a mapping as tuples.
func (c *Call) pairs(v any) ([]any, error) {
	switch d := v.(type) {
	case *value.Dict:
		return (&dictView{d, "items"}).items(), nil
	case value.Mapping:
		keys, err := d.Keys(c.Ctx)
		if err != nil {
			return nil, err
		}
		out := make([]any, len(keys))
		for i, k := range keys {
			v, _, err := d.Lookup(c.Ctx, k)
			if err != nil {
				return nil, err
			}
			out[i] = value.Tuple{k, v}
		}
		return out, nil
	}
	return nil, value.Errorf(value.AttributeError, "'%s' object has no attribute 'items'", value.TypeName(v))
}

func filterItems(c *Call) (any, error) {
	if _, ok := c.Value.(*Undefined); ok {
		return &value.List{}, nil
	}
	if !isMapping(c.Value) {
		return nil, value.Errorf(value.TypeError, "Can only get item pairs from a mapping.")
	}
	pairs, err := c.pairs(c.Value)
	return &value.List{Items: pairs}, err
}
