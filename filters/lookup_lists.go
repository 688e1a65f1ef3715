package filters

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/jinja/value"
)

// spread gives the items with those lists among them replaced by their items, one level deep.
func spread(items []any) []any {
	out := make([]any, 0, len(items))
	for _, item := range items {
		if list, ok := sequence(item); ok {
			out = append(out, list...)
			continue
		}
		out = append(out, item)
	}
	return out
}

// sequence gives the items of a list or tuple.
func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case *value.List:
		return v.Items, true
	case value.Tuple:
		return v, true
	}
	return nil, false
}

// listed gives a term as a list: what is no list is its only item.
func listed(v any) []any {
	if list, ok := sequence(v); ok {
		return list
	}
	return []any{v}
}

func lookupItems(r *request) ([]any, error) { return spread(r.Terms), nil }

func lookupList(r *request) ([]any, error) { return r.Terms, nil }

func lookupFlattened(r *request) ([]any, error) { return spreadDeep(nil, r.Terms), nil }

// spreadDeep flattens all the way down; as in Ansible's plugin the text None or null ends its list.
func spreadDeep(out, items []any) []any {
	for _, item := range items {
		if list, ok := sequence(item); ok {
			out = spreadDeep(out, list)
			continue
		}
		if item == "None" || item == "null" {
			break
		}
		out = append(out, item)
	}
	return out
}

func lookupDict(r *request) ([]any, error) {
	var out []any
	for _, term := range r.Terms {
		switch d := term.(type) {
		case *value.Dict:
			for k, v := range d.All() {
				out = append(out, value.NewDict("key", k, "value", v))
			}
		case value.Mapping:
			keys, err := d.Keys(r.ctx)
			if err != nil {
				return nil, err
			}
			for _, k := range keys {
				v, found, err := d.Lookup(r.ctx, k)
				if err != nil {
					return nil, err
				}
				if found {
					out = append(out, value.NewDict("key", k, "value", v))
				}
			}
		default:
			return nil, errors.New("with_dict expects a dict")
		}
	}
	return out, nil
}

func lookupNested(r *request) ([]any, error) {
	if len(r.Terms) == 0 {
		return nil, fmt.Errorf("with_%s requires at least one element in the nested list", shortName(r.Name))
	}
	rows := [][]any{{}}
	for _, term := range r.Terms {
		col := listed(term)
		if len(rows)*len(col) > maxCombined {
			return nil, fmt.Errorf("more than %d combinations", maxCombined)
		}
		next := make([][]any, 0, len(rows)*len(col))
		for _, row := range rows {
			for _, v := range col {
				next = append(next, append(slices.Clip(row), listed(v)...))
			}
		}
		rows = next
	}
	for i, row := range rows { // lists in the terms' lists come apart once more, as with_nested has it
		var flat []any
		for _, v := range row {
			flat = append(flat, listed(v)...)
		}
		rows[i] = flat
	}
	return listOfLists(rows).Items, nil
}

func lookupTogether(r *request) ([]any, error) {
	if len(r.Terms) == 0 {
		return nil, errors.New("with_together requires at least one element in each list")
	}
	longest := 0
	for _, term := range r.Terms {
		longest = max(longest, len(listed(term)))
	}
	out := make([]any, 0, longest)
	for i := range longest {
		row := make([]any, len(r.Terms))
		for at, term := range r.Terms {
			if col := listed(term); i < len(col) {
				row[at] = col[i]
			}
		}
		out = append(out, value.NewList(spread(row)...))
	}
	return out, nil
}

func lookupIndexed(r *request) ([]any, error) {
	var out []any
	for i, item := range spread(r.Terms) {
		out = append(out, value.Tuple{i, item})
	}
	return out, nil
}

func lookupRandomChoice(r *request) ([]any, error) {
	if len(r.Terms) == 0 {
		return nil, nil
	}
	return []any{r.Terms[rand.IntN(len(r.Terms))]}, nil
}

func lookupSubelements(r *request) ([]any, error) {
	const form = "subelements lookup expects a list of two or three items, "
	if len(r.Terms) < 2 || len(r.Terms) > 3 {
		return nil, errors.New(strings.TrimSuffix(form, " "))
	}
	elements, isList := sequence(r.Terms[0])
	if d, ok := r.Terms[0].(*value.Dict); ok {
		if truthOf(d, "skipped") {
			return nil, nil
		}
		elements, isList = d.Values(), true
	}
	key, ok := r.Terms[1].(string)
	if !isList || !ok {
		return nil, errors.New(form + "first a dict or a list, second a string pointing to the subkey")
	}
	skip := false
	if len(r.Terms) == 3 {
		flags, ok := r.Terms[2].(*value.Dict)
		if !ok {
			return nil, errors.New(form + "the optional third item must be a dict with flags ('skip_missing',)")
		}
		v, _ := flags.Get("skip_missing")
		skip, _ = asBool(v)
	}
	var out []any
	for _, element := range elements {
		d, ok := element.(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("subelements lookup expects a dictionary, got '%v'", shown(element))
		}
		if truthOf(d, "skipped") {
			continue
		}
		outer, subs, err := withoutSub(d, strings.Split(key, "."), skip)
		if err != nil {
			return nil, err
		}
		for _, sub := range subs {
			out = append(out, value.Tuple{outer, sub})
		}
	}
	return out, nil
}

