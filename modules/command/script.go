package command

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed script.go
var scriptSource string

// Script is the module script.
var Script = modules.Define("script", scriptSource+rawSource, runScript,
	modules.Aliases("ansible.builtin.script", "ansible.legacy.script"), modules.FreeForm("cmd"), modules.Detaches())

// ScriptArgs takes a script of the controller to the host, runs it there by what its first line names, and removes it again, all
// in one round trip.
//
//	# Prepare the storage, once.
//	- script: prepare.sh --vg "{{ vg }}" creates=/dev/{{ vg }}
type ScriptArgs struct {
	// The script's file and its arguments as the host's shell shall read them. It may also stand right after the module's
	// name. A relative file is looked for in files/ of the role or the playbook.
	Cmd string `arg:"cmd,alias=_raw_params" required:"true"`
	// Folder to run in, absolute.
	Chdir modules.Path `arg:"chdir"`
	// A path; when it is there, the script does not run.
	Creates modules.Path `arg:"creates"`
	// A path; when it is not there, the script does not run.
	Removes modules.Path `arg:"removes"`
	// A shell command that only looks; when it succeeds, the script does not run. Looked at in check mode as well.
	Unless string `arg:"unless"`
	// A shell command that only looks; when it fails, the script does not run. Looked at in check mode as well.
	OnlyIf string `arg:"onlyif"`
	// What runs the script, in place of its first line.
	Executable string `arg:"executable"`
	// Open a vaulted script; it always is.
	Decrypt bool `arg:"decrypt" default:"true"`
}

func runScript(ctx context.Context, h *modules.Host, args ScriptArgs) (RawResult, error) {
	if args.Chdir != "" && !strings.HasPrefix(string(args.Chdir), "/") {
		return RawResult{}, fmt.Errorf("chdir %s must be an absolute path for a Unix-aware remote node", args.Chdir)
	}
	name, rest, err := firstWord(args.Cmd)
	if err != nil {
		return RawResult{}, fmt.Errorf("split %q: %w", args.Cmd, err)
	}
	if name == "" {
		return RawResult{}, fmt.Errorf("no script given")
	}
	text, err := readScript(h, name)
	if err != nil {
		return RawResult{}, err
	}
	line := strings.TrimSpace(args.Executable + ` "$0"` + rest)
	ran, err := h.RunUser(ctx, modules.Program{
		Argv: []string{"/bin/sh", "-c", line}, Upload: text, FileName: path.Base(name),
		Chdir: string(args.Chdir), Creates: string(args.Creates), Removes: string(args.Removes), Unless: args.Unless, OnlyIf: args.OnlyIf,
	})
	if err != nil {
		return RawResult{}, err
	}
	switch {
	case ran.Errno != 0:
		return RawResult{}, fmt.Errorf("run the script: %s", errnoText(ran))
	case ran.Skip == "creates":
		return RawResult{Skipped: true, Msg: fmt.Sprintf("%s exists, matching creates option", args.Creates)}, nil
	case ran.Skip == "removes":
		return RawResult{Skipped: true, Msg: fmt.Sprintf("%s does not exist, matching removes option", args.Removes)}, nil
	case ran.Skip == "unless":
		return RawResult{Skipped: true, Msg: fmt.Sprintf("%s succeeds, matching unless option", args.Unless)}, nil
	case ran.Skip == "onlyif":
		return RawResult{Skipped: true, Msg: fmt.Sprintf("%s fails, matching onlyif option", args.OnlyIf)}, nil
	case ran.Skip == "check" && string(args.Creates)+string(args.Removes)+args.Unless+args.OnlyIf != "":
		return RawResult{Changed: true}, nil
	case ran.Skip != "":
		return RawResult{Skipped: true, Msg: "Check mode is not supported for this task."}, nil
	}
	return ended(ran)
}

// firstWord takes the script's file off the text; rest begins with the blank after it.
func firstWord(text string) (word, rest string, err error) {
	text = strings.TrimSpace(text)
	for i := 1; i <= len(text); i++ {
		if i < len(text) && !strings.ContainsRune(" \t\n", rune(text[i])) {
			continue
		}
		words, err := modules.SplitWords(text[:i])
		if err == nil && len(words) == 1 {
			return words[0], text[i:], nil
		}
	}
	_, err = modules.SplitWords(text)
	return "", "", err
}

func readScript(h *modules.Host, name string) ([]byte, error) {
	if h.Ended() {
		return []byte{}, nil
	}
	file, err := h.Local().Find("files", name)
	if err != nil {
		return nil, err
	}
	r, err := h.Local().Open(file)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}
