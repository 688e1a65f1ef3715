//go:build integration

// Package transport_test holds the tests of the transport against real OpenSSH; they need root.
package integration

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

func TestMain(m *testing.M) {
	if os.Getenv(acceptAs) != "" {
		os.Exit(acceptInProcess())
	}
	goleak.VerifyTestMain(m)
}

// endpoint reaches a server as a user with the server's key, without the files of whoever runs the tests.
func endpoint(s *transporttest.Server, user string) transport.Endpoint {
	return transport.Endpoint{
		Name: "target", Kind: "ssh", Host: s.Host, Port: s.Port, User: user,
		KeyFiles: []string{s.KeyFile}, KnownHosts: []string{s.KnownHosts}, Args: []string{"-F", "none"},
	}
}

// passwordOnly is endpoint with a password in place of the key.
func passwordOnly(s *transporttest.Server, user, password string) transport.Endpoint {
	e := endpoint(s, user)
	e.KeyFiles = nil
	e.Password = secret.New(password)
	e.Args = []string{"-F", "none", "-o", "IdentityFile=none", "-o", "IdentityAgent=none"}
	return e
}

// limited ends what a test waits for long before the run's own time-out would.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func newPool(t *testing.T, opts transport.PoolOptions) *transport.Pool {
	t.Helper()
	opts.Log = func(host, event string) { t.Logf("%s: %s", host, event) }
	p := transport.NewPool(opts)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close the pool: %v", err)
		}
	})
	return p
}

func open(t *testing.T, p *transport.Pool, e transport.Endpoint, b transport.Become) transport.Conn {
	t.Helper()
	c, err := p.Open(limited(t), e, b)
	if err != nil {
		t.Fatalf("open %s: %v", e.Host, err)
	}
	return c
}

// says runs a command and checks what it prints.
func says(t *testing.T, c transport.Conn, want string, argv ...string) {
	t.Helper()
	out, err := c.Exec(limited(t), transport.Command{Argv: argv})
	if err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	if string(out.Stdout) != want {
		t.Errorf("%v printed %q, want %q", argv, out.Stdout, want)
	}
}

func TestLoginWithKeyAndPassword(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Users: []transporttest.SSHDUser{{Name: "ann", Password: "correct horse"}}})
	p := newPool(t, transport.PoolOptions{})
	for name, e := range map[string]transport.Endpoint{"key": endpoint(s, "ann"), "password": passwordOnly(s, "ann", "correct horse")} {
		t.Run(name, func(t *testing.T) {
			c := open(t, p, e, transport.Become{})
			defer c.Close()
			says(t, c, "ann\n", "id", "-un")
		})
	}
}
