package check

import (
	"path/filepath"
	"slices"

	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// walker goes through one play with all that it includes.
type walker struct {
	*checker
	play *playbook.Play
	dir  string // playbook_dir
	// visited are the includes that were followed already.
	visited map[visit]bool
	// tasks and handlers are what includes bring; open says that there is more at run time.
	tasks, handlers []playbook.Node
	open            bool
	// guards are the files that stand under a condition.
	guards map[string]bool
	states states
}

// visit is one include, told from others.
type visit struct {
	path    string
	role    string
	handler bool
}

// playbook checks the plays of one playbook.
func (c *checker) playbook(pb *playbook.Playbook) {
	if pb == nil {
		return
	}
	for _, p := range pb.Plays {
		dir, err := filepath.Abs(filepath.Dir(p.File))
		if err != nil {
			continue
		}
		w := &walker{checker: c, play: p, dir: dir, visited: map[visit]bool{}, guards: map[string]bool{}}
		w.whole()
	}
}

// whole checks the play.
func (w *walker) whole() {
	p := w.play
	w.keywords(&p.Keywords, p.File, false)
	w.scan(p.Hosts.Value, false)
	w.scan(p.Serial.Value, false)
	w.names.folder(w.checker, filepath.Join(w.dir, "group_vars"))
	w.names.folder(w.checker, filepath.Join(w.dir, "host_vars"))
	for _, q := range p.VarsPrompt {
		w.names.define(q.Name)
		w.scan(q.Default.Value, false)
	}
	w.playFiles(p.VarsFiles.Value)
	w.writes = w.writes || onController(p)
	for _, r := range p.Roles {
		w.role(r)
	}
	for _, list := range [][]playbook.Node{p.PreTasks, p.RoleTasks, p.Tasks, p.PostTasks} {
		w.nodes(list, false)
	}
	w.nodes(p.Handlers, false)
	if w.open {
		return
	}
	warnings, err := w.Loader.Notified(p, w.tasks, w.handlers)
	for _, e := range asList(err) {
		w.take(w.guards[e.Pos.File], nil, e)
	}
	w.take(true, warnings, nil)
}

// onController reports whether a play's tasks run on this machine.
func onController(p *playbook.Play) bool {
	if p.Connection.Value == "local" {
		return true
	}
	hosts, _ := p.Hosts.Value.(string)
	return hosts == "localhost" || hosts == "127.0.0.1"
}

// role takes up what a role defines.
func (w *walker) role(r *playbook.Role) {
	for _, d := range []*value.Dict{r.Defaults, r.Vars, r.Params} {
		w.names.defineKeys(d)
	}
	w.scan(r.Params, false)
	for _, d := range r.Dependencies {
		w.role(d)
	}
}

// nodes checks tasks; guard says that something may keep them from running, or from failing the play.
func (w *walker) nodes(list []playbook.Node, guard bool) {
	for _, n := range list {
		switch n := n.(type) {
		case *playbook.Block:
			w.keywords(&n.Keywords, n.File, guard)
			w.excusing(len(n.Rescue) > 0, func() { w.nodes(n.Body, guard || len(n.Rescue) > 0) })
			w.nodes(n.Rescue, guard)
			w.nodes(n.Always, guard)
		case *playbook.Task:
			w.excusing(mayFail(n), func() { w.task(n, guard) })
		}
	}
}

// guarded reports whether a task may well not run, or not fail the play.
func guarded(t *playbook.Task) bool {
	return len(t.When) > 0 || t.Handler || mayFail(t)
}

// mayFail reports whether a task is written to fail, or not to run unless somebody asks for it.
func mayFail(t *playbook.Task) bool {
	if slices.ContainsFunc(t.When, func(f playbook.Field) bool { return f.Value == false }) {
		return true
	}
	ignore := t.Inherited(func(k *playbook.Keywords) playbook.Field { return k.IgnoreErrors })
	return slices.Contains(t.Tags, "never") || ignore.Set && ignore.Value != false
}

// task checks one task and follows it where it includes others.
func (w *walker) task(t *playbook.Task, guard bool) {
	guard = guard || guarded(t)
	for _, tag := range t.Tags {
		w.seenTags[tag] = true
		w.openTags = w.openTags || document.HasTemplate(tag)
	}
	w.local(t)
	w.taskNames(t, guard)
	w.traps(t)
	w.factNames(t, guard)
	w.files(t, guard)
	if !t.Handler {
		w.state(t)
	}
	switch t.BaseAction() {
	case "include_tasks", "include":
		w.includeTasks(t, guard)
	case "include_role":
		w.includeRole(t, guard)
	}
}

// local notes tasks that may write on the controller.
func (w *walker) local(t *playbook.Task) {
	to := t.Inherited(func(k *playbook.Keywords) playbook.Field { return k.DelegateTo }).Value
	con := t.Inherited(func(k *playbook.Keywords) playbook.Field { return k.Connection }).Value
	if to == "localhost" || to == "127.0.0.1" || con == "local" || t.BaseAction() == "fetch" {
		w.writes = true
	}
}

// parent is what tasks that t includes stand in, as the run has it.
func parent(t *playbook.Task) *playbook.Keywords {
	if t.Apply != nil {
		return t.Apply
	}
	return t.Level.Parent
}

func (w *walker) includeTasks(t *playbook.Task, guard bool) {
	if t.Apply != nil {
		w.keywords(t.Apply, t.File, guard)
	}
	name, known := t.IncludedFile()
	if !known {
		w.open, w.openTags = true, true
		w.names.openFolder(w.checker, t)
		return
	}
	path, err := w.Loader.FindTasks(name, t)
	if err != nil {
		e := w.fail(guard, playbook.RuleFile, t.Args.Where([]any{"file"}, false), "%w", bare(err))
		e.err.Hint = hintOf(err)
		w.absent = append(w.absent, e.err)
		w.open = true
		return
	}
	if w.endless(t, path, guard) || w.again(visit{path: path, role: rolePath(t.Role), handler: t.Handler}) {
		return
	}
	if guard {
		w.guards[path] = true
	}
	list, warnings, err := w.Loader.LoadTasks(path, w.play, t.Role, parent(t), t.Handler)
	w.take(guard, warnings, err)
	w.included(list, t.Handler, guard)
}

// included checks what an include brought.
func (w *walker) included(list []playbook.Node, handlers, guard bool) {
	if handlers {
		w.handlers = append(w.handlers, list...)
	} else {
		w.tasks = append(w.tasks, list...)
	}
	for _, r := range playbook.Imported(list) {
		w.role(r)
		w.handlers = append(w.handlers, r.AllHandlers()...)
		w.nodes(r.AllHandlers(), guard)
	}
	w.nodes(list, guard)
}

// endless reports an include of its own file that nothing can end.
func (w *walker) endless(t *playbook.Task, path string, guard bool) bool {
	if guard || t.Loop.Set || filepath.Clean(path) != filepath.Clean(t.File) {
		return false
	}
	w.fail(false, ruleInclude, t.ActionPos, "the include never ends: %s includes itself", path).
		hint("give it a when: that becomes false")
	return true
}

// again reports whether an include was followed before.
func (w *walker) again(v visit) bool {
	was := w.visited[v]
	w.visited[v] = true
	return was
}

func rolePath(r *playbook.Role) string {
	if r == nil {
		return ""
	}
	return r.Path
}

func (w *walker) includeRole(t *playbook.Task, guard bool) {
	if t.Apply != nil {
		w.keywords(t.Apply, t.File, guard)
	}
	use, known := t.RoleUse()
	if !known {
		w.open, w.openTags, w.names.open = true, true, true
		return
	}
	if w.again(visit{path: use.Name + "\x00" + use.TasksFrom + "\x00" + use.VarsFrom + "\x00" + use.HandlersFrom, role: rolePath(t.Role)}) {
		return
	}
	role, warnings, err := w.Loader.LoadRole(use, w.play, parent(t))
	w.take(guard, warnings, err)
	if err != nil || role == nil {
		w.open = true
		return
	}
	if guard {
		for _, dir := range []string{"tasks", "handlers"} {
			files, _ := filepath.Glob(filepath.Join(role.Path, dir, "*"))
			for _, f := range files {
				w.guards[f] = true
			}
		}
	}
	w.role(role)
	handlers := role.AllHandlers()
	w.handlers = append(w.handlers, handlers...)
	w.nodes(handlers, true)
	w.included(role.Blocks(), false, guard)
}

// bare is an error without the place that it carries.
func bare(err error) error {
	for _, e := range asList(err) {
		return e.Err
	}
	return err
}

func hintOf(err error) string {
	for _, e := range asList(err) {
		return e.Hint
	}
	return ""
}
