//go:build integration

package integration

import (
	"strings"
	"testing"
)

// storageLab makes the disks of a domain m: files of its own within a pool and outside of one, and what must not go with them.
const storageLab = `set -e
v() { virsh -q -c qemu:///system "$@"; }
mkdir -p /srv/pool
v pool-define-as p dir --target /srv/pool; v pool-start p
qemu-img create -q -f qcow2 /srv/pool/base.qcow2 1M
qemu-img create -q -f qcow2 -b /srv/pool/base.qcow2 -F qcow2 /srv/pool/own.qcow2
qemu-img create -q -f qcow2 /srv/pool/stood.qcow2 1M
qemu-img create -q -f qcow2 -b /srv/pool/stood.qcow2 -F qcow2 /srv/pool/clone.qcow2
qemu-img create -q -f qcow2 /srv/below.qcow2 1M
qemu-img create -q -f qcow2 -b /srv/below.qcow2 -F qcow2 /srv/above.qcow2
for f in own both shared ro cd.iso; do truncate -s 1M "/srv/$f"; done
ln -s both /srv/link
mkdir /srv/q
v pool-define-as q dir --target /srv/q; v pool-start q
qemu-img create -q -f qcow2 /srv/far.qcow2 1M
qemu-img create -q -f qcow2 -b /srv/far.qcow2 -F qcow2 /srv/q/far.qcow2
v pool-refresh q
v pool-refresh p
v define "$1"; v define "$2"; v start m; v managedsave m
`

// TestVirtStorage removes a domain with its disks, and nothing that anybody else needs.
func TestVirtStorage(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	disk := func(file, target, kind, format, more string) string {
		return "<disk type='file' device='" + kind + "'><driver name='qemu' type='" + format + "'/><source file='" + file + "'/><target dev='" + target + "'/>" + more + "</disk>"
	}
	m := v.write("m.xml", `<domain type='qemu'><name>m</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>`+
		disk("/srv/pool/own.qcow2", "vda", "disk", "qcow2", "")+disk("/srv/own", "vdb", "disk", "raw", "")+disk("/srv/both", "vdc", "disk", "raw", "")+
		disk("/srv/shared", "vdd", "disk", "raw", "<shareable/>")+disk("/srv/ro", "vde", "disk", "raw", "<readonly/>")+disk("/srv/cd.iso", "hdc", "cdrom", "raw", "")+
		disk("/srv/pool/stood.qcow2", "vdf", "disk", "qcow2", "")+disk("/srv/below.qcow2", "vdg", "disk", "qcow2", "")+
		disk("/srv/far.qcow2", "vdh", "disk", "qcow2", "")+"</devices></domain>")
	other := v.write("other.xml", `<domain type='qemu'><name>other</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>`+
		disk("/srv/link", "vda", "disk", "raw", "")+disk("/srv/above.qcow2", "vdb", "disk", "qcow2", "")+"</devices></domain>")
	if out, code := v.run("sh", "-c", storageLab, "sh", m, other); code != 0 {
		t.Fatalf("prepare: %s", out)
	}
	const play = `- hosts: all
  gather_facts: false
  tasks:
    - virt: {name: m, state: absent, storage: all}
      check_mode: true
      register: planned
    - virt: {name: m, state: absent, storage: all}
      register: done
    - virt: {name: m, state: absent, storage: all}
      register: again
    - assert:
        that:
          - planned is changed and done is changed and again is not changed
          - planned.removed_storage == done.removed_storage
          - done.removed_storage == ['/srv/pool/own.qcow2', '/srv/own']
          - again.removed_storage is not defined
          - >-
            done.kept_storage == {'vdc': '/srv/both: domain other uses it', 'vdd': '/srv/shared: it is shareable', 'vde': '/srv/ro: it is read-only',
            'hdc': '/srv/cd.iso: it is a medium (cdrom)', 'vdf': '/srv/pool/stood.qcow2: volume /srv/pool/clone.qcow2 stands on it',
            'vdg': '/srv/below.qcow2: domain other uses it', 'vdh': '/srv/far.qcow2: volume /srv/q/far.qcow2 stands on it'}
`
	if out, code := v.play(v.write("play.yml", play), bin, "play", "-v"); code != 0 {
		t.Errorf("ended with %d:\n%s", code, out)
	}
	out, _ := v.run("sh", "-c", "ls /srv /srv/pool; virsh -q -c qemu:///system vol-list p; virsh -q -c qemu:///system list --all --name")
	if got := strings.Join(strings.Fields(out), " "); got != "/srv: above.qcow2 below.qcow2 both cd.iso far.qcow2 link pool q ro shared /srv/pool: base.qcow2 clone.qcow2 stood.qcow2 "+
		"base.qcow2 /srv/pool/base.qcow2 clone.qcow2 /srv/pool/clone.qcow2 stood.qcow2 /srv/pool/stood.qcow2 other" {
		t.Errorf("what is left: %s", got)
	}
}
