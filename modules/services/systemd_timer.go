package services

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed systemd_timer.go
var systemdTimerSource string

// SystemdTimer sees to a timer of systemd and the service that it starts.
var SystemdTimer = modules.Define("systemd_timer", systemdTimerSource, runSystemdTimer, modules.Converges())

// SystemdTimerArgs see to a pair of units, NAME.service and NAME.timer: a command that systemd runs at times. What systemd would refuse is
// refused before anything is written. Where no systemd answers, as in a chroot, the timer is written and enabled.
//
//	# Read all blocks of a pool once a week.
//	- systemd_timer:
//	    name: scrub
//	    command: /usr/sbin/zpool scrub tank
//	    on_calendar: Sun 03:00
//	    persistent: true
type SystemdTimerArgs struct {
	// Name of both units, without a suffix.
	Name string `arg:"name" required:"true"`
	// State is whether the units shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Command as systemd reads it after ExecStart=: a program with its path and its arguments, no shell; % is written %%.
	Command *string `arg:"command"`
	// OnCalendar are times as in systemd.time(7): daily, Mon..Fri 08:00.
	OnCalendar []string `arg:"on_calendar"`
	// OnBoot is how long after boot the timer goes off: 5min.
	OnBoot *string `arg:"on_boot"`
	// OnUnitActive is how long after it last ran the command runs again.
	OnUnitActive *string `arg:"on_unit_active"`
	// RandomizedDelay is by how much it may be later.
	RandomizedDelay *string `arg:"randomized_delay"`
	// Persistent makes up for a time of the calendar at which the host was off.
	Persistent bool `arg:"persistent"`
	// Description of both units.
	Description *string `arg:"description"`
	// User as whom the command runs.
	User *string `arg:"user"`
	// Environment of the command.
	Environment map[string]string `arg:"environment"`
	// WorkingDirectory is where the command runs.
	WorkingDirectory *modules.Path `arg:"working_directory"`
	// Enabled is whether the timer runs, now and after each boot.
	Enabled bool `arg:"enabled" default:"true"`
	// Scope is whose manager: the system's, or the user's own.
	Scope timerScope `arg:"scope" default:"system"`
}

type timerScope string

// Choices lists the scopes.
func (timerScope) Choices() []string { return []string{"system", "user"} }

// SystemdTimerResult tells of the units.
type SystemdTimerResult struct {
	// Service is the file of the service.
	Service string `json:"service"`
	// Timer is the file of the timer.
	Timer string `json:"timer"`
}

