package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// farm is one OpenSSH server behind many loopback addresses, each of which is a host.
type farm struct {
	addresses []string
	inventory string // file
	key, user string
	stop      func()
}

// command makes a program that dies with this one.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// timed runs a program to its end and gives its wall time.
func timed(c *exec.Cmd) (time.Duration, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	start := time.Now()
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%.4000s", c, err, out.Bytes())
	}
	return time.Since(start), nil
}

// sshdConfig keeps the measure apart from the user's own ~/.bashrc, which a login shell would read for
// every command of the floor: the home folder is an empty one.
const sshdConfig = `Port %d
ListenAddress 0.0.0.0
HostKey %[2]s/host_key
PidFile none
AuthorizedKeysFile %[2]s/user_key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 2000:30:4000
MaxSessions 20
PrintMotd no
UseDNS no
LogLevel ERROR
SetEnv HOME=%[2]s
`

// newFarm starts sshd and makes n hosts of it: 127.0.1.1 and on, each through a relay when delay is set.
func (b *bench) newFarm(ctx context.Context, n int, delay time.Duration) (*farm, error) {
	dir, err := os.MkdirTemp(b.dir, "farm-")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"host_key", "user_key"} {
		if _, err := timed(command(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name))); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "sshd_config")
	if err := os.WriteFile(config, fmt.Appendf(nil, sshdConfig, port, dir), 0o600); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 { // sshd wants its empty folder
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, err
		}
	}
	server := command(ctx, "/usr/sbin/sshd", "-D", "-e", "-f", config)
	var log bytes.Buffer
	server.Stderr = &log
	if err := server.Start(); err != nil {
		return nil, err
	}
	f := &farm{key: filepath.Join(dir, "user_key"), stop: func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	}}
	if err := answering(fmt.Sprintf("127.0.1.1:%d", port)); err != nil {
		f.stop()
		return nil, fmt.Errorf("sshd did not start: %w\n%s", err, log.Bytes())
	}
	me, err := user.Current()
	if err == nil {
		f.user = me.Username
		err = f.lay(dir, n, port, delay)
	}
	if err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

// lay makes the addresses and the inventory.
func (f *farm) lay(dir string, n, port int, delay time.Duration) error {
	for i := range n {
		ip := fmt.Sprintf("127.0.1.%d", i+1)
		address := fmt.Sprintf("%s:%d", ip, port)
		if delay > 0 {
			relay, err := newRelay(ip+":0", address, delay)
			if err != nil {
				return err
			}
			stop := f.stop
			f.stop = func() { relay.Close(); stop() }
			address = relay.Addr().String()
		}
		f.addresses = append(f.addresses, address)
	}
	return f.write(dir)
}

// write makes the inventory of the addresses.
func (f *farm) write(dir string) error {
	var inv strings.Builder
	fmt.Fprintln(&inv, "[hosts]")
	for i, address := range f.addresses {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		fmt.Fprintf(&inv, "h%04d ansible_host=%s ansible_port=%s\n", i+1, host, port)
	}
	fmt.Fprintf(&inv, "[hosts:vars]\nansible_user=%s\nansible_ssh_private_key_file=%s\n", f.user, f.key)
	f.inventory = filepath.Join(dir, "inventory.ini")
	return os.WriteFile(f.inventory, []byte(inv.String()), 0o600)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// answering waits until a server takes connections.
func answering(address string) error {
	var last error
	for range 100 {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
			return nil
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	return last
}
