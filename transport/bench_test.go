package transport

import (
	"os/exec"
	"testing"
)

// The floor of a command on this machine, and what a worker makes of it.
func BenchmarkForkAndExec(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWorker(b *testing.B) {
	m := newMachine(newLocalLink(), machineOptions{})
	defer m.close()
	c := m.conn(Become{}, nil)
	for name, cmd := range map[string]Command{
		"argv":    {Argv: []string{"/bin/true"}},
		"user":    {Argv: []string{"/bin/true"}, User: true},
		"builtin": {Script: ":"},
		"stdin":   {Script: "cat >/dev/null", Stdin: []byte("some input")},
		"session": {Argv: []string{"/bin/true"}, Input: eofReader{}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Exec(b.Context(), cmd); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
