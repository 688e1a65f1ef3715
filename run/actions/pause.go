package actions

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed pause.go
var pauseSource string

// PauseArgs waits for some time, or for the user to answer.
type PauseArgs struct {
	// How many seconds to wait.
	Seconds *float64 `arg:"seconds" exclusive:"time"`
	// How many minutes to wait.
	Minutes *float64 `arg:"minutes" exclusive:"time"`
	// What to ask; without a time the run waits for the answer.
	Prompt string `arg:"prompt"`
	// Whether the answer shows while it is typed.
	Echo bool `arg:"echo" default:"true"`
}

var pause = defineOnce("pause", pauseSource, runPause, builtin("pause"))

func runPause(ctx context.Context, t *Task, a PauseArgs) (Result, error) {
	start := time.Now()
	d := value.NewDict("changed", false, "rc", 0, "stderr", "", "stdout", "", "start", stamp(start), "stop", nil, "delta", nil,
		"echo", a.Echo, "user_input", "")
	unit := "minutes"
	var err error
	switch {
	case a.Seconds != nil:
		unit = "seconds"
		err = sleep(ctx, t, a, *a.Seconds)
	case a.Minutes != nil:
		err = sleep(ctx, t, a, *a.Minutes*60)
	default:
		err = ask(ctx, t, a, d)
	}
	if err != nil {
		return Result{}, err
	}
	took := time.Since(start)
	d.Set("stop", stamp(time.Now()))
	d.Set("delta", int(took.Seconds()))
	shown := took.Seconds()
	if unit == "minutes" {
		shown = took.Minutes()
	}
	d.Set("stdout", fmt.Sprintf("Paused for %s %s", round(shown), unit))
	return Result{Data: d}, nil
}

// sleep tells how long it waits, and waits.
func sleep(ctx context.Context, t *Task, a PauseArgs, seconds float64) error {
	t.Run.Say(fmt.Sprintf("Pausing for %d seconds%s", int(seconds), hiddenNote(a)))
	t.Run.Say("(ctrl+C ends the run)")
	if a.Prompt != "" {
		t.Run.Say(question(t, a, a.Prompt))
	}
	return t.Run.Sleep(ctx, time.Duration(seconds*float64(time.Second)))
}

func hiddenNote(a PauseArgs) string {
	if a.Echo {
		return ""
	}
	return " (output is hidden)"
}

func question(t *Task, a PauseArgs, text string) string {
	return "[" + t.Name + "]\n" + text + hiddenNote(a) + ":"
}

func ask(ctx context.Context, t *Task, a PauseArgs, d *value.Dict) error {
	text := a.Prompt
	if text == "" {
		text = "Press enter to continue, Ctrl+C to interrupt"
	}
	t.Run.Say(question(t, a, text))
	answer, err := t.Run.Prompt(ctx, "", a.Echo)
	if errors.Is(err, ErrNobody) || errors.Is(err, io.EOF) {
		t.Run.Warn("Not waiting for response to prompt as stdin is not interactive")
		return nil
	}
	d.Set("user_input", answer)
	return err
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05.000000") }

// round gives two decimals as Python's round and str do.
func round(f float64) string {
	s := fmt.Sprintf("%.2f", f)
	for len(s) > 3 && s[len(s)-1] == '0' && s[len(s)-2] != '.' {
		s = s[:len(s)-1]
	}
	return s
}
