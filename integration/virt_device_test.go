//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestVirtDevice plugs devices into a domain that runs and into one that is off, and takes them out again.
func TestVirtDevice(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	step, refused := v.steps(bin, "virt_device: {domain: m, ")
	v.virsh("define", v.buttonGuest("m"))
	if out, code := v.run("sh", "-c", "truncate -s 1M /srv/a.img /srv/b.img /srv/a.iso && qemu-img create -q -f qcow2 /srv/q.qcow2 1M"); code != 0 {
		t.Fatal(out)
	}
	v.virsh("net-define", v.write("n.xml", "<network><name>lab</name><bridge name='hvlab0'/><ip address='10.77.0.1' prefix='24'/></network>"))
	v.virsh("net-start", "lab")
	// has holds which of the two definitions have a text: l the running one, c the stored one.
	has := func(what, text, where string) {
		t.Helper()
		got := ""
		if out, code := v.run("virsh", "-q", "-c", "qemu:///system", "domid", "m"); code == 0 && strings.TrimSpace(out) != "-" && strings.Contains(v.virsh("dumpxml", "m"), text) {
			got = "l"
		}
		if strings.Contains(v.virsh("dumpxml", "m", "--inactive"), text) {
			got += "c"
		}
		if got != where {
			t.Errorf("%s: %q is in %q, wanted %q", what, text, got, where)
		}
	}
	const one = "changed=1"
	step("type: cdrom, target: hdc, source: /srv/a.iso", one)
	has("off", "/srv/a.iso", "c")
	refused("type: disk, target: vdb, source: /srv/a.img, config: false", "domain m is shut off: with config: false there is nothing to change")
	v.virsh("start", "m")
	v.listens("m")
	step("type: cdrom, target: hdc", one)
	has("ejected", "/srv/a.iso", "")
	step("type: cdrom, target: hdc, source: /srv/a.iso", one)
	has("inserted", "/srv/a.iso", "lc")
	refused("type: cdrom, target: hdd, source: /srv/a.iso", "domain m runs, and QEMU neither attaches nor detaches cdrom hdd while it does: live: false")
	step("type: disk, target: vdb, source: /srv/a.img, serial: data-1", one)
	has("disk", "<serial>data-1</serial>", "lc")
	step("type: disk, target: vdc, source: /srv/q.qcow2, config: false", one)
	has("live only", "/srv/q.qcow2", "l")
	step("type: disk, target: sda, source: /srv/b.img", one)
	has("with a controller", "/srv/b.img", "lc")
	refused("type: disk, target: vdd, source: /srv/none.img", "the host has no /srv/none.img")
	step("type: interface, network: lab, model: virtio", one)
	has("interface", "<source network='lab'", "lc")
	live, stored := v.virsh("domiflist", "m"), v.virsh("domiflist", "m", "--inactive")
	mac := strings.Fields(live)[len(strings.Fields(live))-1]
	if !strings.HasSuffix(strings.TrimSpace(stored), mac) {
		t.Errorf("the interface is stored with another address:\n%s\n%s", live, stored)
	}
	step("type: interface, mac: '"+mac+"', link: down", one)
	has("link", "<link state='down'/>", "lc")
	refused("type: channel, target: org.qemu.guest_agent.0", "domain m runs without a controller of type virtio-serial, which QEMU does not take in while it does: live: false")
	step("type: channel, target: org.qemu.guest_agent.0, live: false", one)
	has("channel", "org.qemu.guest_agent.0", "c")
	refused("type: interface, network: none", "network none not found")
	step("type: disk, target: vdb, state: absent", one)
	has("disk", "/srv/a.img", "")
	step("type: disk, target: vdc, state: absent", one)
	step("type: disk, target: sda, state: absent, live: false", one)
	has("stored only", "/srv/b.img", "l")
	step("type: interface, mac: '"+mac+"', state: absent", one)
	has("interface", "<source network='lab'", "")
	v.virsh("destroy", "m")
	v.virsh("start", "m")
	step("type: channel, target: org.qemu.guest_agent.1", one)
	has("channel", "org.qemu.guest_agent.1", "lc")
	step("type: channel, target: org.qemu.guest_agent.0, state: absent", one)
	has("channel", "org.qemu.guest_agent.0", "")
	refused("type: disk, target: hdc, state: absent", "hdc of domain m is a cdrom, not a disk")
	v.virsh("destroy", "m")
	step("type: cdrom, target: hdc, state: absent", one)
	has("cdrom", "/srv/a.iso", "")
	if out, code := v.play(v.write("none.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_device: {domain: none, type: disk, target: vdb, state: absent}\n"), bin, "play"); code != 0 ||
		!strings.Contains(out, "changed=0") {
		t.Errorf("of no domain: ended with %d:\n%s", code, out)
	}
	// A guest without a system lets nothing go.
	v.virsh("create", v.write("deaf.xml", `<domain type='qemu'><name>deaf</name><memory unit='MiB'>16</memory><os><type machine='pc'>hvm</type></os><features><acpi/></features><devices>
<disk type='file'><driver name='qemu' type='raw'/><source file='/srv/a.img'/><target dev='vdb' bus='virtio'/></disk></devices></domain>`))
	if out, code := v.play(v.write("deaf.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_device: {domain: deaf, type: disk, target: vdb, state: absent, timeout: 1}\n"), bin, "play"); code == 0 ||
		!strings.Contains(out, "detach disk vdb from domain deaf: the guest did not release the device within 1 seconds") {
		t.Errorf("a guest that does not take part: ended with %d:\n%s", code, out)
	}
}
