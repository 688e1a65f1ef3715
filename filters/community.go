package filters

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// communityFilters are those of the collection community.general that people use on hypervisors.
func communityFilters() []entry {
	return []entry{
		one("json_query", "expr", jsonQuery),
		one("dict_kv", "key", func(c *jinja.Call) (any, error) { return value.NewDict(c.Args[0], c.Value), nil }),
		one("dict", "", dictOfPairs),
		one("lists_mergeby", "*terms, recursive=False, list_merge='replace'", listsMergeBy),
		one("random_mac", "seed=None", randomMAC),
		one("from_csv", "dialect='excel', fieldnames=None, delimiter=None, skipinitialspace=None, strict=None", fromCSV),
		one("from_ini", "delimiters=None", fromINI),
		one("to_ini", "", toINI),
		one("version_sort", "reverse=False", versionSort),
		one("counter", "", counter),
		one("groupby_as_dict", "attribute", groupByAsDict),
	}
}

func dictOfPairs(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	out := value.NewDict()
	for _, item := range items {
		pair, ok := sequence(item)
		if !ok || len(pair) != 2 {
			return nil, value.Errorf(value.ValueError, "dict: each item must be a key and a value, not %s", shown(item))
		}
		if err := value.Hashable(pair[0]); err != nil {
			return nil, err
		}
		out.Set(pair[0], pair[1])
	}
	return out, nil
}

// listsMergeBy joins lists of dicts by a key: the last argument. The result is sorted by it.
func listsMergeBy(c *jinja.Call) (any, error) {
	recursive, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	merge, _ := c.Args[1].(string)
	if len(c.Rest) == 0 {
		return nil, value.Errorf(value.TypeError, "lists_mergeby: the name of the key is missing")
	}
	key, ok := c.Rest[len(c.Rest)-1].(string)
	if !ok {
		return nil, value.Errorf(value.TypeError, "All elements of the last argument must be strings; it is %s", shown(c.Rest[len(c.Rest)-1]))
	}
	var items []any
	var filled []*value.List
	for _, list := range append([]any{c.Value}, c.Rest[:len(c.Rest)-1]...) {
		if inner, ok := list.(*value.List); ok {
			flat, err := flattened(c.Room, inner.Items, -1, false)
			if err != nil {
				return nil, err
			}
			items = append(items, flat...)
			if inner.Len() > 0 {
				filled = append(filled, inner)
			}
			continue
		}
		return nil, value.Errorf(value.TypeError, "All arguments before the argument 'index' for community.general.lists_mergeby must be lists. %s is %s",
			shown(list), value.TypeName(list))
	}
	if len(filled) == 1 { // one list alone stays as it is
		return value.NewList(items...), nil
	}
	by := value.NewDict()
	for _, item := range items {
		d, ok := item.(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "lists_mergeby: elements must be dictionaries; %s is %s", shown(item), value.TypeName(item))
		}
		k, ok := d.Get(key)
		if !ok {
			continue
		}
		if old, ok := by.Get(k); ok {
			d = combined(old.(*value.Dict), d, recursive, merge)
		}
		by.Set(k, d)
	}
	out := by.Values()
	var failed error
	slices.SortStableFunc(out, func(a, b any) int {
		x, _ := a.(*value.Dict).Get(key)
		y, _ := b.(*value.Dict).Get(key)
		order, err := value.Compare(x, y)
		if err != nil {
			failed = err
		}
		return order
	})
	return value.NewList(out...), failed
}

// randomMAC fills a prefix up to a hardware address.
func randomMAC(c *jinja.Call) (any, error) {
	prefix, ok := c.Value.(string)
	if !ok {
		return nil, value.Errorf(value.TypeError, "Invalid value type (%s) for random_mac (%s)", value.TypeName(c.Value), shown(c.Value))
	}
	prefix = strings.ToLower(prefix)
	parts := strings.Split(prefix, ":")
	if len(parts) > 5 {
		return nil, value.Errorf(value.ValueError, "Invalid value (%s) for random_mac: 5 colon(:) separated items max", prefix)
	}
	for _, p := range parts {
		if len(p) != 2 || strings.Trim(p, "0123456789abcdef") != "" {
			return nil, value.Errorf(value.ValueError, "Invalid value (%s) for random_mac: %s not hexa byte", prefix, p)
		}
	}
	const low, high = 1 << 36, 1 << 40 // ten digits, of which the first ones are taken
	n := low
	if c.Args[0] == nil {
		volatile(c)
		n += rand.IntN(high - low)
	} else {
		t, err := newTwister(c.Args[0])
		if err != nil {
			return nil, err
		}
		n += t.below(high - low)
	}
	var text strings.Builder
	text.WriteString(prefix)
	for i, d := range strconv.FormatInt(int64(n), 16)[:12-2*len(parts)] {
		if i%2 == 0 {
			text.WriteByte(':')
		}
		text.WriteRune(d)
	}
	return text.String(), nil
}

