package filters

import (
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// network is an address with a prefix, as Python's netaddr.IPNetwork: bits may be set behind the prefix.
type network struct {
	addr netip.Addr
	bits int
}

// parseNetwork reads an address, alone or with a prefix, netmask or hostmask; the parts of an IPv4 address that are left out at
// its end are 0.
func parseNetwork(s string) (network, bool) {
	text, prefix, hasPrefix := strings.Cut(s, "/")
	addr, ok := parseAddress(text)
	if !ok {
		return network{}, false
	}
	n := network{addr, addr.BitLen()}
	if !hasPrefix {
		return n, true
	}
	if bits, err := strconv.Atoi(prefix); err == nil {
		n.bits = bits
		return n, bits >= 0 && bits <= addr.BitLen()
	}
	mask, err := netip.ParseAddr(prefix)
	if err != nil || mask.BitLen() != addr.BitLen() {
		return network{}, false
	}
	m := bigInt(0)
	m.SetBytes(mask.AsSlice())
	for bits := range addr.BitLen() + 1 {
		n.bits = bits
		if m.Cmp(n.maskValue()) == 0 || m.Cmp(n.hostmaskValue()) == 0 {
			return n, true
		}
	}
	return network{}, false
}

func parseAddress(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr, true
	}
	parts := strings.Split(s, ".")
	if len(parts) > 4 || strings.Contains(s, ":") {
		return netip.Addr{}, false
	}
	for len(parts) < 4 {
		parts = append(parts, "0")
	}
	addr, err := netip.ParseAddr(strings.Join(parts, "."))
	return addr, err == nil
}

func bigInt(n int64) *big.Int { return big.NewInt(n) }

// addressOf gives the address of a number; of is an address of the same family. Ok is false when it is out of range.
func addressOf(n *big.Int, of netip.Addr) (netip.Addr, bool) {
	if n.Sign() < 0 || n.BitLen() > of.BitLen() {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(n.FillBytes(make([]byte, of.BitLen()/8)))
	return addr, ok
}

func (n network) version() int {
	if n.addr.Is4() {
		return 4
	}
	return 6
}

func (n network) value() *big.Int { return new(big.Int).SetBytes(n.addr.AsSlice()) }

// hostmaskValue has the bits behind the prefix set, maskValue the others.
func (n network) hostmaskValue() *big.Int {
	m := new(big.Int).Lsh(bigInt(1), uint(n.addr.BitLen()-n.bits))
	return m.Sub(m, bigInt(1))
}

func (n network) maskValue() *big.Int {
	all := new(big.Int).Lsh(bigInt(1), uint(n.addr.BitLen()))
	all.Sub(all, bigInt(1))
	return all.Xor(all, n.hostmaskValue())
}

func (n network) size() *big.Int { return new(big.Int).Lsh(bigInt(1), uint(n.addr.BitLen()-n.bits)) }

// larger compares the size with a small number.
func (n network) larger(than int64) bool { return n.size().Cmp(bigInt(than)) > 0 }

func (n network) first() *big.Int { return new(big.Int).And(n.value(), n.maskValue()) }
func (n network) last() *big.Int  { return new(big.Int).Or(n.value(), n.hostmaskValue()) }

// address gives the address of a number of n's family as text.
func (n network) address(v *big.Int) (string, error) {
	addr, ok := addressOf(v, n.addr)
	if !ok {
		return "", fmt.Errorf("%s is no IPv%d address", v, n.version())
	}
	return addressText(addr), nil
}

// addressText writes an address as Python's netaddr does.
func addressText(addr netip.Addr) string { return addr.String() }

func (n network) text() string { return addressText(n.addr) + "/" + strconv.Itoa(n.bits) }

// cidr is n without the bits behind the prefix.
func (n network) cidr() network {
	return network{netip.PrefixFrom(n.addr, n.bits).Masked().Addr(), n.bits}
}

func (n network) isFirst() bool { return n.value().Cmp(n.first()) == 0 }

// hasBroadcast is false for the IPv4 networks of one and two addresses.
func (n network) hasBroadcast() bool { return n.version() == 6 || n.bits <= 30 }

// usable gives the first and last address that a host may have; ok is false for a single address.
func (n network) usable() (first, last *big.Int, ok bool) {
	switch {
	case !n.larger(1):
		return nil, nil, false
	case !n.larger(2):
		return n.first(), n.last(), true
	}
	return n.first().Add(n.first(), bigInt(1)), n.last().Sub(n.last(), bigInt(1)), true
}

// within reports whether all of n is in other.
func (n network) within(other network) bool {
	return n.version() == other.version() && n.first().Cmp(other.first()) >= 0 && n.last().Cmp(other.last()) <= 0
}

func (n network) withinAny(list ...string) bool {
	for _, text := range list {
		if other, ok := parseNetwork(text); ok && n.within(other) {
			return true
		}
	}
	return false
}

func (n network) isMulticast() bool { return n.withinAny("224.0.0.0/4", "ff00::/8") }
func (n network) isLoopback() bool  { return n.withinAny("127.0.0.0/8", "::1") }

func (n network) isPrivate() bool {
	return n.withinAny("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "239.0.0.0/8",
		"fc00::/7", "fec0::/10", "169.254.0.0/16", "fe80::/10")
}

// isMask tells a netmask or hostmask by its value.
func isMask(n network) bool {
	v := n.value()
	inverse := network{n.addr, 0}.hostmaskValue()
	inverse.Xor(inverse, v)
	power := func(x *big.Int) bool {
		next := new(big.Int).Add(x, bigInt(1))
		return new(big.Int).And(next, x).Sign() == 0
	}
	return power(v) || power(inverse)
}

// reverse is the name for reverse DNS.
func (n network) reverse() string {
	var out strings.Builder
	raw := n.addr.AsSlice()
	for _, b := range slices.Backward(raw) {
		if n.version() == 4 {
			fmt.Fprintf(&out, "%d.", b)
		} else {
			fmt.Fprintf(&out, "%x.%x.", b&15, b>>4)
		}
	}
	if n.version() == 4 {
		return out.String() + "in-addr.arpa."
	}
	return out.String() + "ip6.arpa."
}
