package cmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/cmd"
	"github.com/rogpeppe/go-internal/txtar"
)

// unpackHere writes an archive's files into a fresh folder and makes it the working one, with a home of its own.
func unpackHere(t *testing.T, a *txtar.Archive) {
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
	t.Chdir(dir)
	t.Setenv("HOME", "/nowhere")
	t.Setenv("ANSIBLE_COLLECTIONS_PATH", "collections")
}

// hostler runs a command line and gives what it prints and its status.
func hostler(args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	s := cmd.Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Env: func(name string) string {
		if name == "ANSIBLE_COLLECTIONS_PATH" {
			return os.Getenv(name)
		}
		return ""
	}}
	status = cmd.Main(append([]string{"hostler"}, args...), s)
	return out.String(), errs.String(), status
}

// TestBroken holds `hostler check` to the exact findings, with places and hints, for each archive of testdata/broken. A file
// "args" holds further arguments. Run with UPDATE=1 it rewrites what is wanted.
func TestBroken(t *testing.T) {
	names, err := filepath.Glob("../testdata/broken/*.txtar")
	if err != nil || len(names) < 60 {
		t.Fatalf("%d broken playbooks, want 60 at least (%v)", len(names), err)
	}
	for i := range names {
		if names[i], err = filepath.Abs(names[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			unpackHere(t, a)
			args, want := []string{"check"}, -1
			for i, f := range a.Files {
				switch f.Name {
				case "args":
					args = append(args, strings.Fields(string(f.Data))...)
				case "want":
					want = i
				}
			}
			got, stderr, status := hostler(append(args, "site.yml")...)
			if stderr != "" {
				t.Errorf("stderr: %s", stderr)
			}
			if os.Getenv("UPDATE") != "" {
				rewrite(t, name, a, want, got)
				return
			}
			if want < 0 || strings.Contains(got, "nothing found") {
				t.Fatalf("nothing wanted, or nothing found: %q", got)
			}
			if d := cmp.Diff(string(a.Files[want].Data), got); d != "" {
				t.Errorf("findings differ (-want +got):\n%s", d)
			}
			if wantStatus := map[bool]int{true: 0, false: 4}[strings.Contains(got, "\n0 errors")]; status != wantStatus {
				t.Errorf("status %d, want %d", status, wantStatus)
			}
		})
	}
}

