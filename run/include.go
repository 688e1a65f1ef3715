package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/vars"
)

// include finds out, on one host, what include_tasks or include_role is to take in.
func (j *job) include(ctx context.Context, s *vars.Scope) *result {
	t := j.w.task
	e := evaluator{s: s}
	r := &result{
		data:         value.NewDict("changed", false),
		noLog:        e.truth(ctx, j.w.inherited(func(k *playbook.Keywords) playbook.Field { return k.NoLog }), j.b.r.o.NoLog),
		ignoreErrors: e.truth(ctx, j.w.inherited(func(k *playbook.Keywords) playbook.Field { return k.IgnoreErrors }), false),
	}
	args := value.NewDict()
	for k, v := range t.Args.Values.All() {
		if k == "apply" {
			continue // the loader read it
		}
		rendered, err := s.Render(ctx, v)
		if err != nil {
			return j.broken(ctx, s, err)
		}
		if rendered != vars.Omit {
			args.Set(k, rendered)
		}
	}
	inc := &inclusion{vars: j.includeVars(ctx, s)}
	r.inclusion = inc
	if t.BaseAction() == "include_role" {
		role, _, err := modules.Decode[actions.IncludeRole](actions.IncludeRoleSpec(), args)
		if err != nil {
			return j.broken(ctx, s, err)
		}
		inc.role = &role
		r.data.Set("include_args", args)
		return r
	}
	name := args.Str("file")
	r.data.Set("include", name)
	args.Delete("file")
	r.data.Set("include_args", args)
	if name == "" {
		return failure("No include file was specified to the include")
	}
	path, err := j.b.r.o.Loader.FindTasks(name, t)
	if err != nil {
		inc.file, inc.err = name, fmt.Errorf("Could not find or access '%s' on the Ansible Controller: %s", name, message(err))
		return r
	}
	inc.file = path
	return r
}

// includeVars are the variables that the included tasks get: the item of the loop, and the include's own.
func (j *job) includeVars(ctx context.Context, s *vars.Scope) *value.Dict {
	d := value.NewDict()
	if v, ok, err := s.Lookup(ctx, "ansible_loop_var"); ok && err == nil && j.w.task.Loop.Set {
		for _, name := range []any{v, "ansible_loop_var", "ansible_index_var", "ansible_loop"} {
			if text, ok := name.(string); ok {
				if item, ok, err := s.Lookup(ctx, text); ok && err == nil {
					d.Set(text, item)
				}
			}
		}
		if index, ok := valueOf(d, "ansible_index_var").(string); ok {
			if item, ok, err := s.Lookup(ctx, index); ok && err == nil {
				d.Set(index, item)
			}
		}
	}
	merge(d, j.w.task.Vars)
	return d
}

// group is one inclusion for all hosts that ask for the same.
type group struct {
	inc     *inclusion
	w       *work
	hosts   []*hostState
	label   any
	hasItem bool
	data    *value.Dict
	members map[*hostState]bool // hosts as a set
}

// groups are the inclusions of one task in the order of the wishes.
type groups struct {
	list []*group
	// like finds those with the same file or role and variables.
	like map[string][]*group
}

// includes takes in what the hosts' results ask for, hosts with the same wish together, in the order of the wishes.
func (b *batch) includes(ctx context.Context, outcomes []*outcome) {
	gs := groups{like: make(map[string][]*group)}
	for _, o := range b.inOrder(outcomes) {
		results := o.items
		if !o.looped {
			results = []*result{o.res}
		}
		for _, r := range results {
			if r.inclusion == nil || r.failed || r.skipped {
				continue
			}
			gs.add(o, r)
		}
	}
	lists := make(map[*hostState][]node)
	for i, g := range gs.list {
		var nodes []node
		var handlers []*handler
		err := g.inc.err
		if err == nil {
			nodes, handlers, err = b.take(ctx, g)
		}
		if err != nil {
			b.includeFailed(g, err)
			continue
		}
		for n := range nodes {
			nodes[n].order = i<<16 | n
		}
		for _, h := range g.hosts {
			if handlers != nil {
				h.insertHandlers(handlers)
				continue
			}
			lists[h] = append(lists[h], nodes...)
		}
	}
	for h, list := range lists {
		h.insert(list)
	}
}

