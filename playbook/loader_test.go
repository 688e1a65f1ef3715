package playbook_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
)

// The modules that the tests' playbooks use, with a few arguments each.
type (
	copyArgs struct {
		// Src is what to copy.
		Src string `arg:"src"`
		// Dest is where to.
		Dest string `arg:"dest" required:"true"`
		// Mode of the file.
		Mode string `arg:"mode"`
		// Force a copy.
		Force bool `arg:"force"`
	}
	commandArgs struct {
		// Cmd is the command.
		Cmd string `arg:"cmd"`
		// Chdir is the folder to run it in.
		Chdir string `arg:"chdir"`
		// Creates is a file that makes the command unnecessary.
		Creates string `arg:"creates"`
	}
	debugArgs struct {
		// Msg is what to say.
		Msg any `arg:"msg"`
		// Var is what to show.
		Var string `arg:"var"`
	}
	noResult struct{}
)

func nothing[A any](context.Context, *modules.Host, A) (noResult, error) { return noResult{}, nil }

// testLoader knows copy, command, shell, debug, service and file.
func testLoader() *playbook.Loader {
	known := map[string]*modules.Module{
		"copy":    modules.Define("copy", "", nothing[copyArgs]),
		"command": modules.Define("command", "", nothing[commandArgs], modules.FreeForm("cmd")),
		"shell":   modules.Define("shell", "", nothing[commandArgs], modules.FreeForm("cmd")),
	}
	actions := map[string]*modules.Module{"debug": modules.Declare[debugArgs]("debug", "")}
	find := func(from map[string]*modules.Module) modules.Lookup {
		return func(name string) (*modules.Module, bool) { m, ok := from[name]; return m, ok }
	}
	return &playbook.Loader{
		Modules: find(known), Actions: find(actions),
		Names: []string{"command", "copy", "debug", "shell"},
	}
}

// unpack writes a txtar's files into a fresh folder and gives it.
func unpack(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range a.Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// report writes mistakes and warnings as the tests compare them, places relative to dir.
func report(dir string, list diag.List) string {
	var b strings.Builder
	for _, e := range list {
		if e.Severity == diag.Warning {
			b.WriteString("[WARNING]: ")
		}
		b.WriteString(strings.ReplaceAll(e.Error(), dir+"/", "") + "\n")
		if e.Hint != "" {
			b.WriteString("  hint: " + strings.ReplaceAll(e.Hint, dir+"/", "") + "\n")
		}
	}
	return b.String()
}

func TestLoadMissingFile(t *testing.T) {
	_, _, err := testLoader().Load(filepath.Join(t.TempDir(), "none.yml"))
	if !errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error is %v", err)
	}
}
