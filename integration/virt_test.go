//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestVirtIsAnsibles runs each playbook of testdata/virt by ansible-playbook with community.libvirt and by us, each on a hypervisor of its
// own: what tasks come to and what libvirt then has must be the same. A second run of both, without tasks that are tagged once, must change
// nothing; ours not even after the daemon was restarted and after virsh defined everything anew from its own dumps.
func TestVirtIsAnsibles(t *testing.T) { byBoth(t, "../testdata/virt/*.yml", onHypervisor) }

// libvirtState prints everything that libvirt has, sorted.
const libvirtState = `v() { virsh -q -c qemu:///system "$@"; }
v list --all --name | sed '/^$/d' | sort | while read -r n; do
	echo "== domain $n: $(v domstate "$n")"; v dominfo "$n" | grep -E '^(Persistent|Autostart|Managed save):'; v dumpxml "$n" --inactive --security-info; done
v net-list --all --name | sed '/^$/d' | sort | while read -r n; do echo "== network $n"; v net-info "$n" | grep -E '^(Active|Persistent|Autostart):'; v net-dumpxml "$n" --inactive; done
v pool-list --all --name | sed '/^$/d' | sort | while read -r n; do
	echo "== pool $n"; v pool-info "$n" | grep -E '^(State|Persistent|Autostart):'; v pool-dumpxml "$n" --inactive
	v vol-list "$n" 2>/dev/null | sort; done
exit 0`

// redefine defines every domain and network anew from its own dump, as another tool would with its own formatting.
const redefine = `set -e; v() { virsh -q -c qemu:///system "$@"; }
for n in $(v list --all --name); do v dumpxml "$n" --inactive --security-info | tr -d '\n' | sed "s/'/\"/g; s/></> </g" >/root/x; v define /root/x; done
for n in $(v net-list --all --name); do v net-dumpxml "$n" --inactive | tr -d '\n' | sed "s/'/\"/g; s/></> </g" >/root/x; v net-define /root/x; done
for n in $(v pool-list --all --name); do v pool-dumpxml "$n" --inactive | tr -d '\n' | sed "s/'/\"/g; s/></> </g" >/root/x; v pool-define /root/x; done`

// ownWays are what differs from run to run: identities that libvirt draws, sizes of file systems, and our record.
var ownWays = regexp.MustCompile(`(?s) *<metadata>\s*<hostler:applied.*?</metadata>\n|(?m)^ *<(?:uuid|mac|capacity|allocation|available).*\n`)

func onHypervisor(t *testing.T, file string, program ...string) (outcome, state string) {
	t.Helper()
	v := startHypervisor(t)
	if prepare := strings.TrimSuffix(file, ".yml") + ".sh"; exists(prepare) {
		path, err := filepath.Abs(prepare)
		if err != nil {
			t.Fatal(err)
		}
		if out, code := v.run("sh", "-e", path); code != 0 {
			t.Fatalf("prepare: %s", out)
		}
	}
	first, code := v.play(file, program...)
	if code != 0 {
		t.Errorf("%v ended with %d:\n%s", program, code, first)
	}
	state, _ = v.run("sh", "-c", libvirtState)
	again := func(when string) {
		second, _ := v.play(file, append(program, "--skip-tags", "once")...)
		if !strings.Contains(strings.Join(outcomes.FindAllString(second, -1), "\n"), " changed=0 ") {
			t.Errorf("the second run of %v%s changes something:\n%s", program, when, second)
		}
	}
	again("")
	if program[0] != "ansible-playbook" {
		v.stop()
		v.start()
		if out, code := v.run("sh", "-c", redefine); code != 0 {
			t.Errorf("define anew: %s", out)
		}
		again(", after libvirt's restart and a definition by virsh,")
	}
	return strings.Join(outcomes.FindAllString(first, -1), "\n"), ownWays.ReplaceAllString(state, "")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
