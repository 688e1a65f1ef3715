//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestNetWhileItRuns changes a network that runs: reservations and names at once, an address only by a restart that plugs guests in again.
func TestNetWhileItRuns(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	play := func(args string) (string, int) {
		return v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_net: {name: lab, bridge: hvlab0, "+args+"}\n"), bin, "play")
	}
	step := func(args, recap string, wants ...string) {
		t.Helper()
		if out, code := play(args); code != 0 || !strings.Contains(out, recap) {
			t.Fatalf("%s: ended with %d, want %s:\n%s", args, code, recap, out)
		}
		if out, code := play(args); code != 0 || !strings.Contains(out, "changed=0") {
			t.Fatalf("%s again: ended with %d:\n%s", args, code, out)
		}
		live, config := v.virsh("net-dumpxml", "lab"), v.virsh("net-dumpxml", "lab", "--inactive")
		for _, want := range wants {
			without, is := strings.CutPrefix(want, "!")
			for which, xml := range map[string]string{"running": live, "stored": config} {
				if strings.Contains(xml, without) == is {
					t.Errorf("%s: %s in the %s definition:\n%s", args, want, which, xml)
				}
			}
		}
	}
	const ip = "ipv4: {address: 10.77.0.1, prefix: 24, dhcp: {ranges: [10.77.0.100-10.77.0.200], hosts: ["
	const one, two = "{mac: '52:54:00:AB:00:01', ip: 10.77.0.2, name: one}", "{mac: '52:54:00:ab:00:02', ip: 10.77.0.3}"
	step("state: active, "+ip+one+"]}}", "changed=1", "52:54:00:ab:00:01")
	step("state: active, "+ip+one+", "+two+"]}}", "changed=1", "10.77.0.3")
	step("state: active, "+ip+two+"]}}", "changed=1", "!host mac='52:54:00:AB:00:01'", "!name='one'") // what we no longer want and made ourselves goes
	v.virsh("net-update", "lab", "add-last", "ip-dhcp-host", "<host mac='52:54:00:ab:00:09' ip='10.77.0.9'/>", "--live", "--config")
	step("state: active, "+ip+two+"]}}", "changed=0", "10.77.0.9") // what others made stays
	step("state: active, dhcp_hosts_mode: exact, "+ip+two+"]}}", "changed=1", "!10.77.0.9")
	step("state: active, dns: {hosts: [{ip: 10.77.0.5, names: [five]}]}, "+ip+two+"]}}", "changed=1", "<hostname>five</hostname>")
	step("state: active, dns: {hosts: [{ip: 10.77.0.5, names: [funf]}]}, "+ip+two+"]}}", "changed=1", "<hostname>funf</hostname>", "!>five<")
	step("state: active, portgroups: [{name: g}], "+ip+two+"]}}", "changed=1", `portgroup name='g'`, "!funf")
	v.virsh("net-update", "lab", "delete", "ip-dhcp-host", "<host mac='52:54:00:ab:00:02' ip='10.77.0.3'/>", "--live")
	step("state: active, "+ip+two+"]}}", "changed=1", "10.77.0.3") // gone from the running definition only

	// A guest is plugged in while the address changes.
	v.virsh("define", v.write("d.xml", `<domain type='qemu'><name>g</name><memory unit='MiB'>16</memory><os><type>hvm</type></os>
<devices><interface type='network'><source network='lab'/></interface></devices></domain>`))
	v.virsh("start", "g")
	const moved = "ipv4: {address: 10.88.0.1, prefix: 24}"
	if out, code := play("state: active, " + moved); code == 0 || !strings.Contains(out, "network lab runs, and it must be stopped and started for a change of ip[10.88.0.1]") {
		t.Errorf("the address of a running network: ended with %d:\n%s", code, out)
	}
	if out := v.virsh("net-dumpxml", "lab", "--inactive"); !strings.Contains(out, "10.77.0.1") {
		t.Errorf("what was refused was done: %s", out)
	}
	if out, code := play("state: active, disrupt: defer, " + moved); code != 0 || !strings.Contains(out, "changed=1") {
		t.Errorf("defer: ended with %d:\n%s", code, out)
	}
	if out := v.virsh("net-dumpxml", "lab"); !strings.Contains(out, "10.77.0.1") {
		t.Errorf("what was to wait was done: %s", out)
	}
	step("state: active, disrupt: restart, "+moved, "changed=1", "10.88.0.1", "!10.77.0.1")
	if out, _ := v.run("ls", "/sys/class/net/hvlab0/brif"); !strings.Contains(out, "vnet") {
		t.Errorf("the guest is unplugged: %s", out)
	}
	if out, code := v.run("virsh", "-c", "qemu:///system", "net-dumpxml", "lab", "--inactive"); code != 0 || !strings.Contains(out, "hostler:applied") {
		t.Errorf("the record: %s", out)
	}
}

// TestNetLease lets go of a lease when the reservation of its guest changes: the guest gets the new address when it asks again.
func TestNetLease(t *testing.T) {
	v := startHypervisor(t)
	step, _ := v.steps(hostlerBinary(t), "virt_net: {name: lab, bridge: hvlab0, mode: isolated, state: active, ipv4: {address: 10.77.0.1, prefix: 24, dhcp: {ranges: [10.77.0.100-10.77.0.200], ")
	ask := func(want string) {
		t.Helper()
		if out, code := v.run("busybox", "udhcpc", "-i", "guest0", "-n", "-q", "-f", "-s", "/bin/true"); code != 0 || !strings.Contains(out, "lease of "+want+" obtained") {
			t.Errorf("the guest asked: %d, want %s: %s", code, want, out)
		}
	}
	step("hosts: [{mac: '52:54:00:AB:00:01', ip: 10.77.0.2}]}}", "changed=1")
	if out, code := v.run("sh", "-c", "ip link add guest0 address 52:54:00:ab:00:01 type veth peer name plug0 && ip link set plug0 master hvlab0 up && ip link set guest0 up"); code != 0 {
		t.Fatalf("plug a guest in: %s", out)
	}
	ask("10.77.0.2")
	step("hosts: [{mac: '52:54:00:AB:00:01', ip: 10.77.0.3}]}}, release_leases: true", "changed=1")
	if out := v.virsh("net-dhcp-leases", "lab"); strings.Contains(out, "10.77.0.2/") {
		t.Errorf("the old lease is there: %s", out)
	}
	ask("10.77.0.3")
	step("hosts: [{mac: '52:54:00:AB:00:02', ip: 10.77.0.3}], }, }, dhcp_hosts_mode: exact, release_leases: true", "changed=1")
	if out := v.virsh("net-dhcp-leases", "lab"); strings.Contains(out, "10.77.0.3/") {
		t.Errorf("the address that another guest is to have is lent: %s", out)
	}
}
