package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// maxHandshakes is how many hosts shake hands at once: more would only make each slower, down to its time-out.
	maxHandshakes = 64
	// maxDropped is how often a connection is made again that the server closed before it said a word,
	// as sshd does beyond MaxStartups.
	maxDropped = 6
	// clientVersion is how we introduce ourselves (RFC 4253 section 4.2).
	clientVersion = "SSH-2.0-hostler"
)

// dialSSH connects to an endpoint and logs in. Its errors are *UnreachableError, and the context's.
func (p *Pool) dialSSH(ctx context.Context, e Endpoint) (*sshLink, error) {
	s, err := p.config.settings(e)
	if err != nil {
		return nil, &UnreachableError{Host: e.Name, Op: "read the ssh settings", Err: err}
	}
	auth := newAuthenticator(ctx, s, e, p)
	wait := time.Second
	for attempt := 1; ; attempt++ {
		l, err := p.logIn(ctx, s, e, auth)
		if err == nil || ctx.Err() != nil {
			return l, err
		}
		unreachable, ok := errors.AsType[*UnreachableError](err)
		if !ok {
			unreachable = &UnreachableError{Op: "connect", Err: err}
		}
		unreachable.Host = e.Name
		if attempt >= s.attempts || !worthRetrying(unreachable) {
			return nil, unreachable
		}
		p.log(s.name, fmt.Sprintf("%v; trying again in %s", unreachable, wait))
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		wait = min(2*wait, 10*time.Second)
	}
}

// worthRetrying leaves out what another attempt cannot change.
func worthRetrying(err *UnreachableError) bool {
	_, badKey := errors.AsType[*hostKeyError](err.Err)
	return !badKey && err.Op != "authenticate"
}

// logIn makes connections until one is authenticated or all that can be tried was refused.
func (p *Pool) logIn(ctx context.Context, s *sshSettings, e Endpoint, auth *authenticator) (*sshLink, error) {
	for dropped := 0; ; {
		auth.begin()
		l, err := p.connect(ctx, s, e, auth)
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, errMoreToTry):
			p.log(s.name, "keys left to try: connecting again")
		case errors.Is(err, errDropped) && dropped < maxDropped:
			dropped++
			p.log(s.name, "the server closed the connection at once, as beyond MaxStartups; trying again")
			spread := time.Duration(dropped) * 150 * time.Millisecond
			if err := pause(ctx, spread/2+rand.N(spread)); err != nil {
				return nil, err
			}
		default:
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connect makes one connection: the stream, then the handshake with the login.
func (p *Pool) connect(ctx context.Context, s *sshSettings, e Endpoint, auth *authenticator) (*sshLink, error) {
	timed, cancel := context.WithTimeoutCause(ctx, s.connectTimeout, errConnectTimeout)
	raw, release, err := p.stream(timed, s, e)
	cancel()
	if err != nil {
		return nil, timeoutOr(ctx, timed, "connect", s, err)
	}
	l, err := p.handshake(ctx, s, raw, auth, release)
	if err != nil {
		_ = raw.Close()
		release()
		return nil, err
	}
	return l, nil
}

// errConnectTimeout is ConnectTimeout's own end, apart from the caller's.
var errConnectTimeout = errors.New("connect timeout")

// timeoutOr says what became of an attempt whose time may be up.
func timeoutOr(ctx, timed context.Context, op string, s *sshSettings, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(context.Cause(timed), errConnectTimeout):
		return &UnreachableError{
			Op: op, Err: fmt.Errorf("%s: no answer within %s", s.address(), s.connectTimeout),
			Hint: "is the host up and reachable from here? ConnectTimeout sets how long to wait",
		}
	default:
		return err
	}
}

func (s *sshSettings) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// stream gives the connection that SSH runs over: TCP, through a jump host or a ProxyCommand.
func (p *Pool) stream(ctx context.Context, s *sshSettings, e Endpoint) (net.Conn, func(), error) {
	switch {
	case s.proxyCommand != "":
		c, err := p.proxyCommand(s)
		return c, func() {}, err
	case s.jump != "":
		return p.throughJump(ctx, s, e)
	}
	d := net.Dialer{KeepAlive: -1} // the SSH keepalive does better
	if s.bind != "" {
		ip := net.ParseIP(s.bind)
		if ip == nil {
			return nil, nil, &UnreachableError{Op: "connect", Err: fmt.Errorf("BindAddress %q: not an IP address", s.bind)}
		}
		d.LocalAddr = &net.TCPAddr{IP: ip}
	}
	c, err := d.DialContext(ctx, s.family, s.address())
	if err != nil {
		return nil, nil, dialError(s, err)
	}
	return c, func() {}, nil
}

// dialError tells a name that has no address from a host that does not answer.
func dialError(s *sshSettings, err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return &UnreachableError{
			Op: "resolve", Err: fmt.Errorf("%s: %s", s.host, dns.Err),
			Hint: "check the spelling, or give the address with ansible_host",
		}
	}
	reason := err
	if op, ok := errors.AsType[*net.OpError](err); ok {
		reason = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](reason); ok {
		reason = call.Err // "connect" is said already
	}
	u := &UnreachableError{Op: "connect", Err: fmt.Errorf("%s: %w", s.address(), reason)}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		u.Hint = fmt.Sprintf("nothing listens on port %d: is sshd running there, and is the port right (ansible_port)?", s.port)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		u.Hint = "there is no way to that address from here: is the host up?"
	}
	return u
}

