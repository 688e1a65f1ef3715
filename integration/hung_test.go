//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/transport/transporttest"
)

// sshHosts writes an inventory of real SSH servers, with further variables for all.
func sshHosts(t *testing.T, vars string, servers ...*transporttest.Server) string {
	t.Helper()
	var b strings.Builder
	for i, s := range servers {
		fmt.Fprintf(&b, "hv%d ansible_host=%s ansible_port=%d ansible_user=root ansible_ssh_private_key_file=%s ansible_ssh_common_args='-o UserKnownHostsFile=%s -o IdentityAgent=none' %s\n",
			i+1, s.Host, s.Port, s.KeyFile, s.KnownHosts, vars)
	}
	return written(t, "hosts.ini", b.String())
}

func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// finishedHost is a host_finished event.
type finishedHost struct {
	Event, Host, Task, Status string
	Result                    struct {
		Msg      string
		Stdout   string
		Warnings []string
		Facts    struct {
			Mounts []struct {
				Mount, Note string
				Size        int64 `json:"size_total"`
			} `json:"ansible_mounts"`
		} `json:"ansible_facts"`
	}
}

// playEvents runs a playbook with the whole program and gives its results.
func playEvents(t *testing.T, bin, inventory, text string, code int, args ...string) []finishedHost {
	t.Helper()
	args = append([]string{"play", "-i", inventory, written(t, "site.yml", text), "--output", "jsonl"}, args...)
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit status %d, want %d: %v\n%s\n%s", got, code, err, out, errs.String())
	}
	var found []finishedHost
	for line := range bytes.Lines(out) {
		var e finishedHost
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if e.Event == "host_finished" {
			found = append(found, e)
		}
	}
	return found
}

// stopSSHD finds the sshd that serves the command among its ancestors and stops it, which leaves the connection open
// and silent.
const stopSSHD = `
- hosts: all
  gather_facts: false
  tasks:
    - name: stop
      shell: |
        pid=$$
        until [ "$(cat /proc/$pid/comm)" = sshd ]; do read -r _ _ _ pid _ </proc/$pid/stat; done
        kill -STOP $pid
      when: inventory_hostname == "hv2"
    - name: go on
      command: echo here
`

// TestStoppedSSHDIsGivenUp: a host whose sshd no longer says anything is unreachable after the time limit of silence, and
// the other goes on.
func TestStoppedSSHDIsGivenUp(t *testing.T) {
	bin := hostlerBinary(t)
	silence := `ansible_ssh_extra_args='-o ServerAliveInterval=1 -o ServerAliveCountMax=2'`
	hosts := sshHosts(t, silence, transporttest.SSHD(t, transporttest.SSHDOptions{}), transporttest.SSHD(t, transporttest.SSHDOptions{}))
	var got []string
	for _, e := range playEvents(t, bin, hosts, stopSSHD, 4) {
		got = append(got, e.Host+" "+e.Task+" "+e.Status)
		if e.Status == "unreachable" && !strings.Contains(e.Result.Msg, "no answer for 2s (ServerAliveInterval 1s × 2)") {
			t.Errorf("the message says %q", e.Result.Msg)
		}
	}
	want := "hv1 stop skipped, hv2 stop unreachable, hv1 go on changed"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, ", "), want)
	}
}

// hungMount mounts a file system that nobody serves: whatever touches it waits until it is killed. A process holds the
// device open, for the kernel would answer with an error else.
const hungMount = `
mkdir /run/hung /run/fine
exec 9<>/dev/fuse
mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 server:/export /run/hung
exec sleep 1000000 &
exec 9<&-
mount -t tmpfs -o size=1m,mode=755 /fine /run/fine
`

// TestFactsPassHungMounts: facts come from a host with a dead network file system, in the time given, with the mount named.
func TestFactsPassHungMounts(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Setup: hungMount})
	results := playEvents(t, hostlerBinary(t), sshHosts(t, "", s), `
- hosts: all
  gather_facts: false
  tasks:
    - name: it hangs indeed
      shell: timeout -s KILL 1 stat -f /run/hung; echo $?
    - name: gather
      setup: {gather_timeout: 1}
    - name: nothing is left
      shell: for p in /proc/[0-9]*/comm; do [ "$(cat $p)" != stat ] || echo $p; done
`, 0)
	if len(results) != 3 {
		t.Fatalf("results: %+v", results)
	}
	if got := results[0].Result.Stdout; got != "137" {
		t.Fatalf("the mount does not hang: status %s", got)
	}
	notes := map[string]string{}
	for _, m := range results[1].Result.Facts.Mounts {
		notes[m.Mount] = fmt.Sprint(m.Note, m.Size > 0)
	}
	if notes["/run/hung"] != "Could not get extra information due to timeoutfalse" || notes["/run/fine"] != "true" {
		t.Errorf("notes and whether there are sizes: %v", notes)
	}
	if got := strings.Join(results[1].Result.Warnings, "\n"); !strings.Contains(got, "/run/hung") {
		t.Errorf("warnings: %q", got)
	}
	if results[2].Result.Stdout != "" {
		t.Errorf("left behind: %s", results[2].Result.Stdout)
	}
}
