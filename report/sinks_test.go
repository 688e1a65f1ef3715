package report

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
)

func TestGitHubEscapes(t *testing.T) {
	task := &run.TaskInfo{ID: 1, Name: "50%, a: b", Action: "fail", Path: "/elsewhere/site.yml:3"}
	rescued := finished("r", run.StatusFailed, task, "msg", "no")
	rescued.Rescued = true
	hidden := finished("s", run.StatusFailed, task, "censored", "hidden")
	hidden.Censored = true
	out, _ := emit(t, Options{}, func(o Options) run.Sink { return NewGitHub(o) },
		finished("h", run.StatusFailed, task, "msg", "100%\nline two: x, y"), rescued, hidden,
		finished("o", run.StatusOK, task), run.Warning{Text: "odd"})
	want := `::error file=/elsewhere/site.yml,line=3,title=h%3A 50%25%2C a%3A b::100%25%0Aline two: x, y
::error file=/elsewhere/site.yml,line=3,title=s%3A 50%25%2C a%3A b::{"censored": "hidden"}
::warning::odd
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestTimerAndProfile(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	step := func() time.Time { at = at.Add(90061 * time.Second); return at }
	out, _ := emit(t, Options{}, func(o Options) run.Sink {
		timer := NewTimer(o)
		timer.begun, timer.now = at, step
		return timer
	}, run.StatsFinished{})
	if want := "Playbook run took 1 days, 1 hours, 1 minutes, 1 seconds\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	n := 0
	out, _ = emit(t, Options{}, func(o Options) run.Sink {
		p := NewProfileTasks(o, 1, "descending")
		at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		p.begun, p.last = at, at
		p.now = func() time.Time { n++; at = at.Add(time.Duration(n) * time.Second); return at }
		return p
	}, run.TaskStarted{Task: info("short")}, run.TaskStarted{Task: info("long")}, run.StatsFinished{})
	want := "Friday 02 January 2026  03:04:06 +0000 (0:00:01.000)       0:00:01.000 ******** \n" +
		"Friday 02 January 2026  03:04:08 +0000 (0:00:02.000)       0:00:03.000 ******** \n" +
		"Friday 02 January 2026  03:04:11 +0000 (0:00:03.000)       0:00:06.000 ******** \n" +
		strings.Repeat("=", 79) + " \nlong " + strings.Repeat("-", 79-9-5) + "---- 3.00s\n"
	want = strings.Replace(want, "---- 3.00s", "--- 3.00s", 1)
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestJUnitCases(t *testing.T) {
	dir := t.TempDir()
	task := info("say")
	task.FreeForm, task.Args = "cmd", value.NewDict("cmd", "echo <&>")
	expected := info("EXPECTED FAILURE")
	expected.ID = 2
	secret := info("quiet") // its arguments are not told
	secret.ID, secret.NoLog = 3, true
	ignored := finished("b", run.StatusFailed, task, "msg", "no")
	ignored.Ignored = true
	emit(t, Options{}, func(Options) run.Sink {
		j, err := NewJUnit(JUnitOptions{Dir: dir, TaskClass: true})
		if err != nil {
			t.Fatal(err)
		}
		at := time.Time{}
		j.now = func() time.Time { at = at.Add(time.Second); return at }
		return j
	}, run.PlaybookStarted{Path: "dir/site.yml"}, run.PlayStarted{Name: "first"},
		run.TaskStarted{Task: task}, finished("a", run.StatusChanged, task, "changed", true), ignored,
		finished("c", run.StatusFailed, task, "msg", "no \"way\""), finished("d", run.StatusUnreachable, task, "msg", "gone"),
		finished("e", run.StatusSkipped, task, "skip_reason", "Conditional result was False"),
		run.TaskStarted{Task: expected}, finished("a", run.StatusFailed, expected, "msg", "x"),
		run.TaskStarted{Task: secret}, finished("a", run.StatusOK, secret, "censored", "hidden"), run.StatsFinished{})
	files, err := filepath.Glob(filepath.Join(dir, "site-*.xml"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(` time="[^"]*"`).ReplaceAllString(string(text), "")
	want := `<?xml version="1.0" encoding="UTF-8"?>
<testsuites disabled="0" errors="0" failures="2" tests="7">
	<testsuite disabled="0" errors="0" failures="2" tests="7" name="site" skipped="1">
		<testcase classname="site" name="[a] first: say _raw_params=echo &lt;&amp;&gt;">
			<system-out>{&#xA;&#34;changed&#34;: true&#xA;}</system-out>
		</testcase>
		<testcase classname="site" name="[b] first: say _raw_params=echo &lt;&amp;&gt;">
			<system-out>{&#xA;&#34;msg&#34;: &#34;no&#34;&#xA;}</system-out>
		</testcase>
`
	got = strings.ReplaceAll(got, "&#xA;", "\n")
	if want = strings.ReplaceAll(want, "&#xA;", "\n"); !strings.HasPrefix(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	for _, part := range []string{
		`<failure message="no &#34;way&#34;" type="failure">`, `<failure message="gone" type="failure">`, `<skipped>Conditional result was False</skipped>`,
		`name="[a] first: EXPECTED FAILURE">` + "\n\t\t\t<system-out>", `name="[a] first: quiet"`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is not in\n%s", part, got)
		}
	}
}
