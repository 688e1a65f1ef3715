package report

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
)

// JUnitOptions are the settings of Ansible's junit callback, by the variables that give them.
type JUnitOptions struct {
	Dir           string // JUNIT_OUTPUT_DIR
	TaskClass     bool   // JUNIT_TASK_CLASS: the class is the file without the line
	RelativePath  string // JUNIT_TASK_RELATIVE_PATH
	FailOnChange  bool   // JUNIT_FAIL_ON_CHANGE
	FailOnIgnore  bool   // JUNIT_FAIL_ON_IGNORE
	HideSetup     bool   // JUNIT_INCLUDE_SETUP_TASKS_IN_REPORT=false
	HideArguments bool   // JUNIT_HIDE_TASK_ARGUMENTS
	Prefix        string // JUNIT_TEST_CASE_PREFIX
}

// JUnit writes an XML file for each playbook, with a test case for each task and host, named as Ansible's junit callback names them.
// Unlike there, a host that could not be reached is a failure.
type JUnit struct {
	o        JUnitOptions
	now      func() time.Time
	playbook string
	play     string
	order    []*junitTask
	tasks    map[int]*junitTask
	err      error
}

type junitTask struct {
	name, class string
	setup       bool
	started     time.Time
	cases       []junitCase
}

// junitCase is a testcase element, in the order of attributes and children that Ansible writes.
type junitCase struct {
	XMLName   xml.Name      `xml:"testcase"`
	Class     string        `xml:"classname,attr"`
	Name      string        `xml:"name,attr"`
	Time      string        `xml:"time,attr"`
	Skipped   string        `xml:"skipped,omitempty"`
	Error     *junitProblem `xml:"error"`
	Failure   *junitProblem `xml:"failure"`
	SystemOut string        `xml:"system-out,omitempty"`
	duration  time.Duration
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitCounts struct {
	Disabled int    `xml:"disabled,attr"`
	Errors   int    `xml:"errors,attr"`
	Failures int    `xml:"failures,attr"`
	Tests    int    `xml:"tests,attr"`
	Time     string `xml:"time,attr"`
}

type junitSuite struct {
	junitCounts
	Name    string `xml:"name,attr"`
	Skipped int    `xml:"skipped,attr"`
	Cases   []junitCase
}

type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	junitCounts
	Suite junitSuite `xml:"testsuite"`
}

// NewJUnit makes a JUnit and its folder.
func NewJUnit(o JUnitOptions) (*JUnit, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of JUnit files: %w", err)
	}
	return &JUnit{o: o, now: time.Now, tasks: map[int]*junitTask{}}, nil
}

// Close gives the first error of writing.
func (j *JUnit) Close() error { return j.err }

// Emit notes results; the end of a playbook writes its file.
func (j *JUnit) Emit(_ context.Context, e run.Event) {
	switch e := e.(type) {
	case run.PlaybookStarted:
		base := filepath.Base(e.Path)
		j.playbook = strings.TrimSuffix(base, filepath.Ext(base))
	case run.PlayStarted:
		j.play = e.Name
	case run.TaskStarted:
		j.start(e.Task)
	case run.HostFinished:
		j.finish(&e)
	case run.StatsFinished:
		if err := j.save(); err != nil && j.err == nil {
			j.err = err
		}
	}
}

func (j *JUnit) start(t *run.TaskInfo) *junitTask {
	if known := j.tasks[t.ID]; known != nil {
		return known
	}
	name := strings.TrimSpace(t.Name)
	if args := argText(t.Args, t.FreeForm); args != "" && !j.o.HideArguments {
		name += " " + args
	}
	task := &junitTask{name: j.play + ": " + name, class: j.class(t.Path), setup: isAction(t.Action, "setup") || isAction(t.Action, "gather_facts"), started: j.now()}
	j.tasks[t.ID] = task
	j.order = append(j.order, task)
	return task
}

