//go:build integration

package integration

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestVirtConvert converts volumes of libvirt's, and holds that what a running guest uses is left alone.
func TestVirtConvert(t *testing.T) {
	v, bin := startHypervisor(t), hostlerBinary(t)
	v.write("pool.xml", "<pool type='dir'><name>disks</name><target><path>/srv</path></target></pool>")
	tool(t, v.dir, "qemu-img", "create", "-q", "-f", "vdi", filepath.Join("srv", "a.vdi"), "8M")
	v.virsh("pool-define", "pool.xml")
	v.virsh("pool-start", "disks")
	step, refused := v.steps(bin, "virt_convert: {src_volume: {pool: disks, volume: a.vdi}, src_format: vdi, pool: disks, name: a.qcow2, ")
	step("compress: true", "changed=1")
	if got := v.virsh("vol-dumpxml", "--pool", "disks", "a.qcow2"); !strings.Contains(got, "<format type='qcow2'/>") || !strings.Contains(got, "<capacity unit='bytes'>8388608<") {
		t.Errorf("the volume is %s", got)
	}
	v.virsh("define", v.write("d.xml", "<domain type='qemu'><name>vm1</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>"+
		"<disk type='file'><driver name='qemu' type='qcow2'/><source file='/srv/a.qcow2'/><target dev='vda'/></disk></devices></domain>"))
	v.virsh("start", "vm1")
	step("compress: true", "changed=0")
	refused("cluster_size: 128K, force: true", "/srv/a.qcow2 is in use: it is not replaced")
	v.virsh("destroy", "vm1")
	step("cluster_size: 128K, force: true", "changed=1")
	_, refused = v.steps(bin, "virt_convert: {dest: /srv/b.raw, format: raw, ")
	refused("src_volume: {pool: disks, volume: none}, src_format: raw", "none")
	refused("src: /srv/a.qcow2, src_format: vmdk", "/srv/a.qcow2 cannot be read as vmdk: ")
}
