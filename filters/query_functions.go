package filters

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// queryFunction is a function of JMESPath 1.0: the types of its arguments, with | between those it may be, and what it does.
type queryFunction struct {
	types []string
	rest  bool // the last type may repeat
	do    func(args []any) (any, error)
}

// queryFunctionNamed finds a function; ok is false when there is none.
func queryFunctionNamed(name string) (queryFunction, bool) { //nolint:gocyclo // a table
	plain := func(types string, do func(args []any) (any, error)) (queryFunction, bool) {
		return queryFunction{types: strings.Fields(types), do: do}, true
	}
	switch name {
	case "abs", "ceil", "floor":
		return plain("number", func(a []any) (any, error) { return queryRound(name, a[0]) })
	case "avg", "sum":
		return plain("array-number", func(a []any) (any, error) { return querySum(name, a[0].(*value.List)) })
	case "contains":
		return plain("array|string any", func(a []any) (any, error) { return queryContains(a[0], a[1]) })
	case "ends_with":
		return plain("string string", func(a []any) (any, error) { return strings.HasSuffix(a[0].(string), a[1].(string)), nil })
	case "starts_with":
		return plain("string string", func(a []any) (any, error) { return strings.HasPrefix(a[0].(string), a[1].(string)), nil })
	case "join":
		return plain("string array-string", func(a []any) (any, error) {
			var parts []string
			for _, item := range a[1].(*value.List).Items {
				parts = append(parts, item.(string))
			}
			return strings.Join(parts, a[0].(string)), nil
		})
	case "keys":
		return plain("object", func(a []any) (any, error) { return value.NewList(a[0].(*value.Dict).Keys()...), nil })
	case "values":
		return plain("object", func(a []any) (any, error) { return value.NewList(a[0].(*value.Dict).Values()...), nil })
	case "length":
		return plain("string|array|object", func(a []any) (any, error) { return queryLength(a[0]), nil })
	case "map":
		return plain("expref array", func(a []any) (any, error) { return queryMap(a[0].(*expref), a[1].(*value.List)) })
	case "min", "max":
		return plain("array-number|array-string", func(a []any) (any, error) { return queryBest(name, a[0].(*value.List).Items, nil) })
	case "min_by", "max_by":
		return plain("array expref", func(a []any) (any, error) { return queryBest(name, a[0].(*value.List).Items, a[1].(*expref)) })
	case "sort":
		return plain("array-string|array-number", func(a []any) (any, error) { return querySort(a[0].(*value.List).Items, nil) })
	case "sort_by":
		return plain("array expref", func(a []any) (any, error) { return querySort(a[0].(*value.List).Items, a[1].(*expref)) })
	case "merge":
		return queryFunction{types: []string{"object"}, rest: true, do: func(a []any) (any, error) {
			out := value.NewDict()
			for _, d := range a {
				out.Update(d.(*value.Dict))
			}
			return out, nil
		}}, true
	case "not_null":
		return queryFunction{types: []string{"any"}, rest: true, do: func(a []any) (any, error) {
			for _, v := range a {
				if v != nil {
					return v, nil
				}
			}
			return nil, nil
		}}, true
	case "reverse":
		return plain("array|string", func(a []any) (any, error) { return queryReverse(a[0]), nil })
	case "to_array":
		return plain("any", func(a []any) (any, error) {
			if l, ok := a[0].(*value.List); ok {
				return l, nil
			}
			return value.NewList(a[0]), nil
		})
	case "to_number":
		return plain("any", func(a []any) (any, error) { return queryNumber(a[0]), nil })
	case "to_string":
		return plain("any", func(a []any) (any, error) {
			if s, ok := a[0].(string); ok {
				return s, nil
			}
			return value.EncodeJSON(a[0], value.JSONOptions{ItemSep: ",", KeySep: ":"})
		})
	case "type":
		return plain("any", func(a []any) (any, error) { return queryType(a[0]), nil })
	}
	return queryFunction{}, false
}

func callQueryFunction(name string, args []any) (any, error) {
	f, ok := queryFunctionNamed(name)
	if !ok {
		return nil, value.Errorf(value.ValueError, "Unknown function: %s()", name)
	}
	if len(args) != len(f.types) && (!f.rest || len(args) < len(f.types)) {
		return nil, value.Errorf(value.ValueError, "Expected %d arguments for function %s(), received %d", len(f.types), name, len(args))
	}
	for i, v := range args {
		want := f.types[min(i, len(f.types)-1)]
		if want != "any" && !slices.ContainsFunc(strings.Split(want, "|"), func(t string) bool { return queryIs(v, t) }) {
			return nil, value.Errorf(value.TypeError, "In function %s(), invalid type for value: %s, expected one of: [%s], received: %q", name, shown(v), want, queryType(v))
		}
	}
	return f.do(args)
}

