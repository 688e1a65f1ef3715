package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/check"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/spf13/cobra"
)

// checkOptions are those of `hostler check`.
type checkOptions struct {
	inventoryFlags
	tags, skipTags, skip []string
	output               string
	list, strict         bool
}

func newCheck(s Streams, in *interrupts) *cobra.Command {
	o := &checkOptions{}
	c := &cobra.Command{
		Use:   "check PLAYBOOK...",
		Short: "Find mistakes in playbooks without a host",
		Long: "Find what is wrong with playbooks, with their roles, includes, templates and files of variables, and with the\n" +
			"inventory, all at once and without contacting any host. The status is 4 when there are errors.\n" +
			"A comment \"# noqa: RULE\" in a line switches a rule off there.",
		Example: "  hostler check site.yml\n  hostler check -i hosts.ini --strict --output sarif site.yml > hostler.sarif",
		Args: func(c *cobra.Command, args []string) error {
			if o.list {
				return nil
			}
			return wantArg("a playbook")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, in, args) },
	}
	fs := c.Flags()
	o.inventoryFlags.add(fs)
	_ = fs.MarkHidden("limit")
	fs.StringArrayVarP(&o.tags, "tags", "t", nil, "the tags that a run would get")
	fs.StringArrayVar(&o.skipTags, "skip-tags", nil, "the tags that a run would leave out")
	fs.StringVar(&o.output, "output", "text", "text, json, sarif (2.1.0) or github (annotations)")
	fs.StringArrayVar(&o.skip, "skip", nil, "leave these rules out, separated by commas; may be repeated")
	fs.BoolVar(&o.strict, "strict", false, "take warnings for errors")
	fs.BoolVar(&o.list, "list", false, "only list the rules")
	return c
}

func (o *checkOptions) run(ctx context.Context, s Streams, in *interrupts, paths []string) error {
	if o.list {
		listRules(s)
		return nil
	}
	if err := o.verify(); err != nil {
		return err
	}
	for _, path := range paths {
		if err := playbookThere(path); err != nil {
			return err
		}
	}
	r := runFlags{forks: run.DefaultForks, output: "text"}
	var inventory diag.List
	o.warned = func(list diag.List) { inventory = list }
	ss, err := r.open(ctx, s, in, &o.inventoryFlags, &connectFlags{}, filepath.Dir(paths[0]))
	broken := asMistakes(err)
	if broken != nil { // go on without it
		inventory = broken
		bare := inventoryFlags{sources: []string{"localhost,"}, extra: o.extra, vault: o.vault}
		ss, err = r.open(ctx, s, in, &bare, &connectFlags{}, filepath.Dir(paths[0]))
	}
	if err != nil {
		return err
	}
	defer ss.pool.Close()
	c := ss.checks()
	if broken != nil {
		c.Inventory = nil
	}
	c.Tags, c.SkipTags, c.SkipRules = words(o.tags), words(o.skipTags), words(o.skip)
	_, found := check.Playbooks(c, paths)
	for _, e := range inventory {
		found = append(found, e.WithRule(check.RuleInventory))
	}
	return o.told(s, diag.Sorted(found))
}

// verify refuses options that cannot be.
func (o *checkOptions) verify() error {
	switch o.output {
	case "text", "json", "sarif", "github":
	default:
		return hintError{usageError{fmt.Errorf("--output cannot be %q", o.output)}, "it is text, json, sarif or github"}
	}
	for _, name := range words(o.skip) {
		if r, err := check.FindRule(name); err != nil {
			hint := ""
			if d, ok := errors.AsType[*diag.Error](err); ok {
				hint = d.Hint
			}
			return hintError{usageError{fmt.Errorf("--skip: %w", err)}, hint}
		} else if r.Firm {
			return hintError{usageError{fmt.Errorf("--skip: the rule %q cannot be skipped", name)}, "what it finds cannot be run at all"}
		}
	}
	return nil
}

// told prints the findings and gives the status.
func (o *checkOptions) told(s Streams, found diag.List) error {
	if o.strict {
		for _, e := range found {
			e.Severity = diag.Fatal
		}
	}
	var err error
	switch o.output {
	case "json":
		err = check.WriteJSON(s.Out, found)
	case "sarif":
		err = check.WriteSARIF(s.Out, found, version)
	case "github":
		err = check.WriteGitHub(s.Out, found)
	default:
		fmt.Fprint(s.Out, diag.Render(found, os.ReadFile))
		fmt.Fprintln(s.Out, tally(found))
	}
	if err == nil && found.Err() != nil {
		return statusError(exitUnreachable)
	}
	return err
}

// tally says how many findings there are.
func tally(found diag.List) string {
	count := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	errs, warnings := check.Count(found)
	if errs+warnings == 0 {
		return "nothing found"
	}
	return count(errs, "error") + ", " + count(warnings, "warning")
}

func listRules(s Streams) {
	for _, r := range check.Rules() {
		firm := ""
		if r.Firm {
			firm = " *"
		}
		fmt.Fprintf(s.Out, "%-12s %s%s\n", r.Name, r.Text, firm)
	}
	fmt.Fprintln(s.Out, "\n* errors of these rules cannot be skipped: what they find cannot be run at all")
}

// checks is what the check before a run and `hostler check` have in common.
func (ss *session) checks() check.Options {
	o := check.Options{
		Loader: ss.loader, Env: ss.engine.Env, HasLookup: ss.lookups.Has, ExtraVars: ss.extra,
		ReadFile: ss.opts.ReadFile,
	}
	if len(ss.opts.InventorySources) > 0 {
		o.Inventory = ss.opts.Inventory
	}
	if ss.opts.Facts != nil {
		o.Kept = ss.keptFact
	}
	return o
}

// checked loads the playbooks of a run. Warnings are printed in a line each; with an error nothing may run.
func (ss *session) checked(paths []string, only, skip []string) ([]*playbook.Playbook, error) {
	c := ss.checks()
	c.Tags, c.SkipTags = only, skip
	loaded, found := check.Playbooks(c, paths)
	if found.Err() != nil {
		return nil, found
	}
	for _, e := range found {
		text := e.Error()
		if e.Hint != "" {
			text += " (" + strings.ReplaceAll(e.Hint, "\n", " ") + ")"
		}
		fmt.Fprintf(ss.s.Err, "[WARNING]: %s\n", text)
	}
	return loaded, nil
}
