//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestVolumes makes, copies, links, grows and deletes volumes; each step a second time changes nothing.
func TestVolumes(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	step, refused := v.steps(bin, "virt_volume: {pool: p, ")
	capacity := func(name, want string) {
		t.Helper()
		if out := v.virsh("vol-info", "--pool", "p", "--bytes", name); !strings.Contains(out, want+" bytes") {
			t.Errorf("%s is to have %s bytes: %s", name, want, out)
		}
	}
	refused("name: a, state: present, capacity: 1M", "storage pool p not found, or not active (virt_pool: {name: p, state: active})")
	v.virsh("pool-define-as", "p", "dir", "--target", "/srv/p")
	v.virsh("pool-build", "p")
	v.virsh("pool-start", "p")
	refused("name: a.qcow2, state: present", "volume 'a.qcow2' not present, but xml not specified")
	step("name: a.qcow2, state: present, capacity: 10M, format: qcow2, preallocation: metadata", "changed=1")
	capacity("a.qcow2", "10485760")
	step("name: a.qcow2, state: present, capacity: 0.5G", "changed=1")
	capacity("a.qcow2", "536870912")
	step("name: a.qcow2, state: present, capacity: 10MB", "changed=0") // larger than asked is enough
	refused("name: a.qcow2, state: present, capacity: 10MB, resize: exact", "volume a.qcow2 of pool p would shrink from 536870912 to 10000000 bytes, and what lies behind is lost")
	refused("name: a.qcow2, state: present, capacity: 10M, format: raw", "is there with format qcow2, wanted raw: it is not made anew")
	step("name: link.qcow2, state: present, backing: {volume: a.qcow2}", "changed=1")
	capacity("link.qcow2", "536870912")
	refused("name: small.qcow2, state: present, capacity: 1M, backing: {volume: a.qcow2}", "a linked clone of 1048576 bytes is smaller than what it stands on (/srv/p/a.qcow2: 536870912 bytes)")
	refused("name: none.qcow2, state: present, backing: {volume: gone.qcow2}", "volume gone.qcow2 not found")
	step("name: over.qcow2, state: present, capacity: 1G, backing: {path: /srv/p/a.qcow2}", "changed=1")
	refused("name: a.qcow2, state: absent", "other volumes stand on it: link.qcow2 over.qcow2")
	step("name: copy.raw, state: present, format: raw, clone_from: {volume: a.qcow2}", "changed=1")
	capacity("copy.raw", "536870912")
	step("name: 'a b.raw', allow_odd_name: true, state: present, capacity: 1M, format: raw, permissions: {mode: '0640'}", "changed=1")
	v.run("sh", "-c", "truncate -s 3M /srv/p/put.raw") // put there without libvirt
	step("name: put.raw, state: present, capacity: 4M", "changed=1")
	capacity("put.raw", "4194304")

	// A volume in use grows by way of its domain, and is not deleted.
	v.virsh("define", v.write("d.xml", `<domain type='qemu'><name>g</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='/srv/p/link.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>`))
	v.virsh("start", "g")
	step("name: link.qcow2, state: present, capacity: 600M", "changed=1")
	if out := v.virsh("domblkinfo", "g", "vda"); !strings.Contains(out, "629145600") {
		t.Errorf("the domain sees another size: %s", out)
	}
	refused("name: link.qcow2, state: absent", "running domains use it: g (force: true does it all the same)")
	refused("name: link.qcow2, state: deleted", "running domains use it: g")
	v.virsh("destroy", "g")
	for _, name := range []string{"link.qcow2", "over.qcow2", "copy.raw", "put.raw"} {
		step("name: "+name+", state: absent", "changed=1")
	}
	step("name: 'a b.raw', allow_odd_name: true, state: deleted", "changed=1")
	step("command: list_volumes", "ok=1")
	step("name: x.raw, state: present, xml: \"<volume><name>x.raw</name><capacity unit='M'>2</capacity><target><format type='raw'/></target></volume>\"", "changed=1")
	refused("name: y.raw, state: present, xml: \"<volume><name>y.raw</name><capacity unit='M'>2</capacity><targt/></volume>\"", "did you mean target?")

	// What does not fit leaves nothing.
	v.run("sh", "-c", "mkdir /srv/small; mount -t tmpfs -o size=2m small /srv/small")
	v.virsh("pool-define-as", "small", "dir", "--target", "/srv/small")
	v.virsh("pool-start", "small")
	out, code := v.play(v.write("full.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_volume: {pool: small, name: big.raw, state: present, capacity: 8M, format: raw, preallocation: full}\n"), bin, "play")
	if left, _ := v.run("ls", "/srv/small"); code == 0 || !strings.Contains(out, "free space where the pool lies") || strings.TrimSpace(left) != "" {
		t.Errorf("a volume that does not fit: ended with %d, left %q:\n%s", code, left, out)
	}
}

