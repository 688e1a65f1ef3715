package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestVirtConvertFixtures(t *testing.T) {
	moduletest.Run(t, VirtConvert, "testdata/virt_convert/*.txtar")
}

func TestVirtConvert(t *testing.T) {
	needQemuImg(t)
	t.Run("usual", func(t *testing.T) { virtConvert(t, newBench(t, false)) })
	t.Run("busybox", func(t *testing.T) {
		b := newBench(t, false)
		b.busybox()
		virtConvert(t, b)
	})
}

func virtConvert(t *testing.T, b *bench) {
	t.Helper()
	src, dest := filepath.Join(b.dir, "a.vmdk"), filepath.Join(b.dir, "a.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "vmdk", src, "16M").CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v: %s", err, out)
	}
	step := func(what string, changed bool, pairs ...any) {
		t.Helper()
		pairs = append([]any{"src", src, "src_format", "vmdk", "dest", dest}, pairs...)
		if checked := b.run(VirtConvert, true, pairs...); checked.Failed || checked.Changed != changed {
			t.Errorf("%s, in check mode: changed %v, failed %v: %s", what, checked.Changed, checked.Failed, checked.Msg)
		}
		r := b.run(VirtConvert, false, pairs...)
		if r.Failed || r.Changed != changed || r.Data.Str("path") != dest {
			t.Errorf("%s: changed %v, failed %v, path %s: %s", what, r.Changed, r.Failed, r.Data.Str("path"), r.Msg)
		}
		b.only(what)
	}
	refused := func(what, want string, pairs ...any) {
		t.Helper()
		r := b.run(VirtConvert, false, append([]any{"src", src, "src_format", "vmdk", "dest", dest}, pairs...)...)
		if !r.Failed || !strings.Contains(r.Msg, want) {
			t.Errorf("%s: failed %v, message %q, want %q", what, r.Failed, r.Msg, want)
		}
		b.only(what)
	}
	step("new", true)
	step("again", false)
	if b.conn.trips != 1 {
		t.Errorf("again: %d round trips, want 1", b.conn.trips)
	}
	if out, err := exec.Command("qemu-io", "-f", "qcow2", "-c", "write 0 1M", dest).CombinedOutput(); err != nil {
		t.Fatalf("qemu-io: %v: %s", err, out)
	}
	step("after a guest wrote to it", false)
	refused("other options", "was not made from "+src+" as it is now: force: true replaces it", "cluster_size", "128K")
	step("replaced", true, "cluster_size", "128K", "force", true)
	step("replaced again", false, "cluster_size", "128K", "force", true)
	past := time.Unix(1e9, 0)
	if err := os.Chtimes(src, past, past); err != nil {
		t.Fatal(err)
	}
	refused("other source", "was not made from "+src+" as it is now", "cluster_size", "128K")
	if err := os.Remove(src); err != nil {
		t.Fatal(err)
	}
	step("the source is gone", false, "cluster_size", "128K")
	refused("no source", src+" is not there", "force", true)
	if err := os.WriteFile(src, []byte("no image"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("no image", src+" cannot be read as vmdk: ", "force", true)
	refused("no folder", "the folder "+b.dir+"/none is not there", "dest", b.dir+"/none/a.qcow2")
}

func TestVirtConvertMistakes(t *testing.T) {
	for _, c := range []struct {
		want string
		args []any
	}{
		{"one of src and src_volume is needed", []any{"dest", "/a"}},
		{"one of dest and pool is needed", []any{"src", "/a", "src_format", "raw"}},
		{"src must be the absolute path of an image: a", []any{"src", "a", "src_format", "raw", "dest", "/b"}},
		{"dest must be the absolute path of an image: /b/", []any{"src", "/a", "src_format", "raw", "dest", "/b/"}},
		{"src_format is needed: a raw image can look like anything", []any{"src", "/a", "dest", "/b"}},
		{"name is needed with pool", []any{"src", "/a", "src_format", "raw", "pool", "p"}},
		{"name goes with pool", []any{"src", "/a", "src_format", "raw", "dest", "/b", "name", "n"}},
		{"compress goes with format qcow2 or vmdk, not raw", []any{"src", "/a", "src_format", "vmdk", "dest", "/b", "format", "raw", "compress", true}},
		{"compress does not go with preallocation", []any{"src", "/a", "src_format", "vmdk", "dest", "/b", "preallocation", "full", "compress", true}},
		{"cluster_size must be a power of two from 512 to 2M", []any{"src", "/a", "src_format", "vmdk", "dest", "/b", "cluster_size", "3K"}},
		{"cluster_size goes with format qcow2", []any{"src", "/a", "src_format", "vmdk", "dest", "/b", "cluster_size", "64K", "format", "raw"}},
		{"preallocation: metadata does not go with format raw", []any{"src", "/a", "src_format", "vmdk", "dest", "/b", "format", "raw", "preallocation", "metadata"}},
		{"v2v goes from src to pool and name", []any{"src", "/a", "dest", "/b", "v2v", "ova"}},
		{"with v2v, format (qcow2 or raw) is all that can be said of the images", []any{"src", "/a", "pool", "p", "name", "n", "v2v", "ova", "force", true}},
		{`name: name "-n" begins with -, which programs take for an option`, []any{"src", "/a", "src_format", "raw", "pool", "p", "name", "-n"}},
	} {
		r, err := VirtConvert.Run(t.Context(), modules.NewHost(modules.HostOptions{}), value.NewDict(c.args...))
		if err != nil || !r.Failed || !strings.HasPrefix(r.Msg, c.want) {
			t.Errorf("%v: failed %v, message %q, want %q (%v)", c.args, r.Failed, r.Msg, c.want, err)
		}
	}
}
