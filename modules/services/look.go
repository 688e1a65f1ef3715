package services

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// Names of service managers, as the fact service_mgr has them but for the last, which stands for any other.
const (
	systemd     = "systemd"
	openrc      = "openrc"
	initScripts = "service"
)

// lookScript: service manager or auto, service, scope, pattern to look for among processes. The three tests for systemd are those of
// sd_booted(3) and its elders; /sbin/init tells what boots a tree that is not running.
const lookScript = `mgr=$1 name=$2 scope=$3 pattern=$4
has() { command -v "$1" >/dev/null 2>&1; }
if [ "$mgr" = auto ]; then
	mgr=service
	if has systemctl; then
		for f in /run/systemd/system /dev/.run/systemd /dev/.systemd; do [ ! -e "$f" ] || mgr=systemd; done
		[ "$(cat /proc/1/comm 2>/dev/null)" != systemd ] || mgr=systemd
		if [ -L /sbin/init ]; then case $(readlink /sbin/init) in systemd | */systemd) mgr=systemd ;; esac; fi
	fi
	if [ "$mgr" = service ] && has rc-service; then mgr=openrc; fi
fi
say mgr "$mgr"
[ -n "$name" ] || exit 0
script=/etc/init.d/$name
case $name in /*) script=$name ;; esac
if [ -e "$script" ]; then say script "$script"; fi
links=
rc=/etc
[ -d /etc/rc0.d ] || rc=/etc/init.d
for f in "$rc"/rc?.d/[SK]??"$name"; do if [ -e "$f" ] || [ -L "$f" ]; then links="$links ${f##*.d/}"; fi; done
say links "$links"
if [ -n "$pattern" ]; then say ps "$(ps auxww 2>/dev/null || ps -ef 2>/dev/null || ps)"; fi
case $mgr in
systemd)
	has systemctl || { say missing systemctl; exit 0; }
	[ -n "${XDG_RUNTIME_DIR-}" ] || { XDG_RUNTIME_DIR=/run/user/$(id -u); export XDG_RUNTIME_DIR; }
	set --
	[ "$scope" = system ] || set -- "--$scope"
	show=$(systemctl "$@" show -- "$name" 2>&1); rc=$?
	say show "$show" "$rc"
	tell enabled systemctl "$@" is-enabled -l -- "$name"
	case $show in
	*ActiveState=*) ;;
	*)
		tell files systemctl "$@" list-unit-files --no-legend -- "$name"
		tell active systemctl "$@" is-active -- "$name"
		if [ "${SYSTEMD_OFFLINE-}" = 1 ] || [ -n "${debian_chroot-}" ]; then say offline yes
		elif root=$(stat -L -c %d:%i /proc/1/root/ 2>/dev/null) && [ "$root" != "$(stat -c %d:%i /)" ]; then say offline yes
		fi ;;
	esac ;;
openrc)
	has rc-service || { say missing rc-service; exit 0; }
	tell exists rc-service --exists "$name"
	tell status rc-service "$name" status
	tell runlevels rc-update show ;;
service)
	for tool in update-rc.d insserv chkconfig; do if has "$tool"; then say tool "$tool"; break; fi; done
	has service && say service yes
	if [ -e "$script" ] && [ -z "$pattern" ]; then
		if has service; then tell status service "$name" status; else tell status "$script" status; fi
	fi
	if [ -e "$script" ] && [ "${tool-}" = chkconfig ] && has chkconfig; then tell chkconfig chkconfig --list "$name"; fi ;;
esac
exit 0
`

// wish is what a task asks of one service.
type wish struct {
	name      string
	state     State
	enabled   *bool
	masked    *bool
	scope     string
	noBlock   bool
	force     bool
	reload    bool // systemd reads its units anew first
	reexec    bool
	runlevel  string
	arguments []string
	sleep     int
	pattern   string
}

// State is what a service shall be doing.
type State string

// The states of a service. The last two are done each time.
const (
	Started   State = "started"
	Stopped   State = "stopped"
	Restarted State = "restarted"
	Reloaded  State = "reloaded"
)

// Choices lists the states.
func (State) Choices() []string {
	return []string{string(Reloaded), string(Restarted), string(Started), string(Stopped)}
}

// service is what a look told of one.
type service struct {
	mgr     string
	missing string // the manager's program, when it is not there
	script  string // the init script
	exists  bool
	running bool
	enabled bool
	masked  bool
	dying   bool // it is being stopped
	crashed bool
	offline bool
	unknown bool // whether it runs cannot be told
	first   string
	status  *value.Dict // of systemctl show
	starts  bool        // there are links that start it
	kills   bool        // there are links that stop it
	tool    string      // that enables init scripts
	control bool        // there is a program service
	listed  string      // what chkconfig said
	loadErr string
}

