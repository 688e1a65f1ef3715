//go:build integration

package integration

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/vault"
)

// ansibleVault runs Debian's ansible-vault, whose Python is not the one of PATH everywhere.
func ansibleVault(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"/usr/bin/ansible-vault"}, args...)...)
	c.Dir, c.Stdin = dir, strings.NewReader(stdin)
	c.Env = append(os.Environ(), "HOME="+dir, "ANSIBLE_NOCOLOR=1")
	var errOut bytes.Buffer
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		t.Fatalf("ansible-vault %v: %v\n%s", args, err, errOut.String())
	}
	return string(out)
}

// TestVaultBothWays lets each tool open what the other vaulted, and compares the text byte for byte once the salt is the same.
func TestVaultBothWays(t *testing.T) {
	dir := t.TempDir()
	password := "sesame öffne dich"
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"default", "prod"} {
		s := vault.Secret{ID: id, Password: secret.New(password)}
		ring := vault.NewKeyring(false, s)
		for name, plain := range map[string]string{
			"one": "x", "block": "0123456789abcdef", "yaml": "---\na: ä\nb: [1, 2]\n", "binary": "\x00\xff\xfe", "long": strings.Repeat("line\n", 3000),
		} {
			theirs := ansibleVault(t, dir, plain, "encrypt", "--vault-id", id+"@pw", "--output", "-")
			got, _, err := vault.NewKeyring(false, s).Open(name, []byte(theirs))
			if err != nil || string(got) != plain {
				t.Errorf("%s %s: ours opens theirs as %q, %v", id, name, got, err)
			}
			ours, err := vault.SealWith([]byte(plain), s, saltOf(t, theirs))
			if err != nil || string(ours) != theirs {
				t.Errorf("%s %s: with the same salt ours is\n%s, %v\ntheirs is\n%s", id, name, ours, err, theirs)
			}
			sealed, err := vault.Seal([]byte(plain), s)
			if err != nil {
				t.Fatal(err)
			}
			if back := ansibleVault(t, dir, string(sealed), "decrypt", "--vault-id", id+"@pw", "--output", "-"); back != plain {
				t.Errorf("%s %s: theirs opens ours as %q", id, name, back)
			}
		}
		if got := strings.Join(ring.IDs(), " "); got != id {
			t.Errorf("ids: %s", got)
		}
	}
}

// saltOf reads the salt out of a vaulted text.
func saltOf(t *testing.T, text string) []byte {
	t.Helper()
	_, body, _ := strings.Cut(text, "\n")
	raw, err := hex.DecodeString(strings.ReplaceAll(body, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	salt, err := hex.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	return salt
}

// TestVaultCommands runs each subcommand of both tools and has the other one read what came of it.
func TestVaultCommands(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"pw": "one\n", "pw2": "two\n", "plain.yml": "a: 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := hostlerBinary(t)
	ours := func(stdin string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), bin, append([]string{"vault"}, args...)...)
		c.Dir, c.Stdin = dir, strings.NewReader(stdin)
		c.Env = append(os.Environ(), "HOME="+dir, "EDITOR=sed -i s/1/2/")
		var errOut bytes.Buffer
		c.Stderr = &errOut
		out, err := c.Output()
		if err != nil {
			t.Fatalf("hostler vault %v: %v\n%s", args, err, errOut.String())
		}
		return string(out)
	}
	theirs := func(stdin string, args ...string) string { t.Helper(); return ansibleVault(t, dir, stdin, args...) }
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	ours("", "encrypt", "--vault-id", "dev@pw", "plain.yml")
	want("view of ours", theirs("", "view", "--vault-id", "dev@pw", "plain.yml"), "a: 1\n")
	theirs("", "rekey", "--vault-id", "dev@pw", "--new-vault-id", "prod@pw2", "plain.yml")
	want("view of theirs", ours("", "view", "--vault-id", "prod@pw2", "plain.yml"), "a: 1\n")
	ours("", "edit", "--vault-id", "prod@pw2", "plain.yml")
	want("view of the edited", theirs("", "view", "--vault-id", "prod@pw2", "plain.yml"), "a: 2\n")
	ours("", "rekey", "--vault-id", "prod@pw2", "--new-vault-password-file", "pw", "plain.yml")
	theirs("", "decrypt", "--vault-password-file", "pw", "plain.yml")
	text, err := os.ReadFile(filepath.Join(dir, "plain.yml"))
	if err != nil {
		t.Fatal(err)
	}
	want("decrypted", string(text), "a: 2\n")
	for _, args := range [][]string{
		{"--name", "v", "text"}, {"text"}, {"-n", "a", "-n", "b", "x", "y"}, {"-n", "a", "x", "y"}, {"--stdin-name", "s"}, {"--stdin-name", "s", "-n", "t", "x"}, {"-"},
	} {
		args = append([]string{"encrypt_string", "--vault-id", "dev@pw"}, args...)
		a, b := theirs("from stdin\n", args...), ours("from stdin\n", args...)
		want(strings.Join(args, " "), withoutHex(b), withoutHex(a))
	}
}

// withoutHex replaces the lines of hex, which differ by their salt, but keeps their width.
func withoutHex(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789abcdef", r) {
			return 'x'
		}
		return r
	}, s)
}
