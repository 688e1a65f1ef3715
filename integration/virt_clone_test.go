//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestVirtClone clones domains by libvirt and QEMU, and holds that nothing half-made remains where that fails.
func TestVirtClone(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.diskGuest("s", "vda=qcow2 vdb=raw")
	v.diskGuest("other", "vda=qcow2")
	v.virsh("attach-device", "s", "--config", "--file", v.write("nic.xml", "<interface type='user'/>"))
	v.virsh("attach-device", "s", "--config", "--file", v.write("nic.xml", "<interface type='user'><mac address='52:54:00:aa:00:01'/></interface>"))
	v.virsh("attach-device", "other", "--config", "--file", v.write("nic.xml", "<interface type='user'><mac address='52:54:00:aa:00:02'/></interface>"))
	v.inside(`qemu-io -f qcow2 -c 'write -P 7 0 3M' /srv/s-vda.qcow2 && mkdir /run/small /run/fake && mount -t tmpfs -o size=1m small /run/small && mount --bind /run/fake /usr/local/bin`)
	plain := "virt_clone: {source: s, name: c, reset_identity: false"

	v.tasks(bin, thrice(plain+", mac: ['52:54:00:AA:00:09']}")+`
    - assert: {that: ["done.domain.macs[0] == '52:54:00:aa:00:09'", "done.domain.macs | unique | length == 2", "done.domain.disks.vda == '/srv/c-vda.qcow2'", "done.domain.disks.vdb == '/srv/c-vdb.raw'"]}
    - command: qemu-img compare /srv/s-vda.qcow2 /srv/c-vda.qcow2
    - stat: {path: /srv/c-vda.qcow2}
      register: image
    - assert: {that: [image.stat.mode == '0600']}
`+thrice(plain+", start: true}"), "")
	if strings.TrimSpace(v.virsh("domuuid", "s")) == strings.TrimSpace(v.virsh("domuuid", "c")) {
		t.Error("the clone has the source's UUID")
	}

	before := v.inside("ls /srv; virsh -q list --all --name")
	for _, c := range []struct{ task, want string }{
		{"virt_clone: {source: nope, name: d}", "virtual machine nope not found"},
		{"virt_clone: {source: s, name: d}", "the host has no program virt-sysprep, which reset_identity needs; it comes with the package guestfs-tools; reset_identity: false leaves the guest as it is"},
		{"virt_clone: {source: s, name: d, reset_identity: false, mac: ['52:54:00:aa:00:02']}", "MAC address 52:54:00:aa:00:02 is domain other's already"},
		{"virt_clone: {source: other, name: d, reset_identity: false, mac: ['52:54:00:aa:00:07', '52:54:00:aa:00:08']}", "2 MAC addresses are given, and domain other has 1 interfaces"},
		{"virt_clone: {source: c, name: d, reset_identity: false}", "domain c is running: a copy of its disks would be of no one moment, shut it down first (virt: state: shutdown)"},
		{"virt_clone: {source: s, name: other-vda.qcow2, reset_identity: false, dir: /nowhere}", "clone domain s as other-vda.qcow2: /nowhere/other-vda.qcow2-vda.qcow2 cannot be made: is its folder there, and nothing in its place?"},
		{"virt_clone: {source: s, name: d, reset_identity: false, dir: /run/small}", "No space left on device"},
	} {
		v.tasks(bin, "    - "+c.task, c.want)
	}
	v.virsh("suspend", "c")
	v.tasks(bin, "    - virt_clone: {source: c, name: d, reset_identity: false}", "domain c is paused: a copy of its disks")
	v.virsh("managedsave", "c")
	v.tasks(bin, "    - virt_clone: {source: c, name: d, reset_identity: false}", "domain c has its memory saved, and its disks are as in the middle of work")
	v.inside("printf '#!/bin/sh\\necho \"$@\" >/run/fake/asked; echo no appliance >&2; exit 1\\n' >/run/fake/virt-sysprep; chmod +x /run/fake/virt-sysprep; : >/srv/e-vdb.raw")
	v.tasks(bin, "    - virt_clone: {source: s, name: d}", "clone domain s as d: no appliance")
	v.tasks(bin, "    - virt_clone: {source: s, name: e}", "file /srv/e-vdb.raw is there already, so nothing is copied (another name or dir avoids it)")
	v.inside("rm /srv/e-vdb.raw")
	if after := v.inside("ls /srv; virsh -q list --all --name"); after != before {
		t.Errorf("files and domains were\n%s\nand are\n%s", before, after)
	}
	if left := v.inside("ls /run/small"); left != "" {
		t.Errorf("left where there was no room: %s", left)
	}
	v.inside("printf '#!/bin/sh\\necho \"$@\" >/run/fake/asked\\n' >/run/fake/virt-sysprep")
	v.tasks(bin, thrice("virt_clone: {source: s, name: d}"), "")
	if asked := v.inside("cat /run/fake/asked"); !strings.Contains(asked, "-d d --operations machine-id,ssh-hostkeys,") {
		t.Errorf("virt-sysprep was asked %q", asked)
	}
}

// inside runs a script inside, which must succeed, and gives what it printed.
func (v *hypervisor) inside(script string) string {
	v.t.Helper()
	out, code := v.run("sh", "-ec", script)
	if code != 0 {
		v.t.Fatalf("%s: %s", script, out)
	}
	return out
}
