package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestZypperRepositoryKilled kills the change when the old repository is gone and the new one not there yet.
func TestZypperRepositoryKilled(t *testing.T) {
	dir := t.TempDir()
	repos, temp := filepath.Join(dir, "repos.d"), filepath.Join(dir, "tmp")
	for _, d := range []string{repos, temp} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	zypper := "#!/bin/sh\nrm " + repos + "/hp.repo\nkill $P\n"
	for name, text := range map[string]string{filepath.Join(dir, "zypper"): zypper, filepath.Join(repos, "hp.repo"): "[hp]\n"} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script := "P=$$; export P\n" + strings.ReplaceAll(zypperRepositoryWrite, "/etc/zypp/repos.d", repos)
	cmd := exec.Command("sh", "-c", script, "sh", "1", "hp", "", "", "addrepo", "file:/x", "hp")
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "TMPDIR="+temp)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("it was not killed: %s", out)
	}
	if text, err := os.ReadFile(filepath.Join(repos, "hp.repo")); string(text) != "[hp]\n" {
		t.Errorf("the repository is %q, %v", text, err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
