package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/transport"
)

// ErrPlanned is what Change and WriteFile return in check mode, after they noted what they
// would do. A module passes it up.
var ErrPlanned = errors.New("planned, not done: check mode")

// IgnorePlanned gives nil for ErrPlanned and any other error as it is, for a module with several steps: in check mode
// it goes on to announce the next one.
func IgnorePlanned(err error) error {
	if errors.Is(err, ErrPlanned) {
		return nil
	}
	return err
}

// Host is the one host a module works on: the only way by which it may look at or alter anything.
// It is for one run of one module, in one goroutine.
type Host struct {
	opts     HostOptions
	converge bool
	*notes
	peers  peering // the other hosts that were opened
	peerOf *Host   // the task's own host, for one that Peer gave
}

// notes are what a run of a module comes to. The task's own host and others that it works with share them.
type notes struct {
	actions  []Done
	diffs    []Diff
	warnings []string
	altered  bool
	planned  bool
	noLog    bool
}

// HostOptions make a Host.
type HostOptions struct {
	Name    string
	At      string // the host that Conn leads to where that is another one (delegate_to)
	Conn    transport.Conn
	Check   bool
	Diff    bool
	Verbose int
	NoLog   bool
	Env     map[string]string // the task's environment
	Facts   *value.Dict       // what is known of the host, without the ansible_ prefix; nil when nothing was gathered
	Local   Local             // what the engine lends of the controller; nil in tests that need none
	// Interpreter, when set, runs an executable module in place of what its first line names; it may have arguments.
	Interpreter string
	// Live takes a user program's output as it comes; nil unless somebody watches.
	Live func(stderr bool, chunk []byte)
	// Job makes RunUser start the program as a job. Ended is what a job came to: RunUser gives it and runs nothing.
	Job   *Job
	Ended *Ran
	// Ends opens the two ends of a task that goes from one host to another; nil in tests that need none.
	Ends func(ctx context.Context) (Ends, error)
	// Peers are the other hosts; nil in tests that need none.
	Peers Peers
	// Executor, when set, alters the host in place of scripts over Conn.
	Executor Executor
}

// Executor carries out what a module wants done. The tests' one (moduletest) is scripted; without one a Host runs scripts
// over its Conn.
type Executor interface {
	// Apply runs actions in order until one fails, and then, where all succeeded and there is a probe script, that
	// with its args. An action's failure is told by its Done, not by the error.
	Apply(ctx context.Context, actions []Action, probe string, args []string) ([]Done, *Report, error)
	// RunUser runs a program of the user's; with check it only looks at its conditions.
	RunUser(ctx context.Context, p Program, check bool) (Ran, error)
}

// NewHost makes a Host for one run of one module.
func NewHost(opts HostOptions) *Host { return &Host{opts: opts, notes: &notes{}} }

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
	// Dest gives a file that a task is to write in full: ~ is the user's home, a relative one lies beside the playbook.
	Dest(name string) string
	// OpenAsIs opens a file without opening its vault; a missing one is fs.ErrNotExist.
	OpenAsIs(path string) (io.ReadCloser, error)
	// Create writes a file on the controller (fetch), atomically, making its folders. The user's umask holds.
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

// Name is the host's name in the inventory.
func (h *Host) Name() string { return h.opts.Name }

// At is the inventory's name of the host that the module works on: that of delegate_to where there is one, and else Name.
func (h *Host) At() string { return cmp.Or(h.opts.At, h.opts.Name) }

// Local lends what the controller has; nil where there is nothing.
func (h *Host) Local() Local { return h.opts.Local }

// KeepSealed makes Local and PutLocal leave vaulted files as they are (decrypt: no).
func (h *Host) KeepSealed() {
	if h.opts.Local != nil {
		h.opts.Local = sealedLocal{h.opts.Local}
	}
}

type sealedLocal struct{ Local }

func (l sealedLocal) Open(path string) (io.ReadCloser, error) { return l.OpenAsIs(path) }

// Facts are what was gathered about the host so far, without the ansible_ prefix; nil when nothing was.
func (h *Host) Facts() *value.Dict { return h.opts.Facts }

// Planning reports check mode, for the wording of messages alone: a module's decisions do not depend on it.
func (h *Host) Planning() bool { return h.opts.Check }

// WantDiff reports whether anybody will look at a diff, for modules to whom making one costs something.
func (h *Host) WantDiff() bool { return h.opts.Diff }

// Verbose is how much the user wants to be told (-v is 1).
func (h *Host) Verbose() int { return h.opts.Verbose }

// Warn adds a warning to the result.
func (h *Host) Warn(format string, args ...any) {
	h.warnings = append(h.warnings, h.whose()+fmt.Sprintf(format, args...))
}

// AddDiff adds a difference to the result; it is dropped when nobody wants one.
func (h *Host) AddDiff(d Diff) {
	if h.opts.Diff {
		h.diffs = append(h.diffs, d)
	}
}

// Hide keeps the module's result out of every output and log, as no_log does.
func (h *Host) Hide() { h.noLog = true }

// Query runs a program that only looks. A status other than 0 is a *transport.ExitError, and the
// Output is then valid all the same. It may run twice when the connection breaks. The PATH is the login shell's; a program that
// may be in an sbin folder is better asked by Probe.
func (h *Host) Query(ctx context.Context, argv ...string) (transport.Output, error) {
	return h.opts.Conn.Exec(ctx, transport.Command{Argv: argv, Env: h.toolEnv(nil), Retry: true})
}

// Probe runs a script that only looks, in one round trip, with args as $1, $2 … It has the functions of
// Report to tell what it found. A status other than 0 is a *transport.ExitError.
func (h *Host) Probe(ctx context.Context, script string, args ...string) (*Report, error) {
	return h.ProbeInput(ctx, nil, script, args...)
}

// ProbeInput is Probe with something on standard input, for instance a secret.
func (h *Host) ProbeInput(ctx context.Context, stdin []byte, script string, args ...string) (*Report, error) {
	out, err := h.opts.Conn.Exec(ctx, transport.Command{
		Script: prelude + script, Args: args, Stdin: stdin, Env: h.toolEnv(nil), Retry: true,
	})
	r := ParseReport(out.Stdout)
	r.Stderr, r.Exit = out.Stderr, out.Status
	return r, err
}

// ProbePlain runs a script that only looks in the user's own environment: without the functions of Probe,
// and with the locale and PATH that the host gives.
func (h *Host) ProbePlain(ctx context.Context, script string, args ...string) (transport.Output, error) {
	return h.opts.Conn.Exec(ctx, transport.Command{Script: script, Args: args, Env: h.opts.Env, Retry: true})
}

// ReadFile reads a file whole; a missing one is fs.ErrNotExist, one over limit bytes an error. Limit 0 is 16 MiB.
func (h *Host) ReadFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	if limit == 0 {
		limit = transport.DefaultLimit
	}
	r, err := h.opts.Conn.Get(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: it is larger than %d bytes", path, limit)
	}
	return data, nil
}

// Download opens a file of the host to read it as a stream; a missing one is fs.ErrNotExist.
func (h *Host) Download(ctx context.Context, path string) (io.ReadCloser, error) {
	return h.opts.Conn.Get(ctx, path)
}

// toolEnv is the environment of our own looks and changes: programs talk English, the task's environment wins.
func (h *Host) toolEnv(extra map[string]string) map[string]string {
	env := map[string]string{"LC_ALL": "C", "LANG": "C"}
	maps.Copy(env, h.opts.Env)
	maps.Copy(env, extra)
	return env
}
