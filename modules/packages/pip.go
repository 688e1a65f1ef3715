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

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed pip.go
var pipSource string

// Pip sees to packages of Python.
var Pip = modules.Define("pip", pipSource, runPip, modules.Aliases("ansible.builtin.pip", "ansible.legacy.pip"))

// PipState is how packages shall be.
type PipState string

// Choices lists the states.
func (PipState) Choices() []string { return []string{"absent", "forcereinstall", "latest", "present"} }

// PipArgs install and remove packages of Python by the host's pip, in a virtual environment or outside one. Where all that is named is there, with
// all that it needs, pip is not started.
//
//	# A program in an environment of its own, made where there is none yet.
//	- pip:
//	    name: [gunicorn>=20, flask]
//	    virtualenv: /srv/app/venv
//	    virtualenv_command: python3 -m venv
type PipArgs struct {
	// Name of the packages, with versions (foo==1.2, foo>=1,<2), as addresses (git+https://…) or as files.
	Name *[]string `arg:"name" oneof:"what" exclusive:"what"`
	// Version of the one package that is named.
	Version *string `arg:"version"`
	// Requirements is a file on the host that names packages.
	Requirements string `arg:"requirements" oneof:"what" exclusive:"what"`
	// Virtualenv is the folder of the environment; one that is not there is made.
	Virtualenv modules.Path `arg:"virtualenv" exclusive:"pip"`
	// VirtualenvSitePackages gives a new environment the system's packages as well.
	VirtualenvSitePackages bool `arg:"virtualenv_site_packages"`
	// VirtualenvCommand makes environments: virtualenv, python3 -m venv.
	VirtualenvCommand string `arg:"virtualenv_command" default:"virtualenv"`
	// VirtualenvPython is the Python of a new environment, for virtualenv.
	VirtualenvPython string `arg:"virtualenv_python"`
	// State is how the packages shall be.
	State PipState `arg:"state" default:"present"`
	// ExtraArgs are further arguments of pip.
	ExtraArgs string `arg:"extra_args"`
	// Editable installs from a source that stays where it is.
	Editable bool `arg:"editable"`
	// Chdir is the folder to run pip in.
	Chdir modules.Path `arg:"chdir"`
	// Executable is the pip to run, by name or path.
	Executable modules.Path `arg:"executable" exclusive:"pip"`
	// Umask for what is installed, in octal digits.
	Umask string `arg:"umask"`
}

// Check holds the rules over several arguments.
func (a PipArgs) Check() error {
	fail := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	if _, err := strconv.ParseUint(a.Umask, 8, 9); a.Umask != "" && err != nil {
		return fail("umask", "umask must be an octal integer")
	}
	if _, err := shell.Split(a.ExtraArgs); err != nil {
		return fail("extra_args", "extra_args: %v", err)
	}
	command, err := shell.Split(a.VirtualenvCommand)
	if err != nil || len(command) == 0 {
		return fail("virtualenv_command", "virtualenv_command must be a command")
	}
	if a.VirtualenvPython != "" && a.ownVenv() {
		return fail("virtualenv_python", "virtualenv_python should not be used when using the venv module or pyvenv as virtualenv_command")
	}
	if a.Version != nil && a.State == "latest" {
		return fail("version", "version is incompatible with state=latest")
	}
	_, err = a.targets()
	return err
}

// PipResult is what became of the packages.
type PipResult struct {
	// Changed is whether pip did anything, or an environment was made.
	Changed bool `json:"changed"`
	// Cmd is pip's command line.
	Cmd []string `json:"cmd"`
	// Name are the packages as they were given.
	Name *[]string `json:"name"`
	// Version as it was given.
	Version *string `json:"version"`
	// State as it was given.
	State string `json:"state"`
	// Requirements as it was given.
	Requirements *string `json:"requirements"`
	// Virtualenv is the folder of the environment.
	Virtualenv *string `json:"virtualenv"`
	// Stdout is what pip printed.
	Stdout string `json:"stdout"`
	// Stderr is what it complained of.
	Stderr string `json:"stderr"`
}

