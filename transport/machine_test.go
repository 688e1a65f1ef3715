package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/internal/shell"
)

// narrowLink is this machine with few sessions, as a server with a low MaxSessions.
type narrowLink struct {
	*localLink
	slots chan struct{}
}

func (l narrowLink) start(ctx context.Context, req startRequest) (session, error) {
	select {
	case l.slots <- struct{}{}:
	default:
		req.onFull()
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s, err := l.localLink.start(ctx, req)
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &narrowSession{session: s, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

type narrowSession struct {
	session
	free func()
}

func (s *narrowSession) close() error { defer s.free(); return s.session.close() }
func (s *narrowSession) kill() error  { defer s.free(); return s.session.kill() }

func TestIdleWorkersMakeRoom(t *testing.T) {
	for _, slots := range []int{1, 2} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			defer stop()
			m := newMachine(narrowLink{newLocalLink(), make(chan struct{}, slots)}, machineOptions{})
			defer m.close()
			c := m.conn(Become{}, nil)
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					cmd := Command{Argv: []string{"cat"}, Stdin: []byte("x")}
					if i%2 == 0 {
						cmd = Command{Argv: []string{"cat"}, Input: strings.NewReader("x")}
					}
					if out, err := c.Exec(ctx, cmd); err != nil || string(out.Stdout) != "x" {
						t.Errorf("%q %v", out.Stdout, err)
					}
				})
			}
			group.Wait()
		})
	}
}

// lossy gives local links, and counts them.
type lossy struct {
	mu    sync.Mutex
	links []*localLink
}

func (l *lossy) relink(context.Context) (link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links = append(l.links, newLocalLink())
	return l.links[len(l.links)-1], nil
}

// cut breaks the connection there is.
func (l *lossy) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.links[len(l.links)-1].close()
}

func (l *lossy) machine(t *testing.T) *conn {
	t.Helper()
	first, _ := l.relink(t.Context())
	m := newMachine(first, machineOptions{relink: l.relink})
	t.Cleanup(func() { _ = m.close() })
	return m.conn(Become{}, nil)
}

