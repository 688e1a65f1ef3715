package security

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed sefcontext.go
var sefcontextSource string

// SEFContext sees to what labels SELinux gives files.
var SEFContext = modules.Define("sefcontext", sefcontextSource, runSEFContext, modules.Aliases("community.general.sefcontext"))

// SEFContextArgs see to which files get which label when they are labelled. Files that are there keep theirs until restorecon runs.
//
//	# A folder for images, which restorecon labels then.
//	- sefcontext: {target: '/iso(/.*)?', setype: virt_image_t}
//	- command: restorecon -R /iso
type SEFContextArgs struct {
	// Target is a regular expression for paths; with substitute it is a path.
	Target string `arg:"target,alias=path" required:"true"`
	// FType is the kind of file: a for all, b, c, d, f, l, p, s as find has them.
	FType *fileKind `arg:"ftype"`
	// SEType is the type of the label.
	SEType *string `arg:"setype" exclusive:"what"`
	// Substitute is a path whose rules hold for target too.
	Substitute *string `arg:"substitute,alias=equal" exclusive:"what"`
	// SEUser is the user of the label; system_u for a new rule.
	SEUser *string `arg:"seuser"`
	// SELevel is the level of the label; s0 for a new rule.
	SELevel *string `arg:"selevel,alias=serange"`
	// State is whether the rule shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Reload makes the kernel read the policy anew.
	Reload bool `arg:"reload" default:"true"`
	// IgnoreSELinuxState goes on where SELinux is disabled, as in a chroot.
	IgnoreSELinuxState bool `arg:"ignore_selinux_state"`
}

type fileKind string

// Choices lists the kinds.
func (fileKind) Choices() []string { return []string{"a", "b", "c", "d", "f", "l", "p", "s"} }

// SEFContextResult tells what was asked for.
type SEFContextResult struct {
	// Target of the rule.
	Target string `json:"target"`
	// FType of the rule.
	FType string `json:"ftype"`
	// SEType of the rule.
	SEType *string `json:"setype"`
	// Substitute that was asked for.
	Substitute *string `json:"substitute"`
	// State that was asked for.
	State string `json:"state"`
	// SEUser that the rule has now.
	SEUser *string `json:"seuser,omitempty"`
	// SERange is the level that the rule has now.
	SERange *string `json:"serange,omitempty"`
}

// Check holds the rules over several arguments.
func (a SEFContextArgs) Check() error {
	others := a.FType != nil || a.SEUser != nil || a.SELevel != nil
	switch {
	case strings.HasPrefix(a.Target, "-") || strings.ContainsAny(a.Target, "\n\x00") || a.Target == "":
		return &modules.ArgError{Path: []any{"target"}, Msg: "target cannot be a path: " + a.Target}
	case a.Substitute != nil && others:
		return errors.New("substitute goes with none of ftype, seuser, selevel")
	case a.State == modules.Present && a.SEType == nil && a.Substitute == nil:
		return missing("state is present but any of the following are missing: setype, substitute")
	}
	return nil
}

// sefcontextScript: target. It tells the rules in which that stands, of the policy's own ones too.
const sefcontextScript = `command -v semanage >/dev/null 2>&1 || { echo "the host has no program semanage; it comes with policycoreutils-python-utils" >&2; exit 1; }
[ -e /sys/fs/selinux/enforce ] && say enabled yes
list=$(semanage fcontext -l -n) || exit 1
say rules "$(printf '%s\n' "$list" | grep -F -e "$1")"
`

// semanageRun: arguments of semanage. It talks of users of its policy on standard error although all is well.
const semanageRun = `out=$(semanage "$@" 2>&1) || { printf '%s\n' "$out" >&2; exit 1; }`

// labelRule is a rule that is there; nil parts are not.
type labelRule struct {
	enabled             bool
	there               bool
	user, typ, level    string
	substitute, current string
}

func (a SEFContextArgs) kind() string {
	if a.FType == nil {
		return "a"
	}
	return string(*a.FType)
}

