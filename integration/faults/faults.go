// Package faults makes plays in which one host fails, each at another point and in another way, for tests of what
// handlers, rescue and always then do. It runs nothing.
package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Case is one play: where the first of its hosts fails, how, and what the play says about failures.
type Case struct {
	Point    string // one of Points
	Kind     string // one of Kinds
	Ignore   bool   // ignore_errors, or ignore_unreachable
	Force    bool   // force_handlers
	Rule     string // a keyword of the play with its value, or nothing
	Strategy string
	Serial   int // 0 for all at once
}

// Points are the places where a task can fail.
func Points() []string {
	return []string{"task", "body", "rescue", "always", "handler", "included", "role", "loop", "delegated", "once"}
}

// Kinds are the ways in which it can.
func Kinds() []string { return []string{"failed", "unreachable", "skipped", "timeout"} }

// Rules are what a play can say about failures.
func Rules() []string { return []string{"", "any_errors_fatal: true", "max_fail_percentage: 20"} }

// All is the whole matrix, in a fixed order.
func All() []Case {
	var out []Case
	for _, point := range Points() {
		for _, kind := range Kinds() {
			for bits := range 16 {
				for _, rule := range Rules() {
					c := Case{Point: point, Kind: kind, Ignore: bits&1 != 0, Force: bits&2 != 0, Rule: rule, Strategy: "linear"}
					if bits&4 != 0 {
						c.Strategy = "free"
					}
					if bits&8 != 0 {
						c.Serial = 2
					}
					out = append(out, c)
				}
			}
		}
	}
	return out
}

func (c Case) String() string {
	words := []string{c.Kind, "in", c.Point, c.Strategy}
	if c.Ignore {
		words = append(words, "ignored")
	}
	if c.Force {
		words = append(words, "forced")
	}
	if c.Serial > 0 {
		words = append(words, fmt.Sprint("serial ", c.Serial))
	}
	if c.Rule != "" {
		words = append(words, strings.SplitN(c.Rule, ":", 2)[0])
	}
	return strings.Join(words, " ")
}

// Fatal reports whether the failure may end the play for all its hosts.
func (c Case) Fatal() bool { return c.Rule != "" || c.Point == "once" }

// Play writes the play for some hosts, of which the first is the one that fails.
func (c Case) Play(hosts []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- name: %s\n  hosts: %s\n  gather_facts: false\n  strategy: %s\n  vars: {bad: %s}\n",
		c, strings.Join(hosts, ","), c.Strategy, hosts[0])
	if c.Force {
		b.WriteString("  force_handlers: true\n")
	}
	if c.Serial > 0 {
		fmt.Fprintf(&b, "  serial: %d\n", c.Serial)
	}
	if c.Rule != "" {
		fmt.Fprintf(&b, "  %s\n", c.Rule)
	}
	b.WriteString("  handlers:\n    - {name: first handler, debug: {msg: x}}\n")
	c.at(&b, "handler", "    ", "")
	b.WriteString("    - {name: second handler, debug: {msg: x}}\n  tasks:\n" +
		"    - {name: notify, debug: {msg: x}, changed_when: true, notify: [first handler, handler, second handler]}\n")
	if c.Point != "handler" { // the name must be that of a handler
		text := strings.Replace(b.String(), "first handler, handler, second", "first handler, second", 1)
		b.Reset()
		b.WriteString(text)
	}
	c.at(&b, "task", "    ", "")
	c.at(&b, "loop", "    ", ", loop: [1, 2, 3]")
	c.at(&b, "delegated", "    ", ", delegate_to: "+hosts[1])
	c.at(&b, "once", "    ", ", run_once: true")
	if c.Point == "included" {
		fmt.Fprintf(&b, "    - {name: include, include_tasks: %s.yml}\n", c.file())
	}
	if c.Point == "role" {
		fmt.Fprintf(&b, "    - {name: include, include_role: {name: %s}}\n", c.file())
	}
	b.WriteString("    - name: guarded\n      block:\n        - {name: body begins, debug: {msg: x}}\n")
	c.at(&b, "body", "        ", "")
	if c.Point == "rescue" {
		b.WriteString("        - {name: needs a rescue, fail: {msg: x}, when: inventory_hostname == bad}\n")
	}
	b.WriteString("        - {name: body ends, debug: {msg: x}}\n      rescue:\n        - {name: rescue begins, debug: {msg: x}}\n")
	c.at(&b, "rescue", "        ", "")
	b.WriteString("        - {name: rescue ends, debug: {msg: x}}\n      always:\n        - {name: always begins, debug: {msg: x}}\n")
	c.at(&b, "always", "        ", "")
	b.WriteString("        - {name: always ends, debug: {msg: x}}\n    - {name: last, debug: {msg: x}}\n")
	return b.String()
}

// at writes the task that fails where that is the point. It is named after the point.
func (c Case) at(b *strings.Builder, point, indent, more string) {
	if c.Point == point {
		fmt.Fprintf(b, "%s- %s\n", indent, c.task(more))
	}
}

// task is the task that fails, in YAML's flow style.
func (c Case) task(more string) string {
	text := "{name: " + c.Point + more
	when := "inventory_hostname == bad"
	if c.Point == "loop" {
		when += " and item == 2"
	}
	ignore := ", ignore_errors: true"
	switch c.Kind {
	case "failed":
		text += ", fail: {msg: fault}"
	case "skipped":
		text += ", fail: {msg: never}"
		when = "false"
	case "timeout":
		text += ", command: sleep 5, timeout: 1"
	case "unreachable":
		text += ", ping: , vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}"
		ignore = ", ignore_unreachable: true"
	}
	text += ", when: " + when
	if c.Ignore {
		text += ignore
	}
	return text + "}"
}

// file names the file of tasks and the role that fail.
func (c Case) file() string {
	name := c.Point + "_" + c.Kind
	if c.Ignore {
		name += "_ignored"
	}
	return name
}

// WriteIncludes lays the files of tasks and the roles that the plays include into the folder of the playbook.
func WriteIncludes(dir string) error {
	for _, kind := range Kinds() {
		for _, ignore := range []bool{false, true} {
			for point, path := range map[string]string{"included": "%s.yml", "role": "roles/%s/tasks/main.yml"} {
				c := Case{Point: point, Kind: kind, Ignore: ignore}
				file := filepath.Join(dir, fmt.Sprintf(path, c.file()))
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					return err
				}
				text := "- {name: before, debug: {msg: x}}\n- " + c.task("") + "\n- {name: behind, debug: {msg: x}}\n"
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
