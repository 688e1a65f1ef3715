package facts

import (
	"fmt"
	"iter"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// Storage is disks, mounts and LVM.
type Storage struct {
	Devices map[string]*Device `fact:"devices"`
	Links   DeviceLinks        `fact:"device_links"`
	Mounts  []*Mount           `fact:"mounts"`
	// LVM is "N/A" where there is none or the user may not look.
	LVM any `fact:"lvm"`
}

// DeviceLinks are the names under /dev/disk and the devices built on one, by kernel name.
type DeviceLinks struct {
	IDs     map[string][]string `fact:"ids"`
	UUIDs   map[string][]string `fact:"uuids"`
	Labels  map[string][]string `fact:"labels"`
	Masters map[string][]string `fact:"masters"`
}

// Links are those of one device.
type Links struct {
	IDs     []string `fact:"ids"`
	UUIDs   []string `fact:"uuids"`
	Labels  []string `fact:"labels"`
	Masters []string `fact:"masters"`
}

// Device is a disk. Its numbers are text, as in Ansible; sectors are of 512 bytes.
type Device struct {
	Virtual         int                   `fact:"virtual"`
	Links           Links                 `fact:"links"`
	Vendor          *string               `fact:"vendor"`
	Model           *string               `fact:"model"`
	SASAddress      *string               `fact:"sas_address"`
	SASDeviceHandle *string               `fact:"sas_device_handle"`
	Serial          string                `fact:"serial,omitempty"`
	WWN             string                `fact:"wwn,omitempty"`
	Removable       *string               `fact:"removable"`
	SupportDiscard  *string               `fact:"support_discard"`
	Partitions      map[string]*Partition `fact:"partitions"`
	Rotational      *string               `fact:"rotational"`
	SchedulerMode   string                `fact:"scheduler_mode"`
	Sectors         any                   `fact:"sectors"`
	SectorSize      any                   `fact:"sectorsize"`
	Size            string                `fact:"size"`
	Host            string                `fact:"host"`
	Holders         []string              `fact:"holders"`
}

// Partition is a part of a disk.
type Partition struct {
	Links      Links    `fact:"links"`
	Start      any      `fact:"start"`
	Sectors    any      `fact:"sectors"`
	SectorSize any      `fact:"sectorsize"`
	Size       string   `fact:"size"`
	UUID       *string  `fact:"uuid"`
	Holders    []string `fact:"holders"`
}

// Mount is a mounted file system that has a device or a server. Sizes are bytes; they are missing where the file
// system did not answer.
type Mount struct {
	Mount   string `fact:"mount"`
	Device  string `fact:"device"`
	FSType  string `fact:"fstype"`
	Options string `fact:"options"`
	Sizes   *Sizes `fact:",inline"`
	UUID    string `fact:"uuid,omitempty"`
	Note    string `fact:"note,omitempty"`
}

// Sizes are of a file system.
type Sizes struct {
	SizeTotal      int `fact:"size_total"`
	SizeAvailable  int `fact:"size_available"`
	BlockSize      int `fact:"block_size"`
	BlockTotal     int `fact:"block_total"`
	BlockAvailable int `fact:"block_available"`
	BlockUsed      int `fact:"block_used"`
	InodeTotal     int `fact:"inode_total"`
	InodeAvailable int `fact:"inode_available"`
	InodeUsed      int `fact:"inode_used"`
}

func (o *output) storage() *Storage {
	s := &Storage{Devices: map[string]*Device{}, LVM: o.lvm()}
	s.Links = o.deviceLinks()
	for link, target := range o.links() {
		if path.Dir(link) == "/sys/block" {
			s.Devices[path.Base(target)] = o.device(path.Base(link), s.Links)
		}
	}
	o.mounts(s)
	return s
}

// links iterates over what ls -ln listed: path and target of each symbolic link.
func (o *output) links() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		dir := ""
		for _, line := range o.sections["links"] {
			if folder, ok := strings.CutSuffix(line, ":"); ok && strings.HasPrefix(line, "/") {
				dir = folder
				continue
			}
			left, target, ok := strings.Cut(line, " -> ")
			if !ok || !strings.HasPrefix(left, "l") {
				continue
			}
			fields := strings.Fields(left)
			name := fields[len(fields)-1]
			if !strings.HasPrefix(name, "/") {
				name = dir + "/" + name
			}
			if !yield(name, target) {
				return
			}
		}
	}
}

