package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// format is Python's str.format.
func (rt *runtime) format(s string, args []any, kw *value.Dict) (string, error) {
	f := &formatter{rt: rt, args: args, kw: kw}
	b, err := f.text(s, 2)
	return string(b), err
}

// formatMarkup is format where what fields give becomes HTML.
func (rt *runtime) formatMarkup(s string, args []any, kw *value.Dict) (string, error) {
	f := &formatter{rt: rt, args: args, kw: kw, markup: true}
	b, err := f.text(s, 2)
	return string(b), err
}

type formatter struct {
	rt     *runtime
	args   []any
	kw     *value.Dict
	auto   int
	manual bool
	markup bool
}

// text formats a text with fields; depth bounds fields in format specs.
func (f *formatter) text(s string, depth int) ([]byte, error) {
	var b []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '{' && c != '}' {
			b = append(b, c)
			continue
		}
		if i+1 < len(s) && s[i+1] == c {
			b = append(b, c)
			i++
			continue
		}
		if c == '}' {
			return nil, value.Errorf(value.ValueError, "Single '}' encountered in format string")
		}
		end := fieldEnd(s, i+1)
		if end < 0 {
			if i+1 == len(s) {
				return nil, value.Errorf(value.ValueError, "Single '{' encountered in format string")
			}
			return nil, value.Errorf(value.ValueError, "expected '}' before end of string")
		}
		if depth == 0 {
			return nil, value.Errorf(value.ValueError, "Max string recursion exceeded")
		}
		out, err := f.field(s[i+1:end], depth)
		if err != nil {
			return nil, err
		}
		if b = append(b, out...); len(b) > f.rt.maxOutput {
			return nil, f.rt.tooBig()
		}
		i = end
	}
	return b, nil
}

