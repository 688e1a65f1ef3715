package packages

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// dnfScript runs one dnf: timeout, the folder of another system, that of downloads or nothing, the word that answers dnf's questions
// (-y or --assumeno), dnf. What is installed is asked of rpm before and after, so that nothing depends on how dnf words it.
const dnfScript = dnfBusy + lockWait + `
timeout=$1 root=$2 downloads=$3 answer=$4 tool=$5
shift 5
installed() { rpm ${root:+"--root=$root"} -qa --qf '` + rpmFormat + `' 2>/dev/null | grep -v '^gpg-pubkey ' | sort; }
fetched() {
	[ -z "$downloads" ] || find "$downloads" -name '*.rpm' 2>/dev/null | sort | while read -r file; do
		rpm -qp --nosignature --qf '` + rpmFormat + `' "$file" 2>/dev/null
	done
}
installed >"$d/before"
fetched >"$d/files"
run "$tool" "$answer" "$@" && rc=0 || rc=$?
told
if [ "$answer" = --assumeno ]; then show before "$d/before"; exit $rc; fi
installed >"$d/after"
fetched >"$d/newfiles"
say removed "$(comm -23 "$d/before" "$d/after")"
say installed "$(comm -13 "$d/before" "$d/after")"
say fetched "$(comm -13 "$d/files" "$d/newfiles")"
exit $rc
`

// dnfBusy tells the message of a program that found a lock held: dnf and yum (with exit_on_lock), dnf5 and rpm. Before it has the lock none of
// them has changed anything.
const dnfBusy = `busy='already locked by\|obtain the .* lock\|obtain rpm transaction lock\|create transaction lock\|holding the yum lock'
`

// dnfStep is one dnf.
type dnfStep struct {
	why   string
	argv  []string
	quiet bool // it changes no packages
}

// plan gives the steps that lead from what is there to what is asked.
func (r *dnfRun) plan() ([]dnfStep, error) {
	a, o := r.args, r.changeOptions()
	if r.state.kind == "yum" && (a.Allowerasing || a.Nobest || a.Best != nil) {
		return nil, errors.New("allowerasing, nobest and best need dnf: this host has but yum")
	}
	var steps []dnfStep
	switch {
	case a.absent():
		steps = r.remove(o)
	case a.all():
		steps = []dnfStep{{why: "upgrade all packages", argv: r.argv(o, r.upgrade()...)}}
	default:
		steps = r.install(o)
	}
	if !a.UpdateCache || len(steps) > 0 && r.state.kind != "yum" {
		return steps, nil
	}
	return append([]dnfStep{{why: "fetch the repositories' metadata", argv: r.argv(r.options(), "makecache"), quiet: true}}, steps...), nil
}

// upgrade is dnf's word for upgrading.
func (r *dnfRun) upgrade() []string {
	words := []string{"upgrade"}
	if r.args.Security || r.args.Bugfix {
		words = map[string][]string{"dnf4": {"upgrade-minimal"}, "dnf5": {"upgrade", "--minimal"}, "yum": {"update-minimal"}}[r.state.kind]
	}
	if r.args.Security {
		words = append(slices.Clone(words), "--security")
	}
	if r.args.Bugfix {
		words = append(slices.Clone(words), "--bugfix")
	}
	return words
}

func (r *dnfRun) remove(o []string) []dnfStep {
	var names []string
	for _, n := range r.state.names {
		if n.group || n.there() {
			names = append(names, n.spec)
		} else if strings.ContainsRune(n.spec, '*') {
			r.result.Results.Append(n.spec + " is not installed")
		}
	}
	var steps []dnfStep
	if len(names) > 0 {
		steps = append(steps, dnfStep{why: "remove " + strings.Join(names, ", "), argv: r.argv(o, append([]string{"remove"}, names...)...)})
	}
	if r.args.Autoremove {
		steps = append(steps, dnfStep{why: "remove packages that are no longer needed", argv: r.argv(o, "autoremove")})
	}
	return steps
}

