package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// editCase is one step of editing a file with a content; what it becomes is as Ansible's module leaves it.
type editCase struct {
	what         string
	before, want string
	args         []any
	msg          string
	unstable     bool // a second run changes it again
}

var lineinfileCases = []editCase{
	{"appended", "a\nb", "a\nb\nc\n", []any{"line", "c"}, "line added", false},
	{"there", "a\nc\nb\n", "a\nc\nb\n", []any{"line", "c"}, "", false},
	{"last match", "x=1\nx=2\n", "x=1\nx=3\n", []any{"line", "x=3", "regexp", "^x="}, "line replaced", false},
	{"first match", "x=1\nx=2\n", "x=3\nx=2\n", []any{"line", "x=3", "regexp", "^x=", "firstmatch", true}, "line replaced", false},
	{"after", "a\n[s]\nb\n", "a\n[s]\nc\nb\n", []any{"line", "c", "insertafter", `^\[s\]`}, "line added", false},
	{"after the last line", "a\n[s]", "a\n[s]\nc\n", []any{"line", "c", "insertafter", `^\[s\]`}, "line added", false},
	{"after nothing", "a\n", "a\nc\n", []any{"line", "c", "insertafter", `^z`}, "line added", false},
	{"before", "a\nb\na\n", "a\nb\nc\na\n", []any{"line", "c", "insertbefore", "^a"}, "line added", false},
	{"before the first", "a\nb\na\n", "c\na\nb\na\n", []any{"line", "c", "insertbefore", "^a", "firstmatch", true}, "line added", false},
	{"at the beginning", "a\n", "c\na\n", []any{"line", "c", "insertbefore", "BOF"}, "line added", false},
	{"backrefs", "port = 22 # x\n", "port = 23 # x\n", []any{"line", `\g<k>23\2`, "regexp", `^(?P<k>port\s*=\s*)\d+(.*)$`, "backrefs", true}, "line replaced", false},
	{"backrefs without a match", "a\n", "a\n", []any{"line", `\1`, "regexp", "^(b)", "backrefs", true}, "", false},
	{"search string", "a [x] b\n", "y\n", []any{"line", "y", "search_string", "[x]"}, "line replaced", true},
	{"bytes", "\xff\xe9=1\r\n", "é=2\n", []any{"line", "é=2", "regexp", `^..=\d`}, "line replaced", false},
	{"carriage return", "a\r\nb\r\n", "a\nb\r\n", []any{"line", "a"}, "line replaced", false},
	{"empty", "", "c\n", []any{"line", "c"}, "line added", false},
	{"several lines", "a\n", "x\ny\n", []any{"line", "x\ny\n", "regexp", "^a$"}, "line replaced", true},
	{"removed", "a\nb\na\n", "b\n", []any{"regexp", "^a", "state", "absent"}, "2 line(s) removed", false},
	{"removed line", "a\nab\r\na", "ab\r\n", []any{"line", "a", "state", "absent"}, "2 line(s) removed", false},
	{"none to remove", "b\n", "b\n", []any{"search_string", "a", "state", "absent"}, "", false},
}

// testEdits runs cases of one module, the first few of them on every shell.
func testEdits(t *testing.T, m *modules.Module, cases []editCase) {
	t.Helper()
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		file := filepath.Join(dir, "it's a $file")
		for i, one := range cases {
			if i == 3 && c.shell[0] != "dash" {
				break // the editing is done here: shells only read and write
			}
			write(t, file, one.before, 0o640)
			args := append([]any{"path", file}, one.args...)
			opts := modules.HostOptions{Diff: true}
			var r modules.Result
			if one.unstable {
				r = run(t, c, opts, m, args...)
			} else {
				r = checkThenRun(t, one.what, c, opts, dir, m, args...)
			}
			changed := one.before != one.want
			want(t, one.what, r, "changed", changed, "failed", nil, "msg", one.msg)
			if trips := 1 + map[bool]int{true: 1}[changed]; c.trips != trips {
				t.Errorf("%s: %d round trips, want %d", one.what, c.trips, trips)
			}
			if changed && (len(r.Diff) != 1 || r.Diff[0].After != modules.Clean([]byte(one.want))) {
				t.Errorf("%s: diff %+v", one.what, r.Diff)
			}
			got, err := os.ReadFile(file)
			info, err2 := os.Stat(file)
			if errors.Join(err, err2) != nil || string(got) != one.want || info.Mode().Perm() != 0o640 {
				t.Errorf("%s: %q with mode %v, %v, want %q", one.what, got, info.Mode(), err, one.want)
			}
		}
	})
}

