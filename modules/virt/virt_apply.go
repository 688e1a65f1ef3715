package virt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// planDefinition brings a domain to the definition that is wanted, as apply says: the stored one, the running one, or both. Restarts says that
// the domain is turned off and on for it.
func (j *virtJob) planDefinition(d domain, first bool) (actions []modules.Action, restarts bool, err error) {
	j.pending = nil
	if j.want == nil && len(j.patches) == 0 {
		return nil, false, nil
	}
	if len(j.patches) > 0 && !d.exists {
		return nil, false, errNoDomain(j.Name)
	}
	if first && j.want != nil {
		if err := checkXML(j.host, j.want, d.version, j.Apply != "live"); err != nil {
			return nil, false, err
		}
	}
	if j.want != nil && d.exists && d.persistent {
		if err := j.sameUUID(d); err != nil {
			return nil, false, err
		}
	}
	if j.Apply == "live" && !d.active {
		if !d.exists {
			return nil, false, errNoDomain(j.Name)
		}
		return nil, false, fmt.Errorf("domain %s is %s: apply: live changes a domain that runs, and nothing else", j.Name, d.state)
	}
	hot, err := j.planHot(d, first)
	if err != nil {
		return nil, false, err
	}
	if j.Apply != "live" {
		// The running domain comes first: when it refuses, nothing was changed that is only seen at its next start.
		if actions, err = j.planStored(d, first); err != nil {
			return nil, false, err
		}
	}
	if j.RestartIfNeeded && len(j.pending) > 0 && d.status() == "running" {
		return append(actions, j.shutdown(), j.start("start domain "+j.Name+" again, for "+tellPaths(j.pending))), true, nil
	}
	return append(hot, actions...), false, nil
}

// planHot changes a running domain, and notes what it takes up at its next start only.
func (j *virtJob) planHot(d domain, first bool) ([]modules.Action, error) {
	if d.live == nil {
		return nil, nil
	}
	want, record := j.want, libvirt.RecordedLive(d.config)
	if len(j.patches) > 0 {
		j.namePatched(d)
		patched, err := libvirt.Apply(d.live, j.patches)
		if err != nil {
			return nil, fmt.Errorf("the running definition of domain %s: %w", j.Name, err)
		}
		want = patched
		_, record = libvirt.Changed(d.live, patched)
	}
	changes, waiting := libvirt.HotPlan(want, d.live, record)
	for _, w := range waiting {
		j.pending = append(j.pending, w.Path)
	}
	if j.Apply == "live" && len(waiting) > 0 {
		return nil, fmt.Errorf("domain %s runs, and what follows waits for its next start: %s; apply: both writes that into its definition, apply: live cannot",
			j.Name, strings.Join(j.pending, ", "))
	}
	var actions []modules.Action
	for _, c := range changes {
		// How much memory a guest gives back is its own matter: it is asked once, and what it keeps it keeps until it is started anew.
		asked := c.Kind == libvirt.HotMemory && (!first || j.Apply == "both" && sameKiB(c.Value, d.config))
		if j.Apply != "live" && j.Apply != "both" || asked {
			for _, d := range c.Diffs {
				j.pending = append(j.pending, d.Path)
			}
			continue
		}
		if first && j.Apply == "live" {
			j.diffs = append(j.diffs, c.Diffs...)
		}
		actions = append(actions, j.hotAction(c, d))
	}
	return actions, nil
}

// planStored brings the stored definition to what is wanted.
func (j *virtJob) planStored(d domain, first bool) ([]modules.Action, error) {
	if len(j.patches) == 0 {
		return j.planDefine(d), nil
	}
	if !d.persistent {
		return nil, fmt.Errorf("domain %s is transient: it has no definition to patch; apply: live changes the running one", j.Name)
	}
	j.namePatched(d)
	doc, err := libvirt.Apply(d.config, j.patches)
	if err != nil {
		return nil, err
	}
	diffs, _ := libvirt.Changed(d.config, doc)
	if len(diffs) == 0 {
		return nil, nil
	}
	if first {
		j.diffs = diffs
		if err := checkXML(j.host, doc, d.version, true); err != nil {
			return nil, err
		}
	}
	return []modules.Action{withFile(j.Place, "define domain "+j.Name+" anew: "+tell(diffs), doc.String(), "--file", "define", "--validate")}, nil
}

// namePatched gives an interface that is appended one MAC address for both definitions.
func (j *virtJob) namePatched(d domain) {
	for _, p := range j.patches {
		if n := p.Append; n != nil && n.Name == "interface" && n.At("mac") == nil {
			want := libvirt.New("domain", "").Add(libvirt.New("devices", "").Add(n))
			mac := libvirt.Counterpart(want, d.config, n).At("mac").Attr("address")
			if mac == "" {
				mac = freeMAC(j.Name, d.config, d.live)
			}
			n.Add(libvirt.New("mac", "", "address", mac))
		}
	}
}

