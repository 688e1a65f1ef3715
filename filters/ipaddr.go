package filters

import (
	"math/big"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// subject is what an ipaddr filter was asked about.
type subject struct {
	network
	asNetwork bool   // it was written with a prefix
	text      string // as it was written
}

func ipFilter(alias string, version int) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		query, err := queryText(c.Args[0])
		if err != nil {
			return nil, err
		}
		return ipaddr(c.Value, query, version, alias)
	}
}

func queryText(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	return value.Str(v)
}

// ipaddr answers a query about an address, a network or a list of them; what is none gives False.
func ipaddr(v any, query string, version int, alias string) (any, error) {
	if list, ok := sequence(v); ok {
		out := value.NewList()
		for _, item := range list {
			r, err := ipaddr(item, query, version, alias)
			if err != nil {
				return nil, err
			}
			if truth, err := value.Truth(r); err == nil && truth {
				out.Append(r)
			}
		}
		return out, nil
	}
	s, ok := ipSubject(v, version)
	if !ok {
		return false, nil
	}
	answer, known := ipQueries()[query]
	if !known && !isDigits(query) {
		if inside, isNetwork := parseNetwork(query); isNetwork {
			answer, known = func(s subject) (any, error) { return onlyIf(s, s.within(inside)) }, true
			if !s.within(inside) {
				answer = func(subject) (any, error) { return nil, nil }
			}
		}
	}
	if version != 0 && s.version() != version {
		return false, nil
	}
	if known {
		return answer(s)
	}
	if _, err := strconv.ParseFloat(query, 64); err != nil {
		return nil, value.Errorf(value.ValueError, "%s: unknown filter type: %s", alias, query)
	}
	return s.indexed(query)
}

// ipSubject reads what a value says; ok is false when that is no address and no network.
func ipSubject(v any, version int) (subject, bool) {
	switch v.(type) {
	case nil, bool:
		return subject{}, false
	}
	text, err := value.Str(v)
	if err != nil || text == "" {
		return subject{}, false
	}
	if isDigits(text) {
		n, _ := new(big.Int).SetString(text, 10)
		for _, zero := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
			if version == 6 && zero.Is4() {
				continue
			}
			if addr, ok := addressOf(n, zero); ok {
				s := network{addr, addr.BitLen()}
				return subject{s, false, s.text()}, true
			}
		}
		return subject{}, false
	}
	address, prefix, hasPrefix := strings.Cut(text, "/")
	if hasPrefix && isDigits(address) && isDigits(prefix) && len(address) > 3 {
		s, ok := ipSubject(address, version)
		bits, err := strconv.Atoi(prefix)
		if !ok || err != nil || bits > s.addr.BitLen() {
			return subject{}, false
		}
		n := network{s.addr, bits}
		return subject{n, true, n.text()}, true
	}
	n, ok := parseNetwork(text)
	return subject{n, hasPrefix, text}, ok
}

// indexed gives an address of a network by its place, from the end when negative.
func (s subject) indexed(query string) (any, error) {
	if !s.larger(1) {
		if s.asNetwork {
			return s.network.text(), nil
		}
		return addressText(s.addr), nil
	}
	i, ok := new(big.Int).SetString(query, 10)
	if !ok {
		return false, nil
	}
	at, ok := s.at(i)
	if !ok {
		return false, nil
	}
	return at + "/" + strconv.Itoa(s.bits), nil
}

// at gives an address by its place in the network.
func (n network) at(i *big.Int) (string, bool) {
	size := n.size()
	if i.Sign() < 0 {
		i = new(big.Int).Add(i, size)
	}
	if i.Sign() < 0 || i.Cmp(size) >= 0 {
		return "", false
	}
	text, err := n.address(new(big.Int).Add(n.first(), i))
	return text, err == nil
}

func onlyIf(s subject, holds bool) (any, error) {
	if holds {
		return s.text, nil
	}
	return nil, nil
}

func notNetwork() error { return value.Errorf(value.ValueError, "Not a network address") }

type ipQuery = func(s subject) (any, error)

