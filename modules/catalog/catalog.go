// Package catalog lists every module. It is the only place that knows the families.
package catalog

import (
	"slices"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/accounts"
	"github.com/hostlerhq/hostler/modules/command"
	"github.com/hostlerhq/hostler/modules/files"
	"github.com/hostlerhq/hostler/modules/images"
	"github.com/hostlerhq/hostler/modules/packages"
	"github.com/hostlerhq/hostler/modules/security"
	"github.com/hostlerhq/hostler/modules/services"
	"github.com/hostlerhq/hostler/modules/storage"
	"github.com/hostlerhq/hostler/modules/system"
	"github.com/hostlerhq/hostler/modules/trees"
	"github.com/hostlerhq/hostler/modules/virt"
)

// All gives every module, family by family.
func All() []*modules.Module {
	return slices.Concat(
		accounts.All(),
		command.All(),
		files.All(),
		images.All(),
		packages.All(),
		security.All(),
		services.All(),
		storage.All(),
		system.All(),
		trees.All(),
		virt.All(packages.Package),
	)
}

// Lookup makes the search by name, fully qualified names and aliases included.
func Lookup() modules.Lookup {
	byName := map[string]*modules.Module{}
	for _, m := range All() {
		byName[m.Name] = m
		for _, name := range m.Names {
			byName[name] = m
		}
	}
	return func(name string) (*modules.Module, bool) {
		m, ok := byName[name]
		return m, ok
	}
}
