package actions

import (
	"context"
	_ "embed"

	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed async_status.go
var asyncStatusSource string

// AsyncStatusMode is what async_status does.
type AsyncStatusMode string

// Choices implements modules.Chooser.
func (AsyncStatusMode) Choices() []string { return []string{"status", "cleanup"} }

// AsyncStatusArgs asks how a job is doing that a task with async and poll 0 started.
//
//	# A job that takes its time.
//	- command: /usr/local/bin/rebuild
//	  async: 3600
//	  poll: 0
//	  register: rebuild
//	- async_status: jid={{ rebuild.ansible_job_id }}
//	  register: job
//	  until: job.finished
//	  retries: 60
//	  delay: 60
type AsyncStatusArgs struct {
	// The job's name: ansible_job_id of the result that started it.
	ID string `arg:"jid" required:"true"`
	// Whether to ask, or to remove the job's file from the host.
	Mode AsyncStatusMode `arg:"mode" default:"status"`
}

var asyncStatus = define("async_status", asyncStatusSource, runAsyncStatus, builtin("async_status"))

func runAsyncStatus(ctx context.Context, t *Task, a AsyncStatusArgs) (Result, error) {
	d := value.NewDict("ansible_job_id", a.ID, "started", 0, "finished", 0,
		"stdout", "", "stderr", "", "stdout_lines", value.NewList(), "stderr_lines", value.NewList())
	if t.Check {
		d.Set("started", 1)
		d.Set("msg", "remote module (ansible.legacy.async_status) does not support check mode")
		return Result{Data: d, Skipped: true}, nil
	}
	if a.Mode == "cleanup" {
		file, found, err := t.Run.EraseJob(ctx, a.ID)
		if err != nil {
			return Result{}, err
		}
		d.Set("erased", file)
		if !found {
			return noJob(d), nil
		}
		return Result{Data: d}, nil
	}
	out, file, err := t.Run.Job(ctx, a.ID)
	d.Set("results_file", file)
	switch {
	case err != nil:
		return Result{}, err
	case out == nil:
		return noJob(d), nil
	case out.Data == nil:
		d.Set("started", 1)
		return Result{Data: d}, nil
	}
	return *out, nil
}

func noJob(d *value.Dict) Result {
	d.Set("started", 1)
	d.Set("finished", 1)
	d.Set("msg", "could not find job")
	return Result{Failed: true, Data: d}
}
