package jinja

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

func (e *Env) addListFilters() {
	e.AddFilter("length", "", filterLength)
	e.AddFilter("count", "", filterLength)
	e.AddFilter("list", "", filterList)
	e.AddFilter("first", "", filterFirst)
	e.AddFilter("last", "", filterLast)
	e.AddFilter("random", "", filterRandom)
	e.AddFilter("join", "d='', attribute=None", filterJoin)
	e.AddFilter("reverse", "", filterReverse)
	e.AddFilter("sort", "reverse=False, case_sensitive=False, attribute=None", filterSort)
	e.AddFilter("unique", "case_sensitive=False, attribute=None", filterUnique)
	e.AddFilter("min", "case_sensitive=False, attribute=None", func(c *Call) (any, error) { return c.extreme("<") })
	e.AddFilter("max", "case_sensitive=False, attribute=None", func(c *Call) (any, error) { return c.extreme(">") })
	e.AddFilter("sum", "attribute=None, start=0", filterSum)
	e.AddFilter("slice", "slices, fill_with=None", filterSlice)
	e.AddFilter("batch", "linecount, fill_with=None", filterBatch)
	e.AddFilter("groupby", "attribute, default=None, case_sensitive=False", filterGroupby)
	e.AddFilter("dictsort", "case_sensitive=False, by='key', reverse=False", filterDictsort)
	e.AddFilter("items", "", filterItems, TakesUndefined())
	e.AddFilter("map", "*args, **kwargs", filterMap, TakesUndefined())
	e.AddFilter("select", "*args, **kwargs", func(c *Call) (any, error) { return c.choose(false, true) }, TakesUndefined())
	e.AddFilter("reject", "*args, **kwargs", func(c *Call) (any, error) { return c.choose(false, false) }, TakesUndefined())
	e.AddFilter("selectattr", "*args, **kwargs", func(c *Call) (any, error) { return c.choose(true, true) }, TakesUndefined())
	e.AddFilter("rejectattr", "*args, **kwargs", func(c *Call) (any, error) { return c.choose(true, false) }, TakesUndefined())
}

func filterLength(c *Call) (any, error) { return orNil(c.rt.length(c.Value)) }

// orNil keeps a result out of the way of an error.
func orNil[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func filterList(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	return &value.List{Items: append(make([]any, 0, len(items)), items...)}, nil
}

// absent is the undefined value of a filter that found nothing; its place is filled in by the engine.
func absent(reason string) *Undefined { return &Undefined{Reason: reason} }

func filterFirst(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return absent("No first item, sequence was empty."), nil
	}
	return items[0], nil
}

func filterLast(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return absent("No last item, sequence was empty."), nil
	}
	return items[len(items)-1], nil
}

func filterRandom(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return absent("No random item, sequence was empty."), nil
	}
	return items[rand.IntN(len(items))], nil
}

func filterJoin(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	sep, err := c.Text(c.Args[0])
	if err != nil {
		return nil, err
	}
	g, err := newGetter(c.Args[1])
	if err != nil {
		return nil, err
	}
	if c.rt.autoescape {
		return c.rt.joinEscaped(items, c.Args[0], g)
	}
	var b []byte
	for i, v := range items {
		if i > 0 {
			b = append(b, sep...)
		}
		if g.parts != nil {
			if v, err = g.get(c.rt, v); err != nil {
				return nil, err
			}
		}
		if b, err = value.AppendStr(b, v, c.rt.maxOutput); err != nil {
			return nil, err
		}
		if len(b) > c.rt.maxOutput {
			return nil, c.rt.tooBig()
		}
	}
	return string(b), nil
}

func filterReverse(c *Call) (any, error) {
	if s, ok := value.AsString(c.Value); ok {
		r := []rune(s)
		slices.Reverse(r)
		return like(c.Value, string(r)), nil
	}
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, value.Errorf(value.TypeError, "argument must be iterable")
	}
	out := append(make([]any, 0, len(items)), items...)
	slices.Reverse(out)
	return &value.List{Items: out}, nil
}

