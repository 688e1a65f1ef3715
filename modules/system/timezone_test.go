package system

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestTimezone(t *testing.T) { moduletest.Run(t, Timezone, "testdata/timezone/*.txtar") }

func TestTimezoneLines(t *testing.T) {
	suse := clocks{zoneKey: "TIMEZONE"}
	for _, c := range []struct{ text, want string }{
		{"", "TIMEZONE=\"X\"\n"},
		{"A=1\nTIMEZONE = \"Etc/UTC\"\nB=2\nTIMEZONE=Y\n", "A=1\nTIMEZONE=\"X\"\nB=2\n"},
		{"A=1\n", "TIMEZONE=\"X\"\nA=1\n"},
	} {
		if got := setLine(c.text, suse.zoneLine(), `TIMEZONE="X"`); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestTimezoneMistakes(t *testing.T) {
	refused(t, Timezone, nil, []mistake{
		{"Error message:\ngiven timezone \"Europe/Atlantis\" is not available", []any{"name", "Europe/Atlantis"}},
		{"Error message:\ngiven timezone \"../../etc/passwd\" is not available", []any{"name", "../../etc/passwd"}},
		{"Error message:\ngiven timezone \"Europe\" is not available", []any{"name", "Europe"}},
		{`argument "hwclock" must be one of local, UTC, not "utc" (did you mean "UTC"?)`, []any{"hwclock", "utc"}},
		{"one of these arguments is required: name, hwclock", nil},
	})
}
