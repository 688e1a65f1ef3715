package transport_test

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/practice"
)

// practiceHost starts a server with a key of its own and gives the endpoint that reaches it.
func practiceHost(t *testing.T) (*practice.Server, transport.Endpoint) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	s, err := practice.Start(practice.Options{Home: t.TempDir(), Keys: []ssh.PublicKey{signer.PublicKey()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, known := filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")
	line := fmt.Sprintf("[127.0.0.1]:%d %s", s.Addr().Port, ssh.MarshalAuthorizedKey(s.HostKey()))
	for path, text := range map[string][]byte{key: pem.EncodeToMemory(block), known: []byte(line)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s, transport.Endpoint{
		Name: "host", Kind: "ssh", Host: "127.0.0.1", Port: s.Addr().Port, KeyFiles: []string{key},
		KnownHosts: []string{known}, Args: []string{"-F", "none", "-o", "IdentityAgent=none"},
	}
}

// countingPool counts the connections that it makes.
func countingPool(t *testing.T, opts transport.PoolOptions) (*transport.Pool, *atomic.Int32) {
	t.Helper()
	var connected atomic.Int32
	opts.Log = func(_, event string) {
		if len(event) > 9 && event[:9] == "connected" {
			connected.Add(1)
		}
	}
	p := transport.NewPool(opts)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p, &connected
}

func TestPoolSharesOneConnection(t *testing.T) {
	_, e := practiceHost(t)
	p, connected := countingPool(t, transport.PoolOptions{})
	var wg sync.WaitGroup
	for i := range 20 {
		mine := e
		mine.Name = fmt.Sprint("name", i)
		wg.Go(func() {
			c, err := p.Open(t.Context(), mine, transport.Become{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := connected.Load(); n != 1 {
		t.Errorf("%d connections for one endpoint, want 1", n)
	}
}

func TestPoolClosesTheOldestIdle(t *testing.T) {
	p, connected := countingPool(t, transport.PoolOptions{MaxOpen: 2})
	var ends []transport.Endpoint
	for range 3 {
		_, e := practiceHost(t)
		ends = append(ends, e)
	}
	visit := func(i int) {
		t.Helper()
		c, err := p.Open(t.Context(), ends[i], transport.Become{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, 1, 0, 2, 0, 1} { // 2 pushes 1 out, and 1 in turn pushes 2
		visit(i)
	}
	if n := connected.Load(); n != 4 {
		t.Errorf("%d connections, want 4", n)
	}
}

func TestPoolForgetsFailures(t *testing.T) {
	s, e := practiceHost(t)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.Port, e.HostKeys = front.Addr().(*net.TCPAddr).Port, "off"
	if err := front.Close(); err != nil {
		t.Fatal(err)
	}
	p, _ := countingPool(t, transport.PoolOptions{})
	_, err = p.Open(t.Context(), e, transport.Become{})
	u, ok := errors.AsType[*transport.UnreachableError](err)
	if !ok || u.Host != "host" || u.Op != "connect" {
		t.Fatalf("got %v, want a refused connection to host", err)
	}
	front, err = net.Listen("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	go func() {
		in, err := front.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			_ = in.Close()
			return
		}
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		_, _ = io.Copy(in, out)
		_ = in.Close()
	}()
	c, err := p.Open(t.Context(), e, transport.Become{})
	if err != nil {
		t.Fatalf("now that somebody listens: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestPoolCancelledOpen: the first opener gives up; the one who waits with it is served all the same.
func TestPoolCancelledOpen(t *testing.T) {
	_, e := practiceHost(t)
	p, _ := countingPool(t, transport.PoolOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := p.Open(ctx, e, transport.Become{})
		first <- err
	}()
	second := make(chan error, 1)
	go func() {
		_, err := p.Open(t.Context(), e, transport.Become{})
		second <- err
	}()
	cancel()
	if err := <-first; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the one who gave up: %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("the one who waited: %v", err)
	}
}
