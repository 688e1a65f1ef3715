// Package images holds the modules about what guests start from: base images, ISO images and seeds for cloud-init, and converts images. What a seed is, is in internal/cloudinit.
package images

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{CloudImage, CloudInitISO, ISOLibrary, VirtConvert}
}
