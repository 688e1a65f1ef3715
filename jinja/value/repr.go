package value

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNesting bounds how deep printing and comparing go into containers.
const maxNesting = 900

// Str is Python's str(v).
func Str(v any) (string, error) {
	switch x := v.(type) {
	case string:
		return x, nil
	case Markup:
		return string(x), nil
	case int:
		return strconv.Itoa(x), nil
	case interface{ Text() (string, error) }:
		return x.Text()
	}
	return Repr(v)
}

// Repr is Python's repr(v).
func Repr(v any) (string, error) {
	b, err := AppendRepr(nil, v, 0)
	return string(b), err
}

// AppendStr appends Python's str(v). When limit is not zero, growing past limit bytes is an
// Error of kind LimitError.
func AppendStr(b []byte, v any, limit int) ([]byte, error) {
	switch x := v.(type) {
	case string:
		return append(b, x...), nil
	case Markup:
		return append(b, x...), nil
	case int:
		return strconv.AppendInt(b, int64(x), 10), nil
	case interface{ Text() (string, error) }:
		s, err := x.Text()
		return append(b, s...), err
	}
	return AppendRepr(b, v, limit)
}

// AppendRepr appends Python's repr(v), with a limit as AppendStr.
func AppendRepr(b []byte, v any, limit int) ([]byte, error) {
	p := printer{b: b, limit: limit}
	err := p.repr(v)
	return p.b, err
}

type printer struct {
	b     []byte
	limit int
	open  []any // containers being printed, to find one inside itself
}

func (p *printer) repr(v any) error {
	if p.limit > 0 && len(p.b) > p.limit {
		return Errorf(LimitError, "text grows past %d bytes", p.limit)
	}
	switch x := v.(type) {
	case nil:
		p.b = append(p.b, "None"...)
	case bool:
		if x {
			p.b = append(p.b, "True"...)
		} else {
			p.b = append(p.b, "False"...)
		}
	case int:
		p.b = strconv.AppendInt(p.b, int64(x), 10)
	case *big.Int:
		return p.bigInt(x)
	case float64:
		p.b = append(p.b, FormatFloat(x)...)
	case string:
		p.b = appendQuoted(p.b, x)
	case Markup:
		p.b = append(appendQuoted(append(p.b, "Markup("...), string(x)), ')')
	case Bytes:
		p.b = appendBytes(p.b, x)
	case *Template:
		p.b = appendQuoted(p.b, x.Text)
	case *Sealed:
		p.b = appendQuoted(p.b, x.Text)
	case *List:
		return p.container(x, "[", "]", func() error { return p.items(x.Items) })
	case Tuple:
		return p.tuple(x)
	case *Dict:
		return p.container(x, "{", "}", func() error { return p.dict(x) })
	case Wrapper:
		before, inner, after := x.Wraps()
		if len(p.open) > maxNesting {
			return Errorf(RecursionError, "maximum recursion depth exceeded while getting the repr of an object")
		}
		p.open = append(p.open, nil)
		p.b = append(p.b, before...)
		err := p.repr(inner)
		p.b = append(p.b, after...)
		p.open = p.open[:len(p.open)-1]
		return err
	case interface{ Repr() (string, error) }:
		s, err := x.Repr()
		p.b = append(p.b, s...)
		return err
	default:
		p.b = fmt.Appendf(p.b, "<%s object>", TypeName(v))
	}
	return nil
}

// maxDigits is Python's limit on the digits of an integer made into text.
const maxDigits = 4300

func (p *printer) bigInt(x *big.Int) error {
	if x.BitLen() > 14290 {
		return Errorf(ValueError, "Exceeds the limit (%d) for integer string conversion", maxDigits)
	}
	p.b = x.Append(p.b, 10)
	return nil
}

func (p *printer) container(v any, start, end string, inside func() error) error {
	if slices.Contains(p.open, v) {
		p.b = append(p.b, start+"..."+end...)
		return nil
	}
	if len(p.open) > maxNesting {
		return Errorf(RecursionError, "maximum recursion depth exceeded while getting the repr of an object")
	}
	p.open = append(p.open, v)
	p.b = append(p.b, start...)
	err := inside()
	p.b = append(p.b, end...)
	p.open = p.open[:len(p.open)-1]
	return err
}

func (p *printer) items(items []any) error {
	for i, item := range items {
		if i > 0 {
			p.b = append(p.b, ", "...)
		}
		if err := p.repr(item); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) tuple(t Tuple) error {
	if len(p.open) > maxNesting {
		return Errorf(RecursionError, "maximum recursion depth exceeded while getting the repr of an object")
	}
	p.open = append(p.open, nil)
	p.b = append(p.b, '(')
	err := p.items(t)
	if len(t) == 1 {
		p.b = append(p.b, ',')
	}
	p.b = append(p.b, ')')
	p.open = p.open[:len(p.open)-1]
	return err
}

func (p *printer) dict(d *Dict) error {
	for i, e := range d.entries {
		if i > 0 {
			p.b = append(p.b, ", "...)
		}
		if err := p.repr(e.key); err != nil {
			return err
		}
		p.b = append(p.b, ": "...)
		if err := p.repr(e.val); err != nil {
			return err
		}
	}
	return nil
}

// FormatFloat is Python's repr of a float: 1.0, 1e+16, inf.
func FormatFloat(f float64) string {
	switch {
	case f != f:
		return "nan"
	case f > maxFinite:
		return "inf"
	case f < -maxFinite:
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	exp, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if exp < -4 || exp >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if strings.IndexByte(s, '.') < 0 {
		s += ".0"
	}
	return s
}

const maxFinite = 1.7976931348623157e308

const hexDigits = "0123456789abcdef"

func appendQuoted(b []byte, s string) []byte {
	quote := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		quote = '"'
	}
	b = append(b, quote)
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			b = appendRune(b, s[i], r, n)
			i += n
			continue
		}
		i++
		switch {
		case c == quote || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, quote)
}

func appendRune(b []byte, first byte, r rune, n int) []byte {
	switch {
	case r == utf8.RuneError && n == 1:
		return fmt.Appendf(b, `\udc%02x`, first)
	case unicode.IsPrint(r):
		return utf8.AppendRune(b, r)
	case r <= 0xff:
		return fmt.Appendf(b, `\x%02x`, r)
	case r <= 0xffff:
		return fmt.Appendf(b, `\u%04x`, r)
	}
	return fmt.Appendf(b, `\U%08x`, r)
}

func appendBytes(b []byte, x Bytes) []byte {
	quote := byte('\'')
	if strings.IndexByte(string(x), '\'') >= 0 && strings.IndexByte(string(x), '"') < 0 {
		quote = '"'
	}
	b = append(b, 'b', quote)
	for _, c := range x {
		switch {
		case c == quote || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ' || c >= 0x7f:
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, quote)
}
