package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/run"
	"github.com/spf13/cobra"
)

// playOptions are those of `hostler play`.
type playOptions struct {
	inventoryFlags
	connectFlags
	runFlags
	tagFlags
	resumeFlags
	forceHandlers, syntaxOnly      bool
	step, flushCache               bool
	assertIdempotent, github       bool
	listHosts, listTasks, listTags bool
}

func newPlay(s Streams, in *interrupts) *cobra.Command {
	o := &playOptions{}
	c := &cobra.Command{
		Use:   "play PLAYBOOK...",
		Short: "Run playbooks",
		Long: "Run playbooks over their hosts. Everything that can be found wrong without a host is found\n" +
			"first; then nothing is contacted and the status is 4.",
		Example: "  hostler play -i hosts.ini site.yml --check --diff\n" +
			"  hostler play -i hosts.ini site.yml --limit 'hv1,hv2' --tags network",
		Args: wantArg("a playbook"),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, in, args) },
	}
	fs := c.Flags()
	o.inventoryFlags.add(fs)
	o.connectFlags.add(fs, s.conf)
	o.runFlags.add(fs, s.conf)
	o.tagFlags.add(fs)
	o.resumeFlags.add(fs)
	fs.BoolVar(&o.forceHandlers, "force-handlers", s.conf.Bool(config.ForceHandlers), "run handlers even after a host failed")
	fs.BoolVar(&o.step, "step", false, "ask before each task: no, yes, or continue without asking")
	fs.BoolVar(&o.assertIdempotent, "assert-idempotent", false, "run a second time and fail, with status 3, when that changes anything")
	fs.BoolVar(&o.github, "github", s.Env("GITHUB_ACTIONS") == "true", "print failures as annotations of GitHub Actions too; the default there")
	fs.BoolVar(&o.flushCache, "flush-cache", false, "drop the facts that were kept from former runs (fact_caching)")
	fs.BoolVar(&o.syntaxOnly, "syntax-check", false, "only look for mistakes")
	fs.BoolVar(&o.listHosts, "list-hosts", false, "only list the hosts of each play")
	fs.BoolVar(&o.listTasks, "list-tasks", false, "only list the tasks that would run")
	fs.BoolVar(&o.listTags, "list-tags", false, "only list the tags")
	return c
}

func (o *playOptions) run(ctx context.Context, s Streams, in *interrupts, paths []string) error {
	o.tags, o.skip = append(s.conf.List(config.TagsRun), o.tags...), append(s.conf.List(config.TagsSkip), o.skip...)
	for _, path := range paths {
		if err := playbookThere(path); err != nil {
			return err
		}
	}
	ss, err := o.runFlags.open(ctx, s, in, &o.inventoryFlags, &o.connectFlags, filepath.Dir(paths[0]))
	if err != nil {
		return err
	}
	defer ss.pool.Close()
	read := watch(ss.loader)
	if err := o.load(ss, paths); err != nil {
		return err
	}
	if done, err := o.listings(ctx, ss); done || err != nil {
		return err
	}
	if err := anyHosts(ss); err != nil {
		return err
	}
	if o.flushCache {
		if err := ss.flushCache(); err != nil {
			return err
		}
	}
	o.tagFlags.apply(&ss.opts)
	ss.opts.ForceHandlers = o.forceHandlers
	if o.assertIdempotent && o.check {
		return optionsError{errors.New("--assert-idempotent needs a run that changes something, and --check makes it one that does not")}
	}
	if err := o.resumeFlags.open(ss, read, paths); err != nil {
		return err
	}
	if o.step {
		ss.opts.Step = stepper(s)
	}
	if s.Ask {
		ss.opts.Debug = debugPrompt(s)
	}
	ss.opts.RetryFile = retryFile(s)
	if ss.opts.Sink, err = o.sink(s); err != nil {
		return err
	}
	result, err := run.Play(ctx, ss.opts)
	closeJournal(ss, result, err)
	if closeErr := ss.opts.Sink.Close(); closeErr != nil && err == nil {
		return fmt.Errorf("print the results: %w", closeErr)
	}
	if err := ended(result, err); err != nil || !o.assertIdempotent {
		return err
	}
	return o.again(ctx, ss)
}

// playbookThere words the error of a playbook that is not there as Ansible does.
func playbookThere(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return hintError{fmt.Errorf("the playbook: %s could not be found", path), "check the name; it starts at the current folder"}
	case info.IsDir():
		return fmt.Errorf("the playbook: %s does not appear to be a file", path)
	}
	return nil
}

// load reads every playbook and gives all the mistakes of all of them at once.
func (o *playOptions) load(ss *session, paths []string) error {
	loaded, err := ss.checked(paths, words(o.tags), words(o.skip))
	ss.opts.Playbooks = loaded
	return err
}

// anyHosts refuses a --limit that leaves nothing, as Ansible does.
func anyHosts(ss *session) error {
	if ss.opts.Limit == "" {
		return nil
	}
	hosts, warnings, err := ss.opts.Inventory.Match("all", ss.opts.Limit)
	if err != nil {
		return err
	}
	if len(hosts) == 0 {
		return noHosts(ss, warnings, "all")
	}
	return nil
}

// noHosts words the error of a pattern and --limit that leave nothing, as Ansible does, with what did not match.
func noHosts(ss *session, warnings diag.List, pattern string) error {
	printMistakes(ss.s, warnings)
	return hintError{
		errors.New("Specified inventory, host pattern and/or --limit leaves us with no hosts to target."),
		noHostsHint(ss, pattern),
	}
}

func noHostsHint(ss *session, pattern string) string {
	if len(ss.opts.InventorySources) == 0 {
		return "there is no inventory: name one with -i or HOSTLER_INVENTORY, or write " + strings.Join(defaultInventories(), " or ")
	}
	what := fmt.Sprintf("%q", pattern)
	if ss.opts.Limit != "" {
		what += fmt.Sprintf(" within --limit %q", ss.opts.Limit)
	}
	return "no host matches " + what + "; hostler inventory --graph shows what there is"
}

func (f *tagFlags) apply(o *run.Options) {
	o.Tags, o.SkipTags, o.StartAtTask = words(f.tags), words(f.skip), f.startAt
}
