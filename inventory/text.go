package inventory

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// pythonText is Python's str() of an unrendered value.
func pythonText(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case *value.Template:
		return x.Text
	case *value.Sealed:
		return x.Text
	}
	return pythonRepr(v)
}

// pythonRepr is Python's repr() of an unrendered value.
func pythonRepr(v any) string {
	switch x := v.(type) {
	case nil:
		return "None"
	case bool:
		if x {
			return "True"
		}
		return "False"
	case string:
		return reprString(x)
	case *value.Template:
		return reprString(x.Text)
	case *value.Sealed:
		return reprString(x.Text)
	case value.Bytes:
		return "b" + reprString(string(x))
	case float64:
		return pythonFloat(x)
	case *big.Int:
		return x.String()
	case *value.List:
		return "[" + reprItems(x.Items) + "]"
	case value.Tuple:
		if len(x) == 1 {
			return "(" + pythonRepr(x[0]) + ",)"
		}
		return "(" + reprItems(x) + ")"
	case *value.Dict:
		parts := make([]string, 0, x.Len())
		for k, v := range x.All() {
			parts = append(parts, pythonRepr(k)+": "+pythonRepr(v))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

func reprItems(items []any) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = pythonRepr(item)
	}
	return strings.Join(parts, ", ")
}

// reprString quotes text as Python does: single quotes unless only those are inside.
func reprString(s string) string {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// pythonFloat is Python's repr of a float.
func pythonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
