//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecrets defines a secret, sets and changes its value, makes it private and removes it; each step a second time changes nothing.
func TestSecrets(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	const one, two = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nw==", "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eA=="
	play := func(args string) (string, int) {
		return v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - virt_secret: {usage_id: 'client <a> secret', "+args+"}\n"), bin, "play", "-vvv")
	}
	step := func(args, recap string) {
		t.Helper()
		for _, want := range []string{recap, "changed=0"} {
			out, code := play(args)
			if code != 0 || !strings.Contains(out, want) {
				t.Fatalf("%s: ended with %d, want %s:\n%s", args, code, want, out)
			}
			if strings.Contains(out, one) || strings.Contains(out, two) {
				t.Fatalf("%s: the output has the secret:\n%s", args, out)
			}
		}
	}
	uuid := func() string {
		list := strings.Fields(v.virsh("secret-list"))
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	step("value: "+one, "changed=1")
	first := uuid()
	if got := strings.TrimSpace(v.virsh("secret-get-value", first)); got != one {
		t.Errorf("the value is %q", got)
	}
	step("value: "+two, "changed=1")
	if got := strings.TrimSpace(v.virsh("secret-get-value", first)); got != two {
		t.Errorf("after a change the value is %q", got)
	}
	step("description: of the cluster", "changed=1")
	step("private: true, value: "+one, "changed=1")
	if out, code := v.run("virsh", "-c", "qemu:///system", "secret-get-value", first); code == 0 {
		t.Errorf("a private secret is given away: %s", out)
	}
	step("private: true, value: "+two, "changed=1")
	if uuid() != first {
		t.Errorf("the UUID is %s and was %s", uuid(), first)
	}
	step("state: absent", "changed=1")
	if left, _ := filepath.Glob(filepath.Join(v.dir, "var/lib/libvirt/hostler/secret-*")); uuid() != "" || len(left) > 0 {
		t.Errorf("left are %q %q", uuid(), left)
	}
	if out, code := play("value: nonsense"); code == 0 || !strings.Contains(out, "value is no") {
		t.Errorf("nonsense as a key: ended with %d:\n%s", code, out)
	}
	step("usage_type: iscsi, encoding: raw, value: 'pass word'", "changed=1")
	if got := strings.TrimSpace(v.virsh("secret-get-value", "--plain", uuid())); got != "pass word" {
		t.Errorf("the raw value is %q", got)
	}
	if left, err := os.ReadDir(filepath.Join(v.dir, "run")); err == nil {
		for _, f := range left {
			if strings.HasPrefix(f.Name(), "hostler.") {
				t.Errorf("left in /run: %s", f.Name())
			}
		}
	}
}
