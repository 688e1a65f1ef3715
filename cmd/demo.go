package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hostlerhq/hostler/examples"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/transport/practice"
	"github.com/spf13/cobra"
)

const demoHosts = 5

func newDemo(s Streams, in *interrupts) *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Start five practice hypervisors and run a playbook on them, twice",
		Long: "Start five SSH servers on loopback, each with a home folder of its own, and run a playbook on\n" +
			"them that gathers facts, runs commands and writes files from templates. The second run changes\n" +
			"nothing. Everything lies in a temporary folder, which is removed at the end.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return demo(c.Context(), s, in, keep) },
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave the hosts up until Ctrl-C, and say how to play with them")
	return c
}

func demo(ctx context.Context, s Streams, in *interrupts, keep bool) error {
	dir, err := os.MkdirTemp("", "hostler-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	farm, err := startDemo(dir)
	if err != nil {
		return fmt.Errorf("start the practice hosts: %w", err)
	}
	defer farm.Close()
	hosts, site := filepath.Join(dir, "hosts.ini"), filepath.Join(dir, "site.yml")
	for _, title := range []string{"First run: everything is to do", "Second run: nothing is left to do"} {
		fmt.Fprintf(s.Out, "\n### %s\n### hostler play -i hosts.ini site.yml\n", title)
		o := &playOptions{inventoryFlags: inventoryFlags{sources: []string{hosts}}, runFlags: runFlags{output: "text", forks: run.DefaultForks}}
		if err := o.run(ctx, s, in, []string{site}); err != nil {
			return err
		}
	}
	if !keep {
		return nil
	}
	fmt.Fprintf(s.Out, "The hosts stay up until Ctrl-C. In another terminal:\n\n  cd %s\n  hostler inventory -i hosts.ini --graph\n"+
		"  hostler run hypervisors -i hosts.ini -a 'cat site/card.txt'\n  hostler play -i hosts.ini site.yml --check --diff\n", dir)
	select {
	case <-ctx.Done():
	case <-in.grace(nil):
	}
	return nil
}

// startDemo lays the playbook out, starts the hosts and writes their inventory.
func startDemo(dir string) (*practice.Farm, error) {
	if err := copyDemo(dir); err != nil {
		return nil, err
	}
	names := make([]string, demoHosts)
	for i := range names {
		names[i] = fmt.Sprintf("hv%d", i+1)
	}
	farm, err := practice.StartFarm(dir, names, practice.Options{})
	if err != nil {
		return nil, err
	}
	inventory := farm.Inventory("hypervisors") + "\n[big]\nhv[1:2]\n"
	if err := os.WriteFile(filepath.Join(dir, "hosts.ini"), []byte(inventory), 0o600); err != nil {
		return nil, errors.Join(err, farm.Close())
	}
	return farm, nil
}

// copyDemo lays out the playbook that the binary carries.
func copyDemo(dir string) error {
	tree, err := fs.Sub(examples.Demo, "demo")
	if err != nil {
		return err
	}
	return os.CopyFS(dir, tree)
}
