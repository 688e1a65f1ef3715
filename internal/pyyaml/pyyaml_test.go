package pyyaml

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
)

// TestDump holds a few cases of each style; the integration ring asks PyYAML itself for many more.
func TestDump(t *testing.T) {
	shared := value.NewList(1)
	self := value.NewList()
	self.Append(self)
	for _, c := range []struct {
		v    any
		o    Options
		want string
	}{
		{value.NewDict("b", 1, "a", value.NewList(1, "x")), Options{SortKeys: true}, "a:\n- 1\n- x\nb: 1\n"},
		{value.NewDict("b", 1, "a", value.NewList(1, "x")), Options{SortKeys: true, Flow: FlowLeaves}, "a: [1, x]\nb: 1\n"},
		{value.NewDict("a", value.NewList(value.NewDict("b", 1, "c", 2))), Options{Indent: 4}, "a:\n-   b: 1\n    c: 2\n"},
		{value.NewList(value.NewList(1)), Options{Indent: 4}, "-   - 1\n"},
		{value.NewList("yes", "1", "", "a: b", "x\ny", nil, true, 1.5), Options{}, "- 'yes'\n- '1'\n- ''\n- 'a: b'\n- 'x\n\n  y'\n- null\n- true\n- 1.5\n"},
		{value.NewDict("k", "a\nb\n"), Options{Style: '|'}, "\"k\": |\n  a\n  b\n"},
		{value.NewDict("a", shared, "b", shared), Options{Anchors: true}, "a: &id001\n- 1\nb: *id001\n"},
		{value.NewDict("a", shared, "b", shared), Options{}, "a:\n- 1\nb:\n- 1\n"},
		{self, Options{Anchors: true}, "&id001\n- *id001\n"},
		{"ü☃", Options{ASCII: true}, "\"\\xFC\\u2603\"\n"},
		{strings.Repeat("word ", 20) + "end", Options{}, strings.Repeat("word ", 16) + "word\n  word word word end\n"},
		{value.NewDict(), Options{ExplicitStart: true, ExplicitEnd: true}, "--- {}\n...\n"},
	} {
		got, err := Dump(c.v, c.o)
		if err != nil || got != c.want {
			t.Errorf("%+v\ngot  %q %v\nwant %q", c.o, got, err, c.want)
		}
	}
	if _, err := Dump(self, Options{}); err == nil {
		t.Error("a list that contains itself is no error without anchors")
	}
}
