package trees

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

func synchronize(t *testing.T, far bool, pairs ...any) modules.Result {
	t.Helper()
	h := modules.NewHost(modules.HostOptions{Name: "here", Ends: func(context.Context) (modules.Ends, error) {
		ends := modules.Ends{Near: openLocal(t), Controller: true}
		if far {
			ends.Far = openLocal(t)
		}
		return ends, nil
	}})
	r, err := Synchronize.Run(t.Context(), h, value.NewDict(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSynchronizeMistakes(t *testing.T) {
	for _, c := range []struct {
		want string
		args []any
	}{
		{"src and dest cannot be empty", []any{"src", "", "dest", "/x"}},
		{"src and dest cannot have line ends in them", []any{"src", "a\nb", "dest", "/x"}},
		{"either src or dest must be a localhost", []any{"src", "rsync://a/b", "dest", "rsync://c/d"}},
		{"rsync_timeout must not be negative", []any{"src", "/a", "dest", "/x", "rsync_timeout", -1}},
		{"rsync_opts cannot have --rsh", []any{"src", "/a", "dest", "/x", "rsync_opts", value.NewList("--rsh=ssh -p 22")}},
		{"rsync_opts cannot have -e", []any{"src", "/a", "dest", "/x", "rsync_opts", value.NewList("-v", "-e ssh")}},
		{"mode", []any{"src", "/a", "dest", "/x", "mode", "both"}},
		{"would cause recursion. /a/b and /a/b/c", []any{"src", "/a", "dest", "/a/b/c", "link_dest", value.NewList("/a/")}},
	} {
		if r := synchronize(t, true, c.args...); !r.Failed || !strings.Contains(r.Msg, c.want) {
			t.Errorf("%q: failed %v, %q; want %q", c.args, r.Failed, r.Msg, c.want)
		}
	}
}

func TestSynchronizeOptions(t *testing.T) {
	no, yes := false, true
	for want, a := range map[string]SynchronizeArgs{
		"--out-format=<<CHANGED>>%i %n%L": {},
		"--delay-updates -F --compress --dry-run --archive --no-links --no-owner --out-format=<<CHANGED>>%i %n%L": {
			DelayUpdates: true, Compress: true, Archive: true, Links: &no, Owner: &no, Perms: &yes,
		},
		"--timeout=9 --delete-after --existing --checksum --copy-links --recursive --dirs -x --partial -H -vv --link-dest=/b --out-format=<<CHANGED>>%i %n%L": {
			RsyncTimeout: 9, Delete: true, ExistingOnly: true, Checksum: true, CopyLinks: true, Recursive: &yes, Times: &no, Dirs: true,
			RsyncOpts: []string{"-x"}, Partial: true, LinkDest: []string{"/b"},
		},
	} {
		if got := strings.Join(a.options(strings.Contains(want, "--dry-run")), " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// fakeRsync asks for another one as the near end and tells, as the far one it answers.
const fakeRsync = `#!/bin/sh
if [ "$1" = --server ]; then read -r line; printf '%s there: %s\n' "$line" "$*"; exit 0; fi
for w; do case $w in --rsh=*) rsh=${w#--rsh=} ;; esac; done
answer=$(echo hello | eval "$rsh host rsync --server . '/it'\\''s here'")
echo "<<CHANGED>>$answer"
echo said >&2
exit "${FAKE_STATUS:-0}"
`

func TestSynchronizeBridges(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rsync"), []byte(fakeRsync), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	r := synchronize(t, true, "src", "/a", "dest", "/x")
	if want := "hello there: --server . /it's here\n"; r.Failed || !r.Changed || r.Msg != want {
		t.Errorf("failed %v, changed %v, %q; want %q", r.Failed, r.Changed, r.Msg, want)
	}
	t.Setenv("FAKE_STATUS", "23")
	if r = synchronize(t, true, "src", "/a", "dest", "/x"); !r.Failed || r.Msg != "said" || r.Data.Str("cmd") == "" {
		t.Errorf("failed %v, %q", r.Failed, r.Msg)
	}
	if rc, _ := r.Data.Get("rc"); rc != 23 {
		t.Errorf("rc %v, want 23", rc)
	}
}