// ipQueries are the queries of ipaddr by name.
func ipQueries() map[string]ipQuery {
	text := func(f func(s subject) string) ipQuery {
		return func(s subject) (any, error) { return f(s), nil }
	}
	holds := func(f func(s subject) bool) ipQuery {
		return func(s subject) (any, error) { return onlyIf(s, f(s)) }
	}
	mask := func(s subject) string { return maskText(s.network, s.maskValue()) }
	hostmask := func(s subject) string { return maskText(s.network, s.hostmaskValue()) }
	start := func(s subject) string { return addressText(s.cidr().addr) }
	ip := func(s subject) string { return addressText(s.addr) }
	subnet := text(func(s subject) string { return s.cidr().text() })
	host := text(ip)
	withPrefix := ipQuery(func(s subject) (any, error) {
		if s.larger(2) && (s.isFirst() || s.value().Cmp(s.last()) == 0 && s.hasBroadcast()) {
			return false, nil
		}
		return s.network.text(), nil
	})
	loopback := holds(func(s subject) bool { return network{s.addr, s.addr.BitLen()}.isLoopback() })
	ipv4, ipv6 := ipQuery(toIPv4), ipQuery(toIPv6)
	hostAddress := ipQuery(func(s subject) (any, error) {
		if s.larger(1) && s.isFirst() && s.hasBroadcast() && s.version() == 4 {
			return nil, nil
		}
		return host(s)
	})
	return map[string]ipQuery{
		"": func(s subject) (any, error) {
			if s.asNetwork {
				return s.network.text(), nil
			}
			return ip(s), nil
		},
		"6to4": sixToFour, "address": hostAddress, "ip": hostAddress,
		"address/prefix": withPrefix, "gateway": withPrefix, "gw": withPrefix, "host/prefix": withPrefix, "hostnet": withPrefix, "router": withPrefix,
		"bool": func(subject) (any, error) { return true, nil },
		"broadcast": func(s subject) (any, error) {
			if !s.larger(2) {
				return nil, nil
			}
			return s.address(s.last())
		},
		"cidr": text(func(s subject) string { return s.network.text() }),
		"first_usable": func(s subject) (any, error) {
			first, _, ok := s.usable()
			return s.usableAddress(first, ok)
		},
		"last_usable": func(s subject) (any, error) {
			_, last, ok := s.usable()
			return s.usableAddress(last, ok)
		},
		"host": func(s subject) (any, error) {
			if s.larger(1) && s.isFirst() && s.hasBroadcast() {
				return nil, nil
			}
			return s.network.text(), nil
		},
		"hostmask": text(hostmask), "wildcard": text(hostmask), "netmask": text(mask),
		"int": func(s subject) (any, error) {
			if s.asNetwork {
				return s.value().String() + "/" + strconv.Itoa(s.bits), nil
			}
			return value.NormalInt(s.value()), nil
		},
		"ip/prefix": func(s subject) (any, error) {
			if !s.larger(1) || s.larger(2) && s.isFirst() {
				return nil, nil
			}
			return s.network.text(), nil
		},
		"ip_netmask": func(s subject) (any, error) {
			if !s.larger(1) || s.larger(2) && s.isFirst() {
				return nil, nil
			}
			return ip(s) + " " + mask(s), nil
		},
		"ipv4": ipv4, "v4": ipv4, "ipv6": ipv6, "v6": ipv6,
		"link-local": holds(func(s subject) bool {
			return network{s.addr, s.addr.BitLen()}.withinAny("169.254.0.0/16", "fe80::/10")
		}),
		"lo": loopback, "loopback": loopback,
		"multicast": holds(func(s subject) bool { return s.isMulticast() }),
		"unicast":   holds(func(s subject) bool { return !s.isMulticast() }),
		"private":   holds(func(s subject) bool { return s.isPrivate() }),
		"public": holds(func(s subject) bool {
			n := network{s.addr, s.addr.BitLen()}
			return !n.isMulticast() && !n.isPrivate() && !n.isLoopback() && !isMask(n)
		}),
		"net": func(s subject) (any, error) {
			if !s.larger(1) || !s.isFirst() {
				return nil, nil
			}
			return s.network.text(), nil
		},
		"network": text(start), "network_id": text(start), "network/prefix": subnet, "subnet": subnet,
		"network_netmask":  text(func(s subject) string { return start(s) + " " + mask(s) }),
		"network_wildcard": text(func(s subject) string { return start(s) + " " + hostmask(s) }),
		"next_usable":      nthUsable(1), "previous_usable": nthUsable(-1),
		"peer":         peer,
		"prefix":       func(s subject) (any, error) { return s.bits, nil },
		"range_usable": rangeUsable,
		"revdns":       text(func(s subject) string { return s.reverse() }),
		"size":         func(s subject) (any, error) { return value.NormalInt(s.size()), nil },
		"size_usable": func(s subject) (any, error) {
			switch {
			case !s.larger(1):
				return 0, nil
			case !s.larger(2):
				return 2, nil
			}
			return value.NormalInt(s.size().Sub(s.size(), bigInt(2))), nil
		},
		"type":    text(func(s subject) string { return s.kind() }),
		"version": func(s subject) (any, error) { return s.version(), nil },
		"wrap": func(s subject) (any, error) {
			switch {
			case s.version() == 4:
				return s.text, nil
			case s.asNetwork:
				return "[" + ip(s) + "]/" + strconv.Itoa(s.bits), nil
			}
			return "[" + ip(s) + "]", nil
		},
	}
}

