package modules

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
)

// value turns one argument's value into type t by Ansible's rules. False means that there was a mistake,
// which is noted, or that the value is not known yet.
func (d *decoder) value(f *field, t reflect.Type, v any, path []any) (reflect.Value, bool) {
	if d.pending(v) {
		return reflect.Value{}, false
	}
	if t.Kind() == reflect.Pointer && t != dictType {
		inner, ok := d.value(f, t.Elem(), v, path)
		if !ok {
			return inner, false
		}
		p := reflect.New(t.Elem())
		p.Elem().Set(inner)
		return p, true
	}
	switch {
	case t == anyType:
		if v == nil {
			return reflect.Zero(t), true
		}
		return reflect.ValueOf(v), true
	case t == dictType:
		return d.dict(v, path)
	case reflect.PointerTo(t).Implements(argumentType):
		p := reflect.New(t)
		if err := p.Interface().(argument).DecodeArg(v); err != nil {
			d.fail(path, false, "", "argument %q %v", dotted(path), err)
			return reflect.Value{}, false
		}
		if w, ok := reflect.TypeAssert[interface{ Warning() string }](p); ok && w.Warning() != "" {
			d.warnings = append(d.warnings, fmt.Sprintf("argument %q: %s", dotted(path), w.Warning()))
		}
		return p.Elem(), true
	}
	switch t.Kind() {
	case reflect.Slice:
		return d.list(f, t, v, path)
	case reflect.Map:
		return d.mapping(f, t, v, path)
	case reflect.Struct:
		if t != secretType {
			return d.nested(f, v, path)
		}
	}
	return d.scalar(t, v, path)
}

// scalar reads text, numbers, truth values, durations and secrets.
func (d *decoder) scalar(t reflect.Type, v any, path []any) (reflect.Value, bool) {
	var got any
	var err error
	var want string
	switch {
	case t == secretType:
		want = "text"
		var s string
		s, err = Str(v)
		got = secret.New(s)
	case t == durationType:
		want = "a duration (30s, 5m, a number of seconds)"
		got, err = Duration(v)
	case t.Kind() == reflect.String:
		return d.text(t, v, path)
	case t.Kind() == reflect.Bool:
		want = "a truth value (yes or no)"
		got, err = Bool(v)
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		want = "a whole number"
		got, err = Int(v)
	case t.Kind() == reflect.Float64:
		want = "a number"
		got, err = Float(v)
	default:
		panic(fmt.Sprintf("argument type %s has no rule", t))
	}
	if err != nil {
		d.fail(path, false, "", "argument %q must be %s, not %s", dotted(path), want, describe(v))
		return reflect.Value{}, false
	}
	return reflect.ValueOf(got).Convert(t), true
}

// text reads text, and holds a type with choices to them.
func (d *decoder) text(t reflect.Type, v any, path []any) (reflect.Value, bool) {
	s, err := Str(v)
	if err != nil {
		d.fail(path, false, "", "argument %q must be text, not %s", dotted(path), describe(v))
		return reflect.Value{}, false
	}
	if choices := choicesOf(t); choices != nil && !slices.Contains(choices, s) {
		s2, ok := choiceOfBool(v, choices)
		if !ok {
			d.fail(path, false, nearHint(s, choices), "argument %q must be one of %s, not %s", dotted(path), strings.Join(choices, ", "), describe(v))
			return reflect.Value{}, false
		}
		s = s2
	}
	return reflect.ValueOf(s).Convert(t), true
}

// choiceOfBool finds the one choice that YAML turned into a truth value (state: on).
func choiceOfBool(v any, choices []string) (string, bool) {
	b, ok := v.(bool)
	if !ok {
		return "", false
	}
	var found []string
	for _, c := range choices {
		if cb, err := Bool(c); err == nil && cb == b {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

func (d *decoder) list(f *field, t reflect.Type, v any, path []any) (reflect.Value, bool) {
	items, err := Items(v)
	if err != nil {
		if _, isDict := v.(*value.Dict); !isDict || f.sub == nil {
			d.fail(path, false, "", "argument %q must be a list, not %s", dotted(path), describe(v))
			return reflect.Value{}, false
		}
		items = []any{v}
	}
	out := reflect.MakeSlice(t, 0, len(items))
	good := true
	for i, item := range items {
		one, ok := d.value(f, t.Elem(), item, append(slices.Clone(path), i))
		if !ok {
			good = false
			continue
		}
		out = reflect.Append(out, one)
	}
	return out, good
}

func (d *decoder) dict(v any, path []any) (reflect.Value, bool) {
	m, err := Dict(v)
	if err != nil {
		d.fail(path, false, "", "argument %q must be a dict, not %s", dotted(path), describe(v))
		return reflect.Value{}, false
	}
	return reflect.ValueOf(m), true
}

func (d *decoder) mapping(f *field, t reflect.Type, v any, path []any) (reflect.Value, bool) {
	m, err := Dict(v)
	if err != nil {
		d.fail(path, false, "", "argument %q must be a dict, not %s", dotted(path), describe(v))
		return reflect.Value{}, false
	}
	out := reflect.MakeMapWithSize(t, m.Len())
	good := true
	for k, item := range m.All() {
		key, err := Str(k)
		if err != nil {
			d.fail(append(slices.Clone(path), k), true, "", "argument %q: a key must be text, not %s", dotted(path), describe(k))
			good = false
			continue
		}
		one, ok := d.value(f, t.Elem(), item, append(slices.Clone(path), key))
		if !ok {
			good = false
			continue
		}
		out.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), one)
	}
	return out, good
}

func (d *decoder) nested(f *field, v any, path []any) (reflect.Value, bool) {
	m, err := Dict(v)
	if err != nil {
		d.fail(path, false, "", "argument %q must be a dict, not %s", dotted(path), describe(v))
		return reflect.Value{}, false
	}
	before := len(d.errs)
	out := d.decode(f.sub, m, path)
	return out, len(d.errs) == before
}

// Bool reads a truth value as Ansible does: yes, on, 1, true, t, y and their opposites in any case.
func Bool(v any) (bool, error) {
	switch b := v.(type) {
	case bool:
		return b, nil
	case int:
		v = strconv.Itoa(b)
	case float64:
		v = strconv.FormatFloat(b, 'f', -1, 64)
	}
	s, _ := v.(string)
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "y", "yes", "on", "1", "true", "t":
		return true, nil
	case "n", "no", "off", "0", "false", "f":
		return false, nil
	}
	return false, fmt.Errorf("%s is no truth value", describe(v))
}

