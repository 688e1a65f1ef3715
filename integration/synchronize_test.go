//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/transport/transporttest"
)

// TestSynchronizeIsAnsibles runs the playbook of testdata/synchronize by ansible-playbook and by us over a real OpenSSH server, each on
// a tree of its own. What tasks come to, what rsync said and the trees must be the same; a second run must change nothing.
func TestSynchronizeIsAnsibles(t *testing.T) {
	bin := hostlerBinary(t)
	server := transporttest.SSHD(t, transporttest.SSHDOptions{})
	hosts := sshHosts(t, "ansible_python_interpreter=/usr/bin/python3", server, server)
	site, err := filepath.Abs("../testdata/synchronize/site.yml")
	if err != nil {
		t.Fatal(err)
	}
	by := func(program ...string) (outcome, tree string) {
		dir := t.TempDir()
		args := append(program, "-i", hosts, "-e", "d="+dir, site)
		first, code := playedBy(t, dir, args)
		if code != 0 {
			t.Errorf("%v ended with %d:\n%s", program, code, first)
		}
		tree = treeListing(t, dir)
		second, _ := playedBy(t, dir, append(args, "--skip-tags", "once"))
		if again := strings.Join(outcomes.FindAllString(second, -1), "\n"); !strings.Contains(again, " changed=0 ") {
			t.Errorf("the second run of %v changes something:\n%s", program, again)
		}
		return strings.Join(outcomes.FindAllString(first, -1), "\n"), strings.ReplaceAll(tree, dir, "D")
	}
	want, wantTree := by("ansible-playbook")
	got, tree := by(bin, "play")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-ansible +here):\n%s", diff)
	}
	if diff := cmp.Diff(wantTree, tree); diff != "" {
		t.Errorf("trees (-ansible +here):\n%s", diff)
	}
}

// TestSynchronizeWithoutRsync says which end lacks it.
func TestSynchronizeWithoutRsync(t *testing.T) {
	bin := hostlerBinary(t)
	dir := t.TempDir()
	hosts := sshHosts(t, "", transporttest.SSHD(t, transporttest.SSHDOptions{Setup: "mount --bind /dev/null /usr/bin/rsync"}))
	site := written(t, "site.yml", `- hosts: hv1
  gather_facts: false
  tasks:
    - synchronize: {src: "{{ d }}", dest: "{{ d }}"}
      delegate_to: "{{ by }}"
`)
	for by, want := range map[string]string{
		"localhost": "the host has no rsync: install it there",
		"hv1":       "the host has no rsync: install it there",
	} {
		out, code := playedBy(t, dir, []string{bin, "play", "-i", hosts, "-e", "d=" + dir, "-e", "by=" + by, site})
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("%s: status %d, want %q:\n%s", by, code, want, out)
		}
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", dir)
	out, code := playedBy(t, dir, []string{bin, "play", "-i", hosts, "-e", "d=" + dir, "-e", "by=localhost", site})
	t.Setenv("PATH", path)
	if want := "the controller has no rsync: install it there"; code != 2 || !strings.Contains(out, want) {
		t.Errorf("status %d, want %q:\n%s", code, want, out)
	}
}
