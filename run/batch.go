package run

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// batch is the hosts of a play that go through it together. All of it belongs to the coordinating goroutine, but
// for what says otherwise.
type batch struct {
	*play
	names []string
	hosts []*hostState
	by    map[string]*hostState

	results  chan *outcome
	look     *lookout
	flushing bool // the lockstep is in the handlers
	broke    bool // the play ends for all: any_errors_fatal, max_fail_percentage
	err      error
}

// runBatch runs the play on some hosts and reports whether a failure rule ended the play.
func (p *play) runBatch(ctx context.Context, hosts []*inventory.Host) (bool, error) {
	b := &batch{
		play: p, by: make(map[string]*hostState, len(hosts)),
		results: make(chan *outcome, p.r.o.Forks), look: newLookout(p.r.o.TellWaiting),
	}
	defer b.look.stop()
	start := p.startPlace(ctx)
	for _, h := range hosts {
		b.names = append(b.names, h.Name)
		s := &hostState{hostVars: p.r.varsOf(h.Name), walk: start.clone(), unreachable: p.r.unreachable[h.Name]}
		if p.r.lost[h.Name] {
			s.walk.done, s.walk.failed, s.lost = true, true, true
			p.remove(h.Name)
		}
		if s.unreachable {
			p.remove(h.Name)
		}
		b.hosts = append(b.hosts, s)
		b.by[h.Name] = s
	}
	p.r.events.emit(PlayStarted{
		Path: taskPos(p.src.Pos),
		Name: p.name, Hosts: b.names, Check: p.r.o.Check, Free: p.ownPace(),
	})
	if p.ownPace() {
		b.free(ctx)
	} else {
		b.linear(ctx)
	}
	b.settle()
	return b.broke, b.err
}

// ownPace reports whether hosts do not go in step.
func (p *play) ownPace() bool { return p.strategy == "free" || p.strategy == "host_pinned" }

// settle carries the hosts that were lost over to the run.
func (b *batch) settle() {
	for _, h := range b.hosts {
		if h.failed() && !h.unreachable {
			b.lose(h)
		}
	}
}

// lose counts a host as failed for the rest of the run.
func (b *batch) lose(h *hostState) {
	h.lost = true
	b.r.lost[h.name] = true
	b.remove(h.name)
}

// remove takes a host out of ansible_play_hosts.
func (p *play) remove(name string) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	p.removed[name] = true
	clear(p.lists)
}

func (p *play) restore(name string) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	delete(p.removed, name)
	clear(p.lists)
}

// startPlace is where hosts begin: after --start-at-task, if that is still to be found.
func (p *play) startPlace(ctx context.Context) *walker {
	w := newWalker(p.nodes)
	if p.r.startAt != "" {
		w = p.seek(ctx, w)
	}
	if p.gatherNode != nil && !w.done {
		w.insert([]node{{task: p.gatherNode}})
	}
	return w
}

// seek goes to the task that --start-at-task names; when it is not in this play, to the end.
func (p *play) seek(ctx context.Context, w *walker) *walker {
	s := p.scope()
	for {
		ahead := w.clone()
		n := ahead.advance()
		if n == nil {
			return ahead
		}
		if n.task != nil {
			name := taskName(ctx, s, n.task)
			bare := rawText(n.task.Name.Value)
			if matches(p.r.startAt, name) || matches(p.r.startAt, bare) {
				p.r.startAt = ""
				return w
			}
		}
		w = ahead
	}
}

// matches compares a name with one that may be a glob, as Python's fnmatch does.
func matches(pattern, name string) bool {
	re, err := regexp.Compile(inventory.GlobRegexp(pattern))
	return pattern == name || err == nil && re.MatchString(name)
}

// gather makes the task that gathers facts, when the play wants it.
func (p *play) gather(ctx context.Context, want func(*playbook.Task) bool) {
	e := evaluator{s: p.scope()}
	explicit := p.src.GatherFacts.Set
	wanted := e.truth(ctx, p.src.GatherFacts, p.r.o.Gathering != "explicit")
	if !wanted || e.err != nil {
		return
	}
	mod, ok := p.r.o.Modules("setup")
	if !ok {
		return
	}
	t := &playbook.Task{Action: "gather_facts", Module: mod, Play: p.src, File: p.src.Pos.File, Pos: p.src.Pos}
	t.Name = playbook.Field{Value: "Gathering Facts", Set: true}
	t.Level.Parent = &p.src.Keywords
	t.When = p.src.When
	t.Tags = p.src.Tags
	if len(t.Tags) == 0 {
		t.Tags = []string{"always"}
	}
	if !want(t) {
		return
	}
	t.Args.Values = cloneDict(nil)
	for name, f := range map[string]playbook.Field{
		"gather_subset": p.src.GatherSubset, "gather_timeout": p.src.GatherTimeout, "fact_path": p.src.FactPath,
	} {
		if f.Set {
			t.Args.Values.Set(name, f.Value)
		} else if v := p.r.o.gatherDefault(name); v != nil {
			t.Args.Values.Set(name, v)
		}
	}
	p.smart = !explicit && p.r.o.Gathering == "smart"
	p.gatherNode = t
}

