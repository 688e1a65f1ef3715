// Package security holds the modules about firewalls, SELinux and AppArmor.
package security

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{AppArmor, Firewalld, IPTables, NFTables, SEBoolean, SEFContext, SELinux, UFW}
}

// missing is the mistake that an argument is not there, which module_defaults may still give.
func missing(msg string) error { return &modules.ArgError{Missing: true, Msg: msg} }
