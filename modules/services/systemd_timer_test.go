package services

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

func TestSystemdTimer(t *testing.T) {
	moduletest.Run(t, SystemdTimer, "testdata/systemd_timer/*.txtar")
}

// TestSystemdTimerMistakes has what is refused before the host is asked.
func TestSystemdTimerMistakes(t *testing.T) {
	for _, c := range []struct {
		want string
		args []any
	}{
		{`name cannot be a unit's name without its suffix: "a.timer"`, []any{"name", "a.timer"}},
		{`name cannot be a unit's name without its suffix: "../a"`, []any{"name", "../a"}},
		{"state is present but all of the following are missing: command", []any{"command", " "}},
		{"one of these arguments is required: on_calendar, on_boot, on_unit_active", []any{}},
		{`on_boot is no time span: "soon" (as in 90s, 5min, 1h 30min)`, []any{"on_boot", "soon"}},
		{`randomized_delay is no time span: "5 min; 3" (as in 90s, 5min, 1h 30min)`, []any{"on_boot", "5min", "randomized_delay", "5 min; 3"}},
		{"environment: A-B cannot be a variable of one line", []any{"on_boot", "5min", "environment", value.NewDict("A-B", "x")}},
		{"a unit has one line for each setting: no argument may have a line break", []any{"on_boot", "5min", "command", "/bin/true\nUser=root"}},
	} {
		args := value.NewDict("name", "scrub", "command", "/bin/true")
		for i := 0; i < len(c.args); i += 2 {
			args.Set(c.args[i], c.args[i+1])
		}
		h := modules.NewHost(modules.HostOptions{Conn: transporttest.NewFake(t)})
		r, err := SystemdTimer.Run(t.Context(), h, args)
		if err != nil || !r.Failed || r.Msg != c.want {
			t.Errorf("%v: failed %v, %v, %q, want %q", c.args, r.Failed, err, r.Msg, c.want)
		}
	}
}
