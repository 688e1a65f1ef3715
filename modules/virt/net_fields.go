package virt

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// NetMode is what becomes of packets to other networks.
type NetMode string

// Choices lists the modes.
func (NetMode) Choices() []string {
	return []string{"nat", "route", "isolated", "open", "bridge", "direct", "hostdev", "ovs"}
}

// NetFields describe a network in place of XML.
type NetFields struct {
	// Bridge is the name of the bridge: one that libvirt makes, or with mode bridge and ovs one that is there.
	Bridge string `arg:"bridge"`
	// ForwardDev is the one interface that packets leave by; with mode direct the one that guests share, with hostdev the card
	// (SR-IOV) whose virtual functions guests get whole.
	ForwardDev string `arg:"forward_dev"`
	// NATPorts is the range of ports that NAT uses (1024-65535).
	NATPorts string `arg:"nat_ports"`
	// MTU of the bridge.
	MTU int `arg:"mtu"`
	// Domain is the DNS domain of the network.
	Domain string `arg:"domain"`
	// STP is whether the bridge speaks the spanning tree protocol; libvirt's bridges do.
	STP *bool `arg:"stp"`
	// MAC is the address of the bridge.
	MAC string `arg:"mac"`
	// IPv4 is the host's address on the network, and what its DHCP server gives.
	IPv4 NetIP `arg:"ipv4"`
	// IPv6 is the host's address on the network, and what its DHCP server gives.
	IPv6 NetIP `arg:"ipv6"`
	// DNS is what the network's DNS server knows.
	DNS NetDNS `arg:"dns"`
	// Routes are further networks behind a guest.
	Routes []NetRoute `arg:"routes"`
	// Portgroups are classes of interfaces.
	Portgroups []NetPortgroup `arg:"portgroups"`
}

// NetIP is the host's address on a network.
type NetIP struct {
	// Address of the host.
	Address string `arg:"address"`
	// Prefix is the length of the network's part.
	Prefix int `arg:"prefix"`
	// DHCP is what the network's DHCP server gives.
	DHCP NetDHCP `arg:"dhcp"`
}

// NetDHCP is what a DHCP server gives.
type NetDHCP struct {
	// Ranges of addresses, each FIRST-LAST.
	Ranges []string `arg:"ranges"`
	// Hosts are reservations.
	Hosts []NetHost `arg:"hosts"`
	// BootFile is what guests load that boot by network.
	BootFile string `arg:"boot_file"`
	// BootServer has the boot file; the host itself when empty.
	BootServer string `arg:"boot_server"`
	// Lease is how long an address is lent.
	Lease time.Duration `arg:"lease"`
}

// NetHost is a reservation.
type NetHost struct {
	// MAC is the guest's address.
	MAC string `arg:"mac"`
	// IP is what it gets.
	IP string `arg:"ip" required:"true"`
	// Name is what it is called in the network's DNS.
	Name string `arg:"name"`
}

// NetDNS is what a DNS server knows.
type NetDNS struct {
	// Enable is whether there is one.
	Enable *bool `arg:"enable"`
	// Forwarders are the servers that are asked for other names.
	Forwarders []string `arg:"forwarders"`
	// Hosts are names by address.
	Hosts []NetName `arg:"hosts"`
}

// NetName is an address with its names.
type NetName struct {
	// IP is the address.
	IP string `arg:"ip" required:"true"`
	// Names of the address.
	Names []string `arg:"names" required:"true"`
}

// NetRoute is a network behind a guest.
type NetRoute struct {
	// Address of the network.
	Address string `arg:"address" required:"true"`
	// Prefix is the length of the network's part.
	Prefix int `arg:"prefix" required:"true"`
	// Gateway is the guest.
	Gateway string `arg:"gateway" required:"true"`
	// Metric of the route.
	Metric int `arg:"metric"`
}

// NetPortgroup is a class of interfaces.
type NetPortgroup struct {
	// Name of the class.
	Name string `arg:"name" required:"true"`
	// Default is whether interfaces without a class belong to it.
	Default bool `arg:"default"`
	// VLANs are the tags; more than one make a trunk.
	VLANs []int `arg:"vlans"`
}

// given reports whether any field is.
func (f NetFields) given() bool {
	return f.Bridge != "" || f.ForwardDev != "" || f.NATPorts != "" || f.MTU != 0 || f.Domain != "" || f.STP != nil || f.MAC != "" ||
		f.IPv4.Address != "" || f.IPv6.Address != "" || f.DNS.Enable != nil || len(f.DNS.Forwarders)+len(f.DNS.Hosts)+len(f.Routes)+len(f.Portgroups) > 0
}

var natPorts = regexp.MustCompile(`^([0-9]{1,5})-([0-9]{1,5})$`)

