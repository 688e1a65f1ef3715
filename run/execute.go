package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
	"github.com/hostlerhq/hostler/vault"
)

// attempts does the task, again while until does not hold.
func (j *job) attempts(ctx context.Context, s *vars.Scope, k *settings) *result {
	var r *result
	for attempt := 1; ; attempt++ {
		if k.async > 0 {
			r = j.async(ctx, s, k)
			r.jobFailed = r.failed
		} else {
			r = j.attempt(ctx, s, k)
		}
		j.note(r, k)
		if r.unreachable || r.timedOut { // neither judged nor tried again, as in Ansible
			break
		}
		if len(j.w.task.Until) > 0 {
			r.data.Set("attempts", attempt)
		}
		after := j.judge(ctx, s, r)
		if len(j.w.task.Until) == 0 {
			break
		}
		ok, err := all(ctx, after, j.w.task.Until)
		if err != nil {
			r = failure(message(err))
			j.note(r, k)
			break
		}
		if ok {
			break
		}
		if attempt == k.retries {
			r.data.Set("attempts", k.retries-1)
			r.failed = true
			r.data.Set("failed", true)
			break
		}
		r.data.Set("retries", k.retries)
		j.retrying(r, attempt, k)
		if !wait(ctx, j.b.r.o.Stop, k.delay) {
			break
		}
	}
	return r
}

// note puts the keywords' part into a result.
func (j *job) note(r *result, k *settings) {
	r.noLog = r.noLog || k.noLog
	r.args = k.args
	if j.w.info.Action != j.w.n.task.Action {
		r.info = j.w.info
	}
	r.ignoreErrors, r.ignoreUnreachable = k.ignoreErrors, k.ignoreUnreachable
	if k.delegateTo != "" {
		r.delegated = k.delegateTo
		if k.delegateFacts {
			r.factsHost = k.delegate
		}
	}
	if !k.diff {
		r.diffs = nil
	}
	if !r.skipped {
		r.notify = k.notify
	}
}

func (j *job) retrying(r *result, attempt int, k *settings) {
	o := outcomeEvent(j.h, j.w, r)
	o.Result = cloneDict(o.Result) // the next attempt's judgement must not change what was told
	j.b.r.events.emit(Retrying{Outcome: o, Left: k.retries - attempt})
}

// attempt does the task once.
func (j *job) attempt(ctx context.Context, s *vars.Scope, k *settings) *result {
	if k.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, k.timeout)
		defer cancel()
		r := j.perform(limited, s, k)
		if limited.Err() != nil && ctx.Err() == nil {
			late := failure(fmt.Sprintf("The %s action failed to execute in the expected time frame (%d) and was terminated",
				j.w.task.Action, int(k.timeout.Seconds())))
			late.timedOut = true
			return late
		}
		return r
	}
	return j.perform(ctx, s, k)
}

func (j *job) perform(ctx context.Context, s *vars.Scope, k *settings) *result {
	if j.w.action != nil {
		return j.act(ctx, s, k)
	}
	if j.w.task.Module == nil {
		return failure(fmt.Sprintf("the action %q cannot run here", j.w.task.Action))
	}
	conn, address, err := j.connect(ctx, s, k)
	if err != nil {
		return j.lost(ctx, err)
	}
	defer conn.Close()
	r := j.runModule(ctx, modules.NewHost(j.hostOptions(conn, s, k)), k)
	r.address = address
	return r
}

// hostOptions are what the task's module gets of its host.
func (j *job) hostOptions(conn transport.Conn, s *vars.Scope, k *settings) modules.HostOptions {
	at := ""
	if k.delegate != nil {
		at = k.delegate.name
	}
	return modules.HostOptions{
		Name: j.h.name, At: at, Conn: conn, Check: k.check, Diff: k.diff, Verbose: j.b.r.o.Verbosity, NoLog: k.noLog, Env: k.env,
		Local: j.local(s), Live: j.live(k), Interpreter: k.interpreter,
		Ends: func(ctx context.Context) (modules.Ends, error) { return j.ends(ctx, s, k) }, Peers: j.peers(k),
	}
}

