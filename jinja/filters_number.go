package jinja

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"

	"github.com/hostlerhq/hostler/jinja/value"
)

func (e *Env) addNumberFilters() {
	e.AddFilter("int", "default=0, base=10", filterInt)
	e.AddFilter("float", "default=0.0", filterFloat)
	e.AddFilter("abs", "", filterAbs)
	e.AddFilter("round", "precision=0, method='common'", filterRound)
	e.AddFilter("filesizeformat", "binary=False", filterFilesizeformat)
}

// parseInt is Python's int(text, base).
func parseInt(s string, base int) (any, error) {
	bad := value.Errorf(value.ValueError, "invalid literal for int() with base %d: %s", base, quote(s))
	t := asciiDigits(strings.TrimFunc(s, isSpace))
	sign := ""
	if t != "" && (t[0] == '-' || t[0] == '+') {
		sign, t = t[:1], t[1:]
	}
	if base != 0 && (base < 2 || base > 36) {
		return nil, value.Errorf(value.ValueError, "int() base must be >= 2 and <= 36, or 0")
	}
	prefixed := false
	if len(t) > 2 && t[0] == '0' {
		want := map[byte]int{'x': 16, 'o': 8, 'b': 2}[t[1]|32]
		if want != 0 && (base == want || base == 0) {
			base, t, prefixed = want, strings.TrimPrefix(t[2:], "_"), true
		}
	}
	if base == 0 {
		base = 10
		if !prefixed && len(t) > 1 && t[0] == '0' && strings.Trim(t, "0_") != "" {
			return nil, bad
		}
	}
	if t == "" || t[0] == '_' || t[0] == '-' || t[0] == '+' || strings.HasSuffix(t, "_") || strings.Contains(t, "__") {
		return nil, bad
	}
	t = strings.ReplaceAll(t, "_", "")
	if i, err := strconv.ParseInt(sign+t, base, 64); err == nil {
		return int(i), nil
	}
	if len(t) > 4300 {
		return nil, value.Errorf(value.ValueError, "Exceeds the limit (4300) for integer string conversion")
	}
	b, ok := new(big.Int).SetString(sign+t, base)
	if !ok {
		return nil, bad
	}
	return value.NormalInt(b), nil
}

// asciiDigits replaces the decimal digits of other scripts by ours.
func asciiDigits(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r > 0x7f && unicode.Is(unicode.Nd, r) {
			zero := r
			for zero > 0 && unicode.Is(unicode.Nd, zero-1) && r-zero < 9 {
				zero--
			}
			return '0' + r - zero
		}
		return r
	}, s)
}

