package security

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed apparmor.go
var apparmorSource string

// AppArmor sees to the mode of a profile of AppArmor and to the rules that are added to it.
var AppArmor = modules.Define("apparmor", apparmorSource, runAppArmor)

// AppArmorArgs see to a profile in /etc/apparmor.d: its mode, and the rules in local/ which are added to it. Rules are checked by apparmor_parser
// together with the profile before anything is written. The kernel gets what was changed at once.
//
//	# Let libvirt read images of a folder.
//	- apparmor:
//	    profile: usr.sbin.libvirtd
//	    local: |
//	      /srv/iso/** r,
//	    mode: enforce
type AppArmorArgs struct {
	// Profile is the name of a file in /etc/apparmor.d.
	Profile string `arg:"profile,alias=name" required:"true"`
	// Mode of the profile; as it is when none is given.
	Mode apparmorMode `arg:"mode" oneof:"what"`
	// Local are the rules of local/PROFILE, all of them; as they are when none are given.
	Local *string `arg:"local" oneof:"what"`
}

type apparmorMode string

// Choices lists the modes.
func (apparmorMode) Choices() []string { return []string{"enforce", "complain", "disabled"} }

// AppArmorResult tells what was found.
type AppArmorResult struct {
	// Profile that was meant.
	Profile string `json:"profile"`
	// Enabled says that the kernel has AppArmor; otherwise only files were seen to.
	Enabled bool `json:"enabled"`
}

// Check refuses a name that cannot be.
func (a AppArmorArgs) Check() error {
	if !selinuxName.MatchString(a.Profile) {
		return &modules.ArgError{Path: []any{"profile"}, Msg: "profile must be the name of a file in /etc/apparmor.d, not " + a.Profile}
	}
	return nil
}

// local is the file's whole text.
func (a AppArmorArgs) local() string {
	if a.Local == nil || *a.Local == "" {
		return ""
	}
	return strings.TrimRight(*a.Local, "\n") + "\n"
}

// apparmorScript: profile, yes when there are rules, rules. To check them it copies the profiles to a folder that is gone afterwards.
const apparmorScript = `command -v apparmor_parser >/dev/null 2>&1 || { echo "the host has no program apparmor_parser; it comes with apparmor" >&2; exit 1; }
base=/etc/apparmor.d
[ -f "$base/$1" ] || { echo "there is no profile $1 in $base" >&2; exit 1; }
mode=enforce
if [ -e "$base/force-complain/$1" ] || grep -Eq 'flags *= *[(][^)]*complain' "$base/$1"; then mode=complain; fi
if [ -e "$base/disable/$1" ]; then mode=disabled; fi
say mode $mode
if [ -r /sys/kernel/security/apparmor/profiles ]; then
	say loaded "$(cat /sys/kernel/security/apparmor/profiles)"
	say names "$(apparmor_parser -N "$base/$1" 2>/dev/null)"
fi
if grep -Eq 'flags *= *[(][^)]*complain' "$base/$1"; then say complains yes; fi
show local "$base/local/$1"
[ "$2" = yes ] || exit 0
if grep -q "local/$1[>\"]" "$base/$1"; then say includes yes; fi
if [ -f "$base/local/$1" ] && [ "$(cat "$base/local/$1")" = "$(printf '%s' "$3")" ]; then exit 0; fi
t=$(mktemp -d) || exit 1
trap 'rm -rf -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cp -R "$base/." "$t/" && mkdir -p "$t/local" && printf '%s' "$3" >"$t/local/$1" || exit 1
out=$(apparmor_parser -Q -K -T --base "$t" "$t/$1" 2>&1) || say wrong "$(printf '%s\n' "$out" | grep -v '^Cache read/write disabled' | sed "s|$t|$base|g")"
exit 0
`

const (
	// apparmorWrite: profile; the rules come by standard input.
	apparmorWrite = `p=/etc/apparmor.d/local/$1
mkdir -p /etc/apparmor.d/local && t=$(mktemp "/etc/apparmor.d/local/.hostler.XXXXXX") || exit 1
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
if [ -e "$p" ]; then cp -a -- "$p" "$t"; else chmod 644 "$t"; fi && cat >"$t" && mv -f -- "$t" "$p"`
	// apparmorSwitch: profile, mode.
	apparmorSwitch = `cd /etc/apparmor.d && rm -f -- "disable/$1" "force-complain/$1" || exit 1
case $2 in
disabled) mkdir -p disable && ln -s "/etc/apparmor.d/$1" "disable/$1" ;;
complain) mkdir -p force-complain && ln -s "/etc/apparmor.d/$1" "force-complain/$1" ;;
esac`
)

