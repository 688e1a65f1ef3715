package run

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What fetch writes lies beside the playbook, and never has a wider mode than the user's umask allows.
func TestLocalCreate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir+"/home")
	l := &local{p: &play{dir: dir}}
	for name, want := range map[string]string{"out/": dir + "/out/", "~/x": dir + "/home/x", "/abs/x": "/abs/x"} {
		if got := l.Dest(name); got != want {
			t.Errorf("%s lies at %s, want %s", name, got, want)
		}
	}
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	file := l.Dest("a/b")
	if err := l.Create(file, 0o644, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want mode 0600", info, err)
	}
	if err := l.Create(dir, 0o644, strings.NewReader("x")); err == nil {
		t.Error("a folder was replaced")
	}
	if left, _ := filepath.Glob(filepath.Dir(dir) + "/.hostler-*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
