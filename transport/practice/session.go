package practice

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// session answers one session channel: environment first, then one program.
func (s *Server) session(n ssh.NewChannel) {
	ch, requests, err := n.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	env := append(os.Environ(), s.opts.Env...)
	env = append(env, "HOME="+s.opts.Home)
	for r := range requests {
		switch r.Type {
		case "env":
			var v struct{ Name, Value string }
			ok := ssh.Unmarshal(r.Payload, &v) == nil
			if ok {
				env = append(env, v.Name+"="+v.Value)
			}
			reply(r, ok)
		case "exec":
			var v struct{ Line string }
			if ssh.Unmarshal(r.Payload, &v) != nil {
				reply(r, false)
				return
			}
			reply(r, true)
			s.exec(ch, requests, v.Line, env)
			return
		case "subsystem":
			var v struct{ Name string }
			ok := ssh.Unmarshal(r.Payload, &v) == nil && v.Name == "sftp" && !s.opts.NoSFTP
			reply(r, ok)
			if ok {
				go ssh.DiscardRequests(requests)
				s.sftp(ch)
				return
			}
		default: // a terminal, a shell without a command, forwarding of agents: not here
			reply(r, false)
		}
	}
}

func reply(r *ssh.Request, ok bool) {
	if r.WantReply {
		_ = r.Reply(ok, nil)
	}
}

// exec runs one command line. As with sshd, its status goes out when it ends, and the channel closes when
// all that hold its output are gone.
func (s *Server) exec(ch ssh.Channel, requests <-chan *ssh.Request, line string, env []string) {
	c := exec.Command(s.opts.Shell, "-c", line)
	c.Dir, c.Env = s.opts.Home, env
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := c.StdinPipe()
	if err != nil {
		fmt.Fprintln(ch.Stderr(), err)
		return
	}
	var copies sync.WaitGroup
	out, outDone, err := outlet(&copies, ch)
	if err != nil {
		fmt.Fprintln(ch.Stderr(), err)
		return
	}
	errOut, errDone, err := outlet(&copies, ch.Stderr())
	if err != nil {
		outDone()
		fmt.Fprintln(ch.Stderr(), err)
		return
	}
	c.Stdout, c.Stderr = out, errOut
	err = c.Start()
	out.Close()
	errOut.Close()
	if err != nil {
		fmt.Fprintln(ch.Stderr(), err)
		sendStatus(ch, 127)
		return
	}
	go func() {
		io.Copy(in, ch)
		in.Close()
	}()
	gone := make(chan struct{})
	go func() { // until the client closes the channel
		defer close(gone)
		for r := range requests {
			reply(r, r.Type == "signal" && s.signal(c.Process.Pid, r.Payload))
		}
	}()
	sendEnd(ch, c.Wait())
	drained := make(chan struct{})
	go func() { copies.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-gone: // the client does not want to hear more
		outDone()
		errDone()
		<-drained
	}
}

// outlet is a pipe whose reading end is copied to w; close ends the copying.
func outlet(copies *sync.WaitGroup, w io.Writer) (write *os.File, stop func(), err error) {
	r, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	copies.Go(func() {
		io.Copy(w, r)
		r.Close()
	})
	return write, func() { r.Close() }, nil
}

func (s *Server) signal(pid int, payload []byte) bool {
	var v struct{ Name string }
	if ssh.Unmarshal(payload, &v) != nil {
		return false
	}
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM}
	sig, ok := signals[v.Name]
	return ok && syscall.Kill(-pid, sig) == nil
}

// sendEnd tells how a program ended.
func sendEnd(ch ssh.Channel, err error) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		status := uint32(0)
		if err != nil {
			status = 255
		}
		sendStatus(ch, status)
		return
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		names := map[syscall.Signal]string{
			syscall.SIGKILL: "KILL", syscall.SIGTERM: "TERM", syscall.SIGINT: "INT", syscall.SIGHUP: "HUP",
			syscall.SIGSEGV: "SEGV", syscall.SIGABRT: "ABRT", syscall.SIGPIPE: "PIPE", syscall.SIGQUIT: "QUIT",
		}
		v := struct {
			Name     string
			Core     bool
			Text     string
			Language string
		}{Name: names[ws.Signal()]}
		_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(v))
		return
	}
	sendStatus(ch, uint32(exit.ExitCode()))
}

func sendStatus(ch ssh.Channel, status uint32) {
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

// sftp serves the subsystem; paths that are not absolute start at the home folder.
func (s *Server) sftp(ch ssh.Channel) {
	server, err := sftp.NewServer(ch, sftp.WithServerWorkingDirectory(s.opts.Home))
	if err != nil {
		return
	}
	if err := server.Serve(); err == nil || errors.Is(err, io.EOF) {
		sendStatus(ch, 0)
	}
	server.Close()
}

// tunnel connects a direct-tcpip channel to where it wants to go.
func tunnel(n ssh.NewChannel) {
	var v struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(n.ExtraData(), &v); err != nil {
		_ = n.Reject(ssh.ConnectionFailed, "malformed request")
		return
	}
	up, err := net.Dial("tcp", net.JoinHostPort(v.Host, strconv.Itoa(int(v.Port))))
	if err != nil {
		_ = n.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer up.Close()
	ch, requests, err := n.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(requests)
	done := make(chan struct{}, 2)
	go func() { io.Copy(up, ch); _ = up.(*net.TCPConn).CloseWrite(); done <- struct{}{} }()
	go func() { io.Copy(ch, up); _ = ch.CloseWrite(); done <- struct{}{} }()
	<-done
	<-done
}
