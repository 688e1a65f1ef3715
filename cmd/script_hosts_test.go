//go:build script

package cmd_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/internal/sshkey"
	"github.com/hostlerhq/hostler/transport/practice"
	"github.com/rogpeppe/go-internal/testscript"
)

// farm is the practice hosts of one script; nil until there are any.
type farm struct{ *practice.Farm }

func (f farm) close() {
	if f.Farm != nil {
		_ = f.Close()
	}
}

func hosts(ts *testscript.TestScript, neg bool, args []string) {
	s := stateOf(ts)
	if neg || s.farm.Farm != nil {
		ts.Fatalf("usage: hosts [option...] name..., once")
	}
	each, names := hostOptions(ts, args)
	f, err := practice.StartFarm(ts.MkAbs("."), names, each)
	ts.Check(err)
	s.farm.Farm = f
	ts.Check(os.WriteFile(ts.MkAbs("hosts.ini"), []byte(f.Inventory("hypervisors")), 0o600))
}

func hostOptions(ts *testscript.TestScript, args []string) (practice.Options, []string) {
	var o practice.Options
	path := os.Getenv("PATH")
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "-nosftp":
			o.NoSFTP, args = true, args[1:]
			continue
		case len(args) < 2:
			ts.Fatalf("hosts: %s wants a value", args[0])
		case args[0] == "-password":
			o.Password = args[1]
		case args[0] == "-path":
			path = ts.MkAbs(args[1]) + ":" + path
		case args[0] == "-become":
			tools, err := filepath.Abs("testdata/tools")
			ts.Check(err)
			path = tools + ":" + path
			o.Env = append(o.Env, "TOOL_PASSWORD="+args[1]) // "" wants none
		case args[0] == "-small":
			o.Shell = smallDisk(ts, ts.MkAbs(args[1]))
		case args[0] == "-sessions":
			n, err := strconv.Atoi(args[1])
			ts.Check(err)
			o.MaxSessions = n
		default:
			ts.Fatalf("hosts: unknown option %s", args[0])
		}
		args = args[2:]
	}
	o.Env = append(o.Env, "PATH="+path)
	return o, args
}

// smallDisk mounts a disk of 1 MiB at dir, in a namespace of its own, and gives a login shell that lives in there.
func smallDisk(ts *testscript.TestScript, dir string) (shell string) {
	ts.Check(os.MkdirAll(dir, 0o700))
	holder := exec.Command("unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c",
		`mount -t tmpfs -o size=1m none "$1" && echo ready && exec cat`, "sh", dir)
	input, err := holder.StdinPipe()
	ts.Check(err)
	output, err := holder.StdoutPipe()
	ts.Check(err)
	ts.Check(holder.Start())
	ts.Defer(func() { _ = input.Close(); _ = holder.Wait() })
	_, err = fmt.Fscanln(output, new(string))
	ts.Check(err)
	shell = ts.MkAbs("shell")
	text := fmt.Sprintf("#!/bin/sh\nexec nsenter -t %d -U -m --preserve-credentials /bin/sh -c 'cd \"$HOME\" && exec /bin/sh \"$@\"' sh \"$@\"\n", holder.Process.Pid)
	ts.Check(os.WriteFile(shell, []byte(text), 0o700))
	return shell
}

// condition answers [namespaces]: whether users may make some.
func condition(name string) (bool, error) {
	if name != "namespaces" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	return exec.Command("unshare", "--user", "--map-root-user", "--mount", "true").Run() == nil, nil
}

func down(ts *testscript.TestScript, _ bool, args []string) {
	f := stateOf(ts).farm
	for i, name := range f.Names {
		if name == args[0] {
			ts.Check(f.Servers[i].Close())
			occupy(ts, f.Servers[i].Addr())
			return
		}
	}
	ts.Fatalf("down: no host %s", args[0])
}

// occupy keeps a port from being given to a host of another script; who connects to it is refused.
func occupy(ts *testscript.TestScript, addr *net.TCPAddr) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	ts.Check(err)
	ts.Defer(func() { _ = syscall.Close(fd) })
	ts.Check(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	ts.Check(syscall.Bind(fd, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}))
}

func contacts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: contacts N")
	}
	n := 0
	for _, server := range stateOf(ts).farm.Servers {
		n += server.Accepted()
	}
	if fmt.Sprint(n) != args[0] {
		ts.Fatalf("%d connections, want %s", n, args[0])
	}
}

func newkey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: newkey FILE")
	}
	pair, err := sshkey.Generate("script", secret.Text{})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(pair.Private.Reveal()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0])+".pub", []byte(pair.Public+"\n"), 0o644))
}
