//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/transport/transporttest"
)

// runCase is one playbook with options that both programs understand. The playbooks say themselves how they are
// compared, in lines such as
//
//	# run: -v --tags one = 2
//	# run: = 4 (ssh)
//
// each of which is one run with those options that ends with that status (0 when it is not said), with the hosts that
// are in brackets in place of those of the file hosts.
type runCase struct {
	file  string
	args  []string
	code  int
	hosts string
}

func (c runCase) name() string {
	return strings.Join(append([]string{strings.TrimSuffix(filepath.Base(c.file), ".yml")}, c.args...), " ")
}

var runLine = regexp.MustCompile(`(?m)^# run:((?: [^\s=(]\S*)*)(?: = (\d+))?(?: \((\w+)\))?$`)

// runCases reads them from the playbooks of a folder.
func runCases(t *testing.T, dir string) []runCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []runCase
	for _, file := range files {
		text := readFile(t, file)
		found := runLine.FindAllStringSubmatch(text, -1)
		if len(found) != strings.Count(text, "# run:") {
			t.Fatalf("%s: a line with # run: cannot be read", file)
		}
		for _, m := range found {
			c := runCase{file: file, args: strings.Fields(m[1]), hosts: m[3]}
			if m[2] != "" {
				c.code, _ = strconv.Atoi(m[2])
			}
			cases = append(cases, c)
		}
	}
	return cases
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRunAsAnsible runs playbooks with ansible-playbook and here: standard output, exit status and registered values
// must be the same.
func TestRunAsAnsible(t *testing.T) {
	bin := hostlerBinary(t)
	dir, err := filepath.Abs("../testdata/run")
	if err != nil {
		t.Fatal(err)
	}
	inventories := map[string]string{"": filepath.Join(dir, "hosts"), "ssh": sshInventory(t)}
	for _, c := range runCases(t, dir) {
		inv, ok := inventories[c.hosts]
		if !ok {
			t.Fatalf("%s: there are no hosts named %q", c.file, c.hosts)
		}
		t.Run(c.name(), func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-i", inv, "-f", "1", c.file, dumpPlaybook(t, c.file)}, c.args...)
			want, wantCode := playedBy(t, dir, append([]string{"ansible-playbook"}, args...))
			got, code := playedBy(t, dir, append([]string{bin, "play"}, args...))
			if code != wantCode || code != c.code {
				t.Errorf("exit status: ansible %d, here %d, expected %d", wantCode, code, c.code)
			}
			compareRuns(t, c, want, got)
		})
	}
}

// compareRuns compares what was printed, and what the last playbook tells of registered values.
func compareRuns(t *testing.T, c runCase, want, got string) {
	t.Helper()
	want, wantValues := registeredValues(t, want)
	got, gotValues := registeredValues(t, got)
	if diff := cmp.Diff(wantValues, gotValues); diff != "" && len(gotValues) > 0 {
		t.Errorf("registered values (-ansible +here):\n%s", diff)
	}
	if strings.Contains(readFile(t, c.file), "strategy:") {
		if diff := cmp.Diff(byHost(masked(want)), byHost(masked(got))); diff != "" {
			t.Errorf("results by host (-ansible +here):\n%s", diff)
		}
		return
	}
	wanted, wantIgnored := ignoring(masked(want))
	printed, ignored := ignoring(masked(got))
	if diff := cmp.Diff(wanted, printed); diff != "" || wantIgnored != ignored {
		t.Errorf("standard output (-ansible +here):\n%s\n%d and %d times ...ignoring", diff, wantIgnored, ignored)
	}
}

// ignoring takes out and counts the lines that follow a loop's ignored failure: Ansible tells of items as they come, but of the loop
// when it gets to it, which may be after another host's items.
func ignoring(text string) (string, int) {
	const line = "...ignoring\n"
	return strings.ReplaceAll(text, line, ""), strings.Count(text, line)
}