func (o *output) deviceLinks() DeviceLinks {
	l := DeviceLinks{
		IDs: map[string][]string{}, UUIDs: map[string][]string{}, Labels: map[string][]string{}, Masters: map[string][]string{},
	}
	by := map[string]map[string][]string{"/dev/disk/by-id": l.IDs, "/dev/disk/by-uuid": l.UUIDs, "/dev/disk/by-label": l.Labels}
	for link, target := range o.links() {
		if kind := by[path.Dir(link)]; kind != nil {
			kind[path.Base(target)] = append(kind[path.Base(target)], path.Base(link))
		}
	}
	for _, p := range o.sections["links"] {
		parts := strings.Split(p, "/")
		if len(parts) == 6 && parts[1] == "sys" && parts[4] == "slaves" {
			l.Masters[parts[5]] = append(l.Masters[parts[5]], parts[3])
		}
	}
	for _, kind := range []map[string][]string{l.IDs, l.UUIDs, l.Labels, l.Masters} {
		for _, names := range kind {
			slices.Sort(names)
		}
	}
	return l
}

func (l DeviceLinks) of(name string) Links {
	return Links{IDs: l.IDs[name], UUIDs: l.UUIDs[name], Labels: l.Labels[name], Masters: l.Masters[name]}
}

// text gives a file's content, nil when it is missing or empty.
func (o *output) text(file string) *string {
	if text, ok := o.content(file); ok {
		return &text
	}
	return nil
}

// or gives a file's content or something else.
func (o *output) or(file string, otherwise any) any {
	if text := o.text(file); text != nil {
		return *text
	}
	return otherwise
}

var schedulerInUse = regexp.MustCompile(`\[([^\]]*)\]`)

func (o *output) device(name string, links DeviceLinks) *Device {
	dir := "/sys/block/" + name
	d := &Device{
		Virtual: 1, Links: links.of(name), Vendor: o.text(dir + "/device/vendor"), Model: o.text(dir + "/device/model"),
		SASAddress: o.text(dir + "/device/sas_address"), SASDeviceHandle: o.text(dir + "/device/sas_device_handle"),
		Serial: o.first(dir + "/device/serial"), Removable: o.text(dir + "/removable"),
		SupportDiscard: o.text(dir + "/queue/discard_granularity"), Partitions: map[string]*Partition{},
		Rotational: o.text(dir + "/queue/rotational"), Sectors: o.or(dir+"/size", 0),
		SectorSize: o.or(dir+"/queue/logical_block_size", 512), Holders: o.holders(dir),
	}
	if m := schedulerInUse.FindStringSubmatch(o.first(dir + "/queue/scheduler")); m != nil {
		d.SchedulerMode = m[1]
	}
	for _, id := range links.IDs[name] {
		if wwn, ok := strings.CutPrefix(id, "wwn-"); ok {
			d.WWN = wwn
		}
	}
	d.Size = human(d.Sectors)
	for _, start := range o.matching(dir + "/*/start") {
		part := path.Dir(start)
		p := &Partition{
			Links: links.of(path.Base(part)), Start: o.or(start, 0), Sectors: o.or(part+"/size", 0), SectorSize: 512,
			Holders: o.holders(part),
		}
		p.Size = human(p.Sectors)
		if uuids := p.Links.UUIDs; len(uuids) > 0 {
			p.UUID = &uuids[0]
		}
		d.Partitions[path.Base(part)] = p
	}
	return d
}

// holders are the device-mapper devices that use a disk, by their own names.
func (o *output) holders(dir string) []string {
	names := []string{}
	for _, p := range o.sections["links"] {
		if holder, ok := strings.CutPrefix(p, dir+"/holders/"); ok && strings.HasPrefix(holder, "dm-") {
			if name := o.first("/sys/block/" + holder + "/dm/name"); name != "" {
				holder = name
			}
			names = append(names, holder)
		}
	}
	return names
}

