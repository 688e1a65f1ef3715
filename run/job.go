package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// job is one task on one host: what one goroutine does.
type job struct {
	b *batch
	w *work
	h *hostState
}

// outcome is what a job came to.
type outcome struct {
	h        *hostState
	w        *work
	res      *result
	stranded bool // it failed, and nothing mends that before any_errors_fatal is asked
	// items are a loop's results, nil without a loop.
	items    []*result
	looped   bool
	ran      bool // it went through work1: it is a task, done by this run or one before it
	again    bool // the journal has it, but it had to run again
	start    time.Time
	duration time.Duration
}

// run does the task, with all items of its loop.
func (j *job) run(ctx context.Context) *outcome {
	o := &outcome{h: j.h, w: j.w, start: time.Now()}
	s := j.b.scope(ctx, j.w, j.h.hostVars)
	items, err := j.loopItems(ctx, s)
	if items == nil {
		o.res = j.single(ctx, s, err)
	} else {
		o.looped = true
		j.loop(ctx, s, items, o)
	}
	o.duration = time.Since(o.start)
	return o
}

// single does the task once. loopErr is why its loop could not be read; it counts only when the conditions hold.
func (j *job) single(ctx context.Context, s *vars.Scope, loopErr error) *result {
	start := time.Now()
	r := j.conditional(ctx, s, loopErr)
	for next, scope, again := j.debug(ctx, s, r); again; next, scope, again = next.debug(ctx, scope, r) {
		r = next.conditional(ctx, scope, loopErr)
	}
	r.start, r.duration = start, time.Since(start)
	r.finish()
	return r
}

func (j *job) conditional(ctx context.Context, s *vars.Scope, loopErr error) *result {
	holds, err := all(ctx, s, j.w.task.When)
	if loopErr != nil && (err != nil || holds) {
		return j.broken(ctx, s, loopErr)
	}
	if err != nil {
		return j.broken(ctx, s, err)
	}
	if !holds {
		return j.masked(ctx, s, &result{
			skipped: true,
			data:    value.NewDict("changed", false, "skipped", true, "skip_reason", "Conditional result was False"),
		})
	}
	if j.w.info.Include {
		return j.include(ctx, s)
	}
	j, err = j.named(ctx, s)
	if err != nil {
		return j.broken(ctx, s, err)
	}
	k, err := j.keywords(ctx, s)
	if err != nil {
		return j.broken(ctx, s, err)
	}
	return j.attempts(ctx, k.scope, k)
}

// named gives the job with the module that a task's action names on this host when it is a template.
func (j *job) named(ctx context.Context, s *vars.Scope) (*job, error) {
	t := *j.w.task
	if !document.HasTemplate(t.Action) {
		return j, nil
	}
	name, err := s.Text(ctx, &value.Template{Text: t.Action, Pos: t.ActionPos})
	if err != nil {
		return j, err
	}
	t.Action = name
	w, info := *j.w, *j.w.info
	info.Action = name
	w.task, w.info = &t, &info
	if a, ok := action(t.BaseAction()); ok && a.Run != nil {
		w.action = a
		return &job{b: j.b, w: &w, h: j.h}, nil
	}
	if err := j.b.r.o.Loader.Named(&t); err != nil {
		return j, err
	}
	if t.Module != nil {
		return &job{b: j.b, w: &w, h: j.h}, nil
	}
	return j, fmt.Errorf("couldn't resolve module/action '%s'. This often indicates a misspelling, missing collection, or incorrect module path.", name)
}

