package services

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed cron.go
var cronSource string

// Cron sees to one job or variable of a crontab.
var Cron = modules.Define("cron", cronSource, runCron,
	modules.Aliases("ansible.builtin.cron", "ansible.legacy.cron"), modules.Converges())

// CronArgs see to one job of a user's crontab or of a file in /etc/cron.d, which is known by a comment with its name above it, or to one
// variable there.
//
//	# Read all blocks of a pool once a week.
//	- cron:
//	    name: scrub
//	    special_time: weekly
//	    job: zpool scrub tank
type CronArgs struct {
	// Name of the job, in the comment above it, or of the variable.
	Name string `arg:"name" required:"true"`
	// State is whether the job or variable shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Job is the command, or the variable's value.
	Job *string `arg:"job,alias=value"`
	// User whose crontab it is, or as whom the job of a cron_file runs.
	User *string `arg:"user"`
	// CronFile is a file in /etc/cron.d, or any with a path, in place of a user's crontab.
	CronFile *modules.Path `arg:"cron_file"`
	// Minute is when the job runs (0-59, *, */2, 1-5, 1,4).
	Minute string `arg:"minute" default:"*"`
	// Hour is when the job runs (0-23).
	Hour string `arg:"hour" default:"*"`
	// Day is when the job runs (1-31).
	Day string `arg:"day,alias=dom" default:"*"`
	// Month is when the job runs (1-12, JAN-DEC).
	Month string `arg:"month" default:"*"`
	// Weekday is when the job runs (0-7, SUN-SAT; 0 and 7 are Sunday).
	Weekday string `arg:"weekday,alias=dow" default:"*"`
	// SpecialTime is a time with a name, in place of the others.
	SpecialTime SpecialTime `arg:"special_time"`
	// Disabled comments the job out.
	Disabled bool `arg:"disabled"`
	// Env means a variable and no job.
	Env bool `arg:"env"`
	// InsertAfter is the variable behind which a new one goes.
	InsertAfter *string `arg:"insertafter" exclusive:"where"`
	// InsertBefore is the variable before which a new one goes; without either it is the first line.
	InsertBefore *string `arg:"insertbefore" exclusive:"where"`
	// Backup keeps the old crontab in a file in /tmp.
	Backup bool `arg:"backup"`
}

// SpecialTime is a time with a name.
type SpecialTime string

// Choices lists the times.
func (SpecialTime) Choices() []string {
	return []string{"reboot", "yearly", "annually", "monthly", "weekly", "daily", "hourly"}
}

// CronResult tells of the crontab.
type CronResult struct {
	// Jobs are the names of all jobs in it that have one.
	Jobs []string `json:"jobs"`
	// Envs are the variables in it.
	Envs []string `json:"envs"`
	// CronFile is the file that was asked for.
	CronFile string `json:"cron_file,omitempty"`
	// Backup is the copy of the old crontab.
	Backup string `json:"backup_file,omitempty"`
}

const (
	jobMark  = "#Ansible: "
	monthDay = `(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`
	weekDay  = `(?i:mon|tue|wed|thu|fri|sat|sun)`
)

// field is what cron(5) takes for a time: lists of ranges with steps, also the random ones (~) that cronie has.
func field(name, text, word string) error {
	one := `(\d+|` + word + `)`
	item := `(\*|` + one + `([-~]` + one + `)?|` + one + `?~` + one + `?)(/\d+)?`
	if regexp.MustCompile(`^` + item + `(,` + item + `)*$`).MatchString(text) {
		return nil
	}
	return &modules.ArgError{Path: []any{name}, Msg: fmt.Sprintf("argument %q is no time that cron knows: %q", name, text)}
}

var number = regexp.MustCompile(`\d+`)

// inRange looks whether a field's numbers, but for steps, are among those that it may have.
func inRange(name, text string, low, high int) error {
	for item := range strings.SplitSeq(text, ",") {
		item, _, _ = strings.Cut(item, "/")
		for _, digits := range number.FindAllString(item, -1) {
			n := 0
			if _, err := fmt.Sscan(strings.TrimLeft(digits[:len(digits)-1], "0")+digits[len(digits)-1:], &n); err != nil || n < low || n > high {
				return &modules.ArgError{Path: []any{name}, Msg: fmt.Sprintf("argument %q must be %d to %d, not %s", name, low, high, digits)}
			}
		}
	}
	return nil
}