// build makes the definition.
func (f NetFields) build(name string, mode NetMode) (*libvirt.Node, error) {
	if mode == "" {
		mode = "nat"
	}
	if err := f.check(mode); err != nil {
		return nil, err
	}
	doc := libvirt.New("network", "").Add(libvirt.New("name", name))
	if forward := f.forward(mode); forward != nil {
		doc.Add(forward)
	}
	if f.Bridge != "" && mode != "direct" && mode != "hostdev" {
		bridge := libvirt.New("bridge", "", "name", f.Bridge)
		if f.STP != nil {
			bridge.SetAttr("stp", onOff(*f.STP))
		}
		doc.Add(bridge)
	} else if f.STP != nil {
		doc.Add(libvirt.New("bridge", "", "stp", onOff(*f.STP)))
	}
	if f.MTU > 0 {
		doc.Add(libvirt.New("mtu", "", "size", strconv.Itoa(f.MTU)))
	}
	if f.MAC != "" {
		doc.Add(libvirt.New("mac", "", "address", f.MAC))
	}
	if f.Domain != "" {
		doc.Add(libvirt.New("domain", "", "name", f.Domain))
	}
	if mode == "ovs" {
		doc.Add(libvirt.New("virtualport", "", "type", "openvswitch"))
	}
	doc.Add(f.DNS.build())
	for _, one := range []struct {
		ip     NetIP
		arg    string
		family string
	}{{f.IPv4, "ipv4", ""}, {f.IPv6, "ipv6", "ipv6"}} {
		ip, err := one.ip.build(one.arg, one.family)
		if err != nil {
			return nil, err
		}
		doc.Add(ip)
	}
	for _, r := range f.Routes {
		route, err := r.build()
		if err != nil {
			return nil, err
		}
		doc.Add(route)
	}
	for _, g := range f.Portgroups {
		group, err := g.build()
		if err != nil {
			return nil, err
		}
		doc.Add(group)
	}
	return doc, nil
}

// check refuses what does not go together.
func (f NetFields) check(mode NetMode) error {
	foreign := mode == "bridge" || mode == "ovs" || mode == "direct" || mode == "hostdev"
	switch {
	case (mode == "bridge" || mode == "ovs") && f.Bridge == "":
		return fmt.Errorf("mode %s needs bridge: the one that guests are plugged into", mode)
	case mode == "direct" && f.ForwardDev == "":
		return errors.New("mode direct needs forward_dev: the interface that guests share")
	case mode == "hostdev" && f.ForwardDev == "":
		return errors.New("mode hostdev needs forward_dev: the card whose virtual functions guests get")
	case mode == "hostdev" && f.Bridge != "":
		return &modules.ArgError{Path: []any{"bridge"}, Msg: "mode hostdev has no bridge: guests get a function of the card"}
	case foreign && (f.IPv4.Address != "" || f.IPv6.Address != ""):
		return fmt.Errorf("mode %s has no addresses: libvirt gives none on a network that it did not make", mode)
	case f.NATPorts != "" && mode != "nat":
		return fmt.Errorf("nat_ports go with mode nat, not %s", mode)
	case f.NATPorts != "" && !natPorts.MatchString(f.NATPorts):
		return &modules.ArgError{Path: []any{"nat_ports"}, Msg: "nat_ports must be FIRST-LAST, not " + f.NATPorts}
	case len(f.Bridge) > 15:
		return &modules.ArgError{Path: []any{"bridge"}, Msg: "bridge has " + strconv.Itoa(len(f.Bridge)) + " characters; the name of an interface has 15 at most"}
	}
	if f.MAC != "" {
		if _, err := libvirt.ParseMAC(f.MAC); err != nil {
			return &modules.ArgError{Path: []any{"mac"}, Msg: "mac " + err.Error()}
		}
	}
	return nil
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func (f NetFields) forward(mode NetMode) *libvirt.Node {
	switch mode {
	case "isolated":
		return nil
	case "ovs":
		mode = "bridge"
	case "direct":
		return libvirt.New("forward", "", "mode", "bridge").Add(libvirt.New("interface", "", "dev", f.ForwardDev))
	}
	if mode == "hostdev" {
		return libvirt.New("forward", "", "mode", "hostdev", "managed", "yes").Add(libvirt.New("pf", "", "dev", f.ForwardDev))
	}
	n := libvirt.New("forward", "", "mode", string(mode), "dev", f.ForwardDev)
	if m := natPorts.FindStringSubmatch(f.NATPorts); m != nil {
		n.Add(libvirt.New("nat", "").Add(libvirt.New("port", "", "start", m[1], "end", m[2])))
	}
	return n
}

func (d NetDNS) build() *libvirt.Node {
	if d.Enable == nil && len(d.Forwarders)+len(d.Hosts) == 0 {
		return nil
	}
	n := libvirt.New("dns", "")
	if d.Enable != nil {
		n.SetAttr("enable", map[bool]string{true: "yes", false: "no"}[*d.Enable])
	}
	for _, f := range d.Forwarders {
		n.Add(libvirt.New("forwarder", "", "addr", f))
	}
	for _, h := range d.Hosts {
		host := libvirt.New("host", "", "ip", h.IP)
		for _, name := range h.Names {
			host.Add(libvirt.New("hostname", name))
		}
		n.Add(host)
	}
	return n
}

// build makes <ip>, nil when there is no address.
func (i NetIP) build(arg, family string) (*libvirt.Node, error) {
	bad := func(format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: arg + ": " + fmt.Sprintf(format, args...)}
	}
	if i.Address == "" {
		if i.Prefix != 0 || len(i.DHCP.Ranges)+len(i.DHCP.Hosts) > 0 {
			return nil, bad("address is missing")
		}
		return nil, nil
	}
	text := i.Address
	if !strings.Contains(text, "/") {
		text += "/" + strconv.Itoa(i.Prefix)
	}
	net, err := netip.ParsePrefix(text)
	if err != nil || net.Addr().Is4() != (family == "") {
		return nil, bad("%s with prefix %d is no address of the host with its network", i.Address, i.Prefix)
	}
	n := libvirt.New("ip", "", "family", family, "address", net.Addr().String(), "prefix", strconv.Itoa(net.Bits()))
	dhcp, err := i.DHCP.build(net)
	if err != nil {
		return nil, bad("%s", err)
	}
	return n.Add(dhcp), nil
}

