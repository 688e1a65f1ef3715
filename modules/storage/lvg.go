package storage

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed lvg.go
var lvgSource string

// LVG sees to an LVM volume group and its physical volumes.
var LVG = modules.Define("lvg", lvgSource, runLVG, modules.Converges(), modules.Aliases("community.general.lvg"))

// LVGArgs make a volume group of devices, give it more of them, or remove it. What a device holds is never overwritten: one with a file
// system, a partition table or another group's data is refused before anything is changed.
//
//	# Two disks for guests; the second is given later.
//	- lvg: {vg: vms, pvs: [/dev/disk/by-id/wwn-0x5000c500a1b2c3d4, /dev/disk/by-id/wwn-0x5000c500a1b2c3d5], pesize: 16M}
type LVGArgs struct {
	// VG is the name of the group.
	VG string `arg:"vg" required:"true"`
	// PVs are the devices; needed unless the group is to go.
	PVs []string `arg:"pvs"`
	// PESize is the size of an extent of a new group as vgcreate takes it: a number of MiB, or one with a unit (k, m, g, s for sectors).
	PESize string `arg:"pesize" default:"4"`
	// PVOptions are further options for pvcreate.
	PVOptions string `arg:"pv_options"`
	// VGOptions are further options for vgcreate.
	VGOptions string `arg:"vg_options"`
	// PVResize lets physical volumes grow with their devices.
	PVResize bool `arg:"pvresize"`
	// RemoveExtraPVs takes physical volumes out of the group that are not listed; only those without data can go.
	RemoveExtraPVs bool `arg:"remove_extra_pvs"`
	// State is present, absent, active or inactive (the group is there and its logical volumes are, or are not, switched on).
	State lvgState `arg:"state" default:"present"`
	// Force removes a group that has logical volumes; not while one of them is in use.
	Force bool `arg:"force"`
}

type lvgState string

// Choices lists the states.
func (lvgState) Choices() []string { return []string{"present", "absent", "active", "inactive"} }

// LVGResult tells of the group.
type LVGResult struct {
	// VGSize is the size of the group in bytes.
	VGSize int64 `json:"vg_size,omitempty"`
	// VGFree is what no logical volume uses, in bytes.
	VGFree int64 `json:"vg_free,omitempty"`
	// PVs are the group's devices.
	PVs []string `json:"pvs,omitempty"`
}

