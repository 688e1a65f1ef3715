package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed pam_limits.go
var pamLimitsSource string

// PamLimits sees to one limit of those that pam_limits sets at login.
var PamLimits = modules.Define("pam_limits", pamLimitsSource, runPamLimits,
	modules.Aliases("community.general.pam_limits"), modules.Converges())

// PamLimitsArgs see to one entry of limits.conf(5), which holds for whoever logs in from then on.
//
//	# Guests may lock all of their memory.
//	- pam_limits:
//	    domain: '@libvirt'
//	    limit_type: '-'
//	    limit_item: memlock
//	    value: unlimited
type PamLimitsArgs struct {
	// Domain is a user, a @group, a range of numbers, * or %.
	Domain string `arg:"domain" required:"true"`
	// LimitType is whether users may raise the limit up to the hard one (soft), or not (hard); - is both.
	LimitType limitType `arg:"limit_type" required:"true"`
	// LimitItem is what is limited.
	LimitItem limitItem `arg:"limit_item" required:"true"`
	// Value of the limit: a number, for nice and priority from -20 to 19, or unlimited, infinity or -1.
	Value string `arg:"value" required:"true"`
	// UseMax keeps the larger one of value and what the file has.
	UseMax bool `arg:"use_max"`
	// UseMin keeps the smaller one.
	UseMin bool `arg:"use_min"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// Dest is the file.
	Dest modules.Path `arg:"dest" default:"/etc/security/limits.conf"`
	// Comment stands behind the entry.
	Comment string `arg:"comment"`
}

type limitType string

// Choices lists the types.
func (limitType) Choices() []string { return []string{"hard", "soft", "-"} }

type limitItem string

// Choices lists what can be limited.
func (limitItem) Choices() []string {
	return []string{
		"core", "data", "fsize", "memlock", "nofile", "rss", "stack", "cpu", "nproc", "as", "maxlogins", "maxsyslogins", "priority",
		"locks", "sigpending", "msgqueue", "nice", "rtprio", "chroot",
	}
}

// PamLimitsResult is what became of the entry.
type PamLimitsResult struct {
	// Msg is the entry's line.
	Msg string `json:"msg"`
	// Backup is the copy of the old file.
	Backup string `json:"backup_file,omitempty"`
}

// Check refuses what cannot be an entry.
func (a PamLimitsArgs) Check() error {
	switch {
	case a.Domain == "" || strings.ContainsAny(a.Domain, " \t\r\n") || a.Domain[0] == '#':
		return &modules.ArgError{
			Path: []any{"domain"}, Msg: fmt.Sprintf("domain cannot be one of limits.conf: %q", a.Domain), Hint: "it is a user, @group, %group, *, or a range of numbers such as 1000:",
		}
	case strings.ContainsAny(a.Comment, "\r\n"):
		return &modules.ArgError{Path: []any{"comment"}, Msg: "comment must be one line"}
	case a.UseMax && a.UseMin:
		return errors.New("Cannot use use_min and use_max at the same time.")
	}
	return checkLimit("", string(a.LimitItem), a.Value)
}

// ranked are the items that are numbers from -20 to 19.
func ranked(item string) bool { return item == "nice" || item == "priority" }

func unlimited(text string) bool { return text == "unlimited" || text == "infinity" || text == "-1" }

// checkLimit refuses a value that the item cannot have; where is said first.
func checkLimit(where, item, text string) error {
	n, err := strconv.Atoi(text)
	switch {
	case ranked(item) && (err != nil || n < -20 || n > 19):
		return fmt.Errorf("%s Value of '%s' for item '%s' is invalid. Value must be a number in the range -20 to 19 inclusive. "+
			"Refer to the limits.conf(5) manual pages for more details.", where, text, item)
	case !ranked(item) && !unlimited(text) && (text == "" || strings.Trim(text, "0123456789") != ""):
		return fmt.Errorf("%s Value of '%s' for item '%s' is invalid. Value must either be 'unlimited', 'infinity' or -1, all of "+
			"which indicate no limit, or a limit of 0 or larger. Refer to the limits.conf(5) manual pages for more details.", where, text, item)
	}
	return nil
}

// pamLimitsScript: file.
const pamLimitsScript = modules.ExpandLib + `
__expand "$1"; say file "$__v"
if [ -d "$__v" ]; then say folder yes; fi
case $__v in */*) d=${__v%/*} ;; *) d=. ;; esac
[ -d "${d:-/}" ] || say missing "$d"
if [ -e "$__v" ]; then show text "$__v"; fi
exit 0
`

// limitsFile is what a look told.
type limitsFile struct {
	file, text string
	exists     bool
}

func runPamLimits(ctx context.Context, h *modules.Host, a PamLimitsArgs) (PamLimitsResult, error) {
	var res PamLimitsResult
	backup := ""
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[limitsFile]{
		Probe: pamLimitsScript, Args: []string{string(a.Dest)}, Lock: "limits",
		Parse: func(r *modules.Report) (limitsFile, error) { return a.parse(r, h.Planning()) },
		Plan: func(f limitsFile) ([]modules.Action, error) {
			text, err := a.edit(f, nil)
			if err != nil || text == f.text && f.exists {
				return nil, err
			}
			if a.Backup && f.exists && backup == "" {
				backup = modules.BackupName(f.file)
			}
			return []modules.Action{modules.TextFile{Path: f.file, Text: text, Backup: backup}.Write(
				fmt.Sprintf("limit %s of %s in %s", a.LimitItem, a.Domain, f.file))}, nil
		},
		Want: func(f limitsFile) limitsFile {
			if text, err := a.edit(f, nil); err == nil {
				f.text, f.exists = text, true
			}
			return f
		},
		Diff: func(before, after limitsFile) []modules.Diff {
			return []modules.Diff{{Before: before.text, After: after.text, BeforeHeader: before.file, AfterHeader: before.file}}
		},
	})
	if modules.IgnorePlanned(err) != nil {
		return res, err
	}
	if err == nil {
		res.Backup = backup
	}
	_, bad := a.edit(after, &res.Msg)
	return res, errors.Join(err, bad)
}

func (a PamLimitsArgs) parse(r *modules.Report, planning bool) (limitsFile, error) {
	f := limitsFile{file: r.Text("file")}
	var err error
	switch f.text, f.exists, err = r.ReadText("text", f.file); {
	case r.Has("folder"):
		return f, fmt.Errorf("%s is a directory", f.file)
	case r.Has("missing") && !planning:
		return f, fmt.Errorf("directory %s is not writable (check presence, access rights, use sudo)", path.Dir(f.file))
	}
	return f, err
}

// edit gives the file's new text; said, when set, gets the entry's line. Every entry that there is must be one that could be.
func (a PamLimitsArgs) edit(f limitsFile, said *string) (string, error) {
	lines := strings.SplitAfter(f.text, "\n")
	found := false
	for i, line := range lines {
		entry, note, commented := strings.Cut(line, "#")
		words := strings.Fields(entry)
		if len(words) != 4 {
			continue
		}
		if err := checkLimit("Invalid configuration found in '"+f.file+"'.", words[2], words[3]); err != nil {
			return f.text, err
		}
		if !slices.Equal(words[:3], []string{a.Domain, string(a.LimitType), string(a.LimitItem)}) {
			continue
		}
		found = true
		if limit := a.decide(words[3]); limit != words[3] {
			if a.Comment != "" || !commented {
				note = a.Comment
			}
			lines[i] = a.line(limit, strings.TrimRight(note, "\r\n"))
		}
		if said != nil {
			*said = lines[i]
		}
	}
	text := strings.Join(lines, "")
	if found {
		return text, nil
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	line := a.line(a.Value, a.Comment)
	if said != nil {
		*said = line
	}
	return text + line, nil
}

// line is the entry with a value and a comment.
func (a PamLimitsArgs) line(limit, note string) string {
	if note != "" {
		note = "\t#" + note
	}
	return strings.Join([]string{a.Domain, string(a.LimitType), string(a.LimitItem), limit}, "\t") + note + "\n"
}

// decide gives the value that an entry is to have.
func (a PamLimitsArgs) decide(now string) string {
	free := func(text string) bool { return !ranked(string(a.LimitItem)) && unlimited(text) }
	switch {
	case !a.UseMax && !a.UseMin:
		return a.Value
	case free(now) && free(a.Value):
		return now
	case free(now) != free(a.Value):
		if free(now) == a.UseMax {
			return now
		}
		return a.Value
	}
	old, err1 := strconv.ParseUint(now, 10, 64)
	next, err2 := strconv.ParseUint(a.Value, 10, 64)
	larger := old > next
	if err1 != nil || err2 != nil { // what may be below 0
		low, err1 := strconv.Atoi(now)
		high, err2 := strconv.Atoi(a.Value)
		if err1 != nil || err2 != nil {
			return a.Value
		}
		larger = low > high
	}
	if larger == a.UseMax {
		return now
	}
	return a.Value
}
