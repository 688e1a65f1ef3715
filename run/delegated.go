package run

import (
	"context"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// connection gives a task the variables that say how its host is reached where nobody set them, as Ansible does.
func (m *magic) connection(ctx context.Context, name string) (any, bool, error) {
	var old string // the variable's former name, which counts when the new one is not set
	var pick func(*playbook.Keywords) playbook.Field
	var unset string
	d := &m.r.o.Connect
	switch name {
	case "ansible_host":
		old, unset = "ansible_ssh_host", m.h.name
		if m.h.host.Implicit {
			unset = "127.0.0.1"
		}
	case "ansible_user":
		old, unset = "ansible_ssh_user", d.User
		pick = func(k *playbook.Keywords) playbook.Field { return k.RemoteUser }
	case "ansible_connection":
		unset = cmpOr(d.Connection, "ssh")
		pick = func(k *playbook.Keywords) playbook.Field { return k.Connection }
	default:
		return nil, false, nil
	}
	if old != "" {
		if v, ok, err := m.scope.Lookup(ctx, old); ok || err != nil {
			return v, ok, err
		}
	}
	if name == "ansible_connection" && m.h.host.Implicit {
		return "local", true, nil
	}
	if pick != nil {
		e := evaluator{s: m.scope}
		if text := e.text(ctx, m.task.Inherited(pick)); text != "" || e.err != nil {
			return text, text != "", e.err
		}
	}
	return unset, unset != "", nil
}

// delegated gives the scope of a task that another host does: it sees that host's variables in ansible_delegated_vars.
func (j *job) delegated(ctx context.Context, s *vars.Scope, k *settings) (*vars.Scope, error) {
	host := k.delegate
	theirs := j.b.scope(ctx, j.w, host)
	address, _, err := theirs.Lookup(ctx, "ansible_host")
	if err != nil {
		return nil, err
	}
	dict := value.NewDict(k.delegateTo, &delegatedVars{allVars{s: theirs, h: host}, j.h.name})
	return s.With(
		vars.Layer{Level: vars.Magic, Source: "delegate_to", Vars: value.NewDict("ansible_delegated_vars", dict)},
		vars.Layer{Level: vars.CommandLine, Source: "delegate_to", Vars: value.NewDict("ansible_host", address)}), nil
}

// delegatedVars is an entry of ansible_delegated_vars: all of the other host's variables but for the name, which stays
// that of the host that the task is for.
type delegatedVars struct {
	allVars
	name string
}

// Lookup implements value.Mapping.
func (d *delegatedVars) Lookup(ctx context.Context, key any) (any, bool, error) {
	if key == "inventory_hostname" {
		return d.name, true, nil
	}
	return d.allVars.Lookup(ctx, key)
}
