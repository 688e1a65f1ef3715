package playbook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// dynamicKeywords may stand on include_tasks and include_role themselves; others have to go into apply.
var dynamicKeywords = []string{
	"action", "args", "collections", "debugger", "ignore_errors", "loop", "loop_control", "name", "no_log", "register",
	"run_once", "tags", "timeout", "vars", "when", "listen",
}

// includeArgs are the arguments of each include and import.
var includeArgs = map[string][]string{
	"include_tasks": {"file", "apply"},
	"import_tasks":  {"file"},
	"include":       {"file", "apply"},
	"include_role": {
		"name", "role", "tasks_from", "vars_from", "defaults_from", "handlers_from", "allow_duplicates", "public", "apply",
		"rolespec_validate",
	},
	"import_role": {
		"name", "role", "tasks_from", "vars_from", "defaults_from", "handlers_from", "allow_duplicates", "public",
		"rolespec_validate",
	},
}

// inclusion reads the includes and imports of tasks and roles. A dynamic one stays a task, a static one becomes the
// block that it stands for.
func (ld *load) inclusion(p place, t *Task, action string) []Node {
	ld.normalizeInclude(t)
	for k := range t.Args.Values.All() {
		name := pyText(k)
		if name == rawParams || slices.Contains(includeArgs[action], name) {
			continue
		}
		e := ld.fail(t.Args.Where([]any{name}, true), "%s has no argument %q", action, name)
		if near := diag.Near(name, includeArgs[action]); near != "" {
			e.hint("did you mean %q?", near)
		} else if name == "apply" {
			e.hint("an import takes keywords itself; apply is for includes")
		} else {
			e.hint("variables for the tasks go under vars:")
		}
	}
	if action == "include" {
		action = "import_tasks"
		if _, pos, ok := t.argText("file", rawParams); t.Loop.Set || !ok || ld.isLate(t) {
			action = "include_tasks"
		} else {
			ld.warn(pos, "include is no longer in Ansible").rule(RuleDeprecated).hint("write import_tasks or include_tasks")
		}
	}
	switch action {
	case "include_tasks", "include_role":
		return ld.dynamic(p, t, action)
	case "import_tasks":
		return ld.importTasks(p, t)
	default:
		return ld.importRole(p, t)
	}
}

// isLate reports whether the name of what is included holds a template.
func (ld *load) isLate(t *Task) bool {
	v, _, _ := t.argText("file", rawParams)
	_, late := v.(*value.Template)
	return late
}

// normalizeInclude stores free-form text under the argument's own name.
func (ld *load) normalizeInclude(t *Task) {
	name := "file"
	if strings.HasSuffix(t.BaseAction(), "_role") {
		name = "name"
	}
	if v, ok := t.Args.Values.Get(rawParams); ok {
		t.Args.Values.Delete(rawParams)
		if _, both := t.Args.Values.Get(name); !both {
			t.Args.Values.Set(name, v)
		}
	}
}

// dynamic checks include_tasks and include_role and reads their apply.
func (ld *load) dynamic(p place, t *Task, action string) []Node {
	names := []string{"file"}
	if action == "include_role" {
		names = []string{"name", "role"}
	}
	if _, _, ok := t.argText(names...); !ok && !t.Args.Whole.Set {
		ld.fail(t.ActionPos, "%s needs the %s to include", action, map[bool]string{true: "name of the role", false: "file"}[names[0] == "name"])
		return nil
	}
	if apply, ok := t.Args.Values.Get("apply"); ok {
		if _, isDict := apply.(*value.Dict); !isDict {
			ld.fail(t.Args.Where([]any{"apply"}, false), "apply must be a dict of keywords, not %s", describe(apply))
			return nil
		}
		t.Apply = ld.apply(p, t)
	}
	return []Node{t}
}

// apply reads the keywords of apply, which are those of a block.
func (ld *load) apply(p place, t *Task) *Keywords {
	k := &Keywords{}
	for _, n := range []*yaml.Node{t.Args.Node, t.Args.Extra} {
		for _, e := range document.Entries(n) {
			if e.Name != "apply" {
				continue
			}
			for _, sub := range document.Entries(e.Val) {
				if keywords[sub.Name].in&onBlock == 0 || !ld.shared(p, sub, k) {
					ld.misplaced(p.pos(sub.Key), sub.Name, onBlock)
				}
			}
		}
	}
	k.inherit(t.Level.Parent)
	return k
}

// checkDynamicKeywords refuses keywords that have no effect on an include.
func (ld *load) checkDynamicKeywords(p place, entries []document.Entry, action string) {
	for _, e := range entries {
		if _, known := keywords[e.Name]; !known || slices.Contains(dynamicKeywords, e.Name) {
			continue
		}
		ld.fail(p.pos(e.Key), "%s cannot stand on %s", e.Name, action).
			hint("put it under apply: to have it on every task that is included")
	}
}

// importTasks reads the file and gives its tasks in a block with the import's keywords.
func (ld *load) importTasks(p place, t *Task) []Node {
	if !ld.staticLoop(t, "import_tasks", "include_tasks") {
		return nil
	}
	v, pos, ok := t.argText("file")
	if !ok {
		ld.fail(t.ActionPos, "import_tasks needs the file to import")
		return nil
	}
	name, ok := ld.early(v, pos, &t.Keywords, p, "include_tasks")
	if !ok {
		return nil
	}
	path, tried := ld.findTasks(name, p)
	if path == "" {
		ld.notFound(pos, "file", name, tried)
		return nil
	}
	if slices.Contains(p.chain, path) || path == p.doc.File {
		chain := append(slices.Clone(p.chain), p.doc.File, path)
		ld.fail(pos, "the import never ends: %s", strings.Join(slices.Compact(chain), " → "))
		return nil
	}
	b := &Block{Keywords: t.Keywords, Pos: t.Pos, Role: p.role, File: path, Static: "import_tasks", Notify: t.Notify}
	inner := p
	inner.parent, inner.inBlock = &b.Keywords, false
	inner.guard = p.guard || guarded(&b.Keywords)
	inner.chain = append(slices.Clone(p.chain), p.doc.File)
	b.Body = ld.taskFile(path, inner)
	if b.Notify != nil {
		inheritNotify(b.Notify, b.Body)
	}
	return []Node{b}
}

