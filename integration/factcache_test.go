//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cachePlays fill a folder of facts, read it, and drop one host's.
var cachePlays = map[string]string{
	"write.yml": `- hosts: all
  gather_facts: false
  tasks:
    - set_fact: {own: {list: [1, "ä"], none: null}, ansible_odd: yes, cacheable: true}
    - set_fact: {gone: 1}
- hosts: a
  gather_subset: ["!all"]
  tasks: []
`,
	// smart gathering leaves out the host whose facts are there.
	"read.yml": `- hosts: all
  gather_subset: ["!all"]
  tasks:
    - debug: msg="{{ own }} {{ ansible_facts.odd }} {{ ansible_odd }} {{ gone is defined }} {{ ansible_facts.system | default('none') }}"
    - debug: msg="{{ hostvars.a.ansible_system }} {{ hostvars.b.own.list }}"
`,
	"clear.yml": `- hosts: b
  gather_facts: false
  tasks:
    - debug: var=own.list
    - meta: clear_facts
    - debug: msg="{{ own is defined }}"
    - debug: msg="{{ hostvars.a.own is defined }}"
`,
}

// TestFactCacheShared lets each program read the facts that the other kept, and compares what it makes of them.
func TestFactCacheShared(t *testing.T) {
	const real = "/usr/bin/ansible-playbook"
	hostler := filepath.Join(t.TempDir(), "ansible-playbook")
	if err := os.Symlink(hostlerBinary(t), hostler); err != nil {
		t.Fatal(err)
	}
	rounds := make(map[string][]string) // what was said, by who kept the facts first
	kept := make(map[string]map[string]any)
	for writer, reader := range map[string]string{real: hostler, hostler: real} {
		dir := t.TempDir()
		for name, text := range cachePlays {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cachedPlay(t, dir, writer, "write.yml")
		kept[writer] = cachedFacts(t, dir, "b")
		if system := cachedFacts(t, dir, "a")["ansible_system"]; system != "Linux" {
			t.Errorf("%s keeps the system as %v", writer, system)
		}
		rounds[writer] = []string{
			cachedPlay(t, dir, reader, "read.yml"),
			cachedPlay(t, dir, writer, "read.yml"), // the facts of b are known by now
			cachedPlay(t, dir, reader, "clear.yml"),
		}
		if _, err := os.Stat(filepath.Join(dir, "facts", "p_b")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: clear_facts leaves the file: %v", reader, err)
		}
		cachedPlay(t, dir, reader, "write.yml")
		cachedPlay(t, dir, reader, "clear.yml", "--flush-cache", "-e", `{"own": {"list": []}}`)
		if left, err := os.ReadDir(filepath.Join(dir, "facts")); err != nil || len(left) != 0 {
			t.Errorf("%s: --flush-cache leaves %v, %v", reader, left, err)
		}
	}
	if diff := cmp.Diff(rounds[real], rounds[hostler]); diff != "" {
		t.Errorf("(-ansible first +hostler first)\n%s", diff)
	}
	if diff := cmp.Diff(kept[real], kept[hostler]); diff != "" {
		t.Errorf("kept (-ansible +hostler)\n%s", diff)
	}
}

func cachedFacts(t *testing.T, dir, host string) map[string]any {
	t.Helper()
	var facts map[string]any
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "facts", "p_"+host))), &facts); err != nil {
		t.Fatal(err)
	}
	return facts
}

func cachedPlay(t *testing.T, dir, program, play string, more ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append(more, "-f", "1", "-i", "a,b", "-c", "local", play)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "ANSIBLE_CACHE_PLUGIN=jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION="+dir+"/facts",
		"ANSIBLE_CACHE_PLUGIN_PREFIX=p_", "ANSIBLE_CACHE_PLUGIN_TIMEOUT=3600", "ANSIBLE_GATHERING=smart",
		"ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3", "ANSIBLE_LOCALHOST_WARNING=false", "NO_COLOR=1", "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, play, err, out, stderr.String())
	}
	if strings.Contains(stderr.String(), "defined nowhere") {
		t.Errorf("%s %s: %s", program, play, stderr.String())
	}
	return strings.ReplaceAll(string(out), dir, "DIR")
}
