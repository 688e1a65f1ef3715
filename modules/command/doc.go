// Package command is the family of modules that run what the user wrote: command,
// shell, script and raw, and ping, which runs nothing.
package command

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{Command, Ping, Raw, Script, Shell}
}