// withoutSub takes the list at a path out of a dict: it gives the dict without it, and its items.
func withoutSub(d *value.Dict, path []string, skip bool) (*value.Dict, []any, error) {
	v, ok := d.Get(path[0])
	if !ok {
		if skip {
			return d, nil, nil
		}
		return nil, nil, fmt.Errorf("could not find '%s' key in iterated item '%v'", path[0], shown(d))
	}
	rest := d.Copy()
	if len(path) == 1 {
		subs, ok := v.(*value.List)
		if !ok {
			return nil, nil, fmt.Errorf("the key %s should point to a list, got '%v'", path[0], shown(v))
		}
		rest.Delete(path[0])
		return rest, subs.Items, nil
	}
	inner, ok := v.(*value.Dict)
	if !ok {
		if skip {
			return d, nil, nil
		}
		return nil, nil, fmt.Errorf("the key %s should point to a dictionary, got '%v'", path[0], shown(v))
	}
	inner, subs, err := withoutSub(inner, path[1:], skip)
	rest.Set(path[0], inner)
	return rest, subs, err
}

// shown is a value in a message.
func shown(v any) string {
	s, err := value.Str(v)
	if err != nil {
		return "a value of type " + value.TypeName(v)
	}
	return s
}

// numbers is a sequence lookup's term.
type numbers struct {
	start, end, stride int
	count              *int
	hasEnd             bool
	format             string
}

// sequenceForm is [start-]end[/stride][:format]; numbers may be hexadecimal or octal.
var sequenceForm = regexp.MustCompile(`^(?:(0[xX][0-9a-fA-F]+|[0-9]+)-)?(0[xX][0-9a-fA-F]+|[0-9]+)(?:/(0[xX][0-9a-fA-F]+|[0-9]+))?(?::(.+))?$`)

func lookupSequence(r *request) ([]any, error) {
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	if len(terms) == 0 && r.Options.Len() > 0 {
		terms = []string{""}
	}
	var out []any
	for _, term := range terms {
		n := numbers{start: 1, stride: 1, format: "%d"}
		if err := n.parse(term); err != nil {
			return nil, err
		}
		for k, v := range r.Options.All() {
			if err := n.set(fmt.Sprint(k), shown(v)); err != nil {
				return nil, err
			}
		}
		if err := n.check(); err != nil {
			return nil, err
		}
		if out, err = n.appendTo(out, r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (n *numbers) parse(term string) error {
	if m := sequenceForm.FindStringSubmatch(strings.TrimSpace(term)); m != nil {
		for i, name := range []string{"start", "end", "stride", "format"} {
			if m[i+1] == "" {
				continue
			}
			if err := n.set(name, m[i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	words, err := shell.Split(term)
	if err != nil {
		return fmt.Errorf("with_sequence %q: %w", term, err)
	}
	for _, word := range words {
		name, v, ok := strings.Cut(word, "=")
		if !ok {
			return fmt.Errorf("unrecognized arguments to with_sequence: ['%s']", word)
		}
		if err := n.set(name, v); err != nil {
			return err
		}
	}
	return nil
}

func (n *numbers) set(name, text string) error {
	if name == "format" {
		n.format = text
		return nil
	}
	v, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		return fmt.Errorf("can't parse %s=%s as integer", name, text)
	}
	switch number := int(v); name {
	case "start":
		n.start = number
	case "end":
		n.end, n.hasEnd = number, true
	case "count":
		n.count = &number
	case "stride":
		n.stride = number
	default:
		return fmt.Errorf("unrecognized arguments to with_sequence: ['%s']", name)
	}
	return nil
}

func (n *numbers) check() error {
	switch {
	case n.count == nil && !n.hasEnd:
		return errors.New("must specify count or end in with_sequence")
	case n.count != nil && n.hasEnd:
		return errors.New("can't specify both count and end in with_sequence")
	case n.count != nil && *n.count == 0:
		n.stride = 0
	case n.count != nil:
		n.end = n.start + *n.count*n.stride - 1
	}
	switch {
	case n.stride > 0 && n.end < n.start:
		return errors.New("to count backwards make stride negative")
	case n.stride < 0 && n.end > n.start:
		return errors.New("to count forward don't make stride negative")
	case strings.Count(n.format, "%") != 1:
		return fmt.Errorf("bad formatting string: %s", n.format)
	}
	return nil
}

func (n *numbers) appendTo(out []any, r *request) ([]any, error) {
	if n.stride == 0 {
		return out, nil
	}
	if (n.end-n.start)/n.stride >= maxCombined {
		return nil, fmt.Errorf("with_sequence: more than %d numbers", maxCombined)
	}
	format, err := r.l.env.Expression("with_sequence", "format % number")
	if err != nil {
		return nil, err
	}
	for i := n.start; n.stride > 0 && i <= n.end || n.stride < 0 && i >= n.end; i += n.stride {
		text, err := format.Value(r.ctx, scopeOf(value.NewDict("format", n.format, "number", i)))
		if err != nil {
			return nil, fmt.Errorf("problem formatting %d with %q", i, n.format)
		}
		out = append(out, text)
	}
	return out, nil
}
