package command

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed command.go
var commandSource string

// Command is the module command.
var Command = modules.Define("command", commandSource, runCommand,
	modules.Aliases("ansible.builtin.command", "ansible.legacy.command"), modules.FreeForm("cmd"), modules.Detaches())

// Args runs a program on the host, without a shell: variables such as $HOME in the arguments are replaced, but
// pipes, redirections and wildcards are not special. Use shell for those.
//
//	# Define a domain unless it is there.
//	- command: virsh define /srv/web.xml creates=/etc/libvirt/qemu/web.xml
//
//	# An argument with blanks.
//	- command:
//	    argv: [virsh, desc, web, "the web server"]
type Args struct {
	// The program and its arguments as one text, split as a shell splits words. It may also stand right after the module's name.
	Cmd string `arg:"cmd,alias=_raw_params"`
	// The program and its arguments as a list.
	Argv []string `arg:"argv"`
	Options
	// Replace $NAME, ${NAME}, ~ and ~user in the arguments.
	ExpandArgumentVars bool `arg:"expand_argument_vars" default:"true"`
	// Not used: command runs no shell. Warned of, as Ansible does.
	Executable string `arg:"executable"`
}

// Options are the arguments that command and shell share.
type Options struct {
	// Folder to run in.
	Chdir modules.Path `arg:"chdir"`
	// A path or wildcard pattern; when something is there, the program does not run.
	Creates modules.Path `arg:"creates"`
	// A path or wildcard pattern; when nothing is there, the program does not run. Looked at after creates.
	Removes modules.Path `arg:"removes"`
	// A shell command that only looks; when it succeeds, the program does not run. Looked at in check mode as well.
	Unless string `arg:"unless"`
	// A shell command that only looks; when it fails, the program does not run. Looked at in check mode as well.
	OnlyIf string `arg:"onlyif"`
	// Text for the program's standard input.
	Stdin *string `arg:"stdin"`
	// Add a newline to stdin.
	StdinAddNewline bool `arg:"stdin_add_newline" default:"true"`
	// Leave out empty lines at the end of stdout and stderr.
	StripEmptyEnds bool `arg:"strip_empty_ends" default:"true"`
	// Accepted for old playbooks; does nothing.
	Warn *bool `arg:"warn"`
}

// Result is what command and shell return.
type Result struct {
	// Whether the program ran.
	Changed bool `json:"changed"`
	// The program: a list for command, text for shell.
	Cmd any `json:"cmd"`
	// The exit status.
	Rc *int `json:"rc"`
	// When it started, by the controller's clock.
	Start *string `json:"start"`
	// When it ended.
	End *string `json:"end"`
	// How long it took.
	Delta *string `json:"delta"`
	// What it printed; bytes that are no UTF-8 are replaced.
	Stdout string `json:"stdout"`
	// What it printed to standard error.
	Stderr string `json:"stderr"`
	// Why it failed or did not run.
	Msg string `json:"msg"`
	// Set in check mode, when there is no condition that could tell whether the program would run.
	Skipped bool `json:"skipped,omitempty"`
}

func runCommand(ctx context.Context, h *modules.Host, args Args) (Result, error) {
	if args.Executable != "" {
		h.Warn("As of Ansible 2.4, the parameter 'executable' is no longer supported with the 'command' module. Not using '%s'.", args.Executable)
	}
	given := strings.TrimSpace(args.Cmd) != ""
	switch {
	case given && len(args.Argv) > 0:
		return refused("only command or argv can be given, not both")
	case !given && len(args.Argv) == 0:
		return refused("no command given")
	}
	argv := args.Argv
	if given {
		words, err := modules.SplitWords(args.Cmd)
		if err != nil {
			return Result{}, fmt.Errorf("split the command %q: %w", args.Cmd, err)
		}
		if len(words) == 0 {
			return refused("no command given")
		}
		argv = words
	}
	p := args.program(argv)
	p.Expand = args.ExpandArgumentVars
	return args.run(ctx, h, p, argv)
}

func refused(msg string) (Result, error) {
	rc := 256
	return Result{Rc: &rc}, errors.New(msg)
}

// program makes the program of the shared arguments.
func (o Options) program(argv []string) modules.Program {
	p := modules.Program{
		Argv: argv, Chdir: string(o.Chdir), Creates: string(o.Creates), Removes: string(o.Removes), Unless: o.Unless, OnlyIf: o.OnlyIf,
	}
	if o.Stdin != nil {
		p.Stdin = []byte(*o.Stdin)
		if o.StdinAddNewline {
			p.Stdin = append(p.Stdin, '\n')
		}
	}
	return p
}

// run runs the program and words what came of it as Ansible does.
func (o Options) run(ctx context.Context, h *modules.Host, p modules.Program, shown any) (Result, error) {
	ran, err := h.RunUser(ctx, p)
	if err != nil {
		return Result{Cmd: shown}, err
	}
	res := Result{Cmd: shown}
	switch {
	case ran.Chdir:
		return res, fmt.Errorf("Unable to change directory before execution: %s", errnoText(ran))
	case ran.Errno != 0:
		res.Rc = &ran.Errno
		if line, err := shell.Join(p.Argv...); err == nil {
			res.Cmd = line
		}
		return res, errors.New(errnoText(ran))
	case ran.Skip != "":
		o.skipped(&res, h, ran.Skip)
		return res, nil
	}
	start, end, delta := ran.Times()
	res.Changed, res.Rc, res.Start, res.End, res.Delta = true, &ran.Status, &start, &end, &delta
	res.Stdout, res.Stderr = modules.Clean(ran.Stdout), modules.Clean(ran.Stderr)
	if o.StripEmptyEnds {
		res.Stdout, res.Stderr = strings.TrimRight(res.Stdout, "\r\n"), strings.TrimRight(res.Stderr, "\r\n")
	}
	if ran.Status != 0 {
		return res, errors.New("non-zero return code")
	}
	return res, nil
}

// skipped words why a program did not run.
func (o Options) skipped(res *Result, h *modules.Host, why string) {
	rc := 0
	res.Rc = &rc
	not := "Did not run"
	if h.Planning() {
		not = "Would not run"
	}
	switch why {
	case "check":
		res.Msg = "Command would have run if not in check mode"
		res.Skipped = o.Creates == "" && o.Removes == "" && o.Unless == "" && o.OnlyIf == ""
		res.Changed = !res.Skipped
	case "creates":
		res.Msg = fmt.Sprintf("%s command since '%s' exists", not, o.Creates)
		res.Stdout = fmt.Sprintf("skipped, since %s exists", o.Creates)
	case "removes":
		res.Msg = fmt.Sprintf("%s command since '%s' does not exist", not, o.Removes)
		res.Stdout = fmt.Sprintf("skipped, since %s does not exist", o.Removes)
	case "unless":
		res.Msg = fmt.Sprintf("%s command since '%s' succeeds", not, o.Unless)
		res.Stdout = fmt.Sprintf("skipped, since %s succeeds", o.Unless)
	case "onlyif":
		res.Msg = fmt.Sprintf("%s command since '%s' fails", not, o.OnlyIf)
		res.Stdout = fmt.Sprintf("skipped, since %s fails", o.OnlyIf)
	}
}

// errnoText is how Python prints the error.
func errnoText(ran modules.Ran) string {
	texts := map[int]string{2: "No such file or directory", 13: "Permission denied", 20: "Not a directory"}
	return fmt.Sprintf("[Errno %d] %s: b'%s'", ran.Errno, texts[ran.Errno], ran.Path)
}
