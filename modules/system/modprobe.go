package system

import (
	"context"
	_ "embed"
	"regexp"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed modprobe.go
var modprobeSource string

// Modprobe loads and unloads a module of the kernel.
var Modprobe = modules.Define("modprobe", modprobeSource, runModprobe,
	modules.Aliases("community.general.modprobe"), modules.Converges())

// ModprobeArgs load or unload a module of the kernel, now and, with persistent, at each boot.
//
//	# Guests may have guests of their own.
//	- modprobe:
//	    name: kvm_intel
//	    params: nested=1
//	    persistent: present
type ModprobeArgs struct {
	// Name of the module.
	Name string `arg:"name" required:"true"`
	// State is whether the module shall be loaded; one that is built into the kernel is.
	State modules.Presence `arg:"state" default:"present"`
	// Params are the module's parameters, used when it is loaded.
	Params string `arg:"params"`
	// Persistent is what is done about the next boot: with present the module is loaded by a file of /etc/modules-load.d, with params
	// in /etc/modprobe.d, with absent such lines of all files there are commented out, with disabled nothing is done.
	Persistent modprobeLater `arg:"persistent" default:"disabled"`
}

// modprobeLater is what is done about the next boot.
type modprobeLater string

// Choices lists what can be done.
func (modprobeLater) Choices() []string { return []string{"disabled", "present", "absent"} }

// ModprobeResult tells what was asked for.
type ModprobeResult struct {
	// Name of the module.
	Name string `json:"name"`
	// Params that were given.
	Params string `json:"params"`
	// State that was asked for.
	State string `json:"state"`
}

var kernelModule = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// Check refuses what is no module's name, and parameters that are no words.
func (a ModprobeArgs) Check() error {
	if !kernelModule.MatchString(a.Name) {
		return &modules.ArgError{Path: []any{"name"}, Msg: "name cannot be the name of a kernel module: " + a.Name}
	}
	_, err := modules.SplitWords(a.Params)
	return err
}

// modprobeScript: name, the kernel's list of modules, the folder of its modules. The kernel writes every - in a name as _.
const modprobeScript = `[ -r "$2" ] || { echo "the kernel has no modules: there is no $2" >&2; exit 1; }
built=$3/$(uname -r)/modules.builtin
[ -r "$built" ] || built=/dev/null
if awk -v n="$1" 'BEGIN { gsub(/-/, "_", n) }
{ m = $1; sub(/.*\//, "", m); sub(/\.ko.*/, "", m); gsub(/-/, "_", m); if (m == n) { f = 1; exit } }
END { exit !f }' "$2" "$built"; then say loaded yes; fi
`

func runModprobe(ctx context.Context, h *modules.Host, a ModprobeArgs) (ModprobeResult, error) {
	rec := modules.Reconciler[kernelModules]{
		Probe: modprobeScript, Args: []string{a.Name, "/proc/modules", "/lib/modules"},
		Parse: func(r *modules.Report) (kernelModules, error) {
			k := kernelModules{loaded: r.Has("loaded")}
			for _, dir := range []string{loadFolder, optionFolder} {
				if r.Has("missing." + dir) {
					k.missing = append(k.missing, dir)
				}
			}
			var err error
			k.boot, err = parseBoot(r)
			return k, err
		},
		Plan: a.plan,
	}
	if a.Persistent != "disabled" {
		rec.Probe, rec.Args, rec.Lock = modprobeBootScript, append(rec.Args, loadFolder, optionFolder), "modprobe"
	}
	_, _, err := modules.Reconcile(ctx, h, rec)
	return ModprobeResult{Name: a.Name, Params: a.Params, State: string(a.State)}, err
}

// kernelModules is what a look told: whether the module is loaded, and the files that the boot reads.
type kernelModules struct {
	loaded  bool
	boot    []bootFile
	missing []string // folders of theirs
}

func (a ModprobeArgs) plan(k kernelModules) ([]modules.Action, error) {
	var actions []modules.Action
	switch {
	case k.loaded == (a.State == modules.Present):
	case k.loaded:
		actions = append(actions, modules.Action{Why: "unload module " + a.Name, Argv: []string{"modprobe", "-r", a.Name}})
	default:
		params, err := modules.SplitWords(a.Params)
		if err != nil {
			return nil, err
		}
		actions = append(actions, modules.Action{Why: "load module " + a.Name, Argv: append([]string{"modprobe", a.Name}, params...)})
	}
	if a.Persistent == "disabled" {
		return actions, nil
	}
	files, err := a.bootActions(k.boot, k.missing)
	return append(actions, files...), err
}
