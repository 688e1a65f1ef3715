package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// input is what the command reads.
func (c Command) input() io.Reader {
	if c.Input != nil {
		return c.Input
	}
	return bytes.NewReader(c.Stdin)
}

// wrap makes a program the whole of a shell that runs once.
func (w *worker) wrap(text string) string {
	restore := ""
	if w.tty {
		restore = "stty \"$h_t\" <&0\n"
	}
	end := w.token + "P"
	return loader(end) + greeting(w.token) + restore + text + end + "\n"
}

// feed copies a command's input to its session until the input ends or the session does. An input that
// fails must not look like one that ended: fail then ends the command.
func (w *worker) feed(input io.Reader, fail func(error)) {
	in := w.sess.stdin()
	source := &failing{r: input}
	_, _ = io.Copy(in, source)
	if source.err != nil {
		fail(fmt.Errorf("read the command's input: %w", source.err))
		return
	}
	_ = in.Close()
}

// failing remembers how its reader failed.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// raw runs text in the user's login shell, one exec, with nothing of ours around it.
func (c *conn) raw(ctx context.Context, cmd Command, stdout, stderr io.Writer) (result, error) {
	w, err := c.m.openRaw(ctx, c.id, cmd)
	if err != nil {
		return result{}, err
	}
	defer w.retire()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { c.endRaw(context.WithoutCancel(ctx), w, ended) })
	if cmd.Stdin != nil || cmd.Input != nil {
		go w.feed(cmd.input(), cancel)
	} else if !cmd.TTY {
		_ = w.sess.stdin().Close()
	}
	var errErr error
	errDone := make(chan struct{})
	go func() {
		defer close(errDone)
		_, errErr = io.Copy(stderr, w.errs.all())
	}()
	_, outErr := io.Copy(stdout, w.out.all())
	<-errDone
	err = w.sess.wait()
	close(ended)
	exit, ok := errors.AsType[*ExitError](err)
	if !stop() && err != nil && (!ok || exit.Signal != "") {
		return result{}, context.Cause(ctx) // one that ended by itself at the same moment keeps its status
	}
	if ok {
		return result{status: exit.Status}, errors.Join(outErr, errErr)
	}
	return result{}, errors.Join(err, outErr, errErr)
}

// endRaw ends text that raw runs. Its shell may be another user's, which the server must not signal for us: we know
// its number then.
func (c *conn) endRaw(ctx context.Context, w *worker, ended <-chan struct{}) {
	if w.pid.Load() == 0 {
		_ = w.sess.kill()
		return
	}
	w.interrupt(ctx, ended, func(ctx context.Context, pid int64, signal int, wait time.Duration) error {
		return c.killTree(ctx, pid, signal, "whole", wait)
	})
}

// all is the rest of the stream.
func (f *frames) all() io.Reader {
	return io.MultiReader(bytes.NewReader(f.buf), f.r)
}