// sshInventory starts an OpenSSH server and gives an inventory of hosts behind it, one of which does not answer.
func sshInventory(t *testing.T) string {
	t.Helper()
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Users: []transporttest.SSHDUser{{Name: "ann"}, {Name: "bob"}}})
	file := filepath.Join(t.TempDir(), "hosts")
	text := fmt.Sprintf(`[near]
one ansible_port=%[1]d
two ansible_port=%[1]d
[far]
lost ansible_port=1
[all:vars]
ansible_host=%[2]s
ansible_ssh_private_key_file=%[3]s
ansible_host_key_checking=false
ansible_python_interpreter=/usr/bin/python3
good_port=%[1]d
`, s.Port, s.Host, s.KeyFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// dumpPlaybook makes a playbook that prints, on every host, what another one registers.
func dumpPlaybook(t *testing.T, file string) string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`\bregister: (\w+)`).FindAllStringSubmatch(readFile(t, file), -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	var dict strings.Builder
	for _, name := range names {
		fmt.Fprintf(&dict, "'%s': lookup('vars', '%[1]s', default='not registered'), ", name)
	}
	out := filepath.Join(t.TempDir(), "dump.yml")
	text := fmt.Sprintf(`- hosts: all
  gather_facts: false
  tasks:
    - name: Registered values
      debug: {msg: "{{ 'REGISTERED ' ~ {%s} | to_json }}"}
      tags: always
`, strings.TrimSuffix(dict.String(), ", "))
	if err := os.WriteFile(out, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// playedBy runs a program in the playbooks' folder and gives its standard output and exit status.
func playedBy(t *testing.T, dir string, argv []string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8", "ANSIBLE_CONFIG="+filepath.Join(dir, "ansible.cfg"),
		"ANSIBLE_JINJA2_NATIVE=false", "ANSIBLE_PIPELINING=1", "ANSIBLE_SSH_ARGS=-o ControlMaster=no", "ANSIBLE_COLLECTIONS_PATH="+filepath.Join(dir, "collections"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Logf("%s wrote to stderr: %s", filepath.Base(argv[0]), errs.String())
	return out.String(), cmd.ProcessState.ExitCode()
}

var registeredLine = regexp.MustCompile(`(?m)^ok: \[(\S+)\] => \{\n    "msg": ("REGISTERED (?:[^"\\]|\\.)*")\n\}|^ok: \[(\S+)\] => \{"msg": ("REGISTERED (?:[^"\\]|\\.)*")\}`)

// registeredValues cuts the dump out of what was printed and gives it by host.
func registeredValues(t *testing.T, text string) (string, map[string]any) {
	t.Helper()
	values := make(map[string]any)
	for _, m := range registeredLine.FindAllStringSubmatch(text, -1) {
		var s string
		if err := json.Unmarshal([]byte(m[2]+m[4]), &s); err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(s, "REGISTERED ")), &v); err != nil {
			t.Fatalf("%v in %s", err, s)
		}
		values[m[1]+m[3]] = comparable(v)
	}
	return registeredLine.ReplaceAllString(text, "registered values"), values
}

// comparable drops times and what is our own from a registered value.
func comparable(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"start", "end", "delta", "hostler", "invocation"} {
			delete(v, key)
		}
		if _, job := v["ansible_job_id"]; job {
			for _, key := range []string{"ansible_job_id", "results_file", "erased", "attempts"} {
				delete(v, key)
			}
		}
		if strings.Contains(fmt.Sprint(v["warnings"]), "remote_tmp") {
			delete(v, "warnings") // about the folder of Ansible's modules, which there is none of here
		}
		for k, item := range v {
			v[k] = comparable(item)
		}
		for _, key := range []string{"msg", "reason", "failed_when_result", "changed_when_result"} {
			if text, ok := v[key].(string); ok {
				v[key] = maskedText(key, text)
			}
		}
	case []any:
		for i, item := range v {
			v[i] = comparable(item)
		}
	}
	return v
}

// maskedText replaces the words of an error where ours are others on purpose.
func maskedText(key, s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return masked(`"` + key + `": ` + string(quoted))
}

// byHost gives the results in the order of each host, for strategies that leave the order among hosts open; the recap
// stands under its own name.
func byHost(text string) map[string][]string {
	out := make(map[string][]string)
	task := ""
	host := regexp.MustCompile(`^(?:ok|changed|skipping|fatal|failed|included|FAILED - RETRYING): \[(\S+?)(?: -> \S+)?\]`)
	banner := regexp.MustCompile(`^((?:PLAY|TASK|RUNNING HANDLER).*?) \*+$`)
	for line := range strings.SplitSeq(text, "\n") {
		if m := banner.FindStringSubmatch(line); m != nil {
			task = m[1]
			continue
		}
		key := task
		if m := host.FindStringSubmatch(line); m != nil {
			key = m[1]
			line = task + ": " + line
		} else if task != "PLAY RECAP" {
			continue // the rest of a result that goes over several lines
		}
		out[key] = append(out[key], line)
	}
	return out
}

// masked replaces what differs from one run to the next, and the words of errors that are our own on purpose.
func masked(s string) string {
	for _, r := range []struct{ from, to string }{
		{`"(delta|start|end)": "[^"]*"`, `"$1": "TIME"`},
		{`ansible\.parsing\.yaml\.objects\.AnsibleUnicode`, "str"},
		// How ssh's own words are wrapped differs between the versions and states of Ansible's connection.
		{`("msg": ")(?:Failed to connect to the host via ssh|Data could not be sent to remote host)(?:[^"\\]|\\.)*"`, `${1}unreachable"`},
		{`("msg": "The (task includes an option with an undefined variable|conditional check '[^']*' failed))(?:[^"\\]|\\.)*"`, `$1"`},
		{`"msg": "(?:\S+:\d+:\d+: )?('[\w ]+' is undefined)(?:[^"\\]|\\.)*"`, `"msg": "$1"`},
		{`("(?:failed|changed)_when_result": "The conditional check '[^']*' failed)(?:[^"\\]|\\.)*"`, `$1"`},
		{`(?m)^\(ctrl\+C .*\n`, ""}, // what to do at the terminal
		{`/tmp/ansible\.\w+`, "/tmp/SCRATCH"},
		{`Using \S+ as config file\n`, ""},
		{`"VARIABLE IS NOT DEFINED!: [^"]*"`, `"VARIABLE IS NOT DEFINED!: WHY"`},
		// How often a job is looked at, and where it lies, is chance.
		{`(?m)^(ASYNC POLL .*|FAILED - RETRYING: .*\(timing\).*)\n`, ""},
		{`j\d+\.\d+`, "JOB"},
		{`"attempts": \d+, ("(?:ansible_loop_var": "item", ")?changed": .*, "finished": 1,)`, "$1"},
		{`"(results_file|erased)": "[^"]*"`, `"$1": "FILE"`},
		{`, "invocation": \{"module_args": \{"_async_dir": [^{}]*\}\}`, ""},
		{`"reason": "Could not find or access.*"}`, `"reason": "NOT FOUND"}`},
	} {
		s = regexp.MustCompile(r.from).ReplaceAllString(s, r.to)
	}
	return s
}
