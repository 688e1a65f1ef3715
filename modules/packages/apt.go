package packages

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed apt.go
var aptSource string

// Apt sees to Debian packages.
var Apt = modules.Define("apt", aptSource, runApt, modules.Aliases("ansible.builtin.apt", "ansible.legacy.apt"))

// AptState is how a package shall be.
type AptState string

// Choices lists the states.
func (AptState) Choices() []string {
	return []string{"present", "absent", "latest", "build-dep", "fixed"}
}

// AptUpgrade is what is upgraded.
type AptUpgrade string

// Choices lists the ways.
func (AptUpgrade) Choices() []string { return []string{"no", "yes", "safe", "full", "dist"} }

// AptArgs install, upgrade and remove packages by apt-get. Many packages at once cost one look, and one apt-get when something is to be done.
// A lock that another program holds is waited for.
//
//	# A hypervisor; the lists may be an hour old.
//	- apt:
//	    name: [qemu-system-x86, libvirt-daemon-system=9.*]
//	    update_cache: true
//	    cache_valid_time: 3600
type AptArgs struct {
	// Names of packages, with a version (foo=1.2, foo=1.*, foo>=1.2) or as a pattern (lib*); * with state latest is all that is installed.
	Package []string `arg:"package,alias=name,alias=pkg" exclusive:"what"`
	// State is how the packages shall be; build-dep installs what is needed to build them, fixed mends broken dependencies.
	State AptState `arg:"state" default:"present"`
	// UpdateCache fetches the lists of packages first, where they are older than cache_valid_time.
	UpdateCache bool `arg:"update_cache,alias=update-cache"`
	// UpdateCacheRetries is how often fetching the lists is tried.
	UpdateCacheRetries int `arg:"update_cache_retries" default:"5"`
	// UpdateCacheRetryMaxDelay is the longest wait between two tries, in seconds.
	UpdateCacheRetryMaxDelay int `arg:"update_cache_retry_max_delay" default:"12"`
	// CacheValidTime is how many seconds the lists stay good; other than 0 it asks for update_cache.
	CacheValidTime int `arg:"cache_valid_time" default:"0"`
	// Purge removes configuration files as well.
	Purge bool `arg:"purge"`
	// Deb is the path of a .deb file on the host, or its URL; several with commas.
	Deb string `arg:"deb" exclusive:"what"`
	// DefaultRelease is the release to take packages from.
	DefaultRelease string `arg:"default_release,alias=default-release"`
	// InstallRecommends is whether recommended packages come along; without, as the host is set.
	InstallRecommends *bool `arg:"install_recommends,alias=install-recommends"`
	// Force lets apt-get downgrade, remove essential packages, change held ones and take unauthenticated ones.
	Force bool `arg:"force"`
	// Upgrade upgrades what is installed: yes and safe remove nothing, full and dist may. It is always done by apt-get.
	Upgrade AptUpgrade `arg:"upgrade" default:"no" exclusive:"what"`
	// DpkgOptions are options for dpkg, with commas, without their dashes.
	DpkgOptions string `arg:"dpkg_options" default:"force-confdef,force-confold"`
	// Autoremove removes packages that were installed for others and are no longer needed.
	Autoremove bool `arg:"autoremove"`
	// Autoclean removes downloaded files of packages that can no longer be fetched.
	Autoclean bool `arg:"autoclean"`
	// FailOnAutoremove fails where something would be removed.
	FailOnAutoremove bool `arg:"fail_on_autoremove"`
	// PolicyRcD is the status that /usr/sbin/policy-rc.d gives meanwhile: 101 lets no service start.
	PolicyRcD *int `arg:"policy_rc_d"`
	// OnlyUpgrade leaves alone what is not installed.
	OnlyUpgrade bool `arg:"only_upgrade"`
	// ForceAptGet is taken for playbooks that set it: upgrades are done by apt-get anyway.
	ForceAptGet bool `arg:"force_apt_get"`
	// Clean removes all downloaded files of packages, which does not count as a change.
	Clean bool `arg:"clean"`
	// AllowUnauthenticated takes packages without a signature.
	AllowUnauthenticated bool `arg:"allow_unauthenticated,alias=allow-unauthenticated"`
	// AllowDowngrade lets a version be older than the one installed.
	AllowDowngrade bool `arg:"allow_downgrade,alias=allow-downgrade,alias=allow_downgrades,alias=allow-downgrades"`
	// AllowChangeHeldPackages lets packages on hold change.
	AllowChangeHeldPackages bool `arg:"allow_change_held_packages"`
	// LockTimeout is how many seconds to wait for a lock that another program holds.
	LockTimeout int `arg:"lock_timeout" default:"60"`
	// AutoInstallModuleDeps is taken for playbooks that set it: the module needs nothing on the host but apt itself.
	AutoInstallModuleDeps bool `arg:"auto_install_module_deps" default:"true"`
}