// fieldEnd finds the brace that closes a field; those in [] do not count.
func fieldEnd(s string, i int) int {
	depth, bracket := 1, false
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case bracket:
			bracket = c != ']'
		case c == '[':
			bracket = depth == 1
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func (f *formatter) field(s string, depth int) (string, error) {
	name, spec := s, ""
	conversion := byte(0)
	if at := strings.IndexAny(s, "!:"); at >= 0 {
		if br := strings.IndexByte(s, '['); br >= 0 && br < at {
			if end := strings.IndexByte(s[br:], ']'); end >= 0 {
				if rest := strings.IndexAny(s[br+end:], "!:"); rest >= 0 {
					at = br + end + rest
				} else {
					at = len(s)
				}
			}
		}
		name = s[:at]
		rest := s[at:]
		if strings.HasPrefix(rest, "!") {
			if len(rest) < 2 {
				return "", value.Errorf(value.ValueError, "end of string while looking for conversion specifier")
			}
			conversion = rest[1]
			if rest = rest[2:]; rest != "" && rest[0] != ':' {
				return "", value.Errorf(value.ValueError, "expected ':' after conversion specifier")
			}
		}
		spec = strings.TrimPrefix(rest, ":")
	}
	v, err := f.lookup(name)
	if err != nil {
		return "", err
	}
	if conversion != 0 {
		if strings.IndexByte("sra", conversion) < 0 {
			return "", value.Errorf(value.ValueError, "Unknown conversion specifier %c", conversion)
		}
		if v, err = orNil(textOf(f.rt, conversion, v)); err != nil {
			return "", err
		}
	}
	if strings.ContainsAny(spec, "{}") {
		b, err := f.text(spec, depth-1)
		if err != nil {
			return "", err
		}
		spec = string(b)
	}
	m, is := v.(Markup)
	if f.markup && is {
		if spec != "" {
			return "", value.Errorf(value.ValueError, "Unsupported format specification for Markup.")
		}
		return string(m), nil
	}
	r, err := f.rt.formatValue(v, spec)
	if f.markup {
		r = string(escapeText(r))
	}
	return r, err
}

// lookup finds what a field names: 0, name, a.b, a[0], a[key].
func (f *formatter) lookup(name string) (any, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v, err := f.first(name[:end])
	for err == nil && end < len(name) {
		rest := name[end:]
		var key any
		if rest[0] == '.' {
			stop := strings.IndexAny(rest[1:], ".[")
			if stop < 0 {
				stop = len(rest) - 1
			}
			key = rest[1 : 1+stop]
			end += 1 + stop
			if key == "" {
				return nil, value.Errorf(value.ValueError, "Empty attribute in format string")
			}
		} else {
			stop := strings.IndexByte(rest, ']')
			if stop < 0 {
				return nil, value.Errorf(value.ValueError, "Missing ']' in format string")
			}
			k := rest[1:stop]
			end += stop + 1
			key = k
			if i, err := strconv.Atoi(k); err == nil && isDigits(k) {
				key = i
			}
			if end < len(name) && name[end] != '.' && name[end] != '[' {
				return nil, value.Errorf(value.ValueError, "Only '.' or '[' may follow ']' in format field specifier")
			}
		}
		v, err = f.part(v, key, rest[0] == '.')
	}
	return v, err
}

// part is an attribute or item of a field's value; neither stands in for the other, as it does in templates.
func (f *formatter) part(v, key any, attribute bool) (any, error) {
	if u, ok := v.(*Undefined); ok {
		return nil, u.Use()
	}
	if !attribute {
		r, found, err := f.rt.plainItem(v, key)
		if err == nil && !found {
			err = value.Errorf(value.KeyError, "%s", missingItem(v, key))
		}
		return r, err
	}
	name := key.(string)
	_, isDict := v.(*value.Dict)
	r, found, err := f.rt.attr(v, name)
	if isDict && found {
		_, found = r.(*boundMethod)
	}
	if err == nil && !found {
		err = value.Errorf(value.AttributeError, "%s", missingAttr(v, name))
	}
	return r, err
}

func (f *formatter) first(name string) (any, error) {
	i, err := strconv.Atoi(name)
	switch {
	case name == "":
		if f.manual {
			return nil, value.Errorf(value.ValueError, "cannot switch from manual field specification to automatic field numbering")
		}
		i = f.auto
		f.auto++
	case err == nil && isDigits(name):
		if f.auto > 0 {
			return nil, value.Errorf(value.ValueError, "cannot switch from automatic field numbering to manual field specification")
		}
		f.manual = true
	default:
		v, found := f.kw.Get(name)
		if !found {
			return nil, value.Errorf(value.KeyError, "%s", quote(name))
		}
		return v, nil
	}
	if i >= len(f.args) {
		return nil, value.Errorf(value.IndexError, "Replacement index %d out of range for positional args tuple", i)
	}
	return f.args[i], nil
}

// formatSpec is a parsed format spec.
type formatSpec struct {
	fill             rune
	align, sign      byte
	alt, zero        bool
	width, precision int
	group, verb      byte
}

func parseSpec(s string) (formatSpec, error) {
	f := formatSpec{fill: ' ', precision: -1}
	bad := value.Errorf(value.ValueError, "Invalid format specifier '%s'", s)
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case n < len(s) && strings.IndexByte("<>=^", s[n]) >= 0:
		f.fill, f.align, s = r, s[n], s[n+1:]
	case s != "" && strings.IndexByte("<>=^", s[0]) >= 0:
		f.align, s = s[0], s[1:]
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		f.sign, s = s[0], s[1:]
	}
	if strings.HasPrefix(s, "#") {
		f.alt, s = true, s[1:]
	}
	if strings.HasPrefix(s, "0") {
		f.zero, s = true, s[1:]
		if f.align == 0 {
			f.fill, f.align = '0', '='
		}
	}
	f.width, s = leadingInt(s)
	if s != "" && (s[0] == ',' || s[0] == '_') {
		f.group, s = s[0], s[1:]
	}
	if strings.HasPrefix(s, ".") {
		if len(s) < 2 || !isDecimal(s[1]) {
			return f, value.Errorf(value.ValueError, "Format specifier missing precision")
		}
		f.precision, s = leadingInt(s[1:])
	}
	if len(s) > 1 {
		return f, bad
	}
	if s != "" {
		f.verb = s[0]
	}
	return f, nil
}

func leadingInt(s string) (int, string) {
	n := 0
	for s != "" && isDecimal(s[0]) {
		n = min(n*10+int(s[0]-'0'), 1<<31)
		s = s[1:]
	}
	return n, s
}

// formatValue is Python's format(v, spec).
func (rt *runtime) formatValue(v any, spec string) (string, error) {
	if spec == "" {
		return rt.str(v)
	}
	f, err := parseSpec(spec)
	if err != nil {
		return "", err
	}
	if f.width > rt.maxOutput/4 || f.precision > 100000 {
		return "", rt.tooBig()
	}
	if s, ok := value.AsString(v); ok {
		return f.text(s)
	}
	if !value.IsNumber(v) {
		return "", value.Errorf(value.TypeError, "unsupported format string passed to %s.__format__", value.TypeName(v))
	}
	if b, ok := v.(bool); ok && f.verb == 0 {
		v = boolInt(b)
	}
	n, isInt := integer(v)
	switch {
	case isInt && strings.IndexByte("bcdoxXn\x00", f.verb) >= 0:
		return f.integer(toBig(n))
	case strings.IndexByte("eEfFgGn%\x00", f.verb) >= 0:
		x, err := toFloat(v)
		if err != nil {
			return "", err
		}
		return f.float(x)
	}
	return "", value.Errorf(value.ValueError, "Unknown format code '%c' for object of type '%s'", f.verb, value.TypeName(v))
}

