//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestVirtTemplate makes templates by libvirt, clones them and makes domains of them again. virt-sysprep is a script that notes what it is
// asked, for libguestfs's own machine takes its time; without operations nothing stands in for anything.
func TestVirtTemplate(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.diskGuest("s", "vda=qcow2 vdb=raw")
	v.diskGuest("other", "vda=qcow2")
	v.virsh("autostart", "s")
	v.inside(`chmod 0600 /srv/s-vda.qcow2; chmod 0644 /srv/s-vdb.raw; mkdir /run/fake; mount --bind /run/fake /usr/local/bin
for p in virt-sysprep virt-sparsify; do [ ! -e /usr/bin/$p ] || mount --bind /dev/null /usr/bin/$p; done`)
	uuid := v.virsh("domuuid", "s")

	// Without operations: a mark, a name, images that nobody writes to, no autostart.
	plain := "virt_template: {domain: s, operations: [], export_xml: /root/s.xml}"
	v.tasks(bin, thrice(plain)+`
    - assert: {that: [planned.domain.name == 's-template', planned.template == done.template, "done.template == {'from': 's', 'operations': [], 'protected': true}", not done.domain.autostart]}
    - shell: stat -c %a /srv/s-vda.qcow2 /srv/s-vdb.raw; virsh -q list --all --name --autostart
      register: seen
    - assert: {that: ["seen.stdout_lines | map('trim') | select | list == ['440', '440']"]}
    - shell: virsh -q dumpxml s-template --inactive | diff - /root/s.xml && stat -c %a /root/s.xml
      register: seen
    - assert: {that: [seen.stdout == '600']}
    # told of by the name that it has, it is the same template
    - virt_template: {domain: s-template, operations: []}
      register: same
    - virt_template: {domain: s}
      register: prepared
      ignore_errors: true
    - assert: {that: [same is not changed, prepared is failed, "'the host has no program virt-sysprep' in prepared.msg"]}
`, "")
	if uuid != v.virsh("domuuid", "s-template") {
		t.Error("the template has another UUID")
	}

	// Nothing starts it, and a definition anew does not take the mark away.
	const refusal = "domain s-template is a template: what a guest writes to its disks would spoil every clone that stands on them (clone it (virt_clone), or make it a domain again (virt_template: state: absent))"
	for _, task := range []string{
		"virt: {name: s-template, state: running}", "virt: {name: s-template, state: paused}", "virt: {name: s-template, state: rebooted}", "virt: {name: s-template, command: start}",
		"virt: {name: s-template, command: create}", "virt: {name: s-template, autostart: true}", "virt_clone: {source: other, name: s-template, start: true}",
	} {
		v.tasks(bin, "    - "+task, refusal)
	}
	v.tasks(bin, "    - virt: {name: s-template, state: shutdown, autostart: false}\n    - virt: {command: define, xml: '<domain type=\"qemu\"><name>s-template</name><memory unit=\"MiB\">24</memory><os><type>hvm</type></os></domain>'}", "")
	v.tasks(bin, "    - virt: {name: s-template, state: running}", refusal)

	// Clones stand on it; while they do it stays as it is.
	v.inside(`printf '#!/bin/sh
case $1 in --list-operations) echo "machine-id * Remove the local machine ID"; echo "user-account   Remove the user accounts in the guest";; *) echo "$0 $*" >>/run/fake/asked;; esac
' >/run/fake/virt-sysprep; cp /run/fake/virt-sysprep /run/fake/virt-sparsify; chmod +x /run/fake/virt-*`)
	v.tasks(bin, thrice("virt_clone: {source: s-template, name: c, linked: true, reset_identity: false, start: true}")+`
    - command: virsh metadata c https://github.com/hostlerhq/hostler/libvirt/template/1
      register: mark
      failed_when: mark.rc == 0
`, "")
	stand := "images stand on the disks of s-template: /srv/c-vda.qcow2, /srv/c-vdb.qcow2; "
	v.tasks(bin, "    - virt_template: {domain: s, operations: [machine-id]}", stand+"virt-sysprep and virt-sparsify would change what they stand on")
	v.tasks(bin, "    - virt_template: {domain: s, state: absent}", stand+"a domain that writes to them would spoil these")
	v.tasks(bin, "    - virt_template: {domain: s, operations: []}\n      register: r\n    - assert: {that: [r is not changed]}", "")
	v.virsh("destroy", "c")
	v.virsh("undefine", "c")
	v.tasks(bin, "    - virt_template: {domain: s, state: absent}", stand) // their files are still there
	v.inside("rm /srv/c-vd*; ln -s . /srv/alias; qemu-img create -q -f qcow2 -b /srv/alias/s-vda.qcow2 -F qcow2 /srv/aliased.qcow2")
	v.tasks(bin, "    - virt_template: {domain: s, state: absent}", "images stand on the disks of s-template: /srv/aliased.qcow2; ")
	v.inside("rm /srv/aliased.qcow2")

	// A name that XML writes otherwise is no other name.
	v.inside("qemu-img create -q -f qcow2 '/srv/a&b.qcow2' 1M")
	v.virsh("define", v.write("amp.xml", `<domain type='qemu'><name>amp</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/srv/a&amp;b.qcow2'/><target dev='vda'/></disk></devices></domain>`))
	v.tasks(bin, `    - virt_template: {domain: amp, operations: []}
    - virt_clone: {source: amp-template, name: amp, linked: true, reset_identity: false}
    - virt_template: {domain: amp-template, state: absent}
      register: r
      ignore_errors: true
    - assert: {that: ["'images stand on the disks of amp-template: /srv/amp-vda.qcow2' in r.msg"]}
`, "")
	v.virsh("undefine", "amp")
	v.virsh("undefine", "amp-template")

	// Operations are done once, and refused when virt-sysprep has none of that name.
	v.tasks(bin, "    - virt_template: {domain: s, operations: [machine_id]}", `names no operation of virt-sysprep`)
	v.tasks(bin, "    - virt_template: {domain: s, operations: [machineid]}", `?); it has machine-id, user-account`)
	v.tasks(bin, thrice("virt_template: {domain: s, operations: [user-account, machine-id], sparsify: true}")+thrice("virt_template: {domain: s}"), "")
	want := `/usr/local/bin/virt-sysprep -q -c qemu:///system -d s-template --operations machine-id,user-account
/usr/local/bin/virt-sparsify -q --in-place --format qcow2 /srv/s-vda.qcow2
/usr/local/bin/virt-sparsify -q --in-place --format raw /srv/s-vdb.raw
/usr/local/bin/virt-sysprep -q -c qemu:///system -d s-template --operations machine-id
`
	if asked := v.inside("cat /run/fake/asked; rm /run/fake/asked"); asked != want {
		t.Errorf("the programs were asked\n%s", asked)
	}
	v.tasks(bin, thrice("virt_clone: {source: s-template, name: c}"), "")
	if out, code := v.run("test", "-e", "/run/fake/asked"); code == 0 {
		t.Errorf("a clone of a prepared template was prepared again: %s", out)
	}

	// Back: name, permissions; and once more with what a failure left in the middle.
	v.tasks(bin, thrice("virt_template: {domain: s, state: absent}")+`
    - shell: stat -c %a /srv/s-vda.qcow2 /srv/s-vdb.raw
      register: seen
    - assert: {that: ["seen.stdout_lines == ['600', '644']", done.domain.name == 's', done.template is not defined]}
    - virt: {name: s, state: running}
    - virt_template: {domain: s, operations: []}
      register: r
      failed_when: "'domain s is running: what it is writing would be spoiled' not in r.msg"
    - virt: {name: s, state: destroyed}
`, "")
	v.inside("printf '#!/bin/sh\\n[ $1 = --list-operations ] && echo \"machine-id * x\" && exit\\necho no appliance >&2; exit 1\\n' >/run/fake/virt-sysprep")
	v.tasks(bin, "    - virt_template: {domain: s}", "take what is its own out of domain s: no appliance")
	v.tasks(bin, thrice("virt_template: {domain: s, operations: [], rename_to: other2, protect: false}")+"    - virt: {name: other2, state: running}\n    - virt: {name: other2, state: destroyed}\n"+
		"    - virt_clone: {source: other2, name: d, linked: true, reset_identity: false}", "domain other2 is no template, and its disk vda (/srv/s-vda.qcow2) can be written")
	for _, c := range []struct{ task, want string }{
		{"virt_template: {domain: nope}", "virtual machine nope not found"},
		{"virt_template: {domain: s, operations: []}", "virtual machine s not found"},
		{"virt_template: {domain: c, rename_to: other, operations: []}", "domain c cannot be called other: there is another domain of that name (rename_to gives another name)"},
		{"virt_template: {domain: other, operations: [], export_xml: /nowhere/x.xml}", "write the definition of other-template to /nowhere/x.xml: "},
	} {
		v.tasks(bin, "    - "+c.task, c.want)
	}
	v.inside("rm /srv/c-vda.qcow2")
	v.tasks(bin, "    - virt_template: {domain: c, operations: []}", "disk vda of domain c is not there: /srv/c-vda.qcow2")
	v.virsh("snapshot-create-as", "other-template", "one")
	v.tasks(bin, "    - virt_template: {domain: other-template, state: absent}\n    - virt_template: {domain: other, operations: []}", "domain other has 1 snapshots, which no clone would have")
	if names := strings.Fields(v.virsh("list", "--all", "--name")); strings.Join(names, " ") != "c other other2" {
		t.Errorf("there are the domains %q", names)
	}
}

// TestExampleClones plays examples/clones: whole copies, a template and clones on it.
func TestExampleClones(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	for _, name := range []string{"debian-12", "base"} {
		v.diskGuest(name, "vda=qcow2")
		v.virsh("attach-device", name, "--config", "--file", v.write("nic.xml", "<interface type='user'/>"))
	}
	v.inside(`mkdir /run/fake; mount --bind /run/fake /usr/local/bin; printf '#!/bin/sh\necho "machine-id * Remove the local machine ID"\n' >/run/fake/virt-sysprep; chmod +x /run/fake/virt-sysprep`)
	v.examples(bin, example{"clones/full.yml", "1", nil}, example{"clones/template.yml", "2", []string{"-e", "original=base", "-e", "definition=/root/t.xml"}})
}
