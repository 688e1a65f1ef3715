package check

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// values checks what the keywords of one level say themselves, not what they inherit.
func (c *checker) values(k *playbook.Keywords, guard bool) {
	up := k.Level.Parent
	if own(k.Connection, up, func(k *playbook.Keywords) playbook.Field { return k.Connection }) {
		c.connection(k.Connection, guard)
	}
	if own(k.ModuleDefaults, up, func(k *playbook.Keywords) playbook.Field { return k.ModuleDefaults }) {
		c.moduleDefaults(k.ModuleDefaults)
	}
}

// own reports whether a level sets a field and did not only take it from the level above.
func own(f playbook.Field, up *playbook.Keywords, of func(*playbook.Keywords) playbook.Field) bool {
	return f.Set && (up == nil || of(up).Pos != f.Pos)
}

func (c *checker) connection(f playbook.Field, guard bool) {
	name, ok := f.Value.(string)
	if !ok || name == "" || document.HasTemplate(name) || slices.Contains(Connections(), bareConnection(name)) {
		return
	}
	c.fail(guard, playbook.RuleKeyword, f.Pos, "there is no connection %q", name).hint("use one of %s", strings.Join(Connections(), ", "))
}

// moduleDefaults warns of modules and arguments that there are not: their defaults would be for nothing.
func (c *checker) moduleDefaults(f playbook.Field) {
	list, ok := f.Value.(*value.List)
	if !ok {
		list = value.NewList(f.Value)
	}
	for _, item := range list.Items {
		d, _ := item.(*value.Dict)
		if d == nil {
			continue
		}
		for key, args := range d.All() {
			name, ok := key.(string)
			if !ok || strings.HasPrefix(name, "group/") || document.HasTemplate(name) || c.Loader.Modules == nil {
				continue
			}
			given, _ := args.(*value.Dict)
			c.defaultsOf(f.Pos, name, given)
		}
	}
}

func (c *checker) defaultsOf(pos diag.Pos, name string, given *value.Dict) {
	m, known := c.Loader.Modules(name)
	if !known {
		action := false
		if c.Loader.Actions != nil {
			_, action = c.Loader.Actions(name)
		}
		if !action && !strings.Contains(name, ".") {
			if near := diag.Near(name, c.Loader.Names); near != "" {
				c.warn(playbook.RuleModule, pos, "module_defaults: there is no module %q", name).hint("did you mean %q?", near)
			}
		}
		return
	}
	if given == nil || m.FreeForm() == "*" {
		return
	}
	for key := range given.All() {
		arg, ok := key.(string)
		if !ok || document.HasTemplate(arg) || m.Has(arg) {
			continue
		}
		found := c.warn(playbook.RuleArgs, pos, "module_defaults: %s has no argument %q", name, arg)
		if near := diag.Near(arg, m.ArgNames()); near != "" {
			found.hint("did you mean %q?", near)
		}
	}
}

// variableName is how a variable may be called.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// factNames checks the names that set_fact gives.
func (w *walker) factNames(t *playbook.Task, guard bool) {
	if t.BaseAction() != "set_fact" || t.Args.Values == nil {
		return
	}
	for key := range t.Args.Values.All() {
		name, ok := key.(string)
		if ok && (document.HasTemplate(name) || variableName.MatchString(name)) {
			continue
		}
		w.fail(guard, playbook.RuleArgs, t.Args.Where([]any{name}, true), "set_fact: %v is no name for a variable", key).
			hint("names are made of letters, digits and _, and do not begin with a digit")
	}
}
