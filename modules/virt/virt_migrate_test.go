package virt

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

func TestMigrate(t *testing.T) { moduletest.Run(t, Migrate, "testdata/migrate/*.txtar") }

// A migration whose time is over is broken off, and called so only where it was: after postcopy began it cannot be.
func TestMigrateTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		abort, migrate int
		want           string
	}{
		"broken off": {0, 1, "it was not over within 0 seconds and was broken off\n"},
		"over":       {1, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, "mkfifo")
			dir := t.TempDir()
			virsh := fmt.Sprintf("#!/bin/sh\ncase $* in *domjobabort*) echo >%[1]s/end; exit %[2]d ;; *) read -r x <%[1]s/end; exit %[3]d ;; esac\n", dir, c.abort, c.migrate)
			if err := os.WriteFile(dir+"/virsh", []byte(virsh), 0o755); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("mkfifo", dir+"/end").CombinedOutput(); err != nil {
				t.Fatalf("mkfifo: %v: %s", err, out)
			}
			for _, shell := range [][]string{{"dash"}, {"busybox", "sh"}} {
				transporttest.Installed(t, shell[0])
				cmd := exec.Command(shell[0], append(shell[1:], "-c", migrateScript, "sh", "qemu:///system", "qemu+ssh://b/system", "web", "0")...)
				cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
				out, err := cmd.CombinedOutput()
				if string(out) != c.want || (err != nil) != (c.want != "") {
					t.Errorf("%s: %v, %q, want %q", shell[0], err, out, c.want)
				}
			}
		})
	}
}

func TestMigrateMistakes(t *testing.T) {
	with := func(more ...any) []any { return append([]any{"domain", "web", "dest", "hv2"}, more...) }
	refuses(t, Migrate, []mistake{
		{`missing required argument "dest"`, []any{"domain", "web"}},
		{"domain names none", []any{"domain", value.NewList(), "dest", "hv2"}},
		{"dest names no host", []any{"domain", "web", "dest", " "}},
		{`name "a;b" is an odd one`, []any{"domain", "a;b", "dest", "hv2"}},
		{`name "-x" begins with -`, with("dname", "-x")},
		{"domain web is named twice", []any{"domain", "web,db,web", "dest", "hv2"}},
		{"dname is for one domain", []any{"domain", "web,db", "dest", "hv2", "dname", "x"}},
		{`argument "mode" must be one of`, with("mode", "cold")},
		{"copy_storage is not for mode: offline, which moves the definition alone", with("mode", "offline", "copy_storage", "all")},
		{"persistent: false is not for mode: offline", with("mode", "offline", "persistent", false)},
		{"dest_uri is not for mode: offline", with("mode", "offline", "dest_uri", "qemu+ssh://hv2/system")},
		{"transport: tunnelled cannot copy storage", with("transport", "tunnelled", "copy_storage", "inc")},
		{"transport: tunnelled has no connection of its own", with("transport", "tunnelled", "tls", true)},
		{"bandwidth must not be negative", with("bandwidth", -1)},
		{"parallel must not be negative", with("parallel", -1)},
		{"timeout must be a second or more", with("timeout", "0s")},
		{"converge: timeout_action: postcopy needs postcopy: true", with("converge", value.NewDict("timeout", "30s", "timeout_action", "postcopy"))},
		{"must not begin with -", with("migrate_uri", "--unsafe")},
		{"must be a URI of libvirt", with("dest_uri", "-c evil")},
		{"dest_uri must not hold a password", with("dest_uri", "qemu+ssh://root:secret@hv2/system")},
	})
}
