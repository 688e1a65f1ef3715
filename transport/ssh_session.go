package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// sshSession is a program on the host behind a "session" channel (RFC 4254 section 6).
type sshSession struct {
	link    *sshLink
	ch      ssh.Channel
	ended   chan struct{} // closed once status, or the lack of one, is known
	status  error
	closing sync.Once
}

func (l *sshLink) start(ctx context.Context, req startRequest) (session, error) {
	ch, reqs, err := l.openSession(ctx, req.onFull)
	if err != nil {
		return nil, err
	}
	s := &sshSession{link: l, ch: ch, ended: make(chan struct{})}
	go s.serve(reqs)
	stop := context.AfterFunc(ctx, func() { _ = s.close() })
	err = s.exec(req)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = s.close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return s, nil
}

// openSession takes one of the link's slots and opens a channel in it. A server that allows fewer
// sessions than we have slots (MaxSessions) teaches us its limit by refusing.
func (l *sshLink) openSession(ctx context.Context, onFull func()) (ssh.Channel, <-chan *ssh.Request, error) {
	const patience = 20 // × 50 ms in which the server may notice that our last session ended
	asked := false
	full := func() {
		if !asked && onFull != nil {
			asked = true
			onFull()
		}
	}
	for attempt := 0; ; attempt++ {
		if err := l.slots.take(ctx, l.gone, full); err != nil {
			if errors.Is(err, errSlotsGone) {
				return nil, nil, l.lostError()
			}
			return nil, nil, err
		}
		ch, reqs, err := l.open(ctx, "session", nil)
		if err == nil {
			return ch, reqs, nil
		}
		refused, ok := errors.AsType[*ssh.OpenChannelError](err)
		if !ok || refused.Reason != ssh.Prohibited && refused.Reason != ssh.ResourceShortage && refused.Reason != ssh.ConnectionFailed {
			l.slots.give()
			return nil, nil, err
		}
		if others := l.slots.refused(); others > 0 {
			full()
			continue
		}
		if attempt == patience {
			return nil, nil, &UnreachableError{
				Op: "start a session", Err: err,
				Hint: "the server allows no session on this connection: see MaxSessions in its sshd_config",
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-l.gone:
			return nil, nil, l.lostError()
		}
	}
}

// exec asks for the program. Its answer is awaited: a server that runs no programs would otherwise
// leave us waiting for output that never comes.
func (s *sshSession) exec(req startRequest) error {
	if s.link.agent != nil {
		if _, err := s.ch.SendRequest("auth-agent-req@openssh.com", false, nil); err != nil {
			return s.link.sessionError(err)
		}
	}
	if req.tty {
		modes := []byte{53, 0, 0, 0, 0, 0} // ECHO 0, end
		_, err := s.ch.SendRequest("pty-req", false, ssh.Marshal(struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}{"xterm", 80, 24, 0, 0, string(modes)}))
		if err != nil {
			return s.link.sessionError(err)
		}
	}
	ok, err := s.ch.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{req.line}))
	if err != nil {
		return s.link.sessionError(err)
	}
	if !ok {
		return &UnreachableError{
			Op: "start a session", Err: errors.New("the server refuses to run programs"),
			Hint: "the account may be limited to file transfer (ForceCommand internal-sftp) or have no shell",
		}
	}
	return nil
}

// sessionError says what a failed request means: mostly that the connection is gone.
func (l *sshLink) sessionError(err error) error {
	select {
	case <-l.gone:
		return l.lostError()
	case <-time.After(100 * time.Millisecond): // the link's own end is noticed by another goroutine
		return &UnreachableError{
			Op: "start a session", Err: fmt.Errorf("the server closed the session: %w", err),
			Hint: "the account may be expired or its shell missing; the host's auth log says which",
		}
	}
}

// serve waits for the program's status and for the end of the channel, then gives the slot back.
func (s *sshSession) serve(reqs <-chan *ssh.Request) {
	known := false
	for req := range reqs {
		status, ok := exitStatus(req)
		if ok && !known {
			known = true
			s.status = status
			close(s.ended)
		}
		if req.WantReply {
			_ = req.Reply(false, nil)
		}
	}
	if !known {
		s.status = s.link.sessionEnd()
		close(s.ended)
	}
	_ = s.close()
	s.link.slots.give()
}

// sessionEnd is the error of a program whose status never came.
func (l *sshLink) sessionEnd() error {
	select {
	case <-l.gone:
		return l.lostError()
	case <-time.After(100 * time.Millisecond):
		return fmt.Errorf("%w: the session ended without an exit status", ErrLost)
	}
}

// exitStatus reads an exit-status or exit-signal request.
func exitStatus(req *ssh.Request) (error, bool) {
	switch req.Type {
	case "exit-status":
		var msg struct{ Status uint32 }
		if ssh.Unmarshal(req.Payload, &msg) != nil {
			return nil, false
		}
		if msg.Status == 0 {
			return nil, true
		}
		return &ExitError{Status: int(msg.Status)}, true
	case "exit-signal":
		var msg struct {
			Signal  string
			Core    bool
			Message string
			Lang    string
		}
		if ssh.Unmarshal(req.Payload, &msg) != nil {
			return nil, false
		}
		return &ExitError{Status: 128 + int(unix.SignalNum("SIG"+msg.Signal)), Signal: msg.Signal}, true
	}
	return nil, false
}

func (s *sshSession) stdin() io.WriteCloser { return sshInput{s.ch} }
func (s *sshSession) stdout() io.Reader     { return s.ch }
func (s *sshSession) stderr() io.Reader     { return s.ch.Stderr() }

func (s *sshSession) wait() error {
	<-s.ended
	return s.status
}

func (s *sshSession) kill() error {
	_, _ = s.ch.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"KILL"}))
	return s.close()
}

func (s *sshSession) close() error {
	s.closing.Do(func() { _ = s.ch.Close() })
	return nil
}

// sshInput is a program's standard input: closing it ends the input, not the session.
type sshInput struct{ ch ssh.Channel }

func (i sshInput) Write(p []byte) (int, error) { return i.ch.Write(p) }
func (i sshInput) Close() error                { return i.ch.CloseWrite() }
