package libvirt

import (
	"slices"
	"strconv"
	"strings"
)

// HotKind is how a running domain is changed.
type HotKind string

// The kinds. Attach, Detach and Update are about a device, the others about a value.
const (
	HotAttach      HotKind = "attach"
	HotDetach      HotKind = "detach"
	HotUpdate      HotKind = "update"
	HotVCPUs       HotKind = "vcpus"
	HotMemory      HotKind = "memory"
	HotTitle       HotKind = "title"
	HotDescription HotKind = "description"
)

// Hot is one change that a running domain takes up at once.
type Hot struct {
	Kind   HotKind
	Path   string
	Device *Node  // whole, with its address where it has one; nil for a value
	Value  string // number of vCPUs, memory in KiB, text
	Diffs  []Difference
}

// HotPlan tells what of a wanted definition a running domain takes up at once from what waits for its next start. Live is the definition as it runs
// (dumpxml --security-info), record what the persistent one notes of what we set (RecordedLive). What libvirt fills in when it starts a domain is
// no difference.
func HotPlan(want, live *Node, record []string) (hot []Hot, waiting []Difference) {
	w, h := folded(want), folded(settled(want, live))
	gone := stale(w, h, record)
	inDevices := func(d Difference) bool { return strings.HasPrefix(d.Path, "devices/") }
	top := w.Clone()
	top.Nodes = slices.DeleteFunc(top.Nodes, func(n *Node) bool { return n.Name == "devices" })
	var plain []Difference
	compareNode(&plain, "", "", top, h)
	for _, d := range gone {
		if !inDevices(d) {
			plain = append(plain, d)
		}
	}
	for _, d := range plain {
		if one, ok := hotValue(d, w, h); ok {
			hot = append(hot, one)
		} else {
			waiting = append(waiting, d)
		}
	}
	devices, later := hotDevices(want.At("devices"), w.At("devices"), live.At("devices"), h.At("devices"), slices.DeleteFunc(gone, func(d Difference) bool { return !inDevices(d) }))
	return append(hot, devices...), append(waiting, later...)
}

// hotValue gives a change that is no device's.
func hotValue(d Difference, want, live *Node) (Hot, bool) {
	one := Hot{Path: d.Path, Value: d.After, Diffs: []Difference{d}}
	switch {
	case d.After == "":
		return one, false
	case d.Path == "title":
		one.Kind, one.Value = HotTitle, want.Val("title")
	case d.Path == "description":
		one.Kind, one.Value = HotDescription, want.Val("description")
	case d.Path == "currentMemory":
		now, err1 := strconv.ParseInt(d.After, 10, 64)
		most, err2 := strconv.ParseInt(live.Val("memory"), 10, 64)
		one.Kind = HotMemory
		return one, err1 == nil && err2 == nil && now <= most && live.At("devices", "memballoon").Attr("model") != "none"
	case d.Path == "vcpu/@current" && want.Val("vcpu") == live.Val("vcpu"):
		// Taking one away needs the guest, and QEMU cannot with those that were there when it started.
		before, err1 := strconv.Atoi(d.Before)
		after, err2 := strconv.Atoi(d.After)
		one.Kind = HotVCPUs
		return one, err1 == nil && err2 == nil && after > before
	default:
		return one, false
	}
	return one, true
}

// hotDevices compares devices: want and live as they are written, w and h as they are compared.
func hotDevices(want, w, live, h *Node, gone []Difference) (hot []Hot, waiting []Difference) {
	taken := map[*Node]bool{} // of h
	for _, group := range groups(w) {
		found := pairs("devices", group, h.All(group[0].Name))
		for i, device := range group {
			path := join("devices", step("devices", device, i, len(group)))
			if found[i] == nil {
				one := Hot{Kind: HotAttach, Path: path, Device: want.All(device.Name)[i], Diffs: []Difference{{path, "", summary(device)}}}
				if HotPluggable(one.Device) {
					hot = append(hot, one)
				} else {
					waiting = append(waiting, one.Diffs...)
				}
				continue
			}
			taken[found[i]] = true
			var diffs []Difference
			compareNode(&diffs, path, "devices", device, found[i])
			diffs, gone = ownGone(diffs, gone, join("devices", step("devices", found[i], 0, 1)))
			if len(diffs) == 0 {
				continue
			}
			original := live.All(device.Name)[slices.Index(h.All(device.Name), found[i])]
			if updatable(path, device, found[i], diffs) {
				hot = append(hot, Hot{Kind: HotUpdate, Path: path, Device: updated(original, want.All(device.Name)[i], diffs), Diffs: diffs})
			} else {
				waiting = append(waiting, diffs...)
			}
		}
	}
	return withoutGone(hot, waiting, live, h, gone, taken)
}

