package cmd

import (
	"fmt"
	"os"

	"github.com/hostlerhq/hostler/config"
	"github.com/spf13/cobra"
)

func newConfig(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "config list | dump | view",
		Short: "Show settings: what there are, what they came to, the files",
		Long: "Settings come from HOSTLER_* variables, hostler.cfg, ANSIBLE_* variables and ansible.cfg; the first of these\n" +
			"that sets one wins. hostler.cfg and ansible.cfg are looked for where HOSTLER_CONFIG and ANSIBLE_CONFIG say, in the\n" +
			"working folder, as ~/.hostler.cfg and ~/.ansible.cfg, and in /etc/hostler and /etc/ansible.",
		Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "Every setting, its variables and its default", Args: cobra.NoArgs,
			Run: func(*cobra.Command, []string) { listSettings(s) },
		},
		newConfigDump(s),
		&cobra.Command{
			Use: "view", Short: "The files that settings were read from", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return viewSettings(s) },
		},
	)
	return c
}

func newConfigDump(s Streams) *cobra.Command {
	var changed bool
	c := &cobra.Command{
		Use: "dump", Short: "Every setting's value and where it came from", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for set, v := range s.conf.All() {
				if changed && v.IsDefault() || !changed && set.Support != config.Works && v.IsDefault() {
					continue
				}
				fmt.Fprintf(s.Out, "%s(%s) = %s\n", set.Name, v.Origin, v.Text)
			}
			return settingsTold(s, loadSettings(&s))
		},
	}
	c.Flags().BoolVar(&changed, "only-changed", false, "leave out what has its default")
	return c
}

func listSettings(s Streams) {
	for set := range s.conf.All() {
		fmt.Fprintf(s.Out, "%s:\n", set.Name)
		for _, also := range set.Also {
			fmt.Fprintf(s.Out, "  also: %s\n", also)
		}
		for _, name := range set.Variables() {
			fmt.Fprintf(s.Out, "  variable: %s\n", name)
		}
		if set.Default != "" {
			fmt.Fprintf(s.Out, "  default: %s\n", set.Default)
		}
		switch set.Support {
		case config.Ignored:
			fmt.Fprintf(s.Out, "  ignored: %s\n", set.Note)
		case config.Unsupported:
			fmt.Fprintf(s.Out, "  not supported: %s\n", set.Note)
		}
	}
}

func viewSettings(s Streams) error {
	if len(s.conf.Files) == 0 {
		fmt.Fprintln(s.Out, "# no file of settings was found")
	}
	for _, path := range s.conf.Files {
		text, err := os.ReadFile(path)
		if err != nil {
			return fileError("the settings", path, err)
		}
		fmt.Fprintf(s.Out, "# %s\n%s", path, text)
	}
	return nil
}
