package images

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// counted is a connection that counts round trips. With busybox set, all runs by what is in that folder alone.
type counted struct {
	transport.Conn
	trips   int
	busybox string
}

func (c *counted) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	c.trips++
	if c.busybox != "" {
		argv := cmd.Argv
		if cmd.Script != "" {
			script := strings.ReplaceAll(cmd.Script, "PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin", "")
			argv = append([]string{c.busybox + "/sh", "-c", script, "sh"}, cmd.Args...)
		}
		cmd.Script, cmd.Args, cmd.Argv = "", nil, append([]string{"env", "PATH=" + c.busybox}, argv...)
	}
	return c.Conn.Exec(ctx, cmd)
}

func (c *counted) Put(ctx context.Context, path string, r io.Reader, o transport.PutOptions) error {
	c.trips++
	return c.Conn.Put(ctx, path, r, o)
}

// bench is this machine as a host with a folder for images, and a site to fetch them from.
type bench struct {
	*testing.T
	site *moduletest.Site
	conn *counted
	dir  string
	env  map[string]string
}

func newBench(t *testing.T, overTLS bool) *bench {
	t.Helper()
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "here", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, site: moduletest.NewSite(t, overTLS), conn: &counted{Conn: conn}, dir: t.TempDir()}
	b.env = map[string]string{"XDG_STATE_HOME": t.TempDir(), "XDG_CACHE_HOME": t.TempDir()}
	return b
}

// run runs a module with arguments in turns of key and value.
func (b *bench) run(m *modules.Module, check bool, pairs ...any) modules.Result {
	b.Helper()
	b.conn.trips = 0
	pairs = append([]any{"uri", "test:///default"}, pairs...) // a libvirt without a daemon
	r, err := m.Run(b.Context(), modules.NewHost(modules.HostOptions{Name: "here", Conn: b.conn, Env: b.env, Check: check}), value.NewDict(pairs...))
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// want runs cloud_image into the folder and compares what became of it.
func (b *bench) want(what string, changed bool, volume string, pairs ...any) modules.Result {
	b.Helper()
	checked := b.run(CloudImage, true, append(pairs, "dest", b.dir)...)
	if checked.Failed || checked.Changed != changed {
		b.Errorf("%s, in check mode: changed %v, failed %v: %s", what, checked.Changed, checked.Failed, checked.Msg)
	}
	r := b.run(CloudImage, false, append(pairs, "dest", b.dir)...)
	if r.Failed || r.Changed != changed || r.Data.Str("volume") != volume {
		b.Errorf("%s: changed %v, failed %v, volume %q, want %v and %q: %s", what, r.Changed, r.Failed, r.Data.Str("volume"), changed, volume, r.Msg)
	}
	b.only(what)
	return r
}

// only wants nothing in the folder but images.
func (b *bench) only(what string) {
	b.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			b.Errorf("%s: %s is left", what, e.Name())
		}
	}
}

func (b *bench) refused(what, want string, pairs ...any) {
	b.Helper()
	r := b.run(CloudImage, false, append(pairs, "dest", b.dir)...)
	if !r.Failed || !strings.Contains(r.Msg, want) {
		b.Errorf("%s: failed %v, message %q, want %q", what, r.Failed, r.Msg, want)
	}
	b.only(what)
}

