package files

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

// A folder's user can choose names so that a listing by lines tells of files elsewhere.
func TestRecurseNamesWithNewlines(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		victim := dir + "/victim"
		write(t, victim, "mine\n", 0o600)
		write(t, dir+"/d/x\n81a4 0 0 "+victim, "", 0o644)
		write(t, dir+"/d/two\nlines", "", 0o644)
		want(t, "recurse", run(t, c, modules.HostOptions{}, File, "path", dir+"/d", "state", "directory", "recurse", true, "mode", "0777"),
			"changed", true, "failed", nil)
		if got := snapshot(t, victim); !strings.Contains(got, "-rw-------") {
			t.Errorf("a file elsewhere was changed: %s", got)
		}
		if info, err := os.Stat(dir + "/d/two\nlines"); err != nil || info.Mode().Perm() != 0o777 {
			t.Errorf("a name with a newline: %v %v", info, err)
		}
	})
}

// The shell's tests say of what cannot be looked at that it is not there, as of a mount point whose server is gone.
func TestNotThereIsNotCannotBeLookedAt(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		path := t.TempDir() + "/" + strings.Repeat("n", 300)
		for _, task := range [][]any{{Stat, "path", path}, {File, "path", path, "state", "absent"}} {
			r := run(t, c, modules.HostOptions{}, task[0].(*modules.Module), task[1:]...)
			if !r.Failed || !strings.HasSuffix(strings.ToLower(r.Msg), "file name too long") {
				t.Errorf("%v: failed %v, %s", task[3:], r.Failed, r.Msg)
			}
		}
		want(t, "not there", run(t, c, modules.HostOptions{}, Stat, "path", path[:200]), "stat.exists", false, "failed", nil)
		want(t, "a file above", run(t, c, modules.HostOptions{}, Stat, "path", "/etc/passwd/x"), "stat.exists", false, "failed", nil)
	})
}

func TestNamesThatLookLikeOptions(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		t.Chdir(dir)
		opts := modules.HostOptions{Local: folderLocal{dir}}
		write(t, dir+"/files/-f", "hello\n", 0o644)
		for _, task := range [][]any{
			{Copy, "content", "x", "dest", "-rf", "mode", "0600"},
			{Copy, "src", "-f", "dest", "-d/-g", "mode", "0600"},
			{File, "path", "-t", "state", "touch", "mode", "0600"},
			{File, "path", "-l", "src", "-t", "state", "link"},
			{Stat, "path", "-t"},
			{Slurp, "src", "-rf"},
			{File, "path", "-t", "state", "absent"},
			{File, "path", "-d", "state", "directory", "recurse", true, "mode", "0700"},
			{File, "path", "-d", "state", "absent"},
		} {
			if task[2] == "-f" {
				if err := os.Mkdir("-d", 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if r := run(t, c, opts, task[0].(*modules.Module), task[1:]...); r.Failed {
				t.Errorf("%v: %s", task[1:], r.Msg)
			}
		}
	})
}

// liar is a host that answers a look with another path than it was asked for.
type liar struct{ *shConn }

func (c liar) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	out, err := c.shConn.Exec(ctx, cmd)
	out.Stdout = []byte("@@path 14 0\n../../../outer\n@@kind 4 0\nfile\n@@sum 1 0\nx\n@@content 1 0\ny\n")
	return out, err
}

func TestFetchStaysInItsFolder(t *testing.T) {
	dir := t.TempDir()
	h := modules.NewHost(modules.HostOptions{Name: "host", Conn: liar{&shConn{shell: []string{"sh"}}}, Local: folderLocal{dir}})
	_, err := runFetch(t.Context(), h, FetchArgs{Src: "/etc/passwd", Dest: dir + "/a/b/c"})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(dir + "/a/b/c/host/outer"); err != nil || string(data) != "y" {
		t.Errorf("the file is not where it belongs: %v\n%s", err, snapshot(t, dir))
	}
}

// A host that changes between upload and change must not keep the upload.
func TestUploadIsRemoved(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		write(t, dir+"/files/big", strings.Repeat("x", 200000), 0o644)
		write(t, dir+"/host/old", "old\n", 0o644)
		opts := modules.HostOptions{Local: folderLocal{dir}}
		r := run(t, c, opts, Copy, "src", "big", "dest", dir+"/host/old", "validate", "false %s")
		want(t, "refused by validate", r, "failed", true)
		mid := &meddler{shConn: c, after: func() { write(t, dir+"/host/old", strings.Repeat("x", 200000), 0o644) }}
		h := modules.NewHost(modules.HostOptions{Name: "host", Conn: mid, Local: folderLocal{dir}})
		if _, err := runCopy(t.Context(), h, CopyArgs{Src: "big", Dest: modules.Path(dir + "/host/old"), Force: true, Decrypt: true}); err != nil {
			t.Error(err)
		}
		if got := snapshot(t, dir+"/host"); strings.Contains(got, ".hostler.") {
			t.Errorf("an upload is left:\n%s", got)
		}
	})
}

