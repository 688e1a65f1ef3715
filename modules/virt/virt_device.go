package virt

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_device.go
var deviceSource string

// Device sees to one device of a domain.
var Device = modules.Define("virt_device", deviceSource+virshSource+domainSource, runDevice, modules.Converges())

// DeviceArgs attach a device to a domain, change it or detach it, at once where the domain runs and in its definition. A device is known by its
// target, its MAC address or its address on the host; what is not given of it stays as it is. What is detached is waited for until the
// guest let it go.
//
//	# One more disk, also while the domain runs.
//	- virt_device:
//	    domain: web-01
//	    type: disk
//	    source: /var/lib/libvirt/images/web-01-data.qcow2
//	    target: vdb
type DeviceArgs struct {
	// Domain that has the device.
	Domain string `arg:"domain,alias=name" required:"true"`
	// Type of the device.
	Type DeviceType `arg:"type" required:"true"`
	// State is whether the domain has the device. A cdrom that is present without source is an empty drive.
	State modules.Presence `arg:"state" default:"present"`
	// Live changes the domain while it runs; one that is off has its definition only.
	Live bool `arg:"live" default:"true"`
	// Config changes the domain's definition, which counts from its next start on.
	Config bool `arg:"config" default:"true"`
	// Source of a disk or cdrom: a file or block device of the host; of a filesystem: a folder; of a channel: a socket.
	Source modules.Path `arg:"source"`
	// Target is what the guest's side is called: vdb for a disk, the tag of a filesystem, the name of a channel (org.qemu.guest_agent.0).
	Target string `arg:"target"`
	// Bus of a disk or cdrom: virtio, scsi, sata, usb, ide. It follows the target when empty: vd is virtio, hd ide, sd scsi.
	Bus DeviceBus `arg:"bus"`
	// Format of a disk's data; qcow2 where the source ends in .qcow2 and otherwise raw when empty.
	Format DeviceFormat `arg:"format"`
	// Cache mode of a disk.
	Cache DeviceCache `arg:"cache"`
	// Serial number of a disk that the guest sees.
	Serial string `arg:"serial"`
	// Readonly keeps the guest from writing to a disk or filesystem.
	Readonly bool `arg:"readonly"`
	// Shareable lets several domains have the disk at once.
	Shareable bool `arg:"shareable"`
	// MAC address of an interface; one that follows from the domain's name when it is attached without. It is needed to detach one.
	MAC string `arg:"mac"`
	// Network of libvirt that an interface is connected to.
	Network string `arg:"network" exclusive:"connection"`
	// Bridge of the host that an interface is connected to.
	Bridge string `arg:"bridge" exclusive:"connection"`
	// Model of an interface.
	Model string `arg:"model"`
	// Link is whether an interface's cable is plugged in.
	Link DeviceLink `arg:"link"`
	// Address of a hostdev: 0000:03:00.0 on PCI, or 046d:c52b, vendor and product, on USB.
	Address string `arg:"address"`
	// Timeout for the guest to let go of a device.
	Timeout time.Duration `arg:"timeout" default:"60s"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// DeviceType is a kind of device.
type DeviceType string

// Choices lists the kinds.
func (DeviceType) Choices() []string {
	return []string{"disk", "cdrom", "interface", "hostdev", "filesystem", "channel"}
}

// DeviceBus is a bus of disks.
type DeviceBus string

// Choices lists the buses.
func (DeviceBus) Choices() []string { return []string{"virtio", "scsi", "sata", "usb", "ide"} }

// DeviceFormat is how data lie on a disk.
type DeviceFormat string

// Choices lists the formats.
func (DeviceFormat) Choices() []string { return []string{"raw", "qcow2", "vmdk", "vdi", "vhdx"} }

// DeviceCache is how QEMU caches a disk.
type DeviceCache string

// Choices lists the ways.
func (DeviceCache) Choices() []string {
	return []string{"none", "writeback", "writethrough", "directsync", "unsafe"}
}

// DeviceLink is the state of a cable.
type DeviceLink string

// Choices lists the states.
func (DeviceLink) Choices() []string { return []string{"up", "down"} }

// DeviceResult tells of the device.
type DeviceResult struct {
	// Domain as it is now.
	Domain *DomainResult `json:"domain,omitempty"`
	// Device is what the device is known by: its target, MAC address or address.
	Device string `json:"device,omitempty"`
	// Live is whether the running domain has it.
	Live bool `json:"live"`
	// Config is whether the domain's definition has it.
	Config bool `json:"config"`
}

var (
	diskTarget  = regexp.MustCompile(`^(?:vd|sd|hd)[a-z]{1,3}$`)
	targetWord  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$`)
	pciAddress  = regexp.MustCompile(`^(?:([0-9a-fA-F]{4}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])$`)
	usbProduct  = regexp.MustCompile(`^([0-9a-fA-F]{4}):([0-9a-fA-F]{4})$`)
	deviceModel = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// deviceArgs are the arguments that go with each type.
