package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// conn is the Conn of a machine as one identity.
type conn struct {
	m       *machine
	id      *identity
	release func() error
	once    sync.Once
}

var (
	_ Conn        = (*conn)(nil)
	_ Tunneler    = (*conn)(nil)
	_ Reconnecter = (*conn)(nil)
)

// maxStdin is how much input travels in a worker's program text; more gets a session of its own.
const maxStdin = 32 << 10

// maxTries bounds how often a command is sent that never began, or that only looks.
const maxTries = 3

// Exec runs a command: see Conn.
func (c *conn) Exec(ctx context.Context, cmd Command) (Output, error) {
	if err := check(cmd); err != nil {
		return Output{}, err
	}
	out := Output{Start: time.Now()}
	limited := ctx
	if cmd.Timeout > 0 {
		var stop context.CancelFunc
		limited, stop = context.WithTimeoutCause(ctx, cmd.Timeout, &TimeoutError{Command: describe(cmd), After: cmd.Timeout})
		defer stop()
	}
	var err error
	for range maxTries {
		var again bool
		again, err = c.try(limited, cmd, &out)
		if !again || limited.Err() != nil {
			break
		}
		c.m.logf("running %s again: %v", describe(cmd), err)
	}
	out.Duration = time.Since(out.Start)
	if errors.Is(err, errNotStarted) && !errors.Is(err, ErrLost) {
		err = &UnreachableError{Host: c.m.opts.name, Op: "start a shell", Err: err}
	}
	return out, err
}

// check refuses commands that are none.
func check(cmd Command) error {
	n := 0
	for _, set := range []bool{len(cmd.Argv) > 0, cmd.Script != "", cmd.Raw != ""} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("a command needs exactly one of Argv, Script and Raw; it has %d", n)
	}
	if cmd.Duplex && (cmd.Input == nil || cmd.Stdout == nil || cmd.TTY || cmd.Raw != "") {
		return errors.New("a command that talks with its input needs Input and Stdout, and takes neither a terminal nor Raw")
	}
	if cmd.Stdin != nil && cmd.Input != nil {
		return errors.New("a command cannot have both Stdin and Input")
	}
	return nil
}

