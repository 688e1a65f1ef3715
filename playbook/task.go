package playbook

import (
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// nodes reads a list of tasks and blocks.
func (ld *load) nodes(p place, n *yaml.Node, what string) []Node {
	if isEmpty(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		ld.fail(p.pos(n), "%s must be a list of tasks, not %s", what, nodeKind(n)).
			hint("each task begins with \"- \"")
		return nil
	}
	var out []Node
	for _, item := range document.Items(n) {
		if isEmpty(item) && item.Kind == yaml.ScalarNode {
			ld.warn(p.pos(item), "a task is empty").hint("remove the \"-\" or write the task")
			continue
		}
		if item.Kind != yaml.MappingNode {
			ld.fail(p.pos(item), "a task must be a dict, not %s", nodeKind(item)).
				hint("write \"- name: …\" with the module below it")
			continue
		}
		if one := ld.node(p, item); one != nil {
			out = append(out, one...)
		}
	}
	return out
}

// node reads one entry of a list of tasks.
func (ld *load) node(p place, n *yaml.Node) []Node {
	entries := document.Entries(n)
	for _, e := range entries {
		if e.Name == "block" {
			if p.handler && p.inBlock {
				ld.fail(p.pos(e.Key), "a block in a block cannot be a handler").
					hint("put its tasks in a file and notify a handler that includes it, or give each a handler of its own with listen:")
				return nil
			}
			return []Node{ld.block(p, n, entries)}
		}
	}
	return ld.task(p, n, entries)
}

// block reads a block with its rescue and always.
func (ld *load) block(p place, n *yaml.Node, entries []document.Entry) *Block {
	b := &Block{Pos: p.pos(n), Role: p.role, File: p.doc.File}
	p.guard = p.guard || hasWhen(entries)
	lists := make(map[string]*yaml.Node)
	for _, e := range entries {
		switch {
		case e.Name == "block" || e.Name == "rescue" || e.Name == "always":
			lists[e.Name] = e.Val
		case e.Name == "notify":
			b.Notify = ld.texts(p, e)
		case keywords[e.Name].in&onBlock != 0 && ld.shared(p, e, &b.Keywords):
		case e.Name == "register" || e.Name == "loop" || strings.HasPrefix(e.Name, "with_"):
			ld.fail(p.pos(e.Key), "%s cannot stand on a block", e.Name).
				hint("put the tasks in a file and give include_tasks the %s", e.Name)
		default:
			ld.misplaced(p.pos(e.Key), e.Name, onBlock)
		}
	}
	b.inherit(p.parent)
	inner := p
	inner.parent, inner.inBlock = &b.Keywords, true
	if p.handler && (lists["rescue"] != nil || lists["always"] != nil) {
		ld.warn(b.Pos, "rescue and always have no effect on handlers")
	}
	b.Body = ld.nodes(inner, lists["block"], "block")
	b.Rescue = ld.nodes(inner, lists["rescue"], "rescue")
	b.Always = ld.nodes(inner, lists["always"], "always")
	if b.Notify != nil {
		inheritNotify(b.Notify, b.Body, b.Rescue, b.Always)
	}
	return b
}

// hasWhen reports whether a condition stands among the keys.
func hasWhen(entries []document.Entry) bool {
	return slices.ContainsFunc(entries, func(e document.Entry) bool { return e.Name == "when" && !isEmpty(e.Val) })
}

// inheritNotify gives a block's notify to what is in it and has none of its own.
func inheritNotify(notify []Field, lists ...[]Node) {
	for _, l := range lists {
		for _, n := range l {
			switch n := n.(type) {
			case *Task:
				if n.Notify == nil {
					n.Notify = notify
				}
			case *Block:
				if n.Notify == nil {
					inheritNotify(notify, n.Body, n.Rescue, n.Always)
				}
			}
		}
	}
}

// taskParts are what task finds in a task's mapping besides its plain keywords.
type taskParts struct {
	candidates []document.Entry // keys that may be the module
	action     *document.Entry  // action or local_action
	local      bool
	args       *document.Entry
	loops      []document.Entry
}

// task reads one task; a static import comes as the block that it stands for.
func (ld *load) task(p place, n *yaml.Node, entries []document.Entry) []Node {
	t := &Task{Pos: p.pos(n), Play: p.play, Role: p.role, File: p.doc.File, Handler: p.handler}
	p.guard = p.guard || hasWhen(entries)
	at := onTask
	if p.handler {
		at = onHandler
	}
	var parts taskParts
	for _, e := range entries {
		ld.taskEntry(p, t, e, at, &parts)
	}
	t.inherit(p.parent)
	ld.loops(p, t, parts.loops)
	if !ld.action(p, t, parts, at) {
		return nil
	}
	switch name := t.BaseAction(); name {
	case "include_tasks", "import_tasks", "include_role", "import_role", "include":
		if name == "include_tasks" || name == "include_role" {
			ld.checkDynamicKeywords(p, entries, name)
		}
		return ld.inclusion(p, t, name)
	case "import_playbook":
		ld.fail(t.ActionPos, "import_playbook cannot be a task").
			hint("it stands in the playbook's own list, beside the plays")
		return nil
	}
	ld.checkArgs(t)
	return []Node{t}
}

// taskEntry reads one key of a task.
func (ld *load) taskEntry(p place, t *Task, e document.Entry, at site, parts *taskParts) {
	kw, known := keywords[e.Name]
	switch {
	case e.Name == "action" || e.Name == "local_action":
		if parts.action != nil {
			ld.fail(p.pos(e.Key), "a task has one of action and local_action, not both")
			return
		}
		parts.action, parts.local = &e, e.Name == "local_action"
	case e.Name == "args":
		parts.args = &e
	case e.Name == "loop" || ld.isLoop(e.Name):
		parts.loops = append(parts.loops, e)
	case !known || kw.in&at == 0:
		parts.candidates = append(parts.candidates, e)
	case ld.shared(p, e, &t.Keywords):
	case kw.task != nil:
		*kw.task(t) = ld.field(p, e, kw.kind)
	default:
		ld.taskKeyword(p, t, e)
	}
}

// taskKeyword reads the keywords that only tasks have and that are not simply stored.
func (ld *load) taskKeyword(p place, t *Task, e document.Entry) {
	switch e.Name {
	case "register":
		f := ld.field(p, e, text)
		name, _ := f.Value.(string)
		if f.Set && !validName(name) {
			ld.strict(p.guard, f.Pos, "register needs the name of a variable, not %s", describe(f.Value)).
				hint("a name is letters, digits and underscores, and does not begin with a digit")
		}
		t.Register = name
	case "until":
		t.Until = ld.conditions(p, e)
	case "changed_when":
		t.ChangedWhen = ld.conditions(p, e)
	case "failed_when":
		t.FailedWhen = ld.conditions(p, e)
	case "notify":
		t.Notify = ld.texts(p, e)
	case "listen":
		for _, f := range ld.texts(p, e) {
			t.Listen = append(t.Listen, pyText(f.Value))
		}
	case "loop_control":
		ld.loopControl(p, t, e)
	}
}

// isLoop reports whether a key is with_X for a lookup that may be one.
func (ld *load) isLoop(key string) bool {
	name, ok := strings.CutPrefix(key, "with_")
	if !ok {
		return false
	}
	name = baseName(name)
	if strings.Contains(name, ".") {
		return true
	}
	return slices.Contains(withLoops, name)
}

// loops reads loop or with_X, of which a task may have one.
func (ld *load) loops(p place, t *Task, loops []document.Entry) {
	if len(loops) == 0 {
		return
	}
	e := loops[0]
	for _, more := range loops[1:] {
		ld.fail(p.pos(more.Key), "a second loop on one task: %s and %s", e.Name, more.Name)
	}
	t.Loop = Field{Value: ld.value(p.doc, e.Val), Pos: p.pos(e.Val), Set: true}
	if e.Name != "loop" {
		t.LoopWith = baseName(strings.TrimPrefix(e.Name, "with_"))
		if t.Loop.Value == nil {
			ld.fail(p.pos(e.Key), "%s needs a value", e.Name)
		}
		return
	}
	switch v := t.Loop.Value.(type) {
	case nil:
		t.Loop = Field{}
	case *value.List, *value.Template:
	case *value.Dict:
		ld.strict(guarded(&t.Keywords), t.Loop.Pos, "loop needs a list, not a dict").
			hint("for the entries of a dict write loop: \"{{ the_dict | dict2items }}\"")
	default:
		e := ld.strict(guarded(&t.Keywords), t.Loop.Pos, "loop needs a list, not %s", describe(v))
		if s, isText := v.(string); isText && validName(s) {
			e.hint("for a variable write loop: \"{{ %s }}\"", s)
		}
	}
}

// loopKeys are the keys of loop_control.
var loopKeys = map[string]struct {
	kind  kind
	name  func(*LoopControl) *string
	field func(*LoopControl) *Field
}{
	"loop_var":          {kind: text, name: func(c *LoopControl) *string { return &c.LoopVar }},
	"index_var":         {kind: text, name: func(c *LoopControl) *string { return &c.IndexVar }},
	"label":             {kind: anything, field: func(c *LoopControl) *Field { return &c.Label }},
	"pause":             {kind: number, field: func(c *LoopControl) *Field { return &c.Pause }},
	"extended":          {kind: flag, field: func(c *LoopControl) *Field { return &c.Extended }},
	"extended_allitems": {kind: flag, field: func(c *LoopControl) *Field { return &c.ExtendedAllItems }},
	"break_when":        {kind: bare, field: func(c *LoopControl) *Field { return &c.BreakWhen }},
	"parallel":          {kind: integer, field: func(c *LoopControl) *Field { return &c.Parallel }},
}

func (ld *load) loopControl(p place, t *Task, e document.Entry) {
	if isEmpty(e.Val) {
		return
	}
	if e.Val.Kind != yaml.MappingNode {
		ld.fail(p.pos(e.Val), "loop_control must be a dict, not %s", nodeKind(e.Val)).
			hint("for instance loop_control: {loop_var: disk}")
		return
	}
	for _, e := range document.Entries(e.Val) {
		key, ok := loopKeys[e.Name]
		if !ok {
			bad := ld.fail(p.pos(e.Key), "%q is not a key of loop_control", e.Name)
			if near := diag.Near(e.Name, sortedKeys(loopKeys)); near != "" {
				bad.hint("did you mean %q?", near)
			}
			continue
		}
		f := ld.field(p, e, key.kind)
		if !f.Set {
			continue
		}
		if key.field != nil {
			*key.field(&t.LoopControl) = f
			continue
		}
		s := pyText(f.Value)
		if _, late := f.Value.(*value.Template); !late && !validName(s) {
			ld.strict(false, f.Pos, "%s needs the name of a variable, not %s", e.Name, describe(f.Value))
		}
		*key.name(&t.LoopControl) = s
	}
	ld.parallel(t)
}

// parallel refuses what only has a meaning for items that follow each other.
func (ld *load) parallel(t *Task) {
	c := &t.LoopControl
	if !c.Parallel.Set {
		return
	}
	if c.Pause.Set {
		ld.fail(c.Pause.Pos, "pause does not go with parallel").hint("throttle limits how many hosts work at once")
	}
	if c.BreakWhen.Set {
		ld.fail(c.BreakWhen.Pos, "break_when does not go with parallel: later items run already").hint("leave one of them out")
	}
}

// isEmpty reports whether a node is missing or null.
func isEmpty(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && (n.Tag == "!!null" || n.Value == "" && n.Style == 0)
}

// nodeKind says what a node is, for messages.
func nodeKind(n *yaml.Node) string {
	switch {
	case isEmpty(n):
		return "empty"
	case n.Kind == yaml.MappingNode:
		return "a dict"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return describe(n.Value)
}
