// Package command is the family of modules that run what the user wrote: command,
// shell, script and raw, and ping, which runs nothing.
package command

import "github.com/hostlerhq/hostler/modules"

// Modules are the family's modules.
func Modules() []*modules.Module {
	return []*modules.Module{Command, Ping, Raw, Script, Shell}
}
