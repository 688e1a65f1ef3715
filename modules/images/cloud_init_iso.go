package images

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/hostlerhq/hostler/internal/cloudinit"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed cloud_init_iso.go
var cloudInitISOSource string

// CloudInitISO makes seeds for cloud-init.
var CloudInitISO = modules.Define("cloud_init_iso", cloudInitISOSource, runCloudInitISO, modules.Converges())

// SeedLabel is the label of an image.
type SeedLabel string

// Choices lists the labels that cloud-init looks for.
func (SeedLabel) Choices() []string { return []string{"cidata", "CIDATA"} }

// SeedChecks is how much of a seed is checked.
type SeedChecks string

// Choices lists the ways.
func (SeedChecks) Choices() []string { return []string{"schema", "yaml", "none"} }

// CloudInitISOArgs make a seed image for cloud-init (NoCloud) on the host, checked before the host is touched. The same data make the same
// bytes, so that a second run changes nothing. The image has mode 0600, for seeds hold secrets; libvirt gives it to QEMU when the guest starts.
//
//	# A seed in a pool, and what becomes of it once the guest is set up.
//	- cloud_init_iso:
//	    pool: default
//	    name: web1-seed.iso
//	    meta_data: {local-hostname: web1}
//	    user_data:
//	      users: [default, {name: admin, ssh_authorized_keys: ["{{ key }}"], sudo: "ALL=(ALL) NOPASSWD:ALL"}]
//	      packages: [qemu-guest-agent]
//	    network_config: {version: 2, ethernets: {lan: {match: {name: "en*"}, dhcp4: true}}}
//	- cloud_init_iso: {pool: default, name: web1-seed.iso, eject_from: web1, state: absent}
type CloudInitISOArgs struct {
	// State is whether the image shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Dest is the image, an absolute path.
	Dest modules.Path `arg:"dest" exclusive:"place"`
	// Pool is the libvirt pool (dir, fs or netfs) that the image goes to, in place of dest.
	Pool string `arg:"pool" exclusive:"place"`
	// Name is the image's name in the pool; without, local-hostname or vm, -seed- and eight digits of the image's SHA-256.
	Name string `arg:"name"`
	// URI of libvirt as the host sees it.
	URI string `arg:"uri" default:"qemu:///system"`
	// UserData is text as cloud-init reads it, a dict of cloud-config, or a list of these for a multipart.
	UserData any `arg:"user_data"`
	// MetaData is a dict or YAML; instance-id is added where it is missing.
	MetaData any `arg:"meta_data"`
	// VendorData is as user_data.
	VendorData any `arg:"vendor_data"`
	// NetworkConfig is a dict or YAML of version 1 or 2.
	NetworkConfig any `arg:"network_config"`
	// InstanceID is the instance-id where meta_data has none; without, one of the content, so that cloud-init takes up a changed seed as
	// a new instance (with new host keys).
	InstanceID string `arg:"instance_id"`
	// Label of the image.
	Label SeedLabel `arg:"label" default:"cidata"`
	// Validate is what is checked: schema (also cloud-config's keys), yaml, none.
	Validate SeedChecks `arg:"validate" default:"schema"`
	// EjectFrom is a domain out of whose drive the image is taken before it is removed; with state absent.
	EjectFrom string `arg:"eject_from"`
}

// CloudInitISOResult tells of the image.
type CloudInitISOResult struct {
	// Dest is the image.
	Dest string `json:"dest"`
	// Checksum is its SHA-256.
	Checksum string `json:"checksum,omitempty"`
	// Size of the image in bytes.
	Size int `json:"size,omitempty"`
	// InstanceID is the instance-id in it.
	InstanceID string `json:"instance_id,omitempty"`
}

