//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestVirtTwin holds that one domain of a play never runs on two of its hosts: neither after each other nor when both are asked to start it at once,
// and that a host without libvirt stops nobody.
func TestVirtTwin(t *testing.T) {
	hv1, hv2, hv3 := startHypervisorNamed(t, "hv1"), startHypervisorNamed(t, "hv2"), startHypervisorNamed(t, "hv3")
	bin := hostlerBinary(t)
	hosts := hypervisorsInventory(t, hv1, hv2, hv3)
	const xml = `<domain type='qemu'><name>t</name><uuid>0a3ff1b2-5d1c-4f0e-9d3f-2d1b7e7c0001</uuid><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>`
	for _, v := range []*hypervisor{hv1, hv2} {
		v.virsh("define", v.write("t.xml", xml))
	}
	hv3.stop()
	running := func() string {
		t.Helper()
		n := ""
		for _, v := range []*hypervisor{hv1, hv2} {
			n += strings.TrimSpace(v.virsh("domstate", "t")) + " "
		}
		return strings.TrimSpace(n)
	}
	const start = "- hosts: HOSTS\n  gather_facts: false\n  tasks:\n    - virt: {name: t, state: running}\n      when: inventory_hostname in ['hv1', 'hv2']\n"
	out, code := playOn(t, bin, hosts, strings.Replace(start, "HOSTS", "all", 1))
	if got := running(); code == 0 || got != "running shut off" && got != "shut off running" {
		t.Errorf("both at once: %s, ended with %d:\n%s", got, code, out)
	}
	if !strings.Contains(out, "domain t is running on host hv") || !strings.Contains(out, "host hv3 could not be asked whether it runs domain t too") {
		t.Errorf("what is said:\n%s", out)
	}
	// The one that runs is not asked about; the other one is refused again, also in check mode.
	for _, v := range []*hypervisor{hv1, hv2} {
		_, _ = v.run("virsh", "-q", "-c", "qemu:///system", "destroy", "t")
	}
	hv2.virsh("start", "t")
	hv2.virsh("suspend", "t")
	const checked = "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt: {name: t, state: running}\n      check_mode: true\n      when: inventory_hostname == 'hv1'\n"
	if out, code := playOn(t, bin, hosts, checked); code == 0 || !strings.Contains(out, "domain t is paused on host hv2 already") {
		t.Errorf("check mode: ended with %d:\n%s", code, out)
	}
	if out, code := playOn(t, bin, hosts, strings.Replace(start, "HOSTS", "hv2", 1)); code != 0 || !strings.Contains(out, "changed=1") {
		t.Errorf("resumed where it is: ended with %d:\n%s", code, out)
	}
	if got := running(); got != "shut off running" {
		t.Errorf("in the end: %s", got)
	}
}
