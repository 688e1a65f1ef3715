//go:build e2e

// Package disk builds the disk images of the whole Debian machines that tests start, from Debian's packages by the script image, and keeps
// them between runs.
package disk

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

//go:embed image
var imageScript string

// Cache is where disk images and the consoles' logs are kept between runs.
func Cache(t *testing.T) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "hostler", "e2e")
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Image gives the folder of a flavour's disk.qcow2. It is built once for each text of the script.
func Image(t *testing.T, flavour string) string {
	t.Helper()
	cache := Cache(t)
	lock, err := os.Create(filepath.Join(cache, flavour+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, fmt.Sprintf("%s-%.6x", flavour, sha256.Sum256([]byte(imageScript))))
	if _, err := os.Stat(filepath.Join(dir, "disk.qcow2")); err != nil {
		build(t, flavour, dir)
	}
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err != nil {
		t.Fatal(err)
	}
	return dir
}

// build builds an image and throws away those of the flavour that nobody used for a week.
func build(t *testing.T, flavour, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to build a machine")
	}
	start := time.Now()
	script := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(script, []byte(imageScript), 0o755); err != nil {
		t.Fatal(err)
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		t.Fatal(err)
	}
	// In namespaces of its own nothing stays mounted and no process runs on, however this ends.
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", script, flavour, part)
	if out, err := Output(cmd); err != nil {
		t.Fatalf("build image %s: %v\n%s", flavour, err, out)
	}
	if err := os.Rename(part, dir); err != nil {
		t.Fatal(err)
	}
	t.Logf("image %s: built in %v", flavour, time.Since(start).Round(time.Second))
	old, err := filepath.Glob(filepath.Join(filepath.Dir(dir), flavour+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range old {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > 7*24*time.Hour {
			os.RemoveAll(path)
		}
	}
}
