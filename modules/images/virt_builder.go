package images

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_builder.go
var virtBuilderSource string

// VirtBuilder builds images.
var VirtBuilder = modules.Define("virt_builder", virtBuilderSource+editsSource, runVirtBuilder, modules.Converges())

// BuildFormat is the format of a built image.
type BuildFormat string

// Choices lists the formats.
func (BuildFormat) Choices() []string { return []string{"qcow2", "raw"} }

// VirtBuilderArgs build an image from a template of virt-builder's. It is built once: where the image is there and was built from the same
// arguments nothing is done, and what a guest wrote to it stays.
//
//	# A disk with a system that lets the administrator in.
//	- virt_builder:
//	    os: debian-12
//	    pool: default
//	    name: web1.qcow2
//	    size: 10G
//	    hostname: web1
//	    root_password: "{{ vault_root_password }}"
//	    ssh_inject: [{user: root, key: "{{ lookup('file', 'admin.pub') }}"}]
//	    packages: [qemu-guest-agent]
type VirtBuilderArgs struct {
	// OS is the template, as virt-builder --list names it.
	OS string `arg:"os" required:"true"`
	// Dest is the image, an absolute path.
	Dest modules.Path `arg:"dest" exclusive:"place"`
	// Pool is the libvirt pool (dir, fs or netfs) that the image goes to, in place of dest.
	Pool string `arg:"pool" exclusive:"place"`
	// Name of the volume in the pool.
	Name string `arg:"name"`
	// URI of libvirt as the host sees it.
	URI string `arg:"uri" default:"qemu:///system"`
	// Size of the disk in bytes, or with a unit; the template's when empty.
	Size modules.Size `arg:"size"`
	// Format of the image.
	Format BuildFormat `arg:"format" default:"qcow2"`
	// Arch of the template; the host's when empty.
	Arch string `arg:"arch"`
	// CheckSignature is whether the signature of what is downloaded is verified.
	CheckSignature bool `arg:"check_signature" default:"true"`
	// AcceptUnsigned is to be said with check_signature: false.
	AcceptUnsigned bool `arg:"accept_unsigned"`
	// Force builds anew where the image is there and was built from something else: what a guest wrote to it is lost. What a
	// running guest uses is not replaced.
	Force bool `arg:"force"`
	Edits
}

// VirtBuilderResult tells of the image.
type VirtBuilderResult struct {
	// Path of the image.
	Path string `json:"path,omitempty"`
	// Format of it.
	Format string `json:"format"`
}

var templateName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Check refuses arguments that make no sense.
func (a VirtBuilderArgs) Check() error {
	switch {
	case !templateName.MatchString(a.OS):
		return wrong("os", "os %q is no name of a template", a.OS)
	case a.Arch != "" && !templateName.MatchString(a.Arch):
		return wrong("arch", "arch %q is no name of an architecture", a.Arch)
	case a.Dest == "" && a.Pool == "":
		return errors.New("one of dest and pool is needed")
	case a.Dest != "" && (!strings.HasPrefix(string(a.Dest), "/") && !strings.HasPrefix(string(a.Dest), "~") || strings.HasSuffix(string(a.Dest), "/")):
		return wrong("dest", "dest must be the absolute path of an image: %s", a.Dest)
	case a.Pool != "" && a.Name == "":
		return wrong("name", "name is needed with pool")
	case a.Name != "" && a.Pool == "":
		return wrong("name", "name goes with pool")
	case strings.HasPrefix(a.URI, "-") || !strings.Contains(a.URI, ":"):
		return wrong("uri", "uri must be a URI of libvirt such as qemu:///system, not %q", a.URI)
	case a.Size < 0:
		return wrong("size", "size must not be negative")
	case !a.CheckSignature && !a.AcceptUnsigned:
		return wrong("check_signature", "check_signature: false needs accept_unsigned: true, for then nothing vouches for the template")
	}
	return errors.Join(checkName("pool", a.Pool), checkName("name", a.Name), a.Edits.check())
}

