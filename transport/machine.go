package transport

import (
	"context"
	"sync"
)

// machineOptions set a machine up.
type machineOptions struct {
	// name is for messages.
	name string
	// relink gives a link in place of one that was lost; nil when there is none to be had.
	relink func(ctx context.Context) (link, error)
	// tempDir gives the folder for spilled output; it is called when the first byte spills.
	tempDir func() (string, error)
	// log takes what happens, for -vvv; nil is silence.
	log func(event string)
	// shell is the worker's shell; "" is /bin/sh.
	shell string
}

// machine is one host behind one link: its workers of every identity and the Conns that use them.
type machine struct {
	opts machineOptions

	mu   sync.Mutex
	link link
}

// newMachine makes the machine behind a link. It contacts nothing. Closing it closes the link.
func newMachine(l link, opts machineOptions) *machine {
	if opts.shell == "" {
		opts.shell = "/bin/sh"
	}
	return &machine{link: l, opts: opts}
}

// conn gives a Conn as an identity. Its Close calls release, once; workers stay with the
// machine for the next Conn of that identity.
func (m *machine) conn(b Become, release func() error) *conn {
	return &conn{m: m, become: b, release: release}
}

// close ends all workers and the link.
func (m *machine) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.link.close()
}

// conn is the Conn of a machine as one identity.
type conn struct {
	m       *machine
	become  Become
	release func() error
	once    sync.Once
}

// Close gives the Conn back.
func (c *conn) Close() (err error) {
	c.once.Do(func() {
		if c.release != nil {
			err = c.release()
		}
	})
	return err
}
