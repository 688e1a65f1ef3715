package virt

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// askDomain is what each probe that is about one domain asks of it: $1 the URI, which is shifted away, $2 the domain's name.
const askDomain = virshLib + `ask list list --all --name; ask version version; ask info dominfo "$1"; ask xml dumpxml "$1" --inactive --security-info
`

// domainLook begins a probe that asks more of a domain once it is known. It ends the probe when there is no such domain.
const domainLook = askDomain + `look=$(answers | one "$1")
printf '%s\n' "$look"
case $look in *"@@info "*) ;; *) exit 0 ;; esac
`

// domainProbe tells of one domain: URI, name, what is asked besides ("leftovers": snapshots and checkpoints, "live": the definition as it
// runs, "hot": that with its secrets, of a domain that does; "storage": leftovers, and who else uses its disks).
const domainProbe = askDomain + `case $2 in
leftovers|storage) ask snapshots snapshot-list "$1" --name; ask checkpoints checkpoint-list "$1" --name ;;
live) ask live dumpxml "$1" ;;
hot) ask hot dumpxml "$1" --security-info ;;
esac
answers | one "$1"
[ "$2" = storage ] || exit 0
__all=$(v list --all --name | sed 's/ *$//')
has "$__all" "$1" || exit 0
` + storageLook + `
exit 0
`

// domain is what a look told of one.
type domain struct {
	name        string
	version     libvirt.Version
	exists      bool
	uuid        string
	state       string // as virsh says: running, paused, shut off, in shutdown, crashed, pmsuspended, idle
	active      bool
	persistent  bool
	autostart   bool
	managedSave bool
	config      *libvirt.Node // the persistent definition; of a transient domain its only one
	live        *libvirt.Node // as it runs; nil unless asked for
	snapshots   int
	checkpoints int
	disks       []storedDisk // with "storage"
}

// parseDomain reads what domainProbe told.
func parseDomain(r *modules.Report, name string) (domain, error) {
	d := domain{name: name, state: "absent"}
	if err := reached(r); err != nil {
		return d, err
	}
	var err error
	if d.version, err = libvirt.ParseVersion(r.Text("version")); err != nil {
		return d, err
	}
	if err = d.read(r, "", name); err != nil || !d.exists {
		return d, err
	}
	for _, key := range []string{"live", "hot"} {
		if failed(r, key) || key == "hot" && !d.active {
			continue
		}
		if d.live, err = libvirt.ParseRoot(r.Text(key), "domain"); err != nil {
			return d, fmt.Errorf("read the running definition of domain %s: %w", name, err)
		}
	}
	if r.Has("own.0") {
		d.disks = parseStorage(r, d.config)
	}
	if !failed(r, "snapshots") {
		d.snapshots = len(r.Lines("snapshots"))
	}
	if !failed(r, "checkpoints") { // old libvirts and other drivers have none
		d.checkpoints = len(r.Lines("checkpoints"))
	}
	return d, nil
}

// read reads dominfo and dumpxml that were told under KEYinfo and KEYxml; there is no such domain when they were not.
func (d *domain) read(r *modules.Report, key, name string) error {
	d.name, d.state = name, "absent"
	if failed(r, key+"info") {
		return nil
	}
	if failed(r, key+"xml") {
		return refusal(r, key+"xml")
	}
	var err error
	if d.config, err = libvirt.ParseRoot(r.Text(key+"xml"), "domain"); err != nil {
		return fmt.Errorf("read the definition of domain %s: %w", name, err)
	}
	// virsh takes a word for an ID first, then for a UUID, then for a name.
	if got := d.config.Val("name"); got != name {
		return fmt.Errorf("virsh takes the name %q for the ID or UUID of domain %s, so nothing is done: give the domain another name", name, got)
	}
	info := fields(r.Text(key + "info"))
	d.exists, d.uuid, d.state = true, info["UUID"], info["State"]
	d.active = info["Id"] != "-" && info["Id"] != ""
	d.persistent, d.autostart, d.managedSave = info["Persistent"] == "yes", info["Autostart"] == "enable", info["Managed save"] == "yes"
	return nil
}

// status is the state in the words of community.libvirt.
func (d domain) status() string {
	switch d.state {
	case "running", "idle", "no state":
		return "running"
	case "paused":
		return "paused"
	case "in shutdown", "shut off":
		return "shutdown"
	case "crashed":
		return "crashed"
	}
	return "unknown"
}

// pollLib is a piece of a change: state tells how a domain is, and await waits for one of states.
//
//	await SECONDS STATE…   status 1 when the time is over
//	seconds                the clock
const pollLib = `uri=$1 name=$2; shift 2
v() { virsh -q -c "$uri" "$@"; }
state() {
	__s=$(v domstate "$name" 2>&1) && { printf '%s\n' "$__s"; return; }
	case $__s in *"failed to get domain"*|*"Domain not found"*) echo "shut off" ;; *) printf '%s\n' "$__s" ;; esac
}
seconds() { date +%s; }
nap() { sleep 0.2 2>/dev/null || sleep 1; }
await() {
	__end=$(( $(seconds) + $1 )); shift
	while :; do
		__now=$(state)
		for __w do [ "$__now" != "$__w" ] || return 0; done
		[ "$(seconds)" -lt "$__end" ] || return 1
		nap
	done
}
`

