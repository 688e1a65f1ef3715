package system

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestHostname(t *testing.T) { moduletest.Run(t, Hostname, "testdata/hostname/*.txtar") }

func TestHostnameHosts(t *testing.T) {
	const local = "127.0.0.1 localhost\n"
	for _, c := range []struct{ name, old, text, want string }{
		{"hv1.lab", "box", local, local + "127.0.1.1\thv1.lab hv1\n"},
		{"hv1.lab", "box.lab", local + "10.0.0.1 box.lab box store # me\n", local + "10.0.0.1\thv1.lab hv1 store # me\n"},
		{"hv1", "box", local + "10.0.0.1 hv1.lab hv1\n127.0.1.1 box\n", local + "10.0.0.1 hv1.lab hv1\n127.0.1.1 box\n"},
		{"hv1", "localhost", local, local + "127.0.1.1\thv1\n"},
		{"hv1", "box", "", "127.0.1.1\thv1\n"},
	} {
		a := HostnameArgs{Name: c.name}
		n := hostNames{permanent: c.old, current: c.old, files: map[string]string{hostsPath: c.text}}
		if got := a.hosts(n); got != c.want {
			t.Errorf("%s, formerly %s: %q, want %q", c.name, c.old, got, c.want)
		}
	}
}

func TestHostnameMistakes(t *testing.T) {
	long := strings.Repeat("a", 65)
	const hint = " (letters, digits and, between them, - and dots)"
	refused(t, Hostname, nil, []mistake{
		{`name cannot be a host's name: "hv_1"` + hint, []any{"name", "hv_1"}},
		{`name cannot be a host's name: "-hv"` + hint, []any{"name", "-hv"}},
		{`name cannot be a host's name: ""` + hint, []any{"name", ""}},
		{`name cannot be a host's name: "hv..lab"` + hint, []any{"name", "hv..lab"}},
		{"name cannot be longer than 64 characters, try a shorter name: it has 65", []any{"name", long}},
		{`name cannot be a host's name: "` + long[:64] + `"` + hint, []any{"name", long[:64]}},
		{"use: freebsd is not supported: there are systemd, debian, redhat, sles, alpine and openrc", []any{"name", "hv1", "use", "freebsd"}},
		{`pretty must be one line without quotes, $ and \`, []any{"name", "hv1", "pretty", `a "b"`}},
	})
}
