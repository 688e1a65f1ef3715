package diag

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNear(t *testing.T) {
	candidates := []string{"forward", "name", "state", "ansible_host", "ansible_user", "id"}
	for name, want := range map[string]string{
		"forwrd": "forward", "naem": "name", "State": "state", "ansible-host": "ansible_host", "ansible_usr": "ansible_user",
		"xyz": "", "": "", "di": "id", "stat": "state", "forwarding": "forward", "name": "",
	} {
		if got := Near(name, candidates); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestSnippet(t *testing.T) {
	long := strings.Repeat("x", 300) + "HERE" + strings.Repeat("y", 300)
	for _, c := range []struct {
		source    string
		line, col int
		want      string
	}{
		{"a: 1\n  forwrd: x\n", 2, 3, "    2 |   forwrd: x\n      |   ^\n"},
		{"a:\n\tb: 1\r\n", 2, 2, "    2 | \tb: 1\n      | \t^\n"},
		{"日本: x\n", 1, 5, "    1 | 日本: x\n      |       ^\n"},
		{"\ufeffa: b\n", 1, 1, "    1 | a: b\n      | ^\n"},
		{"a\n", 1, 9, "    1 | a\n      |  ^\n"},
		{"a\n", 1, 0, "    1 | a\n"},
		{"a\n", 7, 1, ""},
		{"", 1, 1, ""},
		{"\x1b[31mred\n", 1, 6, "    1 | ?[31mred\n      |      ^\n"},
		{"$ANSIBLE_VAULT;1.1;AES256\n6162\n", 2, 1, ""},
		{"a\x00b\n", 1, 1, ""},
	} {
		if got := Snippet([]byte(c.source), Pos{File: "f", Line: c.line, Col: c.col}); got != c.want {
			t.Errorf("%q %d:%d:\n got %q\nwant %q", c.source, c.line, c.col, got, c.want)
		}
	}
	lines := strings.Split(Snippet([]byte(long), Pos{Line: 1, Col: 301}), "\n")
	at := strings.Index(lines[1], "^")
	if shown := []rune(lines[0]); len(shown) > snippetWidth+10 || !strings.HasPrefix(string(shown[at:]), "HERE") {
		t.Errorf("long line: %q", lines)
	}
}

func TestRender(t *testing.T) {
	read := func(path string) ([]byte, error) {
		if path == "a.yml" {
			return []byte("one\ntwo\n"), nil
		}
		return nil, errors.New("no such file")
	}
	warning := Errorf(Pos{"b.yml", 1, 1}, "odd")
	warning.Severity = Warning
	list := List{
		warning,
		Errorf(Pos{"a.yml", 2, 2}, "wrong").WithHint("mend %s", "it"),
		Errorf(Pos{"a.yml", 2, 2}, "wrong").WithHint("mend it"),
		Errorf(Pos{"a.yml", 1, 1}, "bad"),
		{Err: errors.New("nowhere")},
	}
	want := "nowhere\na.yml:1:1: bad\n    1 | one\n      | ^\na.yml:2:2: wrong\n    2 | two\n      |  ^\nhint: mend it\n[WARNING]: b.yml:1:1: odd\n"
	if diff := cmp.Diff(want, Render(list, read)); diff != "" {
		t.Error(diff)
	}
	if got := Render(list[1:2], nil); got != "a.yml:2:2: wrong\nhint: mend it\n" {
		t.Errorf("without a reader: %q", got)
	}
}

func TestListFlattensAndDecides(t *testing.T) {
	var l List
	l.Add(nil, List{Errorf(Pos{File: "f"}, "x")}, fmt.Errorf("plain"))
	if len(l) != 2 || l.Err() == nil {
		t.Errorf("got %v", l)
	}
	for _, e := range l {
		e.Severity = Warning
	}
	if l.Err() != nil {
		t.Error("warnings are an error")
	}
}
