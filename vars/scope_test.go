package vars_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

func engine() *vars.Engine {
	env := jinja.New(jinja.Options{TrimBlocks: true, NoneEmpty: true, RawStrings: true})
	filters.Register(env, filters.Options{})
	return &vars.Engine{Env: env}
}

// tpl is template text of a file.
func tpl(text string) *value.Template {
	return &value.Template{Text: text, Pos: diag.Pos{File: "vars.yml", Line: 3, Col: 5}}
}

func layer(l vars.Level, pairs ...any) vars.Layer {
	return vars.Layer{Level: l, Source: "test", Vars: value.NewDict(pairs...)}
}

// read looks a variable up and gives it as Python's repr.
func read(t *testing.T, s *vars.Scope, name string) string {
	t.Helper()
	v, found, err := s.Lookup(t.Context(), name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !found {
		return "missing"
	}
	text, err := value.Repr(v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return text
}

func rendered(t *testing.T, s *vars.Scope, text string) string {
	t.Helper()
	v, err := s.Render(t.Context(), tpl(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := value.Repr(v)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func TestPrecedence(t *testing.T) {
	levels := []vars.Level{
		vars.CommandLine, vars.RoleDefaults, vars.InventorySourceGroup, vars.InventoryGroupAll, vars.PlaybookGroupAll,
		vars.InventoryGroup, vars.PlaybookGroup, vars.InventorySourceHost, vars.InventoryHost, vars.PlaybookHost, vars.Facts,
		vars.PlayVars, vars.PlayPrompt, vars.PlayFiles, vars.RoleVars, vars.BlockVars, vars.TaskVars, vars.IncludeVars,
		vars.SetFact, vars.RoleParams, vars.IncludeParams, vars.Extra, vars.Magic,
	}
	for i, low := range levels {
		for _, high := range levels[i+1:] {
			for _, s := range []*vars.Scope{
				engine().Scope(layer(low, "x", "low"), layer(high, "x", "high")),
				engine().Scope(layer(high, "x", "high"), layer(low, "x", "low")),
				engine().Scope(layer(high, "x", "high")).With(layer(low, "x", "low")),
			} {
				if got := read(t, s, "x"); got != "'high'" {
					t.Fatalf("levels %d and %d: %s wins", low, high, got)
				}
			}
		}
	}
	s := engine().Scope(layer(vars.PlayFiles, "x", 1), layer(vars.PlayFiles, "x", 2)).With(layer(vars.PlayFiles, "x", 3))
	if got := read(t, s, "x"); got != "3" {
		t.Errorf("of equal levels %s wins, want the last", got)
	}
}

func TestLayersAndNames(t *testing.T) {
	s := engine().Scope(layer(vars.Facts, "a", 1, "b", 2), layer(vars.Extra, "a", 3))
	layers, values, err := s.Layers(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 2 || layers[0].Level != vars.Extra || values[0] != 3 || values[1] != 1 {
		t.Errorf("layers of a: %v %v", layers, values)
	}
	if diff := cmp.Diff([]string{"a", "b"}, s.Names()); diff != "" {
		t.Error(diff)
	}
}

// counted is a layer that counts how often each name is asked for.
func counted(l vars.Level, asked map[string]int, values map[string]any) vars.Layer {
	return vars.Layer{Level: l, Source: "counted", Lookup: func(_ context.Context, name string) (any, bool, error) {
		asked[name]++
		v, ok := values[name]
		return v, ok, nil
	}}
}

func TestRenderingIsLazy(t *testing.T) {
	s := engine().Scope(layer(vars.PlayVars, "good", tpl("{{ base }}/x"), "base", "/srv", "bad", tpl("{{ 1 / 0 }}")))
	if got := read(t, s, "good"); got != "'/srv/x'" {
		t.Errorf("good is %s", got)
	}
	if _, _, err := s.Lookup(t.Context(), "bad"); err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("bad: %v", err)
	}
}

func TestMemory(t *testing.T) {
	asked := map[string]int{}
	s := engine().Scope(counted(vars.PlayVars, asked, map[string]any{"deep": tpl("{{ base }}{{ base }}"), "base": tpl("{{ 'b' }}")}))
	for range 3 {
		if got := read(t, s, "deep"); got != "'bb'" {
			t.Fatalf("deep is %s", got)
		}
	}
	if asked["deep"] != 1 || asked["base"] != 1 {
		t.Errorf("asked %v, want each once", asked)
	}
}

func TestMemoryBetweenScopes(t *testing.T) {
	asked := map[string]int{}
	base := engine().Scope(counted(vars.PlayVars, asked, map[string]any{
		"plain": tpl("{{ 'p' }}"), "of_item": tpl("<{{ item }}>"), "outer": tpl("{{ of_item }}!"),
	}))
	one, two := base.With(layer(vars.TaskVars, "item", 1)), base.With(layer(vars.TaskVars, "item", 2))
	for _, c := range []struct {
		s    *vars.Scope
		name string
		want string
	}{
		{one, "plain", "'p'"},
		{two, "plain", "'p'"},
		{base, "plain", "'p'"},
		{one, "outer", "'<1>!'"},
		{two, "outer", "'<2>!'"},
		{one, "of_item", "'<1>'"},
		{two, "of_item", "'<2>'"},
	} {
		if got := read(t, c.s, c.name); got != c.want {
			t.Errorf("%s is %s, want %s", c.name, got, c.want)
		}
	}
	if asked["plain"] != 1 {
		t.Errorf("plain was rendered %d times, want once for all scopes", asked["plain"])
	}
	shadow := base.With(layer(vars.TaskVars, "plain", "mine"))
	if got := read(t, shadow, "plain"); got != "'mine'" {
		t.Errorf("the new layer's plain is %s", got)
	}
	if got := read(t, base, "plain"); got != "'p'" {
		t.Errorf("plain below is %s", got)
	}
}

func TestVolatileIsNotRemembered(t *testing.T) {
	asked := map[string]int{}
	s := engine().Scope(counted(vars.PlayVars, asked, map[string]any{
		"r": tpl("{{ 1000000 | random }}"), "uses": tpl("{{ r }}"), "l": tpl("{{ lookup('pipe', 'echo x') }}"), "n": tpl("{{ now() }}"),
		"seeded": tpl("{{ 1000000 | random(seed='x') }}"),
	}))
	for _, name := range []string{"r", "uses", "l", "n", "seeded"} {
		asked[name] = 0
		read(t, s, name)
		read(t, s, name)
		want := 2
		if name == "seeded" {
			want = 1
		}
		if asked[name] != want {
			t.Errorf("%s was asked for %d times, want %d", name, asked[name], want)
		}
	}
}

func TestCycles(t *testing.T) {
	s := engine().Scope(layer(vars.PlayVars, "a", tpl("{{ b }}"), "b", value.NewDict("k", tpl("{{ c }}")), "c", tpl("{{ a }}"), "self", tpl("{{ self_ }}{{ self2 }}"), "self2", tpl("{{ self }}"), "self_", ""))
	_, _, err := s.Lookup(t.Context(), "a")
	if err == nil || !strings.Contains(err.Error(), "a → b → c → a") || !strings.Contains(err.Error(), "vars.yml:3:5") {
		t.Errorf("the cycle is reported as: %v", err)
	}
	if _, _, err = s.Lookup(t.Context(), "self"); err == nil || !strings.Contains(err.Error(), "self → self2 → self") {
		t.Errorf("the cycle is reported as: %v", err)
	}
	if got := read(t, s, "self_"); got != "''" {
		t.Errorf("after a cycle self_ is %s", got)
	}
	inner := s.With(layer(vars.TaskVars, "c", 1))
	if got := read(t, inner, "a"); got != "{'k': 1}" {
		t.Errorf("with the cycle cut a is %s", got)
	}
}

func TestUndefined(t *testing.T) {
	s := engine().Scope(layer(vars.PlayVars, "d", value.NewDict("good", 1, "bad", tpl("{{ nope }}")), "x", tpl("{{ nope.y }}"), "via", tpl("{{ x }}")))
	if got := rendered(t, s, "{{ d.good }}"); got != "1" {
		t.Errorf("d.good is %s", got)
	}
	if got := rendered(t, s, "{{ d.bad | default('dd') }} {{ x | default(5) }} {{ via is defined }}"); got != "'dd 5 False'" {
		t.Errorf("defaults give %s", got)
	}
	for _, text := range []string{"{{ d.bad }}", "{{ x }}", "{{ via }}", "{{ d }}", "{{ nope }}"} {
		v, err := s.Render(t.Context(), tpl(text))
		var u jinja.UndefinedError
		if err == nil {
			if _, err = value.Str(v); err == nil {
				t.Errorf("%s gives %v, not an error", text, v)
				continue
			}
		}
		if !errors.As(err, &u) || !strings.Contains(err.Error(), "nope") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOmit(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		e := engine()
		e.Legacy = legacy
		s := e.Scope(layer(vars.Magic, "omit", vars.Omit), layer(vars.PlayVars, "o", tpl("{{ omit }}")))
		args := value.NewDict("keep", 1, "drop", tpl("{{ nope | default(omit) }}"), "also", tpl("{{ o }}"),
			"list", value.NewList(1, tpl("{{ omit }}"), 2), "nested", value.NewDict("x", tpl("{{ omit }}")))
		v, err := s.Render(t.Context(), args)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := value.Repr(v); err != nil || got != "{'keep': 1, 'list': [1, 2], 'nested': {}}" {
			t.Errorf("legacy %t: %s %v", legacy, got, err)
		}
		if v, err := s.Render(t.Context(), tpl("{{ omit }}")); err != nil || v != vars.Omit {
			t.Errorf("legacy %t: omit alone gives %v %v", legacy, v, err)
		}
	}
}

func TestMergeHashes(t *testing.T) {
	low, high := value.NewDict("a", 1, "sub", value.NewDict("x", 1, "y", 1)), value.NewDict("sub", value.NewDict("y", 2), "b", 2)
	for merge, want := range map[bool]string{
		true: "{'a': 1, 'sub': {'x': 1, 'y': 2}, 'b': 2}", false: "{'sub': {'y': 2}, 'b': 2}",
	} {
		e := engine()
		e.MergeHashes = merge
		s := e.Scope(layer(vars.RoleDefaults, "d", low), layer(vars.PlayVars, "d", high))
		if got := read(t, s, "d"); got != want {
			t.Errorf("merge %t: %s, want %s", merge, got, want)
		}
	}
	e := engine()
	e.MergeHashes = true
	s := e.Scope(layer(vars.RoleDefaults, "d", low), layer(vars.PlayVars, "d", "text"), layer(vars.Extra, "d", high))
	if got := read(t, s, "d"); got != "{'sub': {'y': 2}, 'b': 2}" {
		t.Errorf("a text between hides what is below: %s", got)
	}
	if got, err := value.Repr(low); err != nil || got != "{'a': 1, 'sub': {'x': 1, 'y': 1}}" {
		t.Errorf("merging altered a layer: %s", got)
	}
}

func TestCondition(t *testing.T) {
	s := engine().Scope(layer(vars.PlayVars, "n", 5, "e", "", "yes", true, "r", value.NewDict("rc", 0)))
	for _, c := range []struct {
		v    any
		want bool
	}{
		{"n > 3", true},
		{"n > 9", false},
		{"e", false},
		{"yes and n", true},
		{nil, true},
		{"", true},
		{"  ", true},
		{true, true},
		{false, false},
		{0, false},
		{tpl("{{ n > 3 }}"), true},
		{"r.rc == 0", true},
		{"nope is defined", false},
		{"'\\n' == '\n'", true},
		{tpl("n > 3"), true},
	} {
		got, err := s.Condition(t.Context(), c.v, diag.Pos{})
		if err != nil || got != c.want {
			t.Errorf("%v holds: %t %v, want %t", c.v, got, err, c.want)
		}
	}
	for _, bad := range []any{"nope", "n >", "nope.x == 1"} {
		_, err := s.Condition(t.Context(), bad, diag.Pos{File: "p.yml", Line: 7, Col: 3})
		if err == nil || !strings.Contains(err.Error(), "The conditional check '"+bad.(string)+"' failed") || !strings.Contains(err.Error(), "p.yml:7") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestLegacyText(t *testing.T) {
	e := engine()
	e.Legacy = true
	s := e.Scope(layer(vars.PlayVars, "n", 5, "b", true, "nil", nil, "l", value.NewList(1, "a"), "chain", tpl("{{ n }}"), "twice", tpl("{{ chain }}"),
		"json", `{"a": true}`, "t", "[1"))
	for text, want := range map[string]string{
		"{{ n }}": "5", "{{ n + 1 }}": "'6'", "{{ b }}": "True", "{{ not b }}": "False", "{{ l }}": "[1, 'a']", "x{{ l }}": `"x[1, 'a']"`,
		"{{ chain }}": "'5'", "{{ twice }}": "'5'", "{{ nil }}": "None", "{{ json }}": "{'a': True}", "{{ t }}": "'[1'",
		"{{ l | to_json }}": `'[1, "a"]'`, "{{ l | string }}": `"[1, 'a']"`, "{{ l | join(',') }}": "'1,a'", "True": "'True'",
	} {
		if text == "True" {
			continue // no template
		}
		if got := rendered(t, s, text); got != want {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
}

func TestNative(t *testing.T) {
	s := engine().Scope(layer(vars.PlayVars, "n", 5, "l", value.NewList(1), "text", "5"))
	for text, want := range map[string]string{
		"{{ n }}": "5", "{{ n + 1 }}": "6", "{{ l }}": "[1]", "{{ text }}": "'5'", "{{ n }}{{ n }}": "'55'", "a{{ n }}": "'a5'",
		`{{ 'a.b' | regex_replace('\.', '\\') }}`: `'a\\b'`,
	} {
		if got := rendered(t, s, text); got != want {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
}

func TestSealed(t *testing.T) {
	e := engine()
	s := e.Scope(layer(vars.PlayVars, "v", &value.Sealed{Text: "cipher"}, "t", tpl("{{ v }}!")))
	if _, _, err := s.Lookup(t.Context(), "v"); err == nil || !strings.Contains(err.Error(), "vault") {
		t.Errorf("without a secret: %v", err)
	}
	e.Unseal = func(v *value.Sealed) (string, error) { return "{{ " + v.Text + " }}", nil }
	s = e.Scope(layer(vars.PlayVars, "v", &value.Sealed{Text: "cipher"}, "t", tpl("{{ v }}!")))
	if got := read(t, s, "v"); got != "'{{ cipher }}'" {
		t.Errorf("the opened value is %s; it must not be rendered", got)
	}
}

func TestVaultEncrypted(t *testing.T) {
	e := engine()
	e.Unseal = func(v *value.Sealed) (string, error) { return v.Text, nil }
	s := e.Scope(layer(vars.PlayVars, "v", &value.Sealed{Text: "x"}, "p", "$ANSIBLE_VAULT;1.1;AES256", "d", value.NewDict("k", &value.Sealed{Text: "y"}, "l", "z")))
	if got := rendered(t, s, "{{ [v is vault_encrypted, p is vault_encrypted, d.k is vault_encrypted, d['l'] is vault_encrypted, 'x' is vault_encrypted] }}"); got != "[True, False, True, False, False]" {
		t.Errorf("got %s", got)
	}
}

// TestSharedValuesStay keeps templates from altering what other tasks and hosts see.
func TestSharedValuesStay(t *testing.T) {
	l := value.NewList(1)
	s := engine().Scope(layer(vars.PlayVars, "l", l, "made", tpl("{{ [1, 2] }}")))
	for range 2 {
		if got := rendered(t, s, "{% set _ = l.append(2) %}{% set _ = made.extend(l) %}{{ l }}{{ made }}"); got != "'[1, 2][1, 2, 1, 2]'" {
			t.Errorf("got %s", got)
		}
	}
	if got := read(t, s, "made"); got != "[1, 2]" || l.Len() != 1 {
		t.Errorf("shared values were altered: made is %s, l has %d items", got, l.Len())
	}
}

// TestUndefinedWithin holds that nothing undefined comes out of a template, also not within a list or a dict of a variable.
func TestUndefinedWithin(t *testing.T) {
	s := engine().Scope(layer(vars.PlayVars,
		"list", value.NewList(tpl("{{ nowhere }}")),
		"dict", value.NewDict("a", value.NewList(value.NewDict("b", tpl("{{ nowhere.at.all }}"))), "c", 2),
		"alias", tpl("{{ dict }}"),
	))
	for _, text := range []string{"{{ list }}", "{{ dict }}", "{{ alias }}", "{{ dict.a }}", "{{ [1, list] }}", "{{ (1, dict) }}"} {
		v, err := s.Render(t.Context(), tpl(text))
		if err == nil {
			t.Errorf("%s came to %v", text, v)
		} else if want := "'nowhere' is undefined"; !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "vars.yml:3") {
			t.Errorf("%s: %v, not %s with its place", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"{{ list | length }}": "1", "{{ dict.c }}": "2", "{{ alias.c }}": "2", "{{ list[0] | default('d') }}": "'d'",
		"{{ dict.a[0].b is defined }}": "False",
	} {
		if got := rendered(t, s, text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
