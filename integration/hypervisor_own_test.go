//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestHypervisor holds what the other tests of the family lean on: the daemon is nobody else's, guests run, obey the power button and
// survive the daemon's end, and networks with DHCP start.
func TestHypervisor(t *testing.T) {
	v := startHypervisor(t)
	if got := v.virsh("list", "--all", "--name") + v.virsh("net-list", "--all", "--name"); strings.TrimSpace(got) != "" {
		t.Errorf("there are objects of somebody else: %s", got)
	}
	v.virsh("define", v.buttonGuest("button"))
	v.virsh("start", "button")
	v.listens("button")
	v.stop()
	v.start()
	if got := strings.TrimSpace(v.virsh("domstate", "button")); got != "running" {
		t.Errorf("after the daemon was restarted the guest is %s", got)
	}
	v.virsh("shutdown", "button")
	if out, code := v.run("sh", "-c", `n=0; until [ "$(virsh -q -c qemu:///system domstate button)" = 'shut off' ]; do
n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 0.2; done`); code != 0 {
		t.Errorf("the guest does not turn itself off: %s", out)
	}
	v.virsh("net-define", v.write("n.xml", `<network><name>n</name><forward mode='nat'/><bridge name='hvtest0'/>
<ip address='10.99.0.1' prefix='24'><dhcp><range start='10.99.0.10' end='10.99.0.20'/></dhcp></ip></network>`))
	v.virsh("net-start", "n")
	if out, _ := v.run("ip", "-br", "address", "show", "hvtest0"); !strings.Contains(out, "10.99.0.1/24") {
		t.Errorf("the network's bridge: %s", out)
	}
}
