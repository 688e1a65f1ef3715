package packages

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed dnf.go
var dnfSource string

// Dnf sees to packages of Fedora, of Red Hat and of what is made like them.
var Dnf = modules.Define("dnf", dnfSource, runDnf, modules.Aliases("ansible.builtin.dnf", "ansible.legacy.dnf",
	"yum", "ansible.builtin.yum", "ansible.legacy.yum", "dnf5", "ansible.builtin.dnf5", "ansible.legacy.dnf5"))

// DnfState is how a package shall be.
type DnfState string

// Choices lists the states.
func (DnfState) Choices() []string {
	return []string{"absent", "installed", "latest", "present", "removed"}
}

// DnfBackend is the program that does it.
type DnfBackend string

// Choices lists the programs.
func (DnfBackend) Choices() []string {
	return []string{"auto", "yum", "yum4", "dnf", "dnf4", "dnf5"}
}

// DnfArgs install, upgrade and remove packages by dnf, dnf5 or, where there is neither, yum; the names yum and dnf5 are the same module.
// What rpm says to be there already costs one look and no dnf. A lock that another program holds is waited for.
//
//	# A hypervisor.
//	- dnf:
//	    name: [qemu-kvm, libvirt-daemon-kvm, "virt-install >= 4.0"]
type DnfArgs struct {
	// Name of packages: with a version (foo-1.2, "foo >= 1.2") or an architecture, as a pattern (lib*), what they provide (/usr/bin/vi), a
	// file or URL ending in .rpm, a group (@Development Tools) or module (@nodejs:20); * with state latest is all that is installed.
	Name []string `arg:"name,alias=pkg" exclusive:"what"`
	// List what is installed, available, updates (or upgrades) or repos, or the packages of a name, in results; nothing is changed.
	List string `arg:"list" exclusive:"what"`
	// State is how the packages shall be: installed is present, removed is absent; without, present, and with autoremove absent.
	State DnfState `arg:"state"`
	// Enablerepo are ids of repositories, or patterns, to use as well; one that there is not is left out.
	Enablerepo []string `arg:"enablerepo"`
	// Disablerepo are ids of repositories, or patterns, not to use.
	Disablerepo []string `arg:"disablerepo"`
	// ConfFile is the configuration to take in place of the host's.
	ConfFile modules.Path `arg:"conf_file"`
	// DisableGPGCheck takes packages without a signature, or with one of an unknown key.
	DisableGPGCheck bool `arg:"disable_gpg_check"`
	// Installroot is the folder of the system to see to.
	Installroot string `arg:"installroot" default:"/"`
	// Releasever is the release to take packages from.
	Releasever string `arg:"releasever"`
	// Autoremove removes what was installed for others and is no longer needed; alone, or with state absent.
	Autoremove bool `arg:"autoremove"`
	// Exclude are packages that are left alone.
	Exclude []string `arg:"exclude"`
	// SkipBroken leaves out what there is not or what cannot be installed.
	SkipBroken bool `arg:"skip_broken"`
	// UpdateCache fetches the repositories' metadata first.
	UpdateCache bool `arg:"update_cache,alias=expire-cache"`
	// UpdateOnly leaves alone what is not installed.
	UpdateOnly bool `arg:"update_only"`
	// Security takes, with state latest, only updates that mend security.
	Security bool `arg:"security"`
	// Bugfix takes, with state latest, only updates that mend bugs.
	Bugfix bool `arg:"bugfix"`
	// EnablePlugin are plugins to use.
	EnablePlugin []string `arg:"enable_plugin"`
	// DisablePlugin are plugins not to use.
	DisablePlugin []string `arg:"disable_plugin"`
	// DisableExcludes takes what the configuration excludes: all, main or the id of a repository.
	DisableExcludes string `arg:"disable_excludes"`
	// ValidateCerts is whether the certificate of an .rpm file's URL must be good.
	ValidateCerts bool `arg:"validate_certs" default:"true"`
	// SSLVerify is whether the certificates of repositories must be good.
	SSLVerify bool `arg:"sslverify" default:"true"`
	// AllowDowngrade lets a version be older than the one installed.
	AllowDowngrade bool `arg:"allow_downgrade"`
	// InstallRepoquery is taken for playbooks that set it: nothing is needed on the host but dnf itself.
	InstallRepoquery bool `arg:"install_repoquery" default:"true"`
	// DownloadOnly fetches the packages and installs nothing.
	DownloadOnly bool `arg:"download_only"`
	// LockTimeout is how many seconds to wait for a lock that another program holds.
	LockTimeout int `arg:"lock_timeout" default:"30"`
	// InstallWeakDeps is whether recommended packages come along.
	InstallWeakDeps bool `arg:"install_weak_deps" default:"true"`
	// DownloadDir is the folder for what download_only fetches.
	DownloadDir modules.Path `arg:"download_dir"`
	// Allowerasing lets packages be removed that are in the way.
	Allowerasing bool `arg:"allowerasing"`
	// Nobest takes older versions where the newest cannot be installed.
	Nobest bool `arg:"nobest" exclusive:"best"`
	// Best takes nothing but the newest versions; without, as the host is set.
	Best *bool `arg:"best" exclusive:"best"`
	// Cacheonly fetches no metadata.
	Cacheonly bool `arg:"cacheonly"`
	// UseBackend is the program that does it; auto is the one of dnf, dnf5 and yum that the host has.
	UseBackend DnfBackend `arg:"use_backend,alias=use" default:"auto"`
	// AutoInstallModuleDeps is taken for playbooks that set it: nothing is needed on the host but dnf itself.
	AutoInstallModuleDeps bool `arg:"auto_install_module_deps" default:"true"`
}

