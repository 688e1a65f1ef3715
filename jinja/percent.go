package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// percent is Python's text % args; markup makes HTML of the texts that args give.
func (rt *runtime) percent(format string, args any, markup bool) (string, error) {
	p := percenter{rt: rt, s: format, args: args, markup: markup}
	if t, ok := args.(value.Tuple); ok {
		p.list, p.isTuple = t, true
	}
	for p.i < len(p.s) {
		j := strings.IndexByte(p.s[p.i:], '%')
		if j < 0 {
			p.b = append(p.b, p.s[p.i:]...)
			break
		}
		p.b = append(p.b, p.s[p.i:p.i+j]...)
		p.i += j + 1
		if err := p.conversion(); err != nil {
			return "", err
		}
		if len(p.b) > rt.maxOutput {
			return "", rt.tooBig()
		}
	}
	_, isDict := args.(*value.Dict)
	_, isList := args.(*value.List)
	leftOver := p.isTuple && p.used < len(p.list) || !p.isTuple && !isDict && !isList && p.used == 0 && !p.named
	if leftOver {
		return "", value.Errorf(value.TypeError, "not all arguments converted during string formatting")
	}
	return string(p.b), nil
}

type percenter struct {
	rt      *runtime
	s       string
	i       int
	b       []byte
	args    any
	list    value.Tuple
	isTuple bool
	used    int
	named   bool
	markup  bool
}

// spec is one conversion, of % or of a format spec.
type spec struct {
	minus, plus, space, alt, zero bool
	width, precision              int // precision -1: none
	verb                          byte
}

func (p *percenter) conversion() error {
	var key any
	hasKey := false
	if p.i < len(p.s) && p.s[p.i] == '(' {
		depth, start := 1, p.i+1
		for p.i++; p.i < len(p.s) && depth > 0; p.i++ {
			switch p.s[p.i] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		if depth > 0 {
			return value.Errorf(value.ValueError, "incomplete format key")
		}
		key, hasKey = p.s[start:p.i-1], true
		if _, isDict := p.args.(*value.Dict); !isDict {
			return value.Errorf(value.TypeError, "format requires a mapping")
		}
		p.named = true
	}
	f := spec{precision: -1}
	p.flags(&f)
	var err error
	if f.width, err = p.size(); err != nil {
		return err
	}
	if f.width < 0 {
		f.minus, f.width = true, -f.width
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if f.precision, err = p.size(); err != nil {
			return err
		}
		f.precision = max(0, f.precision)
	}
	if f.width > p.rt.maxOutput || f.precision > 100000 {
		return p.rt.tooBig()
	}
	for p.i < len(p.s) && strings.IndexByte("hlL", p.s[p.i]) >= 0 {
		p.i++
	}
	if p.i >= len(p.s) {
		return value.Errorf(value.ValueError, "incomplete format")
	}
	f.verb = p.s[p.i]
	p.i++
	if f.verb == '%' {
		p.b = append(p.b, '%')
		return nil
	}
	if strings.IndexByte("diouxXeEfFgGcrsa", f.verb) < 0 {
		r, _ := utf8.DecodeRuneInString(p.s[p.i-1:])
		return value.Errorf(value.ValueError, "unsupported format character '%c' (0x%x) at index %d", r, r, utf8.RuneCountInString(p.s[:p.i-1]))
	}
	var v any
	if hasKey {
		found := false
		if v, found = p.args.(*value.Dict).Get(key); !found {
			r, _ := value.Repr(key)
			return value.Errorf(value.KeyError, "%s", r)
		}
	} else if v, err = p.next(); err != nil {
		return err
	}
	return p.write(f, v)
}

func (p *percenter) flags(f *spec) {
	for ; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '-':
			f.minus = true
		case '+':
			f.plus = true
		case ' ':
			f.space = true
		case '#':
			f.alt = true
		case '0':
			f.zero = true
		default:
			return
		}
	}
}

// size reads a number or *.
func (p *percenter) size() (int, error) {
	if p.i < len(p.s) && p.s[p.i] == '*' {
		p.i++
		v, err := p.next()
		if err != nil {
			return 0, err
		}
		n, ok := index(v)
		if !ok {
			return 0, value.Errorf(value.TypeError, "* wants int")
		}
		return max(-1<<31, min(n, 1<<31)), nil
	}
	n := 0
	for ; p.i < len(p.s) && isDecimal(p.s[p.i]); p.i++ {
		n = min(n*10+int(p.s[p.i]-'0'), 1<<31)
	}
	return n, nil
}

func (p *percenter) next() (any, error) {
	if p.isTuple {
		if p.used >= len(p.list) {
			return nil, value.Errorf(value.TypeError, "not enough arguments for format string")
		}
		p.used++
		v := p.list[p.used-1]
		if u, ok := v.(*Undefined); ok && !u.lenient() {
			return nil, u.Use()
		}
		return v, nil
	}
	if p.used > 0 {
		return nil, value.Errorf(value.TypeError, "not enough arguments for format string")
	}
	p.used++
	return p.args, nil
}

