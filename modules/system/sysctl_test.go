package system

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestSysctl(t *testing.T) { moduletest.Run(t, Sysctl, "testdata/sysctl/*.txtar") }

func TestSysctlMistakes(t *testing.T) {
	for _, c := range []struct {
		want string
		args []any
	}{
		{"name cannot be blank", []any{"name", " ", "value", "1"}},
		{"value cannot be blank", []any{"name", "a.b", "value", ""}},
		{"all of the following are missing: value", []any{"name", "a.b"}},
		{"cannot be the name of a kernel setting", []any{"name", "-p", "value", "1"}},
		{"value must be one line", []any{"name", "a.b", "value", "1\nc=2"}},
	} {
		h := modules.NewHost(modules.HostOptions{Conn: noTunnel{}})
		r, err := Sysctl.Run(t.Context(), h, value.NewDict(c.args...))
		if err != nil || !r.Failed || !strings.Contains(r.Msg, c.want) {
			t.Errorf("%q: failed %v, %q, %v; want %q", c.args, r.Failed, r.Msg, err, c.want)
		}
	}
}
