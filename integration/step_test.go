//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const stepPlay = `- hosts: all
  gather_facts: false
  tasks:
    - name: one
      debug: {msg: 1}
    - name: two
      debug: {msg: 2}
      notify: restart
      changed_when: true
    - meta: flush_handlers
    - name: three
      debug: {msg: 3}
    - name: four
      fail: {msg: stop}
      when: inventory_hostname == 'b'
  handlers:
    - name: restart
      debug: {msg: restarted}
`

// TestStepAndRetryFileAsAnsible answers the questions of --step alike in both programs, and compares what they print and the file
// of hosts to try again.
func TestStepAndRetryFileAsAnsible(t *testing.T) {
	bin := hostlerBinary(t)
	for name, answers := range map[string]string{
		"no yes continue": "n\ny\nyes\nc\n", "nothing": "\n\n\n\n", "all": "Y\nYES\ny\ny\ny\n", "continue": "Continue\n",
	} {
		t.Run(name, func(t *testing.T) {
			play := func(argv ...string) (out, retry string, code int) {
				dir := t.TempDir()
				mustWrite(t, dir+"/site.yml", stepPlay, 0o644)
				mustWrite(t, dir+"/ansible.cfg", "", 0o644)
				cmd := exec.CommandContext(t.Context(), argv[0], append(argv[1:], "-i", "a,b", "-c", "local", "-f", "1", "--step", "site.yml")...)
				cmd.Dir, cmd.Stdin = dir, strings.NewReader(answers)
				cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8", "ANSIBLE_RETRY_FILES_ENABLED=1", "ANSIBLE_CONFIG="+dir+"/ansible.cfg", "ANSIBLE_JINJA2_NATIVE=false")
				text, err := cmd.Output()
				if err != nil && cmd.ProcessState == nil {
					t.Fatal(err)
				}
				hosts, err := os.ReadFile(filepath.Join(dir, "site.retry"))
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				return strings.ReplaceAll(string(text), dir, "DIR"), string(hosts), cmd.ProcessState.ExitCode()
			}
			want, wantRetry, wantCode := play("ansible-playbook")
			got, gotRetry, code := play(bin, "play")
			if diff := cmp.Diff(masked(want), masked(got)); diff != "" {
				t.Errorf("standard output (-ansible +here):\n%s", diff)
			}
			if gotRetry != wantRetry {
				t.Errorf("retry file: ansible %q, here %q", wantRetry, gotRetry)
			}
			if code != wantCode {
				t.Errorf("exit status: ansible %d, here %d", wantCode, code)
			}
		})
	}
}
