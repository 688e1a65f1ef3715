//go:build integration

package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// knownFile writes a known_hosts file.
func knownFile(t *testing.T, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// certified is a server with a certificate for the name 127.0.0.1, and its authority's public key.
func certified(t *testing.T) (*transporttest.Server, string) {
	t.Helper()
	authority, file := newKey(t, "")
	s := transporttest.SSHD(t, transporttest.SSHDOptions{
		Config: []string{"HostCertificate /etc/ssh/test-cert.pub"},
		Setup: "ssh-keygen -y -f $d/host_key >/etc/ssh/test.pub\n" +
			"ssh-keygen -q -s " + file + " -h -I test -n 127.0.0.1 /etc/ssh/test.pub",
	})
	return s, authority.Public
}

func TestKnownHosts(t *testing.T) {
	s, authority := certified(t)
	other, _ := newKey(t, "")
	name := fmt.Sprintf("[%s]:%d", s.Host, s.Port)
	hashed := knownFile(t, name+" "+s.HostKey)
	tool(t, "ssh-keygen", "-q", "-H", "-f", hashed)
	hashedOther := knownFile(t, name+" "+other.Public)
	tool(t, "ssh-keygen", "-q", "-H", "-f", hashedOther)
	garbage := []string{"not a line", name + " ssh-ed25519 AAAA", "|1|x|y ssh-ed25519 AAAA", name + " 1024 35 123456", "@odd * " + s.HostKey}
	tests := []struct {
		name  string
		lines []string
		says  string // "" is success
	}{
		{"plain", []string{name + " " + s.HostKey}, ""},
		{"wildcard", []string{"[127.0.0.*]:* " + s.HostKey, "* " + s.HostKey, name + " " + s.HostKey}, ""},
		{"name without the port", []string{s.Host + " " + s.HostKey}, "is not known"},
		{"hashed", []string{read(t, hashed)}, ""},
		{"hashed, changed", []string{read(t, hashedOther)}, ":1 has ssh-ed25519 SHA256:"},
		{"certificate", []string{"@cert-authority " + name + " " + authority}, ""},
		{"certificate, wildcard", []string{"@cert-authority * " + authority, "@cert-authority [127.0.0.*]:" + fmt.Sprint(s.Port) + " " + authority}, ""},
		{"certificate of another authority", []string{"@cert-authority " + name + " " + other.Public}, "is not known"},
		{"authority for another host", []string{"@cert-authority *.example.org " + authority}, "is not known"},
		{"revoked", []string{name + " " + s.HostKey, "@revoked * " + s.HostKey}, "is revoked by"},
		{"revoked authority", []string{"@cert-authority " + name + " " + authority, "@revoked * " + authority}, "revoked"},
		{"bad lines", append(garbage, name+" "+s.HostKey), ""},
		{"bad lines, changed", append(garbage, name+" "+other.Public), "known_hosts:6 has ssh-ed25519 SHA256:"},
		{"bad lines only", garbage, "known_hosts:1, "},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e := endpoint(s, "root")
			e.KnownHosts = []string{knownFile(t, tc.lines...)}
			c, err := newPool(t, transport.PoolOptions{}).Open(limited(t), e, transport.Become{})
			if err == nil {
				defer c.Close()
			}
			if tc.says == "" && err != nil {
				t.Fatal(err)
			}
			if tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("got %v, want %q in it", err, tc.says)
			}
			if tc.says != "is not known" && tc.says != "" && !strings.Contains(tc.says, ":1, ") {
				e.HostKeys = "accept-new" // takes the unknown, and nothing else
				if c, err := newPool(t, transport.PoolOptions{}).Open(limited(t), e, transport.Become{}); err == nil {
					_ = c.Close()
					t.Error("accept-new let it pass")
				}
			}
		})
	}
}

// acceptAs makes the test binary another process that accepts a new host key; it holds port, key and file.
const acceptAs = "HOSTLER_TEST_ACCEPT"

// acceptInProcess connects many times at once.
func acceptInProcess() int {
	var e transport.Endpoint
	var key, known string
	if _, err := fmt.Sscan(os.Getenv(acceptAs), &e.Port, &key, &known); err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e.Host, e.User, e.HostKeys, e.Args = "127.0.0.1", "root", "accept-new", []string{"-F", "none"}
	e.KeyFiles, e.KnownHosts = []string{key}, []string{known}
	if err := acceptAtOnce(ctx, e); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func acceptAtOnce(ctx context.Context, e transport.Endpoint) error {
	p := transport.NewPool(transport.PoolOptions{})
	defer p.Close()
	errs := make(chan error)
	const n = 8
	for i := range n {
		one := e
		one.Retries = i // endpoints that differ: each connects on its own
		go func() {
			c, err := p.Open(ctx, one, transport.Become{})
			if err == nil {
				err = c.Close()
			}
			errs <- err
		}()
	}
	var failed error
	for range n {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	return failed
}

// TestAcceptNew: many connections of several processes record one line.
func TestAcceptNew(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{})
	e := endpoint(s, "root")
	known := filepath.Join(t.TempDir(), "new", "known_hosts")
	e.KnownHosts, e.HostKeys = []string{known}, "accept-new"
	results := make(chan error)
	for range 2 {
		go func() {
			cmd := exec.CommandContext(limited(t), os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %s", acceptAs, s.Port, s.KeyFile, known))
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			results <- err
		}()
	}
	go func() { results <- acceptAtOnce(limited(t), e) }()
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got, want := read(t, known), fmt.Sprintf("[127.0.0.1]:%d %s", s.Port, strings.Join(strings.Fields(s.HostKey)[:2], " ")); got != want {
		t.Errorf("recorded %q; want %q", got, want)
	}
	e.HostKeys = "strict"
	says(t, open(t, newPool(t, transport.PoolOptions{}), e, transport.Become{}), "ok\n", "echo", "ok")
}
