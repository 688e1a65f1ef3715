//go:build integration

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// through reaches a server over a relay; the server's key is known under the relay's port.
func through(t *testing.T, s *transporttest.Server, r *relay) transport.Endpoint {
	t.Helper()
	e := endpoint(s, "root")
	e.Port = r.port
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, fmt.Appendf(nil, "[127.0.0.1]:%d %s\n", r.port, s.HostKey), 0o600); err != nil {
		t.Fatal(err)
	}
	e.KnownHosts = []string{known}
	return e
}

func TestCutInTheMiddleOfACommand(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{})
	for _, retry := range []bool{false, true} {
		t.Run(fmt.Sprintf("retry=%v", retry), func(t *testing.T) {
			r := newRelay(t, s.Addr())
			c := open(t, newPool(t, transport.PoolOptions{}), through(t, s, r), transport.Become{})
			defer c.Close()
			mark := filepath.Join(t.TempDir(), "mark")
			go func() {
				for { // cut once the command runs
					if _, err := os.Stat(mark); err == nil {
						r.cut()
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
			}()
			out, err := c.Exec(limited(t), transport.Command{Script: `echo x >>"$1"; sleep 0.5; echo done`, Args: []string{mark}, Retry: retry})
			starts, rerr := os.ReadFile(mark)
			if rerr != nil {
				t.Fatal(rerr)
			}
			if retry && (err != nil || string(out.Stdout) != "done\n" || len(starts) != 4) {
				t.Errorf("a look: %q, %v after %q; want it to run again", out.Stdout, err, starts)
			}
			if !retry && (!errors.Is(err, transport.ErrLost) || string(starts) != "x\n") {
				t.Errorf("a change: %v after %q; want ErrLost and one start", err, starts)
			}
			says(t, c, "again\n", "echo", "again")
		})
	}
}

func TestCutInTheMiddleOfAnUpload(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{})
	r := newRelay(t, s.Addr())
	c := open(t, newPool(t, transport.PoolOptions{}), through(t, s, r), transport.Become{})
	defer c.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "image")
	if err := os.WriteFile(path, []byte("original"), 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	sent := 0
	data := readerFunc(func(p []byte) (int, error) {
		if sent >= size/2 {
			r.cut()
		}
		if sent >= size {
			return 0, io.EOF
		}
		n := min(len(p), size-sent)
		for i := range n {
			p[i] = byte(i + 1)
		}
		sent += n
		return n, nil
	})
	err := c.Put(limited(t), path, data, transport.PutOptions{Size: size})
	if !errors.Is(err, transport.ErrLost) {
		t.Errorf("got %v, want ErrLost", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "original" {
		t.Errorf("the original is now %d bytes, %v", len(got), err)
	}
	// The far end needs a moment to notice; what it leaves must be gone or be named.
	var left []string
	for range 100 {
		left = left[:0]
		entries, rerr := os.ReadDir(dir)
		if rerr != nil {
			t.Fatal(rerr)
		}
		for _, e := range entries {
			if e.Name() != "image" {
				left = append(left, e.Name())
			}
		}
		if len(left) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, name := range left {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("left %s behind without saying so: %v", name, err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestDeadPeerIsNoticed(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{})
	r := newRelay(t, s.Addr())
	e := through(t, s, r)
	e.Args = append(e.Args, "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2", "-o", "ConnectTimeout=1")
	c := open(t, newPool(t, transport.PoolOptions{}), e, transport.Become{})
	defer c.Close()
	says(t, c, "up\n", "echo", "up")
	errs := make(chan error)
	for range 2 {
		go func() {
			_, err := c.Exec(limited(t), transport.Command{Argv: []string{"sleep", "100"}})
			errs <- err
		}()
	}
	time.Sleep(200 * time.Millisecond)
	r.freeze()
	for range 2 {
		if err := <-errs; !errors.Is(err, transport.ErrLost) {
			t.Errorf("got %v, want ErrLost", err)
		}
	}
}

// TestRefusals: what a user reads when there is no way in.
func TestRefusals(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Users: []transporttest.SSHDUser{
		{Name: "ann", Password: "correct horse"}, {Name: "locked", Password: "p", Locked: true},
	}, NoPAM: true})
	other := transporttest.SSHD(t, transporttest.SSHDOptions{})
	tests := []struct {
		name   string
		change func(e *transport.Endpoint)
		op     string
		says   []string
		hint   string
	}{
		{"wrong password", func(e *transport.Endpoint) { *e = passwordOnly(s, "ann", "wrong") }, "authenticate", []string{"ann@127.0.0.1: Permission denied (publickey,password", "refused: password"}, "password may be wrong"},
		{"locked account", func(e *transport.Endpoint) { e.User = "locked" }, "authenticate", []string{"Permission denied", "refused: key " + s.KeyFile}, "trust --install-key"},
		{"wrong key", func(e *transport.Endpoint) { e.KeyFiles = []string{other.KeyFile} }, "authenticate", []string{"Permission denied"}, "trust --install-key"},
		{"missing key", func(e *transport.Endpoint) { e.KeyFiles = []string{"/nonexistent/key"} }, "authenticate", []string{"nothing to try", "/nonexistent/key"}, "trust --install-key"},
		{"nothing listens", func(e *transport.Endpoint) { e.Port = 1 }, "connect", []string{"127.0.0.1:1", "refused"}, "nothing listens on port 1"},
		{"no such name", func(e *transport.Endpoint) { e.Host = "no-such-host.invalid" }, "resolve", []string{"no-such-host.invalid"}, "ansible_host"},
		{"unknown key", func(e *transport.Endpoint) { e.KnownHosts = []string{filepath.Join(t.TempDir(), "none")} }, "check the host key", []string{"ssh-ed25519 SHA256:", "is not known"}, "hostler trust target"},
		{"unknown argument", func(e *transport.Endpoint) { e.Args = []string{"-o", "Fancy=1"} }, "read the ssh settings", []string{"Fancy"}, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e := endpoint(s, "ann")
			e.Args = append(e.Args, "-o", "IdentityAgent=none")
			tc.change(&e)
			c, err := newPool(t, transport.PoolOptions{}).Open(limited(t), e, transport.Become{})
			if err == nil {
				_ = c.Close()
				t.Fatal("it let us in")
			}
			u, ok := errors.AsType[*transport.UnreachableError](err)
			if !ok {
				t.Fatalf("got %T %v, want *UnreachableError", err, err)
			}
			if u.Op != tc.op || u.Host != "target" || !strings.Contains(u.Hint, tc.hint) {
				t.Errorf("op %q, host %q, hint %q; want op %q, hint with %q", u.Op, u.Host, u.Hint, tc.op, tc.hint)
			}
			for _, text := range tc.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q lacks %q", err, text)
				}
			}
		})
	}
}

