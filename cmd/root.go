// Package cmd is the command line: one file per subcommand, this one lists them. exit.go is the
// only place where errors become exit statuses.
package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is set by the build.
var version = "dev"

// Main runs a command line, args[0] being the program's name, and gives the exit status.
func Main(args []string, s Streams) (status int) {
	defer guard(s, &status)
	in, release := watchInterrupts()
	defer release()
	tool := ansibleTool(args[0])
	s.compat = tool != ""
	odd := loadSettings(&s)
	root := newRoot(s, in)
	if tool != "" {
		root = newTool(tool, s, in)
		args = wholeOptions(root, args)
	}
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if strings.HasPrefix(c.CommandPath(), "hostler config") {
			return nil // which tells of them itself
		}
		return settingsTold(s, odd)
	}
	root.SetArgs(args[1:])
	return finish(s, root.ExecuteContext(in.ctx))
}

func newRoot(s Streams, in *interrupts) *cobra.Command {
	root := &cobra.Command{
		Use:   "hostler",
		Short: "Run playbooks and modules on hypervisors over SSH",
		Long: "Hostler runs YAML playbooks and single modules on many hosts at once, over SSH and without\n" +
			"anything installed there but sshd, sh and the host's own tools.",
		Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	asRoot(root, s, "hostler {{.Version}}\n")
	root.AddCommand(
		newPlay(s, in),
		newCheck(s, in),
		newRun(s, in),
		newInventory(s),
		newTemplate(s),
		newVars(s),
		newVault(s),
		newDoc(s),
		newConfig(s),
		newLinks(s),
		newSeed(s),
		newTrust(s, in),
		newDemo(s, in),
	)
	return root
}

// asRoot makes a command one that Main can run.
func asRoot(c *cobra.Command, s Streams, versionText string) {
	c.Version, c.SilenceErrors, c.SilenceUsage = version, true, true
	c.SetIn(s.In)
	c.SetOut(s.Out)
	c.SetErr(s.Err)
	c.SetVersionTemplate(versionText)
	c.SetFlagErrorFunc(optionError)
}

// noSuchCommand words an unknown subcommand, with a near name.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := usageError{fmt.Errorf("unknown command %q", args[0])}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	if near := diag.Near(args[0], names); near != "" {
		return hintError{err, fmt.Sprintf("did you mean %q?", near)}
	}
	return hintError{err, c.CommandPath() + " --help lists the commands"}
}

// optionError words a wrong option.
func optionError(c *cobra.Command, err error) error {
	hint := c.CommandPath() + " --help lists the options"
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		name := unknown.GetSpecifiedName()
		if near := diag.Near(name, names); near != "" && len(name) > 1 {
			hint = fmt.Sprintf("did you mean --%s?", near)
		}
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s cannot be %q", bad.GetFlag().Name, bad.GetValue())
		if bad.GetFlag().Value.Type() == "int" {
			hint = "it takes a whole number"
		}
	}
	if lacking, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		err = fmt.Errorf("--%s needs a value", lacking.GetFlag().Name)
	}
	return hintError{usageError{err}, hint}
}

// wantArg wants at least one argument and says what it is.
func wantArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return hintError{usageError{errors.New("missing argument: " + what)}, "usage: " + c.UseLine()}
	}
}
