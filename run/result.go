package run

import (
	"time"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/run/actions"
)

// result is what one execution of a task came to, or a loop as a whole.
type result struct {
	data *value.Dict // what is registered

	failed, unreachable, skipped, changed bool
	noItems                               bool
	timedOut                              bool // it took longer than the task's timeout
	broken                                bool // it did not come to the module
	resumed                               bool // it is of the run that broke
	rescued                               bool // unreachable, and a rescue takes it over
	ignoreErrors, ignoreUnreachable       bool
	noLog, verbose                        bool

	diffs     []modules.Diff
	facts     *value.Dict // to keep as facts, named as the module did
	factsHost *hostVars   // where, when delegate_facts says elsewhere
	gathered  bool
	set       *value.Dict // set_fact
	cacheable bool
	included  *value.Dict // include_vars
	notify    []notice
	inclusion *inclusion
	addHost   *actions.NewHost
	addGroup  *actions.NewGroup
	stats     *actions.Stats

	args      *value.Dict // that the task was given
	job       string      // the job that was waited for
	jobFailed bool        // before failed_when had its say

	info               *TaskInfo // of a templated action, nil otherwise
	delegated, address string
	label              any
	hasItem            bool
	start              time.Time
	duration           time.Duration
}

// notice is a handler to notify, and where that is written.
type notice struct {
	name string
	pos  diag.Pos
}

// inclusion is what include_tasks or include_role asks for.
type inclusion struct {
	file string // of include_tasks, found
	role *actions.IncludeRole
	vars *value.Dict // the include's own vars and the loop's item, rendered where they are the item's
	err  error
}

func failure(msg string) *result {
	return &result{failed: true, data: value.NewDict("failed", true, "msg", msg)}
}

// finish sets the key that every result of a module or action has.
func (r *result) finish() {
	if r.broken {
		return
	}
	if _, ok := r.data.Get("changed"); !ok {
		r.data.Set("changed", r.changed)
	}
}

// losesHost reports whether the host cannot be worked on any longer.
func (r *result) losesHost() bool { return r.unreachable && !r.ignoreUnreachable && !r.rescued }

func (r *result) status() Status {
	switch {
	case r.unreachable:
		return StatusUnreachable
	case r.failed:
		return StatusFailed
	case r.skipped:
		return StatusSkipped
	case r.changed:
		return StatusChanged
	default:
		return StatusOK
	}
}

// summary makes a loop's result of its items'.
func summary(items []*result) *result {
	list := &value.List{Items: make([]any, len(items))}
	d := value.NewDict("results", list, "skipped", false)
	s := &result{data: d, skipped: true, ignoreErrors: true, ignoreUnreachable: true}
	warnings := value.NewList()
	for i, r := range items {
		list.Items[i] = r.data
		s.skipped = s.skipped && r.skipped
		s.changed = s.changed || r.changed
		if r.failed {
			s.failed = true
			s.ignoreErrors = s.ignoreErrors && r.ignoreErrors
		}
		if r.unreachable {
			s.unreachable = true
			s.ignoreUnreachable = s.ignoreUnreachable && r.ignoreUnreachable
		}
		s.noLog = s.noLog || r.noLog
		s.verbose = s.verbose || r.verbose
		s.diffs = append(s.diffs, r.diffs...)
		s.delegated, s.address = r.delegated, r.address
		if l, ok := valueOf(r.data, "warnings").(*value.List); ok {
			warnings.Append(l.Items...)
			r.data.Delete("warnings")
		}
	}
	d.Set("skipped", s.skipped)
	d.Set("changed", s.changed)
	d.Set("msg", "All items completed")
	if s.failed {
		d.Set("failed", true)
		d.Set("msg", "One or more items failed")
	} else if s.skipped {
		d.Set("msg", "All items skipped")
	}
	if warnings.Len() > 0 {
		d.Set("warnings", warnings)
	}
	return s
}

func valueOf(d *value.Dict, key string) any {
	v, _ := d.Get(key)
	return v
}

// censored is Ansible's text in place of a result that no_log hides.
const censored = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"

// outcomeEvent makes the part of an event that tells a result.
func outcomeEvent(h *hostState, w *work, r *result) Outcome {
	o := Outcome{
		Host: h.name, Delegated: r.delegated, Address: r.address, Task: w.info, Status: r.status(),
		Result: r.data, Diffs: r.diffs, Verbose: r.verbose, Item: r.label, HasItem: r.hasItem,
		Start: r.start, Duration: r.duration,
		Resumed: r.resumed,
		Ignored: r.failed && r.ignoreErrors || r.unreachable && r.ignoreUnreachable,
	}
	if r.info != nil {
		o.Task = r.info
	}
	if !r.noLog {
		return o
	}
	o.Censored, o.Diffs, o.Verbose = true, nil, false
	o.Result = value.NewDict("censored", censored)
	for _, key := range []string{"changed", "attempts", "retries", "failed", "skipped", "unreachable"} {
		if v, ok := r.data.Get(key); ok {
			o.Result.Set(key, v)
		}
	}
	o.Item = nil
	return o
}

func (j *job) tellItem(r *result) {
	if j.w.info.Include && !r.failed && !r.unreachable && !r.skipped {
		return
	}
	if r.altersInventory() && !r.failed {
		return // whether it changed anything shows when the run takes it in
	}
	j.b.tellJob(j.h, r)
	j.b.r.events.emit(itemEvent(j.h, j.w, r))
}

// tellJob tells how the job that a result is of ended.
func (b *batch) tellJob(h *hostState, r *result) {
	if r.job != "" {
		b.r.events.emit(JobEnded{Host: h.name, ID: r.job, Failed: r.jobFailed})
	}
}

func (r *result) altersInventory() bool { return r.addHost != nil || r.addGroup != nil }

func itemEvent(h *hostState, w *work, r *result) ItemFinished {
	o := outcomeEvent(h, w, r)
	o.Result = cloneDict(o.Result) // the loop's summary still changes the item's
	return ItemFinished{o}
}

// registered is what register keeps of a result.
func registered(d *value.Dict) *value.Dict {
	c := cloneDict(d)
	c.Delete("invocation")
	return c
}
