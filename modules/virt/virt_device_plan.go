package virt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// deviceProbe: URI, domain, path of what the device stands on, network, bridge; each but the first two may be "".
const deviceProbe = virshLib + `if [ -n "$2" ]; then
	if [ -b "$2" ]; then say source block; elif [ -d "$2" ]; then say source folder; elif [ -e "$2" ]; then say source file; fi
fi
if [ -n "$3" ]; then names net-list --all --name; if has "$names" "$3"; then say network yes; fi; fi
if [ -n "$4" ] && [ -d "/sys/class/net/$4" ]; then say bridge yes; fi
set -- "$__uri" "$1" hot
` + domainProbe

// deviceState is what a look told.
type deviceState struct {
	domain
	source          string // file, block, folder, or "" where there is nothing
	network, bridge bool
}

// deviceJob is one run of virt_device.
type deviceJob struct {
	DeviceArgs
	diffs []libvirt.Difference
	mac   string // of an interface that got one
}

func (j *deviceJob) parse(r *modules.Report) (deviceState, error) {
	d, err := parseDomain(r, j.Domain)
	return deviceState{d, r.Text("source"), r.Has("network"), r.Has("bridge")}, err
}

// plan leads from how a domain is to one that has the device, or has it not.
func (j *deviceJob) plan(s deviceState) ([]modules.Action, error) {
	switch {
	case !s.exists && j.State == modules.Absent:
		return nil, nil
	case !s.exists:
		return nil, libvirt.NotThere("domain", j.Domain)
	case !s.persistent && !j.Live:
		return nil, fmt.Errorf("domain %s is transient: it has no definition beside the running one; live: true changes that", j.Domain)
	case !j.Config && !s.active:
		return nil, fmt.Errorf("domain %s is %s: with config: false there is nothing to change", j.Domain, s.state)
	case s.active && s.live == nil && j.Live:
		return nil, errors.New("the running definition of domain " + j.Domain + " could not be read")
	}
	if j.State == modules.Absent {
		return j.planAbsent(s)
	}
	if err := j.ready(s); err != nil {
		return nil, err
	}
	return j.planPresent(s)
}

// ready refuses a device of something that the host does not have: libvirt's definition would take it, and the next start fail.
func (j *deviceJob) ready(s deviceState) error {
	switch {
	case j.Source != "" && j.Type != "channel" && s.source == "":
		return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("the host has no %s", j.Source)}
	case (j.Type == "disk" || j.Type == "cdrom") && s.source == "folder":
		return fmt.Errorf("%s is a folder: a %s needs a file or a block device", j.Source, j.Type)
	case j.Type == "filesystem" && s.source != "folder":
		return fmt.Errorf("%s is no folder", j.Source)
	case j.Network != "" && !s.network:
		return &libvirt.Error{Class: libvirt.NotFound, Text: "network " + j.Network + " not found", Advice: "virt_net: {name: " + j.Network + ", state: active, …} makes one"}
	case j.Bridge != "" && !s.bridge:
		return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("the host has no bridge %s", j.Bridge)}
	}
	return nil
}

// want is a definition with the device alone, and the fields of it that must not be there.
func (j *deviceJob) want(s deviceState) (*libvirt.Node, []string) {
	var gone []string
	device := j.build(s)
	if j.Type == "cdrom" && j.Source == "" {
		for _, field := range []string{"file", "dev"} {
			gone = append(gone, "devices/disk["+j.Target+"]/source/@"+field)
		}
	}
	return libvirt.New("domain", "").Add(libvirt.New("devices", "").Add(device)), gone
}

func (j *deviceJob) planPresent(s deviceState) ([]modules.Action, error) {
	want, gone := j.want(s)
	device := want.At("devices").Nodes[0]
	if err := j.sameKind(want, s.config, s.live); err != nil {
		return nil, err
	}
	if j.Type == "interface" && device.At("mac") == nil {
		mac := libvirt.Counterpart(want, s.config, device).At("mac").Attr("address")
		if mac == "" {
			mac = libvirt.Counterpart(want, s.live, device).At("mac").Attr("address")
		}
		if mac == "" {
			mac = freeMAC(j.Domain, s.config, s.live)
		}
		device.Add(libvirt.New("mac", "", "address", mac))
		j.mac = strings.ToLower(mac)
	}
	if j.Type == "interface" && j.Network == "" && j.Bridge == "" && libvirt.Counterpart(want, s.config, device) == nil && libvirt.Counterpart(want, s.live, device) == nil {
		return nil, fmt.Errorf("domain %s has no interface %s: to attach one, network or bridge must say where to", j.Domain, j.MAC)
	}
	var actions []modules.Action
	if s.active && j.Live {
		hot, waiting := libvirt.HotPlan(want, s.live, gone)
		if len(waiting) > 0 {
			return nil, j.waits(waiting)
		}
		if j.Type == "channel" && len(hot) > 0 && !hasController(s.live, "virtio-serial") {
			return nil, fmt.Errorf("domain %s runs without a controller of type virtio-serial, which QEMU does not take in while it does: live: false changes the definition, for the next start", j.Domain)
		}
		for _, c := range hot {
			actions = append(actions, j.hot(c, s)...)
			j.note(c.Diffs)
		}
	}
	if j.Config && s.persistent {
		if diffs := libvirt.Compare(want, s.config, gone); len(diffs) > 0 {
			j.note(diffs)
			actions = append(actions, j.define("write "+j.name()+" of domain "+j.Domain+" into its definition", libvirt.WithDevice(s.config, want, diffs)))
		}
	}
	return actions, nil
}

