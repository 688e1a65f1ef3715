package modules

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/hostlerhq/hostler/transport"
)

// ErrNoTunnel says that the connection to the host opens no others from there.
var ErrNoTunnel = errors.New("the connection lets nobody connect through it")

// Dial opens a TCP connection from the host, to a host by the name that it has there. Where that is not to be had the error
// is ErrNoTunnel; other errors are LostHost's to judge.
func (h *Host) Dial(ctx context.Context, host string, port int) (net.Conn, error) {
	t, ok := h.opts.Conn.(transport.Tunneler)
	if !ok {
		return nil, ErrNoTunnel
	}
	conn, err := t.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if errors.Is(err, transport.ErrForwarding) {
		return nil, fmt.Errorf("%w: %w", ErrNoTunnel, err)
	}
	return conn, err
}

// LostHost gives the error when it says that the host itself is lost or the run ends, and nil when only a connection from
// the host was refused.
func LostHost(ctx context.Context, err error) error { return notTheModules(ctx, err) }
