package report

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
)

func emit(t *testing.T, opts Options, form func(Options) run.Sink, events ...run.Event) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	opts.Out, opts.Err = &o, &e
	s := form(opts)
	for _, ev := range events {
		s.Emit(context.WithoutCancel(t.Context()), ev)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return o.String(), e.String()
}

func newText(o Options) run.Sink { return NewText(o) }

func info(name string) *run.TaskInfo {
	return &run.TaskInfo{ID: 1, Name: name, Action: "command", Path: "site.yml:3"}
}

func finished(host string, status run.Status, task *run.TaskInfo, pairs ...any) run.HostFinished {
	return run.HostFinished{Outcome: run.Outcome{Host: host, Status: status, Task: task, Result: value.NewDict(pairs...)}}
}

func TestTextStatusLines(t *testing.T) {
	task := info("do it")
	delegated := finished("h", run.StatusOK, task, "changed", false)
	delegated.Delegated, delegated.Address = "other", "192.0.2.1"
	ignored := finished("h", run.StatusFailed, task, "msg", "no", "failed", true)
	ignored.Ignored = true
	out, _ := emit(t, Options{}, newText,
		run.PlayStarted{Name: "first"},
		run.TaskStarted{Task: task, Hosts: 1},
		finished("h", run.StatusOK, task, "changed", false),
		finished("h", run.StatusChanged, task, "changed", true),
		finished("h", run.StatusSkipped, task, "changed", false),
		delegated,
		ignored,
		finished("h", run.StatusUnreachable, task, "msg", "gone", "unreachable", true, "changed", false),
		run.NoMoreHosts{},
	)
	want := `
PLAY [first] *******************************************************************

TASK [do it] *******************************************************************
ok: [h]
changed: [h]
skipping: [h]
ok: [h -> other(192.0.2.1)]
fatal: [h]: FAILED! => {"msg": "no"}
...ignoring
fatal: [h]: UNREACHABLE! => {"changed": false, "msg": "gone", "unreachable": true}

NO MORE HOSTS LEFT *************************************************************
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestTextRecap(t *testing.T) {
	stats := run.StatsFinished{Hosts: []run.HostStats{{Host: "a", OK: 2, Changed: 1}, {Host: "b", Failed: 1}}}
	out, _ := emit(t, Options{}, newText, stats)
	want := `
PLAY RECAP *********************************************************************
a                          : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   
b                          : ok=0    changed=0    unreachable=0    failed=1    skipped=0    rescued=0    ignored=0   

`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	out, _ = emit(t, Options{Color: true}, newText, stats)
	if want := "\x1b[0;33ma\x1b[0m                          : \x1b[0;32mok=2   \x1b[0m \x1b[0;33mchanged=1   \x1b[0m unreachable=0   "; !strings.Contains(out, want) {
		t.Errorf("%q is not in %q", want, out)
	}
}

func TestTextFreeBanners(t *testing.T) {
	one, two := info("one"), info("two")
	two.ID = 2
	out, _ := emit(t, Options{}, newText,
		run.PlayStarted{Name: "p", Free: true},
		run.TaskStarted{Task: one}, run.TaskStarted{Task: two},
		finished("h", run.StatusOK, one), finished("h", run.StatusOK, two), finished("i", run.StatusOK, two), finished("i", run.StatusOK, one),
	)
	if got := strings.Count(out, "TASK ["); got != 3 {
		t.Errorf("%d banners, want one each time the task changes:\n%s", got, out)
	}
}

func TestTextWarnsOnce(t *testing.T) {
	_, errs := emit(t, Options{}, newText, run.Warning{Text: "odd"}, run.Warning{Text: "odd"})
	if _, quiet := emit(t, Options{NoDeprecations: true}, newText, run.Deprecated{Text: "old"}); quiet != "" {
		t.Errorf("stderr %q, want none", quiet)
	}
	if want := "[WARNING]: odd\n"; errs != want {
		t.Errorf("stderr %q, want %q", errs, want)
	}
}

func TestTextFoldsSkipping(t *testing.T) {
	var events []run.Event
	task, next := info("many"), &run.TaskInfo{ID: 2, Name: "next"}
	events = append(events, run.TaskStarted{Task: task, Hosts: 5})
	for _, h := range []string{"a", "b", "c", "d", "e"} {
		events = append(events, finished(h, run.StatusSkipped, task, "skipped", true))
	}
	events = append(events, finished("f", run.StatusOK, task, "changed", false),
		run.TaskStarted{Task: next, Hosts: 1}, finished("a", run.StatusSkipped, next, "skipped", true), run.StatsFinished{})
	for fold, want := range map[int]string{
		0: "skipping: [a]\nskipping: [b]\nskipping: [c]\nskipping: [d]\nskipping: [e]\nok: [f]\n",
		2: "skipping: [a]\nskipping: [b]\nok: [f]\nskipping: 3 more\n",
	} {
		out, _ := emit(t, Options{FoldSkipped: fold}, newText, events...)
		_, got, _ := strings.Cut(out, "*\n")
		got, rest, _ := strings.Cut(got, "\n\nTASK [next]")
		if got+"\n" != want || strings.Contains(rest, "more") {
			t.Errorf("folded after %d: got %q, want %q; then %q", fold, got+"\n", want, rest)
		}
	}
}

func TestTextTellsWhatItWaitsFor(t *testing.T) {
	_, errs := emit(t, Options{}, newText,
		run.StillWaiting{Task: info("reach"), Hosts: []string{"hv3"}, For: 120*time.Second + 7*time.Millisecond},
		run.StillWaiting{Task: info("reach"), Hosts: []string{"a", "b", "c", "d", "e", "f", "g"}, For: time.Minute})
	want := "still waiting for hv3 (120 s): reach\nstill waiting for a, b, c, d, e and 2 more (60 s): reach\n"
	if errs != want {
		t.Errorf("got %q, want %q", errs, want)
	}
}

func TestPlainYAMLAndRetries(t *testing.T) {
	task := &run.TaskInfo{ID: 1, Name: "role : many", Own: "many"}
	again := run.Retrying{Outcome: run.Outcome{Host: "a", Task: task}, Left: 2}
	end := finished("a", run.StatusFailed, task, "changed", true, "stdout", "x", "stdout_lines", value.NewList("x"))
	out, _ := emit(t, Options{PlainYAML: true}, newText, again, end)
	want := "FAILED - RETRYING: [a]: many (2 retries left).\n\nTASK [role : many] " + strings.Repeat("*", 61) + "\nfatal: [a]: FAILED! => \n    changed: true\n    stdout: x\n    stdout_lines: <omitted>\n"
	if !strings.HasSuffix(out, want) {
		t.Errorf("got %q, want it to end with %q", out, want)
	}
}

func TestAdHocForms(t *testing.T) {
	task := info("command")
	ping := &run.TaskInfo{ID: 1, Name: "ping", Action: "ping"}
	events := []run.Event{
		finished("a", run.StatusChanged, task, "changed", true, "rc", 0, "stdout", "x\ny", "stderr", ""),
		finished("b", run.StatusFailed, task, "rc", 1, "stdout", "", "stderr", "bad", "msg", "non-zero return code"),
		finished("c", run.StatusOK, ping, "changed", false, "ping", "pong"),
		finished("d", run.StatusUnreachable, task, "msg", "gone", "unreachable", true, "changed", false),
	}
	out, _ := emit(t, Options{}, func(o Options) run.Sink { return NewAdHoc(o, false) }, events...)
	want := `a | CHANGED | rc=0 >>
x
y
b | FAILED | rc=1 >>
badnon-zero return code
c | SUCCESS => {
    "changed": false,
    "ping": "pong"
}
d | UNREACHABLE! => {
    "changed": false,
    "msg": "gone",
    "unreachable": true
}
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	out, _ = emit(t, Options{}, func(o Options) run.Sink { return NewAdHoc(o, true) }, events...)
	want = `a | CHANGED | rc=0 | (stdout) x\ny
b | FAILED! => {"msg": "non-zero return code","rc": 1,"stderr": "bad","stdout": ""}
c | SUCCESS => {"changed": false,"ping": "pong"}
d | UNREACHABLE!: gone
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestGroupJoinsEqualOutput(t *testing.T) {
	task := info("command")
	out, _ := emit(t, Options{}, func(o Options) run.Sink { return NewGroup(o) },
		finished("a", run.StatusChanged, task, "rc", 0, "stdout", "6.1", "stderr", ""),
		finished("b", run.StatusChanged, task, "rc", 0, "stdout", "6.2", "stderr", ""),
		finished("c", run.StatusChanged, task, "rc", 0, "stdout", "6.1", "stderr", ""),
		run.StatsFinished{})
	want := `---------------
a,c (2)
---------------
CHANGED | rc=0 >>
6.1
---------------
b
---------------
CHANGED | rc=0 >>
6.2
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestJSON(t *testing.T) {
	d := value.NewDict("b", value.NewList(1, 2.0, nil, true), "a", "é\"\n\x01", "c", value.NewDict(), "d", value.NewList(), 3, "x")
	if got, want := JSON(d, 0), `{"3": "x", "a": "é\"\n\u0001", "b": [1, 2.0, null, true], "c": {}, "d": []}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := JSON(value.NewDict("a", value.NewList(1, 1e20)), 4), "{\n    \"a\": [\n        1,\n        1e+20\n    ]\n}"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestLiveKeepsItsLineBelow(t *testing.T) {
	var out bytes.Buffer
	foot := &statusLine{w: &out, atEnd: true}
	foot.set("working")
	if _, err := foot.Write([]byte("ok: [h]\n")); err != nil {
		t.Fatal(err)
	}
	foot.set("")
	if got, want := out.String(), "\r\x1b[Kworking\r\x1b[Kok: [h]\nworking\r\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
