package run

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// settings are a task's keywords rendered for one host and item.
type settings struct {
	noLog, ignoreErrors, ignoreUnreachable bool
	check, diff                            bool
	env                                    map[string]string
	timeout                                time.Duration
	delegate                               *hostVars // nil: the host itself
	delegateTo                             string
	delegateFacts                          bool
	retries                                int // attempts in all
	delay                                  time.Duration
	async, poll                            time.Duration
	base                                   *vars.Scope // the scope before delegation
	args                                   *value.Dict
	notify                                 []notice
	interpreter                            string      // of an executable module, "" for what it names itself
	scope                                  *vars.Scope // also knows the task's check mode
}

// keywords renders the task's keywords and arguments, after its conditions held.
func (j *job) keywords(ctx context.Context, s *vars.Scope) (*settings, error) {
	w, o := j.w, &j.b.r.o
	e := evaluator{s: s}
	k := &settings{
		noLog:             e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.NoLog }), o.NoLog),
		ignoreErrors:      e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.IgnoreErrors }), false),
		ignoreUnreachable: e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.IgnoreUnreachable }), false),
		check:             e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.CheckMode }), o.Check),
		diff:              e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.Diff }), o.Diff),
		timeout:           e.seconds(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.Timeout }), o.TaskTimeout),
		delegateTo:        e.text(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.DelegateTo })),
		delegateFacts:     e.truth(ctx, w.inherited(func(k *playbook.Keywords) playbook.Field { return k.DelegateFacts }), false),
		retries:           1,
		delay:             e.seconds(ctx, w.task.Delay, 5*time.Second),
		scope:             s,
		base:              s,
		async:             e.seconds(ctx, w.task.Async, 0),
		poll:              e.seconds(ctx, w.task.Poll, cmp.Or(o.Poll, defaultPoll)),
	}
	if len(w.task.Until) > 0 {
		k.retries = int(e.number(ctx, w.task.Retries, 3))
		k.retries = max(k.retries, 0) + 1
	}
	if k.delay < 0 {
		k.delay = time.Second
	}
	if e.err != nil {
		return nil, e.err
	}
	if k.delegateTo != "" {
		if k.delegate = j.b.r.varsOf(k.delegateTo); k.delegate == nil {
			k.delegate = j.b.r.strayHost(k.delegateTo)
		}
		var err error
		if s, err = j.delegated(ctx, s, k); err != nil {
			return nil, err
		}
		k.scope = s
	}
	var err error
	if k.notify, err = j.notices(ctx, s); err != nil {
		return nil, err
	}
	if k.env, err = j.environment(ctx, s); err != nil {
		return nil, err
	}
	if k.args, err = j.arguments(ctx, s); err != nil {
		if isUndefined(err) {
			err = fmt.Errorf("The task includes an option with an undefined variable. The error was: %w", err)
		}
		return nil, err
	}
	if k.interpreter, err = j.interpreter(ctx, s); err != nil {
		return nil, err
	}
	return k, nil
}

// interpreter gives what ansible_X_interpreter says of an executable module.
func (j *job) interpreter(ctx context.Context, s *vars.Scope) (string, error) {
	m := j.w.task.Module
	if m == nil || m.InterpreterVar() == "" {
		return "", nil
	}
	v, found, err := s.Lookup(ctx, m.InterpreterVar())
	if err != nil || !found || v == nil {
		return "", err
	}
	if v, err = s.Render(ctx, v); err != nil {
		return "", err
	}
	return value.Str(v)
}

// environment merges environment from the play inwards.
func (j *job) environment(ctx context.Context, s *vars.Scope) (map[string]string, error) {
	var env map[string]string
	for _, kw := range slices.Backward(j.w.chain) {
		if !kw.Environment.Set {
			continue
		}
		v, err := s.Render(ctx, kw.Environment.Value)
		if isUndefined(err) {
			err = fmt.Errorf("The field 'environment' has an invalid value, which includes an undefined variable. The error was: %w", err)
		}
		if err != nil {
			return nil, atPos(kw.Environment.Pos, err)
		}
		one, err := environmentOf(v)
		if err != nil {
			return nil, atPos(kw.Environment.Pos, err)
		}
		if env == nil {
			env = make(map[string]string, len(one))
		}
		maps.Copy(env, one)
	}
	return env, nil
}

