package document

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

func TestMistakesHaveTheirPlace(t *testing.T) {
	for _, c := range []struct{ text, want, hint string }{
		{"a: {{ x }}\n", "1:4: a value that starts with {{ must be quoted", "write"},
		{"a: 1\nb: {{ x }}/foo\n", "2:4: YAML: did not find expected key", "a value that starts with {{"},
		{"a:\n  - b\n c: 1\n", "3:2: YAML: did not find expected key", "check the indentation"},
		{"a: b: c\n", "1:5: YAML: mapping values are not allowed", "quote the value"},
		{"a:\n\tb: 1\n", "2:1: YAML: found character that cannot start", "indent with spaces"},
		{"a: &x [*x]\n", "1:8: alias *x is part of its own anchor", ""},
		{"a: @x\n", "1:1: YAML: found character that cannot start", "quote text"},
		{"a: \"open\nb: 1\n", "1:1: YAML: found unexpected end of stream", ""},
		{"z: 1\na: \"open\nb: 1\n", "2:1: YAML: found unexpected end of stream", ""},
		{"a: *x\n", "1:1: YAML: unknown anchor 'x' referenced", ""},
		{"a: \"b\" c\n", "1:1: YAML: did not find expected key", "a value that begins with a quote"},
		{"a: !foo 1\n", "1:4: unknown tag !foo", "!vault and !unsafe"},
		{"? [a]\n: 1\n", "1:3: a key must be text", ""},
		{"<<: 1\n", "1:5: <<: must be followed by a mapping", ""},
		{"a: \xff\n", "1:4: byte 0xff is not valid UTF-8", "save"},
		{"a: \x01\n", "1:4: control character 0x1", "remove"},
		{"é: \x01\n", "1:4: control character 0x1", "remove"},
	} {
		_, _, err := Parse("f", []byte(c.text))
		var l diag.List
		l.Add(err)
		if len(l) != 1 || !strings.HasPrefix(l[0].Error(), "f:"+c.want) || !strings.HasPrefix(l[0].Hint, c.hint) {
			t.Errorf("%q: got %v", c.text, l)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, _, err := Parse("f", []byte("a: !x 1\nb: {{ y }}\n---\nc: !z 1\n"))
	if list, _ := errors.AsType[diag.List](err); len(list) != 3 {
		t.Errorf("got %v", err)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	text := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		prev := "*" + string(c-1)
		text += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat(prev+", ", 10), ", ") + "]\n"
	}
	_, _, err := Parse("f", []byte(text))
	if err == nil || !strings.Contains(err.Error(), "aliases expand to more than") {
		t.Errorf("got %v", err)
	}
}

func TestWarnings(t *testing.T) {
	_, warnings, err := Parse("f", []byte("a: 1\nb: 22:22\na: 2\nc: 52:54:00:12:34:56\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "f:2:4: 22:22 is a number in base 60 (1342) in YAML 1.1\nf:3:1: duplicate key \"a\", first at line 1; the last one counts"
	if diff := cmp.Diff(want, warnings.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestValues(t *testing.T) {
	docs, _, err := Parse("f", []byte("t: 'x {{ y }}'\nv: !vault |\n  $V\n  12\nu: !unsafe ['{{ a }}', 1]\nmac: 52:54:00:12:34:56\nblock: |\n  {% if x %}\n'{{ k }}': 1\n---\n# nothing\n--- 5\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) != 3 || docs[1].Root != nil {
		t.Fatalf("got %d documents", len(docs))
	}
	v, err := docs[0].Value(docs[0].Root)
	if err != nil {
		t.Fatal(err)
	}
	d := v.(*value.Dict)
	get := func(k string) any { v, _ := d.Get(k); return v }
	if diff := cmp.Diff(&value.Template{Text: "x {{ y }}", Pos: diag.Pos{File: "f", Line: 1, Col: 5}}, get("t")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&value.Sealed{Text: "$V\n12\n", Pos: diag.Pos{File: "f", Line: 2, Col: 4}}, get("v")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(value.NewList("{{ a }}", 1), get("u")); diff != "" {
		t.Error(diff)
	}
	if get("mac") != "52:54:00:12:34:56" {
		t.Errorf("mac: got %v", get("mac"))
	}
	if tpl, ok := get("block").(*value.Template); !ok || tpl.Pos.Line != 8 || tpl.Pos.Col != 1 {
		t.Errorf("block: got %+v", get("block"))
	}
	if get("{{ k }}") != 1 {
		t.Error("a key with Jinja was lost")
	}
}

func TestLocate(t *testing.T) {
	docs, _, err := Parse("f", []byte("base: &b\n  x: 1\nitems:\n  - <<: *b\n    y: [7, 8]\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := docs[0]
	for _, c := range []struct {
		path []any
		key  bool
		want string
	}{
		{[]any{"items", 0, "y", 1}, false, "f:5:12"},
		{[]any{"items", 0, "y"}, true, "f:5:5"},
		{[]any{"items", 0, "x"}, false, "f:2:6"},
		{[]any{"items", 0, "nope", "deeper"}, false, "f:4:5"},
		{[]any{"base"}, true, "f:1:1"},
	} {
		if got := d.Locate(d.Root, c.path, c.key).String(); got != c.want {
			t.Errorf("%v: got %s, want %s", c.path, got, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	v, err := JSON("f", []byte("{\"b\": [1, 2.0, 1e3, 99999999999999999999, null],\n \"a\": \"{{ x }}\", \"s\": {\"__ansible_unsafe\": \"{{ y }}\"}}"), true)
	if err != nil {
		t.Fatal(err)
	}
	d := v.(*value.Dict)
	if diff := cmp.Diff([]any{"b", "a", "s"}, d.Keys()); diff != "" {
		t.Error(diff)
	}
	b, _ := d.Get("b")
	big20, _ := new(big.Int).SetString("99999999999999999999", 10)
	for i, want := range []any{1, 2.0, 1000.0, big20, nil} {
		got := b.(*value.List).Items[i]
		if n, ok := got.(*big.Int); ok && n.Cmp(big20) == 0 {
			continue
		}
		if got != want {
			t.Errorf("item %d: got %v (%T)", i, got, got)
		}
	}
	if tpl, _ := d.Get("a"); tpl.(*value.Template).Pos.Line != 2 {
		t.Errorf("got %+v", tpl)
	}
	if s, _ := d.Get("s"); s != "{{ y }}" {
		t.Errorf("unsafe: got %v", s)
	}
	if v, _ := JSON("f", []byte(`"{{ x }}"`), false); v != "{{ x }}" {
		t.Errorf("plain: got %v", v)
	}
	for text, want := range map[string]string{"{\n  \"a\" 1}": "f:2:7: JSON:", "[1": "f:1:3: JSON: unexpected end", "1 2": "f:1:", "": "f:1:1: JSON:"} {
		if _, err := JSON("f", []byte(text), false); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a: {{ x }}\n", "a: &x\n  <<: *x\n", "- !vault |\n  x\n", "\ta: b", "? {a: b}\n: c", "a: [1:30, 0x1, .5]\n---\n..."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, _, err := Parse("f", text)
		if err != nil {
			return
		}
		for _, d := range docs {
			if _, err := d.Value(d.Root); err != nil {
				t.Errorf("Parse took what Value refuses: %v", err)
			}
		}
	})
}
