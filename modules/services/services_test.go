package services

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestSystemd(t *testing.T) { moduletest.Run(t, Systemd, "testdata/systemd/*.txtar") }

func TestService(t *testing.T) { moduletest.Run(t, Service, "testdata/service/*.txtar") }

func TestCron(t *testing.T) { moduletest.Run(t, Cron, "testdata/cron/*.txtar") }

// TestCronTimes has what cron(5) takes.
func TestCronTimes(t *testing.T) {
	job := "x"
	for _, minute := range []string{"*", "0", "00", "59", "*/5", "1-5", "1,2,30-40/2", "0~30", "~", "08"} {
		a := CronArgs{Name: "a", State: modules.Present, Job: &job, Minute: minute, Hour: "*", Day: "*", Month: "jan,Mar", Weekday: "mon-fri,7"}
		if err := a.Check(); err != nil {
			t.Errorf("minute %s: %v", minute, err)
		}
	}
}

func TestServiceFacts(t *testing.T) {
	moduletest.Run(t, ServiceFacts, "testdata/service_facts/*.txtar")
}

// TestParseShow has values over several lines, which only Exec… may have, and a description that looks like one.
func TestParseShow(t *testing.T) {
	const text = "Id=a.service\nDescription={ not closed\nEnvironment=A=b C=d\nExecStart={ path=/bin/sh ; argv[]=/bin/sh -c one\n" +
		"two=2\nthree ; status=0/0 }\nno value\nActiveState=active\n"
	got := map[string]string{}
	for k, v := range parseShow(text).All() {
		got[k.(string)] = v.(string)
	}
	want := map[string]string{
		"Id": "a.service", "Description": "{ not closed", "Environment": "A=b C=d", "ActiveState": "active",
		"ExecStart": "{ path=/bin/sh ; argv[]=/bin/sh -c one\ntwo=2\nthree ; status=0/0 }",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRuns has what init scripts say of themselves.
func TestRuns(t *testing.T) {
	for _, c := range []struct {
		text   string
		status int
		want   bool
	}{
		{"web is running.", 0, true},
		{"web is not running ... failed!", 3, false},
		{"web is not running", 0, false},
		{"web is stopped", 0, false},
		{"web (pid  12) is running...", 0, true},
		{"web started", 0, true},
		{"web not started", 0, true}, // the words say nothing then, and the status is 0
		{"web dead but pid file exists", 0, false},
		{"usage: web start|stop", 2, false},
		{"", 0, true},
		{"", 5, false},
		{"one\ntwo\nstopped", 0, true},
	} {
		if got := runs("web", c.text, c.status); got != c.want {
			t.Errorf("%q with status %d: %v", c.text, c.status, got)
		}
	}
}
