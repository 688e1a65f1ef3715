package filters

import (
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func setFilters() []entry {
	return []entry{
		one("unique", "case_sensitive=None, attribute=None", unique),
		one("intersect", "b", intersect),
		one("difference", "b", difference),
		one("symmetric_difference", "b", symmetricDifference),
		one("union", "b", union),
		one("flatten", "levels=None, skip_nulls=True", flatten),
		one("zip", "*others", zip),
		one("zip_longest", "*others, fillvalue=None", zipLongest),
		one("product", "*others, repeat=1", product),
		one("permutations", "size=None", permutations),
		one("combinations", "size", combinations),
		one("subelements", "subelements, skip_missing=False", subelements),
		one("extract", "container, morekeys=None", extract),
	}
}

// set finds values that are equal as Python holds them so.
type set struct {
	hashed map[any]struct{}
	others []any // lists and dicts, which Python cannot hash
}

func (s *set) has(v any) bool {
	if key, ok := hashable(v); ok {
		_, found := s.hashed[key]
		return found
	}
	for _, o := range s.others {
		if same, err := value.Equal(o, v); err == nil && same {
			return true
		}
	}
	return false
}

// add reports whether v was new.
func (s *set) add(v any) bool {
	if s.has(v) {
		return false
	}
	if key, ok := hashable(v); ok {
		if s.hashed == nil {
			s.hashed = map[any]struct{}{}
		}
		s.hashed[key] = struct{}{}
	} else {
		s.others = append(s.others, v)
	}
	return true
}

func hashable(v any) (any, bool) {
	switch v := v.(type) {
	case nil, bool, int, float64, string:
		return value.HashKey(v), true
	}
	return nil, false
}

func setOf(items []any) *set {
	s := &set{}
	for _, item := range items {
		s.add(item)
	}
	return s
}

// two gives the items of the value and of the first argument.
func two(c *jinja.Call) (a, b []any, err error) {
	if a, err = c.Items(c.Value); err != nil {
		return nil, nil, err
	}
	b, err = c.Items(c.Args[0])
	return a, b, err
}

// kept gives the distinct items for which keep holds, in order.
func kept(items []any, keep func(any) bool) *value.List {
	out, seen := value.NewList(), &set{}
	for _, item := range items {
		if keep(item) && seen.add(item) {
			out.Append(item)
		}
	}
	return out
}

func intersect(c *jinja.Call) (any, error) {
	a, b, err := two(c)
	if err != nil {
		return nil, err
	}
	return kept(a, setOf(b).has), nil
}

func difference(c *jinja.Call) (any, error) {
	a, b, err := two(c)
	if err != nil {
		return nil, err
	}
	other := setOf(b)
	return kept(a, func(v any) bool { return !other.has(v) }), nil
}

func symmetricDifference(c *jinja.Call) (any, error) {
	a, b, err := two(c)
	if err != nil {
		return nil, err
	}
	inA, inB := setOf(a), setOf(b)
	return kept(append(append([]any(nil), a...), b...), func(v any) bool { return inA.has(v) != inB.has(v) }), nil
}

func union(c *jinja.Call) (any, error) {
	a, b, err := two(c)
	if err != nil {
		return nil, err
	}
	return kept(append(append([]any(nil), a...), b...), func(any) bool { return true }), nil
}

func unique(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	exact, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	out, seen := value.NewList(), &set{}
	for _, item := range items {
		key := item
		if c.Args[1] != nil {
			if key, err = c.Path(item, c.Args[1]); err != nil {
				return nil, err
			}
		}
		if s, ok := key.(string); ok && !exact {
			key = strings.ToLower(s)
		}
		if seen.add(key) {
			out.Append(item)
		}
	}
	return out, nil
}

func flatten(c *jinja.Call) (any, error) {
	levels := -1
	if n, ok := c.Args[0].(int); ok {
		levels = max(0, n)
	}
	skip, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	out, err := flattened(c.Room, items, levels, skip)
	return value.NewList(out...), err
}

// flattened gives the items of lists in lists; room says whether so many may be looked at.
func flattened(room func(n int) error, items []any, levels int, skipNulls bool) ([]any, error) {
	f := flattener{room: room, skipNulls: skipNulls}
	err := f.add(items, levels)
	return f.out, err
}

type flattener struct {
	room      func(n int) error
	out       []any
	looked    int
	skipNulls bool
}

func (f *flattener) add(items []any, levels int) error {
	f.looked += len(items) + 1
	if err := f.room(f.looked); err != nil {
		return err
	}
	for _, item := range items {
		inner, isList := item.(*value.List)
		if t, ok := item.(value.Tuple); ok {
			inner, isList = value.NewList(t...), true
		}
		switch {
		case levels != 0 && isList:
			if err := f.add(inner.Items, levels-1); err != nil {
				return err
			}
		case f.skipNulls && (item == nil || item == "None" || item == "null"):
		default:
			f.out = append(f.out, item)
		}
	}
	return nil
}

// columns gives the items of the value and of every further argument.
func columns(c *jinja.Call) ([][]any, error) {
	cols := make([][]any, 0, len(c.Rest)+1)
	for _, v := range append([]any{c.Value}, c.Rest...) {
		items, err := c.Items(v)
		if err != nil {
			return nil, err
		}
		cols = append(cols, items)
	}
	return cols, nil
}

func zip(c *jinja.Call) (any, error) {
	cols, err := columns(c)
	if err != nil {
		return nil, err
	}
	n := len(cols[0])
	for _, col := range cols {
		n = min(n, len(col))
	}
	return rows(cols, n, nil), nil
}

func zipLongest(c *jinja.Call) (any, error) {
	cols, err := columns(c)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, col := range cols {
		n = max(n, len(col))
	}
	return rows(cols, n, c.Args[0]), nil
}

func rows(cols [][]any, n int, fill any) *value.List {
	out := value.NewList()
	for i := range n {
		row := make(value.Tuple, len(cols))
		for at, col := range cols {
			row[at] = fill
			if i < len(col) {
				row[at] = col[i]
			}
		}
		out.Append(row)
	}
	return out
}

// maxCombined bounds what product, permutations and combinations make.
const maxCombined = 1_000_000

func product(c *jinja.Call) (any, error) {
	cols, err := columns(c)
	if err != nil {
		return nil, err
	}
	repeat, ok := c.Args[0].(int)
	if !ok || repeat < 0 {
		return nil, value.Errorf(value.TypeError, "product: repeat must be a whole number")
	}
	all := [][]any{}
	for range repeat {
		all = append(all, cols...)
	}
	lines := [][]any{{}}
	for _, col := range all {
		if len(lines)*len(col) > maxCombined {
			return nil, value.Errorf(value.ValueError, "product: more than %d combinations", maxCombined)
		}
		next := make([][]any, 0, len(lines)*len(col))
		for _, line := range lines {
			for _, v := range col {
				next = append(next, append(slices.Clip(line), v))
			}
		}
		lines = next
	}
	return tuples(lines), nil
}

func listOfLists(lines [][]any) *value.List {
	out := value.NewList()
	for _, line := range lines {
		out.Append(value.NewList(line...))
	}
	return out
}

func tuples(lines [][]any) *value.List {
	out := value.NewList()
	for _, line := range lines {
		out.Append(value.Tuple(line))
	}
	return out
}

func permutations(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	size := len(items)
	if n, ok := c.Args[0].(int); ok {
		size = n
	}
	return choose(items, size, false)
}

func combinations(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	size, ok := c.Args[0].(int)
	if !ok {
		return nil, value.Errorf(value.TypeError, "combinations: the size must be a whole number")
	}
	return choose(items, size, true)
}

// choose gives every way to take size of the items: in their order only, or in any.
func choose(items []any, size int, ordered bool) (any, error) {
	var lines [][]any
	used := make([]bool, len(items))
	most := maxCombined / max(1, size)
	var step func(line []any, from int) bool
	step = func(line []any, from int) bool {
		if len(line) == size {
			lines = append(lines, append([]any(nil), line...))
			return len(lines) <= most
		}
		for i := range items {
			if used[i] || ordered && i < from {
				continue
			}
			used[i] = true
			ok := step(append(line, items[i]), i+1)
			used[i] = false
			if !ok {
				return false
			}
		}
		return true
	}
	if size < 0 || !step(nil, 0) {
		return nil, value.Errorf(value.ValueError, "more than %d combinations, or a negative size", most)
	}
	return tuples(lines), nil
}

func subelements(c *jinja.Call) (any, error) {
	items := c.Value
	if d, ok := items.(*value.Dict); ok {
		vals := value.NewList()
		for _, v := range d.All() {
			vals.Append(v)
		}
		items = vals
	}
	elements, err := c.Items(items)
	if err != nil {
		return nil, err
	}
	skip, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	path, err := subelementPath(c)
	if err != nil {
		return nil, err
	}
	out := value.NewList()
	for _, element := range elements {
		subs, err := subelementsOf(element, path, skip)
		if err != nil {
			return nil, err
		}
		if err := c.Room(out.Len() + len(subs)); err != nil {
			return nil, err
		}
		for _, sub := range subs {
			out.Append(value.Tuple{element, sub})
		}
	}
	return out, nil
}

func subelementPath(c *jinja.Call) ([]string, error) {
	switch v := c.Args[0].(type) {
	case string:
		return strings.Split(v, "."), nil
	case *value.List:
		var path []string
		for _, item := range v.Items {
			s, ok := item.(string)
			if !ok {
				return nil, value.Errorf(value.TypeError, "subelements must be a list of strings or a string")
			}
			path = append(path, s)
		}
		return path, nil
	}
	return nil, value.Errorf(value.TypeError, "subelements must be a list of strings or a string")
}

func subelementsOf(element any, path []string, skip bool) ([]any, error) {
	at := element
	for _, key := range path {
		d, ok := at.(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "the key '%s' should point to a dictionary, got '%s'", key, value.TypeName(at))
		}
		next, ok := d.Get(key)
		if !ok {
			if skip {
				return nil, nil
			}
			return nil, value.Errorf(value.KeyError, "could not find '%s' key in iterated item %s", key, shown(at))
		}
		at = next
	}
	l, ok := at.(*value.List)
	if !ok {
		return nil, value.Errorf(value.TypeError, "the key '%s' should point to a list, got '%s'", path[len(path)-1], value.TypeName(at))
	}
	return l.Items, nil
}

func extract(c *jinja.Call) (any, error) {
	v, err := c.Item(c.Args[0], c.Value)
	if err != nil {
		return nil, err
	}
	keys := []any{}
	switch more := c.Args[1].(type) {
	case nil:
	case *value.List:
		keys = more.Items
	default:
		keys = append(keys, more)
	}
	for _, key := range keys {
		if v, err = c.Item(v, key); err != nil {
			return nil, err
		}
	}
	return v, nil
}
