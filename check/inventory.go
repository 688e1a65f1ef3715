package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
)

// inventory checks the variables by which hosts are reached.
func (c *checker) inventory() {
	if c.Inventory == nil {
		return
	}
	seen := map[string]bool{}
	layers := func(list []inventory.Layer) {
		for _, l := range list {
			for k, v := range l.Vars.All() {
				name, _ := k.(string)
				key := fmt.Sprint(l.File, "\x00", name, "\x00", v)
				if !strings.HasPrefix(name, "ansible_") || seen[key] {
					continue
				}
				seen[key] = true
				c.reached(l.File, name, v)
			}
		}
	}
	for _, h := range c.Inventory.Hosts() {
		layers(h.Vars)
	}
	for _, g := range c.Inventory.Groups() {
		layers(g.Vars)
	}
}

// reached checks one such variable.
func (c *checker) reached(file, name string, v any) {
	if now, old := renamedVars()[name]; old {
		c.warn(playbook.RuleDeprecated, c.wherein(file, name, v), "the variable %s is an old name", name).hint("write %s", now)
	}
	if !slices.Contains(connection(), name) {
		if near := slip(name, connection()); near != "" && !slices.Contains(facts(), name) && !slices.Contains(magic(), name) {
			c.warn(RuleInventory, c.wherein(file, name, v), "there is no connection variable %s", name).hint("did you mean %q?", near)
		}
		return
	}
	if _, late := v.(*value.Template); late || v == nil {
		return
	}
	if wants := wrong(name, v); wants != "" {
		c.fail(false, RuleInventory, c.wherein(file, name, v), "%s must be %s, not %q", name, wants, fmt.Sprint(v))
	}
}

// wrong says what a connection variable must be when its value is nothing like that.
func wrong(name string, v any) string {
	switch name {
	case "ansible_port", "ansible_ssh_port":
		if n, err := modules.Int(v); err != nil || n < 1 || n > 65535 {
			return "a port, 1 to 65535"
		}
	case "ansible_timeout", "ansible_connection_timeout", "ansible_ssh_timeout", "ansible_ssh_retries", "ansible_group_priority":
		if _, err := modules.Int(v); err != nil {
			return "a whole number"
		}
	case "ansible_become", "ansible_host_key_checking", "ansible_ssh_host_key_checking", "ansible_ssh_pipelining", "ansible_pipelining":
		if _, err := modules.Bool(v); err != nil {
			return "true or false"
		}
	case "ansible_connection":
		if s, ok := v.(string); !ok || !slices.Contains(Connections(), bareConnection(s)) {
			return "one of " + strings.Join(Connections(), ", ")
		}
	case "ansible_become_method":
		if s, ok := v.(string); !ok || !slices.Contains(BecomeMethods(), bareConnection(s)) {
			return "one of " + strings.Join(BecomeMethods(), ", ")
		}
	}
	return ""
}

func bareConnection(s string) string {
	return strings.TrimPrefix(strings.TrimPrefix(s, "ansible.builtin."), "ansible.legacy.")
}

// Connections are the ways of reaching hosts that there are, as users write them.
func Connections() []string { return []string{"ssh", "local", "smart", "paramiko", "paramiko_ssh"} }

// BecomeMethods are the ways of becoming another user.
func BecomeMethods() []string { return []string{"sudo", "su", "doas"} }

// wherein finds the place in a file where a variable is given the value, for dicts of variables keep none.
func (c *checker) wherein(file, name string, v any) diag.Pos {
	if t, ok := v.(*value.Template); ok && !t.Pos.IsZero() {
		return t.Pos
	}
	text, known := c.texts[file]
	if !known {
		if b, err := c.ReadFile(file); err == nil {
			text = string(b)
		}
		c.texts[file] = text
	}
	form := regexp.MustCompile(`(?:^|[\s"'{,])` + regexp.QuoteMeta(name) + `["']?\s*[=:]\s*["']?` + regexp.QuoteMeta(fmt.Sprint(v)))
	loose := regexp.MustCompile(`(?:^|[\s"'{,])` + regexp.QuoteMeta(name) + `["']?\s*[=:]`)
	for _, f := range []*regexp.Regexp{form, loose} {
		for i, line := range strings.Split(text, "\n") {
			if at := f.FindStringIndex(line); at != nil {
				col := strings.Index(line[at[0]:], name) + at[0]
				return diag.Pos{File: file, Line: i + 1, Col: len([]rune(line[:col])) + 1}
			}
		}
	}
	return diag.Pos{File: file}
}
