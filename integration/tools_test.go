//go:build integration

package integration

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"
)

// toolFiles is what the compared command lines find in their folder.
const toolFiles = `
-- hosts --
[web]
a ansible_connection=local
b ansible_connection=local port=80
[db]
c ansible_connection=local
[prod:children]
web
db
[prod:vars]
stage=live
-- gone --
a ansible_connection=local
z ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_common_args='-o ConnectTimeout=2'
-- plain.toml --
[web.hosts]
a = {port = 80}
[web.vars]
x = "y"
-- roles/r/tasks/main.yml --
- name: in the role
  debug: msg=role
  tags: [deep]
- include_tasks: more.yml
- import_tasks: more.yml
-- roles/r/tasks/more.yml --
- debug: msg=more
-- site.yml --
- name: first play
  hosts: web
  gather_facts: false
  tags: [outer]
  roles: [r]
  pre_tasks:
    - name: before
      debug: msg=1
      tags: [always]
  tasks:
    - debug: msg=2
    - name: block
      block:
        - command: echo x
          tags: [b, a]
      rescue:
        - name: rescued
          debug: msg=3
      tags: [blk]
    - meta: flush_handlers
  handlers:
    - name: told
      debug: msg=4
- hosts: db:!web
  gather_facts: false
  tasks:
    - name: never so
      debug: msg=5
      tags: never
- hosts: nothere
  tasks: []
- name: hosts with {{ stage | default('a template') }}
  hosts: all
  gather_facts: false
  tasks:
    - name: say {{ stage }}
      debug: msg=6
-- second.yml --
- hosts: all
  gather_facts: false
  tasks: [ping: ]
-- broken.yml --
- hosts: all
  tasks:
    - nosuchmodule: x=1
-- pw --
right
-- wrong --
wrong
`

// toolRuns are the command lines whose text on stdout and whose exit status are Ansible's. A line's first word is the program.
const toolRuns = `
ansible-playbook -i hosts site.yml second.yml --list-hosts --limit web
ansible-playbook -i hosts site.yml second.yml --list-tasks
ansible-playbook -i hosts site.yml --list-tasks --tags b,deep
ansible-playbook -i hosts site.yml --list-tags --list-tasks --list-hosts
ansible-playbook -i hosts site.yml second.yml --syntax-check
ansible-playbook -i hosts broken.yml --syntax-check
ansible-playbook -i hosts missing.yml
ansible-playbook -i hosts
ansible-playbook -i hosts second.yml --limit nosuch
ansible all -i hosts -m ping -f 1
ansible web -i hosts -a 'echo hello' -f 1
ansible web -i hosts -a 'echo hello' -o -f 1
ansible web -i hosts -m shell -a 'echo out; echo err >&2; exit 3' -f 1
ansible web -i hosts -m shell -a 'echo out; echo err >&2; exit 3' -o -f 1
ansible a -i hosts -m debug -a 'msg="{{ stage }}"'
ansible a -i hosts -m file -a 'path=hosts mode=0600' -C
ansible a -i hosts -m command -a 'echo no' -C
ansible a -i hosts -m fail -a msg=bad
ansible gone -i hosts -m ping
ansible all -i gone -m ping -f 1
ansible all -i gone -m ping -o -f 1
ansible web -i hosts -m ping -t tree -f 1
ansible all:!a -i hosts --list-hosts
ansible all -i hosts --list-hosts -l web
ansible nothere -i hosts --list-hosts
ansible all -i hosts -m ping -l nothere
ansible a -i hosts -m shell
ansible a -i hosts -m command -a 'sleep 0' -B 10 -P 1 -e ansible_async_dir=$PWD/jobs
ansible-inventory -i hosts --list
ansible-inventory -i hosts --list --yaml
ansible-inventory -i plain.toml --list --toml
ansible-inventory -i hosts --list -e extra=1
ansible-inventory -i hosts --list --output listed
ansible-inventory -i hosts --graph
ansible-inventory -i hosts --graph prod --vars
ansible-inventory -i hosts --graph nothere
ansible-inventory -i hosts --host a
ansible-inventory -i hosts --host a --yaml
ansible-inventory -i hosts --host nothere
ansible-inventory -i hosts
ansible-inventory -i hosts --list --graph
ansible-vault encrypt_string --vault-password-file pw
ansible-vault view --vault-password-file wrong vaulted
ansible-vault decrypt --vault-password-file wrong vaulted
ansible-vault view --vault-password-file pw vaulted
ansible-vault view --vault-password-file pw hosts
ansible-vault encrypt --vault-password-file pw vaulted
ansible-vault decrypt --vault-password-file pw vaulted --output -
ansible-vault
`

