//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestExampleDomains plays examples/domains, one playbook after the other: a guest is defined, changed, given devices, and removed.
func TestExampleDomains(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.inside("mkdir /srv/images; virsh -q pool-define-as images dir --target /srv/images; virsh -q pool-start images; virsh -q pool-autostart images")
	v.virsh("net-define", v.write("n.xml", `<network><name>default</name><bridge name='virbr0'/><ip address='192.168.122.1' prefix='24'/></network>`))
	v.virsh("net-start", "default")
	small := []string{"-e", "virt_type=qemu", "-e", "memory=32"}
	has := func(wants ...string) {
		t.Helper()
		live, stored := v.virsh("dumpxml", "web-01"), v.virsh("dumpxml", "web-01", "--inactive")
		for _, want := range wants {
			if !strings.Contains(live, want) || !strings.Contains(stored, want) {
				t.Errorf("no %s in\n%s\n%s", want, live, stored)
			}
		}
	}
	v.examples(bin, example{"domains/define.yml", "2", small})
	has("<title>Web server</title>", "/srv/images/web-01.qcow2")
	id := v.virsh("domid", "web-01")
	v.examples(bin, example{"domains/plug.yml", "3", nil})
	has("/srv/images/web-01-data.qcow2", "52:54:00:64:00:02")
	v.examples(bin, example{"domains/define.yml", "0", small})
	v.examples(bin, example{"domains/change.yml", "1", []string{"-e", "virt_type=qemu", "-e", "memory=64"}})
	has("<title>Web server and proxy</title>", "<vcpu placement='static' current='2'>4</vcpu>", "/srv/images/web-01-data.qcow2")
	if got := v.virsh("dumpxml", "web-01", "--inactive"); !strings.Contains(got, "<memory unit='KiB'>65536</memory>") {
		t.Errorf("what waits for the next start is not defined: %s", got)
	}
	if got := v.virsh("domid", "web-01"); got != id {
		t.Errorf("the guest was started anew: its ID was %s and is %s", id, got)
	}
	v.examples(bin, example{"domains/remove.yml", "1", nil})
	if got := v.inside("virsh -q list --all --name; ls /srv/images"); strings.TrimSpace(got) != "" {
		t.Errorf("what is left: %s", got)
	}
}
