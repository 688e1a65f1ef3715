package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/run"
)

// again runs the playbooks a second time and fails when that changes anything.
func (o *playOptions) again(ctx context.Context, ss *session) error {
	opts := ss.opts
	opts.Journal = nil
	opts.Step = nil
	sink, err := o.sink(ss.s)
	if err != nil {
		return err
	}
	c := &changes{Sink: sink}
	opts.Sink = c
	result, err := run.Play(ctx, opts)
	if closeErr := c.Close(); closeErr != nil && err == nil {
		return fmt.Errorf("print the results: %w", closeErr)
	}
	if err := ended(result, err); err != nil || len(c.tasks) == 0 {
		return err
	}
	fmt.Fprintln(ss.s.Err, "ERROR! not idempotent: the second run changed something")
	for _, t := range c.tasks {
		slices.Sort(t.hosts)
		fmt.Fprintf(ss.s.Err, "  %s: %s: %s\n", t.info.Path, t.info.Name, strings.Join(t.hosts, ", "))
	}
	return statusError(exitNotIdempotent)
}

// changes is a Sink that notes which tasks changed something.
type changes struct {
	run.Sink
	tasks []changedTask
}

type changedTask struct {
	info  *run.TaskInfo
	hosts []string
}

// Emit implements run.Sink.
func (c *changes) Emit(ctx context.Context, e run.Event) {
	c.Sink.Emit(ctx, e)
	h, ok := e.(run.HostFinished)
	if !ok || h.Status != run.StatusChanged {
		return
	}
	i := slices.IndexFunc(c.tasks, func(t changedTask) bool { return t.info.Path == h.Task.Path && t.info.Name == h.Task.Name })
	if i < 0 {
		c.tasks = append(c.tasks, changedTask{info: h.Task})
		i = len(c.tasks) - 1
	}
	if !slices.Contains(c.tasks[i].hosts, h.Host) {
		c.tasks[i].hosts = append(c.tasks[i].hosts, h.Host)
	}
}
