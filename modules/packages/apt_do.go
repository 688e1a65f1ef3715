package packages

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/modules"
)

// lockWait runs a program as long as it fails for a lock that somebody else holds, which it says by a line with $busy, for $timeout seconds.
// What it printed goes to files, so that what a service started by it prints does not keep us. Before it has the locks it changes nothing.
const lockWait = `
d=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") || exit 1
restore() { rm -rf "$d"; }
trap restore EXIT
trap 'exit 1' HUP INT TERM
waited=0
run() {
	while :; do
		"$@" >"$d/out" 2>"$d/err" </dev/null && return 0 || rc=$?
		grep -q "$busy" "$d/err" || return "$rc"
		lock=$(grep "$busy" "$d/err")
		[ "$waited" -lt "$timeout" ] || { say locked "$lock"; return "$rc"; }
		sleep 1
		waited=$((waited + 1))
	done
}
told() {
	show out "$d/out"
	show err "$d/err"
	[ "$waited" = 0 ] || { say waited "$waited"; say lock "$lock"; }
}
`

// aptWait is lockWait for apt-get, whose own waiting (DPkg::Lock::Timeout, since 2.0) is for dpkg's lock alone; what was done to policy-rc.d
// is undone at the end.
const aptWait = `
busy='Could not get lock'
` + lockWait + `
policy=/usr/sbin/policy-rc.d status=
restore() {
	if [ -z "$status" ]; then :; elif [ -e "$d/policy-rc.d" ]; then cp -pf "$d/policy-rc.d" $policy; else rm -f $policy; fi
	rm -rf "$d"
}
`

// aptUpdate fetches the lists: timeout, tries, longest delay. apt-get ends with status 0 where some of the lists could not be had, so
// that its warnings count. What follows it looks again.
const aptUpdate = `
timeout=$1 tries=$2 longest=$3 try=1 delay=1
shift 3
while :; do
	run apt-get -o DPkg::Lock::Timeout=0 -o APT::Update::Error-Mode=any update && rc=0 || rc=$?
	[ $rc != 0 ] || ! grep -q -e '^E: ' -e '^W: Failed to fetch' -e '^W: Some index files failed' "$d/err" || rc=100
	if [ $rc = 0 ]; then break; fi
	if [ "$try" -ge "$tries" ] || grep -q 'Could not get lock' "$d/err"; then told; exit $rc; fi
	[ "$delay" -le "$longest" ] || delay=$longest
	sleep "$delay"
	delay=$((delay * 2)) try=$((try + 1))
done
told
`

// aptScript runs one program: timeout, status of policy-rc.d or nothing, the program.
const aptScript = aptWait + `
timeout=$1 status=$2
shift 2
` + aptPolicy + `
run "$@" && rc=0 || rc=$?
told
exit $rc
`

// aptPolicy puts policy-rc.d in place; the old one comes back at the end, with its permissions.
const aptPolicy = `
if [ -n "$status" ]; then
	if [ -e $policy ]; then cp -p $policy "$d/policy-rc.d" || { status=; exit 1; }; fi
	printf '#!/bin/sh\nexit %d\n' "$status" >$policy && chmod 755 $policy || exit 1
fi
`

// aptStep is one apt-get.
type aptStep struct {
	why  string
	argv []string
	// script, when set, runs it in place of aptScript, with args.
	script string
	args   []string
	// changes tells by the output whether it changed anything; nil is always.
	changes func(out string) bool
	// noSimulation: there is no pretending, so that check mode only notes it.
	noSimulation bool
	// silent: what it prints is no part of the result, and it does not count as a change.
	silent bool
}

// aptZero is at the beginning of the line of apt-get's summary where nothing is to be done.
const aptZero = "\n0 upgraded, 0 newly installed"

// counted reports by apt-get's summary whether anything was done.
func counted(out string) bool {
	return !strings.Contains("\n"+out, aptZero) || strings.Contains(out, " not fully installed or removed.")
}

// options are those of every apt-get that alters packages. Ours is the waiting for locks, so apt-get's own is off.
func (r *aptRun) options() []string {
	o := []string{"-y", "-o", "DPkg::Lock::Timeout=0"}
	for option := range strings.SplitSeq(r.args.DpkgOptions, ",") {
		if option = strings.TrimSpace(option); option != "" {
			o = append(o, "-o", "Dpkg::Options::=--"+option)
		}
	}
	flags := []struct {
		given bool
		flag  string
	}{
		{r.args.FailOnAutoremove, "--no-remove"},
		{r.args.AllowUnauthenticated || r.args.Force, "--allow-unauthenticated"},
		{r.args.AllowDowngrade || r.args.Force, "--allow-downgrades"},
		{r.args.AllowChangeHeldPackages || r.args.Force, "--allow-change-held-packages"},
		{r.args.Force, "--allow-remove-essential"},
	}
	for _, f := range flags {
		if f.given {
			o = append(o, f.flag)
		}
	}
	if r.args.DefaultRelease != "" {
		o = append(o, "-t", r.args.DefaultRelease)
	}
	return o
}

