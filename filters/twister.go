package filters

import (
	"crypto/sha512"
	"math/big"
	"math/bits"

	"github.com/hostlerhq/hostler/jinja/value"
)

// twister is Python's random.Random: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), so that
// seeded results are the same as Ansible's.
type twister struct {
	state [twisterSize]uint32
	at    int
}

const (
	twisterSize  = 624
	twisterShift = 397
)

// newTwister seeds one as random.Random(seed) does: with an integer, a boolean, text or bytes.
func newTwister(seed any) (*twister, error) {
	switch s := seed.(type) {
	case bool:
		if s {
			return seededWith(big.NewInt(1)), nil
		}
		return seededWith(new(big.Int)), nil
	case int:
		return seededWith(big.NewInt(int64(s))), nil
	case *big.Int:
		return seededWith(s), nil
	case float64:
		return seededWith(floatHash(s)), nil
	case string:
		return seededWithText([]byte(s)), nil
	case value.Markup:
		return seededWithText([]byte(s)), nil
	case value.Bytes:
		return seededWithText(s), nil
	}
	return nil, value.Errorf(value.TypeError, "The only supported seed types are: None, int, float, str, bytes, and bytearray.")
}

func seededWithText(text []byte) *twister {
	sum := sha512.Sum512(text)
	return seededWith(new(big.Int).SetBytes(append(append([]byte(nil), text...), sum[:]...)))
}

// floatHash is Python's hash() of a float: its value modulo 2**61-1.
func floatHash(f float64) *big.Int {
	r, ok := new(big.Rat).SetString(new(big.Float).SetFloat64(f).Text('g', -1))
	if exact := new(big.Rat).SetFloat64(f); exact != nil {
		r, ok = exact, true
	}
	if !ok {
		return new(big.Int)
	}
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 61), big.NewInt(1))
	h := new(big.Int).ModInverse(r.Denom(), p)
	h.Mul(h, new(big.Int).Abs(r.Num())).Mod(h, p)
	return h
}

func seededWith(n *big.Int) *twister {
	var key []uint32
	mask := big.NewInt(0xffffffff)
	for rest := new(big.Int).Abs(n); rest.Sign() > 0; rest.Rsh(rest, 32) {
		key = append(key, uint32(new(big.Int).And(rest, mask).Uint64()))
	}
	if len(key) == 0 {
		key = []uint32{0}
	}
	t := &twister{at: twisterSize}
	t.fill(19650218)
	t.mix(key)
	return t
}

func (t *twister) fill(seed uint32) {
	t.state[0] = seed
	for i := 1; i < twisterSize; i++ {
		t.state[i] = 1812433253*(t.state[i-1]^t.state[i-1]>>30) + uint32(i)
	}
}

func (t *twister) mix(key []uint32) {
	i, j := 1, 0
	next := func() {
		if i++; i >= twisterSize {
			t.state[0], i = t.state[twisterSize-1], 1
		}
	}
	for range max(twisterSize, len(key)) {
		t.state[i] = t.state[i] ^ (t.state[i-1]^t.state[i-1]>>30)*1664525 + key[j] + uint32(j)
		next()
		if j++; j >= len(key) {
			j = 0
		}
	}
	for range twisterSize - 1 {
		t.state[i] = t.state[i] ^ (t.state[i-1]^t.state[i-1]>>30)*1566083941 - uint32(i)
		next()
	}
	t.state[0] = 0x80000000
}

// word gives the next 32 bits.
func (t *twister) word() uint32 {
	if t.at >= twisterSize {
		for i := range t.state {
			y := t.state[i]&0x80000000 | t.state[(i+1)%twisterSize]&0x7fffffff
			w := t.state[(i+twisterShift)%twisterSize] ^ y>>1
			if y&1 != 0 {
				w ^= 0x9908b0df
			}
			t.state[i] = w
		}
		t.at = 0
	}
	y := t.state[t.at]
	t.at++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// bits gives n random bits, n up to 64.
func (t *twister) bits(n int) uint64 {
	if n <= 32 {
		return uint64(t.word() >> (32 - n))
	}
	low := uint64(t.word())
	return uint64(t.word()>>(64-n))<<32 | low
}

// below gives a number in [0, n), as Random._randbelow.
func (t *twister) below(n int) int {
	if n <= 0 {
		return 0
	}
	k := bits.Len64(uint64(n))
	r := t.bits(k)
	for r >= uint64(n) {
		r = t.bits(k)
	}
	return int(r)
}