// errDropped is a connection that the server closed before it sent its version.
var errDropped = errors.New("the server closed the connection before it spoke SSH")

// handshake exchanges keys, checks the host's and logs in, within ConnectTimeout but for the time that
// it waits for its turn. The link calls release when it ends.
func (p *Pool) handshake(ctx context.Context, s *sshSettings, raw net.Conn, auth *authenticator, release func()) (*sshLink, error) {
	select {
	case p.handshakes <- struct{}{}:
		defer func() { <-p.handshakes }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	timed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clock := time.AfterFunc(s.connectTimeout, func() { cancel(errConnectTimeout) })
	defer clock.Stop()
	stop := context.AfterFunc(timed, func() { _ = raw.Close() })
	defer stop()

	check := &hostKeyCheck{store: p.known, s: s, log: func(event string) { p.log(s.name, event) }}
	algorithms, err := check.algorithms()
	if err != nil {
		return nil, &UnreachableError{Op: "handshake", Err: err}
	}
	auth.asking = func() func() {
		clock.Stop()
		return func() { clock.Reset(s.connectTimeout) }
	}
	wire := watch(raw)
	loggingIn := false
	config := &ssh.ClientConfig{
		Config:            safeAlgorithms(),
		User:              s.user,
		HostKeyCallback:   check.check,
		HostKeyAlgorithms: algorithms,
		ClientVersion:     clientVersion,
		AuthCallback: func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			loggingIn = true
			return auth.choose(c)
		},
	}
	conn, chans, reqs, err := ssh.NewClientConn(wire, s.knownName(), config)
	if err == nil && !stop() {
		_ = conn.Close()
		err = net.ErrClosed
	}
	if err != nil {
		return nil, handshakeError(ctx, timed, s, wire, auth, loggingIn, err)
	}
	l := newSSHLink(conn, wire)
	l.release = release
	if s.forwardAgent && s.identityAgent != "" {
		l.agent = func() (net.Conn, error) { return dialAgent(context.WithoutCancel(ctx), s.identityAgent) }
	}
	l.keepalive(s.aliveInterval, s.aliveCount)
	go l.serve(chans, reqs)
	p.log(s.name, fmt.Sprintf("connected to %s as %s", s.address(), s.user))
	return l, nil
}

// safeAlgorithms is what x/crypto holds to be safe, without SHA-1; its first key exchange is mlkem768x25519.
func safeAlgorithms() ssh.Config {
	safe := ssh.SupportedAlgorithms()
	return ssh.Config{
		KeyExchanges: safe.KeyExchanges,
		Ciphers:      safe.Ciphers,
		MACs:         slices.DeleteFunc(safe.MACs, func(m string) bool { return m == ssh.HMACSHA1 }),
	}
}

// handshakeError says at which step a connection failed, and why.
func handshakeError(ctx, timed context.Context, s *sshSettings, wire *watchedConn, auth *authenticator, loggingIn bool, err error) error {
	op := "handshake"
	if loggingIn {
		op = "authenticate"
	}
	if timed.Err() != nil {
		return timeoutOr(ctx, timed, op, s, err)
	}
	if errors.Is(err, errMoreToTry) {
		return errMoreToTry
	}
	if bad, ok := errors.AsType[*hostKeyError](err); ok {
		return bad.unreachable("")
	}
	if denied, ok := errors.AsType[*deniedError](err); ok {
		return &UnreachableError{Op: op, Err: denied, Hint: denied.hint}
	}
	hungUp := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case loggingIn && strings.Contains(err.Error(), "oo many authentication failures"):
		if auth.more() {
			return errMoreToTry
		}
		denied := auth.denied()
		return &UnreachableError{Op: op, Err: fmt.Errorf("%w (the server allows too few tries: MaxAuthTries)", denied), Hint: denied.hint}
	case !wire.spoke.Load() && hungUp:
		return droppedError(s, string(bytes.TrimSpace(wire.head)))
	case loggingIn && hungUp:
		return &UnreachableError{Op: op, Err: fmt.Errorf("%s: the server hung up while we logged in as %s", s.address(), s.user), Hint: auth.advice()}
	}
	u := &UnreachableError{Op: op, Err: fmt.Errorf("%s: %w", s.address(), err)}
	if strings.Contains(err.Error(), "no common algorithm") {
		u.Hint = "the server offers only algorithms that are no longer safe; update its OpenSSH"
	}
	return u
}

// droppedError is what errDropped becomes when it stays so. Beyond MaxStartups, OpenSSH says that before it closes.
func droppedError(s *sshSettings, said string) error {
	err := fmt.Errorf("%s: %w", s.address(), errDropped)
	if said != "" {
		err = fmt.Errorf("%w; it said %q", err, said)
	}
	return &UnreachableError{
		Op: "handshake", Err: err,
		Hint: "is it an SSH server? One that is overrun (MaxStartups) or bans this address closes at once too",
	}
}