// pipLib: environment, folder to run in, executable. It goes to the folder and finds pip, in "$@": that of the environment, the one that is named, or
// that of the system's Python. Without any it tells why.
const pipLib = modules.ExpandLib + `
__expand "$2"; dir=${__v:-${TMPDIR:-/tmp}}
__expand "$1"; env=$__v
__expand "$3"; exe=$__v
[ -z "$env" ] || [ -z "$2" ] || case $env in /*) ;; *) env=$dir/$env ;; esac
cd -- "$dir" || exit 1
findpip() {
	python=
	if [ -n "$env" ]; then
		pip=
		for p in pip3 pip; do if [ -x "$env/bin/$p" ]; then pip=$env/bin/$p; break; fi; done
		[ -n "$pip" ] || { echo "Unable to find pip in the virtualenv, $env, under any of these names: pip3, pip. Make sure pip is present in the virtualenv." >&2; return 1; }
		python=$env/bin/python
	elif [ -n "$exe" ]; then
		pip=$(command -v -- "$exe") || { echo "Unable to find any of $exe to use.  pip needs to be installed." >&2; return 1; }
		python=$(sed -n '1s/^#! *\([^ ]*python[^ ]*\)$/\1/p' "$pip" 2>/dev/null)
	else
		python=/usr/bin/python3
		[ -x "$python" ] || python=$(command -v python3) || python=
		if [ -n "$python" ] && "$python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("pip") is None)' 2>/dev/null; then
			pip=
		else
			python=
			pip=$(command -v pip3) || { echo 'Unable to find any of pip3 to use.  pip needs to be installed.' >&2; return 1; }
		fi
	fi
}
runpip() { if [ -n "$pip" ]; then "$pip" "$@"; else "$python" -m pip.__main__ "$@"; fi; }
`

// pipLook: as pipLib, and the packages. It tells of each whether it is there with all that it needs (yes), there otherwise (part), not
// there (no), or what cannot be told (other).
const pipLook = pipLib + `
shift 3
say env "$env"
[ -z "$env" ] || [ -e "$env/bin/activate" ] || { say venv missing; exit 0; }
findpip || exit 1
say pip "${pip:-$python -m pip.__main__}"
[ -n "$python" ] && [ -x "$python" ] && [ $# != 0 ] || exit 0
tell are "$python" -c '
import sys
from importlib.metadata import distribution, PackageNotFoundError
from pip._vendor.packaging.requirements import Requirement
seen = set()
def complete(req, extras):
    if req.marker and not any(req.marker.evaluate({"extra": e}) for e in extras):
        return True
    try:
        d = distribution(req.name)
    except PackageNotFoundError:
        return False
    if req.url or not req.specifier.contains(d.version, prereleases=True):
        return False
    key = (req.name.lower(), frozenset(req.extras))
    if key in seen:
        return True
    seen.add(key)
    return all(complete(Requirement(r), list(req.extras) or [""]) for r in d.requires or [])
for text in sys.argv[1:]:
    try:
        req = Requirement(text)
    except Exception:
        print("other")
        continue
    if req.marker:
        print("other")
        continue
    try:
        distribution(req.name)
    except PackageNotFoundError:
        print("no")
        continue
    print("yes" if complete(req, [""]) else "part")
' "$@"
exit 0
`

// pipRun: as pipLib; umask; whether what is installed is to be compared; whether virtualenv is to be told of a Python, which; the number of words of the
// command that makes environments, those; pip's arguments.
const pipRun = pipLib + `
[ -z "$4" ] || umask "$4"
compare=$5 tellpython=$6 wantpython=$7 n=$8
shift 8
t=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") || exit 1
trap 'rm -rf "$t"' EXIT
trap 'exit 1' HUP INT TERM
if [ -n "$env" ] && [ ! -e "$env/bin/activate" ]; then
	say venv made
	(
		i=0
		for w; do
			[ "$i" -lt "$n" ] || break
			i=$((i + 1))
			set -- "$@" "$w"
		done
		i=$(($# - n))
		while [ "$i" -gt 0 ]; do shift; i=$((i - 1)); done
		command -v -- "$1" >/dev/null || { echo "Failed to find required executable \"$1\" in paths: $PATH (virtualenv_command: python3 -m venv needs none)" >&2; exit 1; }
		if [ -n "$tellpython" ]; then
			[ -n "$wantpython" ] || for p in /usr/bin/python3 "$(command -v python3)"; do if [ -x "$p" ]; then wantpython=$p; break; fi; done
			set -- "$@" ${wantpython:+"-p$wantpython"}
		fi
		exec "$@" "$env"
	) >"$t/out" 2>"$t/err" </dev/null
	rc=$?
	[ $rc = 0 ] || { show out "$t/out"; show err "$t/err"; exit $rc; }
fi
while [ "$n" -gt 0 ]; do shift; n=$((n - 1)); done
findpip || exit 1
say pip "${pip:-$python -m pip.__main__}"
[ -z "$env" ] || PATH=$env/bin:$PATH
[ -z "$compare" ] || tell before runpip list --format=freeze
runpip "$@" >>"$t/out" 2>>"$t/err" </dev/null
rc=$?
show out "$t/out"
show err "$t/err"
[ -z "$compare" ] || tell after runpip list --format=freeze
exit $rc
`