// ownGone moves those of gone that are below a device to its differences.
func ownGone(diffs, gone []Difference, path string) (own, rest []Difference) {
	for _, d := range gone {
		if strings.HasPrefix(d.Path, path+"/") {
			diffs = append(diffs, d)
		} else {
			rest = append(rest, d)
		}
	}
	return diffs, rest
}

// withoutGone adds the devices that are no longer wanted.
func withoutGone(hot []Hot, waiting []Difference, live, h *Node, gone []Difference, taken map[*Node]bool) ([]Hot, []Difference) {
	seen := map[*Node]bool{}
	for _, d := range gone {
		part, _, _ := strings.Cut(strings.TrimPrefix(d.Path, "devices/"), "]")
		if strings.Contains(part, "[") {
			part += "]"
		} else {
			part, _, _ = strings.Cut(part, "/")
		}
		device, name := child(h, part)
		if device == nil || taken[device] || seen[device] {
			continue
		}
		seen[device] = true
		diff := Difference{Path: "devices/" + part, Before: summary(device)}
		if original := live.All(name)[slices.Index(h.All(name), device)]; HotPluggable(original) {
			hot = append(hot, Hot{Kind: HotDetach, Path: diff.Path, Device: original, Diffs: []Difference{diff}})
		} else {
			waiting = append(waiting, diff)
		}
	}
	return hot, waiting
}

// HotPluggable reports whether QEMU takes a device into a running domain, and lets go of it. IDE, SATA and floppy buses cannot.
func HotPluggable(device *Node) bool {
	bus := device.At("target").Attr("bus")
	switch device.Name {
	case "disk":
		kind := device.Attr("device")
		return bus != "ide" && bus != "sata" && bus != "fdc" && kind != "floppy" && (kind != "cdrom" || bus == "usb" || bus == "scsi")
	case "interface", "hostdev", "rng", "memory", "redirdev", "watchdog", "shmem":
		return true
	case "filesystem":
		return device.At("driver").Attr("type") == "virtiofs"
	case "channel":
		return device.At("target").Attr("type") == "virtio"
	case "controller":
		return device.Attr("type") == "scsi"
	case "input":
		return device.Attr("bus") == "usb" || device.Attr("bus") == "virtio"
	}
	return false
}

// Updatable reports whether a running domain takes up a change of a device in its place. The differences are below path.
func updatable(path string, want, live *Node, diffs []Difference) bool {
	var roots []string
	switch {
	case want.Name == "disk" && (live.Attr("device") == "cdrom" || live.Attr("device") == "floppy"):
		roots = []string{"source", "@type"}
	case want.Name == "interface":
		roots = []string{"link", "source", "filterref", "bandwidth"}
	case want.Name == "graphics":
		roots = []string{"@passwd", "@passwdValidTo"}
	}
	return !slices.ContainsFunc(diffs, func(d Difference) bool {
		at, _, _ := strings.Cut(strings.TrimPrefix(d.Path, path+"/"), "/")
		return !slices.Contains(roots, at)
	})
}

// updated gives a live device with what is wanted of it laid over it.
func updated(live, want *Node, diffs []Difference) *Node {
	out := live.Clone()
	for _, d := range diffs {
		// What is no longer wanted is a medium, or a link that is down.
		for _, name := range []string{"source", "link", "filterref", "bandwidth"} {
			if d.After == "" && strings.Contains(d.Path, "]/"+name) && want.At(name) == nil {
				out.Remove(out.At(name))
			}
		}
	}
	overlay(out, want)
	return out
}

