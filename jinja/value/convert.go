package value

import (
	"encoding"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
)

// DeepCopy copies lists and dicts all the way down; one inside itself stays so.
func DeepCopy(v any) any { return deepCopy(v, nil) }

func deepCopy(v any, done map[any]any) any {
	switch x := v.(type) {
	case *List:
		if c, ok := done[v]; ok {
			return c
		}
		if done == nil {
			done = map[any]any{}
		}
		c := &List{Items: make([]any, len(x.Items))}
		done[v] = c
		for i, item := range x.Items {
			c.Items[i] = deepCopy(item, done)
		}
		return c
	case Tuple:
		c := make(Tuple, len(x))
		for i, item := range x {
			c[i] = deepCopy(item, done)
		}
		return c
	case *Dict:
		if c, ok := done[v]; ok {
			return c
		}
		if done == nil {
			done = map[any]any{}
		}
		c := x.Copy()
		done[v] = c
		for i := range c.entries {
			c.entries[i].val = deepCopy(c.entries[i].val, done)
		}
		return c
	case Bytes:
		return slices.Clone(x)
	}
	return v
}

// ToGo turns a value into plain Go: map[string]any, []any, bool, int, *big.Int, float64, string and nil.
// Keys that are not strings become what JSON would make of them.
func ToGo(v any) (any, error) { return toGo(v, 0) }

func toGo(v any, depth int) (any, error) {
	if depth > maxNesting {
		return nil, Errorf(ValueError, "circular reference or too deep nesting")
	}
	switch x := v.(type) {
	case nil, bool, int, *big.Int, float64, string:
		return v, nil
	case Markup:
		return string(x), nil
	case Bytes:
		return string(x), nil
	case *List:
		return itemsToGo(x.Items, depth)
	case Tuple:
		return itemsToGo(x, depth)
	case *Dict:
		m := make(map[string]any, x.Len())
		for k, item := range x.All() {
			key, err := jsonKey(k)
			if err != nil {
				return nil, err
			}
			if m[key], err = toGo(item, depth+1); err != nil {
				return nil, err
			}
		}
		return m, nil
	case interface{ Use() error }:
		return nil, x.Use()
	}
	return nil, Errorf(TypeError, "a value of type %s cannot leave the template", TypeName(v))
}

func itemsToGo(items []any, depth int) (any, error) {
	out := make([]any, len(items))
	for i, item := range items {
		var err error
		if out[i], err = toGo(item, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// FromGo turns Go data (structs by their json tags, maps with sorted keys, slices, numbers, text) into a
// value. Values of this package pass through; a json.Marshaler is asked for its JSON.
func FromGo(x any) (any, error) {
	switch v := x.(type) {
	case nil, bool, int, float64, string, Markup, Bytes, *List, *Dict, Tuple, *big.Int, *Template, *Sealed, Custom, Mapping:
		return x, nil
	case []byte:
		return Bytes(v), nil
	case []string:
		l := &List{Items: make([]any, len(v))}
		for i, s := range v {
			l.Items[i] = s
		}
		return l, nil
	case json.Number:
		n, ok := ParseNumber(string(v))
		if !ok {
			return nil, Errorf(ValueError, "%q is no number", string(v))
		}
		return n, nil
	case json.Marshaler:
		if r := reflect.ValueOf(x); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, nil
		}
		text, err := v.MarshalJSON()
		if err != nil {
			return nil, err
		}
		return DecodeJSON(string(text))
	case encoding.TextMarshaler:
		if r := reflect.ValueOf(x); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, nil
		}
		text, err := v.MarshalText()
		return string(text), err
	}
	return fromReflect(reflect.ValueOf(x))
}

func fromReflect(r reflect.Value) (any, error) {
	switch r.Kind() {
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if u := r.Uint(); u <= math.MaxInt64 {
			return int(u), nil
		}
		return new(big.Int).SetUint64(r.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return r.Float(), nil
	case reflect.String:
		return r.String(), nil
	case reflect.Pointer, reflect.Interface:
		if r.IsNil() {
			return nil, nil
		}
		return FromGo(r.Elem().Interface())
	case reflect.Slice, reflect.Array:
		l := &List{Items: make([]any, r.Len())}
		for i := range l.Items {
			var err error
			if l.Items[i], err = FromGo(r.Index(i).Interface()); err != nil {
				return nil, err
			}
		}
		return l, nil
	case reflect.Map:
		return fromMap(r)
	case reflect.Struct:
		d := &Dict{}
		return d, fromStruct(d, r)
	}
	return nil, Errorf(TypeError, "Go's %s cannot become a value", r.Type())
}

func fromMap(r reflect.Value) (any, error) {
	d := NewDictSize(r.Len())
	keys := make([]any, 0, r.Len())
	byKey := map[any]reflect.Value{}
	for _, rk := range r.MapKeys() {
		k, err := FromGo(rk.Interface())
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
		byKey[k] = r.MapIndex(rk)
	}
	slices.SortFunc(keys, func(a, b any) int {
		c, err := Compare(a, b)
		if err != nil {
			return strings.Compare(TypeName(a), TypeName(b))
		}
		return c
	})
	for _, k := range keys {
		v, err := FromGo(byKey[k].Interface())
		if err != nil {
			return nil, err
		}
		d.Set(k, v)
	}
	return d, nil
}

func fromStruct(d *Dict, r reflect.Value) error {
	for i := range r.NumField() {
		f := r.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := r.Field(i)
		if f.Anonymous && name == "" {
			for field.Kind() == reflect.Pointer && !field.IsNil() {
				field = field.Elem()
			}
			if field.Kind() == reflect.Struct {
				if err := fromStruct(d, field); err != nil {
					return err
				}
				continue
			}
		}
		if !f.IsExported() || name == "-" && options == "" {
			continue
		}
		if strings.Contains(options, "omitempty") && isEmpty(field) || strings.Contains(options, "omitzero") && field.IsZero() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		v, err := FromGo(field.Interface())
		if err != nil {
			return err
		}
		d.Set(name, v)
	}
	return nil
}

func isEmpty(r reflect.Value) bool {
	switch r.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array, reflect.String:
		return r.Len() == 0
	case reflect.Struct:
		return false
	}
	return r.IsZero()
}
