package images

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_customize.go
var virtCustomizeSource string

// VirtCustomize edits systems that do not run.
var VirtCustomize = modules.Define("virt_customize", virtCustomizeSource+editsSource, runVirtCustomize, modules.Converges())

// VirtCustomizeArgs edit the system of a domain that is shut off, or of an image, by virt-customize. It is done once: again only when the arguments
// change, or when it is another domain of that name.
//
//	# The guest's agent, in a domain that is shut off.
//	- virt_customize:
//	    domain: web1
//	    hostname: web1
//	    packages: [qemu-guest-agent]
//	    run_commands: [systemctl enable qemu-guest-agent]
type VirtCustomizeArgs struct {
	// Domain whose disks to edit; it must be shut off.
	Domain string `arg:"domain" exclusive:"target"`
	// Path of an image to edit, in place of a domain.
	Path modules.Path `arg:"path" exclusive:"target"`
	// Format of that image. It is not guessed: what a guest wrote to a raw image could look like another format that names files of the host.
	Format BuildFormat `arg:"format" default:"qcow2"`
	// URI of libvirt as the host sees it.
	URI string `arg:"uri" default:"qemu:///system"`
	Edits
}

// VirtCustomizeResult is nothing but whether something changed.
type VirtCustomizeResult struct{}

// Check refuses arguments that make no sense.
func (a VirtCustomizeArgs) Check() error {
	text, _ := a.commands()
	switch {
	case a.Domain == "" && a.Path == "":
		return errors.New("one of domain and path is needed")
	case a.Path != "" && !strings.HasPrefix(string(a.Path), "/") && !strings.HasPrefix(string(a.Path), "~"):
		return wrong("path", "path must be the absolute path of an image: %s", a.Path)
	case strings.HasPrefix(a.URI, "-") || !strings.Contains(a.URI, ":"):
		return wrong("uri", "uri must be a URI of libvirt such as qemu:///system, not %q", a.URI)
	case text == "":
		return errors.New("there is nothing to do: no edit is given")
	}
	if a.Domain != "" {
		if err := libvirt.CheckName(a.Domain, true); err != nil {
			return wrong("domain", "domain: %v", err)
		}
	}
	return a.Edits.check()
}

// customizeProbe: URI, domain, path, format. What was done is recorded under the domain's UUID or the image's path.
const customizeProbe = modules.ExpandLib + stateLib + `
command -v virt-customize >/dev/null 2>&1 || say lacks virt-customize
if [ -n "$2" ]; then
	state=$(virsh -q -c "$1" domstate "$2" 2>&1) || { say virsh "$state"; exit 0; }
	say state "$state"
	! virsh -q -c "$1" dominfo "$2" | grep '^Managed save: *yes' >/dev/null || say saved 1
	uuid=$(virsh -q -c "$1" domuuid "$2") || exit 1
	records /
	name=domain-$uuid
else
	__expand "$3"; path=$__v
	say path "$path"
	if [ ! -f "$path" ]; then say gone "$path"; exit 0; fi
	tell info qemu-img info --output=json -f "$4" -- "$path"
	records "${path%/*}"
	name=${path##*/}.customized
fi
say to "$name"
say in "$records"
if [ -f "$records/$name" ]; then show record "$records/$name"; fi
`

// customizeScript: as editLib; then folder and name of the record, further arguments of virt-customize.
const customizeScript = editLib + `records=$1 name=$2
shift 2
mkdir -p "$records" && virt-customize "$@" --commands-from-file "$t/commands" >&2 && mv -f -- "$t/record" "$records/$name"`

// customized is what the host told of the domain or image.
type customized struct {
	path, state, in, to string
	saved               bool // its memory is, with what it knows of its disks
	trouble             string
	record              record
}

func runVirtCustomize(ctx context.Context, h *modules.Host, a VirtCustomizeArgs) (VirtCustomizeResult, error) {
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[customized]{
		Probe: customizeProbe, Args: []string{a.URI, a.Domain, string(a.Path), string(a.Format)},
		Parse: parseCustomized,
		Plan:  a.plan,
	})
	return VirtCustomizeResult{}, err
}

func parseCustomized(r *modules.Report) (customized, error) {
	c := customized{path: r.Text("path"), state: r.Text("state"), in: r.Text("in"), to: r.Text("to"), saved: r.Has("saved"), record: parseRecord(r.Text("record"))}
	switch {
	case r.Has("virsh"):
		return c, libvirt.Explain(r.Text("virsh"))
	case r.Has("lacks"):
		return c, missing(r)
	case r.Has("gone"):
		return c, fmt.Errorf("%s is not there", r.Text("gone"))
	case r.Has("info") && r.Status("info") != 0:
		c.trouble = libvirt.Explain(r.Text("info.err")).Error()
	}
	return c, nil
}

func (a VirtCustomizeArgs) plan(c customized) ([]modules.Action, error) {
	on := []string{"-a", c.path, "--format", string(a.Format)}
	what := c.path
	if a.Domain != "" {
		on, what = []string{"-c", a.URI, "-d", a.Domain}, "domain "+a.Domain
	}
	switch {
	case a.asked(c.record):
		return nil, nil
	case a.Domain != "" && strings.TrimSpace(c.state) != "shut off":
		return nil, fmt.Errorf("domain %s is %s: its disks are edited only when it is shut off, or they would be damaged", a.Domain, strings.TrimSpace(c.state))
	case c.saved:
		return nil, fmt.Errorf("the memory of domain %s is saved, and edited disks would be damaged when it goes on: start it and shut it down, or drop what is saved (virsh managedsave-remove)", a.Domain)
	case c.trouble != "":
		return nil, fmt.Errorf("%s cannot be edited: %s", c.path, c.trouble)
	}
	lengths, stdin := a.input(a.seal(""))
	return []modules.Action{{
		Why: "edit the system of " + what, Script: customizeScript, Args: append([]string{lengths, c.in, c.to}, on...), Stdin: stdin,
	}}, nil
}
