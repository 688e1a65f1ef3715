package jinja_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// TestLimits holds hostile templates to an error of the right kind, soon and without eating memory.
func TestLimits(t *testing.T) {
	e := jinja.New(jinja.Options{MaxSteps: 200_000})
	for _, c := range []struct {
		kind value.Kind
		text string
	}{
		{value.LimitError, `{{ 'x' * 10**9 }}`},
		{value.LimitError, `{{ 10**(10**10) }}`},
		{value.OverflowError, `{{ range(10**9) }}`},
		{value.LimitError, `{{ [0] * 10**9 }}`},
		{value.LimitError, `{{ (0,) * 10**9 }}`},
		{value.RecursionError, `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`},
		{value.RecursionError, `{% macro f() %}{% call g() %}{% endcall %}{% endmacro %}{% macro g() %}{{ f() }}{{ caller() }}{% endmacro %}{{ f() }}`},
		{value.RecursionError, `{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}`},
		{value.RecursionError, `{% block a %}{{ self.a() }}{% endblock %}`},
		{value.ValueError, `{% set l = [] %}{% do l.append(l) %}{{ l | tojson }}`},
		{value.LimitError, `{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}`},
		{value.LimitError, `{% set l = [1] %}{% for a in l %}{% do l.append(a) %}{% endfor %}`},
		{value.LimitError, `{% set l = [1] %}{% for a in l if l.append(a) %}{% endfor %}`},
		{value.LimitError, `{% set ns = namespace(s="xxxxxxxx") %}{% for a in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`},
		{value.LimitError, `{% set ns = namespace(s="xxxxxxxx") %}{% for a in range(99) %}{% set ns.s = ns.s.replace("x", "xx") %}{% endfor %}`},
		{value.LimitError, `{% set ns = namespace(n=2) %}{% for a in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}`},
		{value.LimitError, `{{ "%999999999d" % 1 }}`},
		{value.LimitError, `{{ "{:999999999}".format(1) }}`},
		{value.LimitError, `{{ "a".ljust(10**9) }}`},
		{value.LimitError, `{% for a in range(99999) %}{{ "x" * 1000 }}{% endfor %}`},
		{value.LimitError, `{% set x %}{% for a in range(99999) %}{{ "x" * 1000 }}{% endfor %}{% endset %}`},
		{value.RecursionError, `{% set d = {} %}{% set e = {} %}{% do d.update(x=d.items()) %}{% do e.update(x=e.items()) %}{{ d.items() == e.items() }}`},
		{value.RecursionError, `{% set d = {} %}{% do d.update(x=d.items()) %}{{ d.items() }}`},
		{value.ZeroDivisionError, `{{ 1 / 0 }}`},
		{value.LimitError, `{{ lipsum(n=10**8) }}`},
		{"", `{{ "a".__class__ }}`},
		{"", `{{ ` + strings.Repeat("(", 5000) + `1` + strings.Repeat(")", 5000) + ` }}`},
		{"", strings.Repeat("{% if 1 %}", 5000)},
		{"", `{{ ` + strings.Repeat("not ", 5000) + `1 }}`},
		{"", `{{ ` + strings.Repeat("[", 5000) + ` }}`},
	} {
		tpl, err := e.Template("t", c.text)
		if err == nil {
			_, err = tpl.Render(t.Context(), vars{})
		}
		if err == nil {
			t.Errorf("%.60s: no error", c.text)
			continue
		}
		if ve, ok := errors.AsType[*value.Error](err); c.kind != "" && (!ok || ve.Kind != c.kind) {
			t.Errorf("%.60s: %.200s, want a %s", c.text, err.Error(), c.kind)
		}
	}
}

