//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// diskGuest makes images of some MiB and defines a domain on them that boots nothing: disks are "vda=qcow2 vdb=raw".
func (v *hypervisor) diskGuest(name, disks string) {
	v.t.Helper()
	var xml strings.Builder
	for one := range strings.FieldsSeq(disks) {
		target, format, _ := strings.Cut(one, "=")
		file := "/srv/" + name + "-" + target + "." + format
		if out, code := v.run("qemu-img", "create", "-q", "-f", format, file, "4M"); code != 0 {
			v.t.Fatalf("qemu-img: %s", out)
		}
		xml.WriteString("<disk type='file'><driver name='qemu' type='" + format + "'/><source file='" + file + "'/><target dev='" + target + "' bus='virtio'/></disk>")
	}
	v.virsh("define", v.write(name+".xml", "<domain type='qemu'><name>"+name+`</name><memory unit='MiB'>16</memory><os><type machine='pc'>hvm</type></os>
<devices>`+xml.String()+"<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk></devices></domain>"))
}

// tasks runs the tasks of a play by hostler, which must succeed unless refused says with which words it is to fail.
func (v *hypervisor) tasks(bin, text, refused string) {
	v.t.Helper()
	play := "- hosts: all\n  gather_facts: false\n  tasks:\n" + strings.Trim(text, "\n") + "\n"
	out, code := v.play(v.write("play.yml", play), bin, "play", "--diff")
	if (code != 0) != (refused != "") || !strings.Contains(out, refused) {
		v.t.Errorf("ended with %d, refused is to be %q:\n%s\n%s", code, refused, text, out)
	}
}

// thrice are the tasks that hold that check mode announces what is done, and that a second run changes nothing.
func thrice(task string) string {
	return strings.ReplaceAll(`
    - TASK
      check_mode: true
      register: planned
    - TASK
      register: done
    - TASK
      register: again
    - assert: {that: [planned is changed, done is changed, again is not changed]}
`, "TASK", task)
}

// TestVirtSnapshot makes, deletes and goes back to snapshots of domains in every state, by libvirt.
func TestVirtSnapshot(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.diskGuest("q", "vda=qcow2 vdb=qcow2")
	v.diskGuest("r", "vda=qcow2 vdb=raw")

	// Off: internal. The description stays, what was written is undone by going back, which is done each time.
	v.tasks(bin, thrice("virt_snapshot: {domain: q, name: s1, description: 'a; \"b\"'}")+`
    - assert: {that: [done.snapshot.type == 'internal', 'done.snapshot.description == ''a; "b"''', done.current == 's1', not done.snapshot.memory]}
    - command: qemu-io -f qcow2 -c "write -P 7 0 64k" /srv/q-vda.qcow2
    - virt_snapshot: {domain: q, name: s1, state: reverted}
      register: back
    - command: qemu-io -f qcow2 -c "read -P 0 0 64k" /srv/q-vda.qcow2
      register: read
    - virt_snapshot: {domain: q, name: s1, state: reverted}
      register: always
    - virt_snapshot: {domain: q, name: s1, state: reverted, only_if_not_current: true}
      register: only
    - assert: {that: [back is changed, always is changed, only is not changed, "'verification failed' not in read.stdout"]}
`+thrice("virt_snapshot: {domain: q, name: s1, state: absent}")+`
    - assert: {that: [done.freed_bytes is defined, 'done.snapshots == []']}
`, "")

	// Running, paused: with the memory, and the state comes back with it.
	v.virsh("start", "q")
	v.tasks(bin, thrice("virt_snapshot: {domain: q, name: live}")+`
    - assert: {that: [done.snapshot.memory, done.snapshot.state == 'running']}
    - command: virsh -c qemu:///system suspend q
`+thrice("virt_snapshot: {domain: q, name: still, type: internal}")+thrice("virt_snapshot: {domain: q, name: live, state: current}")+`
    - assert: {that: [done.current == 'live']}
    - virt_snapshot: {domain: q, name: live, state: reverted}
      register: back
    - assert: {that: [back.domain_state == 'running']}
    - virt_snapshot: {domain: q, name: still, state: reverted, revert_start: running}
      register: back
    - assert: {that: [back.domain_state == 'running', back.current == 'still']}
    - virt_snapshot: {domain: q, name: live, state: reverted, revert_start: paused}
      register: back
    - assert: {that: [back.domain_state == 'paused']}
`, "")

	// Managed-saved: a snapshot would not fit the memory; going back drops it.
	v.virsh("managedsave", "q")
	v.tasks(bin, "    - virt_snapshot: {domain: q, name: bad}", "domain q has its memory saved, which would not fit its disks any more after this: start it first (virt: state: running)")
	v.tasks(bin, `
    - virt_snapshot: {domain: q, name: live, state: reverted}
      register: back
    - assert: {that: [back.domain_state == 'running']}
`+thrice("virt_snapshot: {domain: q, name: live, state: absent}")+thrice("virt_snapshot: {domain: q, name: still, state: absent}"), "")
	if info := v.virsh("dominfo", "q"); !strings.Contains(info, "Managed save:   no") {
		t.Errorf("the saved memory is still there:\n%s", info)
	}

	// External: of a raw disk, of some of the disks, with memory; running, and their data go back into the base.
	v.tasks(bin, thrice("virt_snapshot: {domain: r, name: e1}")+`
    - assert: {that: [done.snapshot.type == 'external', "done.snapshot.disks == {'vda': '/srv/r-vda.e1', 'vdb': '/srv/r-vdb.e1'}"]}
`+thrice("virt_snapshot: {domain: r, name: e1, state: absent}")+`
    - assert: {that: [done.freed_bytes > 100000]}
    - command: virsh -c qemu:///system start r
`+thrice("virt_snapshot: {domain: r, name: e2, exclude: [vdb], overlay_dir: /root}")+`
    - assert: {that: ["done.snapshot.disks == {'vda': '/root/r.e2.vda.qcow2'}"]}
`+thrice("virt_snapshot: {domain: r, name: e2, state: absent}")+thrice("virt_snapshot: {domain: r, name: e3, memory: true}")+`
    - assert: {that: [done.snapshot.memory, done.snapshot.state == 'running']}
    - stat: {path: /srv/r.e3.mem}
      register: mem
    - assert: {that: [mem.stat.exists, mem.stat.mode == '0600']}
`, "")
	if left, _ := filepath.Glob(filepath.Join(v.dir, "srv", "*.e[12]")); len(left) > 0 {
		t.Errorf("overlays are left: %q", left)
	}

	// Of those made with keep the newest stay; others are nobody's business.
	v.virsh("destroy", "q")
	v.tasks(bin, `
    - virt_snapshot: {domain: q, name: mine}
    - virt_snapshot: {domain: q, name: n1, keep: 2}
    - virt_snapshot: {domain: q, name: n2, keep: 2}
`+thrice("virt_snapshot: {domain: q, name: n3, keep: 2, description: nightly}")+`
    - assert: {that: ["done.snapshots == ['mine', 'n2', 'n3']", "done.pruned == ['n1']", done.snapshot.description == 'nightly']}
`+thrice("virt_snapshot: {domain: q, name: n4, max_age: 1000d}")+`
    - assert: {that: [done.pruned is not defined]}
`, "")
}