// sameKind refuses a device that is there under the same key as something else.
func (j *deviceJob) sameKind(want *libvirt.Node, docs ...*libvirt.Node) error {
	device := want.At("devices").Nodes[0]
	for _, doc := range docs {
		have := libvirt.Counterpart(want, doc, device)
		if have == nil || device.Name != "disk" {
			continue
		}
		if kind := have.Attr("device"); kind != device.Attr("device") && (kind != "" || device.Attr("device") != "disk") {
			return fmt.Errorf("%s of domain %s is a %s, not a %s", j.Target, j.Domain, kind, j.Type)
		}
	}
	return nil
}

func (j *deviceJob) note(diffs []libvirt.Difference) {
	if len(j.diffs) == 0 {
		j.diffs = diffs
	}
}

// waits tells why a running domain does not take a change up.
func (j *deviceJob) waits(waiting []libvirt.Difference) error {
	if len(waiting) == 1 && !strings.Contains(waiting[0].Path, "]/") {
		return fmt.Errorf("domain %s runs, and QEMU neither attaches nor detaches %s while it does: live: false changes the definition, for the next start", j.Domain, j.name())
	}
	return fmt.Errorf("domain %s runs, and QEMU cannot change %s while it does: live: false changes the definition, for the next start", j.Domain, tell(waiting))
}

// name tells the device.
func (j *deviceJob) name() string {
	key := j.key()
	if key == "" {
		key = j.mac
	}
	return string(j.Type) + " " + key
}

// hot is a change of the running domain.
func (j *deviceJob) hot(c libvirt.Hot, s deviceState) []modules.Action {
	var actions []modules.Action
	command, why := "attach-device", "attach "+j.name()+" to domain "+j.Domain
	if c.Kind == libvirt.HotUpdate {
		command, why = "update-device", "change "+j.name()+" of domain "+j.Domain
	}
	if command == "attach-device" && c.Device.At("target").Attr("bus") == "scsi" && !hasController(s.live, "scsi") {
		// libvirt adds one by itself to a definition only
		x := libvirt.New("controller", "", "type", "scsi", "model", "virtio-scsi")
		actions = append(actions, withFile(j.Place, "attach a controller of type scsi to domain "+j.Domain, x.String(), "--file", "attach-device", "--domain", j.Domain, "--live"))
	}
	return append(actions, withFile(j.Place, why, c.Device.String(), "--file", command, "--domain", j.Domain, "--live"))
}

func hasController(doc *libvirt.Node, kind string) bool {
	for _, c := range doc.At("devices").All("controller") {
		if c.Attr("type") == kind {
			return true
		}
	}
	return false
}

func (j *deviceJob) define(why string, doc *libvirt.Node) modules.Action {
	return withFile(j.Place, why, doc.String(), "--file", "define", "--validate")
}

func (j *deviceJob) planAbsent(s deviceState) ([]modules.Action, error) {
	want, _ := j.want(s)
	device := want.At("devices").Nodes[0]
	if err := j.sameKind(want, s.config, s.live); err != nil {
		return nil, err
	}
	var actions []modules.Action
	if have := libvirt.Counterpart(want, s.live, device); s.active && j.Live && have != nil {
		diff := []libvirt.Difference{{Path: "devices/" + have.Name + "[" + j.key() + "]", Before: "attached"}}
		if !libvirt.HotPluggable(have) {
			return nil, j.waits(diff)
		}
		j.note(diff)
		actions = append(actions, detachDevice(j.Place, j.Domain, "detach "+j.name()+" from domain "+j.Domain, have, j.Timeout))
	}
	if have := libvirt.Counterpart(want, s.config, device); j.Config && s.persistent && have != nil {
		j.note([]libvirt.Difference{{Path: "devices/" + have.Name + "[" + j.key() + "]", Before: "defined"}})
		doc := s.config.Clone()
		doc.At("devices").Remove(libvirt.Counterpart(want, doc, device))
		actions = append(actions, j.define("take "+j.name()+" out of the definition of domain "+j.Domain, doc))
	}
	return actions, nil
}

