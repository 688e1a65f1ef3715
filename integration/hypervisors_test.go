//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sshConfig of a daemon for one connection that knows one key. DIR is the hypervisor's folder.
const sshConfig = `HostKey DIR/ssh_host
AuthorizedKeysFile DIR/ssh_user.pub
StrictModes no
UsePAM no
PidFile none
`

// hypervisorsInventory makes an inventory of hypervisors, each reached by an SSH daemon that is started inside of it for each connection. No address and no
// port is taken, so what plays with it runs outside of them all.
func hypervisorsInventory(t *testing.T, all ...*hypervisor) string {
	t.Helper()
	var b strings.Builder
	for _, v := range all {
		for _, key := range []string{"ssh_host", "ssh_user"} {
			if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(v.dir, key)).CombinedOutput(); err != nil {
				t.Fatalf("ssh-keygen: %v: %s", err, out)
			}
		}
		config := v.write("sshd_config", strings.ReplaceAll(sshConfig, "DIR", v.dir))
		name, code := v.run("sh", "-c", "mkdir -p /run/sshd && hostname")
		if code != 0 {
			t.Fatalf("prepare sshd: %s", name)
		}
		b.WriteString(strings.TrimSpace(name) + " ansible_user=root ansible_ssh_private_key_file=" + filepath.Join(v.dir, "ssh_user") +
			` ansible_host_key_checking=false ansible_python_interpreter=/usr/bin/python3` +
			` ansible_ssh_common_args='-o ProxyCommand="nsenter --target ` + v.pid + ` --mount --net --uts --pid /usr/sbin/sshd -i -f ` + config + `"'` + "\n")
	}
	file := filepath.Join(t.TempDir(), "hosts.ini")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// playOn plays a playbook on several hypervisors.
func playOn(t *testing.T, bin, hosts, playbook string) (string, int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "play.yml")
	if err := os.WriteFile(file, []byte(playbook), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "play", "-i", hosts, file)
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_CONFIG="+filepath.Join(filepath.Dir(file), "ansible.cfg"))
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
