package jinja

import (
	"math"
	"math/big"
	"math/bits"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// maxBits bounds integers: Python has no bound, but no playbook needs more.
const maxBits = 1 << 20

func unary(op kind, v any) (any, error) {
	switch x := v.(type) {
	case bool, int, *big.Int:
		n, _ := integer(v)
		if op == tAdd {
			return value.NormalInt(toBig(n)), nil
		}
		if i, ok := n.(int); ok && i != math.MinInt {
			return -i, nil
		}
		return value.NormalInt(new(big.Int).Neg(toBig(n))), nil
	case float64:
		if op == tSub {
			return -x, nil
		}
		return x, nil
	case *Undefined:
		return nil, x.Use()
	}
	return nil, value.Errorf(value.TypeError, "bad operand type for unary %s: '%s'", words[op], value.TypeName(v))
}

// integer gives an int or *big.Int for what Python counts as one.
func integer(v any) (any, bool) {
	switch x := v.(type) {
	case int, *big.Int:
		return v, true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	}
	return nil, false
}

func toBig(v any) *big.Int {
	if i, ok := v.(int); ok {
		return big.NewInt(int64(i))
	}
	return v.(*big.Int)
}

// toFloat gives a number as a float.
func toFloat(v any) (float64, error) {
	switch x := v.(type) {
	case float64:
		return x, nil
	case int:
		return float64(x), nil
	case bool:
		if x {
			return 1, nil
		}
		return 0, nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		if math.IsInf(f, 0) {
			return 0, value.Errorf(value.OverflowError, "int too large to convert to float")
		}
		return f, nil
	}
	return 0, value.Errorf(value.TypeError, "must be real number, not %s", value.TypeName(v))
}

func (rt *runtime) binary(op kind, a, b any) (any, error) {
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			if r, ok := smallInts(op, x, y); ok {
				return r, nil
			}
		}
	}
	if s, ok := value.AsString(a); ok && op == tMod && strings.IndexByte(s, '%') < 0 {
		if _, ok := b.(*Undefined); ok {
			return s, nil // nothing asks for the value
		}
	}
	for _, v := range [2]*any{&a, &b} {
		switch x := (*v).(type) {
		case *Undefined:
			return nil, x.Use()
		case *groupTuple:
			*v = x.Tuple()
		}
	}
	if op == tMod {
		if s, ok := value.AsString(a); ok {
			_, isMarkup := a.(Markup)
			r, err := rt.percent(s, b, isMarkup)
			return like(a, r), err
		}
	}
	if value.IsNumber(a) && value.IsNumber(b) {
		return numbers(op, a, b)
	}
	switch op {
	case tAdd:
		if r, ok, err := rt.join(a, b); ok {
			return r, err
		}
	case tMul:
		if n, ok := integer(b); ok {
			if r, ok, err := rt.repeat(a, n); ok {
				return r, err
			}
		}
		if n, ok := integer(a); ok {
			if r, ok, err := rt.repeat(b, n); ok {
				return r, err
			}
		}
	}
	name := words[op]
	if r, ok, err := foreign(name, a, b); ok || err != nil {
		return r, err
	}
	if op == tPow {
		name = "** or pow()"
	}
	return nil, value.Errorf(value.TypeError, "unsupported operand type(s) for %s: '%s' and '%s'", name, value.TypeName(a), value.TypeName(b))
}

// smallInts is the quick way for integers that do not overflow.
func smallInts(op kind, x, y int) (any, bool) {
	switch op {
	case tAdd:
		r := x + y
		return r, (r > x) == (y > 0)
	case tSub:
		r := x - y
		return r, (r < x) == (y > 0)
	case tMul:
		hi, lo := bits.Mul64(uint64(max(x, -x)), uint64(max(y, -y)))
		return x * y, hi == 0 && lo < 1<<62
	case tFloorDiv, tMod:
		if y == 0 || x == math.MinInt {
			return nil, false
		}
		q, r := x/y, x%y
		if r != 0 && (r < 0) != (y < 0) {
			q, r = q-1, r+y
		}
		if op == tMod {
			return r, true
		}
		return q, true
	}
	return nil, false
}

