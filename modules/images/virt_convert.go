package images

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_convert.go
var virtConvertSource string

// VirtConvert converts images.
var VirtConvert = modules.Define("virt_convert", virtConvertSource, runVirtConvert, modules.Converges())

// SourceFormat is the format of an image to convert.
type SourceFormat string

// Choices lists the formats.
func (SourceFormat) Choices() []string {
	return []string{"raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "vhdx", "parallels", "dmg", "cloop", "bochs"}
}

// ConvertFormat is the format of the new image.
type ConvertFormat string

// Choices lists the formats.
func (ConvertFormat) Choices() []string {
	return []string{"qcow2", "raw", "vmdk", "vdi", "vpc", "vhdx"}
}

// ConvertPreallocation is how much of the new image is on the disk from the start.
type ConvertPreallocation string

// Choices lists the ways.
func (ConvertPreallocation) Choices() []string {
	return []string{"off", "metadata", "falloc", "full"}
}

// VirtConvertArgs convert an image to another format, by qemu-img. The new one appears only when it is whole. It is made once: a guest may write
// to it, and then it is not made anew, but with force when src or the arguments changed. With v2v a machine of another kind of hypervisor becomes
// a domain, by virt-v2v.
//
//	# A disk that came from VMware.
//	- virt_convert: {src: /srv/import/web1.vmdk, src_format: vmdk, pool: default, name: web1.qcow2}
//	- virt_convert: {src: /srv/import/app.ova, v2v: ova, pool: default, name: app}
type VirtConvertArgs struct {
	// Src is the image, on the host.
	Src modules.Path `arg:"src" exclusive:"origin"`
	// SrcVolume is a volume of a pool, in place of src.
	SrcVolume ConvertVolume `arg:"src_volume" exclusive:"origin"`
	// SrcFormat is the format of src. It is not guessed: what a guest wrote to a raw image could look like another format that names files of
	// the host.
	SrcFormat SourceFormat `arg:"src_format"`
	// Dest is the new image, an absolute path.
	Dest modules.Path `arg:"dest" exclusive:"place"`
	// Pool is the libvirt pool (dir, fs or netfs) that the new image goes to, in place of dest.
	Pool string `arg:"pool" exclusive:"place"`
	// Name of the volume in the pool; with v2v, of the domain.
	Name string `arg:"name"`
	// URI of libvirt as the host sees it.
	URI string `arg:"uri" default:"qemu:///system"`
	// Format of the new image.
	Format ConvertFormat `arg:"format" default:"qcow2"`
	// Compress packs the data (qcow2, vmdk).
	Compress bool `arg:"compress"`
	// ClusterSize of a qcow2 in bytes or with a unit: 64K.
	ClusterSize modules.Size `arg:"cluster_size"`
	// Preallocation of a qcow2 (all ways) or raw image (off, falloc, full).
	Preallocation ConvertPreallocation `arg:"preallocation" default:"off"`
	// Sparse leaves holes where src has zeros.
	Sparse bool `arg:"sparse" default:"true"`
	// Force replaces what is at dest and was made from something else. What a running guest uses is not replaced.
	Force bool `arg:"force"`
	// V2V converts a whole machine to a domain by virt-v2v: ova, vmx, disk or libvirtxml says what src is. Without, it is the image alone.
	V2V V2VInput `arg:"v2v"`
}

// V2VInput is what virt-v2v reads.
type V2VInput string

// Choices lists the kinds.
func (V2VInput) Choices() []string { return []string{"ova", "vmx", "disk", "libvirtxml"} }

// ConvertVolume is a volume to convert.
type ConvertVolume struct {
	// Pool of the volume.
	Pool string `arg:"pool" required:"true"`
	// Volume is its name.
	Volume string `arg:"volume,alias=name" required:"true"`
}

// VirtConvertResult tells of the new image.
type VirtConvertResult struct {
	// Path of the new image.
	Path string `json:"path,omitempty"`
	// Format of it.
	Format string `json:"format,omitempty"`
	// VirtualSize is how large the guest sees it, in bytes.
	VirtualSize int64 `json:"virtual_size,omitempty"`
	// Domain that v2v made.
	Domain string `json:"domain,omitempty"`
}

// Check refuses arguments that make no sense.
func (a VirtConvertArgs) Check() error {
	for arg, p := range map[string]string{"src": string(a.Src), "dest": string(a.Dest)} {
		if p != "" && !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "~") || strings.HasSuffix(p, "/") {
			return wrong(arg, "%s must be the absolute path of an image: %s", arg, p)
		}
	}
	switch {
	case a.Src == "" && a.SrcVolume.Volume == "":
		return errors.New("one of src and src_volume is needed")
	case strings.HasPrefix(a.URI, "-") || !strings.Contains(a.URI, ":"):
		return wrong("uri", "uri must be a URI of libvirt such as qemu:///system, not %q", a.URI)
	case a.Pool != "" && a.Name == "":
		return wrong("name", "name is needed with pool")
	case a.Name != "" && a.Pool == "":
		return wrong("name", "name goes with pool")
	case a.V2V != "" && (a.Src == "" || a.Pool == ""):
		return wrong("v2v", "v2v goes from src to pool and name")
	case a.V2V != "" && (a.SrcFormat != "" || a.Compress || a.ClusterSize != 0 || a.Preallocation != "off" || !a.Sparse || a.Force || a.Format != "qcow2" && a.Format != "raw"):
		return wrong("v2v", "with v2v, format (qcow2 or raw) is all that can be said of the images")
	case a.V2V == "" && a.Dest == "" && a.Pool == "":
		return errors.New("one of dest and pool is needed")
	case a.V2V == "" && a.SrcFormat == "":
		return wrong("src_format", "src_format is needed: a raw image can look like anything")
	case a.Compress && a.Format != "qcow2" && a.Format != "vmdk":
		return wrong("compress", "compress goes with format qcow2 or vmdk, not %s", a.Format)
	case a.Compress && a.Preallocation != "off":
		return wrong("compress", "compress does not go with preallocation")
	case a.ClusterSize != 0 && a.Format != "qcow2":
		return wrong("cluster_size", "cluster_size goes with format qcow2")
	case a.ClusterSize != 0 && (a.ClusterSize < 512 || a.ClusterSize > 2<<20 || a.ClusterSize&(a.ClusterSize-1) != 0):
		return wrong("cluster_size", "cluster_size must be a power of two from 512 to 2M")
	case a.Preallocation != "off" && a.Format != "qcow2" && (a.Format != "raw" || a.Preallocation == "metadata"):
		return wrong("preallocation", "preallocation: %s does not go with format %s", a.Preallocation, a.Format)
	}
	for arg, name := range map[string]string{"pool": a.Pool, "name": a.Name, "src_volume": a.SrcVolume.Pool} {
		if err := checkName(arg, name); err != nil {
			return err
		}
	}
	return checkName("src_volume", a.SrcVolume.Volume)
}

