package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hostlerhq/hostler/internal/shell"
)

// openWorker starts a shell that stays. It does not wait for its hello when nobody has to be asked for a
// password first: the first program goes after the greeting at once.
func (m *machine) openWorker(ctx context.Context, id *identity) (*worker, error) {
	line, err := shell.Join(m.opts.shell...)
	if err != nil {
		return nil, err
	}
	w, err := m.open(ctx, id, startRequest{line: line}, false)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w.sess.stdin(), greeting(w.token)); err != nil {
		m.logf("write the greeting: %v", err) // the hello tells what became of it
	}
	return w, nil
}

// openOnce starts a shell for one command, which has the session to itself.
func (m *machine) openOnce(ctx context.Context, id *identity, tty bool) (*worker, error) {
	text := bootstrap
	ready := ""
	if tty {
		// The terminal must neither echo the program nor cut its lines; it is set up before the program is sent.
		ready = newToken()
		text = "h_t=$(stty -g);stty -echo -icanon;printf '" + ready + "R;';" + bootstrap
	}
	inner, err := shell.Join(append(slices.Clip(m.opts.shell), "-c", text)...)
	if err != nil {
		return nil, err
	}
	w, err := m.open(ctx, id, startRequest{line: inner, tty: tty}, false)
	if err != nil {
		return nil, err
	}
	w.once, w.tty = true, tty
	if !tty {
		return w, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = w.sess.kill() })
	defer stop()
	token := w.out.token
	w.out.token = []byte(ready)
	before := &tail{}
	if _, err := w.out.next(before); err != nil {
		w.retire()
		return nil, &helloError{said: before.String(), err: err}
	}
	w.out.token = token
	return w, nil
}

// openRaw starts text as it is.
func (m *machine) openRaw(ctx context.Context, id *identity, cmd Command) (*worker, error) {
	if id.become.Method == "" {
		return m.start(ctx, startRequest{line: cmd.Raw, tty: cmd.TTY})
	}
	inner, err := shell.Join("/bin/sh", "-c", cmd.Raw)
	if err != nil {
		return nil, err
	}
	return m.open(ctx, id, startRequest{line: inner, tty: cmd.TTY}, true)
}

// open starts a command line as an identity; sudo, su or doas has let us through then, or will
// say in place of the hello that it does not. wait asks to know before anything is sent.
func (m *machine) open(ctx context.Context, id *identity, req startRequest, wait bool) (*worker, error) {
	if id.become.Method == "" {
		req.line = "exec " + req.line
		return m.start(ctx, req)
	}
	if id.terminal.Load() && !req.tty {
		return m.escalateOnTerminal(ctx, id.become, req)
	}
	return m.escalate(ctx, id.become, req, wait)
}

// start starts a login shell's command line.
func (m *machine) start(ctx context.Context, req startRequest) (*worker, error) {
	l, err := m.live(ctx)
	if err != nil {
		return nil, err
	}
	req.onFull = m.makeRoom
	s, err := l.start(ctx, req)
	if err != nil {
		select {
		case <-l.lost():
			return nil, fmt.Errorf("%w: %w: %w", errNotStarted, ErrLost, err)
		default:
			return nil, m.cannotStart(ctx, err)
		}
	}
	token := newToken()
	return &worker{
		sess: s, link: l, token: token, tty: req.tty,
		out:  frames{r: s.stdout(), token: []byte(token)},
		errs: frames{r: s.stderr(), token: []byte(token)},
	}, nil
}

// cannotStart is a host that answers but gives no session.
func (m *machine) cannotStart(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*UnreachableError](err); ok || ctx.Err() != nil {
		return err
	}
	return &UnreachableError{Host: m.opts.name, Op: "start a session", Err: err}
}

// helloWithin waits for the hello before anything was sent.
func (w *worker) helloWithin(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = w.sess.kill() })
	defer stop()
	return w.hello()
}
