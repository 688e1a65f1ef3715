package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/run"
)

// Timer tells at the end how long it all took, as the callback ansible.posix.timer does.
type Timer struct {
	display
	now   func() time.Time
	begun time.Time
}

// NewTimer makes a Timer, whose time begins now.
func NewTimer(opts Options) *Timer {
	return &Timer{display: display{opts: opts}, now: time.Now, begun: time.Now()}
}

// Close gives the first error of writing.
func (t *Timer) Close() error { return t.err }

// Emit waits for the end.
func (t *Timer) Emit(_ context.Context, e run.Event) {
	if _, ok := e.(run.StatsFinished); !ok {
		return
	}
	s := int(t.now().Sub(t.begun).Seconds())
	t.line(fmt.Sprintf("Playbook run took %d days, %d hours, %d minutes, %d seconds", s/86400, s%86400/3600, s%3600/60, s%60), "")
}

// ProfileTasks tells at each task's start how long the one before took, and at the end which took longest, as the
// callback ansible.posix.profile_tasks does. A task's time ends where the next begins.
type ProfileTasks struct {
	display
	now         func() time.Time
	begun, last time.Time
	limit       int    // 0 is all
	order       string // "descending", "ascending" or "none"
	tasks       []*taskTime
}

type taskTime struct {
	name, path string
	started    time.Time
	elapsed    time.Duration
}

// NewProfileTasks makes a ProfileTasks that lists so many tasks (0 is all) in an order: descending, ascending or none.
func NewProfileTasks(opts Options, limit int, order string) *ProfileTasks {
	now := time.Now()
	return &ProfileTasks{display: display{opts: opts}, now: time.Now, begun: now, last: now, limit: limit, order: order}
}

// Close gives the first error of writing.
func (p *ProfileTasks) Close() error { return p.err }

// Emit notes the start of tasks; the end of a playbook prints the list.
func (p *ProfileTasks) Emit(_ context.Context, e run.Event) {
	switch e := e.(type) {
	case run.TaskStarted:
		now := p.tick()
		p.tasks = append(p.tasks, &taskTime{name: e.Task.Name, path: e.Task.Path, started: now})
	case run.StatsFinished:
		p.tick()
		p.line(filled("", "="), "")
		p.list()
		p.tasks = nil
	}
}

// tick prints the time and ends the running task.
func (p *ProfileTasks) tick() time.Time {
	now := p.now()
	p.line(filled(fmt.Sprintf("%s (%s)       %s", now.Format("Monday 02 January 2006  15:04:05 -0700"), clock(now.Sub(p.last)), clock(now.Sub(p.begun))), "*"), "")
	p.last = now
	if n := len(p.tasks); n > 0 {
		p.tasks[n-1].elapsed = now.Sub(p.tasks[n-1].started)
	}
	return now
}

func (p *ProfileTasks) list() {
	tasks := slices.Clone(p.tasks)
	switch p.order {
	case "descending":
		slices.SortStableFunc(tasks, func(a, b *taskTime) int { return cmp.Compare(b.elapsed, a.elapsed) })
	case "ascending":
		slices.SortStableFunc(tasks, func(a, b *taskTime) int { return cmp.Compare(a.elapsed, b.elapsed) })
	}
	if p.limit > 0 && len(tasks) > p.limit {
		tasks = tasks[:p.limit]
	}
	for _, t := range tasks {
		took := fmt.Sprintf(" %.2fs", t.elapsed.Seconds())
		took = strings.Repeat("-", max(0, 9-len(took))) + took
		p.line(padded(t.name+" ", p.columns()-9)+took, "")
		if p.opts.Verbosity >= 2 {
			p.line(padded(t.path+" ", p.columns()), "")
		}
	}
}

func padded(s string, width int) string {
	return s + strings.Repeat("-", max(0, width-len([]rune(s))))
}

// filled is a line of 79 columns.
func filled(s, fill string) string {
	if s == "" {
		return strings.Repeat(fill, 79) + " "
	}
	return s + " " + strings.Repeat(fill, max(3, 78-len(s))) + " "
}

func clock(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%d:%02d:%02d.%03d", ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
}
