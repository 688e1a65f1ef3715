package filters

import (
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// ipFilters are those of the collections ansible.utils and, before it, ansible.netcommon.
func ipFilters() []entry {
	return []entry{
		one("ipaddr", "query='', version=None", ipFilter("ipaddr", 0)),
		one("ipv4", "query=''", ipFilter("ipv4", 4)),
		one("ipv6", "query=''", ipFilter("ipv6", 6)),
		one("ipwrap", "query=''", ipwrap),
		one("ipsubnet", "query='', index=None", ipsubnet),
		one("nthhost", "query=''", nthhost),
		one("ipmath", "amount", ipmath),
		one("network_in_network", "test", networkIn(false)),
		one("network_in_usable", "test", networkIn(true)),
		one("next_nth_usable", "offset", nthUsableFilter(1)),
		one("previous_nth_usable", "offset", nthUsableFilter(-1)),
		one("reduce_on_network", "network", reduceOnNetwork),
		one("cidr_merge", "action='merge'", cidrMerge),
		one("hwaddr", "query='', alias='hwaddr'", hwaddr),
		one("macaddr", "query=''", hwaddr),
		one("slaac", "query=''", slaac),
		one("ip4_hex", "delimiter=''", ip4Hex),
	}
}

func ipwrap(c *jinja.Call) (any, error) {
	wrap := func(v any) any {
		s, ok := ipSubject(v, 0)
		if !ok {
			return v
		}
		r, err := ipQueries()["wrap"](s)
		if err != nil {
			return v
		}
		return r
	}
	if list, ok := sequence(c.Value); ok {
		out := value.NewList()
		for _, item := range list {
			out.Append(wrap(item))
		}
		return out, nil
	}
	return wrap(c.Value), nil
}

// subnetOf reads an address or a network, the latter without the bits behind its prefix.
func subnetOf(v any) (subject, bool) {
	s, ok := ipSubject(v, 0)
	if ok && s.kind() == "network" {
		s.network = s.cidr()
	}
	return s, ok
}

func ipsubnet(c *jinja.Call) (any, error) {
	s, ok := subnetOf(c.Value)
	if !ok {
		return false, nil
	}
	n := s.cidr()
	isAddress := subject{network: n}.kind() == "address"
	query, err := queryText(c.Args[0])
	if err != nil {
		return nil, err
	}
	if query == "" {
		return n.text(), nil
	}
	if !isDigits(query) {
		return subnetPlace(n, query)
	}
	bits, err := strconv.Atoi(query)
	if err != nil || bits > n.addr.BitLen() {
		return false, nil
	}
	if c.Args[1] == nil {
		switch {
		case isAddress:
			return network{n.addr, bits}.cidr().text(), nil
		case bits < n.bits:
			return nil, value.Errorf(value.ValueError, "Requested subnet size of %d is invalid", bits)
		}
		return new(big.Int).Lsh(bigInt(1), uint(bits-n.bits)).String(), nil
	}
	text, err := value.Str(c.Args[1])
	if err != nil {
		return nil, err
	}
	index, err := strconv.Atoi(text)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "ipsubnet: the index %q must be a whole number", text)
	}
	if isAddress {
		// The networks around an address, the widest first.
		supernets := n.addr.BitLen() - bits
		if index < 0 {
			index += supernets
		}
		if index < 0 || index >= supernets {
			return false, nil
		}
		return network{n.addr, bits + index}.cidr().text(), nil
	}
	return nthSubnet(n, bits, index)
}

func nthSubnet(n network, bits, index int) (any, error) {
	if bits < n.bits { // ansible.utils then gives the network around, as number 0
		if index != 0 {
			return false, nil
		}
		return addressText(n.addr) + "/" + strconv.Itoa(bits), nil
	}
	count := new(big.Int).Lsh(bigInt(1), uint(bits-n.bits))
	i := bigInt(int64(index))
	if index < 0 {
		i.Add(i, count)
	}
	if i.Sign() < 0 || i.Cmp(count) >= 0 {
		return false, nil
	}
	at := new(big.Int).Add(n.first(), i.Lsh(i, uint(n.addr.BitLen()-bits)))
	text, err := n.address(at)
	return text + "/" + strconv.Itoa(bits), err
}

// subnetPlace counts which of the equally large parts of another network n is.
func subnetPlace(n network, query string) (any, error) {
	other, ok := subnetOf(query)
	if !ok {
		return nil, value.Errorf(value.ValueError, "You must pass a valid subnet or IP address; %s is invalid", query)
	}
	if !n.within(other.network.cidr()) {
		return nil, value.Errorf(value.ValueError, "%s is not in the subnet %s", n.text(), other.cidr().text())
	}
	place := new(big.Int).Sub(n.first(), other.first())
	place.Rsh(place, uint(n.addr.BitLen()-n.bits))
	return place.Add(place, bigInt(1)).String(), nil
}

