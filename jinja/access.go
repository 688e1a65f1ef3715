package jinja

import (
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// object is a kind of value of this package with attributes.
type object interface {
	attr(rt *runtime, name string) (any, bool, error)
}

// typeKey is the name under which a value's methods are kept.
func typeKey(v any) string {
	switch v.(type) {
	case string:
		return "str"
	case Markup:
		return "markup"
	case *value.List:
		return "list"
	case *value.Dict:
		return "dict"
	case value.Tuple, *groupTuple:
		return "tuple"
	case int, bool, *big.Int:
		return "int"
	case float64:
		return "float"
	case value.Bytes:
		return "bytes"
	case value.Mapping:
		return "mapping"
	case rangeValue:
		return "range"
	}
	return ""
}

func (e *Env) method(v any, name string) *function {
	k := typeKey(v)
	if k == "" {
		return nil
	}
	return e.methods[k][name]
}

// attr is v.name: an attribute, else an item.
func (rt *runtime) attr(v any, name string) (any, bool, error) {
	if d, ok := v.(*value.Dict); ok {
		// The usual case first: an entry that no method hides.
		r, found := d.GetText(name)
		if m := rt.env.methods["dict"][name]; m != nil {
			return &boundMethod{v, m}, true, nil
		}
		return r, found, nil
	}
	if m := rt.env.method(v, name); m != nil {
		return &boundMethod{v, m}, true, nil
	}
	switch o := v.(type) {
	case object:
		return o.attr(rt, name)
	case Object:
		r, found := o.Attr(name)
		return r, found, nil
	case value.Mapping:
		return rt.mapped(o, name)
	}
	r, found := numberAttr(v, name)
	return r, found, nil
}

// numberAttr gives the attributes that Python's numbers have besides methods.
func numberAttr(v any, name string) (any, bool) {
	n, isInt := integer(v)
	f, isFloat := v.(float64)
	switch {
	case isInt && (name == "real" || name == "numerator"):
		return n, true
	case isInt && name == "imag":
		return 0, true
	case isInt && name == "denominator":
		return 1, true
	case isFloat && name == "real":
		return f, true
	case isFloat && name == "imag":
		return 0.0, true
	}
	return nil, false
}

// on is the attribute of an object that was evaluated already.
func (x *attrExpr) on(f *frame, v any) (any, error) {
	return (&attrExpr{pos: x.pos, x: &heldExpr{x: x.x, v: v}, name: x.name}).eval(f)
}

// heldExpr is an expression with its value.
type heldExpr struct {
	x expr
	v any
}

func (h *heldExpr) eval(*frame) (any, error) { return h.v, nil }
func (h *heldExpr) at() int                  { return h.x.at() }

// getItem is v[key] for Funcs; what is missing is an *Undefined.
func (rt *runtime) getItem(v, key any) (any, error) {
	if u, ok := v.(*Undefined); ok {
		if u.lenient() {
			return nil, u.Use()
		}
		return u, nil
	}
	r, found, err := rt.item(v, key)
	if err != nil || found {
		return r, err
	}
	name, _ := key.(string)
	rt.special = true
	return &Undefined{Name: name, Reason: missingItem(v, key), owner: v, key: name}, nil
}

// item is v[key]: an item, else an attribute.
func (rt *runtime) item(v, key any) (any, bool, error) {
	if u, ok := key.(*Undefined); ok {
		return nil, false, u.Use()
	}
	r, found, err := rt.plainItem(v, key)
	if err != nil || found {
		return r, found, err
	}
	name, ok := value.AsString(key)
	if !ok {
		return nil, false, nil
	}
	if m := rt.env.method(v, name); m != nil {
		return &boundMethod{v, m}, true, nil
	}
	switch o := v.(type) {
	case object:
		return o.attr(rt, name)
	case Object:
		r, found := o.Attr(name)
		return r, found, nil
	}
	r, found = numberAttr(v, name)
	return r, found, nil
}

func (rt *runtime) plainItem(v, key any) (any, bool, error) {
	switch x := v.(type) {
	case *value.Dict:
		if value.Hashable(key) != nil {
			return nil, false, nil
		}
		r, found := x.Get(key)
		return r, found, nil
	case value.Mapping:
		return rt.mapped(x, key)
	}
	i, ok := index(key)
	if !ok {
		return nil, false, nil
	}
	switch x := v.(type) {
	case *value.List:
		return at(x.Items, i)
	case value.Tuple:
		return at(x, i)
	case *groupTuple:
		return at(x.Tuple(), i)
	case string:
		return charAt(x, i)
	case Markup:
		s, found, err := charAt(string(x), i)
		return asMarkup(s), found, err
	case value.Bytes:
		if i < 0 {
			i += len(x)
		}
		if i < 0 || i >= len(x) {
			return nil, false, nil
		}
		return int(x[i]), true, nil
	case rangeValue:
		n := x.length()
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil, false, nil
		}
		return x.start + i*x.step, true, nil
	}
	return nil, false, nil
}

