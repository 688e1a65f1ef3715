package packages

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed apk.go
var apkSource string

// Apk sees to packages of Alpine Linux.
var Apk = modules.Define("apk", apkSource, runApk, modules.Aliases("community.general.apk"))

// ApkState is how packages shall be.
type ApkState string

// Choices lists the states.
func (ApkState) Choices() []string {
	return []string{"present", "absent", "latest", "installed", "removed"}
}

// ApkArgs install, upgrade and remove packages by apk. What is to be done is simulated first, so that check mode fails where the run would.
//
//	# A hypervisor.
//	- apk:
//	    name: [qemu-system-x86_64, libvirt-daemon]
//	    update_cache: true
type ApkArgs struct {
	// Name of the packages.
	Name []string `arg:"name" oneof:"what" exclusive:"what"`
	// State is how they shall be; installed is present, removed is absent.
	State ApkState `arg:"state" default:"present"`
	// Upgrade upgrades all packages.
	Upgrade *bool `arg:"upgrade" oneof:"what"`
	// Available lets an upgrade replace packages that no repository has any longer.
	Available bool `arg:"available"`
	// UpdateCache fetches the indexes of packages first.
	UpdateCache *bool `arg:"update_cache,alias=update-cache" oneof:"what"`
	// NoCache uses no cache of the host's.
	NoCache bool `arg:"no_cache"`
	// Repository takes packages from these addresses alone, not from those of the host.
	Repository []string `arg:"repository"`
	// World is the file of what is wanted for itself.
	World string `arg:"world" default:"/etc/apk/world"`
}

// apkName is the name of a package, with a version or a tag.
var apkName = regexp.MustCompile(`^[A-Za-z0-9_.:+][A-Za-z0-9_.:+/-]*([@<>=~].*)?$`)

// Check refuses what apk would take for something else.
func (a ApkArgs) Check() error {
	if len(a.names()) > 0 && isSet(a.Upgrade) {
		return &modules.ArgError{Path: []any{"upgrade"}, Msg: "arguments are mutually exclusive: name, upgrade"}
	}
	for i, name := range a.names() {
		if !apkName.MatchString(name) || strings.ContainsAny(name, " \t\n") {
			return &modules.ArgError{Path: []any{"name", i}, Msg: fmt.Sprintf("%q is no name of a package", name)}
		}
	}
	for i, r := range a.Repository {
		if r == "" || strings.HasPrefix(r, "-") {
			return &modules.ArgError{Path: []any{"repository", i}, Msg: fmt.Sprintf("%q is no address of a repository", r)}
		}
	}
	return nil
}

func isSet(b *bool) bool { return b != nil && *b }

