package files

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// inside lists what an archive holds, as the tools of this machine see it.
func inside(t *testing.T, file string) string {
	t.Helper()
	argv := []string{"tar", "-tf", file}
	if strings.HasSuffix(file, ".zip") {
		argv = []string{"unzip", "-Z1", file}
	}
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v %s", argv, err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func archiveTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/src/app/a.txt", "one", 0o640)
	write(t, dir+"/src/app/-b.log", "two", 0o644)
	write(t, dir+"/src/app/sub/it's.txt", "three", 0o600)
	write(t, dir+"/src/other", "four", 0o644)
	mustLink(t, "a.txt", dir+"/src/app/link")
	return dir
}

func TestArchive(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		for _, format := range []string{"gz", "bz2", "tar"} {
			dir := archiveTree(t)
			dest := dir + "/x." + format
			task := func(more ...any) modules.Result {
				return run(t, c, modules.HostOptions{}, Archive, append([]any{"path", dir + "/src/app", "dest", dest, "format", format}, more...)...)
			}
			want(t, "check mode", run(t, c, modules.HostOptions{Check: true}, Archive, "path", dir+"/src/app", "dest", dest, "format", format), "changed", true, "failed", nil)
			only(t, dir, "src")
			r := task("mode", "0600")
			want(t, format, r, "failed", nil, "changed", true, "dest_state", "archive", "dest", dest, "arcroot", dir+"/src/", "state", "file", "mode", "0600")
			if got := len(get(r, "archived").(*value.List).Items); got != 5 {
				t.Errorf("%d files archived, want 5", got)
			}
			if got, want := inside(t, dest), "app/-b.log app/a.txt app/link app/sub/ app/sub/it's.txt"; got != want {
				t.Errorf("%s holds %s, want %s", format, got, want)
			}
			want(t, "again", task(), "failed", nil, "changed", false, "dest_state", "archive", "mode", "0600")
			write(t, dir+"/src/app/a.txt", "new", 0o640)
			want(t, "another content", task(), "failed", nil, "changed", true, "mode", "0600")
			want(t, "patterns", task("exclusion_patterns", value.NewList("app/s*", "*.log")), "failed", nil, "changed", true)
			if got, want := inside(t, dest), "app/a.txt app/link"; got != want {
				t.Errorf("without patterns %s holds %s, want %s", format, got, want)
			}
			only(t, dir, "src", "x."+format)
		}
	})
}

func TestArchiveOfSeveral(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := archiveTree(t)
		dest := dir + "/x.tgz"
		r := run(t, c, modules.HostOptions{}, Archive, "path", value.NewList(dir+"/src/*", dir+"/none"), "dest", dest, "exclude_path", dir+"/src/a*")
		want(t, "pattern", r, "failed", nil, "changed", true, "dest_state", "incomplete")
		if got := get(r, "missing").(*value.List).Items; len(got) != 1 || got[0] != dir+"/none" {
			t.Errorf("missing %v", got)
		}
		if got := inside(t, dest); got != "src/other" {
			t.Errorf("it holds %s", got)
		}
		r = run(t, c, modules.HostOptions{}, Archive, "path", value.NewList(dir+"/src/app", dir+"/src/other"), "dest", dest, "remove", true, "exclusion_patterns", "*.log")
		want(t, "removed", r, "failed", nil, "changed", true)
		if got := inside(t, dest); got != "app/a.txt app/link app/sub/ app/sub/it's.txt other" {
			t.Errorf("it holds %s", got)
		}
		only(t, dir+"/src", "app")
		only(t, dir+"/src/app", "-b.log")
		want(t, "nothing there", run(t, c, modules.HostOptions{}, Archive, "path", dir+"/none", "dest", dest), "failed", nil, "changed", false, "dest_state", "archive")
	})
}

func TestArchiveOfOne(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := archiveTree(t)
		r := run(t, c, modules.HostOptions{}, Archive, "path", dir+"/src/other", "remove", true)
		want(t, "one", r, "failed", nil, "changed", true, "dest", dir+"/src/other.gz", "dest_state", "compress")
		only(t, dir+"/src", "app", "other.gz")
		out, err := exec.Command("gzip", "-dc", dir+"/src/other.gz").Output()
		if err != nil || string(out) != "four" {
			t.Errorf("%q %v", out, err)
		}
		write(t, dir+"/src/other", "four", 0o600)
		want(t, "the same", run(t, c, modules.HostOptions{}, Archive, "path", dir+"/src/other"), "failed", nil, "changed", false)
	})
}

func TestArchiveZip(t *testing.T) {
	dir := archiveTree(t)
	c := &shConn{shell: []string{"dash"}}
	task := func(opts ...any) modules.Result {
		return run(t, c, modules.HostOptions{}, Archive, append([]any{"path", dir + "/src/app/", "dest", dir + "/x.zip", "format", "zip"}, opts...)...)
	}
	want(t, "zip", task(), "failed", nil, "changed", true, "arcroot", dir+"/src/app/")
	if got := inside(t, dir+"/x.zip"); got != "-b.log a.txt link sub/ sub/it's.txt" {
		t.Errorf("it holds %s", got)
	}
	want(t, "again", task(), "failed", nil, "changed", false)
	want(t, "a whole path", task("exclusion_patterns", "*/src/app/sub*"), "failed", nil, "changed", true)
	if got := inside(t, dir+"/x.zip"); got != "-b.log a.txt link" {
		t.Errorf("it holds %s", got)
	}
}

func TestArchiveRefuses(t *testing.T) {
	dir := archiveTree(t)
	write(t, dir+"/odd/a\nb", "", 0o644)
	c := &shConn{shell: []string{"dash"}}
	for _, test := range []struct {
		msg   string
		pairs []any
	}{
		{`must specify "dest" when archiving multiple files or trees`, []any{"path", value.NewList("/a", "/b")}},
		{`must specify "dest" when archiving multiple files or trees`, []any{"path", dir + "/src/*"}},
		{`must specify "dest" when archiving multiple files or trees`, []any{"path", dir + "/src/app"}},
		{"no source paths were found: " + dir + "/src/nothing*", []any{"path", dir + "/src/nothing*", "dest", dir + "/x"}},
		{"created archive can not be contained in source paths when remove=true", []any{"path", dir + "/src", "dest", dir + "/src/x", "remove", true}},
		{"destination directory " + dir + "/no does not exist", []any{"path", dir + "/src", "dest", dir + "/no/x"}},
		{"can not use content with a dir as dest: " + dir + "/odd", []any{"path", dir + "/src", "dest", dir + "/odd"}},
		{"chown failed: failed to look up user nobody-there", []any{"path", dir + "/src", "dest", dir + "/x", "owner", "nobody-there"}},
		{"a newline in a file's name is not supported: ", []any{"path", dir + "/odd", "dest", dir + "/x"}},
		{`argument "format" must be one of bz2, gz, tar, xz, zip, not "rar"`, []any{"path", "/a", "dest", "/b", "format", "rar"}},
	} {
		r := run(t, c, modules.HostOptions{}, Archive, test.pairs...)
		if !r.Failed || !strings.HasPrefix(r.Msg, test.msg) {
			t.Errorf("%v: %q, want %q", test.pairs, r.Msg, test.msg)
		}
		only(t, dir, "src", "odd")
	}
	if _, err := os.Stat(dir + "/src/app/a.txt"); err != nil {
		t.Error(err)
	}
}
