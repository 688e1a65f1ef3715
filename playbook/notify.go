package playbook

import (
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// notified reports what a play's tasks notify though no handler answers to it. Names with templates, on either side,
// and plays that may get handlers from includes while they run are left to the run.
func (ld *load) notified(p *Play) {
	names, open := handlerNames(p)
	if open {
		return
	}
	check := func(t *Task) bool {
		for _, f := range t.Notify {
			if _, late := f.Value.(*value.Template); late {
				continue
			}
			name := pyText(f.Value)
			if _, ok := names[name]; ok {
				continue
			}
			e := ld.strict(guarded(&t.Keywords), f.Pos, "no handler is called %q or listens to it", name).rule(RuleHandler)
			if near := diag.Near(name, sortedKeys(names)); near != "" {
				e.hint("did you mean %q?", near)
			} else {
				e.hint("handlers stand under handlers: of the play or in handlers/main.yml of a role that it uses")
			}
		}
		return true
	}
	for t := range p.AllTasks() {
		check(t)
	}
	for t := range p.AllHandlers() {
		check(t)
	}
}

// handlerNames are the names that a play's handlers answer to; open means that there may be more at run time.
func handlerNames(p *Play) (names map[string]bool, open bool) {
	names = make(map[string]bool)
	for t := range p.AllHandlers() {
		if strings.HasPrefix(t.BaseAction(), "include_") {
			open = true
		}
		for _, l := range t.Listen {
			open = open || strings.Contains(l, "{{")
			names[l] = true
		}
		if !t.Name.Set {
			continue
		}
		if _, late := t.Name.Value.(*value.Template); late {
			open = true
			continue
		}
		name := pyText(t.Name.Value)
		names[name] = true
		if t.Role != nil {
			names[t.Role.Name+" : "+name] = true
			if t.Role.Collection != "" {
				short := t.Role.Name[strings.LastIndex(t.Role.Name, ".")+1:]
				names[t.Role.Collection+"."+short+" : "+name] = true
			}
		}
	}
	for t := range p.AllTasks() {
		open = open || t.BaseAction() == "include_role"
	}
	return names, open
}
