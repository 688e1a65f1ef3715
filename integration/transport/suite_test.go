//go:build integration

package integration

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// TestSuite holds SSH to the contract of every Conn, as the login user and as another.
func TestSuite(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{
		Users: []transporttest.SSHDUser{
			{Name: "ann", Password: "correct horse"}, {Name: "free"}, {Name: "other", Password: "other's own"},
		},
		Setup: `cat >/etc/sudoers.d/test <<'END'
ann ALL=(ALL) ALL
free ALL=(ALL) NOPASSWD: ALL
END
chmod 440 /etc/sudoers.d/test
echo 'permit ann' >/etc/doas.conf
echo 'permit nopass free' >>/etc/doas.conf
chmod 400 /etc/doas.conf`,
	})
	cases := []struct {
		name   string
		server *transporttest.Server
		user   string
		become transport.Become
	}{
		{"root", s, "root", transport.Become{}},
		{"user", s, "free", transport.Become{}},
		{"sudo", s, "free", transport.Become{Method: "sudo"}},
		{"sudo with password", s, "ann", transport.Become{Method: "sudo", User: "other", Password: secret.New("correct horse")}},
		{"su", s, "ann", transport.Become{Method: "su", User: "other", Password: secret.New("other's own")}},
		{"doas", s, "free", transport.Become{Method: "doas"}},
		{"doas with password", s, "ann", transport.Become{Method: "doas", Password: secret.New("correct horse")}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := newPool(t, transport.PoolOptions{})
			suite := transporttest.SmallSuite
			if tc.name == "root" || tc.name == "sudo" {
				suite = transporttest.Suite
			}
			suite(t, func(t *testing.T) transport.Conn { return open(t, p, endpoint(tc.server, tc.user), tc.become) })
		})
	}
}

// TestBashrcPaidOnce: a worker keeps the login shell's start-up files from running for each command.
func TestBashrcPaidOnce(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Users: []transporttest.SSHDUser{
		{Name: "slow", Bashrc: `echo x >>"$HOME/starts"; sleep 0.3; echo chatter`},
	}})
	c := open(t, newPool(t, transport.PoolOptions{}), endpoint(s, "slow"), transport.Become{})
	defer c.Close()
	for range 5 {
		says(t, c, "hello\n", "echo", "hello")
	}
	out, err := c.Exec(limited(t), transport.Command{Argv: []string{"cat", "starts"}})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out.Stdout), "x"); n != 1 {
		t.Errorf("the start-up file ran %d times, want 1", n)
	}
}

// TestMaxSessionsTwo: more commands at once than the server allows sessions.
func TestMaxSessionsTwo(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Config: []string{"MaxSessions 2"}})
	c := open(t, newPool(t, transport.PoolOptions{}), endpoint(s, "root"), transport.Become{})
	defer c.Close()
	errs := make(chan error)
	const n = 12
	for i := range n {
		go func() {
			cmd := transport.Command{Script: "sleep 0.05; echo $1", Args: []string{"x"}}
			if i%3 == 0 {
				cmd = transport.Command{Raw: "sleep 0.05; echo x"}
			}
			out, err := c.Exec(limited(t), cmd)
			if err == nil && string(out.Stdout) != "x\n" {
				t.Errorf("printed %q", out.Stdout)
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
