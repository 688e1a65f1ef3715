package virt

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed volume.go
var volumeSource string

// Volume sees to a volume of a storage pool.
var Volume = modules.Define("virt_volume", volumeSource+poolFieldsSource+virshSource, runVolume,
	modules.Aliases("community.libvirt.virt_volume"), modules.Converges())

// VolumeArgs make volumes of a storage pool, empty, as a copy of another, as a linked clone on top of one or with the content of a file, let
// them grow, and delete them.
// A volume that is there is never made anew: another format or backing file is an error. One that a running domain uses grows by way of that
// domain.
//
//	# A disk on top of an image.
//	- virt_volume:
//	    pool: vms
//	    name: web-01.qcow2
//	    state: present
//	    capacity: 20G
//	    format: qcow2
//	    backing: {volume: debian-12.qcow2}
type VolumeArgs struct {
	// Name of the volume.
	Name string `arg:"name,alias=volume"`
	// Pool that it lies in; it must be active.
	Pool string `arg:"pool" required:"true"`
	// State is whether the volume shall be there; deleted overwrites its data with zeros first.
	State VolumeState `arg:"state"`
	// Command to run in place of state. create and create_from take xml or fields, resize a capacity; list_volumes, info and facts tell of all
	// volumes of the pool. download and upload are refused.
	Command VolumeCommand `arg:"command"`
	// XML of a new volume.
	XML string `arg:"xml" exclusive:"source"`
	// Capacity in bytes, or with a unit: 10G and 10GiB are powers of 1024, 10GB of 1000. A copy, clone or upload has that of its origin when empty.
	Capacity modules.Size `arg:"capacity"`
	// Format of the volume; the pool's usual one when empty.
	Format VolumeFormat `arg:"format"`
	// Preallocation of a new volume.
	Preallocation Preallocation `arg:"preallocation" default:"off"`
	// Backing is the volume or file that a linked clone stands on.
	Backing VolumeBacking `arg:"backing" exclusive:"source"`
	// CloneFrom is the volume whose data a new one gets.
	CloneFrom VolumeOrigin `arg:"clone_from" exclusive:"source"`
	// ContentFrom is a file whose bytes a new volume gets, beside the playbook or role as for copy; it is streamed, and what arrived is compared
	// with it by sha256. A volume that is there keeps its content; one whose upload broke off is made anew.
	ContentFrom modules.LocalFile `arg:"content_from" exclusive:"source"`
	// RemoteSrc says that content_from is a file of the host.
	RemoteSrc bool `arg:"remote_src"`
	// Checksum is the sha256 that content_from must have.
	Checksum string `arg:"checksum"`
	// Resize says what becomes of a volume of another capacity: it grows, stays, or with exact shrinks as well.
	Resize VolumeResize `arg:"resize" default:"grow"`
	// ConfirmShrink must be the volume's name for it to shrink: what lies behind the new end is lost.
	ConfirmShrink string `arg:"confirm_shrink"`
	// Permissions of a new volume.
	Permissions Permissions `arg:"permissions"`
	// Mode is accepted for community.libvirt's sake; normal only.
	Mode PoolMode `arg:"mode"`
	// Force deletes a volume that a running domain uses or that others stand on.
	Force bool `arg:"force"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// VolumeState is whether a volume is there.
type VolumeState string

// Choices lists the states.
func (VolumeState) Choices() []string { return []string{"present", "absent", "deleted"} }

// VolumeCommand is what to do once.
type VolumeCommand string

// Choices lists the commands.
func (VolumeCommand) Choices() []string {
	return []string{"create", "create_from", "delete", "download", "info", "list_volumes", "get_xml", "resize", "upload", "wipe", "facts"}
}

// VolumeFormat is how data lie in a volume.
type VolumeFormat string

// Choices lists the formats.
func (VolumeFormat) Choices() []string { return []string{"raw", "qcow2", "iso"} }

// Preallocation is how much of a new volume is on the disk from the start.
type Preallocation string

// Choices lists the ways.
func (Preallocation) Choices() []string { return []string{"off", "metadata", "full"} }

// VolumeResize is what becomes of another capacity.
type VolumeResize string

// Choices lists what can.
func (VolumeResize) Choices() []string { return []string{"grow", "never", "exact"} }

// VolumeBacking is what a linked clone stands on.
type VolumeBacking struct {
	// Volume of a pool.
	Volume string `arg:"volume"`
	// Pool of the volume; the clone's own when empty.
	Pool string `arg:"pool"`
	// Path of a file, in place of a volume.
	Path string `arg:"path"`
	// Format of what it stands on; looked up when empty.
	Format VolumeFormat `arg:"format"`
}

// VolumeOrigin is a volume to copy.
type VolumeOrigin struct {
	// Volume of a pool.
	Volume string `arg:"volume,alias=name"`
	// Pool of the volume; the copy's own when empty.
	Pool string `arg:"pool"`
}

// VolumeResult tells of the volume.
type VolumeResult struct {
	// Created is the name of a volume that was not there before.
	Created string `json:"created,omitempty"`
	// Volume as it is now.
	Volume *StoredResult `json:"volume,omitempty"`
	// what a command came to, under its own name (list_volumes, get_xml, volumes, ansible_facts)
	*value.Dict
}

// StoredResult is a volume as the module left it.
type StoredResult struct {
	// Name of the volume.
	Name string `json:"name"`
	// Pool that it lies in.
	Pool string `json:"pool"`
	// Path of the volume.
	Path string `json:"path"`
	// Format of its data.
	Format string `json:"format"`
	// Capacity in bytes.
	Capacity int64 `json:"capacity"`
	// Backing is the path that it stands on, "" when it stands alone.
	Backing string `json:"backing"`
}

// all reports the commands about all volumes of a pool.
func (a VolumeArgs) all() bool {
	return a.Command == "list_volumes" || a.Command == "info" || a.Command == "facts"
}

// Check refuses combinations that make no sense, in Ansible's words where it has some.
func (a VolumeArgs) Check() error {
	bad := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	if err := checkName("pool", a.Pool, a.AllowOddName); err != nil {
		return err
	}
	switch {
	case a.all():
		return nil
	case a.Command == "download", a.Command == "upload":
		return bad("command", "command %s cannot be honoured: content_from uploads, fetch gets files from a pool's path", a.Command)
	case a.Command != "" && a.State != "":
		return bad("state", "state and command cannot be given together")
	case a.Command == "" && a.State == "":
		return errors.New("expected state or command parameter to be specified")
	case a.Name == "" && a.Command != "":
		return fmt.Errorf("%s requires 1 argument: name", a.Command)
	case a.Name == "":
		return errors.New("state change requires a specified name")
	case a.Mode != "" && a.Mode != "normal":
		return bad("mode", "mode %s cannot be honoured: virsh has no such option for volumes", a.Mode)
	case a.Command == "resize" && a.Capacity == 0:
		return bad("capacity", "resize requires capacity")
	case a.Command == "create_from" && a.CloneFrom.Volume == "":
		return bad("clone_from", "create_from requires clone_from")
	case a.Capacity < 0:
		return bad("capacity", "capacity must not be negative")
	case a.Backing.Volume != "" && a.Backing.Path != "":
		return bad("backing", "backing is a volume or a path, not both")
	case (a.Backing.Volume != "" || a.Backing.Path != "") && a.Format != "" && a.Format != "qcow2":
		return bad("format", "a linked clone is of format qcow2, not %s", a.Format)
	case a.Preallocation == "metadata" && a.Format != "qcow2":
		return bad("preallocation", "preallocation: metadata goes with format qcow2")
	}
	if err := a.checkContent(); err != nil {
		return err
	}
	if err := a.Permissions.check("0600"); err != nil {
		return err
	}
	if err := checkName("name", a.Name, a.AllowOddName); err != nil {
		return err
	}
	if a.XML == "" {
		return nil
	}
	doc, err := parseXML(a.XML, "volume")
	if err != nil {
		return err
	}
	return named(doc, a.Name)
}

func runVolume(ctx context.Context, h *modules.Host, a VolumeArgs) (VolumeResult, error) {
	if a.all() {
		return a.runAll(ctx, h)
	}
	var err error
	if a.Permissions, err = a.Permissions.numbers(ctx, h); err != nil {
		return VolumeResult{}, err
	}
	job := volumeJob{VolumeArgs: a, host: h}
	if a.XML != "" {
		doc, err := parseXML(a.XML, "volume")
		if err == nil {
			err = named(doc, a.Name)
		}
		if err != nil {
			return VolumeResult{}, err
		}
		job.want = doc
	}
	basePool := a.Backing.Pool
	if basePool == "" {
		basePool = a.Pool
	}
	args := []string{string(a.URI), a.Pool, a.Name, basePool, a.Backing.Volume, a.Backing.Path}
	switch {
	case a.RemoteSrc:
		args = append(args, string(a.ContentFrom))
	case a.ContentFrom != "":
		args = append(args, "")
	}
	lock := lockName("volume", a.Pool+"/"+a.Name)
	if a.Command != "" {
		lock = "" // what is done once must not be planned twice
	}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[volume]{
		Probe: volumeProbe, Args: args, Lock: lock,
		Parse: func(r *modules.Report) (volume, error) { return parseVolume(r, a) },
		Plan:  job.plan,
		Diff:  job.diff,
	})
	return job.result(before, after, modules.IgnorePlanned(err) != nil), explain(err)
}

// volumeProbe tells of one volume: $1 the URI, $2 its pool, $3 its name, $4 and $5 pool and name of what it is to stand on, or $6 the path of
// that; with a $7 what is to be known of its content, too. A volume that libvirt does not know yet may be a file that was put there since the pool was read.
const volumeProbe = virshLib + `names pool-list --name
say version "$(virsh --version)"
has "$names" "$1" || exit 0
say pool "$(v pool-dumpxml "$1" | sed -n "s/^<pool type='\(.*\)'.*/\1/p")"
steady() { sed -e '/<timestamps>/,/<\/timestamps>/d' -e '/<allocation /d' -e '/<physical /d'; }
dump() { x=$(v vol-dumpxml --pool "$2" --vol "$3" 2>/dev/null) || return 1; say "$1" "$(printf '%s\n' "$x" | steady)"; }
dump xml "$1" "$2" || { v pool-refresh "$1" >/dev/null 2>&1; dump xml "$1" "$2"; }
if [ -n "$4" ]; then dump base "$3" "$4"; fi
if [ -n "$5" ]; then tell image qemu-img info -U --output=json -- "$5"; fi
` + contentProbe + `exit 0
`

// volume is what a look told of one.
type volume struct {
	version  libvirt.Version
	kind     string // of its pool
	exists   bool
	doc      *libvirt.Node
	capacity int64
	base     volumeBase

	source     volumeSourceFile
	unfinished bool // an upload into it broke off
}

// volumeBase is what a linked clone stands on.
type volumeBase struct {
	path, format string
	capacity     int64
}

func parseVolume(r *modules.Report, a VolumeArgs) (volume, error) {
	var d volume
	if err := reached(r); err != nil {
		return d, err
	}
	var err error
	if d.version, err = libvirt.ParseVersion(r.Text("version")); err != nil {
		return d, err
	}
	if !r.Has("pool") {
		if a.State == "absent" || a.State == "deleted" {
			return d, fmt.Errorf("pool %s is not active, so it cannot be said what is in it", a.Pool)
		}
		return d, &libvirt.Error{Class: libvirt.NotFound, Text: "storage pool " + a.Pool + " not found, or not active", Advice: "virt_pool: {name: " + a.Pool + ", state: active}"}
	}
	d.kind = r.Text("pool")
	if r.Has("xml") {
		if d.doc, err = libvirt.ParseRoot(r.Text("xml"), "volume"); err != nil {
			return d, fmt.Errorf("read what volume %s is: %w", a.Name, err)
		}
		if got := d.doc.Val("name"); got != a.Name {
			return d, fmt.Errorf("virsh takes the name %q for the key of volume %s, so nothing is done", a.Name, got)
		}
		d.exists = true
		d.capacity, _ = libvirt.Bytes(d.doc.At("capacity"), "bytes")
	}
	d.unfinished = r.Has("unfinished")
	if d.source, err = parseSourceFile(r); err != nil {
		return d, err
	}
	d.base, err = parseBase(r, a)
	return d, err
}

// parseBase reads what the probe told of the volume or file below.
func parseBase(r *modules.Report, a VolumeArgs) (volumeBase, error) {
	b := volumeBase{path: a.Backing.Path, format: string(a.Backing.Format)}
	switch {
	case r.Has("base"):
		doc, err := libvirt.ParseRoot(r.Text("base"), "volume")
		if err != nil {
			return b, fmt.Errorf("read what volume %s is: %w", a.Backing.Volume, err)
		}
		b.path = doc.Val("target", "path")
		b.capacity, _ = libvirt.Bytes(doc.At("capacity"), "bytes")
		if b.format == "" {
			b.format = doc.At("target", "format").Attr("type")
		}
	case r.Has("image"):
		if r.Status("image") != 0 {
			return b, fmt.Errorf("look at %s: %s", a.Backing.Path, strings.TrimSpace(r.Text("image.err")))
		}
		var image struct {
			Format string `json:"format"`
			Size   int64  `json:"virtual-size"`
		}
		if err := json.Unmarshal(r.Bytes("image"), &image); err != nil {
			return b, fmt.Errorf("read what qemu-img says of %s: %w", a.Backing.Path, err)
		}
		b.capacity = image.Size
		if b.format == "" {
			b.format = image.Format
		}
	}
	return b, nil
}