// installOptions are those of an apt-get that installs.
func (r *aptRun) installOptions() []string {
	o := r.options()
	if r.args.Autoremove && r.args.State != "build-dep" {
		o = append(o, "--auto-remove")
	}
	if r.args.OnlyUpgrade {
		o = append(o, "--only-upgrade")
	}
	if r.args.State == "fixed" {
		o = append(o, "--fix-broken")
	}
	if with := r.args.InstallRecommends; with != nil {
		word := map[bool]string{true: "yes", false: "no"}[*with]
		o = append(o, "-o", "APT::Install-Recommends="+word)
	}
	return o
}

// plan gives the steps that lead from a state to what is asked.
func (r *aptRun) plan(s aptState) ([]aptStep, error) {
	var steps []aptStep
	if step, ok := r.upgrade(); ok {
		steps = append(steps, step)
	}
	if r.args.Deb != "" {
		steps = append(steps, r.deb())
	}
	packages, err := r.packages(s)
	if err != nil {
		return nil, err
	}
	steps = append(steps, packages...)
	if r.args.Autoclean {
		steps = append(steps, aptStep{
			why: "remove downloaded packages that can no longer be fetched", argv: r.command(r.options(), "autoclean"),
			changes: func(out string) bool { return strings.Contains(out, "Del ") },
		})
	}
	if r.args.Autoremove && len(r.wants) == 0 && r.args.Upgrade == "no" && r.args.Deb == "" {
		o := r.options()
		if r.args.Purge {
			o = append(o, "--purge")
		}
		steps = append(steps, aptStep{
			why: "remove packages that are no longer needed", argv: r.command(o, "autoremove"),
			changes: func(out string) bool { return strings.Contains(out, "The following packages will be REMOVED") },
		})
	}
	return steps, nil
}

func (r *aptRun) command(options []string, words ...string) []string {
	return slices.Concat([]string{"apt-get"}, options, words)
}

func (r *aptRun) upgrade() (aptStep, bool) {
	o := r.options()
	if r.args.Autoremove {
		o = append(o, "--auto-remove")
	}
	switch r.args.Upgrade {
	case "yes", "safe":
		return aptStep{why: "upgrade all packages", argv: r.command(o, "upgrade", "--with-new-pkgs"), changes: counted}, true
	case "full", "dist":
		return aptStep{why: "upgrade all packages, removing others where need be", argv: r.command(o, "dist-upgrade"), changes: counted}, true
	}
	return aptStep{}, false
}

