//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestWaitForGuests waits for a guest whose address the host's ARP table knows, and for something that listens there; what never comes is told of.
func TestWaitForGuests(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	play := func(args string) (string, int) {
		return v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - vm_wait: {"+args+"}\n      register: r\n    - debug: {var: r.vms}\n"), bin, "play")
	}
	v.virsh("net-define", v.write("n.xml", "<network><name>lab</name><bridge name='hvlab0'/><ip address='10.77.0.1' prefix='24'/></network>"))
	v.virsh("net-start", "lab")
	v.virsh("define", v.write("d.xml", `<domain type='qemu'><name>g</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>
<interface type='network'><mac address='52:54:00:AB:00:01'/><source network='lab'/></interface></devices></domain>`))
	if out, code := play("name: g, timeout: 1s, interval: 1s"); code == 0 || !strings.Contains(out, "g: no running after 1 s: shut off, no address") {
		t.Errorf("a guest that is off: ended with %d:\n%s", code, out)
	}
	v.virsh("start", "g")
	if out, code := play("name: g"); code != 0 {
		t.Errorf("a guest that runs: ended with %d:\n%s", code, out)
	}
	if out, code := play("names: [g, gone], for: [ip], timeout: 1s, interval: 1s"); code == 0 ||
		!strings.Contains(out, "g: no ip after 1 s: running, no address; gone: no ip after 1 s: absent, no address") {
		t.Errorf("guests without an address: ended with %d:\n%s", code, out)
	}
	// The guest has no system; the host itself answers in its place, under an address that the ARP table gives for it.
	if out, code := v.run("sh", "-c", `ip address add 10.77.0.9/32 dev lo && ip neigh replace 10.77.0.9 lladdr 52:54:00:ab:00:01 nud permanent dev hvlab0`); code != 0 {
		t.Fatalf("neighbour: %s", out)
	}
	if out, code := play("name: g, for: [ip], cidr: 10.77.0.0/24, timeout: 60s"); code != 0 || !strings.Contains(out, "10.77.0.9") {
		t.Errorf("a guest with an address: ended with %d:\n%s", code, out)
	}
	listener := v.command("python3", "-c", `import socket
s = socket.create_server(("10.77.0.9", 2222)); print("listening", flush=True)
while True:
    c, _ = s.accept(); c.close()`)
	said, err := listener.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Process.Kill(); _ = listener.Wait() }()
	if _, err := said.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if out, code := play("name: g, for: ['port:2222'], timeout: 60s"); code != 0 {
		t.Errorf("something that listens: ended with %d:\n%s", code, out)
	}
	if out, code := play("name: g, for: ['port:2223'], timeout: 1s, interval: 1s"); code == 0 || !strings.Contains(out, "g: no port:2223 after 1 s: running, 10.77.0.9") {
		t.Errorf("nothing that listens: ended with %d:\n%s", code, out)
	}
}
