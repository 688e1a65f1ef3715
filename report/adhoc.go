package report

import (
	"context"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/run"
)

// AdHoc prints results as the ad-hoc command does: Ansible's minimal callback, or with OneLine its oneline callback.
type AdHoc struct {
	display
	oneLine bool
}

// NewAdHoc makes an AdHoc.
func NewAdHoc(opts Options, oneLine bool) *AdHoc {
	return &AdHoc{display: display{opts: opts}, oneLine: oneLine}
}

// Close gives the first error of writing.
func (a *AdHoc) Close() error { return a.err }

// Emit prints an event.
func (a *AdHoc) Emit(_ context.Context, e run.Event) {
	switch e := e.(type) {
	case run.HostFinished:
		a.line(a.result(&e.Outcome), statusColor(e.Status))
	case run.NoHosts:
		a.line("skipping: no hosts matched", cyan)
	default:
		a.notice(e)
	}
}

// result gives one host's line or lines. Warnings of the result go to stderr as it is made.
func (a *AdHoc) result(o *run.Outcome) string {
	state := map[run.Status]string{run.StatusOK: "SUCCESS", run.StatusChanged: "CHANGED", run.StatusFailed: "FAILED"}[o.Status]
	if a.oneLine {
		return a.one(o, state)
	}
	switch o.Status {
	case run.StatusSkipped:
		return o.Host + " | SKIPPED"
	case run.StatusUnreachable:
		return o.Host + " | UNREACHABLE! => " + JSON(shown(o, a.opts.Verbosity), 4)
	}
	a.warnings(o)
	if s := a.diffText(o.Diffs); s != "" {
		a.line(s, "")
	}
	if noJSON(o.Task.Action) && !o.Censored && !o.Has("ansible_job_id") {
		return a.generic(o, state)
	}
	if o.Status == run.StatusFailed {
		state = "FAILED!"
	}
	return o.Host + " | " + state + " => " + JSON(shown(o, a.opts.Verbosity), 4)
}

func (a *AdHoc) generic(o *run.Outcome, state string) string {
	return fmt.Sprintf("%s | %s | rc=%s >>\n%s%s%s\n", o.Host, state, rc(o),
		o.Result.Str("stdout"), o.Result.Str("stderr"), o.Result.Str("msg"))
}

func rc(o *run.Outcome) string {
	if v, ok := o.Result.Get("rc"); ok {
		return text(v)
	}
	return "-1"
}

func (a *AdHoc) one(o *run.Outcome, state string) string {
	switch {
	case o.Status == run.StatusSkipped:
		return o.Host + " | SKIPPED"
	case o.Status == run.StatusUnreachable:
		return o.Host + " | UNREACHABLE!: " + o.Result.Str("msg")
	case o.Status == run.StatusFailed:
		return o.Host + " | FAILED! => " + flatDump(o, a.opts.Verbosity, "")
	case noJSON(o.Task.Action) && !o.Censored && !o.Has("ansible_job_id"):
		escape := strings.NewReplacer("\n", `\n`, "\r", `\r`)
		s := fmt.Sprintf("%s | %s | rc=%s | (stdout) %s", o.Host, state, rc(o), escape.Replace(o.Result.Str("stdout")))
		if e := o.Result.Str("stderr"); e != "" {
			s += " (stderr) " + escape.Replace(e)
		}
		return s
	default:
		return o.Host + " | " + state + " => " + flatDump(o, a.opts.Verbosity, "")
	}
}
