package virt

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/cloudinit"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// installProbe tells of the domain as domainProbe does ($1 URI, $2 name, $3 what is asked besides) and, where there is none or $4 is always,
// of what an installation needs: networks, pools, bridges, and the paths that follow. $5 and $6 are the folder or the pool that the seed $7
// lies in; without a $7 there is none. $8 is the journal of an installation.
const installProbe = "(\n" + domainProbe + ")\n" + `command -v virsh >/dev/null 2>&1 || exit 0
v() { virsh -q -c "$__uri" "$@"; }
__uri=$1 __name=$2 __always=$4
` + cloudinit.LookLib + `if [ -n "$7" ]; then
	folder=$5
	[ -z "$6" ] || pool_folder "$6" || folder=
	[ -n "$folder" ] || pool_folder default || folder=
	if [ -n "$folder" ]; then
		say seed "${folder%/}/$7"
		look_seed "${folder%/}/$7" || say seedbad there
	fi
fi
` + journalLib + `[ ! -r "$journals/$8" ] || say journal "$(cat "$journals/$8")"
shift 8
case "
$(v list --all --name 2>/dev/null)
" in *"
$__name
"*) [ "$__always" = always ] || exit 0 ;; esac
if command -v virt-install >/dev/null 2>&1; then say installer there; else say installer ''; exit 0; fi
tell networks v net-list --all --name
tell active v net-list --name
tell pools v pool-list --name
say devices "$(ls /sys/class/net 2>/dev/null)"
n=0
for p do
	if [ -e "$p" ]; then s=there
	elif [ -x "${p%/*}/" ]; then s=missing
	elif [ "$(id -u)" = 0 ]; then s=nofolder
	else s=unknown; fi
	say "path$n" "$s"; n=$((n + 1))
done
exit 0
`

// installScript: the URI, the domain, the seed that goes when there is no domain in the end, the journal ("" for none), the number of disks that may be made and their paths, number of files, for each its name, its first byte in standard input and its size, then whether the arguments are hidden,
// then virt-install's arguments. Hidden ones are the last file. The files lie in a folder that only the user can read, where virt-install
// runs, and are gone when it ends.
const installScript = journalLib + `umask 077
if [ -w /run ]; then base=/run; else base=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}; fi
t=$(mktemp -d "$base/hostler.XXXXXX") || exit 1
trap 'cd / && rm -rf -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cd "$t" || exit 1
uri=$1 name=$2 seed=$3 journal=$4 n=$5; shift 5
if [ -n "$journal" ]; then
	journal=$journals/$journal
	IFS= read -r uuid </proc/sys/kernel/random/uuid && mkdir -p -- "$journals" && printf '%s\n' "$uuid" >"$journal" || exit 1
fi
while [ "$n" -gt 0 ]; do
	if [ -n "$journal" ] && [ ! -e "$1" ]; then printf '%s\n' "$1" >>"$journal" || exit 1; fi
	shift; n=$((n - 1))
done
n=$1; shift
[ "$n" = 0 ] || cat >all || exit 1
while [ "$n" -gt 0 ]; do
	case $1 in */*) mkdir -p -- "${1%/*}" || exit 1 ;; esac
	tail -c "+$2" all | head -c "$3" >"$1" || exit 1
	shift 3; n=$((n - 1))
done
rm -f all
hidden=$1; shift
create() {
	if [ "$hidden" = no ]; then virt-install "$@" </dev/null; return; fi
	p=$(command -v virt-install) && IFS= read -r first <"$p"
	case $first in '#!'*python*) ;; *) echo "virt-install is no Python program here: a password would be seen in the list of processes" >&2; return 1 ;; esac
	${first#??} -c 'import os, runpy, sys
path, words = sys.argv[1:3]
sys.argv = [path] + [os.fsdecode(w) for w in open(words, "rb").read().split(b"\0")] + sys.argv[3:]
runpy.run_path(path, run_name="__main__")' "$p" argv "$@" </dev/null
}
[ -z "$journal" ] || set -- "$@" "--uuid=$uuid"
if create "$@"; then [ -z "$journal" ] || rm -f -- "$journal"; exit 0; else status=$?; fi
if all=$(virsh -q -c "$uri" list --all --name); then
	case "
$all
" in *"
$name
"*) ;; *)
		for f in "$seed" "$journal"; do [ -z "$f" ] || rm -f -- "$f"; done ;;
	esac
fi
exit $status`

