//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

var record = flag.Bool("record", false, "write ansible-core's answers to ../filters/testdata/answers.tsv, for the unit tests")

// TestFiltersAreAnsibles asks ansible-core's templar and ours the same expressions, in native mode and as
// ansible-core 2.14 does without.
func TestFiltersAreAnsibles(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		expressions := filterExpressions(t, legacy)
		t.Run(fmt.Sprintf("legacy=%t", legacy), func(t *testing.T) {
			answers := askBoth(t, expressions, legacy)
			if *record && !legacy {
				recordAnswers(t, expressions, answers)
			}
		})
	}
}

// askBoth compares the answers of both and gives those of ansible-core.
func askBoth(t *testing.T, expressions []string, legacy bool) []answer {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(servePages))
	defer server.Close()
	theirDir, ourDir := filterFiles(t), filterFiles(t)
	theirs := templarAnswers(t, filterVarsText(t, theirDir, server.URL), theirDir, expressions, legacy)
	engine := filterEngine(legacy)
	for i, x := range expressions {
		text := "{{ [ " + x + " ] }}"
		if legacy {
			text = "{{ " + x + " }}"
		}
		scope := engine.Scope(vars.Layer{Level: vars.Extra, Vars: filterVars(t, ourDir, server.URL)})
		v, err := scope.Render(t.Context(), &value.Template{Text: text})
		want, got := theirs[i], answer{}
		if strings.Contains(want.E, "Could not load \"") {
			continue // newer than ansible-core 2.14
		}
		if err != nil {
			got.E = err.Error()
		} else if list, ok := v.(*value.List); ok && !legacy {
			got.V = typed(t, list.Items[0])
		} else {
			got.V = typed(t, v)
		}
		want.V = strings.ReplaceAll(want.V, theirDir, "DIR")
		got.V = strings.ReplaceAll(got.V, ourDir, "DIR")
		if got.V != want.V || (got.E == "") != (want.E == "") {
			t.Errorf("%s\n  got %s %s\n want %s %s", x, got.V, got.E, want.V, want.E)
		}
	}
	return theirs
}

// servePages answers the lookup url.
func servePages(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/lines":
		fmt.Fprint(w, "one\ntwo\n\nZürich\n")
	case "/header":
		user, password, _ := r.BasicAuth()
		fmt.Fprint(w, r.Header.Get("X-Test"), user, password)
	case "/empty":
	default:
		http.NotFound(w, r)
	}
}

// recordAnswers writes the answers that are the same on any machine.
func recordAnswers(t *testing.T, expressions []string, answers []answer) {
	t.Helper()
	var out strings.Builder
	for i, x := range expressions {
		local := slices.ContainsFunc([]string{"lookup", "query(", "q(", "playbook_dir", "HOME", "~", "strftime", "timestamp", "/etc", "/proc", `"/"`, "relpath", "link", "community", "random("},
			func(word string) bool { return strings.Contains(x, word) })
		if local || strings.Contains(x, "ansible.utils") && i%5 != 0 {
			continue
		}
		text := answers[i].V
		if text == "" {
			text = "error"
		}
		fmt.Fprintf(&out, "%s\t%s\n", x, text)
	}
	if err := os.WriteFile("../filters/testdata/answers.tsv", []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// filterEngine is an engine as the commands have it.
func filterEngine(legacy bool) *vars.Engine {
	env := jinja.New(jinja.Options{TrimBlocks: true, NoneEmpty: true, RawStrings: true})
	filters.Register(env, filters.Options{Hosts: func(patterns []string) ([]string, error) {
		if strings.Join(patterns, ",") == "all" {
			return []string{"h1", "h2"}, nil
		}
		return []string{"h1"}, nil
	}})
	return &vars.Engine{Env: env, Legacy: legacy}
}

// filterExpressions reads testdata/filters/*.txt: an expression a line, # begins a comment, and ! a line that is asked without
// native types only: where the Jinja of ansible-core 2.14's native mode does something that nobody wants.
func filterExpressions(t *testing.T, legacy bool) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/filters/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no expressions: ", err)
	}
	var out []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line, onlyLegacy := strings.CutPrefix(strings.TrimSpace(line), "!")
			if onlyLegacy && !legacy {
				continue
			}
			if line != "" && !strings.HasPrefix(line, "#") {
				out = append(out, line)
			}
		}
	}
	return out
}

// filterFiles makes the folder that lookups search.
func filterFiles(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	src := os.DirFS("testdata/filters/files")
	if err := os.CopyFS(dir, src); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("files/a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func filterVars(t *testing.T, dir, url string) *value.Dict {
	t.Helper()
	v, err := value.DecodeJSON(filterVarsText(t, dir, url))
	if err != nil {
		t.Fatal(err)
	}
	return v.(*value.Dict)
}

func filterVarsText(t *testing.T, dir, url string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/filters/vars.json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("DIR", dir, "URL", url).Replace(string(text))
}

// answer is a value with its types, or an error.
type answer struct{ V, E string }

func templarAnswers(t *testing.T, vars, dir string, expressions []string, legacy bool) []answer {
	t.Helper()
	request, err := json.Marshal(map[string]any{
		"dir": dir, "vars": json.RawMessage(vars), "expressions": expressions,
	})
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/filters/templar.py")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "/usr/bin/python3", script)
	c.Stdin = bytes.NewReader(request)
	c.Env = append(os.Environ(), "ANSIBLE_JINJA2_NATIVE="+map[bool]string{true: "0", false: "1"}[legacy], "PYTHONHASHSEED=0")
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("ansible's templar: %v\n%s", err, errs.String())
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// typed writes a value with its types, as templar.py does.
func typed(t *testing.T, v any) string {
	t.Helper()
	switch x := v.(type) {
	case nil:
		return "none"
	case bool:
		return fmt.Sprintf("b:%t", x)
	case float64:
		return "f:" + value.FormatFloat(x)
	case string:
		s, err := value.EncodeJSON(x, value.JSONOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return "s:" + s
	case value.Bytes:
		s, err := value.Repr(x)
		if err != nil {
			t.Fatal(err)
		}
		return "bytes:" + s
	case *value.List:
		return "[" + typedItems(t, x.Items) + "]"
	case value.Tuple:
		return "(" + typedItems(t, x) + ")"
	case *value.Dict:
		parts := make([]string, 0, x.Len())
		for k, item := range x.All() {
			parts = append(parts, typed(t, k)+"="+typed(t, item))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	s, err := value.Str(v)
	if err != nil {
		t.Fatal(err)
	}
	if value.TypeName(v) == "int" {
		return "i:" + s
	}
	return value.TypeName(v) + ":" + s
}

func typedItems(t *testing.T, items []any) string {
	t.Helper()
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = typed(t, item)
	}
	return strings.Join(parts, ",")
}
