//go:build integration

package integration

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/system"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// greeter is a server that greets whoever connects, and echoes.
func greeter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "220 ready\n")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTunnel(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{})
	c := open(t, newPool(t, transport.PoolOptions{}), endpoint(s, "root"), transport.Become{})
	defer c.Close()
	conn, err := c.(transport.Tunneler).DialContext(limited(t), "tcp", greeter(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	want := "220 ready\nhello"
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := c.(transport.Tunneler).DialContext(limited(t), "tcp", closedPort(t)); err == nil || errors.Is(err, transport.ErrForwarding) {
		t.Errorf("a port at which nobody listens: %v", err)
	}
}

func TestNoTunnel(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Config: []string{"AllowTcpForwarding no"}})
	c := open(t, newPool(t, transport.PoolOptions{}), endpoint(s, "root"), transport.Become{})
	defer c.Close()
	_, err := c.(transport.Tunneler).DialContext(limited(t), "tcp", greeter(t))
	if !errors.Is(err, transport.ErrForwarding) {
		t.Errorf("%v, want %v", err, transport.ErrForwarding)
	}
	says(t, c, "still there\n", "echo", "still there")
}

// TestWaitForPort waits for ports by way of the connection, and where that lets nobody through by what the host has.
func TestWaitForPort(t *testing.T) {
	for _, config := range [][]string{nil, {"AllowTcpForwarding no"}} {
		t.Run(strings.Join(config, ""), func(t *testing.T) {
			s := transporttest.SSHD(t, transporttest.SSHDOptions{Config: config})
			c := open(t, newPool(t, transport.PoolOptions{}), endpoint(s, "root"), transport.Become{})
			defer c.Close()
			wait := func(address, state string) modules.Result {
				host, port, err := net.SplitHostPort(address)
				if err != nil {
					t.Fatal(err)
				}
				h := modules.NewHost(modules.HostOptions{Name: "target", Conn: c})
				r, err := system.WaitFor.Run(limited(t), h, value.NewDict("host", host, "port", port, "state", state, "timeout", 2, "sleep", 1))
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			if r := wait(greeter(t), "started"); r.Failed {
				t.Errorf("an open port: %s", r.Msg)
			}
			if r := wait(closedPort(t), "stopped"); r.Failed {
				t.Errorf("a closed port: %s", r.Msg)
			}
			if r := wait(closedPort(t), "started"); !r.Failed || !strings.HasPrefix(r.Msg, "Timeout when waiting for ") {
				t.Errorf("a closed port that is to open: failed %v, %q", r.Failed, r.Msg)
			}
		})
	}
}
