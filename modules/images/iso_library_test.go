package images

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/cloudinit"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// disc is an ISO image with some text on it.
func disc(t *testing.T, text string) []byte {
	t.Helper()
	s := cloudinit.Seed{User: cloudinit.File{Name: "user_data", Text: "#!/bin/sh\n" + text}}
	s, err := s.Identify("i-1")
	if err != nil {
		t.Fatal(err)
	}
	content, err := s.Image("cidata")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// library runs iso_library, in check mode first, and compares its lists.
func (b *bench) library(what string, changed bool, lists string, pairs ...any) {
	b.Helper()
	pairs = append(pairs, "dest", b.dir)
	if checked := b.run(ISOLibrary, true, pairs...); checked.Failed || checked.Changed != changed {
		b.Errorf("%s, in check mode: changed %v, failed %v: %s", what, checked.Changed, checked.Failed, checked.Msg)
	}
	r := b.run(ISOLibrary, false, pairs...)
	var got []string
	for _, key := range []string{"images", "fetched", "extra", "removed"} {
		v, _ := r.Data.Get(key)
		words := []string{}
		if l, ok := v.(*value.List); ok {
			for _, item := range l.Items {
				words = append(words, item.(string))
			}
		}
		got = append(got, strings.Join(words, ","))
	}
	if r.Failed || r.Changed != changed || strings.Join(got, " | ") != lists {
		b.Errorf("%s: changed %v, failed %v, images, fetched, extra, removed are %q, want %v and %q: %s", what, r.Changed, r.Failed, strings.Join(got, " | "), changed, lists, r.Msg)
	}
	b.only(what)
}

func TestISOLibrary(t *testing.T) {
	needQemuImg(t)
	b := newBench(t, false)
	if err := os.Chmod(b.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	one, two := disc(t, "one"), disc(t, "two")
	b.site.Serve("/a.iso", one)
	b.site.Serve("/b.iso.gz", packed(t, two))
	a := value.NewDict("url", b.site.URL+"/a.iso", "checksum", "sha256:"+digest(one))
	second := value.NewDict("url", b.site.URL+"/b.iso.gz", "checksum", "sha256:"+digest(packed(t, two)))
	list := func(images ...any) []any { return []any{"images", value.NewList(images...)} }

	b.library("new", true, "a.iso,b.iso | a.iso,b.iso |  | ", list(a, second)...)
	asked := b.site.Count()
	b.library("again", false, "a.iso,b.iso |  |  | ", list(a, second)...)
	if b.conn.trips != 1 || b.site.Count() != asked {
		t.Errorf("again: %d round trips, want 1; %d requests, want none", b.conn.trips, b.site.Count()-asked)
	}
	for name, content := range map[string][]byte{"a.iso": one, "b.iso": two} {
		if got, err := os.ReadFile(filepath.Join(b.dir, name)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, want %d: %v", name, len(got), len(content), err)
		}
	}
	b.site.Serve("/a.iso", two)
	b.library("another one", true, "a.iso | a.iso | b.iso | ", list(value.NewDict("url", b.site.URL+"/a.iso", "checksum", "sha256:"+digest(two)))...)
	if err := os.WriteFile(filepath.Join(b.dir, "c.iso"), one, 0o644); err != nil {
		t.Fatal(err)
	}
	third := value.NewDict("name", "c.iso", "url", b.site.URL+"/none", "checksum", "sha256:"+digest(one))
	b.library("there already", true, "c.iso |  | a.iso,b.iso | ", list(third)...)
	b.library("pruned", true, "c.iso |  |  | a.iso,b.iso", append(list(third), "prune", true)...)
	b.library("pruned again", false, "c.iso |  |  | ", append(list(third), "prune", true)...)

	for _, c := range []struct{ path, want string }{
		{"/text.iso", `/text.iso is no ISO 9660 image`},
		{"/page.iso", "is no image but a page of the server's"},
	} {
		content := bytes.Repeat([]byte("x"), 2<<20)
		if c.path == "/page.iso" {
			content = []byte("<html>Not found")
		}
		b.site.Serve(c.path, content)
		r := b.run(ISOLibrary, false, append(list(value.NewDict("url", b.site.URL+c.path, "checksum", "sha256:"+digest(content))), "dest", b.dir)...)
		if !r.Failed || !strings.Contains(r.Msg, c.want) {
			t.Errorf("%s: failed %v: %q, want %q", c.path, r.Failed, r.Msg, c.want)
		}
		b.only(c.path)
	}
	if err := os.Chmod(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if r := b.run(ISOLibrary, false, append(list(third), "dest", b.dir)...); len(r.Warnings) != 1 || r.Warnings[0] != b.dir+" has the mode 700: the user of QEMU needs x on it" {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestISOLibraryMistakes(t *testing.T) {
	const d = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	list := func(images ...any) *value.List { return value.NewList(images...) }
	one := value.NewDict("url", "https://a.example/x.iso", "checksum", d)
	for _, c := range []struct {
		want string
		args []any
	}{
		{"one of dest and pool is needed", []any{"images", list(one)}},
		{"images: x.iso: one of url and src is needed, and not both", []any{"pool", "p", "images", list(value.NewDict("name", "x.iso"))}},
		{"images: x.iso: checksum is needed", []any{"pool", "p", "images", list(value.NewDict("url", "https://a.example/x.iso"))}},
		{"images: x: name must end in .iso", []any{"pool", "p", "images", list(value.NewDict("name", "x", "src", "x.img"))}},
		{"images: x.iso: there are two of that name", []any{"pool", "p", "images", list(one, one)}},
		{`images: a/b.iso: name: name "a/b.iso" has a slash in it`, []any{"pool", "p", "images", list(value.NewDict("name", "a/b.iso", "src", "x"))}},
		{"images: x.iso: a list of checksums must come by https", []any{"pool", "p", "images", list(value.NewDict("url", "https://a.example/x.iso", "checksum", "sha256:http://a.example/S"))}},
		{"peer_network goes with via: peer", []any{"pool", "p", "peer_network", "10.0.0.0/8", "images", list(one)}},
	} {
		r, err := ISOLibrary.Run(t.Context(), modules.NewHost(modules.HostOptions{}), value.NewDict(c.args...))
		if err != nil || !r.Failed || !strings.HasPrefix(r.Msg, c.want) {
			t.Errorf("%v: failed %v, message %q, want %q (%v)", c.args, r.Failed, r.Msg, c.want, err)
		}
	}
}