func (j *job) runModule(ctx context.Context, host *modules.Host, k *settings) *result {
	out, err := j.w.task.Module.Run(ctx, host, k.args)
	if err != nil {
		return j.lost(ctx, err)
	}
	r := ofModule(out)
	r.gathered = r.facts != nil && (j.w.task.BaseAction() == "gather_facts" || j.w.task.BaseAction() == "setup")
	return r
}

// live hands the output of a program on while it runs.
func (j *job) live(k *settings) func(bool, []byte) {
	if !j.b.r.o.LiveOutput || k.noLog {
		return nil
	}
	return func(stderr bool, chunk []byte) {
		j.b.r.events.emit(Output{Host: j.h.name, Task: j.w.info, Stderr: stderr, Chunk: append([]byte(nil), chunk...)})
	}
}

func ofModule(out modules.Result) *result {
	r := &result{
		data: out.Data, failed: out.Failed, skipped: out.Skipped, changed: out.Changed,
		noLog: out.NoLog, diffs: out.Diff, facts: out.Facts,
	}
	if r.data == nil {
		r.data = value.NewDict()
	}
	return r
}

// lost is the result of an error that is not the module's.
func (j *job) lost(ctx context.Context, err error) *result {
	if ctx.Err() != nil {
		return failure("interrupted by the user; how far it came is not known")
	}
	if b, ok := errors.AsType[*transport.BecomeError](err); ok {
		return failure(b.Reason + hint(b.Hint()))
	}
	msg := err.Error()
	if u, ok := errors.AsType[*transport.UnreachableError](err); ok {
		msg = "Failed to connect to the host via ssh: " + msg
		msg += hint(u.Hint)
	} else if !errors.Is(err, transport.ErrLost) {
		return failure(msg)
	}
	return &result{unreachable: true, data: value.NewDict("unreachable", true, "msg", msg, "changed", false)}
}