// sorted sorts items by their keys, stably.
func (c *Call) sorted(items []any, key func(any) (any, error), reverse bool) ([]any, error) {
	type keyed struct{ key, item any }
	list := make([]keyed, len(items))
	for i, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		if u, ok := k.(*Undefined); ok {
			return nil, u.Use()
		}
		list[i] = keyed{k, item}
	}
	var failed error
	slices.SortStableFunc(list, func(a, b keyed) int {
		if failed != nil {
			return 0
		}
		n, err := value.Compare(a.key, b.key)
		if err != nil {
			failed = err
		}
		if reverse {
			return -n
		}
		return n
	})
	out := make([]any, len(list))
	for i, k := range list {
		out[i] = k.item
	}
	return out, failed
}

func filterSort(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	reverse, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	caseSensitive, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	key, err := c.sortKey(c.Args[2], caseSensitive)
	if err != nil {
		return nil, err
	}
	out, err := c.sorted(items, key, reverse)
	return &value.List{Items: out}, err
}

// sortKey is keyFunc for attributes that may be several, with commas between them.
func (c *Call) sortKey(attribute any, caseSensitive bool) (func(any) (any, error), error) {
	s, ok := value.AsString(attribute)
	if !ok || !strings.Contains(s, ",") {
		return c.keyFunc(attribute, caseSensitive)
	}
	var keys []func(any) (any, error)
	for part := range strings.SplitSeq(s, ",") {
		k, err := c.keyFunc(part, caseSensitive)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return func(v any) (any, error) {
		out := make(value.Tuple, len(keys))
		for i, k := range keys {
			var err error
			if out[i], err = k(v); err != nil {
				return nil, err
			}
			if u, ok := out[i].(*Undefined); ok {
				return nil, u.Use()
			}
		}
		return out, nil
	}, nil
}

func filterUnique(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	caseSensitive, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	key, err := c.keyFunc(c.Args[1], caseSensitive)
	if err != nil {
		return nil, err
	}
	var seen value.Set
	out := &value.List{}
	for _, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		if err := value.Hashable(k); err != nil {
			return nil, err
		}
		if seen.Add(k) {
			out.Append(item)
		}
	}
	return out, nil
}

// extreme gives the first item whose key comes before (op) all others.
func (c *Call) extreme(op string) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return absent("No aggregated item, sequence was empty."), nil
	}
	caseSensitive, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	key, err := c.keyFunc(c.Args[1], caseSensitive)
	if err != nil {
		return nil, err
	}
	var best, bestKey any
	for i, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			best, bestKey = item, k
			continue
		}
		before, err := value.Ordered(op, k, bestKey)
		if err != nil {
			return nil, err
		}
		if before {
			best, bestKey = item, k
		}
	}
	return best, nil
}

