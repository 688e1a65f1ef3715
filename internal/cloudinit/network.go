package cloudinit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/internal/libvirt"
	"gopkg.in/yaml.v3"
)

// network checks a network-config.
type network struct {
	doc   document.Document
	found diag.List
}

func (n *network) wrong(at *yaml.Node, format string, args ...any) {
	n.found.Add(diag.Errorf(n.doc.Pos(at), format, args...))
}

func (n *network) warn(at *yaml.Node, format string, args ...any) {
	n.found.Add(warning(n.doc.Pos(at), format, args...))
}

// checkNetwork checks a network-config of version 1 or 2, with or without its key network.
func checkNetwork(f File) diag.List {
	doc, root, found := parse(f)
	n := &network{doc: doc, found: found}
	if root == nil {
		if found.Err() == nil {
			n.wrong(nil, "it is empty")
		}
		return n.found
	}
	if inner := entry(root, "network"); inner != nil {
		root = inner
	}
	version := entry(root, "version")
	switch {
	case root.Kind == yaml.MappingNode && entry(root, "config") != nil && entry(root, "config").Value == "disabled":
	case version == nil:
		n.wrong(root, "network-config has no version: 1 or 2")
	case version.Value == "1":
		n.first(root)
	case version.Value == "2":
		n.second(root)
	default:
		n.wrong(version, "network-config version %q is neither 1 nor 2", version.Value)
	}
	return n.found
}

// entry gives the value of a mapping's key, nil when there is none.
func entry(n *yaml.Node, name string) *yaml.Node {
	for _, e := range document.Entries(n) {
		if e.Name == name {
			return e.Val
		}
	}
	return nil
}

// The words of version 1.
const (
	firstTypes  = "physical bond bridge vlan nameserver route loopback infiniband"
	subnetTypes = "dhcp dhcp4 dhcp6 static static6 manual ipv6_dhcpv6-stateful ipv6_dhcpv6-stateless ipv6_slaac"
)

func (n *network) first(root *yaml.Node) {
	config := entry(root, "config")
	if config == nil || config.Kind != yaml.SequenceNode {
		n.wrong(root, "network-config version 1 has its interfaces in a list named config")
		return
	}
	for _, item := range document.Items(config) {
		kind := entry(item, "type")
		if kind == nil {
			n.wrong(item, "it has no type: %s", strings.ReplaceAll(firstTypes, " ", ", "))
			continue
		}
		if !n.word(kind, "type", firstTypes) {
			continue
		}
		needs := map[string][]string{
			"physical": {"name"}, "bond": {"name", "bond_interfaces"}, "bridge": {"name", "bridge_interfaces"},
			"vlan": {"name", "vlan_link", "vlan_id"}, "nameserver": {"address"}, "route": {"destination", "gateway"}, "infiniband": {"name"},
		}
		for _, key := range needs[kind.Value] {
			if entry(item, key) == nil {
				n.wrong(item, "type %s needs %s", kind.Value, key)
			}
		}
		n.mac(entry(item, "mac_address"))
		n.vlan(entry(item, "vlan_id"))
		for _, subnet := range document.Items(entry(item, "subnets")) {
			n.subnet(subnet)
		}
	}
}

func (n *network) subnet(s *yaml.Node) {
	kind := entry(s, "type")
	if kind == nil {
		n.wrong(s, "the subnet has no type: %s", strings.ReplaceAll(subnetTypes, " ", ", "))
		return
	}
	if !n.word(kind, "type", subnetTypes) || kind.Value != "static" && kind.Value != "static6" {
		return
	}
	at := entry(s, "address")
	if at == nil {
		n.wrong(s, "a subnet of type %s needs address", kind.Value)
		return
	}
	if _, err := netip.ParseAddr(at.Value); err == nil {
		if entry(s, "netmask") == nil && entry(s, "prefix") == nil {
			n.wrong(at, "address %s has no prefix, and there is no netmask", at.Value)
		}
	} else {
		n.prefix(at)
	}
	n.address(entry(s, "gateway"), "gateway")
}

