package modules

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/transport"
)

// Ends are the two hosts of a task that goes from one to the other.
type Ends struct {
	// Near is where the task's program runs: the controller, or with delegate_to another host, as the user who is logged in there.
	// Where both ends are one machine it is that, as the user whom become names.
	Near transport.Conn
	// Far is the host that the task is for, as the user whom become names; nil where both ends are one machine.
	Far transport.Conn
	// Controller says that Near is this machine.
	Controller bool
}

// Close gives the connections back.
func (e Ends) Close() error {
	var err error
	for _, c := range []transport.Conn{e.Near, e.Far} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// Ends opens the two ends of a task that goes from one host to another. The caller closes them.
func (h *Host) Ends(ctx context.Context) (Ends, error) {
	if h.opts.Ends == nil {
		return Ends{}, errors.New("there is no second host to go to")
	}
	return h.opts.Ends(ctx)
}

// maxWords bounds how long a program's words are that the near end asks the far one to run.
const (
	maxWords    = 1 << 10
	maxWordSize = 1 << 16
)

// Bridge runs a program on the near end that talks to one on the far end, as rsync does, over the connections that there are. The
// near script asks for the other program on its standard output by a line with the number of its words and the words, each
// with a NUL behind it. From then on its standard input and output are that program's. Asked makes the far command of the words.
// The outputs are what both said on standard error; one with a negative status did not run.
func (h *Host) Bridge(ctx context.Context, ends Ends, near transport.Command, asked func(words []string) (transport.Command, error)) (nearOut, farOut transport.Output, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	farOut.Status = -1
	fromFar, toNear := io.Pipe()
	fromNear, toFar := io.Pipe()
	near.Duplex, near.Input, near.Stdout, near.Env = true, fromFar, outlet{toFar}, h.toolEnv(near.Env)
	var nearErr error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		nearOut, nearErr = ends.Near.Exec(ctx, near)
		_ = toFar.Close()
		_ = fromFar.Close()
	}()
	words, askErr := readWords(fromNear)
	var farErr error
	if askErr == nil && len(words.list) > 0 {
		var cmd transport.Command
		if cmd, farErr = asked(words.list); farErr == nil {
			cmd.Duplex, cmd.Input, cmd.Stdout, cmd.Env = true, words.rest, outlet{toNear}, h.toolEnv(cmd.Env)
			farOut, farErr = ends.Far.Exec(ctx, cmd)
		}
	}
	_ = toNear.Close()
	_ = fromNear.Close()
	<-ended
	for _, err := range []error{farErr, nearErr, askErr} {
		if _, status := errors.AsType[*transport.ExitError](err); err != nil && !status {
			return nearOut, farOut, err
		}
	}
	return nearOut, farOut, nil
}

// Ran notes a program that a module ran by Bridge, for the list of what was done.
func (h *Host) Ran(why, command string, status int) {
	h.actions = append(h.actions, Done{Why: h.whose() + why, Command: command, Status: status, Planned: h.opts.Check})
}

// outlet is one end of a pipe that takes everything also when nobody reads any more.
type outlet struct{ w *io.PipeWriter }

func (o outlet) Write(p []byte) (int, error) {
	if _, err := o.w.Write(p); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return 0, err
	}
	return len(p), nil
}

// asking is which program the near end asked for, and what follows.
type asking struct {
	list []string
	rest io.Reader
}

// readWords reads which program the near end asks for; none when it ended before.
func readWords(r io.Reader) (asking, error) {
	b := bufio.NewReaderSize(r, maxWordSize)
	line, err := b.ReadString('\n')
	if err != nil && line == "" {
		return asking{}, nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
	if err != nil || n < 1 || n > maxWords {
		return asking{}, fmt.Errorf("the near end asked for a program in %q words", line)
	}
	words := make([]string, n)
	for i := range words {
		word, err := b.ReadSlice(0)
		if err != nil {
			return asking{}, fmt.Errorf("read which program the near end asks for: %w", err)
		}
		words[i] = string(word[:len(word)-1])
	}
	return asking{words, b}, nil
}
