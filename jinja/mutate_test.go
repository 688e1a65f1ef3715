package jinja_test

import (
	"context"
	"io/fs"
	"testing"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// parts is a Loader of a map.
type parts map[string]string

func (p parts) Load(_ context.Context, name, _ string) (string, string, error) {
	text, ok := p[name]
	if !ok {
		return "", "", fs.ErrNotExist
	}
	return name, text, nil
}

// host is a Mapping of one list, as hostvars is of all hosts' variables.
type host struct{ l *value.List }

func (h host) Lookup(context.Context, any) (any, bool, error) { return h.l, true, nil }
func (h host) Keys(context.Context) ([]any, error)            { return []any{"l"}, nil }
func (h host) TypeName() string                               { return "HostVars" }

func TestMutationStaysInTheTemplate(t *testing.T) {
	e := jinja.New(jinja.Options{Loader: parts{
		"show": "{{ l }}", "alter": "{% set _ = l.append(9) %}{{ l }}",
		"macros": "{% macro add(x) %}{% set _ = x.append(5) %}{{ x }}{% endmacro %}",
	}})
	for text, want := range map[string]string{
		`{% set _ = l.append(3) %}{{ l }}{{ l }}`:                                            "[1, 2, 3][1, 2, 3]",
		`{{ l.pop() }}{{ l }}`:                                                               "2[1]",
		`{% set _ = d.update({'b': 1}) %}{{ d }}`:                                            "{'a': [0], 'b': 1}",
		`{% set _ = d.a.extend([1]) %}{{ d.a }}`:                                             "[0, 1]",
		`{% set _ = d['a']['append'](1) %}{{ d.a }}`:                                         "[0, 1]",
		`{% for x in d.values() %}{% set _ = x.append(1) %}{% endfor %}{{ d }}`:              "{'a': [0, 1]}",
		`{% set m = l %}{% set _ = m.append(3) %}{{ l }}`:                                    "[1, 2, 3]",
		`{% set _ = l.append(3) %}{% include 'show' %}`:                                      "[1, 2, 3]",
		`{% include 'alter' %}`:                                                              "[1, 2, 9]",
		`{% from 'macros' import add %}{{ add(l) }}`:                                         "[1, 2, 5]",
		`{% set _ = h.l.append(3) %}done`:                                                    "done",
		`{% set _ = (l|attr('append'))(3) %}{{ l }}`:                                         "[1, 2, 3]",
		`{% set own = [] %}{% for i in l %}{% set _ = own.append(i) %}{% endfor %}{{ own }}`: "[1, 2]",
	} {
		scope := vars{value.NewDict("l", value.NewList(1, 2), "d", value.NewDict("a", value.NewList(0)), "h", host{value.NewList(7)})}
		for range 2 {
			tpl, err := e.Template("t", text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			got, err := tpl.Render(t.Context(), scope)
			if err != nil || got != want {
				t.Errorf("%s gives %q, %v; want %q", text, got, err, want)
			}
		}
		h, _ := scope.Get("h")
		l, _ := scope.Get("l")
		d, _ := scope.Get("d")
		for _, v := range []struct {
			v    any
			want string
		}{{h.(host).l, "[7]"}, {l, "[1, 2]"}, {d, "{'a': [0]}"}} {
			if got, err := value.Str(v.v); err != nil || got != v.want {
				t.Errorf("%s altered a value of the scope: %s, want %s", text, got, v.want)
			}
		}
	}
}
