package moduletest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
	"golang.org/x/tools/txtar"
)

// exchange is one question to the host and its answer.
type exchange struct {
	ask            string
	stdout, stderr string
	status         int
	content        string // of a file put
	hasContent     bool
}

// host answers from a fixture. It is the Conn for looks and files, and the Executor for changes.
type host struct {
	t         *testing.T
	check     bool
	exchanges []exchange
	files     map[string]string
	executed  int
}

var (
	_ transport.Conn   = (*host)(nil)
	_ modules.Executor = (*host)(nil)
)

func newHost(t *testing.T, a *txtar.Archive, check bool) *host {
	t.Helper()
	h := &host{t: t, check: check, files: map[string]string{}}
	for _, f := range a.Files {
		if path, ok := strings.CutPrefix(f.Name, "file/"); ok {
			h.files["/"+strings.TrimPrefix(path, "/")] = string(f.Data)
		}
	}
	exchanges, err := parseExchanges(section(a, "host"))
	if err != nil {
		t.Fatal(err)
	}
	h.exchanges = exchanges
	return h
}

// parseExchanges reads the file host of a fixture.
func parseExchanges(text string) ([]exchange, error) {
	var all []exchange
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"probe", "query", "change", "run", "put"}, word) {
			all = append(all, exchange{ask: strings.TrimSpace(line)})
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("host: %q answers nothing", line)
		}
		e := &all[len(all)-1]
		switch word {
		case ">":
			e.stdout += rest + "\n"
		case "!":
			e.stderr += rest + "\n"
		case "<":
			e.content, e.hasContent = e.content+rest+"\n", true
		case "status":
			n, err := strconv.Atoi(rest)
			if err != nil {
				return nil, fmt.Errorf("host: %q: %w", line, err)
			}
			e.status = n
		default:
			return nil, fmt.Errorf("host: %q is not understood", line)
		}
	}
	for i := range all {
		all[i].stdout = frame(all[i].stdout)
	}
	return all, nil
}

// frame makes sections of "@KEY STATUS" lines and what follows them.
func frame(text string) string {
	if !strings.HasPrefix(text, "@") {
		return text
	}
	var out strings.Builder
	for part := range strings.SplitSeq(text[1:], "\n@") {
		head, body, _ := strings.Cut(part, "\n")
		key, status, ok := strings.Cut(head, " ")
		if !ok {
			status = "0"
		}
		body = strings.TrimSuffix(body, "\n")
		fmt.Fprintf(&out, "@@%s %d %s\n%s\n", key, len(body), status, body)
	}
	return out.String()
}

// take finds the answer to a question, in order among those with the same question.
func (h *host) take(kind string, words ...string) (exchange, error) {
	line, err := shell.Join(words...)
	if err != nil {
		return exchange{}, err
	}
	ask := strings.TrimSpace(kind + " " + line)
	for i, e := range h.exchanges {
		if e.ask == ask {
			h.exchanges = slices.Delete(h.exchanges, i, i+1)
			return e, nil
		}
	}
	h.t.Errorf("the fixture does not answer: %s", ask)
	return exchange{}, fmt.Errorf("the fixture does not answer: %s", ask)
}

// unused fails the test for answers that nobody asked for.
func (h *host) unused(t *testing.T) {
	t.Helper()
	for _, e := range h.exchanges {
		t.Errorf("never asked for: %s", e.ask)
	}
}

// Exec answers a look.
func (h *host) Exec(_ context.Context, cmd transport.Command) (transport.Output, error) {
	kind, words := "query", cmd.Argv
	if cmd.Script != "" {
		kind, words = "probe", cmd.Args
	}
	e, err := h.take(kind, words...)
	if err != nil {
		return transport.Output{}, err
	}
	out := transport.Output{Stdout: []byte(e.stdout), Stderr: []byte(e.stderr), Status: e.status}
	if e.status != 0 {
		return out, &transport.ExitError{Command: e.ask, Status: e.status, Stderr: out.Stderr}
	}
	return out, nil
}

