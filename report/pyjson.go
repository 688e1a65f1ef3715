package report

import (
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// encoder writes JSON as Python's json.dumps does with ensure_ascii=False and sort_keys=True.
type encoder struct {
	b      []byte
	indent int       // 0 is one line
	w      io.Writer // takes b whenever there is much of it; nil keeps it all
	err    error
}

// flushAt is how many bytes an encoder with a writer gathers.
const flushAt = 32 << 10

// JSON gives a value as Ansible prints it: keys sorted, text not escaped to ASCII, on one line when indent is 0.
func JSON(v any, indent int) string {
	e := encoder{indent: indent}
	e.value(v, 0)
	return string(e.b)
}

// WriteJSON writes a value as JSON gives it, without ever holding the whole text.
func WriteJSON(w io.Writer, v any, indent int) error {
	e := encoder{indent: indent, w: w}
	e.value(v, 0)
	e.flush(0)
	return e.err
}

// flush hands over what there is, when it is more than so many bytes.
func (e *encoder) flush(enough int) {
	if e.w == nil || len(e.b) < enough {
		return
	}
	if e.err == nil {
		_, e.err = e.w.Write(e.b)
	}
	e.b = e.b[:0]
}

func (e *encoder) value(v any, depth int) {
	switch v := v.(type) {
	case nil:
		e.raw("null")
	case bool:
		e.raw(strconv.FormatBool(v))
	case int:
		e.b = strconv.AppendInt(e.b, int64(v), 10)
	case *big.Int:
		e.b = v.Append(e.b, 10)
	case float64:
		e.raw(pyFloat(v))
	case string:
		e.text(v)
	case value.Bytes:
		e.text(string(v))
	case value.Tuple:
		e.list(v, depth)
	case *value.List:
		e.list(v.Items, depth)
	case *value.Dict:
		e.dict(v, depth)
	case *value.Template:
		e.text(v.Text)
	case *value.Sealed:
		e.text("***")
	case fmt.Stringer:
		e.text(v.String())
	default:
		e.text(fmt.Sprint(v))
	}
}

func (e *encoder) raw(s string) { e.b = append(e.b, s...) }

func (e *encoder) newline(depth int) {
	if e.indent == 0 {
		return
	}
	e.b = append(e.b, '\n')
	for range depth * e.indent {
		e.b = append(e.b, ' ')
	}
}

// separate writes what stands between two elements; with an indent Python writes no blank after the comma.
func (e *encoder) separate(i, depth int) {
	if i > 0 {
		e.b = append(e.b, ',')
		if e.indent == 0 {
			e.b = append(e.b, ' ')
		}
	}
	e.newline(depth)
}

func (e *encoder) list(items []any, depth int) {
	if len(items) == 0 {
		e.raw("[]")
		return
	}
	e.b = append(e.b, '[')
	for i, item := range items {
		e.separate(i, depth+1)
		e.value(item, depth+1)
	}
	e.newline(depth)
	e.b = append(e.b, ']')
}

func (e *encoder) dict(d *value.Dict, depth int) {
	if d.Len() == 0 {
		e.raw("{}")
		return
	}
	type entry struct {
		key string
		v   any
	}
	entries := make([]entry, 0, d.Len())
	for k, v := range d.All() {
		entries = append(entries, entry{keyText(k), v})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	e.b = append(e.b, '{')
	for i, en := range entries {
		e.separate(i, depth+1)
		e.text(en.key)
		e.raw(": ")
		e.value(en.v, depth+1)
	}
	e.newline(depth)
	e.b = append(e.b, '}')
}

func keyText(k any) string {
	switch k := k.(type) {
	case nil:
		return "null"
	case string:
		return k
	case float64:
		return pyFloat(k)
	default:
		return fmt.Sprint(k)
	}
}

func (e *encoder) text(s string) {
	e.b = append(e.b, '"')
	for i := 0; i < len(s); {
		e.flush(flushAt)
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			e.b = append(e.b, '\\', byte(r))
		case r == '\n':
			e.raw(`\n`)
		case r == '\r':
			e.raw(`\r`)
		case r == '\t':
			e.raw(`\t`)
		case r == '\b':
			e.raw(`\b`)
		case r == '\f':
			e.raw(`\f`)
		case r < 0x20:
			e.b = fmt.Appendf(e.b, `\u%04x`, r)
		case r == utf8.RuneError && n == 1:
			e.raw("\ufffd")
		default:
			e.b = append(e.b, s[i:i+n]...)
		}
		i += n
	}
	e.b = append(e.b, '"')
}

// pyFloat gives a float as Python's repr: the shortest text that reads back, with a point or an exponent.
func pyFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		mantissa, exp, _ := strings.Cut(s, "e")
		if len(exp) == 2 { // e-5 is written e-05
			exp = exp[:1] + "0" + exp[1:]
		}
		return mantissa + "e" + exp
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
