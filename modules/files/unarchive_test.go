package files

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// packed are an archive's members: names that end in a slash are folders, what begins with > a link.
var packed = []struct {
	name, text string
	mode       os.FileMode
}{
	{"app/", "", 0o750},
	{"app/a b", "hello\n", 0o640},
	{"app/link", ">a b", 0o777},
	{"app/sub/", "", 0o755},
	{"app/sub/x.sh", "#!/bin/sh\n", 0o755},
}

var packedAt = time.Date(2020, 2, 3, 4, 5, 6, 0, time.Local)

func tarOf(t *testing.T, file string, zipped bool) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range packed {
		head := &tar.Header{
			Name: m.name, Mode: int64(m.mode), ModTime: packedAt, Uid: os.Getuid(), Gid: os.Getgid(), Typeflag: tar.TypeReg, Size: int64(len(m.text)),
		}
		target, link := strings.CutPrefix(m.text, ">")
		switch {
		case strings.HasSuffix(m.name, "/"):
			head.Typeflag = tar.TypeDir
		case link:
			head.Typeflag, head.Linkname, head.Size = tar.TypeSymlink, target, 0
		}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if head.Size > 0 {
			if _, err := w.Write([]byte(m.text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	if zipped {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		if _, err := g.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		data = z.Bytes()
	}
	write(t, file, string(data), 0o644)
}

func zipOf(t *testing.T, file string) {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range packed {
		head := &zip.FileHeader{Name: m.name, Modified: packedAt}
		mode := m.mode
		target, link := strings.CutPrefix(m.text, ">")
		switch {
		case strings.HasSuffix(m.name, "/"):
			mode |= os.ModeDir
		case link:
			mode |= os.ModeSymlink
		}
		head.SetMode(mode)
		f, err := w.CreateHeader(head)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(target)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, file, b.String(), 0o644)
}

// onFullShells is onShells without busybox, which has neither GNU tar nor all of unzip.
func onFullShells(t *testing.T, run func(t *testing.T, c *shConn)) {
	t.Helper()
	transporttest.Installed(t, "unzip")
	for _, shell := range []string{"dash", "bash"} {
		t.Run(shell, func(t *testing.T) { run(t, &shConn{shell: []string{shell}}) })
	}
}

func TestUnarchive(t *testing.T) {
	onFullShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		tarOf(t, dir+"/files/a.tar", false)
		tarOf(t, dir+"/files/a.tgz", true)
		zipOf(t, dir+"/files/a.zip")
		if err := os.Rename(dir+"/files/a.tar", dir+"/files/odd.zip"); err != nil { // its name tells another kind
			t.Fatal(err)
		}
		opts := modules.HostOptions{Local: folderLocal{dir}}
		for name, handler := range map[string]string{"odd.zip": "TarArchive", "a.tgz": "TgzArchive", "a.zip": "ZipArchive"} {
			for _, remote := range []bool{false, true} {
				dest := dir + "/" + name
				if err := os.MkdirAll(dest, 0o755); err != nil {
					t.Fatal(err)
				}
				src := name
				if remote {
					src = dir + "/files/" + name
				}
				args := []any{"src", src, "dest", dest, "remote_src", remote, "list_files", true}
				var r modules.Result
				if remote {
					r = checkThenRun(t, name, c, opts, dir, Unarchive, args...)
				} else {
					want(t, name+" in check mode", run(t, c, modules.HostOptions{Local: folderLocal{dir}, Check: true}, Unarchive, args...), "skipped", true, "changed", false)
					r = run(t, c, opts, Unarchive, args...)
					want(t, name+" again", run(t, c, opts, Unarchive, args...), "changed", false, "failed", nil)
				}
				want(t, name, r, "changed", true, "failed", nil, "handler", handler, "dest", dest, "state", "directory")
				if got := foundWords(r); got != "app/ app/a b app/link app/sub/ app/sub/x.sh" {
					t.Errorf("%s: files %q", name, got)
				}
				for _, m := range packed {
					i, err := os.Lstat(dest + "/" + m.name)
					if err != nil || i.Mode().Perm() != m.mode {
						t.Errorf("%s: %s: %v %v", name, m.name, i, err)
					}
				}
				if text, err := os.ReadFile(dest + "/app/link"); err != nil || string(text) != "hello\n" {
					t.Errorf("%s: %q %v", name, text, err)
				}
				if err := os.Remove(dest + "/app/a b"); err != nil {
					t.Fatal(err)
				}
				want(t, name+" without a file", run(t, c, opts, Unarchive, args...), "changed", true, "failed", nil)
				r = run(t, c, opts, Unarchive, append(args, "mode", "u=rwX,go=")...)
				want(t, name+" with a mode", r, "changed", true, "failed", nil)
				if i, err := os.Stat(dest + "/app/a b"); err != nil || i.Mode().Perm() != 0o600 {
					t.Errorf("%s with a mode: %v %v", name, i, err)
				}
				want(t, name+" with a mode again", run(t, c, opts, Unarchive, append(args, "mode", "u=rwX,go=")...), "changed", false, "failed", nil)
				want(t, name+" with creates", run(t, c, opts, Unarchive, append(args, "creates", dest+"/app")...), "skipped", true,
					"msg", "skipped, since "+dest+"/app exists", "changed", false)
				if err := os.RemoveAll(dest); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// foundWords are the names that list_files told.
func foundWords(r modules.Result) string {
	var names []string
	files, _ := r.Data.Get("files")
	list, err := modules.Items(files)
	if err != nil {
		return err.Error()
	}
	for _, one := range list {
		names = append(names, one.(string))
	}
	return strings.Join(names, " ")
}

func TestUnarchivePicks(t *testing.T) {
	onFullShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		tarOf(t, dir+"/files/a.tgz", true)
		zipOf(t, dir+"/files/a.zip")
		opts := modules.HostOptions{Local: folderLocal{dir}}
		for _, one := range []struct {
			args  []any
			there string
		}{
			{[]any{"src", "a.tgz", "include", "app/sub"}, "app/sub/x.sh"},
			{[]any{"src", "a.tgz", "exclude", "app/link,app/a b"}, "app/sub/x.sh"},
			{[]any{"src", "a.tgz", "extra_opts", "--strip-components=1", "exclude", "app/a b"}, "sub/x.sh"},
			{[]any{"src", "a.zip", "include", "app/sub/*"}, "app/sub/x.sh"},
			{[]any{"src", "a.zip", "exclude", "app/a b"}, "app/sub/x.sh"},
		} {
			dest := t.TempDir()
			r := run(t, c, opts, Unarchive, append(one.args, "dest", dest)...)
			want(t, "picked", r, "changed", true, "failed", nil)
			want(t, "picked again", run(t, c, opts, Unarchive, append(one.args, "dest", dest)...), "changed", false, "failed", nil)
			if got := snapshot(t, dest); !strings.Contains(got, one.there) || strings.Contains(got, "hello") {
				t.Errorf("%v:\n%s", one.args, got)
			}
		}
	})
}

// A full disk leaves a file that has its time and not its content.
func TestUnarchiveCutFile(t *testing.T) {
	onFullShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		tarOf(t, dir+"/a.tar", false)
		args := []any{"src", dir + "/a.tar", "dest", dir, "remote_src", true}
		want(t, "first", run(t, c, modules.HostOptions{}, Unarchive, args...), "changed", true, "failed", nil)
		file := dir + "/app/a b"
		if err := errors.Join(os.Truncate(file, 2), os.Chtimes(file, packedAt, packedAt)); err != nil {
			t.Fatal(err)
		}
		want(t, "cut", run(t, c, modules.HostOptions{}, Unarchive, args...), "changed", true, "failed", nil)
		if data, err := os.ReadFile(file); err != nil || string(data) != "hello\n" {
			t.Errorf("%q %v", data, err)
		}
	})
}

func TestUnarchiveRefuses(t *testing.T) {
	if out, err := exec.Command("tar", "--version").Output(); err != nil || !bytes.Contains(out, []byte("GNU")) {
		t.Fatalf("this machine's tar is not GNU's: %s %v", out, err)
	}
	testRefusals(t, Unarchive, []refusal{
		{"missing", []any{"src", "no.tgz", "dest", "$D/d"}, "could not find or access"},
		{"missing on the host", []any{"src", "$D/no.tgz", "dest", "$D/d", "remote_src", true}, "source '$D/no.tgz' does not exist"},
		{"a folder", []any{"src", "$D/d", "dest", "$D/d", "remote_src", true}, "source '$D/d' not readable"},
		{"no archive", []any{"src", "$D/f", "dest", "$D/d", "remote_src", true}, "failed to find handler for"},
		{"no archive of the controller", []any{"src", "$D/f", "dest", "$D/d"}, "failed to find handler for"},
		{"empty", []any{"src", "/dev/null", "dest", "$D/d", "remote_src", true}, "source '/dev/null' not readable"},
		{"dest is missing", []any{"src", "$D/f", "dest", "$D/no"}, "dest '$D/no' must be an existing dir"},
		{"dest is a file", []any{"src", "$D/f", "dest", "$D/f", "remote_src", true}, "dest '$D/f' must be an existing dir"},
		{"URL", []any{"src", "https://example.com/a.tgz", "dest", "$D/d"}, "the controller fetches no archives: https://example.com/a.tgz (with remote_src: true the host does)"},
		{"FTP", []any{"src", "ftp://example.com/a.tgz", "dest", "$D/d", "remote_src", true}, "unknown url type: \"ftp://example.com/a.tgz\""},
		{"include and exclude", []any{"src", "$D/f", "dest", "$D/d", "include", "a", "exclude", "b"}, "mutually exclusive"},
		{"copy and remote_src", []any{"src", "$D/f", "dest", "$D/d", "copy", true, "remote_src", true}, "mutually exclusive"},
		{"attributes", []any{"src", "$D/f", "dest", "$D/d", "attributes", "i"}, "attributes of the file system are not set"},
		{"wrong type", []any{"src", "$D/f", "dest", "$D/d", "list_files", "perhaps"}, `argument "list_files" must be a truth value`},
	})
}

func TestUnarchiveURL(t *testing.T) {
	for _, tool := range []string{"curl", "wget"} {
		c := &shConn{shell: []string{"dash"}, path: pathWith(t, tool)}
		s := moduletest.NewSite(t, false)
		dir, tmp := t.TempDir(), t.TempDir()
		opts := modules.HostOptions{Env: map[string]string{"TMPDIR": tmp}}
		task := func(path string, more ...any) modules.Result {
			return run(t, c, opts, Unarchive, append([]any{"src", s.URL + path, "dest", dir, "remote_src", true}, more...)...)
		}
		want(t, "new", task("/app.tgz"), "failed", nil, "changed", true, "handler", "TgzArchive", "src", s.URL+"/app.tgz")
		holds(t, dir+"/app/file", text)
		want(t, "again", task("/app.tgz"), "failed", nil, "changed", false)
		asked := s.Count()
		want(t, "creates", task("/app.tgz", "creates", dir+"/app"), "skipped", true)
		if s.Count() != asked {
			t.Error("creates: it was downloaded all the same")
		}
		want(t, "404", task("/none"), "failed", true, "msg", "Failure downloading "+s.URL+"/none, HTTP Error 404: Not Found")
		want(t, "no archive", task("/text"), "failed", true)
		want(t, "cut", task("/always-cut"), "failed", true, "changed", false)
		only(t, tmp)
	}
}