// Result is what became of a service.
type Result struct {
	// Name of the service as it was given.
	Name string `json:"name"`
	// Changed is whether anything was done to the service.
	Changed bool `json:"changed"`
	// Enabled is whether the service starts at boot, where that was asked for.
	Enabled *bool `json:"enabled,omitempty"`
	// State is what the service does now, where that was asked for: started or stopped.
	State string `json:"state,omitempty"`
	// Status holds what systemctl show told of the unit before, with systemd's own names.
	Status *value.Dict `json:"status,omitempty"`
}

// failure is an error with Ansible's words for it, and the program that it came of.
type failure struct {
	msg string
	err error
}

func (e *failure) Error() string { return e.msg }

func (e *failure) Unwrap() error { return e.err }

// notFound is the error for a service that does not exist.
func notFound(name string) error {
	return &failure{msg: fmt.Sprintf("Could not find the requested service %s: host", name)}
}

// parse makes the state of a service of what the look told.
func (w *wish) parse(r *modules.Report) (service, error) {
	s := service{mgr: r.Text("mgr"), script: r.Text("script"), missing: r.Text("missing"), offline: r.Has("offline")}
	if s.missing != "" {
		return s, fmt.Errorf("look at service %s: the host has no program %s", w.name, s.missing)
	}
	for link := range strings.FieldsSeq(r.Text("links")) {
		s.starts = s.starts || link[0] == 'S'
		s.kills = s.kills || link[0] == 'K'
	}
	switch {
	case w.name == "":
	case s.mgr == systemd:
		w.parseSystemd(r, &s)
	case s.mgr == openrc:
		w.parseOpenRC(r, &s)
	default:
		w.parseInit(r, &s)
	}
	if w.pattern != "" && s.mgr != systemd {
		s.running = strings.Contains(r.Text("ps"), w.pattern)
	}
	return s, nil
}

// step is an action and the words for its failure.
type step struct {
	modules.Action
	failed string
}

// plan gives what is to be done to the service.
func (w *wish) plan(s service) ([]step, error) {
	if w.name == "" {
		return nil, nil
	}
	if s.mgr == systemd {
		return w.planSystemd(s)
	}
	if w.masked != nil || w.reload || w.reexec {
		return nil, fmt.Errorf("masked, daemon_reload and daemon_reexec are for systemd, and the host's service manager is %s", s.mgr)
	}
	if !s.exists {
		return nil, notFound(w.name)
	}
	if s.mgr == openrc {
		return w.planOpenRC(s), nil
	}
	return w.planInit(s)
}

// run brings a service to what is asked of it under a manager, or the one found for auto.
func (w *wish) run(ctx context.Context, h *modules.Host, mgr string) (Result, service, error) {
	res := Result{Name: w.name}
	var steps []step
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[service]{
		First: w.first(), Probe: lookScript, Args: []string{mgr, w.name, w.scope, w.pattern},
		Parse: w.parse,
		Plan: func(s service) ([]modules.Action, error) {
			var err error
			steps, err = w.plan(s)
			actions := make([]modules.Action, len(steps))
			for i, one := range steps {
				actions[i] = one.Action
			}
			return actions, err
		},
	})
	if before.mgr == systemd && w.name != "" {
		res.Status = before.status
	}
	if modules.IgnorePlanned(err) != nil {
		return res, before, w.explain(err, steps)
	}
	res.Changed = len(steps) > 0
	w.tell(&res, before)
	if err == nil && len(steps) > 0 {
		err = w.verify(after)
	}
	return res, before, err
}

// tell fills in what Ansible tells of the state.
func (w *wish) tell(res *Result, before service) {
	if w.enabled != nil {
		res.Enabled = w.enabled
	}
	switch w.state {
	case "":
	case Stopped:
		res.State = string(Stopped)
	default:
		res.State = string(Started)
	}
	if before.unknown {
		res.State = string(w.state)
	}
}

// explain puts an action's failure into Ansible's words.
func (w *wish) explain(err error, steps []step) error {
	one, ok := errors.AsType[*modules.ActionError](err)
	if !ok {
		return err
	}
	detail := strings.TrimSpace(modules.Clean(one.Stderr))
	if detail == "" {
		detail = strings.TrimSpace(modules.Clean(one.Stdout))
	}
	for _, s := range append(steps, w.firstSteps()...) {
		if s.Why == one.Why {
			return &failure{msg: s.failed + ": " + detail, err: err}
		}
	}
	return err
}

// verify looks whether a change that succeeded did what was asked. A service may well end by itself after it was started, so only
// what systemd calls failed counts.
func (w *wish) verify(after service) error {
	if w.enabled != nil && after.first == "disabled" && *w.enabled {
		return fmt.Errorf("service %s was enabled without an error and is disabled all the same", w.name)
	}
	if w.noBlock || after.mgr != systemd {
		return nil
	}
	switch w.state {
	case Stopped:
		if after.running {
			return fmt.Errorf("service %s was stopped without an error and runs all the same: something starts it again", w.name)
		}
	case Started, Restarted, Reloaded:
		if after.status.Str("ActiveState") == "failed" {
			return fmt.Errorf("service %s was started and has failed since (result %s); journalctl -u %s on the host tells why",
				w.name, after.status.Str("Result"), w.name)
		}
	}
	return nil
}
