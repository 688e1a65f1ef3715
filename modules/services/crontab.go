package services

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// edit gives the crontab's text as it is to be; the same when there is nothing to do but for a newline that is missing at the end.
func (a CronArgs) edit(c crontab) (string, error) {
	lines, changed := slices.Clone(c.lines), false
	var err error
	switch {
	case a.Env:
		lines, changed, err = a.editVariable(lines)
	case a.State == modules.Absent:
		if line, _ := a.find(lines, ""); line >= 0 {
			lines, changed = a.replace(lines, ""), true
		}
	default:
		lines, changed = a.editJob(lines)
	}
	if err != nil {
		return c.text, err
	}
	if !changed && (c.text == "" || strings.HasSuffix(c.text, "\n") || strings.HasSuffix(c.text, "\r")) {
		return c.text, nil
	}
	text := strings.TrimRight(strings.Join(lines, "\n"), "\r\n")
	if text != "" {
		text += "\n"
	}
	return text, nil
}

// line is the job's line.
func (a CronArgs) line() string {
	job := strings.Trim(*a.Job, "\r\n")
	when := strings.Join([]string{a.Minute, a.Hour, a.Day, a.Month, a.Weekday}, " ")
	if a.SpecialTime != "" {
		when = "@" + string(a.SpecialTime)
	}
	if a.Disabled {
		when = "#" + when
	}
	if a.CronFile != nil {
		return when + " " + *a.User + " " + job
	}
	return when + " " + job
}

// find gives the line under the comment with the job's name, or else one that is the job itself and has no name; unnamed says so.
func (a CronArgs) find(lines []string, job string) (at int, unnamed bool) {
	for i := 1; i < len(lines); i++ {
		if lines[i-1] == jobMark+a.Name {
			return i, false
		}
	}
	if job == "" {
		return -1, false
	}
	for i, line := range lines {
		if line != job {
			continue
		}
		if i == 0 || !strings.HasPrefix(lines[i-1], jobMark) || lines[i-1] == jobMark+"None" {
			return i, true
		}
	}
	return -1, false
}

func (a CronArgs) editJob(lines []string) ([]string, bool) {
	job := a.line()
	at, unnamed := a.find(lines, job)
	switch {
	case at < 0:
		return append(lines, jobMark+a.Name, job), true
	case unnamed && at > 0 && lines[at-1] == jobMark+"None":
		lines[at-1] = jobMark + a.Name
		return lines, true
	case unnamed:
		return slices.Insert(lines, at, jobMark+a.Name), true
	case lines[at] != job:
		return a.replace(lines, job), true
	}
	return lines, false
}

// replace puts a job in the place of every line under the comment with its name; "" removes both.
func (a CronArgs) replace(lines []string, job string) []string {
	var kept []string
	for i := 0; i < len(lines); i++ {
		if lines[i] != jobMark+a.Name {
			kept = append(kept, lines[i])
			continue
		}
		i++ // the job itself
		if job != "" && i < len(lines) {
			kept = append(kept, jobMark+a.Name, job)
		}
	}
	return kept
}

// variable gives the line that sets a variable, -1 when none does.
func variable(lines []string, name string) int {
	return slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+"=") })
}

func (a CronArgs) editVariable(lines []string) ([]string, bool, error) {
	at := variable(lines, a.Name)
	if a.State == modules.Absent {
		kept := slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, a.Name+"=") })
		return kept, at >= 0, nil
	}
	want := fmt.Sprintf("%s=\"%s\"", a.Name, *a.Job)
	if at >= 0 {
		changed := lines[at] != want
		for i, line := range lines {
			if changed && strings.HasPrefix(line, a.Name+"=") {
				lines[i] = want
			}
		}
		return lines, changed, nil
	}
	other, offset := a.InsertBefore, 0
	if a.InsertAfter != nil {
		other, offset = a.InsertAfter, 1
	}
	if other == nil {
		return slices.Insert(lines, 0, want), true, nil
	}
	next := variable(lines, *other)
	if next < 0 {
		return nil, false, &failure{msg: fmt.Sprintf("Variable named '%s' not found.", *other)}
	}
	return slices.Insert(lines, next+offset, want), true, nil
}
