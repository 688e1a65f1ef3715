package sshkey

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/secret"
)

// OpenSSH is the judge: it derives the public half from the private one.
func TestGenerateAgainstSSHKeygen(t *testing.T) {
	for _, phrase := range []string{"", "a passphrase"} {
		pair, err := Generate("demo", secret.New(phrase))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(pair.Private.Reveal()), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("ssh-keygen", "-y", "-P", phrase, "-f", file).Output()
		if err != nil {
			t.Fatalf("ssh-keygen: %v", err)
		}
		if got := strings.TrimSpace(string(out)); got != pair.Public {
			t.Errorf("ssh-keygen says %q, we said %q", got, pair.Public)
		}
	}
}

func TestParsePublic(t *testing.T) {
	pair, err := Generate("me@here", secret.Text{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePublic(`no-pty ` + pair.Public)
	if err != nil {
		t.Fatal(err)
	}
	if key.Comment != "me@here" || key.Type != "ssh-ed25519" || !strings.HasPrefix(pair.Public, key.Blob) {
		t.Errorf("got %+v of %q", key, pair.Public)
	}
	for _, bad := range []string{"", "ssh-ed25519 AAAA", pair.Public + "\n" + pair.Public} {
		if _, err := ParsePublic(bad); err == nil {
			t.Errorf("ParsePublic(%q) gave no error", bad)
		}
	}
}
