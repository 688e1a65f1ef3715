package files

import (
	"os"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

func TestIniFile(t *testing.T) {
	const file = "x = 0\n[a]\n; note\nx = 1\n\n# end\n[b]\n#y=2\n"
	many := value.NewList()
	many.Append("1")
	many.Append("2")
	testEdits(t, IniFile, []editCase{
		{"there", file, file, []any{"section", "a", "option", "x", "value", "1"}, "OK", false},
		{"another value", file, "x = 0\n[a]\n; note\nx=2\n\n# end\n[b]\n#y=2\n", []any{"section", "a", "option", "x", "value", 2, "no_extra_spaces", true}, "option changed", false},
		{"commented out", file, "x = 0\n[a]\n; note\nx = 1\n\n# end\n[b]\ny = 3\n", []any{"section", "b", "option", "y", "value", "3"}, "option changed", false},
		{"another option", file, "x = 0\n[a]\n; note\nx = 1\nz = a b\n\n# end\n[b]\n#y=2\n", []any{"section", "a", "option", "z", "value", "a b"}, "option added", false},
		{"before any section", file, "x = 0\nz = 1\n[a]\n; note\nx = 1\n\n# end\n[b]\n#y=2\n", []any{"option", "z", "value", "1"}, "option added", false},
		{"at the very beginning", "[a]\n", "z = 1\n[a]\n", []any{"option", "z", "value", "1"}, "option added", false},
		{"another section", "[a]\nx = 1", "[a]\nx = 1\n[c]\nx = 1\n", []any{"section", "c", "option", "x", "value", "1"}, "section and option added", false},
		{"section alone", "[a]\n", "[a]\n[c]\n", []any{"section", "c", "allow_no_value", true}, "only section added", false},
		{"no value", "[a]\n#q=1\n", "[a]\nq\n", []any{"section", "a", "option", "q", "allow_no_value", true}, "option changed", false},
		{"no value, new", "[a]\n", "[a]\nq\n", []any{"section", "a", "option", "q", "allow_no_value", true}, "option added", false},
		{"several values", "[a]\nx = 1\nx = 3\n#x = 4\n", "[a]\nx = 1\nx = 2\n", []any{"section", "a", "option", "x", "values", many}, "option changed", false},
		{"more values", "[a]\nx = 3\n", "[a]\nx = 3\nx = 1\nx = 2\n", []any{"section", "a", "option", "x", "values", many, "exclusive", false}, "option added", false},
		{"some values removed", "[a]\nx = 1\nx = 3\n", "[a]\nx = 3\n", []any{"section", "a", "option", "x", "values", many, "exclusive", false, "state", "absent"}, "option changed", false},
		{"option removed", file, "x = 0\n[a]\n; note\n\n# end\n[b]\n#y=2\n", []any{"section", "a", "option", "x", "state", "absent"}, "option changed", false},
		{"none to remove", file, file, []any{"section", "b", "option", "y", "state", "absent"}, "OK", false},
		{"section removed", file, "x = 0\n[b]\n#y=2\n", []any{"section", "a", "state", "absent"}, "section removed", false},
		{"carriage returns", "\ufeff[a]\r\nx = 1\r\n", "[a]\nx = 2\n", []any{"section", "a", "option", "x", "value", "2"}, "option changed", false},
		{"odd option", "[a]\na.b+ = 1\naxb+=2\n", "[a]\na.b+ = 3\naxb+=2\n", []any{"section", "a", "option", "a.b+", "value", "3"}, "option changed", false},
		{"no newline", "[a]\nx = 1", "[a]\nx = 1\n", []any{"section", "a", "option", "x", "value", "1"}, "OK", false},
	})
}

func TestIniFileMadeAndLinked(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		opts := modules.HostOptions{Diff: true}
		args := []any{"path", dir + "/a/f", "section", "s", "option", "x", "value", "1", "mode", "0600"}
		want(t, "made", checkThenRun(t, "made", c, opts, dir, IniFile, args...), "changed", true, "msg", "section and option added", "path", dir+"/a/f")
		if got, err := os.ReadFile(dir + "/a/f"); err != nil || string(got) != "\n[s]\nx = 1\n" {
			t.Errorf("made: %q, %v", got, err)
		}
		if err := os.Symlink("a/f", dir+"/link"); err != nil {
			t.Fatal(err)
		}
		args = []any{"path", dir + "/link", "section", "s", "option", "x", "value", "2"}
		want(t, "followed", checkThenRun(t, "followed", c, opts, dir, IniFile, append(args, "follow", true)...), "changed", true)
		args[len(args)-1] = "3"
		want(t, "replaced", checkThenRun(t, "replaced", c, opts, dir, IniFile, args...), "changed", true)
		old, _ := os.ReadFile(dir + "/a/f")
		now, _ := os.ReadFile(dir + "/link")
		info, err := os.Lstat(dir + "/link")
		if string(old) != "\n[s]\nx = 2\n" || string(now) != "\n[s]\nx = 3\n" || err != nil || info.Mode() != 0o600 {
			t.Errorf("link: %q, %q, %v %v", old, now, info.Mode(), err)
		}
		r := run(t, c, opts, IniFile, "path", dir+"/none", "section", "s", "state", "absent")
		want(t, "absent", r, "changed", false, "failed", nil, "msg", "OK")
	})
}

func TestIniFileRefuses(t *testing.T) {
	testRefusals(t, IniFile, []refusal{
		{"no value", []any{"path", "$D/f", "section", "a", "option", "x"}, "parameter 'value(s)' must be defined"},
		{"no option", []any{"path", "$D/f", "section", "a", "value", "x"}, "a value needs an option"},
		{"two kinds of values", []any{"path", "$D/f", "option", "x", "value", "1", "values", "1,2"}, "mutually exclusive"},
		{"missing", []any{"path", "$D/no", "option", "x", "value", "1", "create", false}, "Destination $D/no does not exist!"},
		{"parent is a file", []any{"path", "$D/f/no", "option", "x", "value", "1"}, "$D/f is not a directory"},
		{"folder", []any{"path", "$D/d", "option", "x", "value", "1"}, "Path $D/d is a directory !"},
		{"read-only", []any{"path", "/proc/version", "option", "x", "value", "1"}, "write /proc/version"},
		{"wrong type", []any{"path", "$D/f", "option", "x", "value", "1", "exclusive", "perhaps"}, `argument "exclusive" must be a truth value`},
	})
}
