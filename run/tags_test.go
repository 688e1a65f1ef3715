package run

import (
	"strings"
	"testing"
)

func TestChosen(t *testing.T) {
	for _, c := range []struct {
		tags, only, skip string
		want             bool
	}{
		{"", "", "", true},
		{"a", "", "", true},
		{"never", "", "", false},
		{"never,a", "a", "", true},
		{"never,a", "never", "", true},
		{"never,a", "all", "", false},
		{"always", "a", "", true},
		{"always,never", "", "", true},
		{"", "a", "", false},
		{"", "untagged", "", true},
		{"a", "untagged", "", false},
		{"a", "tagged", "", true},
		{"", "tagged", "", false},
		{"a", "", "a", false},
		{"a,b", "b", "a", false},
		{"always", "", "always", false},
		{"always", "", "all", true},
		{"a", "", "all", false},
		{"always", "", "all,always", false},
		{"", "", "tagged", true},
		{"a", "", "tagged", false},
		{"", "", "untagged", false},
	} {
		if got := chosen(split(c.tags), split(c.only), split(c.skip)); got != c.want {
			t.Errorf("tags %q, --tags %q, --skip-tags %q: %t", c.tags, c.only, c.skip, got)
		}
	}
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true},
		{"a*", "abc", true},
		{"*c", "abc", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*", "", true},
		{"a", "ab", false},
		{"*b*", "abc", true},
		{"*d*", "abc", false},
		{"[xa]bc", "abc", true},
		{"[!a]bc", "abc", false},
		{"[a-c]*", "Abc", false},
		{"[z-a]", "[z-a]", true},
		{"[z-a]", "z", false},
		{"a/*", "a/b/c", true},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("matches(%q, %q) = %t", c.pattern, c.name, got)
		}
	}
}

func TestSerialSize(t *testing.T) {
	for _, c := range []struct {
		v    any
		all  int
		want int
	}{{1, 10, 1}, {"30%", 10, 3}, {"5%", 10, 1}, {"3", 10, 3}, {0, 10, 0}, {"100%", 7, 7}} {
		got, err := serialSize(c.v, c.all)
		if err != nil || got != c.want {
			t.Errorf("serialSize(%v, %d) = %d, %v; want %d", c.v, c.all, got, err, c.want)
		}
	}
	if _, err := serialSize("many", 3); err == nil {
		t.Error("no error for a serial that is no number")
	}
}