// meddler is a host on which somebody changes something after the first upload.
type meddler struct {
	*shConn
	after func()
}

func (m *meddler) Put(ctx context.Context, path string, r io.Reader, opts transport.PutOptions) error {
	err := m.shConn.Put(ctx, path, r, opts)
	m.after()
	return err
}

// A file of a folder keeps mode and owner where none is asked for, also when it is large, and never has a wider mode
// than it is to get.
func TestCopyFolderKeepsModes(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		big := strings.Repeat("0123456789abcdef", streamBytes/16+1)
		write(t, dir+"/files/t/big", big, 0o644)
		write(t, dir+"/files/t/small", "new\n", 0o644)
		write(t, dir+"/host/t/big", "old\n", 0o600)
		write(t, dir+"/host/t/small", "old\n", 0o640)
		opts := modules.HostOptions{Local: folderLocal{dir}}
		r := checkThenRun(t, "modes", c, opts, dir+"/host", Copy, "src", "t", "dest", dir+"/host", "backup", true)
		want(t, "modes", r, "changed", true, "failed", nil)
		for name, mode := range map[string]os.FileMode{"big": 0o600, "small": 0o640} {
			info, err := os.Stat(dir + "/host/t/" + name)
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v %v, want mode %v", name, info.Mode(), err, mode)
			}
			old, _ := filepath.Glob(dir + "/host/t/" + name + ".*~")
			if len(old) != 1 {
				t.Errorf("backups of %s: %v", name, old)
			}
		}
		for _, pair := range [][2]string{{"validate", "true %s"}, {"checksum", "0"}} {
			want(t, pair[0], run(t, c, opts, Copy, "src", "t", "dest", dir+"/host", pair[0], pair[1]), "failed", true,
				"msg", pair[0]+" is not supported where src is a folder: "+dir+"/files/t")
		}
	})
}

func TestCopyRemoteFolder(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		write(t, dir+"/src/a b", "a\n", 0o751)
		write(t, dir+"/src/sub/back\\slash", "b\n", 0o600)
		if err := errors.Join(os.Chmod(dir+"/src/sub", 0o700), os.Symlink("a b", dir+"/src/link"), os.Symlink("no such", dir+"/src/broken")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir+"/host", 0o755); err != nil {
			t.Fatal(err)
		}
		r := checkThenRun(t, "links kept", c, modules.HostOptions{}, dir+"/host", Copy, "src", dir+"/src/", "dest", dir+"/host/kept", "remote_src", true)
		want(t, "links kept", r, "changed", true)
		if got, want := snapshot(t, dir+"/host/kept"), snapshot(t, dir+"/src"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if err := os.Remove(dir + "/src/broken"); err != nil {
			t.Fatal(err)
		}
		r = checkThenRun(t, "links followed", c, modules.HostOptions{}, dir+"/host", Copy, "src", dir+"/src", "dest", dir+"/host", "remote_src", true,
			"local_follow", true)
		want(t, "links followed", r, "changed", true)
		if info, err := os.Lstat(dir + "/host/src/link"); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%v %v", info, err)
		}
		write(t, dir+"/src/x\ny", "", 0o600)
		want(t, "newline", run(t, c, modules.HostOptions{}, Copy, "src", dir+"/src", "dest", dir+"/host", "remote_src", true), "failed", true)
	})
}

func TestOddAnswers(t *testing.T) {
	r := modules.ParseReport([]byte("@@owner 24 0\nwarning: no library\n1000\n@@group 4 0\n1000\n@@at 20 0\n81a4 x 2 1 0 0|a|b||\n"))
	n := Attributes{Owner: "bob", Group: "staff"}.readIDs(r)
	if n.uid != -1 || n.gid != 1000 || n.err == nil {
		t.Errorf("ids %+v", n)
	}
	if _, err := readInfo(r, "at", "/x"); err == nil {
		t.Error("an answer that is not stat's is taken")
	}
	r = modules.ParseReport([]byte("@@at 85 0\n81a4 2 3 1 0 0 6 8 4096 0 0 1 2 3|DOM\\bob|domain users|2020 00:00:00.5 +0000|x.25|y.75\n"))
	i, err := readInfo(r, "at", "/x")
	if err != nil || i.owner != `DOM\bob` || i.group != "domain users" || i.atime != 1.5 {
		t.Errorf("%+v, %v", i, err)
	}
}
