package virt

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestNet(t *testing.T) { moduletest.Run(t, Net, "testdata/net/*.txtar") }

func TestNetMistakes(t *testing.T) {
	ip := func(pairs ...any) *value.Dict {
		return value.NewDict(append([]any{"address", "10.0.0.1", "prefix", 24}, pairs...)...)
	}
	dhcp := func(key string, items ...any) *value.Dict {
		return ip("dhcp", value.NewDict(key, value.NewList(items...)))
	}
	host := func(pairs ...any) *value.Dict { return value.NewDict(pairs...) }
	refuses(t, Net, []mistake{
		{"expected state or command parameter to be specified", []any{"name", "n"}},
		{"state change requires a specified name", []any{"state", "active"}},
		{"command is create but all of the following are missing: name", []any{"command", "create"}},
		{"define requires xml argument", []any{"command", "define", "name", "n"}},
		{"modify requires xml argument", []any{"command", "modify", "name", "n"}},
		{"updating this is not supported yet <bridge/>", []any{"command", "modify", "name", "n", "xml", "<bridge/>"}},
		{"xml: mac must be a MAC address", []any{"command", "modify", "name", "n", "xml", "<host mac='x' ip='10.0.0.2'/>"}},
		{"xml: line 1: the element is <domain>, not <network>", []any{"state", "active", "name", "n", "xml", "<domain/>"}},
		{"does not match name in XML", []any{"state", "active", "name", "n", "xml", "<network><name>m</name></network>"}},
		{"exclusive", []any{"state", "active", "name", "n", "xml", "<network/>", "mode", "nat"}},
		{`name "a;b" is an odd one`, []any{"state", "active", "name", "a;b"}},
		{`name "-n" begins with -`, []any{"state", "absent", "name", "-n"}},
		{"mode bridge needs bridge", []any{"state", "active", "name", "n", "mode", "bridge"}},
		{"mode direct needs forward_dev", []any{"state", "active", "name", "n", "mode", "direct"}},
		{"mode hostdev needs forward_dev: the card", []any{"state", "active", "name", "n", "mode", "hostdev"}},
		{"mode hostdev has no bridge", []any{"state", "active", "name", "n", "mode", "hostdev", "forward_dev", "eth3", "bridge", "br0"}},
		{"mode hostdev has no addresses", []any{"state", "active", "name", "n", "mode", "hostdev", "forward_dev", "eth3", "ipv4", ip()}},
		{"release_leases goes with a definition and its reservations", []any{"state", "active", "name", "n", "release_leases", true}},
		{"mode bridge has no addresses", []any{"state", "active", "name", "n", "mode", "bridge", "bridge", "br0", "ipv4", ip()}},
		{"nat_ports go with mode nat", []any{"state", "active", "name", "n", "mode", "route", "nat_ports", "1-2"}},
		{"nat_ports must be FIRST-LAST", []any{"state", "active", "name", "n", "nat_ports", "1"}},
		{"name of an interface has 15 at most", []any{"state", "active", "name", "n", "bridge", "a-much-too-long-name"}},
		{"one of a group", []any{"state", "active", "name", "n", "mac", "01:00:00:00:00:01"}},
		{"ipv4: 10.0.0.1 with prefix 33", []any{"state", "active", "name", "n", "ipv4", value.NewDict("address", "10.0.0.1", "prefix", 33)}},
		{"ipv4: fd00::1 with prefix 24", []any{"state", "active", "name", "n", "ipv4", value.NewDict("address", "fd00::1", "prefix", 24)}},
		{"ipv4: address is missing", []any{"state", "active", "name", "n", "mode", "nat", "ipv4", value.NewDict("prefix", 24)}},
		{"range 10.0.1.1-10.0.1.9 is not within 10.0.0.0/24", []any{"state", "active", "name", "n", "ipv4", dhcp("ranges", "10.0.1.1-10.0.1.9")}},
		{`range "10.0.0.9-10.0.0.1" must be FIRST-LAST`, []any{"state", "active", "name", "n", "ipv4", dhcp("ranges", "10.0.0.9-10.0.0.1")}},
		{"10.0.0.2 is reserved twice", []any{"state", "active", "name", "n", "ipv4", dhcp("hosts", host("ip", "10.0.0.2", "name", "a"), host("ip", "10.0.0.2", "name", "b"))}},
		{"52:54:00:00:00:01 has two reservations", []any{"state", "active", "name", "n", "ipv4", dhcp("hosts",
			host("ip", "10.0.0.2", "mac", "52:54:00:00:00:01"), host("ip", "10.0.0.3", "mac", "52-54-00-00-00-01"))}},
		{"has neither mac nor name", []any{"state", "active", "name", "n", "ipv4", dhcp("hosts", host("ip", "10.0.0.2"))}},
		{"VLAN 5000 is not within 1 to 4094", []any{"state", "active", "name", "n", "portgroups", value.NewList(value.NewDict("name", "g", "vlans", value.NewList(5000)))}},
		{"is no route", []any{"state", "active", "name", "n", "routes", value.NewList(value.NewDict("address", "10.1.0.1", "prefix", 16, "gateway", "10.0.0.2"))}},
	})
}

