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

// TestVirtCloneLinked makes clones on overlays and in pools, and lets libvirt and QEMU start them.
func TestVirtCloneLinked(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.diskGuest("s", "vda=qcow2 vdb=raw")
	v.inside(`qemu-io -f qcow2 -c 'write -P 7 0 3M' /srv/s-vda.qcow2
mkdir /srv/fast /srv/other /run/small
mount -t tmpfs -o size=2m small /run/small
pool() { virsh -q pool-define-as "$1" dir --target "$2"; }
pool fast /srv/fast; virsh -q pool-start fast; pool idle /srv/other; pool small /run/small; virsh -q pool-start small`)
	linked := "virt_clone: {source: s, name: c, reset_identity: false, linked: true"

	v.tasks(bin, "    - "+linked+"}", "domain s is no template, and its disk vda (/srv/s-vda.qcow2) can be written, which would spoil every clone that stands on it: make it a template (virt_template), or the file read-only (mode 0440)")
	v.inside("chmod 0440 /srv/s-vda.qcow2 /srv/s-vdb.raw; sha256sum /srv/s-* >/root/sums")
	v.tasks(bin, thrice(linked+", disks: {vda: {pool: fast, name: web.qcow2}, vdb: {path: /srv/other/vdb.qcow2}}}")+`
    - assert: {that: ["done.domain.disks.vda == '/srv/fast/web.qcow2'", "done.domain.disks.vdb == '/srv/other/vdb.qcow2'"]}
    - command: virsh -q vol-info --pool fast web.qcow2
    - command: qemu-img compare /srv/s-vda.qcow2 /srv/fast/web.qcow2
    - command: qemu-img compare -f raw -F qcow2 /srv/s-vdb.raw /srv/other/vdb.qcow2
    - shell: qemu-img info /srv/other/vdb.qcow2 | grep -x 'backing file. /srv/s-vdb.raw' && qemu-img info /srv/other/vdb.qcow2 | grep -x 'backing file format. raw'
`+thrice(linked+", start: true}"), "")
	v.virsh("destroy", "c")
	v.inside("qemu-io -f qcow2 -c 'write -P 9 0 1M' /srv/fast/web.qcow2; sha256sum -c /root/sums")

	// A copy of a clone is whole again, also of one whose definition tells the chain.
	v.inside(`virsh dumpxml c --inactive | sed "s|<source file='/srv/fast/web.qcow2'/>|&<backingStore type='file'><format type='qcow2'/><source file='/srv/s-vda.qcow2'/></backingStore>|" >/root/c.xml; virsh -q define /root/c.xml`)
	v.tasks(bin, thrice("virt_clone: {source: c, name: whole, reset_identity: false, disks: {vda: {pool: fast}}, start: true}")+`
    - assert: {that: ["done.domain.disks.vda == '/srv/fast/whole-vda.qcow2'", "done.domain.disks.vdb == '/srv/other/whole-vdb.qcow2'"]}
    - shell: qemu-img info -U /srv/fast/whole-vda.qcow2 | grep backing
      register: chain
      failed_when: chain.rc != 1
`, "")

	before := v.inside("ls /srv/* /run/small; virsh -q list --all --name; virsh vol-list small; virsh vol-list fast")
	d := "virt_clone: {source: s, name: d, reset_identity: false, disks: {"
	for _, c := range []struct{ task, want string }{
		{d + "vdc: {pool: fast}}}", "disks: domain s has no disk vdc that is cloned; it has vda, vdb"},
		{d + "vda: {pool: nope}}}", "pool nope not found"},
		{d + "vda: {pool: idle}}}", "disks: pool idle is not active: start it first (virt_pool: state: active)"},
		{d + "vda: {path: /srv/d}, vdb: {path: /srv/d}}}", "disk vdb would go to /srv/d, where another disk of the clone goes"},
		{d + "vda: {pool: fast, name: web.qcow2}}}", "file /srv/fast/web.qcow2 is there already, so nothing is copied (another name or dir avoids it)"},
		{d + "vda: {path: /srv/fast/web.qcow2}}}", "file /srv/fast/web.qcow2 is there already, so nothing is copied (another name or dir avoids it)"},
		// The first disk is whole when the second finds no room.
		{d + "vda: {pool: fast}, vdb: {path: /srv/other}}}", "file /srv/other is there already"},
		{"virt_clone: {source: whole, name: d, reset_identity: false}", "domain whole is running"},
	} {
		v.tasks(bin, "    - "+c.task, c.want)
	}
	v.inside("qemu-io -f raw -c 'write -P 5 0 3M' /srv/s-vdb.raw")
	v.tasks(bin, "    - "+d+"vda: {pool: fast}, vdb: {pool: small}}}", "No space left on device")
	if after := v.inside("ls /srv/* /run/small; virsh -q list --all --name; virsh vol-list small; virsh vol-list fast"); after != before {
		t.Errorf("files, domains and volumes were\n%s\nand are\n%s", before, after)
	}
	v.inside("rm /srv/s-vda.qcow2")
	v.tasks(bin, "    - "+strings.Replace(linked, "name: c", "name: d", 1)+"}", "disk vda of domain s is not there: /srv/s-vda.qcow2")
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
