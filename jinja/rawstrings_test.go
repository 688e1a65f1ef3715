package jinja_test

import (
	"testing"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func TestRawStrings(t *testing.T) {
	e := jinja.New(jinja.Options{RawStrings: true})
	for text, want := range map[string]string{
		`{{ '\1\n' }}`:                                 `\1\n`,
		`{{ 'it\'s' }}`:                                `it's`,
		`{{ "a\\b" }}`:                                 `a\\b`,
		`{% if '\n' == nl %}yes{% endif %}`:            `yes`,
		`{% set x = 'a\tb' %}{{ x }}`:                  "a\tb",
		`{{ '\d' }}{% if true %}{{ '\\' }}{% endif %}`: `\d\\`,
	} {
		tpl, err := e.TemplateAt(diag.Pos{}, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := tpl.Render(t.Context(), vars{value.NewDict("nl", "\n")})
		if err != nil || got != want {
			t.Errorf("%s gives %q, %v; want %q", text, got, err, want)
		}
	}
	file, err := e.Template("file", `{{ '\t' }}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := file.Render(t.Context(), vars{}); got != "\t" {
		t.Errorf("in a file: %q, %v; want a tab", got, err)
	}
	x, err := e.ConditionAt(diag.Pos{}, `'\t'`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := x.Value(t.Context(), vars{}); got != "\t" {
		t.Errorf("in a condition: %q, %v; want a tab", got, err)
	}
}