// DnfResult is what became of it.
type DnfResult struct {
	// Changed tells whether packages changed.
	Changed bool `json:"changed"`
	// Msg says what failed, or that nothing was to do.
	Msg string `json:"msg"`
	// Results are lines "Installed: PACKAGE" and "Removed: PACKAGE"; with list, dicts of the packages or repositories.
	Results *value.List `json:"results"`
	// Failures are the packages that could not be had.
	Failures []string `json:"failures,omitempty"`
	// RC is 0, or 1 where it failed.
	RC int `json:"rc"`
}

// absent reports whether packages shall go.
func (a DnfArgs) absent() bool {
	return a.State == "absent" || a.State == "removed" || a.State == "" && a.Autoremove
}

// all reports whether all that is installed shall be upgraded.
func (a DnfArgs) all() bool { return len(a.Name) == 1 && a.Name[0] == "*" && a.State == "latest" }

// clean takes blanks and empty names away.
func clean(names []string) []string {
	var list []string
	for _, n := range names {
		for one := range strings.SplitSeq(n, ",") {
			if one = strings.TrimSpace(one); one != "" {
				list = append(list, one)
			}
		}
	}
	return list
}

// isRPMFile reports whether a name is that of a file, or a URL.
func isRPMFile(name string) bool {
	return strings.Contains(name, "://") || strings.HasSuffix(name, ".rpm")
}

// Check holds the rules over several arguments.
func (a DnfArgs) Check() error {
	for _, n := range clean(a.Name) {
		switch bad := func(msg string) error { return &modules.ArgError{Path: []any{"name"}, Msg: msg} }; {
		case strings.HasPrefix(n, "-"):
			return bad(fmt.Sprintf("%q is no name of a package", n))
		case strings.ContainsAny(n, "\n\r\t"):
			return bad(fmt.Sprintf("%q is no name of a package: it has a tab or a line's end", n))
		case strings.Contains(n, " ") && !strings.ContainsAny(n, "@<>="):
			return bad("It appears that a space separated string of packages was passed in as an argument. " +
				"To operate on several packages, pass a comma separated string of packages or a list of packages.")
		case a.absent() && isRPMFile(n):
			return bad("Cannot remove paths -- please specify package name.")
		}
	}
	switch {
	case a.Autoremove && !a.absent():
		return errors.New("Autoremove should be used alone or with state=absent")
	case a.LockTimeout < 0:
		return &modules.ArgError{Path: []any{"lock_timeout"}, Msg: "argument \"lock_timeout\" must not be below 0"}
	case strings.HasPrefix(a.List, "-"):
		return &modules.ArgError{Path: []any{"list"}, Msg: fmt.Sprintf("%q is no name of a package", a.List)}
	}
	return nil
}

func runDnf(ctx context.Context, h *modules.Host, a DnfArgs) (DnfResult, error) {
	a.Name = clean(a.Name)
	r := dnfRun{h: h, args: a, result: DnfResult{Results: value.NewList()}}
	err := r.run(ctx)
	if err != nil && !errors.Is(err, modules.ErrPlanned) {
		r.result.RC = 1
	}
	return r.result, err
}

// dnfRun is one run of the module.
type dnfRun struct {
	h      *modules.Host
	args   DnfArgs
	state  dnfState
	result DnfResult
}

// run looks, and does what is to be done in one round trip.
func (r *dnfRun) run(ctx context.Context) error {
	a := r.args
	if a.List != "" {
		return r.list(ctx)
	}
	told, err := r.h.Probe(ctx, dnfLook, r.lookArgs()...)
	if err != nil {
		return dnfLookError(told, err)
	}
	names := a.Name
	if a.all() {
		names = nil
	}
	if r.state, err = readDnf(told, names); err != nil {
		return err
	}
	steps, err := r.plan()
	if err != nil {
		return err
	}
	if len(steps) == 0 {
		r.result.Msg = "Nothing to do"
		return nil
	}
	if err := r.do(ctx, steps); err != nil {
		return err
	}
	switch {
	case len(a.Name) == 0 && !a.Autoremove:
		r.result.Msg = "Cache updated"
	case !r.result.Changed:
		r.result.Msg = "Nothing to do"
	case r.h.Planning():
		r.result.Msg = "Check mode: No changes made, but would have if not in check mode"
	}
	return nil
}

