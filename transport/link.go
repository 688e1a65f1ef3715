package transport

import (
	"context"
	"io"
	"net"
)

// link is one authenticated way to a host on which programs can be started: an SSH
// connection, or this machine. Worker, exec and bulk transfer are built on it alone.
type link interface {
	// start runs a command line through the user's login shell (for this machine: /bin/sh -c).
	// It may wait for a free session: a link never has more than six open.
	start(ctx context.Context, req startRequest) (session, error)
	// sftp opens the sftp subsystem; errNoSFTP where there is none.
	sftp(ctx context.Context) (session, error)
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
}

// session is a running program. Wait returns once the program ended and its output was
// read to the end.
type session interface {
	stdin() io.WriteCloser
	stdout() io.Reader
	stderr() io.Reader
	wait() error // *ExitError without Command, or ErrLost
	kill() error // best effort: the signal KILL, then the channel closed
	close() error
}