// gatherDefault gives what settings say of an argument of gather_facts, or nil.
func (o *Options) gatherDefault(name string) any {
	switch {
	case name == "gather_subset" && len(o.GatherSubset) > 0:
		return texts(o.GatherSubset)
	case name == "gather_timeout" && o.GatherTimeout > 0:
		return o.GatherTimeout
	case name == "fact_path" && o.FactPath != "":
		return o.FactPath
	}
	return nil
}

// makeHandlers names the play's handlers.
func makeHandlers(ctx context.Context, s *vars.Scope, nodes []playbook.Node) []*handler {
	var out []*handler
	for _, n := range nodes {
		switch n := n.(type) {
		case *playbook.Block:
			out = append(out, makeHandlers(ctx, s, n.Body)...)
		case *playbook.Task:
			h := &handler{task: n, name: rawText(n.Name.Value)}
			if name, err := s.Text(ctx, n.Name.Value); err == nil {
				h.name = name
			}
			h.full, h.short = h.name, h.name
			if n.Role != nil {
				h.use = useOf(n.Role, useVars(n.Role))
				h.full, h.short = n.Role.Name+" : "+h.name, shortName(n.Role)+" : "+h.name
			}
			h.node = node{task: n}
			out = append(out, h)
		}
	}
	return out
}

// notify marks the handlers of a name or topic on a host. All that listen are marked.
func (b *batch) notify(h *hostState, name string, pos diag.Pos) {
	found := false
	if c := b.named(name); c != nil {
		found = true
		b.notifyOne(h, c)
	}
	for _, c := range b.handlers {
		if slices.Contains(c.task.Listen, name) {
			found = true
			b.notifyOne(h, c)
		}
	}
	if found {
		return
	}
	text := "The requested handler '" + name + "' was not found in either the main handlers list nor in the listening handlers list"
	if b.r.o.MissingHandlerWarns {
		b.r.warn(text)
		return
	}
	if b.err == nil {
		b.err = diag.Errorf(pos, "%s", text)
	}
}

// named finds the handler that a name means: of the list that came last, the first.
func (b *batch) named(name string) *handler {
	var found *handler
	for _, c := range slices.Backward(b.handlers) {
		if found != nil && c.task.Role != found.task.Role {
			break
		}
		if name == c.name || name == c.full || name == c.short {
			found = c
		}
	}
	return found
}

func (b *batch) notifyOne(h *hostState, c *handler) {
	if h.notify(c) {
		b.r.events.emit(Notified{Host: h.name, Handler: c.full})
	}
}

// taskName is a task's name as shown: its own or its action's, the role's before it.
func taskName(ctx context.Context, s *vars.Scope, t *playbook.Task) string {
	name := givenName(ctx, s, t)
	if t.BaseAction() == "include_role" {
		return cmpOr(name, t.Action+" : "+includedRole(t))
	}
	if name == "" {
		name = t.Action
	}
	if t.Role != nil && !strings.HasPrefix(name, t.Role.Name+" : ") {
		name = t.Role.Name + " : " + name
	}
	return name
}

// givenName is the name that the playbook gives a task, rendered as far as that can be done; "" for none.
func givenName(ctx context.Context, s *vars.Scope, t *playbook.Task) string {
	name := rawText(t.Name.Value)
	if t.Name.Set {
		if text, err := s.Text(ctx, t.Name.Value); err == nil {
			name = text
		}
	}
	return strings.TrimSpace(name)
}

// ownName is what Ansible calls a task that it tries again: its name without the role's.
func ownName(ctx context.Context, s *vars.Scope, t *playbook.Task) string {
	return cmpOr(givenName(ctx, s, t), taskName(ctx, s, t))
}

// includedRole is the role that include_role names, as written, for its title.
func includedRole(t *playbook.Task) string {
	for _, key := range []string{"name", "role"} {
		if v, ok := t.Args.Values.Get(key); ok {
			return rawText(v)
		}
	}
	return ""
}
