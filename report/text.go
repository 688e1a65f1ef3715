package report

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
)

// Text prints what Ansible's default callback prints.
type Text struct {
	display
	last int // the task whose banner stands last
	free bool
	// skips counts the lines that tell of skipping since that banner.
	skips int
}

// NewText makes a Text.
func NewText(opts Options) *Text { return &Text{display: display{opts: opts}} }

// Close gives the first error of writing.
func (t *Text) Close() error { return t.err }

// Emit prints an event.
func (t *Text) Emit(_ context.Context, e run.Event) {
	switch e := e.(type) {
	case run.PlaybookStarted:
		t.playbook(e)
	case run.PlayStarted:
		t.play(e)
	case run.TaskStarted:
		t.task(e)
	case run.ItemFinished:
		t.item(&e.Outcome)
	case run.HostFinished:
		t.host(&e)
	case run.Retrying:
		t.retry(&e)
	case run.Stepped:
		t.banner(e.Question)
	case run.Said:
		t.line(e.Text, "")
	case run.RetryFile:
		t.line("\tto retry, use: --limit @"+e.Path+"\n", "")
	case run.JobPolled:
		t.line("ASYNC POLL on "+e.Host+": jid="+e.ID+" started=1 finished=0", darkGray)
	case run.JobEnded:
		t.jobEnded(e)
	case run.Included:
		t.included(e)
	case run.NoHosts:
		t.line("skipping: no hosts matched", cyan)
	case run.NoMoreHosts:
		t.fold()
		t.banner("NO MORE HOSTS LEFT")
	case run.Notified:
		if t.opts.Verbosity > 1 {
			t.line("NOTIFIED HANDLER "+e.Handler+" for "+e.Host, blue)
		}
	case run.MetaDone:
		if t.opts.Verbosity > 1 {
			t.line("META: "+e.Text, blue)
		}
	case run.StatsFinished:
		t.fold()
		t.stats(e)
	default:
		t.notice(e)
	}
}

// notice prints what every text form prints alike: warnings and errors of the run.
func (d *display) notice(e run.Event) {
	switch e := e.(type) {
	case run.Warning:
		d.warn(e.Text)
	case run.StillWaiting:
		d.write(d.opts.Err, d.paint(waiting(e), darkGray)+"\n")
	case run.Deprecated:
		d.once("[DEPRECATION WARNING]: "+e.Text, purple)
	case run.Problem:
		d.write(d.opts.Err, d.paint("ERROR! "+e.Err.Error(), red)+"\n")
	}
}

// maxWaiting is how many hosts a line names that a run waits for.
const maxWaiting = 5

