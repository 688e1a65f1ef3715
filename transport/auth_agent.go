package transport

import (
	"context"
	"fmt"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agents keeps one connection to each ssh-agent and what it offered.
type agents struct {
	mu   sync.Mutex
	open map[string]*agentClient
}

type agentClient struct {
	conn    net.Conn
	signers []ssh.Signer
}

// signers lists an agent's keys; the agent is asked once.
func (a *agents) signers(ctx context.Context, socket string) ([]ssh.Signer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.open[socket]; c != nil {
		return c.signers, nil
	}
	conn, err := dialAgent(ctx, socket)
	if err != nil {
		return nil, err
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("ssh-agent at %s: %w", socket, err)
	}
	if a.open == nil {
		a.open = map[string]*agentClient{}
	}
	a.open[socket] = &agentClient{conn, signers}
	return signers, nil
}

// close ends the connections to agents.
func (a *agents) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.open {
		_ = c.conn.Close()
	}
	a.open = nil
}

func dialAgent(ctx context.Context, socket string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("ssh-agent: %w", err)
	}
	return conn, nil
}
