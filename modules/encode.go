package modules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
)

// masked is what Ansible shows in place of a secret argument.
const masked = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

// mergeStruct sets a result struct's fields by their json tags.
func mergeStruct(d *value.Dict, v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		if dict, ok := reflect.TypeAssert[*value.Dict](v); ok {
			for k, item := range dict.All() {
				d.Set(k, item)
			}
			return
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	t := v.Type()
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("json")
		if sf.Anonymous && tag == "" {
			mergeStruct(d, v.Field(i))
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		if !sf.IsExported() || name == "-" || opts == "omitempty" && v.Field(i).IsZero() {
			continue
		}
		if name == "" {
			name = sf.Name
		}
		d.Set(name, toValue(v.Field(i)))
	}
}

// toValue turns Go data into a value. Secrets become ***.
func toValue(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	switch x := v.Interface().(type) {
	case *value.Dict:
		if x == nil {
			return nil
		}
		return x
	case *value.List:
		if x == nil {
			return nil
		}
		return x
	case *value.Template:
		return x.Text
	case secret.Text:
		return x.String()
	case Address:
		return x.hidden()
	case FileMode:
		if x.IsZero() {
			return nil
		}
		return x.Text
	case time.Duration:
		return x.Seconds()
	case []byte:
		return Clean(x)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return toValue(v.Elem())
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int(v.Uint())
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.String:
		return v.String()
	case reflect.Slice, reflect.Array:
		list := value.NewList()
		for i := range v.Len() {
			list.Append(toValue(v.Index(i)))
		}
		return list
	case reflect.Map:
		d := value.NewDict()
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		for _, k := range keys {
			d.Set(toValue(k), toValue(v.MapIndex(k)))
		}
		return d
	case reflect.Struct:
		d := value.NewDict()
		mergeStruct(d, v)
		return d
	}
	return fmt.Sprint(v.Interface())
}

// show gives arguments as they were understood, with defaults, for -v; secrets are masked.
func (s *schema) show(args reflect.Value) *value.Dict {
	d := value.NewDict()
	for _, f := range s.fields {
		v := args.FieldByIndex(f.index)
		switch {
		case f.secret && v.IsZero():
			d.Set(f.name, nil)
		case f.secret:
			d.Set(f.name, masked)
		case f.sub != nil:
			d.Set(f.name, f.sub.showAny(v))
		case v.Kind() == reflect.Slice && v.IsNil(), v.Kind() == reflect.Map && v.IsNil():
			d.Set(f.name, nil)
		case v.Kind() == reflect.String && v.Len() == 0 && !f.hasDef:
			d.Set(f.name, nil)
		default:
			d.Set(f.name, toValue(v))
		}
	}
	return d
}

// showAny is show for a struct, a pointer to one or a list of them.
func (s *schema) showAny(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return s.showAny(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		list := value.NewList()
		for i := range v.Len() {
			list.Append(s.showAny(v.Index(i)))
		}
		return list
	}
	return s.show(v)
}