var (
	pipOperator = regexp.MustCompile(`^\s*([<>=!~]=|[<>])`)
	pipPlain    = regexp.MustCompile(`^\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^]]*\])?\s*(.*)$`)
	pipVCS      = regexp.MustCompile(`^(svn|git|hg|bzr)\+`)
)

// ownVenv reports that environments are made by Python's own module, which needs not be told of a Python.
func (a PipArgs) ownVenv() bool {
	return strings.Contains(a.VirtualenvCommand, "pyvenv") || strings.Contains(a.VirtualenvCommand, "-m venv")
}

// targets gives the packages to name to pip. What is given may be a list whose items are parted at the commas of versions.
func (a PipArgs) targets() ([]string, error) {
	if a.Name == nil {
		return nil, nil
	}
	var list []string
	brackets := false
	for part := range strings.SplitSeq(strings.Join(*a.Name, ","), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if (brackets || pipOperator.MatchString(part)) && len(list) > 0 {
			list[len(list)-1] += "," + part
		} else {
			list = append(list, part)
		}
		if strings.Contains(part, "[") {
			brackets = true
		}
		if strings.Contains(part, "]") {
			brackets = false
		}
	}
	for _, t := range list {
		if strings.HasPrefix(t, "-") {
			return nil, &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("%q is no package; arguments of pip go to extra_args", t)}
		}
	}
	if a.Version == nil || len(list) == 0 {
		return list, nil
	}
	if len(list) > 1 {
		return nil, &modules.ArgError{Path: []any{"version"}, Msg: "'version' argument is ambiguous when installing multiple package distributions. " +
			"Please specify version restrictions next to each package in 'name' argument."}
	}
	m := pipPlain.FindStringSubmatch(list[0])
	if m != nil && pipOperator.MatchString(m[2]) {
		return nil, &modules.ArgError{Path: []any{"version"}, Msg: "The 'version' argument conflicts with any version specifier provided along with a package name. " +
			"Please keep the version specifier, but remove the 'version' argument."}
	}
	version := strings.TrimSpace(*a.Version)
	if version != "" && !pipOperator.MatchString(version) {
		version = "==" + version
	}
	list[0] += version
	return list, nil
}

// arguments gives pip's.
func (a PipArgs) arguments(targets []string) ([]string, error) {
	argv := map[PipState][]string{
		"present": {"install"}, "absent": {"uninstall", "-y"}, "latest": {"install", "-U"}, "forcereinstall": {"install", "-U", "--force-reinstall"},
	}[a.State]
	extra, err := shell.Split(a.ExtraArgs)
	if err != nil {
		return nil, err
	}
	if a.Editable && !slices.Contains(extra, "-e") {
		extra = append(extra, "-e")
	}
	argv = append(slices.Clone(argv), extra...)
	if len(targets) == 0 {
		return append(argv, "-r", a.Requirements), nil
	}
	return append(argv, targets...), nil
}