// packages gives the steps for the packages that are named.
func (r *aptRun) packages(s aptState) ([]aptStep, error) {
	switch r.args.State {
	case "build-dep":
		var names []string
		for _, w := range r.wants {
			names = append(names, w.spec)
		}
		return []aptStep{{
			why:  "install what is needed to build " + strings.Join(names, ", "),
			argv: r.command(r.installOptions(), append([]string{"build-dep"}, names...)...), changes: counted,
		}}, nil
	case "absent":
		return r.remove(s)
	}
	list, err := s.expand(r.wants)
	if err != nil {
		return nil, err
	}
	var targets, auto []string
	var errs []error
	for _, w := range list {
		t, err := s.target(w, r.args.State == "latest", r.args.OnlyUpgrade)
		switch p := s.at(w.name); {
		case err != nil:
			errs = append(errs, err)
		case t != "" && !slices.Contains(targets, t):
			targets = append(targets, t)
		case t == "" && p.installed() && p.auto:
			auto = append(auto, w.name)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var steps []aptStep
	if len(targets) > 0 || r.args.State == "fixed" {
		step := aptStep{why: "install " + strings.Join(targets, ", "), argv: r.command(r.installOptions(), append([]string{"install"}, targets...)...)}
		if r.args.State == "fixed" {
			step.changes = counted
			step.why = strings.TrimSuffix("mend broken dependencies and "+step.why, " and install ")
		}
		steps = append(steps, step)
	}
	if len(auto) > 0 {
		steps = append(steps, aptStep{
			why: "note that " + strings.Join(auto, ", ") + " is wanted for itself", argv: append([]string{"apt-mark", "manual"}, auto...),
			noSimulation: true, silent: true,
		})
	}
	return steps, nil
}

func (r *aptRun) remove(s aptState) ([]aptStep, error) {
	list, err := s.expand(r.wants)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, w := range list {
		p := *s.at(w.name)
		there := p.installed() || p.status != "" && p.status != "not-installed" && p.status != "config-files" ||
			r.args.Purge && p.status == "config-files"
		if there && (w.op == "" || w.fits(p.version)) && !slices.Contains(names, w.name) {
			names = append(names, w.name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	o := append([]string{"-q"}, r.options()...)
	why := "remove "
	if r.args.Purge {
		o, why = append(o, "--purge"), "remove with its configuration "
	}
	if r.args.Autoremove {
		o = append(o, "--auto-remove")
	}
	return []aptStep{{why: why + strings.Join(names, ", "), argv: r.command(o, append([]string{"remove"}, names...)...)}}, nil
}

// do runs the steps in one round trip. In check mode apt-get only simulates, and steps that would change something are noted.
func (r *aptRun) do(ctx context.Context, steps []aptStep) error {
	var actions []modules.Action
	var planned []aptStep
	for _, step := range steps {
		if r.h.Planning() && !step.noSimulation {
			would, err := r.simulate(ctx, step)
			if err != nil {
				return err
			}
			if !would {
				continue
			}
		}
		planned = append(planned, step)
		actions = append(actions, modules.Action{Why: step.why, Script: step.body(), Args: r.scriptArgs(step, step.argv), Env: aptEnv()})
	}
	done, err := r.h.Change(ctx, actions...)
	if errors.Is(err, modules.ErrPlanned) {
		return nil // what apt-get simulated told whether anything would change
	}
	if _, failed := errors.AsType[*modules.ActionError](err); err != nil && !failed {
		return err
	}
	for i, one := range done {
		told := modules.ParseReport(one.Stdout)
		if one.Status != 0 {
			return r.failed(planned[i], told, one)
		}
		r.take(planned[i], told)
	}
	return nil
}

func (s aptStep) body() string {
	if s.script != "" {
		return s.script
	}
	return aptScript
}

func (r *aptRun) scriptArgs(step aptStep, argv []string) []string {
	status := ""
	if r.args.PolicyRcD != nil && !step.noSimulation {
		status = strconv.Itoa(*r.args.PolicyRcD)
	}
	return slices.Concat([]string{strconv.Itoa(r.args.LockTimeout), status}, step.args, argv)
}

// simulate lets apt-get tell what a step would do.
func (r *aptRun) simulate(ctx context.Context, step aptStep) (bool, error) {
	args := r.scriptArgs(step, slices.Insert(slices.Clone(step.argv), 1, "--simulate"))
	args[1] = "" // policy-rc.d is for what starts services
	told, err := r.h.Probe(ctx, step.body(), args...)
	if err != nil && told == nil {
		return false, err
	}
	if told.Exit != 0 {
		return false, r.failed(step, told, modules.Done{Status: told.Exit, Stderr: told.Stderr})
	}
	if err != nil {
		return false, err
	}
	return r.take(step, told), nil
}

// take adds what a step printed to the result and reports whether it changed something.
func (r *aptRun) take(step aptStep, told *modules.Report) bool {
	r.waited(told)
	if step.silent {
		return false
	}
	out, errs := modules.Clean(told.Bytes("out")), modules.Clean(told.Bytes("err"))
	changed := step.changes == nil || step.changes(out)
	if told.Has("same") {
		changed = false
	}
	if changed {
		r.h.AddDiff(modules.Diff{Prepared: preparedDiff(out)})
	}
	r.result.Changed = r.result.Changed || changed
	r.result.Stdout, r.result.Stderr = appended(r.result.Stdout, out), appended(r.result.Stderr, errs)
	return changed
}

func appended(text *string, more string) *string {
	if text != nil {
		more = *text + more
	}
	return &more
}

// failed words a step that failed.
func (r *aptRun) failed(step aptStep, told *modules.Report, one modules.Done) error {
	r.waited(told)
	out, errs := modules.Clean(told.Bytes("out")), modules.Clean(told.Bytes("err"))
	r.result.Stdout, r.result.Stderr = appended(r.result.Stdout, out), appended(r.result.Stderr, errs)
	r.result.RC = one.Status
	if line, err := shell.Join(step.argv...); err == nil {
		r.result.Cmd = line
	}
	if msg := lockFailure(told); msg != "" {
		return errors.New(msg)
	}
	if !told.Has("out") {
		return fmt.Errorf("Unable to %s: %s", step.why, firstOf(string(one.Stderr), "exit status "+strconv.Itoa(one.Status)))
	}
	return fmt.Errorf("'%s' failed: %s", r.result.Cmd, firstOf(errs, string(one.Stderr), "exit status "+strconv.Itoa(one.Status)))
}

// waited warns of a lock that was waited for.
func (r *aptRun) waited(told *modules.Report) {
	if told.Has("waited") && !told.Has("locked") {
		r.h.Warn("waited %s s for another program: %s", told.Text("waited"), lockHolder(told.Text("lock")))
	}
}

// lockFailure words a lock that was waited for in vain, "" when it was not that.
func lockFailure(told *modules.Report) string {
	if !told.Has("locked") {
		return ""
	}
	return fmt.Sprintf("Failed to lock apt for exclusive operation: waited %s s (lock_timeout): %s",
		firstOf(told.Text("waited"), "0"), lockHolder(told.Text("locked")))
}

// lockHolder is apt-get's line about the lock, which since 2.0 names the process that holds it.
func lockHolder(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(line, "E: ")
}

// preparedDiff is the part of apt-get's output between the reading of its lists and its summary, which tells what changes.
func preparedDiff(out string) string {
	lines := modules.SplitLines(out)
	start := slices.Index(lines, "Reading state information...") + 1
	end := slices.IndexFunc(lines, func(line string) bool {
		n := digitsTo(line)
		return n > 0 && strings.HasPrefix(line[n:], " upgraded")
	})
	if end < 0 {
		end = len(lines) - 1
	}
	if start > end+1 {
		return ""
	}
	return strings.Join(lines[start:end+1], "\n")
}
