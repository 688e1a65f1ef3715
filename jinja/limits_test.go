package jinja_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// TestLimits holds hostile templates to an error, soon and without eating memory.
func TestLimits(t *testing.T) {
	e := jinja.New(jinja.Options{})
	for _, text := range []string{
		`{{ 'x' * 10**9 }}`, `{{ 10**(10**10) }}`, `{{ range(10**9) }}`, `{{ [0] * 10**9 }}`,
		`{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`,
		`{% set l = [] %}{% do l.append(l) %}{{ l | tojson }}`,
		`{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}`,
		`{{ "%999999999d" % 1 }}`, `{{ "{:999999999}".format(1) }}`, `{{ "a".ljust(10**9) }}`,
		`{% for a in range(99999) %}{{ "x" * 1000 }}{% endfor %}`,
		`{{ 1 / 0 }}`, `{{ "a".__class__ }}`, `{{ lipsum(n=10**8) }}`,
		`{{ ` + strings.Repeat("(", 5000) + `1` + strings.Repeat(")", 5000) + ` }}`,
	} {
		tpl, err := e.Template("t", text)
		if err == nil {
			_, err = tpl.Render(t.Context(), vars{})
		}
		if err == nil {
			t.Errorf("%.60s: no error", text)
		}
	}
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
	e := jinja.New(jinja.Options{MaxOutput: 1 << 20, MaxSteps: 10000})
	f.Fuzz(func(t *testing.T, text string) {
		if tpl, err := e.Template("f", text); err == nil {
			tpl.Render(t.Context(), vars{})
		}
		if x, err := e.Expression("f", text); err == nil {
			x.Value(t.Context(), vars{})
		}
	})
}