// parseFloat is Python's float(text).
func parseFloat(s string) (float64, error) {
	bad := value.Errorf(value.ValueError, "could not convert string to float: %s", quote(s))
	t := strings.ToLower(asciiDigits(strings.TrimFunc(s, isSpace)))
	switch strings.TrimLeft(t, "+-") {
	case "inf", "infinity", "nan":
	default:
		for i := range len(t) {
			if !isDecimal(t[i]) && strings.IndexByte("+-.e_", t[i]) < 0 {
				return 0, bad
			}
			if t[i] == '_' && (i == 0 || i+1 == len(t) || !isDecimal(t[i-1]) || !isDecimal(t[i+1])) {
				return 0, bad
			}
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(t, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, bad
	}
	return f, nil
}

// truncate is Python's int(float).
func truncate(f float64) (any, error) {
	switch {
	case f != f:
		return nil, value.Errorf(value.ValueError, "cannot convert float NaN to integer")
	case math.IsInf(f, 0):
		return nil, value.Errorf(value.OverflowError, "cannot convert float infinity to integer")
	case math.Abs(f) < 1<<62:
		return int(f), nil
	}
	b, _ := big.NewFloat(f).Int(nil)
	return value.NormalInt(b), nil
}

// isOverflow reports an error that the filters int and float do not forgive.
func isOverflow(err error) bool {
	e, ok := errors.AsType[*value.Error](err)
	return ok && e.Kind == value.OverflowError
}

func filterInt(c *Call) (any, error) {
	if s, ok := value.AsString(c.Value); ok {
		base, err := c.intArg(1)
		if err != nil {
			return nil, err
		}
		if n, err := parseInt(s, base); err == nil {
			return n, nil
		}
		f, err := parseFloat(s)
		if err != nil {
			return c.Args[0], nil
		}
		return c.orDefault(truncate(f))
	}
	if n, ok := integer(c.Value); ok {
		return n, nil
	}
	if f, ok := c.Value.(float64); ok {
		return c.orDefault(truncate(f))
	}
	if u, ok := c.Value.(*Undefined); ok {
		return nil, u.Use() // also where it may be printed
	}
	return c.Args[0], nil
}

// orDefault gives the filter's default for a value that Python would not convert.
func (c *Call) orDefault(v any, err error) (any, error) {
	switch {
	case err == nil:
		return v, nil
	case isOverflow(err):
		return nil, err
	}
	return c.Args[0], nil
}

func filterFloat(c *Call) (any, error) {
	if u, ok := c.Value.(*Undefined); ok {
		return nil, u.Use() // also where it may be printed
	}
	if s, ok := value.AsString(c.Value); ok {
		return c.orDefault(orNil(parseFloat(s)))
	}
	return c.orDefault(orNil(toFloat(c.Value)))
}

func filterAbs(c *Call) (any, error) {
	switch x := c.Value.(type) {
	case float64:
		return math.Abs(x), nil
	default:
		if n, ok := integer(x); ok {
			return value.NormalInt(new(big.Int).Abs(toBig(n))), nil
		}
	}
	return nil, value.Errorf(value.TypeError, "bad operand type for abs(): '%s'", value.TypeName(c.Value))
}

func filterRound(c *Call) (any, error) {
	precision, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	method, _ := value.AsString(c.Args[1])
	switch method {
	case "common":
		return roundNumber(c.Value, precision)
	case "ceil", "floor":
	default:
		return nil, value.Errorf(value.ValueError, "method must be common, ceil or floor")
	}
	scale, err := c.rt.binary(tPow, 10, precision)
	if err != nil {
		return nil, err
	}
	v, err := c.rt.binary(tMul, c.Value, scale)
	if err != nil {
		return nil, err
	}
	if f, ok := v.(float64); ok {
		if method == "ceil" {
			f = math.Ceil(f)
		} else {
			f = math.Floor(f)
		}
		if v, err = truncate(f); err != nil {
			return nil, err
		}
	}
	if !value.IsNumber(v) {
		return nil, value.Errorf(value.TypeError, "must be real number, not %s", value.TypeName(c.Value))
	}
	return c.rt.binary(tDiv, v, scale)
}

// roundNumber is Python's round(v, digits): half to even.
func roundNumber(v any, digits int) (any, error) {
	if n, ok := integer(v); ok {
		return roundInt(n, digits), nil
	}
	f, ok := v.(float64)
	if !ok {
		return nil, value.Errorf(value.TypeError, "type %s doesn't define __round__ method", value.TypeName(v))
	}
	if math.IsInf(f, 0) || f != f || digits > 330 {
		return f, nil
	}
	if digits < -330 {
		return math.Copysign(0, f), nil
	}
	if digits >= 0 {
		r, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
		return r, err
	}
	exact, _ := new(big.Float).SetFloat64(f).Int(nil)
	whole := new(big.Rat).SetFloat64(f)
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	q := new(big.Rat).Quo(whole, new(big.Rat).SetInt(ten))
	r, _ := new(big.Float).SetInt(new(big.Int).Mul(halfEven(q), ten)).Float64()
	if exact.Sign() == 0 || r == 0 {
		return math.Copysign(r, f), nil
	}
	return r, nil
}

func roundInt(n any, digits int) any {
	if digits >= 0 {
		return n
	}
	if digits < -400 {
		return 0
	}
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	q := halfEven(new(big.Rat).SetFrac(toBig(n), ten))
	return value.NormalInt(q.Mul(q, ten))
}

func halfEven(q *big.Rat) *big.Int {
	two := big.NewInt(2)
	floor, rest := new(big.Int), new(big.Int)
	floor.DivMod(q.Num(), q.Denom(), rest)
	switch rest.Mul(rest, two).Cmp(q.Denom()) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		if floor.Bit(0) == 1 {
			floor.Add(floor, big.NewInt(1))
		}
	}
	return floor
}

func filterFilesizeformat(c *Call) (any, error) {
	var f float64
	var err error
	if s, ok := value.AsString(c.Value); ok {
		f, err = parseFloat(s)
	} else {
		f, err = toFloat(c.Value)
	}
	if err != nil {
		return nil, err
	}
	binary, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	base, prefixes := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if binary {
		base, prefixes = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	switch {
	case f == 1:
		return "1 Byte", nil
	case f < base:
		n, err := truncate(f)
		if err != nil {
			return nil, err
		}
		s, err := value.Str(n)
		return s + " Bytes", err
	}
	unit := base
	for i, p := range prefixes {
		unit *= base
		if f < unit || i == len(prefixes)-1 {
			return strconv.FormatFloat(base*f/unit, 'f', 1, 64) + " " + p, nil
		}
	}
	return nil, nil
}
