package system

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// noTunnel is a Conn that opens no connections from its host.
type noTunnel struct{ transport.Conn }

// told is a Conn whose every look tells the same sections.
type told struct {
	transport.Conn
	sections []string // key, text
}

func (c told) Exec(context.Context, transport.Command) (transport.Output, error) {
	var out strings.Builder
	for i := 0; i < len(c.sections); i += 2 {
		fmt.Fprintf(&out, "@@%s %d 0\n%s\n", c.sections[i], len(c.sections[i+1]), c.sections[i+1])
	}
	return transport.Output{Stdout: []byte(out.String())}, nil
}

func openLocal(t *testing.T) transport.Conn {
	t.Helper()
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "here", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func waitFor(t *testing.T, conn transport.Conn, pairs ...any) modules.Result {
	t.Helper()
	h := modules.NewHost(modules.HostOptions{Name: "here", Conn: conn})
	r, err := WaitFor.Run(t.Context(), h, value.NewDict(append([]any{"sleep", 0}, pairs...)...))
	if err != nil {
		t.Fatal(err)
	}
	if r.Changed {
		t.Error("waiting changed something")
	}
	return r
}

// greet listens on a port of the loopback and sends a text to whoever connects.
func greet(t *testing.T, text string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(text))
			_ = c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// closedPort gives a port where nobody listens: it is bound, which keeps it from others, and never listened on.
func closedPort(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return name.(*syscall.SockaddrInet4).Port
}

func TestWaitForPort(t *testing.T) {
	conn := openLocal(t)
	port := greet(t, "SSH-2.0-OpenSSH_9.2\r\n")
	r := waitFor(t, conn, "port", port, "search_regex", `OpenSSH_(?P<major>\d+)\.(\d+)(x)?`)
	if r.Failed {
		t.Fatal(r.Msg)
	}
	groups, _ := r.Data.Get("match_groups")
	if diff := cmp.Diff([]any{"9", "2", nil}, groups.(*value.List).Items); diff != "" {
		t.Errorf("match_groups (-want +got):\n%s", diff)
	}
	named, _ := r.Data.Get("match_groupdict")
	if got := named.(*value.Dict).Str("major"); got != "9" {
		t.Errorf("match_groupdict.major is %q", got)
	}
	if r := waitFor(t, conn, "port", port); r.Failed {
		t.Errorf("an open port: %s", r.Msg)
	}
	if r := waitFor(t, conn, "port", closedPort(t), "state", "stopped"); r.Failed {
		t.Errorf("a closed port: %s", r.Msg)
	}
}

func TestWaitForPortByTool(t *testing.T) {
	transporttest.Installed(t, "bash")
	conn := noTunnel{openLocal(t)}
	port := greet(t, "")
	if r := waitFor(t, conn, "port", port); r.Failed {
		t.Errorf("an open port: %s", r.Msg)
	}
	if r := waitFor(t, conn, "port", closedPort(t), "state", "stopped"); r.Failed {
		t.Errorf("a closed port: %s", r.Msg)
	}
	r := waitFor(t, conn, "port", port, "search_regex", "x")
	if !r.Failed || !strings.Contains(r.Msg, "AllowTcpForwarding") {
		t.Errorf("a text from a port that cannot be reached: failed %v: %s", r.Failed, r.Msg)
	}
}

func TestWaitForPath(t *testing.T) {
	conn := openLocal(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "it's a $log")
	if err := os.WriteFile(file, []byte("one\nready: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := waitFor(t, conn, "path", file, "search_regex", `^ready: (\d)$`); r.Failed {
		t.Error(r.Msg)
	} else if groups, _ := r.Data.Get("match_groups"); groups.(*value.List).Items[0] != "7" {
		t.Errorf("match_groups are %v", groups)
	}
	if r := waitFor(t, conn, "path", filepath.Join(dir, "none"), "state", "absent"); r.Failed {
		t.Error(r.Msg)
	}
	if err := os.Symlink("none", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	if r := waitFor(t, conn, "path", filepath.Join(dir, "dangling"), "state", "absent"); r.Failed {
		t.Errorf("a dangling link is absent, as for Ansible: %s", r.Msg)
	}
	r := waitFor(t, conn, "path", filepath.Join(file, "below"))
	if !r.Failed || !strings.HasPrefix(r.Msg, "Failed to stat ") {
		t.Errorf("a path below a file: failed %v: %s", r.Failed, r.Msg)
	}
}

func TestWaitForTimeout(t *testing.T) {
	conn := openLocal(t)
	for _, c := range []struct {
		want string
		args []any
	}{
		{"Timeout when waiting for 127.0.0.1:9", []any{"port", 9}},
		{"Timeout when waiting for h:9 to stop.", []any{"port", 9, "host", "h", "state", "stopped"}},
		{"Timeout when waiting for 127.0.0.1:9 to drain", []any{"port", 9, "state", "drained"}},
		{"Timeout when waiting for search string x in 127.0.0.1:9", []any{"port", 9, "search_regex", "x"}},
		{"Timeout when waiting for file /none", []any{"path", "/none"}},
		{"Timeout when waiting for search string x in /none", []any{"path", "/none", "search_regex", "x"}},
		{"Timeout when waiting for / to be absent.", []any{"path", "/", "state", "absent"}},
		{"too late", []any{"path", "/none", "msg", "too late"}},
	} {
		r := waitFor(t, conn, append(c.args, "timeout", 0)...)
		if !r.Failed || r.Msg != c.want {
			t.Errorf("%v: failed %v, %q, want %q", c.args, r.Failed, r.Msg, c.want)
		}
	}
}

func TestWaitForDrained(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue\n"
	for name, c := range map[string]struct {
		tcp, tcp6 string
		more      []any
		drained   bool
	}{
		"only listening":        {"0: 0100007F:1F90 00000000:0000 0A", "", nil, true},
		"one connection":        {"0: 0100007F:1F90 0100007F:C350 01", "", nil, false},
		"another port":          {"0: 0100007F:1F91 0100007F:C350 01", "", nil, true},
		"another address":       {"0: 0200007F:1F90 0100007F:C350 01", "", nil, true},
		"any address":           {"0: 0200007F:1F90 0100007F:C350 01", "", []any{"host", "0.0.0.0"}, false},
		"mapped":                {"", "0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000200007F:C350 01", nil, false},
		"a state left out":      {"0: 0100007F:1F90 0100007F:C350 06", "", []any{"active_connection_states", "ESTABLISHED"}, true},
		"an excluded host":      {"0: 0100007F:1F90 0500000A:C350 01", "", []any{"exclude_hosts", "peer"}, true},
		"not the excluded host": {"0: 0100007F:1F90 0600000A:C350 01", "", []any{"exclude_hosts", "peer"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			conn := told{sections: []string{"tcp", head + c.tcp, "tcp6", head + c.tcp6, "host.peer", "10.0.0.5"}}
			w := &waiting{h: modules.NewHost(modules.HostOptions{Conn: conn})}
			args, _, err := modules.Decode[WaitForArgs](WaitFor, value.NewDict(append([]any{"port", 8080, "state", "drained"}, c.more...)...))
			if err != nil {
				t.Fatal(err)
			}
			w.WaitForArgs = args
			n, err := w.connections(t.Context())
			if err != nil || (n == 0) != c.drained {
				t.Errorf("%d connections, %v; want drained %v", n, err, c.drained)
			}
		})
	}
}

func TestWaitForMistakes(t *testing.T) {
	for _, c := range []struct {
		want string
		args []any
	}{
		{"port and path parameter can not both be passed", []any{"port", 1, "path", "/x"}},
		{"state=stopped should only be used for checking a port", []any{"path", "/x", "state", "stopped"}},
		{"exclude_hosts should only be with state=drained", []any{"port", 1, "exclude_hosts", "x"}},
		{"state=drained needs a port", []any{"state", "drained"}},
		{"port must be 1 to 65535", []any{"port", 65536}},
		{"Invalid regular expression", []any{"port", 1, "search_regex", "("}},
	} {
		r := waitFor(t, noTunnel{}, c.args...)
		if !r.Failed || !strings.Contains(r.Msg, c.want) {
			t.Errorf("%v: failed %v, %q, want %q", c.args, r.Failed, r.Msg, c.want)
		}
	}
}

func TestWaitForInCheckMode(t *testing.T) {
	h := modules.NewHost(modules.HostOptions{Conn: noTunnel{}, Check: true})
	r, err := WaitFor.Run(t.Context(), h, value.NewDict("port", 1))
	if err != nil || !r.Skipped || r.Failed {
		t.Errorf("skipped %v, failed %v, %v", r.Skipped, r.Failed, err)
	}
}
