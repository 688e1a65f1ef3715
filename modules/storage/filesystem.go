package storage

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed filesystem.go
var filesystemSource string

// Filesystem makes a file system on a device.
var Filesystem = modules.Define("filesystem", filesystemSource, runFilesystem, modules.Converges(), modules.Aliases("community.general.filesystem"))

// FilesystemArgs make a file system on a device or in a file, let one grow, or take its signatures away. What a device holds already, a
// partition table included, is never overwritten unless force and confirm_destroy say so, and never while it is in use. The same file
// system is not made again.
//
//	# A brick's file system, and what grows with its logical volume.
//	- filesystem: {dev: /dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part1, fstype: xfs, opts: -i size=512, label: b1}
//	- filesystem: {dev: /dev/vg0/vms, fstype: ext4, resizefs: true}
type FilesystemArgs struct {
	// State is whether there shall be one; absent takes all signatures away.
	State modules.Presence `arg:"state" default:"present"`
	// FSType is the file system; lvm is a physical volume.
	FSType fsType `arg:"fstype,alias=type"`
	// Dev is the device or file.
	Dev modules.Path `arg:"dev,alias=device" required:"true"`
	// Opts are options for mkfs.
	Opts string `arg:"opts"`
	// Label of a new file system.
	Label string `arg:"label"`
	// Force makes one in place of what the device holds; it needs confirm_destroy.
	Force bool `arg:"force"`
	// ConfirmDestroy is the device's serial number or WWN, or the UUID of what it holds: whatever that is is lost.
	ConfirmDestroy string `arg:"confirm_destroy"`
	// ResizeFS lets the file system grow to the size of its device; xfs and btrfs must be mounted for it.
	ResizeFS bool `arg:"resizefs"`
}

type fsType string

// Choices lists the file systems.
func (fsType) Choices() []string {
	return []string{"btrfs", "ext2", "ext3", "ext4", "ext4dev", "f2fs", "lvm", "ocfs2", "reiserfs", "swap", "vfat", "xfs"}
}

// blkidName is what blkid calls it.
func (f fsType) blkidName() string {
	switch f {
	case "lvm":
		return "LVM2_member"
	case "ext4dev":
		return "ext4"
	}
	return string(f)
}

// FilesystemResult tells of the device.
type FilesystemResult struct {
	// UUID of the file system.
	UUID string `json:"uuid,omitempty"`
	// Size of the device in bytes.
	Size int64 `json:"size,omitempty"`
}

// growable are those that filesystem can let grow.
func growable() []fsType { return []fsType{"btrfs", "ext2", "ext3", "ext4", "ext4dev", "lvm", "xfs"} }

// Check refuses what cannot be done.
func (a FilesystemArgs) Check() error {
	wrong := func(arg, msg string) error { return &modules.ArgError{Path: []any{arg}, Msg: msg} }
	switch {
	case a.State == modules.Present && a.FSType == "":
		return errors.New("state is present but all of the following are missing: fstype")
	case strings.ContainsAny(string(a.Dev), "\n\x00") || a.Dev == "":
		return wrong("dev", "dev cannot be a device: "+string(a.Dev))
	case a.ResizeFS && !slices.Contains(growable(), a.FSType):
		return wrong("resizefs", fmt.Sprintf("module does not support resizing %s filesystem yet.", a.FSType))
	case a.ResizeFS && a.Force:
		return wrong("force", "force and resizefs exclude each other")
	case a.Label != "" && labelOption(a.FSType) == "":
		return wrong("label", string(a.FSType)+" has no label")
	case strings.HasPrefix(a.Label, "-") || strings.ContainsAny(a.Label, "\n\x00"):
		return wrong("label", "label cannot be: "+a.Label)
	}
	return nil
}

