package run

import (
	"context"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// debugHelp is what the debugger's h says.
const debugHelp = `p EXPRESSION             print task, task.args, task_vars, host, result or any expression of them
task.args['x'] = VALUE   change an argument of the task
task_vars['x'] = VALUE   change a variable of the task
r, redo                  run the task again, with the changes
u, update_task           drop the changes of arguments
c, continue              go on
q, quit                  end the run`

// wantsDebugger reports whether the user is to look at a result: by the keyword, or by the strategy debug.
func (j *job) wantsDebugger(ctx context.Context, s *vars.Scope, r *result) bool {
	e := evaluator{s: s}
	switch e.text(ctx, j.w.inherited(func(k *playbook.Keywords) playbook.Field { return k.Debugger })) {
	case "always":
		return true
	case "never":
		return false
	case "on_failed":
		return r.failed
	case "on_unreachable":
		return r.unreachable
	case "on_skipped":
		return r.skipped
	}
	return j.b.strategy == "debug" && (r.failed && !r.ignoreErrors || r.unreachable)
}

// debug lets the user look at a result. With again the job is to be done once more, as it comes back.
func (j *job) debug(ctx context.Context, s *vars.Scope, r *result) (next *job, scope *vars.Scope, again bool) {
	run := j.b.r
	if !j.wantsDebugger(ctx, s, r) {
		return j, s, false
	}
	run.asking.Lock()
	defer run.asking.Unlock()
	if run.o.Debug == nil {
		run.events.emit(Warning{Text: "the debugger is not started: standard input is no terminal"})
		return j, s, false
	}
	d := &debugger{j: j, s: s, r: r}
	d.say(string(r.status()) + ": [" + j.h.name + "]: " + d.msg())
	for run.goesOn(ctx) {
		run.events.flush()
		line, err := run.o.Debug(ctx, "["+j.h.name+"] TASK: "+j.w.info.Name+" (debug)> ")
		if err != nil {
			line = "quit"
		}
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "":
		case "c", "continue":
			return j, s, false
		case "r", "redo":
			return d.j, d.s, true
		case "u", "update_task":
			w := *d.j.w
			w.task = w.n.task
			d.j = &job{b: j.b, w: &w, h: j.h}
		case "q", "quit":
			d.say("User interrupted execution")
			run.quit()
		case "p", "pprint":
			d.print(ctx, rest)
		case "h", "help", "?":
			d.say(debugHelp)
		default:
			d.assign(ctx, line)
		}
	}
	return j, s, false
}

// debugger is one stay in it.
type debugger struct {
	j *job        // with the arguments as changed
	s *vars.Scope // with the variables as changed
	r *result
}

func (d *debugger) say(text string) { d.j.b.r.events.emit(Said{Text: text}) }

func (d *debugger) msg() string {
	if d.r.noLog {
		return censored
	}
	text, err := value.Str(valueOf(d.r.data, "msg"))
	if err != nil || text == "None" {
		return ""
	}
	return text
}

// eval gives the value of an expression.
func (d *debugger) eval(ctx context.Context, expr string) (any, error) {
	result := d.r.data
	if d.r.noLog {
		result = value.NewDict("censored", censored)
	}
	t := d.j.w.task
	all := allVars{s: d.s, h: d.j.h.hostVars}
	scope := d.s.With(vars.Layer{Level: vars.Magic, Source: "debugger", Vars: value.NewDict(
		"task", value.NewDict("name", d.j.w.info.Name, "action", t.Action, "args", t.Args.Values), "task_vars", &all,
		"host", d.j.h.name, "result", value.NewDict("_result", result))})
	return scope.Render(ctx, &value.Template{Text: "{{ " + expr + " }}", Pos: diag.Pos{}})
}

func (d *debugger) print(ctx context.Context, expr string) {
	v, err := d.eval(ctx, expr)
	if err == nil {
		var text string
		if text, err = value.Repr(v); err == nil {
			d.say(text)
			return
		}
	}
	d.complain(err)
}

// complain says what is wrong with an expression, without its place: it stands alone on its line.
func (d *debugger) complain(err error) {
	text := message(err)
	if strings.HasPrefix(text, ":") {
		_, text, _ = strings.Cut(text, ": ")
	}
	d.say("*** " + text)
}

var assignment = regexp.MustCompile(`^\s*(task\.args|task_vars)\[['"]([^'"]+)['"]\]\s*=\s*(.+)$`)

// assign changes an argument or a variable for the next attempt.
func (d *debugger) assign(ctx context.Context, line string) {
	m := assignment.FindStringSubmatch(line)
	if m == nil {
		d.say("*** not understood; h says what is")
		return
	}
	v, err := d.eval(ctx, m[3])
	if err != nil {
		d.complain(err)
		return
	}
	if m[1] == "task_vars" {
		d.s = d.s.With(vars.Layer{Level: vars.Magic, Source: "debugger", Vars: value.NewDict(m[2], v)})
		return
	}
	w, t := *d.j.w, *d.j.w.task
	t.Args.Values = t.Args.Values.Copy()
	t.Args.Values.Set(m[2], v)
	w.task = &t
	d.j = &job{b: d.j.b, w: &w, h: d.j.h}
}

// quit ends the run as Stop does.
func (r *runner) quit() { r.quitOnce.Do(func() { close(r.quitting) }) }

// goesOn reports whether the run goes on.
func (r *runner) goesOn(ctx context.Context) bool {
	select {
	case <-ctx.Done():
	case <-r.quitting:
	default:
		return true
	}
	return false
}
