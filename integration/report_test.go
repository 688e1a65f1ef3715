//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/report"
	"github.com/hostlerhq/hostler/run"
)

// TestDiffAsDifflib compares our unified diffs with those of Python, on texts with many equal lines.
func TestDiffAsDifflib(t *testing.T) {
	const program = `
import difflib, json, sys
out = []
for a, b in json.load(sys.stdin):
    out.append("".join(difflib.unified_diff(a.splitlines(True), b.splitlines(True), fromfile="before", tofile="after")))
json.dump(out, sys.stdout)
`
	r := rand.New(rand.NewPCG(7, 7))
	var pairs [][2]string
	for range 400 {
		pairs = append(pairs, [2]string{randomText(r), randomText(r)})
	}
	in, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", program)
	cmd.Stdin = bytes.NewReader(in)
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for i, p := range pairs {
		var out bytes.Buffer
		s := report.NewText(report.Options{Out: &out, Err: &out})
		info := &run.TaskInfo{ID: 1, Name: "t", Action: "copy"}
		s.Emit(context.WithoutCancel(t.Context()), run.TaskStarted{Task: info})
		out.Reset()
		s.Emit(t.Context(), run.HostFinished{Outcome: run.Outcome{
			Host: "h", Task: info, Status: run.StatusChanged, Result: value.NewDict("changed", true),
			Diffs: []modules.Diff{{Before: p[0], After: p[1]}},
		}})
		got := strings.TrimSuffix(out.String(), "changed: [h]\n")
		if want[i] != "" {
			want[i] += "\n"
		}
		if got != want[i] {
			t.Fatalf("case %d:\n%s\nwant:\n%s", i, got, want[i])
		}
	}
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	n := r.IntN(30)
	if r.IntN(10) == 0 {
		n = 200 + r.IntN(50)
	}
	for range n {
		fmt.Fprintf(&b, "%s\n", []string{"a", "b", "c", "", "}", fmt.Sprint(r.IntN(100))}[r.IntN(6)])
	}
	return b.String()
}
