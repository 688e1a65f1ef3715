// Package packages holds the modules about software packages: each runs the host's own package manager, reads what it prints, and
// needs no library on the host.
package packages

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{
		Apk, Apt, AptKey, AptRepository, Deb822Repository, Package, PackageFacts, PackageRepository, Pip,
		Dnf, RPMKey, Zypper, ZypperRepository,
	}
}
