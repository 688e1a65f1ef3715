package images

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// play is some hosts on this machine, each with a folder for images and records of its own, that know each other.
type play struct {
	*bench
	names []string
	dirs  map[string]string
	sent  atomic.Int64 // bytes that the controller sent
	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

// sender is the connection to one of them.
type sender struct {
	transport.Conn
	p    *play
	name string
}

func (s sender) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	env := map[string]string{}
	maps.Copy(env, cmd.Env)
	env["XDG_STATE_HOME"] = s.p.dirs[s.name] + ".state"
	cmd.Env = env
	s.p.sent.Add(int64(len(cmd.Stdin)))
	return s.Conn.Exec(ctx, cmd)
}

type meter struct {
	io.Reader
	n *atomic.Int64
}

func (m meter) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	m.n.Add(int64(n))
	return n, err
}

func (s sender) Put(ctx context.Context, path string, r io.Reader, o transport.PutOptions) error {
	return s.Conn.Put(ctx, path, meter{r, &s.p.sent}, o)
}

func (s sender) Close() error { return nil }

// others is what one of them sees of the play.
type others struct {
	*play
	own string
}

func (o others) Play() []string {
	return slices.DeleteFunc(slices.Clone(o.names), func(n string) bool { return n == o.own })
}

func (o others) Open(_ context.Context, name string) (transport.Conn, error) {
	if name == "down" {
		return nil, fmt.Errorf("no route to host")
	}
	return sender{o.conn.Conn, o.play, name}, nil
}

func (o others) Alone(_ context.Context, key string) (func(), error) {
	o.mu.Lock()
	if o.locks == nil {
		o.locks = map[string]*sync.Mutex{}
	}
	if o.locks[key] == nil {
		o.locks[key] = &sync.Mutex{}
	}
	lock := o.locks[key]
	o.mu.Unlock()
	lock.Lock()
	return lock.Unlock, nil
}

// controllerFiles are this machine's.
type controllerFiles struct{ modules.Local }

func (controllerFiles) Find(_, name string) (string, error)        { return name, nil }
func (controllerFiles) Open(name string) (io.ReadCloser, error)    { return os.Open(name) }
func (controllerFiles) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (controllerFiles) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

