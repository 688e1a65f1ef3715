package files

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// folderLocal is a controller whose files lie in one folder; a template renders to itself with a greeting.
type folderLocal struct{ dir string }

func (l folderLocal) Find(kind, name string) (string, error) {
	p := name
	if !filepath.IsAbs(p) {
		p = filepath.Join(l.dir, kind, name)
	}
	if _, err := os.Stat(p); err != nil {
		return "", fmt.Errorf("could not find or access %q", name)
	}
	return p, nil
}

func (folderLocal) Open(p string) (io.ReadCloser, error)    { return os.Open(p) }
func (folderLocal) Stat(p string) (fs.FileInfo, error)      { return os.Stat(p) }
func (folderLocal) ReadDir(p string) ([]fs.DirEntry, error) { return os.ReadDir(p) }
func (folderLocal) Dest(name string) string                 { return name }

func (folderLocal) OpenAsIs(p string) (io.ReadCloser, error) { return os.Open(p) }

func (folderLocal) Create(p string, m fs.FileMode, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return os.WriteFile(p, data, m)
}

func (folderLocal) Render(_ context.Context, p string, o modules.RenderOptions) ([]byte, error) {
	data, err := os.ReadFile(p)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "trim=%v lstrip=%v %s%s %q\n%s", o.TrimBlocks, o.LstripBlocks, o.BlockStart, o.VariableEnd, o.NewlineSequence, data), nil
}

func write(t *testing.T, file, data string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

// checkThenRun runs a module in check mode, for real, and again: check mode must tell the same and do nothing, the
// second run must change nothing.
func checkThenRun(t *testing.T, what string, c *shConn, opts modules.HostOptions, host string, m *modules.Module, args ...any) modules.Result {
	t.Helper()
	before := snapshot(t, host)
	opts.Check = true
	planned := run(t, c, opts, m, args...)
	if after := snapshot(t, host); after != before {
		t.Errorf("%s: check mode changed the host:\n%s", what, after)
	}
	opts.Check = false
	r := run(t, c, opts, m, args...)
	trips := c.trips
	if planned.Changed != r.Changed || planned.Failed {
		t.Errorf("%s: check mode tells changed %v (%s), the run %v (%s)", what, planned.Changed, planned.Msg, r.Changed, r.Msg)
	}
	if diff := cmp.Diff(announced(planned), announced(r)); diff != "" {
		t.Errorf("%s: what check mode announces is not what is done (-check +run):\n%s", what, diff)
	}
	if diff := cmp.Diff(planned.Diff, r.Diff); diff != "" {
		t.Errorf("%s: check mode's diff is another (-check +run):\n%s", what, diff)
	}
	if again := run(t, c, opts, m, args...); again.Changed || again.Failed {
		t.Errorf("%s: the second run: changed %v, %s", what, again.Changed, again.Msg)
	}
	if strings.Contains(snapshot(t, host), ".hostler.") {
		t.Errorf("%s left a temporary file:\n%s", what, snapshot(t, host))
	}
	c.trips = trips
	return r
}

// announced are the lines that tell of a result's actions.
func announced(r modules.Result) []string {
	list, _ := get(r, "hostler.actions").(*value.List)
	if list == nil {
		return nil
	}
	var lines []string
	for _, one := range list.Items {
		lines = append(lines, one.(*value.Dict).Str("why"))
	}
	return lines
}

func TestCopyFile(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		host := filepath.Join(dir, "host")
		write(t, host+"/old", "old\n", 0o640)
		write(t, dir+"/files/f", "hello\n", 0o751)
		big := strings.Repeat("0123456789abcdef", 8192)
		write(t, dir+"/files/big", big, 0o644)
		opts := modules.HostOptions{Local: folderLocal{dir}, Diff: true}

		r := checkThenRun(t, "new", c, opts, host, Copy, "src", "f", "dest", host+"/new", "mode", "0600")
		want(t, "new", r, "changed", true, "dest", host+"/new", "mode", "0600", "state", "file", "size", 6,
			"checksum", "f572d396fae9206628714fb2ce00f72e94f2258f", "md5sum", "b1946ac92492d2347c6235b4d2611184", "failed", nil)
		if c.trips != 2 {
			t.Errorf("new: %d round trips, want 2", c.trips)
		}
		if len(r.Diff) == 0 || r.Diff[0].After != "hello\n" || r.Diff[0].Before != "" {
			t.Errorf("diff %+v", r.Diff)
		}
		r = checkThenRun(t, "into the folder", c, opts, host, Copy, "src", "f", "dest", host, "mode", "preserve")
		want(t, "into the folder", r, "changed", true, "dest", host+"/f", "mode", "0751")
		r = checkThenRun(t, "mode kept", c, opts, host, Copy, "content", "x", "dest", host+"/old", "backup", true)
		want(t, "mode kept", r, "changed", true, "mode", "0640")
		if backup, err := os.ReadFile(r.Data.Str("backup_file")); err != nil || string(backup) != "old\n" {
			t.Errorf("backup %q: %q, %v", r.Data.Str("backup_file"), backup, err)
		}
		r = checkThenRun(t, "mode only", c, opts, host, Copy, "content", "x", "dest", host+"/old", "mode", "u+x")
		want(t, "mode only", r, "changed", true, "mode", "0740")
		r = checkThenRun(t, "kept", c, opts, host, Copy, "content", "other", "dest", host+"/old", "force", false)
		want(t, "kept", r, "changed", false, "msg", "file already exists")
		r = checkThenRun(t, "new folder", c, opts, host, Copy, "src", "f", "dest", host+"/a/b/", "directory_mode", "0700")
		want(t, "new folder", r, "dest", host+"/a/b/f")
		r = checkThenRun(t, "big", c, opts, host, Copy, "src", "big", "dest", host+"/big", "mode", "0604")
		want(t, "big", r, "changed", true, "size", len(big), "mode", "0604")
		r = checkThenRun(t, "remote", c, opts, host, Copy, "src", host+"/big", "dest", host+"/big2", "remote_src", true)
		want(t, "remote", r, "changed", true, "size", len(big), "src", host+"/big")
		r = checkThenRun(t, "valid", c, opts, host, Copy, "content", "ok\n", "dest", host+"/v", "validate", "grep -q 'ok' %s")
		want(t, "valid", r, "changed", true)
	})
}

