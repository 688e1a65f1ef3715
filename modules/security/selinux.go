package security

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed selinux.go
var selinuxSource string

// SELinux sees to the mode and the policy of SELinux.
var SELinux = modules.Define("selinux", selinuxSource, runSELinux, modules.Aliases("ansible.posix.selinux"))

// SELinuxArgs see to the mode and the policy of SELinux, now and from the next boot on. The host is not rebooted; the result tells when it has to be.
//
//	# On, now and after a restart.
//	- selinux: {policy: targeted, state: enforcing}
type SELinuxArgs struct {
	// State is the mode.
	State selinuxMode `arg:"state" required:"true"`
	// Policy is the policy's name; it must be given unless state is disabled.
	Policy *string `arg:"policy"`
	// UpdateKernelParam also sees to selinux=0 among the kernel's parameters, by grubby.
	UpdateKernelParam bool `arg:"update_kernel_param"`
	// ConfigFile is the file of settings.
	ConfigFile modules.Path `arg:"configfile,alias=conf,alias=file" default:"/etc/selinux/config"`
}

type selinuxMode string

// Choices lists the modes.
func (selinuxMode) Choices() []string { return []string{"disabled", "enforcing", "permissive"} }

// SELinuxResult tells what was changed.
type SELinuxResult struct {
	// Msg tells each change.
	Msg string `json:"msg"`
	// ConfigFile is the file of settings.
	ConfigFile string `json:"configfile"`
	// Policy that is asked for.
	Policy *string `json:"policy"`
	// State that is asked for.
	State string `json:"state"`
	// RebootRequired says that the change takes effect with the next boot only.
	RebootRequired bool `json:"reboot_required"`
}

var selinuxName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// Check wants a policy's name.
func (a SELinuxArgs) Check() error {
	switch {
	case a.State != "disabled" && (a.Policy == nil || *a.Policy == ""):
		return missing("Policy is required if state is not 'disabled'")
	case a.Policy != nil && !selinuxName.MatchString(*a.Policy):
		return &modules.ArgError{Path: []any{"policy"}, Msg: "policy cannot be the name of a policy: " + *a.Policy}
	}
	return nil
}

// selinuxScript: file of settings, policy, yes when the kernel's parameters count.
const selinuxScript = `if [ ! -f "$1" ]; then echo "Unable to find file $1" >&2; exit 1; fi
show config "$1"
show standard /etc/selinux/config
if [ -e /sys/fs/selinux/enforce ]; then say enforce "$(cat /sys/fs/selinux/enforce)"; fi
if [ -z "$2" ] || [ -e "/etc/selinux/$2/policy" ]; then say policy yes; fi
if [ "$3" = yes ]; then
	command -v grubby >/dev/null 2>&1 || { echo "'grubby' command not found on host" >&2; exit 1; }
	say kernels "$(grubby --info=ALL | grep '^args=')"
fi
exit 0
`

// selinuxWrite: file, key, value.
const selinuxWrite = `p=$1
if [ -L "$p" ]; then p=$(readlink -f "$p"); fi
t=$(mktemp "$(dirname -- "$p")/.hostler.XXXXXX") || exit 1
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cp -a -- "$p" "$t" && awk -v key="$2" -v val="$3" 'index($0, key "=") == 1 { print key "=" val; f = 1; next }
{ print } END { if (!f) print key "=" val }' "$p" >"$t" && mv -f -- "$t" "$p"`

// selinuxSeen is what a look told.
type selinuxSeen struct {
	state, policy string // of the file
	runs, loaded  string // now: mode and policy
	hasPolicy     bool
	kernels       []string // the parameters of each
}

func runSELinux(ctx context.Context, h *modules.Host, a SELinuxArgs) (SELinuxResult, error) {
	policy, kernels := "", ""
	if a.Policy != nil {
		policy = *a.Policy
	}
	if a.UpdateKernelParam {
		kernels = "yes"
	}
	before, _, err := modules.Reconcile(ctx, h, modules.Reconciler[selinuxSeen]{
		Probe: selinuxScript, Args: []string{string(a.ConfigFile), policy, kernels}, Lock: "selinux",
		Parse: func(r *modules.Report) (selinuxSeen, error) {
			s := selinuxSeen{
				state: selinuxSetting(r.Text("config"), "SELINUX"), policy: selinuxSetting(r.Text("config"), "SELINUXTYPE"),
				loaded: selinuxSetting(r.Text("standard"), "SELINUXTYPE"), runs: "disabled",
				hasPolicy: r.Has("policy"), kernels: r.Lines("kernels"),
			}
			if r.Has("enforce") {
				s.runs = map[string]string{"1": "enforcing"}[r.Text("enforce")]
				if s.runs == "" {
					s.runs = "permissive"
				}
			}
			return s, nil
		},
		Plan: func(s selinuxSeen) ([]modules.Action, error) {
			if a.Policy != nil && !s.hasPolicy {
				return nil, errors.New("Policy " + *a.Policy + " does not exist in /etc/selinux/")
			}
			actions, _ := a.plan(s)
			return actions, nil
		},
	})
	r := SELinuxResult{ConfigFile: string(a.ConfigFile), Policy: a.Policy, State: string(a.State)}
	if r.Policy == nil && before.policy != "" {
		r.Policy = &before.policy
	}
	if err == nil || errors.Is(err, modules.ErrPlanned) {
		_, msgs := a.plan(before)
		r.Msg = strings.Join(msgs, ", ")
		r.RebootRequired = a.boots(h, before)
	}
	return r, err
}

