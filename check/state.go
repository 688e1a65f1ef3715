package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// states are what the tasks of a play want of each resource, by module and resource.
type states map[string][]wanted

// wanted is the state that one task wants.
type wanted struct {
	state string
	pos   diag.Pos
	when  string // the conditions, as text
	tags  []string
}

// resources say by which arguments a module's tasks tell one resource from another.
func resources() map[string][]string {
	return map[string][]string{
		"file": {"path", "dest", "name"}, "service": {"name"}, "systemd": {"name", "unit"}, "systemd_service": {"name", "unit"},
		"user": {"name"}, "group": {"name"}, "package": {"name"}, "apt": {"name", "pkg", "package"}, "dnf": {"name"}, "yum": {"name"},
		"mount": {"path", "name"}, "sysctl": {"name"}, "cron": {"name"}, "modprobe": {"name"}, "virt": {"name"},
		"virt_net": {"name"}, "virt_pool": {"name"}, "network_bridge": {"name"},
	}
}

// state warns when a task undoes what an earlier one of the play did: what was made is removed, what was started is stopped.
// The other way round, a fresh beginning, is left alone, and so are temporary files, loops, and tasks under different conditions.
func (w *walker) state(t *playbook.Task) {
	args, known := resources()[t.BaseAction()]
	if !known || t.Loop.Set || t.Args.Whole.Set || slices.Contains(t.Tags, "never") {
		return
	}
	name := ""
	for _, arg := range args {
		if v, ok := t.Args.Values.Get(arg); ok {
			name, _ = v.(string)
			break
		}
	}
	state, ok := t.Args.Values.Get("state")
	text, isText := state.(string)
	if name == "" || !ok || !isText || strings.Contains(name, "tmp") || strings.Contains(name, "cache") {
		return
	}
	if w.states == nil {
		w.states = states{}
	}
	who := t.Inherited(func(k *playbook.Keywords) playbook.Field { return k.DelegateTo }).Value
	key := fmt.Sprint(t.BaseAction(), "\x00", strings.TrimSuffix(name, "/"), "\x00", value.TypeName(who), who)
	now := wanted{state: text, pos: t.Pos, when: conditions(t), tags: t.Tags}
	for _, before := range w.states[key] {
		if undoes(before.state, text) && before.when == now.when && slices.Equal(before.tags, now.tags) && before.pos != now.pos {
			w.warn(ruleConflict, t.Args.Where([]any{"state"}, false), "%s %s: the state %s undoes %s of %s", t.BaseAction(), name, text, before.state, before.pos).
				hint("a run changes it each time; give the tasks different conditions or tags, or remove one")
			break
		}
	}
	w.states[key] = append(w.states[key], now)
}

// conditions are a task's conditions as one text.
func conditions(t *playbook.Task) string {
	var out []string
	for _, f := range t.When {
		if v, ok := f.Value.(*value.Template); ok {
			out = append(out, v.Text)
			continue
		}
		out = append(out, fmt.Sprint(f.Value))
	}
	return strings.Join(out, "\n")
}

// undoes reports whether a state takes back an earlier one.
func undoes(before, now string) bool {
	switch now {
	case "absent":
		return before != "absent"
	case "stopped", "shutdown", "destroyed", "inactive", "unmounted":
		return before != now && before != "absent"
	}
	return false
}
