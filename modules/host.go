package modules

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/hostlerhq/hostler/transport"
)

// ErrPlanned is what Change and WriteFile return in check mode, after they noted what they
// would do. A module passes it up.
var ErrPlanned = errors.New("planned, not done: check mode")

// Host is the one host a module works on: the only way by which it may look at or alter anything.
type Host struct {
	// unexported: conn, check, diff, actions, environment, local
}

// HostOptions make a Host.
type HostOptions struct {
	Name    string
	Conn    transport.Conn
	Check   bool
	Diff    bool
	Verbose int
	NoLog   bool
	Env     map[string]string // the task's environment
	Local   Local             // what the engine lends of the controller; nil in tests that need none
	// Live takes a user program's output as it comes; nil unless somebody watches.
	Live func(stderr bool, chunk []byte)
}

// NewHost makes a Host for one run of one module.
func NewHost(opts HostOptions) *Host { panic("skeleton") }

// Local is what a module may ask of the controller: files beside the playbook or role, and
// templates with the task's variables. The engine implements it.
type Local interface {
	// Find looks a relative name up as Ansible does for the kind ("files", "templates", "vars"), an absolute one as it is.
	// A missing one names every place that was tried.
	Find(kind, name string) (path string, err error)
	// Open reads a file found; Stat and ReadDir (sorted) look at it. Vaulted files come opened.
	Open(path string) (io.ReadCloser, error)
	Stat(path string) (fs.FileInfo, error)
	ReadDir(path string) ([]fs.DirEntry, error)
	// Create writes a file on the controller (fetch), atomically, making its folders.
	Create(path string, mode fs.FileMode, r io.Reader) error
	// Render renders a template file found with the task's variables and extra ones.
	Render(ctx context.Context, path string, opts RenderOptions) ([]byte, error)
}

// RenderOptions are the template module's.
type RenderOptions struct {
	TrimBlocks, LstripBlocks                               bool
	BlockStart, BlockEnd, VariableStart, VariableEnd       string
	CommentStart, CommentEnd, NewlineSequence, OutEncoding string
	Extra                                                  map[string]any
}

// Action is one alteration.
type Action struct {
	// Why is one line for people: "create directory /srv/iso".
	Why string
	// Argv, or Script with Args, does it; secrets go by Stdin.
	Argv   []string
	Script string
	Args   []string
	Stdin  []byte
	Env    map[string]string
	Dir    string
}