// labelOption is mkfs's option for the label.
func labelOption(f fsType) string {
	switch f {
	case "ext2", "ext3", "ext4", "ext4dev", "xfs", "btrfs", "swap", "ocfs2":
		return "-L"
	case "vfat":
		return "-n"
	case "f2fs", "reiserfs":
		return "-l"
	}
	return ""
}

// filesystemProbe: device, whether to tell the size of the file system, its type. How much of a mounted one is in use is left out: it changes.
const filesystemProbe = modules.ExpandLib + deviceLib + `
only() {
	__re=$1; shift
	x=$("$@") || return
	printf '%s\n' "$x" | grep -e "$__re"
}
__expand "$1"
say given "$__v"
device dev "$__v"
[ -n "$2" ] || exit 0
m=$(P=$p awk '{ for (i = 6; $i != "-"; i++); if ($(i + 2) == ENVIRON["P"]) { print $5; exit } }' /proc/self/mountinfo)
say mount "$m"
case $3 in
ext*) tell size only '^Block ' dumpe2fs -h "$p" ;;
xfs) tell size xfs_info "${m:-$p}" ;;
btrfs) [ -z "$m" ] || tell size only 'Device size:' btrfs filesystem usage -b "$m" ;;
lvm) tell size pvs --noheadings --nosuffix --units b -o pv_size,dev_size,pe_start,vg_extent_size "$p" ;;
esac
exit 0
`

// onDevice is what a look told.
type onDevice struct {
	device
	given   string
	mount   string // where the file system is mounted, for those that grow only there
	size    int64  // bytes that it uses
	smaller bool   // it does not use the whole device
}

func runFilesystem(ctx context.Context, h *modules.Host, a FilesystemArgs) (FilesystemResult, error) {
	grow := ""
	if a.ResizeFS {
		grow = "yes"
	}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[onDevice]{
		Probe: filesystemProbe, Args: []string{string(a.Dev), grow, string(a.FSType)}, Lock: "storage",
		Parse: a.parse, Plan: a.plan,
	})
	result := FilesystemResult{}
	if err == nil && after.fstype != "" {
		result = FilesystemResult{UUID: after.uuid, Size: after.device.size}
	}
	return result, err
}

func (a FilesystemArgs) parse(r *modules.Report) (onDevice, error) {
	d, err := readDevice(r, "dev")
	if err != nil {
		return onDevice{}, err
	}
	s := onDevice{device: d, given: r.Text("given"), mount: unescapeField(r.Text("mount"))}
	if !a.ResizeFS || d.fstype != a.FSType.blkidName() {
		return s, nil
	}
	if r.Has("size") && r.Status("size") != 0 {
		return s, fmt.Errorf("look how large the file system of %s is: %s", d.path, strings.TrimSpace(cmp.Or(r.Text("size.err"), r.Text("size"))))
	}
	slack := int64(0)
	switch text := r.Text("size"); a.FSType {
	case "ext2", "ext3", "ext4", "ext4dev":
		block := numberAfter(text, "Block size:")
		s.size, slack = numberAfter(text, "Block count:")*block, block
	case "xfs":
		_, data, _ := strings.Cut(text, "\ndata")
		block := numberAfter(data, "bsize=")
		s.size, slack = numberAfter(data, "blocks=")*block, block
	case "btrfs":
		s.size, slack = numberAfter(text, "Device size:"), 4096
	case "lvm":
		if f := strings.Fields(text); len(f) >= 3 {
			size, _ := strconv.ParseInt(f[0], 10, 64)
			start, _ := strconv.ParseInt(f[2], 10, 64)
			s.size, slack = size, start+4<<20
			if len(f) == 4 {
				extent, _ := strconv.ParseInt(f[3], 10, 64)
				slack = start + extent
			}
		}
	}
	if s.size == 0 && (a.FSType != "btrfs" || s.mount != "") {
		return s, fmt.Errorf("unable to tell the size of the file system of %s", d.path)
	}
	s.smaller = d.size-s.size >= slack && d.size > s.size
	return s, nil
}

