package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// localLink starts programs on this machine, each in a session (setsid) of its own.
type localLink struct {
	dir  string // where programs start, "" is this process's folder
	gone chan struct{}
	once sync.Once

	mu       sync.Mutex
	sessions map[*localSession]struct{}
}

func newLocalLink() *localLink {
	return &localLink{gone: make(chan struct{}), sessions: map[*localSession]struct{}{}}
}

func (l *localLink) start(ctx context.Context, req startRequest) (session, error) {
	select {
	case <-l.gone:
		return nil, l.err()
	case <-ctx.Done():
		return nil, ctx.Err()
	default:
	}
	// The program must outlive the context of the command that happened to start it: a worker serves others too.
	cmd := exec.Command("/bin/sh", "-c", req.line)
	cmd.Dir, cmd.SysProcAttr = l.dir, &syscall.SysProcAttr{Setsid: true}
	s := &localSession{link: l, cmd: cmd, ended: make(chan struct{})}
	if err := s.open(req.tty); err != nil {
		return nil, fmt.Errorf("start a shell on this machine: %w", err)
	}
	l.mu.Lock()
	l.sessions[s] = struct{}{}
	l.mu.Unlock()
	go s.reap()
	return s, nil
}

func (l *localLink) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

func (l *localLink) lost() <-chan struct{} { return l.gone }

func (l *localLink) err() error {
	select {
	case <-l.gone:
		return net.ErrClosed
	default:
		return nil
	}
}

func (l *localLink) close() error {
	l.once.Do(func() { close(l.gone) })
	l.mu.Lock()
	open := make([]*localSession, 0, len(l.sessions))
	for s := range l.sessions {
		open = append(open, s)
	}
	l.mu.Unlock()
	for _, s := range open {
		_ = s.close()
	}
	return nil
}

// localSession is a program on this machine with three pipes or a terminal.
type localSession struct {
	link      *localLink
	cmd       *exec.Cmd
	in        io.WriteCloser
	out, errs io.ReadCloser
	closing   sync.Once
	ended     chan struct{}
	waitErr   error
}

// open makes the pipes or the terminal and starts the program.
func (s *localSession) open(tty bool) error {
	if tty {
		return s.openTTY()
	}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	inR, inW, err := os.Pipe()
	if err != nil {
		return err
	}
	theirs = append(theirs, inR)
	s.in = inW
	outR, outW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, inW.Close())
	}
	theirs = append(theirs, outW)
	s.out = outR
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, inW.Close(), outR.Close())
	}
	theirs = append(theirs, errW)
	s.errs = errR
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = inR, outW, errW
	if err := s.cmd.Start(); err != nil {
		return errors.Join(err, inW.Close(), outR.Close(), errR.Close())
	}
	return nil
}

// openTTY starts the program on a pseudo-terminal; its stderr is then part of stdout.
func (s *localSession) openTTY() error {
	master, slave, err := openPTY()
	if err != nil {
		return err
	}
	defer slave.Close()
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr.Setctty = true
	if err := s.cmd.Start(); err != nil {
		return errors.Join(err, master.Close())
	}
	s.in, s.out, s.errs = terminalInput{master}, terminalOutput{master}, eofReader{}
	return nil
}

func (s *localSession) stdin() io.WriteCloser { return s.in }
func (s *localSession) stdout() io.Reader     { return s.out }
func (s *localSession) stderr() io.Reader     { return s.errs }

// reap waits for the program, so that no zombie is left whether or not anybody asks for its status.
func (s *localSession) reap() {
	err := s.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = localExit(exit)
	}
	s.waitErr = err
	s.link.mu.Lock()
	delete(s.link.sessions, s)
	s.link.mu.Unlock()
	close(s.ended)
}

func localExit(exit *exec.ExitError) *ExitError {
	if st, ok := exit.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		return &ExitError{Status: 128 + int(st.Signal()), Signal: signalName(int(st.Signal()))}
	}
	return &ExitError{Status: exit.ExitCode()}
}

func (s *localSession) wait() error {
	<-s.ended
	return s.waitErr
}

func (s *localSession) kill() error {
	select {
	case <-s.ended:
	default:
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	}
	return s.close()
}

func (s *localSession) close() error {
	var err error
	s.closing.Do(func() { err = errors.Join(s.in.Close(), s.out.Close(), s.errs.Close()) })
	return err
}
