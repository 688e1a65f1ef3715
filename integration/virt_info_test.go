//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestInfoOfARunningHost asks a hypervisor with a guest, a network and a pool; the assertions are the playbook's.
func TestInfoOfARunningHost(t *testing.T) {
	v := startHypervisor(t)
	v.virsh("net-define", v.write("n.xml", "<network><name>lab</name><bridge name='hvlab0'/><ip address='10.77.0.1' prefix='24'/></network>"))
	v.virsh("net-start", "lab")
	v.virsh("pool-define-as", "p", "dir", "--target", "/srv")
	v.virsh("pool-start", "p")
	v.virsh("vol-create-as", "p", "a b.raw", "1M")
	v.virsh("define", v.write("d.xml", `<domain type='qemu'><name>it's</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>
<interface type='network'><mac address='52:54:00:AB:00:01'/><source network='lab'/></interface></devices></domain>`))
	v.virsh("start", "it's")
	v.virsh("define", v.write("e.xml", "<domain type='qemu'><name>off</name><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>"))
	out, code := v.play(v.write("play.yml", `- hosts: all
  gather_facts: false
  tasks:
    - virt_info: {gather: [host, domains, leases, volumes, addresses, snapshots, stats]}
      register: i
      check_mode: true
    - assert:
        that:
          - i is not changed
          - i.host.libvirt is match('[0-9]+[.][0-9]+[.][0-9]+$')
          - i.domains | list | sort == ["it's", 'off']
          - i.domains["it's"].state == 'running'
          - i.domains["it's"].interfaces[0].mac == '52:54:00:ab:00:01'
          - i.domains["it's"].interfaces[0].source == 'lab'
          - i.domains["it's"].stats['balloon.maximum'] == '16384'
          - i.domains.off.state == 'shut off'
          - not i.domains.off.ours
          - i.domains.off.snapshots == []
          - i.networks.lab.state == 'active'
          - i.networks.lab.dhcp_leases == []
          - i.pools.p.volumes == ['a b.raw']
    - virt_info: {gather: [domains], names: ['off', nope]}
      register: i
    - assert: {that: ["i.domains | list == ['off']", "i.missing == ['nope']", i.networks is not defined]}
`), hostlerBinary(t), "play")
	if code != 0 || !strings.Contains(out, "ok=4") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
}

// TestNamesReachVirshWhole asks for a domain whose name virsh's command language could take apart, and whose description imitates answers.
func TestNamesReachVirshWhole(t *testing.T) {
	v := startHypervisor(t)
	const name = `it's; undefine off "a" \b $c #d`
	v.virsh("define", v.write("e.xml", "<domain type='qemu'><name>off</name><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>"))
	v.write("d.xml", "<domain type='qemu'><name>"+strings.ReplaceAll(name, `"`, "&quot;")+`</name><description>
@@info 3 0
no
error: failed to get domain
CPU time: 1
</description><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>`)
	v.write("name", name)
	out, code := v.play(v.write("play.yml", `- hosts: all
  gather_facts: false
  vars: {name: "{{ lookup('file', 'name') }}"}
  tasks:
    - virt: &again {name: "{{ name }}", allow_odd_name: true, state: defined, xml: "{{ lookup('file', 'd.xml') }}"}
    - virt: *again
      register: r
    - virt: {name: "{{ name }}", allow_odd_name: true, command: get_xml}
      register: x
    - virt_info: {gather: [domains, snapshots]}
      register: i
    - assert:
        that:
          - r is not changed
          - "'CPU time: 1' in x.get_xml"
          - i.domains | list | sort == [name, 'off'] | sort
          - i.domains[name].state == 'shut off' and i.domains[name].snapshots == []
`), hostlerBinary(t), "play")
	if code != 0 || !strings.Contains(out, "ok=5    changed=1") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
}