// AptResult is what became of it.
type AptResult struct {
	// Changed tells whether packages changed; where nothing but the lists was asked for, whether these did.
	Changed bool `json:"changed"`
	// CacheUpdated tells whether the lists were fetched and had news.
	CacheUpdated bool `json:"cache_updated"`
	// CacheUpdateTime is when the lists last changed, in seconds since 1970.
	CacheUpdateTime int `json:"cache_update_time"`
	// Msg says what failed.
	Msg string `json:"msg,omitempty"`
	// Stdout is what apt-get printed.
	Stdout *string `json:"stdout,omitempty"`
	// Stderr is what apt-get printed to standard error.
	Stderr *string `json:"stderr,omitempty"`
	// RC is the status of the apt-get that failed.
	RC int `json:"rc,omitempty"`
	// Cmd is the apt-get that failed.
	Cmd string `json:"cmd,omitempty"`
}

// packageName is what a name or pattern of a package, with or without an architecture, may be.
var packageName = regexp.MustCompile(`^[A-Za-z0-9*?\[][A-Za-z0-9+._*?\[\]!-]*(:[a-z0-9-]+)?$`)

// want is one package that is asked for.
type want struct {
	spec, name, op, version string
}

// wants reads the names of packages. With state latest, * asks for an upgrade of everything.
func (a AptArgs) wants() (list []want, all bool, err error) {
	for _, spec := range a.Package {
		spec = strings.TrimSpace(spec)
		if spec == "*" {
			all = true
			continue
		}
		w := want{spec: spec, name: spec}
		if at := strings.IndexByte(spec, '='); at >= 0 {
			w.name, w.op, w.version = spec[:at], "=", spec[at+1:]
			w.name = strings.TrimSuffix(w.name, ">")
			if len(w.name) < at {
				w.op = ">="
			}
		}
		switch {
		case strings.Count(spec, "=") > 1 || w.op != "" && w.version == "":
			return nil, false, packageError(fmt.Sprintf("invalid package spec: %s", spec), "")
		case !packageName.MatchString(w.name) && strings.HasSuffix(spec, ".deb"):
			return nil, false, packageError(fmt.Sprintf("%q is no name of a package", spec), "a file is given by the argument deb")
		case !packageName.MatchString(w.name):
			return nil, false, packageError(fmt.Sprintf("%q is no name of a package", spec), "")
		}
		list = append(list, w)
	}
	return list, all, nil
}

func packageError(msg, hint string) error {
	return &modules.ArgError{Path: []any{"package"}, Msg: msg, Hint: hint}
}

// Check holds the rules over several arguments.
func (a AptArgs) Check() error {
	list, all, err := a.wants()
	switch {
	case err != nil:
		return err
	case all && a.State == "latest" && len(list) > 0:
		return errors.New("unable to install additional packages when upgrading all installed packages")
	case a.Deb != "" && a.State != "present":
		return errors.New("deb only supports state=present")
	case a.State == "build-dep" && len(a.Package) == 0:
		return errors.New("state=build-dep needs the names of packages")
	case a.PolicyRcD != nil && (*a.PolicyRcD < 0 || *a.PolicyRcD > 255):
		return &modules.ArgError{Path: []any{"policy_rc_d"}, Msg: fmt.Sprintf("argument \"policy_rc_d\" must be an exit status from 0 to 255, not %d", *a.PolicyRcD)}
	case a.UpdateCacheRetries < 1:
		return &modules.ArgError{Path: []any{"update_cache_retries"}, Msg: "argument \"update_cache_retries\" must be at least 1"}
	}
	return nil
}

