package value

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"reflect"
	"strings"
)

// Truth is Python's bool(v).
func Truth(v any) (bool, error) {
	switch x := v.(type) {
	case nil:
		return false, nil
	case bool:
		return x, nil
	case int:
		return x != 0, nil
	case *big.Int:
		return x.Sign() != 0, nil
	case float64:
		return x != 0, nil
	case string:
		return x != "", nil
	case Markup:
		return x != "", nil
	case Bytes:
		return len(x) > 0, nil
	case *List:
		return len(x.Items) > 0, nil
	case *Dict:
		return x.Len() > 0, nil
	case Tuple:
		return len(x) > 0, nil
	case interface{ Truth() (bool, error) }:
		return x.Truth()
	}
	return true, nil
}

// Same is Python's a is b; equal small values (numbers, strings, None, booleans) count as the same.
func Same(a, b any) bool {
	if TypeName(a) != TypeName(b) {
		return false
	}
	switch x := a.(type) {
	case Tuple:
		y, ok := b.(Tuple)
		return ok && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	case Bytes:
		y, ok := b.(Bytes)
		return ok && bytes.Equal(x, y)
	case *big.Int:
		y, ok := b.(*big.Int)
		return ok && x.Cmp(y) == 0
	}
	return a == nil && b == nil || reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// Equal is Python's a == b.
func Equal(a, b any) (bool, error) { return equal(a, b, 0) }

// EqualAt is Equal from inside of a comparison depth containers deep, for kinds of value with an EqualAt method.
func EqualAt(a, b any, depth int) (bool, error) { return equal(a, b, depth) }

func equal(a, b any, depth int) (bool, error) {
	if depth > maxNesting {
		return false, Errorf(RecursionError, "maximum recursion depth exceeded in comparison")
	}
	if t, ok := a.(interface{ Tuple() Tuple }); ok {
		a = t.Tuple()
	}
	if t, ok := b.(interface{ Tuple() Tuple }); ok {
		b = t.Tuple()
	}
	if x, ok := a.(interface {
		EqualAt(other any, depth int) (bool, error)
	}); ok {
		return x.EqualAt(b, depth+1)
	}
	if x, ok := a.(interface{ Equal(any) (bool, error) }); ok {
		return x.Equal(b)
	}
	if y, ok := b.(interface{ Equal(any) (bool, error) }); ok {
		return y.Equal(a)
	}
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case string:
		y, ok := AsString(b)
		return ok && x == y, nil
	case Markup:
		y, ok := AsString(b)
		return ok && string(x) == y, nil
	case bool, int, *big.Int, float64:
		if !IsNumber(b) {
			return false, nil
		}
		c, ordered := compareNumbers(a, b)
		return ordered && c == 0, nil
	case Bytes:
		y, ok := b.(Bytes)
		return ok && bytes.Equal(x, y), nil
	case *List:
		y, ok := b.(*List)
		if !ok || x == y {
			return ok, nil
		}
		return equalItems(x.Items, y.Items, depth)
	case Tuple:
		y, ok := b.(Tuple)
		if !ok {
			return false, nil
		}
		return equalItems(x, y, depth)
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || x == y {
			return ok, nil
		}
		return equalDicts(x, y, depth)
	}
	return Same(a, b), nil
}

func equalItems(a, b []any, depth int) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if eq, err := equal(a[i], b[i], depth+1); err != nil || !eq {
			return false, err
		}
	}
	return true, nil
}

func equalDicts(a, b *Dict, depth int) (bool, error) {
	if a.Len() != b.Len() {
		return false, nil
	}
	for k, v := range a.All() {
		w, ok := b.Get(k)
		if !ok {
			return false, nil
		}
		if eq, err := equal(v, w, depth+1); err != nil || !eq {
			return false, err
		}
	}
	return true, nil
}

// IsNumber reports whether v is a bool, int, *big.Int or float64.
func IsNumber(v any) bool {
	switch v.(type) {
	case bool, int, *big.Int, float64:
		return true
	}
	return false
}