func TestLooksRunAgainAfterACutAndChangesNever(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	for _, looks := range []bool{true, false} {
		l := &lossy{}
		c := l.machine(t)
		count := t.TempDir() + "/count"
		cmd := Command{Script: `echo run >>"$1"; if [ "$(wc -l <"$1")" = 1 ]; then sleep 30; fi; echo done`, Args: []string{count}, Retry: looks}
		go func() {
			for range 200 {
				if _, err := os.Stat(count); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			l.cut()
		}()
		out, err := c.Exec(ctx, cmd)
		runs, readErr := os.ReadFile(count)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if looks && (err != nil || string(out.Stdout) != "done\n" || string(runs) != "run\nrun\n") {
			t.Errorf("look: %q %v, runs %q", out.Stdout, err, runs)
		}
		if !looks && (!errors.Is(err, ErrLost) || string(runs) != "run\n") {
			t.Errorf("change: %v, runs %q", err, runs)
		}
		if out, err := c.Exec(ctx, Command{Script: "echo on"}); err != nil || string(out.Stdout) != "on\n" {
			t.Errorf("afterwards: %q %v", out.Stdout, err)
		}
	}
}

func TestAChangeThatNeverBeganIsSentAgain(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	l := &lossy{}
	c := l.machine(t)
	for range 3 {
		if out, err := c.Exec(ctx, Command{Script: "echo $$"}); err != nil || len(out.Stdout) == 0 {
			t.Fatalf("%q %v", out.Stdout, err)
		}
		// The worker dies while it is idle.
		for _, w := range c.id.idle {
			_ = syscall.Kill(int(w.pid.Load()), syscall.SIGKILL)
		}
	}
	l.cut()
	if out, err := c.Exec(ctx, Command{Script: "echo on"}); err != nil || string(out.Stdout) != "on\n" {
		t.Errorf("%q %v", out.Stdout, err)
	}
}

func TestReconnectTakesANewLink(t *testing.T) {
	l := &lossy{}
	c := l.machine(t)
	for want := 2; want < 4; want++ {
		if err := c.Reconnect(t.Context()); err != nil || len(l.links) != want {
			t.Fatalf("%d links, %v", len(l.links), err)
		}
		select {
		case <-l.links[want-2].lost():
		default:
			t.Error("the old link stays open")
		}
		if out, err := c.Exec(t.Context(), Command{Script: "echo on"}); err != nil || string(out.Stdout) != "on\n" {
			t.Errorf("%q %v", out.Stdout, err)
		}
	}
}

// prefixLink puts a text before every command line, as a login shell's rc file would.
type prefixLink struct {
	*localLink
	text string
}

func (l prefixLink) start(ctx context.Context, req startRequest) (session, error) {
	req.line = l.text + req.line
	return l.localLink.start(ctx, req)
}

func TestRcFilesThatPrint(t *testing.T) {
	m := newMachine(prefixLink{newLocalLink(), "echo Welcome; echo Careful >&2; "}, machineOptions{})
	defer m.close()
	c := m.conn(Become{}, nil)
	for _, input := range []io.Reader{nil, strings.NewReader("")} {
		out, err := c.Exec(t.Context(), Command{Script: "echo out; echo err >&2", Input: input})
		if err != nil || string(out.Stdout) != "out\n" || input == nil && string(out.Stderr) != "err\n" {
			t.Errorf("%q %q %v", out.Stdout, out.Stderr, err)
		}
	}
}

func TestHostsWithoutAShell(t *testing.T) {
	m := newMachine(prefixLink{newLocalLink(), "echo This account is not available; exit 1; "}, machineOptions{name: "hv1"})
	defer m.close()
	_, err := m.conn(Become{}, nil).Exec(t.Context(), Command{Argv: []string{"true"}})
	unreachable, ok := errors.AsType[*UnreachableError](err)
	if !ok || unreachable.Host != "hv1" || !strings.Contains(err.Error(), "This account is not available") {
		t.Error(err)
	}
}

func TestOneSessionACommandWhereNoWorkerCanLive(t *testing.T) {
	// A shell that has the line "exec /bin/sh" refused, as restricted ones do.
	m := newMachine(refusingLink{newLocalLink()}, machineOptions{})
	defer m.close()
	c := m.conn(Become{}, nil)
	for range 2 {
		out, err := c.Exec(t.Context(), Command{Script: "cat; echo on", Stdin: []byte("a\x00b\n")})
		if err != nil || string(out.Stdout) != "a\x00b\non\n" {
			t.Errorf("%q %v", out.Stdout, err)
		}
	}
	if !c.id.noWorker {
		t.Error("the machine did not note it")
	}
}

type refusingLink struct{ *localLink }

func (l refusingLink) start(ctx context.Context, req startRequest) (session, error) {
	if req.line == "exec /bin/sh" {
		req.line = "echo restricted >&2; exit 126"
	}
	return l.localLink.start(ctx, req)
}

func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a full disk is made as root only: the test needs a mount namespace")
	}
	enter, err := shell.Join("exec", "unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=1m none /mnt && exec sh -c "$1"`, "sh")
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(mountLink{newLocalLink(), enter}, machineOptions{})
	defer m.close()
	c := m.conn(Become{}, nil)
	// One session sees all: the namespace is that of the worker.
	out, err := c.Exec(t.Context(), Command{Script: "echo old >/mnt/f; dd if=/dev/zero of=/mnt/fill bs=4096 2>/dev/null; ls /mnt"})
	if err != nil || string(out.Stdout) != "f\nfill\n" {
		t.Fatalf("%q %v", out.Stdout, err)
	}
	err = c.Put(t.Context(), "/mnt/f", bytes.NewReader(make([]byte, 20<<10)), PutOptions{})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/mnt/") || !strings.Contains(err.Error(), "no space left on device") {
		t.Error(err)
	}
	out, err = c.Exec(t.Context(), Command{Script: "cat /mnt/f; ls -A /mnt"})
	if err != nil || string(out.Stdout) != "old\nf\nfill\n" {
		t.Errorf("%q %v", out.Stdout, err)
	}
}

// mountLink runs every session in a mount namespace of its own.
type mountLink struct {
	*localLink
	enter string
}

func (l mountLink) start(ctx context.Context, req startRequest) (session, error) {
	line, err := shell.Quote(req.line)
	if err != nil {
		return nil, err
	}
	req.line = l.enter + " " + line
	return l.localLink.start(ctx, req)
}