var (
	timerName = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+$`)
	timerVar  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	timeSpan  = regexp.MustCompile(`^\s*(infinity|([0-9]+(\.[0-9]+)?\s*[A-Za-zµ]*\s*)+)$`)
)

// Check refuses what no unit can say.
func (a SystemdTimerArgs) Check() error {
	if !timerName.MatchString(a.Name) || strings.HasSuffix(a.Name, ".timer") || strings.HasSuffix(a.Name, ".service") {
		return &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("name cannot be a unit's name without its suffix: %q", a.Name)}
	}
	if a.State == modules.Absent {
		return nil
	}
	switch {
	case a.Command == nil || strings.TrimSpace(*a.Command) == "":
		return errors.New("state is present but all of the following are missing: command")
	case len(a.OnCalendar) == 0 && a.OnBoot == nil && a.OnUnitActive == nil:
		return errors.New("one of these arguments is required: on_calendar, on_boot, on_unit_active")
	}
	for _, one := range []struct {
		name string
		span *string
	}{{"on_boot", a.OnBoot}, {"on_unit_active", a.OnUnitActive}, {"randomized_delay", a.RandomizedDelay}} {
		if one.span != nil && !timeSpan.MatchString(*one.span) {
			return &modules.ArgError{Path: []any{one.name}, Msg: fmt.Sprintf("%s is no time span: %q", one.name, *one.span), Hint: "as in 90s, 5min, 1h 30min"}
		}
	}
	for name, text := range a.Environment {
		if !timerVar.MatchString(name) || strings.ContainsAny(text, "\r\n") {
			return &modules.ArgError{Path: []any{"environment", name}, Msg: fmt.Sprintf("environment: %s cannot be a variable of one line", name)}
		}
	}
	if slices.ContainsFunc(a.texts(), func(text string) bool { return strings.ContainsAny(text, "\r\n") }) {
		return errors.New("a unit has one line for each setting: no argument may have a line break")
	}
	return nil
}

// texts are the values that units have.
func (a SystemdTimerArgs) texts() []string {
	texts := slices.Clone(a.OnCalendar)
	for _, p := range []*string{a.Command, a.OnBoot, a.OnUnitActive, a.RandomizedDelay, a.Description, a.User} {
		if p != nil {
			texts = append(texts, *p)
		}
	}
	if a.WorkingDirectory != nil {
		texts = append(texts, string(*a.WorkingDirectory))
	}
	return texts
}

// settings writes lines KEY=VALUE for the values that are set.
type settings struct{ strings.Builder }

func (s *settings) set(key string, text *string) {
	if text != nil {
		s.WriteString(key + "=" + *text + "\n")
	}
}

func (a SystemdTimerArgs) head(b *settings) {
	description := a.Name
	if a.Description != nil {
		description = *a.Description
	}
	b.WriteString("# Written by systemd_timer.\n[Unit]\nDescription=" + description + "\n\n")
}

// service is the service's file.
func (a SystemdTimerArgs) service() string {
	var b settings
	a.head(&b)
	b.WriteString("[Service]\nType=oneshot\n")
	b.set("User", a.User)
	if a.WorkingDirectory != nil {
		b.WriteString("WorkingDirectory=" + string(*a.WorkingDirectory) + "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(a.Environment)) {
		text := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(a.Environment[name])
		b.WriteString("Environment=\"" + name + "=" + text + "\"\n")
	}
	b.set("ExecStart", a.Command)
	return b.String()
}

// timer is the timer's file.
func (a SystemdTimerArgs) timer() string {
	var b settings
	a.head(&b)
	b.WriteString("[Timer]\n")
	for _, at := range a.OnCalendar {
		b.set("OnCalendar", &at)
	}
	b.set("OnBootSec", a.OnBoot)
	b.set("OnUnitActiveSec", a.OnUnitActive)
	b.set("RandomizedDelaySec", a.RandomizedDelay)
	if a.Persistent {
		b.WriteString("Persistent=true\n")
	}
	b.WriteString("\n[Install]\nWantedBy=timers.target\n")
	return b.String()
}

// timerLib finds the units' folder and asks the right manager.
const timerLib = `scope=$1 name=$2
case $scope in
user) dir=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user; [ -n "${XDG_RUNTIME_DIR-}" ] || { XDG_RUNTIME_DIR=/run/user/$(id -u); export XDG_RUNTIME_DIR; } ;;
*) dir=/etc/systemd/system ;;
esac
`

// timerScript: scope, name, then calendar expressions.
const timerScript = timerLib + `shift 2
say dir "$dir"
command -v systemctl >/dev/null 2>&1 || { say missing yes; exit 0; }
if command -v systemd-analyze >/dev/null 2>&1; then
	for at; do said=$(systemd-analyze calendar -- "$at" 2>&1) || { say refused "$said"; say at "$at"; }; done
fi
for u in service timer; do if [ -e "$dir/$name.$u" ]; then show "$u" "$dir/$name.$u"; fi; done
say enabled "$(systemctl "--$scope" is-enabled -- "$name.timer" 2>/dev/null)"
state=$(systemctl "--$scope" show --property=ActiveState,NeedDaemonReload -- "$name.timer" "$name.service" 2>/dev/null) || state=offline
say state "$state"
exit 0
`

// timerWrite: scope, name; both files come by standard input, the service first, each after a line with its number of bytes. systemd
// looks at them in a folder of their own before they take their places.
const timerWrite = timerLib + `w=
t=$(mktemp -d) || exit 1
trap 'rm -rf -- "$t" ${w:+"$w"}' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t/both" || exit 1
for u in service timer; do
	n=$(head -n 1 "$t/both"); sed 1d "$t/both" >"$t/rest"
	head -c "$n" "$t/rest" >"$t/$name.$u" && tail -c "+$((n + 1))" "$t/rest" >"$t/both" || exit 1
	chmod 644 "$t/$name.$u" || exit 1
done
if command -v systemd-analyze >/dev/null 2>&1; then
	said=$(systemd-analyze "--$scope" verify "$t/$name.service" "$t/$name.timer" 2>&1); rc=$?
	bad=$(printf '%s\n' "$said" | grep -F "$name.") || :
	if [ $rc -ne 0 ] && [ -n "$bad" ]; then printf '%s\n' "$bad" | sed "s|$t/||g" >&2; exit 1; fi
fi
mkdir -p -- "$dir" || exit 1
for u in service timer; do
	w=$(mktemp "$dir/.hostler.XXXXXX") && cat "$t/$name.$u" >"$w" && chmod 644 "$w" && mv -f -- "$w" "$dir/$name.$u" || exit 1