func (f formatSpec) text(s string) (string, error) {
	switch {
	case f.verb != 0 && f.verb != 's':
		return "", value.Errorf(value.ValueError, "Unknown format code '%c' for object of type 'str'", f.verb)
	case f.sign != 0:
		return "", value.Errorf(value.ValueError, "Sign not allowed in string format specifier")
	case f.alt:
		return "", value.Errorf(value.ValueError, "Alternate form (#) not allowed in string format specifier")
	case f.group != 0:
		return "", value.Errorf(value.ValueError, "Cannot specify '%c' with 's'.", f.group)
	case f.align == '=' && !f.zero:
		return "", value.Errorf(value.ValueError, "'=' alignment not allowed in string format specifier")
	}
	if r := []rune(s); f.precision >= 0 && len(r) > f.precision {
		s = string(r[:f.precision])
	}
	if f.align == 0 || f.align == '=' {
		f.align = '<'
	}
	return f.pad("", s), nil
}

func (f formatSpec) integer(b *big.Int) (string, error) {
	if f.precision >= 0 {
		return "", value.Errorf(value.ValueError, "Precision not allowed in integer format specifier")
	}
	if f.verb == 'c' {
		if f.sign != 0 {
			return "", value.Errorf(value.ValueError, "Sign not allowed with integer format specifier 'c'")
		}
		if !b.IsInt64() || b.Int64() < 0 || b.Int64() > utf8.MaxRune {
			return "", value.Errorf(value.OverflowError, "%%c arg not in range(0x110000)")
		}
		if f.align == 0 {
			f.align = '<'
		}
		return f.pad("", string(rune(b.Int64()))), nil
	}
	digits := new(big.Int).Abs(b).Text(baseOf(f.verb))
	prefix := ""
	if f.alt {
		prefix = map[byte]string{'x': "0x", 'X': "0X", 'o': "0o", 'b': "0b"}[f.verb]
	}
	if f.verb == 'X' {
		digits = strings.ToUpper(digits)
	}
	size := 3
	if strings.IndexByte("boxX", f.verb) >= 0 && f.verb != 0 {
		size = 4
		if f.group == ',' {
			return "", value.Errorf(value.ValueError, "Cannot specify ',' with '%c'.", f.verb)
		}
	}
	return f.number(b.Sign() < 0, prefix, digits, "", size), nil
}

func (f formatSpec) float(x float64) (string, error) {
	verb, tail := f.verb, ""
	var negative bool
	var digits string
	switch verb {
	case 0:
		if f.precision < 0 {
			digits = value.FormatFloat(x)
			negative = strings.HasPrefix(digits, "-")
			digits = strings.TrimPrefix(digits, "-")
			break
		}
		negative, digits = formatFloat(x, 'g', f.precision, f.alt)
		if !strings.ContainsAny(digits, ".en") {
			if len(digits) >= max(f.precision, 1) {
				_, digits = formatFloat(x, 'e', max(f.precision, 1)-1, f.alt)
				mantissa, exponent, _ := strings.Cut(digits, "e")
				if strings.Contains(mantissa, ".") && !f.alt {
					mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
				}
				digits = mantissa + "e" + exponent
			} else {
				digits += ".0"
			}
		}
	case '%':
		negative, digits = formatFloat(x*100, 'f', f.precision, f.alt)
		tail = "%"
	case 'n':
		negative, digits = formatFloat(x, 'g', f.precision, f.alt)
	default:
		negative, digits = formatFloat(x, verb, f.precision, f.alt)
	}
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		digits, tail = digits[:end], digits[end:]+tail
	}
	return f.number(negative, "", digits, tail, 3), nil
}

// number puts sign, prefix, grouped digits and the rest together to the width.
func (f formatSpec) number(negative bool, prefix, digits, tail string, size int) string {
	sign := signOf(negative, spec{plus: f.sign == '+', space: f.sign == ' '})
	if f.align == 0 {
		f.align = '>'
	}
	if f.group != 0 && f.align == '=' && f.fill == '0' {
		for len(sign)+len(prefix)+len(groupDigits(digits, f.group, size))+len(tail) < f.width {
			digits = "0" + digits
		}
		if g := groupDigits(digits, f.group, size); g[0] == f.group {
			digits = "0" + digits
		}
	}
	if f.group != 0 && digits != "" {
		digits = groupDigits(digits, f.group, size)
	}
	return f.pad(sign+prefix, digits+tail)
}

func groupDigits(s string, sep byte, size int) string {
	var b []byte
	for i := range len(s) {
		if i > 0 && (len(s)-i)%size == 0 {
			b = append(b, sep)
		}
		b = append(b, s[i])
	}
	return string(b)
}

func (f formatSpec) pad(sign, s string) string {
	missing := max(0, f.width-utf8.RuneCountInString(sign)-utf8.RuneCountInString(s))
	fill := func(n int) string { return strings.Repeat(string(f.fill), n) }
	switch f.align {
	case '<':
		return sign + s + fill(missing)
	case '^':
		return fill(missing/2) + sign + s + fill(missing-missing/2)
	case '=':
		return sign + fill(missing) + s
	}
	return fill(missing) + sign + s
}
