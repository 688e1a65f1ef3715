package transporttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/transport"
)

// Reply is the answer to one command.
type Reply struct {
	// Command is what Show makes of the command; Match, where set, decides instead.
	Command string
	Match   func(transport.Command) bool

	Stdout, Stderr string
	Status         int
	// Err is what Exec returns, where the transport itself is to fail.
	Err error
	// Wait is called first; it may block until its context ends.
	Wait func(ctx context.Context) error
	// Repeat lets the reply serve again and again; it then need not be used at all.
	Repeat bool
}

// File is a file of a Fake.
type File struct {
	Data []byte
	// Options are those of the Put that wrote it.
	Options transport.PutOptions
}

// Fake is a Conn without a host. Replies are taken in order among those that match; a command without a reply
// fails the test, and so does a reply that nobody asked for. Files are a map.
type Fake struct {
	t testing.TB

	mu       sync.Mutex
	replies  []Reply
	commands []transport.Command
	files    map[string]File
	closed   int
}

var _ transport.Conn = (*Fake)(nil)

// NewFake makes a Fake that checks at the end of the test that all replies were used.
func NewFake(t testing.TB, replies ...Reply) *Fake {
	t.Helper()
	f := &Fake{t: t, replies: slices.Clone(replies), files: map[string]File{}}
	t.Cleanup(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, r := range f.replies {
			if !r.Repeat {
				t.Errorf("reply never asked for: %s", r.Command)
			}
		}
	})
	return f
}

// Add scripts more replies.
func (f *Fake) Add(replies ...Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replies = append(f.replies, replies...)
}

// SetFile makes a file that Get finds.
func (f *Fake) SetFile(path, data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[path] = File{Data: []byte(data)}
}

// File gives a file as it is now.
func (f *Fake) File(path string) (File, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.files[path]
	return file, ok
}

// Commands are all commands so far, in order.
func (f *Fake) Commands() []transport.Command {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.commands)
}

// Shown are all commands so far as Show has them.
func (f *Fake) Shown() []string {
	var shown []string
	for _, c := range f.Commands() {
		shown = append(shown, Show(c))
	}
	return shown
}

// Closed is how often Close was called.
func (f *Fake) Closed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// Show is a command as one line: its words quoted for a shell, "script" with the script's first line and its
// arguments, or "raw" with the text.
func Show(c transport.Command) string {
	words := c.Argv
	switch {
	case c.Script != "":
		first, _, _ := strings.Cut(strings.TrimSpace(c.Script), "\n")
		words = append([]string{"script", first}, c.Args...)
	case c.Raw != "":
		words = []string{"raw", c.Raw}
	}
	line, err := shell.Join(words...)
	if err != nil {
		return fmt.Sprintf("%q", words)
	}
	return line
}

// Exec answers from the script.
func (f *Fake) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	f.t.Helper()
	out := transport.Output{Start: time.Now()}
	if err := ctx.Err(); err != nil {
		return out, err
	}
	reply, ok := f.take(cmd)
	if !ok {
		f.t.Errorf("no reply for the command: %s", Show(cmd))
		return out, fmt.Errorf("no reply for the command: %s", Show(cmd))
	}
	if reply.Wait != nil {
		if err := reply.Wait(ctx); err != nil {
			return out, err
		}
	}
	if cmd.Input != nil {
		if _, err := io.Copy(io.Discard, cmd.Input); err != nil {
			return out, err
		}
	}
	out.Duration = time.Since(out.Start)
	out.Status = reply.Status
	var err error
	if out.Stdout, err = deliver(cmd.Stdout, reply.Stdout); err != nil {
		return out, err
	}
	if out.Stderr, err = deliver(cmd.Stderr, reply.Stderr); err != nil {
		return out, err
	}
	switch {
	case reply.Err != nil:
		return out, reply.Err
	case reply.Status != 0:
		return out, &transport.ExitError{Command: Show(cmd), Status: reply.Status, Stderr: []byte(reply.Stderr)}
	}
	return out, nil
}

func deliver(live io.Writer, text string) ([]byte, error) {
	if live == nil {
		return []byte(text), nil
	}
	_, err := io.WriteString(live, text)
	return nil, err
}

func (f *Fake) take(cmd transport.Command) (Reply, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commands = append(f.commands, cmd)
	shown := Show(cmd)
	for i, r := range f.replies {
		if r.Match != nil && r.Match(cmd) || r.Match == nil && r.Command == shown {
			if !r.Repeat {
				f.replies = slices.Delete(f.replies, i, i+1)
			}
			return r, true
		}
	}
	return Reply{}, false
}

// Put keeps the file.
func (f *Fake) Put(ctx context.Context, path string, r io.Reader, opts transport.PutOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("put %s: %w", path, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.files[path]; opts.IfHash != "" && opts.IfHash != hashOf(old.Data, ok) {
		return fmt.Errorf("put %s: %w", path, transport.ErrChanged)
	}
	f.files[path] = File{Data: data, Options: opts}
	return nil
}

func hashOf(data []byte, exists bool) string {
	if !exists {
		return "absent"
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Get reads a file of the Fake.
func (f *Fake) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: path, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(file.Data)), nil
}

// Close counts.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	return nil
}
