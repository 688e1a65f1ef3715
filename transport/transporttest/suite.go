package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/transport"
)

// Suite holds a Conn to its contract. open gives a new Conn to a host with a POSIX sh and /proc whose home folder and
// /tmp can be written; the Suite closes it. It leaves nothing on the host.
func Suite(t *testing.T, open func(t *testing.T) transport.Conn) {
	t.Helper()
	suite(t, 1, open)
}

// SmallSuite is Suite with output and files of a few MiB where Suite has hundreds: for a further identity on a
// host that passed Suite.
func SmallSuite(t *testing.T, open func(t *testing.T) transport.Conn) {
	t.Helper()
	suite(t, 16, open)
}

// suite divides the large sizes.
func suite(t *testing.T, divisor int64, open func(t *testing.T) transport.Conn) {
	t.Helper()
	for _, test := range slices.Concat(execTests(), processTests(), fileTests()) {
		t.Run(test.name, func(t *testing.T) {
			c := open(t)
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
			defer stop()
			h := host{c, t, new([]string), divisor}
			test.run(ctx, t, h)
			h.clean(ctx)
			for range 2 {
				if err := c.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
}

type suiteTest struct {
	name string
	run  func(ctx context.Context, t *testing.T, h host)
}

// host is a Conn with shorthands that fail the test.
type host struct {
	transport.Conn
	t       *testing.T
	folders *[]string
	divisor int64 // of large sizes
}

// clean removes the folders of a test.
func (h host) clean(ctx context.Context) {
	if len(*h.folders) > 0 {
		h.sh(ctx, `rm -rf -- "$@"`, *h.folders...)
	}
}

// sh runs a script that must succeed and gives its stdout.
func (h host) sh(ctx context.Context, script string, args ...string) string {
	h.t.Helper()
	out, err := h.Exec(ctx, transport.Command{Script: script, Args: args})
	if err != nil {
		h.t.Fatalf("%s: %v: %s", script, err, out.Stderr)
	}
	return string(out.Stdout)
}

// folder makes a temporary folder on the host.
func (h host) folder(ctx context.Context) string {
	h.t.Helper()
	dir := strings.TrimSpace(h.sh(ctx, "mktemp -d /tmp/hostler-suite.XXXXXX"))
	*h.folders = append(*h.folders, dir)
	return dir
}

func (h host) expect(ctx context.Context, cmd transport.Command, stdout, stderr string, status int) {
	h.t.Helper()
	out, err := h.Exec(ctx, cmd)
	if got := string(out.Stdout); got != stdout {
		h.t.Errorf("stdout %q, want %q", got, stdout)
	}
	if got := string(out.Stderr); got != stderr {
		h.t.Errorf("stderr %q, want %q", got, stderr)
	}
	exit, failed := errors.AsType[*transport.ExitError](err)
	switch {
	case status == 0 && err != nil:
		h.t.Errorf("error %v, want none", err)
	case status != 0 && (!failed || exit.Status != status):
		h.t.Errorf("error %v, want exit status %d", err, status)
	}
	if out.Status != status {
		h.t.Errorf("status %d, want %d", out.Status, status)
	}
}

// everyByte is all byte values, twice, with what confuses shells at both ends.
func everyByte() []byte {
	all := []byte("-n %s \\")
	for range 2 {
		for b := range 256 {
			all = append(all, byte(b))
		}
	}
	return append(all, "\n\n"...)
}

func oddWords() []string {
	return []string{"", "-n", "--", "a b", "it's", `"`, `\`, "$HOME", "`id`", "é€\U0001F600", "a\nb\n", "\xff\x81\x88", "*", "~", "!x", "\t", "%s", ";", "#"}
}

func execTests() []suiteTest {
	return []suiteTest{
		{"status", func(ctx context.Context, t *testing.T, h host) {
			for _, status := range []int{0, 1, 2, 42, 126, 127, 255} {
				h.expect(ctx, transport.Command{Script: "exit $1", Args: []string{fmt.Sprint(status)}}, "", "", status)
				h.expect(ctx, transport.Command{Argv: []string{"sh", "-c", fmt.Sprintf("exit %d", status)}, User: true}, "", "", status)
			}
		}},
		{"signal", func(ctx context.Context, t *testing.T, h host) {
			for _, user := range []bool{false, true} {
				_, err := h.Exec(ctx, transport.Command{Argv: []string{"sh", "-c", "kill -9 $$"}, User: user})
				exit, ok := errors.AsType[*transport.ExitError](err)
				if !ok || exit.Status != 137 || exit.Signal != "KILL" {
					t.Errorf("%#v", err)
				}
			}
		}},
		{"streams apart", func(ctx context.Context, t *testing.T, h host) {
			h.expect(ctx, transport.Command{Script: "echo out; echo err >&2; printf end"}, "out\nend", "err\n", 0)
			h.expect(ctx, transport.Command{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}, User: true}, "out\n", "err\n", 3)
		}},
		{"words", func(ctx context.Context, t *testing.T, h host) {
			want := strings.Join(oddWords(), "|") + "|"
			h.expect(ctx, transport.Command{Argv: append([]string{"printf", "%s|"}, oddWords()...)}, want, "", 0)
			h.expect(ctx, transport.Command{Argv: append([]string{"printf", "%s|"}, oddWords()...), User: true}, want, "", 0)
			h.expect(ctx, transport.Command{Script: `for w; do printf '%s|' "$w"; done`, Args: oddWords()}, want, "", 0)
			h.expect(ctx, transport.Command{Script: `for w; do printf '%s|' "$w"; done`, Args: oddWords(), Input: strings.NewReader("")}, want, "", 0)
			if _, err := h.Exec(ctx, transport.Command{Argv: []string{"echo", "a\x00b"}}); err == nil {
				t.Error("a NUL byte in an argument was accepted")
			}
		}},
		{"binary", func(ctx context.Context, t *testing.T, h host) {
			all := string(everyByte())
			for _, user := range []bool{false, true} {
				h.expect(ctx, transport.Command{Argv: []string{"cat"}, Stdin: []byte(all), User: user}, all, "", 0)
				h.expect(ctx, transport.Command{Argv: []string{"cat"}, Input: strings.NewReader(all), User: user}, all, "", 0)
			}
			h.expect(ctx, transport.Command{Script: "cat >&2", Stdin: []byte(all)}, "", all, 0)
		}},
		{"no stdin", func(ctx context.Context, t *testing.T, h host) {
			h.expect(ctx, transport.Command{Argv: []string{"cat"}}, "", "", 0)
			h.expect(ctx, transport.Command{Argv: []string{"cat"}, User: true}, "", "", 0)
			h.expect(ctx, transport.Command{Argv: []string{"true"}, Stdin: everyByte()}, "", "", 0)
		}},
		{"much stdin", func(ctx context.Context, t *testing.T, h host) {
			much := bytes.Repeat(everyByte(), 2000)
			h.expect(ctx, transport.Command{Argv: []string{"cat"}, Stdin: much}, string(much), "", 0)
			h.expect(ctx, transport.Command{Argv: []string{"cat"}, Input: bytes.NewReader(much)}, string(much), "", 0)
			h.expect(ctx, transport.Command{Argv: []string{"true"}, Stdin: much}, "", "", 0)
		}},
		{"talk", talk},
		{"failing input", func(ctx context.Context, t *testing.T, h host) {
			broken := errors.New("broken")
			_, err := h.Exec(ctx, transport.Command{Argv: []string{"cat"}, Input: io.MultiReader(strings.NewReader("x"), failingReader{broken})})
			if !errors.Is(err, broken) {
				t.Error(err)
			}
		}},
		{"environment", func(ctx context.Context, t *testing.T, h host) {
			for _, w := range oddWords() {
				h.expect(ctx, transport.Command{Script: `printf %s "$A_1"`, Env: map[string]string{"A_1": w}}, w, "", 0)
				h.expect(ctx, transport.Command{Argv: []string{"sh", "-c", `printf %s "$A_1"`}, User: true, Env: map[string]string{"A_1": w}}, w, "", 0)
			}
			h.expect(ctx, transport.Command{Script: `printf %s "${A_1-gone}"`}, "gone", "", 0)
			for _, name := range []string{"", "1A", "A-B", "A=B", "A;id"} {
				if _, err := h.Exec(ctx, transport.Command{Argv: []string{"true"}, Env: map[string]string{name: "x"}}); err == nil {
					t.Errorf("the name %q was accepted", name)
				}
			}
		}},
		{"folder", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			odd := dir + "/-a 'b'\n\"c"
			h.sh(ctx, `mkdir -- "$1"`, odd)
			h.expect(ctx, transport.Command{Script: "pwd", Dir: odd}, odd+"\n", "", 0)
			h.expect(ctx, transport.Command{Argv: []string{"pwd"}, Dir: odd, User: true}, odd+"\n", "", 0)
			out, err := h.Exec(ctx, transport.Command{Script: "echo ran", Dir: dir + "/missing"})
			if _, ok := errors.AsType[*transport.ExitError](err); !ok || len(out.Stdout) > 0 || !strings.Contains(string(out.Stderr), "missing") {
				t.Errorf("%q %q %v", out.Stdout, out.Stderr, err)
			}
		}},
		{"state does not leak", func(ctx context.Context, t *testing.T, h host) {
			home := h.sh(ctx, "pwd")
			h.sh(ctx, "cd /; LEAK=1; export LEAK; umask 0; set -f; trap 'echo trapped' EXIT; echo hi")
			h.expect(ctx, transport.Command{Script: `pwd; echo "${LEAK-none}"; exit 5`}, home+"none\n", "", 5)
		}},
		{"syntax error", func(ctx context.Context, t *testing.T, h host) {
			out, err := h.Exec(ctx, transport.Command{Script: "if ("})
			if _, ok := errors.AsType[*transport.ExitError](err); !ok || len(out.Stderr) == 0 {
				t.Errorf("%q %v", out.Stderr, err)
			}
			h.expect(ctx, transport.Command{Script: "echo on"}, "on\n", "", 0)
		}},
		{"missing program", func(ctx context.Context, t *testing.T, h host) {
			for _, user := range []bool{false, true} {
				out, err := h.Exec(ctx, transport.Command{Argv: []string{"no-such-program-here"}, User: user})
				exit, ok := errors.AsType[*transport.ExitError](err)
				if !ok || exit.Status != 127 || !strings.Contains(string(out.Stderr), "no-such-program-here") {
					t.Errorf("%q %v", out.Stderr, err)
				}
			}
		}},
		{"raw", func(ctx context.Context, t *testing.T, h host) {
			h.expect(ctx, transport.Command{Raw: "echo out; echo err >&2; exit 4"}, "out\n", "err\n", 4)
			h.expect(ctx, transport.Command{Raw: "cat", Stdin: everyByte()}, string(everyByte()), "", 0)
		}},
		{"terminal", func(ctx context.Context, t *testing.T, h host) {
			out, err := h.Exec(ctx, transport.Command{Script: `[ -t 0 ] && [ -t 1 ] && read -r a && echo "got $a" >&2; exit 6`, TTY: true, Stdin: []byte("word\n")})
			exit, ok := errors.AsType[*transport.ExitError](err)
			if !ok || exit.Status != 6 || !strings.Contains(string(out.Stdout), "got word") {
				t.Errorf("%q %v", out.Stdout, err)
			}
		}},
		{"refusals", func(ctx context.Context, t *testing.T, h host) {
			for _, cmd := range []transport.Command{{}, {Argv: []string{"a"}, Script: "b"}, {Argv: []string{"a"}, Stdin: []byte("x"), Input: strings.NewReader("y")}} {
				if _, err := h.Exec(ctx, cmd); err == nil {
					t.Errorf("accepted: %+v", cmd)
				}
			}
		}},
		{"live output", func(ctx context.Context, t *testing.T, h host) {
			r, w := io.Pipe()
			go func() {
				_, err := h.Exec(ctx, transport.Command{Script: "echo one; sleep 0.3; echo two", Stdout: w})
				_ = w.CloseWithError(err)
			}()
			var first [4]byte
			if _, err := io.ReadFull(r, first[:]); err != nil || string(first[:]) != "one\n" {
				t.Errorf("%q %v", first, err)
			}
			if rest, err := io.ReadAll(r); err != nil || string(rest) != "two\n" {
				t.Errorf("%q %v", rest, err)
			}
		}},
		{"failing writer", func(ctx context.Context, t *testing.T, h host) {
			broken := errors.New("broken")
			_, err := h.Exec(ctx, transport.Command{Script: "echo one; echo two", Stdout: failingWriter{broken}})
			if !errors.Is(err, broken) {
				t.Error(err)
			}
			h.expect(ctx, transport.Command{Script: "echo on"}, "on\n", "", 0)
		}},
		{"spill", func(ctx context.Context, t *testing.T, h host) {
			size := int64(100<<20) / h.divisor
			out, err := h.Exec(ctx, transport.Command{Script: fmt.Sprintf("head -c %d /dev/zero; echo err >&2", size), Limit: 1 << 20})
			if err != nil || len(out.Stdout) != 1<<20 || string(out.Stderr) != "err\n" {
				t.Fatalf("%d bytes in memory, %v", len(out.Stdout), err)
			}
			info, err := os.Stat(out.StdoutFile)
			if err != nil || info.Size() != size {
				t.Errorf("%v %v", info, err)
			}
			if err := os.Remove(out.StdoutFile); err != nil {
				t.Error(err)
			}
		}},
		{"at once", func(ctx context.Context, t *testing.T, h host) {
			var group sync.WaitGroup
			for i := range 12 {
				group.Go(func() {
					for j := range 5 {
						word := fmt.Sprintf("%d-%d", i, j)
						out, err := h.Exec(ctx, transport.Command{Argv: []string{"sh", "-c", `echo "$1"; echo "$1" >&2; exit 7`, "sh", word}, User: i%2 == 0})
						if exit, ok := errors.AsType[*transport.ExitError](err); !ok || exit.Status != 7 || string(out.Stdout) != word+"\n" || string(out.Stderr) != word+"\n" {
							t.Errorf("%q %q %v", out.Stdout, out.Stderr, err)
						}
					}
				})
			}
			group.Wait()
		}},
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
