package transport_test

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hostlerhq/hostler/transport"
)

// deafPort takes a port on which connections are refused until listen is called: then they go to addr.
func deafPort(t *testing.T, addr string) (port int, listen func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "port")
	t.Cleanup(func() { _ = file.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	var relays sync.WaitGroup
	t.Cleanup(relays.Wait)
	return name.(*syscall.SockaddrInet4).Port, sync.OnceFunc(func() {
		if err := syscall.Listen(fd, 1); err != nil {
			t.Error(err)
			return
		}
		l, err := net.FileListener(file)
		if err != nil {
			t.Error(err)
			return
		}
		relays.Go(func() {
			defer l.Close()
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			s, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			relays.Go(func() { _, _ = io.Copy(s, c); _ = s.Close() })
			relays.Go(func() { _, _ = io.Copy(c, s); _ = c.Close() })
		})
	})
}

// TestConnectingIsTriedAgain: a host that comes up between the attempts is reached, and without retries it is not.
func TestConnectingIsTriedAgain(t *testing.T) {
	s, e := practiceHost(t)
	port, listen := deafPort(t, s.Addr().String())
	p := transport.NewPool(transport.PoolOptions{Log: func(_, event string) {
		if strings.Contains(event, "trying again in") {
			listen()
		}
	}})
	t.Cleanup(func() { _ = p.Close() })
	e.Port, e.HostKeys = port, "off"
	if _, err := p.Open(t.Context(), e, transport.Become{}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatalf("without retries: %v", err)
	}
	e.Retries = 2
	c, err := p.Open(t.Context(), e, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if out, err := c.Exec(t.Context(), transport.Command{Argv: []string{"echo", "up"}}); err != nil || string(out.Stdout) != "up\n" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
}
