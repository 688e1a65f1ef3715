package transport

import (
	"context"

	"github.com/hostlerhq/hostler/internal/secret"
)

// PoolOptions set a Pool up; the zero value works.
type PoolOptions struct {
	// MaxOpen is how many connections stay open at once; the oldest idle one goes first. 0 is 256.
	MaxOpen int
	// Prompt asks the user for a passphrase or a keyboard-interactive answer; nil means that nobody can be asked.
	Prompt func(ctx context.Context, question string, echo bool) (secret.Text, error)
	// TempDir takes spilled output; "" is a 0700 folder of the Pool's own, removed on Close.
	TempDir string
	// Log takes what happens on connections, for -vvv; nil is silence.
	Log func(host, event string)
}

// Pool opens and shares connections. Several inventory names with one endpoint share one
// connection, and all endpoints behind one jump host share that.
type Pool struct{}

// NewPool makes a Pool. It contacts nothing.
func NewPool(opts PoolOptions) *Pool { panic("skeleton") }

// Open gives the Conn of an endpoint as an identity. It connects when there is no connection yet.
// Errors: *UnreachableError. A refusal by sudo, su or doas comes with the first command: *BecomeError.
// Closing the Conn gives it back to the Pool.
func (p *Pool) Open(ctx context.Context, e Endpoint, b Become) (Conn, error) { panic("skeleton") }

// Close ends every connection.
func (p *Pool) Close() error { panic("skeleton") }
