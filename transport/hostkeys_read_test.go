package transport

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// FuzzKnownLines: what blankBadLines leaves, x/crypto reads.
func FuzzKnownLines(f *testing.F) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIWQJxNPZYJZ1mLxwYNYdW8bzVlPZDsqZ0rQmL7zVbVt"
	for _, line := range []string{
		"# comment", "", "host " + key, "host,!other,[1.2.3.4]:22 " + key, "@revoked * " + key + " comment",
		"@cert-authority *.example.org " + key, "@odd * " + key, "host ssh-rsa " + strings.Fields(key)[1], "host", "! " + key,
		"[host " + key, "|1|AAAA|AAAA " + key, "|1|x|y " + key, "|2|AAAA|AAAA " + key, "host 1024 35 12345",
	} {
		f.Add(line + "\nhost " + key + "\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean, bad := blankBadLines([]byte(text))
		file := t.TempDir() + "/known_hosts"
		if err := os.WriteFile(file, clean, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := xknownhosts.New(file); err != nil {
			t.Errorf("%q: left %q: %v", text, clean, err)
		}
		if got, want := strings.Count(string(clean), "\n"), strings.Count(text, "\n"); got != want {
			t.Errorf("%q: %d lines, want %d", text, got, want)
		}
		if len(bad) > 0 {
			if again, none := blankBadLines(clean); len(none) > 0 || string(again) != string(clean) {
				t.Errorf("%q: bad lines are left in %q", text, clean)
			}
		}
	})
}

func TestBlankBadLines(t *testing.T) {
	clean, bad := blankBadLines([]byte("nonsense\n# fine\n\nhost ssh-ed25519 AAAA\n"))
	if string(clean) != "\n# fine\n\n\n" || !cmp.Equal(bad, []int{1, 4}) {
		t.Errorf("got %q, %v", clean, bad)
	}
}