// profileSeen is what a look told.
type profileSeen struct {
	mode, local         string
	enabled             bool
	complains, includes bool
	names               []string
	loaded              map[string]string // name → mode
}

func runAppArmor(ctx context.Context, h *modules.Host, a AppArmorArgs) (AppArmorResult, error) {
	rules := ""
	if a.Local != nil {
		rules = "yes"
	}
	before, _, err := modules.Reconcile(ctx, h, modules.Reconciler[profileSeen]{
		Probe: apparmorScript, Args: []string{a.Profile, rules, a.local()}, Lock: "apparmor",
		Parse: a.parse,
		Plan:  a.plan,
		Want: func(s profileSeen) profileSeen {
			if a.Local != nil {
				s.local = a.local()
			}
			return s
		},
		Diff: func(before, after profileSeen) []modules.Diff {
			path := "/etc/apparmor.d/local/" + a.Profile
			if before.local == after.local {
				return nil
			}
			return []modules.Diff{{Before: before.local, After: after.local, BeforeHeader: path, AfterHeader: path}}
		},
	})
	if err == nil && !before.enabled {
		h.Warn("the kernel has no AppArmor that is on: only the files of profile %s were seen to", a.Profile)
	}
	return AppArmorResult{Profile: a.Profile, Enabled: before.enabled}, err
}

func (a AppArmorArgs) parse(r *modules.Report) (profileSeen, error) {
	s := profileSeen{
		mode: r.Text("mode"), local: string(r.Bytes("local")), enabled: r.Has("loaded"),
		complains: r.Has("complains"), includes: r.Has("includes"), names: r.Lines("names"), loaded: map[string]string{},
	}
	for _, line := range r.Lines("loaded") {
		if name, mode, ok := strings.Cut(line, " ("); ok {
			s.loaded[name] = strings.TrimSuffix(mode, ")")
		}
	}
	switch {
	case a.Local != nil && !s.includes:
		return s, fmt.Errorf("profile %s does not include local/%[1]s: rules there would have no effect", a.Profile)
	case r.Has("wrong"):
		return s, errors.New("apparmor_parser refuses the rules, so nothing was changed: " + r.Text("wrong"))
	case a.Mode == "enforce" && s.complains:
		return s, fmt.Errorf("profile %s itself says that it complains only (flags=(complain)): its text has to be changed", a.Profile)
	}
	return s, nil
}

func (a AppArmorArgs) plan(s profileSeen) ([]modules.Action, error) {
	var actions []modules.Action
	if a.Local != nil && s.local != a.local() {
		actions = append(actions, modules.Action{
			Why: "write the rules of local/" + a.Profile, Script: apparmorWrite, Args: []string{a.Profile}, Stdin: []byte(a.local()),
		})
	}
	mode := s.mode
	if a.Mode != "" {
		mode = string(a.Mode)
	}
	if mode != s.mode {
		actions = append(actions, modules.Action{
			Why: fmt.Sprintf("set profile %s to %s", a.Profile, mode), Script: apparmorSwitch, Args: []string{a.Profile, mode},
		})
	}
	path := "/etc/apparmor.d/" + a.Profile
	switch {
	case !s.enabled:
	case mode == "disabled" && s.inKernel():
		actions = append(actions, modules.Action{Why: "unload profile " + a.Profile, Argv: []string{"apparmor_parser", "-R", path}})
	case mode != "disabled" && (len(actions) > 0 || !s.runs(mode)):
		actions = append(actions, modules.Action{Why: "load profile " + a.Profile, Argv: []string{"apparmor_parser", "-r", "-T", "-W", path}})
	}
	return actions, nil
}

// inKernel reports whether the kernel has any part of the profile.
func (s profileSeen) inKernel() bool {
	for _, name := range s.names {
		if s.loaded[name] != "" {
			return true
		}
	}
	return false
}

// runs reports whether the kernel has the profile in the mode. Parts of it may be in a mode of their own, such as unconfined.
func (s profileSeen) runs(mode string) bool {
	for _, name := range s.names {
		if now := s.loaded[name]; now != mode && (now == "" || now == "enforce" || now == "complain") {
			return false
		}
	}
	return true
}
