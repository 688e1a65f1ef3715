package transporttest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/internal/sshkey"
)

// SSHDOptions set a Server up; the zero value takes root with the Server's own Key.
type SSHDOptions struct {
	// Config are lines of sshd_config; they win over the defaults, which allow every login.
	Config []string
	Users  []SSHDUser
	// Host is the address to listen on, such as 127.0.0.2; "" is 127.0.0.1.
	Host string
	// NoSFTP leaves the sftp subsystem out.
	NoSFTP bool
	// NoPAM checks passwords without PAM.
	NoPAM bool
	// Setup are shell commands run as root inside the server's namespace before it starts: /etc, /home,
	// /root and /run are the server's own there.
	Setup string
	// Net gives the server a network of its own with nothing but a loopback: who wants to reach it goes by Enter.
	Net bool
}

// SSHDUser is an account that exists inside the server's namespace alone.
type SSHDUser struct {
	Name     string
	Password string // "" is none: no password login
	Shell    string // "" is /bin/bash
	Keys     []string
	Bashrc   string
	Locked   bool
}

// Server is a real OpenSSH server in namespaces of its own: nothing of this machine is altered.
type Server struct {
	Host string
	Port int
	// Key logs in as root and as every user: its private half, in OpenSSH's format.
	Key     sshkey.Pair
	KeyFile string
	// KnownHosts holds the server's host key.
	KnownHosts string
	// HostKey is its line without the name.
	HostKey string

	dir    string
	cmd    *exec.Cmd
	logged logBuffer
}

// SSHD starts a server and stops it with the test. It needs root, Linux namespaces and Debian's openssh-server;
// without them the test fails, for these tests are asked for by a build tag.
func SSHD(t testing.TB, opts SSHDOptions) *Server {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("a real sshd with users of its own needs root")
	}
	if opts.Host == "" {
		opts.Host = "127.0.0.1"
	}
	s := &Server{Host: opts.Host, Port: freePort(t, opts.Host), dir: t.TempDir()}
	s.makeKeys(t)
	s.writeConfig(t, opts)
	s.start(t, opts)
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Enter is what to put before a command so that it runs in namespaces of the server's: "net", "mnt".
func (s *Server) Enter(namespaces ...string) []string {
	words := []string{"nsenter"}
	for _, ns := range namespaces {
		words = append(words, fmt.Sprintf("--%s=/proc/%d/ns/%s", map[string]string{"net": "net", "mnt": "mount"}[ns], s.cmd.Process.Pid, ns))
	}
	return words
}

// Home is where this machine sees a user's home folder.
func (s *Server) Home(user string) string {
	if user == "root" {
		return filepath.Join(s.dir, "root")
	}
	return filepath.Join(s.dir, "home", user)
}

// Log is what sshd logged so far.
func (s *Server) Log() string { return s.logged.String() }

func (s *Server) makeKeys(t testing.TB) {
	t.Helper()
	var err error
	if s.Key, err = sshkey.Generate("test", secret.Text{}); err != nil {
		t.Fatal(err)
	}
	s.KeyFile = s.write(t, "key", s.Key.Private.Reveal())
	host, err := sshkey.Generate("", secret.Text{})
	if err != nil {
		t.Fatal(err)
	}
	s.HostKey = host.Public
	s.write(t, "host_key", host.Private.Reveal())
	s.KnownHosts = s.write(t, "known_hosts", fmt.Sprintf("[%s]:%d %s\n", s.Host, s.Port, host.Public))
}

func (s *Server) write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *Server) writeConfig(t testing.TB, opts SSHDOptions) {
	t.Helper()
	pam := "yes"
	if opts.NoPAM {
		pam = "no"
	}
	lines := append([]string{}, opts.Config...)
	lines = append(lines,
		"ListenAddress "+s.Addr(), "HostKey "+filepath.Join(s.dir, "host_key"), "PidFile none",
		"PermitRootLogin yes", "PasswordAuthentication yes", "UsePAM "+pam, "LogLevel VERBOSE",
		"UseDNS no", "PrintMotd no", "PrintLastLog no",
	)
	if !slices.ContainsFunc(opts.Config, func(line string) bool { return strings.HasPrefix(line, "MaxStartups") }) {
		lines = append(lines, "MaxStartups 200:30:400") // unlike elsewhere, the last of several counts (OpenSSH 9.2)
	}
	if !opts.NoSFTP {
		lines = append(lines, "Subsystem sftp internal-sftp")
	}
	s.write(t, "sshd_config", strings.Join(lines, "\n")+"\n")
}

