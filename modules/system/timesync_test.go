package system

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestTimesync(t *testing.T) { moduletest.Run(t, Timesync, "testdata/timesync/*.txtar") }

func TestTimesyncDirectives(t *testing.T) {
	servers := []string{"server a iburst", "server b iburst"}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "server a iburst\nserver b iburst\n"},
		{"no newline at the end", "rtcsync", "rtcsync\nserver a iburst\nserver b iburst\n"},
		{"others", "rtcsync\n  pool x iburst\npeer y\nmakestep 1 3\n", "rtcsync\nserver a iburst\nserver b iburst\n#  pool x iburst\n#peer y\nmakestep 1 3\n"},
		{"one there, elsewhere", "Server b  iburst\nserver b iburst\nrtcsync\n", "server a iburst\n#Server b  iburst\nserver b iburst\nrtcsync\n"},
		{"twice", "server a iburst\nserver b iburst\nserver a iburst\n", "server a iburst\nserver b iburst\n#server a iburst\n"},
		{"comments", "#server x\n! pool y\nserverstats z\n", "#server x\n! pool y\nserverstats z\nserver a iburst\nserver b iburst\n"},
	} {
		got := setDirectives(c.text, []string{"server", "pool", "peer"}, servers)
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
		if again := setDirectives(got, []string{"server", "pool", "peer"}, servers); again != got {
			t.Errorf("%s: once more:\n%s", c.name, again)
		}
	}
}

// TestChronyClock has what chronyc 4.3 -c tracking told of a daemon that just started, of one that follows a server, and of one with local.
func TestChronyClock(t *testing.T) {
	for _, c := range []struct {
		text string
		want hostClock
	}{
		{
			"00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised",
			hostClock{said: "chrony has not chosen one yet"},
		},
		{
			"7F000001,127.0.0.1,6,1795280284.662002302,-0.000056283,-0.000008896,0.000008896,-2.870,-0.000,169.745,0.000130636,0.000547270,2.0,Normal",
			hostClock{follows: true, offset: -0.000056283, source: "127.0.0.1", stratum: 6},
		},
		{
			"7F7F0101,,5,1795280277.690304091,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal",
			hostClock{stratum: 5, said: "chrony gives out the host's own time"},
		},
	} {
		got, err := chronyClock(c.text)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(hostClock{})); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", c.text, err, diff)
		}
	}
	if _, err := chronyClock("506 Cannot talk to daemon"); err == nil || err.Error() != `chronyc -c tracking: "506 Cannot talk to daemon" is not understood` {
		t.Error(err)
	}
}

// TestTimesyncdClock has what timedatectl timesync-status of systemd 252 told.
func TestTimesyncdClock(t *testing.T) {
	text := `       Server: 127.0.0.1 (ntp1.lab.example)
Poll interval: 1min 4s (min: 32s; max 34min 8s)
         Leap: normal
      Version: 4
      Stratum: 5
    Reference: 7F7F0101
    Precision: 1us (-25)
Root distance: 0 (max: 5s)
       Offset: +258us
        Delay: 538us
       Jitter: 0
 Packet count: 1
    Frequency: +0.000ppm`
	want := hostClock{follows: true, offset: 258e-6, source: "ntp1.lab.example", stratum: 5}
	if diff := cmp.Diff(want, timesyncdClock(text), cmp.AllowUnexported(hostClock{})); diff != "" {
		t.Error(diff)
	}
	want = hostClock{source: "n/a", said: "systemd-timesyncd has no answer yet"}
	if diff := cmp.Diff(want, timesyncdClock("       Server: n/a\nPoll interval: 0 (min: 32s; max 34min 8s)\n Packet count: 0"), cmp.AllowUnexported(hostClock{})); diff != "" {
		t.Error(diff)
	}
}

// TestNTPsecClock has what ntpq of NTPsec 1.2.2 told of a daemon that follows nothing, and of none.
func TestNTPsecClock(t *testing.T) {
	for _, c := range []struct {
		text string
		want hostClock
	}{
		{"leap=11, stratum=16, refid=INIT, offset=0.0", hostClock{source: "INIT", stratum: 16, said: "ntpd has not chosen one yet"}},
		{"leap=00, stratum=3, refid=192.0.2.7, offset=-1.5", hostClock{follows: true, offset: -0.0015, source: "192.0.2.7", stratum: 3}},
		{"leap=00, stratum=6, refid=LOCAL(0), offset=0.0", hostClock{source: "LOCAL(0)", stratum: 6, said: "ntpd gives out the host's own time"}},
		{"***Socket error; probably ntpd is not running\n\n", hostClock{said: "***Socket error; probably ntpd is not running"}},
	} {
		if diff := cmp.Diff(c.want, ntpsecClock(c.text), cmp.AllowUnexported(hostClock{})); diff != "" {
			t.Errorf("%s:\n%s", c.text, diff)
		}
	}
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "+258us": 258e-6, "-1.5ms": -0.0015, "+1min 2.500s": 62.5, "-2d 1h": -176400} {
		if got, ok := parseSpan(text); !ok || got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s: %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-", "n/a", "1 fortnight", "1..5s"} {
		if got, ok := parseSpan(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestTimesyncMistakes(t *testing.T) {
	refused(t, Timesync, []any{"servers", value.NewList("ntp1")}, []mistake{
		{`"ntp1 iburst" cannot be a server's name or address`, []any{"servers", value.NewList("ntp1 iburst")}},
		{`"-x" cannot be a server's name or address`, []any{"pools", value.NewList("-x")}},
		{`servers has ntp1 twice`, []any{"servers", value.NewList("ntp1", "ntp1")}},
		{`max_skew must be more than 0 seconds`, []any{"max_skew", 0}},
		{`timeout must not be less than 0`, []any{"timeout", -1}},
		{`argument "provider" must be one of auto, chrony, ntpsec, systemd-timesyncd, not "crony" (did you mean "chrony"?)`, []any{"provider", "crony"}},
	})
}