func TestLineinfile(t *testing.T) { testEdits(t, Lineinfile, lineinfileCases) }

// What every module that edits does with the file around the text.
func TestEditedFile(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		opts := modules.HostOptions{Diff: true}
		r := checkThenRun(t, "made", c, opts, dir, Lineinfile, "path", dir+"/new/er/f", "line", "a", "create", true, "mode", "0600")
		want(t, "made", r, "changed", true, "msg", "line added and ownership, perms or SE linux context changed", "backup", "")
		if info, err := os.Stat(dir + "/new/er/f"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("made: %v %v", info, err)
		}
		r = checkThenRun(t, "mode alone", c, opts, dir, Lineinfile, "path", dir+"/new/er/f", "line", "a", "mode", "u=rw,g=r")
		want(t, "mode alone", r, "changed", true, "msg", "ownership, perms or SE linux context changed")
		if err := os.Symlink("er/f", dir+"/new/link"); err != nil {
			t.Fatal(err)
		}
		r = checkThenRun(t, "through a link", c, opts, dir, Lineinfile, "path", dir+"/new/link", "line", "b", "backup", true, "validate", "grep -q b %s")
		want(t, "through a link", r, "changed", true)
		backup := r.Data.Str("backup")
		old, err := os.ReadFile(backup)
		link, err2 := os.Readlink(dir + "/new/link")
		if errors.Join(err, err2) != nil || string(old) != "a\n" || link != "er/f" {
			t.Errorf("through a link: backup %q has %q, the link leads to %q: %v", backup, old, link, err)
		}
		big := strings.Repeat("0123456789abcdef\n", 20000)
		write(t, dir+"/big", big, 0o600)
		r = checkThenRun(t, "large", c, opts, dir, Lineinfile, "path", dir+"/big", "line", "x")
		want(t, "large", r, "changed", true)
		if got, err := os.ReadFile(dir + "/big"); err != nil || string(got) != big+"x\n" {
			t.Errorf("large: %d bytes, %v", len(got), err)
		}
		r = run(t, c, opts, Lineinfile, "path", dir+"/none", "state", "absent", "line", "x", "mode", "0600")
		want(t, "absent", r, "changed", false, "msg", "file not present")
	})
}

// A file that somebody changes between look and change is looked at anew, whatever is in it; one that nobody changes is not.
func TestEditIsNoLostUpdate(t *testing.T) {
	large := strings.Repeat("0123456789abcde\n", 1000)
	for what, c := range map[string]struct{ before, meanwhile, want string }{
		"longer":             {"a\n", "a\nb\n", "a\nb\nc\n"},
		"other":              {"a\n", "b\n", "b\nc\n"},
		"empty lines":        {"a\n", "a\n\n", "a\n\nc\n"},
		"a zero byte":        {"a\x00\n", "b\x00\n", "b\x00\nc\n"},
		"large":              {large + "a\n", large + "b\n", large + "b\nc\n"},
		"as it was":          {"a\xff\x81\n\n", "", "a\xff\x81\n\nc\n"},
		"large as it was":    {large, "", large + "c\n"},
		"zero, as it was":    {"\x00\n", "", "\x00\nc\n"},
		"an end, as it was":  {"a", "", "a\nc\n"},
		"nothing, as it was": {"", "", "c\n"},
	} {
		t.Run(what, func(t *testing.T) {
			onShells(t, func(t *testing.T, conn *shConn) {
				file := t.TempDir() + "/f"
				write(t, file, c.before, 0o644)
				trips := 2
				if c.meanwhile != "" {
					trips = 4
					conn.after = func() { write(t, file, c.meanwhile, 0o644) }
				}
				r := run(t, conn, modules.HostOptions{}, Lineinfile, "path", file, "line", "c")
				want(t, "edited", r, "changed", true)
				if got, err := os.ReadFile(file); err != nil || string(got) != c.want {
					t.Errorf("%q, %v, want %q", got, err, c.want)
				}
				if conn.trips != trips {
					t.Errorf("%d round trips, want %d", conn.trips, trips)
				}
			})
		})
	}
}

