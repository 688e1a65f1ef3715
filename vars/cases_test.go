package vars_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

// canon writes a value with its types, as the cases do.
func canon(t *testing.T, v any) string {
	t.Helper()
	switch x := v.(type) {
	case nil:
		return "none"
	case bool:
		return fmt.Sprintf("b:%t", x)
	case float64:
		return "f:" + value.FormatFloat(x)
	case string:
		return fmt.Sprintf("s:%q", x)
	case *value.List:
		return canonItems(t, x.Items)
	case value.Tuple:
		return canonItems(t, x)
	case *value.Dict:
		var parts []string
		for k, item := range x.All() {
			parts = append(parts, fmt.Sprintf("%q=%s", k, canon(t, item)))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	s, err := value.Str(v)
	if err != nil {
		t.Fatal(err)
	}
	return map[bool]string{true: "i", false: value.TypeName(v)}[value.TypeName(v) == "int"] + ":" + s
}

func canonItems(t *testing.T, items []any) string {
	t.Helper()
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = canon(t, item)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// TestCases holds the engine with Ansible's filters to what Jinja2 and Ansible answered, by way of a Scope.
func TestCases(t *testing.T) {
	text, err := os.ReadFile("../jinja/testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := value.DecodeJSON(string(text))
	if err != nil {
		t.Fatal(err)
	}
	names, _ := doc.(*value.Dict).Get("vars")
	cases, _ := doc.(*value.Dict).Get("cases")
	for _, c := range cases.(*value.List).Items {
		c := c.(*value.Dict)
		t.Run(c.Str("id"), func(t *testing.T) {
			opts := jinja.Options{KeepTrailingNewline: true}
			if c.Str("kind") == "w" {
				opts.TrimBlocks, opts.LstripBlocks = true, true
			}
			env := jinja.New(opts)
			filters.Register(env, filters.Options{})
			e := &vars.Engine{Env: env}
			s := e.Scope(vars.Layer{Level: vars.Extra, Vars: names.(*value.Dict)})
			got, err := caseAnswer(t, s, e, c)
			switch {
			case c.Str("kind") == "e":
				if err == nil {
					t.Fatalf("%s gave %q, not an error", c.Str("tpl"), got)
				}
			case err != nil:
				t.Fatalf("%s: %v", c.Str("tpl"), err)
			case got != c.Str("want"):
				t.Errorf("%s\ngot  %q\nwant %q", c.Str("tpl"), got, c.Str("want"))
			}
		})
	}
}

func caseAnswer(t *testing.T, s *vars.Scope, e *vars.Engine, c *value.Dict) (string, error) {
	t.Helper()
	if c.Str("kind") == "n" {
		v, err := s.Expression(t.Context(), c.Str("tpl"), diag.Pos{})
		if err != nil {
			return "", err
		}
		return canon(t, v), nil
	}
	compiled, err := e.Env.TemplateAt(diag.Pos{}, c.Str("tpl"))
	if err != nil {
		return "", err
	}
	return compiled.Render(t.Context(), s)
}