// TestNetFields holds the XML that fields make, and that libvirt knows all of it.
func TestNetFields(t *testing.T) {
	yes := true
	doc, err := NetFields{
		Bridge: "br7", NATPorts: "1024-2047", MTU: 1400, Domain: "lab.test", STP: &yes, MAC: "52:54:00:00:00:01",
		IPv4: NetIP{Address: "10.0.0.1", Prefix: 24, DHCP: NetDHCP{
			Ranges: []string{"10.0.0.10-10.0.0.20"}, Lease: time.Hour, BootFile: "pxelinux.0",
			Hosts: []NetHost{{MAC: "52:54:00:AB:00:01", IP: "10.0.0.2", Name: "one"}},
		}},
		IPv6:       NetIP{Address: "fd00::1", Prefix: 64},
		DNS:        NetDNS{Enable: &yes, Forwarders: []string{"9.9.9.9"}, Hosts: []NetName{{IP: "10.0.0.2", Names: []string{"one", "uno"}}}},
		Routes:     []NetRoute{{Address: "10.9.0.0", Prefix: 16, Gateway: "10.0.0.2"}},
		Portgroups: []NetPortgroup{{Name: "dmz", Default: true, VLANs: []int{10, 20}}},
	}.build("lab", "nat")
	if err != nil {
		t.Fatal(err)
	}
	want := `<network>
  <name>lab</name>
  <forward mode="nat">
    <nat>
      <port start="1024" end="2047"/>
    </nat>
  </forward>
  <bridge name="br7" stp="on"/>
  <mtu size="1400"/>
  <mac address="52:54:00:00:00:01"/>
  <domain name="lab.test"/>
  <dns enable="yes">
    <forwarder addr="9.9.9.9"/>
    <host ip="10.0.0.2">
      <hostname>one</hostname>
      <hostname>uno</hostname>
    </host>
  </dns>
  <ip address="10.0.0.1" prefix="24">
    <dhcp>
      <range start="10.0.0.10" end="10.0.0.20">
        <lease expiry="3600" unit="seconds"/>
      </range>
      <host mac="52:54:00:ab:00:01" name="one" ip="10.0.0.2"/>
      <bootp file="pxelinux.0"/>
    </dhcp>
  </ip>
  <ip family="ipv6" address="fd00::1" prefix="64"/>
  <route address="10.9.0.0" prefix="16" gateway="10.0.0.2"/>
  <portgroup name="dmz" default="yes">
    <vlan trunk="yes">
      <tag id="10"/>
      <tag id="20"/>
    </vlan>
  </portgroup>
</network>
`
	if diff := cmp.Diff(want, doc.String()); diff != "" {
		t.Errorf("XML (-want +got):\n%s", diff)
	}
	if problems, _ := libvirt.Unknown(doc, 0); len(problems) > 0 {
		t.Error(problems)
	}
	for mode, part := range map[NetMode]string{
		"isolated": "<name>n</name>\n  <bridge", "route": `<forward mode="route" dev="e0"/>`, "bridge": `<forward mode="bridge" dev="e0"/>`,
		"ovs": `<virtualport type="openvswitch"/>`, "direct": `<interface dev="e0"/>`, "open": `<forward mode="open" dev="e0"/>`,
	} {
		doc, err := NetFields{Bridge: "br0", ForwardDev: "e0"}.build("n", mode)
		if err != nil || !strings.Contains(doc.String(), part) {
			t.Errorf("%s: %v\n%s", mode, err, doc)
		}
	}
}

// TestLeases has what virsh net-dhcp-leases of libvirt 9.0.0 prints.
func TestLeases(t *testing.T) {
	got := leases(` Expiry Time           MAC address         Protocol   IP address       Hostname   Client ID or DUID
---------------------------------------------------------------------------------------------------------
 2026-11-21 16:30:00   52:54:00:ab:00:01   ipv4       10.77.0.2/24     one        01:52:54:00:ab:00:01
 2026-11-21 16:30:01   52:54:00:ab:00:02   ipv6       fd00::9/64       -          -
`, "br7")
	if got.Len() != 2 {
		t.Fatalf("%d leases", got.Len())
	}
	one, two := got.Items[0].(*value.Dict), got.Items[1].(*value.Dict)
	for key, want := range map[string]any{
		"mac": "52:54:00:ab:00:01", "ipaddr": "10.77.0.2", "prefix": 24, "hostname": "one", "type": 0, "iface": "br7", "expirytime": 1795278600,
	} {
		if v, _ := one.Get(key); v != want {
			t.Errorf("%s is %v, want %v", key, v, want)
		}
	}
	if v, _ := two.Get("hostname"); v != nil {
		t.Errorf("the host name that there is none of is %v", v)
	}
}

// TestLeaseAgainstReservation finds leases that a reservation speaks against.
func TestLeaseAgainstReservation(t *testing.T) {
	text := ` Expiry Time           MAC address         Protocol   IP address        Hostname   Client ID or DUID
-------------------------------------------------------------------------------------------------------
 2026-11-21 21:00:00   52:54:00:ab:00:01   ipv4       10.0.0.2/24       one        01:52:54:00:ab:00:01
 2026-11-21 21:00:00   52:54:00:ab:00:02   ipv4       10.0.0.3/24       -          -
 2026-11-21 21:00:00   52:54:00:ab:00:03   ipv4       10.0.0.9/24       -          -
 2026-11-21 21:00:00   52:54:00:ab:00:01   ipv6       fd00::2/64        -          00:01
`
	doc, err := libvirt.ParseRoot("<dhcp><host mac='52:54:00:AB:00:01' ip='10.0.0.2'/><host mac='52:54:00:ab:00:02' ip='10.0.0.9'/><host name='x' ip='10.0.0.3'/></dhcp>", "dhcp")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, l := range parseLeases(text) {
		if against(doc.All("host"), l) {
			got += l.mac + " " + l.ip + "; "
		}
	}
	if want := "52:54:00:ab:00:02 10.0.0.3; 52:54:00:ab:00:03 10.0.0.9; "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