// build makes the device as it is wanted: what was given, and nothing else.
func (j *deviceJob) build(s deviceState) *libvirt.Node {
	switch j.Type {
	case "disk", "cdrom":
		return j.buildDisk(s)
	case "interface":
		return j.buildInterface()
	case "hostdev":
		return j.buildHostdev()
	case "filesystem":
		n := libvirt.New("filesystem", "", "type", "mount", "accessmode", "passthrough").Add(
			libvirt.New("driver", "", "type", "virtiofs"), libvirt.New("source", "", "dir", string(j.Source)), libvirt.New("target", "", "dir", j.Target))
		if j.Readonly {
			n.Add(libvirt.New("readonly", ""))
		}
		return n
	}
	n := libvirt.New("channel", "", "type", "unix")
	if j.Source != "" {
		n.Add(libvirt.New("source", "", "mode", "bind", "path", string(j.Source)))
	}
	return n.Add(libvirt.New("target", "", "type", "virtio", "name", j.Target))
}

func (j *deviceJob) buildDisk(s deviceState) *libvirt.Node {
	kind, attr := "file", "file"
	if s.source == "block" {
		kind, attr = "block", "dev"
	}
	there := hasTarget(j.Target, s.config, s.live)
	format := string(j.Format)
	if format == "" && (!there || j.Type == "cdrom") {
		format = "raw"
		if j.Type == "disk" && strings.HasSuffix(string(j.Source), ".qcow2") {
			format = "qcow2"
		}
	}
	bus := string(j.Bus)
	if bus == "" {
		bus = map[string]string{"v": "virtio", "s": "scsi", "h": "ide"}[j.Target[:1]]
		if j.Type == "cdrom" && bus == "scsi" {
			bus = "sata"
		}
	}
	n := libvirt.New("disk", "", "type", kind, "device", string(j.Type))
	if j.Source == "" {
		n = libvirt.New("disk", "", "device", string(j.Type))
	} else {
		n.Add(libvirt.New("driver", "", "name", "qemu", "type", format, "cache", string(j.Cache)), libvirt.New("source", "", attr, string(j.Source)))
	}
	// Of a disk that is there bus and format stay as they are, unless they were given.
	target := libvirt.New("target", "", "dev", j.Target, "bus", string(j.Bus))
	if n.Add(target); j.Bus == "" && !there {
		target.SetAttr("bus", bus)
	}
	if j.Serial != "" {
		n.Add(libvirt.New("serial", j.Serial))
	}
	if j.Shareable {
		n.Add(libvirt.New("shareable", ""))
	}
	if j.Readonly || j.Type == "cdrom" {
		n.Add(libvirt.New("readonly", ""))
	}
	return n
}

func hasTarget(dev string, docs ...*libvirt.Node) bool {
	for _, doc := range docs {
		for _, d := range doc.At("devices").All("disk") {
			if d.At("target").Attr("dev") == dev {
				return true
			}
		}
	}
	return false
}

func (j *deviceJob) buildInterface() *libvirt.Node {
	n := libvirt.New("interface", "")
	if j.MAC != "" {
		n.Add(libvirt.New("mac", "", "address", j.MAC))
	}
	switch {
	case j.Network != "":
		n.SetAttr("type", "network")
		n.Add(libvirt.New("source", "", "network", j.Network))
	case j.Bridge != "":
		n.SetAttr("type", "bridge")
		n.Add(libvirt.New("source", "", "bridge", j.Bridge))
	}
	if j.Model != "" {
		n.Add(libvirt.New("model", "", "type", j.Model))
	}
	if j.Link != "" {
		n.Add(libvirt.New("link", "", "state", string(j.Link)))
	}
	return n
}

func (j *deviceJob) buildHostdev() *libvirt.Node {
	if m := usbProduct.FindStringSubmatch(j.Address); m != nil {
		return libvirt.New("hostdev", "", "mode", "subsystem", "type", "usb", "managed", "yes").Add(libvirt.New("source", "").Add(
			libvirt.New("vendor", "", "id", "0x"+strings.ToLower(m[1])), libvirt.New("product", "", "id", "0x"+strings.ToLower(m[2]))))
	}
	m := pciAddress.FindStringSubmatch(j.Address)
	hex := func(digits string, width int) string {
		n, _ := strconv.ParseUint("0"+digits, 16, 32) // the pattern has hexadecimal digits only
		return fmt.Sprintf("0x%0*x", width, n)
	}
	return libvirt.New("hostdev", "", "mode", "subsystem", "type", "pci", "managed", "yes").Add(libvirt.New("source", "").Add(
		libvirt.New("address", "", "domain", hex(m[1], 4), "bus", hex(m[2], 2), "slot", hex(m[3], 2), "function", hex(m[4], 1))))
}

// result makes the register's keys.
func (j *deviceJob) result(s deviceState) DeviceResult {
	r := DeviceResult{Device: j.key()}
	if r.Device == "" {
		r.Device = j.mac
	}
	if !s.exists {
		return r
	}
	want, _ := j.want(s)
	device := want.At("devices").Nodes[0]
	if j.mac != "" {
		device.Add(libvirt.New("mac", "", "address", j.mac))
	}
	r.Domain = s.result()
	r.Live = s.active && libvirt.Counterpart(want, s.live, device) != nil
	r.Config = s.persistent && libvirt.Counterpart(want, s.config, device) != nil
	return r
}
