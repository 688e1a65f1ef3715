package actions

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
)

func TestWaitForConnectionMistakes(t *testing.T) {
	for _, c := range []struct {
		want string
		args []any
	}{
		{`argument "timeout" must be a whole number, not "long"`, []any{"timeout", "long"}},
		{`unknown argument "port"`, []any{"port", 22}},
	} {
		_, err := waitForConnection.Run(t.Context(), &Task{Args: value.NewDict(c.args...)})
		if err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
	}
}

// TestWaitForConnection reaches a host at the second attempt, and one that has no time for any not at all.
func TestWaitForConnection(t *testing.T) {
	run := &rebootRun{}
	r, err := waitForConnection.Run(t.Context(), &Task{Args: value.NewDict("delay", 7), Run: run})
	if err != nil || r.Failed || run.reconnects != 2 || run.pauses != 2 {
		t.Errorf("%+v, %v, %d attempts, %d pauses", r, err, run.reconnects, run.pauses)
	}
	run = &rebootRun{}
	r, err = waitForConnection.Run(t.Context(), &Task{Args: value.NewDict("timeout", 0), Run: run})
	const want = "timed out waiting for ping module test: timeout 0 leaves no time for an attempt"
	if err != nil || !r.Failed || r.Data.Str("msg") != want || run.reconnects != 0 {
		t.Errorf("%+v, %v, %d attempts", r, err, run.reconnects)
	}
}