// kind is address or network, as the bits behind the prefix tell.
func (s subject) kind() string {
	if s.larger(1) && s.isFirst() {
		return "network"
	}
	return "address"
}

func maskText(n network, v *big.Int) string {
	text, err := n.address(v)
	if err != nil {
		return ""
	}
	return text
}

func (s subject) usableAddress(v *big.Int, ok bool) (any, error) {
	if !s.asNetwork {
		return nil, notNetwork()
	}
	if !ok {
		return nil, nil
	}
	return s.address(v)
}

// nthUsable steps from the address to another usable one.
func nthUsable(by int64) ipQuery {
	return func(s subject) (any, error) {
		if !s.asNetwork {
			return nil, notNetwork()
		}
		return s.step(by)
	}
}

func (s subject) step(by int64) (any, error) {
	first, last, ok := s.usable()
	next := new(big.Int).Add(s.value(), bigInt(by))
	if !ok || next.Cmp(first) < 0 || next.Cmp(last) > 0 {
		return nil, nil
	}
	return s.address(next)
}

func peer(s subject) (any, error) {
	if !s.asNetwork {
		return nil, notNetwork()
	}
	low := new(big.Int).And(s.value(), bigInt(3)).Int64()
	switch {
	case !s.larger(1) || s.larger(4):
		return nil, value.Errorf(value.ValueError, "Not a point-to-point network")
	case !s.larger(2):
		return s.address(new(big.Int).Xor(s.value(), bigInt(1)))
	case low == 0:
		return nil, value.Errorf(value.ValueError, "Network address of /30 has no peer")
	case low == 3:
		return nil, value.Errorf(value.ValueError, "Broadcast address of /30 has no peer")
	}
	return s.address(new(big.Int).Xor(s.value(), bigInt(3)))
}

func rangeUsable(s subject) (any, error) {
	if !s.asNetwork {
		return nil, notNetwork()
	}
	first, last, ok := s.usable()
	if !ok {
		return nil, nil
	}
	from, err := s.address(first)
	if err != nil {
		return nil, err
	}
	to, err := s.address(last)
	return from + "-" + to, err
}

func toIPv4(s subject) (any, error) {
	if s.version() == 4 {
		return s.text, nil
	}
	v := s.value()
	high := new(big.Int).Rsh(v, 32)
	if high.Sign() != 0 && high.Cmp(bigInt(0xffff)) != 0 {
		return false, nil
	}
	addr, ok := addressOf(new(big.Int).And(v, bigInt(0xffffffff)), netip.IPv4Unspecified())
	if !ok || s.bits < 96 {
		return false, nil
	}
	return network{addr, s.bits - 96}.text(), nil
}

func toIPv6(s subject) (any, error) {
	if s.version() == 6 {
		return s.text, nil
	}
	mapped := netip.AddrFrom16(s.addr.As16())
	return mapped.String() + "/" + strconv.Itoa(s.bits+96), nil
}

func sixToFour(s subject) (any, error) {
	inside := s.withinAny("2002::/16")
	if s.version() == 6 {
		if inside && (!s.asNetwork || !s.isFirst()) {
			return s.text, nil
		}
		return false, nil
	}
	one := network{s.addr, 32}
	if s.larger(1) && s.isFirst() || one.isMulticast() || one.isLoopback() || isMask(one) {
		return false, nil
	}
	raw := s.addr.As4()
	hex := make([]string, 4)
	for i, b := range raw {
		hex[i] = string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15])
	}
	return "2002:" + hex[0] + hex[1] + ":" + hex[2] + hex[3] + "::1/48", nil
}
