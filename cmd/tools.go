package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// tools are the names of Ansible's programs that this one answers to.
func tools() []string {
	return []string{"ansible", "ansible-inventory", "ansible-playbook", "ansible-vault"}
}

// ansibleTool gives the name of Ansible's that the program was called by, or "".
func ansibleTool(arg0 string) string {
	name := filepath.Base(arg0)
	if slices.Contains(tools(), name) {
		return name
	}
	return ""
}

// newTool is the command of one of Ansible's names.
func newTool(name string, s Streams, in *interrupts) *cobra.Command {
	var c *cobra.Command
	switch name {
	case "ansible-playbook":
		c = newPlay(s, in)
	case "ansible":
		c = newRun(s, in)
	case "ansible-inventory":
		c = newInventory(s)
	default:
		c = newVault(s)
	}
	_, args, _ := strings.Cut(c.Use, " ")
	c.Use = strings.TrimSpace(name + " " + args)
	c.Example = ""
	asRoot(c, s, toolVersion(name, s))
	c.CompletionOptions.DisableDefaultCmd = true
	return c
}

// toolVersion has the lines that scripts look for.
func toolVersion(name string, s Streams) string {
	file := "None"
	if n := len(s.conf.Files); n > 0 {
		file = s.conf.Files[n-1]
	}
	return name + " [hostler {{.Version}}]\n  config file = " + file + "\n"
}

// wholeOptions writes out the long options that are abbreviated, as Ansible's programs take them.
func wholeOptions(c *cobra.Command, args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		if a == "--" {
			break
		}
		name, ok := strings.CutPrefix(a, "--")
		if i == 0 || !ok {
			continue
		}
		name, value, given := strings.Cut(name, "=")
		if whole := wholeOption(c, name); whole != "" {
			out[i] = "--" + whole
			if given {
				out[i] += "=" + value
			}
		}
	}
	return out
}

// wholeOption finds the one option that begins so, "" when there is none, or one of that very name.
func wholeOption(c *cobra.Command, name string) string {
	var found []string
	exact := false
	see := func(f *pflag.Flag) {
		exact = exact || f.Name == name
		if strings.HasPrefix(f.Name, name) {
			found = append(found, f.Name)
		}
	}
	c.Flags().VisitAll(see)
	for _, sub := range c.Commands() {
		sub.Flags().VisitAll(func(f *pflag.Flag) {
			if !slices.Contains(found, f.Name) {
				see(f)
			}
		})
	}
	if exact || len(found) != 1 {
		return ""
	}
	return found[0]
}

func newLinks(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "links FOLDER",
		Short: "Make links to this program under the names of Ansible's",
		Long: "Make symbolic links named " + strings.Join(tools(), ", ") + " in a folder. Called by one of\n" +
			"these names the program takes that tool's options and prints in its format. What is there already under\n" +
			"such a name stays, unless it is a link to this program.",
		Args: cobra.MatchAll(wantArg("a folder"), cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return makeLinks(s, args[0]) },
	}
}

func makeLinks(s Streams, dir string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program itself: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range tools() {
		path := filepath.Join(dir, name)
		err := os.Symlink(program, path)
		if errors.Is(err, fs.ErrExist) {
			if target, err := os.Readlink(path); err == nil && target == program {
				continue
			}
			return hintError{fmt.Errorf("%s is there already", path), "remove it, or choose a folder that comes earlier in PATH"}
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Out, path)
	}
	return nil
}
