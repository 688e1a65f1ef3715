// Package catalog lists every module. It is the only place that knows the families.
package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/command"
	"github.com/hostlerhq/hostler/modules/files"
	"github.com/hostlerhq/hostler/modules/system"
)

// All gives every module, family by family.
func All() []*modules.Module {
	return slices.Concat(
		command.All(),
		files.All(),
		system.All(),
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

// Index is the Markdown page that lists all modules by name, each with its summary and a link.
func Index() string {
	all := All()
	slices.SortFunc(all, func(a, b *modules.Module) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("# Modules\n\nMade from the modules' sources by `go test ./modules/catalog -update`.\n\n")
	for _, m := range all {
		fmt.Fprintf(&b, "- [%s](%s.md): %s\n", m.Name, m.Name, m.Docs.Summary)
	}
	return b.String()
}
