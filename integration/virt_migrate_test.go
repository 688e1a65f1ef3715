//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// twoHypervisors are two hosts in network namespaces of their own, hv1 and hv2, joined by a cable, that have the folder /srv together. Each reaches the
// other by SSH as root.
func twoHypervisors(t *testing.T) (one, two *hypervisor) {
	t.Helper()
	one, two = startHypervisorNamed(t, "hv1"), startHypervisorNamed(t, "hv2")
	out, err := exec.CommandContext(t.Context(), "nsenter", "--net=/proc/"+one.pid+"/ns/net", "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", two.pid).CombinedOutput()
	if err != nil {
		t.Fatalf("veth: %v: %s", err, out)
	}
	two.inside("mount --bind " + filepath.Join(one.dir, "srv") + " /srv")
	for i, v := range []*hypervisor{one, two} {
		v.stop()
		v.inside(fmt.Sprintf(`ip address add 10.9.0.%[1]d/24 dev cable; ip link set cable up
printf 'host_uuid = "0000000%[1]d-1111-2222-3333-444444444444"\n' >>/etc/libvirt/libvirtd.conf
mkdir -p -m 700 /root/.ssh /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; ssh-keygen -q -t ed25519 -N '' -f /root/host
printf 'ListenAddress 10.9.0.%[1]d\nHostKey /root/host\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nAuthorizedKeysFile /root/.ssh/authorized_keys\nPidFile none\nMaxStartups 100\n' >/root/sshd_config
/usr/sbin/sshd -f /root/sshd_config`, i+1))
		v.start()
	}
	for i, v := range []*hypervisor{two, one} {
		other := []*hypervisor{one, two}[i]
		v.inside(fmt.Sprintf(`cat %[1]s/id_ed25519.pub >>/root/.ssh/authorized_keys; printf '10.9.0.%[2]d %%s\n' "$(cut -d' ' -f1,2 %[3]s/host.pub)" >/root/.ssh/known_hosts`,
			filepath.Join(other.dir, "root/.ssh"), i+1, filepath.Join(other.dir, "root")))
	}
	return one, two
}

// twoHosts is the inventory of two hypervisors as the first one sees them.
const twoHosts = `[hypervisors]
hv1 ansible_connection=local ansible_host=10.9.0.1 partner=hv2
hv2 ansible_host=10.9.0.2 partner=hv1
`

// overBoth plays tasks inside of the first of two hosts; the play is for both, hosts says for which of them the tasks are.
func (v *hypervisor) overBoth(bin, hosts, tasks, refused string) string {
	v.t.Helper()
	inventory := v.write("hosts.ini", twoHosts)
	file := v.write("play.yml", "- hosts: "+hosts+"\n  gather_facts: false\n  tasks:\n"+strings.Trim(tasks, "\n")+"\n")
	return v.playOver(bin, inventory, file, refused)
}

func (v *hypervisor) playOver(bin, inventory, file, refused string, more ...string) string {
	v.t.Helper()
	cmd := v.command(append([]string{bin, "play", "--diff", "-i", inventory, file}, more...)...)
	cmd.Env = append(cmd.Env, "ANSIBLE_NOCOLOR=1", "ANSIBLE_CONFIG="+filepath.Join(v.dir, "ansible.cfg"))
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		v.t.Fatal(err)
	}
	if (cmd.ProcessState.ExitCode() != 0) != (refused != "") || !strings.Contains(string(out), refused) {
		v.t.Errorf("ended with %d, refused is to be %q:\n%s", cmd.ProcessState.ExitCode(), refused, out)
	}
	return string(out)
}