// Check holds the rules over several arguments, and refuses times that cron could not read.
func (a CronArgs) Check() error {
	times := a.Minute != "*" || a.Hour != "*" || a.Day != "*" || a.Month != "*" || a.Weekday != "*"
	switch {
	case a.CronFile != nil && string(*a.CronFile) == "/etc/crontab":
		return errors.New("Will not manage /etc/crontab via cron_file, see documentation.")
	case a.SpecialTime != "" && times:
		return errors.New("You must specify time and date fields or special time.")
	case strings.ContainsAny(a.Name, "\r\n"):
		return &modules.ArgError{Path: []any{"name"}, Msg: "a name is one line"}
	case a.Env && (strings.ContainsAny(a.Name, " =") || a.Name == ""):
		return errors.New("Invalid name for environment variable")
	case a.State == modules.Absent:
		return nil
	case a.CronFile != nil && a.User == nil:
		return errors.New("To use cron_file=... parameter you must specify user=... as well")
	case a.Job == nil:
		return errors.New("You must specify 'job' to install a new cron job or variable")
	case (a.InsertAfter != nil || a.InsertBefore != nil) && !a.Env:
		return errors.New("Insertafter and insertbefore parameters are valid only with env=yes")
	case strings.ContainsAny(strings.Trim(*a.Job, "\r\n"), "\r\n"):
		return &modules.ArgError{Path: []any{"job"}, Msg: "Job should not contain line breaks", Hint: "a crontab has one line for a job; put the rest into a script"}
	}
	for _, f := range []struct {
		name, text, word string
		low, high        int
	}{
		{"minute", a.Minute, `\d+`, 0, 59},
		{"hour", a.Hour, `\d+`, 0, 23},
		{"day", a.Day, `\d+`, 1, 31},
		{"month", a.Month, monthDay, 1, 12},
		{"weekday", a.Weekday, weekDay, 0, 7},
	} {
		if err := errors.Join(field(f.name, f.text, f.word), inRange(f.name, f.text, f.low, f.high)); err != nil {
			return err
		}
	}
	return nil
}

// cronScript: user, file. What crontab -l prints ends with an x and its status, for a newline at the end counts.
const cronScript = modules.ExpandLib + "\n" + `user=$1 file=$2
if [ -n "$file" ]; then
	__expand "$file"; file=$__v
	case $file in /*) ;; *) file=/etc/cron.d/$file ;; esac
	say file "$file"
	if [ -d "$file" ]; then say folder yes; fi
	if [ -e "$file" ]; then show text "$file"; fi
	exit 0
fi
command -v crontab >/dev/null 2>&1 || { say missing yes; exit 0; }
set --
if [ -n "$user" ] && [ "$user" != "$(id -un)" ]; then set -- -u "$user"; fi
say crontab "$(crontab "$@" -l 2>/dev/null; printf 'x%s' $?)"
say error "$(crontab "$@" -l 2>&1 >/dev/null)"
`

// crontab is what a look told.
type crontab struct {
	file   string // "" for a user's
	exists bool
	text   string
	lines  []string
}

var cronHeader = regexp.MustCompile(`^(# DO NOT EDIT THIS FILE - edit the master and reinstall.|# \(/tmp/.*installed on.*\)|# \(.*version.*\))`)

func (a CronArgs) parse(r *modules.Report) (crontab, error) {
	c := crontab{file: r.Text("file"), exists: r.Has("text"), text: string(r.Bytes("text"))}
	switch {
	case r.Has("missing"):
		return c, errors.New("the host has no program crontab: install cron first")
	case r.Has("folder"):
		return c, fmt.Errorf("cron_file: %s is a directory", c.file)
	case c.file != "" && c.exists && r.Status("text") != 0:
		return c, fmt.Errorf("read %s: permission denied", c.file)
	case c.file == "":
		said := string(r.Bytes("crontab"))
		at := max(strings.LastIndexByte(said, 'x'), 0)
		c.text, c.exists = said[:at], true
		status := strings.TrimSpace(strings.TrimPrefix(said[at:], "x"))
		if failed := r.Text("error"); status != "0" && (status != "1" || strings.Contains(failed, "unknown") || strings.Contains(failed, "must be privileged")) {
			return c, &failure{msg: "Unable to read crontab: " + failed}
		}
	}
	for i, line := range modules.SplitLines(c.text) {
		if i <= 2 && c.file == "" && cronHeader.MatchString(line) {
			c.text = strings.Replace(c.text, line+"\n", "", 1)
			continue
		}
		c.lines = append(c.lines, line)
	}
	return c, nil
}

