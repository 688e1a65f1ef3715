package jinja_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// vars is a Scope of a dict.
type vars struct{ *value.Dict }

func (v vars) Lookup(_ context.Context, name string) (any, bool, error) {
	x, ok := v.Get(name)
	return x, ok, nil
}

// Names lets errors suggest near names.
func (v vars) Names() []string {
	var names []string
	for _, k := range v.Keys() {
		names = append(names, k.(string))
	}
	return names
}

// canon writes a value with its types, as testdata/cases.json does.
func canon(t *testing.T, v any) string {
	t.Helper()
	switch x := v.(type) {
	case nil:
		return "none"
	case bool:
		return fmt.Sprintf("b:%t", x)
	case int:
		return fmt.Sprintf("i:%d", x)
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
	return value.TypeName(v) + ":" + s
}

func canonItems(t *testing.T, items []any) string {
	var parts []string
	for _, item := range items {
		parts = append(parts, canon(t, item))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// TestCases holds the engine to what Jinja2 3.1.2 answered.
func TestCases(t *testing.T) {
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := value.DecodeJSON(string(text))
	if err != nil {
		t.Fatal(err)
	}
	scope, _ := doc.(*value.Dict).Get("vars")
	cases, _ := doc.(*value.Dict).Get("cases")
	for _, c := range cases.(*value.List).Items {
		c := c.(*value.Dict)
		if c.Str("cls") != "J" {
			continue // Ansible's own filters are another package's
		}
		t.Run(c.Str("id"), func(t *testing.T) {
			opts := jinja.Options{KeepTrailingNewline: true}
			if c.Str("kind") == "w" {
				opts.TrimBlocks, opts.LstripBlocks = true, true
			}
			got, err := answer(t, jinja.New(opts), c, vars{value.DeepCopy(scope).(*value.Dict)})
			if c.Str("kind") == "e" {
				if err == nil {
					t.Fatalf("%s\ngave %q, not an error", c.Str("tpl"), got)
				}
				_, want, _ := strings.Cut(c.Str("err"), ": ")
				want, _, _ = strings.Cut(want, " (line")
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s\nerror %q\nwant  %q", c.Str("tpl"), err, want)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", c.Str("tpl"), err)
			}
			if want := c.Str("want"); got != want {
				t.Errorf("%s\ngot  %q\nwant %q", c.Str("tpl"), got, want)
			}
		})
	}
}

func answer(t *testing.T, e *jinja.Env, c *value.Dict, s jinja.Scope) (string, error) {
	t.Helper()
	if c.Str("kind") == "n" {
		x, err := e.Expression("case", c.Str("tpl"))
		if err != nil {
			return "", err
		}
		v, err := x.Value(t.Context(), s)
		if err != nil {
			return "", err
		}
		return canon(t, v), nil
	}
	tpl, err := e.Template("case", c.Str("tpl"))
	if err != nil {
		return "", err
	}
	return tpl.Render(t.Context(), s)
}