// names gives the packages; one text may name several, with commas.
func (a ApkArgs) names() []string {
	var list []string
	for name := range strings.SplitSeq(strings.Join(a.Name, ","), ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// ApkResult is what became of the packages.
type ApkResult struct {
	// Changed is whether apk did anything.
	Changed bool `json:"changed"`
	// Msg says what was done.
	Msg string `json:"msg"`
	// Packages that were installed, upgraded or removed.
	Packages []string `json:"packages,omitempty"`
	// Stdout is what apk printed.
	Stdout string `json:"stdout,omitempty"`
	// Stderr is what it complained of.
	Stderr string `json:"stderr,omitempty"`
}

// apkScript: file of the world, the number of packages, those, apk's options. It tells the world, what is outdated, and of each package whether
// it is installed, and what a virtual one needs.
const apkScript = `
command -v apk >/dev/null 2>&1 || { echo 'Failed to find required executable "apk"' >&2; exit 1; }
world=$1 n=$2 i=0
shift 2
[ ! -e "$world" ] || show world "$world"
while [ "$i" -lt "$n" ]; do
	i=$((i + 1))
	name=${1%%[@<>=~]*}
	if apk info -e "$name" >/dev/null 2>&1; then say "installed.$i" 1; fi
	case $(apk -v info --description "$name" 2>/dev/null) in
	"$name"*'virtual meta package'*) tell "needs.$i" apk info --depends "$name" ;;
	esac
	shift
done
tell outdated apk "$@" version -l '<'
exit 0
`

// apkIndexes tells the indexes of packages by their digests.
const apkIndexes = `sha1sum /var/cache/apk/APKINDEX.*.tar.gz /etc/apk/cache/APKINDEX.*.tar.gz 2>/dev/null`

// apkUpdate: apk's command line.
const apkUpdate = `
before=$(` + apkIndexes + `)
"$@" || exit
[ "$before" = "$(` + apkIndexes + `)" ] || say updated 1
`

// apkRun is a run of the module.
type apkRun struct {
	h      *modules.Host
	args   ApkArgs
	names  []string
	result ApkResult
}

// apkLook is what a look told.
type apkLook struct {
	world     []string
	outdated  []string
	installed map[string]bool
	needs     map[string][]string // of virtual packages
}

func runApk(ctx context.Context, h *modules.Host, a ApkArgs) (ApkResult, error) {
	r := apkRun{h: h, args: a, names: a.names()}
	switch a.State {
	case "installed":
		r.args.State = "present"
	case "removed":
		r.args.State = "absent"
	}
	if isSet(a.UpdateCache) {
		if err := r.update(ctx); err != nil {
			return r.result, err
		}
	}
	switch {
	case isSet(a.Upgrade):
		argv := r.command("upgrade")
		if a.Available {
			argv = append(argv, "--available")
		}
		r.result.Msg = "packages already upgraded"
		return r.result, r.do(ctx, "upgrade all packages", "upgraded packages", "failed to upgrade packages", argv)
	case len(r.names) == 0:
		return r.result, nil
	}
	look, err := r.look(ctx)
	if err != nil {
		return r.result, err
	}
	if r.args.State == "absent" {
		return r.result, r.remove(ctx, look)
	}
	return r.result, r.install(ctx, look)
}

// options are those of every call of apk. A lock that somebody else holds is waited for by apk itself.
func (r *apkRun) options() []string {
	o := []string{"--wait", "60"}
	if r.args.NoCache {
		o = append(o, "--no-cache")
	}
	for _, address := range r.args.Repository {
		o = append(o, "--repository", address)
	}
	if len(r.args.Repository) > 0 {
		o = append(o, "--repositories-file", "/dev/null")
	}
	return o
}

func (r *apkRun) command(words ...string) []string {
	return slices.Concat([]string{"apk"}, r.options(), words)
}

// update fetches the indexes. It counts as a change only where nothing else is asked, and some index is another.
func (r *apkRun) update(ctx context.Context) error {
	r.result.Msg = "updated repository indexes"
	alone := len(r.names) == 0 && !isSet(r.args.Upgrade)
	done, err := r.h.Change(ctx, modules.Action{Why: "fetch the indexes of packages", Script: apkUpdate, Args: r.command("update")})
	if errors.Is(err, modules.ErrPlanned) {
		r.result.Changed = alone
		return nil
	}
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		return fmt.Errorf("could not update package db: %s", firstOf(string(one.Stderr), string(one.Stdout), "apk failed"))
	}
	if err != nil {
		return err
	}
	r.result.Changed = alone && modules.ParseReport(done[0].Stdout).Has("updated")
	return nil
}

func (r *apkRun) look(ctx context.Context) (apkLook, error) {
	told, err := r.h.Probe(ctx, apkScript, slices.Concat([]string{r.args.World, strconv.Itoa(len(r.names))}, r.names, r.options())...)
	if err != nil {
		return apkLook{}, fmt.Errorf("look at the packages: %w", err)
	}
	l := apkLook{installed: map[string]bool{}, needs: map[string][]string{}}
	text, there, err := told.ReadText("world", r.args.World)
	if err != nil || !there {
		return l, fmt.Errorf("read %s: it is not there, or cannot be read", r.args.World)
	}
	l.world = strings.Fields(text)
	for _, line := range told.Lines("outdated") {
		if words := strings.Fields(line); len(words) > 1 && words[1] == "<" {
			l.outdated = append(l.outdated, apkBase(words[0]))
		}
	}
	for i, name := range r.names {
		l.installed[name] = told.Has(fmt.Sprintf("installed.%d", i+1))
		if key := fmt.Sprintf("needs.%d", i+1); told.Has(key) {
			lines := told.Lines(key)
			l.needs[name] = lines[min(1, len(lines)):]
		}
	}
	return l, nil
}

var apkVersion = regexp.MustCompile(`-[^-]+-r[0-9]+$`)

// apkBase gives the name of a package with its version.
func apkBase(full string) string { return apkVersion.ReplaceAllString(full, "") }

// wanted reports that the world has a package, with whatever version or tag.
func (l apkLook) wanted(name string) bool {
	return slices.ContainsFunc(l.world, func(w string) bool {
		rest, ok := strings.CutPrefix(w, name)
		return ok && (rest == "" || strings.ContainsRune("@=<>~", rune(rest[0])))
	})
}

func (r *apkRun) install(ctx context.Context, l apkLook) error {
	latest := r.args.State == "latest"
	var add, upgrade []string
	for _, name := range r.names {
		needs, virtual := l.needs[name]
		switch {
		case virtual && latest:
			for _, n := range needs {
				if slices.Contains(l.outdated, n) {
					upgrade = append(upgrade, n)
				}
			}
		case virtual:
		case !l.wanted(name):
			add = append(add, name)
		case latest && slices.Contains(l.outdated, name):
			upgrade = append(upgrade, name)
		}
	}
	r.result.Msg = "package(s) already installed"
	if len(add)+len(upgrade) == 0 {
		return nil
	}
	argv := r.command("add")
	if len(upgrade) > 0 {
		argv = append(argv, "--upgrade")
	}
	list := slices.Concat(add, upgrade)
	text := strings.Join(list, " ")
	r.result.Changed = true // the world changes, even where the package is there already
	return r.do(ctx, "install "+strings.Join(list, ", "), "installed "+text+" package(s)", "failed to install "+text, append(argv, list...))
}

func (r *apkRun) remove(ctx context.Context, l apkLook) error {
	var list []string
	for _, name := range r.names {
		if l.installed[name] {
			list = append(list, name)
		}
	}
	r.result.Msg = "package(s) already removed"
	if len(list) == 0 {
		return nil
	}
	text := strings.Join(list, " ")
	r.result.Changed = true
	return r.do(ctx, "remove "+strings.Join(list, ", "), "removed "+text+" package(s)", "failed to remove "+text+" package(s)", append(r.command("del", "--purge"), list...))
}

var apkStep = regexp.MustCompile(`(?m)^\( *\d+/\d+\)\s+\S+\s+(\S+)`)

// do simulates a command, and where that has something to do, runs it.
func (r *apkRun) do(ctx context.Context, why, msg, failed string, argv []string) error {
	told, err := r.h.Probe(ctx, `command -v apk >/dev/null 2>&1 || { echo 'Failed to find required executable "apk"' >&2; exit 1; }
tell try "$@" --simulate`, argv...)
	if err != nil {
		return err
	}
	out, errs := told.Text("try"), told.Text("try.err")
	// apk ends with status 0 where something else needs what is to go, which then stays.
	if told.Status("try") != 0 || strings.Contains(out, "are not removed due to") {
		r.result.Changed = false
		r.result.Stdout, r.result.Stderr = out, errs
		return fmt.Errorf("%s: %s", failed, firstOf(errs, out, "apk failed"))
	}
	// An upgrade without anything to do prints its last line alone; a package to add may be there already, and yet not be in the world.
	if !r.result.Changed && strings.HasPrefix(out, "OK") {
		r.result.Stdout = out
		return nil
	}
	r.result.Changed, r.result.Msg = true, msg
	done, err := r.h.Change(ctx, modules.Action{Why: why, Argv: argv})
	if len(done) > 0 && !done[0].Planned {
		out, errs = modules.Clean(done[0].Stdout), modules.Clean(done[0].Stderr)
	}
	r.result.Stdout, r.result.Stderr = out, errs
	for _, m := range apkStep.FindAllStringSubmatch(out, -1) {
		r.result.Packages = append(r.result.Packages, m[1])
	}
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		return fmt.Errorf("%s: %s", failed, firstOf(string(one.Stderr), string(one.Stdout), "apk failed"))
	}
	return err
}