// TestVirtMigrateOffline moves definitions between two libvirts.
func TestVirtMigrateOffline(t *testing.T) {
	one, two := twoHypervisors(t)
	bin := hostlerBinary(t)
	one.diskGuest("s", "vda=qcow2 vdb=raw")
	one.diskGuest("t", "vda=qcow2")
	uuid := one.virsh("domuuid", "s")
	one.overBoth(bin, "hv1", `
    - virt: {command: define, xml: "<domain type='qemu'><name>s</name><memory unit='MiB'>24</memory><os><type>hvm</type></os></domain>", autostart: true}
`+thrice("virt_migrate: {domain: s, dest: hv2, mode: offline}")+`
    - assert: {that: ["planned.moved == ['s']", "done.moved == ['s']", "again.moved == []", "done.domains[0].autostart", "done.domains[0].persistent", done.from == 'hv1', done.to == 'hv2', "planned.hostler.actions | map(attribute='why') | list == done.hostler.actions | map(attribute='why') | list"]}
    - virt: {name: s, state: defined, xml: "<domain type='qemu'><memory unit='MiB'>24</memory><os><type>hvm</type></os></domain>"}
      delegate_to: hv2
      register: same
    - assert: {that: [same is not changed]}
`, "")
	if got := two.virsh("domuuid", "s"); got != uuid {
		t.Errorf("its UUID was %s and is %s", uuid, got)
	}
	if names := one.virsh("list", "--all", "--name"); strings.TrimSpace(names) != "t" {
		t.Errorf("hv1 still has %q", names)
	}
	if left := one.inside("ls -A /srv"); strings.Contains(left, ".hostler") {
		t.Errorf("left behind: %s", left)
	}
	// Back again with the other, and the host that is the destination itself has nothing to do.
	one.overBoth(bin, "hv1:hv2", `
    - virt_migrate: {domain: t, dest: hv2, mode: offline, dname: t2}
      when: inventory_hostname == 'hv1'
    - virt_migrate: {domain: [s, t2], dest: hv1, mode: offline}
      when: inventory_hostname == 'hv2'
    - virt_migrate: {domain: [s, t2], dest: hv1, mode: offline}
      register: r
    - assert: {that: [r is not changed]}
`, "")
}

