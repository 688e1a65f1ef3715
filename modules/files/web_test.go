package files

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/transport/transporttest"
)

// onTools runs a test against hosts that have curl, GNU wget, or busybox alone.
func onTools(t *testing.T, test func(t *testing.T, c *shConn, tool string)) {
	t.Helper()
	for _, tool := range []string{"curl", "wget"} {
		t.Run(tool, func(t *testing.T) {
			transporttest.Installed(t, tool)
			test(t, &shConn{shell: []string{"dash"}, path: pathWith(t, tool)}, tool)
		})
	}
	t.Run("busybox", func(t *testing.T) {
		transporttest.Installed(t, "busybox")
		dir := t.TempDir()
		busybox, err := exec.LookPath("busybox")
		if err != nil {
			t.Fatal(err)
		}
		list, err := exec.Command(busybox, "--list").Output()
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(string(list)) {
			mustLink(t, busybox, filepath.Join(dir, name))
		}
		openssl, err := exec.LookPath("openssl")
		if err != nil {
			t.Fatal(err)
		}
		mustLink(t, openssl, filepath.Join(dir, "openssl"))
		test(t, &shConn{shell: []string{busybox, "sh"}, path: dir}, "busybox")
	})
}

// pathWith makes a folder of this machine's programs, of those that fetch only the one named.
func pathWith(t *testing.T, tool string) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := e.Name()
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil || (name == "curl" || name == "wget") && name != tool {
				continue
			}
			mustLink(t, filepath.Join(from, name), filepath.Join(dir, name))
		}
	}
	return dir
}

func mustLink(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}