func filterSum(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	g, err := newGetter(c.Args[0])
	if err != nil {
		return nil, err
	}
	total := c.Args[1]
	if _, isText := value.AsString(total); isText {
		return nil, value.Errorf(value.TypeError, "sum() can't sum strings [use ''.join(seq) instead]")
	}
	for _, item := range items {
		if item, err = g.get(c.rt, item); err != nil {
			return nil, err
		}
		if total, err = c.rt.binary(tAdd, total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// intArg gives an argument that must be an integer.
func (c *Call) intArg(i int) (int, error) {
	if n, ok := index(c.Args[i]); ok {
		return n, nil
	}
	return 0, value.Errorf(value.TypeError, "'%s' object cannot be interpreted as an integer", value.TypeName(c.Args[i]))
}

func filterSlice(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	n, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, value.Errorf(value.ZeroDivisionError, "integer division or modulo by zero")
	}
	if err := c.rt.tooMany(n); err != nil {
		return nil, err
	}
	out := &value.List{}
	if n < 0 {
		return out, nil
	}
	each, extra := len(items)/n, len(items)%n
	at := 0
	for i := range n {
		size := each
		if i < extra {
			size++
		}
		part := append(make([]any, 0, size+1), items[at:at+size]...)
		at += size
		if c.Args[1] != nil && i >= extra {
			part = append(part, c.Args[1])
		}
		out.Append(&value.List{Items: part})
	}
	return out, nil
}

func filterBatch(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	n, ok := c.Args[0].(int)
	if !ok && !value.IsNumber(c.Args[0]) {
		n = -1 // no length equals it
	}
	out := &value.List{}
	var part []any
	for _, item := range items {
		if len(part) == n {
			out.Append(&value.List{Items: part})
			part = nil
		}
		part = append(part, item)
	}
	if len(part) == 0 {
		return out, nil
	}
	if c.Args[1] != nil {
		if err := c.rt.tooMany(n); err != nil {
			return nil, err
		}
		for len(part) < n {
			part = append(part, c.Args[1])
		}
	}
	out.Append(&value.List{Items: part})
	return out, nil
}

func filterMap(c *Call) (any, error) {
	items, err := c.filtered()
	if err != nil || len(items) == 0 {
		return &value.List{}, err
	}
	var each func(v any) (any, error)
	attribute, hasAttribute := c.Kwargs.Get("attribute")
	switch {
	case len(c.Rest) == 0 && hasAttribute:
		def, _ := c.Kwargs.Get("default")
		for k := range c.Kwargs.All() {
			if k != "attribute" && k != "default" {
				return nil, value.Errorf(value.TypeError, "Unexpected keyword argument %s", quote(k.(string)))
			}
		}
		g, err := newGetter(attribute)
		if err != nil {
			return nil, err
		}
		each = func(v any) (any, error) { return g.getOr(c.rt, v, def) }
	case len(c.Rest) == 0:
		return nil, value.Errorf(value.TypeError, "map requires a filter argument")
	default:
		name, err := c.Text(c.Rest[0])
		if err != nil {
			return nil, err
		}
		args, kwargs := c.Rest[1:], c.Kwargs
		each = func(v any) (any, error) { return c.rt.callNamed(c, "filter", name, v, args, kwargs) }
	}
	out := make([]any, len(items))
	kept := len(c.rt.kept)
	for i, item := range items {
		if err := c.rt.looped(); err != nil {
			return nil, err
		}
		if out[i], err = each(item); err != nil {
			return nil, err
		}
		c.rt.keep(out[i])
	}
	c.rt.drop(kept)
	return &value.List{Items: out}, nil
}

// filtered gives the items of the filtered value; what counts as false has none.
func (c *Call) filtered() ([]any, error) {
	if ok, err := c.Truth(c.Value); err != nil || !ok {
		return nil, err
	}
	return c.Items(c.Value)
}

// choose is select and its three kin.
func (c *Call) choose(attribute, want bool) (any, error) {
	out := &value.List{}
	items, err := c.filtered()
	if err != nil || len(items) == 0 {
		return out, err
	}
	args := c.Rest
	var g getter
	if attribute {
		if len(args) == 0 {
			return nil, value.Errorf(value.TypeError, "Missing parameter for attribute name")
		}
		if g, err = newGetter(args[0]); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	test := ""
	if len(args) > 0 {
		if test, err = c.Text(args[0]); err != nil {
			return nil, err
		}
	}
	kwargs := c.Kwargs
	for _, item := range items {
		if err := c.rt.looped(); err != nil {
			return nil, err
		}
		v, err := g.get(c.rt, item)
		if err != nil {
			return nil, err
		}
		if len(args) > 0 {
			if v, err = c.rt.callNamed(c, "test", test, v, args[1:], kwargs); err != nil {
				return nil, err
			}
		}
		ok, err := value.Truth(v)
		if err != nil {
			return nil, err
		}
		if ok == want {
			out.Append(item)
		}
	}
	return out, nil
}
