package cmd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/catalog"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/spf13/cobra"
)

func newDoc(s Streams) *cobra.Command {
	var write string
	c := &cobra.Command{
		Use:   "doc [MODULE...]",
		Short: "Show the manual of modules, or list them",
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case write != "":
				return writeDocs(write)
			case len(args) == 0:
				listDocs(s)
				return nil
			}
			return showDocs(s, args)
		},
	}
	c.Flags().StringVar(&write, "write", "", "write the manual of every module into this folder, as Markdown")
	return c
}

// allDocs are modules and actions, sorted by name.
func allDocs() []*modules.Module {
	all := append(slices.Clone(catalog.All()), actions.All()...)
	slices.SortFunc(all, func(a, b *modules.Module) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// moduleNames are all names that a task may begin with.
func moduleNames() []string {
	var names []string
	for _, m := range allDocs() {
		names = append(append(names, m.Name), m.Names...)
	}
	return names
}

func listDocs(s Streams) {
	all := allDocs()
	width := 0
	for _, m := range all {
		width = max(width, len(m.Name))
	}
	for _, m := range all {
		fmt.Fprintf(s.Out, "%-*s  %s\n", width, m.Name, m.Docs().Summary)
	}
}

func showDocs(s Streams, names []string) error {
	byName := map[string]*modules.Module{}
	for _, m := range allDocs() {
		for _, name := range append([]string{m.Name}, m.Names...) {
			byName[name] = m
		}
	}
	for _, name := range names {
		m, ok := byName[name]
		if !ok {
			err := fmt.Errorf("no such module: %s", name)
			if near := diag.Near(name, slices.Sorted(maps.Keys(byName))); near != "" {
				return hintError{err, fmt.Sprintf("did you mean %q?", near)}
			}
			return hintError{err, "hostler doc lists all modules"}
		}
		fmt.Fprint(s.Out, m.Manual(false))
	}
	return nil
}

// writeDocs makes the folder hold exactly one page a module, and an index.
func writeDocs(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	var index strings.Builder
	index.WriteString("# Modules\n\nMade by `make docs` from the modules' sources; do not edit.\n\n| module | what it does |\n|---|---|\n")
	for _, m := range allDocs() {
		fmt.Fprintf(&index, "| [%s](%s.md) | %s |\n", m.Name, m.Name, m.Docs().Summary)
		if err := os.WriteFile(filepath.Join(dir, m.Name+".md"), []byte(m.Manual(true)), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "README.md"), []byte(index.String()), 0o644)
}
