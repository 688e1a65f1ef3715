package transporttest

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/transport"
)

// recorder is a testing.TB that notes failures in place of failing.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, format)
}

func TestFakeAnswersInOrder(t *testing.T) {
	f := NewFake(t,
		Reply{Command: "virsh list", Stdout: "one"},
		Reply{Command: "virsh list", Status: 1, Stderr: "down"},
	)
	out, err := f.Exec(t.Context(), transport.Command{Argv: []string{"virsh", "list"}})
	if err != nil || string(out.Stdout) != "one" {
		t.Fatalf("%q, %v", out.Stdout, err)
	}
	_, err = f.Exec(t.Context(), transport.Command{Argv: []string{"virsh", "list"}})
	if exit, ok := errors.AsType[*transport.ExitError](err); !ok || exit.Status != 1 || string(exit.Stderr) != "down" {
		t.Fatal(err)
	}
}

func TestFakeFailsForUnknownAndUnused(t *testing.T) {
	r := &recorder{TB: t}
	f := NewFake(r, Reply{Command: "never"})
	if _, err := f.Exec(t.Context(), transport.Command{Script: "echo hi\n", Args: []string{"a b"}}); err == nil ||
		!strings.Contains(err.Error(), "script 'echo hi' 'a b'") {
		t.Fatal(err)
	}
	for _, c := range r.cleanups {
		c()
	}
	if len(r.failures) != 2 {
		t.Fatalf("failures: %q", r.failures)
	}
}

func TestFakeFiles(t *testing.T) {
	f := NewFake(t)
	if _, err := f.Get(t.Context(), "/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	put := func(text, ifHash string) error {
		return f.Put(t.Context(), "/a", strings.NewReader(text), transport.PutOptions{IfHash: ifHash})
	}
	if err := put("x", "absent"); err != nil {
		t.Fatal(err)
	}
	if err := put("y", "absent"); !errors.Is(err, transport.ErrChanged) {
		t.Fatal(err)
	}
	r, err := f.Get(t.Context(), "/a")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != "x" {
		t.Fatalf("%q, %v", data, err)
	}
}
