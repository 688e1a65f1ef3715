package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// maxGet is how long a file may be to come through a worker; more streams through a session of its own.
const maxGet = 256 << 10

// Get reads a file: see Conn. A short one is here when Get returns, a long one comes as it is read; an error on
// the way, or a connection that broke, is an error of Read.
func (c *conn) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	out, err := c.Exec(ctx, getCommand(path, strconv.Itoa(maxGet)))
	if err == nil {
		return io.NopCloser(bytes.NewReader(out.Stdout)), nil
	}
	exit, ok := errors.AsType[*ExitError](err)
	if !ok {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	if exit.Status != getLarge {
		return nil, getError(path, exit)
	}
	return c.getStream(ctx, path), nil
}

func getCommand(path, limit string) Command {
	return Command{Script: getScript, Args: []string{path, limit}, Retry: true}
}

func getError(path string, exit *ExitError) error {
	err := error(&hostError{said: strings.TrimSpace(string(exit.Stderr)), err: exit})
	switch exit.Status {
	case getMissing:
		err = fs.ErrNotExist
	case getDenied:
		err = fs.ErrPermission
	case getFolder:
		err = syscall.EISDIR
	}
	return &fs.PathError{Op: "get", Path: path, Err: err}
}

// getStream runs getScript in a session of its own, so that a slow reader holds up no worker.
func (c *conn) getStream(ctx context.Context, path string) io.ReadCloser {
	ctx, stop := context.WithCancel(ctx)
	r, w := io.Pipe()
	g := &getReader{PipeReader: r, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(g.done)
		cmd := getCommand(path, "")
		cmd.Input, cmd.Stdout, cmd.Retry = bytes.NewReader(nil), w, false
		_, err := c.Exec(ctx, cmd)
		if exit, ok := errors.AsType[*ExitError](err); ok {
			err = getError(path, exit)
		} else if err != nil {
			err = fmt.Errorf("get %s: %w", path, err)
		}
		_ = w.CloseWithError(err)
	}()
	return g
}

// getReader is a file on its way.
type getReader struct {
	*io.PipeReader
	once sync.Once
	stop context.CancelFunc
	done chan struct{}
}

// Close ends the transfer and waits until the host's process is gone.
func (g *getReader) Close() error {
	g.once.Do(func() {
		g.stop()
		_ = g.PipeReader.Close()
	})
	<-g.done
	return nil
}
