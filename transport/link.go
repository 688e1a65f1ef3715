package transport

import (
	"context"
	"io"
	"net"
)

// link is one authenticated way to a host on which programs can be started: an SSH
// connection, or this machine. Workers and transfers are built on it alone.
type link interface {
	// start runs a command line through the user's login shell (for this machine: /bin/sh -c).
	// When the link has no free session it calls req.onFull once, without holding a lock, and waits
	// until a session was closed; a server that refuses for want of sessions counts as full.
	start(ctx context.Context, req startRequest) (session, error)
	// dial opens a TCP connection from the host.
	dial(ctx context.Context, network, address string) (net.Conn, error)
	// lost is closed when the link is gone; err then says why.
	lost() <-chan struct{}
	err() error
	close() error
}

type startRequest struct {
	line string // for the login shell
	tty  bool
	// onFull asks the caller to end an idle session soon; nil is allowed.
	onFull func()
}

// session is a running program. Whoever started it reads stdout and stderr, to the end or until
// close; nothing is read ahead for them.
type session interface {
	stdin() io.WriteCloser
	stdout() io.Reader
	stderr() io.Reader
	// wait returns once the program ended: *ExitError without Command, or ErrLost. It does not
	// wait for the output to be read.
	wait() error
	kill() error // best effort: the signal KILL to the program's group; then close
	// close ends the session: its pipes or channel are closed, which a shell that waits for input takes
	// as the end. It does not block and may be called twice.
	close() error
}