func environmentOf(v any) (map[string]string, error) {
	env := map[string]string{}
	switch v := v.(type) {
	case nil:
	case string:
		if v != "" {
			return nil, fmt.Errorf("environment must be a dictionary, received %q", v)
		}
	case *value.List:
		for _, item := range v.Items {
			one, err := environmentOf(item)
			if err != nil {
				return nil, err
			}
			maps.Copy(env, one)
		}
	case *value.Dict:
		for k, item := range v.All() {
			text, err := value.Str(item)
			if err != nil {
				return nil, fmt.Errorf("environment: %w", err)
			}
			env[fmt.Sprint(k)] = text
		}
	default:
		return nil, fmt.Errorf("environment must be a dictionary, received %v", v)
	}
	return env, nil
}

// arguments renders the task's arguments but for those that its module takes as written; module_defaults stand below.
func (j *job) arguments(ctx context.Context, s *vars.Scope) (*value.Dict, error) {
	t := j.w.task
	var late []string
	switch {
	case t.Module != nil:
		late = t.Module.Late()
	case j.w.action != nil:
		late = j.w.action.Late()
	}
	out := value.NewDict()
	if err := j.defaults(ctx, s, out); err != nil {
		return nil, err
	}
	if t.Args.Whole.Set {
		v, err := s.Render(ctx, t.Args.Whole.Value)
		if err != nil {
			return nil, atPos(t.Args.Whole.Pos, err)
		}
		d, ok := v.(*value.Dict)
		if !ok {
			return nil, diag.Errorf(t.Args.Whole.Pos, "invalid or malformed argument: '%v'", v)
		}
		merge(out, d)
	}
	for key, v := range t.Args.Values.All() {
		name, _ := key.(string)
		if slices.Contains(late, name) {
			out.Set(key, v)
			continue
		}
		if tk, ok := key.(*value.Template); ok {
			text, err := s.Text(ctx, tk)
			if err != nil {
				return nil, err
			}
			key = text
		}
		r, err := s.Render(ctx, v)
		if err != nil {
			return nil, err
		}
		if r == vars.Omit {
			out.Delete(key)
			continue
		}
		out.Set(key, r)
	}
	return out, nil
}

// defaults puts in what module_defaults gives for the module: of several for one name the innermost alone counts. A group
// of modules (group/…) is of a collection, and none of the groups that there are holds a module that is here.
func (j *job) defaults(ctx context.Context, s *vars.Scope, out *value.Dict) error {
	for _, kw := range j.w.chain {
		if !kw.ModuleDefaults.Set {
			continue
		}
		v, err := s.Render(ctx, kw.ModuleDefaults.Value)
		if err != nil {
			return atPos(kw.ModuleDefaults.Pos, err)
		}
		list, ok := v.(*value.List)
		if !ok {
			list = value.NewList(v)
		}
		for _, item := range slices.Backward(list.Items) {
			d, _ := item.(*value.Dict)
			for name, args := range d.All() {
				if text, ok := name.(string); ok && j.isModule(text) {
					if a, ok := args.(*value.Dict); ok {
						merge(out, a)
					}
					return nil
				}
			}
		}
	}
	return nil
}

// isModule reports whether a name of module_defaults means the task's module.
func (j *job) isModule(name string) bool {
	t := j.w.task
	if baseName(name) == t.BaseAction() {
		return true
	}
	if t.Module == nil || j.b.r.o.Modules == nil {
		return false
	}
	m, ok := j.b.r.o.Modules(name)
	return ok && m == t.Module
}

func merge(into, from *value.Dict) {
	for k, v := range from.All() {
		into.Set(k, v)
	}
}
