package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/transport"
)

// duration is some seconds to sleep that no other test on the machine sleeps for.
func duration() string {
	return fmt.Sprintf("%d.%09d", 70+rand.IntN(9), rand.IntN(1e9))
}

// gone waits until no process of the host sleeps for the duration.
func (h host) gone(ctx context.Context, word string) {
	h.t.Helper()
	const script = `for f in /proc/[0-9]*/cmdline; do
	tr '\0' ' ' <"$f" 2>/dev/null | grep -q "^sleep $1 " && echo "$f"
done
exit 0`
	var found string
	for range 200 {
		found = h.sh(ctx, script, word)
		if found == "" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	h.t.Errorf("still running: sleep %s: %s", word, found)
}

// started is a writer that tells when its first byte came.
type started struct{ ch chan struct{} }

func (s started) Write(p []byte) (int, error) {
	select {
	case <-s.ch:
	default:
		close(s.ch)
	}
	return len(p), nil
}

func processTests() []suiteTest {
	long := map[string]transport.Command{
		"script":            {Script: "echo go; sleep $1; echo late"},
		"program":           {Argv: []string{"sh", "-c", "echo go; sleep $1; echo late", "sh"}, User: true},
		"deaf":              {Argv: []string{"sh", "-c", "trap '' TERM; sleep $1 & echo go; wait; sleep $1", "sh"}, User: true},
		"child deaf":        {Argv: []string{"sh", "-c", "(trap '' TERM; echo go; sleep $1; sleep $1) & wait; sleep $1", "sh"}, User: true},
		"with input":        {Script: "echo go; cat; sleep $1; echo late", Input: strings.NewReader("x")},
		"forks all along":   {Script: "echo go; while :; do sleep 0; sleep 0 & done; sleep $1"},
		"a child in a pipe": {Argv: []string{"sh", "-c", "(echo go; sleep $1; sleep $1) | cat", "sh"}, User: true},
	}
	return []suiteTest{
		{"cancel", func(ctx context.Context, t *testing.T, h host) {
			for name, cmd := range long {
				word := duration()
				if cmd.Script != "" {
					cmd.Args = []string{word}
				} else {
					cmd.Argv = append(slices.Clone(cmd.Argv), word)
				}
				cancelled, cancel := context.WithCancel(ctx)
				begun := started{make(chan struct{})}
				cmd.Stdout = begun
				go func() {
					<-begun.ch
					cancel()
				}()
				_, err := h.Exec(cancelled, cmd)
				cancel()
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", name, err)
				}
				h.gone(ctx, word)
			}
		}},
		{"time-out", func(ctx context.Context, t *testing.T, h host) {
			h.expect(ctx, transport.Command{Script: ":"}, "", "", 0) // sudo and its like take their time
			word := duration()
			out, err := h.Exec(ctx, transport.Command{Argv: []string{"sh", "-c", "echo early; sleep $1", "sh", word}, User: true, Timeout: time.Second})
			timeout, ok := errors.AsType[*transport.TimeoutError](err)
			if !ok || timeout.After != time.Second || string(out.Stdout) != "early\n" {
				t.Errorf("%q %v", out.Stdout, err)
			}
			h.gone(ctx, word)
			h.expect(ctx, transport.Command{Script: "echo on"}, "on\n", "", 0)
		}},
		{"cancelled before", func(ctx context.Context, t *testing.T, h host) {
			cancelled, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := h.Exec(cancelled, transport.Command{Argv: []string{"true"}}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}},
		{"children left behind", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			begin := time.Now()
			h.expect(ctx, transport.Command{Argv: []string{"sh", "-c", `(sleep 0.7; echo late; echo late >&2; echo done >"$1"/done) & echo early`, "sh", dir}, User: true}, "early\n", "", 0)
			if took := time.Since(begin); took > 600*time.Millisecond {
				t.Logf("the command took %s", took)
			}
			for range 12 {
				h.expect(ctx, transport.Command{Script: "sleep 0.1; echo on"}, "on\n", "", 0)
			}
		}},
		{"kills its own shell", func(ctx context.Context, t *testing.T, h host) {
			_, err := h.Exec(ctx, transport.Command{Script: "kill -9 $$; sleep 0.1"})
			if !errors.Is(err, transport.ErrLost) {
				t.Error(err)
			}
			h.expect(ctx, transport.Command{Script: "echo on"}, "on\n", "", 0)
		}},
		{"endless input", func(ctx context.Context, t *testing.T, h host) {
			r, w := io.Pipe()
			defer w.Close()
			h.expect(ctx, transport.Command{Argv: []string{"true"}, Input: r}, "", "", 0)
			h.expect(ctx, transport.Command{Argv: []string{"head", "-c", "3"}, Input: io.MultiReader(bytes.NewReader([]byte("abc")), r)}, "abc", "", 0)
		}},
	}
}
