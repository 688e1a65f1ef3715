package modules_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sort"
	"testing"

	"github.com/hostlerhq/hostler/transport"
)

// shConn runs everything by one shell of this machine.
type shConn struct {
	t     *testing.T
	shell []string
	sent  []transport.Command
}

func (c *shConn) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	c.sent = append(c.sent, cmd)
	argv := cmd.Argv
	if cmd.Script != "" {
		sh := c.shell
		if sh == nil {
			sh = []string{"sh"}
		}
		argv = append(append(append([]string{}, sh...), "-c", cmd.Script, "sh"), cmd.Args...)
	}
	p := exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.Dir, p.Stdin = cmd.Dir, bytes.NewReader(cmd.Stdin)
	if cmd.Input != nil {
		p.Stdin = cmd.Input
	}
	p.Env = os.Environ()
	keys := make([]string, 0, len(cmd.Env))
	for k := range cmd.Env {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		p.Env = append(p.Env, k+"="+cmd.Env[k])
	}
	var out, errs bytes.Buffer
	p.Stdout, p.Stderr = &out, &errs
	if cmd.Stdout != nil {
		p.Stdout = cmd.Stdout
	}
	if cmd.Stderr != nil {
		p.Stderr = cmd.Stderr
	}
	err := p.Run()
	o := transport.Output{Stdout: out.Bytes(), Stderr: errs.Bytes()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		o.Status = exit.ExitCode()
		return o, &transport.ExitError{Command: argv[0], Status: o.Status, Stderr: o.Stderr}
	}
	return o, err
}

func (c *shConn) Put(_ context.Context, path string, r io.Reader, opts transport.PutOptions) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if opts.HasMode {
		mode = opts.Mode
	}
	return os.WriteFile(path, data, mode)
}

func (c *shConn) Get(_ context.Context, path string) (io.ReadCloser, error) { return os.Open(path) }

func (c *shConn) Close() error { return nil }