func rewrite(t *testing.T, name string, a *txtar.Archive, want int, got string) {
	t.Helper()
	if want < 0 {
		a.Files = append(a.Files, txtar.File{Name: "want"})
		want = len(a.Files) - 1
	}
	a.Files[want].Data = []byte(got)
	if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGood holds `hostler check` to find nothing in the playbooks that the repository holds to be right.
func TestGood(t *testing.T) {
	t.Setenv("HOME", "/nowhere")
	t.Setenv("ANSIBLE_COLLECTIONS_PATH", "../testdata/run/collections")
	for _, set := range []struct{ playbooks, inventory string }{
		{"../examples/*/*.yml", ""},
		{"../testdata/run/*.yml", "../testdata/run/hosts"},
		{"../testdata/good/*.yml", ""},
		{"../testdata/good/*.yml", "../testdata/good/hosts.ini"},
	} {
		names, err := filepath.Glob(set.playbooks)
		if err != nil || len(names) == 0 {
			t.Fatalf("no playbooks in %s: %v", set.playbooks, err)
		}
		for _, name := range names {
			args := []string{"check", name}
			if set.inventory != "" {
				args = append(args, "-i", set.inventory)
			} else if found, _ := filepath.Glob(filepath.Join(filepath.Dir(name), "inventory.ini")); found != nil {
				args = append(args, "-i", found[0])
			}
			if out, stderr, status := hostler(args...); status != 0 || out != "nothing found\n" || stderr != "" {
				t.Errorf("%s: status %d\n%s%s", strings.Join(args, " "), status, out, stderr)
			}
		}
	}
}

// mixed has an error and a warning, and a file whose name must be escaped.
const mixed = `
-- a, b.yml --
- hosts: all
  tasks:
    - copy: {dst: /tmp/x, content: 100%}
    - command: "true"
      when: "{{ x is defined }}"
`

func TestCheckJSON(t *testing.T) {
	unpackHere(t, txtar.Parse([]byte(mixed)))
	out, _, status := hostler("check", "--output", "json", "a, b.yml")
	var got struct {
		Findings []map[string]any
		Errors   int
		Warnings int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if status != 4 || got.Errors != 2 || got.Warnings != 1 || len(got.Findings) != 3 {
		t.Errorf("status %d: %s", status, out)
	}
	want := map[string]any{
		"rule": "braces", "level": "warning", "file": "a, b.yml", "line": 5.0, "column": 13.0,
		"message": "when holds template braces; a condition is an expression already", "hint": "write the expression without {{ }}",
	}
	if d := cmp.Diff(want, got.Findings[2]); d != "" {
		t.Error(d)
	}
}

func TestCheckGitHub(t *testing.T) {
	unpackHere(t, txtar.Parse([]byte(mixed)))
	out, _, _ := hostler("check", "--output", "github", "a, b.yml")
	want := `::error file=a%2C b.yml,line=3,col=7,title=hostler check%3A args::copy: missing required argument "dest"
::error file=a%2C b.yml,line=3,col=14,title=hostler check%3A args::copy: unknown argument "dst"%0Ahint: did you mean "dest"?
::warning file=a%2C b.yml,line=5,col=13,title=hostler check%3A braces::when holds template braces; a condition is an expression already%0Ahint: write the expression without {{ }}
`
	if d := cmp.Diff(want, out); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestCheckSARIF looks for what the schema of SARIF 2.1.0 requires: version and runs; tool.driver.name; of a rule its id; of a result
// its message.text, a level of the four, and a rule index that fits; of a place a URI reference and lines and columns from 1.
func TestCheckSARIF(t *testing.T) {
	unpackHere(t, txtar.Parse([]byte(mixed)))
	out, _, _ := hostler("check", "--output", "sarif", "a, b.yml")
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-2.1.0") || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name != "hostler" {
		t.Fatalf("log is %+v", log)
	}
	run := log.Runs[0]
	if len(run.Results) != 3 {
		t.Fatalf("%d results, want 3", len(run.Results))
	}
	for _, r := range run.Results {
		at := r.Locations[0].PhysicalLocation
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" || r.Level != "error" && r.Level != "warning" ||
			at.ArtifactLocation.URI != "a,%20b.yml" || at.Region.StartLine < 1 || at.Region.StartColumn < 1 {
			t.Errorf("result is %+v", r)
		}
	}
}

func TestCheckSkips(t *testing.T) {
	archive := `
-- site.yml --
- hosts: all
  tasks:
    - command: "true"
      when: "{{ x is defined }}"  # noqa: braces
    - command: "true"
      # noqa
      when: "{{ x is defined }}"
    - file: {path: /x, state: dir}
    - file: {path: /x, mode: 644}
`
	unpackHere(t, txtar.Parse([]byte(archive)))
	out, _, status := hostler("check", "--skip", "args", "site.yml")
	want := `[WARNING]: site.yml:9:30: mode: 644 is a decimal number and stands for the permissions 01204
    9 |     - file: {path: /x, mode: 644}
      |                              ^
hint: write "0644"
0 errors, 1 warning
`
	if d := cmp.Diff(want, out); d != "" || status != 0 {
		t.Errorf("status %d (-want +got):\n%s", status, d)
	}
	if _, _, status := hostler("check", "--skip", "args,mode", "--strict", "site.yml"); status != 0 {
		t.Errorf("status %d with all skipped", status)
	}
	if _, _, status := hostler("check", "--skip", "args", "--strict", "site.yml"); status != 4 {
		t.Errorf("status %d for a warning with --strict, want 4", status)
	}
	for _, name := range []string{"brace", "yaml"} {
		if _, stderr, status := hostler("check", "--skip", name, "site.yml"); status != 2 || !strings.Contains(stderr, "--skip") {
			t.Errorf("--skip %s: status %d, %s", name, status, stderr)
		}
	}
}

// TestCheckList holds the guide's table of rules to be complete.
func TestCheckList(t *testing.T) {
	guide, err := os.ReadFile("../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	out, _, _ := hostler("check", "--list")
	for line := range strings.Lines(out) {
		name, _, _ := strings.Cut(line, " ")
		if name != "*" && strings.TrimSpace(name) != "" && !bytes.Contains(guide, []byte("| `"+name+"` |")) {
			t.Errorf("the guide does not tell of the rule %s", name)
		}
	}
}
