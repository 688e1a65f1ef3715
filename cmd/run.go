package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/catalog"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/report"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/spf13/cobra"
)

// runOptions are those of `hostler run`.
type runOptions struct {
	inventoryFlags
	connectFlags
	runFlags
	module, args         string
	oneLine, group, live bool
	many                 bool // hosts, so that live output needs their names
	listHosts            bool
	background, poll     int // seconds
	taskTimeout          int // seconds
	tree, playbookDir    string
}

func newRun(s Streams, in *interrupts) *cobra.Command {
	o := &runOptions{}
	c := &cobra.Command{
		Use:   "run PATTERN",
		Short: "Run one module on hosts",
		Example: "  hostler run hypervisors -i hosts.ini -m ping\n" +
			"  hostler run 'all:!storage' -i hosts.ini -a 'uptime' --group\n" +
			"  hostler run hv1 -i hosts.ini -b -m copy -a 'src=motd dest=/etc/motd'",
		Args: wantArg("a pattern of hosts"),
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), s, in, strings.Join(args, ","))
		},
	}
	fs := c.Flags()
	o.inventoryFlags.add(fs)
	o.connectFlags.add(fs, s.conf)
	o.runFlags.add(fs, s.conf)
	fs.StringVarP(&o.module, "module-name", "m", s.conf.Text(config.ModuleName), "the module to run")
	fs.StringVarP(&o.args, "args", "a", s.conf.Text(config.ModuleArgs), "its arguments: key=value …, free-form text, or a JSON object")
	fs.BoolVarP(&o.oneLine, "one-line", "o", false, "one line a host")
	fs.BoolVarP(&o.group, "group", "G", false, "print each different result once, with the hosts that gave it")
	fs.BoolVar(&o.live, "live", false, "show output as it comes, each line with its host")
	fs.IntVarP(&o.background, "background", "B", 0, "let the module run for at most so many seconds as a job of its own")
	fs.IntVarP(&o.poll, "poll", "P", s.conf.Int(config.PollInterval), "with -B: seconds between two looks at the job; 0 leaves it alone")
	fs.IntVar(&o.taskTimeout, "task-timeout", s.conf.Int(config.TaskTimeout), "seconds that the module may take; 0 is no limit")
	fs.StringVarP(&o.tree, "tree", "t", "", "write each host's result into a file of this folder, as JSON")
	fs.StringVar(&o.playbookDir, "playbook-dir", s.conf.Path(config.PlaybookDir), "folder whose group_vars, host_vars, files and templates count too")
	fs.BoolVar(&o.listHosts, "list-hosts", false, "only list the hosts")
	return c
}

func (o *runOptions) run(ctx context.Context, s Streams, in *interrupts, pattern string) error {
	if o.live && o.group {
		return hintError{optionsError{errors.New("--live and --group do not go together")}, "output that is shown as it comes cannot be grouped"}
	}
	if err := o.needArgs(pattern); err != nil {
		return err
	}
	task, err := adHocTask(o.module, o.args)
	if err != nil {
		return err
	}
	if o.background > 0 {
		task.Async = playbook.Field{Value: o.background, Set: true}
		task.Poll = playbook.Field{Value: o.poll, Set: true}
	}
	ss, err := o.runFlags.open(ctx, s, in, &o.inventoryFlags, &o.connectFlags, orDefault(o.playbookDir, "."))
	if err != nil {
		return err
	}
	defer ss.pool.Close()
	hosts, warnings, err := ss.opts.Inventory.Match(pattern, o.limit)
	if err != nil {
		return err
	}
	// ansible takes a pattern that matches nothing for nothing to do, unless it is the limit that leaves nothing.
	if len(hosts) == 0 && (!s.compat || o.limit != "") {
		return noHosts(ss, warnings, pattern)
	}
	if len(hosts) == 0 && !o.listHosts {
		nothing := diag.Errorf(diag.Pos{}, "No hosts matched, nothing to do")
		nothing.Severity = diag.Warning
		printMistakes(s, append(warnings, nothing))
		return nil
	}
	if o.listHosts {
		printMistakes(s, warnings)
		fmt.Fprintf(s.Out, "  hosts (%d):\n", len(hosts))
		for _, h := range hosts {
			fmt.Fprintf(s.Out, "    %s\n", h.Name)
		}
		return nil
	}
	o.many = len(hosts) > 1
	o.live = o.live || !o.many && s.Terminal
	ss.opts.LiveOutput = o.live
	ss.opts.TaskTimeout = time.Duration(o.taskTimeout) * time.Second
	if ss.opts.Sink, err = o.sinks(s); err != nil {
		return err
	}
	result, err := run.AdHoc(ctx, pattern, task, ss.opts)
	if closeErr := ss.opts.Sink.Close(); closeErr != nil && err == nil {
		return fmt.Errorf("print the results: %w", closeErr)
	}
	return ended(result, err)
}

