package repofile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got, err := Parse("# by hand\n[hp]\nName = HP: one\nbaseurl=http://a\n\thttp://b\n; no\nenabled: 1\n\n[empty]\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Section{
		{Lines: []string{"# by hand\n"}},
		{
			Name: "hp", Lines: []string{"[hp]\n", "Name = HP: one\n", "baseurl=http://a\n", "\thttp://b\n", "; no\n", "enabled: 1\n", "\n"},
			Options: map[string]string{"name": "HP: one", "baseurl": "http://a\nhttp://b", "enabled": "1"},
		},
		{Name: "empty", Lines: []string{"[empty]\n"}, Options: map[string]string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"x=1\n":         "the file is no list of repositories: line 1 stands in no section: x=1",
		"[a]\n\nword\n": "the file is no list of repositories: line 3 is no option: word",
		"[a]\n=1\n":     "the file is no list of repositories: line 2 is no option: =1",
	} {
		if _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
