package cmd

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/spf13/cobra"
)

// inventoryOptions are those of `hostler inventory`.
type inventoryOptions struct {
	inventoryFlags
	listAll, graph, yaml, toml, vars, export bool
	host, output, playbookDir                string
}

func newInventory(s Streams) *cobra.Command {
	o := &inventoryOptions{}
	c := &cobra.Command{
		Use:   "inventory [--list | --host NAME | --graph [GROUP]]",
		Short: "Show hosts, groups and their variables as they were read",
		Example: "  hostler inventory -i hosts.ini --graph\n" +
			"  hostler inventory -i hosts.ini --host hv1 --yaml",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := o.run(c, s, args)
			if err != nil {
				return err
			}
			if o.output != "" {
				return writeSecret(o.output, strings.TrimSuffix(text, "\n")) // as ansible-inventory ends files
			}
			fmt.Fprint(s.Out, text)
			return nil
		},
	}
	fs := c.Flags()
	o.add(fs)
	var verbose int
	fs.CountVarP(&verbose, "verbose", "v", "accepted for scripts that give it")
	fs.BoolVar(&o.listAll, "list", false, "all groups and hosts, as an inventory script would print them")
	fs.StringVar(&o.host, "host", "", "the variables of one host")
	fs.BoolVar(&o.graph, "graph", false, "groups and hosts as a tree, from the group given (default all)")
	fs.BoolVarP(&o.yaml, "yaml", "y", false, "YAML in place of JSON")
	fs.BoolVar(&o.toml, "toml", false, "TOML in place of JSON")
	fs.BoolVar(&o.vars, "vars", false, "with --graph: variables too")
	fs.BoolVar(&o.export, "export", s.conf.Bool(config.InventoryExport), "with --list: keep variables with the group that defines them")
	fs.StringVar(&o.output, "output", "", "write to this file (mode 0600)")
	fs.StringVar(&o.playbookDir, "playbook-dir", "", "folder whose group_vars and host_vars count too")
	return c
}

// writeSecret writes text that may hold secrets. A file that is there gets the mode before it gets the text; a device keeps its own.
func writeSecret(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the inventory: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = f.Chmod(0o600)
	}
	if err == nil {
		_, err = f.WriteString(text)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write the inventory to %s: %w", path, err)
	}
	return nil
}

func (o *inventoryOptions) run(c *cobra.Command, s Streams, args []string) (string, error) {
	actions := 0
	for _, set := range []bool{o.listAll, o.host != "", o.graph} {
		if set {
			actions++
		}
	}
	if actions != 1 {
		return "", hintError{optionsError{errors.New("exactly one of --list, --host and --graph is needed")}, "usage: " + c.UseLine()}
	}
	ring, extra, err := o.known(c.Context(), s)
	if err != nil {
		return "", err
	}
	var inv *inventory.Inventory
	engine, _ := newEngine(s, ring, hostNames(&inv))
	dir := o.playbookDir
	if dir == "" && !o.export { // as in Ansible, which shows with --export what comes from the inventory alone
		dir = "."
	}
	inv, err = o.load(c.Context(), s, ring, engine, extra, dir)
	if err != nil {
		return "", err
	}
	p := inventory.Printer{Inventory: inv, Export: o.export, HostVars: func(h *inventory.Host) *value.Dict {
		d := inv.HostVars(h).Copy()
		for k, v := range extra.All() {
			d.Set(k, v)
		}
		return d
	}}
	if o.limit != "" {
		hosts, warnings, err := inv.Match("all", o.limit)
		if err != nil {
			return "", err
		}
		printMistakes(s, warnings)
		p.Only = func(h *inventory.Host) bool { return slices.Contains(hosts, h) }
	}
	return o.print(p, args)
}

func (o *inventoryOptions) print(p inventory.Printer, args []string) (string, error) {
	switch {
	case o.host != "":
		h, ok := p.Inventory.Host(o.host)
		if !ok {
			return "", hintError{optionsError{fmt.Errorf("no such host: %s", o.host)}, "hostler inventory --list shows all hosts"}
		}
		if o.yaml {
			return p.HostYAML(h), nil
		}
		return p.Host(h), nil
	case o.graph:
		group := "all"
		if len(args) > 0 {
			group = args[0]
		}
		text, err := p.Graph(group, o.vars)
		if d, ok := errors.AsType[*diag.Error](err); ok {
			return "", hintError{optionsError{errors.New(d.Error())}, orDefault(d.Hint, "hostler inventory --graph shows all groups")}
		}
		return text, err
	case o.yaml:
		return p.YAML(), nil
	case o.toml:
		return p.TOML(), nil
	}
	return p.List(), nil
}