// TestVirtSnapshotRefuses holds what is said of mistakes; nothing is changed by them.
func TestVirtSnapshotRefuses(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.diskGuest("q", "vda=qcow2")
	v.diskGuest("r", "vda=qcow2 vdb=raw")
	v.virsh("snapshot-create-as", "q", "in")
	v.virsh("snapshot-create-as", "r", "out", "--disk-only")
	if err := os.WriteFile(filepath.Join(v.dir, "srv", "r-vda.taken"), []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := v.virsh("snapshot-list", "q", "--name") + v.virsh("snapshot-list", "r", "--name")
	for _, c := range []struct{ args, want string }{
		{"domain: nope, name: a", "virtual machine nope not found"},
		{"domain: nope, name: a, state: reverted", "virtual machine nope not found"},
		{"domain: r, name: a, type: internal, exclude: [vda]", "domain r cannot have an internal snapshot: disk vda is left out, and an internal one is of all disks; type: external can be made"},
		{"domain: q, name: a, state: reverted", "domain q has no snapshot a; it has in"},
		{"domain: q, name: a, state: current", "domain q has no snapshot a; it has in"},
		{"domain: q, name: in, type: external", "domain q has a snapshot in already, and that is internal, not external: delete it first (state: absent) or take another name"},
		{"domain: r, name: out, disks: [vda]", "domain r has a snapshot out already, and that is of vda, vdb, not of vda: delete it first"},
		{"domain: q, name: a, disks: [sda]", "domain q has no disk sda; it has vda, hdc"},
		{"domain: q, name: a, disks: [hdc]", "disk hdc of domain q cannot be part of a snapshot: it is not one that can be written"},
		{"domain: q, name: a, exclude: [vda]", "domain q has no disk that a snapshot could be of"},
		{"domain: q, name: a, quiesce: yes", "quiesce: yes is for external snapshots, and that of domain q would be internal: add type: external"},
		{"domain: q, name: a, quiesce: yes, type: external", "quiesce: yes needs a running guest, and domain q is shut off"},
		{"domain: r, name: out, state: reverted", "snapshot out of domain r is external, and libvirt 9.0.0 cannot go back to it (needs libvirt 9.9)"},
		{"domain: r, name: a, exclude: [vdb], overlay_dir: /nowhere", "Could not create '/nowhere/r.a.vda.qcow2': No such file or directory"},
		{"domain: r, name: taken, type: external", "make external snapshot taken of domain r: "},
	} {
		v.tasks(bin, "    - virt_snapshot: {"+c.args+"}", c.want)
	}
	if after := v.virsh("snapshot-list", "q", "--name") + v.virsh("snapshot-list", "r", "--name"); after != before {
		t.Errorf("snapshots were %q and are %q", before, after)
	}
	if text, err := os.ReadFile(filepath.Join(v.dir, "srv", "r-vda.taken")); err != nil || string(text) != "somebody's" {
		t.Errorf("the file where an overlay would have gone: %q, %v", text, err)
	}
}
