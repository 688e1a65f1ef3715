package virt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Families of distributions, as the probe tells them.
const (
	familyDebian = "debian"
	familyRedHat = "redhat"
	familySUSE   = "suse"
	familyAlpine = "alpine"
)

// Feature is a group of packages beside the hypervisor itself.
type Feature string

// Choices lists the features.
func (Feature) Choices() []string {
	return []string{"virt_install", "uefi", "guestfs", "rbd", "gluster", "iscsi", "lxc", "tpm", "gui", "multipath"}
}

// The groups that are no feature of the user's choice.
const (
	baseFeature    Feature = "base"
	networkFeature Feature = "network"
)

// kvmPackages gives the packages of a feature: as a distribution calls them for machines of the kind amd64. What a distribution has no entry
// for, it does not have. Debian 12 has no candidate for qemu-kvm, which is a name that others provide.
func kvmPackages(family string) map[Feature]string {
	switch family {
	case familyDebian:
		return map[Feature]string{
			baseFeature: "qemu-system-x86 qemu-utils libvirt-daemon-system libvirt-clients", networkFeature: "dnsmasq-base iptables",
			"virt_install": "virtinst osinfo-db libosinfo-bin", "uefi": "ovmf", "guestfs": "guestfs-tools",
			"rbd":     "libvirt-daemon-driver-storage-rbd qemu-block-extra ceph-common",
			"gluster": "libvirt-daemon-driver-storage-gluster qemu-block-extra glusterfs-client",
			"iscsi":   "open-iscsi qemu-block-extra", "lxc": "libvirt-daemon-driver-lxc", "tpm": "swtpm swtpm-tools",
			"gui": "virt-manager virt-viewer", "multipath": "multipath-tools",
		}
	case familyRedHat:
		return map[Feature]string{
			baseFeature: "qemu-kvm libvirt-daemon-kvm libvirt-client", networkFeature: "libvirt-daemon-config-network",
			"virt_install": "virt-install osinfo-db libosinfo", "uefi": "edk2-ovmf", "guestfs": "guestfs-tools",
			"rbd": "libvirt-daemon-driver-storage-rbd qemu-kvm-block-rbd ceph-common", "gluster": "glusterfs-fuse",
			"iscsi": "iscsi-initiator-utils", "lxc": "libvirt-daemon-lxc", "tpm": "swtpm swtpm-tools", "gui": "virt-manager virt-viewer", "multipath": "device-mapper-multipath",
		}
	case familySUSE:
		return map[Feature]string{
			baseFeature: "qemu-kvm qemu-tools libvirt-daemon-qemu libvirt-client", networkFeature: "libvirt-daemon-config-network",
			"virt_install": "virt-install osinfo-db libosinfo", "uefi": "qemu-ovmf-x86_64", "guestfs": "guestfs-tools",
			"rbd": "libvirt-daemon-driver-storage-rbd qemu-block-rbd", "gluster": "glusterfs", "iscsi": "open-iscsi",
			"lxc": "libvirt-daemon-driver-lxc", "tpm": "swtpm", "gui": "virt-manager virt-viewer", "multipath": "multipath-tools",
		}
	case familyAlpine:
		return map[Feature]string{
			baseFeature: "qemu-system-x86_64 qemu-img libvirt-daemon libvirt-client libvirt-qemu", networkFeature: "dnsmasq iptables",
			"virt_install": "virt-install osinfo-db", "uefi": "ovmf", "guestfs": "guestfs-tools", "gluster": "glusterfs",
			"iscsi": "open-iscsi", "tpm": "swtpm", "gui": "virt-manager virt-viewer", "multipath": "multipath-tools",
		}
	}
	return nil
}

