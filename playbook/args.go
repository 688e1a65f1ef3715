package playbook

import (
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"gopkg.in/yaml.v3"
)

// rawParams is the argument that holds free-form text for an action that names none of its own.
const rawParams = "_raw_params"

// Where gives the place of an argument, or of its key, for error messages.
func (a Args) Where(path []any, key bool) diag.Pos {
	doc := document.Document{File: a.File}
	for _, n := range []*yaml.Node{a.Node, a.Extra} {
		if n == nil || len(path) == 0 {
			continue
		}
		for _, e := range document.Entries(n) {
			if e.Name == path[0] {
				return doc.Locate(n, path, key)
			}
		}
	}
	if len(path) > 0 && !a.Text.IsZero() {
		if _, given := a.Values.Get(path[0]); given {
			return a.Text
		}
	}
	return a.Pos
}

// arguments reads a task's arguments: a dict, text, or nothing, with args: merged under them.
func (ld *load) arguments(p place, t *Task, m *modules.Module, n *yaml.Node, rest string, extra *document.Entry) bool {
	t.Args = Args{Values: value.NewDict(), Pos: t.ActionPos, File: p.doc.File}
	ok := extra == nil || ld.extraArgs(p, t, *extra)
	switch {
	case isEmpty(n):
	case n.Kind == yaml.MappingNode:
		t.Args.Node = n
		d, _ := ld.value(p.doc, n).(*value.Dict)
		for k, v := range d.All() {
			t.Args.Values.Set(k, v)
		}
		if t.ActionPos != p.pos(n) && rest != "" {
			// action: {module: "copy src=a", dest: b}
			ok = ld.freeForm(p, t, m, n, rest) && ok
		}
		if isActionDict(t, n) {
			t.Args.Values.Delete("module")
		}
	case n.Kind == yaml.ScalarNode:
		s := n.Value
		if rest != "" || t.ActionPos == p.pos(n) {
			s = rest
		}
		ok = ld.freeForm(p, t, m, n, s) && ok
	default:
		ld.fail(p.pos(n), "the arguments of %s must be a dict or text, not %s", t.BaseAction(), nodeKind(n))
		ok = false
	}
	return ok
}

// isActionDict reports whether a dict of arguments is that of action:, with the module's name among them.
func isActionDict(t *Task, n *yaml.Node) bool {
	for _, e := range document.Entries(n) {
		if e.Name == "module" {
			return t.ActionPos.Line == e.Val.Line && t.ActionPos.Col == e.Val.Column
		}
	}
	return false
}

// extraArgs reads args:, a dict or a template that gives one.
func (ld *load) extraArgs(p place, t *Task, e document.Entry) bool {
	if isEmpty(e.Val) {
		return true
	}
	switch v := ld.value(p.doc, e.Val).(type) {
	case *value.Dict:
		t.Args.Extra = e.Val
		for k, v := range v.All() {
			t.Args.Values.Set(k, v)
		}
		return true
	case *value.Template:
		t.Args.Whole = Field{Value: v, Pos: p.pos(e.Val), Set: true}
		return true
	default:
		ld.fail(p.pos(e.Val), "args must be a dict or a template that gives one, not %s", describe(v))
		return false
	}
}

// rawModules take text that is no key=value pairs.
var rawModules = map[string]bool{
	"command": true, "shell": true, "raw": true, "script": true, "win_command": true, "win_shell": true,
	"include": true, "include_vars": true, "include_tasks": true, "include_role": true, "import_tasks": true,
	"import_role": true, "add_host": true, "group_by": true, "set_fact": true, "meta": true, "expect": true,
}

// commandLike take a command line, in which only a few key=value pairs are arguments.
var commandLike = map[string]bool{
	"command": true, "shell": true, "raw": true, "script": true, "win_command": true, "win_shell": true,
}

// freeForm reads arguments given as text.
func (ld *load) freeForm(p place, t *Task, m *modules.Module, n *yaml.Node, s string) bool {
	base := t.BaseAction()
	t.Args.Text = p.pos(n)
	pairs, raw, err := modules.SplitKV(s, commandLike[base])
	if err != nil {
		ld.fail(p.pos(n), "%s: %v", base, err)
		return false
	}
	for k, v := range pairs.All() {
		t.Args.Values.Set(k, ld.maybeTemplate(pyText(v), p.pos(n)))
	}
	if raw == "" {
		return true
	}
	if document.HasTemplate(t.Action) {
		ld.fail(p.pos(n), "%s takes no free text, only key=value pairs: which module it is shows only when it runs", t.Action)
		return false
	}
	name := rawParams
	if m != nil && m.FreeForm() != "" {
		name = m.FreeForm()
	} else if m != nil && !rawModules[base] {
		word, _ := cutWord(raw)
		ld.fail(p.pos(n), "%s takes no free text, only key=value pairs: %q is none", base, shorten(word)).
			hint("write the arguments as a dict below %s:", base)
		return false
	}
	at := p.pos(n)
	if strings.HasPrefix(s, raw) {
		at = p.doc.TextPos(n)
	}
	t.Args.Values.Set(name, ld.maybeTemplate(raw, at))
	return true
}

// maybeTemplate is text, or the template in it.
func (ld *load) maybeTemplate(s string, pos diag.Pos) any {
	if !document.HasTemplate(s) {
		return s
	}
	t := &value.Template{Text: s, Pos: pos}
	ld.templates(t)
	return t
}

// argText gives an argument as text with its place; a template comes as such.
func (t *Task) argText(names ...string) (v any, pos diag.Pos, ok bool) {
	for _, name := range names {
		if v, ok := t.Args.Values.Get(name); ok && v != nil {
			if s, isText := v.(string); isText {
				v = strings.TrimSpace(s)
			}
			return v, t.Args.Where([]any{name}, false), true
		}
	}
	return nil, t.ActionPos, false
}