// image makes a qcow2 with some data in it.
func image(t *testing.T, data string, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	raw, file := filepath.Join(dir, "raw"), filepath.Join(dir, "image")
	if err := os.WriteFile(raw, append(bytes.Repeat([]byte{0}, 2<<20), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(args) == 0 {
		args = []string{"convert", "-f", "raw", "-O", "qcow2", raw, file}
	} else {
		args = append(args, file, "8M")
	}
	if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v: %s", err, out)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func packed(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func needQemuImg(t *testing.T) {
	t.Helper()
	transporttest.Installed(t, "qemu-img")
}

// busybox makes the host one that has nothing but busybox and qemu-img.
func (b *bench) busybox() {
	b.Helper()
	transporttest.Installed(b.T, "busybox")
	dir := b.TempDir()
	list, err := exec.Command("busybox", "--list").Output()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range append(strings.Fields(string(list)), "qemu-img") {
		program := "busybox"
		if name == "qemu-img" {
			program = name
		}
		path, err := exec.LookPath(program)
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, name))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.conn.busybox = dir
}

func TestCloudImage(t *testing.T) {
	needQemuImg(t)
	t.Run("usual", func(t *testing.T) { cloudImage(t, newBench(t, false)) })
	t.Run("busybox", func(t *testing.T) {
		b := newBench(t, false)
		b.busybox()
		cloudImage(t, b)
	})
}

func cloudImage(t *testing.T, b *bench) {
	t.Helper()
	content := image(t, "one")
	sum := digest(content)
	b.site.Serve("/debian.qcow2", content)
	args := []any{"url", b.site.URL + "/debian.qcow2", "checksum", "sha256:" + sum}
	r := b.want("new", true, "debian-"+sum[:12]+".qcow2", args...)
	if b.conn.trips != 3 {
		t.Errorf("new: %d round trips, want 3", b.conn.trips)
	}
	if size, _ := r.Data.Get("virtual_size"); size != 2<<20+512 {
		t.Errorf("virtual_size is %v", size)
	}
	stat, err := os.Stat(r.Data.Str("path"))
	if err != nil || stat.Mode().Perm() != 0o444 {
		t.Errorf("%v: mode %v", err, stat.Mode())
	}
	asked := b.site.Count()
	b.want("again", false, "debian-"+sum[:12]+".qcow2", args...)
	if b.conn.trips != 1 || b.site.Count() != asked {
		t.Errorf("again: %d round trips, want 1; %d requests, want none", b.conn.trips, b.site.Count()-asked)
	}
	if err := os.Chmod(r.Data.Str("path"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.want("mode", true, "debian-"+sum[:12]+".qcow2", args...)
	b.want("converted", true, "debian-"+sum[:12]+"-plain.qcow2", append(args, "convert", true)...)
	b.want("converted again", false, "debian-"+sum[:12]+"-plain.qcow2", append(args, "convert", true)...)
	if err := os.Chmod(r.Data.Str("path"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.Data.Str("path"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.refused("altered", "was altered since it was fetched: its SHA-256 is "+digest([]byte("other"))+", not "+sum, args...)
}

// TestCloudImageVersions shows what becomes of a file that changes upstream, and of its older versions.
func TestCloudImageVersions(t *testing.T) {
	needQemuImg(t)
	b := newBench(t, true)
	var names []string
	for n := range 3 {
		content := image(t, fmt.Sprint(n))
		names = append(names, "base-"+digest(content)[:12]+".qcow2")
		b.site.Serve("/latest.qcow2", content)
		b.site.Serve("/SHA256SUMS", fmt.Appendf(nil, "%064d *other.qcow2\n%s *latest.qcow2\n", 0, digest(content)))
		b.site.Serve("/CHECKSUM", fmt.Appendf(nil, "# latest.qcow2: %d bytes\nSHA256 (latest.qcow2) = %s\n", len(content), digest(content)))
		list := "/SHA256SUMS"
		if n == 1 {
			list = "/CHECKSUM"
		}
		args := []any{"name", "base", "url", b.site.URL + "/latest.qcow2", "checksum", "sha256:" + b.site.URL + list, "ca_path", b.site.CA, "keep", 1}
		if n == 2 {
			b.want("not refreshed", false, names[0], args...)
			overlay(t, filepath.Join(b.dir, names[0]), filepath.Join(b.dir, "vm.qcow2"))
		}
		b.want(fmt.Sprint("version ", n), true, names[n], append(args, "refresh", "if_newer")...)
		b.want(fmt.Sprint("version again ", n), false, names[n], append(args, "refresh", "if_newer")...)
	}
	for _, name := range names { // the first is used, the second kept
		if _, err := os.Stat(filepath.Join(b.dir, name)); err != nil {
			t.Error(err)
		}
	}
	args := []any{"name", "base", "url", b.site.URL + "/latest.qcow2", "checksum", "sha256:" + b.site.URL + "/SHA256SUMS", "ca_path", b.site.CA, "keep", 0}
	r := b.want("libvirt is down", false, names[2], append(args, "uri", "qemu+unix:///system?socket="+t.TempDir()+"/none")...)
	if got := fmt.Sprint(r.Data.Get("warnings")); !strings.Contains(got, "the older versions of base stay: libvirt does not tell who uses them") {
		t.Errorf("warnings: %s", got)
	}
	b.want("keep none", true, names[2], args...)
	if _, err := os.Stat(filepath.Join(b.dir, names[1])); !os.IsNotExist(err) {
		t.Errorf("the second version: %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, names[0])); err != nil {
		t.Errorf("the version that is used: %v", err)
	}
}

// overlay makes a disk that stands on an image.
func overlay(t *testing.T, image, disk string) {
	t.Helper()
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "qcow2", disk).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v: %s", err, out)
	}
}

// TestCloudImageUsers shows that a version stays that a volume of another pool, or a domain by another path to the folder, stands on.
func TestCloudImageUsers(t *testing.T) {
	needQemuImg(t)
	b := newBench(t, true)
	bin, other, link := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(b.dir, link); err != nil {
		t.Fatal(err)
	}
	virsh := `#!/bin/sh
case "$*" in
*" list --all --name") echo guest ;;
*" dumpxml --inactive guest") echo "<source file='` + link + `/disk&amp;.qcow2'/>" ;;
*" pool-list --name") echo other ;;
*" pool-dumpxml other") echo "  <path>` + other + `</path>" ;;
esac
`
	if err := os.WriteFile(filepath.Join(bin, "virsh"), []byte(virsh), 0o755); err != nil {
		t.Fatal(err)
	}
	b.env["PATH"] = bin + ":" + os.Getenv("PATH")
	var names []string
	args := []any{"name", "base", "url", b.site.URL + "/x.qcow2", "ca_path", b.site.CA}
	for n := range 4 {
		content := image(t, fmt.Sprint(n))
		names = append(names, "base-"+digest(content)[:12]+".qcow2")
		b.site.Serve("/x.qcow2", content)
		b.want(fmt.Sprint("version ", n), true, names[n], append(args, "checksum", "sha256:"+digest(content), "keep", 9)...)
	}
	overlay(t, filepath.Join(b.dir, names[0]), filepath.Join(other, "volume.qcow2"))
	overlay(t, filepath.Join(link, names[1]), filepath.Join(b.dir, "disk&.qcow2"))
	r := b.run(CloudImage, false, append(args, "dest", b.dir, "checksum", "sha256:"+digest(image(t, "3")), "keep", 0)...)
	if got := fmt.Sprint(r.Data.Get("removed")); r.Failed || !strings.Contains(got, names[2]) || strings.Contains(got, names[0]) || strings.Contains(got, names[1]) {
		t.Errorf("of %v removed: %s: %s", names, got, r.Msg)
	}
}

func TestCloudImageUnverified(t *testing.T) {
	needQemuImg(t)
	b := newBench(t, true)
	one, two := image(t, "one"), image(t, "two")
	args := []any{"url", b.site.URL + "/x.qcow2", "accept_unverified", true, "ca_path", b.site.CA}
	b.site.Serve("/x.qcow2", one)
	name := "x-" + digest(one)[:12] + ".qcow2"
	b.run(CloudImage, false, append(args, "dest", b.dir)...)
	b.want("again", false, name, args...)
	b.want("not newer", false, name, append(args, "refresh", "if_newer")...)
	b.site.Serve("/x.qcow2", two)
	r := b.run(CloudImage, false, append(args, "dest", b.dir, "refresh", "if_newer")...)
	if want := "x-" + digest(two)[:12] + ".qcow2"; r.Data.Str("volume") != want || !r.Changed {
		t.Errorf("newer: %q, want %q: %s", r.Data.Str("volume"), want, r.Msg)
	}
	plain := moduletest.NewSite(t, false)
	plain.Serve("/x.qcow2", one)
	b.site.To = plain.URL + "/x.qcow2"
	b.refused("led to http", "anybody on the way could alter it: give a checksum", "url", b.site.URL+"/elsewhere", "name", "y", "accept_unverified", true, "ca_path", b.site.CA)
}

// TestCloudImageCut shows that a download goes on where it was cut, in this run and the next.
func TestCloudImageCut(t *testing.T) {
	needQemuImg(t)
	t.Run("usual", func(t *testing.T) { cloudImageCut(t, newBench(t, false)) })
	t.Run("busybox", func(t *testing.T) {
		b := newBench(t, false)
		b.busybox()
		cloudImageCut(t, b)
	})
}

func cloudImageCut(t *testing.T, b *bench) {
	t.Helper()
	content := image(t, strings.Repeat("data ", 100000))
	sum := digest(content)
	b.site.Serve("/cut.qcow2", content)
	args := []any{"url", b.site.URL + "/cut.qcow2", "checksum", "sha256:" + sum, "dest", b.dir}
	b.site.Cut(100)
	r := b.run(CloudImage, false, args...)
	if !r.Failed || !strings.HasPrefix(r.Msg, "download "+b.site.URL+"/cut.qcow2: ") {
		t.Fatalf("cut: failed %v: %s", r.Failed, r.Msg)
	}
	part, err := os.Stat(filepath.Join(b.dir, ".hostler-image."+sum[:32]))
	if err != nil || part.Size() < int64(len(content)/2) {
		t.Fatalf("the part: %v, %v", part, err)
	}
	b.site.Cut(0)
	if r = b.run(CloudImage, false, args...); r.Failed || r.Data.Str("volume") != "cut-"+sum[:12]+".qcow2" {
		t.Fatalf("after the cut: %s", r.Msg)
	}
	if got := b.site.Last().Header.Get("Range"); got != fmt.Sprintf("bytes=%d-", part.Size()) && b.conn.busybox == "" {
		t.Errorf("the next run asked for %q, want from %d", got, part.Size())
	}
	b.only("cut")
}

func TestCloudImageRefuses(t *testing.T) {
	needQemuImg(t)
	b := newBench(t, false)
	serve := func(path string, content []byte) []any {
		b.site.Serve(path, content)
		return []any{"url", b.site.URL + path, "checksum", "sha256:" + digest(content)}
	}
	good := image(t, "good")
	b.refused("other digest", "its checksum is "+digest(good)+", not "+strings.Repeat("0", 64), append(serve("/a.qcow2", good)[:2], "checksum", "sha256:"+strings.Repeat("0", 64))...)
	b.refused("web page", `is no image but a page of the server's: it begins with "<!DOCTYPE html>`, serve("/b.qcow2", []byte("\n <!DOCTYPE html><html><body>Sign in</body></html>"))...)
	b.refused("text", `is no image: it has 5 bytes of no known format ("Sorry")`, serve("/c.qcow2", []byte("Sorry"))...)
	b.refused("backing file", "has a backing file in it (/etc/passwd): with that it would show the guest a file of the host",
		serve("/d.qcow2", image(t, "", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw"))...)
	b.refused("data file", "keeps its data in another file (", serve("/e.qcow2", image(t, "", "create", "-q", "-f", "qcow2", "-o", "data_file="+filepath.Join(t.TempDir(), "data")))...)
	// Its data would lie in a file beside it.
	b.refused("flat vmdk", "is no image: qemu-img: Could not open", serve("/f.vmdk", image(t, "", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat"))...)
	b.refused("other format", "is of format qcow2, not raw", append(serve("/g.qcow2", good), "format", "raw")...)
	b.refused("broken", "cannot be unpacked: gzip: ", serve("/h.qcow2.gz", packed(t, good)[:200])...)
	b.refused("missing", "HTTP Error 404: Not Found", "url", b.site.URL+"/none", "checksum", "sha256:"+digest(good))
	b.refused("not in the list", "does not name a.qcow2", "url", b.site.URL+"/a.qcow2", "checksum", "sha256:file:///dev/null")
	if r := b.run(CloudImage, true, append(serve("/i.qcow2", good), "dest", b.dir, "url", b.site.URL+"/none")...); !r.Failed {
		t.Error("check mode does not see that there is nothing to download")
	}
	if r := b.run(CloudImage, false, append(serve("/i.qcow2", good), "dest", b.dir+"/none")...); !strings.Contains(r.Msg, "the folder "+b.dir+"/none is not there") {
		t.Errorf("no folder: %s", r.Msg)
	}
}

// TestCloudImageUnpacks shows what is unpacked, by this machine's own programs.
func TestCloudImageUnpacks(t *testing.T) {
	needQemuImg(t)
	t.Run("usual", func(t *testing.T) { cloudImageUnpacks(t, newBench(t, false), "") })
	t.Run("busybox", func(t *testing.T) {
		b := newBench(t, false)
		b.busybox()
		cloudImageUnpacks(t, b, "zstd")
	})
}

func cloudImageUnpacks(t *testing.T, b *bench, lacks string) {
	t.Helper()
	content := image(t, "packed")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "box.img"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"metadata.json", "a.qcow2", "b.qcow2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tools := map[string][]string{
		"gzip": {"gzip", "-k", "-c", "box.img"}, "xz": {"xz", "-0", "-k", "-c", "box.img"}, "zstd": {"zstd", "-q", "-c", "box.img"},
		"bzip2": {"bzip2", "-k", "-c", "box.img"}, "zip": {"zip", "-q", "-", "box.img", "metadata.json"}, "tar": {"tar", "-c", "metadata.json", "box.img"},
		"box": {"tar", "-cz", "metadata.json", "box.img"},
	}
	for name, argv := range tools {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Logf("%s is not here: %v", name, err)
			continue
		}
		b.site.Serve("/"+name, out)
		if name == lacks {
			b.refused(name, "is packed, and the host has no program "+lacks+" to unpack it", "url", b.site.URL+"/"+name, "checksum", "sha256:"+digest(out))
			continue
		}
		r := b.want(name, true, name+"-"+digest(out)[:12]+".qcow2", "url", b.site.URL+"/"+name, "checksum", "sha256:"+digest(out))
		if got, err := os.ReadFile(r.Data.Str("path")); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, want %d: %v", name, len(got), len(content), err)
		}
	}
	for what, c := range map[string]struct {
		want  string
		files []string
	}{
		"none": {"is an archive without an image in it: it has metadata.json", []string{"metadata.json"}},
		"two":  {"is an archive with several images in it: member names the one (a.qcow2, b.qcow2)", []string{"a.qcow2", "b.qcow2"}},
	} {
		cmd := exec.Command("tar", append([]string{"-c"}, c.files...)...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		b.site.Serve("/"+what, out)
		b.refused(what, c.want, "url", b.site.URL+"/"+what, "checksum", "sha256:"+digest(out))
	}
}

func TestCloudImageMistakes(t *testing.T) {
	const d = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	const u = "https://a.example/x.qcow2"
	for _, c := range []struct {
		want string
		args []any
	}{
		{"one of dest and pool is needed", []any{"url", u, "checksum", d}},
		{"one of url and src is needed", []any{"pool", "p"}},
		{"checksum is needed, or accept_unverified: true", []any{"pool", "p", "url", u}},
		{"what comes by http needs a checksum", []any{"pool", "p", "url", "http://a.example/x", "accept_unverified", true}},
		{`checksum must be sha256:DIGEST or sha256:URL (or sha384, sha512), not "md5:00"`, []any{"pool", "p", "url", u, "checksum", "md5:00"}},
		{`checksum: sha256 has 64 hexadecimal digits; "00" is none`, []any{"pool", "p", "url", u, "checksum", "sha256:00"}},
		{"a list of checksums must come by https or be signed", []any{"pool", "p", "url", u, "checksum", "sha256:http://a.example/SUMS"}},
		{"signature is that of a list of checksums", []any{"pool", "p", "url", u, "checksum", d, "signature", value.NewDict("keyring", "k")}},
		{"a list of checksums goes with url", []any{"pool", "p", "src", "x.qcow2", "checksum", "sha256:https://a.example/SUMS"}},
		{"via: controller needs a checksum", []any{"pool", "p", "url", u, "accept_unverified", true, "via", "controller"}},
		{`unknown url type: "ftp://a.example/x"`, []any{"pool", "p", "url", "ftp://a.example/x", "checksum", d}},
		{"timeout must be 1 second or more", []any{"pool", "p", "url", u, "checksum", d, "timeout", 0}},
		{"convert does not go with via: peer", []any{"pool", "p", "url", u, "checksum", d, "via", "peer", "convert", true}},
		{"peer_network goes with via: peer", []any{"pool", "p", "url", u, "checksum", d, "peer_network", "10.0.0.0/8"}},
		{`peer_network must be a network such as 10.0.0.0/8, not "ten"`, []any{"pool", "p", "url", u, "checksum", d, "via", "peer", "peer_network", "ten"}},
		{"keep must be 0 or more", []any{"pool", "p", "url", u, "checksum", d, "keep", -1}},
		{`name: name "a/b" has a slash in it`, []any{"pool", "p", "url", u, "checksum", d, "name", "a/b"}},
		{"dest must be absolute: images", []any{"dest", "images", "url", u, "checksum", d}},
	} {
		r, err := CloudImage.Run(t.Context(), modules.NewHost(modules.HostOptions{}), value.NewDict(c.args...))
		if err != nil || !r.Failed || !strings.HasPrefix(r.Msg, c.want) {
			t.Errorf("%v: failed %v, message %q, want %q (%v)", c.args, r.Failed, r.Msg, c.want, err)
		}
	}
}