func nthhost(c *jinja.Call) (any, error) {
	s, ok := subnetOf(c.Value)
	query, err := queryText(c.Args[0])
	if err != nil || !ok || query == "" {
		return false, err
	}
	i, ok := new(big.Int).SetString(query, 10)
	if !ok {
		return false, nil
	}
	at, ok := s.at(i)
	if !ok {
		return false, nil
	}
	return at, nil
}

func ipmath(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	n, ok := parseNetwork(text)
	if !ok {
		return nil, value.Errorf(value.ValueError, "You must pass a valid IP address; %s is invalid", text)
	}
	amount, ok := c.Args[0].(int)
	if !ok {
		return nil, value.Errorf(value.ValueError, "You must pass an integer for arithmetic; %s is not a valid integer", shown(c.Args[0]))
	}
	return n.address(new(big.Int).Add(n.value(), bigInt(int64(amount))))
}

// networkIn tests whether all of one network is in another, or in its usable addresses.
func networkIn(usable bool) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		outer, ok := subnetOf(c.Value)
		inner, innerOK := subnetOf(c.Args[0])
		if !ok || !innerOK {
			return nil, value.Errorf(value.ValueError, "%s: %s and %s must be addresses or networks", c.Name, shown(c.Value), shown(c.Args[0]))
		}
		if outer.version() != inner.version() {
			return false, nil
		}
		first, last := outer.first(), outer.last()
		if from, to, ok := outer.usable(); ok && usable {
			first, last = from, to
		}
		return inner.first().Cmp(first) >= 0 && inner.last().Cmp(last) <= 0, nil
	}
}

func nthUsableFilter(sign int64) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		s, ok := subnetOf(c.Value)
		if !ok {
			return false, nil
		}
		offset, ok := c.Args[0].(int)
		if !ok {
			return nil, value.Errorf(value.TypeError, "Must pass in an integer")
		}
		return s.step(sign * int64(offset))
	}
}

func reduceOnNetwork(c *jinja.Call) (any, error) {
	outer, ok := subnetOf(c.Args[0])
	if !ok {
		return nil, value.Errorf(value.ValueError, "reduce_on_network: %s is no network", shown(c.Args[0]))
	}
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	out := value.NewList()
	for _, item := range items {
		if inner, ok := subnetOf(item); ok && inner.within(outer.network) {
			out.Append(item)
		}
	}
	return out, nil
}

func cidrMerge(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	list := make([]network, 0, len(items))
	for _, item := range items {
		n, ok := parseNetwork(shown(item))
		if !ok {
			return nil, value.Errorf(value.ValueError, "cidr_merge: error in netaddr:\ninvalid IPNetwork %s", shown(item))
		}
		list = append(list, n)
	}
	switch c.Args[0] {
	case "merge":
		out := value.NewList()
		for _, n := range merged(list) {
			out.Append(n.text())
		}
		return out, nil
	case "span":
		return span(list)
	}
	return nil, value.Errorf(value.ValueError, "cidr_merge: invalid action '%s'", shown(c.Args[0]))
}

// merged joins networks to as few as possible, IPv4 first.
func merged(list []network) []network {
	for i := range list {
		list[i] = list[i].cidr()
	}
	slices.SortFunc(list, func(a, b network) int {
		if a.version() != b.version() {
			return a.version() - b.version()
		}
		if d := a.addr.Compare(b.addr); d != 0 {
			return d
		}
		return a.bits - b.bits
	})
	var out []network
	for _, n := range list {
		if len(out) > 0 && n.within(out[len(out)-1]) {
			continue
		}
		out = append(out, n)
		for len(out) > 1 {
			a, b := out[len(out)-2], out[len(out)-1]
			wider := network{a.addr, a.bits - 1}
			if a.bits != b.bits || a.bits == 0 || a.version() != b.version() || wider.cidr() != wider || !b.within(wider) {
				break
			}
			out = append(out[:len(out)-2], wider)
		}
	}
	return out
}

