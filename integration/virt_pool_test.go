//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPoolByFields brings pools into being from nothing and changes them; each step a second time changes nothing.
func TestPoolByFields(t *testing.T) {
	v := startHypervisor(t)
	step, refused := v.steps(hostlerBinary(t), "virt_pool: {")
	step("name: a, state: active, autostart: true, type: dir, path: /srv/new/a, permissions: {mode: '0711'}", "changed=1")
	if info, err := os.Stat(filepath.Join(v.dir, "srv/new/a")); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	uuid := v.virsh("pool-uuid", "a")
	if err := os.MkdirAll(filepath.Join(v.dir, "srv/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	step("name: a, state: active, type: dir, path: /srv/b/", "changed=1") // elsewhere, and it runs on
	if got := v.virsh("pool-dumpxml", "a"); !strings.Contains(got, "<path>/srv/b</path>") || v.virsh("pool-uuid", "a") != uuid {
		t.Errorf("after the path was changed: %s", got)
	}
	step("name: a, state: inactive", "changed=1")
	step("name: a, state: present, type: dir, path: /srv/b", "changed=0")
	step("name: a, state: active, require_mount: false", "changed=1")
	step("name: a, state: absent", "changed=1")
	refused("name: m, state: active, type: dir, path: /srv/b, require_mount: true", "pool m is not started: nothing is mounted at its path")
	refused("name: m, state: active, type: dir, path: /srv/none, build: never", "cannot open directory '/srv/none'")
	step("name: m, state: absent", "changed=1") // what the refused start left behind
	refused("name: n, state: active, xml: \"<pool type='dir'><name>n</name><target><path>/srv/b</path><permission/></target></pool>\"",
		"libvirt knows no element <permission> in <target>; did you mean permissions?")
	step("name: nfs, state: present, type: netfs, path: /srv/nfs, source: {host: 'nas:2049', dir: /e, format: nfs}", "changed=1")
	if got := v.virsh("pool-dumpxml", "nfs"); !strings.Contains(got, "<host name='nas' port='2049'/>") {
		t.Errorf("the port is in the wrong place: %s", got)
	}
	v.stop()
	refused("name: nfs, state: present", "is libvirtd running?")
	v.start()
	step("name: nfs, state: undefined", "changed=1")
}