func queryType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case int, float64, *big.Int:
		return "number"
	case *value.List:
		return "array"
	case *value.Dict:
		return "object"
	case *expref:
		return "expref"
	}
	return "unknown"
}

// queryIs judges a type such as array-number, whose items are numbers.
func queryIs(v any, want string) bool {
	outer, inner, of := strings.Cut(want, "-")
	if queryType(v) != outer {
		return false
	}
	if !of {
		return true
	}
	for _, item := range v.(*value.List).Items {
		if queryType(item) != inner {
			return false
		}
	}
	return true
}

func queryRound(name string, v any) (any, error) {
	x, isFloat := v.(float64)
	if !isFloat {
		if n, ok := v.(int); ok && n < 0 && name == "abs" {
			return -n, nil
		}
		return v, nil
	}
	switch name {
	case "ceil":
		return wholeNumbers(math.Ceil(x))
	case "floor":
		return wholeNumbers(math.Floor(x))
	}
	return math.Abs(x), nil
}

func querySum(name string, l *value.List) (any, error) {
	whole, total, floats := 0, 0.0, name == "avg"
	for _, item := range l.Items {
		x, err := number(item)
		if err != nil {
			return nil, err
		}
		n, isInt := item.(int)
		whole += n
		total += x
		floats = floats || !isInt
	}
	switch {
	case name == "avg" && l.Len() == 0:
		return nil, nil
	case name == "avg":
		return total / float64(l.Len()), nil
	case floats:
		return total, nil
	}
	return whole, nil
}

func queryContains(in, v any) (any, error) {
	if s, ok := in.(string); ok {
		sub, ok := v.(string)
		if !ok {
			return nil, value.Errorf(value.TypeError, "'in <string>' requires string as left operand, not %s", value.TypeName(v))
		}
		return strings.Contains(s, sub), nil
	}
	for _, item := range in.(*value.List).Items {
		if same, err := value.Equal(item, v); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

func queryLength(v any) int {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v)
	case *value.List:
		return v.Len()
	case *value.Dict:
		return v.Len()
	}
	return 0
}

func queryMap(x *expref, l *value.List) (any, error) {
	out := &value.List{Items: make([]any, l.Len())}
	for i, item := range l.Items {
		var err error
		if out.Items[i], err = x.of(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// queryKeys gives what items are ordered by: themselves, or what an expression gives, which are numbers or texts.
func queryKeys(items []any, by *expref) ([]any, error) {
	if by == nil {
		return items, nil
	}
	keys := make([]any, len(items))
	for i, item := range items {
		var err error
		if keys[i], err = by.of(item); err != nil {
			return nil, err
		}
		if t := queryType(keys[i]); t != "number" && t != "string" || t != queryType(keys[0]) {
			return nil, value.Errorf(value.TypeError, "invalid type for value: %s, expected one of: ['string', 'number'], received: %q", shown(keys[i]), t)
		}
	}
	return keys, nil
}

func queryBest(name string, items []any, by *expref) (any, error) {
	keys, err := queryKeys(items, by)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	op := ">"
	if strings.HasPrefix(name, "min") {
		op = "<"
	}
	best := 0
	for i := range keys {
		better, err := value.Ordered(op, keys[i], keys[best])
		if err != nil {
			return nil, err
		}
		if better {
			best = i
		}
	}
	return items[best], nil
}

func querySort(items []any, by *expref) (any, error) {
	keys, err := queryKeys(items, by)
	if err != nil {
		return nil, err
	}
	places := make([]int, len(items))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int {
		if less, _ := value.Ordered("<", keys[a], keys[b]); less {
			return -1
		}
		if more, _ := value.Ordered(">", keys[a], keys[b]); more {
			return 1
		}
		return 0
	})
	out := &value.List{Items: make([]any, len(items))}
	for i, p := range places {
		out.Items[i] = items[p]
	}
	return out, nil
}

func queryReverse(v any) any {
	if s, ok := v.(string); ok {
		r := []rune(s)
		slices.Reverse(r)
		return string(r)
	}
	items := slices.Clone(v.(*value.List).Items)
	slices.Reverse(items)
	return &value.List{Items: items}
}

func queryNumber(v any) any {
	s, ok := v.(string)
	if !ok {
		if isNumber(v) {
			return v
		}
		return nil
	}
	s = strings.TrimSpace(s)
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil {
		return x
	}
	return nil
}
