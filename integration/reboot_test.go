//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/transport/transporttest"
)

// rebootable makes a host of a server's namespaces: its shutdown notes what it was told, ends all sessions, lets sshd begin anew and
// gives it another boot_id.
const rebootable = `mkdir /run/bin
echo first >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
cat >/run/bin/shutdown <<'END'
#!/bin/sh
# The terminal's end would take the child with it before that has a session of its own.
trap '' HUP
echo "$@" >/run/told
setsid sh -c '
	kill -HUP 1
	for p in /proc/[0-9]*; do
		n=${p#/proc/}
		if [ "$n" != 1 ] && [ "$(cat "$p/comm" 2>/dev/null)" = sshd ]; then kill -KILL "$n"; fi
	done
	echo "$(cat /run/boot_id)+" >/run/boot_id
' </dev/null >/dev/null 2>&1 &
END
chmod 755 /run/bin/shutdown
`

// TestRebootIsAnsibles reboots a host by ansible-playbook and by us, each its own.
func TestRebootIsAnsibles(t *testing.T) {
	bin := hostlerBinary(t)
	want := rebootedBy(t, "../testdata/reboot/both.yml", "ansible-playbook")
	got := rebootedBy(t, "../testdata/reboot/both.yml", bin, "play")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-ansible +here):\n%s", diff)
	}
}

// TestRebootOfHypervisor has what Ansible does not look at.
func TestRebootOfHypervisor(t *testing.T) {
	rebootedBy(t, "../testdata/reboot/vms.yml", hostlerBinary(t), "play")
}

// rebootedBy runs a playbook on a host of its own and gives what tasks came to.
func rebootedBy(t *testing.T, file string, program ...string) string {
	t.Helper()
	file, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Setup: rebootable})
	hosts := filepath.Join(t.TempDir(), "hosts")
	text := fmt.Sprintf("box ansible_host=%s ansible_port=%d ansible_user=root ansible_ssh_private_key_file=%s ansible_host_key_checking=false "+
		"ansible_python_interpreter=/usr/bin/python3\n", s.Host, s.Port, s.KeyFile)
	if err := os.WriteFile(hosts, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := playedBy(t, t.TempDir(), append(program, "-i", hosts, file))
	if code != 0 {
		t.Errorf("%v ended with %d:\n%s", program, code, out)
	}
	return strings.Join(outcomes.FindAllString(out, -1), "\n")
}