func span(list []network) (any, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) == 1 {
		return list[0].text(), nil
	}
	n := list[0]
	first, last := n.first(), n.last()
	for _, other := range list[1:] {
		if other.version() != n.version() {
			return nil, value.Errorf(value.ValueError, "cidr_merge: error in netaddr:\nIP sequence cannot contain both IPv4 and IPv6!")
		}
		if other.first().Cmp(first) < 0 {
			first = other.first()
		}
		if other.last().Cmp(last) > 0 {
			last = other.last()
		}
	}
	for n.bits > 0 && (n.first().Cmp(first) > 0 || n.last().Cmp(last) < 0) {
		n.bits--
	}
	return n.cidr().text(), nil
}

var (
	macPairs   = regexp.MustCompile(`^(?:[0-9a-f]{1,2}([:-]))(?:[0-9a-f]{1,2}[:-]){4}(?:[0-9a-f]{1,2}[:-]){0,2}[0-9a-f]{1,2}$`)
	macGroups  = regexp.MustCompile(`^[0-9a-f]{1,4}(?:[.:-][0-9a-f]{1,4}){2,3}$`)
	macHalves  = regexp.MustCompile(`^[0-9a-f]{5,6}[:-][0-9a-f]{5,6}$`)
	macTwelve  = regexp.MustCompile(`^(?:[0-9a-f]{11,12}|[0-9a-f]{16})$`)
	macDivider = regexp.MustCompile(`[.:-]`)
)

// parseMAC reads a hardware address of 48 or 64 bits in any of the usual forms.
func parseMAC(v any) ([]byte, bool) {
	text := strings.ToLower(shown(v))
	if n, ok := v.(int); ok {
		text = fmt.Sprintf("%012x", n)
	}
	width := 0
	switch {
	case macPairs.MatchString(text):
		width = 2
	case macGroups.MatchString(text):
		width = 4
	case macHalves.MatchString(text):
		width = 6
	case macTwelve.MatchString(text):
		width = 12
	default:
		return nil, false
	}
	var hex strings.Builder
	for _, part := range macDivider.Split(text, -1) {
		hex.WriteString(strings.Repeat("0", max(0, width-len(part))) + part)
	}
	digits := hex.String()
	if len(digits) != 12 && len(digits) != 16 {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, 16)
	return n.FillBytes(make([]byte, len(digits)/2)), ok
}

func hwaddr(c *jinja.Call) (any, error) {
	query, err := queryText(c.Args[0])
	if err != nil {
		return nil, err
	}
	raw, ok := parseMAC(c.Value)
	if !ok {
		if query != "" && query != "bool" {
			return nil, value.Errorf(value.ValueError, "%s: not a hardware address: %s", c.Name, shown(c.Value))
		}
		return nil, nil
	}
	join := func(format, sep string, size int) string {
		var parts []string
		for chunk := range slices.Chunk(raw, size) {
			parts = append(parts, fmt.Sprintf(format, chunk))
		}
		return strings.Join(parts, sep)
	}
	switch query {
	case "":
		return c.Value, nil
	case "bool":
		return true, nil
	case "int":
		return value.NormalInt(new(big.Int).SetBytes(raw)), nil
	case "bare":
		return join("%X", "", 1), nil
	case "cisco":
		return join("%x", ".", 2), nil
	case "eui48", "win":
		return join("%X", "-", 1), nil
	case "linux":
		return join("%x", ":", 1), nil
	case "pgsql", "postgresql", "psql":
		return join("%x", ":", 3), nil
	case "unix":
		parts := make([]string, len(raw))
		for i, b := range raw {
			parts[i] = strconv.FormatInt(int64(b), 16)
		}
		return strings.Join(parts, ":"), nil
	}
	return nil, value.Errorf(value.ValueError, "%s: unknown filter type: %s", c.Name, query)
}

// slaac gives the IPv6 address that a host with a hardware address takes in a network (RFC 4862).
func slaac(c *jinja.Call) (any, error) {
	s, ok := subnetOf(c.Value)
	if !ok || s.version() != 6 || c.Args[0] == "" {
		return false, nil
	}
	raw, ok := parseMAC(c.Args[0])
	if !ok {
		return false, nil
	}
	if len(raw) == 6 {
		raw = []byte{raw[0], raw[1], raw[2], 0xff, 0xfe, raw[3], raw[4], raw[5]}
	}
	raw[0] ^= 2
	v := new(big.Int).Add(s.first(), new(big.Int).SetBytes(raw))
	return s.address(v)
}

func ip4Hex(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() {
		return nil, value.Errorf(value.ValueError, "ip4_hex: %s is no IPv4 address", text)
	}
	sep, err := queryText(c.Args[0])
	if err != nil {
		return nil, err
	}
	raw := addr.As4()
	return fmt.Sprintf("%02x%s%02x%s%02x%s%02x", raw[0], sep, raw[1], sep, raw[2], sep, raw[3]), nil
}
