//go:build integration

package integration

import (
	"os"
	"path/filepath"
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
	if err := os.WriteFile(filepath.Join(v.dir, "srv", "button.img"), guestImage(), 0o644); err != nil {
		t.Fatal(err)
	}
	v.virsh("define", v.write("d.xml", `<domain type='qemu'><name>button</name><memory unit='MiB'>16</memory><os><type machine='pc'>hvm</type></os>
<features><acpi/></features><devices><disk type='file'><driver name='qemu' type='raw'/><source file='/srv/button.img'/><target dev='hda' bus='ide'/></disk></devices></domain>`))
	v.virsh("start", "button")
	v.stop()
	v.start()
	if got := strings.TrimSpace(v.virsh("domstate", "button")); got != "running" {
		t.Errorf("after the daemon was restarted the guest is %s", got)
	}
	// The button is pressed until the guest has come to listen.
	if out, code := v.run("sh", "-c", `n=0; until [ "$(virsh -q -c qemu:///system domstate button)" = 'shut off' ]; do
virsh -q -c qemu:///system shutdown button; n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 0.2; done`); code != 0 {
		t.Errorf("the guest does not turn itself off: %s", out)
	}
	v.virsh("net-define", v.write("n.xml", `<network><name>n</name><forward mode='nat'/><bridge name='hvtest0'/>
<ip address='10.99.0.1' prefix='24'><dhcp><range start='10.99.0.10' end='10.99.0.20'/></dhcp></ip></network>`))
	v.virsh("net-start", "n")
	if out, _ := v.run("ip", "-br", "address", "show", "hvtest0"); !strings.Contains(out, "10.99.0.1/24") {
		t.Errorf("the network's bridge: %s", out)
	}
}