// try runs the command once. It may run again when it never began, or when it only looks and the
// connection broke before anybody saw output.
func (c *conn) try(ctx context.Context, cmd Command, out *Output) (again bool, err error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	stdout := &capture{live: cmd.Stdout, limit: limitOf(cmd), dir: c.m.opts.tempDir, header: cmd.Header}
	stderr := &capture{live: cmd.Stderr, limit: limitOf(cmd), dir: c.m.opts.tempDir}
	var res result
	if cmd.Raw != "" {
		res, err = c.raw(ctx, cmd, stdout, stderr)
	} else {
		res, err = c.framed(ctx, cmd, stdout, stderr)
	}
	if c.needsTerminal(err) {
		return true, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	notStarted := errors.Is(err, errNotStarted)
	looks := cmd.Retry && cmd.Input == nil && cmd.Stdout == nil && cmd.Stderr == nil && errors.Is(err, ErrLost)
	if notStarted || looks {
		stdout.discard()
		stderr.discard()
		return true, err
	}
	var outErr, errErr error
	out.Stdout, out.StdoutFile, outErr = stdout.finish()
	out.Stderr, out.StderrFile, errErr = stderr.finish()
	out.Status = res.status
	if ctx.Err() != nil && err != nil {
		return false, err
	}
	if err = errors.Join(err, outErr, errErr); err != nil {
		return false, err
	}
	if res.status != 0 {
		return false, &ExitError{Command: describe(cmd), Status: res.status, Signal: signalOf(res.status), Stderr: stderr.end()}
	}
	return false, nil
}

// needsTerminal notes that sudo, su or doas wants a terminal; true the first time.
func (c *conn) needsTerminal(err error) bool {
	refused, ok := errors.AsType[*BecomeError](err)
	return ok && wantsTerminal(refused.Output) && !c.id.terminal.Swap(true)
}

func limitOf(cmd Command) int64 {
	if cmd.Limit > 0 {
		return cmd.Limit
	}
	return DefaultLimit
}

// signalOf is the signal that a shell's status tells of.
func signalOf(status int) string {
	if status > 128 && status <= 128+31 {
		return signalName(status - 128)
	}
	return ""
}

// framed runs a command in a worker, or in a shell of its own where it needs that or no worker is free.
func (c *conn) framed(ctx context.Context, cmd Command, stdout, stderr io.Writer) (result, error) {
	for {
		w, err := c.shellFor(ctx, cmd)
		if err != nil {
			return result{}, err
		}
		res, err := c.runOn(ctx, w, cmd, stdout, stderr)
		c.m.release(c.id, w)
		if !errors.Is(err, errSpoilt) { // of which there are no more than idle shells
			return res, c.understand(w, because(w.link, err))
		}
	}
}

// because adds to a lost command why its link ended. The streams end a moment before that is known.
func because(l link, err error) error {
	if !errors.Is(err, ErrLost) || errors.Unwrap(err) != nil {
		return err
	}
	select {
	case <-l.lost():
		return fmt.Errorf("%w: %w", ErrLost, l.err())
	case <-time.After(100 * time.Millisecond):
		return err
	}
}

// understand makes of a shell that never came up what the tool said, or notes that none can stay.
func (c *conn) understand(w *worker, err error) error {
	hello, ok := errors.AsType[*helloError](err)
	if !ok {
		return err
	}
	if refused := c.id.become.refusal(hello.said, false); refused != nil {
		return refused
	}
	select {
	case <-w.link.lost():
	default:
		c.noWorker(w)
	}
	return err
}

// noWorker notes that the host does not keep a shell, after one never came up.
func (c *conn) noWorker(w *worker) {
	if w.once {
		return
	}
	c.m.logf("no shell can stay; one session a command from now on")
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.id.noWorker = true
}

func (c *conn) shellFor(ctx context.Context, cmd Command) (*worker, error) {
	if cmd.Input == nil && !cmd.TTY && len(cmd.Stdin) <= maxStdin {
		w, err := c.m.acquire(ctx, c.id)
		if err != nil {
			return nil, err
		}
		if w != nil && len(cmd.Stdin) > 0 && !w.greeted {
			if err := w.helloWithin(ctx); err != nil {
				c.m.release(c.id, w)
				return nil, c.understand(w, err)
			}
		}
		if w != nil && (len(cmd.Stdin) == 0 || w.pipes) {
			return w, nil
		}
		if w != nil {
			c.m.release(c.id, w)
		}
	}
	return c.m.openOnce(ctx, c.id, cmd.TTY)
}

// runOn runs the command on a shell and ends it when the context does.
func (c *conn) runOn(ctx context.Context, w *worker, cmd Command, stdout, stderr io.Writer) (result, error) {
	from := fromNull
	var input io.Reader
	switch {
	case w.once && (cmd.Stdin != nil || cmd.Input != nil || cmd.TTY):
		from, input = fromSession, cmd.input()
	case len(cmd.Stdin) > 0:
		from = fromPipe
	}
	text, err := program(w.token, cmd, from, !w.once)
	if err != nil {
		return result{}, err
	}
	if w.once {
		text = w.wrap(text)
		w.flows = cmd.Duplex
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	interrupted := make(chan bool, 1)
	kill := c.kill
	if ctx.Value(killing{}) != nil {
		kill = nil // the kill itself hangs: only closing is left
	}
	stop := context.AfterFunc(ctx, func() {
		interrupted <- w.interrupt(context.WithoutCancel(ctx), ended, kill)
	})
	res, err := w.run(text, stdout, stderr, func() {
		if from == fromSession {
			go w.feed(input, cancel)
		}
	})
	close(ended)
	if !stop() && (<-interrupted || err != nil) {
		return res, context.Cause(ctx)
	}
	return res, err
}

// killing marks the context of a command that kills another.
type killing struct{}

// kill signals a command of another shell of this identity.
func (c *conn) kill(ctx context.Context, pid int64, signal int, wait time.Duration) error {
	return c.killTree(ctx, pid, signal, "", wait)
}

// killTree runs killScript; whole is not "" where the shell itself has to go too.
func (c *conn) killTree(ctx context.Context, pid int64, signal int, whole string, wait time.Duration) error {
	ctx = context.WithValue(ctx, killing{}, true)
	args := []string{strconv.FormatInt(pid, 10), strconv.Itoa(signal), whole, strconv.Itoa(int(wait.Seconds()))}
	_, err := c.Exec(ctx, Command{Script: killScript, Args: args})
	return err
}

// DialContext opens a TCP connection from the host: see Tunneler.
func (c *conn) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	l, err := c.m.live(ctx)
	if err != nil {
		return nil, err
	}
	return l.dial(ctx, network, address)
}

// Reconnect proves that the host answers: see Reconnecter. Commands use the new connection from then on.
func (c *conn) Reconnect(ctx context.Context) error { return c.m.renew(ctx) }

// Remote reports whether there is a connection that can be lost: see Reconnecter.
func (c *conn) Remote() bool { return c.m.opts.relink != nil }

// Close gives the Conn back.
func (c *conn) Close() (err error) {
	c.once.Do(func() {
		if c.release != nil {
			err = c.release()
		}
	})
	return err
}
