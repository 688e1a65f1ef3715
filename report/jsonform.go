package report

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
)

// JSONForm prints one JSON document at the end, as the callback ansible.posix.json does. It keeps every result until then.
type JSONForm struct {
	display
	indent int
	now    func() time.Time
	plays  *value.List
	tasks  map[int]*value.Dict
	free   bool
	mine   map[string]*value.Dict // under free: a host's own entry of a task
}

// NewJSONForm makes a JSONForm; an indent of 0 is one line.
func NewJSONForm(opts Options, indent int) *JSONForm {
	return &JSONForm{
		display: display{opts: opts}, indent: max(0, indent), now: time.Now, plays: value.NewList(),
		tasks: map[int]*value.Dict{}, mine: map[string]*value.Dict{},
	}
}

// Close gives the first error of writing.
func (j *JSONForm) Close() error { return j.err }

// Emit notes an event; the end of a playbook prints all.
func (j *JSONForm) Emit(_ context.Context, e run.Event) {
	switch e := e.(type) {
	case run.PlayStarted:
		j.free = e.Free
		id := strconv.Itoa(j.plays.Len() + 1)
		j.plays.Items = append(j.plays.Items, value.NewDict("play", value.NewDict("name", e.Name, "id", "play-"+id, "path", e.Path, "duration", j.begun()),
			"tasks", value.NewList()))
	case run.TaskStarted:
		if !j.free {
			j.tasks[e.Task.ID] = j.task(e.Task)
		}
	case run.HostStarted:
		if j.free {
			j.mine[key(e.Host, e.Task)] = j.task(e.Task)
		}
	case run.HostFinished:
		j.result(&e.Outcome)
	case run.StatsFinished:
		j.stats(e)
	default:
		j.notice(e)
	}
}

func key(host string, t *run.TaskInfo) string { return host + "\x00" + strconv.Itoa(t.ID) }

func (j *JSONForm) stamp() string { return j.now().UTC().Format("2006-01-02T15:04:05.000000") + "Z" }

func (j *JSONForm) begun() *value.Dict { return value.NewDict("start", j.stamp()) }

func (j *JSONForm) task(t *run.TaskInfo) *value.Dict {
	d := value.NewDict("task", value.NewDict("name", t.Name, "id", "task-"+strconv.Itoa(t.ID), "path", t.Path, "duration", j.begun()),
		"hosts", value.NewDict())
	if n := j.plays.Len(); n > 0 {
		tasks, _ := j.plays.Items[n-1].(*value.Dict).Get("tasks")
		list := tasks.(*value.List)
		list.Items = append(list.Items, d)
	}
	return d
}

func (j *JSONForm) result(o *run.Outcome) {
	entry := j.mine[key(o.Host, o.Task)]
	if entry == nil {
		entry = j.tasks[o.Task.ID]
	}
	if entry == nil {
		entry = j.task(o.Task)
		j.tasks[o.Task.ID] = entry
	}
	d := copied(o.Result)
	for _, name := range []string{"hostler", "failed", "skipped"} {
		d.Delete(name)
	}
	switch o.Status {
	case run.StatusFailed, run.StatusSkipped:
		d.Set(string(o.Status), true)
	}
	d.Set("action", o.Task.Action)
	hosts := first(entry, "hosts").(*value.Dict)
	hosts.Set(o.Host, d)
	first(first(entry, "task").(*value.Dict), "duration").(*value.Dict).Set("end", j.stamp())
	if n := j.plays.Len(); n > 0 {
		play := first(j.plays.Items[n-1].(*value.Dict), "play").(*value.Dict)
		first(play, "duration").(*value.Dict).Set("end", j.stamp())
	}
}

func (j *JSONForm) stats(e run.StatsFinished) {
	stats := value.NewDict()
	for _, h := range e.Hosts {
		stats.Set(h.Host, value.NewDict("ok", h.OK, "failures", h.Failed, "unreachable", h.Unreachable, "changed", h.Changed,
			"skipped", h.Skipped, "rescued", h.Rescued, "ignored", h.Ignored))
	}
	custom, global := value.NewDict(), any(value.NewDict())
	if e.Custom.Len() > 0 && j.opts.ShowCustomStats {
		custom = copied(e.Custom)
		if all, ok := custom.Get("_run"); ok {
			global = all
			custom.Delete("_run")
		}
	}
	doc := value.NewDict("plays", j.plays, "stats", stats, "custom_stats", custom, "global_custom_stats", global)
	if err := WriteJSON(j.opts.Out, doc, j.indent); err != nil && j.err == nil {
		j.err = fmt.Errorf("write the report: %w", err)
	}
	j.write(j.opts.Out, "\n")
}