// install gives the steps that install and upgrade.
func (r *dnfRun) install(o []string) []dnfStep {
	a := r.args
	latest := a.State == "latest"
	var fresh, old []string
	for _, n := range r.state.names {
		p, newer := n.newer()
		switch {
		case n.there() && n.file != nil:
		case n.there() && latest, len(n.found) > 0 && a.UpdateOnly:
			old = append(old, n.spec)
		case n.there():
		case newer && !a.AllowDowngrade:
			r.h.Warn("%s is left alone: %s is installed, which is newer; allow_downgrade would take the older one", n.spec, p)
		case a.UpdateOnly && !n.group:
			r.result.Results.Append(fmt.Sprintf("Packages providing %s not installed due to update_only specified", n.spec))
		default:
			fresh = append(fresh, n.spec)
		}
	}
	var steps []dnfStep
	filtered := a.Security || a.Bugfix
	if len(fresh) > 0 {
		if !filtered {
			fresh = append(fresh, old...) // dnf install upgrades what is there, in one transaction
			old = nil
		}
		words := []string{"install"}
		if r.state.kind == "dnf5" && a.AllowDowngrade {
			words = append(words, "--allow-downgrade")
		}
		steps = append(steps, dnfStep{why: "install " + strings.Join(fresh, ", "), argv: r.argv(o, append(words, fresh...)...)})
	}
	if len(old) > 0 {
		steps = append(steps, dnfStep{why: "upgrade " + strings.Join(old, ", "), argv: r.argv(o, append(r.upgrade(), old...)...)})
	}
	return steps
}

// do runs the steps in one round trip. In check mode dnf only tells what it would do.
func (r *dnfRun) do(ctx context.Context, steps []dnfStep) error {
	var actions []modules.Action
	var planned []dnfStep
	for _, step := range steps {
		if r.h.Planning() {
			if step.quiet {
				continue
			}
			would, err := r.simulate(ctx, step)
			if err != nil {
				return err
			}
			if !would {
				continue
			}
		}
		planned = append(planned, step)
		actions = append(actions, modules.Action{Why: step.why, Script: dnfScript, Args: r.scriptArgs(step, "-y")})
	}
	done, err := r.h.Change(ctx, actions...)
	if errors.Is(err, modules.ErrPlanned) {
		return nil // what dnf would do told whether anything would change
	}
	if _, failed := errors.AsType[*modules.ActionError](err); err != nil && !failed {
		return err
	}
	for i, one := range done {
		told := modules.ParseReport(one.Stdout)
		r.take(planned[i], told)
		if err := r.failure(planned[i], told, one.Status, string(one.Stderr)); err != nil {
			return err
		}
	}
	return nil
}

func (r *dnfRun) scriptArgs(step dnfStep, answer string) []string {
	downloads := ""
	if r.args.DownloadOnly {
		downloads = firstOf(string(r.args.DownloadDir), r.args.root()+"/var/cache")
	}
	return append([]string{strconv.Itoa(r.args.LockTimeout), r.args.root(), downloads, answer}, step.argv...)
}

// simulate lets dnf tell what a step would do. It ends with status 1 where it would do something.
func (r *dnfRun) simulate(ctx context.Context, step dnfStep) (bool, error) {
	told, err := r.h.Probe(ctx, dnfScript, r.scriptArgs(step, "--assumeno")...)
	if err != nil && (told == nil || !told.Has("out")) {
		return false, err
	}
	installed, removed := transaction(modules.SplitLines(string(told.Bytes("out"))), parseRPM(told.Lines("before")))
	would := len(installed)+len(removed) > 0
	status := told.Exit
	if would {
		status = 0
	}
	r.report("Installed", installed)
	r.report("Removed", removed)
	return would, r.failure(step, told, status, string(told.Stderr))
}

// report adds lines to the results.
func (r *dnfRun) report(what string, list []string) {
	if r.args.DownloadOnly && what == "Installed" {
		what = "Downloaded"
	}
	for _, p := range list {
		r.result.Results.Append(what + ": " + p)
		r.result.Changed = true
	}
}

// take adds what a step did to the result.
func (r *dnfRun) take(step dnfStep, told *modules.Report) {
	if told.Has("waited") && !told.Has("locked") {
		r.h.Warn("waited %s s for another program: %s", told.Text("waited"), dnfHolder(told.Text("lock")))
	}
	if step.quiet {
		return
	}
	names := func(key string) (list []string) {
		for _, p := range parseRPM(told.Lines(key)) {
			list = append(list, p.String())
		}
		return list
	}
	installed, removed := names("installed"), names("removed")
	if r.args.DownloadOnly {
		installed = names("fetched")
	}
	r.report("Installed", installed)
	r.report("Removed", removed)
	for _, line := range modules.SplitLines(modules.Clean(told.Bytes("out")) + "\n" + modules.Clean(told.Bytes("err"))) {
		if strings.Contains(line, "scriptlet failed") {
			r.h.Warn("%s", strings.TrimSpace(line))
		}
	}
	if len(installed)+len(removed) > 0 {
		var text strings.Builder
		for _, p := range removed {
			text.WriteString("Removed: " + p + "\n")
		}
		for _, p := range installed {
			text.WriteString("Installed: " + p + "\n")
		}
		r.h.AddDiff(modules.Diff{Prepared: text.String()})
	}
}

// noMatch finds the names that dnf knows nothing of.
var noMatch = regexp.MustCompile(`(?m)^(?:No match for argument: |No package )(.+?)(?: available\.)?$`)