func TestChangedHostKey(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{})
	other := transporttest.SSHD(t, transporttest.SSHDOptions{})
	for _, mode := range []string{"strict", "accept-new"} {
		t.Run(mode, func(t *testing.T) {
			e := endpoint(s, "root")
			known := filepath.Join(t.TempDir(), "known_hosts")
			before := fmt.Appendf(nil, "# mine\n[%s]:%d %s\n", s.Host, s.Port, other.HostKey)
			if err := os.WriteFile(known, before, 0o600); err != nil {
				t.Fatal(err)
			}
			e.KnownHosts, e.HostKeys = []string{known}, mode
			_, err := newPool(t, transport.PoolOptions{}).Open(limited(t), e, transport.Become{})
			u, ok := errors.AsType[*transport.UnreachableError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(u.Error(), "host key changed: "+known+":2 has ssh-ed25519 SHA256:") || !strings.Contains(u.Error(), "the host offers ssh-ed25519 SHA256:") {
				t.Errorf("error %q", u)
			}
			if want := fmt.Sprintf("ssh-keygen -f %s -R '[127.0.0.1]:%d'", known, s.Port); !strings.Contains(u.Hint, want) {
				t.Errorf("hint %q lacks %q", u.Hint, want)
			}
			if after, err := os.ReadFile(known); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the file was altered: %q, %v", after, err)
			}
		})
	}
}
