package value

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// JSONOptions are the options of Python's json.dumps; the zero value is its default.
type JSONOptions struct {
	// Multiline puts each item on a line of its own, indented by Indent for each level.
	Multiline bool
	Indent    string
	// ItemSep and KeySep are Python's separators; empty means its defaults: ", " (a comma alone
	// when Multiline) and ": ".
	ItemSep, KeySep string
	SortKeys        bool
	// KeepUTF8 is ensure_ascii=False.
	KeepUTF8 bool
	// Default gives something JSON can hold for what it cannot; nil makes that an error.
	Default func(v any) (any, error)
	// Limit, when not zero, makes growing past so many bytes an Error of kind LimitError.
	Limit int
}

// EncodeJSON gives v as Python's json.dumps prints it.
func EncodeJSON(v any, o JSONOptions) (string, error) {
	if o.ItemSep == "" {
		o.ItemSep = ", "
		if o.Multiline {
			o.ItemSep = ","
		}
	}
	if o.KeySep == "" {
		o.KeySep = ": "
	}
	e := jsonEncoder{o: o}
	err := e.value(v)
	if err == nil {
		err = e.tooLong(0)
	}
	if err != nil {
		return "", err
	}
	return string(e.b), nil
}

type jsonEncoder struct {
	b    []byte
	o    JSONOptions
	open []any
}

func (e *jsonEncoder) tooLong(more int) error {
	if e.o.Limit > 0 && len(e.b)+more > e.o.Limit {
		return Errorf(LimitError, "text grows past %d bytes", e.o.Limit)
	}
	return nil
}

func (e *jsonEncoder) value(v any) error {
	text, _ := AsString(v)
	if err := e.tooLong(len(text)); err != nil {
		return err
	}
	switch x := v.(type) {
	case nil:
		e.b = append(e.b, "null"...)
	case bool:
		e.b = strconv.AppendBool(e.b, x)
	case int:
		e.b = strconv.AppendInt(e.b, int64(x), 10)
	case *big.Int:
		e.b = x.Append(e.b, 10)
	case float64:
		e.b = append(e.b, jsonFloat(x)...)
	case string:
		return e.text(x)
	case Markup:
		return e.text(string(x))
	case *List:
		return e.nested(x, func() error { return e.items(x.Items) })
	case Tuple:
		return e.nested(nil, func() error { return e.items(x) })
	case *Dict:
		return e.nested(x, func() error { return e.dict(x) })
	case interface{ Use() error }:
		return x.Use()
	case interface{ JSON() string }:
		return e.text(x.JSON())
	case interface{ Tuple() Tuple }:
		return e.value(x.Tuple())
	default:
		if e.o.Default == nil {
			return Errorf(TypeError, "Object of type %s is not JSON serializable", TypeName(v))
		}
		w, err := e.o.Default(v)
		if err != nil {
			return err
		}
		return e.nested(nil, func() error { return e.value(w) })
	}
	return nil
}

func (e *jsonEncoder) nested(v any, inside func() error) error {
	if v != nil && slices.Contains(e.open, v) {
		return Errorf(ValueError, "Circular reference detected")
	}
	if len(e.open) > maxNesting {
		return Errorf(RecursionError, "maximum recursion depth exceeded while encoding a JSON object")
	}
	e.open = append(e.open, v)
	err := inside()
	e.open = e.open[:len(e.open)-1]
	return err
}

func (e *jsonEncoder) newline(level int) {
	if !e.o.Multiline {
		return
	}
	e.b = append(e.b, '\n')
	for range level {
		e.b = append(e.b, e.o.Indent...)
	}
}

func (e *jsonEncoder) items(items []any) error {
	if len(items) == 0 {
		e.b = append(e.b, "[]"...)
		return nil
	}
	e.b = append(e.b, '[')
	for i, item := range items {
		if i > 0 {
			e.b = append(e.b, e.o.ItemSep...)
		}
		e.newline(len(e.open))
		if err := e.value(item); err != nil {
			return err
		}
	}
	e.newline(len(e.open) - 1)
	e.b = append(e.b, ']')
	return nil
}

func (e *jsonEncoder) dict(d *Dict) error {
	if d.Len() == 0 {
		e.b = append(e.b, "{}"...)
		return nil
	}
	keys := d.Keys()
	if e.o.SortKeys {
		var failed error
		slices.SortStableFunc(keys, func(a, b any) int {
			c, err := Compare(a, b)
			if err != nil {
				failed = err
			}
			return c
		})
		if failed != nil {
			return failed
		}
	}
	e.b = append(e.b, '{')
	for i, k := range keys {
		if i > 0 {
			e.b = append(e.b, e.o.ItemSep...)
		}
		e.newline(len(e.open))
		name, err := jsonKey(k)
		if err != nil {
			return err
		}
		if err := e.text(name); err != nil {
			return err
		}
		e.b = append(e.b, e.o.KeySep...)
		item, _ := d.Get(k)
		if err := e.value(item); err != nil {
			return err
		}
	}
	e.newline(len(e.open) - 1)
	e.b = append(e.b, '}')
	return nil
}

func jsonKey(k any) (string, error) {
	switch x := k.(type) {
	case string:
		return x, nil
	case Markup:
		return string(x), nil
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(x), nil
	case int:
		return strconv.Itoa(x), nil
	case *big.Int:
		return x.String(), nil
	case float64:
		return jsonFloat(x), nil
	}
	return "", Errorf(TypeError, "keys must be str, int, float, bool or None, not %s", TypeName(k))
}

func jsonFloat(f float64) string {
	switch s := FormatFloat(f); s {
	case "nan":
		return "NaN"
	case "inf":
		return "Infinity"
	case "-inf":
		return "-Infinity"
	default:
		return s
	}
}

func (e *jsonEncoder) text(s string) error {
	e.b = append(e.b, '"')
	for i := 0; i < len(s); {
		if i&0xfff == 0 { // escapes may make it six times as long
			if err := e.tooLong(len(s) - i); err != nil {
				return err
			}
		}
		c := s[i]
		if c < utf8.RuneSelf {
			e.char(c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			e.b = fmt.Appendf(e.b, `\udc%02x`, c)
		case e.o.KeepUTF8:
			e.b = append(e.b, s[i:i+n]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			e.b = fmt.Appendf(e.b, `\u%04x\u%04x`, hi, lo)
		default:
			e.b = fmt.Appendf(e.b, `\u%04x`, r)
		}
		i += n
	}
	e.b = append(e.b, '"')
	return nil
}

func (e *jsonEncoder) char(c byte) {
	switch {
	case c == '"' || c == '\\':
		e.b = append(e.b, '\\', c)
	case c == '\n':
		e.b = append(e.b, '\\', 'n')
	case c == '\r':
		e.b = append(e.b, '\\', 'r')
	case c == '\t':
		e.b = append(e.b, '\\', 't')
	case c == '\b':
		e.b = append(e.b, '\\', 'b')
	case c == '\f':
		e.b = append(e.b, '\\', 'f')
	case c < ' ' || c == 0x7f && !e.o.KeepUTF8:
		e.b = append(e.b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	default:
		e.b = append(e.b, c)
	}
}
