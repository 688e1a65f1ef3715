package run

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/vars"
)

// work is one task made ready for many hosts. It does not change while hosts use it.
type work struct {
	task   *playbook.Task
	n      *node
	action *actions.Action // nil for a module
	layers []vars.Layer    // the task's own variables and those around it: the same for every host
	chain  []*playbook.Keywords
	public int // how many roles include_role had made public when layers were made

	info         *TaskInfo
	once         bool // one host works for all
	fatal        bool // any_errors_fatal
	ignoreErrors bool
	rescue       bool // rescue_unreachable
	keep         bool // keep_registered
	throttle     int
}

// work gives a task made ready; begin completes it for one pass.
func (b *batch) work(n *node) *work {
	if n.work == nil || n.work.public != len(b.public) {
		n.work = b.play.newWork(n)
	}
	w := *n.work
	return &w
}

func (p *play) newWork(n *node) *work {
	t := n.task
	w := &work{task: t, n: n, public: len(p.public)}
	if t.Module == nil {
		w.action, _ = action(t.BaseAction())
	}
	for k := &t.Keywords; k != nil; k = k.Level.Parent {
		w.chain = append(w.chain, k)
	}
	w.layers = append(w.layers, p.layers...)
	for _, r := range p.roles() {
		w.layers = append(w.layers,
			vars.Layer{Level: vars.RoleDefaults, Source: r.role.Name + " defaults", Vars: r.role.Defaults},
			vars.Layer{Level: vars.RoleVars, Source: "vars of " + r.role.Name + "'s use", Vars: r.vars},
			vars.Layer{Level: vars.RoleVars, Source: r.role.Name + " vars", Vars: r.role.Vars})
	}
	w.layers = append(w.layers, roleLayers(t.Role)...)
	for _, k := range slices.Backward(w.chain) {
		if k == &p.src.Keywords || k.Vars.Len() == 0 {
			continue
		}
		level, source := vars.BlockVars, "block vars"
		if k == &t.Keywords {
			level, source = vars.TaskVars, "task vars"
		}
		w.layers = append(w.layers, vars.Layer{Level: level, Source: source, Vars: k.Vars})
	}
	w.layers = append(w.layers, n.extra...)
	w.layers = append(w.layers, vars.Layer{Level: vars.Extra, Source: "extra vars", Vars: p.r.o.ExtraVars})
	return w
}

// publicRole is a role whose variables the whole play sees, and those that stand at its use.
type publicRole struct {
	role *playbook.Role
	vars *value.Dict
}

// roles are those whose variables the whole play sees.
func (p *play) roles() []publicRole {
	var out []publicRole
	var add func(*playbook.Role, *value.Dict)
	add = func(r *playbook.Role, own *value.Dict) {
		for _, d := range r.Dependencies {
			add(d, d.Tasks.Vars)
		}
		out = append(out, publicRole{r, own})
	}
	for _, r := range p.src.Roles {
		add(r, useVars(r))
	}
	for _, r := range p.public {
		add(r.role, r.vars)
	}
	return out
}

// useVars are the vars at a role's entry, or at its import_role.
func useVars(r *playbook.Role) *value.Dict {
	if r.Included {
		return r.Tasks.Level.Parent.Vars
	}
	return r.Tasks.Vars
}

// roleLayers are the variables that a role's own tasks see, those of the roles that asked for it below.
func roleLayers(r *playbook.Role) []vars.Layer {
	if r == nil {
		return nil
	}
	out := roleLayers(r.Parent)
	for _, d := range r.Dependencies {
		out = append(out,
			vars.Layer{Level: vars.RoleDefaults, Source: d.Name + " defaults", Vars: d.Defaults},
			vars.Layer{Level: vars.RoleVars, Source: d.Name + " vars", Vars: d.Vars})
	}
	return append(out,
		vars.Layer{Level: vars.RoleDefaults, Source: r.Name + " defaults", Vars: r.Defaults},
		vars.Layer{Level: vars.RoleVars, Source: r.Name + " vars", Vars: r.Vars},
		vars.Layer{Level: vars.RoleParams, Source: r.Name + " parameters", Vars: r.Params})
}

// inherited gives the innermost setting of a keyword.
func (w *work) inherited(pick func(*playbook.Keywords) playbook.Field) playbook.Field {
	return w.task.Inherited(pick)
}

// begin renders what is the same for all hosts of a pass with the first host's variables.
func (w *work) begin(ctx context.Context, b *batch, first *hostState) {
	s := b.scope(ctx, w, first.hostVars)
	e := evaluator{s: s}
	w.once = w.action != nil && w.action.Once ||
		e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.RunOnce }), false)
	w.fatal = e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.AnyErrorsFatal }), b.r.o.AnyErrorsFatal)
	w.ignoreErrors = e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.IgnoreErrors }), false)
	w.rescue = e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.RescueUnreachable }), false)
	w.keep = e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.KeepRegistered }), false)
	w.throttle = int(e.number(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.Throttle }), 0))
	check := e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.CheckMode }), b.r.o.Check)
	b.r.tasks++
	w.info = &TaskInfo{
		ID: b.r.tasks, Name: taskName(ctx, s, w.task), Own: ownName(ctx, s, w.task), Action: w.task.Action, Path: taskPath(w.task),
		Handler: w.task.Handler, Check: check, Loop: w.task.Loop.Set, Include: isInclude(w.task),
	}
	secret := evaluator{s: s}
	w.info.NoLog = secret.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.NoLog }), b.r.o.NoLog) || secret.err != nil
	if w.task.Module != nil {
		w.info.FreeForm = w.task.Module.FreeForm()
	}
	if !w.info.NoLog {
		w.info.Args = w.task.Args.Values
	}
}

func taskPath(t *playbook.Task) string {
	return taskPos(t.Pos)
}

// taskPos is a place as events tell it: the file's full name and the line.
func taskPos(pos diag.Pos) string {
	if pos.IsZero() {
		return ""
	}
	pos.Col, pos.File = 0, absolute(pos.File)
	return pos.String()
}

// absolute names a file as Ansible's texts do.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); path != "" && err == nil {
		return abs
	}
	return path
}

func isInclude(t *playbook.Task) bool {
	base := t.BaseAction()
	return base == "include_tasks" || base == "include_role"
}

// limit is how many hosts may do the task at once.
func (w *work) limit(forks int) int {
	if w.throttle > 0 {
		return min(w.throttle, forks)
	}
	return forks
}

// scope sees what a task sees on a host.
func (b *batch) scope(ctx context.Context, w *work, h *hostVars) *vars.Scope {
	layers := append(h.layers(b.r), w.layers...)
	if len(b.lateFiles) > 0 {
		layers = append(layers, b.filesOf(ctx, h)...)
	}
	m := &magic{r: b.r, p: b.play, b: b, h: h, task: w.task}
	layers = append(layers, vars.Layer{Level: vars.CommandLine, Source: "connection", Lookup: m.connection},
		vars.Layer{Level: vars.Magic, Source: "magic", Lookup: m.lookup})
	m.scope = b.r.o.Engine.Scope(layers...)
	return m.scope
}
