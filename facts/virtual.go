package facts

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// guess collects technologies; the first sure one names type and role.
type guess struct {
	v           *Virtual
	found       bool
	guest, host map[string]bool
}

// is notes a technology.
func (g *guess) is(role, tech string) {
	if role == "host" {
		g.host[tech] = true
	} else {
		g.guest[tech] = true
	}
	if !g.found {
		g.v.Type, g.v.Role, g.found = tech, role, true
	}
}

var (
	dockerGroup = regexp.MustCompile(`/docker(/|-[0-9a-f]+\.scope)`)
	lxcGroup    = regexp.MustCompile(`/lxc/|/machine\.slice/machine-lxc`)
)

// dmiGuests tells a virtual machine by its firmware, in the order in which Ansible asks.
var dmiGuests = []struct {
	file, tech string
	values     []string
}{
	{"product_name", "kvm", []string{"KVM", "KVM Server", "Bochs", "AHV"}},
	{"sys_vendor", "oVirt", []string{"oVirt"}},
	{"product_family", "RHV", []string{"RHV"}},
	{"product_name", "RHEV", []string{"RHEV Hypervisor"}},
	{"product_name", "VMware", []string{"VMware Virtual Platform", "VMware7,1", "VMware20,1"}},
	{"product_name", "openstack", []string{"OpenStack Compute", "OpenStack Nova"}},
	{"bios_vendor", "xen", []string{"Xen"}},
	{"bios_vendor", "virtualbox", []string{"innotek GmbH"}},
	{"bios_vendor", "kvm", []string{"Amazon EC2", "DigitalOcean", "Hetzner"}},
	{"sys_vendor", "kvm", []string{"QEMU", "Amazon EC2", "DigitalOcean", "Google", "Scaleway", "Nutanix"}},
	{"sys_vendor", "KubeVirt", []string{"KubeVirt"}},
	{"sys_vendor", "VirtualPC", []string{"Microsoft Corporation"}},
	{"sys_vendor", "parallels", []string{"Parallels Software International Inc."}},
	{"sys_vendor", "openstack", []string{"OpenStack Foundation"}},
}

func (o *output) virtual() *Virtual {
	g := &guess{v: &Virtual{Type: "NA", Role: "NA"}, guest: map[string]bool{}, host: map[string]bool{}}
	o.containers(g)
	if o.exist["/proc/xen"] {
		if strings.Contains(strings.Join(o.files["/proc/xen/capabilities"], " "), "control_d") {
			g.is("host", "xen")
		} else {
			g.is("guest", "xen")
		}
	}
	for _, d := range dmiGuests {
		if slices.Contains(d.values, o.first("/sys/devices/virtual/dmi/id/"+d.file)) {
			g.is("guest", d.tech)
		}
	}
	for _, line := range o.files["/proc/cpuinfo"] {
		switch {
		case strings.HasPrefix(line, "model name") && strings.Contains(line, "QEMU Virtual CPU"),
			strings.HasPrefix(line, "machine") && strings.Contains(line, "emulated by qemu"):
			g.is("guest", "kvm")
		case strings.HasPrefix(line, "vendor_id") && strings.Contains(line, "User Mode Linux"),
			strings.HasPrefix(line, "model name") && strings.Contains(line, "UML"):
			g.is("guest", "uml")
		case strings.HasPrefix(line, "vendor_id") && strings.Contains(line, "IBM/S390"):
			g.is("LPAR", "PR/SM")
		}
	}
	for _, line := range o.files["/proc/modules"] {
		switch module, _, _ := strings.Cut(line, " "); module {
		case "kvm":
			g.is("host", "kvm")
		case "vboxdrv":
			g.is("host", "virtualbox")
		}
	}
	if o.exist["/dev/kvm"] {
		g.is("host", "kvm")
	}
	g.v.TechGuest, g.v.TechHost = slices.Sorted(maps.Keys(g.guest)), slices.Sorted(maps.Keys(g.host))
	return g.v
}

func (o *output) containers(g *guess) {
	for _, line := range o.files["/proc/1/cgroup"] {
		switch {
		case dockerGroup.MatchString(line):
			g.is("guest", "docker")
		case lxcGroup.MatchString(line):
			g.is("guest", "lxc")
		case strings.Contains(line, "/system.slice/containerd.service"):
			g.is("guest", "containerd")
		}
	}
	for entry := range strings.SplitSeq(strings.Join(o.files["/proc/1/environ"], "\n"), "\x00") {
		switch name, ok := strings.CutPrefix(entry, "container="); {
		case !ok || name == "":
		case strings.HasPrefix(name, "lxc"):
			g.is("guest", "lxc")
		case strings.HasPrefix(name, "podman"):
			g.is("guest", "podman")
		default:
			g.is("guest", "container")
		}
	}
	if o.exist["/proc/vz"] && !o.exist["/proc/lve"] {
		if o.exist["/proc/bc"] {
			g.is("host", "openvz")
		} else {
			g.is("guest", "openvz")
		}
	}
	if name := o.first("/run/systemd/container"); name != "" {
		g.is("guest", name)
	}
	if o.exist["/.dockerenv"] || o.exist["/.dockerinit"] {
		g.is("guest", "docker")
	}
	if len(g.guest) > 0 {
		g.guest["container"] = true
	}
}
