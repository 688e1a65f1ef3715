package moduletest_test

import (
	"context"
	"testing"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

type folderArgs struct {
	Path string `arg:"path" required:"true"`
	Note string `arg:"note"`
}

type folderResult struct {
	Path  string `json:"path"`
	State string `json:"state"`
}

var folder = modules.Define("folder", "", func(ctx context.Context, h *modules.Host, a folderArgs) (folderResult, error) {
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[string]{
		Probe: `[ -d "$1" ] && say state directory || say state absent`,
		Args:  []string{a.Path},
		Parse: func(r *modules.Report) (string, error) { return r.Text("state"), nil },
		Plan: func(state string) ([]modules.Action, error) {
			if state == "directory" {
				return nil, nil
			}
			return []modules.Action{{Why: "create folder " + a.Path, Argv: []string{"mkdir", "--", a.Path}}}, nil
		},
		Want: func(string) string { return "directory" },
	})
	res := folderResult{a.Path, after}
	if err != nil || a.Note == "" {
		return res, err
	}
	return res, h.WriteFile(ctx, "write the note", a.Path+"/note", []byte(a.Note+"\n"), modules.FileOptions{New: true})
}, modules.Converges())

func TestRun(t *testing.T) { moduletest.Run(t, folder, "testdata/folder/*.txtar") }
