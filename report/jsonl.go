package report

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
)

// JSONLines prints one JSON object a line for each event; docs/events.md lists them.
type JSONLines struct {
	w   *bufio.Writer
	now func() time.Time
	err error
}

// NewJSONLines makes a JSONLines.
func NewJSONLines(w io.Writer) *JSONLines {
	return &JSONLines{w: bufio.NewWriter(w), now: time.Now}
}

// Close gives the first error of writing.
func (j *JSONLines) Close() error {
	if err := j.w.Flush(); err != nil && j.err == nil {
		j.err = fmt.Errorf("write events: %w", err)
	}
	return j.err
}

// Emit prints an event and flushes, so that a reader of a pipe is never behind.
func (j *JSONLines) Emit(_ context.Context, e run.Event) {
	d := value.NewDict("event", "", "time", j.now().UTC().Format(time.RFC3339Nano))
	name := fields(d, e)
	if name == "" {
		return
	}
	d.Set("event", name)
	err := WriteJSON(j.w, d, 0)
	if err == nil {
		_, err = j.w.WriteString("\n")
	}
	if err == nil {
		err = j.w.Flush()
	}
	if err != nil && j.err == nil {
		j.err = fmt.Errorf("write events: %w", err)
	}
}

// fields puts an event's fields into d and gives its name.
func fields(d *value.Dict, e run.Event) string {
	switch e := e.(type) {
	case run.PlaybookStarted:
		put(d, "path", e.Path, "plays", e.Plays)
		return "playbook_started"
	case run.PlayStarted:
		put(d, "name", e.Name, "hosts", names(e.Hosts), "free", e.Free, "check", e.Check)
		return "play_started"
	case run.TaskStarted:
		put(d, "hosts", e.Hosts)
		putTask(d, e.Task)
		return "task_started"
	case run.HostStarted:
		put(d, "host", e.Host, "task_id", e.Task.ID)
		return "host_started"
	case run.ItemFinished:
		putOutcome(d, &e.Outcome)
		return "item_finished"
	case run.HostFinished:
		putOutcome(d, &e.Outcome)
		put(d, "rescued", e.Rescued)
		return "host_finished"
	case run.Retrying:
		putOutcome(d, &e.Outcome)
		put(d, "left", e.Left)
		return "retrying"
	case run.Included:
		put(d, "file", e.File, "hosts", names(e.Hosts))
		if e.HasItem {
			put(d, "item", e.Item)
		}
		return "included"
	default:
		return smallFields(d, e)
	}
}

func smallFields(d *value.Dict, e run.Event) string {
	switch e := e.(type) {
	case run.NoHosts:
		return "no_hosts"
	case run.NoMoreHosts:
		return "no_more_hosts"
	case run.Notified:
		put(d, "host", e.Host, "handler", e.Handler)
		return "notified"
	case run.Stepped:
		put(d, "text", e.Question)
		return "stepped"
	case run.Said:
		put(d, "text", e.Text)
		return "said"
	case run.RetryFile:
		put(d, "path", e.Path)
		return "retry_file"
	case run.JobPolled:
		put(d, "host", e.Host, "job", e.ID)
		return "job_polled"
	case run.JobEnded:
		put(d, "host", e.Host, "job", e.ID, "failed", e.Failed)
		return "job_ended"
	case run.MetaDone:
		put(d, "host", e.Host, "text", e.Text, "skipped", e.Skipped)
		return "meta_done"
	case run.Output:
		stream := "stdout"
		if e.Stderr {
			stream = "stderr"
		}
		put(d, "host", e.Host, "task_id", e.Task.ID, "stream", stream, "text", string(e.Chunk))
		return "output"
	case run.StillWaiting:
		put(d, "hosts", names(e.Hosts), "task_id", e.Task.ID, "seconds", e.For.Seconds())
		return "still_waiting"
	case run.Warning:
		put(d, "text", e.Text)
		return "warning"
	case run.Deprecated:
		put(d, "text", e.Text, "version", e.Version)
		return "deprecated"
	case run.Problem:
		put(d, "text", e.Err.Error())
		return "problem"
	case run.StatsFinished:
		putStats(d, e)
		return "stats"
	}
	return ""
}

func put(d *value.Dict, pairs ...any) {
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i], pairs[i+1])
	}
}

func names(hosts []string) *value.List {
	l := &value.List{Items: make([]any, len(hosts))}
	for i, h := range hosts {
		l.Items[i] = h
	}
	return l
}

func putTask(d *value.Dict, t *run.TaskInfo) {
	put(d, "task_id", t.ID, "task", t.Name, "action", t.Action, "path", t.Path, "handler", t.Handler, "check", t.Check)
}

func putOutcome(d *value.Dict, o *run.Outcome) {
	put(d, "host", o.Host, "task_id", o.Task.ID, "task", o.Task.Name, "action", o.Task.Action, "status", string(o.Status))
	if o.Delegated != "" {
		put(d, "delegated_to", o.Delegated)
	}
	if o.HasItem {
		put(d, "item", o.Item)
	}
	if o.Resumed {
		put(d, "resumed", true)
	}
	put(d, "ignored", o.Ignored, "start", o.Start.UTC().Format(time.RFC3339Nano), "seconds", o.Duration.Seconds(), "result", o.Result)
	if len(o.Diffs) > 0 {
		l := value.NewList()
		for _, one := range o.Diffs {
			l.Append(value.NewDict("before", one.Before, "after", one.After, "before_header", one.BeforeHeader,
				"after_header", one.AfterHeader, "prepared", one.Prepared))
		}
		put(d, "diff", l)
	}
}

func putStats(d *value.Dict, e run.StatsFinished) {
	hosts := value.NewDict()
	for _, s := range e.Hosts {
		hosts.Set(s.Host, value.NewDict("ok", s.OK, "changed", s.Changed, "unreachable", s.Unreachable,
			"failed", s.Failed, "skipped", s.Skipped, "rescued", s.Rescued, "ignored", s.Ignored))
	}
	put(d, "hosts", hosts, "check", e.Check)
	if e.Custom.Len() > 0 {
		put(d, "custom", e.Custom)
	}
}
