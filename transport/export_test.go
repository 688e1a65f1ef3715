package transport

import (
	"testing"
)

// OpenLocal is a Conn to this machine with a worker shell of the test's choice; what it spills goes away with the test.
func OpenLocal(t *testing.T, b Become, shell ...string) Conn {
	t.Helper()
	dir := t.TempDir()
	m := newMachine(newLocalLink(), machineOptions{
		name: "here", shell: shell, tempDir: func() (string, error) { return dir, nil },
		log: func(event string) { t.Log(event) },
	})
	return m.conn(b, m.close)
}
