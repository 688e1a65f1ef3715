package practice

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func start(t *testing.T, opts Options) (*Server, *ssh.Client) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	opts.Home = t.TempDir()
	opts.Keys = []ssh.PublicKey{signer.PublicKey()}
	s, err := Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	client, err := ssh.Dial("tcp", s.Addr().String(), &ssh.ClientConfig{
		User: cmp.Or(opts.User, "anyone"), Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return s, client
}

func TestExec(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, client := start(t, Options{})
	defer s.Close()
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader("in\x00put"), &out, &errOut
	err = session.Run(`pwd; cat; echo wrong >&2; exit 7`)
	exit, ok := errors.AsType[*ssh.ExitError](err)
	if !ok || exit.ExitStatus() != 7 {
		t.Errorf("status: %v", err)
	}
	if want := s.opts.Home + "\nin\x00put"; out.String() != want || errOut.String() != "wrong\n" {
		t.Errorf("got %q and %q, want %q and %q", out.String(), errOut.String(), want, "wrong\n")
	}
}

func TestExecSignal(t *testing.T) {
	_, client := start(t, Options{})
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	exit, ok := errors.AsType[*ssh.ExitError](session.Run("kill -KILL $$"))
	if !ok || exit.Signal() != "KILL" {
		t.Errorf("got %v", exit)
	}
}

func TestMaxSessions(t *testing.T) {
	_, client := start(t, Options{MaxSessions: 1})
	first, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.NewSession(); err == nil {
		t.Error("a second session was allowed")
	}
	first.Close()
}

func TestSFTP(t *testing.T) {
	s, client := start(t, Options{})
	files, err := sftp.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	f, err := files.Create("relative.txt")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "text")
	f.Close()
	got, err := os.ReadFile(filepath.Join(s.opts.Home, "relative.txt"))
	if err != nil || string(got) != "text" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRefusal(t *testing.T) {
	s, _ := start(t, Options{Password: "right", User: "root"})
	for _, c := range []struct {
		user, password string
		ok             bool
	}{{"root", "right", true}, {"root", "wrong", false}, {"other", "right", false}} {
		client, err := ssh.Dial("tcp", s.Addr().String(), &ssh.ClientConfig{
			User: c.user, Auth: []ssh.AuthMethod{ssh.Password(c.password)}, HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
		})
		if (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.user, c.password, err)
		}
		if client != nil {
			client.Close()
		}
	}
}

func TestTunnel(t *testing.T) {
	s, client := start(t, Options{})
	other, err := Start(Options{Home: t.TempDir(), Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	c, err := client.Dial("tcp", other.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	banner := make([]byte, 7)
	if _, err := io.ReadFull(c, banner); err != nil || string(banner) != "SSH-2.0" {
		t.Errorf("got %q, %v", banner, err)
	}
	if _, err := client.Dial("tcp", "127.0.0.1:1"); err == nil {
		t.Error("a tunnel to a closed port opened")
	}
	_ = s
}
