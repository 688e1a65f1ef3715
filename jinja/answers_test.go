//go:build integration

package jinja_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestAnswers asks Debian's python3-jinja2 whether the answers in testdata/templates are its own, and that it
// refuses what must be an error. JINJA_UPDATE=1 writes its answers there.
func TestAnswers(t *testing.T) {
	installPython(t)
	cases := templateCases(t)
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/answers.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []*string
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	byName := map[string]string{}
	for i, c := range cases {
		switch {
		case answers[i] == nil && c.fail == "":
			t.Errorf("%s: Python gives an error", c.name)
		case answers[i] == nil:
		case c.fail != "":
			t.Errorf("%s: Python gives %q", c.name, *answers[i])
		case updating():
			byName[c.name] = *answers[i]
		case *answers[i] != c.want:
			t.Errorf("%s: want has %q\nPython gives %q", c.name, c.want, *answers[i])
		}
	}
	if updating() {
		writeAnswers(t, byName)
	}
}

// writeAnswers puts answers into the archives: JINJA_UPDATE=1 with the integration tests.
func writeAnswers(t *testing.T, answers map[string]string) {
	t.Helper()
	paths, _ := filepath.Glob("testdata/templates/*.txtar")
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range a.Files {
			name, part, _ := strings.Cut(f.Name, "/")
			if answer, ok := answers[strings.TrimSuffix(filepath.Base(path), ".txtar")+"/"+name]; ok && part == "want" {
				text, err := json.Marshal(answer)
				if err != nil {
					t.Fatal(err)
				}
				a.Files[i].Data = append(text, '\n')
			}
		}
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