// Check refuses arguments that make no sense, and seeds that cloud-init would not take.
func (a CloudInitISOArgs) Check() error {
	wrong := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	absent := a.State == modules.Absent
	switch {
	case a.Dest == "" && a.Pool == "":
		return errors.New("one of dest and pool is needed")
	case a.Dest != "" && !strings.HasPrefix(string(a.Dest), "/") && !strings.HasPrefix(string(a.Dest), "~"):
		return wrong("dest", "dest must be absolute: %s", a.Dest)
	case strings.HasSuffix(string(a.Dest), "/"):
		return wrong("dest", "dest must be the image, not a folder: %s", a.Dest)
	case a.Name != "" && a.Pool == "":
		return wrong("name", "name goes with pool")
	case absent && a.Pool != "" && a.Name == "":
		return wrong("name", "name is needed with state absent")
	case !absent && a.UserData == nil:
		return wrong("user_data", "user_data is needed")
	case a.EjectFrom != "" && !absent:
		return wrong("eject_from", "eject_from goes with state absent")
	case strings.HasPrefix(a.URI, "-") || !strings.Contains(a.URI, ":"):
		return wrong("uri", "uri must be a URI of libvirt such as qemu:///system, not %q", a.URI)
	}
	for arg, name := range map[string]string{"pool": a.Pool, "name": a.Name, "eject_from": a.EjectFrom} {
		if name == "" {
			continue
		}
		if err := libvirt.CheckName(name, arg == "eject_from"); err != nil {
			return wrong(arg, "%s: %v", arg, err)
		}
	}
	if absent {
		return nil
	}
	_, _, err := a.seed()
	return err
}

// seed makes the seed and gives what there is to warn of.
func (a CloudInitISOArgs) seed() (cloudinit.Seed, diag.List, error) {
	s := cloudinit.Seed{Schema: a.Validate == "schema"}
	for _, f := range []struct {
		name string
		from any
		text func(any) (string, error)
		to   *cloudinit.File
	}{
		{"user_data", a.UserData, cloudinit.Text, &s.User},
		{"vendor_data", a.VendorData, cloudinit.Text, &s.Vendor},
		{"meta_data", a.MetaData, cloudinit.Plain, &s.Meta},
		{"network_config", a.NetworkConfig, cloudinit.Plain, &s.Network},
	} {
		text, err := f.text(f.from)
		if err != nil {
			return s, nil, &modules.ArgError{Path: []any{f.name}, Msg: f.name + ": " + err.Error()}
		}
		*f.to = cloudinit.File{Name: f.name, Text: text}
	}
	if a.InstanceID != "" {
		if err := cloudinit.CheckInstanceID(a.InstanceID); err != nil {
			return s, nil, &modules.ArgError{Path: []any{"instance_id"}, Msg: err.Error()}
		}
	}
	var found diag.List
	if a.Validate != "none" {
		found = s.Check()
	}
	if err := found.Err(); err != nil {
		for _, e := range found {
			if e.Severity == diag.Fatal {
				return s, nil, &modules.ArgError{Path: []any{e.Pos.File}, Msg: e.Error(), Hint: e.Hint}
			}
		}
	}
	s, err := s.Identify(a.InstanceID)
	return s, found, err
}

// seedProbe: dest, URI, pool, name, domain.
const seedProbe = modules.ExpandLib + cloudinit.LookLib + `
v() { virsh -q -c "$uri" "$@"; }
uri=$2
if [ -n "$3$5" ] && ! command -v virsh >/dev/null 2>&1; then
	say fail 'the host has no program virsh; it comes with the package libvirt-clients (Debian, Ubuntu) or libvirt-client'; exit 0
fi
if [ -n "$3" ]; then
	pool_folder "$3"
	case $? in
	1) say virsh "$folder"; exit 0 ;;
	2) say fail "pool $3 is no folder (type dir, fs or netfs)"; exit 0 ;;
	esac
	dest=$folder/$4
else
	__expand "$1"; dest=$__v
fi
say dest "$dest"
look_seed "$dest" || { say fail "$dest is no regular file: it is not replaced"; exit 0; }
[ -n "$5" ] || exit 0
names=$(v list --all --name 2>&1) || { say virsh "$names"; exit 0; }
printf '%s\n' "$names" | grep -Fqx -e "$5" || exit 0
say config "$(v dumpxml --inactive "$5")"
! v list --name | grep -Fqx -e "$5" || say live "$(v dumpxml "$5")"
`

// seedState is what the host has.
type seedState struct {
	dest, sum, mode, orphan string
	drives                  []drive
}

// drive is one that has the image in it, in the running domain or in its definition.
type drive struct{ target, where string }

