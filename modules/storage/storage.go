// Package storage holds the modules about file systems and the devices below them.
package storage

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{
		Filesystem,
		LVG,
		Mount,
	}
}
