package transport

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// openLocal is a Conn to this machine with the shell given as worker.
func openLocal(t *testing.T, shell ...string) *conn {
	t.Helper()
	dir := t.TempDir()
	m := newMachine(newLocalLink(), machineOptions{
		name: "here", shell: shell, tempDir: func() (string, error) { return dir, nil },
		log: func(event string) { t.Log(event) },
	})
	t.Cleanup(func() { _ = m.close() })
	return m.conn(Become{}, nil)
}

func TestExecOnEveryShell(t *testing.T) {
	for _, shell := range []string{"/bin/sh", "/usr/bin/bash --posix", "/usr/bin/busybox sh"} {
		t.Run(shell, func(t *testing.T) {
			c := openLocal(t, strings.Fields(shell)...)
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			defer stop()
			for range 2 {
				out, err := c.Exec(ctx, Command{Argv: []string{"printf", `a\0b\377%s`, "x y'z"}})
				if err != nil || string(out.Stdout) != "a\x00b\xffx y'z" {
					t.Fatalf("%q %v", out.Stdout, err)
				}
				out, err = c.Exec(ctx, Command{User: true, Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}})
				if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Status != 3 || string(out.Stdout) != "out\n" || string(out.Stderr) != "err\n" {
					t.Fatalf("%q %q %v", out.Stdout, out.Stderr, err)
				}
				in := []byte("-%\\'\x00\xff\n")
				out, err = c.Exec(ctx, Command{Script: `cat; echo "$1"`, Args: []string{"é\n'"}, Stdin: in})
				if err != nil || string(out.Stdout) != string(in)+"é\n'\n" {
					t.Fatalf("%q %v", out.Stdout, err)
				}
				out, err = c.Exec(ctx, Command{User: true, Argv: []string{"cat"}, Stdin: in})
				if err != nil || string(out.Stdout) != string(in) {
					t.Fatalf("%q %v", out.Stdout, err)
				}
				out, err = c.Exec(ctx, Command{Argv: []string{"cat"}, Input: bytes.NewReader(in)})
				if err != nil || string(out.Stdout) != string(in) {
					t.Fatalf("%q %v", out.Stdout, err)
				}
				out, err = c.Exec(ctx, Command{Script: "if ("})
				if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Status != 2 && exit.Status != 1 || len(out.Stderr) == 0 {
					t.Fatalf("%q %v", out.Stderr, err)
				}
				out, err = c.Exec(ctx, Command{Raw: "echo raw; exit 4"})
				if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Status != 4 || string(out.Stdout) != "raw\n" {
					t.Fatalf("%q %v", out.Stdout, err)
				}
				out, err = c.Exec(ctx, Command{TTY: true, Argv: []string{"sh", "-c", "tty && stty -a; read a; echo got $a"}, Stdin: []byte("line\n")})
				if err != nil || !bytes.Contains(out.Stdout, []byte("got line")) {
					t.Fatalf("%q %v", out.Stdout, err)
				}
			}
			start := time.Now()
			_, err := c.Exec(ctx, Command{Argv: []string{"sleep", "60"}, Timeout: 100 * time.Millisecond})
			if _, ok := errors.AsType[*TimeoutError](err); !ok {
				t.Fatal(err)
			}
			_, err = c.Exec(ctx, Command{User: true, Argv: []string{"sh", "-c", "sleep 61 & wait"}, Timeout: 100 * time.Millisecond})
			if _, ok := errors.AsType[*TimeoutError](err); !ok {
				t.Fatal(err)
			}
			t.Log(time.Since(start))
		})
	}
}