// Apply answers actions and the probe after them.
func (h *host) Apply(_ context.Context, actions []modules.Action, probe string, args []string) ([]modules.Done, *modules.Report, error) {
	var done []modules.Done
	for _, a := range actions {
		words := a.Argv
		if a.Script != "" {
			words = append([]string{"script"}, a.Args...)
		}
		h.executed++
		e, err := h.take("change", words...)
		if err != nil {
			return done, nil, err
		}
		done = append(done, modules.Done{Why: a.Why, Command: strings.TrimPrefix(e.ask, "change "), Status: e.status, Stdout: []byte(e.stdout), Stderr: []byte(e.stderr)})
		if e.status != 0 {
			return done, nil, nil
		}
	}
	if probe == "" {
		return done, nil, nil
	}
	e, err := h.take("probe", args...)
	return done, modules.ParseReport([]byte(e.stdout)), err
}

// RunUser answers a program of the user's; its answer may be "> @@skip creates" and the like.
func (h *host) RunUser(_ context.Context, p modules.Program, check bool) (modules.Ran, error) {
	if check {
		return modules.Ran{Skip: "check"}, nil
	}
	words := p.Argv
	if p.Raw != "" {
		words = []string{p.Raw}
	}
	e, err := h.take("run", words...)
	ran := modules.Ran{Output: transport.Output{Stdout: []byte(e.stdout), Stderr: []byte(e.stderr), Status: e.status}}
	if why, ok := strings.CutPrefix(e.stdout, "@@skip "); ok {
		ran = modules.Ran{Skip: strings.TrimSpace(why)}
	}
	return ran, err
}

// Put answers a file written, and compares its content where the fixture has it.
func (h *host) Put(_ context.Context, path string, r io.Reader, o transport.PutOptions) error {
	h.executed++
	if o.Mode != 0 && !o.HasMode {
		h.t.Errorf("put %s: the mode %o is not heeded without HasMode", path, o.Mode)
	}
	e, err := h.take("put", path)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("put %s: %w", path, err)
	}
	if e.hasContent && string(data) != e.content {
		h.t.Errorf("put %s: content is %q, want %q", path, data, e.content)
	}
	h.files[path] = string(data)
	if e.status != 0 {
		return &transport.ExitError{Command: e.ask, Status: e.status, Stderr: []byte(e.stderr)}
	}
	return nil
}

// Get reads a file of the fixture.
func (h *host) Get(_ context.Context, path string) (io.ReadCloser, error) {
	text, ok := h.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: path, Err: fs.ErrNotExist}
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

// Close does nothing.
func (h *host) Close() error { return nil }

// local is the controller: the fixture's files local/NAME.
type local struct{ archive *txtar.Archive }

var _ modules.Local = local{}

func (l local) fs() fstest.MapFS {
	m := fstest.MapFS{}
	for _, f := range l.archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "local/"); ok {
			m[name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	return m
}

func (l local) Find(kind, name string) (string, error) {
	if _, err := l.fs().Stat(name); err != nil {
		return "", fmt.Errorf("could not find %s in %s: %w", name, kind, fs.ErrNotExist)
	}
	return name, nil
}

func (l local) Open(path string) (io.ReadCloser, error)    { return l.fs().Open(path) }
func (l local) Stat(path string) (fs.FileInfo, error)      { return l.fs().Stat(path) }
func (l local) ReadDir(path string) ([]fs.DirEntry, error) { return l.fs().ReadDir(path) }
func (l local) Dest(name string) string                    { return name }

func (l local) OpenAsIs(path string) (io.ReadCloser, error) { return l.Open(path) }

func (l local) Create(string, fs.FileMode, io.Reader) error { return nil }
func (l local) Render(_ context.Context, path string, _ modules.RenderOptions) ([]byte, error) {
	f, ok := l.fs()[path]
	if !ok {
		return nil, &fs.PathError{Op: "render", Path: path, Err: fs.ErrNotExist}
	}
	return bytes.Clone(f.Data), nil
}