// staticLoop refuses a loop on an import.
func (ld *load) staticLoop(t *Task, action, instead string) bool {
	if !t.Loop.Set {
		return true
	}
	ld.fail(t.Loop.Pos, "%s cannot loop", action).hint("write %s", instead)
	return false
}

// early gives a name that must be known at load.
func (ld *load) early(v any, pos diag.Pos, k *Keywords, p place, instead string) (string, bool) {
	t, late := v.(*value.Template)
	if !late {
		if !scalar(v) {
			ld.fail(pos, "a name must be text, not %s", describe(v))
			return "", false
		}
		return pyText(v), true
	}
	var layers []*value.Dict
	if p.role != nil {
		layers = append(layers, p.role.Defaults)
	}
	if p.play != nil {
		layers = append(layers, p.play.Vars)
	}
	if p.role != nil {
		layers = append(layers, p.role.Vars)
	}
	at := len(layers)
	for ; k != nil; k = k.Level.Parent {
		if p.play == nil || k != &p.play.Keywords {
			layers = slices.Insert(layers, at, k.Vars)
		}
	}
	if p.role != nil {
		layers = append(layers, p.role.Params)
	}
	layers = slices.DeleteFunc(layers, func(d *value.Dict) bool { return d == nil })
	if ld.Early == nil {
		ld.fail(pos, "the name %q cannot be known before a host is", shorten(t.Text)).hint("write %s", instead)
		return "", false
	}
	name, err := ld.Early(t, layers...)
	if err != nil {
		ld.fail(pos, "the name %q must be known before any host is: %w", shorten(t.Text), err).
			hint("write %s, or define the variable in the play or with -e", instead)
		return "", false
	}
	return name, true
}

// taskFile reads a file of tasks.
func (ld *load) taskFile(path string, p place) []Node {
	doc, ok := ld.open(path)
	if !ok {
		return nil
	}
	p.doc = doc
	if isEmpty(doc.Root) {
		ld.warn(diag.Pos{File: path}, "the file has no tasks")
		return nil
	}
	if doc.Root.Kind == yaml.SequenceNode && len(doc.Root.Content) > 0 && looksLikePlay(doc.Root) {
		ld.fail(doc.Pos(document.Items(doc.Root)[0]), "this is a playbook, not a file of tasks").
			hint("import it with import_playbook beside the plays, or take the tasks out of the play")
		return nil
	}
	return ld.nodes(p, doc.Root, "a file of tasks")
}

// looksLikePlay reports whether the first entry of a list is a play.
func looksLikePlay(n *yaml.Node) bool {
	hosts, module := false, false
	for _, e := range document.Entries(document.Items(n)[0]) {
		hosts = hosts || e.Name == "hosts"
		module = module || e.Name == "action"
	}
	return hosts && !module
}

// FindTasks finds the file that include_tasks names, as seen from the task: an absolute one as it is, else beside the
// task's own file, in its role's tasks (handlers for a handler), in the role, beside the playbook. The error names
// every place that was tried.
func (l *Loader) FindTasks(name string, from *Task) (string, error) {
	ld := l.start(playDir(from.Play))
	p := place{doc: document.Document{File: from.File}, play: from.Play, role: from.Role, handler: from.Handler}
	path, tried := ld.findTasks(name, p)
	if path == "" {
		return "", ld.notFound(from.ActionPos, "file", name, tried).err
	}
	return path, nil
}

func (ld *load) findTasks(name string, p place) (path string, tried []string) {
	dirs := []string{filepath.Dir(p.doc.File)}
	for _, f := range slices.Backward(p.chain) {
		dirs = append(dirs, filepath.Dir(f))
	}
	if p.role != nil {
		if p.handler {
			dirs = append(dirs, filepath.Join(p.role.Path, "handlers"))
		}
		dirs = append(dirs, filepath.Join(p.role.Path, "tasks"), p.role.Path)
	}
	dirs = append(dirs, ld.dir, filepath.Join(ld.dir, "tasks"))
	return findIn(name, dirs)
}

// findIn looks a file up in folders in turn; an absolute one and ~ stand alone.
func findIn(name string, dirs []string) (path string, tried []string) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			name = filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(name) {
		dirs = []string{""}
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if slices.Contains(tried, path) {
			continue
		}
		if st, err := os.Stat(path); err == nil && !st.IsDir() {
			return path, nil
		}
		tried = append(tried, path)
	}
	return "", tried
}

// notFound reports a file that is in none of the places tried.
func (ld *load) notFound(pos diag.Pos, what, name string, tried []string) found {
	return nearFile(ld.fail(pos, "%s %q not found, looked for %s", what, name, strings.Join(tried, ", ")).rule(RuleFile), name, tried)
}

// nearFile hints at a file beside one of the places tried that may be meant.
func nearFile(e found, name string, tried []string) found {
	for _, path := range tried {
		files, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			continue
		}
		var names []string
		for _, f := range files {
			names = append(names, f.Name())
		}
		if near := diag.Near(filepath.Base(name), names); near != "" {
			e.hint("did you mean %q?", filepath.Join(filepath.Dir(name), near))
			return e
		}
	}
	return e
}