// options are qemu-img's.
func (a VirtConvertArgs) options() []string {
	var words []string
	if a.Compress {
		words = append(words, "-c")
	}
	if a.ClusterSize != 0 {
		words = append(words, "-o", fmt.Sprintf("cluster_size=%d", a.ClusterSize))
	}
	if a.Preallocation != "off" {
		words = append(words, "-o", "preallocation="+string(a.Preallocation))
	}
	if !a.Sparse {
		words = append(words, "-S", "0")
	}
	return words
}

// source stands for what an image was made from and how, in its record.
func (a VirtConvertArgs) source() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", append([]string{string(a.Src), a.SrcVolume.Pool, a.SrcVolume.Volume, string(a.SrcFormat), string(a.Format)}, a.options()...)))
	return hex.EncodeToString(sum[:])
}

// convertProbe: folder, URI, pool, name, src, its pool and volume, its format, the new format.
const convertProbe = placeProbe + listLib + `
if [ -n "$7" ]; then src=$(v vol-path --pool "$6" --vol "$7" 2>&1) || { say virsh "$src"; exit 0; }
else __expand "$5"; src=$__v; fi
say src "$src"
if [ -e "$src" ]; then
	say origin "$(stat -L -c '%s %Y' "$src")"
	tell info qemu-img info -U -f "$8" --output=json -- "$src"
	tell measure qemu-img measure -U --output=json -f "$8" -O "$9" -- "$src"
fi
say free "$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')"
list <<E
$4
E
[ ! -d "$dir/$4" ] || say folder 1
if [ -e "$dir/$4" ]; then say there 1; tell made qemu-img info --output=json -f "$9" -- "$dir/$4"; fi
`

