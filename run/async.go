package run

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
)

// defaultPoll is Ansible's time between two looks at a job.
const defaultPoll = 15 * time.Second

// noAsync is Ansible's message for a task that cannot be a job.
const noAsync = "async is not supported for this task."

// async does a task with async, once. A program of the user's goes on without us, by itself on the host; any other module works
// from here, so that it ends with the run at the latest.
func (j *job) async(ctx context.Context, s *vars.Scope, k *settings) *result {
	switch {
	case j.w.action != nil || j.w.task.Module == nil:
		return failure(noAsync)
	case k.check:
		return failure("check mode and async cannot be used on same task.")
	}
	id := fmt.Sprintf("j%d.%d", rand.Int64N(1e12), os.Getpid())
	m := j.w.task.Module
	switch {
	case m.Detaches():
		return j.detach(ctx, s, k, id)
	case k.poll == 0:
		return j.background(ctx, s, k, id)
	}
	limited, cancel := context.WithTimeout(ctx, k.async)
	defer cancel()
	r := j.perform(limited, s, k)
	if limited.Err() != nil && ctx.Err() == nil {
		return lateJob(k, value.NewDict("ansible_job_id", id, "started", 1, "finished", 0))
	}
	if r.unreachable {
		return r
	}
	r.job = id
	addJob(r.data, id, "")
	return r
}

// addJob puts into a job's result what async_status tells of every job.
func addJob(d *value.Dict, id, file string) {
	d.Set("ansible_job_id", id)
	d.Set("started", 1)
	d.Set("finished", 1)
	d.Set("results_file", file)
	for _, key := range []string{"stdout", "stderr"} {
		if _, ok := d.Get(key); !ok {
			d.Set(key, "")
			d.Set(key+"_lines", value.NewList())
		}
	}
}

// begun is the result of a job that was started.
func begun(id, file string) *result {
	return &result{changed: true, data: value.NewDict(
		"started", 1, "finished", 0, "ansible_job_id", id, "results_file", file, "failed", 0)}
}

// lateJob is the result of a job that took longer than it may.
func lateJob(k *settings, state *value.Dict) *result {
	r := failure(fmt.Sprintf("async task did not complete within the requested time - %ds", int(k.async.Seconds())))
	r.data.Set("async_result", state)
	r.job = state.Str("ansible_job_id")
	return r
}

// asyncDir is where jobs' files lie on the host.
func asyncDir(ctx context.Context, s *vars.Scope, k *settings) (string, error) {
	if dir := k.env["ANSIBLE_ASYNC_DIR"]; dir != "" {
		return dir, nil
	}
	v, ok, err := s.Lookup(ctx, "ansible_async_dir")
	if err != nil || !ok || v == nil || v == "" {
		return "~/.ansible_async", err
	}
	return value.Str(v)
}

// detach starts the task's program as a job on the host, and with poll waits for it.
func (j *job) detach(ctx context.Context, s *vars.Scope, k *settings, id string) *result {
	dir, err := asyncDir(ctx, s, k)
	if err != nil {
		return failure(message(err))
	}
	conn, address, err := j.connect(ctx, s, k)
	if err != nil {
		return j.lost(ctx, err)
	}
	defer conn.Close()
	m := j.w.task.Module
	o := j.hostOptions(conn, s, k)
	o.Job = &modules.Job{
		ID: id, Dir: dir, Limit: k.async,
		Call: value.NewDict("module", m.Name, "args", k.args, "executable", j.w.task.Executable != ""),
	}
	out, err := m.Run(ctx, modules.NewHost(o), k.args)
	var r *result
	switch {
	case errors.Is(err, modules.ErrDetached) && k.poll == 0:
		r = begun(id, o.Job.File)
	case errors.Is(err, modules.ErrDetached):
		r = j.poll(ctx, k, conn, dir, id)
	case err != nil:
		r = j.lost(ctx, err)
	default: // it failed before it had a program to run
		r = ofModule(out)
	}
	r.address = address
	return r
}

