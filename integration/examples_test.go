//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// example is a playbook of examples/, how many tasks of its first run change something, and further arguments.
type example struct {
	file, changed string
	more          []string
}

// examples plays each with its own inventory: hostler check finds nothing in it, and neither a second run changes anything nor one after
// libvirtd was restarted.
func (v *hypervisor) examples(bin string, all ...example) {
	v.t.Helper()
	play := func(e example, when, command, want string, more ...string) {
		v.t.Helper()
		file, err := filepath.Abs(filepath.Join("../examples", e.file))
		if err != nil {
			v.t.Fatal(err)
		}
		args := append([]string{bin, command, "-i", filepath.Join(filepath.Dir(file), "inventory.ini"), file}, more...)
		if out, code := v.engine(append(args, e.more...)...); code != 0 || !strings.Contains(out[max(0, strings.LastIndex(out, "PLAY RECAP")):], want) {
			v.t.Fatalf("%s of %s %s: ended with %d, want %s:\n%s", command, e.file, when, code, want, out)
		} else if strings.Contains(out, "WARNING") {
			v.t.Errorf("%s of %s %s warns:\n%s", command, e.file, when, out)
		}
	}
	for _, e := range all {
		play(e, "without a host", "check", "nothing found\n")
		play(e, "the first time", "play", " changed="+e.changed+" ", "-c", "local")
		play(e, "the second time", "play", " changed=0 ", "-c", "local")
	}
	v.stop()
	v.start()
	for _, e := range all {
		changed := " changed=0 "
		if e.file == emptyGroup {
			changed = " changed=1 "
		}
		play(e, "after libvirtd was restarted", "play", changed, "-c", "local")
	}
}

// emptyGroup is the exception: libvirt takes a volume group for active, when it starts, by the folder in /dev that is there with its first
// logical volume.
const emptyGroup = "pools/logical.yml"

// active fails the test unless the object of a class (net, pool) runs and starts with the host.
func (v *hypervisor) active(class, name string) {
	v.t.Helper()
	if out := v.virsh(class+"-info", name); !strings.Contains(out, map[string]string{"net": "Active:         yes", "pool": "State:          running"}[class]) ||
		!strings.Contains(out, "Autostart:      yes") {
		v.t.Errorf("%s %s: %s", class, name, out)
	}
}

// lease asks for an address as a guest with the MAC address would that is plugged into a bridge, and gives what the DHCP server said.
func (v *hypervisor) lease(bridge, mac string) string {
	v.t.Helper()
	v.write("lease.sh", "#!/bin/sh\n[ \"$1\" != bound ] || echo \"$ip $router $domain $lease\"\n")
	return strings.TrimSpace(v.inside(`chmod +x lease.sh; ip link add h0 type veth peer name g0 address ` + mac + `; ip link set h0 master ` + bridge + ` up; ip link set g0 up
busybox udhcpc -i g0 -n -q -f -t 60 -T 1 -s "$PWD/lease.sh" 2>/dev/null; ip link del h0`))
}

// TestExampleNetworks makes the networks of examples/networks, and asks for addresses where libvirt gives them.
func TestExampleNetworks(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.inside("ip link add br0 type bridge; ip link add ovsbr0 type bridge; ip link add eth0 type veth peer name router")
	v.examples(bin, example{"networks/nat.yml", "1", nil}, example{"networks/routed.yml", "1", nil}, example{"networks/isolated.yml", "1", nil},
		example{"networks/bridged.yml", "1", nil}, example{"networks/portgroups.yml", "1", nil})
	for network, want := range map[string]string{
		"guests": "<forward mode='nat'>", "public": "<forward dev='eth0' mode='route'>", "backend": "<mtu size='9000'/>",
		"lan": "<bridge name='br0'/>", "switch": "<tag id='30'/>",
	} {
		v.active("net", network)
		if out := v.virsh("net-dumpxml", network); !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if out := v.virsh("net-dumpxml", "backend"); strings.Contains(out, "<forward") {
		t.Errorf("the isolated network is not: %s", out)
	}
	for _, c := range []struct{ bridge, mac, want string }{
		{"virbr10", "52:54:00:6e:00:12", "192.168.110.12 192.168.110.1 guests.example.org 43200"},
		{"virbr20", "52:54:00:6e:01:66", "203.0.113.66 203.0.113.65  3600"},
	} {
		if got := v.lease(c.bridge, c.mac); got != c.want {
			t.Errorf("%s gets %q, want %q", c.mac, got, c.want)
		}
	}
	if got := v.lease("virbr30", "52:54:00:6e:00:99"); !strings.HasPrefix(got, "10.30.0.") {
		t.Errorf("a guest of the isolated network gets %q", got)
	}
}

// loop gives a block device of some MiB that is empty.
func (v *hypervisor) loop(name string, mebibytes int) string {
	v.t.Helper()
	device := strings.TrimSpace(v.inside(fmt.Sprintf("truncate -s %dM /srv/%s.img; losetup --find --partscan --show /srv/%[2]s.img", mebibytes, name)))
	v.t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil { // devices are all namespaces'
			v.t.Errorf("losetup: %s", out)
		}
	})
	return device
}