// builderProbe: folder, URI, pool, name, format.
const builderProbe = placeProbe + listLib + `
command -v virt-builder >/dev/null 2>&1 || say lacks virt-builder
[ ! -d "$dir/$4" ] || say folder 1
if [ -e "$dir/$4" ]; then say there 1; tell made qemu-img info -f "$5" -- "$dir/$4"; fi
list <<E
$4
E
`

// builderScript: as editLib; then folder, name, further arguments of virt-builder.
const builderScript = editLib + `dir=$1 name=$2
shift 2
part=$(mktemp -d "$dir/.hostler-image.XXXXXX") || exit 1
records "$dir"
mkdir -p "$records" || exit 1
virt-builder "$@" --commands-from-file "$t/commands" --output "$part/image" >&2 || exit 1
mv -f -- "$part/image" "$dir/$name" && mv -f -- "$t/record" "$records/$name"`

// built is what the host has of the image.
type built struct {
	dir           string
	orphan, there bool
	folder        bool // there is one of the image's name
	locked        bool // somebody uses the image
	record        record
}

func runVirtBuilder(ctx context.Context, h *modules.Host, a VirtBuilderArgs) (VirtBuilderResult, error) {
	folder, name := "", a.Name
	if a.Pool == "" {
		folder, name = path.Dir(string(a.Dest)), path.Base(string(a.Dest))
	}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[built]{
		Probe: builderProbe, Args: []string{folder, a.URI, a.Pool, name, string(a.Format)},
		Parse: func(r *modules.Report) (built, error) {
			dir, err := Place{Pool: a.Pool}.parse(r)
			b := built{dir: dir, orphan: r.Has("orphan"), there: r.Has("there"), folder: r.Has("folder"), locked: libvirt.Explain(r.Text("made.err")).Class == libvirt.ImageLocked}
			if err == nil && !b.there {
				err = missing(r)
			}
			if err != nil {
				return b, err
			}
			files, err := parseFiles(r)
			if len(files) == 1 {
				b.record = files[0].record
			}
			return b, err
		},
		Plan: func(b built) ([]modules.Action, error) { return a.plan(h, b, name) },
	})
	return VirtBuilderResult{Path: after.dir + "/" + name, Format: string(a.Format)}, err
}

// inputs are what the image is built from, but for the edits; they are virt-builder's arguments.
func (a VirtBuilderArgs) inputs() []string {
	words := []string{a.OS, "--format", string(a.Format)}
	if a.Size > 0 {
		words = append(words, "--size", fmt.Sprintf("%db", a.Size))
	}
	if a.Arch != "" {
		words = append(words, "--arch", a.Arch)
	}
	if !a.CheckSignature {
		words = append(words, "--no-check-signature")
	}
	return words
}

func (a VirtBuilderArgs) plan(h *modules.Host, b built, name string) ([]modules.Action, error) {
	to := b.dir + "/" + name
	switch {
	case b.folder:
		return nil, fmt.Errorf("%s is a folder", to)
	case b.there && a.asked(b.record, a.inputs()...):
		return nil, nil
	case b.there && !a.Force:
		return nil, fmt.Errorf("%s is there and was not built from these arguments: force: true builds it anew, and what a guest wrote to it is lost", to)
	case b.locked:
		return nil, fmt.Errorf("%s is in use: it is not replaced", to)
	case b.orphan && !h.Planning():
		return nil, fmt.Errorf("the folder %s is not there", b.dir)
	}
	rec := a.seal("", a.inputs()...)
	rec["path"] = to
	lengths, stdin := a.input(rec)
	build := modules.Action{
		Why: fmt.Sprintf("build %s from %s", to, a.OS), Script: builderScript, Args: append([]string{lengths, b.dir, name}, a.inputs()...), Stdin: stdin,
	}
	return append([]modules.Action{build}, Place{Pool: a.Pool, URI: a.URI}.refresh()...), nil
}