// argText lists arguments; free is the one that text without a name gives.
func argText(args *value.Dict, free string) string {
	var out []string
	for k, v := range args.All() {
		if t, ok := v.(*value.Template); ok {
			v = t.Text
		}
		if k == free {
			k = "_raw_params"
		}
		out = append(out, text(k)+"="+text(v))
	}
	return strings.Join(out, ", ")
}

func (j *JUnit) class(path string) string {
	if j.o.RelativePath != "" {
		if rel, err := filepath.Rel(j.o.RelativePath, path); err == nil {
			path = rel
		}
	}
	if j.o.TaskClass {
		path = regexp.MustCompile(`\.yml:[0-9]+$`).ReplaceAllString(path, "")
	}
	return path
}

// verdict is ok, failed or skipped, after what settings and the task's name make of it.
func (j *JUnit) verdict(e *run.HostFinished, name string) run.Status {
	status := e.Status
	switch status {
	case run.StatusUnreachable:
		status = run.StatusFailed
	case run.StatusChanged:
		if status = run.StatusOK; j.o.FailOnChange {
			status = run.StatusFailed
		}
	}
	if e.Ignored && !j.o.FailOnIgnore {
		status = run.StatusOK
	}
	switch {
	case status == run.StatusFailed && (strings.Contains(name, "EXPECTED FAILURE") || strings.Contains(name, "TOGGLE RESULT")):
		return run.StatusOK
	case status == run.StatusOK && strings.Contains(name, "TOGGLE RESULT"):
		return run.StatusFailed
	}
	return status
}

func (j *JUnit) finish(e *run.HostFinished) {
	if e.Task.Include && e.Status == run.StatusOK {
		return
	}
	t := j.start(e.Task)
	status := j.verdict(e, t.name)
	if status != run.StatusFailed && !strings.HasPrefix(strings.TrimPrefix(t.name, j.play+": "), j.o.Prefix) {
		return
	}
	took := j.now().Sub(t.started)
	c := junitCase{Class: t.class, Name: "[" + e.Host + "] " + t.name, Time: seconds(took), duration: took}
	dump := flatDump(&e.Outcome, 0, "\n")
	switch status {
	case run.StatusFailed:
		c.Failure = &junitProblem{Message: "rc=" + strings.Replace(rc(&e.Outcome), "-1", "0", 1), Type: "failure", Text: dump}
		if msg, ok := e.Result.Get("msg"); ok {
			c.Failure.Message = text(msg)
		}
	case run.StatusSkipped:
		c.Skipped = "skipped"
		if reason := e.Result.Str("skip_reason"); reason != "" {
			c.Skipped = reason
		}
	default:
		c.SystemOut = dump
	}
	t.cases = append(t.cases, c)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }

// save writes the file of a playbook and forgets its tasks.
func (j *JUnit) save() error {
	suite := junitSuite{Name: j.playbook}
	var total time.Duration
	for _, t := range j.order {
		if t.setup && j.o.HideSetup {
			continue
		}
		for _, c := range t.cases {
			suite.Cases = append(suite.Cases, c)
			total += c.duration
			if c.Failure != nil {
				suite.Failures++
			}
			if c.Skipped != "" {
				suite.Skipped++
			}
		}
	}
	suite.Tests, suite.Time = len(suite.Cases), seconds(total)
	doc, err := xml.MarshalIndent(junitSuites{junitCounts: suite.junitCounts, Suite: suite}, "", "\t")
	if err != nil {
		return fmt.Errorf("make the JUnit file: %w", err)
	}
	j.order, j.tasks = nil, map[int]*junitTask{}
	f, err := os.CreateTemp(j.o.Dir, j.playbook+"-*.xml")
	if err != nil {
		return fmt.Errorf("write the JUnit file: %w", err)
	}
	_, err = f.WriteString(xml.Header + string(doc) + "\n")
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the JUnit file: %w", err)
	}
	return nil
}