// request gives the script's arguments and standard input; further are arguments of virt-install.
func (c *installCommand) request(begin []string, further ...string) (args []string, stdin []byte) {
	argv, files := append(slices.Clone(c.argv), further...), c.files
	hidden := "no"
	if c.secret {
		hidden, files = "yes", append(slices.Clone(files), installFile{name: "argv", content: strings.Join(argv, "\x00")})
		argv = nil
	}
	args = append(begin, strconv.Itoa(len(files)))
	for _, f := range files {
		args = append(args, f.name, strconv.Itoa(len(stdin)+1), strconv.Itoa(len(f.content)))
		stdin = append(stdin, f.content...)
	}
	return append(append(args, hidden), argv...), stdin
}

// action is the call as a change.
func (c *installCommand) action(a InstallArgs, seed string) modules.Action {
	why := "create domain " + a.Name + " by virt-install"
	var further []string
	if seed != "" {
		further = append(further, seedDrive(seed))
	}
	args, stdin := c.request(c.begin(a, seed), further...)
	return modules.Action{Why: why, Script: installScript, Args: args, Stdin: stdin}
}

// installState is the domain and what an installation finds on the host.
type installState struct {
	domain
	probed                           bool // what follows was looked at
	installer                        bool
	networks, active, pools, devices []string
	paths                            []string
	seed                             seedState
	journal                          []string // the UUID and the disks of an installation that did not end
}

func (j *installJob) parse(r *modules.Report) (installState, error) {
	d, err := parseDomain(r, j.Name)
	s := installState{domain: d, probed: r.Has("installer"), installer: r.Text("installer") != ""}
	if err != nil {
		return s, err
	}
	s.networks, s.active, s.devices = r.Lines("networks"), r.Lines("active"), r.Lines("devices")
	for _, name := range r.Lines("pools") {
		s.pools = append(s.pools, strings.TrimRight(name, " ")) // libvirt 9.0 pads them
	}
	s.seed = seedState{path: r.Text("seed"), sum: r.Text("sum"), orphan: r.Has("orphan"), bad: r.Has("seedbad")}
	s.journal = r.Lines("journal")
	for i := range j.paths() {
		s.paths = append(s.paths, r.Text("path"+strconv.Itoa(i)))
	}
	return s, nil
}

// installJob is one run of virt_install.
type installJob struct {
	InstallArgs
	host    *modules.Host
	cmd     *installCommand // nil for absent
	seed    *installSeed    // nil without one of ours
	planned bool
	created bool
	drift   []Drift
}

// paths are those to look at on the host.
func (j *installJob) paths() []string {
	var paths []string
	if j.cmd == nil {
		return nil
	}
	for _, c := range j.cmd.checks {
		if c.kind == "path" || c.kind == "new" {
			paths = append(paths, c.name)
		}
	}
	return paths
}

func (j *installJob) run(ctx context.Context) (InstallResult, error) {
	ask, always := "", ""
	if j.State == modules.Absent || j.Recreate {
		ask = "leftovers"
	}
	if j.State == modules.Present && j.CleanupFailed {
		ask, always = "storage", "always"
	}
	lock := lockName("domain", j.Name)
	if j.Recreate {
		always, lock = "always", "" // what is done once goes without, for under a lock it might be planned twice
	}
	before, after, err := modules.Reconcile(ctx, j.host, modules.Reconciler[installState]{
		Probe: installProbe, Args: slices.Concat([]string{string(j.URI), j.Name, ask, always}, j.seed.place(), []string{j.journal()}, j.paths()), Lock: lock,
		Parse: j.parse, Plan: j.plan,
		Diff: func(before, after installState) []modules.Diff {
			job := virtJob{Args: Args{Name: j.Name}}
			return job.diff(before.domain, after.domain)
		},
		Want: func(s installState) installState {
			if j.State == modules.Absent {
				s.domain = domain{name: j.Name, state: "absent"}
			} else if !s.exists {
				s.state = "running"
			}
			return s
		},
	})
	if modules.IgnorePlanned(err) != nil {
		return InstallResult{Drift: j.drift}, j.explain(ctx, err)
	}
	r := j.result(before, after)
	if errors.Is(err, modules.ErrPlanned) && j.DeepCheck && j.created {
		xml, failed := j.deep(ctx)
		if failed != nil {
			return r, failed
		}
		r.XML = xml
	}
	return r, err
}