// storageServers are a Gluster volume and an iSCSI target at 10.9.9.1, without anything of the kernel but FUSE. What LVM and iSCSI write down
// in /etc is the test's.
const storageServers = `for f in etc/lvm etc/iscsi var/lib/glusterd var/log/glusterfs; do mkdir -p "$1/$f"; cp -a "/$f/." "$1/$f"; mount --bind "$1/$f" "/$f"; done
ip address add 10.9.9.1/32 dev lo
mkdir -p /run/gluster /srv/brick
glusterd
until gluster --mode=script volume create vms 10.9.9.1:/srv/brick force >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done
gluster volume start vms
truncate -s 64M /srv/lun.img
tgtd -f >/run/tgtd.log 2>&1 &
until tgtadm --op show --mode sys >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done
tgtadm --op new --mode target --tid 1 -T iqn.2026-01.org.example:vms
tgtadm --op new --mode logicalunit --tid 1 --lun 1 -b /srv/lun.img
tgtadm --op bind --mode target --tid 1 -I ALL`

// TestExamplePools makes the pools of examples/pools. NFS is no file system of every kernel ("mount: unknown filesystem type 'nfs'"), and
// kernels have one iSCSI initiator for all namespaces ("iscsid: can not create NETLINK_ISCSI socket"): netfs is Gluster's by FUSE here, and
// LUNs are QEMU's. Without a device mapper a volume group is made and starts, but has no volumes.
func TestExamplePools(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.inside("set -- '" + v.dir + "'\n" + storageServers)
	if !exists("/dev/mapper") {
		t.Cleanup(func() { _ = os.RemoveAll("/dev/mapper") }) // LVM makes its node there
	}
	fs, group, disk := v.loop("fs", 64), v.loop("group", 64), v.loop("disk", 64)
	v.inside(`echo "devices { filter = [ \"a|^` + group + `$|\", \"r|.*|\" ] }" >/etc/lvm/lvmlocal.conf`) // the machine's own are none of its business
	v.examples(
		bin, example{"pools/dir.yml", "1", nil}, example{"pools/volumes.yml", "4", nil},
		example{"pools/fs.yml", "3", []string{"-e", "disk=" + fs}},
		example{"pools/netfs.yml", "1", []string{"-e", "server=10.9.9.1", "-e", "export=vms", "-e", "format=glusterfs"}},
		example{emptyGroup, "3", []string{"-e", "disk=" + group}},
		example{"pools/disk.yml", "3", []string{"-e", "disk=" + disk}},
		example{"pools/iscsi-direct.yml", "1", []string{"-e", "portal=10.9.9.1"}},
	)
	for _, pool := range []string{"images", "ssd", "shared", "lvm", "partitions", "san-direct"} {
		v.active("pool", pool)
	}
	step, refused := v.steps(bin, "virt_volume: {state: present, capacity: 16M, ")
	step("pool: ssd, name: a.qcow2", "changed=1")
	step("pool: shared, name: a.qcow2", "changed=1")
	step("pool: partitions, name: "+filepath.Base(disk)+"p1", "changed=1")
	if kernel, err := os.ReadFile("/proc/devices"); err == nil && strings.Contains(string(kernel), "device-mapper") {
		step("pool: lvm, name: a", "changed=1")
	} else {
		refused("pool: lvm, name: a", "lvcreate --name a -L 16384K guests --yes) unexpected exit status 3:   /dev/mapper/control: open failed")
	}
	const raised = `{"pool": "images", "empty": [{"name": "data.qcow2", "size": "25G", "format": "qcow2"}]}`
	v.examples(bin, example{"pools/volumes.yml", "1", []string{"-e", raised}})
	if got := v.virsh("vol-info", "--bytes", "--pool", "images", "data.qcow2"); !strings.Contains(got, "26843545600 bytes") {
		t.Errorf("the volume that was to grow: %s", got)
	}
	if got := v.virsh("vol-dumpxml", "--pool", "images", "web-01.qcow2"); !strings.Contains(got, "<path>/srv/images/debian-12.qcow2</path>") {
		t.Errorf("the linked clone: %s", got)
	}
	if got := v.virsh("vol-list", "san-direct"); !strings.Contains(got, "unit:0:0:1") {
		t.Errorf("LUNs of the target: %s", got)
	}
}

