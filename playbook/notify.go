package playbook

import (
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// notified reports what a play's tasks notify though no handler answers to it. Names with templates, on either side,
// and plays that may get handlers from includes while they run are left to the run.
func (ld *load) notified(p *Play) {
	tasks, handlers := slices.Collect(p.AllTasks()), slices.Collect(p.AllHandlers())
	if slices.ContainsFunc(append(tasks, handlers...), includes) {
		return
	}
	ld.missingHandlers(tasks, handlers)
}

// includes reports whether a task may bring further tasks and handlers into the play.
func includes(t *Task) bool {
	return strings.HasPrefix(t.BaseAction(), "include_") && t.BaseAction() != "include_vars"
}

// Notified is the check of what tasks and handlers notify for a play whose includes are known: Load leaves such plays out.
func (l *Loader) Notified(p *Play, includedTasks, includedHandlers []Node) (warnings diag.List, err error) {
	tasks, handlers := slices.Collect(p.AllTasks()), slices.Collect(p.AllHandlers())
	if !slices.ContainsFunc(append(slices.Clone(tasks), handlers...), includes) {
		return nil, nil
	}
	walk(includedTasks, func(t *Task) bool { tasks = append(tasks, t); return true })
	walk(includedHandlers, func(t *Task) bool { handlers = append(handlers, t); return true })
	ld := l.start(playDir(p))
	ld.missingHandlers(tasks, handlers)
	return ld.end()
}

// missingHandlers reports notifications that none of the handlers answers to.
func (ld *load) missingHandlers(tasks, handlers []*Task) {
	names, open := handlerNames(handlers)
	if open {
		return
	}
	for _, t := range slices.Concat(tasks, handlers) {
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
	}
}

// handlerNames are the names that handlers answer to; open means that there may be more at run time.
func handlerNames(handlers []*Task) (names map[string]bool, open bool) {
	names = make(map[string]bool)
	for _, t := range handlers {
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
	return names, open
}