func runSEFContext(ctx context.Context, h *modules.Host, a SEFContextArgs) (SEFContextResult, error) {
	r := SEFContextResult{Target: a.Target, FType: a.kind(), SEType: a.SEType, Substitute: a.Substitute, State: string(a.State)}
	before, _, err := modules.Reconcile(ctx, h, modules.Reconciler[labelRule]{
		Probe: sefcontextScript, Args: []string{a.Target}, Parse: a.parse, Lock: "selinux",
		Plan: func(s labelRule) ([]modules.Action, error) { return a.plan(s), nil },
		Want: func(s labelRule) labelRule { return a.want(s) },
		Diff: a.diff,
	})
	if a.State == modules.Present && a.Substitute == nil && (err == nil || errors.Is(err, modules.ErrPlanned)) {
		after := a.want(before)
		r.SEUser, r.SERange = &after.user, &after.level
	}
	return r, err
}

func (a SEFContextArgs) parse(r *modules.Report) (labelRule, error) {
	kinds := map[string]string{
		"a": "all files", "b": "block device", "c": "character device", "d": "directory",
		"f": "regular file", "l": "symbolic link", "p": "named pipe", "s": "socket",
	}
	s := labelRule{enabled: r.Has("enabled")}
	if !s.enabled && !a.IgnoreSELinuxState {
		return s, errors.New("SELinux is disabled on this host.")
	}
	for _, line := range r.Lines("rules") {
		rest, ok := strings.CutPrefix(line, a.Target+" ")
		if !ok {
			continue
		}
		rest = strings.TrimSpace(rest)
		if sub, ok := strings.CutPrefix(rest, "= "); ok {
			s.substitute = sub
			continue
		}
		context, ok := strings.CutPrefix(rest, kinds[a.kind()])
		if !ok {
			continue
		}
		s.current = strings.TrimSpace(context)
		s.there = true
		if parts := strings.SplitN(s.current, ":", 4); len(parts) == 4 {
			s.user, s.typ, s.level = parts[0], parts[2], parts[3]
		}
	}
	return s, nil
}

// want gives the rule as it shall be.
func (a SEFContextArgs) want(s labelRule) labelRule {
	switch {
	case a.State == modules.Absent && a.Substitute == nil && a.SEType == nil:
		return labelRule{enabled: s.enabled}
	case a.State == modules.Absent && a.Substitute == nil:
		s.there, s.current = false, ""
	case a.State == modules.Absent && s.substitute == *a.Substitute:
		s.substitute = ""
	case a.State == modules.Absent:
	case a.Substitute != nil:
		s.substitute = *a.Substitute
	default:
		if s.user == "" {
			s.user, s.level = "system_u", "s0"
		}
		if a.SEUser != nil {
			s.user = *a.SEUser
		}
		if a.SELevel != nil {
			s.level = *a.SELevel
		}
		s.there, s.typ = true, *a.SEType
		s.current = fmt.Sprintf("%s:object_r:%s:%s", s.user, s.typ, s.level)
	}
	return s
}

func (a SEFContextArgs) plan(s labelRule) []modules.Action {
	var actions []modules.Action
	do := func(why, verb string, words ...string) {
		args := []string{"fcontext", verb}
		if !a.Reload {
			args = append(args, "-N")
		}
		actions = append(actions, modules.Action{Why: why, Script: semanageRun, Args: append(append(args, words...), a.Target)})
	}
	verb := func(there bool) string { return map[bool]string{true: "-m", false: "-a"}[there] }
	switch want := a.want(s); {
	case want.there && want != s && want.current != s.current:
		do("label "+a.Target+" "+want.current, verb(s.there), "-f", a.kind(), "-t", want.typ, "-r", want.level, "-s", want.user)
	case want.substitute != "" && want.substitute != s.substitute:
		do("label "+a.Target+" as "+want.substitute, verb(s.substitute != ""), "-e", want.substitute)
	default:
		if s.there && !want.there {
			do("forget the label of "+a.Target, "-d", "-f", a.kind())
		}
		if s.substitute != "" && want.substitute == "" {
			do("forget that "+a.Target+" is as "+s.substitute, "-d", "-e", s.substitute)
		}
	}
	return actions
}

func (a SEFContextArgs) diff(before, after labelRule) []modules.Diff {
	text := func(s labelRule) string {
		out := ""
		if s.there {
			out += fmt.Sprintf("%s      %s      %s\n", a.Target, a.kind(), s.current)
		}
		if s.substitute != "" {
			out += a.Target + " = " + s.substitute + "\n"
		}
		return out
	}
	if text(before) == text(after) {
		return nil
	}
	return []modules.Diff{{Before: text(before), After: text(after), BeforeHeader: "labels of files", AfterHeader: "labels of files"}}
}
