package modules

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/transport"
)

// Action is one alteration.
type Action struct {
	// Why is one line for people: "create directory /srv/iso".
	Why string
	// Argv, or Script with Args, does it; secrets go by Stdin.
	Argv   []string
	Script string
	Args   []string
	Stdin  []byte
	// Local is a file of the controller, found by Local.Find, that is streamed in place of Stdin.
	Local string
	Env   map[string]string
	Dir   string
}

// fed reports whether the action reads standard input.
func (a Action) fed() bool { return a.Stdin != nil || a.Local != "" }

// Done is an Action that ran, or would have in check mode.
type Done struct {
	Why            string
	Command        string // argv quoted for a shell, or how else to show it; no secrets, for those go by Stdin
	Status         int
	Stdout, Stderr []byte
	Planned        bool // check mode: it did not run
}

// ActionError is an action that failed. Those after it did not run.
type ActionError struct{ Done }

func (e *ActionError) Error() string {
	text := e.Why
	if text == "" {
		text = e.Command
	}
	if detail := strings.TrimSpace(string(e.Stderr)); detail != "" {
		return fmt.Sprintf("%s: exit status %d: %s", text, e.Status, detail)
	}
	return fmt.Sprintf("%s: exit status %d", text, e.Status)
}

// Change alters the host: it runs the actions in order, in one round trip, and stops at the first that fails
// (*ActionError). It is never run twice. In check mode it only notes them and returns ErrPlanned.
// Without actions it does nothing at all. The outcomes are those of the actions that ran.
func (h *Host) Change(ctx context.Context, actions ...Action) ([]Done, error) {
	if len(actions) == 0 {
		return nil, nil
	}
	if h.opts.Check {
		return h.plan(actions), ErrPlanned
	}
	var all []Done
	for part := range batches(actions) {
		done, _, err := h.apply(ctx, part, request{})
		all = append(all, done...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// ChangeAndProbe is Change and, in the same round trip, a look at the host afterwards.
func (h *Host) ChangeAndProbe(ctx context.Context, actions []Action, script string, args ...string) (*Report, error) {
	if h.opts.Check {
		h.plan(actions)
		return nil, ErrPlanned
	}
	return h.changeAndProbe(ctx, actions, request{probe: script, args: args}, nil)
}

// plan notes actions that are not to run.
func (h *Host) plan(actions []Action) []Done {
	var done []Done
	for _, a := range actions {
		done = append(done, Done{Why: h.whose() + a.Why, Command: a.show(), Planned: true})
	}
	h.actions = append(h.actions, done...)
	h.planned = true
	return done
}

// batches cuts actions so that each part has at most one with standard input, which then is the request's own.
func batches(actions []Action) func(yield func([]Action) bool) {
	return func(yield func([]Action) bool) {
		from, fed := 0, false
		for i, a := range actions {
			if !a.fed() {
				continue
			}
			if fed {
				if !yield(actions[from:i]) {
					return
				}
				from = i
			}
			fed = true
		}
		yield(actions[from:])
	}
}

// request is what else a change script does around its actions.
type request struct {
	lock  string  // name of the lock to hold
	seen  *Report // what the probe told and must still tell; nil where that does not matter
	probe string  // script that is run before (with seen) and after the actions
	args  []string
}

// apply runs actions and notes them. The report is that of the probe after them.
func (h *Host) apply(ctx context.Context, actions []Action, req request) ([]Done, *Report, error) {
	var done []Done
	var after *Report
	var err error
	if h.opts.Executor != nil {
		done, after, err = h.opts.Executor.Apply(ctx, actions, req.probe, req.args)
	} else {
		done, after, err = h.applyScript(ctx, actions, req)
	}
	for i := range done {
		done[i].Why = h.whose() + done[i].Why
		h.altered = h.altered || done[i].Status == 0
	}
	h.actions = append(h.actions, done...)
	if err != nil {
		return done, nil, err
	}
	if n := len(done); n > 0 && done[n-1].Status != 0 {
		return done, nil, &ActionError{done[n-1]}
	}
	if len(done) < len(actions) {
		return done, nil, fmt.Errorf("run the changes: only %d of %d were told of", len(done), len(actions))
	}
	return done, after, nil
}

// applyScript is apply by one script over the Conn.
func (h *Host) applyScript(ctx context.Context, actions []Action, req request) ([]Done, *Report, error) {
	mark := NewMark()
	cmd, err := h.script(mark, actions, req)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range actions {
		if a.Local == "" {
			continue
		}
		r, err := h.opts.Local.Open(a.Local)
		if err != nil {
			return nil, nil, fmt.Errorf("open %s: %w", a.Local, err)
		}
		defer r.Close()
		cmd.Input = r // one at most, batches sees to that
	}
	out, err := h.opts.Conn.Exec(ctx, cmd)
	done, after := readDone(mark, actions, out)
	switch {
	case err == nil:
		return done, after, nil
	case out.Status == statusStale && len(done) == 0:
		return nil, nil, errStale
	case out.Status == statusLocked && len(done) == 0:
		return nil, nil, errors.New(strings.TrimSpace(string(out.Stderr)))
	}
	return done, nil, fmt.Errorf("run the changes: %w", err)
}

// The statuses of a change script itself.
const (
	statusStale  = 75
	statusLocked = 76
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// script composes the one script that runs all actions. Its text depends on the actions' number and shape and on
// constants only; every value is a positional parameter. A line with mark goes to both output streams before each action and after
// the last, so that their output can be told apart.
func (h *Host) script(mark string, actions []Action, req request) (transport.Command, error) {
	cmd := transport.Command{Env: h.toolEnv(nil), Args: []string{mark}}
	param := func(v string) string {
		cmd.Args = append(cmd.Args, v)
		return `"${` + strconv.Itoa(len(cmd.Args)) + `}"`
	}
	var b strings.Builder
	b.WriteString(prelude)
	b.WriteString("__mark() { printf '\\n%s %s\\n' \"$1\" \"$2\"; printf '\\n%s\\n' \"$1\" >&2; }\n")
	if req.lock != "" {
		fmt.Fprintf(&b, "__lock=%s\n%s", param(req.lock), lockScript)
	}
	var probe string
	if req.probe != "" {
		words := make([]string, len(req.args))
		for i, a := range req.args {
			words[i] = param(a)
		}
		probe = "__probe " + strings.Join(words, " ")
		fmt.Fprintf(&b, "__probe() {\n%s\n}\n", req.probe)
	}
	if req.seen != nil {
		now, before := unchanged(probe, req.seen.Stdout)
		fmt.Fprintf(&b, "[ %s = %s ] || exit %d\n", now, param(before), statusStale)
	}
	for i, a := range actions {
		fmt.Fprintf(&b, "__mark \"$1\" %d\n(\n", i)
		if err := a.compose(&b, param); err != nil {
			return cmd, err
		}
		b.WriteString("\n)")
		if req.lock != "" {
			b.WriteString(" 9>&-") // a daemon that an action starts must not keep the lock
		}
		if !a.fed() {
			b.WriteString(" </dev/null")
		} else {
			cmd.Stdin = a.Stdin
		}
		fmt.Fprintf(&b, "\n__rc=$?; __mark \"$1\" \"rc $__rc\"; [ $__rc = 0 ] || exit 0\n")
	}
	if probe != "" && req.lock != "" {
		probe = "(" + probe + ")" // a trap of its own must not take the place of the lock's
	}
	if probe != "" {
		fmt.Fprintf(&b, "__mark \"$1\" probe\n%s </dev/null\n", probe)
	}
	cmd.Script = b.String()
	return cmd, nil
}

// maxSeen is up to which size the shell itself compares what a probe prints; of more it compares the digest.
const maxSeen = 8 << 10

// unchanged gives the two words of a comparison of what a probe prints now and what it printed. The shell drops newlines at the end, which
// no section has that is not counted in its first line, and it cannot hold a zero byte.
func unchanged(probe string, seen []byte) (now, before string) {
	if len(seen) > maxSeen || bytes.IndexByte(seen, 0) >= 0 {
		return `"$(` + probe + ` </dev/null | sha1sum)"`, digest(seen)
	}
	return `"$(` + probe + ` </dev/null)"`, strings.TrimRight(string(seen), "\n")
}

// compose writes the script text of one action.
func (a Action) compose(b *strings.Builder, param func(string) string) error {
	if a.Dir != "" {
		fmt.Fprintf(b, "cd -- %s || exit 1\n", param(a.Dir))
	}
	for _, k := range slices.Sorted(maps.Keys(a.Env)) {
		if !envName.MatchString(k) {
			return fmt.Errorf("%s: %q cannot name a variable of the environment", a.Why, k)
		}
		fmt.Fprintf(b, "%s=%s; export %s\n", k, param(a.Env[k]), k)
	}
	values := a.Argv
	if a.Script != "" {
		values = a.Args
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = param(v)
	}
	line := strings.Join(words, " ")
	if a.Script == "" {
		fmt.Fprintf(b, "exec %s", line)
		return nil
	}
	if line == "" {
		line = "--"
	} else {
		line = "-- " + line
	}
	fmt.Fprintf(b, "set %s\n%s", line, a.Script)
	return nil
}

// show gives an action's command for people.
func (a Action) show() string {
	words := a.Argv
	if a.Script != "" {
		words = append([]string{"sh", "-c", "…"}, a.Args...)
	}
	text, err := shell.Join(words...)
	if err != nil {
		return fmt.Sprintf("%q", words)
	}
	return text
}

// NewMark makes a line that no program prints by chance.
func NewMark() string {
	var raw [12]byte
	_, _ = rand.Read(raw[:]) // never fails, crypto/rand says
	return "@@" + hex.EncodeToString(raw[:])
}

// readDone takes a change script's output apart.
func readDone(mark string, actions []Action, out transport.Output) ([]Done, *Report) {
	var done []Done
	var after *Report
	errs := bytes.Split(out.Stderr, []byte("\n"+mark+"\n"))
	parts := bytes.Split(out.Stdout, []byte("\n"+mark+" "))
	for i, part := range parts[1:] {
		head, body, _ := bytes.Cut(part, []byte("\n"))
		switch n, err := strconv.Atoi(string(head)); {
		case err == nil && n < len(actions):
			d := Done{Why: actions[n].Why, Command: actions[n].show(), Stdout: body, Status: -1}
			if i+1 < len(errs) {
				d.Stderr = errs[i+1]
			}
			done = append(done, d)
		case string(head) == "probe":
			after = ParseReport(body)
		case len(done) > 0:
			if rc, ok := strings.CutPrefix(string(head), "rc "); ok {
				done[len(done)-1].Status, _ = strconv.Atoi(rc)
			}
		}
	}
	return done, after
}

// FileOptions are how WriteFile and PutLocal write.
type FileOptions struct {
	transport.PutOptions
	// Before is the file's content so far, when it was read, for the diff; nil when there was no file or
	// when it was not read, and then WriteFile gives no diff for it unless New is set.
	Before []byte
	New    bool // there was no file
	// Backup is where the old file is copied to first, "" is nowhere.
	Backup string
}

// WriteFile writes a file atomically, and notes the difference to opts.Before. In check mode it only notes and
// returns ErrPlanned. A file that Validate refuses, or that changed since (IfHash), stays as it was.
func (h *Host) WriteFile(ctx context.Context, why, path string, content []byte, opts FileOptions) error {
	if h.opts.Diff && (opts.New || opts.Before != nil) {
		h.diffs = append(h.diffs, Diff{Before: string(opts.Before), After: string(content), BeforeHeader: path, AfterHeader: path})
	}
	opts.Size = int64(len(content))
	return h.put(ctx, why, path, bytes.NewReader(content), opts)
}

// sparseFrom is the size from which on a file goes over without its long runs of zeros: disk images are mostly that.
const sparseFrom = 1 << 20

// PutLocal streams a file of the controller, found by Local.Find, to the host. Otherwise it is as WriteFile, without a diff.
func (h *Host) PutLocal(ctx context.Context, why, path, local string, opts FileOptions) error {
	if h.opts.Check {
		return h.put(ctx, why, path, nil, opts)
	}
	r, err := h.opts.Local.Open(local)
	if err != nil {
		return fmt.Errorf("open %s: %w", local, err)
	}
	defer r.Close()
	opts.Sparse = opts.Sparse || opts.Size >= sparseFrom
	return h.put(ctx, why, path, r, opts)
}

// PutStream writes what a reader gives, for instance another host's Download. Otherwise it is as PutLocal.
func (h *Host) PutStream(ctx context.Context, why, path string, r io.Reader, opts FileOptions) error {
	opts.Sparse = opts.Sparse || opts.Size >= sparseFrom
	return h.put(ctx, why, path, r, opts)
}

func (h *Host) put(ctx context.Context, why, path string, r io.Reader, opts FileOptions) error {
	done := Done{Why: h.whose() + why, Command: "write " + path, Planned: h.opts.Check}
	if h.opts.Check {
		h.actions = append(h.actions, done)
		h.planned = true
		return ErrPlanned
	}
	if opts.Backup != "" {
		if _, err := h.Change(ctx, Action{
			Why: "back up " + path, Script: `cp -p -- "$1" "$2" || { rm -f -- "$2"; exit 1; }`, Args: []string{path, opts.Backup},
		}); err != nil {
			return err
		}
	}
	if err := h.opts.Conn.Put(ctx, path, r, opts.PutOptions); err != nil {
		return err
	}
	h.actions = append(h.actions, done)
	h.altered = true
	return nil
}