// build makes <dhcp>, nil when there is nothing in it.
func (d NetDHCP) build(net netip.Prefix) (*libvirt.Node, error) {
	n := libvirt.New("dhcp", "")
	for _, r := range d.Ranges {
		from, to, ok := strings.Cut(r, "-")
		a, err1 := netip.ParseAddr(strings.TrimSpace(from))
		z, err2 := netip.ParseAddr(strings.TrimSpace(to))
		switch {
		case !ok || err1 != nil || err2 != nil || z.Less(a):
			return nil, fmt.Errorf("range %q must be FIRST-LAST", r)
		case !net.Contains(a) || !net.Contains(z):
			return nil, fmt.Errorf("range %s is not within %s", r, net.Masked())
		}
		one := libvirt.New("range", "", "start", a.String(), "end", z.String())
		if d.Lease > 0 {
			one.Add(libvirt.New("lease", "", "expiry", strconv.Itoa(int(d.Lease.Seconds())), "unit", "seconds"))
		}
		n.Add(one)
	}
	macs, ips := map[string]bool{}, map[netip.Addr]bool{}
	for _, h := range d.Hosts {
		ip, err := netip.ParseAddr(h.IP)
		switch {
		case err != nil || !net.Contains(ip):
			return nil, fmt.Errorf("the reservation of %s is not within %s", h.IP, net.Masked())
		case ips[ip]:
			return nil, fmt.Errorf("%s is reserved twice", ip)
		case h.MAC == "" && h.Name == "":
			return nil, fmt.Errorf("the reservation of %s has neither mac nor name", ip)
		}
		ips[ip] = true
		mac := ""
		if h.MAC != "" {
			if mac, err = libvirt.ParseMAC(h.MAC); err != nil {
				return nil, fmt.Errorf("mac %w", err)
			}
			if macs[mac] {
				return nil, fmt.Errorf("%s has two reservations", mac)
			}
			macs[mac] = true
		}
		n.Add(libvirt.New("host", "", "mac", mac, "name", h.Name, "ip", ip.String()))
	}
	if d.BootFile != "" {
		n.Add(libvirt.New("bootp", "", "file", d.BootFile, "server", d.BootServer))
	}
	if len(n.Nodes) == 0 {
		return nil, nil
	}
	return n, nil
}

func (r NetRoute) build() (*libvirt.Node, error) {
	net, err := netip.ParsePrefix(r.Address + "/" + strconv.Itoa(r.Prefix))
	gateway, err2 := netip.ParseAddr(r.Gateway)
	if err != nil || err2 != nil || net != net.Masked() || net.Addr().Is4() != gateway.Is4() {
		return nil, &modules.ArgError{Path: []any{"routes"}, Msg: fmt.Sprintf("routes: %s/%d by way of %s is no route", r.Address, r.Prefix, r.Gateway)}
	}
	n := libvirt.New("route", "", "address", r.Address, "prefix", strconv.Itoa(r.Prefix), "gateway", r.Gateway)
	if !net.Addr().Is4() {
		n.SetAttr("family", "ipv6")
	}
	if r.Metric > 0 {
		n.SetAttr("metric", strconv.Itoa(r.Metric))
	}
	return n, nil
}

func (g NetPortgroup) build() (*libvirt.Node, error) {
	n := libvirt.New("portgroup", "", "name", g.Name)
	if g.Default {
		n.SetAttr("default", "yes")
	}
	if len(g.VLANs) == 0 {
		return n, nil
	}
	vlan := libvirt.New("vlan", "")
	if len(g.VLANs) > 1 {
		vlan.SetAttr("trunk", "yes")
	}
	for _, id := range g.VLANs {
		if id < 1 || id > 4094 {
			return nil, &modules.ArgError{Path: []any{"portgroups"}, Msg: fmt.Sprintf("portgroups: %s: VLAN %d is not within 1 to 4094", g.Name, id)}
		}
		vlan.Add(libvirt.New("tag", "", "id", strconv.Itoa(id)))
	}
	return n.Add(vlan), nil
}
