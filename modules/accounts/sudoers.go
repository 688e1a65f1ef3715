package accounts

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed sudoers.go
var sudoersSource string

// Sudoers sees to one rule of sudo.
var Sudoers = modules.Define("sudoers", sudoersSource, runSudoers, modules.Aliases("community.general.sudoers"), modules.Converges())

// SudoersArgs see to one rule of sudo, which is a file of its own in /etc/sudoers.d, of mode 0440. Visudo looks at the rule before anything
// is written.
//
//	# Whoever sees to the storage may look at it.
//	- sudoers:
//	    name: storage
//	    group: storage
//	    commands: [/usr/sbin/lvs, /usr/sbin/vgs]
type SudoersArgs struct {
	// Name of the rule and of its file.
	Name string `arg:"name" required:"true"`
	// State is whether the rule shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// User whom the rule is for.
	User *string `arg:"user" exclusive:"who"`
	// Group whom the rule is for.
	Group *string `arg:"group" exclusive:"who"`
	// Commands that are allowed; ALL is every one.
	Commands []string `arg:"commands"`
	// NoPassword lets them be run without a password.
	NoPassword bool `arg:"nopassword" default:"true"`
	// SetEnv lets the environment be kept.
	SetEnv bool `arg:"setenv"`
	// NoExec keeps the commands from starting others.
	NoExec bool `arg:"noexec"`
	// Host that the rule holds on.
	Host string `arg:"host" default:"ALL"`
	// RunAs is as whom the commands run.
	RunAs *string `arg:"runas"`
	// SudoersPath is the folder of the rules.
	SudoersPath modules.Path `arg:"sudoers_path" default:"/etc/sudoers.d"`
	// Validation is whether visudo looks at the rule first: where it is there (detect), in any case (required) or not (absent).
	Validation SudoersValidation `arg:"validation" default:"detect"`
}

// SudoersValidation is whether a rule is looked at before it is written.
type SudoersValidation string

// Choices lists the ways.
func (SudoersValidation) Choices() []string { return []string{"absent", "detect", "required"} }

// SudoersResult says nothing more.
type SudoersResult struct{}

// Check refuses what cannot be a rule of one line.
func (a SudoersArgs) Check() error {
	if a.Name == "" || strings.ContainsAny(a.Name, "/\n") || a.Name == "." || a.Name == ".." {
		return &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("name cannot be a file's name in sudoers_path: %q", a.Name)}
	}
	if a.State == modules.Absent {
		return nil
	}
	switch {
	case len(a.Commands) == 0:
		return errors.New("state is present but all of the following are missing: commands")
	case a.User == nil && a.Group == nil:
		return errors.New("state is present but all of the following are missing: user, group")
	case strings.ContainsAny(strings.TrimSuffix(a.rule(), "\n"), "\n\r"):
		return errors.New("a rule is one line: no argument may have a line break")
	}
	return nil
}

// rule is the file's text.
func (a SudoersArgs) rule() string {
	var b strings.Builder
	if a.User != nil {
		b.WriteString(*a.User)
	} else if a.Group != nil {
		b.WriteString("%" + *a.Group)
	}
	b.WriteString(" " + a.Host + "=")
	if a.RunAs != nil {
		b.WriteString("(" + *a.RunAs + ")")
	}
	for _, tag := range []struct {
		on   bool
		text string
	}{{a.NoExec, "NOEXEC:"}, {a.NoPassword, "NOPASSWD:"}, {a.SetEnv, "SETENV:"}} {
		if tag.on {
			b.WriteString(tag.text)
		}
	}
	b.WriteString(" " + strings.Join(a.Commands, ", ") + "\n")
	return b.String()
}

// sudoersScript: folder, name, the rule ("" when it is not to be looked at), whether visudo must be there.
const sudoersScript = modules.ExpandLib + `
__expand "$1"; f=${__v%/}/$2
say file "$f"
[ -d "$__v" ] || say missing "$__v"
if [ -d "$f" ]; then say folder yes; fi
if [ -e "$f" ]; then say mode "$(stat -L -c %a -- "$f")"; show text "$f"; fi
[ -n "$3" ] || exit 0
if command -v visudo >/dev/null 2>&1; then
	said=$(printf '%s' "$3" | visudo -c -f - 2>&1) || say refused "$said"
elif [ -n "$4" ]; then say novisudo yes; fi
exit 0
`

// sudoRule is what a look told.
type sudoRule struct {
	file, mode, text string
	exists           bool
}

func runSudoers(ctx context.Context, h *modules.Host, a SudoersArgs) (SudoersResult, error) {
	check, required := "", ""
	if a.State == modules.Present && a.Validation != "absent" {
		check = a.rule()
	}
	if a.Validation == "required" {
		required = "1"
	}
	if a.State == modules.Present && (strings.Contains(a.Name, ".") || strings.HasSuffix(a.Name, "~")) {
		h.Warn("sudo passes over files with a dot or a ~ at the end in their names: %s", a.Name)
	}
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[sudoRule]{
		Probe: sudoersScript, Args: []string{string(a.SudoersPath), a.Name, check, required}, Lock: "sudoers",
		Parse: func(r *modules.Report) (sudoRule, error) { return a.parse(r, h.Planning()) },
		Plan:  func(s sudoRule) ([]modules.Action, error) { return a.plan(s), nil },
		Want: func(s sudoRule) sudoRule {
			s.text, s.exists = a.rule(), a.State == modules.Present
			return s
		},
		Diff: func(before, after sudoRule) []modules.Diff {
			if !after.exists {
				after.text = ""
			}
			if before.text == after.text {
				return nil
			}
			return []modules.Diff{{Before: before.text, After: after.text, BeforeHeader: before.file, AfterHeader: before.file}}
		},
	})
	return SudoersResult{}, err
}

func (a SudoersArgs) parse(r *modules.Report, planning bool) (sudoRule, error) {
	s := sudoRule{file: r.Text("file"), mode: r.Text("mode")}
	var err error
	switch s.text, s.exists, err = r.ReadText("text", s.file); {
	case r.Has("novisudo"):
		return s, errors.New("Failed to find required executable \"visudo\": validation is required")
	case r.Has("refused"):
		return s, errors.New("Failed to validate sudoers rule:\n" + r.Text("refused"))
	case r.Has("folder"):
		return s, fmt.Errorf("%s is a directory", s.file)
	case r.Has("missing") && a.State == modules.Present && !planning:
		return s, fmt.Errorf("sudoers_path: %s is no directory", r.Text("missing"))
	}
	return s, err
}

func (a SudoersArgs) plan(s sudoRule) []modules.Action {
	file := modules.TextFile{Path: s.file, Text: a.rule(), Mode: "0440"}
	switch {
	case a.State == modules.Absent && !s.exists, a.State == modules.Present && s.exists && s.text == file.Text && s.mode == "440":
		return nil
	case a.State == modules.Absent:
		file.Empty = true
		return []modules.Action{file.Write("remove rule " + path.Base(s.file))}
	}
	return []modules.Action{file.Write("write rule " + s.file)}
}
