package playbook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"gopkg.in/yaml.v3"
)

// loaderActions are the actions that the loader itself knows, with or without an ActionSpec.
var loaderActions = []string{
	"include_tasks", "import_tasks", "include_role", "import_role", "import_playbook", "include", "meta",
	"validate_argument_spec",
}

// baseName drops the collections that stand for Ansible itself from a module's or lookup's name.
func baseName(name string) string {
	for _, prefix := range []string{"ansible.builtin.", "ansible.legacy."} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

// find looks a module or an action up; isAction tells which. A name that only the loader knows has neither.
func (ld *load) find(name string) (m *modules.Module, isAction, ok bool) {
	base := baseName(name)
	if ld.Actions != nil {
		for _, n := range []string{name, base} {
			if m, ok := ld.Actions(n); ok {
				return m, true, true
			}
		}
	}
	if slices.Contains(loaderActions, base) {
		return nil, true, true
	}
	if ld.Modules != nil {
		for _, n := range []string{name, base} {
			if m, ok := ld.Modules(n); ok {
				return m, false, true
			}
		}
	}
	return nil, false, ld.Actions == nil && ld.Modules == nil
}

// action finds the task's module and its arguments; false means that there is none to go on with.
func (ld *load) action(p place, t *Task, parts taskParts, at site) bool {
	if parts.action != nil {
		for _, c := range parts.candidates {
			if _, _, ok := ld.find(c.Name); ok && keywords[c.Name].in == 0 && (ld.Modules != nil || ld.Actions != nil) {
				ld.fail(p.pos(c.Key), "a second module on one task: %s beside %s", c.Name, parts.action.Name)
				continue
			}
			ld.misplaced(p.pos(c.Key), c.Name, at)
		}
		return ld.actionKeyword(p, t, *parts.action, parts)
	}
	e, ok := ld.moduleKey(p, t, parts.candidates, at)
	if !ok {
		return false
	}
	t.Action, t.ActionPos = e.Name, p.pos(e.Key)
	m, isAction, _ := ld.find(e.Name)
	if !isAction {
		m = ld.ownModule(p, t, m)
		t.Module = m
	}
	return ld.arguments(p, t, m, e.Val, "", parts.args)
}

// moduleKey picks the module out of a task's keys that are no keywords, and reports the others.
func (ld *load) moduleKey(p place, t *Task, keys []document.Entry, at site) (document.Entry, bool) {
	var known, unknown []document.Entry
	var missing document.Entry // a module that there is not
	for _, k := range keys {
		_, _, ok := ld.find(k.Name)
		_, isKeyword := keywords[k.Name]
		ok = ok || ld.library(k.Name, p) != ""
		if _, old := removed[k.Name]; ok && !isKeyword && !old && !strings.HasPrefix(k.Name, "with_") {
			known = append(known, k)
		} else {
			unknown = append(unknown, k)
		}
	}
	for _, k := range unknown {
		if len(known) == 0 && ld.looksLikeModule(k.Name, at) {
			ld.unknownModule(p.pos(k.Key), k.Name, at, t)
			missing = k
		} else {
			ld.misplaced(p.pos(k.Key), k.Name, at)
		}
	}
	switch {
	case len(known) == 0 && len(unknown) == 0:
		ld.fail(t.Pos, "the task has no module").
			hint("a task names the module to run, for instance \"ansible.builtin.command: uptime\"")
		return document.Entry{}, false
	case len(known) == 0:
		return missing, missing.Key != nil
	case len(known) > 1:
		ld.fail(p.pos(known[1].Key), "a second module on one task: %s and %s", known[0].Name, known[1].Name).
			hint("make a task of each; perhaps a \"- \" is missing")
		return document.Entry{}, false
	}
	return known[0], true
}

// looksLikeModule guesses whether an unknown key is meant as a module and not as a keyword.
func (ld *load) looksLikeModule(name string, at site) bool {
	if _, ok := keywords[name]; ok {
		return false
	}
	if _, ok := removed[name]; ok || strings.HasPrefix(name, "with_") {
		return false
	}
	if strings.Contains(name, ".") || slices.Contains(foreign, name) {
		return true
	}
	return diag.Near(name, ld.Names) != "" || diag.Near(name, keywordNames(at)) == ""
}

// unknownModule reports a module that there is not. One that Ansible does not know either is always an error; one that
// is only missing here may stand under a condition that is never true. The task is read on either way, for its name and what it
// registers are there for others.
func (ld *load) unknownModule(pos diag.Pos, name string, at site, t *Task) {
	base := baseName(name)
	if slices.Contains(foreign, base) || isForeign(name) {
		e := ld.strict(guarded(&t.Keywords), pos, "module %s exists for Ansible but not here", name).rule(RuleModule)
		if near := diag.Near(base, ld.Names); near != "" {
			e.hint("did you mean %q?", near)
		} else {
			e.hint("hostler doc lists the modules; command and shell can stand in for many")
		}
		return
	}
	e := ld.fail(pos, "there is no module %q", name).rule(RuleModule)
	if near := diag.Near(base, ld.Names); near != "" {
		e.hint("did you mean %q?", near)
	} else if near := diag.Near(name, keywordNames(at)); near != "" {
		e.hint("did you mean the keyword %q?", near)
	}
}

// actionKeyword reads action: and local_action:, as text or as a dict with module.
func (ld *load) actionKeyword(p place, t *Task, e document.Entry, parts taskParts) bool {
	if parts.local {
		t.DelegateTo = Field{Value: "localhost", Pos: p.pos(e.Key), Set: true}
	}
	t.ActionPos = p.pos(e.Val)
	switch {
	case isEmpty(e.Val):
		ld.fail(p.pos(e.Key), "%s names no module", e.Name)
		return false
	case e.Val.Kind == yaml.MappingNode:
		return ld.actionDict(p, t, e, parts)
	case e.Val.Kind != yaml.ScalarNode:
		ld.fail(t.ActionPos, "%s must be text or a dict, not %s", e.Name, nodeKind(e.Val))
		return false
	}
	name, rest := cutWord(e.Val.Value)
	return ld.named(p, t, name, e.Val, rest, parts.args)
}

// actionDict reads the form with module.
func (ld *load) actionDict(p place, t *Task, e document.Entry, parts taskParts) bool {
	for _, sub := range document.Entries(e.Val) {
		if sub.Name != "module" {
			continue
		}
		t.ActionPos = p.pos(sub.Val)
		if sub.Val.Kind != yaml.ScalarNode {
			ld.fail(t.ActionPos, "module must be text, not %s", nodeKind(sub.Val))
			return false
		}
		name, rest := cutWord(sub.Val.Value)
		return ld.named(p, t, name, e.Val, rest, parts.args)
	}
	ld.fail(t.ActionPos, "%s has no module", e.Name).hint("write %s: {module: name, …}", e.Name)
	return false
}

// cutWord parts a module's name from the text behind it; a template in place of the name stays whole.
func cutWord(s string) (word, rest string) {
	s = strings.TrimSpace(s)
	depth := 0
	for i, r := range s {
		switch {
		case strings.HasPrefix(s[i:], "{{"):
			depth++
		case strings.HasPrefix(s[i:], "}}"):
			depth--
		case depth <= 0 && (r == ' ' || r == '\t' || r == '\n'):
			return s[:i], strings.TrimSpace(s[i:])
		}
	}
	return s, ""
}

// named takes up a module named by action or local_action. Node holds the arguments when it is a dict, else they are
// the text rest.
func (ld *load) named(p place, t *Task, name string, node *yaml.Node, rest string, args *document.Entry) bool {
	t.Action = name
	if document.HasTemplate(name) {
		ld.templates(&value.Template{Text: name, Pos: t.ActionPos})
		return ld.arguments(p, t, nil, node, rest, args)
	}
	m, isAction, ok := ld.find(name)
	if !ok && ld.library(name, p) == "" {
		ld.unknownModule(t.ActionPos, name, onTask, t)
	}
	if !isAction {
		m = ld.ownModule(p, t, m)
		t.Module = m
	}
	return ld.arguments(p, t, m, node, rest, args)
}

// metaActions are what meta can do.
var metaActions = []string{
	"flush_handlers", "end_host", "end_play", "end_batch", "end_role", "clear_facts", "clear_host_errors",
	"refresh_inventory", "reset_connection", "noop",
}

// checkMeta reports a meta action that there is not.
func (ld *load) checkMeta(t *Task) {
	v, pos, _ := t.argText(rawParams, "free_form")
	name, isText := v.(string)
	switch {
	case t.Args.Values.Len() == 0:
		ld.strict(false, t.ActionPos, "meta needs an action, for instance flush_handlers")
	case isText && !slices.Contains(metaActions, name):
		e := ld.strict(guarded(&t.Keywords), pos, "meta has no action %q", name)
		if near := diag.Near(name, metaActions); near != "" {
			e.hint("did you mean %q?", near)
		}
	}
}

// bareArgs are arguments that are expressions without braces.
var bareArgs = map[string]string{"assert": "that", "debug": "var"}

// checkArgs checks a task's arguments against its module's.
func (ld *load) checkArgs(t *Task) {
	if t.BaseAction() == "meta" {
		ld.checkMeta(t)
		return
	}
	if name, ok := bareArgs[t.BaseAction()]; ok {
		v, _ := t.Args.Values.Get(name)
		ld.bareArg(t, v, name)
	}
	m := t.Module
	if m == nil && ld.Actions != nil && !document.HasTemplate(t.Action) {
		m, _, _ = ld.find(t.Action)
	}
	if m == nil {
		return
	}
	more := t.Args.Whole.Set || t.Inherited(func(k *Keywords) Field { return k.ModuleDefaults }).Set
	for _, bad := range m.Check(t.Args.Values) {
		if bad.Missing && more {
			continue
		}
		e := ld.strict(guarded(&t.Keywords), t.Args.Where(bad.Path, bad.Key), "%s: %s", t.BaseAction(), bad.Msg).rule(RuleArgs)
		if bad.Hint == "" && bad.Key && len(bad.Path) == 1 && slices.Contains(keywordNames(onTask), fmt.Sprint(bad.Path[0])) {
			e.hint("%v is a keyword of a task: indent it as far as the name of the module", bad.Path[0])
		}
		if bad.Hint != "" {
			e.hint("%s", bad.Hint)
		}
	}
}

// bareArg checks the syntax of an expression or a list of them.
func (ld *load) bareArg(t *Task, v any, path ...any) {
	switch v := v.(type) {
	case string:
		ld.expression(v, t.Args.Where(path, false))
	case *value.List:
		for i, item := range v.Items {
			ld.bareArg(t, item, append(slices.Clone(path), i)...)
		}
	}
}
