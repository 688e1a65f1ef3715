package filters_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// names is a Scope of a dict; it counts how often it is told that a value is volatile.
type names struct {
	*value.Dict
	volatile int
}

func (n *names) Lookup(_ context.Context, name string) (any, bool, error) {
	v, ok := n.Get(name)
	return v, ok, nil
}

func (n *names) Volatile() { n.volatile++ }

func (n *names) Names() []string {
	var out []string
	for _, k := range n.Keys() {
		out = append(out, k.(string))
	}
	return out
}

func newEnv() *jinja.Env {
	env := jinja.New(jinja.Options{TrimBlocks: true, NoneEmpty: true, RawStrings: true})
	filters.Register(env, filters.Options{})
	return env
}

// TestAnswers holds filters and tests to what ansible-core 2.14 answered; the integration ring records the answers and asks
// many more.
func TestAnswers(t *testing.T) {
	text, err := os.ReadFile("testdata/vars.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := value.DecodeJSON(string(text))
	if err != nil {
		t.Fatal(err)
	}
	answers, err := os.ReadFile("testdata/answers.tsv")
	if err != nil {
		t.Fatal(err)
	}
	env, scope := newEnv(), &names{Dict: doc.(*value.Dict)}
	asked := 0
	for line := range strings.Lines(string(answers)) {
		x, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		asked++
		got := "error"
		if v, err := evaluate(t, env, scope, x); err == nil {
			got = typed(t, v)
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", x, got, want)
		}
	}
	if asked < 500 {
		t.Errorf("only %d answers were there", asked)
	}
}

func evaluate(t *testing.T, env *jinja.Env, scope jinja.Scope, text string) (any, error) {
	t.Helper()
	x, err := env.ExpressionAt(diag.Pos{}, text)
	if err != nil {
		return nil, err
	}
	return x.Value(t.Context(), scope)
}

// typed writes a value with its types, as the answers are written.
func typed(t *testing.T, v any) string {
	t.Helper()
	items := func(list []any) string {
		parts := make([]string, len(list))
		for i, item := range list {
			parts[i] = typed(t, item)
		}
		return strings.Join(parts, ",")
	}
	text, err := value.Str(v)
	if err != nil {
		t.Fatal(err)
	}
	switch x := v.(type) {
	case nil:
		return "none"
	case bool:
		return fmt.Sprintf("b:%t", x)
	case float64:
		return "f:" + text
	case string:
		s, err := value.EncodeJSON(x, value.JSONOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return "s:" + s
	case *value.List:
		return "[" + items(x.Items) + "]"
	case value.Tuple:
		return "(" + items(x) + ")"
	case *value.Dict:
		var parts []string
		for k, item := range x.All() {
			parts = append(parts, typed(t, k)+"="+typed(t, item))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	if value.TypeName(v) == "int" {
		return "i:" + text
	}
	return value.TypeName(v) + ":" + text
}

func TestQualifiedNames(t *testing.T) {
	env := newEnv()
	for _, name := range []string{
		"combine", "ansible.builtin.combine", "ipaddr", "ansible.utils.ipaddr", "ansible.netcommon.ipaddr",
		"json_query", "community.general.json_query",
	} {
		if !env.HasFilter(name) {
			t.Errorf("there is no filter %s", name)
		}
	}
	if !env.HasTest("version") || !env.HasTest("ansible.builtin.version") || !env.HasGlobal("lookup") || !env.HasGlobal("q") {
		t.Error("a test or global is missing")
	}
}

func TestLookups(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"files/a.txt": "hello \n", "templates/t.j2": "#jinja2: variable_start_string: '[[', variable_end_string: ']]'\n[[ n ]] {{ n }}\n{% include 'part' %}!\n",
		"templates/part": "part\n", "files/ansible.ini": "[global]\nuser=root\n", "files/ansible.csv": "k\tv\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOSTLER_TEST", "set")
	env := newEnv()
	scope := &names{Dict: value.NewDict("playbook_dir", dir, "ansible_search_path", value.NewList(dir), "n", 7)}
	for x, want := range map[string]string{
		`lookup("file", "a.txt")`: `s:"hello"`, `query("file", "a.txt")`: `[s:"hello"]`, `lookup("file", "no", errors="ignore")`: "none",
		`lookup("template", "t.j2")`: `s:"7 {{ n }}\npart!\n"`, `lookup("ini", "user")`: `s:"root"`, `lookup("csvfile", "k")`: `s:"v"`,
		`lookup("env", "HOSTLER_TEST")`: `s:"set"`, `lookup("pipe", "pwd") == playbook_dir`: "b:true", `q("lines", "echo a; echo b")`: `[s:"a",s:"b"]`,
		`lookup("vars", "n")`: "i:7", `q("varnames", "^n$")`: `[s:"n"]`, `q("sequence", "end=2 format=h%02d")`: `[s:"h01",s:"h02"]`,
		`q("first_found", ["none", "a.txt"]) | map("basename") | list`: `[s:"a.txt"]`, `q("fileglob", "*.txt") | map("basename") | list`: `[s:"a.txt"]`,
		`q("nested", [1, 2], ["a"])`: `[[i:1,s:"a"],[i:2,s:"a"]]`, `lookup("password", "pw/x length=8 seed=1") | length`: "i:8",
	} {
		v, err := evaluate(t, env, scope, x)
		if err != nil {
			t.Errorf("%s: %v", x, err)
			continue
		}
		if got := typed(t, v); got != want {
			t.Errorf("%s gives %s, want %s", x, got, want)
		}
	}
	if scope.volatile == 0 {
		t.Error("lookups did not tell that they are volatile")
	}
	st, err := os.Stat(filepath.Join(dir, "pw/x"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the password file: %v %v", st, err)
	}
	for _, bad := range []string{`lookup("file", "no")`, `lookup("fil", "a")`, `lookup("pipe", "exit 3")`, `lookup("vars", "none")`, `lookup("file", "a.txt", foo=1)`} {
		if v, err := evaluate(t, env, scope, bad); err == nil {
			t.Errorf("%s gives %v, not an error", bad, v)
		}
	}
}

// TestTwister holds the generator to Python's random.
func TestTwister(t *testing.T) {
	env, scope := newEnv(), &names{Dict: value.NewDict()}
	for x, want := range map[string]string{
		`100|random(seed="x")`: "i:80", `100|random(seed=42)`: "i:81", `1000000000000|random(seed=3)`: "i:649562111997",
	} {
		v, err := evaluate(t, env, scope, x)
		if err != nil {
			t.Fatal(err)
		}
		if got := typed(t, v); got != want {
			t.Errorf("%s gives %s, want %s", x, got, want)
		}
	}
	if scope.volatile != 0 {
		t.Error("a seeded choice is not volatile")
	}
}
