//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/internal/sshkey"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// TestTrust walks from a host that nobody knows, with nothing but a password, to a login with a key.
func TestTrust(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Users: []transporttest.SSHDUser{{Name: "new", Password: "from the installer"}}})
	p := newPool(t, transport.PoolOptions{})
	e := passwordOnly(s, "new", "from the installer")
	known := filepath.Join(t.TempDir(), "known_hosts")
	e.KnownHosts = []string{known}

	keys, err := p.FetchHostKeys(limited(t), e)
	if err != nil {
		t.Fatal(err)
	}
	want, err := sshkey.ParsePublic(s.HostKey)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1 || keys[0].Fingerprint != want.Fingerprint || keys[0].Known || keys[0].Changed != nil {
		t.Fatalf("fetched %+v, want one unknown key %s", keys, want.Fingerprint)
	}
	for _, wantAdded := range []int{1, 0} {
		file, added, err := p.RecordHostKeys(e, keys)
		if err != nil || file != known || added != wantAdded {
			t.Errorf("recorded %d into %s, %v; want %d into %s", added, file, err, wantAdded, known)
		}
	}
	if got, err := os.ReadFile(known); err != nil || string(got) != fmt.Sprintf("[127.0.0.1]:%d %s\n", s.Port, want.Blob) {
		t.Errorf("known_hosts is %q, %v", got, err)
	}

	pair, err := sshkey.Generate("installed", secret.Text{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Home("new"), ".ssh", "authorized_keys")
	if err := os.WriteFile(file, []byte("# "+pair.Public+"\nssh-ed25519 AAAA old"), 0o666); err != nil {
		t.Fatal(err)
	}
	c := open(t, p, e, transport.Become{})
	defer c.Close()
	for _, wantAdded := range []bool{true, false} {
		added, err := transport.InstallKey(limited(t), c, pair.Public+"\n")
		if err != nil || added != wantAdded {
			t.Errorf("installed %v, %v; want %v", added, err, wantAdded)
		}
	}
	got, err := os.ReadFile(file)
	if wantText := "# " + pair.Public + "\nssh-ed25519 AAAA old\n" + pair.Public + "\n"; err != nil || string(got) != wantText {
		t.Errorf("authorized_keys is %q, %v; want %q", got, err, wantText)
	}
	for path, mode := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	withKey := endpoint(s, "new")
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(pair.Private.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	withKey.KeyFiles = []string{keyFile}
	says(t, open(t, p, withKey, transport.Become{}), "new\n", "id", "-un")
}

// TestJumpChain goes through two jump hosts to several targets over one connection to each jump host.
func TestJumpChain(t *testing.T) {
	first := transporttest.SSHD(t, transporttest.SSHDOptions{})
	second := transporttest.SSHD(t, transporttest.SSHDOptions{Host: "127.0.0.2"})
	target := transporttest.SSHD(t, transporttest.SSHDOptions{Host: "127.0.0.3", Users: []transporttest.SSHDUser{{Name: "ann"}, {Name: "bob"}}})
	known := filepath.Join(t.TempDir(), "known_hosts")
	var lines strings.Builder
	for _, s := range []*transporttest.Server{first, second, target} {
		fmt.Fprintf(&lines, "[%s]:%d %s\n", s.Host, s.Port, s.HostKey)
	}
	if err := os.WriteFile(known, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPool(t, transport.PoolOptions{})
	chain := fmt.Sprintf("root@%s,ssh://root@%s", first.Addr(), second.Addr())
	for _, user := range []string{"root", "ann", "bob"} {
		e := endpoint(target, user)
		e.KnownHosts = []string{known}
		e.KeyFiles = []string{first.KeyFile, second.KeyFile, target.KeyFile}
		e.Args = append(e.Args, "-J", chain)
		c := open(t, p, e, transport.Become{})
		defer c.Close()
		says(t, c, user+"\n", "id", "-un")
	}
	for i, s := range []*transporttest.Server{first, second} {
		if n := strings.Count(s.Log(), "Accepted publickey for root"); n != 1 {
			t.Errorf("jump host %d saw %d logins, want 1", i+1, n)
		}
	}
	broken := endpoint(target, "root")
	broken.Args = append(broken.Args, "-J", "root@127.0.0.1:1")
	_, err := p.Open(limited(t), broken, transport.Become{})
	if err == nil || !strings.Contains(err.Error(), "jump host root@127.0.0.1:1") {
		t.Errorf("got %v, want an error that names the jump host", err)
	}
}

func TestProxyCommand(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{})
	p := newPool(t, transport.PoolOptions{})
	e := endpoint(s, "root")
	e.Args = append(e.Args, "-o", fmt.Sprintf("ProxyCommand=ssh -F none -i %s -o UserKnownHostsFile=%s -W %%h:%%p -p %d root@127.0.0.1", s.KeyFile, s.KnownHosts, s.Port))
	says(t, open(t, p, e, transport.Become{}), "through\n", "echo", "through")
}