func newPlay(t *testing.T, n int) *play {
	t.Helper()
	transporttest.Installed(t, "qemu-img", "qemu-nbd")
	p := &play{bench: newBench(t, false), dirs: map[string]string{}, names: []string{"down"}}
	for i := range n {
		name := fmt.Sprint("hv", i)
		p.names = append(p.names, name)
		p.dirs[name] = filepath.Join(p.dir, name)
		if err := os.MkdirAll(p.dirs[name], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// all runs cloud_image on all hosts at once and gives their results.
func (p *play) all(pairs ...any) map[string]modules.Result {
	p.Helper()
	results := map[string]modules.Result{}
	var wait sync.WaitGroup
	for name, dir := range p.dirs {
		wait.Go(func() {
			h := modules.NewHost(modules.HostOptions{Name: name, Conn: sender{p.conn.Conn, p, name}, Local: controllerFiles{}, Peers: others{p, name}})
			r, err := CloudImage.Run(p.Context(), h, value.NewDict(append(slices.Clone(pairs), "dest", dir)...))
			p.mu.Lock()
			defer p.mu.Unlock()
			if err != nil {
				p.Errorf("%s: %v", name, err)
			}
			results[name] = r
		})
	}
	wait.Wait()
	return results
}

// noisy is an image of about a MiB that cannot be packed.
func noisy(t *testing.T) string {
	t.Helper()
	var data strings.Builder
	for n := range 1 << 15 {
		data.WriteString(digest(fmt.Append(nil, n))[:32])
	}
	file := filepath.Join(t.TempDir(), "base.qcow2")
	if err := os.WriteFile(file, image(t, data.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestCloudImagePeers has five hosts pass an image on: the controller sends it once.
func TestCloudImagePeers(t *testing.T) {
	p := newPlay(t, 5)
	file := noisy(t)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	args := []any{"src", file, "via", "peer", "peer_network", "127.0.0.0/8"}
	results := p.all(args...)
	from := map[string]int{}
	for name, r := range results {
		if r.Failed || !r.Changed || len(r.Warnings) > 0 {
			t.Errorf("%s: changed %v, failed %v: %s %q", name, r.Changed, r.Failed, r.Msg, r.Warnings)
			continue
		}
		from[r.Data.Str("from")]++
		if got, err := os.ReadFile(r.Data.Str("path")); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s has %d bytes, want %d: %v", name, len(got), len(content), err)
		}
	}
	if from["controller"] != 1 {
		t.Errorf("they came from %v, want one from the controller", from)
	}
	if sent := p.sent.Load(); sent > int64(len(content))*11/10 {
		t.Errorf("the controller sent %d bytes, want at most 1.1 times %d", sent, len(content))
	}
	for name, r := range p.all(args...) {
		if r.Failed || r.Changed {
			t.Errorf("%s again: changed %v, failed %v: %s", name, r.Changed, r.Failed, r.Msg)
		}
	}
}

// TestCloudImageBrokenOff ends the run while one host copies from another: that one no longer offers the image.
func TestCloudImageBrokenOff(t *testing.T) {
	p := newPlay(t, 2)
	file := noisy(t)
	delete(p.dirs, "hv1")
	if r := p.all("src", file)["hv0"]; r.Failed {
		t.Fatal(r.Msg)
	}
	ctx, quit := context.WithCancel(t.Context())
	defer quit()
	offers := 0
	conn := broken{sender{p.conn.Conn, p, "hv1"}, quit}
	h := modules.NewHost(modules.HostOptions{Name: "hv1", Conn: conn, Local: controllerFiles{}, Peers: watched{others{p, "hv1"}, &offers}})
	if _, err := CloudImage.Run(ctx, h, value.NewDict("src", file, "via", "peer", "peer_network", "127.0.0.0/8", "dest", t.TempDir())); err == nil {
		t.Error("the run was not broken off")
	}
	if offers != 0 {
		t.Errorf("%d offers are left", offers)
	}
}

// broken ends the run when its host is to copy.
type broken struct {
	sender
	quit func()
}

func (b broken) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	if strings.Contains(cmd.Script, "endpoint=client") {
		b.quit()
	}
	return b.sender.Exec(ctx, cmd)
}

// watched counts the offers of the other hosts that are open.
type watched struct {
	others
	offers *int
}

func (w watched) Open(ctx context.Context, name string) (transport.Conn, error) {
	conn, err := w.others.Open(ctx, name)
	return counter{conn, w.offers}, err
}

type counter struct {
	transport.Conn
	offers *int
}

func (c counter) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	out, err := c.Conn.Exec(ctx, cmd)
	switch {
	case err != nil:
	case strings.Contains(cmd.Script, "endpoint=server"):
		*c.offers++
	case strings.Contains(cmd.Script, withdrawScript):
		*c.offers--
	}
	return out, err
}

// TestCloudImageRelay shows what happens where hosts cannot reach each other, and where what one has is not what it says.
func TestCloudImageRelay(t *testing.T) {
	p := newPlay(t, 2)
	file := noisy(t)
	args := []any{"src", file, "via", "peer", "peer_network", "240.0.0.0/8"}
	var relayed int
	for name, r := range p.all(args...) {
		if r.Failed || !r.Changed || len(r.Warnings) > 0 {
			t.Errorf("%s: changed %v, failed %v: %s %q", name, r.Changed, r.Failed, r.Msg, r.Warnings)
		}
		if v, _ := r.Data.Get("relayed"); v == true {
			relayed++
		}
	}
	if relayed != 1 {
		t.Errorf("%d came by way of the controller, want 1", relayed)
	}
	// hv1 has it no longer, and hv0 what looks the same.
	path := func(host string) string {
		found, err := filepath.Glob(filepath.Join(p.dirs[host], "base-*.qcow2"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s has %v: %v", host, found, err)
		}
		return found[0]
	}
	if err := os.Remove(path("hv1")); err != nil {
		t.Fatal(err)
	}
	stat, err := os.Stat(path("hv0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path("hv0"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("hv0"), make([]byte, stat.Size()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path("hv0"), stat.ModTime(), stat.ModTime()); err != nil {
		t.Fatal(err)
	}
	r := p.all(args...)["hv1"]
	if r.Failed || r.Data.Str("from") != "controller" || len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "hv0 does not pass on "+file+": "+file+" is not what was asked for: its checksum is ") {
		t.Errorf("failed %v, from %q, warnings %q: %s", r.Failed, r.Data.Str("from"), r.Warnings, r.Msg)
	}
	p.only("relay")
	// What is unpacked is not what the checksum is of.
	if err := os.WriteFile(file+".gz", packed(t, image(t, "packed")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, r := range p.all("src", file+".gz", "name", "packed", "via", "peer", "peer_network", "127.0.0.0/8") {
		if r.Failed || r.Data.Str("from") != "controller" {
			t.Errorf("%s, packed: failed %v, from %q: %s", name, r.Failed, r.Data.Str("from"), r.Msg)
		}
	}
}

// An offer that nobody withdraws ends by itself, and takes its key along.
func TestOfferEnds(t *testing.T) {
	transporttest.Installed(t, "qemu-nbd")
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "say() { printf '@@%s %d 0\\n%s\\n' \"$1\" ${#2} \"$2\"; }\n"+offerScript, "sh", file)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.Stdin = strings.NewReader("hostler:" + strings.Repeat("0", 64) + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	at := modules.ParseReport(out).Text("at")
	pid, err := os.ReadFile(filepath.Join(at, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("kill", strings.TrimSpace(string(pid))).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if _, err := os.Stat(at); os.IsNotExist(err) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("the key stays")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