// TestVolumeContent makes volumes with the content of files of the controller and of the host; what fails leaves nothing, and what broke off is
// made anew.
func TestVolumeContent(t *testing.T) {
	v := startHypervisor(t)
	step, refused := v.steps(hostlerBinary(t), "virt_volume: {pool: p, state: present, ")
	v.virsh("pool-define-as", "p", "dir", "--target", "/srv/p")
	v.virsh("pool-build", "p")
	v.virsh("pool-start", "p")
	v.run("sh", "-c", "mkdir -p /var/lib/hostler; mount -t tmpfs state /var/lib/hostler")
	v.run("sh", "-c", `head -c 3000001 /dev/urandom >raw.img; qemu-img create -q -f qcow2 disk.qcow2 8M; cp disk.qcow2 /srv/disk.qcow2; : >empty.img`)
	same := func(a, b string) {
		t.Helper()
		if out, code := v.run("cmp", a, b); code != 0 {
			t.Errorf("the content differs: %s", out)
		}
	}
	left := func(want string) {
		t.Helper()
		out, _ := v.run("sh", "-c", "ls /srv/p; find /var/lib/hostler/volumes -type f")
		if got := strings.Join(strings.Fields(out), " "); got != want {
			t.Errorf("there are %q, want %q", got, want)
		}
	}
	digest, _ := v.run("sha256sum", "raw.img")
	digest = strings.Fields(digest)[0]
	step("name: a.raw, format: raw, content_from: raw.img, checksum: 'sha256:"+digest+"'", "changed=1")
	same("raw.img", "/srv/p/a.raw")
	step("name: b.qcow2, format: qcow2, content_from: disk.qcow2, permissions: {owner: games, group: games, mode: '0640'}", "changed=1")
	if out, _ := v.run("stat", "-c", "%U %G %a", "/srv/p/b.qcow2"); out != "games games 640\n" {
		t.Errorf("the volume's owner: %s", out)
	}
	refused("name: d.raw, capacity: 1M, permissions: {owner: nobody-there}", "permissions.owner: the host has no user nobody-there")
	refused("name: d.raw, capacity: 1M, permissions: {group: nobody-there}", "permissions.group: the host has no group nobody-there")
	same("disk.qcow2", "/srv/p/b.qcow2")
	step("name: c.qcow2, format: qcow2, capacity: 16M, remote_src: true, content_from: /srv/disk.qcow2", "changed=1")
	if out := v.virsh("vol-dumpxml", "--pool", "p", "c.qcow2"); !strings.Contains(out, "<capacity unit='bytes'>16777216<") || !strings.Contains(out, "type='qcow2'") {
		t.Errorf("the volume that grew: %s", out)
	}
	left("a.raw b.qcow2 c.qcow2")

	none := strings.Repeat("ab", 32)
	refused("name: d.raw, content_from: raw.img, checksum: "+none, "raw.img has the sha256 "+digest+", wanted "+none)
	refused("name: d.raw, remote_src: true, content_from: /srv/disk.qcow2, checksum: "+none, "wanted "+none+": it was removed again")
	refused("name: d.raw, remote_src: true, content_from: /srv/none", "content_from: /srv/none is no file of the host")
	refused("name: d.raw, content_from: none.img", "none.img")
	refused("name: d.raw, content_from: empty.img", "is empty")
	refused("name: d.raw, format: raw, content_from: disk.qcow2", "disk.qcow2 is a qcow2 image, and format is raw: nothing would boot from it")
	left("a.raw b.qcow2 c.qcow2")

	// What does not fit leaves nothing.
	v.run("sh", "-c", "mkdir /srv/small; mount -t tmpfs -o size=1m small /srv/small")
	v.virsh("pool-define-as", "small", "dir", "--target", "/srv/small")
	v.virsh("pool-start", "small")
	_, refusedSmall := v.steps(hostlerBinary(t), "virt_volume: {pool: small, state: present, ")
	refusedSmall("name: big.raw, content_from: raw.img", "o space left on device")
	if out, _ := v.run("ls", "/srv/small"); strings.TrimSpace(out) != "" {
		t.Errorf("a volume that does not fit: left %q", out)
	}

	// An upload that broke off with the whole machine: the volume is there, and so is the note of it.
	v.run("sh", "-c", `n=$(printf '%s\n' qemu:///system p a.raw | sha256sum); stat -c %i /srv/p/a.raw >"/var/lib/hostler/volumes/${n%% *}"; truncate -s 5 /srv/p/a.raw`)
	step("name: a.raw, format: raw, content_from: raw.img", "changed=1")
	same("raw.img", "/srv/p/a.raw")
	left("a.raw b.qcow2 c.qcow2")
}