func numbers(op kind, a, b any) (any, error) {
	x, xInt := integer(a)
	y, yInt := integer(b)
	if xInt && yInt && op != tDiv {
		return bigInts(op, toBig(x), toBig(y))
	}
	f, err := toFloat(a)
	if err != nil {
		return nil, err
	}
	g, err := toFloat(b)
	if err != nil {
		return nil, err
	}
	if xInt && yInt {
		return divideInts(toBig(x), toBig(y))
	}
	return floats(op, f, g)
}

func divideInts(x, y *big.Int) (any, error) {
	if y.Sign() == 0 {
		return nil, value.Errorf(value.ZeroDivisionError, "division by zero")
	}
	f, _ := new(big.Rat).SetFrac(x, y).Float64()
	if f == 0 && x.Sign() == 0 && y.Sign() < 0 {
		f = math.Copysign(0, -1)
	}
	return f, nil
}

func bigInts(op kind, x, y *big.Int) (any, error) {
	r := new(big.Int)
	switch op {
	case tAdd:
		r.Add(x, y)
	case tSub:
		r.Sub(x, y)
	case tMul:
		if x.BitLen()+y.BitLen() > maxBits {
			return nil, value.Errorf(value.LimitError, "the integer grows past %d bits", maxBits)
		}
		r.Mul(x, y)
	case tFloorDiv, tMod:
		if y.Sign() == 0 {
			if op == tMod {
				return nil, value.Errorf(value.ZeroDivisionError, "integer modulo by zero")
			}
			return nil, value.Errorf(value.ZeroDivisionError, "integer division or modulo by zero")
		}
		m := new(big.Int)
		r.QuoRem(x, y, m)
		if m.Sign() != 0 && (m.Sign() < 0) != (y.Sign() < 0) {
			r.Sub(r, big.NewInt(1))
			m.Add(m, y)
		}
		if op == tMod {
			r = m
		}
	case tPow:
		return power(x, y)
	}
	return value.NormalInt(r), nil
}

func power(x, y *big.Int) (any, error) {
	if y.Sign() < 0 {
		if x.Sign() == 0 {
			return nil, value.Errorf(value.ZeroDivisionError, "0.0 cannot be raised to a negative power")
		}
		f, err := toFloat(x)
		if err != nil {
			return nil, err
		}
		g, err := toFloat(y)
		if err != nil {
			return nil, err
		}
		return Pow(f, g), nil
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > int64(maxBits/(x.BitLen()-1))) {
		return nil, value.Errorf(value.LimitError, "the integer grows past %d bits", maxBits)
	}
	if x.BitLen() <= 1 && !y.IsInt64() {
		y = new(big.Int).And(y, big.NewInt(1)) // 0, 1 and -1: only parity matters
		if y.Sign() == 0 && x.Sign() == 0 {
			return 0, nil
		}
	}
	return value.NormalInt(new(big.Int).Exp(x, y, nil)), nil
}

func floats(op kind, x, y float64) (any, error) {
	switch op {
	case tAdd:
		return x + y, nil
	case tSub:
		return x - y, nil
	case tMul:
		return x * y, nil
	case tDiv:
		if y == 0 {
			return nil, value.Errorf(value.ZeroDivisionError, "float division by zero")
		}
		return x / y, nil
	case tFloorDiv:
		if y == 0 {
			return nil, value.Errorf(value.ZeroDivisionError, "float floor division by zero")
		}
		q, _ := divmod(x, y)
		return q, nil
	case tMod:
		if y == 0 {
			return nil, value.Errorf(value.ZeroDivisionError, "float modulo")
		}
		_, m := divmod(x, y)
		return m, nil
	}
	return floatPower(x, y)
}

func floatPower(x, y float64) (any, error) {
	if x == 0 && y < 0 {
		return nil, value.Errorf(value.ZeroDivisionError, "0.0 cannot be raised to a negative power")
	}
	if x < 0 && y != math.Trunc(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, value.Errorf(value.ValueError, "a negative number to a fractional power is a complex number, which templates do not have")
	}
	r := Pow(x, y)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, value.Errorf(value.OverflowError, "(34, 'Numerical result out of range')")
	}
	return r, nil
}

// divmod is Python's: the remainder has the sign of the divisor.
func divmod(x, y float64) (q, m float64) {
	m = math.Mod(x, y)
	q = (x - m) / y
	if m != 0 {
		if (y < 0) != (m < 0) {
			m += y
			q--
		}
	} else {
		m = math.Copysign(0, y)
	}
	if q != 0 {
		f := math.Floor(q)
		if q-f > 0.5 {
			f++
		}
		return f, m
	}
	return math.Copysign(0, x/y), m
}

