//go:build integration

package jinja_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/internal/randexpr"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// python is Debian's own, for which apt installs python3-jinja2.
const python = "/usr/bin/python3"

// question is one thing that both engines answer.
type question struct {
	Kind string `json:"kind"` // n: expression, r: template, w: with trim and lstrip, l: native template
	Tpl  string `json:"tpl"`
}

// answerOf is Python's; Err is "timeout" where it took longer than its deadline.
type answerOf struct{ Want, Err string }

// questions are every pattern, so many times as a value and as text, and random expressions and templates.
func questions(g *generator, rounds, count int) []question {
	var list []question
	for range rounds {
		for _, p := range g.all() {
			list = append(list, question{"n", g.fill(p)}, question{"r", "{{ " + g.fill(p) + " }}"})
		}
	}
	for i := range count {
		switch i % 4 {
		case 0, 1:
			list = append(list, question{"n", g.expr("any", 3)})
		case 2:
			list = append(list, question{[]string{"r", "w"}[i/4%2], g.template(2)})
		case 3:
			list = append(list, question{"l", g.template(1)})
		}
	}
	return list
}

// checkCovered looks whether native values and text are both asked every name of testdata/surface.txt at least 20 times.
func checkCovered(t *testing.T, list []question) {
	t.Helper()
	surface, err := os.ReadFile("testdata/surface.txt")
	if err != nil {
		t.Fatal(err)
	}
	native, text := randexpr.Counter{}, randexpr.Counter{}
	for _, q := range list {
		if q.Kind == "n" || q.Kind == "l" {
			native.Add(q.Tpl)
		} else {
			text.Add(q.Tpl)
		}
	}
	for mode, c := range map[string]randexpr.Counter{"native values": native, "text": text} {
		for name, n := range c.Rare(string(surface), 20) {
			t.Errorf("%s: %s is asked only %d times", mode, name, n)
		}
	}
}

// trickyQuestions reads testdata/tricky.txt. An expression of several, a, b, is asked one by one too.
func trickyQuestions(t *testing.T) []question {
	t.Helper()
	text, err := os.ReadFile("testdata/tricky.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []question
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		kind, tpl, _ := strings.Cut(line, " ")
		list = append(list, question{kind, strings.ReplaceAll(tpl, "¶", "\n")})
	}
	return list
}

// number gives a count from the environment.
func number(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// TestAgainstPython gives random expressions and templates to this engine and to Debian's
// python3-jinja2; both must give the same text or value, or both an error. The questions are the same each time, so that
// a change is judged by what it changed; JINJA_SEED=0 asks new ones, another number repeats its own.
func TestAgainstPython(t *testing.T) {
	seed := number("JINJA_SEED", 9)
	if seed == 0 {
		seed = int(time.Now().UnixNano())
	}
	t.Logf("JINJA_SEED=%d", seed)
	g := newGenerator(rand.New(rand.NewPCG(uint64(seed), 1)))
	rounds := number("JINJA_ROUNDS", 20)
	list := append(trickyQuestions(t), questions(g, rounds, number("JINJA_COUNT", 4000))...)
	if rounds >= 20 {
		checkCovered(t, list)
	}
	scope := caseVars(t)
	envs := map[string]*jinja.Env{
		"r": jinja.New(jinja.Options{KeepTrailingNewline: true}),
		"w": jinja.New(jinja.Options{KeepTrailingNewline: true, TrimBlocks: true, LstripBlocks: true}),
		"l": jinja.New(jinja.Options{KeepTrailingNewline: true, Literals: true}),
	}
	envs["n"] = envs["r"]
	wrong, late := 0, 0
	for i, want := range askPython(t, list) {
		q := list[i]
		if want.Err == "timeout" {
			late++ // Python knows no bounds
			continue
		}
		got, err := ours(t, envs[q.Kind], q.Kind, q.Tpl, scope)
		got = markup.ReplaceAllString(got, "$1")
		if (err != nil) != (want.Err != "") || err == nil && got != want.Want {
			wrong++
			if wrong <= 60 {
				t.Errorf("%s %s\n got %q, %v\nwant %q %s", q.Kind, q.Tpl, got, err, want.Want, want.Err)
			}
		}
	}
	t.Logf("%d asked, %d too slow for Python", len(list), late)
	if wrong > 0 {
		t.Errorf("%d differ; JINJA_SEED=%d", wrong, seed)
	}
}

// markup is how a list prints its parts that are HTML; which results of methods are, is not compared.
var markup = regexp.MustCompile(`Markup\(('[^']*'|"[^"]*")\)`)

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

// caseVars gives the variables of testdata/cases.json.
func caseVars(t *testing.T) any {
	t.Helper()
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := value.DecodeJSON(string(text))
	if err != nil {
		t.Fatal(err)
	}
	scope, _ := doc.(*value.Dict).Get("vars")
	return scope
}

// installPython sees to it that there is Jinja2 for Python.
func installPython(t *testing.T) {
	t.Helper()
	if err := exec.Command(python, "-c", "import jinja2").Run(); err != nil {
		if out, err := exec.Command("apt-get", "install", "-y", "python3-jinja2").CombinedOutput(); err != nil {
			t.Fatalf("install python3-jinja2: %v\n%s", err, out)
		}
	}
}

// askPython gives Python's answers in order. One that takes longer than a few seconds, in code of C that no
// alarm interrupts, costs that Python its life; the next one goes on behind it.
func askPython(t *testing.T, list []question) []answerOf {
	t.Helper()
	installPython(t)
	var answers []answerOf
	for len(answers) < len(list) {
		before := len(answers)
		answers = append(answers, onePython(t, list[before:])...)
		if len(answers) < len(list) {
			answers = append(answers, answerOf{Err: "timeout"})
		}
	}
	return answers
}

// onePython gives the answers of one process, up to its end or the first that comes too late.
func onePython(t *testing.T, list []question) []answerOf {
	t.Helper()
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
	go func() {
		e := json.NewEncoder(in)
		for _, q := range list {
			if e.Encode(q) != nil {
				break
			}
		}
		in.Close()
	}()
	deadline := time.AfterFunc(pythonDeadline, func() { cmd.Process.Kill() })
	var answers []answerOf
	for lines := bufio.NewReader(out); len(answers) < len(list); {
		line, err := lines.ReadBytes('\n')
		var a answerOf
		if err != nil || json.Unmarshal(line, &a) != nil {
			break
		}
		deadline.Reset(pythonDeadline)
		answers = append(answers, a)
	}
	deadline.Stop()
	cmd.Process.Kill()
	cmd.Wait()
	return answers
}

// pythonDeadline is how long one answer may take.
const pythonDeadline = 4 * time.Second