// plan leads from what there is to what is asked.
func (j *installJob) plan(s installState) ([]modules.Action, error) {
	first := !j.planned
	j.planned = true
	if j.State == modules.Absent {
		return j.remove(s.domain)
	}
	if s.halfMade() && first {
		return j.again(s)
	}
	if s.exists && (!j.Recreate || !first) {
		return j.planDrift(s)
	}
	if err := j.ready(s); err != nil {
		return nil, err
	}
	if !s.exists {
		return j.create(s, nil), nil
	}
	actions, err := j.remove(s.domain)
	if err != nil {
		return nil, err
	}
	return j.create(s, actions), nil
}

// create makes the domain, after what is to be done before.
func (j *installJob) create(s installState, actions []modules.Action) []modules.Action {
	if !j.created {
		j.created = true
		if j.CloudInit != nil && j.CloudInit.Native && j.Wait == 0 && !j.Transient {
			j.host.Warn("virt-install turns a guest with cloud_init by native off at its first reboot unless it waits for that; wait: -1 does")
		}
	}
	if j.seed == nil {
		return append(actions, j.cmd.action(j.InstallArgs, ""))
	}
	if s.exists || s.seed.differs(j.seed) { // what goes with a domain takes it away
		actions = append(actions, j.seed.write(s.seed.path))
	}
	return append(actions, j.cmd.action(j.InstallArgs, s.seed.path))
}

// remove is virt's state absent.
func (j *installJob) remove(d domain) ([]modules.Action, error) { return j.removeWith(d, "") }

// removeWith is remove, with virt's argument storage.
func (j *installJob) removeWith(d domain, storage StorageRule) ([]modules.Action, error) {
	job := virtJob{host: j.host, Args: Args{
		Name: j.Name, State: "absent", Snapshots: "remove", Checkpoints: "remove", ManagedSave: "remove", NVRAM: "remove", TPM: "remove", Storage: storage, Place: j.Place,
	}}
	actions, err := job.planAbsent(d)
	if seed := seedOf(d); seed != "" && err == nil {
		// It goes before the definition does, which is what tells of it.
		at := len(actions)
		if d.persistent {
			at--
		}
		actions = slices.Insert(actions, at, modules.Action{Why: "remove the seed " + seed, Script: removeScript, Args: []string{string(j.URI), seed}})
	}
	return actions, err
}

// ready looks for what virt-install would stumble over in the middle, or not see at all.
func (j *installJob) ready(s installState) error {
	if !s.probed {
		return nil
	}
	if !s.installer {
		return errors.New("the host has no program virt-install; it comes with the package virtinst (Debian, Ubuntu) or virt-install")
	}
	if err := s.seed.ready(j.seed, j.host.Planning()); err != nil {
		return err
	}
	next := 0
	for _, c := range j.cmd.checks {
		place := placeOf(c.arg)
		switch c.kind {
		case "network":
			if !slices.Contains(s.networks, c.name) {
				return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("%s: network %s not found", place, c.name), Advice: nearName(c.name, s.networks)}
			}
			if !slices.Contains(s.active, c.name) {
				return &libvirt.Error{Class: libvirt.NetDown, Text: fmt.Sprintf("%s: network '%s' is not active", place, c.name), Advice: fmt.Sprintf("start it: virt_net: {name: %s, state: active}", c.name)}
			}
		case "pool":
			if !slices.Contains(s.pools, c.name) {
				return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("%s: there is no active storage pool %s", place, c.name), Advice: nearName(c.name, s.pools)}
			}
		case "bridge":
			if !slices.Contains(s.devices, c.name) {
				return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("%s: the host has no bridge %s", place, c.name), Advice: nearName(c.name, s.devices)}
			}
		default:
			found := s.paths[next]
			next++
			switch {
			case found == "nofolder":
				return fmt.Errorf("%s: the host has no folder for %s", place, c.name)
			case found == "missing" && c.kind == "path" && c.arg[0] == "disks":
				return fmt.Errorf("%s: the host has no %s, and without size virt-install cannot make it", place, c.name)
			case found == "missing" && c.kind == "path":
				return fmt.Errorf("%s: the host has no %s", place, c.name)
			}
		}
	}
	return nil
}

