package actions

import (
	"context"
	_ "embed"
	"errors"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed debug.go
var debugSource string

// DebugArgs prints a text or the value of an expression.
type DebugArgs struct {
	// Text, or any value, to print. Without msg and var it is "Hello world!".
	Msg any `arg:"msg" exclusive:"what"`
	// Expression, without braces, whose value is printed.
	Var any `arg:"var" exclusive:"what" template:"late"`
	// How many -v it takes for the task to do anything.
	Verbosity int `arg:"verbosity" default:"0"`
}

var debug = define("debug", debugSource, runDebug, builtin("debug"))

func runDebug(ctx context.Context, t *Task, a DebugArgs) (Result, error) {
	if a.Verbosity > t.Verbosity {
		return Result{Skipped: true, Data: value.NewDict("skipped_reason", "Verbosity threshold not met.", "skipped", true)}, nil
	}
	d := value.NewDict()
	switch {
	case a.Var != nil:
		if err := showVar(ctx, t, d, a.Var); err != nil {
			return Result{}, err
		}
	case t.has("msg"):
		d.Set("msg", a.Msg)
	default:
		d.Set("msg", "Hello world!")
	}
	return Result{Verbose: true, Data: d}, nil
}

func (t *Task) has(arg string) bool {
	_, ok := t.Args.Get(arg)
	return ok
}

// showVar sets the value of an expression under its own text.
func showVar(ctx context.Context, t *Task, d *value.Dict, v any) error {
	if tmpl, ok := v.(*value.Template); ok { // braces, which are not needed: what they give is the expression
		rendered, err := t.Scope.Render(ctx, tmpl)
		if err != nil {
			return undefinedOr(err, d, tmpl.Text, t.Verbosity)
		}
		text, ok := rendered.(string)
		if !ok {
			d.Set(tmpl.Text, rendered)
			return nil
		}
		v = text
	}
	text, ok := v.(string)
	if !ok {
		rendered, err := t.Scope.Render(ctx, v)
		if err != nil {
			return err
		}
		d.Set("<class '"+value.TypeName(v)+"'>", rendered)
		return nil
	}
	out, err := t.Scope.Expression(ctx, text, t.Pos)
	if err == nil {
		err = jinja.Defined(out)
	}
	if err != nil {
		return undefinedOr(err, d, text, t.Verbosity)
	}
	if m, ok := out.(value.Mapping); ok {
		if out, err = whole(ctx, m); err != nil {
			return err
		}
	}
	d.Set(text, out)
	return nil
}

// undefinedOr shows that a variable is undefined; other errors stay errors.
func undefinedOr(err error, d *value.Dict, name string, verbosity int) error {
	if _, ok := errors.AsType[jinja.UndefinedError](err); !ok {
		return err
	}
	text := "VARIABLE IS NOT DEFINED!"
	if verbosity > 0 {
		text += ": " + err.Error()
	}
	d.Set(name, text)
	return nil
}

// whole reads a mapping to the end, so that it can be printed.
func whole(ctx context.Context, m value.Mapping) (*value.Dict, error) {
	keys, err := m.Keys(ctx)
	if err != nil {
		return nil, err
	}
	d := value.NewDict()
	for _, k := range keys {
		v, ok, err := m.Lookup(ctx, k)
		if err != nil || !ok {
			continue // a variable that does not render is no reason to show none
		}
		d.Set(k, v)
	}
	return d, nil
}