// TestCancel ends a rendering from outside.
func TestCancel(t *testing.T) {
	for _, text := range []string{
		`{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}`,
		`{% macro f() %}{% endmacro %}{{ f() }}`,
		`{{ range(1000) | map("string") | list }}`,
	} {
		tpl, err := jinja.New(jinja.Options{}).Template("t", text)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := tpl.Render(ctx, vars{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestConcurrent renders one template many times at once; run it with -race.
func TestConcurrent(t *testing.T) {
	text, err := os.ReadFile("testdata/domain.xml.j2")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := value.DecodeJSON(string(cases))
	if err != nil {
		t.Fatal(err)
	}
	scope, _ := doc.(*value.Dict).Get("vars")
	e := jinja.New(jinja.Options{Loader: files{"x": `{% macro m(a) %}{{ a }}{% endmacro %}{{ host }}`}})
	source := string(text) + `{% include "x" %}{% import "x" as x with context %}{{ x.m(1) }}{{ users | map(attribute="name") | map("upper") | join }}`
	render := func() (string, error) {
		tpl, err := e.Template("t", source)
		if err != nil {
			return "", err
		}
		return tpl.Render(t.Context(), vars{scope.(*value.Dict)})
	}
	want, err := render()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if got, err := render(); err != nil || got != want {
					t.Errorf("got %q, %v", got, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestUndefinedSaysWhere looks at the error of a name missing in a loop of a template.
func TestUndefinedSaysWhere(t *testing.T) {
	e := jinja.New(jinja.Options{})
	tpl, err := e.Template("a.j2", "x\n{% for u in users %}\n  {{ u.nmae }}\n{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	users := value.NewList(value.NewDict("name", "ann"))
	_, err = tpl.Render(t.Context(), vars{value.NewDict("users", users)})
	je, ok := errors.AsType[*jinja.Error](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if got := je.Pos.String(); got != "a.j2:3:8" {
		t.Errorf("place %s", got)
	}
	if je.Hint != "did you mean name?" {
		t.Errorf("hint %q", je.Hint)
	}
	u, ok := errors.AsType[jinja.UndefinedError](err)
	if !ok || u.Undefined().Name != "u.nmae" {
		t.Errorf("undefined: %v", u)
	}
}

func ExampleEnv_Template() {
	e := jinja.New(jinja.Options{})
	t, err := e.Template("greeting", "Hello {{ name | upper }}!")
	if err != nil {
		panic(err)
	}
	text, err := t.Render(context.Background(), vars{value.NewDict("name", "ann")})
	fmt.Println(text, err)
	// Output: Hello ANN! <nil>
}

func ExampleEnv_AddFilter() {
	e := jinja.New(jinja.Options{})
	e.AddFilter("times", "n=2", func(c *jinja.Call) (any, error) {
		s, err := c.Text(c.Value)
		return strings.Repeat(s, c.Args[0].(int)), err
	})
	x, err := e.Expression("example", `"ab" | times(n=3)`)
	if err != nil {
		panic(err)
	}
	fmt.Println(x.Value(context.Background(), nil))
	// Output: ababab <nil>
}

// FuzzTemplate looks for templates that make the engine panic or run on.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{{ a.b[1:2] | default(3) }}", "{% for a in [1] if a %}{{ loop.index }}{% else %}{% endfor %}", "{% macro m(a, b=1) %}{{ caller() }}{% endmacro %}{% call m(1) %}{% endcall %}", "{% raw %}{{{% endraw %}", `{{ "%s" % (1,) ~ '{:>5}'.format(2) }}`} {
		f.Add(s)
	}
	for _, c := range templateCases(f) {
		f.Add(c.Files["main"])
	}
	e := jinja.New(jinja.Options{MaxOutput: 1 << 20, MaxSteps: 10000, MaxDepth: 20, Loader: files{"x": "{{ a }}"}})
	trim := jinja.New(jinja.Options{MaxOutput: 1 << 20, MaxSteps: 10000, TrimBlocks: true, LstripBlocks: true, LineStatementPrefix: "#", LineCommentPrefix: "##", Literals: true})
	f.Fuzz(func(t *testing.T, text string) {
		scope := vars{value.NewDict("a", value.NewList(1, "x", 2.5), "d", value.NewDict("k", nil))}
		if tpl, err := e.Template("f", text); err == nil {
			tpl.Render(t.Context(), scope)
		}
		if tpl, err := trim.Template("f", text); err == nil {
			tpl.Native(t.Context(), scope)
		}
		if x, err := e.Expression("f", text); err == nil {
			x.Value(t.Context(), scope)
		}
	})
}

// FuzzSyntax looks for texts and delimiters that make the lexer or the parser panic or run on.
func FuzzSyntax(f *testing.F) {
	f.Add("<% if a -%> [[ b ]] <# c #>", "<%", "%>", "[[", "]]", "%%", "##", byte(3))
	f.Add("{% raw %}{{{% endraw -%}\n# for a in b:\n## c\n# endfor", "{%", "%}", "{{", "}}", "#", "##", byte(0))
	f.Fuzz(func(_ *testing.T, text, block, blockEnd, variable, variableEnd, line, comment string, flags byte) {
		e := jinja.New(jinja.Options{
			BlockStart: block, BlockEnd: blockEnd, VariableStart: variable, VariableEnd: variableEnd,
			LineStatementPrefix: line, LineCommentPrefix: comment,
			TrimBlocks: flags&1 != 0, LstripBlocks: flags&2 != 0, KeepTrailingNewline: flags&4 != 0,
		})
		if tpl, err := e.Template("f", text); err == nil {
			tpl.Uses()
		}
	})
}

// FuzzExpression looks for expressions that make the evaluator panic or run on.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"a[0] ~ d.k | default('x') | upper", "[1, 2, 3] | map('string') | select('in', a) | list", "'%-5s|%05d' % (a[1], 7) is match('x')",
		"a[::-1] + [d] * 2 if not d.q is defined else (1, {'x': 2.5})", "1 < 2 <= 3 ** 2 // 4 % 5", "a | groupby(0) | batch(2, 'x') | tojson(indent=1)",
	} {
		f.Add(s)
	}
	e := jinja.New(jinja.Options{MaxOutput: 1 << 18, MaxMemory: 1 << 20, MaxSteps: 10000, MaxDepth: 20})
	f.Fuzz(func(t *testing.T, text string) {
		scope := vars{value.NewDict("a", value.NewList(1, "x", 2.5), "d", value.NewDict("k", nil))}
		x, err := e.Expression("f", text)
		if err != nil {
			return
		}
		x.Uses()
		if v, err := x.Value(t.Context(), scope); err == nil {
			if _, err := value.AppendRepr(nil, v, 1<<20); err != nil && !isKind(err, value.LimitError, value.RecursionError, value.ValueError) {
				t.Errorf("%s: a value that cannot be printed: %v", text, err)
			}
		}
	})
}

// isKind reports whether err is an error of one of the kinds.
func isKind(err error, kinds ...value.Kind) bool {
	e, ok := errors.AsType[*value.Error](err)
	return ok && slices.Contains(kinds, e.Kind)
}
