package actions

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed wait_for_connection.go
var waitForConnectionSource string

// WaitForConnectionArgs waits until the host can be logged in to.
type WaitForConnectionArgs struct {
	// Seconds for one attempt.
	ConnectTimeout int `arg:"connect_timeout" default:"5"`
	// Seconds before the first attempt.
	Delay int `arg:"delay" default:"0"`
	// Seconds between attempts.
	Sleep int `arg:"sleep" default:"1"`
	// Seconds in all.
	Timeout int `arg:"timeout" default:"600"`
}

var waitForConnection = define("wait_for_connection", waitForConnectionSource, runWaitForConnection, builtin("wait_for_connection"))

func runWaitForConnection(ctx context.Context, t *Task, a WaitForConnectionArgs) (Result, error) {
	if t.Check {
		return Result{Skipped: true, Data: value.NewDict("skipped", true)}, nil
	}
	start := time.Now()
	if err := t.Run.Sleep(ctx, time.Duration(a.Delay)*time.Second); err != nil {
		return Result{}, err
	}
	last := fmt.Errorf("timeout %d leaves no time for an attempt", a.Timeout)
	for time.Since(start) < time.Duration(a.Timeout)*time.Second {
		if last = t.once(ctx, time.Duration(a.ConnectTimeout)*time.Second); last == nil {
			return Result{Data: value.NewDict("elapsed", int(time.Since(start).Seconds()))}, nil
		}
		if err := t.Run.Sleep(ctx, time.Duration(a.Sleep)*time.Second); err != nil {
			return Result{}, err
		}
	}
	r := failed(fmt.Sprintf("timed out waiting for ping module test: %v", last))
	r.Data.Set("elapsed", int(time.Since(start).Seconds()))
	return r, nil
}

func (t *Task) once(ctx context.Context, limit time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return t.Run.Reconnect(limited)
}