func fromCSV(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	delimiter := ","
	if c.Args[0] == "excel-tab" {
		delimiter = "\t"
	}
	if d, ok := c.Args[2].(string); ok && d != "" {
		delimiter = d
	}
	comma, size := utf8.DecodeRuneInString(delimiter)
	if size != len(delimiter) {
		return nil, value.Errorf(value.TypeError, `"delimiter" must be a 1-character string`)
	}
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma, reader.FieldsPerRecord, reader.LazyQuotes = comma, -1, true
	if reader.TrimLeadingSpace, err = c.Truth(c.Args[3]); err != nil {
		return nil, err
	}
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, value.Errorf(value.ValueError, "Unable to process file: %v", err)
	}
	var names []any
	if c.Args[1] != nil {
		if names, err = c.Items(c.Args[1]); err != nil {
			return nil, err
		}
	} else if len(rows) > 0 {
		for _, cell := range rows[0] {
			names = append(names, cell)
		}
		rows = rows[1:]
	}
	out := value.NewList()
	for _, row := range rows {
		d := value.NewDict()
		for i, name := range names {
			d.Set(name, nil)
			if i < len(row) {
				d.Set(name, row[i])
			}
		}
		out.Append(d)
	}
	return out, nil
}

func fromINI(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	f, err := readINI(text, iniRules{keepCase: true})
	if err != nil {
		return nil, value.Errorf(value.ValueError, "from_ini failed to parse given string: %v", err)
	}
	out := value.NewDict()
	for name, section := range f.sections.All() {
		d := value.NewDict()
		for k, v := range section.(*value.Dict).All() {
			d.Set(k, v)
		}
		for k, v := range f.defaults.All() {
			if _, own := d.Get(k); !own {
				d.Set(k, v)
			}
		}
		out.Set(name, d)
	}
	return out, nil
}

func toINI(c *jinja.Call) (any, error) {
	d, ok := c.Value.(*value.Dict)
	if !ok {
		return nil, value.Errorf(value.TypeError, "to_ini requires a dict, got %s", value.TypeName(c.Value))
	}
	if d.Len() == 0 {
		return nil, value.Errorf(value.ValueError, "to_ini received an empty dict. An empty dict cannot be converted.")
	}
	var out strings.Builder
	for name, section := range d.All() {
		entries, ok := section.(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "to_ini: section %s must be a dict, not %s", shown(name), value.TypeName(section))
		}
		fmt.Fprintf(&out, "[%s]\n", shown(name))
		for k, v := range entries.All() {
			text, err := c.Text(v)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&out, "%s = %s\n", shown(k), strings.ReplaceAll(text, "\n", "\n\t"))
		}
		out.WriteByte('\n')
	}
	return out.String(), nil
}

func versionSort(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	reverse, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	out := slices.Clone(items)
	var failed error
	slices.SortStableFunc(out, func(a, b any) int {
		order, err := compareVersions(shown(a), shown(b))
		if err != nil {
			failed = err
		}
		if reverse {
			return -order
		}
		return order
	})
	return value.NewList(out...), failed
}

func counter(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	out := value.NewDict()
	for _, item := range items {
		if err := value.Hashable(item); err != nil {
			return nil, err
		}
		n, _ := out.Get(item)
		count, _ := n.(int)
		out.Set(item, count+1)
	}
	return out, nil
}

func groupByAsDict(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	out := value.NewDict()
	for _, item := range items {
		d, ok := item.(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "groupby_as_dict: the items must be dicts, not %s", value.TypeName(item))
		}
		k, ok := d.Get(c.Args[0])
		if !ok {
			return nil, value.Errorf(value.KeyError, "Attribute not contained in element of list: %s", shown(c.Args[0]))
		}
		if _, twice := out.Get(k); twice {
			return nil, value.Errorf(value.ValueError, "Multiple sequence entries have attribute value %s", shown(k))
		}
		out.Set(k, item)
	}
	return out, nil
}