done
if [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null 2>&1; then restorecon "$dir/$name.service" "$dir/$name.timer" || exit 1; fi`

// timerPair is what a look told.
type timerPair struct {
	dir                      string
	service, timer           string
	hasService, hasTimer     bool
	enabled, active, answers bool
	stale                    bool // systemd read the files before they were changed
}

func runSystemdTimer(ctx context.Context, h *modules.Host, a SystemdTimerArgs) (SystemdTimerResult, error) {
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[timerPair]{
		Probe: timerScript, Args: append([]string{string(a.Scope), a.Name}, a.OnCalendar...), Lock: "systemd", Parse: a.parse,
		Plan: func(p timerPair) ([]modules.Action, error) { return a.plan(p), nil },
		Want: func(p timerPair) timerPair {
			p.service, p.timer = "", ""
			if a.State == modules.Present {
				p.service, p.timer = a.service(), a.timer()
			}
			return p
		},
		Diff: func(before, after timerPair) []modules.Diff {
			var diffs []modules.Diff
			for _, d := range []struct{ file, old, next string }{{"service", before.service, after.service}, {"timer", before.timer, after.timer}} {
				if d.old != d.next {
					file := before.dir + "/" + a.Name + "." + d.file
					diffs = append(diffs, modules.Diff{Before: d.old, After: d.next, BeforeHeader: file, AfterHeader: file})
				}
			}
			return diffs
		},
	})
	file := after.dir + "/" + a.Name
	return SystemdTimerResult{Service: file + ".service", Timer: file + ".timer"}, err
}

func (a SystemdTimerArgs) parse(r *modules.Report) (timerPair, error) {
	state := r.Text("state")
	p := timerPair{
		dir: r.Text("dir"), enabled: strings.HasPrefix(r.Text("enabled"), "enabled"), answers: state != "offline" && state != "",
		stale: strings.Contains(state, "NeedDaemonReload=yes"),
	}
	first, _, _ := strings.Cut(state, "\n\n")
	p.active = strings.Contains(first, "ActiveState=active")
	if r.Has("missing") {
		return p, errors.New("the host has no systemd: there is no program systemctl")
	}
	if r.Has("refused") {
		return p, fmt.Errorf("on_calendar: systemd refuses %q: %s", r.Text("at"), r.Text("refused"))
	}
	var err1, err2 error
	p.service, p.hasService, err1 = r.ReadText("service", p.dir+"/"+a.Name+".service")
	p.timer, p.hasTimer, err2 = r.ReadText("timer", p.dir+"/"+a.Name+".timer")
	return p, errors.Join(err1, err2)
}

func (a SystemdTimerArgs) plan(p timerPair) []modules.Action {
	unit := a.Name + ".timer"
	ctl := func(why string, words ...string) modules.Action {
		return modules.Action{Why: why, Script: userScript, Args: append([]string{"--" + string(a.Scope)}, words...)}
	}
	now := func(verb string) []string { // in a chroot there is nothing that could start or stop
		if p.answers {
			return []string{verb, "--now", "--", unit}
		}
		return []string{verb, "--", unit}
	}
	var actions []modules.Action
	if a.State == modules.Absent {
		if p.hasTimer && (p.enabled || p.active) {
			actions = append(actions, ctl("disable "+unit, now("disable")...))
		}
		for _, f := range []struct {
			there bool
			name  string
		}{{p.hasTimer, unit}, {p.hasService, a.Name + ".service"}} {
			if f.there {
				actions = append(actions, modules.TextFile{Path: p.dir + "/" + f.name, Empty: true}.Write("remove "+f.name))
			}
		}
		if len(actions) > 0 && p.answers {
			actions = append(actions, ctl("let systemd read its units anew", "daemon-reload"))
		}
		return actions
	}
	service, timer := a.service(), a.timer()
	written := !p.hasService || !p.hasTimer || p.service != service || p.timer != timer
	if written {
		text := fmt.Sprintf("%d\n%s%d\n%s", len(service), service, len(timer), timer)
		actions = append(actions, modules.Action{
			Why: "write " + a.Name + ".service and " + unit, Script: timerWrite, Args: []string{string(a.Scope), a.Name}, Stdin: []byte(text),
		})
	}
	if (written || p.stale) && p.answers {
		actions = append(actions, ctl("let systemd read its units anew", "daemon-reload"))
	}
	switch {
	case a.Enabled && (!p.enabled || p.answers && !p.active):
		actions = append(actions, ctl("enable "+unit, now("enable")...))
	case a.Enabled && p.active && p.timer != timer:
		actions = append(actions, ctl("start "+unit+" anew", "restart", "--", unit))
	case !a.Enabled && (p.enabled || p.active):
		actions = append(actions, ctl("disable "+unit, now("disable")...))
	}
	return actions
}
