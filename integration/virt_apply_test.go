//go:build integration

package integration

import (
	"strings"
	"testing"
)

// applyGuest is a guest that takes part in hot-plugging; what stands in capitals is what its test changes.
const applyGuest = `<domain type='qemu'><name>m</name>TITLE<memory unit='MiB'>MEMORY</memory><vcpu current='VCPUS'>2</vcpu><os><type machine='pc'>hvm</type></os>
<features><acpi/></features><cpu mode='host-model'/><devices><disk type='file'><driver name='qemu' type='raw'/><source file='/srv/m.img'/><target dev='hda' bus='ide'/></disk>
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>MEDIUM<target dev='hdc' bus='ide'/><readonly/></disk>
<interface type='user'><mac address='52:54:00:11:00:01'/><model type='virtio'/>LINK</interface>MORE
<graphics type='vnc' port='-1' passwd='PASSWD'/><serial type='file'><source path='/run/m.said'/></serial></devices></domain>`

// applied fills a guest in; what is not given is as at first.
func applied(changes ...string) string {
	return strings.NewReplacer(append(changes, "TITLE", "", "MEMORY", "16", "VCPUS", "1", "MEDIUM", "", "LINK", "", "MORE", "", "PASSWD", "old")...).Replace(applyGuest)
}

// TestVirtApply changes a domain that runs: what libvirt changes at once is changed, what waits for a restart is told of each time, and a restart
// happens only where it was asked for.
func TestVirtApply(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.buttonGuest("m")
	if out, code := v.run("sh", "-c", "truncate -s 1M /srv/data.img /srv/cd.iso"); code != 0 {
		t.Fatal(out)
	}
	// play does it once as a plan, once for real and once again; want are the outcomes of the last two, pending what then waits.
	play := func(what, xml, args, pending string, changes bool) {
		t.Helper()
		file := v.write("m-now.xml", xml)
		task := "virt: {name: m, xml: \"{{ lookup('file', '" + file + "') }}\", " + args + "}"
		text := "- hosts: all\n  gather_facts: false\n  tasks:\n    - " + task + "\n      check_mode: true\n      register: planned\n    - " + task + "\n      register: done\n    - " + task + `
      register: again
    - debug: {msg: "pending [{{ again.pending_restart | default([]) | join(' ') }}]"}
    - assert: {that: [planned is changed == done is changed, done is changed == CHANGES, again is not changed]}
`
		text = strings.Replace(text, "CHANGES", map[bool]string{true: "true", false: "false"}[changes], 1)
		out, code := v.play(v.write("play.yml", text), bin, "play")
		if code != 0 || !strings.Contains(out, "pending ["+pending+"]") {
			t.Errorf("%s: ended with %d, pending is to be %q:\n%s", what, code, pending, out)
		}
	}
	refused := func(what, xml, args, want string) {
		t.Helper()
		file := v.write("m-now.xml", xml)
		out, code := v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt: {name: m, xml: \"{{ lookup('file', '"+file+"') }}\", "+args+"}\n"), bin, "play")
		if code == 0 || !strings.Contains(out, want) {
			t.Errorf("%s: ended with %d, want %q:\n%s", what, code, want, out)
		}
	}
	has := func(what string, wants ...string) {
		t.Helper()
		for _, dump := range [][]string{{"dumpxml", "m", "--security-info"}, {"dumpxml", "m", "--inactive", "--security-info"}} {
			xml := v.virsh(dump...)
			for _, want := range wants {
				want, not := strings.CutPrefix(want, "!")
				if strings.Contains(xml, want) == not {
					t.Errorf("%s: %q, wanted is %v, in %q:\n%s", what, want, !not, dump, xml)
				}
			}
		}
	}
	const disk = `<disk type='file'><driver name='qemu' type='raw'/><source file='/srv/data.img'/><target dev='vdb' bus='virtio'/></disk>`
	const nic = `<interface type='user'><model type='virtio'/></interface>`
	refused("off", applied(), "apply: live", "virtual machine m not found")
	play("defined", applied(), "state: running", "", true)
	v.listens("m")
	play("nothing", applied(), "apply: both", "", false)
	all := []string{"TITLE", "<title>web</title>", "VCPUS", "2", "MEDIUM", "<source file='/srv/cd.iso'/>", "LINK", "<link state='down'/>", "MORE", disk + nic, "PASSWD", "new"}
	play("both", applied(all...), "apply: both", "", true)
	has("both", "<title>web</title>", "/srv/cd.iso", "<link state='down'/>", "/srv/data.img", "passwd='new'", "!current='1'")
	if live, stored := v.virsh("domiflist", "m"), v.virsh("domiflist", "m", "--inactive"); strings.Count(live, "52:54:00:") != 2 ||
		strings.Fields(live)[len(strings.Fields(live))-1] != strings.Fields(stored)[len(strings.Fields(stored))-1] {
		t.Errorf("the new interface runs as\n%sand is stored as\n%s", live, stored)
	}
	play("stored only", applied("MEMORY", "32", "VCPUS", "2", "TITLE", "<title>web</title>", "PASSWD", "new"), "apply: config",
		"memory devices/disk[hdc]/source devices/disk[hdc]/source/@file devices/interface[52:54:00:11:00:01]/link devices/interface[52:54:00:11:00:01]/link/@state "+
			"devices/disk[vdb] devices/interface[52:54:00:d1:f9:e2]", true)
	play("detached", applied("MEMORY", "32", "VCPUS", "2", "TITLE", "<title>web</title>", "PASSWD", "new"), "apply: both", "memory", true)
	has("detached", "!/srv/data.img", "!/srv/cd.iso", "!<link state='down'/>")
	refused("live", applied("MEMORY", "64", "VCPUS", "2", "TITLE", "<title>web</title>", "PASSWD", "new"), "apply: live",
		"domain m runs, and what follows waits for its next start: memory; apply: both writes that into its definition, apply: live cannot")
	id := v.virsh("domid", "m")
	play("live", applied("MEMORY", "16", "VCPUS", "2", "TITLE", "<title>now</title>", "PASSWD", "new"), "apply: live", "", true)
	if got := v.virsh("dumpxml", "m", "--inactive"); !strings.Contains(got, "<title>web</title>") || v.virsh("domid", "m") != id {
		t.Errorf("apply: live wrote the definition, or restarted the domain:\n%s", got)
	}
	play("restarted", applied("MEMORY", "32"), "restart_if_needed: true, timeout: 60", "", true)
	has("restarted", "<memory unit='KiB'>32768</memory>", "<currentMemory unit='KiB'>32768</currentMemory>", "!<title>")
	if v.virsh("domid", "m") == id {
		t.Error("the domain was not restarted")
	}
	v.virsh("destroy", "m")
	refused("off", applied(), "apply: live", "domain m is shut off: apply: live changes a domain that runs, and nothing else")
}
