package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// filesSite is a playbook about files as they are written: facts, and ten tasks. All hosts of the farm are one machine, so
// each has a folder of its own.
const filesSite = `- hosts: all
  vars: {top: %q, port: 8080}
  tasks:
    - name: Make the folder
      file: {path: "{{ top }}/{{ inventory_hostname }}", state: directory, mode: "0755"}
    - name: Copy a file
      copy: {src: motd, dest: "{{ top }}/{{ inventory_hostname }}/motd", mode: "0644"}
    - name: Write the configuration
      template: {src: app.conf.j2, dest: "{{ top }}/{{ inventory_hostname }}/app.conf", mode: "0600"}
    - name: See to a line
      lineinfile: {path: "{{ top }}/{{ inventory_hostname }}/app.env", regexp: "^WORKERS=", line: WORKERS=4, create: true, mode: "0644"}
    - name: Make a link
      file: {src: app.conf, dest: "{{ top }}/{{ inventory_hostname }}/current", state: link}
    - name: Run a command
      command: cat {{ top }}/{{ inventory_hostname }}/motd
      register: motd
      changed_when: false
    - name: Look at what it said
      assert: {that: ["'Welcome' in motd.stdout"], quiet: true}
    - name: Look at the file
      stat: {path: "{{ top }}/{{ inventory_hostname }}/app.conf"}
      register: conf
    - name: Run a script
      shell: wc -l < {{ top }}/{{ inventory_hostname }}/app.conf | tr -d ' '
      when: conf.stat.exists
      changed_when: false
    - name: See to a block
      blockinfile: {path: "{{ top }}/{{ inventory_hostname }}/app.env", block: "[log]\nlevel=info"}
`

const filesTemplate = `# {{ inventory_hostname }} runs {{ ansible_distribution }} on {{ ansible_processor_vcpus }} CPUs
port={{ port }}
workers=1
{% for i in range(20) %}
backend{{ i }}={{ inventory_hostname }}-{{ i }}:{{ port + i }}
{% endfor %}
`

// filesTasks are the tasks of filesSite and the facts: how many commands the floor runs on each host.
const filesTasks = 11

// benchFiles compares that playbook, which finds nothing there and thus makes everything, and once more when all is there, with as many
// commands that do nothing. On two cores with other work on them the first run took 2.8 times as long as the floor and the second 2.0
// times; the processor time of both ends together was 2.6 and 1.9 times the floor's. To make everything starts some 45 programs on each host, to
// find it made 25, of which 11 gather the facts, and all hosts are one machine here.
func benchFiles(ctx context.Context, b *bench) error {
	f, err := b.newFarm(ctx, 50, 0)
	if err != nil {
		return err
	}
	defer f.stop()
	dir, err := os.MkdirTemp(b.dir, "files-")
	if err != nil {
		return err
	}
	made := filepath.Join(dir, "made")
	site := filepath.Join(dir, "site.yml")
	for name, text := range map[string]string{
		site: fmt.Sprintf(filesSite, made), filepath.Join(dir, "motd"): "Welcome\n", filepath.Join(dir, "app.conf.j2"): filesTemplate,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	ours := func() (time.Duration, error) {
		return b.ours(ctx, "play", "-i", f.inventory, "--host-keys", "off", "--forks", "50", site)
	}
	floor := func() (time.Duration, error) { return b.floor(ctx, f, filesTasks) }
	err = b.compare("facts and ten tasks, 50 hosts, first run", 3, func() (time.Duration, error) {
		if err := os.RemoveAll(made); err != nil {
			return 0, err
		}
		return ours()
	}, floor)
	if err != nil {
		return err
	}
	return b.compare("the same, nothing to change", 3, ours, floor)
}