func nearName(name string, names []string) string {
	if near := diag.Near(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// planDrift compares a domain that is there with the arguments.
func (j *installJob) planDrift(s installState) ([]modules.Action, error) {
	d := s.domain
	j.drift = nil
	if j.created || j.OnDrift == "ignore" {
		return nil, nil
	}
	var actions []modules.Action
	note := func(path, wanted, found string, apply ...modules.Action) {
		j.drift = append(j.drift, Drift{path, wanted, found})
		if j.OnDrift == "apply" {
			actions = append(actions, apply...)
			if len(apply) == 0 {
				j.host.Warn("domain %s: %s is %s, not %s: that cannot be changed here", j.Name, path, found, wanted)
			}
		}
	}
	set := func(why string, args ...string) modules.Action {
		return virsh(j.Place, why+" of domain "+j.Name, append(args, "--config")...)
	}
	if kib, ok := libvirt.KiB(d.config.At("memory")); ok && kib != int64(j.Memory)<<10 && j.MemoryOpts == nil {
		want := strconv.Itoa(int(j.Memory) << 10)
		note("memory", want+" KiB", strconv.FormatInt(kib, 10)+" KiB",
			set("set the largest memory", "setmaxmem", "--domain", j.Name, "--size", want), set("set the memory", "setmem", "--domain", j.Name, "--size", want))
	}
	if n := vcpusOf(d.config); j.cmd.want.vcpus > 0 && n != j.cmd.want.vcpus {
		want := strconv.Itoa(j.cmd.want.vcpus)
		apply := []modules.Action{set("set the number of processors", "setvcpus", "--domain", j.Name, "--count", want)}
		if most, err := strconv.Atoi(d.config.Val("vcpu")); err != nil || most < j.cmd.want.vcpus {
			apply = append([]modules.Action{set("set the most processors", "setvcpus", "--domain", j.Name, "--count", want, "--maximum")}, apply...)
		}
		note("vcpus", want, strconv.Itoa(n), apply...)
	}
	j.deviceDrift(d, note)
	if s.seed.differs(j.seed) && s.seed.sum != "" && s.seed.sum != "?" {
		note("cloud_init", "a seed of SHA-256 "+j.seed.sum, s.seed.sum, j.seed.write(s.seed.path))
	}
	if on := j.Autostart; on != nil && *on != d.autostart && d.persistent {
		if *on && j.OnDrift == "apply" && protectedTemplate(d.config) {
			return nil, errTemplate(j.Name)
		}
		job := virtJob{Args: Args{Name: j.Name, Place: j.Place}}
		note("autostart", fmt.Sprint(*on), fmt.Sprint(d.autostart), job.planAutostart(*on))
	}
	return actions, j.tellDrift()
}

// deviceDrift looks for the disks and interfaces that were asked for.
func (j *installJob) deviceDrift(d domain, note func(path, wanted, found string, apply ...modules.Action)) {
	var disks []string
	for _, disk := range d.config.At("devices").All("disk") {
		disks = append(disks, diskSource(disk))
	}
	for _, want := range j.cmd.want.disks {
		_, volume, _ := strings.Cut(want, "/")
		// virt-install writes a volume POOL/NAME down as its file, where it is one.
		same := func(have string) bool { return have == want || !path.IsAbs(want) && path.Base(have) == volume }
		if !slices.ContainsFunc(disks, same) {
			note("disks", want, strings.Join(disks, ", "))
		}
	}
	nics := d.config.At("devices").All("interface")
	used := make([]bool, len(nics))
	for i, want := range j.cmd.want.networks {
		found := slices.IndexFunc(nics, func(n *libvirt.Node) bool { return !used[slices.Index(nics, n)] && want.is(n) })
		if found < 0 {
			note("networks["+strconv.Itoa(i)+"]", want.String(), strconv.Itoa(len(nics))+" interfaces, none like it")
			continue
		}
		used[found] = true
	}
}

// is reports whether an interface is the one asked for.
func (n installNIC) is(have *libvirt.Node) bool {
	source := map[string]string{"network": "network", "bridge": "bridge", "direct": "dev"}[n.kind]
	return (n.mac == "" || strings.EqualFold(have.At("mac").Attr("address"), n.mac)) && (source == "" || have.At("source").Attr(source) == n.source)
}

func (n installNIC) String() string { return strings.TrimSpace(n.kind + " " + n.source + " " + n.mac) }

// vcpusOf is the number of processors that a domain starts with.
func vcpusOf(config *libvirt.Node) int {
	text := config.At("vcpu").Attr("current")
	if text == "" {
		text = config.Val("vcpu")
	}
	n, _ := strconv.Atoi(text) // 0 where there is none
	return n
}

func (j *installJob) tellDrift() error {
	if len(j.drift) == 0 || j.OnDrift == "apply" {
		return nil
	}
	var texts []string
	for _, d := range j.drift {
		texts = append(texts, fmt.Sprintf("%s: wanted %s, found %s", d.Path, d.Wanted, d.Found))
	}
	text := fmt.Sprintf("domain %s differs from the arguments: %s", j.Name, strings.Join(texts, "; "))
	if j.OnDrift == "fail" {
		return errors.New(text)
	}
	j.host.Warn("%s", text)
	return nil
}

// result makes the register's keys.
func (j *installJob) result(before, after installState) InstallResult {
	r := InstallResult{Drift: j.drift}
	if after.exists {
		r.Domain = after.result()
	}
	switch {
	case j.State == modules.Absent && !before.exists:
		r.Message = fmt.Sprintf("virtual machine '%s' is already absent", j.Name)
	case j.State == modules.Absent:
	case !j.created:
		r.Message = fmt.Sprintf("virtual machine '%s' already exists", j.Name)
	default:
		r.Msg, r.Phase = fmt.Sprintf("virtual machine '%s' created successfully", j.Name), "done"
		if (j.Cdrom != "" || j.Location != "" || j.PXE) && j.Wait == 0 {
			r.Phase = "install"
		}
	}
	return r
}

// deep asks virt-install for the XML that it would define.
func (j *installJob) deep(ctx context.Context) (string, error) {
	further := []string{"--dry-run", "--print-xml", "all"}
	if j.seed != nil {
		further = append(further, "--disk=device=cdrom") // the seed is not there yet
	}
	args, stdin := j.cmd.request([]string{string(j.URI), j.Name, "", "", "0"}, further...)
	r, err := j.host.ProbeInput(ctx, stdin, installScript, args...)
	if err != nil {
		return "", fmt.Errorf("ask virt-install for the XML: %w", err)
	}
	return string(r.Stdout), nil
}

var (
	unknownOS    = regexp.MustCompile(`Unknown OS name '([^']*)'`)
	installError = regexp.MustCompile(`(?m)^ERROR\s+(.*(?:\n[^ \n].*)*)`)
)

// explain gives what virt-install said without what it says around it, and advice.
func (j *installJob) explain(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*modules.ActionError](err)
	if !ok || !strings.Contains(failed.Why, "virt-install") {
		return explain(err)
	}
	stderr := string(failed.Stderr)
	reason := libvirt.Explain(stderr)
	if m := installError.FindStringSubmatch(stderr); m != nil {
		reason.Text = strings.TrimSpace(strings.Split(m[1], "\nDomain installation does not appear")[0])
	}
	if reason.Text == "" {
		return err
	}
	switch {
	case strings.Contains(stderr, "Unknown OS name"):
		reason.Advice = "virt-install --osinfo list knows all"
		if m := unknownOS.FindStringSubmatch(stderr); m != nil {
			if out, err := j.host.Query(ctx, "virt-install", "--osinfo", "list"); err == nil {
				if near := nearName(m[1], strings.FieldsFunc(string(out.Stdout), func(c rune) bool { return c == '\n' || c == ',' || c == ' ' })); near != "" {
					reason.Advice = near
				}
			}
		}
	case strings.Contains(stderr, "OS name is required"):
		reason.Advice = "set osinfo, or osinfo: detect=on,require=off"
	case strings.Contains(stderr, "Size must be specified for non existent"):
		reason.Advice = "give the disk a size, or a path that is there"
	}
	return &Failure{failed.Why, reason, failed}
}
