//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// TestMaxStartups: the server drops connections beyond two that are not logged in yet; all get in.
func TestMaxStartups(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Config: []string{"MaxStartups 2:100:2"}})
	p := newPool(t, transport.PoolOptions{})
	errs := make(chan error)
	const n = 12
	for i := range n {
		e := endpoint(s, "root")
		e.ConnectTimeout = time.Minute + time.Duration(i) // endpoints that differ: each connects on its own
		go func() {
			c, err := p.Open(limited(t), e, transport.Become{})
			if err == nil {
				err = c.Close()
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(s.Log(), "MaxStartups") {
		t.Error("the server dropped nothing: the test proves nothing")
	}
}

// TestDiskFull: the original stays, nothing is left beside it, and the message names the place.
func TestDiskFull(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{
		Users: []transporttest.SSHDUser{{Name: "ann"}},
		Setup: `mkdir -m 777 /run/small; mount -t tmpfs -o size=2m,mode=777 tmpfs /run/small; echo original >/run/small/image; chmod 666 /run/small/image
echo 'ann ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/test; chmod 440 /etc/sudoers.d/test`,
	})
	local := filepath.Join(t.TempDir(), "content")
	content := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	if err := os.WriteFile(local, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]transport.PutOptions{
		"known size": {Size: int64(len(content))}, "unknown size": {}, "sparse": {Sparse: true, Size: int64(len(content))},
	} {
		for _, become := range []transport.Become{{}, {Method: "sudo"}} {
			t.Run(name+" "+become.Method, func(t *testing.T) {
				c := open(t, newPool(t, transport.PoolOptions{}), endpoint(s, "ann"), become)
				defer c.Close()
				f, err := os.Open(local)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				err = c.Put(limited(t), "/run/small/image", f, opts)
				if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "put /run/small/image: ") || !strings.Contains(err.Error(), "no space left on device") {
					t.Errorf("got %v", err)
				}
				says(t, c, "original\nimage\n", "sh", "-c", "cat /run/small/image; ls -A /run/small")
			})
		}
	}
	c := open(t, newPool(t, transport.PoolOptions{}), endpoint(s, "ann"), transport.Become{})
	defer c.Close()
	says(t, c, "", "sh", "-c", "cat /dev/zero >/run/small/full 2>/dev/null; :")
	if err := c.Put(limited(t), "/run/small/image", strings.NewReader(strings.Repeat("x", 9000)), transport.PutOptions{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a small file: %v", err)
	}
	says(t, c, "original\nfull\nimage\n", "sh", "-c", "cat /run/small/image; ls -A /run/small")
}

// TestNoSFTP: files move without the subsystem.
func TestNoSFTP(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{NoSFTP: true})
	c := open(t, newPool(t, transport.PoolOptions{}), endpoint(s, "root"), transport.Become{})
	defer c.Close()
	path := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{10, 3 << 20} {
		content := bytes.Repeat([]byte{'x', 0, '\n', 0xff, 'y'}, size/5)
		if err := c.Put(limited(t), path, bytes.NewReader(content), transport.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		r, err := c.Get(limited(t), path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if closeErr := r.Close(); err != nil || closeErr != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back as %d: %v, %v", len(content), len(got), err, closeErr)
		}
	}
}

// running counts processes of this machine, of whatever namespace, that have the words in their command line.
func running(t *testing.T, words string) int {
	t.Helper()
	n := 0
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file) // gone meanwhile
		if strings.HasPrefix(strings.ReplaceAll(string(text), "\x00", " "), words+" ") {
			n++
		}
	}
	return n
}

// TestCancelEndsTheProcess: whoever runs it and however it was started.
func TestCancelEndsTheProcess(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{
		Users: []transporttest.SSHDUser{{Name: "ann"}},
		Setup: "echo 'ann ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/test; chmod 440 /etc/sudoers.d/test",
	})
	p := newPool(t, transport.PoolOptions{})
	commands := map[string]transport.Command{
		"script":            {Script: "sleep $1", Args: []string{"%s"}},
		"pipeline":          {Script: "sleep $1 | cat | cat", Args: []string{"%s"}},
		"user":              {Argv: []string{"sleep", "%s"}, User: true},
		"user's pipeline":   {Argv: []string{"sh", "-c", "sleep %s | cat; echo late"}, User: true},
		"user's background": {Argv: []string{"sh", "-c", "sleep %s & wait"}, User: true},
		"raw":               {Raw: "sleep %s"},
		"raw pipeline":      {Raw: "sleep %s | cat; echo late"},
		"terminal":          {Script: "sleep $1; echo late", Args: []string{"%s"}, TTY: true},
		"input":             {Script: "cat; sleep $1", Args: []string{"%s"}, Input: strings.NewReader("x")},
	}
	i := 0
	for name, cmd := range commands {
		for _, become := range []transport.Become{{}, {Method: "sudo"}} {
			i++
			word := fmt.Sprintf("%d.%d", 3600+i, os.Getpid())
			t.Run(name+" "+become.Method, func(t *testing.T) {
				t.Parallel()
				c := open(t, p, endpoint(s, "ann"), become)
				defer c.Close()
				mine := cmd
				mine.Raw = strings.ReplaceAll(cmd.Raw, "%s", word)
				mine.Argv, mine.Args = fill(cmd.Argv, word), fill(cmd.Args, word)
				ctx, cancel := context.WithCancel(limited(t))
				defer cancel()
				ended := make(chan error, 1)
				go func() {
					_, err := c.Exec(ctx, mine)
					ended <- err
				}()
				await(t, "the command to run", func() bool { return running(t, "sleep "+word) > 0 })
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
				await(t, "the process to end", func() bool { return running(t, "sleep "+word) == 0 })
			})
		}
	}
}

func fill(words []string, word string) []string {
	var filled []string
	for _, w := range words {
		filled = append(filled, strings.ReplaceAll(w, "%s", word))
	}
	return filled
}

// await fails the test when something does not come about in time.
func await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for range 600 {
		if ready() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited too long for %s", what)
}

// TestCloseLeavesNothing: closing the pool under running commands ends them and every goroutine.
func TestCloseLeavesNothing(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Users: []transporttest.SSHDUser{{Name: "ann", Password: "correct horse"}}, Setup: "echo 'permit ann' >/etc/doas.conf; chmod 400 /etc/doas.conf"})
	before := goleak.IgnoreCurrent()
	p := transport.NewPool(transport.PoolOptions{})
	e := passwordOnly(s, "ann", "correct horse")
	word := fmt.Sprintf("3599.%d", os.Getpid())
	ended := make(chan error)
	const n = 3
	for i, become := range []transport.Become{{}, {}, {Method: "doas", Password: e.Password}} {
		go func() {
			c, err := p.Open(limited(t), e, become)
			if err == nil {
				_, err = c.Exec(limited(t), transport.Command{Script: "echo " + fmt.Sprint(i) + "; sleep $1", Args: []string{word}})
			}
			ended <- err
		}()
	}
	await(t, "the commands to run", func() bool { return running(t, "sleep "+word) == n })
	if err := p.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	for range n {
		if err := <-ended; !errors.Is(err, transport.ErrLost) {
			t.Errorf("a command ended with %v, want ErrLost", err)
		}
	}
	goleak.VerifyNone(t, before)
	if left, err := filepath.Glob("/tmp/.hostler-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