// Int reads a whole number, also from text.
func Int(v any) (int64, error) {
	switch n := v.(type) {
	case bool:
		if n {
			return 1, nil
		}
		return 0, nil
	case int:
		return int64(n), nil
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), nil
		}
	case string:
		return strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(n), "_", ""), 10, 64)
	}
	return 0, fmt.Errorf("%s is no whole number", describe(v))
}

// Float reads a number, also from text.
func Float(v any) (float64, error) {
	switch n := v.(type) {
	case float64:
		return n, nil
	case int:
		return float64(n), nil
	case string:
		return strconv.ParseFloat(strings.TrimSpace(n), 64)
	}
	return 0, fmt.Errorf("%s is no number", describe(v))
}

// Str gives a value as Python's str would: true is "True".
func Str(v any) (string, error) {
	switch s := v.(type) {
	case string:
		return s, nil
	case value.Bytes:
		return string(s), nil
	case nil:
		return "None", nil
	case bool:
		if s {
			return "True", nil
		}
		return "False", nil
	case int:
		return strconv.Itoa(s), nil
	case *big.Int:
		return s.String(), nil
	case float64, *value.Dict, *value.List, value.Tuple:
		return value.Str(s)
	}
	return "", fmt.Errorf("%s is no text", describe(v))
}

// Items gives a list; text is split at commas, a number is a list of one.
func Items(v any) ([]any, error) {
	switch l := v.(type) {
	case *value.List:
		return l.Items, nil
	case value.Tuple:
		return l, nil
	case string:
		if l == "" {
			return []any{""}, nil
		}
		var items []any
		for part := range strings.SplitSeq(l, ",") {
			items = append(items, part)
		}
		return items, nil
	case bool, int, float64, *big.Int:
		s, err := Str(l)
		return []any{s}, err
	}
	return nil, fmt.Errorf("%s is no list", describe(v))
}

// Dict gives a dict; text may be JSON or k=v pairs with commas or blanks between.
func Dict(v any) (*value.Dict, error) {
	switch m := v.(type) {
	case *value.Dict:
		return m, nil
	case string:
		text := strings.TrimSpace(m)
		if strings.HasPrefix(text, "{") {
			return dictOfJSON(text)
		}
		if strings.Contains(text, "=") {
			return dictOfPairs(text)
		}
	}
	return nil, fmt.Errorf("%s is no dict", describe(v))
}

func dictOfJSON(text string) (*value.Dict, error) {
	raw, err := value.DecodeJSON(text)
	if err != nil {
		var ok bool
		if raw, ok = value.ParseLiteral(text); !ok {
			return nil, fmt.Errorf("read a dict from text: %w", err)
		}
	}
	d, ok := raw.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("%q is no dict", text)
	}
	return d, nil
}

func dictOfPairs(text string) (*value.Dict, error) {
	out := value.NewDict()
	parts, err := SplitWords(strings.ReplaceAll(text, ",", " "))
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		k, v, ok := strings.Cut(p, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no key=value pair", p)
		}
		out.Set(strings.TrimSpace(k), v)
	}
	return out, nil
}

// Duration reads 1h30m, 30s, 1d or a number of seconds.
func Duration(v any) (time.Duration, error) {
	if n, err := Float(v); err == nil {
		return time.Duration(n * float64(time.Second)), nil
	}
	s, ok := v.(string)
	if !ok {
		return 0, fmt.Errorf("%s is no duration", describe(v))
	}
	s = strings.TrimSpace(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	return time.ParseDuration(s)
}

// describe says what was given, for error messages.
func describe(v any) string {
	switch s := v.(type) {
	case nil:
		return "nothing"
	case string:
		return strconv.Quote(s)
	case bool:
		return strconv.FormatBool(s)
	case *value.List, value.Tuple:
		return "a list"
	case *value.Dict:
		return "a dict"
	case int, *big.Int:
		return fmt.Sprint(s)
	case float64:
		return strconv.FormatFloat(s, 'g', -1, 64)
	}
	return fmt.Sprintf("a %T", v)
}
