package jinja_test

import (
	"os"
	"testing"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func domain(b *testing.B) (string, jinja.Scope) {
	b.Helper()
	text, err := os.ReadFile("testdata/domain.xml.j2")
	if err != nil {
		b.Fatal(err)
	}
	cases, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		b.Fatal(err)
	}
	doc, err := value.DecodeJSON(string(cases))
	if err != nil {
		b.Fatal(err)
	}
	scope, _ := doc.(*value.Dict).Get("vars")
	return string(text), vars{scope.(*value.Dict)}
}

// BenchmarkRender renders a compiled template of 35 lines with loops and filters.
func BenchmarkRender(b *testing.B) {
	text, scope := domain(b)
	t, err := jinja.New(jinja.Options{}).Template("domain.xml.j2", text)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Render(b.Context(), scope); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompile compiles it, each time another text so that nothing is remembered.
func BenchmarkCompile(b *testing.B) {
	text, _ := domain(b)
	e := jinja.New(jinja.Options{})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if _, err := e.Template("domain.xml.j2", text+string(rune('a'+n%26))+string(rune(0x4e00+n/26))); err != nil {
			b.Fatal(err)
		}
	}
}
