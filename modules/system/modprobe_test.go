package system

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestModprobe(t *testing.T) { moduletest.Run(t, Modprobe, "testdata/modprobe/*.txtar") }

func TestModprobeLooks(t *testing.T) {
	dir := t.TempDir()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(dir, strings.TrimSpace(string(release)))
	list := filepath.Join(dir, "modules")
	if err := errors.Join(os.Mkdir(built, 0o755),
		os.WriteFile(filepath.Join(built, "modules.builtin"), []byte("kernel/drivers/block/nbd-x.ko\n"), 0o600),
		os.WriteFile(list, []byte("kvm_intel 397312 0 - Live 0x0\nkvm 1146880 1 kvm_intel, Live 0x0\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	h := modules.NewHost(modules.HostOptions{Conn: openLocal(t)})
	for name, want := range map[string]bool{"kvm": true, "kvm-intel": true, "kvm_intel": true, "nbd_x": true, "intel": false, "nbd": false} {
		r, err := h.Probe(t.Context(), modprobeScript, name, list, dir)
		if err != nil || r.Has("loaded") != want {
			t.Errorf("%s: loaded %v, %v; want %v", name, r.Has("loaded"), err, want)
		}
	}
	r, err := Modprobe.Run(t.Context(), h, value.NewDict("name", "-r"))
	if err != nil || !r.Failed {
		t.Errorf("a name that is none: failed %v, %v", r.Failed, err)
	}
}
