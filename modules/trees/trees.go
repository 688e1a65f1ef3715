// Package trees holds the modules that bring whole trees of files to a host: a checkout of a repository, a synchronised folder.
package trees

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{Git, Synchronize}
}
