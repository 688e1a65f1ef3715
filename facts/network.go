package facts

import (
	"encoding/binary"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Network are the interfaces and addresses.
type Network struct {
	DefaultIPv4 DefaultRoute `fact:"default_ipv4"`
	DefaultIPv6 DefaultRoute `fact:"default_ipv6"`
	AllIPv4     []string     `fact:"all_ipv4_addresses"`
	AllIPv6     []string     `fact:"all_ipv6_addresses"`
	// Interfaces are in the kernel's order of names, further labels such as eth0:1 after their device.
	Interfaces []*Interface
}

// DefaultRoute is the way to the internet: the interface and its address; the zero value where there is none.
type DefaultRoute struct {
	Gateway   string `fact:"gateway,omitempty"`
	Interface string `fact:"interface,omitempty"`
	Address   string `fact:"address,omitempty"`
	Netmask   string `fact:"netmask,omitempty"`
	Network   string `fact:"network,omitempty"`
	Prefix    string `fact:"prefix,omitempty"`
	Scope     string `fact:"scope,omitempty"`
	MAC       string `fact:"macaddress,omitempty"`
	MTU       *int   `fact:"mtu,omitempty"`
	Type      string `fact:"type,omitempty"`
	Alias     string `fact:"alias,omitempty"`
	// Broadcast is told of an IPv4 route even when it is empty.
	Broadcast *string `fact:"broadcast,omitempty"`
}

// Interface is one network interface, or a label of one.
type Interface struct {
	Name            string   `fact:"-"`
	Device          string   `fact:"device,omitempty"`
	MAC             string   `fact:"macaddress,omitempty"`
	MTU             *int     `fact:"mtu,omitempty"`
	Active          *bool    `fact:"active,omitempty"`
	Module          string   `fact:"module,omitempty"`
	Type            string   `fact:"type,omitempty"`
	Bridge          *Bridge  `fact:",inline"`
	Bonding         *Bonding `fact:",inline"`
	PermanentMAC    string   `fact:"perm_macaddress,omitempty"`
	PCIID           string   `fact:"pciid,omitempty"`
	Speed           *int     `fact:"speed,omitempty"` // Mbit/s; -1 is unknown
	Promisc         *bool    `fact:"promisc,omitempty"`
	VLAN            *VLAN    `fact:"vlan,omitempty"`
	IPv4            *IPv4    `fact:"ipv4,omitempty"`
	IPv4Secondaries []IPv4   `fact:"ipv4_secondaries,omitempty"`
	IPv6            []IPv6   `fact:"ipv6,omitempty"`
}

// Bridge is what a bridge has besides.
type Bridge struct {
	Interfaces []string `fact:"interfaces"`
	ID         string   `fact:"id"`
	STP        bool     `fact:"stp"`
}

// Bonding is what a bond has besides.
type Bonding struct {
	Slaves          []string `fact:"slaves"`
	Mode            string   `fact:"mode"`
	MIIMon          string   `fact:"miimon"`
	LACPRate        string   `fact:"lacp_rate"`
	Primary         string   `fact:"primary,omitempty"`
	AllSlavesActive *bool    `fact:"all_slaves_active,omitempty"`
}

// VLAN says that an interface is a VLAN on another.
type VLAN struct {
	ID     int    `fact:"id"`
	Device string `fact:"device"`
}

// IPv4 is an address with its network.
type IPv4 struct {
	Address   string `fact:"address"`
	Broadcast string `fact:"broadcast"`
	Netmask   string `fact:"netmask"`
	Network   string `fact:"network"`
	Prefix    string `fact:"prefix"`
}

// IPv6 is an address with its prefix length and scope.
type IPv6 struct {
	Address string `fact:"address"`
	Prefix  string `fact:"prefix"`
	Scope   string `fact:"scope"`
}

// interfaceTypes are the ARP hardware types that have a name in Ansible.
var interfaceTypes = map[string]string{
	"1": "ether", "32": "infiniband", "512": "ppp", "772": "loopback", "65534": "tunnel",
}

const netDir = "/sys/class/net/"

func (o *output) network() *Network {
	n := &Network{AllIPv4: []string{}, AllIPv6: []string{}}
	for _, file := range o.matching(netDir + "*/type") {
		n.Interfaces = append(n.Interfaces, o.iface(path.Base(path.Dir(file))))
	}
	o.readLinks(n)
	o.vlans(n)
	n.DefaultIPv4 = route(append(o.routes("8.8.8.8"), o.sections["route4"]...))
	n.DefaultIPv6 = route(append(o.routes("2404:6800:400a:800::1012"), o.sections["route6"]...))
	for _, line := range o.sections["addr"] {
		n.addAddress(strings.Fields(line))
	}
	return n
}

func (o *output) iface(name string) *Interface {
	dir := netDir + name
	i := &Interface{Name: name, Device: name}
	if mac := o.first(dir + "/address"); mac != "00:00:00:00:00:00" {
		i.MAC = mac
	}
	i.MTU, i.Speed = intOf(o.first(dir+"/mtu")), intOf(o.first(dir+"/speed"))
	if state := o.first(dir + "/operstate"); state != "" {
		i.Active = new(state != "down")
	}
	i.Type = interfaceTypes[o.first(dir+"/type")]
	if i.Type == "" {
		i.Type = "unknown"
	}
	if id := o.first(dir + "/bridge/bridge_id"); id != "" {
		i.Type = "bridge"
		i.Bridge = &Bridge{Interfaces: []string{}, ID: id, STP: o.first(dir+"/bridge/stp_state") == "1"}
		for _, p := range o.sections["nets"] {
			if strings.HasPrefix(p, dir+"/brif/") {
				i.Bridge.Interfaces = append(i.Bridge.Interfaces, path.Base(p))
			}
		}
	}
	if slices.Contains(o.sections["nets"], dir+"/bonding") {
		i.Type = "bonding"
		i.Bonding = o.bonding(dir + "/bonding/")
	}
	i.PermanentMAC = o.first(dir + "/bonding_slave/perm_hwaddr")
	if flags, err := strconv.ParseUint(o.first(dir+"/flags"), 0, 32); err == nil {
		i.Promisc = new(flags&0x100 != 0)
	}
	return i
}

func (o *output) bonding(dir string) *Bonding {
	word := func(name string) string { w, _, _ := strings.Cut(o.first(dir+name), " "); return w }
	b := &Bonding{
		Slaves: strings.Fields(o.first(dir + "slaves")), Mode: word("mode"), MIIMon: word("miimon"),
		LACPRate: word("lacp_rate"), Primary: o.first(dir + "primary"),
	}
	if b.Primary != "" {
		b.AllSlavesActive = new(o.first(dir+"all_slaves_active") == "1")
	}
	return b
}

// readLinks takes the bus id and the driver's module from the listing of links.
func (o *output) readLinks(n *Network) {
	for link, target := range o.links() {
		rest, ok := strings.CutPrefix(link, netDir)
		if !ok {
			continue
		}
		name, what, _ := strings.Cut(rest, "/")
		i := n.find(name)
		switch {
		case i == nil:
		case what == "device":
			i.PCIID = path.Base(target)
		case what == "device/driver/module":
			i.Module = path.Base(target)
		}
	}
}

// vlans reads the kernel's table: "eth0.10 | 10 | eth0".
func (o *output) vlans(n *Network) {
	for _, line := range o.files["/proc/net/vlan/config"] {
		cells := strings.Split(line, "|")
		if len(cells) != 3 {
			continue
		}
		if i := n.find(strings.TrimSpace(cells[0])); i != nil {
			i.VLAN = &VLAN{ID: atoi(cells[1]), Device: strings.TrimSpace(cells[2])}
		}
	}
}

func (n *Network) find(name string) *Interface {
	at := slices.IndexFunc(n.Interfaces, func(i *Interface) bool { return i.Name == name })
	if at < 0 {
		return nil
	}
	return n.Interfaces[at]
}

// routes are the lines about the way to an address among those about the host's own: local 8.8.8.8 dev lo, 8.8.8.8 via 192.0.2.1 dev eth0.
func (o *output) routes(to string) []string {
	var lines []string
	for _, line := range o.sections["addr"] {
		if words := strings.Fields(line); slices.Contains(words[:min(len(words), 2)], to) {
			lines = append(lines, line)
		}
	}
	return lines
}

// route reads the first line of ip route get.
func route(lines []string) DefaultRoute {
	r := DefaultRoute{}
	if len(lines) == 0 {
		return r
	}
	words := strings.Fields(lines[0])
	if len(words) == 0 || words[0] == "unreachable" || words[0] == "prohibit" || words[0] == "blackhole" {
		return r
	}
	for i, word := range words[:len(words)-1] {
		switch word {
		case "dev":
			r.Interface = words[i+1]
		case "src":
			r.Address = words[i+1]
		case "via":
			if words[i+1] != words[0] {
				r.Gateway = words[i+1]
			}
		}
	}
	return r
}

// addAddress takes one line of ip -o addr: index, device, family, address, then pairs of words, for IPv4 the label
// before the backslash.
func (n *Network) addAddress(words []string) {
	if len(words) < 5 {
		return
	}
	device := n.find(strings.TrimSuffix(words[1], ":"))
	if device == nil {
		return
	}
	options := words[4:]
	if end := slices.IndexFunc(options, func(w string) bool { return strings.HasSuffix(w, `\`) }); end >= 0 {
		options = slices.Clone(options[:end+1])
		if options[end] = strings.TrimSuffix(options[end], `\`); options[end] == "" {
			options = options[:end]
		}
	}
	option := func(name string) string {
		if at := slices.Index(options, name); at >= 0 && at+1 < len(options) {
			return options[at+1]
		}
		return ""
	}
	address, prefix, hasPrefix := strings.Cut(words[3], "/")
	switch words[2] {
	case "inet":
		if !hasPrefix {
			prefix = "32" // a point-to-point address
		}
		label := device.Name
		if len(options) > 0 && strings.HasPrefix(options[len(options)-1], device.Name+":") {
			label = options[len(options)-1]
		}
		n.addIPv4(device, label, slices.Contains(options, "secondary"), makeIPv4(address, prefix, option("brd")))
	case "inet6":
		if peer := option("peer"); !hasPrefix && peer != "" {
			_, prefix, _ = strings.Cut(peer, "/")
		}
		n.addIPv6(device, IPv6{Address: address, Prefix: prefix, Scope: option("scope")})
	}
}

func (n *Network) addIPv4(device *Interface, label string, secondary bool, a IPv4) {
	on := device
	if label != device.Name {
		if on = n.find(label); on == nil {
			on = &Interface{Name: label}
			n.Interfaces = append(n.Interfaces, on)
		}
		if secondary {
			device.IPv4Secondaries = append(device.IPv4Secondaries, a)
		}
	}
	if !secondary && on.IPv4 == nil {
		on.IPv4 = &a
	} else {
		on.IPv4Secondaries = append(on.IPv4Secondaries, a)
	}
	if d := &n.DefaultIPv4; d.Address == a.Address {
		d.Broadcast = &a.Broadcast
		d.Netmask, d.Network, d.Prefix, d.Alias = a.Netmask, a.Network, a.Prefix, label
		d.MAC, d.MTU, d.Type = device.MAC, device.MTU, device.Type
	}
	if !strings.HasPrefix(a.Address, "127.") {
		n.AllIPv4 = append(n.AllIPv4, a.Address)
	}
}

func (n *Network) addIPv6(device *Interface, a IPv6) {
	device.IPv6 = append(device.IPv6, a)
	if d := &n.DefaultIPv6; d.Address == a.Address {
		d.Prefix, d.Scope = a.Prefix, a.Scope
		d.MAC, d.MTU, d.Type = device.MAC, device.MTU, device.Type
	}
	if a.Address != "::1" {
		n.AllIPv6 = append(n.AllIPv6, a.Address)
	}
}

func makeIPv4(address, prefix, broadcast string) IPv4 {
	a := IPv4{Address: address, Prefix: prefix, Broadcast: broadcast}
	bits := min(max(atoi(prefix), 0), 32)
	mask := net.CIDRMask(bits, 32)
	a.Netmask = net.IP(mask).String()
	if ip := net.ParseIP(address).To4(); ip != nil {
		var network [4]byte
		binary.BigEndian.PutUint32(network[:], binary.BigEndian.Uint32(ip)&binary.BigEndian.Uint32(mask))
		a.Network = net.IP(network[:]).String()
	}
	return a
}

func intOf(s string) *int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil
	}
	return &n
}