// all reports whether every condition of a list holds.
func all(ctx context.Context, s *vars.Scope, conditions []playbook.Field) (bool, error) {
	for _, c := range conditions {
		ok, err := s.Condition(ctx, c.Value, c.Pos)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// broken is the result of a task whose own keywords or arguments fail.
func (j *job) broken(ctx context.Context, s *vars.Scope, err error) *result {
	r := failure(message(err))
	r.broken = true
	e := evaluator{s: s}
	r.ignoreErrors = e.truth(ctx, j.w.inherited(func(k *playbook.Keywords) playbook.Field { return k.IgnoreErrors }), false)
	return j.masked(ctx, s, r)
}

// masked hides a result made before the keywords were read, where no_log may ask for it. A no_log that cannot be read hides too.
func (j *job) masked(ctx context.Context, s *vars.Scope, r *result) *result {
	e := evaluator{s: s}
	r.noLog = e.truth(ctx, j.w.inherited(func(k *playbook.Keywords) playbook.Field { return k.NoLog }), j.b.r.o.NoLog) || e.err != nil
	return r
}

// loopItems gives the items of loop or with_X; nil without a loop.
func (j *job) loopItems(ctx context.Context, s *vars.Scope) (*value.List, error) {
	t := j.w.task
	if !t.Loop.Set {
		return nil, nil
	}
	v, err := s.Render(ctx, t.Loop.Value)
	if err != nil && t.LoopWith != "first_found" {
		return nil, atPos(t.Loop.Pos, err)
	}
	if t.LoopWith == "" {
		l, ok := asList(v)
		if !ok {
			return nil, diag.Errorf(t.Loop.Pos, "Invalid data passed to 'loop', it requires a list, got this instead: %s. "+
				"Hint: If you passed a list/dict of just one element, try adding wantlist=True to your lookup invocation "+
				"or use q/query instead of lookup.", shownValue(v))
		}
		return withoutTuples(l).(*value.List), nil
	}
	if err != nil {
		v = j.foundTerms(ctx, s)
	}
	terms, ok := asList(v)
	if !ok {
		terms = value.NewList(v)
	}
	if j.b.r.o.Lookup == nil {
		return nil, diag.Errorf(t.Loop.Pos, "with_%s: no lookups are at hand", t.LoopWith)
	}
	l, err := j.b.r.o.Lookup(ctx, s, baseName(t.LoopWith), terms, subdir(t))
	if err != nil {
		return nil, atPos(t.Loop.Pos, err)
	}
	return withoutTuples(l).(*value.List), nil
}

// withoutTuples makes lists of the tuples in a loop's items (of dictsort, zip, subelements …), as Ansible does. It
// alters nothing.
func withoutTuples(v any) any {
	switch v := v.(type) {
	case value.Tuple:
		return withoutTuples(value.NewList(v...))
	case *value.List:
		out := v
		for i, item := range v.Items {
			plain := withoutTuples(item)
			if _, ok := item.(value.Tuple); !ok && value.Same(plain, item) {
				continue
			}
			if out == v {
				out = value.NewList(slices.Clone(v.Items)...)
			}
			out.Items[i] = plain
		}
		return out
	case *value.Dict:
		out := v
		for k, item := range v.All() {
			plain := withoutTuples(item)
			if _, ok := item.(value.Tuple); !ok && value.Same(plain, item) {
				continue
			}
			if out == v {
				out = v.Copy()
			}
			out.Set(k, plain)
		}
		return out
	}
	return v
}

// foundTerms renders the terms of with_first_found, leaving out those with undefined names, as Ansible does.
func (j *job) foundTerms(ctx context.Context, s *vars.Scope) *value.List {
	l, ok := j.w.task.Loop.Value.(*value.List)
	if !ok {
		return value.NewList()
	}
	out := value.NewList()
	for _, item := range l.Items {
		v, err := s.Render(ctx, item)
		if err == nil {
			out.Append(v)
		}
	}
	return out
}

// subdir is where with_first_found and with_fileglob look for the task.
func subdir(t *playbook.Task) string {
	switch t.BaseAction() {
	case "template":
		return "templates"
	case "include_vars":
		return "vars"
	default:
		return "files"
	}
}

func asList(v any) (*value.List, bool) {
	switch v := v.(type) {
	case *value.List:
		return v, true
	case value.Tuple:
		return value.NewList(v...), true
	}
	return nil, false
}

func shownValue(v any) string {
	if u, ok := v.(*jinja.Undefined); ok {
		return u.Reason
	}
	s, err := value.Str(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return s
}

// loop does the task for every item.
func (j *job) loop(ctx context.Context, s *vars.Scope, items *value.List, o *outcome) {
	c, err := j.loopControl(ctx, s)
	if err != nil {
		o.looped, o.res = false, j.single(ctx, s, err)
		return
	}
	if items.Len() == 0 {
		o.res = &result{
			skipped: true, noItems: true,
			data: value.NewDict("changed", false, "skipped", true, "skipped_reason", "No items in the list", "results", value.NewList()),
		}
		return
	}
	if _, found, _ := s.Lookup(ctx, c.variable); found {
		j.b.r.events.emit(Warning{Text: fmt.Sprintf("%s: The loop variable '%s' is already in use. You should set the `loop_var` "+
			"value in the `loop_control` option for the task to something else to avoid variable collisions and unexpected behavior.",
			j.w.info.Name, c.variable)})
	}
	if c.parallel > 1 && j.w.action == nil && !j.w.info.Include {
		j.parallel(ctx, c, items, o)
		return
	}
	seen := value.NewDict() // what items leave for those after them
	for i, item := range items.Items {
		if i > 0 && c.pause > 0 && !wait(ctx, j.b.r.o.Stop, c.pause) {
			break
		}
		is := j.itemScope(s, c, items, i, seen)
		r := j.single(ctx, is, nil)
		j.itemData(ctx, is, c, r, item, i)
		merge(seen, j.gave(r))
		o.items = append(o.items, r)
		j.tellItem(r)
		if stop, err := j.breaks(ctx, is, r); stop || err != nil || ctx.Err() != nil {
			break
		}
	}
	o.res = summary(o.items)
}

// breaks evaluates break_when.
func (j *job) breaks(ctx context.Context, s *vars.Scope, r *result) (bool, error) {
	f := j.w.task.LoopControl.BreakWhen
	if !f.Set {
		return false, nil
	}
	if j.w.task.Register != "" {
		s = s.With(vars.Layer{Level: vars.Magic, Source: "register", Vars: value.NewDict(j.w.task.Register, r.data)})
	}
	list, ok := f.Value.(*value.List)
	if !ok {
		list = value.NewList(f.Value)
	}
	for _, c := range list.Items {
		if ok, err := s.Condition(ctx, c, f.Pos); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// loopSettings is loop_control rendered.
type loopSettings struct {
	variable, index string
	pause           time.Duration
	extended, all   bool
	parallel        int
}

func (j *job) loopControl(ctx context.Context, s *vars.Scope) (loopSettings, error) {
	lc := &j.w.task.LoopControl
	e := evaluator{s: s}
	c := loopSettings{
		variable: cmpOr(lc.LoopVar, "item"), index: lc.IndexVar,
		pause:    e.seconds(ctx, lc.Pause, 0),
		extended: e.truth(ctx, lc.Extended, false),
		all:      e.truth(ctx, lc.ExtendedAllItems, true),
		parallel: int(e.number(ctx, lc.Parallel, 1)),
	}
	return c, e.err
}

func (j *job) itemScope(s *vars.Scope, c loopSettings, items *value.List, i int, seen *value.Dict) *vars.Scope {
	d := value.NewDict(c.variable, items.Items[i], "ansible_loop_var", c.variable)
	if c.index != "" {
		d.Set(c.index, i)
		d.Set("ansible_index_var", c.index)
	}
	if c.extended {
		d.Set("ansible_loop", extended(c, items, i))
	}
	if seen.Len() == 0 {
		return s.With(vars.Layer{Level: vars.Magic, Source: "loop", Vars: d})
	}
	return s.With(vars.Layer{Level: vars.Magic, Source: "items before", Vars: seen}, vars.Layer{Level: vars.Magic, Source: "loop", Vars: d})
}

func extended(c loopSettings, items *value.List, i int) *value.Dict {
	n := items.Len()
	d := value.NewDict("index", i+1, "index0", i, "first", i == 0, "last", i+1 == n, "length", n, "revindex", n-i, "revindex0", n-i-1)
	if c.all {
		d.Set("allitems", items)
	}
	if i+1 < n {
		d.Set("nextitem", items.Items[i+1])
	}
	if i > 0 {
		d.Set("previtem", items.Items[i-1])
	}
	return d
}

// itemData adds to an item's result what it was the result of.
func (j *job) itemData(ctx context.Context, s *vars.Scope, c loopSettings, r *result, item any, i int) {
	r.data.Set(c.variable, item)
	if r.unreachable || r.timedOut {
		r.data.Delete("changed") // as in Ansible, though it is there without a loop
	}
	r.data.Set("ansible_loop_var", c.variable)
	if c.index != "" {
		r.data.Set(c.index, i)
		r.data.Set("ansible_index_var", c.index)
	}
	if c.extended {
		if v, ok, err := s.Lookup(ctx, "ansible_loop"); ok && err == nil {
			r.data.Set("ansible_loop", v)
		}
	}
	r.label, r.hasItem = item, true
	f := j.w.task.LoopControl.Label
	if !f.Set {
		return
	}
	label, err := s.Render(ctx, f.Value)
	if err != nil {
		r.failed = true
		r.data.Set("failed", true)
		r.data.Set("msg", "Failed to template loop_control.label: "+message(err))
		return
	}
	r.label = label
}

// wait sleeps; false means that the run is being stopped.
func wait(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}
