// Package virt holds the modules about libvirt: domains, networks, pools, volumes, secrets. What they share is in virsh.go: how virsh is
// called and how its errors are told. What libvirt's XML means is in internal/libvirt.
package virt

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules. Packages is the module that installs those of whatever distribution.
func All(packages *modules.Module) []*modules.Module {
	return []*modules.Module{
		KVMHost(packages), Clone, Config, Device, Info, Install, Migrate, Net, Pool, Secret, Snapshot, Template, Virt, Volume, Wait,
	}
}