// TestPoolsOfEveryType holds that every type of pool is defined as asked for and found again, after libvirtd was restarted as well, and what is
// said of those that cannot start here: there is no server, no device, no kernel for them.
func TestPoolsOfEveryType(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.inside("mkdir etc/iscsi; mount --bind etc/iscsi /etc/iscsi; tgtd -f >/run/tgtd.log 2>&1 & " +
		"until tgtadm --op show --mode sys >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done;" +
		"tgtadm --op new --mode target --tid 1 -T iqn.2026-01.org.example:vms; tgtadm --op bind --mode target --tid 1 -I ALL")
	step, refused := v.steps(bin, "virt_pool: {")
	const uuid = "3c1ba0a2-3b25-4a8f-8e9c-0d1f6a3b7c11"
	all := []struct{ name, args, want, refused string }{
		{"nfs", "type: netfs, path: /srv/nfs, source: {host: 192.0.2.1, dir: /e, format: nfs, protocol_ver: '4.2'}", "<protocol ver='4.2'/>", ""},
		{"cifs", "type: netfs, path: /srv/cifs, source: {host: 192.0.2.1, dir: e, format: cifs}", "<format type='cifs'/>", ""},
		{"san", "type: iscsi, source: {host: 127.0.0.1, device: 'iqn.2026-01.org.example:vms'}", "<path>/dev/disk/by-path</path>", "(is iscsid running? systemctl start iscsid)"},
		{
			"chap", "type: iscsi, source: {hosts: ['[::1]:3261'], device: 'iqn.2026-01.org.example:chap'}, auth: {type: chap, username: u, secret_usage: san}",
			"<auth type='chap' username='u'>", "",
		},
		{
			"ceph", "type: rbd, source: {hosts: [192.0.2.1, '192.0.2.2:3300'], name: vms}, auth: {type: ceph, username: libvirt, secret_uuid: " + uuid + "}",
			"<host name='192.0.2.2' port='3300'/>", "",
		},
		{"brick", "type: gluster, source: {host: 192.0.2.1, name: vms, dir: /}", "<name>vms</name>", ""},
		{"tank", "type: zfs, source: {name: tank/vms}", "<name>tank/vms</name>", ""},
		{"hba", "type: scsi, source: {adapter: host99}", "<adapter type='scsi_host' name='host99'/>", "No such file or directory"},
		{"multipath", "type: mpath", "<path>/dev/mapper</path>", ""},
	}
	for _, c := range all {
		step("state: present, name: "+c.name+", "+c.args, "changed=1")
		if got := v.virsh("pool-dumpxml", c.name); !strings.Contains(got, c.want) {
			t.Errorf("no %s in %s", c.want, got)
		}
		if c.refused != "" {
			refused("state: active, name: "+c.name, c.refused)
		}
	}
	refused("state: present, name: v, type: vstorage, path: /srv/v, source: {name: v}", "missing backend for pool type 13 (vstorage) (where libvirt can do it, its driver is a package of its own: libvirt-daemon-driver-storage-vstorage)")
	v.stop()
	v.start()
	for _, c := range all {
		step("state: present, name: "+c.name+", "+c.args, "changed=0")
	}
}

// webServer serves /srv/www at 127.0.0.1.
const webServer = `mkdir -p /srv/www; busybox httpd -p 127.0.0.1:80 -h /srv/www; until busybox wget -q -O /dev/null http://127.0.0.1/ 2>/dev/null || [ $? = 1 ]; do sleep 0.1; done`

