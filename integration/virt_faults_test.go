//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestVirtErrors provokes the classes of libvirt's errors that can be provoked on one host, each through a module, and holds what is said:
// libvirt's reason and what to do about it. Not here: what only a race meets (exists), what AppArmor and SELinux forbid, and migration.
func TestVirtErrors(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.diskGuest("shot", "vda=qcow2")
	v.virsh("snapshot-create-as", "shot", "one")
	v.diskGuest("marked", "vda=qcow2")
	v.virsh("start", "marked")
	v.virsh("checkpoint-create-as", "marked", "one")
	v.virsh("destroy", "marked")
	v.diskGuest("saved", "vda=qcow2")
	v.virsh("start", "saved")
	v.virsh("managedsave", "saved")
	v.diskGuest("first", "vda=raw")
	v.virsh("start", "first")
	v.virsh("pool-define-as", "p", "dir", "--target", "/srv/p")
	v.virsh("pool-build", "p")
	v.virsh("pool-start", "p")
	v.virsh("net-define", v.write("n.xml", "<network><name>lab</name><bridge name='hverr0'/></network>"))
	v.inside("mkdir -m 700 /root/shut; qemu-img create -q -f qcow2 /root/shut/b.qcow2 1M; truncate -s 1M /root/shut/a.img /srv/code.fd /srv/vars.fd")

	disk := func(file string) string {
		return "<disk type='file'><driver name='qemu' type='raw'/><source file='" + file + "'/><target dev='vda'/></disk>"
	}
	domain := func(name, more, devices string) string {
		return `name: ` + name + `, xml: "<domain type='qemu'><name>` + name + `</name><memory unit='MiB'>16</memory>` + more + `<devices>` + devices + `</devices></domain>"`
	}
	const hvm = "<os><type machine='pc'>hvm</type></os>"
	const uefi = "<os><type machine='q35'>hvm</type><loader readonly='yes' type='pflash'>/srv/code.fd</loader><nvram>/srv/vars.fd</nvram></os>"
	first := strings.TrimSpace(v.virsh("domuuid", "first"))
	v.tasks(bin, "    - virt: {state: defined, "+domain("firm", uefi+"<features><acpi/></features>", "")+"}", "")

	for _, c := range []struct{ class, task, want string }{
		{"not_found", "virt: {name: gone, state: running}", "virtual machine gone not found"},
		{"conflict_uuid", "virt: {state: defined, " + domain("twin", "<uuid>"+first+"</uuid>"+hvm, "") + "}", "another domain has this UUID"},
		{"already", "virt_pool: {name: p, command: start}", "storage pool 'p' is already active"},
		{"has_snapshots", "virt: {name: shot, command: undefine}", "(snapshots: remove takes their records away with it (flags: snapshots_metadata); the data in the images stays)"},
		{"has_checkpoints", "virt: {name: marked, command: undefine}", "(checkpoints: remove takes their records away with it (flags: checkpoints_metadata))"},
		{"has_managed_save", "virt: {name: saved, command: undefine}", "(managed_save: remove takes it away (flags: managed_save))"},
		{"has_nvram", "virt: {name: firm, command: undefine}", "(nvram: remove or keep says what becomes of the variables of the firmware (flags: nvram or keep_nvram))"},
		{
			"bad_xml", "virt_net: {name: n, state: present, xml: \"<network><name>n</name><forward mode='nats'/></network>\"}",
			"Element network failed to validate content (the XML has something that libvirt does not know or wants elsewhere: see the line Element)",
		},
		{"bad_xml", "virt: {state: running, " + domain("noacpi", uefi, "") + "}", "(add <acpi/> to <features>)"},
		{
			"net_down", "virt: {state: running, " + domain("plugged", hvm, "<interface type='network'><source network='lab'/></interface>") + "}",
			"network 'lab' is not active (start it: virt_net: {name: lab, state: active})",
		},
		{"state", "virt_pool: {name: p, command: undefine}", "(stop it first: virt_pool: {name: p, state: inactive})"},
		{"image_locked", "virt: {state: running, " + domain("second", hvm, disk("/srv/first-vda.raw")) + "}", "(another QEMU uses the image, on this host or another)"},
		{"capability", "virt: {state: running, " + domain("fast", hvm+"<cpu mode='host-passthrough'/>", "") + "}", "is not supported by hypervisor"},
		{"no disk", "virt: {state: running, " + domain("bare", hvm, disk("/srv/none.img")) + "}", "Cannot access storage file '/srv/none.img'"},
		{"agent", "virt: {name: first, state: shutdown, shutdown_mode: [agent]}", "(the guest needs qemu-guest-agent and the channel org.qemu.guest_agent.0)"},
		{"pool in a pool", "virt_pool: {name: q, state: active, type: dir, path: /srv/p}", "define pool q: Failed to define pool: operation failed: Storage source conflict with pool: 'p' (pool p has the same source or path)"},
		{
			"duplicate MAC", "virt_install: {name: d, memory: 16, virt_type: qemu, osinfo: {require: false}, pxe: true, disks: none, networks: [{type: user, mac: '52:54:00:aa:00:02'}, {type: user, mac: '52:54:00:AA:00:02'}]}",
			"networks[1].mac 52:54:00:aa:00:02 is another interface's too",
		},
	} {
		t.Run(c.class, func(t *testing.T) {
			v.t = t
			v.tasks(bin, "    - "+c.task, c.want)
		})
	}
	v.t = t

	// As another user, and with the daemon of the logs: both are settings of the driver.
	v.virsh("destroy", "first")
	v.stop()
	v.inside(`sed -i -e 's/^user = .*/user = "nobody"/' /etc/libvirt/qemu.conf`)
	v.start()
	v.tasks(bin, "    - virt: {state: running, "+domain("shut", hvm, disk("/root/shut/a.img"))+"}", "(the user of QEMU needs x on every folder above and may be missing rights on it (namei -l /root/shut/a.img shows them)")
	v.tasks(bin, "    - virt: {state: running, "+domain("shut2", hvm, strings.Replace(disk("/root/shut/b.qcow2"), "'raw'", "'qcow2'", 1))+"}",
		"(the user of QEMU needs x on every folder above /root/shut/b.qcow2)")
	v.stop()
	v.inside(`sed -i -e 's/^user = .*/user = "root"/' -e 's/^stdio_handler = .*/stdio_handler = "logd"/' /etc/libvirt/qemu.conf`)
	v.start()
	v.tasks(bin, "    - virt: {name: first, state: running}", "(is virtlogd running? systemctl start virtlogd.socket)")
}

// TestVirtDaemonStops has libvirtd end in the middle of a play: the error says so and what was done stays; once it is back, the play
// converges, and a run after that changes nothing.
func TestVirtDaemonStops(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	play := v.write("middle.yml", `- hosts: all
  gather_facts: false
  tasks:
    - virt_net: {name: lab, state: active, bridge: hvmid0, ipv4: {address: 10.79.0.1, prefix: 24}}
    - shell: test -e stay || { p=$(cat /run/libvirtd.pid) && kill $p && while kill -0 $p 2>/dev/null; do sleep 0.05; done; }
      changed_when: false
    - virt_pool: {name: p, state: active, type: dir, path: /srv/p}
    - virt_volume: {pool: p, name: a.qcow2, state: present, capacity: 1M, format: qcow2}
`)
	for _, want := range []string{"changed=1 ", "changed=2 ", "changed=0 "} {
		out, code := v.play(play, bin, "play")
		broken := want == "changed=1 "
		if (code != 0) != broken || !strings.Contains(out, want) || strings.Contains(out, "is libvirtd running? systemctl start libvirtd") != broken {
			t.Errorf("ended with %d, want %s:\n%s", code, want, out)
		}
		if broken {
			v.start()
			v.write("stay", "")
		}
	}
}
