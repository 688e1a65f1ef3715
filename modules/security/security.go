// Package security holds the modules about firewalls, SELinux and AppArmor.
package security

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module { return []*modules.Module{IPTables, UFW} }