// hint puts what to do behind a message.
func hint(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// act runs an action of the run itself.
func (j *job) act(ctx context.Context, s *vars.Scope, k *settings) *result {
	out, err := j.w.action.Run(ctx, &actions.Task{
		Args: k.args, Scope: s, Host: j.h.name, Name: j.w.info.Name, Pos: j.w.task.Pos, Verbosity: j.b.r.o.Verbosity, Check: k.check, Legacy: j.b.r.o.Engine.Legacy,
		Run: &actionRun{j: j, k: k, s: s},
	})
	if err != nil {
		if ctx.Err() != nil {
			return j.lost(ctx, err)
		}
		return failure(message(err))
	}
	r := &result{
		data: out.Data, failed: out.Failed, skipped: out.Skipped, changed: out.Changed, verbose: out.Verbose, noLog: out.NoLog,
		facts: out.Facts, set: out.Set, cacheable: out.Cacheable, included: out.Included,
		addHost: out.Host, addGroup: out.Group, stats: out.Stats,
	}
	if r.data == nil {
		r.data = value.NewDict()
	}
	if r.failed {
		r.data.Set("failed", true)
	}
	if r.skipped {
		r.data.Set("skipped", true)
	}
	return r
}

// judge applies changed_when and failed_when, and gives the scope in which until is read.
func (j *job) judge(ctx context.Context, s *vars.Scope, r *result) *vars.Scope {
	t := j.w.task
	r.finish()
	if _, ok := r.data.Get("failed"); !ok {
		r.data.Set("failed", r.failed)
	}
	if len(t.ChangedWhen) == 0 && len(t.FailedWhen) == 0 && len(t.Until) == 0 {
		return s
	}
	after := j.after(s, r)
	if r.skipped {
		return after
	}
	if len(t.ChangedWhen) > 0 {
		ok, err := all(ctx, after, t.ChangedWhen)
		if err != nil {
			return j.misjudged(r, "changed", err, after)
		}
		r.changed = ok
		r.data.Set("changed", ok)
	}
	if len(t.FailedWhen) > 0 {
		ok, err := all(ctx, after, t.FailedWhen)
		if err != nil {
			return j.misjudged(r, "failed", err, after)
		}
		r.failed = ok
		r.data.Set("failed", ok)
		r.data.Set("failed_when_result", ok)
	}
	return after
}

func (j *job) misjudged(r *result, what string, err error, s *vars.Scope) *vars.Scope {
	r.failed = true
	r.data.Set("failed", true)
	r.data.Set(what+"_when_result", message(err))
	return s
}

// after sees the task's own result besides everything else.
func (j *job) after(s *vars.Scope, r *result) *vars.Scope {
	return s.With(vars.Layer{Level: vars.Magic, Source: "the task's result", Vars: j.gave(r)})
}

// gave are the variables that a result brings at once, to conditions on it and to the further items of a loop.
func (j *job) gave(r *result) *value.Dict {
	d := value.NewDict()
	for k, v := range r.facts.All() {
		d.Set(k, v)
	}
	merge(d, r.set)
	merge(d, r.included)
	if j.w.task.Register != "" {
		d.Set(j.w.task.Register, r.data)
	}
	return d
}

// notices renders notify.
func (j *job) notices(ctx context.Context, s *vars.Scope) ([]notice, error) {
	var out []notice
	for _, f := range j.w.task.Notify {
		v, err := s.Render(ctx, f.Value)
		if isUndefined(err) {
			err = fmt.Errorf("The field 'notify' has an invalid value, which includes an undefined variable. The error was: %w", err)
		}
		if err != nil {
			return nil, atPos(f.Pos, err)
		}
		list, ok := v.(*value.List)
		if !ok {
			list = value.NewList(v)
		}
		for _, item := range list.Items {
			out = append(out, notice{name: fmt.Sprint(item), pos: f.Pos})
		}
	}
	return out, nil
}

// actionRun is what an action may ask of the run.
type actionRun struct {
	j *job
	k *settings
	s *vars.Scope
}

// LoadVars reads a file of variables.
func (a *actionRun) LoadVars(path string) (d *value.Dict, vaulted bool, err error) {
	raw, err := os.ReadFile(path)
	if err == nil {
		vaulted = vault.IsSealed(raw)
	}
	d, err = a.j.b.r.loadVars(path)
	return d, vaulted, err
}

// Find looks a file up as modules do.
func (a *actionRun) Find(kind, name string) (string, error) { return a.j.local(a.s).Find(kind, name) }

// Prompt asks the user.
func (a *actionRun) Prompt(ctx context.Context, question string, echo bool) (string, error) {
	if a.j.b.r.o.Prompt == nil {
		return "", actions.ErrNobody
	}
	a.j.b.r.events.flush()
	t, err := a.j.b.r.o.Prompt(ctx, question, echo)
	return t.Reveal(), err
}

// Conn lends the connection.
func (a *actionRun) Conn(ctx context.Context) (transport.Conn, bool, error) {
	h, scope := a.j.h.hostVars, a.s
	if a.k.delegate != nil && a.k.delegate.name != h.name {
		h = a.k.delegate
		scope = a.j.b.scope(ctx, a.j.w, h)
	}
	kind, err := (&connector{j: a.j, h: h, s: scope, keys: a.s}).kind(ctx)
	if err != nil {
		return nil, false, err
	}
	conn, _, err := a.j.connect(ctx, a.s, a.k)
	return conn, kind == "local", err
}

// Reconnect proves that the host can be reached anew.
func (a *actionRun) Reconnect(ctx context.Context) error {
	conn, _, err := a.j.connect(ctx, a.s, a.k)
	if err != nil {
		return err
	}
	defer conn.Close()
	if rc, ok := conn.(transport.Reconnecter); ok {
		return rc.Reconnect(ctx)
	}
	_, err = conn.Exec(ctx, transport.Command{Argv: []string{"true"}})
	return err
}

// Sleep waits, or ends early with the run.
func (a *actionRun) Sleep(ctx context.Context, d time.Duration) error {
	if wait(ctx, a.j.b.r.o.Stop, d) {
		return nil
	}
	return context.Canceled
}

// Warn adds a warning to the run's.
func (a *actionRun) Warn(text string) { a.j.b.r.events.emit(Warning{Text: text}) }

// Say tells the user something.
func (a *actionRun) Say(text string) { a.j.b.r.events.emit(Said{Text: text}) }