func (p *percenter) write(f spec, v any) error {
	switch f.verb {
	case 's', 'r', 'a':
		s, err := textOf(p.rt, f.verb, v)
		if err != nil {
			return err
		}
		if _, is := v.(Markup); p.markup && (!is || f.verb != 's') {
			s = string(escapeText(s))
		}
		if f.precision >= 0 {
			if r := []rune(s); len(r) > f.precision {
				s = string(r[:f.precision])
			}
		}
		p.pad(f, "", s, false)
	case 'c':
		s, ok := value.AsString(v)
		if n, isInt := v.(int); isInt && n >= 0 && n <= utf8.MaxRune {
			s, ok = string(rune(n)), true
		}
		if !ok || utf8.RuneCountInString(s) != 1 {
			return value.Errorf(value.TypeError, "%%c requires int or char")
		}
		p.pad(f, "", s, false)
	case 'd', 'i', 'u', 'o', 'x', 'X':
		return p.integer(f, v)
	default:
		x, err := toFloat(v)
		if err != nil {
			return value.Errorf(value.TypeError, "must be real number, not %s", value.TypeName(v))
		}
		sign, digits := formatFloat(x, f.verb, f.precision, f.alt)
		p.pad(f, signOf(sign, f), digits, true)
	}
	return nil
}

// textOf is str, repr or ascii of a value.
func textOf(rt *runtime, verb byte, v any) (string, error) {
	if verb == 's' {
		return rt.str(v)
	}
	s, err := value.Repr(v)
	if verb != 'a' || err != nil {
		return s, err
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r <= 0xff:
			b.WriteString(`\x` + strconv.FormatInt(int64(r), 16))
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String(), nil
}

func signOf(negative bool, f spec) string {
	switch {
	case negative:
		return "-"
	case f.plus:
		return "+"
	case f.space:
		return " "
	}
	return ""
}

func (p *percenter) integer(f spec, v any) error {
	n, ok := integer(v)
	if x, isFloat := v.(float64); isFloat && strings.IndexByte("diu", f.verb) >= 0 {
		t, err := truncate(x)
		if err != nil {
			return err
		}
		n, ok = t, true
	}
	if !ok {
		if strings.IndexByte("diu", f.verb) >= 0 {
			return value.Errorf(value.TypeError, "%%%c format: a real number is required, not %s", f.verb, value.TypeName(v))
		}
		return value.Errorf(value.TypeError, "%%%c format: an integer is required, not %s", f.verb, value.TypeName(v))
	}
	b := toBig(n)
	digits, prefix := new(big.Int).Abs(b).Text(baseOf(f.verb)), ""
	if f.alt {
		prefix = map[byte]string{'x': "0x", 'X': "0X", 'o': "0o"}[f.verb]
	}
	if f.verb == 'X' {
		digits = strings.ToUpper(digits)
	}
	if len(digits) < f.precision {
		digits = strings.Repeat("0", f.precision-len(digits)) + digits
	}
	p.pad(f, signOf(b.Sign() < 0, f)+prefix, digits, true)
	return nil
}

func baseOf(verb byte) int {
	switch verb {
	case 'o':
		return 8
	case 'x', 'X':
		return 16
	case 'b':
		return 2
	}
	return 10
}

// pad writes a conversion to its width; numbers may be padded with zeros behind their sign.
func (p *percenter) pad(f spec, sign, s string, isNumber bool) {
	missing := max(0, f.width-len(sign)-utf8.RuneCountInString(s))
	switch {
	case f.minus:
		p.b = append(append(append(p.b, sign...), s...), strings.Repeat(" ", missing)...)
	case f.zero && isNumber:
		p.b = append(append(append(p.b, sign...), strings.Repeat("0", missing)...), s...)
	default:
		p.b = append(append(append(p.b, strings.Repeat(" ", missing)...), sign...), s...)
	}
}

// formatFloat formats like Python's %e, %f and %g: the sign apart.
func formatFloat(x float64, verb byte, precision int, alt bool) (negative bool, digits string) {
	negative = math.Signbit(x)
	isUpper := verb >= 'A' && verb <= 'Z'
	verb |= 32
	x = math.Abs(x)
	switch {
	case x != x:
		return false, cased("nan", isUpper)
	case math.IsInf(x, 0):
		return negative, cased("inf", isUpper)
	}
	if precision < 0 {
		precision = 6
	}
	switch verb {
	case 'g':
		digits = formatG(x, precision, alt)
	default:
		digits = strconv.FormatFloat(x, verb, precision, 64)
		if alt && precision == 0 && verb == 'f' {
			digits += "."
		}
	}
	return negative, cased(digits, isUpper)
}

func cased(s string, isUpper bool) string {
	if isUpper {
		return strings.ToUpper(s)
	}
	return s
}

func formatG(x float64, precision int, alt bool) string {
	precision = max(precision, 1)
	e := strconv.FormatFloat(x, 'e', precision-1, 64)
	exp, _ := strconv.Atoi(e[strings.IndexByte(e, 'e')+1:])
	if exp >= -4 && exp < precision {
		s := strconv.FormatFloat(x, 'f', precision-1-exp, 64)
		if !alt && strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	mantissa, tail, _ := strings.Cut(e, "e")
	if !alt && strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	return mantissa + "e" + tail
}
