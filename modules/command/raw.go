package command

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed raw.go
var rawSource string

// Raw is the module raw.
var Raw = modules.Define("raw", rawSource, runRaw,
	modules.Aliases("ansible.builtin.raw", "ansible.legacy.raw"), modules.FreeForm("_raw_params"))

// RawArgs hands text to the user's login shell as it is, and nothing else. It needs no POSIX shell on
// the other side, so it works for switches and storage boxes. The task's environment is not applied.
//
//	# Ask the switch.
//	- raw: show version
type RawArgs struct {
	// The text for the login shell, which stands right after the module's name.
	Text string `arg:"_raw_params,alias=cmd" required:"true"`
	// A shell to run the text by, called with -c.
	Executable string `arg:"executable"`
}

// RawResult is what raw and script return.
type RawResult struct {
	// Whether it ran.
	Changed bool `json:"changed"`
	// The exit status.
	Rc *int `json:"rc,omitempty"`
	// What it printed; bytes that are no UTF-8 are replaced.
	Stdout *string `json:"stdout,omitempty"`
	// What it printed to standard error.
	Stderr *string `json:"stderr,omitempty"`
	// Why it failed or did not run.
	Msg string `json:"msg,omitempty"`
	// Whether it did not run: in check mode, or by creates and removes.
	Skipped bool `json:"skipped,omitempty"`
}

func runRaw(ctx context.Context, h *modules.Host, args RawArgs) (RawResult, error) {
	text := args.Text
	if args.Executable != "" {
		quoted, err := shell.Quote(text)
		if err != nil {
			return RawResult{}, fmt.Errorf("hand the text to %s: %w", args.Executable, err)
		}
		text = args.Executable + " -c " + quoted
	}
	ran, err := h.RunUser(ctx, modules.Program{Raw: text})
	if err != nil {
		return RawResult{}, err
	}
	return ended(ran)
}

// ended is the result of a program that ran, or that was left out in check mode.
func ended(ran modules.Ran) (RawResult, error) {
	if ran.Skip != "" {
		return RawResult{Skipped: true}, nil
	}
	stdout, stderr := modules.Clean(ran.Stdout), modules.Clean(ran.Stderr)
	res := RawResult{Changed: true, Rc: &ran.Status, Stdout: &stdout, Stderr: &stderr}
	if ran.Status != 0 {
		return res, errors.New("non-zero return code")
	}
	return res, nil
}
