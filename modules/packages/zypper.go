package packages

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

//go:embed zypper.go
var zypperSource string

// Zypper sees to packages of openSUSE and SUSE Linux Enterprise.
var Zypper = modules.Define("zypper", zypperSource, runZypper, modules.Aliases("community.general.zypper"))

// ZypperState is how a package shall be.
type ZypperState string

// Choices lists the states.
func (ZypperState) Choices() []string {
	return []string{"absent", "installed", "latest", "present", "removed", "dist-upgrade"}
}

// ZypperType is what is installed.
type ZypperType string

// Choices lists the types.
func (ZypperType) Choices() []string {
	return []string{"package", "patch", "pattern", "product", "srcpackage", "application"}
}

// ZypperArgs install, upgrade and remove packages by zypper. Packages that rpm says to be there already cost one look and no zypper. A lock that
// another program holds is waited for, for a minute.
//
//	# A hypervisor, without what is merely recommended.
//	- zypper:
//	    name: [qemu-kvm, libvirt-daemon-qemu, "virt-install>=4.0"]
type ZypperArgs struct {
	// Name of packages: with a version (foo>=1.2), a pattern (lib*), with - or ~ before it to remove it in the same transaction, an .rpm file or URL;
	// * with state latest or dist-upgrade is all that is installed.
	Name []string `arg:"name,alias=pkg" required:"true"`
	// State is how the packages shall be: installed is present, removed is absent; dist-upgrade brings all to the repositories' state.
	State ZypperState `arg:"state" default:"present"`
	// Type of what is named.
	Type ZypperType `arg:"type" default:"package"`
	// ExtraArgsPrecommand are further options of zypper itself, with blanks between.
	ExtraArgsPrecommand string `arg:"extra_args_precommand"`
	// DisableGPGCheck takes packages without a signature, or with one of an unknown key.
	DisableGPGCheck bool `arg:"disable_gpg_check"`
	// DisableRecommends leaves out what is merely recommended.
	DisableRecommends bool `arg:"disable_recommends" default:"true"`
	// Force installs again what is there.
	Force bool `arg:"force"`
	// ForceResolution lets zypper remove what is in the way.
	ForceResolution bool `arg:"force_resolution"`
	// UpdateCache fetches the repositories' metadata first.
	UpdateCache bool `arg:"update_cache,alias=refresh"`
	// Oldpackage lets a version be older than the one installed; one that is named with its version may be so anyway.
	Oldpackage bool `arg:"oldpackage"`
	// ExtraArgs are further options of zypper's command, with blanks between.
	ExtraArgs string `arg:"extra_args"`
	// AllowVendorChange lets dist-upgrade change a package's vendor.
	AllowVendorChange bool `arg:"allow_vendor_change"`
	// Replacefiles takes packages with files that others have too.
	Replacefiles bool `arg:"replacefiles"`
	// CleanDeps removes what was installed for others and is no longer needed, with state absent.
	CleanDeps bool `arg:"clean_deps"`
	// AutoImportKeys trusts the keys of repositories.
	AutoImportKeys bool `arg:"auto_import_keys"`
	// SimpleErrors is taken for playbooks that set it: messages are always the simple ones.
	SimpleErrors bool `arg:"simple_errors"`
	// Quiet is taken for playbooks that set it: zypper always runs with --quiet.
	Quiet bool `arg:"quiet" default:"true"`
}

// ZypperResult is what became of it.
type ZypperResult struct {
	// Changed tells whether packages changed.
	Changed bool `json:"changed"`
	// Name is as it was given.
	Name []string `json:"name"`
	// State is as it was given.
	State string `json:"state"`
	// UpdateCache is as it was given.
	UpdateCache bool `json:"update_cache"`
	// RC is zypper's status.
	RC int `json:"rc"`
	// Cmd is the zypper that ran.
	Cmd []string `json:"cmd,omitempty"`
	// Stdout is what zypper printed, where it changed something or failed.
	Stdout string `json:"stdout,omitempty"`
	// Stderr is what zypper printed to standard error.
	Stderr string `json:"stderr,omitempty"`
}

// zypperWish is one thing that is asked for.
type zypperWish struct {
	spec    string // NAME, or NAME with a relation and a version, or a file or URL
	name    string
	version string // with its relation: >=1.2
	remove  bool
	plus    bool // + was given
	file    bool
}

// zypperName parts the relation and the version from a name.
var zypperName = regexp.MustCompile(`^(.*?)(<=|>=|<|>|=)([0-9][^\s<>=]*)$`)

// wishes reads the names.
func (a ZypperArgs) wishes() (list []zypperWish) {
	for _, n := range a.Name {
		if n = strings.TrimSpace(n); n == "" {
			continue
		}
		w := zypperWish{spec: n, name: n, remove: a.absent(), file: isRPMFile(n)}
		if !w.file {
			switch n[0] {
			case '-', '~':
				w.remove, n = true, n[1:]
			case '+':
				w.remove, w.plus, n = false, true, n[1:]
			}
			w.spec, w.name = n, n
			if m := zypperName.FindStringSubmatch(n); m != nil {
				w.name, w.version = m[1], m[2]+m[3]
				w.spec = m[1] + " " + m[2] + " " + m[3]
			}
		}
		list = append(list, w)
	}
	return list
}