func TestCopyFileLink(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		host := t.TempDir()
		write(t, host+"/target", "x", 0o644)
		if err := os.Symlink("target", host+"/link"); err != nil {
			t.Fatal(err)
		}
		r := checkThenRun(t, "follow", c, modules.HostOptions{}, host, Copy, "content", "y", "dest", host+"/link", "follow", true)
		want(t, "follow", r, "changed", true, "dest", host+"/target")
		r = checkThenRun(t, "replace", c, modules.HostOptions{}, host, Copy, "content", "y", "dest", host+"/link")
		want(t, "replace", r, "changed", true, "state", "file")
	})
}

func TestCopyRefuses(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		host := filepath.Join(dir, "host")
		write(t, host+"/f", "old\n", 0o644)
		opts := modules.HostOptions{Local: folderLocal{dir}}
		for what, one := range map[string]struct {
			args []any
			msg  string
		}{
			"neither":       {[]any{"dest", host + "/x"}, "src (or content) is required"},
			"both":          {[]any{"dest", host + "/x", "src", "f", "content", "x"}, "mutually exclusive"},
			"no parent":     {[]any{"dest", host + "/no/x", "content", "x"}, "destination directory " + host + "/no does not exist"},
			"parent a file": {[]any{"dest", host + "/f/x", "content", "x"}, host + "/f is not a directory"},
			"folder":        {[]any{"dest", host, "content", "x"}, "can not use content with a dir as dest"},
			"no source":     {[]any{"dest", host + "/x", "src", "nothing"}, "could not find or access"},
			"no remote":     {[]any{"dest", host + "/x", "src", host + "/nothing", "remote_src", true}, "source " + host + "/nothing not found"},
			"invalid":       {[]any{"dest", host + "/f", "content", "x", "validate", "false %s"}, "failed to validate"},
			"no %s":         {[]any{"dest", host + "/f", "content", "x", "validate", "true"}, "validate must contain %s"},
			"owner":         {[]any{"dest", host + "/f", "content", "x", "owner", "nobodyknows"}, "failed to look up user nobodyknows"},
			"checksum":      {[]any{"dest", host + "/x", "src", host + "/f", "remote_src", true, "checksum", "00"}, "does not match the expected checksum"},
			"mode":          {[]any{"dest", host + "/f", "content", "x", "mode", "9999"}, "must be permissions"},
		} {
			r := run(t, c, opts, Copy, one.args...)
			if !r.Failed || !strings.Contains(r.Msg, one.msg) {
				t.Errorf("%s: failed %v, %q; want %q", what, r.Failed, r.Msg, one.msg)
			}
		}
		want(t, "touch in no folder", run(t, c, opts, File, "path", host+"/no/x", "state", "touch"), "failed", true)
		opts.Check = true
		for _, r := range []modules.Result{
			run(t, c, opts, File, "path", host+"/no/x", "state", "touch"), run(t, c, opts, Copy, "dest", host+"/no/x", "content", "x"),
		} {
			want(t, "a folder still to be made, in check mode", r, "failed", nil, "changed", true)
		}
		if got := snapshot(t, host); !strings.Contains(got, "f old\n") || strings.Count(got, "\n") != 3 {
			t.Errorf("refusals changed the host:\n%s", got)
		}
	})
}