// inOrder sorts outcomes as the play's hosts stand, for results come in any order.
func (b *batch) inOrder(outcomes []*outcome) []*outcome {
	any := slices.ContainsFunc(outcomes, func(o *outcome) bool { return o.w.info.Include })
	if !any {
		return nil
	}
	place := make(map[*hostState]*outcome, len(outcomes))
	for _, o := range outcomes {
		place[o.h] = o
	}
	var out []*outcome
	for _, h := range b.hosts {
		if o, ok := place[h]; ok {
			out = append(out, o)
		}
	}
	return out
}

// add puts a wish to the others like it. With run_once it is the wish of the one host alone, as in Ansible.
func (gs *groups) add(o *outcome, r *result) {
	key := r.inclusion.key()
	for _, g := range gs.like[key] {
		if !g.members[o.h] {
			g.join(o.h)
			return
		}
	}
	label := r.label
	if r.noLog {
		label = "(censored due to no_log)"
	}
	g := &group{inc: r.inclusion, w: o.w, label: label, hasItem: r.hasItem, data: r.data, members: make(map[*hostState]bool)}
	g.join(o.h)
	gs.list, gs.like[key] = append(gs.list, g), append(gs.like[key], g)
}

func (g *group) join(h *hostState) {
	g.hosts = append(g.hosts, h)
	g.members[h] = true
}

// key is equal for inclusions of the same file or role with the same variables.
func (inc *inclusion) key() string {
	text, err := value.Repr(plain(inc.vars))
	if err != nil {
		text = fmt.Sprintf("%p", inc) // like no other
	}
	if inc.role != nil {
		return fmt.Sprintf("%+v %s", *inc.role, text)
	}
	return inc.file + "\x00" + text
}

// plain makes templates comparable by their text.
func plain(v any) any {
	switch v := v.(type) {
	case *value.Template:
		return "\x00" + v.Text
	case *value.Sealed:
		return "\x01" + v.Text
	case *value.Dict:
		d := value.NewDict()
		for k, item := range v.All() {
			d.Set(k, plain(item))
		}
		return d
	case *value.List:
		l := value.NewList()
		for _, item := range v.Items {
			l.Append(plain(item))
		}
		return l
	}
	return v
}

// take loads what a group asks for. For a handler's include the handlers come instead of nodes.
func (b *batch) take(ctx context.Context, g *group) ([]node, []*handler, error) {
	t := g.w.task
	parent := t.Level.Parent
	if t.Apply != nil {
		parent = t.Apply
	}
	if g.inc.role != nil {
		nodes, err := b.takeRole(ctx, g, parent)
		return nodes, nil, err
	}
	list, warnings, err := b.r.o.Loader.LoadTasks(g.inc.file, b.src, t.Role, parent, t.Handler)
	b.r.warnAll(warnings)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, h := range g.hosts {
		names = append(names, h.name)
		b.r.stat(h.name).OK++
	}
	b.r.events.emit(Included{File: absolute(g.inc.file), Hosts: names, Item: g.label, HasItem: g.hasItem})
	extra := append(slices.Clone(g.w.n.extra), vars.Layer{Level: vars.IncludeParams, Source: "include vars", Vars: g.inc.vars})
	b.imported(ctx, list, extra)
	if !t.Handler {
		return compile(list, b.choice(ctx), extra), nil, nil
	}
	hs := makeHandlers(ctx, b.play.scope(), list)
	for _, h := range hs {
		h.node.extra = extra
	}
	return nil, append([]*handler{}, hs...), nil
}