// human writes a number of 512-byte sectors as Ansible does.
func human(sectors any) string {
	s, _ := sectors.(string)
	n, _ := strconv.ParseFloat(s, 64)
	n *= 512
	for _, unit := range []struct {
		name string
		size float64
	}{{"YB", 1 << 80}, {"ZB", 1 << 70}, {"EB", 1 << 60}, {"PB", 1 << 50}, {"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}} {
		if n >= unit.size {
			return fmt.Sprintf("%.2f %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.2f Bytes", n)
}

func (o *output) mounts(s *Storage) {
	sizes := o.sizes()
	binds := o.binds()
	s.Mounts = []*Mount{}
	for _, line := range o.sections["mounts"] {
		words := strings.Fields(line)
		if len(words) < 4 || words[2] == "none" {
			continue
		}
		m := &Mount{Device: Unescape(words[0]), Mount: Unescape(words[1]), FSType: words[2], Options: words[3], UUID: "N/A"}
		if binds[m.Mount] {
			m.Options += ",bind"
		}
		if uuid := s.uuidOf(m.Device, o); uuid != "" {
			m.UUID = uuid
		}
		m.Sizes = sizes[m.Mount]
		if m.Sizes == nil && slices.Contains(o.sections["timeout"], m.Mount) {
			m.UUID, m.Note = "", "Could not get extra information due to timeout"
		}
		s.Mounts = append(s.Mounts, m)
	}
}

func (s *Storage) uuidOf(device string, o *output) string {
	name := path.Base(device)
	if mapped, ok := strings.CutPrefix(device, "/dev/mapper/"); ok {
		for _, file := range o.matching("/sys/block/*/dm/name") {
			if o.first(file) == mapped {
				name = strings.Split(file, "/")[3]
			}
		}
	}
	if uuids := s.Links.UUIDs[name]; len(uuids) > 0 && strings.HasPrefix(device, "/dev/") {
		return uuids[0]
	}
	return ""
}

// sizes reads the lines of stat -f: block sizes, blocks total, free, available, inodes total, free, mount point.
func (o *output) sizes() map[string]*Sizes {
	sizes := map[string]*Sizes{}
	for _, line := range o.sections["statfs"] {
		words := strings.SplitN(line, " ", 8)
		if len(words) < 8 {
			continue
		}
		var n [7]int
		for i := range n {
			n[i] = atoi(words[i])
		}
		sizes[words[7]] = &Sizes{
			SizeTotal: n[1] * n[2], SizeAvailable: n[1] * n[4], BlockSize: n[0], BlockTotal: n[2], BlockAvailable: n[4],
			BlockUsed: n[2] - n[4], InodeTotal: n[5], InodeAvailable: n[6], InodeUsed: n[5] - n[6],
		}
	}
	return sizes
}

// binds are the mount points that show a folder of their device and not its root.
func (o *output) binds() map[string]bool {
	binds := map[string]bool{}
	for _, line := range o.sections["mountinfo"] {
		if words := strings.Fields(line); len(words) > 4 && words[3] != "/" && !strings.Contains(line, " - btrfs ") {
			binds[Unescape(words[4])] = true
		}
	}
	return binds
}

var octal = regexp.MustCompile(`\\[0-7]{3}`)

// Unescape undoes the kernel's \040 for blanks in paths.
func Unescape(s string) string {
	return octal.ReplaceAllStringFunc(s, func(code string) string {
		n, _ := strconv.ParseUint(code[1:], 8, 8)
		return string([]byte{byte(n)})
	})
}

// lvm reads what pvs tells of each physical volume and its group, and what lvs tells.
func (o *output) lvm() any {
	if _, asked := o.sections["pvs"]; !asked {
		return "N/A"
	}
	vgs, lvs, pvs := value.NewDict(), value.NewDict(), value.NewDict()
	groups := map[string]*value.Dict{}
	for c := range o.rows("pvs", 10) {
		pvs.Set(c[0], value.NewDict("size_g", c[4], "free_g", c[5], "vg", c[1]))
		if c[1] != "" {
			groups[c[1]] = value.NewDict("size_g", c[8], "free_g", c[9], "num_lvs", c[7], "num_pvs", c[6])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		vgs.Set(name, groups[name])
	}
	for c := range o.rows("lvs", 4) {
		lvs.Set(c[0], value.NewDict("size_g", c[3], "vg", c[1]))
	}
	return value.NewDict("lvs", lvs, "vgs", vgs, "pvs", pvs)
}

// rows iterates over an LVM report's lines with that many columns.
func (o *output) rows(section string, columns int) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, line := range o.sections[section] {
			if cells := strings.Split(strings.TrimSpace(line), ","); len(cells) == columns && !yield(cells) {
				return
			}
		}
	}
}