// selinuxSetting reads KEY=value.
func selinuxSetting(text, key string) string {
	found := ""
	for line := range strings.Lines(text) {
		if val, ok := strings.CutPrefix(line, key+"="); ok {
			found = strings.TrimSpace(val)
		}
	}
	return found
}

// boots reports whether the mode holds from the next boot on only, and warns of it.
func (a SELinuxArgs) boots(h *modules.Host, s selinuxSeen) bool {
	want := string(a.State)
	if want == "disabled" {
		h.Warn("SELinux that is disabled guards no guest from another; permissive mode, seboolean and sefcontext are there for what it refuses")
	}
	switch {
	case want == s.runs:
		return false
	case s.runs == "disabled":
		h.Warn("Reboot is required to set SELinux state to '%s'", want)
	case want == "disabled" && s.runs == "enforcing":
		h.Warn("SELinux state temporarily changed from '%s' to 'permissive'. State change will take effect next reboot.", s.runs)
	case want == "disabled":
		h.Warn("SELinux state change will take effect next reboot")
	default:
		return false
	}
	return true
}

// plan gives what is to be done, and each change in Ansible's words.
func (a SELinuxArgs) plan(s selinuxSeen) (actions []modules.Action, msgs []string) {
	do := func(why, msg string, argv ...string) {
		action := modules.Action{Why: why, Argv: argv}
		if argv[0] == "write" {
			action = modules.Action{Why: why, Script: selinuxWrite, Args: append([]string{string(a.ConfigFile)}, argv[1:]...)}
		}
		actions = append(actions, action)
		if msg != "" {
			msgs = append(msgs, msg)
		}
	}
	want := string(a.State)
	if a.Policy != nil && *a.Policy != s.loaded {
		msgs = append(msgs, fmt.Sprintf("Running SELinux policy changed from '%s' to '%s'", s.loaded, *a.Policy))
	}
	if a.Policy != nil && *a.Policy != s.policy {
		do("set the policy to "+*a.Policy, fmt.Sprintf("SELinux policy configuration in '%s' changed from '%s' to '%s'", a.ConfigFile, s.policy, *a.Policy),
			"write", "SELINUXTYPE", *a.Policy)
	}
	switch {
	case s.runs == "disabled" || s.runs == want || want == "disabled" && s.runs == "permissive":
	case want == "disabled":
		do("set the mode to permissive until the next boot", "", "setenforce", "0")
	default:
		do("set the mode to "+want, fmt.Sprintf("SELinux state changed from '%s' to '%s'", s.runs, want),
			"setenforce", map[string]string{"enforcing": "1", "permissive": "0"}[want])
	}
	if want != s.state {
		do("set the mode of the next boot to "+want, fmt.Sprintf("Config SELinux state changed from '%s' to '%s'", s.state, want), "write", "SELINUX", want)
	}
	if a.UpdateKernelParam {
		if now, option := s.kernel(), map[bool]string{true: "--args", false: "--remove-args"}[want == "disabled"]; now != kernelWord(want) {
			do("set the kernel's parameters", fmt.Sprintf("Kernel SELinux state changed from '%s' to '%s'", now, kernelWord(want)),
				"grubby", "--update-kernel=ALL", option, "selinux=0")
		}
	}
	return actions, msgs
}

func kernelWord(state string) string {
	if state == "disabled" {
		return "disabled"
	}
	return "enabled"
}

// kernel tells what the parameters of all kernels say.
func (s selinuxSeen) kernel() string {
	off := 0
	for _, args := range s.kernels {
		if slices.Contains(strings.Fields(strings.Trim(strings.TrimPrefix(args, "args="), `"`)), "selinux=0") {
			off++
		}
	}
	switch {
	case len(s.kernels) == 0 || off > 0 && off < len(s.kernels):
		return "<inconsistent>"
	case off > 0:
		return "disabled"
	}
	return "enabled"
}
