package cmd

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/report"
	"github.com/hostlerhq/hostler/run"
)

// stdoutForms are the callbacks that stdout_callback may name, and those that callbacks_enabled may.
func stdoutForms() []string {
	return []string{"default", "yaml", "minimal", "oneline", "json", "debug"}
}

func addedForms() []string { return []string{"timer", "profile_tasks", "junit", "github"} }

// shortCallback takes the collection off a callback's name.
func shortCallback(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// sink makes all that a play is told to: the screen's form, the callbacks that are enabled, the file of log_path.
func (o *playOptions) sink(s Streams) (run.Sink, error) {
	if o.output == "jsonl" {
		return report.NewJSONLines(s.Out), nil
	}
	ro := o.reportOptions(s)
	first, err := stdoutForm(s)
	if err != nil {
		return nil, err
	}
	more, err := enabledForms(s, o.github)
	if err != nil {
		return nil, err
	}
	screen := live(s, ro, func(o report.Options) run.Sink {
		sinks := []run.Sink{first(o)}
		for _, f := range more {
			sinks = append(sinks, f(o))
		}
		return report.Tee(sinks...)
	})
	path := s.conf.Path(config.LogPath)
	if path == "" {
		return screen, nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log_path: %w", err)
	}
	ro.Out, ro.Err, ro.Color, ro.Width = file, file, false, 0
	return report.Tee(screen, logFile{first(ro), file}), nil
}

// form makes a sink that prints.
type form func(report.Options) run.Sink

// logFile is a sink that writes to a file of its own.
type logFile struct {
	run.Sink
	file io.Closer
}

// Close ends the sink, then the file.
func (l logFile) Close() error {
	err := l.Sink.Close()
	if e := l.file.Close(); err == nil && e != nil {
		err = fmt.Errorf("close log_path: %w", e)
	}
	return err
}

// stdoutForm finds what prints results.
func stdoutForm(s Streams) (form, error) {
	c := s.conf
	name := shortCallback(c.Text(config.StdoutCallback))
	text := func(o report.Options) run.Sink { return report.NewText(o) }
	switch name {
	case "default", "debug":
		if c.Text(config.ResultFormat) == "yaml" {
			return func(o report.Options) run.Sink { o.PlainYAML = true; return text(o) }, nil
		}
		return text, nil
	case "yaml":
		return func(o report.Options) run.Sink { o.YAML = true; return text(o) }, nil
	case "minimal", "oneline":
		return func(o report.Options) run.Sink { return report.NewAdHoc(o, name == "oneline") }, nil
	case "json":
		return func(o report.Options) run.Sink { return report.NewJSONForm(o, c.Int(config.JSONIndent)) }, nil
	}
	return nil, unknownCallback(c.Value(config.StdoutCallback), config.StdoutCallback, name, stdoutForms())
}

func unknownCallback(v config.Value, setting config.Name, name string, known []string) error {
	err := diag.Errorf(v.Pos, "setting %s (%s) cannot be %q", setting, v.Origin, name)
	if near := diag.Near(name, known); near != "" {
		return diag.List{err.WithHint("did you mean %q?", near)}
	}
	return diag.List{err.WithHint("it is one of %s; callbacks in Python cannot run here", strings.Join(known, ", "))}
}

// enabledForms are the further callbacks.
func enabledForms(s Streams, github bool) ([]form, error) {
	var out []form
	for _, name := range s.conf.List(config.CallbacksEnabled) {
		switch short := shortCallback(name); short {
		case "timer":
			out = append(out, func(o report.Options) run.Sink { return report.NewTimer(o) })
		case "profile_tasks":
			limit, err := strconv.Atoi(s.conf.Text(config.ProfileTasksLimit))
			if err != nil {
				limit = 0 // all
			}
			order := s.conf.Text(config.ProfileTasksSort)
			out = append(out, func(o report.Options) run.Sink { return report.NewProfileTasks(o, limit, order) })
		case "junit":
			j, err := report.NewJUnit(junitOptions(s))
			if err != nil {
				return nil, err
			}
			out = append(out, func(report.Options) run.Sink { return j })
		case "github":
			github = true
		default:
			return nil, unknownCallback(s.conf.Value(config.CallbacksEnabled), config.CallbacksEnabled, name, addedForms())
		}
	}
	if github {
		out = append(out, func(o report.Options) run.Sink { return report.NewGitHub(o) })
	}
	return out, nil
}

// junitOptions reads the variables of Ansible's junit callback.
func junitOptions(s Streams) report.JUnitOptions {
	on := func(name string, fallback bool) bool {
		b, err := modules.Bool(s.Env(name))
		if err != nil {
			return fallback
		}
		return b
	}
	return report.JUnitOptions{
		Dir: orDefault(s.Env("JUNIT_OUTPUT_DIR"), expandHome("~/.ansible.log")), TaskClass: on("JUNIT_TASK_CLASS", false),
		RelativePath: s.Env("JUNIT_TASK_RELATIVE_PATH"), FailOnChange: on("JUNIT_FAIL_ON_CHANGE", false), FailOnIgnore: on("JUNIT_FAIL_ON_IGNORE", false),
		HideSetup: !on("JUNIT_INCLUDE_SETUP_TASKS_IN_REPORT", true), HideArguments: on("JUNIT_HIDE_TASK_ARGUMENTS", false),
		Prefix: s.Env("JUNIT_TEST_CASE_PREFIX"),
	}
}