// join is a + b for sequences; ok is false when they are not both of one kind.
func (rt *runtime) join(a, b any) (r any, ok bool, err error) {
	switch x := a.(type) {
	case string:
		switch y := b.(type) {
		case string:
			if len(x)+len(y) > rt.maxOutput {
				return nil, true, rt.tooBig()
			}
			return x + y, true, nil
		case Markup:
			return escapeText(x) + y, true, nil
		}
	case Markup:
		if y, ok := value.AsString(b); ok {
			if m, isMarkup := b.(Markup); isMarkup {
				return x + m, true, nil
			}
			return x + escapeText(y), true, nil
		}
	case *value.List:
		if y, ok := b.(*value.List); ok {
			if err := rt.tooMany(len(x.Items) + len(y.Items)); err != nil {
				return nil, true, err
			}
			return &value.List{Items: joinItems(x.Items, y.Items)}, true, nil
		}
		return nil, true, value.Errorf(value.TypeError, "can only concatenate list (not \"%s\") to list", value.TypeName(b))
	case value.Tuple:
		if y, ok := b.(value.Tuple); ok {
			if err := rt.tooMany(len(x) + len(y)); err != nil {
				return nil, true, err
			}
			return value.Tuple(joinItems(x, y)), true, nil
		}
	case value.Bytes:
		if y, ok := b.(value.Bytes); ok {
			return append(append(value.Bytes{}, x...), y...), true, nil
		}
	}
	if _, ok := value.AsString(a); ok {
		return nil, true, value.Errorf(value.TypeError, "can only concatenate str (not \"%s\") to str", value.TypeName(b))
	}
	return nil, false, nil
}

func joinItems(a, b []any) []any {
	out := make([]any, 0, len(a)+len(b))
	return append(append(out, a...), b...)
}

// maxItems bounds lists made by + and *.
const maxItems = 1_000_000

func (rt *runtime) tooMany(n int) error {
	if n > maxItems {
		return value.Errorf(value.LimitError, "the list grows past %d items", maxItems)
	}
	return nil
}

// repeat is v * n for sequences.
func (rt *runtime) repeat(v, n any) (r any, ok bool, err error) {
	count, isInt := n.(int)
	if !isInt {
		switch v.(type) {
		case string, Markup, value.Bytes, *value.List, value.Tuple:
			return nil, true, value.Errorf(value.OverflowError, "cannot fit 'int' into an index-sized integer")
		}
	}
	count = max(count, 0)
	// No product of two ints below 2^31 overflows; what is larger fails the limit anyway.
	count = min(count, math.MaxInt32)
	var size int
	switch x := v.(type) {
	case string:
		size = len(x)
	case Markup:
		size = len(x)
	case value.Bytes:
		size = len(x)
	case *value.List:
		if err := rt.tooMany(len(x.Items) * count); err != nil {
			return nil, true, err
		}
		return &value.List{Items: repeatItems(x.Items, count)}, true, nil
	case value.Tuple:
		if err := rt.tooMany(len(x) * count); err != nil {
			return nil, true, err
		}
		return value.Tuple(repeatItems(x, count)), true, nil
	default:
		return nil, false, nil
	}
	if size*count > rt.maxOutput {
		return nil, true, value.Errorf(value.LimitError, "the text would have %d bytes, more than %d", size*count, rt.maxOutput)
	}
	switch x := v.(type) {
	case string:
		return strings.Repeat(x, count), true, nil
	case Markup:
		return Markup(strings.Repeat(string(x), count)), true, nil
	}
	return value.Bytes(strings.Repeat(string(v.(value.Bytes)), count)), true, nil
}

func repeatItems(items []any, n int) []any {
	out := make([]any, 0, len(items)*n)
	for range n {
		out = append(out, items...)
	}
	return out
}

// foreign lets values of other packages do an operation.
func foreign(op string, a, b any) (any, bool, error) {
	type operand interface {
		Binary(op string, other any, swapped bool) (v any, ok bool, err error)
	}
	if x, is := a.(operand); is {
		if r, ok, err := x.Binary(op, b, false); ok || err != nil {
			return r, ok, err
		}
	}
	if x, is := b.(operand); is {
		return x.Binary(op, a, true)
	}
	return nil, false, nil
}
