package command

import (
	"context"
	_ "embed"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed shell.go
var shellSource string

// Shell is the module shell.
var Shell = modules.Define("shell", shellSource+commandSource, runShell,
	modules.Aliases("ansible.builtin.shell", "ansible.legacy.shell"), modules.FreeForm("cmd"), modules.Detaches())

// ShellArgs runs text by a shell on the host. Values of variables belong into it through the filter quote only.
//
//	# How many domains run?
//	- shell: virsh list --name | grep -c .
//	  register: count
//	  changed_when: false
type ShellArgs struct {
	// The text for the shell. It may also stand right after the module's name.
	Cmd string `arg:"cmd,alias=_raw_params"`
	Options
	// The shell; it is called with -c and the text.
	Executable string `arg:"executable" default:"/bin/sh"`
}

func runShell(ctx context.Context, h *modules.Host, args ShellArgs) (Result, error) {
	if strings.TrimSpace(args.Cmd) == "" {
		return refused("no command given")
	}
	executable := args.Executable
	if executable == "" {
		executable = "/bin/sh"
	}
	return args.run(ctx, h, args.program([]string{executable, "-c", args.Cmd}), args.Cmd)
}
