package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxJumps bounds a chain of jump hosts; a longer one goes round in a circle.
const maxJumps = 16

// jumpDepth is the context's key for how many jump hosts led here.
type jumpDepth struct{}

// throughJump connects by way of the last host of ProxyJump. All endpoints behind it share one connection to it.
func (p *Pool) throughJump(ctx context.Context, s *sshSettings, e Endpoint) (net.Conn, func(), error) {
	depth, _ := ctx.Value(jumpDepth{}).(int)
	if depth >= maxJumps {
		return nil, nil, &UnreachableError{Op: "connect", Err: fmt.Errorf("more than %d jump hosts in a row (ProxyJump %s): do they go round in a circle?", maxJumps, s.jump)}
	}
	jump, err := jumpEndpoint(s, e)
	if err != nil {
		return nil, nil, &UnreachableError{Op: "connect", Err: err}
	}
	blame := func(err error) error {
		if ctx.Err() != nil {
			return err
		}
		u := &UnreachableError{Op: "connect", Err: fmt.Errorf("jump host %s: %w", jump.Name, err)}
		if inner, ok := errors.AsType[*UnreachableError](err); ok {
			u.Hint = inner.Hint
		}
		return u
	}
	entry, err := p.take(context.WithValue(ctx, jumpDepth{}, depth+1), jump)
	if err != nil {
		return nil, nil, blame(err)
	}
	release := sync.OnceFunc(func() { p.give(entry) })
	l, err := entry.machine.live(ctx)
	if err != nil {
		release()
		return nil, nil, blame(err)
	}
	c, err := l.dial(ctx, "tcp", s.address())
	if err != nil {
		release()
		return nil, nil, blame(err)
	}
	return c, release, nil
}

// jumpEndpoint is the last host of the chain; those before it are its own ProxyJump. As with ssh, it
// gets its own settings from ssh_config; keys and host key mode of the target serve it too, the password does not.
func jumpEndpoint(s *sshSettings, target Endpoint) (Endpoint, error) {
	before, last := "", s.jump
	if i := strings.LastIndexByte(s.jump, ','); i >= 0 {
		before, last = s.jump[:i], s.jump[i+1:]
	}
	host, user, port, err := splitDestination(strings.TrimSpace(last))
	if err != nil {
		return Endpoint{}, fmt.Errorf("ProxyJump %s: %w", s.jump, err)
	}
	if port == "" {
		host, port = splitJumpPort(host)
	}
	e := Endpoint{
		Name: strings.TrimSpace(last), Kind: "ssh", Host: host, User: user,
		KeyFiles: target.KeyFiles, HostKeys: target.HostKeys, KnownHosts: target.KnownHosts,
		ConnectTimeout: target.ConnectTimeout,
	}
	if port != "" {
		if e.Port, err = strconv.Atoi(port); err != nil {
			return Endpoint{}, fmt.Errorf("ProxyJump %s: port %q", s.jump, port)
		}
	}
	if s.configFile != "" {
		e.Args = append(e.Args, "-F", s.configFile)
	}
	if before != "" {
		e.Args = append(e.Args, "-J", before)
	}
	return e, nil
}

// splitJumpPort reads host:port, but leaves a bare IPv6 address whole.
func splitJumpPort(s string) (host, port string) {
	if strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
		return s, ""
	}
	return splitHostPort(s)
}

// proxyCommand starts the user's program and talks through its standard input and output.
func (p *Pool) proxyCommand(s *sshSettings) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &UnreachableError{Op: "connect", Err: fmt.Errorf("ProxyCommand %s: %w", s.proxyCommand, err)}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "proxy"), os.NewFile(uintptr(pair[1]), "proxy")
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		return fail(err)
	}
	shell := p.config.local.getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	c := &proxyConn{Conn: conn, ended: make(chan struct{})}
	c.cmd = exec.Command(shell, "-c", "exec "+s.proxyCommand)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = theirs, theirs, &c.said
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.WaitDelay = time.Second // a child of the proxy's may hold its stderr
	if err := c.cmd.Start(); err != nil {
		_ = conn.Close()
		return fail(err)
	}
	go func() {
		defer close(c.ended)
		err := c.cmd.Wait()
		if text := c.said.String(); err != nil && text != "" {
			p.log(s.name, "ProxyCommand: "+text)
		}
	}()
	return c, nil
}

// proxyConn is the stream of a ProxyCommand; closing it ends the program.
type proxyConn struct {
	net.Conn
	cmd   *exec.Cmd
	said  tail
	ended chan struct{}
}

func (c *proxyConn) Close() error {
	err := c.Conn.Close()
	select {
	case <-c.ended:
	default:
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGTERM)
	}
	return err
}

// RemoteAddr is a placeholder: nobody knows where the program connects.
func (c *proxyConn) RemoteAddr() net.Addr { return tunnelAddr("0.0.0.0:0") }