// numberAfter gives the number that follows a word; 0 when there is none.
func numberAfter(text, word string) int64 {
	_, rest, _ := strings.Cut(text, word)
	rest = strings.TrimLeft(rest, " \t")
	end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.ParseInt(rest[:end], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (a FilesystemArgs) plan(s onDevice) ([]modules.Action, error) {
	switch {
	case a.State == modules.Absent && (s.kind == "" || s.holds() == ""):
		return nil, nil
	case s.kind == "":
		return nil, fmt.Errorf("Device %s not found.", s.given)
	case s.kind == "other":
		return nil, fmt.Errorf("Target device not supported: %s", s.given)
	case a.State == modules.Absent:
		return a.wipe(s)
	}
	same := s.fstype == a.FSType.blkidName()
	switch {
	case same && a.ResizeFS:
		return a.grow(s)
	case same && (!a.Force || a.ConfirmDestroy == "" || a.ConfirmDestroy != s.uuid):
		return nil, nil
	case s.holds() != "" && !a.Force:
		return nil, fmt.Errorf("'%s' is already used as %s, use force=true to overwrite: %s", s.given, s.holds(), s.identity())
	}
	if err := s.destroy(a.ConfirmDestroy); err != nil {
		return nil, err
	}
	return []modules.Action{{Why: "make " + string(a.FSType) + " on " + s.path, Argv: a.mkfs(s.path)}}, nil
}

// mkfs is the program with its arguments. It is told to overwrite, for that was decided here.
func (a FilesystemArgs) mkfs(path string) []string {
	argv := []string{"mkfs." + string(a.FSType)}
	switch a.FSType {
	case "ext2", "ext3", "ext4", "ext4dev":
		argv = append(argv, "-q", "-F")
	case "xfs", "btrfs", "f2fs":
		argv = append(argv, "-f")
	case "ocfs2":
		argv = append(argv, "-Fx")
	case "reiserfs":
		argv = append(argv, "-q")
	case "swap":
		argv = []string{"mkswap", "-f"}
	case "lvm":
		argv = []string{"pvcreate", "-f"}
	}
	if a.Label != "" {
		argv = append(argv, labelOption(a.FSType), a.Label)
	}
	return append(append(argv, strings.Fields(a.Opts)...), path)
}

// wipe takes the signatures away.
func (a FilesystemArgs) wipe(s onDevice) ([]modules.Action, error) {
	if err := s.inUse(); err != nil {
		return nil, err
	}
	if a.ConfirmDestroy != "" {
		if err := s.destroy(a.ConfirmDestroy); err != nil {
			return nil, err
		}
	}
	if s.fstype == "" && a.ConfirmDestroy == "" {
		return nil, s.destroy("") // partitions are no file system; Ansible leaves them
	}
	return []modules.Action{{Why: "wipe " + s.holds() + " from " + s.path, Argv: []string{"wipefs", "--all", s.path}}}, nil
}

// grow lets the file system grow.
func (a FilesystemArgs) grow(s onDevice) ([]modules.Action, error) {
	// btrfs tells its size only where it is mounted.
	if s.mount == "" && (a.FSType == "btrfs" || a.FSType == "xfs" && s.smaller) {
		return nil, fmt.Errorf("%s needs to be mounted for %s operations", s.given, a.FSType)
	}
	if !s.smaller {
		return nil, nil
	}
	argv := []string{"resize2fs", s.path}
	switch a.FSType {
	case "xfs":
		argv = []string{"xfs_growfs", s.mount}
	case "btrfs":
		argv = []string{"btrfs", "filesystem", "resize", "max", s.mount}
	case "lvm":
		argv = []string{"pvresize", s.path}
	}
	return []modules.Action{{Why: fmt.Sprintf("grow %s on %s to %d bytes", a.FSType, s.path, s.device.size), Argv: argv}}, nil
}