func TestCopyFolder(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		host := filepath.Join(dir, "host")
		if err := os.Mkdir(host, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/files/tree/a b", "one\n", 0o600)
		write(t, dir+"/files/tree/sub/it's", "two\n", 0o755)
		write(t, dir+"/files/tree/sub/empty", "", 0o644)
		if err := os.MkdirAll(dir+"/files/tree/hollow", 0o755); err != nil {
			t.Fatal(err)
		}
		opts := modules.HostOptions{Local: folderLocal{dir}}
		r := checkThenRun(t, "content", c, opts, host, Copy, "src", "tree/", "dest", host+"/t", "mode", "preserve")
		want(t, "content", r, "changed", true, "dest", host+"/t/", "failed", nil)
		if c.trips > 3 {
			t.Errorf("%d round trips", c.trips)
		}
		wantTree := "drwxr-xr-x .\n-rw------- a b one\n\ndrwxr-xr-x hollow\ndrwxr-xr-x sub\n-rw-r--r-- sub/empty \n-rwxr-xr-x sub/it's two\n\n"
		if got := snapshot(t, host+"/t"); got != wantTree {
			t.Errorf("tree:\n%s\nwant\n%s", got, wantTree)
		}
		checkThenRun(t, "folder itself", c, opts, host, Copy, "src", "tree", "dest", host+"/u", "directory_mode", "0711")
		if _, err := os.Stat(host + "/u/tree/sub/empty"); err != nil {
			t.Error(err)
		}
		write(t, host+"/t/sub/it's", "changed\n", 0o755)
		r = checkThenRun(t, "mend", c, opts, host, Copy, "src", "tree/", "dest", host+"/t")
		want(t, "mend", r, "changed", true)
		r = checkThenRun(t, "within the host", c, opts, host, Copy, "src", host+"/t/", "dest", host+"/v", "remote_src", true)
		want(t, "within the host", r, "changed", true)
		if got := snapshot(t, host+"/v"); !strings.Contains(got, "sub/it's two") {
			t.Errorf("tree:\n%s", got)
		}
	})
}

// TestCopyFolderOfManyFiles: hundreds of files take a handful of round trips.
func TestCopyFolderOfManyFiles(t *testing.T) {
	c := &shConn{shell: []string{"sh"}}
	dir := t.TempDir()
	host := filepath.Join(dir, "host")
	if err := os.Mkdir(host, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		write(t, fmt.Sprintf("%s/files/tree/d%d/f%d", dir, i%7, i), fmt.Sprint(i), 0o644)
	}
	opts := modules.HostOptions{Local: folderLocal{dir}}
	r := checkThenRun(t, "many", c, opts, host, Copy, "src", "tree/", "dest", host+"/t")
	want(t, "many", r, "changed", true, "failed", nil)
	if c.trips > 5 {
		t.Errorf("%d round trips", c.trips)
	}
	if text, err := os.ReadFile(host + "/t/d5/f299"); err != nil || string(text) != "299" {
		t.Errorf("the last one: %q, %v", text, err)
	}
}

func TestTemplate(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		host := filepath.Join(dir, "host")
		if err := os.Mkdir(host, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/templates/x.j2", "hello\n", 0o604)
		opts := modules.HostOptions{Local: folderLocal{dir}}
		r := checkThenRun(t, "new", c, opts, host, Template, "src", "x.j2", "dest", host+"/x", "mode", "preserve", "newline_sequence", `\r\n`)
		want(t, "new", r, "changed", true, "mode", "0604", "dest", host+"/x")
		got, err := os.ReadFile(host + "/x")
		if err != nil {
			t.Fatal(err)
		}
		if text := "trim=true lstrip=false {%}} \"\\r\\n\"\nhello\n"; string(got) != text {
			t.Errorf("content %q, want %q", got, text)
		}
		want(t, "missing", run(t, c, opts, Template, "src", "none.j2", "dest", host+"/y"), "failed", true)
	})
}

func TestFetch(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		big := bytes.Repeat([]byte("\x00\xff\n"), 30000)
		write(t, dir+"/host/f", "hello\n", 0o600)
		write(t, dir+"/host/big", string(big), 0o600)
		opts := modules.HostOptions{Local: folderLocal{dir}}
		r := run(t, c, opts, Fetch, "src", dir+"/host/f", "dest", dir+"/got")
		want(t, "new", r, "changed", true, "dest", dir+"/got/host"+dir+"/host/f", "md5sum", "b1946ac92492d2347c6235b4d2611184",
			"checksum", "f572d396fae9206628714fb2ce00f72e94f2258f")
		want(t, "again", run(t, c, opts, Fetch, "src", dir+"/host/f", "dest", dir+"/got"), "changed", false)
		want(t, "flat", run(t, c, opts, Fetch, "src", dir+"/host/big", "dest", dir+"/flat/", "flat", true), "changed", true, "dest", dir+"/flat/big")
		if got, err := os.ReadFile(dir + "/flat/big"); err != nil || !bytes.Equal(got, big) {
			t.Errorf("big file differs: %d bytes, %v", len(got), err)
		}
		want(t, "missing", run(t, c, opts, Fetch, "src", dir+"/host/none", "dest", dir+"/got"), "failed", true)
		want(t, "missing allowed", run(t, c, opts, Fetch, "src", dir+"/host/none", "dest", dir+"/got", "fail_on_missing", false),
			"failed", nil, "changed", false, "msg", "the remote file does not exist, not transferring, ignored")
		want(t, "folder", run(t, c, opts, Fetch, "src", dir+"/host", "dest", dir+"/got"), "failed", true)
	})
}