// crontabWrite: user, backup; the content comes by standard input.
const crontabWrite = `user=$1 backup=$2
set --
if [ -n "$user" ] && [ "$user" != "$(id -un)" ]; then set -- -u "$user"; fi
[ -z "$backup" ] || (umask 077; set -C; crontab "$@" -l 2>/dev/null >"$backup" || [ -e "$backup" ]) || exit 1
crontab "$@" -`

func runCron(ctx context.Context, h *modules.Host, a CronArgs) (CronResult, error) {
	user, file, backup := "", "", ""
	if a.User != nil {
		user = *a.User
	}
	if a.CronFile != nil {
		file = string(*a.CronFile)
		if name := path.Base(file); strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			h.Warn("Filename portion of cron_file (\"%s\") should consist solely of upper- and lower-case letters, digits, underscores, and hyphens", name)
		}
	}
	if a.Backup {
		backup = "/tmp/crontab" + strings.ToLower(rand.Text()[:8])
	}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[crontab]{
		Probe: cronScript, Args: []string{user, file}, Lock: "cron", Parse: a.parse,
		Plan: func(c crontab) ([]modules.Action, error) {
			want, err := a.edit(c)
			if err != nil || want == c.text && !a.emptied(c, want) {
				return nil, err
			}
			return []modules.Action{a.write(c, want, user, backup)}, nil
		},
		Want: func(c crontab) crontab {
			if text, err := a.edit(c); err == nil {
				c.text, c.lines = text, modules.SplitLines(text)
			}
			return c
		},
		Diff: func(before, after crontab) []modules.Diff { return a.diff(before, after) },
	})
	res := CronResult{CronFile: file, Jobs: []string{}, Envs: []string{}}
	if modules.IgnorePlanned(err) != nil {
		return res, explainCron(err)
	}
	if err == nil && before.text != after.text {
		res.Backup = backup
	}
	for _, line := range after.lines {
		if name, ok := strings.CutPrefix(line, jobMark); ok {
			res.Jobs = append(res.Jobs, name)
		}
		if name, _, ok := strings.Cut(line, "="); ok && name != "" && !strings.ContainsAny(name, " \t") {
			res.Envs = append(res.Envs, name)
		}
	}
	return res, err
}

// explainCron gives a refused crontab the message that crontab wrote.
func explainCron(err error) error {
	one, ok := errors.AsType[*modules.ActionError](err)
	if !ok {
		return err
	}
	if text := strings.TrimSpace(modules.Clean(one.Stderr)); text != "" {
		return &failure{text, err}
	}
	return err
}

// emptied: a file without anything left in it goes away with its last job.
func (a CronArgs) emptied(c crontab, want string) bool {
	return c.file != "" && c.exists && a.State == modules.Absent && !a.Env && want == "" && c.text == ""
}

func (a CronArgs) write(c crontab, want, user, backup string) modules.Action {
	what := "job " + a.Name
	if a.Env {
		what = "variable " + a.Name
	}
	why := "set " + what
	if a.State == modules.Absent {
		why = "remove " + what
	}
	switch {
	case c.file == "":
		return modules.Action{Why: why + " in the crontab", Script: crontabWrite, Args: []string{user, backup}, Stdin: []byte(want)}
	case a.State == modules.Absent && !a.Env && strings.TrimSpace(want) == "":
		return modules.TextFile{Path: c.file, Backup: backup, Empty: true}.Write(why + " and with it " + c.file)
	}
	return modules.TextFile{Path: c.file, Text: want, Backup: backup}.Write(why + " in " + c.file)
}

func (a CronArgs) diff(before, after crontab) []modules.Diff {
	d := modules.Diff{Before: before.text, After: after.text, BeforeHeader: "crontab", AfterHeader: "crontab"}
	switch {
	case before.file != "":
		d.BeforeHeader, d.AfterHeader = before.file, before.file
		if after.text == "" {
			d.AfterHeader = "/dev/null"
		}
	case a.User != nil:
		d.BeforeHeader = fmt.Sprintf("crontab for user %q", *a.User)
		d.AfterHeader = d.BeforeHeader
	}
	return []modules.Diff{d}
}