// needArgs refuses, as Ansible does, a module that is nothing without arguments.
func (o *runOptions) needArgs(pattern string) error {
	switch strings.TrimPrefix(strings.TrimPrefix(o.module, "ansible.builtin."), "ansible.legacy.") {
	case "command", "shell", "raw", "script":
	default:
		return nil
	}
	if strings.TrimSpace(o.args) != "" || o.listHosts {
		return nil
	}
	hint := "-a gives the command, -m another module, such as -m ping"
	if ext := filepath.Ext(pattern); ext == ".yml" || ext == ".yaml" {
		hint = "did you mean hostler play " + pattern + "?"
	}
	return hintError{optionsError{fmt.Errorf("No argument passed to %s module", o.module)}, hint}
}

// sinks are that of the screen and, with --tree, that of the files.
func (o *runOptions) sinks(s Streams) (run.Sink, error) {
	if o.tree == "" {
		return o.sink(s), nil
	}
	tree, err := report.NewTree(o.tree)
	if err != nil {
		return nil, err
	}
	return report.Tee(o.sink(s), tree), nil
}

func (o *runOptions) sink(s Streams) run.Sink {
	ro := o.reportOptions(s)
	switch {
	case o.output == "jsonl":
		return report.NewJSONLines(s.Out)
	case o.live:
		return report.NewStream(ro, o.many)
	case o.group:
		return live(s, ro, func(ro report.Options) run.Sink { return report.NewGroup(ro) })
	}
	return live(s, ro, func(ro report.Options) run.Sink { return report.NewAdHoc(ro, o.oneLine) })
}

// argsPos is where mistakes in -a are said to be.
var argsPos = diag.Pos{File: "--args"}

// adHocTask makes the task of a module and its arguments and checks both.
func adHocTask(name, text string) (*playbook.Task, error) {
	m, err := adHocModule(name)
	if err != nil {
		return nil, err
	}
	args, err := adHocArgs(m, text)
	if err != nil {
		return nil, err
	}
	var mistakes diag.List
	for _, bad := range m.Check(args) {
		mistakes = append(mistakes, &diag.Error{Pos: argsPos, Err: fmt.Errorf("%s: %s", m.Name, bad.Msg), Hint: bad.Hint})
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	task := &playbook.Task{Action: name, ActionPos: argsPos, Args: playbook.Args{Values: args, Pos: argsPos}}
	if _, ok := actions.Find(name); !ok {
		task.Module = m
	}
	return task, nil
}

// adHocModule finds a module, or an action of the run itself that makes sense alone.
func adHocModule(name string) (*modules.Module, error) {
	m, ok := catalog.Lookup()(name)
	if !ok {
		m, ok = actions.Specs(name)
	}
	if !ok {
		err := diag.Errorf(diag.Pos{File: "--module-name"}, "unknown module %q", name)
		if near := diag.Near(name, moduleNames()); near != "" {
			err = err.WithHint("did you mean %q?", near)
		}
		return nil, diag.List{err}
	}
	return m, nil
}

// adHocArgs reads -a as Ansible does.
func adHocArgs(m *modules.Module, text string) (*value.Dict, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") && !strings.HasPrefix(strings.TrimSpace(text), "{{") {
		d, _, err := document.Variables(argsPos.File, []byte(text))
		return d, err
	}
	free := m.FreeForm()
	args, rest, err := modules.SplitKV(text, free != "")
	if err != nil {
		return nil, diag.List{diag.Errorf(argsPos, "%w", err)}
	}
	out := value.NewDict()
	for k, v := range args.All() {
		out.Set(k, templated(v))
	}
	if rest == "" {
		return out, nil
	}
	if free == "" {
		return nil, diag.List{diag.Errorf(argsPos, "%s: takes key=value arguments, not %q", m.Name, rest).
			WithHint("hostler doc %s shows them", m.Name)}
	}
	out.Set(free, templated(rest))
	return out, nil
}

// templated marks text that has Jinja in it.
func templated(v any) any {
	if text, ok := v.(string); ok && document.HasTemplate(text) {
		return &value.Template{Text: text, Pos: argsPos}
	}
	return v
}