// TestVirtMigrateRefuses holds that everything that speaks against a migration is told at once, and that nothing is done.
func TestVirtMigrateRefuses(t *testing.T) {
	one, two := twoHypervisors(t)
	bin := hostlerBinary(t)
	one.diskGuest("s", "vda=qcow2 vdb=raw")
	one.diskGuest("t", "vda=qcow2")
	one.inside("mkdir /root/own; qemu-img create -q -f qcow2 -b /srv/s-vda.qcow2 -F qcow2 /root/own/s.qcow2")
	one.virsh("define", one.write("u.xml", `<domain type='qemu'><name>u</name><memory unit='MiB'>16</memory><os><type machine='pc'>hvm</type></os><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='/root/own/s.qcow2'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><source network='lan'/></interface><interface type='bridge'><source bridge='br7'/></interface>
<disk type='volume'><driver name='qemu' type='raw'/><source pool='images' volume='x'/><target dev='vdb' bus='virtio'/></disk></devices></domain>`))
	before := one.inside("virsh -q list --all; ls -A /srv")
	for _, c := range []struct{ task, want string }{
		{"{domain: nope, dest: hv2}", "virtual machine nope not found, neither on hv1 nor on hv2"},
		{"{domain: nope, dest: hv1}", "virtual machine nope not found, and it cannot be moved from hv1 to itself"},
		{"{domain: s, dest: hv3}", "the inventory has no host"},
		{"{domain: s, dest: hv2}", "domain s cannot be moved to hv2: it is shut off (mode: offline moves its definition); from hv1 libvirt of hv2 cannot be reached at qemu+ssh://hv2/system?no_tty=1: "},
		{"{domain: s, dest: hv2, dest_uri: 'qemu:///system'}", "it is shut off (mode: offline moves its definition); qemu:///system leads to hv1, and hv2 is hv2"},
		{"{domain: u, dest: hv2, mode: offline}", "domain u cannot be moved to hv2: /root/own/s.qcow2 is not there on hv2, and an offline migration copies no disks: share the storage, or copy the images first and set verify_shared: false; network lan is not active on hv2; there is no bridge or interface br7 on hv2; pool images is not active on hv2"},
		{"{domain: [nope, u], dest: hv2, mode: offline}", "virtual machine nope not found, neither on hv1 nor on hv2\\ndomain u cannot be moved"},
	} {
		one.overBoth(bin, "hv1", "    - virt_migrate: "+c.task, c.want)
	}
	one.virsh("snapshot-create-as", "t", "one")
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: t, dest: hv2, mode: offline}", "it has 1 snapshots, whose records would stay behind")
	one.virsh("snapshot-delete", "t", "one")
	one.virsh("start", "t")
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: t, dest: hv2, mode: offline}", "it is running, and mode: offline is for one that is shut off (mode: live moves it as it runs)")
	one.virsh("managedsave", "t")
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: t, dest: hv2, mode: offline}", "its memory is saved here and would stay behind")
	one.virsh("managedsave-remove", "t")

	// Not the same folder: other files, or copies of the same name.
	two.inside("umount /srv; cp -a " + filepath.Join(one.dir, "srv") + "/* /srv/")
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: s, dest: hv2, mode: offline}", "/srv/s-vda.qcow2 is another file on hv2 (verify_shared: false takes it for a copy of this one); /srv/s-vdb.raw is another file on hv2")
	two.inside("rm /srv/*")
	for _, f := range []string{"s-vda.qcow2", "s-vdb.raw"} {
		if err := os.Link(filepath.Join(one.dir, "srv", f), filepath.Join(two.dir, "srv", f)); err != nil {
			t.Fatal(err)
		}
	}
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: s, dest: hv2, mode: offline}", "domain s cannot be moved to hv2: what is in /srv here is not there, so its disks are other ones there (verify_shared: false takes them for copies)")
	if after := one.inside("virsh -q list --all; ls -A /srv"); after != before {
		t.Errorf("domains and files were\n%s\nand are\n%s", before, after)
	}
	one.overBoth(bin, "hv1", thrice("virt_migrate: {domain: s, dest: hv2, mode: offline, verify_shared: false}"), "")

	// Twice: whatever the states, it is told, and nothing is done.
	one.diskGuest("s", "vda=qcow2 vdb=raw")
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: s, dest: hv2, mode: offline}", "host hv2 has another domain s, with UUID ")
	one.inside("virsh -q undefine s")
	two.inside("virsh -q dumpxml s >/srv/s.xml")
	one.virsh("define", filepath.Join(two.dir, "srv/s.xml"))
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: s, dest: hv2, mode: offline}", "domain s is defined twice, on hv1 (shut off) and on hv2 (shut off): undefine the one that is not to be")
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: s, dest: hv2, mode: offline, dname: s2}", "host hv2 has a domain s with the UUID of s")
	one.virsh("start", "s")
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: s, dest: hv2}", "domain s is defined twice, on hv1 (running) and on hv2 (shut off)")
	two.inside("cd /srv; for f in s-*; do cp $f x; mv x $f; done") // QEMU keeps two guests from one image, where it can
	two.virsh("start", "s")
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: s, dest: hv2}", "domain s runs twice, on hv1 (running) and on hv2 (running): if they share a disk it is being destroyed")

	// libvirt there ends in the middle of a run of tasks.
	two.virsh("destroy", "s")
	two.virsh("undefine", "s")
	two.stop()
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: t, dest: hv2, mode: offline}", "host hv2: failed to connect to the hypervisor")
}

