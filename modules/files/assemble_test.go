package files

import (
	"os"
	"testing"

	"github.com/hostlerhq/hostler/modules"
)

func TestAssemble(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		for _, at := range []string{dir + "/host/parts/", dir + "/files/parts/"} {
			write(t, at+"20-b c", "two\n\n", 0o644)
			write(t, at+"10-a", "one", 0o600)
			write(t, at+".hidden", "", 0o644)
			write(t, at+"below/x", "no", 0o644)
			if err := os.Symlink("20-b c", at+"30-link"); err != nil {
				t.Fatal(err)
			}
		}
		opts := modules.HostOptions{Diff: true, Local: folderLocal{dir}}
		dest := dir + "/host/made"
		for _, one := range []struct {
			what, want string
			args       []any
		}{
			{"plain", "one\ntwo\n\ntwo\n\n", []any{"ignore_hidden", true, "mode", "0640"}},
			{"delimiter", "\n# next\none\n# next\ntwo\n\n# next\ntwo\n\n", []any{"delimiter", `# next`}},
			{"escapes", "one\n\t#A\ntwo\n\n\t#A\ntwo\n\n", []any{"delimiter", `\t#\x41\n`, "ignore_hidden", true}},
			{"picked", "two\n\n", []any{"regexp", "^2", "backup", true}},
			{"none", "", []any{"regexp", "^x", "validate", "test -f %s"}},
		} {
			for _, src := range [][]any{{"src", dir + "/host/parts"}, {"src", "parts", "remote_src", false}} {
				write(t, dest, "old\n", 0o600)
				r := checkThenRun(t, one.what, c, opts, dir+"/host", Assemble, append(append([]any{"dest", dest}, src...), one.args...)...)
				want(t, one.what, r, "changed", true, "failed", nil, "msg", "OK", "dest", dest, "state", "file", "size", len(one.want))
				if got, err := os.ReadFile(dest); err != nil || string(got) != one.want {
					t.Errorf("%s: %q, %v, want %q", one.what, got, err, one.want)
				}
				if c.trips != 2 {
					t.Errorf("%s: %d round trips, want 2", one.what, c.trips)
				}
			}
		}
	})
}

func TestAssembleRefuses(t *testing.T) {
	testRefusals(t, Assemble, []refusal{
		{"missing", []any{"src", "$D/no", "dest", "$D/x"}, "source ($D/no) does not exist"},
		{"a file", []any{"src", "$D/f", "dest", "$D/x"}, "source ($D/f) is not a directory"},
		{"missing on the controller", []any{"src", "no", "dest", "$D/x", "remote_src", false}, "could not find or access"},
		{"a file of the controller", []any{"src", "$D/f", "dest", "$D/x", "remote_src", false}, "source ($D/f) is not a directory"},
		{"invalid regexp", []any{"src", "$D/d", "dest", "$D/x", "regexp", "["}, `argument "regexp" is no regular expression`},
		{"dest is a folder", []any{"src", "$D/d", "dest", "$D/d"}, "Path $D/d is a directory !"},
		{"missing folder", []any{"src", "$D/d", "dest", "$D/no/x"}, "destination directory $D/no does not exist"},
		{"read-only", []any{"src", "$D/d", "dest", "/proc/nothing"}, "write /proc/nothing"},
		{"refused by validate", []any{"src", "$D/d", "dest", "$D/x", "validate", "false %s"}, "failed to validate"},
		{"wrong type", []any{"src", "$D/d", "dest", "$D/x", "ignore_hidden", "perhaps"}, `argument "ignore_hidden" must be a truth value`},
	})
}
