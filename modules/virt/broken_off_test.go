package virt

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/transport/transporttest"
)

// brokenOff runs a change script in each shell, with programs of the test's in the place of the host's, and gives what they said. The
// programs end the script by kill -TERM $PPID.
func brokenOff(t *testing.T, script, stdin string, programs map[string]string, run func(t *testing.T, dir string) (args []string, check func(said string))) {
	t.Helper()
	for _, shell := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		t.Run(shell[0], func(t *testing.T) {
			transporttest.Installed(t, shell[0])
			dir, bin := t.TempDir(), t.TempDir()
			for name, text := range programs {
				if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho \"$(basename \"$0\") $*\" >>"+bin+"/said\n"+text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			args, check := run(t, dir)
			cmd := exec.Command(shell[0], append(append(shell[1:], "-c", script, "sh"), args...)...)
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TMPDIR="+dir)
			cmd.Stdin = strings.NewReader(stdin)
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("it was not broken off: %s", out)
			}
			said, err := os.ReadFile(bin + "/said")
			if err != nil {
				t.Fatal(err)
			}
			check(string(said))
		})
	}
}

// only checks which files are in a folder.
func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s has %q, want %q", dir, got, want)
	}
}

// A clone that is broken off leaves neither a disk nor a domain behind: a second run would take such a domain for the clone.
func TestCloneBrokenOff(t *testing.T) {
	const kill = "kill -TERM $PPID\n"
	for at, programs := range map[string]map[string]string{
		"second disk": {"virsh": "", "qemu-img": "case $* in *two*) " + kill + ";; esac\n"},
		"definition":  {"virsh": "case $* in *define\\ --validate*) " + kill + ";; esac\n", "qemu-img": ""},
		"identity":    {"virsh": "", "qemu-img": "", "virt-sysprep": kill},
	} {
		t.Run(at, func(t *testing.T) {
			brokenOff(t, cloneScript, "<domain/>", programs, func(t *testing.T, dir string) ([]string, func(string)) {
				args := []string{"qemu:///system", "c", "reset"}
				for _, n := range []string{"one", "two"} {
					args = append(args, "copy", "raw", "/src/"+n, dir+"/"+n, "pool-"+n)
				}
				return args, func(said string) {
					only(t, dir)
					if undefined := strings.Contains(said, " undefine --domain c"); undefined != (at != "second disk") {
						t.Errorf("undefined: %v, after\n%s", undefined, said)
					}
					if !strings.HasSuffix(said, " pool-refresh pool-two\n") {
						t.Errorf("the pool was not looked at again after\n%s", said)
					}
				}
			})
		})
	}
}

// A file whose daemons were not told of it is put back: a second run would find it as asked, and tell nobody.
func TestConfigBrokenOff(t *testing.T) {
	programs := map[string]string{"systemctl": "kill -TERM $PPID\n", "journalctl": ""}
	for _, before := range []string{"a = 1\n", ""} {
		brokenOff(t, configScript, "a = 2\n", programs, func(t *testing.T, dir string) ([]string, func(string)) {
			file := dir + "/qemu.conf"
			if before != "" {
				if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return []string{file, "systemd", "restart", "virtqemud"}, func(string) {
				if before == "" {
					only(t, dir)
					return
				}
				only(t, dir, "qemu.conf")
				if got, err := os.ReadFile(file); err != nil || string(got) != before {
					t.Errorf("%q, %v, want %q", got, err, before)
				}
			}
		})
	}
}

// A new file is for root's eyes: it may hold a password.
func TestConfigNewFile(t *testing.T) {
	file := t.TempDir() + "/qemu.conf"
	cmd := exec.Command("sh", "-c", configScript, "sh", file, "none", "restart")
	cmd.Stdin = strings.NewReader("vnc_password = \"x\"\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	only(t, filepath.Dir(file), "qemu.conf")
}

func TestConfigHidesPasswords(t *testing.T) {
	const text = "a = 1\n#spice_password = \"old\"\n  vnc_password=\"new\" # x\nb = 2\n"
	const want = "a = 1\n#spice_password = ********\n  vnc_password=********\nb = 2\n"
	if got := hidePasswords(text); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