// poll waits for a job. It looks soon and then less and less often, and tells what it sees every k.poll. While the host cannot be
// reached it goes on trying, for the job does not need us.
func (j *job) poll(ctx context.Context, k *settings, conn transport.Conn, dir, id string) *result {
	start, told, pause := time.Now(), time.Now(), 20*time.Millisecond
	var state modules.JobState
	var err error
	for {
		if !wait(ctx, nil, pause) {
			return j.lost(ctx, ctx.Err())
		}
		pause = min(2*pause, k.poll)
		state, err = modules.LookJob(ctx, conn, dir, id, false)
		if err == nil && (state.Finished || state.Gone || !state.Found) {
			break
		}
		if time.Since(told) >= k.poll {
			told = time.Now()
			j.b.r.events.emit(JobPolled{Host: j.h.name, ID: id})
		}
		if time.Since(start) > k.async+jobGrace { // its own watcher should have ended it
			break
		}
	}
	if err != nil {
		return j.lost(ctx, err)
	}
	if state.Late || !state.Finished && state.Found && !state.Gone {
		d := value.NewDict("ansible_job_id", id, "started", 1, "finished", 0, "results_file", state.File,
			"stdout", "", "stdout_lines", value.NewList(), "stderr", "", "stderr_lines", value.NewList())
		_, _ = modules.LookJob(ctx, conn, dir, id, true)
		return lateJob(k, d)
	}
	r := j.ofJob(ctx, id, state)
	r.job = id
	if _, err := modules.LookJob(ctx, conn, dir, id, true); err != nil {
		j.b.r.events.emit(Warning{Text: fmt.Sprintf("%s: %v", j.h.name, err)})
	}
	return r
}

// jobGrace is how long a job may take to be ended when its time is over.
const jobGrace = 15 * time.Second

// ofJob makes the result of a job that is over.
func (j *job) ofJob(ctx context.Context, id string, state modules.JobState) *result {
	var r *result
	switch {
	case !state.Found:
		r = failure("could not find job")
	case state.Gone:
		r = failure("the job is gone without a result: it was killed, or the host was restarted")
	case state.Late:
		r = failure("Timeout exceeded")
	case state.Ran != nil:
		r = j.replay(ctx, state)
	default: // of Ansible's own
		r = &result{data: state.Data, failed: truthy(state.Data, "failed"), changed: truthy(state.Data, "changed")}
	}
	addJob(r.data, id, state.File)
	return r
}

func truthy(d *value.Dict, key string) bool {
	v, _ := d.Get(key)
	b, ok := asBool(v)
	return ok && b
}

// replay lets the job's module word what its program came to, as it does when it runs itself.
func (j *job) replay(ctx context.Context, state modules.JobState) *result {
	args, _ := valueOf(state.Call, "args").(*value.Dict)
	name := state.Call.Str("module")
	m, ok := j.b.r.o.Modules(name)
	if truthy(state.Call, "executable") {
		m, ok = modules.NewExecutable(name, nil), true
	}
	if !ok || args == nil {
		return failure(fmt.Sprintf("the job is of the module %q, which is not known here", name))
	}
	out, err := m.Run(ctx, modules.NewHost(modules.HostOptions{Name: j.h.name, Ended: state.Ran}), args)
	if err != nil {
		return failure(err.Error())
	}
	return ofModule(out)
}

// Job implements actions.Run.
func (a *actionRun) Job(ctx context.Context, id string) (*actions.Result, string, error) {
	bg := &a.j.b.r.background
	if b := bg.find(a.j.h.name, id); b != nil {
		r := b.state(bg)
		if r == nil {
			return &actions.Result{}, "", nil
		}
		return ofResult(r), "", nil
	}
	state, err := a.look(ctx, id, false)
	switch {
	case err != nil || !state.Found:
		return nil, state.File, err
	case !state.Finished && !state.Gone:
		return &actions.Result{}, state.File, nil
	}
	return ofResult(a.j.ofJob(ctx, id, state)), state.File, nil
}

// EraseJob implements actions.Run.
func (a *actionRun) EraseJob(ctx context.Context, id string) (string, bool, error) {
	bg := &a.j.b.r.background
	if b := bg.find(a.j.h.name, id); b != nil {
		bg.forget(b)
		return "", true, nil
	}
	state, err := a.look(ctx, id, true)
	return state.File, state.Found, err
}

func (a *actionRun) look(ctx context.Context, id string, erase bool) (modules.JobState, error) {
	dir, err := asyncDir(ctx, a.s, a.k)
	if err != nil {
		return modules.JobState{}, err
	}
	conn, _, err := a.j.connect(ctx, a.s, a.k)
	if err != nil {
		return modules.JobState{}, err
	}
	defer conn.Close()
	return modules.LookJob(ctx, conn, dir, id, erase)
}

func ofResult(r *result) *actions.Result {
	return &actions.Result{Data: r.data, Changed: r.changed, Failed: r.failed, Skipped: r.skipped, Facts: r.facts}
}
