package jinja

import (
	"math"
	"math/big"
)

// powerBits is the precision that powers are computed with before they are rounded.
const powerBits = 192

// Pow is x to the power of y, correctly rounded as C libraries have it and Go's math.Pow has not. What is special
// (zero, infinite, huge) is math.Pow's.
func Pow(x, y float64) float64 {
	rough := math.Pow(x, y)
	if x == 0 || rough == 0 || rough != rough || math.IsInf(rough, 0) || math.IsInf(x, 0) || math.Abs(y) > 1<<20 {
		return rough
	}
	whole, part := math.Modf(math.Abs(y))
	base := new(big.Float).SetPrec(powerBits).SetFloat64(math.Abs(x))
	r := new(big.Float).SetPrec(powerBits).SetInt64(1)
	square := new(big.Float).Copy(base)
	for n := int(whole); n > 0; n >>= 1 {
		if n&1 == 1 {
			r.Mul(r, square)
		}
		square.Mul(square, square)
	}
	for root := base; part > 0; {
		root = new(big.Float).SetPrec(powerBits).Sqrt(root)
		if part *= 2; part >= 1 {
			r.Mul(r, root)
			part--
		}
	}
	if y < 0 {
		r.Quo(new(big.Float).SetPrec(powerBits).SetInt64(1), r)
	}
	f, _ := r.Float64()
	if x < 0 && math.Mod(whole, 2) != 0 {
		f = -f
	}
	return f
}