// imported makes the play know the roles that import_role brought into what was included: their handlers and variables.
func (b *batch) imported(ctx context.Context, list []playbook.Node, extra []vars.Layer) {
	for _, role := range playbook.Imported(list) {
		b.know(ctx, role, useVars(role), extra)
	}
}

// know adds a role that came while the play runs.
func (b *batch) know(ctx context.Context, role *playbook.Role, own *value.Dict, extra []vars.Layer) {
	if role.Public && !slices.ContainsFunc(b.public, func(p publicRole) bool { return p.role == role }) {
		b.play.public = append(b.play.public, publicRole{role, own})
	}
	known := make(map[*playbook.Task]bool, len(b.handlers))
	for _, h := range b.handlers {
		known[h.task] = true
	}
	for _, h := range makeHandlers(ctx, b.play.scope(), role.AllHandlers()) {
		h.node.extra = extra
		h.use = useOf(role, own)
		if !known[h.task] && !b.again(h) {
			b.play.handlers = append(b.play.handlers, h)
		}
	}
}

// useOf tells uses of a role apart as Ansible does when it remembers roles.
func useOf(r *playbook.Role, own *value.Dict) string {
	vars, _ := value.Repr(plain(own)) // what has no text is told apart by the place of its handler alone
	params, _ := value.Repr(plain(r.Params))
	return r.Path + "|" + params + "|" + vars
}

// again reports whether a handler came before with another use of its role that is the same: as in Ansible it then is one
// handler, which runs once, with what is around the latest use.
func (b *batch) again(h *handler) bool {
	for _, old := range b.handlers {
		if old.use == h.use && old.task.Pos == h.task.Pos {
			old.task, old.node = h.task, h.node
			return true
		}
	}
	return false
}

func (b *batch) takeRole(ctx context.Context, g *group, parent *playbook.Keywords) ([]node, error) {
	a := g.inc.role
	role, warnings, err := b.r.o.Loader.LoadRole(playbook.RoleUse{
		Name: cmpOr(a.Name, a.Role), TasksFrom: a.TasksFrom, VarsFrom: a.VarsFrom, DefaultsFrom: a.DefaultsFrom,
		HandlersFrom: a.HandlersFrom, AllowDuplicates: a.AllowDuplicates, Public: a.Public, SkipSpec: !a.Validate,
		Pos: g.w.task.Pos, Parent: g.w.task.Role,
	}, b.src, parent)
	b.r.warnAll(warnings)
	if err != nil {
		return nil, err
	}
	extra := append(slices.Clone(g.w.n.extra), vars.Layer{Level: vars.RoleParams, Source: "include_role vars", Vars: g.inc.vars})
	b.know(ctx, role, g.inc.vars, extra)
	for _, block := range role.Blocks() {
		b.imported(ctx, block.(*playbook.Block).Body, extra)
	}
	return compile(role.Blocks(), b.choice(ctx), extra), nil
}

// choice is the choice by tags for tasks that come in now.
func (b *batch) choice(ctx context.Context) func(*playbook.Task) bool {
	s := b.play.scope()
	return func(t *playbook.Task) bool {
		ok, err := b.r.wanted(ctx, s, t.Tags)
		if err != nil && b.err == nil {
			b.err = err
		}
		return ok
	}
}

// includeFailed fails the hosts whose inclusion cannot be loaded.
func (b *batch) includeFailed(g *group, err error) {
	for _, h := range g.hosts {
		r := &result{failed: true, data: value.NewDict("failed", true, "reason", err.Error())}
		st := b.r.stat(h.name)
		if g.inc.role == nil || !h.walk.rescuable() { // a role that is missing and rescued counts as nothing in Ansible
			st.Failed++
		}
		b.r.events.emit(HostFinished{Outcome: outcomeEvent(h, g.w, r)})
		h.fail()
		if h.failed() {
			b.lose(h)
		}
	}
}
