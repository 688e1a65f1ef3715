package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxSessions is how many sessions a connection holds at most. OpenSSH allows ten by default and
// frees one only after both sides closed it.
const maxSessions = 6

// sshLink is one SSH connection. It works on raw channels: an ssh.Session costs three goroutines more.
type sshLink struct {
	conn    ssh.Conn
	wire    *watchedConn
	gone    chan struct{}
	release func()                   // gives the jump host back
	agent   func() (net.Conn, error) // where forwarded agent connections go; nil refuses them

	slots slots

	once  sync.Once
	cause atomic.Pointer[error]
	timer *time.Timer // of the keepalive; nil without
}

// newSSHLink takes over an authenticated connection. Its serve must run from then on.
func newSSHLink(conn ssh.Conn, wire *watchedConn) *sshLink {
	return &sshLink{conn: conn, wire: wire, gone: make(chan struct{}), slots: newSlots(maxSessions)}
}

// serve answers the host's own requests until the connection ends.
func (l *sshLink) serve(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	for chans != nil || reqs != nil {
		select {
		case ch, ok := <-chans:
			if !ok {
				chans = nil
				continue
			}
			if ch.ChannelType() == "auth-agent@openssh.com" && l.agent != nil {
				go l.forwardAgent(ch)
				continue
			}
			_ = ch.Reject(ssh.UnknownChannelType, "not served here")
		case req, ok := <-reqs:
			if !ok {
				reqs = nil
				continue
			}
			if req.WantReply {
				_ = req.Reply(false, nil) // OpenSSH takes it as an answer to its keepalive
			}
		}
	}
	l.end(l.conn.Wait())
}

// end marks the link as gone, once.
func (l *sshLink) end(cause error) {
	l.once.Do(func() {
		if cause == nil || errors.Is(cause, io.EOF) {
			cause = errors.New("the host closed the connection")
		}
		l.cause.Store(&cause)
		if l.timer != nil {
			l.timer.Stop()
		}
		_ = l.conn.Close()
		close(l.gone)
		if l.release != nil {
			l.release()
		}
	})
}

func (l *sshLink) lost() <-chan struct{} { return l.gone }

func (l *sshLink) err() error {
	if cause := l.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

func (l *sshLink) close() error {
	l.end(net.ErrClosed)
	return nil
}

// lostError is ErrLost with its reason.
func (l *sshLink) lostError() error {
	return fmt.Errorf("%w: %w", ErrLost, l.err())
}

// keepalive asks the host whether it is there whenever nothing came from it for an interval, and
// ends the link after count intervals of silence. It needs no goroutine while all is well. It is
// called before serve.
func (l *sshLink) keepalive(interval time.Duration, count int) {
	if interval <= 0 {
		return
	}
	limit := interval * time.Duration(max(count, 1))
	var asking atomic.Bool
	ready := make(chan struct{})
	l.timer = time.AfterFunc(interval, func() {
		<-ready
		silent := l.wire.silence()
		switch {
		case silent >= limit:
			l.end(fmt.Errorf("no answer for %s (ServerAliveInterval %s × %d)", limit, interval, max(count, 1)))
			return
		case silent >= interval && asking.CompareAndSwap(false, true):
			go func() {
				defer asking.Store(false)
				_, _, _ = l.conn.SendRequest("keepalive@openssh.com", true, nil)
			}()
		}
		next := interval - silent
		if next <= 0 {
			next = min(interval, limit-silent)
		}
		select {
		case <-l.gone:
		default:
			l.timer.Reset(max(next, time.Millisecond))
		}
	})
	close(ready)
}

// dial opens a TCP connection from the host (direct-tcpip, RFC 4254 section 7.2).
func (l *sshLink) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s from the host: %w", address, err)
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, portText)
	if err != nil {
		return nil, fmt.Errorf("connect to %s from the host: %w", address, err)
	}
	ch, reqs, err := l.open(ctx, "direct-tcpip", ssh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{host, uint32(port), "127.0.0.1", 0}))
	if refused, ok := errors.AsType[*ssh.OpenChannelError](err); ok && refused.Reason == ssh.Prohibited {
		return nil, fmt.Errorf("connect to %s from the host: %w: %w", address, ErrForwarding, err)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s from the host: %w", address, err)
	}
	go ssh.DiscardRequests(reqs)
	return &channelConn{Channel: ch, local: l.conn.LocalAddr(), remote: tunnelAddr(address)}, nil
}

// open opens a channel and gives up waiting for it when ctx ends.
func (l *sshLink) open(ctx context.Context, kind string, payload []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		ch   ssh.Channel
		reqs <-chan *ssh.Request
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		ch, reqs, err := l.conn.OpenChannel(kind, payload)
		done <- opened{ch, reqs, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			if _, refused := errors.AsType[*ssh.OpenChannelError](o.err); refused {
				return nil, nil, o.err
			}
			l.end(o.err)
			return nil, nil, l.lostError()
		}
		return o.ch, o.reqs, nil
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				go ssh.DiscardRequests(o.reqs)
				_ = o.ch.Close()
			}
		}()
		return nil, nil, ctx.Err()
	}
}

// forwardAgent joins a channel from the host with the local agent.
func (l *sshLink) forwardAgent(asked ssh.NewChannel) {
	agent, err := l.agent()
	if err != nil {
		_ = asked.Reject(ssh.ConnectionFailed, "no agent")
		return
	}
	defer agent.Close()
	ch, reqs, err := asked.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(reqs)
	go func() {
		_, _ = io.Copy(agent, ch)
		_ = agent.Close()
	}()
	_, _ = io.Copy(ch, agent)
}

// watchedConn notes when something last came in, and what a server says that then does not speak SSH.
type watchedConn struct {
	net.Conn
	last  atomic.Int64 // nanoseconds of the monotonic clock since start
	spoke atomic.Bool  // its version came (RFC 4253 section 4.2)
	head  []byte       // what came before that; the reader's
	born  time.Time
}

func watch(c net.Conn) *watchedConn { return &watchedConn{Conn: c, born: time.Now()} }

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.last.Store(int64(time.Since(c.born)))
		c.hear(p[:n])
	}
	return n, err
}

func (c *watchedConn) hear(p []byte) {
	if c.spoke.Load() {
		return
	}
	c.head = append(c.head, p...)
	if bytes.HasPrefix(c.head, []byte("SSH-")) || bytes.Contains(c.head, []byte("\nSSH-")) {
		c.spoke.Store(true)
		c.head = nil
	}
	c.head = c.head[:min(len(c.head), 4<<10)]
}

// silence is how long nothing came in.
func (c *watchedConn) silence() time.Duration {
	return time.Since(c.born) - time.Duration(c.last.Load())
}

// channelConn is a forwarded TCP connection. Deadlines do not work on it: x/crypto's channels have none.
type channelConn struct {
	ssh.Channel
	local, remote net.Addr
}

func (c *channelConn) LocalAddr() net.Addr  { return c.local }
func (c *channelConn) RemoteAddr() net.Addr { return c.remote }

func (c *channelConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (c *channelConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (c *channelConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

type tunnelAddr string

func (tunnelAddr) Network() string  { return "tcp" }
func (a tunnelAddr) String() string { return string(a) }