func waiting(e run.StillWaiting) string {
	hosts := strings.Join(e.Hosts[:min(len(e.Hosts), maxWaiting)], ", ")
	if more := len(e.Hosts) - maxWaiting; more > 0 {
		hosts += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("still waiting for %s (%d s): %s", hosts, int(e.For.Seconds()), e.Task.Name)
}

func (t *Text) playbook(e run.PlaybookStarted) {
	if t.opts.Verbosity > 1 {
		t.banner("PLAYBOOK: " + filepath.Base(e.Path))
		t.line(fmt.Sprintf("%d plays in %s", e.Plays, e.Path), blue)
	}
}

func (t *Text) marker(check bool) string {
	if check && t.opts.CheckMarkers {
		return " [CHECK MODE]"
	}
	return ""
}

func (t *Text) play(e run.PlayStarted) {
	t.fold()
	t.free, t.last = e.Free, 0
	name := strings.TrimSpace(e.Name)
	if name == "" {
		t.banner("PLAY" + t.marker(e.Check))
		return
	}
	t.banner("PLAY [" + name + "]" + t.marker(e.Check))
}

func (t *Text) task(e run.TaskStarted) {
	if t.free || t.opts.HideOK || t.opts.HideSkipped {
		return
	}
	t.head(e.Task)
}

// head prints a task's banner unless it stands there already.
func (t *Text) head(task *run.TaskInfo) {
	if task == nil || t.last == task.ID {
		return
	}
	t.fold()
	prefix := "TASK"
	if task.Handler {
		prefix = "RUNNING HANDLER"
	}
	t.banner(prefix + " [" + strings.TrimSpace(task.Name) + "]" + t.marker(task.Check))
	if t.opts.Verbosity >= 2 && task.Path != "" {
		t.line("task path: "+task.Path, darkGray)
	}
	t.last = task.ID
}

// label names a host, and who worked for it.
func label(o *run.Outcome) string {
	if o.Delegated == "" || o.Delegated == o.Host {
		return o.Host
	}
	l := o.Host + " -> " + o.Delegated
	if o.Address != "" && o.Address != o.Delegated {
		l += "(" + o.Address + ")"
	}
	return l
}

// itemLabel is None for an item that no_log hides, as in Ansible.
func itemLabel(o *run.Outcome) string { return text(o.Item) }

// tail is the result after a status line, where it is to be seen.
func (d *display) tail(o *run.Outcome) string {
	if !o.Verbose && d.opts.Verbosity == 0 {
		return ""
	}
	return " => " + d.dump(o)
}

func (d *display) dump(o *run.Outcome) string {
	if d.opts.YAML && !o.Censored {
		return yamlDump(shown(o, d.opts.Verbosity))
	}
	if d.opts.PlainYAML {
		return plainYAML(shown(o, d.opts.Verbosity))
	}
	indent := 0
	if o.Verbose || d.opts.Verbosity > 2 {
		indent = 4
	}
	return JSON(shown(o, d.opts.Verbosity), indent)
}

// warnings prints those of a result and takes them out of it.
func (d *display) warnings(o *run.Outcome) {
	o.Result = copied(o.Result)
	if d.opts.NoWarnings {
		return
	}
	if l, ok := first(o.Result, "warnings").(*value.List); ok && l.Len() > 0 {
		for _, w := range l.Items {
			d.warn(text(w))
		}
		o.Result.Delete("warnings")
	}
	if l, ok := first(o.Result, "deprecations").(*value.List); ok && l.Len() > 0 {
		for _, w := range l.Items {
			if dict, ok := w.(*value.Dict); ok {
				d.once("[DEPRECATION WARNING]: "+dict.Str("msg"), purple)
			}
		}
		o.Result.Delete("deprecations")
	}
}

func first(d *value.Dict, key string) any {
	v, _ := d.Get(key)
	return v
}

func (t *Text) item(o *run.Outcome) {
	if o.Task.Include && (o.Status == run.StatusOK || o.Status == run.StatusChanged) {
		return
	}
	switch o.Status {
	case run.StatusSkipped:
		if t.opts.HideSkipped {
			return
		}
		t.head(o.Task)
		t.skip("skipping: [" + o.Host + "] => (item=" + itemLabel(o) + ") " + t.tail(o))
	case run.StatusFailed, run.StatusUnreachable:
		t.head(o.Task)
		t.warnings(o)
		t.failure("failed: ["+label(o)+"] (item="+itemLabel(o)+") => "+t.dump(o), red)
	default:
		if o.Status == run.StatusOK && t.opts.HideOK {
			return
		}
		t.head(o.Task)
		t.diff(o)
		t.line(string(o.Status)+": ["+label(o)+"] => (item="+itemLabel(o)+")"+t.tail(o), statusColor(o.Status))
	}
}

func (t *Text) diff(o *run.Outcome) {
	if o.Status != run.StatusChanged || len(o.Diffs) == 0 {
		return
	}
	if s := t.diffText(o.Diffs); s != "" {
		t.head(o.Task)
		t.line(s, "")
	}
}

func statusColor(s run.Status) string {
	switch s {
	case run.StatusChanged:
		return yellow
	case run.StatusSkipped:
		return cyan
	case run.StatusFailed:
		return red
	case run.StatusUnreachable:
		return brightRed
	default:
		return green
	}
}

func (t *Text) host(e *run.HostFinished) {
	o := &e.Outcome
	if o.Resumed {
		t.resumed(o)
		return
	}
	switch o.Status {
	case run.StatusFailed:
		t.failed(e)
	case run.StatusUnreachable:
		t.head(o.Task)
		t.failure("fatal: ["+label(o)+"]: UNREACHABLE! => "+t.dump(o), brightRed)
		if o.Ignored {
			t.line("...ignoring", cyan)
		}
	case run.StatusSkipped:
		t.skipped(e)
	default:
		t.fine(e)
	}
}

// resumed tells of a task that the run before this one did.
func (t *Text) resumed(o *run.Outcome) {
	if t.opts.HideSkipped {
		return
	}
	t.head(o.Task)
	t.line("done before: ["+label(o)+"]", cyan)
}

func (t *Text) failed(e *run.HostFinished) {
	o := &e.Outcome
	t.head(o.Task)
	t.warnings(o)
	if !e.Items {
		if t.opts.Verbosity < 2 && t.opts.PathOnFailure && o.Task.Path != "" {
			t.line("task path: "+o.Task.Path, darkGray)
		}
		t.failure("fatal: ["+label(o)+"]: FAILED! => "+t.dump(o), red)
	}
	if o.Ignored {
		t.line("...ignoring", cyan)
	}
}

func (t *Text) skipped(e *run.HostFinished) {
	if t.opts.HideSkipped {
		return
	}
	o := &e.Outcome
	t.head(o.Task)
	if e.Items || o.Task.Loop {
		o.Result = copied(o.Result)
		o.Result.Delete("results")
	}
	t.skip("skipping: [" + o.Host + "]" + t.tail(o))
}

// skip prints a line that tells of skipping, or only counts it.
func (t *Text) skip(line string) {
	t.skips++
	if t.opts.FoldSkipped == 0 || t.skips <= t.opts.FoldSkipped {
		t.line(line, cyan)
	}
}

// fold prints how many lines were only counted.
func (t *Text) fold() {
	if more := t.skips - t.opts.FoldSkipped; t.opts.FoldSkipped > 0 && more > 0 {
		t.line(fmt.Sprintf("skipping: %d more", more), cyan)
	}
	t.skips = 0
}

func (t *Text) fine(e *run.HostFinished) {
	o := &e.Outcome
	if o.Task.Include {
		t.head(o.Task)
		return
	}
	if !e.Items {
		t.diff(o)
	}
	if o.Status == run.StatusOK && t.opts.HideOK {
		return
	}
	t.head(o.Task)
	t.warnings(o)
	if e.Items {
		return
	}
	t.line(string(o.Status)+": ["+label(o)+"]"+t.tail(o), statusColor(o.Status))
}

func (t *Text) retry(e *run.Retrying) {
	s := fmt.Sprintf("FAILED - RETRYING: [%s]: %s (%d retries left).", label(&e.Outcome), e.Task.Own, e.Left)
	if t.opts.Verbosity > 2 {
		s += "Result was: " + t.dump(&e.Outcome)
	}
	t.line(s, darkGray)
}

func (t *Text) jobEnded(e run.JobEnded) {
	word := "OK"
	if e.Failed {
		word = "FAILED"
	}
	t.line("ASYNC "+word+" on "+e.Host+": jid="+e.ID, darkGray)
}

func (t *Text) included(e run.Included) {
	s := "included: " + e.File + " for " + strings.Join(e.Hosts, ", ")
	if e.HasItem {
		s += " => (item=" + text(e.Item) + ")"
	}
	t.line(s, cyan)
}