// index is a key as a place in a sequence.
func index(key any) (int, bool) {
	switch k := key.(type) {
	case int:
		return k, true
	case bool:
		if k {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func at(items []any, i int) (any, bool, error) {
	if i < 0 {
		i += len(items)
	}
	if i < 0 || i >= len(items) {
		return nil, false, nil
	}
	return items[i], true, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func charAt(s string, i int) (any, bool, error) {
	if isASCII(s) {
		if i < 0 {
			i += len(s)
		}
		if i < 0 || i >= len(s) {
			return nil, false, nil
		}
		return s[i : i+1], true, nil
	}
	r := []rune(s)
	if i < 0 {
		i += len(r)
	}
	if i < 0 || i >= len(r) {
		return nil, false, nil
	}
	return string(r[i]), true, nil
}

// objectName is how messages call an object: 'dict object'.
func objectName(v any) string {
	if v == nil {
		return "None"
	}
	return value.TypeName(v) + " object"
}

func missingAttr(v any, name string) string {
	return "'" + objectName(v) + "' has no attribute '" + name + "'"
}

func missingItem(v, key any) string {
	if s, ok := value.AsString(key); ok {
		return missingAttr(v, s)
	}
	r, _ := value.Repr(key)
	return objectName(v) + " has no element " + r
}

// items gives what a loop over v goes through; the slice must not be changed.
func (rt *runtime) items(v any) ([]any, error) {
	switch x := v.(type) {
	case *value.List:
		return x.Items, nil
	case value.Tuple:
		return x, nil
	case *groupTuple:
		return x.Tuple(), nil
	case *value.Dict:
		return x.Keys(), nil
	case string, Markup:
		text, _ := value.AsString(x)
		if err := rt.tooMany(utf8.RuneCountInString(text)); err != nil {
			return nil, err
		}
		return chars(text), nil
	case value.Bytes:
		out := make([]any, len(x))
		for i, b := range x {
			out[i] = int(b)
		}
		return out, nil
	case rangeValue:
		out := make([]any, x.length())
		for i := range out {
			out[i] = x.start + i*x.step
		}
		return out, nil
	case *dictView:
		return x.items(), nil
	case *loop:
		return nil, value.Errorf(value.TypeError, "'LoopContext' object cannot be looped over")
	case value.Mapping:
		return x.Keys(rt.ctx)
	case *Undefined:
		if x.lenient() {
			return nil, nil
		}
		return nil, x.Use()
	}
	return nil, value.Errorf(value.TypeError, "'%s' object is not iterable", value.TypeName(v))
}

func chars(s string) []any {
	out := make([]any, 0, len(s))
	for i, r := range s {
		if n := utf8.RuneLen(r); r != utf8.RuneError || n > 1 && strings.HasPrefix(s[i:], string(r)) {
			out = append(out, s[i:i+n])
		} else {
			out = append(out, s[i:i+1])
		}
	}
	return out
}

// length is Python's len.
func (rt *runtime) length(v any) (int, error) {
	switch x := v.(type) {
	case string:
		return utf8.RuneCountInString(x), nil
	case Markup:
		return utf8.RuneCountInString(string(x)), nil
	case *value.List:
		return len(x.Items), nil
	case value.Tuple:
		return len(x), nil
	case *groupTuple:
		return 2, nil
	case *value.Dict:
		return x.Len(), nil
	case value.Bytes:
		return len(x), nil
	case rangeValue:
		return x.length(), nil
	case *dictView:
		return x.d.Len(), nil
	case *loop:
		return x.length()
	case value.Mapping:
		keys, err := x.Keys(rt.ctx)
		return len(keys), err
	case *Undefined:
		if x.lenient() {
			return 0, nil
		}
		return 0, x.Use()
	}
	return 0, value.Errorf(value.TypeError, "object of type '%s' has no len()", value.TypeName(v))
}

// contains is Python's item in v.
func (rt *runtime) contains(v, item any) (bool, error) {
	if u, ok := v.(*Undefined); ok {
		if u.lenient() {
			return false, nil
		}
		return false, u.Use()
	}
	if s, ok := value.AsString(v); ok {
		sub, ok := value.AsString(item)
		if !ok {
			if u, ok := item.(*Undefined); ok {
				return false, u.Use()
			}
			return false, value.Errorf(value.TypeError, "'in <string>' requires string as left operand, not %s", value.TypeName(item))
		}
		return strings.Contains(s, sub), nil
	}
	switch x := v.(type) {
	case *value.Dict:
		if err := value.Hashable(item); err != nil {
			return false, err
		}
		_, found := x.Get(item)
		return found, nil
	case value.Mapping:
		_, found, err := x.Lookup(rt.ctx, item)
		return found, err
	case value.Bytes:
		switch i := item.(type) {
		case value.Bytes:
			return strings.Contains(string(x), string(i)), nil
		case int:
			if i < 0 || i > 255 {
				return false, value.Errorf(value.ValueError, "byte must be in range(0, 256)")
			}
			return strings.IndexByte(string(x), byte(i)) >= 0, nil
		}
		return false, value.Errorf(value.TypeError, "a bytes-like object is required, not '%s'", value.TypeName(item))
	}
	items, err := rt.items(v)
	if err != nil {
		if typ := value.TypeName(v); !strings.Contains(err.Error(), "undefined") {
			err = value.Errorf(value.TypeError, "argument of type '%s' is not iterable", typ)
		}
		return false, err
	}
	for _, x := range items {
		if eq, err := value.Equal(x, item); eq || err != nil {
			return eq, err
		}
	}
	return false, nil
}

// slice is v[from:to:step]; found is false for what has no slices.
func (rt *runtime) slice(v any, bounds [3]any) (r any, found bool, err error) {
	var n int
	var items []any
	var runes []rune
	text, isText := value.AsString(v)
	switch x := v.(type) {
	case string, Markup:
		if isASCII(text) {
			n = len(text)
		} else {
			runes = []rune(text)
			n = len(runes)
		}
	case *value.List:
		items, n = x.Items, len(x.Items)
	case value.Tuple:
		items, n = x, len(x)
	case *groupTuple:
		items, n = x.Tuple(), 2
	case value.Bytes:
		n = len(x)
	case rangeValue:
		n = x.length()
	default:
		return nil, false, nil
	}
	start, step, count, err := sliceBounds(bounds, n)
	if err != nil {
		return nil, false, err
	}
	pick := func() []any {
		out := make([]any, count)
		for i := range out {
			out[i] = items[start+i*step]
		}
		return out
	}
	switch x := v.(type) {
	case *value.List:
		return &value.List{Items: pick()}, true, nil
	case value.Tuple, *groupTuple:
		return value.Tuple(pick()), true, nil
	case rangeValue:
		return rangeValue{start: x.start + start*x.step, stop: x.start + (start+count*step)*x.step, step: x.step * step}, true, nil
	case value.Bytes:
		return value.Bytes(sliceText(string(x), start, step, count)), true, nil
	}
	if isText && runes == nil {
		return like(v, sliceText(text, start, step, count)), true, nil
	}
	out := make([]rune, count)
	for i := range out {
		out[i] = runes[start+i*step]
	}
	return like(v, string(out)), true, nil
}

func sliceText(s string, start, step, count int) string {
	if step == 1 {
		return s[start : start+count]
	}
	b := make([]byte, count)
	for i := range b {
		b[i] = s[start+i*step]
	}
	return string(b)
}

// sliceBounds gives the first place, the step and the number of items of a slice of n items.
func sliceBounds(bounds [3]any, n int) (start, step, count int, err error) {
	var b [3]int
	for i, v := range bounds {
		if v == nil {
			continue
		}
		k, ok := index(v)
		if !ok {
			if u, isUndefined := v.(*Undefined); isUndefined {
				return 0, 0, 0, u.Use()
			}
			if x, isBig := v.(*big.Int); isBig {
				k = x.Sign() * (1 << 40)
			} else {
				return 0, 0, 0, value.Errorf(value.TypeError, "slice indices must be integers or None or have an __index__ method")
			}
		}
		b[i] = max(-1<<40, min(k, 1<<40))
	}
	step = 1
	if bounds[2] != nil {
		if step = b[2]; step == 0 {
			return 0, 0, 0, value.Errorf(value.ValueError, "slice step cannot be zero")
		}
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	place := func(i, def int) int {
		if bounds[i] == nil {
			return def
		}
		k := b[i]
		if k < 0 {
			k += n
		}
		return max(low, min(k, high))
	}
	if step > 0 {
		start = place(0, low)
		count = max(0, (place(1, high)-start+step-1)/step)
		return start, step, count, nil
	}
	start = place(0, high)
	count = max(0, (start-place(1, low)-step-1)/-step)
	return start, step, count, nil
}
