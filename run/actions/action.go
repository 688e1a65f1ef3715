package actions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
)

// ErrNobody says that a question was to be asked and there is nobody to ask.
var ErrNobody = errors.New("nobody can be asked: standard input is no terminal")

// Action is a task that changes the run itself.
type Action struct {
	// Spec is its arguments and manual.
	Spec *modules.Module
	// Once makes one host do it for all.
	Once bool
	// Run does it; nil where the run itself does (meta, include_tasks …).
	Run func(ctx context.Context, t *Task) (Result, error)
}

// define makes an action of its arguments' struct and its function.
func define[A any](name, source string, run func(context.Context, *Task, A) (Result, error), opts ...modules.Option) Action {
	spec := modules.Declare[A](name, source, opts...)
	return Action{Spec: spec, Run: func(ctx context.Context, t *Task) (Result, error) {
		args, warnings, err := modules.Decode[A](spec, t.Args)
		if err != nil {
			return Result{}, err
		}
		for _, w := range warnings {
			t.Run.Warn(w)
		}
		return run(ctx, t, args)
	}}
}

// defineOnce is define for an action that one host does for all.
func defineOnce[A any](name, source string, run func(context.Context, *Task, A) (Result, error), opts ...modules.Option) Action {
	a := define(name, source, run, opts...)
	a.Once = true
	return a
}

// Late gives the arguments that arrive as they are written.
func (a *Action) Late() []string { return a.Spec.Late() }

// Task is one use of an action on one host.
type Task struct {
	Args      *value.Dict // rendered, but for those that the action takes late
	Scope     *vars.Scope
	Host      string
	Name      string // the task's, rendered
	Pos       diag.Pos
	Verbosity int
	Check     bool
	Legacy    bool // vars.Engine.Legacy: expressions give text
	Run       Run
}

// Run is what an action may ask of the run.
type Run interface {
	// LoadVars reads a file of variables and tells whether it was vaulted, Find finds it as modules.Local does.
	LoadVars(path string) (d *value.Dict, vaulted bool, err error)
	Find(kind, name string) (path string, err error)
	// Prompt asks the user and gives what was typed; ErrNobody when there is nobody.
	Prompt(ctx context.Context, question string, echo bool) (string, error)
	// Conn lends the connection that the task works over; local says that it leads nowhere but to this machine.
	Conn(ctx context.Context) (conn transport.Conn, local bool, err error)
	// Reconnect proves over a new connection that the host answers.
	Reconnect(ctx context.Context) error
	// Job asks how a job of the host is doing: nil when there is none, no Data while it runs. EraseJob removes its file and tells
	// whether there was one. Both give the file's path on the host.
	Job(ctx context.Context, id string) (r *Result, file string, err error)
	EraseJob(ctx context.Context, id string) (file string, found bool, err error)
	// Sleep waits; its error says that the run is being stopped.
	Sleep(ctx context.Context, d time.Duration) error
	Warn(text string)
	// Say tells the user something besides results.
	Say(text string)
}

// Result is what an action came to, and what the run is to do for it.
type Result struct {
	Data                     *value.Dict
	Changed, Failed, Skipped bool
	Verbose                  bool        // the result is always shown
	NoLog                    bool        // it is never shown
	Facts                    *value.Dict // to keep as facts
	Set                      *value.Dict
	Cacheable                bool // Set are facts as well
	Included                 *value.Dict
	Host                     *NewHost
	Group                    *NewGroup
	Stats                    *Stats
}

// NewHost is what add_host adds.
type NewHost struct {
	Name   string
	Groups []string
	Vars   *value.Dict
}

// NewGroup is what group_by puts the host in.
type NewGroup struct {
	Name    string
	Parents []string
}

// Stats are what set_stats sets.
type Stats struct {
	Data               *value.Dict
	PerHost, Aggregate bool
}

// List gives the actions in the order of their names.
func List() []*Action {
	return []*Action{
		&addHost, &assert, &asyncStatus, &debug, &fail, &groupBy, &includeRole, &includeVars, &pause, &reboot, &setFact, &setStats, &validateArgumentSpec, &waitForConnection,
	}
}

// Find finds an action by any of its names.
func Find(name string) (*Action, bool) {
	for _, a := range List() {
		if a.Spec.Name == name || slices.Contains(a.Spec.Names, name) {
			return a, true
		}
	}
	return nil, false
}

// Specs finds an action's arguments and manual by name, for playbook.Loader.Actions.
func Specs(name string) (*modules.Module, bool) {
	// The loader itself reads the arguments of includes.
	if a, ok := Find(name); ok && a != &includeRole {
		return a.Spec, true
	}
	return nil, false
}

// All are the actions' arguments and manuals, in the order of their names, for documentation.
func All() []*modules.Module {
	var out []*modules.Module
	for _, a := range List() {
		out = append(out, a.Spec)
	}
	return out
}

// builtin gives the further names of one of Ansible's own actions.
func builtin(name string) modules.Option {
	return modules.Aliases("ansible.builtin."+name, "ansible.legacy."+name)
}

func failed(msg string) Result {
	return Result{Failed: true, Data: value.NewDict("failed", true, "msg", msg)}
}
