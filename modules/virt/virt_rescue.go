package virt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// planRescue starts the domain once from an ISO image. libvirt keeps the stored definition beside what runs, and goes back to it when that
// is turned off.
func (j *virtJob) planRescue(d domain) ([]modules.Action, error) {
	switch {
	case d.active && rescues(d.live, string(j.Rescue)):
		return nil, nil
	case d.active:
		return nil, fmt.Errorf("domain %s is %s: rescue starts one that is shut off (state: shutdown)", j.Name, d.state)
	case d.managedSave:
		return nil, fmt.Errorf("domain %s has its memory saved, and goes on with it at its next start, as if nobody had changed its disks: start it and shut it down first", j.Name)
	}
	j.starting = true
	return []modules.Action{withFile(j.Place, "start domain "+j.Name+" once from "+string(j.Rescue), rescue(d.config, string(j.Rescue)).String(),
		"--file", "create", "--validate")}, nil
}

// rescues reports whether a domain as it runs was started from an ISO image.
func rescues(live *libvirt.Node, iso string) bool {
	return slices.ContainsFunc(live.At("devices").All("disk"), func(d *libvirt.Node) bool {
		return d.Attr("device") == "cdrom" && diskSource(d) == iso && d.At("boot").Attr("order") == "1"
	})
}

// rescue is a definition that boots from an ISO image: in the drive for CDs that there is, or in one more.
func rescue(config *libvirt.Node, iso string) *libvirt.Node {
	doc := config.Clone()
	drop := func(n *libvirt.Node, names ...string) {
		for _, name := range names {
			for _, child := range n.All(name) {
				n.Remove(child)
			}
		}
	}
	drop(doc.At("os"), "boot", "kernel", "initrd", "cmdline", "dtb")
	devices := doc.At("devices")
	for _, kind := range []string{"disk", "interface", "hostdev", "redirdev"} {
		for _, device := range devices.All(kind) {
			drop(device, "boot")
		}
	}
	drive := libvirt.New("disk", "", "type", "file", "device", "cdrom").Add(libvirt.New("driver", "", "name", "qemu", "type", "raw"), libvirt.New("source", "", "file", iso))
	all := devices.All("disk")
	if i := slices.IndexFunc(all, func(d *libvirt.Node) bool { return d.Attr("device") == "cdrom" }); i >= 0 {
		drive.Add(all[i].At("target"), all[i].At("address"))
		devices.Remove(all[i])
	} else {
		drive.Add(freeDrive(doc))
	}
	devices.Add(drive.Add(libvirt.New("readonly", ""), libvirt.New("boot", "", "order", "1")))
	return doc
}

// freeDrive is the target of one more drive for CDs, on a bus that machines of the kind have.
func freeDrive(doc *libvirt.Node) *libvirt.Node {
	bus, dev := "scsi", "sd"
	switch machine := doc.At("os", "type").Attr("machine"); {
	case strings.Contains(machine, "q35"):
		bus = "sata"
	case machine == "pc" || strings.HasPrefix(machine, "pc-"):
		bus, dev = "ide", "hd"
	}
	letter := 'a'
	for hasTarget(dev+string(letter), doc) && letter < 'z' {
		letter++
	}
	return libvirt.New("target", "", "dev", dev+string(letter), "bus", bus)
}