func (a ZypperArgs) absent() bool { return a.State == "absent" || a.State == "removed" }

// all reports whether all that is installed shall be upgraded.
func (a ZypperArgs) all() bool {
	w := a.wishes()
	return len(w) == 1 && w[0].name == "*" && (a.State == "latest" || a.State == "dist-upgrade")
}

// Check holds the rules over several arguments.
func (a ZypperArgs) Check() error {
	bad := func(arg, msg string) error { return &modules.ArgError{Path: []any{arg}, Msg: msg} }
	if a.State == "dist-upgrade" && !a.all() {
		return bad("name", "Can not dist-upgrade specific packages.")
	}
	if a.absent() && a.Type == "patch" {
		return bad("type", "Can not remove patches.")
	}
	for _, w := range a.wishes() {
		switch {
		case w.name == "" || w.name[0] == '-' || strings.ContainsAny(w.name, "\n\r\t"):
			return bad("name", fmt.Sprintf("%q is no name of a package", w.name))
		case a.absent() && w.file:
			return bad("name", "Can not remove via URL.")
		case a.absent() && w.plus:
			return bad("name", "Can not combine '+' prefix with state=remove/absent.")
		}
	}
	return nil
}

// zypperLook: the type, the number of names (as zypper searches for them), these, and what rpmLook looks for. Only what is of another type than
// package is asked of zypper.
const zypperLook = `
command -v zypper >/dev/null || { echo 'there is no zypper on this host' >&2; exit 1; }
if [ -e /usr/sbin/transactional-update ] && awk '$2 == "/" { ro = $3 == "btrfs" && ("," $4 ",") ~ /,ro,/ } END { exit !ro }' /proc/mounts; then say transactional 1; fi
type=$1 root= verify=1 n=0
shift
if [ "$type" != package ]; then
	[ $# = 0 ] || tell search zypper --quiet --non-interactive --xmlout --disable-repositories search --type "$type" --match-exact --details --installed-only "$@"
	exit 0
fi
` + rpmLook

func runZypper(ctx context.Context, h *modules.Host, a ZypperArgs) (ZypperResult, error) {
	r := zypperRun{h: h, args: a, wishes: a.wishes()}
	r.result = ZypperResult{Name: a.Name, State: string(a.State), UpdateCache: a.UpdateCache}
	err := r.run(ctx)
	return r.result, err
}

// zypperRun is one run of the module.
type zypperRun struct {
	h      *modules.Host
	args   ZypperArgs
	wishes []zypperWish
	prefix []string // what zypper is run by
	result ZypperResult
}

func (r *zypperRun) run(ctx context.Context) error {
	told, err := r.h.Probe(ctx, zypperLook, r.lookArgs()...)
	if err != nil {
		return dnfLookError(told, err)
	}
	if told.Has("transactional") {
		r.prefix = []string{"transactional-update", "--continue", "--drop-if-no-change", "--quiet", "run"}
	}
	there, err := r.there(told)
	if err != nil {
		return err
	}
	var steps []zypperStep
	if r.args.UpdateCache && !r.h.Planning() {
		steps = append(steps, zypperStep{why: "fetch the repositories' metadata", argv: r.command("refresh"), refresh: true})
	}
	if step, some := r.plan(there); some {
		steps = append(steps, step)
	}
	return r.do(ctx, steps)
}

// lookArgs are the arguments of zypperLook.
func (r *zypperRun) lookArgs() []string {
	args := []string{string(r.args.Type)}
	if r.args.all() {
		return args
	}
	for _, w := range r.wishes {
		switch {
		case r.args.Type != "package" && !w.file:
			args = append(args, w.name)
		case r.args.Type != "package":
		case w.file:
			args = append(args, "file:"+w.spec)
		case strings.ContainsAny(w.spec, "*?["):
			args = append(args, "gone:"+w.spec)
		default:
			args = append(args, "name:"+w.spec)
			for _, other := range nameCandidates(w.spec) {
				args = append(args, "try:"+other)
			}
		}
	}
	return args
}

// there gives what is installed of each thing that is asked for: names of packages, none where it is not there as asked.
func (r *zypperRun) there(told *modules.Report) ([][]string, error) {
	list := make([][]string, len(r.wishes))
	if r.args.all() {
		return list, nil
	}
	if r.args.Type != "package" {
		if status := told.Status("search"); told.Has("search") && status != 0 && status != zypperNotFound {
			return nil, errors.New("look at what is installed: " + zypperMessage(told.Bytes("search"), told.Text("search.err")))
		}
		found := readZypper(told.Bytes("search"))
		for i, w := range r.wishes {
			if slices.ContainsFunc(found, func(s zypperSolvable) bool { return s.Name == w.name }) {
				list[i] = []string{w.name}
			}
		}
		return list, nil
	}
	var specs []string
	for _, w := range r.wishes {
		specs = append(specs, w.spec)
	}
	for i, n := range readNames(told, specs) {
		if n.file != nil && !n.there() {
			continue
		}
		for _, p := range n.found {
			list[i] = append(list[i], p.name)
		}
	}
	return list, nil
}