// options are those of every dnf of this run. Repositories are switched by --setopt, for that takes one that there is not, as Ansible does.
func (r *dnfRun) options() []string {
	a, yum := r.args, r.state.kind == "yum"
	var o []string
	flag := func(given bool, words ...string) {
		if given {
			o = append(o, words...)
		}
	}
	for _, id := range clean(a.Disablerepo) {
		flag(yum, "--disablerepo="+id)
		flag(!yum, "--setopt="+id+".enabled=0")
	}
	for _, id := range clean(a.Enablerepo) {
		flag(yum, "--enablerepo="+id)
		flag(!yum, "--setopt="+id+".enabled=1")
	}
	flag(a.ConfFile != "", "--config="+string(a.ConfFile))
	flag(a.root() != "", "--installroot="+a.root())
	flag(a.Releasever != "", "--releasever="+a.Releasever)
	flag(len(clean(a.Exclude)) > 0, "--exclude="+strings.Join(clean(a.Exclude), ","))
	flag(len(a.EnablePlugin) > 0, "--enableplugin="+strings.Join(a.EnablePlugin, ","))
	flag(len(a.DisablePlugin) > 0, "--disableplugin="+strings.Join(a.DisablePlugin, ","))
	if a.DisableExcludes != "" {
		flag(r.state.kind == "dnf5", "--setopt=disable_excludes="+map[bool]string{true: "*", false: a.DisableExcludes}[a.DisableExcludes == "all"])
		flag(r.state.kind != "dnf5", "--disableexcludes="+a.DisableExcludes)
	}
	flag(!a.SSLVerify, "--setopt=sslverify=0", "--setopt=*.sslverify=0")
	flag(a.Cacheonly, "--cacheonly")
	flag(a.UpdateCache && !yum, "--refresh")
	return o
}

// root is the folder of another system, "" for the host's own.
func (a DnfArgs) root() string { return strings.TrimSuffix(a.Installroot, "/") }

// changeOptions are those of a dnf that changes packages.
func (r *dnfRun) changeOptions() []string {
	a := r.args
	bit := map[bool]string{true: "1", false: "0"}
	o := append(r.options(), "--setopt=install_weak_deps="+bit[a.InstallWeakDeps], "--setopt=clean_requirements_on_remove="+bit[a.Autoremove])
	if r.state.kind != "dnf5" {
		o = append(o, "--setopt=exit_on_lock=1") // dnf5 does not wait for locks
	}
	if a.DisableGPGCheck {
		o = append(o, "--nogpgcheck")
	} else {
		o = append(o, "--setopt=gpgcheck=1", "--setopt=localpkg_gpgcheck=1")
	}
	if !a.ValidateCerts && a.SSLVerify {
		o = append(o, "--setopt=sslverify=0")
	}
	if a.SkipBroken {
		o = append(o, "--skip-broken")
		if r.state.kind == "dnf5" {
			o = append(o, "--skip-unavailable")
		}
	}
	if a.Allowerasing {
		o = append(o, "--allowerasing")
	}
	switch {
	case a.Nobest, a.Best != nil && !*a.Best:
		o = append(o, "--nobest")
	case a.Best != nil, a.State == "latest" && r.state.kind != "yum":
		o = append(o, "--best")
	}
	if a.DownloadOnly {
		o = append(o, "--downloadonly")
		if a.DownloadDir != "" && r.state.kind == "dnf5" {
			o = append(o, "--destdir="+string(a.DownloadDir))
		} else if a.DownloadDir != "" {
			o = append(o, "--downloaddir="+string(a.DownloadDir))
		}
	}
	return o
}

// argv is a dnf with a command; the script puts -y or --assumeno in.
func (r *dnfRun) argv(options []string, words ...string) []string {
	return append(append([]string{r.state.tool}, options...), words...)
}

// lookArgs are the arguments of dnfLook.
func (r *dnfRun) lookArgs() []string {
	a := r.args
	verify := "1"
	if !a.ValidateCerts {
		verify = ""
	}
	r.state.kind = "dnf4" // for the options of the look, which all of dnf's kinds take
	o := r.options()
	args := append([]string{string(a.UseBackend), a.root(), string(a.ConfFile), verify, strconv.Itoa(len(o))}, o...)
	if a.all() {
		return args
	}
	for _, n := range a.Name {
		args = append(args, a.kind(n)+n)
		if a.kind(n) == "name:" {
			for _, other := range nameCandidates(n) {
				args = append(args, "try:"+other)
			}
		}
	}
	return args
}
