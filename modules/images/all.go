// Package images holds the modules about what guests start from: base images, ISO images, images that are built, edited or converted, and seeds
// for cloud-init. What a seed is, is in internal/cloudinit.
package images

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{CloudImage, CloudInitISO, ISOLibrary, VirtBuilder, VirtConvert, VirtCustomize}
}
