package transporttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hostlerhq/hostler/transport"
)

func (h host) put(ctx context.Context, path, data string, opts transport.PutOptions) {
	h.t.Helper()
	if err := h.Put(ctx, path, strings.NewReader(data), opts); err != nil {
		h.t.Errorf("put: %v", err)
	}
}

func (h host) holds(ctx context.Context, path, data string) {
	h.t.Helper()
	r, err := h.Get(ctx, path)
	if err != nil {
		h.t.Errorf("get: %v", err)
		return
	}
	got, err := io.ReadAll(r)
	if closeErr := r.Close(); err != nil || closeErr != nil {
		h.t.Errorf("get: %v, %v", err, closeErr)
	}
	if string(got) != data {
		h.t.Errorf("%s holds %d bytes %.80q, want %d bytes %.80q", path, len(got), got, len(data), data)
	}
}

// empty checks that a folder has exactly these files, hidden ones counted.
func (h host) lists(ctx context.Context, dir, want string) {
	h.t.Helper()
	if got := h.sh(ctx, `ls -A -- "$1"`, dir); got != want {
		h.t.Errorf("%s has %q, want %q", dir, got, want)
	}
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(data)
	return data
}

func fileTests() []suiteTest {
	return []suiteTest{
		{"put and get", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			for i, data := range []string{"", "x", "line\n", string(everyByte()), string(randomBytes(32 << 10)), string(randomBytes(32<<10 + 1)), string(randomBytes(300 << 10))} {
				path := fmt.Sprintf("%s/f%d", dir, i)
				h.put(ctx, path, data, transport.PutOptions{})
				h.holds(ctx, path, data)
				h.put(ctx, path, data+"!", transport.PutOptions{Size: int64(len(data) + 1)})
				h.holds(ctx, path, data+"!")
			}
		}},
		{"odd names", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			for _, name := range []string{"a b", "it's", "-rf", "new\nline", "end\n", "é", "\xff\x85", "$HOME", "%s", "*", `back\slash`} {
				h.put(ctx, dir+"/"+name, name, transport.PutOptions{Validate: "grep -q . %s"})
				h.holds(ctx, dir+"/"+name, name)
			}
		}},
		{"modes", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			mode := func(path string) string { return strings.TrimSpace(h.sh(ctx, `stat -c %a -- "$1"`, path)) }
			h.put(ctx, dir+"/a", "1", transport.PutOptions{Mode: 0o750 | fs.ModeSetgid, HasMode: true})
			if got := mode(dir + "/a"); got != "2750" {
				t.Errorf("given: %s", got)
			}
			h.put(ctx, dir+"/a", "2", transport.PutOptions{})
			if got := mode(dir + "/a"); got != "2750" {
				t.Errorf("kept: %s", got)
			}
			h.put(ctx, dir+"/a", "3", transport.PutOptions{HasMode: true})
			if got := mode(dir + "/a"); got != "0" {
				t.Errorf("no permissions: %s", got)
			}
			want := strings.TrimSpace(h.sh(ctx, `: >"$1"; stat -c %a -- "$1"`, dir+"/made"))
			h.put(ctx, dir+"/b", "1", transport.PutOptions{})
			if got := mode(dir + "/b"); got != want {
				t.Errorf("new: %s, want %s", got, want)
			}
		}},
		{"owner", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			who := strings.Fields(h.sh(ctx, "id -un; id -gn; id -u"))
			h.put(ctx, dir+"/a", "1", transport.PutOptions{Owner: who[0], Group: who[1]})
			h.put(ctx, dir+"/a", "1", transport.PutOptions{Group: who[1]})
			if got := strings.Fields(h.sh(ctx, `stat -c '%U %G' -- "$1"`, dir+"/a")); got[0] != who[0] || got[1] != who[1] {
				t.Errorf("%q", got)
			}
			if err := h.Put(ctx, dir+"/a", strings.NewReader("2"), transport.PutOptions{Owner: "no-such-user"}); err == nil || !strings.Contains(err.Error(), "no-such-user") {
				t.Error(err)
			}
			h.holds(ctx, dir+"/a", "1")
			if who[2] != "0" {
				return
			}
			h.sh(ctx, `chown 12345:23456 "$1"`, dir+"/a")
			h.put(ctx, dir+"/a", "3", transport.PutOptions{})
			if got := h.sh(ctx, `stat -c '%u %g' -- "$1"`, dir+"/a"); got != "12345 23456\n" {
				t.Errorf("kept: %q", got)
			}
		}},
		{"symbolic link", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			h.sh(ctx, `cd -- "$1" && mkdir d && echo old >d/real && ln -s d/real link && ln -s d/new dangling`, dir)
			h.put(ctx, dir+"/link", "new", transport.PutOptions{})
			h.holds(ctx, dir+"/d/real", "new")
			h.put(ctx, dir+"/dangling", "made", transport.PutOptions{})
			h.holds(ctx, dir+"/d/new", "made")
			if got := h.sh(ctx, `cd -- "$1"; readlink link; readlink dangling`, dir); got != "d/real\nd/new\n" {
				t.Errorf("links now: %q", got)
			}
		}},
		{"refused places", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			h.sh(ctx, `mkdir -- "$1/d"`, dir)
			for path, want := range map[string]error{dir + "/missing/f": fs.ErrNotExist, dir + "/d": syscall.EISDIR} {
				for _, size := range []int{1, 100 << 10} {
					err := h.Put(ctx, path, bytes.NewReader(randomBytes(size)), transport.PutOptions{})
					if !errors.Is(err, want) {
						t.Errorf("put %s: %v, want %v", path, err, want)
					}
				}
				if _, err := h.Get(ctx, path); !errors.Is(err, want) {
					t.Errorf("get %s: %v, want %v", path, err, want)
				}
			}
			h.lists(ctx, dir, "d\n")
		}},
		{"only if unchanged", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			path := dir + "/f"
			sum := sha256.Sum256([]byte("one"))
			h.put(ctx, path, "one", transport.PutOptions{IfHash: "absent"})
			if err := h.Put(ctx, path, strings.NewReader("two"), transport.PutOptions{IfHash: "absent"}); !errors.Is(err, transport.ErrChanged) {
				t.Error(err)
			}
			h.put(ctx, path, "two", transport.PutOptions{IfHash: hex.EncodeToString(sum[:])})
			if err := h.Put(ctx, path, strings.NewReader("three"), transport.PutOptions{IfHash: hex.EncodeToString(sum[:])}); !errors.Is(err, transport.ErrChanged) {
				t.Error(err)
			}
			h.holds(ctx, path, "two")
			h.lists(ctx, dir, "f\n")
		}},
		{"validation", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			path := dir + "/f"
			h.put(ctx, path, "good", transport.PutOptions{Validate: "grep -q 'good' %s"})
			err := h.Put(ctx, path, strings.NewReader("bad"), transport.PutOptions{Validate: `sh -c 'echo "no, $0" >&2; exit 9' %s`})
			invalid, ok := errors.AsType[*transport.InvalidError](err)
			if !ok || invalid.Status != 9 || !strings.Contains(string(invalid.Output), "no, "+dir) {
				t.Errorf("%+v", err)
			}
			if err := h.Put(ctx, path, strings.NewReader("bad"), transport.PutOptions{Validate: "true"}); err == nil {
				t.Error("a check that names no file was accepted")
			}
			h.holds(ctx, path, "good")
			h.lists(ctx, dir, "f\n")
		}},
		{"disk full", func(ctx context.Context, t *testing.T, h host) {
			if err := h.Put(ctx, "/dev/full/x", strings.NewReader("x"), transport.PutOptions{}); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		}},
		{"large", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			data := randomBytes(int(80 << 20 / h.divisor)) // more than is verified, or less
			var last int64
			for _, size := range []int64{0, int64(len(data))} {
				err := h.Put(ctx, dir+"/f", bytes.NewReader(data), transport.PutOptions{Size: size, Progress: func(sent int64) { last = sent }})
				if err != nil {
					t.Fatal(err)
				}
				if last != int64(len(data)) {
					t.Errorf("progress ended at %d", last)
				}
			}
			r, err := h.Get(ctx, dir+"/f")
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.New()
			if n, err := io.Copy(sum, r); err != nil || n != int64(len(data)) || [32]byte(sum.Sum(nil)) != sha256.Sum256(data) {
				t.Errorf("%d bytes, %v", n, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if r, err = h.Get(ctx, dir+"/f"); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil { // unread
				t.Error(err)
			}
		}},
		{"wrong size", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			h.put(ctx, dir+"/f", "old", transport.PutOptions{})
			for _, n := range []int{10, 100 << 10} {
				for _, off := range []int64{-1, 1} {
					if err := h.Put(ctx, dir+"/f", bytes.NewReader(randomBytes(n)), transport.PutOptions{Size: int64(n) + off}); err == nil {
						t.Errorf("%d bytes passed for %d", n, int64(n)+off)
					}
				}
			}
			h.holds(ctx, dir+"/f", "old")
			h.lists(ctx, dir, "f\n")
		}},
		{"cut upload", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			h.put(ctx, dir+"/f", "old", transport.PutOptions{})
			cancelled, cancel := context.WithCancel(ctx)
			content := io.MultiReader(bytes.NewReader(randomBytes(1<<20)), readerFunc(func([]byte) (int, error) {
				cancel()
				<-cancelled.Done()
				return 0, cancelled.Err()
			}))
			if err := h.Put(cancelled, dir+"/f", content, transport.PutOptions{Size: 2 << 20}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			h.settled(ctx, dir, "f\n")
			h.holds(ctx, dir+"/f", "old")
		}},
		{"sparse", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			full := 512 << 20 / h.divisor
			for i, extents := range [][]int64{{}, {0}, {full / 8}, {full - 100}, {0, full / 4, full - 1<<20 + 5}} {
				local, size := sparseFile(t, full, extents)
				path := fmt.Sprintf("%s/f%d", dir, i)
				f, err := os.Open(local)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.Put(ctx, path, f, transport.PutOptions{Sparse: true, Size: size}); err != nil {
					t.Errorf("%v: %v", extents, err)
				}
				_ = f.Close()
				got := strings.Fields(h.sh(ctx, `stat -c '%s %b' -- "$1"`, path))
				var bytesThere, blocks int64
				if _, err := fmt.Sscan(strings.Join(got, " "), &bytesThere, &blocks); err != nil || bytesThere != size || blocks*512 > int64(len(extents))*3<<20 {
					t.Errorf("%v: size and blocks %q, want %d bytes", extents, got, size)
				}
				for _, at := range extents {
					if got := h.sh(ctx, `tail -c +$2 -- "$1" | head -c 11`, path, fmt.Sprint(at+1)); got != "some data\n\x00" && got != "some data\n" {
						t.Errorf("%v: at %d: %q", extents, at, got)
					}
				}
			}
		}},
		{"files at once", func(ctx context.Context, t *testing.T, h host) {
			dir := h.folder(ctx)
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					path, data := fmt.Sprintf("%s/%d", dir, i), strings.Repeat(fmt.Sprintf("%d ", i), 1<<(2*i))
					h.put(ctx, path, data, transport.PutOptions{})
					h.holds(ctx, path, data)
				})
			}
			group.Wait()
		}},
	}
}

// settled waits a little for a folder to be cleaned up by a process that was just killed.
func (h host) settled(ctx context.Context, dir, want string) {
	h.t.Helper()
	for range 30 {
		if h.sh(ctx, `ls -A -- "$1"; sleep 0.1`, dir) == want {
			return
		}
	}
	h.lists(ctx, dir, want)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// sparseFile makes a file with a little data at each place.
func sparseFile(t *testing.T, size int64, extents []int64) (path string, _ int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, at := range extents {
		if _, err := f.WriteAt([]byte("some data\n"), at); err != nil {
			t.Fatal(err)
		}
	}
	return path, size
}