var (
	lvmName   = regexp.MustCompile(`^[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}$`)
	lvmExtent = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?[bBsSkKmMgGtTpPeE]?$`)
)

// Check refuses what cannot be.
func (a LVGArgs) Check() error {
	wrong := func(arg, msg string) error { return &modules.ArgError{Path: []any{arg}, Msg: msg} }
	switch {
	case !lvmName.MatchString(a.VG) || a.VG == "." || a.VG == "..":
		return wrong("vg", "vg cannot be the name of a volume group: "+a.VG)
	case a.State != "absent" && a.State != "inactive" && len(a.PVs) == 0:
		return errors.New("No physical volumes given.")
	case !lvmExtent.MatchString(a.PESize):
		return wrong("pesize", "pesize must be a number with or without a unit (k, m, g): "+a.PESize)
	}
	for i, pv := range a.PVs {
		if !strings.HasPrefix(pv, "/") || strings.ContainsAny(pv, "\n\x00 ") {
			return &modules.ArgError{Path: []any{"pvs", i}, Msg: "pvs must be paths of devices: " + pv}
		}
	}
	return nil
}

// lvgProbe: name of the group, then devices. LVM calls those of the device mapper (LUKS, multipath) by their names there, and none of their own.
const lvgProbe = deviceLib + `
command -v vgs >/dev/null 2>&1 || { echo "the host has no program vgs; install lvm2" >&2; exit 1; }
export LVM_SUPPRESS_FD_WARNINGS=1
say vg "$1"; shift
tell vgs vgs --reportformat json --units b --nosuffix -o vg_name,vg_size,vg_free,vg_extent_size,lv_count,vg_missing_pv_count
tell pvs pvs --reportformat json --units b --nosuffix -o pv_name,vg_name,pv_size,dev_size,pe_start,vg_extent_size,pv_used
tell lvs lvs --reportformat json -o vg_name,lv_name,lv_active,lv_device_open,lv_skip_activation
i=0
for d; do
	i=$((i + 1)); device "dev$i" "$d"
	[ ! -r "/sys/class/block/$n/dm/name" ] || say "dev$i.mapped" "/dev/mapper/$(cat "/sys/class/block/$n/dm/name")"
done
exit 0
`

// lvmGroup is one that vgs tells of, its numbers in bytes.
type lvmGroup struct {
	Name    string `json:"vg_name"`
	Size    int64  `json:"vg_size,string"`
	Free    int64  `json:"vg_free,string"`
	Extent  int64  `json:"vg_extent_size,string"`
	LVs     int    `json:"lv_count,string"`
	Missing int    `json:"vg_missing_pv_count,string"`
}

// lvmPV is a physical volume that pvs tells of, its numbers in bytes. Extent is empty without a group.
type lvmPV struct {
	Name   string `json:"pv_name"`
	VG     string `json:"vg_name"`
	Size   int64  `json:"pv_size,string"`
	Device int64  `json:"dev_size,string"`
	Start  int64  `json:"pe_start,string"`
	Extent string `json:"vg_extent_size"`
	Used   int64  `json:"pv_used,string"`
}

// lvmLV is a logical volume that lvs tells of.
type lvmLV struct {
	VG     string `json:"vg_name"`
	Name   string `json:"lv_name"`
	Active string `json:"lv_active"`
	Open   string `json:"lv_device_open"`
	Skip   string `json:"lv_skip_activation"` // not empty for snapshots of thin volumes, which vgchange leaves off
}

// lvmReport reads what one of LVM's programs told with --reportformat json (lvmreport(7)).
func lvmReport[T any](r *modules.Report, key, list string) ([]T, error) {
	if r.Status(key) != 0 {
		return nil, fmt.Errorf("%s: %s", key, strings.TrimSpace(r.Text(key+".err")))
	}
	var report struct{ Report []map[string][]T }
	if err := json.Unmarshal(r.Bytes(key), &report); err != nil {
		return nil, fmt.Errorf("read what %s says: %w", key, err)
	}
	var all []T
	for _, part := range report.Report {
		all = append(all, part[list]...)
	}
	return all, nil
}

// lvmState is what a look told.
type lvmState struct {
	groups  []lvmGroup
	pvs     []lvmPV
	lvs     []lvmLV
	devices []device // those asked for
}

func parseLVM(r *modules.Report, devices int) (s lvmState, err error) {
	if s.groups, err = lvmReport[lvmGroup](r, "vgs", "vg"); err != nil {
		return s, err
	}
	if s.pvs, err = lvmReport[lvmPV](r, "pvs", "pv"); err != nil {
		return s, err
	}
	if s.lvs, err = lvmReport[lvmLV](r, "lvs", "lv"); err != nil {
		return s, err
	}
	for i := range devices {
		d, err := readDevice(r, "dev"+strconv.Itoa(i+1))
		if err != nil {
			return s, err
		}
		if m := r.Text("dev" + strconv.Itoa(i+1) + ".mapped"); m != "" && !slices.ContainsFunc(s.pvs, func(pv lvmPV) bool { return pv.Name == d.path }) {
			d.path = m
		}
		s.devices = append(s.devices, d)
	}
	return s, nil
}

// group gives the group of a name.
func (s lvmState) group(name string) (lvmGroup, bool) {
	i := slices.IndexFunc(s.groups, func(g lvmGroup) bool { return g.Name == name })
	if i < 0 {
		return lvmGroup{}, false
	}
	return s.groups[i], true
}

func runLVG(ctx context.Context, h *modules.Host, a LVGArgs) (LVGResult, error) {
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[lvmState]{
		Probe: lvgProbe, Args: append([]string{a.VG}, a.PVs...), Lock: "storage",
		Parse: func(r *modules.Report) (lvmState, error) { return parseLVM(r, len(a.PVs)) },
		Plan:  a.plan,
	})
	if extra := a.extra(before); len(extra) > 0 && !a.RemoveExtraPVs {
		h.Warn("%s also has %s, which is not listed and stays (remove_extra_pvs takes it out)", a.VG, strings.Join(extra, ", "))
	}
	if g, ok := after.group(a.VG); ok && err == nil {
		result := LVGResult{VGSize: g.Size, VGFree: g.Free}
		for _, pv := range after.pvs {
			if pv.VG == a.VG {
				result.PVs = append(result.PVs, pv.Name)
			}
		}
		return result, nil
	}
	return LVGResult{}, err
}

// extra gives the group's devices that are not listed.
func (a LVGArgs) extra(s lvmState) []string {
	var extra []string
	for _, pv := range s.pvs {
		if len(a.PVs) > 0 && a.State != "absent" && pv.VG == a.VG && !slices.ContainsFunc(s.devices, func(d device) bool { return d.path == pv.Name }) {
			extra = append(extra, pv.Name)
		}
	}
	return extra
}

// lvmAction runs one of LVM's programs, which would otherwise warn of the files that the connection's shell has open.
func lvmAction(why string, argv ...string) modules.Action {
	return modules.Action{Why: why, Argv: argv, Env: map[string]string{"LVM_SUPPRESS_FD_WARNINGS": "1"}}
}

func (a LVGArgs) plan(s lvmState) ([]modules.Action, error) {
	group, there := s.group(a.VG)
	if a.State == "absent" {
		return a.remove(s, group, there)
	}
	var actions []modules.Action
	act := func(why string, argv ...string) { actions = append(actions, lvmAction(why, argv...)) }
	if !there && a.State == "inactive" {
		return nil, fmt.Errorf("there is no volume group %s", a.VG)
	}
	fresh, err := a.fresh(s)
	if err != nil {
		return nil, err
	}
	for _, d := range fresh {
		act("make "+d.path+" a physical volume", append(append([]string{"pvcreate", "-q", "-f"}, strings.Fields(a.PVOptions)...), d.path)...)
	}
	switch add := a.add(s); {
	case !there:
		argv := append(append([]string{"vgcreate", "-q"}, strings.Fields(a.VGOptions)...), "-s", a.PESize, a.VG)
		act("make volume group "+a.VG+" of "+strings.Join(add, ", "), append(argv, add...)...)
	case len(add) > 0:
		act("add "+strings.Join(add, ", ")+" to "+a.VG, append([]string{"vgextend", "-q", a.VG}, add...)...)
	}
	for _, pv := range s.pvs {
		if pv.VG != a.VG || !there {
			continue
		}
		if extent, _ := strconv.ParseInt(pv.Extent, 10, 64); a.PVResize && pv.Device-(pv.Start+pv.Size) > extent {
			act(fmt.Sprintf("grow %s to %d bytes", pv.Name, pv.Device), "pvresize", "-q", pv.Name)
		}
		if a.RemoveExtraPVs && slices.Contains(a.extra(s), pv.Name) {
			if pv.Used > 0 {
				return nil, fmt.Errorf("%s is not listed but holds %d bytes of %s: move them first (pvmove %s)", pv.Name, pv.Used, a.VG, pv.Name)
			}
			act("take "+pv.Name+" out of "+a.VG, "vgreduce", "-q", a.VG, pv.Name)
		}
	}
	return append(actions, a.activate(s)...), nil
}

// add gives the listed devices that are not in the group.
func (a LVGArgs) add(s lvmState) []string {
	var add []string
	for _, d := range s.devices {
		if !slices.ContainsFunc(s.pvs, func(pv lvmPV) bool { return pv.Name == d.path && pv.VG == a.VG }) && !slices.Contains(add, d.path) {
			add = append(add, d.path)
		}
	}
	return add
}

// fresh gives the listed devices that are no physical volumes yet. All of them must be free.
func (a LVGArgs) fresh(s lvmState) ([]device, error) {
	var fresh []device
	for i, d := range s.devices {
		if d.kind == "" {
			return nil, fmt.Errorf("Device %s not found.", a.PVs[i])
		}
		if d.kind != "block" {
			return nil, fmt.Errorf("%s is no block device", a.PVs[i])
		}
		j := slices.IndexFunc(s.pvs, func(pv lvmPV) bool { return pv.Name == d.path })
		switch {
		case j >= 0 && s.pvs[j].VG != "" && s.pvs[j].VG != a.VG:
			return nil, fmt.Errorf("Device %s is already in %s volume group.", d.path, s.pvs[j].VG)
		case j >= 0:
			continue
		case d.inUse() != nil:
			return nil, d.inUse()
		case d.holds() != "":
			return nil, fmt.Errorf("%s is not empty: filesystem with state absent takes away what it holds", d.identity())
		}
		fresh = append(fresh, d)
	}
	return fresh, nil
}

// activate switches logical volumes on or off.
func (a LVGArgs) activate(s lvmState) []modules.Action {
	if a.State != "active" && a.State != "inactive" {
		return nil
	}
	word, flag := "active", "y"
	if a.State == "inactive" {
		word, flag = "", "n"
	}
	for _, lv := range s.lvs {
		if lv.VG == a.VG && lv.Active != word && (word == "" || lv.Skip == "") {
			return []modules.Action{lvmAction("make the logical volumes of "+a.VG+" "+string(a.State), "vgchange", "-q", "-a", flag, a.VG)}
		}
	}
	return nil
}

func (a LVGArgs) remove(s lvmState, group lvmGroup, there bool) ([]modules.Action, error) {
	if !there {
		return nil, nil
	}
	for _, lv := range s.lvs {
		if lv.VG == a.VG && lv.Open == "open" {
			return nil, fmt.Errorf("%s/%s is in use: unmount it, or stop the guest that has it, first", a.VG, lv.Name)
		}
	}
	if group.LVs > 0 && !a.Force {
		return nil, fmt.Errorf("Refuse to remove non-empty volume group %s without force=true", a.VG)
	}
	return []modules.Action{lvmAction("remove volume group "+a.VG, "vgremove", "-q", "--force", a.VG)}, nil
}
