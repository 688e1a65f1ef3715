package pyre_test

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/pyre"
)

// What Python 3.11 gives for re.subn(pattern, template, subject).
func TestSub(t *testing.T) {
	for _, c := range []struct {
		pattern, template, subject, want string
		options                          pyre.Options
	}{
		{`(?P<k>\w+)=(\d+)`, `\2=\g<k>`, "ab=12 c=3", "12=ab 3=c", pyre.Options{}},
		{`x*`, "-", "abxd", "-a-b--d-", pyre.Options{}},
		{`^#?(a)(b)?`, `\1[\2]`, "#a\nab\n", "a[]\na[b]\n", pyre.Options{Multiline: true}},
		{`a\Z`, "b", "a\na", "a\nb", pyre.Options{}},
		{`a$`, "b", "a\n", "b\n", pyre.Options{}},
		{`[[:a]`, "x", "[:ab", "xxxb", pyre.Options{}},
		{`a{,2}b`, "x", "aaab", "ax", pyre.Options{}},
		{`(a)(?#(no group)(b)`, `\2`, "ab", "b", pyre.Options{}},
		{`\.`, `\101\0`, ".", "A\x00", pyre.Options{}},
		{`é.`, "x", "\xffé\xfe!", "\xffx!", pyre.Options{}},
		{`\w+`, "x", "é", "x", pyre.Options{}},
		{`\w+`, "x", "é", "é", pyre.Options{Bytes: true}},
		{`é\b`, "e", "é", "é", pyre.Options{Bytes: true}},
		{`^.(.)$`, `\1`, "é", "\xa9", pyre.Options{Bytes: true}},
		{`[^\w-]+`, "_", "a é-b", "a_-b", pyre.Options{Bytes: true}},
		{`\S+\s`, "", "\xc2\x85 x", "x", pyre.Options{Bytes: true}},
		{`(?i)A`, "b", "aA", "bb", pyre.Options{}},
		{`a.b`, "x", "a\nb", "x", pyre.Options{DotAll: true}},
		{`\_\-\é`, `\-`, "_-é", `\-`, pyre.Options{}},
		{`\U0001F600`, "x", "😀", "x", pyre.Options{}},
		{`(a)|b`, `<\1>`, "ab", "<a><>", pyre.Options{}},
	} {
		re, err := pyre.Compile(c.pattern, c.options)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		got, _, err := re.Sub(c.template, c.subject, 0)
		if err != nil || got != c.want {
			t.Errorf("%s → %s in %q: %q, %v, want %q", c.pattern, c.template, c.subject, got, err, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		`(a`: "missing closing )", `*a`: "missing argument to repetition operator", `\q`: `bad escape \q`, `\`: "bad escape (end of pattern)",
		`[a`: "unterminated [] set", `(?P=x)`: `unknown group name "x"`, `(?P<a>x)(?P<a>y)`: `redefinition of group name "a"`, `(?<a>x)`: "unknown extension ?<a",
		`[\Z]`: `bad escape \Z`,
	} {
		_, err := pyre.Compile(pattern, pyre.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	re, err := pyre.Compile(`(a)`, pyre.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for template, want := range map[string]string{
		`\2`: "invalid group reference 2", `\12`: "invalid group reference 12", `\g<x>`: `unknown group name "x"`, `\g<7>`: "invalid group reference 7",
		`\g<1`: "missing >, unterminated name", `\q`: `bad escape \q`, `\777`: `octal escape value \777 outside of range 0-0o377`, `a\`: "bad escape",
	} {
		if got, _, err := re.Sub(template, "a", 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %s", template, got, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	re, err := pyre.Compile(`é(?P<in>.*?)(x)?!`, pyre.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := re.Search("\xffé√! é!")
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	start, end := m.Span("in")
	none, _ := m.Span("2")
	if text, took, ok := m.Group("2"); start != 3 || end != 6 || none != -1 || text != "" || took || !ok {
		t.Errorf("spans %d–%d, %d; group 2: %q %v %v", start, end, none, text, took, ok)
	}
	next, err := m.Next()
	if err != nil || next == nil || next.String() != "é!" {
		t.Errorf("next: %v %v", next, err)
	}
	if at, err := re.MatchStart(" é!"); at || err != nil {
		t.Errorf("a match further on is none at the start: %v", err)
	}
}