// compareNumbers compares exactly; ordered is false when a NaN is involved.
func compareNumbers(a, b any) (c int, ordered bool) {
	x, xf, xIsFloat := number(a)
	y, yf, yIsFloat := number(b)
	switch {
	case !xIsFloat && !yIsFloat:
		if i, ok := x.(int); ok {
			if j, ok := y.(int); ok {
				return cmp.Compare(i, j), true
			}
		}
		return bigOf(x).Cmp(bigOf(y)), true
	case xIsFloat && yIsFloat:
		return cmp.Compare(xf, yf), xf == xf && yf == yf
	case xIsFloat:
		c, ordered = compareIntFloat(y, xf)
		return -c, ordered
	}
	return compareIntFloat(x, yf)
}

func number(v any) (integer any, f float64, isFloat bool) {
	switch x := v.(type) {
	case bool:
		if x {
			return 1, 0, false
		}
		return 0, 0, false
	case float64:
		return nil, x, true
	}
	return v, 0, false
}

func bigOf(v any) *big.Int {
	if i, ok := v.(int); ok {
		return big.NewInt(int64(i))
	}
	return v.(*big.Int)
}

func compareIntFloat(x any, f float64) (int, bool) {
	switch {
	case f != f:
		return 0, false
	case math.IsInf(f, 1):
		return -1, true
	case math.IsInf(f, -1):
		return 1, true
	}
	if i, ok := x.(int); ok && i > -(1<<53) && i < 1<<53 {
		return cmp.Compare(float64(i), f), true
	}
	whole := new(big.Float).SetInt(bigOf(x))
	return whole.Cmp(big.NewFloat(f)), true
}

// Compare orders a and b (-1, 0, 1); what Python does not order is an Error of kind TypeError.
func Compare(a, b any) (int, error) {
	c, _, err := order("<", a, b, 0)
	return c, err
}

// Ordered is Python's a op b for the operators <, <=, > and >=.
func Ordered(op string, a, b any) (bool, error) {
	c, ordered, err := order(op, a, b, 0)
	if err != nil || !ordered {
		return false, err
	}
	switch op {
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	}
	return c >= 0, nil
}

func order(op string, a, b any, depth int) (c int, ordered bool, err error) {
	if depth > maxNesting {
		return 0, false, Errorf(RecursionError, "maximum recursion depth exceeded in comparison")
	}
	for _, v := range [2]any{a, b} {
		if u, ok := v.(interface{ Use() error }); ok {
			return 0, false, u.Use()
		}
	}
	if t, ok := a.(interface{ Tuple() Tuple }); ok {
		a = t.Tuple()
	}
	if t, ok := b.(interface{ Tuple() Tuple }); ok {
		b = t.Tuple()
	}
	if IsNumber(a) && IsNumber(b) {
		c, ordered = compareNumbers(a, b)
		return c, ordered, nil
	}
	if x, ok := AsString(a); ok {
		if y, ok := AsString(b); ok {
			return strings.Compare(x, y), true, nil
		}
	}
	switch x := a.(type) {
	case Bytes:
		if y, ok := b.(Bytes); ok {
			return bytes.Compare(x, y), true, nil
		}
	case *List:
		if y, ok := b.(*List); ok {
			return orderItems(op, x.Items, y.Items, depth)
		}
	case Tuple:
		if y, ok := b.(Tuple); ok {
			return orderItems(op, x, y, depth)
		}
	case interface{ Order(other any) (int, bool) }:
		if c, ok := x.Order(b); ok {
			return c, true, nil
		}
	}
	return 0, false, Errorf(TypeError, "'%s' not supported between instances of '%s' and '%s'", op, TypeName(a), TypeName(b))
}

func orderItems(op string, a, b []any, depth int) (int, bool, error) {
	for i := range min(len(a), len(b)) {
		eq, err := equal(a[i], b[i], depth+1)
		if err != nil {
			return 0, false, err
		}
		if !eq {
			return order(op, a[i], b[i], depth+1)
		}
	}
	return cmp.Compare(len(a), len(b)), true, nil
}