func sameKiB(kib string, config *libvirt.Node) bool {
	now, ok := libvirt.KiB(config.At("currentMemory"))
	return ok && strconv.FormatInt(now, 10) == kib
}

// hotAction is one change of a running domain.
func (j *virtJob) hotAction(c libvirt.Hot, d domain) modules.Action {
	of := " of domain " + j.Name + ", which runs"
	switch c.Kind {
	case libvirt.HotAttach:
		j.nameInterface(c.Device, d)
		return withFile(j.Place, "attach "+c.Path+" to domain "+j.Name+", which runs", c.Device.String(), "--file", "attach-device", "--domain", j.Name, "--live")
	case libvirt.HotDetach:
		return detachDevice(j.Place, j.Name, "detach "+c.Path+" from domain "+j.Name+", which runs", c.Device, j.Timeout)
	case libvirt.HotUpdate:
		return withFile(j.Place, "change "+tell(c.Diffs)+of, c.Device.String(), "--file", "update-device", "--domain", j.Name, "--live")
	case libvirt.HotVCPUs:
		return virsh(j.Place, "set the vCPUs"+of+", to "+c.Value, "setvcpus", "--domain", j.Name, "--count", c.Value, "--live")
	case libvirt.HotMemory:
		return virsh(j.Place, "set the memory"+of+", to "+c.Value+" KiB", "setmem", "--domain", j.Name, "--size", c.Value, "--live")
	case libvirt.HotTitle:
		return virsh(j.Place, "set the title"+of, "desc", "--domain", j.Name, "--live", "--title", "--new-desc", c.Value)
	}
	return virsh(j.Place, "set the description"+of, "desc", "--domain", j.Name, "--live", "--new-desc", c.Value)
}

// nameInterface gives an interface that is attached the MAC address that it has, or shall have, in the definition: libvirt would draw one for each.
// Device is the wanted definition's own, so that the definition gets it too.
func (j *virtJob) nameInterface(device *libvirt.Node, d domain) {
	if device.Name != "interface" || device.At("mac") != nil {
		return
	}
	mac := ""
	if d.persistent {
		mac = libvirt.Counterpart(j.want, d.config, device).At("mac").Attr("address")
	}
	if mac == "" {
		mac = freeMAC(j.Name, d.config, d.live, j.want)
	}
	device.Add(libvirt.New("mac", "", "address", mac))
}

// freeMAC gives a MAC address for a new interface of a domain that none of the definitions has. It is the same each time.
func freeMAC(name string, docs ...*libvirt.Node) string {
	taken := func(mac string) bool {
		return slices.ContainsFunc(docs, func(d *libvirt.Node) bool { return d != nil && strings.Contains(strings.ToLower(d.String()), mac) })
	}
	for round := 0; ; round++ {
		if mac := libvirt.AutoMAC("virt", name, 0, round); !taken(mac) {
			return mac
		}
	}
}

// detachScript: URI, name, seconds, alias. Standard input is the device's XML. It waits until the guest let go of the device: QEMU takes it out when
// the guest's operating system says so, and libvirt waits for that for some seconds only.
const detachScript = pollLib + `wait=$1 alias=$2
umask 077
if [ -w /run ]; then base=/run; else base=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}; fi
t=$(mktemp -d "$base/hostler.XXXXXX") || exit 1
trap 'rm -rf -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t/f" || exit 1
there() { v dumpxml --domain "$name" 2>/dev/null | grep -F -e "<alias name='$alias'/>" >/dev/null; }
v detach-device --domain "$name" --file "$t/f" --live >/dev/null 2>"$t/e" || case $(cat "$t/e") in
*"already in the process of unplug"*) ;; # an earlier run asked for it
*) if there; then cat "$t/e" >&2; exit 1; fi ;;
esac
end=$(( $(seconds) + wait ))
while there; do
	if [ "$(seconds)" -ge "$end" ]; then
		echo "the guest did not release the device within $wait seconds: its operating system must take part (ACPI, PCI hotplug)" >&2; exit 1
	fi
	nap
done`

// detachDevice takes a device, as it is in the running definition, out of a running domain.
func detachDevice(p Place, name, why string, device *libvirt.Node, wait time.Duration) modules.Action {
	return modules.Action{
		Why: why, Script: detachScript, Args: []string{string(p.URI), name, strconv.Itoa(int(wait.Seconds())), device.At("alias").Attr("name")},
		Stdin: []byte(device.String()),
	}
}

// turnsOff reports that the domain is not to run in the end.
func (j *virtJob) turnsOff() bool {
	switch j.State {
	case "shutdown", "destroyed", "saved", "absent", "undefined":
		return true
	}
	return false
}

// tellPaths gives the first few of paths.
func tellPaths(paths []string) string {
	diffs := make([]libvirt.Difference, len(paths))
	for i, p := range paths {
		diffs[i].Path = p
	}
	return tell(diffs)
}
