package vault

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/secret"
)

func key(id, password string) Secret { return Secret{id, secret.New(password)} }

func TestSealAndOpen(t *testing.T) {
	for _, id := range []string{"", DefaultID, "prod", "a b"} {
		for _, plain := range []string{"", "x", "sixteen bytes ab", "two\nlines\n", "größe", strings.Repeat("long ", 5000)} {
			sealed, err := Seal([]byte(plain), key(id, "sesame"))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(sealed)) {
				if len(strings.TrimSuffix(line, "\n")) > lineWidth {
					t.Errorf("a line of %d characters", len(line))
				}
			}
			got, used, err := NewKeyring(false, key("other", "wrong"), key("other", "sesame")).Open("f", sealed)
			if err != nil || string(got) != plain || used.Password.Reveal() != "sesame" {
				t.Errorf("id %q: got %q, %v, want %q", id, got, err, plain)
			}
		}
	}
}

func TestLabel(t *testing.T) {
	for id, want := range map[string]string{"": "default", "default": "default", "prod": "prod"} {
		sealed, err := Seal([]byte("x"), key(id, "p"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Label(sealed); err != nil || got != want {
			t.Errorf("Label of %q: %q, %v, want %q", id, got, err, want)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		plain string
		with  Secret
	}{
		"vaulted already":   {mark + ";1.1;AES256\n00", key("", "p")},
		"must not be empty": {"x", Secret{}},
		"must not hold":     {"x", key("a;b", "p")},
	} {
		if _, err := Seal([]byte(c.plain), c.with); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	plain, err := Seal([]byte("x"), key("", "right"))
	if err != nil {
		t.Fatal(err)
	}
	prod, err := Seal([]byte("x"), key("prod", "right"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Replace(plain, []byte("\n3"), []byte("\ng"), 1)
	for _, c := range []struct {
		ring        *Keyring
		text        []byte
		error, hint string
	}{
		{nil, plain, "f: vaulted, and no vault password was given", "--vault-password-file FILE"},
		{nil, prod, `f: vaulted with vault id "prod", and no vault password was given`, "--vault-id prod@FILE"},
		{NewKeyring(false, key("a", "1"), key("b", "2")), plain, "f: vaulted, and no vault password fits (tried a, b)", "--vault-password-file"},
		{NewKeyring(false, key("prod", "1")), prod, `f: vaulted with vault id "prod", and no vault password fits (tried prod)`, "--vault-id prod@prompt"},
		{NewKeyring(true, key("a", "right")), prod, `f: vaulted with vault id "prod", and there is no password for it (there is one for a)`, "--vault-id prod@"},
		{NewKeyring(false, key("a", "right")), damaged, "f: damaged: ", ""},
		{nil, []byte("hello"), "f: not vaulted text", ""},
	} {
		_, _, err := c.ring.Open("f", c.text)
		var d *diag.Error
		if !errors.As(err, &d) || !strings.HasPrefix(err.Error(), c.error) || !strings.Contains(d.Hint, c.hint) {
			t.Errorf("got %v, want %q and hint %q", err, c.error, c.hint)
		}
	}
}

// A text of one id is opened by that id's password even where another one stands first.
func TestOwnIDFirst(t *testing.T) {
	sealed, err := Seal([]byte("x"), key("b", "second"))
	if err != nil {
		t.Fatal(err)
	}
	_, used, err := NewKeyring(false, key("a", "second"), key("b", "second")).Open("f", sealed)
	if err != nil || used.ID != "b" {
		t.Errorf("opened with %q, %v, want b", used.ID, err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sealed, err := Seal([]byte("inner\n"), key("", "outer"))
	if err != nil {
		t.Fatal(err)
	}
	sources := []Source{
		{"", write("plain", "  outer\n\n", 0o600)},
		{"sealed", write("sealed", string(sealed), 0o600)},
		{"script", write("pw.sh", "#!/bin/sh\necho script $#\n", 0o700)},
		{"mine", write("x-client.py", "#!/bin/sh\necho $1 $2\n", 0o700)},
		{"unknown", write("no-client", "#!/bin/sh\nexit 2\n", 0o700)},
		{"asked", Prompt},
		{"gone", filepath.Join(dir, "gone")},
		{"hollow", write("hollow", "\n", 0o600)},
	}
	var warned []string
	l := Loader{
		Ask:  func(_ context.Context, q string) (secret.Text, error) { return secret.New("answer to " + q), nil },
		Warn: func(text string) { warned = append(warned, text) },
	}
	ring, err := l.Load(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"default outer", "sealed inner", "script script 0", "mine --vault-id mine", "asked answer to Vault password (asked):"}
	for i, s := range ring.Secrets() {
		if got := s.ID + " " + s.Password.Reveal(); got != want[i] {
			t.Errorf("got %q, want %q", got, want[i])
		}
	}
	if len(ring.Secrets()) != len(want) {
		t.Errorf("got %d secrets, want %d", len(ring.Secrets()), len(want))
	}
	if len(warned) != 3 || !strings.Contains(warned[0], `vault id "unknown"`) || !strings.Contains(warned[0], "knows no password for this id") {
		t.Errorf("warned of %q", warned)
	}
	if _, err := l.Load(t.Context(), sources[6:]); err == nil || !strings.Contains(err.Error(), "gives an empty password") {
		t.Errorf("got %v, want both causes", err)
	}
}

func TestNewPasswordTwice(t *testing.T) {
	answers := []string{"one", "two"}
	l := Loader{New: true, Ask: func(_ context.Context, q string) (secret.Text, error) {
		a := answers[0]
		answers = answers[1:]
		return secret.New(a), nil
	}}
	if _, err := l.Load(t.Context(), []Source{{"x", AskVault}}); err == nil || !strings.Contains(err.Error(), "differ") {
		t.Errorf("got %v, want that they differ", err)
	}
}

func TestReplaceKeepsModeAndLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	if err := Replace(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	st, statErr := os.Lstat(file)
	if err != nil || statErr != nil || string(text) != "new" || st.Mode() != 0o640 {
		t.Errorf("got %q, %v, %v %v", text, st.Mode(), err, statErr)
	}
	if err := ReplacePrivate(link, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(file); err != nil || st.Mode() != 0o600 {
		t.Errorf("private text has mode %v, %v", st.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestEditLeavesNothing(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	var at string
	got, err := Edit(t.Context(), []byte("a"), ".yml", func(_ context.Context, path string) error {
		at = path
		return errors.Join(os.WriteFile(path+"~", []byte("a"), 0o600), os.WriteFile(path, []byte("b"), 0o600))
	})
	if err != nil || string(got) != "b" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Dir(at)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", at, err)
	}
}

func FuzzOpen(f *testing.F) {
	sealed, err := Seal([]byte("x"), key("prod", "p"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sealed))
	f.Add(mark)
	f.Add(mark + ";1.1;AES256\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _, err := NewKeyring(false).Open("f", []byte(text))
		if err == nil {
			t.Error("opened without a password")
		}
	})
}
