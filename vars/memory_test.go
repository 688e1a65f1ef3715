package vars

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// A scope made by With sees its layers through any number of variables between, and shares the rest.
func TestWithSeesItsLayersThroughOthers(t *testing.T) {
	e := &Engine{Env: jinja.New(jinja.Options{})}
	tmpl := func(text string) any { return &value.Template{Text: text} }
	base := e.Scope(Layer{Level: PlayVars, Vars: value.NewDict(
		"item", "outer", "a", tmpl("a{{ item }}"), "b", tmpl("b{{ a }}"), "c", tmpl("c{{ b }}"), "apart", tmpl("{{ 1 + 1 }}"),
	)})
	ask := func(s *Scope, name, want string) {
		t.Helper()
		got, err := s.Text(t.Context(), tmpl("{{ "+name+" }}"))
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	ask(base, "c", "cbaouter")
	ask(base, "apart", "2")
	for _, item := range []string{"one", "two"} {
		s := base.With(Layer{Level: TaskVars, Vars: value.NewDict("item", item)})
		ask(s, "a", "a"+item)
		ask(s, "c", "cba"+item)
		ask(s, "c", "cba"+item)
		inner := s.With(Layer{Level: TaskVars, Vars: value.NewDict("other", 1)})
		ask(inner, "c", "cba"+item)
		if _, kept := s.memory["c"]; !kept {
			t.Error("the scope with the item does not remember what reads it")
		}
		if _, kept := inner.memory["c"]; kept {
			t.Error("a scope remembers what one below it knows")
		}
		ask(s, "apart", "2")
		if _, kept := s.memory["apart"]; kept {
			t.Error("what no layer touches is remembered twice")
		}
	}
	ask(base, "c", "cbaouter")
	fresh := e.Scope(Layer{Level: PlayVars, Vars: value.NewDict("item", "outer", "a", tmpl("a{{ item }}"), "b", tmpl("b{{ a }}"))})
	ask(fresh.With(Layer{Level: TaskVars, Vars: value.NewDict("item", "in")}), "b", "bain")
	ask(fresh, "b", "baouter")
}
