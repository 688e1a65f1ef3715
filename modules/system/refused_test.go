package system

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// mistake is what is wrong in arguments, and the message that tells it.
type mistake struct {
	want string
	args []any // that differ from the right ones; nil takes one away
}

// refused runs a module of this machine on arguments that cannot be: it must fail with the message and change nothing.
func refused(t *testing.T, m *modules.Module, right []any, mistakes []mistake) {
	t.Helper()
	conn := openLocal(t)
	for _, c := range mistakes {
		args := value.NewDict(right...)
		for i := 0; i < len(c.args); i += 2 {
			if c.args[i+1] == nil {
				args.Delete(c.args[i])
				continue
			}
			args.Set(c.args[i], c.args[i+1])
		}
		r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{Conn: conn}), args)
		if err != nil || !r.Failed || r.Changed || r.Msg != c.want {
			t.Errorf("%v: failed %v, changed %v, %v, message\n%s\nwant\n%s", c.args, r.Failed, r.Changed, err, r.Msg, c.want)
		}
	}
}