// start runs sshd as the first process of its own process and mount namespaces; they die with us.
func (s *Server) start(t testing.TB, opts SSHDOptions) {
	t.Helper()
	for _, tool := range []string{"/usr/sbin/sshd", "/usr/bin/unshare"} {
		if _, err := os.Stat(tool); err != nil {
			t.Fatalf("%v: install openssh-server and util-linux", err)
		}
	}
	s.write(t, "start", s.script(opts))
	argv := []string{"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "-e", filepath.Join(s.dir, "start")}
	if opts.Net {
		argv = append([]string{"--net"}, argv...)
	}
	s.cmd = exec.Command("unshare", argv...)
	s.cmd.Stdout, s.cmd.Stderr = &s.logged, &s.logged
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	t.Cleanup(func() {
		s.settle()
		_ = s.cmd.Process.Kill()
		if err := <-ended; err == nil {
			t.Error("sshd ended by itself")
		}
		if t.Failed() {
			t.Logf("sshd on %s said:\n%s", s.Addr(), s.Log())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		if strings.Contains(s.Log(), "Server listening on") {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("sshd did not start: %v\n%s", err, s.Log())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd did not start in time:\n%s", s.Log())
		}
	}
}

// settle waits a little for the sessions to end, so that each cleans up after itself.
func (s *Server) settle() {
	children := func(pid string) string {
		text, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		return strings.TrimSpace(string(text))
	}
	listener := children(strconv.Itoa(s.cmd.Process.Pid))
	for range 60 {
		if listener == "" || children(listener) == "" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// script makes the namespace's own folders and accounts, then becomes sshd.
func (s *Server) script(opts SSHDOptions) string {
	var b strings.Builder
	fmt.Fprintf(&b, "d=%s\nmkdir -p $d/home $d/root $d/etc\nchmod 755 $d/home\nchmod 700 $d/root\n", s.dir)
	b.WriteString("mount -t tmpfs -o mode=755 tmpfs $d/etc\ncp -a /etc/. $d/etc\n") // gone with the namespace, even when we are killed
	b.WriteString("mount --bind $d/etc /etc\nmount --bind $d/home /home\nmount --bind $d/root /root\nmount -t tmpfs tmpfs /run\nmkdir -m 755 /run/sshd /run/lock\n")
	if opts.Net {
		b.WriteString("ip link set lo up\n")
	}
	users := append([]SSHDUser{{Name: "root"}}, opts.Users...)
	for _, u := range users {
		home := "/home/" + u.Name
		if u.Name == "root" {
			home = "/root"
		} else {
			shell := u.Shell
			if shell == "" {
				shell = "/bin/bash"
			}
			fmt.Fprintf(&b, "useradd -M -U -d %s -s %s %s\nmkdir -m 755 %s\n", home, shell, u.Name, home)
		}
		if u.Password != "" {
			fmt.Fprintf(&b, "chpasswd <<'END-OF-PASSWORD'\n%s:%s\nEND-OF-PASSWORD\n", u.Name, u.Password)
		}
		if u.Locked {
			fmt.Fprintf(&b, "passwd -q -l %s\n", u.Name)
		}
		keys := strings.Join(append([]string{s.Key.Public}, u.Keys...), "\n")
		fmt.Fprintf(&b, "mkdir -m 700 %s/.ssh\necho '%s' >%s/.ssh/authorized_keys\n", home, keys, home)
		if u.Bashrc != "" {
			fmt.Fprintf(&b, "cat >%s/.bashrc <<'END-OF-BASHRC'\n%s\nEND-OF-BASHRC\n", home, u.Bashrc)
		}
		fmt.Fprintf(&b, "chown -R %s: %s\n", u.Name, home)
	}
	b.WriteString(opts.Setup + "\nexec /usr/sbin/sshd -D -e -f $d/sshd_config\n")
	return b.String()
}

// freePort is a port that nobody listens on now.
func freePort(t testing.TB, host string) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(errors.New("no TCP address"))
	}
	return addr.Port
}

// logBuffer gathers what a process says, for readers at any time.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