// word reports whether a text is one of the words, and tells when it is not.
func (n *network) word(at *yaml.Node, what, words string) bool {
	list := strings.Fields(words)
	if slices.Contains(list, at.Value) {
		return true
	}
	e := diag.Errorf(n.doc.Pos(at), "%s %q is none of %s", what, at.Value, strings.Join(list, ", "))
	if near := diag.Near(at.Value, list); near != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	n.found.Add(e)
	return false
}

func (n *network) address(at *yaml.Node, what string) {
	if at == nil {
		return
	}
	if _, err := netip.ParseAddr(at.Value); err != nil {
		n.wrong(at, "%s must be an IP address, not %q", what, at.Value)
	}
}

func (n *network) prefix(at *yaml.Node) {
	if _, err := netip.ParsePrefix(at.Value); err != nil {
		n.wrong(at, "an address is written with its prefix, such as 192.0.2.5/24, not %q", at.Value)
	}
}

func (n *network) mac(at *yaml.Node) {
	if at == nil {
		return
	}
	if _, err := libvirt.ParseMAC(at.Value); err != nil {
		n.wrong(at, "%v", err)
	}
}

func (n *network) vlan(at *yaml.Node) {
	if at == nil {
		return
	}
	var id int
	if err := at.Decode(&id); err != nil || id < 0 || id > 4094 {
		n.wrong(at, "VLAN %s is not within 0 to 4094", at.Value)
	}
}

// The words of version 2, which are netplan's.
const (
	secondKeys = "version renderer ethernets bonds bridges vlans wifis tunnels"
	deviceKeys = "match set-name wakeonlan addresses dhcp4 dhcp6 dhcp4-overrides dhcp6-overrides gateway4 gateway6 nameservers routes macaddress mtu " +
		"optional renderer interfaces parameters id link accept-ra access-points routing-policy critical dhcp-identifier link-local ipv6-privacy emit-lldp auth " +
		"activation-mode ignore-carrier openvswitch optional-addresses virtual-function-count infiniband-mode"
)

func (n *network) second(root *yaml.Node) {
	n.known(root, "network-config version 2", secondKeys)
	for _, group := range []string{"ethernets", "bonds", "bridges", "vlans"} {
		for _, dev := range document.Entries(entry(root, group)) {
			if dev.Name == "renderer" || dev.Val.Kind != yaml.MappingNode {
				continue
			}
			n.device(group, dev)
		}
	}
}

// known warns of keys that there are not.
func (n *network) known(at *yaml.Node, where, words string) {
	list := strings.Fields(words)
	for _, e := range document.Entries(at) {
		if slices.Contains(list, e.Name) {
			continue
		}
		unknown := warning(n.doc.Pos(e.Key), "cloud-init does not know %q in %s", e.Name, where)
		if near := diag.Near(e.Name, list); near != "" {
			unknown.Hint = fmt.Sprintf("did you mean %q?", near)
		}
		n.found.Add(unknown)
	}
}

func (n *network) device(group string, dev document.Entry) {
	d := dev.Val
	n.known(d, dev.Name, deviceKeys)
	if mac := entry(entry(d, "match"), "macaddress"); mac != nil {
		n.mac(mac)
		if strings.ToLower(mac.Value) != mac.Value {
			n.wrong(mac, "match: macaddress %s must be in lower case: cloud-init compares it as text", mac.Value)
		}
	}
	n.mac(entry(d, "macaddress"))
	n.vlan(entry(d, "id"))
	for _, at := range document.Items(entry(d, "addresses")) {
		if at.Kind == yaml.ScalarNode {
			n.prefix(at)
		}
	}
	for _, old := range []string{"gateway4", "gateway6"} {
		if at := entry(d, old); at != nil {
			n.address(at, old)
			n.warn(at, "%s is deprecated: write routes: [{to: default, via: %s}]", old, at.Value)
		}
	}
	for _, at := range document.Items(entry(entry(d, "nameservers"), "addresses")) {
		n.address(at, "a name server")
	}
	needs := map[string][]string{"bonds": {"interfaces"}, "vlans": {"id", "link"}}
	for _, key := range needs[group] {
		if entry(d, key) == nil {
			n.wrong(dev.Key, "%s in %s needs %s", dev.Name, group, key)
		}
	}
}
