// Package practice is an SSH server of the program's own on loopback, to try things on: each has a home
// folder, runs real commands in it as the user who started it, and speaks sftp and direct-tcpip. `hostler
// demo`, the scripts of the tests and the bench use it. It is no place to keep anything: whoever may log in
// may do what its owner may.
package practice

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Options set a Server up.
type Options struct {
	// Home is the folder in which commands start, and their HOME. It must exist.
	Home string
	// Listen is the address; "" is a free port of 127.0.0.1.
	Listen string
	// HostKey is made anew when nil.
	HostKey ssh.Signer
	// Keys may log in, as may Password unless it is "". User, unless "", is the only login name.
	Keys     []ssh.PublicKey
	User     string
	Password string
	// Env is the environment of commands besides HOME, "NAME=value".
	Env []string
	// Shell is the login shell, run as SHELL -c COMMAND; "" is /bin/sh.
	Shell string
	// NoSFTP leaves the subsystem out; MaxSessions bounds the sessions of one connection as sshd's does (0 is 10).
	NoSFTP      bool
	MaxSessions int
}

// Server is one practice host.
type Server struct {
	opts     Options
	config   *ssh.ServerConfig
	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	closed   bool
	accepted int
}

const defaultMaxSessions = 10

// Start starts a server. It serves until Close.
func Start(opts Options) (*Server, error) {
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	if opts.Shell == "" {
		opts.Shell = "/bin/sh"
	}
	if opts.MaxSessions == 0 {
		opts.MaxSessions = defaultMaxSessions
	}
	if opts.HostKey == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a host key: %w", err)
		}
		if opts.HostKey, err = ssh.NewSignerFromKey(key); err != nil {
			return nil, fmt.Errorf("make a host key: %w", err)
		}
	}
	s := &Server{opts: opts, conns: map[net.Conn]struct{}{}}
	s.config = s.rules()
	l, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("start a practice host: %w", err)
	}
	s.listener = l
	s.wg.Go(s.accept)
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() *net.TCPAddr { return s.listener.Addr().(*net.TCPAddr) }

// HostKey is the server's public key.
func (s *Server) HostKey() ssh.PublicKey { return s.opts.HostKey.PublicKey() }

// Accepted is how many connections were made so far, those that did not log in too.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Cut breaks every connection at once, as a pulled cable would, and goes on serving new ones.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// Close stops serving and ends the commands that still run.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.listener.Close()
	s.Cut()
	s.wg.Wait()
	return err
}

var errRefused = errors.New("not allowed to log in")

func (s *Server) rules() *ssh.ServerConfig {
	c := &ssh.ServerConfig{MaxAuthTries: 6}
	if len(s.opts.Keys) > 0 {
		c.PublicKeyCallback = func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			for _, k := range s.opts.Keys {
				if s.mayLogIn(m.User()) && subtle.ConstantTimeCompare(k.Marshal(), key.Marshal()) == 1 {
					return nil, nil
				}
			}
			return nil, errRefused
		}
	}
	if s.opts.Password != "" {
		c.PasswordCallback = func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if s.mayLogIn(m.User()) && subtle.ConstantTimeCompare([]byte(s.opts.Password), password) == 1 {
				return nil, nil
			}
			return nil, errRefused
		}
	}
	c.AddHostKey(s.opts.HostKey)
	return c
}

func (s *Server) mayLogIn(user string) bool { return s.opts.User == "" || s.opts.User == user }

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.track(c) {
			c.Close()
			return
		}
		s.wg.Go(func() {
			defer s.untrack(c)
			s.serve(c)
		})
	}
}

func (s *Server) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	s.accepted++
	return true
}

func (s *Server) untrack(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	c.Close()
}

// serve speaks with one client until it goes.
func (s *Server) serve(c net.Conn) {
	conn, channels, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		return // whoever it was did not get in; the client knows why
	}
	defer conn.Close()
	go answerGlobal(requests)
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, s.opts.MaxSessions)
	for n := range channels {
		switch n.ChannelType() {
		case "session":
			select {
			case slots <- struct{}{}:
				running.Go(func() {
					defer func() { <-slots }()
					s.session(n)
				})
			default:
				_ = n.Reject(ssh.Prohibited, "open failed")
			}
		case "direct-tcpip":
			running.Go(func() { tunnel(n) })
		default:
			_ = n.Reject(ssh.UnknownChannelType, "no such channel")
		}
	}
}

// answerGlobal says no to global requests, which is all that a keepalive wants to hear.
func answerGlobal(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}
