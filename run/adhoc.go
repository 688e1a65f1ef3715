package run

import (
	"context"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// AdHoc runs one module or action on the hosts of a pattern, without gathering facts. The task needs Action, Module (or
// an action's name) and Args; keywords such as async may be set on it.
func AdHoc(ctx context.Context, pattern string, task *playbook.Task, opts Options) (Result, error) {
	p := &playbook.Play{
		Hosts:       playbook.Field{Value: pattern, Set: true},
		GatherFacts: playbook.Field{Value: false, Set: true},
	}
	p.Name = playbook.Field{Value: "Ansible Ad-Hoc", Set: true}
	task.Play = p
	task.Level.Parent = &p.Keywords
	if task.Args.Values == nil {
		task.Args.Values = value.NewDict()
	}
	p.Tasks = []playbook.Node{task}
	opts.Playbooks = []*playbook.Playbook{{Path: "__adhoc_playbook__", Plays: []*playbook.Play{p}}}
	return Play(ctx, opts)
}
