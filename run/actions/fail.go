package actions

import (
	"context"
	_ "embed"

	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed fail.go
var failSource string

// FailArgs fails, on purpose.
type FailArgs struct {
	// Why.
	Msg any `arg:"msg"`
}

var fail = define("fail", failSource, runFail, builtin("fail"))

func runFail(_ context.Context, t *Task, a FailArgs) (Result, error) {
	return Result{Failed: true, Data: value.NewDict("failed", true, "msg", or(a.Msg, "Failed as requested from task"))}, nil
}
