package web

import "testing"

func TestListedDigest(t *testing.T) {
	const list = "aa11  base.img\nbb22 *./other.img\r\ncc33 ../up.img\n"
	for _, c := range []struct{ list, name, want string }{
		{list, "base.img", "aa11"},
		{list, "other.img", "bb22"},
		{list, "up.img", "cc33"},
		{list, "none.img", ""},
		{list, "img", ""},
		{"DD:44\n", "any.img", "DD:44"},
		{"dd44  one.img\n", "any.img", ""},
		{"", "any.img", ""},
	} {
		if got := ListedDigest(c.list, c.name); got != c.want {
			t.Errorf("ListedDigest(%q, %q) = %q, want %q", c.list, c.name, got, c.want)
		}
	}
}

func TestCleanDigest(t *testing.T) {
	for _, c := range []struct {
		text, want string
		ok         bool
	}{
		{"AA:bb:01", "aabb01", true},
		{" aabb01\n", "aabb01", true},
		{"<html>", "html", false},
		{"--", "", false},
	} {
		if got, ok := CleanDigest(c.text); got != c.want || ok != c.ok {
			t.Errorf("CleanDigest(%q) = %q, %v, want %q, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}