// TestToolsAreAnsibles runs the program under the names of Ansible's.
func TestToolsAreAnsibles(t *testing.T) {
	hostler, links := hostlerBinary(t), t.TempDir()
	for _, name := range []string{"ansible", "ansible-inventory", "ansible-playbook", "ansible-vault"} {
		if err := os.Symlink(hostler, filepath.Join(links, name)); err != nil {
			t.Fatal(err)
		}
	}
	vaulted := ansibleVault(t, toolFolder(t, ""), "plain text\n", "encrypt", "--vault-password-file", "pw", "--output", "-")
	for line := range strings.Lines(strings.TrimSpace(toolRuns)) {
		line = strings.TrimSpace(line)
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			want := toolRun(t, "/usr/bin", line, vaulted)
			got := toolRun(t, links, line, vaulted)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(ran{})); diff != "" {
				t.Errorf("(-ansible +hostler)\n%s", diff)
			}
		})
	}
}

// ran is what is compared of a command line.
type ran struct {
	Status int
	Out    []string
	// Files are those made or altered.
	Files map[string]string
	// stderr is not compared, only shown.
	stderr string
}

// toolFolder makes the folder that a command line runs in.
func toolFolder(t *testing.T, vaulted string) string {
	t.Helper()
	dir := t.TempDir()
	files := txtar.Parse([]byte(toolFiles)).Files
	files = append(files, txtar.File{Name: "vaulted", Data: []byte(vaulted)})
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func toolRun(t *testing.T, bin, line, vaulted string) ran {
	t.Helper()
	dir := toolFolder(t, vaulted)
	// The shell splits the line as users' shells do.
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "exec "+bin+"/"+line)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader("")
	cmd.Env = append(os.Environ(), "HOME="+dir, "ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3", "ANSIBLE_HOST_KEY_CHECKING=false",
		"ANSIBLE_LOCAL_TEMP="+t.TempDir(), "NO_COLOR=1", "LC_ALL=C.UTF-8")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	var status int
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		status = exit.ExitCode()
	}
	r := ran{Status: status, Out: comparedLines(strings.ReplaceAll(out.String(), dir, "DIR")), Files: map[string]string{}, stderr: stderr.String()}
	for _, pattern := range []string{"tree/*", "listed"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			r.Files[strings.TrimPrefix(path, dir)] = readFile(t, path)
		}
	}
	if testing.Verbose() {
		t.Logf("%s: %d\n%s%s", bin, status, out.String(), r.stderr)
	}
	return r
}

// comparedLines drops what may differ: Ansible's help, which it prints when options are wrong; times; the numbers of jobs;
// what ssh says of a host that it cannot reach; and the order of hosts in --list-hosts, which is that of a Python set.
func comparedLines(text string) []string {
	if strings.HasPrefix(text, "usage: ") {
		text = ""
	}
	text = regexp.MustCompile(`j\d+\.\d+`).ReplaceAllString(withoutTimes(text), "JOB")
	text = regexp.MustCompile(`(Failed to connect to the host via ssh: )[^"\n]*`).ReplaceAllString(text, "$1")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if n := 0; strings.HasPrefix(line, "    hosts (") {
			for n = i + 1; n < len(lines) && strings.HasPrefix(lines[n], "      "); n++ {
			}
			slices.Sort(lines[i+1 : n])
		}
	}
	return lines
}
