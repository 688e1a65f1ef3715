package report

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hostlerhq/hostler/run"
)

// Tree writes each host's last result into a file of its name, as JSON on one line; Ansible's `ansible --tree`.
type Tree struct {
	dir string
	err error
}

// NewTree makes a Tree and its folder.
func NewTree(dir string) (*Tree, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of results: %w", err)
	}
	return &Tree{dir: dir}, nil
}

// Close gives the first error of writing.
func (t *Tree) Close() error { return t.err }

// Emit writes the result of a host. A host's name that leads elsewhere is refused.
func (t *Tree) Emit(_ context.Context, e run.Event) {
	done, ok := e.(run.HostFinished)
	if !ok {
		return
	}
	err := fmt.Errorf("the host's name %q cannot be a file's", done.Host)
	if filepath.Base(done.Host) == done.Host && done.Host != ".." && done.Host != "." {
		err = os.WriteFile(filepath.Join(t.dir, done.Host), []byte(JSON(shown(&done.Outcome, 0), 0)), 0o600)
	}
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("write a result: %w", err)
	}
}
