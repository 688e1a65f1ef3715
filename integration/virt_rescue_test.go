//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestVirtRescue starts a domain once from an ISO image, beside a drive of its own and without one; its definition stays, and is what starts next.
func TestVirtRescue(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	step, refused := v.steps(bin, "virt: {name: m, ")
	v.virsh("define", v.buttonGuest("m"))
	v.inside("cp /srv/m.img /srv/rescue.iso; truncate -s 64K /srv/own.iso /srv/rescue.iso")
	for _, own := range []string{"", "<disk type='file' device='cdrom'><source file='/srv/own.iso'/><target dev='hdd' bus='ide'/></disk>"} {
		if own != "" {
			v.virsh("attach-device", "m", "--config", "--file", v.write("cd.xml", own))
		}
		before := v.virsh("dumpxml", "m", "--inactive", "--security-info")
		step("rescue: /srv/rescue.iso", "changed=1")
		if live := v.virsh("dumpxml", "m"); !strings.Contains(live, "/srv/rescue.iso") || strings.Contains(live, "<boot dev=") || strings.Contains(live, "/srv/own.iso") {
			t.Errorf("it runs as\n%s", live)
		}
		refused("rescue: /srv/other.iso", "domain m is running: rescue starts one that is shut off (state: shutdown)")
		if after := v.virsh("dumpxml", "m", "--inactive", "--security-info"); after != before {
			t.Errorf("the definition was\n%s\nand is\n%s", before, after)
		}
		v.virsh("destroy", "m")
		step("state: running", "changed=1")
		if live := v.virsh("dumpxml", "m"); strings.Contains(live, "/srv/rescue.iso") {
			t.Errorf("the next start is one from the image too:\n%s", live)
		}
		v.listens("m")
		v.virsh("managedsave", "m")
		refused("rescue: /srv/rescue.iso, state: running", "domain m has its memory saved")
		v.virsh("managedsave-remove", "m")
		refused("rescue: /srv/none.iso", "/srv/none.iso")
		if after := v.virsh("dumpxml", "m", "--inactive", "--security-info"); after != before || !strings.Contains(v.virsh("domstate", "m"), "shut off") {
			t.Errorf("after an image that is not there the definition is\n%s", after)
		}
	}
}