// shutdownScript: URI, name, seconds to wait (0: do not), seconds after which it is destroyed ("" never), modes for virsh or "". The
// power button is pressed again every 15 seconds: a guest that is still booting does not see it the first time.
const shutdownScript = pollLib + `wait=$1 force=$2 modes=$3
press() { if [ -n "$modes" ]; then v shutdown "$name" --mode "$modes"; else v shutdown "$name"; fi; }
press || exit 1
[ "$wait" -gt 0 ] || exit 0
start=$(seconds) last=$start
while [ "$(state)" != "shut off" ]; do
	now=$(seconds)
	if [ -n "$force" ] && [ $((now - start)) -ge "$force" ]; then v destroy "$name"; exit; fi
	if [ $((now - start)) -ge "$wait" ]; then
		echo "the guest did not turn itself off within $wait seconds; it is $(state) (force_after: SECONDS turns it off then)" >&2; exit 1
	fi
	if [ $((now - last)) -ge 15 ]; then press 2>/dev/null; last=$now; fi
	nap
done`

// awaitScript: URI, name, seconds, states. It waits only.
const awaitScript = pollLib + `t=$1
await "$@" || { echo "the domain is $(state) after $t seconds" >&2; exit 1; }`

// shutdown turns a running domain off from inside and waits for it.
func shutdown(p Place, name string, wait, force time.Duration, modes []string) modules.Action {
	after := ""
	if force > 0 {
		after = strconv.Itoa(int(force.Seconds()))
	}
	return modules.Action{
		Why: "shut down domain " + name, Script: shutdownScript,
		Args: []string{string(p.URI), name, strconv.Itoa(int(wait.Seconds())), after, strings.Join(modes, ",")},
	}
}

// awaitState waits for one of states.
func awaitState(p Place, name string, wait time.Duration, states ...string) modules.Action {
	return modules.Action{
		Why: "wait until domain " + name + " is " + strings.Join(states, " or "), Script: awaitScript,
		Args: append([]string{string(p.URI), name, strconv.Itoa(int(wait.Seconds()))}, states...),
	}
}

// undefineFlags are those of virsh undefine that this libvirt knows.
type undefineFlags struct {
	managedSave, snapshots, checkpoints, nvram, keepNVRAM, tpm, keepTPM bool
}

func (f undefineFlags) argv(v libvirt.Version) []string {
	var argv []string
	add := func(is bool, flag string) {
		if is {
			argv = append(argv, flag)
		}
	}
	add(f.managedSave, "--managed-save")
	add(f.snapshots, "--snapshots-metadata")
	add(f.checkpoints && v >= libvirt.SinceCheckpoints, "--checkpoints-metadata")
	add(f.nvram, "--nvram")
	add(f.keepNVRAM, "--keep-nvram")
	add(f.tpm && v >= libvirt.SinceUndefineTPM, "--tpm")
	add(f.keepTPM && v >= libvirt.SinceUndefineTPM, "--keep-tpm")
	return argv
}

// DomainResult is a domain as the module left it.
type DomainResult struct {
	// Name of the domain.
	Name string `json:"name"`
	// UUID of the domain.
	UUID string `json:"uuid"`
	// State as virsh says it: running, paused, shut off, in shutdown, crashed, pmsuspended; absent.
	State string `json:"state"`
	// Persistent is whether it is defined, so that it stays when it is turned off.
	Persistent bool `json:"persistent"`
	// Autostart is whether it starts with the host.
	Autostart bool `json:"autostart"`
	// ManagedSave is whether its memory is saved, to go on with at the next start.
	ManagedSave bool `json:"managed_save"`
	// MACs are the addresses of its interfaces.
	MACs []string `json:"macs"`
	// Disks are its disks' sources by target.
	Disks map[string]string `json:"disks"`
}

// result gives a domain for the register.
func (d domain) result() *DomainResult {
	r := &DomainResult{
		Name: d.name, UUID: d.uuid, State: d.state, Persistent: d.persistent, Autostart: d.autostart, ManagedSave: d.managedSave,
		MACs: []string{}, Disks: map[string]string{},
	}
	if d.config == nil {
		return r
	}
	for _, i := range d.config.At("devices").All("interface") {
		r.MACs = append(r.MACs, strings.ToLower(i.At("mac").Attr("address")))
	}
	for _, disk := range d.config.At("devices").All("disk") {
		r.Disks[disk.At("target").Attr("dev")] = diskSource(disk)
	}
	return r
}

// diskSource tells where a disk's data are: a path, pool/volume, or a network source's name.
func diskSource(disk *libvirt.Node) string {
	s := disk.At("source")
	for _, name := range []string{"file", "dev", "dir", "name"} {
		if s.Attr(name) != "" {
			return s.Attr(name)
		}
	}
	if s.Attr("volume") != "" {
		return s.Attr("pool") + "/" + s.Attr("volume")
	}
	return ""
}

// errNoDomain is community.libvirt's message.
func errNoDomain(name string) error {
	return &libvirt.Error{Class: libvirt.NotFound, Text: "virtual machine " + name + " not found"}
}