// convertScript: src, folder, name, format of src, new format, options. The record comes by standard input.
const convertScript = stateLib + `umask 077
src=$1 dir=$2 name=$3 from=$4 to=$5
shift 5
records "$dir"
mkdir -p "$records" && t=$(mktemp "$records/.new.XXXXXX") || exit 1
part=$(mktemp "$dir/.hostler-image.XXXXXX") || { rm -f -- "$t"; exit 1; }
trap 'rm -f -- "$t" "$part"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t" || exit 1
if [ "$from" != raw ]; then
	qemu-img check -q -f "$from" -- "$src" >&2
	case $? in
	0 | 3 | 63) ;;
	2) echo "$src is damaged" >&2; exit 1 ;;
	*) exit 1 ;;
	esac
fi
qemu-img convert -f "$from" -O "$to" "$@" -- "$src" "$part" && mv -f -- "$part" "$dir/$name" && mv -f -- "$t" "$records/$name"`

// conversion is what the host has of src and of the new image.
type conversion struct {
	dir, src, origin string
	orphan, there    bool
	trouble          string // why src cannot be read
	folder           bool   // there is one of the new image's name
	locked           bool   // somebody uses the image at dest
	from, made       info
	required, free   int64 // bytes
	record           record
}

func (a VirtConvertArgs) parse(r *modules.Report) (conversion, error) {
	dir, err := Place{Pool: a.Pool}.parse(r)
	c := conversion{dir: dir, src: r.Text("src"), origin: r.Text("origin"), orphan: r.Has("orphan"), there: r.Has("there"), folder: r.Has("folder")}
	switch {
	case err != nil:
		return c, err
	case r.Has("toolless"):
		return c, errNoQemuImg
	}
	if r.Has("info") && r.Status("info") != 0 {
		c.trouble = strings.TrimPrefix(r.Text("info.err"), "qemu-img: ")
	} else if r.Has("info") {
		if err := json.Unmarshal(r.Bytes("info"), &c.from); err != nil {
			return c, fmt.Errorf("read what qemu-img tells of %s: %w", c.src, err)
		}
	}
	if r.Has("made") && r.Status("made") == 0 {
		if err := json.Unmarshal(r.Bytes("made"), &c.made); err != nil {
			return c, fmt.Errorf("read what qemu-img tells of the image: %w", err)
		}
	}
	c.locked = libvirt.Explain(r.Text("made.err")).Class == libvirt.ImageLocked
	var measure struct {
		Required int64 `json:"required"`
	}
	if r.Has("measure") && r.Status("measure") == 0 {
		if err := json.Unmarshal(r.Bytes("measure"), &measure); err != nil {
			return c, fmt.Errorf("read how much qemu-img needs: %w", err)
		}
	}
	free, _ := strconv.ParseInt(r.Text("free"), 10, 64)
	c.required, c.free = measure.Required, free<<10
	files, err := parseFiles(r)
	if len(files) == 1 {
		c.record = files[0].record
	}
	return c, err
}

func runVirtConvert(ctx context.Context, h *modules.Host, a VirtConvertArgs) (VirtConvertResult, error) {
	if a.V2V != "" {
		return a.runV2V(ctx, h)
	}
	folder, name := "", a.Name
	if a.Pool == "" {
		folder, name = path.Dir(string(a.Dest)), path.Base(string(a.Dest))
	}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[conversion]{
		Probe: convertProbe,
		Args:  []string{folder, a.URI, a.Pool, name, string(a.Src), a.SrcVolume.Pool, a.SrcVolume.Volume, string(a.SrcFormat), string(a.Format)},
		Parse: a.parse,
		Plan:  func(c conversion) ([]modules.Action, error) { return a.plan(h, c, name) },
	})
	result := VirtConvertResult{Path: after.dir + "/" + name, Format: string(a.Format), VirtualSize: after.made.VirtualSize}
	if errors.Is(err, modules.ErrPlanned) {
		result.VirtualSize = after.from.VirtualSize
	}
	if failed, ok := errors.AsType[*modules.ActionError](err); ok {
		if reason := libvirt.Explain(string(failed.Stderr)); reason.Advice != "" {
			err = fmt.Errorf("%w (%s)", err, reason.Advice)
		}
	}
	return result, err
}

