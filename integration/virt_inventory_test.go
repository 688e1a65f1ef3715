//go:build integration

package integration

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// guestListing is what hostler inventory --list prints, as far as the tests look.
type guestListing struct {
	Meta struct {
		Hostvars map[string]map[string]any `json:"hostvars"`
	} `json:"_meta"`
	Running  struct{ Hosts []string } `json:"state_running"`
	Off      struct{ Hosts []string } `json:"state_shut_off"`
	Networks struct{ Hosts []string } `json:"network_lab_1"`
	Plan     struct{ Hosts []string } `json:"plan_shop"`
}

// TestInventoryOfGuests reads the domains of a libvirt: by its URI, by a host of the inventory that is reached over SSH, and by the file of
// Ansible's plugin; what cannot be asked is told with what to do.
func TestInventoryOfGuests(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.virsh("net-define", v.write("n.xml", "<network><name>lab-1</name><forward mode='nat'/><bridge name='hvlab0'/><ip address='10.77.0.1' prefix='24'/></network>"))
	v.virsh("net-start", "lab-1")
	v.write("on.xml", `<domain type='qemu'><name>web</name><title>{{ 6 * 7 }}</title><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>
<interface type='network'><mac address='52:54:00:AB:00:01'/><source network='lab-1'/></interface></devices></domain>`)
	v.virsh("define", v.write("off.xml", "<domain type='qemu'><name>off</name><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>"))
	if out, code := v.play(v.write("play.yml", `- hosts: all
  gather_facts: false
  tasks: [{virt: {name: web, state: running, plan: shop, xml: "{{ lookup('file', 'on.xml') }}"}}]
`), bin, "play"); code != 0 {
		t.Fatalf("start the guest: %s", out)
	}
	// What the host's ARP table knows of the guest, which has no system to ask for an address.
	if out, code := v.run("ip", "neigh", "replace", "10.77.0.9", "lladdr", "52:54:00:ab:00:01", "dev", "hvlab0", "nud", "reachable"); code != 0 {
		t.Fatalf("ip neigh: %s", out)
	}
	ask := func(args ...string) guestListing {
		t.Helper()
		cmd := v.command(append([]string{bin, "inventory", "--list"}, args...)...)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v: %s", args, err, errs.String())
		}
		var l guestListing
		if err := json.Unmarshal(out, &l); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
		return l
	}
	want := map[string]any{
		"ansible_host": "10.77.0.9", "libvirt_addresses": []any{"10.77.0.9"}, "libvirt_hypervisor": "hv1", "libvirt_memory_kib": 16384.0, "libvirt_name": "web",
		"libvirt_state": "running", "libvirt_title": map[string]any{"__ansible_unsafe": "{{ 6 * 7 }}"}, "libvirt_uri": "qemu:///system", "libvirt_vcpus": 1.0,
	}
	web := func(l guestListing) map[string]any {
		vars := l.Meta.Hostvars["web"]
		delete(vars, "libvirt_uuid")
		return vars
	}
	local := ask("-i", "libvirt:qemu:///system")
	if diff := cmp.Diff(want, web(local)); diff != "" || len(local.Meta.Hostvars) != 1 {
		t.Errorf("by URI (-want +got):\n%s%v", diff, local)
	}
	if got := []int{len(local.Running.Hosts), len(local.Networks.Hosts), len(local.Plan.Hosts), len(local.Off.Hosts)}; !cmp.Equal(got, []int{1, 1, 1, 0}) {
		t.Errorf("groups state_running, network_lab_1, plan_shop, state_shut_off have %v hosts", got)
	}

	// Over SSH: the guests are behind the hypervisor.
	key := filepath.Join(v.dir, "key")
	if out, code := v.run("sh", "-c", `ssh-keygen -q -t ed25519 -N '' -f key && mkdir -p /run/sshd && printf '%s\n' 'Port 2200' "HostKey $PWD/key" "AuthorizedKeysFile $PWD/key.pub" 'StrictModes no' 'PidFile none' >sshd_config &&
/usr/sbin/sshd -f "$PWD/sshd_config"`); code != 0 {
		t.Fatalf("sshd: %s", out)
	}
	hosts := v.write("hosts.ini", "hv ansible_host=127.0.0.1 ansible_port=2200 ansible_user=root ansible_ssh_private_key_file="+key+" ansible_ssh_common_args='-o StrictHostKeyChecking=no'\n")
	far := ask("-i", hosts, "-i", "libvirt:hv")
	want["libvirt_hypervisor"], want["ansible_ssh_proxy_jump"] = "hv", "root@127.0.0.1:2200"
	if diff := cmp.Diff(want, web(far)); diff != "" || len(far.Meta.Hostvars) != 2 {
		t.Errorf("over SSH (-want +got):\n%s", diff)
	}

	file := v.write("libvirt.yml", "plugin: community.libvirt.libvirt\nuri: qemu:///system\nkeyed_groups: [{key: info.state, prefix: is}]\n")
	both := ask("-i", file)
	if len(both.Off.Hosts) != 1 || len(both.Meta.Hostvars) != 2 {
		t.Errorf("by the plugin's file: %v", both)
	}
	groups := func(text string) string {
		var lines []string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "  |--@is_") || strings.HasPrefix(line, "  |  |--") && len(lines) > 0 && strings.HasPrefix(lines[len(lines)-1], "  |--@is_") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	ours, _ := v.run(bin, "inventory", "-i", file, "--graph")
	theirs, _ := v.run("ansible-inventory", "-i", file, "--graph")
	if groups(ours) == "" || len(groups(ours)) != len(groups(theirs)) {
		t.Errorf("groups of the plugin's file:\n%s\nAnsible's:\n%s", ours, theirs)
	}

	for _, c := range []struct {
		want, hint string
		args       []string
	}{
		{`no host of the inventory is named "nope"`, "give the inventory with the hypervisor too", []string{"-i", "libvirt:nope"}},
		{"failed to connect to the hypervisor", "libvirt:HOST asks a host of the inventory", []string{"-i", "libvirt:qemu:///elsewhere"}},
		{"the inventory plugin libvirt needs uri", "such as uri: qemu:///system", []string{"-i", v.write("bad.yml", "plugin: libvirt\n")}},
		{`unknown option "url" of the inventory plugin libvirt`, `did you mean "uri"?`, []string{"-i", v.write("bad2.yml", "plugin: libvirt\nurl: x\n")}},
		{"inventory_hostname must be name or uuid", "", []string{"-i", v.write("bad3.yml", "plugin: libvirt\nuri: 'test:///default'\ninventory_hostname: mac\n")}},
	} {
		out, code := v.run(append([]string{bin, "inventory", "--list"}, c.args...)...)
		if code == 0 || !strings.Contains(out, c.want) || !strings.Contains(out, c.hint) {
			t.Errorf("%q: ended with %d:\n%s", c.args, code, out)
		}
	}
}