// overlay sets in have what want says.
func overlay(have, want *Node) {
	for _, a := range want.Attrs {
		have.SetAttr(a.Name, a.Value)
	}
	if text := strings.TrimSpace(want.Text); text != "" {
		have.Text = text
	}
	for _, group := range groups(want) {
		for i, h := range pairs(want.Name, group, have.All(group[0].Name)) {
			switch {
			case h == nil:
				have.Add(group[i].Clone())
			case h.Name == "source":
				// where it points to is one thing: no attribute of the old one stays
				h.Attrs, h.Nodes = slices.Clone(group[i].Attrs), group[i].Clone().Nodes
			default:
				overlay(h, group[i])
			}
		}
	}
}

// settled is a live definition without what libvirt fills in when it starts a domain.
func settled(want, live *Node) *Node {
	out := live.Clone()
	if cpu := want.At("cpu"); cpu != nil && out.At("cpu") != nil {
		if cpu.Attr("mode") == "host-model" {
			out.At("cpu").Attrs, out.At("cpu").Nodes, out.At("cpu").Text = cpu.Attrs, cpu.Nodes, cpu.Text
		}
		if cpu.Attr("check") != "" {
			out.At("cpu").SetAttr("check", cpu.Attr("check"))
		}
	}
	for i, g := range pairs("devices", want.At("devices").All("graphics"), out.At("devices").All("graphics")) {
		w := want.At("devices").All("graphics")[i]
		for _, port := range []string{"port", "tlsPort", "websocket"} {
			if g != nil && w.Attr(port) == "-1" {
				g.SetAttr(port, "-1")
			}
		}
	}
	for _, d := range out.At("devices").All("disk") {
		if s := d.At("source"); s != nil && len(s.Nodes) == 0 && !slices.ContainsFunc(s.Attrs, func(a Attr) bool { return a.Name != "index" }) {
			d.Remove(s) // a drive whose medium was taken out
		}
	}
	for i, d := range pairs("devices", want.At("devices").All("disk"), out.At("devices").All("disk")) {
		// an empty drive has no format
		w := want.At("devices").All("disk")[i].At("driver")
		if d != nil && d.At("source") == nil && d.At("driver") != nil && w != nil {
			d.At("driver").SetAttr("type", w.Attr("type"))
		}
	}
	return out
}

// Counterpart gives the device of have that a wanted one is, nil when there is none. Want and have are definitions of domains, device is one of
// want's.
func Counterpart(want, have, device *Node) *Node {
	all := want.At("devices").All(device.Name)
	at := slices.Index(all, device)
	if at < 0 || have == nil {
		return nil
	}
	return pairs("devices", all, have.At("devices").All(device.Name))[at]
}

// goneMark begins a recorded field that is no longer wanted and that the running domain may still have.
const goneMark = "-"

// RecordedLive gives the paths that were set by us and may be in the running definition.
func RecordedLive(config *Node) []string {
	var paths []string
	for _, p := range Recorded(config) {
		paths = append(paths, strings.TrimPrefix(p, goneMark))
	}
	return paths
}

// StillLive gives what is to be recorded of fields that a new definition no longer has and the running domain does.
func StillLive(want, live *Node, record []string) []string {
	var marked []string
	for _, p := range stalePaths(folded(want), folded(live), record) {
		marked = append(marked, goneMark+p)
	}
	return marked
}

// WithDevice is a definition with a device that is as wanted: laid over the one that it is already, or added. Want is a definition of that one device.
func WithDevice(config, want *Node, diffs []Difference) *Node {
	out := config.Clone()
	device := want.At("devices").Nodes[0]
	if have := Counterpart(want, out, device); have != nil {
		*have = *updated(have, device, diffs)
	} else {
		out.At("devices").Add(device.Clone())
	}
	return out
}