func parseSeed(r *modules.Report) (seedState, error) {
	s := seedState{dest: r.Text("dest"), sum: r.Text("sum"), mode: r.Text("mode"), orphan: r.Text("orphan")}
	switch {
	case r.Has("fail"):
		return s, errors.New(r.Text("fail"))
	case r.Has("virsh"):
		return s, libvirt.Explain(r.Text("virsh"))
	}
	for _, where := range []string{"live", "config"} {
		if !r.Has(where) {
			continue
		}
		doc, err := libvirt.ParseRoot(r.Text(where), "domain")
		if err != nil {
			return s, fmt.Errorf("read the domain's definition: %w", err)
		}
		for _, d := range doc.At("devices").All("disk") {
			if source := d.At("source"); d.Attr("device") == "cdrom" && source != nil && source.Attr("file") == s.dest {
				s.drives = append(s.drives, drive{d.At("target").Attr("dev"), where})
			}
		}
	}
	return s, nil
}

func runCloudInitISO(ctx context.Context, h *modules.Host, a CloudInitISOArgs) (CloudInitISOResult, error) {
	var result CloudInitISOResult
	var image []byte
	if a.State == modules.Present {
		s, found, err := a.seed()
		if err != nil {
			return result, err
		}
		for _, e := range found {
			text := e.Error()
			if e.Hint != "" {
				text += "; " + e.Hint
			}
			h.Warn("%s", text)
		}
		if image, err = s.Image(string(a.Label)); err != nil {
			return result, err
		}
		result.Checksum, result.Size, result.InstanceID = cloudinit.Sum(image), len(image), s.InstanceID()
		if a.Pool != "" && a.Name == "" {
			name := s.Hostname()
			if name == "" {
				name = "vm"
			}
			a.Name = fmt.Sprintf("%s-seed-%s.iso", name, result.Checksum[:8])
		}
	}
	plan := func(s seedState) ([]modules.Action, error) { return a.plan(h, s, image, result.Checksum) }
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[seedState]{
		Probe: seedProbe, Args: []string{string(a.Dest), a.URI, a.Pool, a.Name, a.EjectFrom}, Parse: parseSeed, Plan: plan,
		Diff: func(before, after seedState) []modules.Diff {
			return []modules.Diff{{Before: before.show(), After: after.show(), BeforeHeader: before.dest, AfterHeader: after.dest}}
		},
		Want: func(s seedState) seedState { s.sum, s.mode, s.drives = result.Checksum, "600", nil; return s },
	})
	result.Dest = after.dest
	return result, err
}

// show gives a state for the diff: never what is in the image.
func (s seedState) show() string {
	if s.sum == "" {
		return "absent\n"
	}
	return fmt.Sprintf("sha256: %s\nmode: %s\n", s.sum, s.mode)
}

func (a CloudInitISOArgs) plan(h *modules.Host, s seedState, image []byte, sum string) ([]modules.Action, error) {
	var actions []modules.Action
	name := path.Base(s.dest)
	virsh := func(why string, args ...string) {
		actions = append(actions, modules.Action{Why: why, Argv: append([]string{"virsh", "-q", "-c", a.URI}, args...)})
	}
	switch {
	case a.State == modules.Absent:
		for _, d := range s.drives {
			virsh(fmt.Sprintf("eject %s from %s of %s (%s)", name, d.target, a.EjectFrom, d.where),
				"change-media", a.EjectFrom, d.target, "--eject", "--"+d.where)
		}
		if s.sum == "" {
			return actions, nil
		}
		actions = append(actions, modules.Action{Why: "remove the seed " + s.dest, Argv: []string{"rm", "-f", "--", s.dest}})
	case s.orphan != "" && !h.Planning():
		return nil, fmt.Errorf("the folder %s is not there", s.orphan)
	case s.sum != sum:
		actions = append(actions, modules.Action{Why: "write the seed " + s.dest, Script: cloudinit.WriteScript, Args: []string{s.dest, sum}, Stdin: image})
	case s.mode != "600":
		return []modules.Action{{Why: "close the seed " + s.dest + " to others", Argv: []string{"chmod", "600", "--", s.dest}}}, nil
	default:
		return nil, nil
	}
	if a.Pool != "" {
		virsh("refresh pool "+a.Pool, "pool-refresh", a.Pool)
	}
	return actions, nil
}
