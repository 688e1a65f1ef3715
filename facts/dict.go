package facts

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// Dict gives the facts under Ansible's names, without the prefix "ansible_".
func (f *Facts) Dict() *value.Dict {
	d := value.NewDict()
	for _, part := range []any{f.Platform, f.Distribution, f.User, f.Network, f.Hardware, f.Virtual, f.Security, f.Misc} {
		if v := reflect.ValueOf(part); !v.IsNil() {
			addFields(d, v.Elem())
		}
	}
	if f.DateTime != nil {
		d.Set("date_time", f.DateTime.dict())
	}
	if f.Network != nil {
		names := value.NewList()
		for _, i := range f.Network.Interfaces {
			name := strings.ReplaceAll(i.Name, ":", "_")
			names.Append(name)
			d.Set(strings.ReplaceAll(name, "-", "_"), toValue(reflect.ValueOf(i)))
		}
		d.Set("interfaces", names)
	}
	if f.Env != nil {
		d.Set("env", toValue(reflect.ValueOf(f.Env)))
	}
	if f.Local != nil {
		d.Set("local", f.Local)
	}
	return d
}

func (t *DateTime) dict() *value.Dict {
	return value.NewDict("year", t.Year, "month", t.Month, "weekday", t.Weekday, "weekday_number", t.WeekdayNumber,
		"weeknumber", t.WeekNumber, "day", t.Day, "hour", t.Hour, "minute", t.Minute, "second", t.Second,
		"epoch", t.Epoch, "epoch_int", t.EpochInt, "date", t.Date, "time", t.Time,
		"iso8601_micro", t.ISO8601Micro, "iso8601", t.ISO8601, "iso8601_basic", t.ISO8601Basic,
		"iso8601_basic_short", t.BasicTTY, "tz", t.TZ, "tz_dst", t.TZDST, "tz_offset", t.TZOffset)
}

// addFields puts a struct's tagged fields into a dict. The tag is a name, with ",omitempty" left out when it is the zero
// value, or ",inline" for the fields of what it holds.
func addFields(d *value.Dict, v reflect.Value) {
	for i := range v.NumField() {
		tag, tagged := v.Type().Field(i).Tag.Lookup("fact")
		if !tagged || tag == "-" {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		field := v.Field(i)
		switch {
		case option == "omitempty" && field.IsZero():
		case option == "inline":
			if field.IsZero() {
				continue
			}
			inner, _ := toValue(field).(*value.Dict)
			for k, val := range inner.All() {
				d.Set(k, val)
			}
		default:
			d.Set(name, toValue(field))
		}
	}
}

// toValue makes a template's value of a fact.
func toValue(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if d, ok := reflect.TypeAssert[*value.Dict](v); ok {
			return d
		}
		return toValue(v.Elem())
	case reflect.Struct:
		d := value.NewDict()
		addFields(d, v)
		return d
	case reflect.Slice:
		list := value.NewList()
		for i := range v.Len() {
			list.Append(toValue(v.Index(i)))
		}
		return list
	case reflect.Map:
		d := value.NewDict()
		for _, key := range slices.SortedFunc(maps.Keys(keysOf(v)), strings.Compare) {
			d.Set(key, toValue(v.MapIndex(reflect.ValueOf(key))))
		}
		return d
	default:
		return v.Interface()
	}
}

func keysOf(v reflect.Value) map[string]bool {
	keys := map[string]bool{}
	for _, k := range v.MapKeys() {
		keys[k.String()] = true
	}
	return keys
}
