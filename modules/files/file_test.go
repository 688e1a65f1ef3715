package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules"
)

// fileCase is one step on a folder; $D in arguments is the folder. Each step that changes is run in check mode first,
// which must tell the same and do nothing, and again after, which must change nothing unless always is set.
type fileCase struct {
	what    string
	args    []any
	changed bool
	always  bool
	msg     string // the error
	keys    []any
}

var fileCases = []fileCase{
	{what: "missing file", args: []any{"path", "$D/none", "state", "file"}, msg: "file ($D/none) is absent, cannot continue"},
	{
		what: "folders", args: []any{"path", "$D/a/b c/", "state", "directory", "mode", "0750"}, changed: true,
		keys: []any{"path", "$D/a/b c/", "state", "directory", "mode", "0750"},
	},
	{what: "symbolic mode", args: []any{"path", "$D/a", "mode", "g+w,o=rx"}, changed: true, keys: []any{"mode", "0775"}},
	{
		what: "touch", args: []any{"path", "$D/a/f", "state", "touch", "mode", "u=rw,go="}, changed: true, always: true,
		keys: []any{"dest", "$D/a/f", "mode", "0600", "size", 0, "state", "file"},
	},
	{
		what: "preserve", args: []any{"path", "$D/a/f", "state", "touch", "access_time", "preserve", "modification_time", "preserve"},
		keys: []any{"mode", "0600"},
	},
	{
		what: "time", args: []any{"path", "$D/a/f", "state", "file", "modification_time", "2001-02-03", "modification_time_format", "%Y-%m-%d"},
		changed: true,
	},
	{
		what: "link", args: []any{"path", "$D/l", "src", "a/f", "state", "link"}, changed: true,
		keys: []any{"dest", "$D/l", "src", "a/f", "state", "link"},
	},
	{what: "other link", args: []any{"path", "$D/l", "src", "$D/a", "state", "link"}, changed: true, keys: []any{"src", "$D/a"}},
	{
		what: "link to nothing", args: []any{"path", "$D/m", "src", "none", "state", "link"},
		msg: `src file does not exist, use "force=yes" if you really want to create the link: $D/none`,
	},
	{what: "forced", args: []any{"path", "$D/m", "src", "none", "state", "link", "force", true}, changed: true},
	{
		what: "link over a file", args: []any{"path", "$D/a/f", "src", "x", "state", "link"},
		msg: `src file does not exist, use "force=yes" if you really want to create the link: $D/a/x`,
	},
	{what: "follow", args: []any{"path", "$D/l", "state", "directory", "mode", "0711"}, changed: true, keys: []any{"path", "$D/a", "mode", "0711"}},
	{what: "hard link", args: []any{"path", "$D/h", "src", "$D/a/f", "state", "hard"}, changed: true, keys: []any{"state", "hard"}},
	{what: "hard link to nothing", args: []any{"path", "$D/h2", "src", "$D/none", "state", "hard"}, msg: "src does not exist: $D/none"},
	{what: "folder over a file", args: []any{"path", "$D/a/f", "state", "directory"}, msg: "$D/a/f already exists as a hard"},
	{
		what: "folder below a file", args: []any{"path", "$D/a/f/x", "state", "directory"},
		msg: "there was an issue creating $D/a/f/x as requested: $D/a/f is not a directory",
	},
	{what: "recurse", args: []any{"path", "$D/a", "state", "directory", "recurse", true, "mode", "u=rwX,go=rX"}, changed: true, keys: []any{"mode", "0755"}},
	{what: "unknown owner", args: []any{"path", "$D/a", "owner", "nobodyknows"}, msg: "chown failed: failed to look up user nobodyknows"},
	{what: "src without link", args: []any{"path", "$D/q", "src", "x", "state", "file"}, msg: "src option requires state to be 'link' or 'hard'"},
	{what: "bad mode", args: []any{"path", "$D/a", "mode", "u=q"}, msg: `must be permissions`},
	{what: "remove link", args: []any{"path", "$D/l", "state", "absent"}, changed: true, keys: []any{"state", "absent", "path", "$D/l"}},
	{what: "remove folder", args: []any{"path", "$D/a", "state", "absent"}, changed: true, keys: []any{"state", "absent"}},
}

func TestFile(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		for _, step := range fileCases {
			step.run(t, c, dir)
		}
	})
}

func (f fileCase) run(t *testing.T, c *shConn, dir string) {
	t.Helper()
	args, keys := inDir(f.args, dir), inDir(f.keys, dir)
	msg := strings.ReplaceAll(f.msg, "$D", dir)
	before := snapshot(t, dir)
	r := run(t, c, modules.HostOptions{Check: true}, File, args...)
	if r.Changed != f.changed || r.Failed != (msg != "") {
		t.Errorf("%s, check mode: changed %v, failed %v, msg %q; want changed %v", f.what, r.Changed, r.Failed, r.Msg, f.changed)
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("%s: check mode changed the host:\n%s\n%s", f.what, before, after)
	}
	r = run(t, c, modules.HostOptions{}, File, args...)
	if r.Changed != f.changed || r.Failed != (msg != "") || !strings.Contains(r.Msg, msg) {
		t.Errorf("%s: changed %v, failed %v, msg %q; want changed %v, msg %q", f.what, r.Changed, r.Failed, r.Msg, f.changed, msg)
	}
	if c.trips > 2 {
		t.Errorf("%s: %d round trips", f.what, c.trips)
	}
	want(t, f.what, r, keys...)
	if again := run(t, c, modules.HostOptions{}, File, args...); again.Changed != f.always && msg == "" {
		t.Errorf("%s: changed %v on the second run: %s", f.what, again.Changed, again.Msg)
	}
}

func inDir(args []any, dir string) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if s, ok := a.(string); ok {
			a = strings.ReplaceAll(s, "$D", dir)
		}
		out[i] = a
	}
	return out
}

// snapshot lists what is below a folder with modes, links and content.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		b.WriteString(i.Mode().String() + " " + rel)
		switch {
		case i.Mode()&os.ModeSymlink != 0:
			target, _ := os.Readlink(p)
			b.WriteString(" -> " + target)
		case i.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			b.WriteString(" " + string(data))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFileDiff(t *testing.T) {
	dir := t.TempDir()
	c := &shConn{shell: []string{"sh"}}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r := run(t, c, modules.HostOptions{Diff: true, Check: true}, File, "path", dir, "mode", "0755")
	if len(r.Diff) != 1 {
		t.Fatalf("%d diffs", len(r.Diff))
	}
	before := "{\n    \"mode\": \"0700\",\n    \"path\": \"" + dir + "\"\n}\n"
	if r.Diff[0].Before != before || r.Diff[0].After != strings.Replace(before, "0700", "0755", 1) {
		t.Errorf("diff %q\n%q", r.Diff[0].Before, r.Diff[0].After)
	}
}

// Whose a folder will be is not known in check mode, and not said to be root's.
func TestFileToBeMade(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		for _, state := range []string{"directory", "touch"} {
			r := run(t, c, modules.HostOptions{Check: true}, File, "path", dir+"/new", "state", state, "mode", "0700", "group", "0")
			want(t, state, r, "changed", true, "mode", "0700", "owner", nil, "uid", nil, "gid", nil, "size", nil, "group", "0")
		}
	})
}