// noGroup finds a group that dnf does not know.
var noGroup = regexp.MustCompile(`(?m)^(?:Module or Group '(.+)' is not available\.|Warning: Group '(.+)' does not exist\.|Warning: Group (.+) does not exist\.)$`)

// failure words a step that failed; nil where it did not. That dnf ends with status 0 though there is not what was asked for (strict=0 in its
// configuration) counts as a failure where it was not told to leave such out.
func (r *dnfRun) failure(step dnfStep, told *modules.Report, status int, stderr string) error {
	out, errs := modules.Clean(told.Bytes("out")), modules.Clean(told.Bytes("err"))
	if told.Has("locked") {
		return fmt.Errorf("%s lockfile is held by another process: waited %s s (lock_timeout): %s",
			r.state.tool, firstOf(told.Text("waited"), "0"), dnfHolder(told.Text("locked")))
	}
	all := out + "\n" + errs
	if !r.args.absent() && !r.args.SkipBroken {
		for _, m := range noMatch.FindAllStringSubmatch(all, -1) {
			if failure := fmt.Sprintf("No package %s available.", m[1]); !slices.Contains(r.result.Failures, failure) {
				r.result.Failures = append(r.result.Failures, failure)
			}
		}
		if len(r.result.Failures) > 0 {
			return errors.New("Failed to install some of the specified packages: " + strings.Join(r.result.Failures, " "))
		}
		if m := noGroup.FindStringSubmatch(all); m != nil {
			return fmt.Errorf("No group %s available.", m[1]+m[2]+m[3])
		}
	}
	if status == 0 {
		return nil
	}
	if !told.Has("out") {
		return fmt.Errorf("Unable to %s: %s", step.why, firstOf(stderr, "exit status "+strconv.Itoa(status)))
	}
	return errors.New(firstOf(dnfMessage(out, errs), "exit status "+strconv.Itoa(status)))
}

// dnfMessage makes a message of what a dnf that failed printed: what follows Error:, without the advice at its end, or all of it.
func dnfMessage(out, errs string) string {
	text := errs
	if _, repository, ok := strings.Cut(out+"\n"+errs, "Problem repository: "); ok {
		id, _, _ := strings.Cut(repository, "\n")
		return "Failed to validate GPG signature: no key is known for the repository " + id + " (gpgkey)"
	}
	if _, after, ok := strings.Cut("\n"+errs, "\nError:"); ok {
		text = after
	}
	if at := strings.Index(text, "\n(try to add"); at >= 0 {
		text = text[:at]
	}
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "Problem"):
		return "Depsolve Error occurred: \n " + text
	case strings.Contains(text, "GPG check FAILED"):
		return "Failed to validate GPG signature: " + signatures(out+"\n"+errs)
	}
	return firstOf(text, out)
}

// signatures are the lines that tell why a signature is not good.
func signatures(text string) string {
	var list []string
	for _, line := range modules.SplitLines(text) {
		if strings.Contains(line, "is not signed") || strings.Contains(line, "is not installed") || strings.Contains(line, "key") && !strings.Contains(line, "keys") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return firstOf(strings.Join(list, "; "), "GPG check FAILED")
}

// dnfHolder is the first line about a lock.
func dnfHolder(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(strings.TrimPrefix(line, "Error: "), "error: ")
}

// transaction reads the table of what dnf would do. Lines are cut at 80 columns, so that one package may take two. What is upgraded is removed
// in the version that is installed.
func transaction(lines []string, before []rpmPackage) (installed, removed []string) {
	section := ""
	var held []string
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "Transaction Summary"):
			return installed, removed
		case !strings.HasPrefix(line, " "):
			section, held = line, nil
			continue
		}
		w := append(held, strings.Fields(line)...)
		if held = nil; len(w) < 4 {
			held = w
			continue
		}
		if w[0] == "replacing" || strings.HasSuffix(section, "roups:") || strings.Contains(strings.ToLower(section), "module") {
			continue
		}
		p := rpmPackage{name: w[0], epoch: "0", arch: w[1]}
		version := w[2]
		if epoch, rest, ok := strings.Cut(version, ":"); ok {
			p.epoch, version = epoch, rest
		}
		p.version, p.release, _ = cutDash(version)
		switch word, _, _ := strings.Cut(section, " "); strings.TrimSuffix(word, ":") {
		case "Removing":
			removed = append(removed, p.String())
		case "Installing", "Reinstalling":
			installed = append(installed, p.String())
		case "Upgrading", "Updating", "Downgrading":
			installed = append(installed, p.String())
			for _, q := range before {
				if q.name == p.name && q.arch == p.arch {
					removed = append(removed, q.String())
				}
			}
		}
	}
	return installed, removed
}