func deviceArgs(t DeviceType) []string {
	switch t {
	case "disk":
		return []string{"source", "target", "bus", "format", "cache", "serial", "readonly", "shareable"}
	case "cdrom":
		return []string{"source", "target", "bus"}
	case "interface":
		return []string{"mac", "network", "bridge", "model", "link"}
	case "hostdev":
		return []string{"address"}
	case "filesystem":
		return []string{"source", "target", "readonly"}
	}
	return []string{"source", "target"}
}

// Check refuses what cannot be, before any host is asked.
func (a DeviceArgs) Check() error {
	bad := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	if err := checkName("domain", a.Domain, a.AllowOddName); err != nil {
		return err
	}
	given := map[string]bool{
		"source": a.Source != "", "target": a.Target != "", "bus": a.Bus != "", "format": a.Format != "", "cache": a.Cache != "", "serial": a.Serial != "",
		"readonly": a.Readonly, "shareable": a.Shareable, "mac": a.MAC != "", "network": a.Network != "", "bridge": a.Bridge != "", "model": a.Model != "",
		"link": a.Link != "", "address": a.Address != "",
	}
	for _, name := range []string{"source", "target", "bus", "format", "cache", "serial", "readonly", "shareable", "mac", "network", "bridge", "model", "link", "address"} {
		if given[name] && !slices.Contains(deviceArgs(a.Type), name) {
			return bad(name, "%s does not go with type: %s", name, a.Type)
		}
	}
	present := a.State == modules.Present
	source := string(a.Source)
	switch {
	case !a.Live && !a.Config:
		return bad("live", "live and config are both false: there is nothing to change")
	case slices.Contains(deviceArgs(a.Type), "target") && a.Target == "":
		return bad("target", "type: %s needs target", a.Type)
	case (a.Type == "disk" || a.Type == "cdrom") && !diskTarget.MatchString(a.Target):
		return bad("target", "target of a %s is vda, sdb, hdc or the like, not %q", a.Type, a.Target)
	case a.Target != "" && !targetWord.MatchString(a.Target):
		return bad("target", "target must be a word of letters, digits and ._:-, not %q", a.Target)
	case source != "" && (!path.IsAbs(source) || strings.ContainsAny(source, "\x00\n")):
		return bad("source", "source must be an absolute path, not %q", source)
	case present && (a.Type == "disk" || a.Type == "filesystem") && source == "":
		return bad("source", "type: %s needs source", a.Type)
	case a.Type == "hostdev" && !pciAddress.MatchString(a.Address) && !usbProduct.MatchString(a.Address):
		return bad("address", "address must be one of PCI (0000:03:00.0) or of USB (046d:c52b, vendor and product), in quotes, not %q", a.Address)
	case a.Type == "interface" && present && a.Network == "" && a.Bridge == "" && a.MAC == "":
		return bad("network", "type: interface needs network or bridge, or the mac of one that is there")
	case a.Type == "interface" && !present && a.MAC == "":
		return bad("mac", "mac says which interface goes")
	case a.Model != "" && !deviceModel.MatchString(a.Model):
		return bad("model", "model must be a word, not %q", a.Model)
	}
	if a.MAC != "" {
		if _, err := libvirt.ParseMAC(a.MAC); err != nil {
			return bad("mac", "%v", err)
		}
	}
	for arg, name := range map[string]string{"network": a.Network, "bridge": a.Bridge} {
		if name != "" {
			if err := checkName(arg, name, a.AllowOddName); err != nil {
				return err
			}
		}
	}
	return nil
}

// key is what the device is known by, as libvirt.Compare writes it.
func (a DeviceArgs) key() string {
	switch a.Type {
	case "interface":
		return strings.ToLower(a.MAC)
	case "hostdev":
		return a.Address
	}
	return a.Target
}

func runDevice(ctx context.Context, h *modules.Host, a DeviceArgs) (DeviceResult, error) {
	job := deviceJob{DeviceArgs: a}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[deviceState]{
		Probe: deviceProbe, Args: []string{string(a.URI), a.Domain, string(a.Source), a.Network, a.Bridge}, Lock: lockName("domain", a.Domain),
		Parse: func(r *modules.Report) (deviceState, error) { return job.parse(r) },
		Plan:  job.plan,
		Diff: func(deviceState, deviceState) []modules.Diff {
			return differences("domain "+a.Domain, job.diffs)
		},
	})
	return job.result(after), explain(err)
}
