package value

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// composite is the hash key of what Go cannot compare: tuples, bytes and big integers.
type composite string

// HashKey maps keys that Python holds equal (1, 1.0 and True; tuples of equal items) to one
// comparable Go value.
func HashKey(key any) any { return hashKey(key) }

// hashKey maps keys that Python holds equal to one comparable Go value.
func hashKey(key any) any {
	switch k := key.(type) {
	case string:
		return k
	case Markup:
		return string(k)
	case bool:
		if k {
			return 1
		}
		return 0
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<62 {
			return int(k)
		}
		if k == math.Trunc(k) && !math.IsInf(k, 0) {
			b, _ := big.NewFloat(k).Int(nil)
			return composite("n" + b.String())
		}
		return k
	case *big.Int:
		if k.IsInt64() {
			return int(k.Int64())
		}
		return composite("n" + k.String())
	case Bytes:
		return composite("b" + string(k))
	case Tuple:
		var b strings.Builder
		writeTupleKey(&b, k)
		return composite(b.String())
	}
	return key
}

func writeTupleKey(b *strings.Builder, t Tuple) {
	b.WriteString("t" + strconv.Itoa(len(t)) + "(")
	for _, item := range t {
		switch h := hashKey(item).(type) {
		case string:
			b.WriteString("s" + strconv.Itoa(len(h)) + ":" + h)
		case int:
			b.WriteString("i" + strconv.Itoa(h))
		case float64:
			b.WriteString("f" + strconv.FormatFloat(h, 'g', -1, 64))
		case composite:
			b.WriteString("c" + strconv.Itoa(len(h)) + ":" + string(h))
		case nil:
			b.WriteString("N")
		}
		b.WriteByte(',')
	}
	b.WriteByte(')')
}

// Hashable is nil when Python can use v as a key of a dict.
func Hashable(v any) error {
	switch x := v.(type) {
	case *List, *Dict:
		return Errorf(TypeError, "unhashable type: '%s'", TypeName(v))
	case Tuple:
		for _, item := range x {
			if err := Hashable(item); err != nil {
				return err
			}
		}
	case interface{ Hashable() error }:
		return x.Hashable()
	}
	return nil
}

// Set is a set of values under Python's equality.
type Set struct{ d Dict }

// Add adds v and reports whether it was new; v must be Hashable.
func (s *Set) Add(v any) bool {
	n := s.d.Len()
	s.d.Set(v, nil)
	return s.d.Len() > n
}

// Has reports whether v is in the set.
func (s *Set) Has(v any) bool {
	_, ok := s.d.Get(v)
	return ok
}
