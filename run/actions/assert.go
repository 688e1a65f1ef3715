package actions

import (
	"context"
	_ "embed"

	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed assert.go
var assertSource string

// AssertArgs fails unless every expression holds.
type AssertArgs struct {
	// Expression, or list of them, without braces.
	That any `arg:"that" required:"true" template:"late"`
	// What to say when one does not hold; text or a list.
	FailMsg any `arg:"fail_msg,alias=msg"`
	// What to say when all hold.
	SuccessMsg any `arg:"success_msg"`
	// Whether to leave the result unprinted.
	Quiet bool `arg:"quiet" default:"false"`
}

var assert = define("assert", assertSource, runAssert, builtin("assert"))

func runAssert(ctx context.Context, t *Task, a AssertArgs) (Result, error) {
	that := a.That
	if tmpl, ok := that.(*value.Template); ok {
		rendered, err := t.Scope.Render(ctx, tmpl)
		if err != nil {
			return Result{}, err
		}
		that = rendered
	}
	list, ok := that.(*value.List)
	if !ok {
		list = value.NewList(that)
	}
	for _, one := range list.Items {
		holds, err := t.Scope.Condition(ctx, one, t.Pos)
		if err != nil {
			return Result{}, err
		}
		if holds {
			continue
		}
		shown := one
		if tmpl, ok := one.(*value.Template); ok {
			shown = tmpl.Text
		}
		d := value.NewDict("failed", true, "evaluated_to", false, "assertion", shown, "msg", or(a.FailMsg, "Assertion failed"))
		return Result{Failed: true, Verbose: !a.Quiet, Data: d}, nil
	}
	return Result{Verbose: !a.Quiet, Data: value.NewDict("msg", or(a.SuccessMsg, "All assertions passed"))}, nil
}

func or(v, unset any) any {
	if v == nil {
		return unset
	}
	return v
}
