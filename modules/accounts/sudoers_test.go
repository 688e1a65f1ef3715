package accounts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

func TestSudoers(t *testing.T) { moduletest.Run(t, Sudoers, "testdata/sudoers/*.txtar") }

// TestSudoersMistakes has what is refused, by ourselves and by the real visudo: nothing is written.
func TestSudoersMistakes(t *testing.T) {
	transporttest.Installed(t, "visudo")
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "here", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []any
	}{
		{`name cannot be a file's name in sudoers_path: "../x"`, []any{"name", "../x", "user", "a", "commands", "ALL"}},
		{"state is present but all of the following are missing: commands", []any{"name", "x", "user", "a"}},
		{"state is present but all of the following are missing: user, group", []any{"name", "x", "commands", "ALL"}},
		{"a rule is one line: no argument may have a line break", []any{"name", "x", "user", "a", "commands", "ALL\nb ALL=ALL"}},
		{"arguments are mutually exclusive: user, group", []any{"name", "x", "user", "a", "group", "b", "commands", "ALL"}},
		{"Failed to validate sudoers rule:\nstdin:1:8: syntax error", []any{"name", "x", "user", "a", "runas", "((", "commands", "ALL"}},
		{dir + "/taken is a directory", []any{"name", "taken", "user", "a", "commands", "ALL"}},
		{"sudoers_path: " + dir + "/none is no directory", []any{"name", "x", "user", "a", "commands", "ALL", "sudoers_path", dir + "/none"}},
	} {
		args := value.NewDict("sudoers_path", dir)
		for i := 0; i < len(c.args); i += 2 {
			args.Set(c.args[i], c.args[i+1])
		}
		r, err := Sudoers.Run(t.Context(), modules.NewHost(modules.HostOptions{Conn: conn}), args)
		if err != nil || !r.Failed || r.Changed || !strings.HasPrefix(r.Msg, c.want) {
			t.Errorf("%v: failed %v, changed %v, %v, message\n%q, want\n%q", c.args, r.Failed, r.Changed, err, r.Msg, c.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("files: %v, %v", left, err)
	}
}
