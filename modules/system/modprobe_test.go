package system

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
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

// TestModprobeBoot tells what the files of the next boot come to.
func TestModprobeBoot(t *testing.T) {
	folders := [2]string{"/load", "/opt"}
	files := []bootFile{
		{"/load/a.conf", "# x\nnbd # images\nkvm\n"},
		{"/opt/a.conf", "options nbd max_part=8 nbds_max=4\noptions other max_part=1\nalias nbd off\n"},
	}
	for _, c := range []struct {
		what, name, params, persistent string
		want                           []bootFile
	}{
		{"all there", "nbd", "nbds_max=4 max_part=8", "present", nil},
		{"as written otherwise", "n-b-d", "", "absent", nil},
		{"other parameters", "nbd", "max_part=4", "present", []bootFile{
			{"/opt/a.conf", "#options nbd max_part=8 nbds_max=4\noptions other max_part=1\nalias nbd off\n"},
			{"/opt/nbd.conf", "options nbd max_part=4\n"},
		}},
		{"no parameters", "nbd", "", "present", []bootFile{
			{"/opt/a.conf", "#options nbd max_part=8 nbds_max=4\noptions other max_part=1\nalias nbd off\n"},
		}},
		{"new", "kvm-intel", `nested=1 x="a b"`, "present", []bootFile{
			{"/load/kvm-intel.conf", "kvm-intel\n"}, {"/opt/kvm-intel.conf", "options kvm-intel nested=1\noptions kvm-intel x=\"a b\"\n"},
		}},
		{"not any more", "nbd", "", "absent", []bootFile{
			{"/load/a.conf", "# x\n#nbd # images\nkvm\n"},
			{"/opt/a.conf", "#options nbd max_part=8 nbds_max=4\noptions other max_part=1\nalias nbd off\n"},
		}},
	} {
		a := ModprobeArgs{Name: c.name, Params: c.params, Persistent: modprobeLater(c.persistent)}
		got, err := a.boot(files, folders)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.what, got, err, c.want)
		}
		// What came of it must satisfy.
		then := slices.Clone(files)
		for _, f := range got {
			then = append(slices.DeleteFunc(then, func(old bootFile) bool { return old.path == f.path }), f)
		}
		if again, err := a.boot(then, folders); err != nil || len(again) > 0 {
			t.Errorf("%s, again: %q, %v", c.what, again, err)
		}
	}
}