// TestVirtMigrateLive moves guests of QEMU between two libvirts while they run. In the end they still obey the power button.
func TestVirtMigrateLive(t *testing.T) {
	one, two := twoHypervisors(t)
	bin := hostlerBinary(t)
	there := "dest_uri: 'qemu+ssh://10.9.0.2/system?no_tty=1', migrate_uri: 'tcp://10.9.0.2', accept_unsafe: true"
	for _, name := range []string{"live", "still", "stuck"} {
		one.virsh("define", one.buttonGuest(name))
		one.virsh("start", name)
		one.listens(name)
	}
	one.virsh("autostart", "live")
	one.virsh("suspend", "stuck")
	// The folder is the same, but libvirt knows it for a local one.
	one.overBoth(bin, "hv1", "    - virt_migrate: {domain: live, dest: hv2, "+strings.Replace(there, ", accept_unsafe: true", "", 1)+"}", "nsafe")
	one.overBoth(bin, "hv1", thrice("virt_migrate: {domain: live, dest: hv2, "+there+"}")+`
    - assert: {that: ["done.domains[0].state == 'running'", "done.domains[0].autostart", "done.domains[0].persistent"]}
`+thrice("virt_migrate: {domain: still, mode: suspend, transport: p2p, dest: hv2, "+there+"}")+`
    - assert: {that: ["done.domains[0].state == 'running'"]}
`+thrice("virt_migrate: {domain: stuck, transport: tunnelled, undefine_source: true, dest: hv2, "+strings.Replace(there, "migrate_uri: 'tcp://10.9.0.2', ", "", 1)+"}")+`
    - assert: {that: ["done.domains[0].state == 'paused'"]}
`, "")
	if names := one.virsh("list", "--all", "--name"); strings.TrimSpace(names) != "" {
		t.Errorf("hv1 still has %q", names)
	}
	// A disk that only its host has goes over while its guest runs, into a pool of its folder.
	one.virsh("define", one.buttonGuest("own"))
	one.inside("mkdir /root/own; mv /srv/own.img /root/own/; virsh -q dumpxml own | sed s:/srv/own:/root/own/own: >own.xml; virsh -q define own.xml; virsh -q start own")
	one.listens("own")
	task := "virt_migrate: {domain: own, dest: hv2, copy_storage: all, " + there + "}"
	one.overBoth(bin, "hv1", "    - "+task, "domain own cannot be moved to hv2: there is no /root/own/own.img on hv2, nor an active pool of the folder /root/own that libvirt could make it in")
	two.inside("mkdir /root/own; virsh -q pool-define-as own dir --target /root/own; virsh -q pool-start own")
	one.overBoth(bin, "hv1", thrice(task), "")
	two.inside("cmp /root/own/own.img " + filepath.Join(one.dir, "root/own/own.img"))

	two.virsh("resume", "stuck")
	for _, name := range []string{"live", "still", "stuck", "own"} {
		two.virsh("shutdown", name)
		if out, code := two.run("sh", "-c", `n=0; until [ "$(virsh -q domstate `+name+`)" = 'shut off' ]; do n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 0.2; done`); code != 0 {
			t.Errorf("guest %s does not obey after its migration: %s", name, out)
		}
	}
}

// TestExampleMigration plays examples/migration between two hypervisors: guests that are shut off move, and all guests are moved away and come home
// while their hosts would boot, one after the other.
func TestExampleMigration(t *testing.T) {
	one, two := twoHypervisors(t)
	bin := hostlerBinary(t)
	inventory := one.write("hosts.ini", twoHosts)
	play := func(file, changed string, more ...string) {
		t.Helper()
		path, err := filepath.Abs(filepath.Join("../examples/migration", file))
		if err != nil {
			t.Fatal(err)
		}
		out := one.playOver(bin, inventory, path, "", more...)
		for line := range strings.Lines(out[max(0, strings.LastIndex(out, "PLAY RECAP")):]) {
			if host, _, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(host, "hv") && !strings.Contains(line, changed) {
				t.Errorf("%s: want%s:\n%s", file, changed, out)
			}
		}
	}
	for _, name := range []string{"web-01", "web-02"} {
		one.virsh("define", one.buttonGuest(name))
	}
	offline := []string{"-e", "origin=hv1", "-e", "target=hv2"}
	play("offline.yml", " changed=2 ", offline...)
	play("offline.yml", " changed=0 ", offline...)
	for _, name := range []string{"web-01", "web-02"} {
		two.listens(name)
	}
	one.virsh("define", one.buttonGuest("db"))
	one.virsh("start", "db")
	one.listens("db")

	one.inside("touch /run/due")
	two.inside("touch /run/due")
	rolling := []string{"-e", "due=/run/due", "-e", "{accept_unsafe: true}", "--skip-tags", "boot"}
	play("rolling.yml", " changed=2 ", rolling...)
	one.inside("rm /run/due")
	two.inside("rm /run/due")
	play("rolling.yml", " changed=0 ", rolling...)
	for v, want := range map[*hypervisor]string{one: "db", two: "web-01 web-02"} {
		if names := strings.Fields(v.virsh("list", "--name")); strings.Join(slices.Sorted(slices.Values(names)), " ") != want {
			t.Errorf("there run %q, want %s", names, want)
		}
	}
	two.virsh("shutdown", "web-01")
	two.inside(`n=0; until [ "$(virsh -q domstate web-01)" = 'shut off' ]; do n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 0.2; done`)
}