func runApt(ctx context.Context, h *modules.Host, a AptArgs) (AptResult, error) {
	list, all, err := a.wants()
	if err != nil {
		return AptResult{}, err
	}
	if all && a.State == "latest" {
		a.Upgrade = "yes"
	}
	r := aptRun{h: h, args: a, wants: list}
	err = r.run(ctx)
	return r.result, err
}

// aptRun is one run of the module.
type aptRun struct {
	h      *modules.Host
	args   AptArgs
	wants  []want
	result AptResult
}

// run looks, fetches the lists if they are too old, and does the rest in one round trip.
func (r *aptRun) run(ctx context.Context) error {
	seen, err := r.h.Probe(ctx, aptLook, r.lookArgs()...)
	if err != nil {
		return fmt.Errorf("look at the packages: %w", err)
	}
	state, err := readApt(seen)
	if err != nil {
		return err
	}
	r.result.CacheUpdateTime = state.updated
	var steps []aptStep
	if r.args.Clean {
		steps = append(steps, aptStep{why: "remove all downloaded packages", argv: []string{"apt-get", "clean"}, noSimulation: true, silent: true})
	}
	if r.stale(state) {
		if state, err = r.update(ctx, state); err != nil {
			return err
		}
	}
	more, err := r.plan(state)
	if err != nil {
		return err
	}
	return r.do(ctx, append(steps, more...))
}

// alone reports that no packages are asked for: then news in the lists count as a change.
func (r *aptRun) alone() bool {
	return len(r.args.Package) == 0 && r.args.Deb == "" && r.args.Upgrade == "no"
}

// stale reports that the lists are to be fetched: without cache_valid_time always, even where they came in this very second.
func (r *aptRun) stale(s aptState) bool {
	if r.args.CacheValidTime == 0 {
		return r.args.UpdateCache
	}
	return s.updated+r.args.CacheValidTime < s.now
}

// lookArgs are the arguments of aptLook.
func (r *aptRun) lookArgs() []string {
	candidates := ""
	if r.args.State == "latest" {
		candidates = "1"
	}
	names := []string{}
	for _, w := range r.wants {
		if w.op != "" {
			candidates = "1"
		}
		names = append(names, w.name)
	}
	if r.args.State == "build-dep" {
		names = nil
	}
	if r.args.State == "absent" {
		candidates = "0"
	}
	return append([]string{r.args.DefaultRelease, candidates}, names...)
}

// update fetches the lists and looks again, in one round trip.
func (r *aptRun) update(ctx context.Context, before aptState) (aptState, error) {
	script := aptWait + aptUpdate + aptLook
	args := append([]string{
		strconv.Itoa(r.args.LockTimeout), strconv.Itoa(r.args.UpdateCacheRetries), strconv.Itoa(r.args.UpdateCacheRetryMaxDelay),
	}, r.lookArgs()...)
	done, err := r.h.Change(ctx, modules.Action{Why: "fetch the lists of packages", Script: script, Args: args, Env: aptEnv()})
	if errors.Is(err, modules.ErrPlanned) {
		r.result.CacheUpdated, r.result.Changed = true, r.alone()
		return before, nil
	}
	if len(done) == 0 {
		return before, err
	}
	told := modules.ParseReport(done[0].Stdout)
	r.waited(told)
	if _, failed := errors.AsType[*modules.ActionError](err); failed {
		if msg := lockFailure(told); msg != "" {
			return before, errors.New(msg)
		}
		return before, fmt.Errorf("Failed to update apt cache: %s", firstOf(told.Text("err"), string(done[0].Stderr), "unknown reason"))
	}
	if err != nil {
		return before, err
	}
	after, err := readApt(told)
	r.result.CacheUpdated = err == nil && after.updated != before.updated
	r.result.CacheUpdateTime = after.updated
	r.result.Changed = r.alone() && r.result.CacheUpdated
	return after, err
}

// aptEnv keeps Debian's configuration from asking.
func aptEnv() map[string]string {
	return map[string]string{"DEBIAN_FRONTEND": "noninteractive", "DEBIAN_PRIORITY": "critical"}
}

// firstOf gives the first text that is not blank.
func firstOf(texts ...string) string {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			return t
		}
	}
	return ""
}
