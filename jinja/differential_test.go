//go:build integration

package jinja_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// python is Debian's own, for which apt installs python3-jinja2.
const python = "/usr/bin/python3"

// TestAgainstPython gives random expressions and templates to this engine and to Debian's
// python3-jinja2; both must give the same text or value, or both an error. JINJA_SEED repeats a run.
func TestAgainstPython(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("JINJA_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	count := 4000
	if s := os.Getenv("JINJA_COUNT"); s != "" {
		count, _ = strconv.Atoi(s)
	}
	t.Logf("JINJA_SEED=%d", seed)
	o := startOracle(t)
	g := newGenerator(rand.New(rand.NewPCG(seed, 1)))
	envs := map[string]*jinja.Env{
		"r": jinja.New(jinja.Options{KeepTrailingNewline: true}),
		"w": jinja.New(jinja.Options{KeepTrailingNewline: true, TrimBlocks: true, LstripBlocks: true}),
		"l": jinja.New(jinja.Options{KeepTrailingNewline: true, Literals: true}),
	}
	envs["n"] = envs["r"]
	wrong := 0
	ask := func(kind, tpl string) {
		want, wantErr := o.ask(kind, tpl)
		if wantErr == "timeout" {
			return // Python knows no bounds
		}
		got, err := ours(t, envs[kind], kind, tpl, o.scope)
		if (err != nil) != (wantErr != "") || err == nil && got != want {
			wrong++
			if wrong <= 60 {
				t.Errorf("%s %s\n got %q, %v\nwant %q %s", kind, tpl, got, err, want, wantErr)
			}
		}
	}
	rounds := 20
	if s := os.Getenv("JINJA_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	for range rounds {
		for _, p := range g.patterns {
			ask("n", g.fill(p, 1))
		}
	}
	for i := range count {
		switch i % 4 {
		case 0, 1:
			ask("n", g.expr("any", 3))
		case 2:
			ask([]string{"r", "w"}[i/4%2], g.template(2))
		case 3:
			ask("l", g.template(1))
		}
	}
	if wrong > 0 {
		t.Errorf("%d differ; seed %d", wrong, seed)
	}
}

func ours(t *testing.T, e *jinja.Env, kind, tpl string, scope any) (string, error) {
	s := vars{value.DeepCopy(scope).(*value.Dict)}
	if kind == "n" {
		x, err := e.Expression("t", tpl)
		if err != nil {
			return "", err
		}
		v, err := x.Value(t.Context(), s)
		if err != nil {
			return "", err
		}
		return plain(v), nil
	}
	c, err := e.Template("t", tpl)
	if err != nil {
		return "", err
	}
	if kind == "l" {
		v, err := c.Native(t.Context(), s)
		return plain(v), err
	}
	return c.Render(t.Context(), s)
}

// plain writes a value as testdata/oracle.py does.
func plain(v any) string {
	list := func(items []any) string {
		parts := make([]string, len(items))
		for i, item := range items {
			parts[i] = plain(item)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	switch x := v.(type) {
	case nil:
		return "none"
	case bool:
		return fmt.Sprintf("b:%t", x)
	case float64:
		return "f:" + value.FormatFloat(x)
	case string:
		return "s:" + x
	case *value.List:
		return list(x.Items)
	case value.Tuple:
		return list(x)
	case value.Bytes:
		s, _ := value.Repr(x)
		return "y:" + s
	case *value.Dict:
		var parts []string
		for k, item := range x.All() {
			parts = append(parts, plain(k)+"="+plain(item))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	switch value.TypeName(v) {
	case "int":
		s, _ := value.Str(v)
		return "i:" + s
	case "_GroupTuple":
		s, _ := value.Repr(v)
		parsed, _ := value.ParseLiteral(s)
		return plain(parsed)
	}
	return value.TypeName(v)
}

type oracle struct {
	t     *testing.T
	in    *json.Encoder
	out   *bufio.Scanner
	scope any
}

func startOracle(t *testing.T) *oracle {
	t.Helper()
	if err := exec.Command(python, "-c", "import jinja2").Run(); err != nil {
		if out, err := exec.Command("apt-get", "install", "-y", "python3-jinja2").CombinedOutput(); err != nil {
			t.Fatalf("install python3-jinja2: %v\n%s", err, out)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/oracle.py", "testdata/cases.json")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := value.DecodeJSON(string(text))
	if err != nil {
		t.Fatal(err)
	}
	scope, _ := doc.(*value.Dict).Get("vars")
	o := &oracle{t: t, in: json.NewEncoder(in), out: bufio.NewScanner(out), scope: scope}
	o.out.Buffer(nil, 16<<20)
	return o
}

func (o *oracle) ask(kind, tpl string) (want, err string) {
	if err := o.in.Encode(map[string]string{"kind": kind, "tpl": tpl}); err != nil {
		o.t.Fatal(err)
	}
	if !o.out.Scan() {
		o.t.Fatalf("python ended: %v", o.out.Err())
	}
	var a struct{ Want, Err string }
	if err := json.Unmarshal(o.out.Bytes(), &a); err != nil {
		o.t.Fatal(err)
	}
	return a.Want, a.Err
}