// TestExampleInstalls makes guests by each playbook of examples/virt-install. The container is checked only: libvirt's LXC driver wants
// control groups, which are the machine's ("Failed to create v1 controller cpu for group").
func TestExampleInstalls(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.inside("ip link add br0 type bridge; mkdir -p /srv/vms /srv/iso; truncate -s 64K /srv/iso/installer.iso; " + webServer)
	v.virsh("net-define", v.write("n.xml", `<network><name>default</name><bridge name='virbr0'/><ip address='192.168.122.1' prefix='24'/></network>`))
	v.virsh("net-start", "default")
	const tree = "srv/www/debian/dists/bookworm/main/installer-amd64"
	const boot = tree + "/current/images/netboot/debian-installer/amd64"
	v.inside("mkdir -p /" + boot + "; echo 'debian installer' >/" + tree + "/current/images/MANIFEST; echo nothing | gzip >/" + boot + "/initrd.gz; qemu-img create -q -f qcow2 /srv/vms/imported.qcow2 1M")
	if err := os.WriteFile(filepath.Join(v.dir, boot, "linux"), tinyKernel(), 0o644); err != nil {
		t.Fatal(err)
	}
	tcg := []string{"-e", "virt_type=qemu"}
	v.examples(bin, example{"virt-install/import.yml", "1", tcg}, example{"virt-install/cdrom.yml", "1", tcg}, example{"virt-install/pxe.yml", "1", tcg},
		example{"virt-install/location.yml", "1", append(tcg, "-e", "tree=http://127.0.0.1/"+strings.TrimPrefix(tree, "srv/www/"))})
	for guest, want := range map[string]string{
		"imported": "<source file='/srv/vms/imported.qcow2'", "from-cd": "<source file='/srv/iso/installer.iso'", "from-pxe": "<source bridge='br0'/>",
		"from-tree": "<cmdline>auto=true priority=critical hostname=from-tree domain=example.org console=ttyS0</cmdline>",
	} {
		if got := v.virsh("dumpxml", guest); !strings.Contains(got, want) {
			t.Errorf("%s has no %s:\n%s", guest, want, got)
		}
	}
	for guest, want := range map[string]string{"imported": "enable", "from-cd": "disable", "from-pxe": "enable"} {
		if got := v.virsh("dominfo", guest); !strings.Contains(got, "Autostart:      "+want) || !strings.Contains(got, "State:          running") {
			t.Errorf("%s: %s", guest, got)
		}
	}
}

// TestExampleSeeds makes the guests of examples/seeds, and has cloud-init read their seeds and that of hostler seed.
func TestExampleSeeds(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	if err := os.WriteFile(filepath.Join(v.dir, "srv/system.img"), guestImage(), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, _, _ := strings.Cut(v.inside(webServer+"; qemu-img convert -O qcow2 /srv/system.img /srv/www/debian.qcow2; sha512sum /srv/www/debian.qcow2"), " ")
	v.virsh("net-define", v.write("n.xml", `<network><name>default</name><bridge name='virbr0'/><ip address='192.168.122.1' prefix='24'/></network>`))
	v.virsh("net-start", "default")
	v.examples(bin, example{"seeds/site.yml", "5", []string{"-e", "virt_type=qemu", "-e", "image_url=http://127.0.0.1/debian.qcow2", "-e", "image_checksum=sha512:" + sum}})
	v.write("read.py", readSeed)
	files, err := filepath.Abs("../examples/seeds/web-01")
	if err != nil {
		t.Fatal(err)
	}
	seed := v.inside(bin + " seed --user-data " + files + "/user-data --meta-data " + files + "/meta-data --network-config " + files + "/network-config --output web-01-seed.iso")
	if !strings.Contains(seed, "web-01-seed.iso") {
		t.Errorf("hostler seed says %q", seed)
	}
	for iso, wants := range map[string][]string{
		"web-01-seed.iso":             {"web-01 web-01 ", "nginx", "admin@example.org", "'match': {'name': 'en*'}"},
		"/srv/images/web-01-seed.iso": {"web-01 web-01 ", "nginx", "admin@example.org", "'match': {'name': 'en*'}"},
		"/srv/images/db-01-seed.iso":  {"db-01 db-01 ", "postgresql"},
	} {
		got := v.inside("/usr/bin/python3 read.py " + strings.Replace(iso, "/srv/", v.dir+"/srv/", 1))
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("cloud-init reads no %q of %s:\n%s", want, iso, got)
			}
		}
	}
	for _, guest := range []string{"web-01", "db-01"} {
		if got := v.virsh("domblklist", "--details", guest); !strings.Contains(got, guest+"-seed.iso") || !strings.Contains(got, guest+".qcow2") {
			t.Errorf("the disks of %s: %s", guest, got)
		}
	}
}
