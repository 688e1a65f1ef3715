//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const callbackPlay = `- name: first
  hosts: all
  gather_facts: false
  tasks:
    - name: run it
      command: printf 'a\nb  \nc\td'
      changed_when: true
      register: r
    - debug: var=r.stdout_lines
    - debug: msg='two words'
    - name: hidden
      debug: msg=secretword
      no_log: true
    - name: loop
      debug: msg={{ item }}
      loop: [1, x]
    - name: skip
      command: echo no
      when: false
    - name: ignored
      command: sh -c 'echo out; echo err >&2; exit 3'
      ignore_errors: true
    - name: bad
      fail: msg=broken
`

// TestCallbacksAsAnsible compares what the callbacks print and write, without times and what only Python's modules tell.
func TestCallbacksAsAnsible(t *testing.T) {
	hostler := hostlerBinary(t)
	for _, name := range []string{"default", "yaml", "oneline", "ansible.posix.json"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "site.yml"), []byte(callbackPlay), 0o600); err != nil {
				t.Fatal(err)
			}
			want, wantCases := calledBack(t, dir, name, "/usr/bin/ansible-playbook")
			got, gotCases := calledBack(t, dir, name, hostler, "play")
			if strings.Contains(got, "secretword") {
				t.Error("no_log is not honoured")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(wantCases, gotCases); diff != "" {
				t.Errorf("JUnit: %s", diff)
			}
		})
	}
}

// junitFile is what of a JUnit file is compared.
type junitFile struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Cases    []struct {
		Name    string `xml:"name,attr"`
		Class   string `xml:"classname,attr"`
		Out     string `xml:"system-out"`
		Skipped string `xml:"skipped"`
		Failure struct {
			Message string `xml:"message,attr"`
			Text    string `xml:",chardata"`
		} `xml:"failure"`
	} `xml:"testsuite>testcase"`
}

func calledBack(t *testing.T, dir, callback string, argv ...string) (string, junitFile) {
	t.Helper()
	reports := t.TempDir()
	cmd := exec.CommandContext(t.Context(), argv[0], append(argv[1:], "-i", "a,", "-c", "local", "site.yml")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "ANSIBLE_STDOUT_CALLBACK="+callback, "ANSIBLE_CALLBACKS_ENABLED=junit", "JUNIT_OUTPUT_DIR="+reports,
		"ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3", "NO_COLOR=1", "LC_ALL=C.UTF-8")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Run()); !ok || exit.ExitCode() != 2 {
		t.Fatalf("%v: want status 2\n%s%s", argv, out.String(), errs.String())
	}
	files, err := filepath.Glob(filepath.Join(reports, "site-*.xml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("JUnit files: %v %v", files, err)
	}
	text := readFile(t, files[0])
	var cases junitFile
	if err := xml.Unmarshal([]byte(withoutTimes(text)), &cases); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(callback, "json") {
		return withoutTimes(statusesOf(t, out.Bytes())), cases
	}
	return withoutTimes(out.String()), cases
}

func withoutTimes(s string) string {
	s = strings.ReplaceAll(s, "&#34;", "&quot;")
	return regexp.MustCompile(`((?:start|end|delta)(?:"|&quot;)?: )('|"|&quot;)?[0-9][-0-9:. ]*[0-9]('|"|&quot;)?`).ReplaceAllString(s, "$1")
}

// statusesOf keeps of the JSON callback's document the order, the names and the keys that users read.
func statusesOf(t *testing.T, text []byte) string {
	t.Helper()
	var doc struct {
		Plays []struct {
			Play  struct{ Name, Path string }
			Tasks []struct {
				Task  struct{ Name, Path string }
				Hosts map[string]map[string]any
			}
		}
		Stats map[string]any
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, p := range doc.Plays {
		for _, task := range p.Tasks {
			for _, result := range task.Hosts {
				for key := range result {
					switch key {
					case "action", "changed", "failed", "skipped", "msg", "rc", "stdout", "stderr", "cmd", "censored", "skip_reason", "stdout_lines":
					default:
						delete(result, key)
					}
				}
			}
		}
	}
	out, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
