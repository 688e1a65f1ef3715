package virt

import (
	"net/netip"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// lease is an address that a network lends.
type lease struct{ mac, ip string }

// parseLeases reads what is in the table of net-dhcp-leases about IPv4.
func parseLeases(text string) []lease {
	var all []lease
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 7 && f[3] == "ipv4" {
			ip, _, _ := strings.Cut(f[4], "/")
			all = append(all, lease{f[2], ip})
		}
	}
	return all
}

// release lets go of the leases that a wanted reservation speaks against: the guest is to have another address, or the address another guest.
func (j *netJob) release(n network) []modules.Action {
	var actions []modules.Action
	for _, l := range n.leases {
		for _, ip := range j.want.All("ip") {
			if against(ip.At("dhcp").All("host"), l) {
				actions = append(actions, modules.Action{
					Why: "let go of the lease of " + l.ip + " to " + l.mac + " in network " + j.Name, Script: releaseScript,
					Args: []string{string(j.URI), j.Name, l.ip, l.mac},
				})
				break
			}
		}
	}
	return actions
}

// against reports whether reservations speak against a lease.
func against(hosts []*libvirt.Node, l lease) bool {
	have, err := netip.ParseAddr(l.ip)
	if err != nil {
		return false
	}
	for _, h := range hosts {
		want, err := netip.ParseAddr(h.Attr("ip"))
		mac := h.Attr("mac")
		if err != nil || mac == "" || !want.Is4() {
			continue
		}
		if strings.EqualFold(mac, l.mac) != (want == have) {
			return true
		}
	}
	return false
}

// releaseScript: URI, network, address, MAC. dnsmasq hears of it by a packet, and tells libvirt after that.
const releaseScript = `uri=$1 name=$2 ip=$3 mac=$4
v() { virsh -q -c "$uri" "$@"; }
command -v dhcp_release >/dev/null 2>&1 || { echo "the host has no program dhcp_release, which lets go of leases; it comes with the package dnsmasq-utils (Debian, Ubuntu, Alma) or dnsmasq" >&2; exit 1; }
br=$(v net-info --network "$name" | sed -n 's/^Bridge: *//p')
dhcp_release "$br" "$ip" "$mac" || exit 1
n=0
while v net-dhcp-leases --network "$name" --mac "$mac" | grep -F " $ip/" >/dev/null; do
	n=$((n + 1))
	[ $n -lt 20 ] || { echo "dnsmasq does not let go of the lease of $ip to $mac" >&2; exit 1; }
	sleep 0.5 2>/dev/null || sleep 1
done`