// Many that edit one file at once, as items of a parallel loop may, each get their line in.
func TestEditsAtOnce(t *testing.T) {
	file := t.TempDir() + "/f"
	write(t, file, "", 0o644)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			h := modules.NewHost(modules.HostOptions{Conn: &shConn{shell: []string{"sh"}}})
			r, err := Lineinfile.Run(t.Context(), h, value.NewDict("path", file, "line", fmt.Sprint("line ", i)))
			if err != nil || r.Failed || !r.Changed {
				t.Errorf("line %d: changed %v, %s, %v", i, r.Changed, r.Msg, err)
			}
		})
	}
	all.Wait()
	got, err := os.ReadFile(file)
	if lines := strings.Count(string(got), "\n"); err != nil || lines != 12 {
		t.Errorf("%d lines, %v:\n%s", lines, err, got)
	}
}

type refusal struct {
	what string
	args []any
	msg  string // $D is the folder
}

// testRefusals runs a module with bad input: it must fail with the message and change nothing. The folder has a file f, a folder
// d and a folder ro on a file system that may only be read.
func testRefusals(t *testing.T, m *modules.Module, cases []refusal) {
	t.Helper()
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		write(t, dir+"/f", "a\n", 0o644)
		if err := os.Mkdir(dir+"/d", 0o755); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, dir)
		for _, one := range cases {
			var args []any
			for _, a := range one.args {
				if text, ok := a.(string); ok {
					a = strings.ReplaceAll(text, "$D", dir)
				}
				args = append(args, a)
			}
			r := run(t, c, modules.HostOptions{Local: folderLocal{dir}}, m, args...)
			msg := strings.ReplaceAll(one.msg, "$D", dir)
			if !r.Failed || r.Changed || !strings.Contains(r.Msg, msg) {
				t.Errorf("%s: failed %v, %q, want %q", one.what, r.Failed, r.Msg, msg)
			}
		}
		if after := snapshot(t, dir); after != before {
			t.Errorf("something was changed:\n%s\nwas\n%s", after, before)
		}
	})
}

func TestLineinfileRefuses(t *testing.T) {
	testRefusals(t, Lineinfile, []refusal{
		{"no line", []any{"path", "$D/f"}, "line is required with state=present"},
		{"nothing to remove", []any{"path", "$D/f", "state", "absent"}, "one of line, search_string, or regexp is required with state=absent"},
		{"both", []any{"path", "$D/f", "line", "x", "insertafter", "a", "insertbefore", "a"}, "mutually exclusive"},
		{"two ways to find", []any{"path", "$D/f", "line", "x", "regexp", "a", "search_string", "a"}, "mutually exclusive"},
		{"backrefs and search_string", []any{"path", "$D/f", "line", "x", "backrefs", true, "search_string", "a"}, "mutually exclusive"},
		{"backrefs without regexp", []any{"path", "$D/f", "line", "x", "backrefs", true}, "regexp is required with backrefs=true"},
		{"invalid regexp", []any{"path", "$D/f", "line", "x", "regexp", "(a"}, `argument "regexp" is no regular expression: missing closing ): (a`},
		{"invalid insertafter", []any{"path", "$D/f", "line", "x", "insertafter", "*"}, `argument "insertafter" is no regular expression`},
		{"no such group", []any{"path", "$D/f", "line", `\2`, "regexp", "(a)", "backrefs", true}, `line: invalid group reference 2: \2`},
		{"missing", []any{"path", "$D/no", "line", "x"}, "Destination $D/no does not exist !"},
		{"missing folder", []any{"path", "$D/no/no", "line", "x"}, "Destination $D/no/no does not exist !"},
		{"parent is a file", []any{"path", "$D/f/no", "line", "x", "create", true}, "$D/f is not a directory"},
		{"folder", []any{"path", "$D/d", "line", "x"}, "Path $D/d is a directory !"},
		{"device", []any{"path", "/dev/null", "line", "x"}, "/dev/null is no regular file"},
		{"read-only", []any{"path", "/proc/version", "line", "x"}, "write /proc/version"},
		{"refused by validate", []any{"path", "$D/f", "line", "x", "validate", "false %s"}, "failed to validate"},
		{"validate without file", []any{"path", "$D/f", "line", "x", "validate", "true"}, "validate must contain %s"},
		{"owner", []any{"path", "$D/f", "line", "x", "owner", "nobodyknows"}, "failed to look up user nobodyknows"},
		{"wrong type", []any{"path", "$D/f", "line", value.NewList(), "create", "maybe"}, `argument "create" must be a truth value`},
		{"mode", []any{"path", "$D/f", "line", "x", "mode", "9999"}, "must be permissions"},
	})
}