// renamed gives what a package is called on another kind of machine or in another release, the name itself where it is the same.
func (o osRelease) renamed(name string) string {
	arm := map[string]string{
		"qemu-system-x86": "qemu-system-arm", "ovmf": "qemu-efi-aarch64", "edk2-ovmf": "edk2-aarch64", "qemu-ovmf-x86_64": "qemu-uefi-aarch64",
		"qemu-system-x86_64": "qemu-system-aarch64",
	}
	switch {
	case o.arch == "aarch64" && o.family == familyAlpine && name == "ovmf":
		return "aavmf"
	case o.arch == "aarch64" && arm[name] != "":
		return arm[name]
	case name == "qemu-kvm-block-rbd" && o.id == "fedora":
		return "qemu-block-rbd"
	}
	if name != "guestfs-tools" || o.major() == 0 {
		return name
	}
	switch { // the tools were a part of libguestfs up to its 1.44
	case o.id == "debian" && o.major() < 12, o.id == "ubuntu" && o.major() < 22:
		return "libguestfs-tools"
	case o.family == familyRedHat && o.id != "fedora" && o.major() < 9:
		return "libguestfs-tools-c"
	}
	return name
}

// candidates gives every name that a package of a family may have, so that a probe can ask before anybody knows the release.
func candidates(family, name string) []string {
	list := []string{name}
	for _, arch := range []string{"x86_64", "aarch64"} {
		for _, id := range []string{"debian", "ubuntu", "rhel", "fedora"} {
			for _, version := range []string{"1", "99"} {
				o := osRelease{family: family, id: id, version: version, arch: arch}
				if other := o.renamed(name); !slices.Contains(list, other) {
					list = append(list, other)
				}
			}
		}
	}
	return list
}

// features are all groups of packages that are wanted.
func (a KVMHostArgs) features() []Feature {
	list := []Feature{baseFeature}
	if a.DefaultNetwork == "present" {
		list = append(list, networkFeature)
	}
	return append(list, a.Features...)
}

// kvmNames are all packages of the table, whatever the release, each as FAMILY:NAME.
func kvmNames() []string {
	var list []string
	for _, family := range []string{familyDebian, familyRedHat, familySUSE, familyAlpine} {
		for _, names := range kvmPackages(family) {
			for name := range strings.FieldsSeq(names) {
				for _, c := range candidates(family, name) {
					list = append(list, family+":"+c)
				}
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// wanted gives the packages that a host of this release is to have.
func (a KVMHostArgs) wanted(o osRelease) ([]string, error) {
	table := kvmPackages(o.family)
	if table == nil {
		return nil, fmt.Errorf("kvm_host does not know this distribution: /etc/os-release has ID=%s, ID_LIKE=%s, VERSION_ID=%s; it knows those of Debian, Red Hat, SUSE and Alpine", o.id, o.like, o.version)
	}
	if o.arch != "x86_64" && o.arch != "aarch64" {
		return nil, fmt.Errorf("kvm_host does not know the packages for machines of type %s, only for x86_64 and aarch64", o.arch)
	}
	var list []string
	for _, f := range a.features() {
		names := table[f]
		if f == "lxc" && o.family == familyRedHat && o.id != "fedora" {
			names = ""
		}
		if names == "" {
			return nil, fmt.Errorf("features: %s has no packages for %s", o.pretty, f)
		}
		for name := range strings.FieldsSeq(names) {
			list = append(list, o.renamed(name))
		}
	}
	list = append(list, a.ExtraPackages...)
	slices.Sort(list)
	return slices.Compact(list), nil
}

// osRelease is which distribution a host has.
type osRelease struct{ family, id, like, version, pretty, arch string }

// major is the first number of the version, 0 where it has none, as rolling releases do.
func (o osRelease) major() int {
	first, _, _ := strings.Cut(o.version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}

// modular reports whether the distribution's own choice are the modular daemons.
func (o osRelease) modular() bool {
	switch {
	case o.id == "fedora":
		return o.major() == 0 || o.major() >= 35
	case o.family == familyRedHat:
		return o.major() >= 9
	case o.family == familySUSE:
		return o.id == "opensuse-tumbleweed" || o.major() >= 16
	}
	return false
}

// manager is the module of the distribution's packages, with the arguments that fetch its lists, which a new machine often has none of.
func (o osRelease) manager() (name string, args []any) {
	switch o.family {
	case familyDebian:
		return "apt", []any{"update_cache", true}
	case familyAlpine:
		return "apk", []any{"update_cache", true}
	case familySUSE:
		return "zypper", nil
	}
	return "dnf", nil
}
