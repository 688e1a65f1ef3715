package system

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/pyre"
	"github.com/hostlerhq/hostler/modules"
)

// tcpState is a state of a TCP connection.
type tcpState string

// Choices lists the states that Ansible knows.
func (tcpState) Choices() []string {
	return []string{"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"}
}

// connect tells whether the port is open and, with an expression, whether it sends what that finds.
func (w *waiting) connect(ctx context.Context, re *pyre.Regexp) (bool, error) {
	limit := min(time.Duration(w.ConnectTimeout)*time.Second, max(time.Until(w.end), time.Second))
	dialing, cancel := context.WithTimeout(ctx, limit)
	conn, err := w.h.Dial(dialing, w.Host, *w.Port)
	cancel()
	switch {
	case errors.Is(err, modules.ErrNoTunnel):
		return w.connectByTool(ctx, limit, re != nil)
	case err != nil:
		return false, modules.LostHost(ctx, err)
	}
	defer conn.Close()
	if re == nil {
		return true, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	late := time.AfterFunc(time.Until(w.end), func() { _ = conn.Close() })
	defer late.Stop()
	var data []byte
	chunk := make([]byte, 1024)
	for len(data) < maxGreeting {
		n, err := conn.Read(chunk)
		data = append(data, chunk[:n]...)
		if n > 0 {
			if found, bad := w.search(data); found || bad != nil {
				return found, bad
			}
		}
		if err != nil {
			return false, ctx.Err() // whoever closes the connection is not ready yet
		}
	}
	return false, nil
}

// maxGreeting bounds what is read of a port that never sends what is looked for, in bytes.
const maxGreeting = 1 << 20

// connectScript: host, port, seconds. It says open, closed, or nothing where there is no tool to connect with.
const connectScript = `has() { command -v "$1" >/dev/null 2>&1; }
if has bash && has timeout; then
	if timeout "$3" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" >/dev/null 2>&1 </dev/null; then say port open; else say port closed; fi
elif has nc; then
	if nc -z -w "$3" "$1" "$2" >/dev/null 2>&1 </dev/null; then say port open; else say port closed; fi
fi
exit 0
`

// connectByTool is for hosts whose sshd lets nobody connect through it.
func (w *waiting) connectByTool(ctx context.Context, limit time.Duration, greeting bool) (bool, error) {
	if greeting {
		return false, errors.New("search_regex: the host's sshd does not let us connect through it (AllowTcpForwarding)")
	}
	if strings.HasPrefix(w.Host, "-") {
		return false, fmt.Errorf("host %q is no name of a host", w.Host)
	}
	seconds := strconv.Itoa(max(1, int(limit.Seconds())))
	r, err := w.h.Probe(ctx, connectScript, w.Host, strconv.Itoa(*w.Port), seconds)
	switch {
	case err != nil:
		return false, err
	case !r.Has("port"):
		return false, errors.New("the host's sshd does not let us connect through it (AllowTcpForwarding), and it has neither bash nor nc")
	}
	return r.Text("port") == "open", nil
}

// drainScript: the names of hosts to resolve. An address resolves to itself.
const drainScript = `for n; do say "host.$n" "$(getent ahosts "$n" 2>/dev/null | awk '{ print $1 }')"; done
for f in tcp tcp6; do [ ! -r "/proc/net/$f" ] || say "$f" "$(cat "/proc/net/$f")"; done
exit 0
`

// connections counts the active connections to the port.
func (w *waiting) connections(ctx context.Context) (int, error) {
	var names []string
	for _, name := range append([]string{w.Host}, w.ExcludeHosts...) {
		if _, err := netip.ParseAddr(name); err != nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	r, err := w.h.Probe(ctx, drainScript, names...)
	if err != nil {
		return 0, err
	}
	if !r.Has("tcp") && !r.Has("tcp6") {
		return 0, errors.New("the host has no /proc/net/tcp to look at")
	}
	ours, err := addresses(r, w.Host)
	if err != nil {
		return 0, err
	}
	var excluded []netip.Addr
	for _, name := range w.ExcludeHosts {
		more, err := addresses(r, name)
		if err != nil {
			return 0, err
		}
		excluded = append(excluded, more...)
	}
	n := 0
	for _, line := range append(r.Lines("tcp"), r.Lines("tcp6")...) {
		if w.counts(strings.Fields(line), ours, excluded) {
			n++
		}
	}
	return n, nil
}

// addresses gives what a name means to the host.
func addresses(r *modules.Report, name string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{addr}, nil
	}
	var all []netip.Addr
	for _, line := range r.Lines("host." + name) {
		if addr, err := netip.ParseAddr(line); err == nil {
			all = append(all, addr)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the host does not know the host %s", name)
	}
	return all, nil
}

// kernelStates are the kernel's numbers of the states (include/net/tcp_states.h).
var kernelStates = map[string]tcpState{
	"01": "ESTABLISHED", "02": "SYN_SENT", "03": "SYN_RECV", "04": "FIN_WAIT1", "05": "FIN_WAIT2", "06": "TIME_WAIT",
}

// counts tells whether a line of /proc/net/tcp is an active connection to the port at one of our addresses.
func (w *waiting) counts(fields []string, ours, excluded []netip.Addr) bool {
	if len(fields) < 4 {
		return false
	}
	local, port, ok := kernelAddress(fields[1])
	remote, _, ok2 := kernelAddress(fields[2])
	if !ok || !ok2 || port != *w.Port || !slices.Contains(w.ActiveStates, kernelStates[fields[3]]) || holds(excluded, remote) {
		return false
	}
	for _, addr := range ours {
		if addr.Unmap() == local || addr.IsUnspecified() && addr.Is4() == local.Is4() {
			return true
		}
	}
	return false
}

func holds(list []netip.Addr, addr netip.Addr) bool {
	return slices.ContainsFunc(list, func(a netip.Addr) bool { return a.Unmap() == addr })
}

// kernelAddress reads 0100007F:0016, whose address is in words of the host's byte order, taken as little-endian.
func kernelAddress(text string) (netip.Addr, int, bool) {
	left, right, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(left)
	port, err2 := strconv.ParseUint(right, 16, 16)
	if err != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.Addr{}, 0, false
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	addr, ok := netip.AddrFromSlice(raw)
	return addr.Unmap(), int(port), ok
}
