package shell

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// shells are the real judges; each is on Debian's list of build needs.
func shells() [][]string {
	return [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}}
}

func TestQuoteIsThis(t *testing.T) {
	for value, want := range map[string]string{
		"":           `''`,
		"plain":      `plain`,
		"a/b-c_d.e:": `a/b-c_d.e:`,
		"a b":        `'a b'`,
		"it's":       `'it'"'"'s'`,
		"$HOME":      `'$HOME'`,
		"a\nb":       "'a\nb'",
		"~":          `'~'`,
		"é":          `'é'`,
		"\xff":       "'\xff'",
		"a=b":        `a=b`,
	} {
		if got, err := Quote(value); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", value, got, err, want)
		}
	}
	if _, err := Quote("a\x00b"); err == nil {
		t.Error("a NUL byte was quoted")
	}
	if got, err := Join("printf", "%s", "", "a b"); err != nil || got != `printf %s '' 'a b'` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := Join("a", "\x00"); err == nil {
		t.Error("a NUL byte was joined")
	}
}

// FuzzQuote lets real shells read what Join wrote, in program text and through eval.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "-n", "a b", "it's", `"`, `\`, "\\\n", "$(id)", "`id`", "\x81\x82\x88", "\xff\xfe", "é", "!", "~", "#", "\r\n", "\n", "a\nEOF\n", "{a,b}", "*"} {
		f.Add(s, s+s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		line, err := Join("printf", `%s\n.`, a, b)
		if strings.Contains(a+b, "\x00") {
			if err == nil {
				t.Fatal("a NUL byte was quoted")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		quoted, err := Quote(line)
		if err != nil {
			t.Fatal(err)
		}
		want := a + "\n." + b + "\n."
		for _, sh := range shells() {
			if _, err := exec.LookPath(sh[0]); err != nil {
				t.Logf("not asked: %v", err)
				continue
			}
			cmd := exec.Command(sh[0], sh[1:]...)
			cmd.Stdin = strings.NewReader(line + "\neval " + quoted + "\n")
			got, err := cmd.CombinedOutput()
			if err != nil || string(got) != want+want {
				t.Errorf("%s: %q, %v; want %q", sh[0], got, err, want+want)
			}
		}
	})
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"":                       nil,
		"  ":                     nil,
		"a  b\tc\nd":             {"a", "b", "c", "d"},
		`visudo -cf %s`:          {"visudo", "-cf", "%s"},
		`a 'b c' "d e"`:          {"a", "b c", "d e"},
		`a'b'"c"d`:               {"abcd"},
		`'' ""`:                  {"", ""},
		`a\ b \\ \'`:             {"a b", `\`, "'"},
		`"a\"b\$c\d" '\n'`:       {`a"b$c\d`, `\n`},
		"a\\\nb":                 {"ab"},
		"$HOME `id` #x é":        {"$HOME", "`id`", "#x", "é"},
		`bash -c "echo 'x' > y"`: {"bash", "-c", "echo 'x' > y"},
	} {
		if got, err := Split(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`'a`, `"a`, `a\`, `"a\"`} {
		if got, err := Split(text); err == nil {
			t.Errorf("%s: %q, want an error", text, got)
		}
	}
}

// FuzzSplit checks that Split takes apart what Join put together.
func FuzzSplit(f *testing.F) {
	f.Add("a", "b c", "it's\n")
	f.Add("", `\`, `"`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		line, err := Join(a, b, c)
		if err != nil {
			t.Skip("a NUL byte")
		}
		if got, err := Split(line); err != nil || !slices.Equal(got, []string{a, b, c}) {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	})
}