func runPip(ctx context.Context, h *modules.Host, a PipArgs) (PipResult, error) {
	r := PipResult{Name: a.Name, Version: a.Version, State: string(a.State), Cmd: []string{}}
	targets, err := a.targets()
	if err != nil {
		return r, err
	}
	if len(targets) == 0 && a.Requirements == "" {
		h.Warn("No valid name or requirements file found.")
		return r, nil
	}
	if a.Requirements != "" {
		r.Requirements = &a.Requirements
	}
	argv, err := a.arguments(targets)
	if err != nil {
		return r, err
	}
	where := []string{string(a.Virtualenv), string(a.Chdir), string(a.Executable)}
	look := targets
	if a.State == "latest" || a.State == "forcereinstall" || a.ExtraArgs != "" || a.Editable {
		look = nil
	}
	told, err := h.Probe(ctx, pipLook, append(slices.Clone(where), look...)...)
	if err != nil {
		return r, pipError(err, told)
	}
	if env := told.Text("env"); env != "" {
		r.Virtualenv = &env
	}
	r.Cmd = append(strings.Fields(told.Text("pip")), argv...)
	if len(look) > 0 && a.settled(told, len(look)) || a.State == "absent" && told.Has("venv") {
		return r, nil
	}
	return r, r.run(ctx, h, a, where, targets, argv)
}

// settled reports that the look leaves nothing to do.
func (a PipArgs) settled(told *modules.Report, n int) bool {
	if told.Has("venv") || told.Status("are") != 0 {
		return false
	}
	are := told.Lines("are")
	want := map[PipState]string{"present": "yes", "absent": "no"}[a.State]
	return len(are) == n && !slices.ContainsFunc(are, func(is string) bool { return is != want })
}

// run runs pip, once the environment is there.
func (r *PipResult) run(ctx context.Context, h *modules.Host, a PipArgs, where, targets, argv []string) error {
	compare, tell := "", ""
	if len(targets) == 0 || slices.ContainsFunc(targets, pipVCS.MatchString) {
		compare = "1"
	}
	if !a.ownVenv() {
		tell = "1"
	}
	maker, err := shell.Split(a.VirtualenvCommand)
	if err != nil {
		return err
	}
	if a.VirtualenvSitePackages {
		maker = append(maker, "--system-site-packages")
	}
	verb := map[bool]string{true: "remove ", false: "install "}[a.State == "absent"]
	what := strings.Join(targets, ", ")
	if what == "" {
		what = "what " + a.Requirements + " names"
	}
	args := slices.Concat(where, []string{a.Umask, compare, tell, a.VirtualenvPython, strconv.Itoa(len(maker))}, maker, argv)
	done, err := h.Change(ctx, modules.Action{Why: verb + what + " by pip", Script: pipRun, Args: args})
	if errors.Is(err, modules.ErrPlanned) {
		r.Changed = true
		return nil
	}
	if len(done) == 0 {
		return err
	}
	told := modules.ParseReport(done[0].Stdout)
	r.Stdout, r.Stderr = modules.Clean(told.Bytes("out")), modules.Clean(told.Bytes("err"))
	if told.Has("pip") {
		r.Cmd = append(strings.Fields(told.Text("pip")), argv...)
	}
	if err != nil {
		if a.State != "absent" || done[0].Status != 1 || !strings.Contains(r.Stdout+r.Stderr, "not installed") {
			return pipError(err, told)
		}
	}
	switch {
	case told.Has("venv"):
		r.Changed = true
	case a.State == "absent":
		r.Changed = strings.Contains(r.Stdout, "Successfully uninstalled")
	case compare != "":
		r.Changed = told.Text("before") != told.Text("after")
	default:
		r.Changed = strings.Contains(r.Stdout, "Successfully installed")
	}
	return nil
}

// pipError tells what pip said, or what kept it from being run.
func pipError(err error, told *modules.Report) error {
	var stderr string
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		stderr = string(one.Stderr)
	} else {
		stderr = string(told.Stderr)
	}
	out, errs := strings.TrimSpace(told.Text("out")), strings.TrimSpace(told.Text("err"))
	switch {
	case out != "" || errs != "":
		msg := ""
		if out != "" {
			msg = "stdout: " + out + "\n"
		}
		if errs != "" {
			msg += ":stderr: " + errs
		}
		return errors.New(strings.TrimSpace(msg))
	case strings.TrimSpace(stderr) != "":
		return errors.New(strings.TrimSpace(stderr))
	}
	return err
}
