//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestVirtPatch changes single fields of a definition, stored and running.
func TestVirtPatch(t *testing.T) {
	v := startHypervisor(t)
	step, refused := v.steps(hostlerBinary(t), "virt: {name: m, ")
	v.virsh("define", v.buttonGuest("m"))
	if out, code := v.run("sh", "-c", "truncate -s 1M /srv/data.img"); code != 0 {
		t.Fatal(out)
	}
	stored := func(what, want string, there bool) {
		t.Helper()
		if xml := v.virsh("dumpxml", "m", "--inactive"); strings.Contains(xml, want) != there {
			t.Errorf("%s: %q, wanted is %v:\n%s", what, want, there, xml)
		}
	}
	refused("xml_patch: [{path: 'devices/disk[hdx]/@device', set: lun}]", "xml_patch[0]: devices/disk[hdx]/@device finds nothing: <devices> has no disk[hdx]; the nearest is devices/disk[hda]")
	refused("xml_patch: [{path: features, append: <apicc/>}]", "apicc")
	step("xml_patch: [{path: memory, set: 32}, {path: memory/@unit, set: MiB}, {path: currentMemory, set: 32768}, {path: os, append: \"<bootmenu enable='yes'/>\"}]", "changed=1")
	stored("memory", "<memory unit='KiB'>32768</memory>", true)
	stored("boot menu", "<bootmenu enable='yes'/>", true)
	v.virsh("start", "m")
	v.listens("m")
	const disk = `"<disk type='file'><driver name='qemu' type='raw'/><source file='/srv/data.img'/><target dev='vdb' bus='virtio'/></disk>"`
	step("apply: both, xml_patch: [{path: devices, append: "+disk+"}, {path: devices, append: \"<interface type='user'><model type='virtio'/></interface>\"}]", "changed=1")
	stored("disk", "/srv/data.img", true)
	if live := v.virsh("dumpxml", "m"); !strings.Contains(live, "/srv/data.img") || v.virsh("domiflist", "m", "--inactive") == "" {
		t.Errorf("the running one:\n%s", live)
	}
	refused("apply: live, xml_patch: [{path: os/bootmenu/@enable, set: 'no'}]", "domain m runs, and what follows waits for its next start: os/bootmenu/@enable")
	step("xml_patch: [{path: os/bootmenu, remove: true}], restart_if_needed: true, timeout: 60", "changed=1")
	stored("boot menu", "bootmenu", false)
	if live := v.virsh("dumpxml", "m"); strings.Contains(live, "bootmenu") {
		t.Errorf("was not restarted:\n%s", live)
	}
	v.listens("m")
	step("apply: both, xml_patch: [{path: 'devices/disk[vdb]', remove: true}]", "changed=1")
	stored("disk", "/srv/data.img", false)
	refused("xml_patch: [{path: memory, set: much}]", "memory")
}
