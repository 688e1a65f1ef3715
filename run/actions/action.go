package actions

import "github.com/hostlerhq/hostler/modules"

// Specs finds an action's arguments and manual by name, for the loader (playbook.Loader.Actions).
func Specs(name string) (*modules.Module, bool) { panic("skeleton") }

// All are the actions' arguments and manuals, in the order of their names, for documentation.
func All() []*modules.Module { panic("skeleton") }
