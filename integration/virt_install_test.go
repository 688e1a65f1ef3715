//go:build integration

package integration

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVirtInstall creates domains by the real virt-install in every way: from a disk, a CD, a tree, the network, and as a container. Check
// mode announces each, a second run changes nothing, and what virt-install makes is what was asked for.
func TestVirtInstall(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	srv := func(name string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(v.dir, "srv", name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(v.dir, "srv", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"import.img", "cd.img", "secret.img"} {
		srv(name, guestImage())
	}
	srv("cd.iso", make([]byte, 1<<16))
	srv("tree/vmlinuz", tinyKernel())
	srv("tree/initrd", []byte("nothing"))
	v.virsh("net-define", v.write("n.xml", `<network><name>lab</name><bridge name='hvinst0'/><ip address='10.98.0.1' prefix='24'/></network>`))
	v.virsh("net-start", "lab")
	v.write("preseed.cfg", "d-i one\n")
	const common = "memory: 32, virt_type: qemu, osinfo: 'detect=off,require=off', graphics: none, "
	for _, c := range []struct{ name, args, want string }{
		{"import", common + "import: true, machine: pc, autostart: true, disks: [{path: /srv/import.img, bus: ide}], networks: none", "<source file='/srv/import.img'"},
		{"cd", common + "cdrom: /srv/cd.iso, disks: [{path: /srv/cd.img, format: raw}], networks: [{network: lab, mac: '52:54:00:00:00:0A'}]", "52:54:00:00:00:0a"},
		{"tree", common + "location: /srv/tree, location_opts: {kernel: vmlinuz, initrd: initrd}, extra_args: [quiet, 'a;b'], machine: pc, disks: none, networks: none, " +
			"serial: {type: file, source.path: /run/tree.said}", "<source path='/run/tree.said'"},
		{"pxe", common + "pxe: true, disks: none, networks: [{network: lab, model: e1000}], extra_options: ['--xml=./title=A; rm -rf /srv']", "<title>A; rm -rf /srv</title>"},
		{"secret", common + "graphics: {type: vnc, password: geheim}, import: true, disks: [{path: /srv/secret.img}], networks: none, cloud_init: {user_data: {password: auch geheim}}", "passwd='geheim'"},
		{"made", common + "pxe: true, disks: [{path: /srv/made.qcow2, size: 1M, format: qcow2}], networks: [{network: lab}]", "<source file='/srv/made.qcow2'"},
	} {
		args := c.args
		if c.name == "secret" {
			args = strings.Replace(args, "graphics: none, ", "", 1)
		}
		out, code := v.play(v.write("play.yml", strings.ReplaceAll(strings.ReplaceAll(installPlay, "NAME", c.name), "ARGS", args)), bin, "play")
		if code != 0 {
			t.Errorf("%s: ended with %d:\n%s", c.name, code, out)
			continue
		}
		if strings.Contains(out, "geheim") {
			t.Errorf("%s: the output tells the password:\n%s", c.name, out)
		}
		if xml := v.virsh("dumpxml", c.name, "--inactive", "--security-info"); !strings.Contains(xml, c.want) {
			t.Errorf("%s: no %s in the definition:\n%s", c.name, c.want, xml)
		}
	}
	if out, code := v.run("sh", "-c", `n=0; until [ -s /run/tree.said ]; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done`); code != 0 {
		t.Errorf("the kernel of the tree does not start: %s", out)
	}
	if out, _ := v.run("sh", "-c", "ls -d /run/hostler.* 2>/dev/null"); out != "" {
		t.Errorf("files of secrets are left: %s", out)
	}
	v.seedStays(bin)
	out, code := v.play(v.write("gone.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_install: {name: made, state: absent}\n    - virt_install: {name: web, memory: 16, import: true, osinfo: debain11, disks: [{path: /srv/import2.img, size: 1M}], networks: none}\n"), bin, "play")
	if code == 0 || !strings.Contains(out, "Unknown OS name 'debain11'") || !strings.Contains(out, "did you mean debian11?") {
		t.Errorf("an unknown system: ended with %d:\n%s", code, out)
	}
	if left, _ := v.run("sh", "-c", "ls /srv/import2.img; virsh -q -c qemu:///system list --all --name"); strings.Contains(left, "web") || strings.Contains(left, "\nmade\n") || !strings.Contains(left, "No such file") {
		t.Errorf("what is left of a failed and of a removed domain: %s", left)
	}
}

// TestVirtInstallFailed ends the real virt-install by a signal when the domain is there. Such a domain is not taken for one that is done;
// cleanup_failed makes it anew.
func TestVirtInstallFailed(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	play := func(more string) (string, int) {
		return v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_install: {name: half, memory: 32, virt_type: qemu, osinfo: 'detect=off,require=off', "+
			"graphics: none, import: true, autostart: true, disks: [{path: /srv/half.qcow2, size: 1M, format: qcow2}], networks: none"+more+"}\n"), bin, "play")
	}
	v.inside(`cp /usr/bin/virt-install /srv/whole; printf '#!/bin/sh\n/srv/whole "$@" && kill -9 $$\n' >/srv/killed; chmod 755 /srv/killed
mount --bind /srv/killed /usr/bin/virt-install`)
	if out, code := play(""); code == 0 {
		t.Fatalf("virt-install does not fail:\n%s", out)
	}
	left := v.virsh("domuuid", "half")
	v.inside("umount /usr/bin/virt-install")
	if out, code := play(""); code != 0 || !strings.Contains(out, "did not end well, and it runs") {
		t.Errorf("a half-made domain that runs: ended with %d:\n%s", code, out)
	}
	v.virsh("destroy", "half")
	v.inside("echo half-made >/srv/half.qcow2")
	if out, code := play(""); code == 0 || !strings.Contains(out, "domain half is what an installation that failed left behind") || v.virsh("domuuid", "half") != left {
		t.Errorf("a half-made domain: ended with %d:\n%s", code, out)
	}
	if out, code := play(", cleanup_failed: true"); code != 0 || v.virsh("domuuid", "half") == left {
		t.Errorf("cleaned up: ended with %d:\n%s", code, out)
	}
	if out, code := v.run("qemu-img", "info", "-U", "/srv/half.qcow2"); code != 0 || !strings.Contains(out, "file format: qcow2") {
		t.Errorf("the disk that was half-made is not made anew: %s", out)
	}
	if out, code := play(", cleanup_failed: true"); code != 0 || !strings.Contains(out, "changed=0") {
		t.Errorf("once more: ended with %d:\n%s", code, out)
	}
}

// seedStays looks at what became of cloud_init: a seed that only root reads, beside the disk or in its pool, in the definition that is left, with
// which the guest may reboot. It goes with its domain, or when virt-install makes none.
func (v *hypervisor) seedStays(bin string) {
	v.t.Helper()
	v.virsh("pool-define-as", "seeds", "dir", "--target", "/srv/seeds")
	v.virsh("pool-build", "seeds")
	v.virsh("pool-start", "seeds")
	const args = "memory: 32, virt_type: qemu, osinfo: 'detect=off,require=off', graphics: none, networks: none, disks: [{pool: seeds, size: 0.01}], " +
		"cloud_init: {root_password: geheim, network_config: {version: 2, ethernets: {lan: {match: {name: 'en*'}, dhcp4: true}}}}"
	if out, code := v.play(v.write("play.yml", strings.ReplaceAll(strings.ReplaceAll(installPlay, "NAME", "pooled"), "ARGS", args)), bin, "play"); code != 0 || strings.Contains(out, "geheim") {
		v.t.Errorf("a seed in a pool: ended with %d:\n%s", code, out)
	}
	for _, seed := range []struct{ name, path, in string }{{"secret", "srv/secret-seed.iso", "auch geheim"}, {"pooled", "srv/seeds/pooled-seed.iso", "root:geheim"}} {
		data, err := os.ReadFile(filepath.Join(v.dir, seed.path))
		if err != nil || !strings.Contains(string(data), seed.in) || !strings.Contains(string(data), "local-hostname: "+seed.name) || !strings.Contains(string(data), "instance-id: iid-") {
			v.t.Errorf("%s: the seed holds not what it should: %v", seed.name, err)
		}
		if stat, err := os.Stat(filepath.Join(v.dir, seed.path)); err != nil || stat.Mode().Perm() != 0o600 {
			v.t.Errorf("%s: %v, %v", seed.name, stat, err)
		}
		for _, of := range []string{"--inactive", "--security-info"} { // as it is stored, and as it runs
			if xml := v.virsh("dumpxml", seed.name, of); !strings.Contains(xml, "<source file='/"+seed.path+"'") || !strings.Contains(xml, "<on_reboot>restart</on_reboot>") {
				v.t.Errorf("%s: the definition (%s) is without its seed, or ends at a reboot:\n%s", seed.name, of, xml)
			}
		}
		out, code := v.play(v.write("gone.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_install: &gone {name: "+seed.name+", state: absent}\n"+
			"    - virt_install: *gone\n      register: again\n    - assert: {that: again is not changed}\n"), bin, "play")
		if _, err := os.Stat(filepath.Join(v.dir, seed.path)); code != 0 || !os.IsNotExist(err) {
			v.t.Errorf("%s: removed with %d, the seed: %v\n%s", seed.name, code, err, out)
		}
	}
	if _, err := os.Stat(filepath.Join(v.dir, "srv/secret.img")); err != nil {
		v.t.Errorf("the disk went with its domain: %v", err)
	}
	out, code := v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_install: {name: none, memory: 16, osinfo: debain11, disks: [{path: /srv/import.img}], networks: none, cloud_init: {root_password: geheim}}\n"), bin, "play")
	if left, _ := v.run("ls", "/srv"); code == 0 || strings.Contains(left, "none-seed.iso") || strings.Contains(out, "geheim") {
		v.t.Errorf("a seed without a domain: ended with %d:\n%s\n%s", code, out, left)
	}
}

const installPlay = `- hosts: all
  gather_facts: false
  tasks:
    - virt_install: &args {name: NAME, ARGS}
      check_mode: true
      register: planned
    - command: virsh -q -c qemu:///system list --all --name
      register: before
    - virt_install: *args
      register: done
    - virt_install: *args
      register: again
    - assert: {that: [planned is changed, "'NAME' not in before.stdout_lines", done is changed, again is not changed]}
`

// tinyKernel is what a boot loader takes for a Linux kernel (boot protocol 2.2): it says K on its first serial port and stops.
func tinyKernel() []byte {
	k := make([]byte, 4096)
	k[0x1f1] = 1 // sectors of setup
	binary.LittleEndian.PutUint32(k[0x1f4:], 32)
	k[0x1fe], k[0x1ff] = 0x55, 0xaa
	copy(k[0x200:], []byte{0xeb, 0x66}) // jmp 0x268
	copy(k[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(k[0x206:], 0x0202)
	k[0x211] = 1 // the rest is loaded high
	binary.LittleEndian.PutUint32(k[0x214:], 0x100000)
	copy(k[0x268:], []byte{
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xb0, 0x4b, // mov al, 'K'
		0xee,       // out dx, al
		0xfa, 0xf4, // cli; hlt
	})
	return k
}