// needs is how many bytes the new image takes; packed data take nobody knows how many.
func (a VirtConvertArgs) needs(c conversion) int64 {
	switch {
	case a.Compress:
		return 0
	case a.Preallocation == "full" || a.Preallocation == "falloc" || !a.Sparse:
		return max(c.required, c.from.VirtualSize)
	}
	return c.required
}

func (a VirtConvertArgs) plan(h *modules.Host, c conversion, name string) ([]modules.Action, error) {
	to := c.dir + "/" + name
	switch {
	case c.folder:
		return nil, fmt.Errorf("%s is a folder", to)
	case c.there && c.record["source"] == a.source() && (c.origin == "" || c.record["origin"] == c.origin):
		return nil, nil
	case c.there && !a.Force:
		return nil, fmt.Errorf("%s is there and was not made from %s as it is now: force: true replaces it, and what a guest wrote to it is lost", to, c.src)
	case c.there && c.locked:
		return nil, fmt.Errorf("%s is in use: it is not replaced", to)
	case h.Planning() && (c.orphan || c.origin == ""): // an earlier task may be to make it
	case c.orphan:
		return nil, fmt.Errorf("the folder %s is not there", c.dir)
	case c.origin == "":
		return nil, fmt.Errorf("%s is not there", c.src)
	case c.trouble != "":
		return nil, fmt.Errorf("%s cannot be read as %s: %s", c.src, a.SrcFormat, c.trouble)
	case a.needs(c) > c.free:
		return nil, fmt.Errorf("%s has not enough space: %d bytes are needed, %d free", c.dir, a.needs(c), c.free)
	}
	rec := record{"source": a.source(), "origin": c.origin, "path": to}
	convert := modules.Action{
		Why: fmt.Sprintf("convert %s to %s", c.src, to), Script: convertScript, Stdin: []byte(rec.text()),
		Args: slices.Concat([]string{c.src, c.dir, name, string(a.SrcFormat), string(a.Format)}, a.options()),
	}
	return append([]modules.Action{convert}, Place{Pool: a.Pool, URI: a.URI}.refresh()...), nil
}

// v2vProbe: URI, domain, src.
const v2vProbe = modules.ExpandLib + `
for p in virsh virt-v2v; do command -v "$p" >/dev/null 2>&1 || { say lacks "$p"; exit 0; }; done
names=$(virsh -q -c "$1" list --all --name 2>&1) || { say virsh "$names"; exit 0; }
! printf '%s\n' "$names" | grep -Fqx -e "$2" || say there 1
__expand "$3"; say src "$__v"
[ ! -e "$__v" ] || say exists 1
`

// v2vState is whether the domain and what it is made from are there.
type v2vState struct {
	src           string
	there, exists bool
}

// runV2V makes a domain of another hypervisor's machine. One of the name that is there already is it.
func (a VirtConvertArgs) runV2V(ctx context.Context, h *modules.Host) (VirtConvertResult, error) {
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[v2vState]{
		Probe: v2vProbe, Args: []string{a.URI, a.Name, string(a.Src)}, Lock: "libvirt-v2v",
		Parse: func(r *modules.Report) (v2vState, error) {
			switch {
			case r.Has("lacks"):
				return v2vState{}, fmt.Errorf("the host has no program %s", r.Text("lacks"))
			case r.Has("virsh"):
				return v2vState{}, libvirt.Explain(r.Text("virsh"))
			}
			return v2vState{src: r.Text("src"), there: r.Has("there"), exists: r.Has("exists")}, nil
		},
		Plan: func(s v2vState) ([]modules.Action, error) {
			switch {
			case s.there:
				return nil, nil
			case !s.exists && !h.Planning():
				return nil, fmt.Errorf("%s is not there", s.src)
			}
			return []modules.Action{{
				Why: fmt.Sprintf("convert %s to the domain %s", s.src, a.Name),
				Argv: []string{
					"virt-v2v", "-i", string(a.V2V), s.src, "-o", "libvirt", "-oc", a.URI, "-os", a.Pool, "-of", string(a.Format),
					"-on", a.Name,
				},
				Env: map[string]string{"LIBGUESTFS_BACKEND": "direct"},
			}}, nil
		},
	})
	return VirtConvertResult{Domain: a.Name}, err
}
