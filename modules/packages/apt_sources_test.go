package packages

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSources(t *testing.T) {
	s := sources{list: "/etc/apt/sources.list", parts: "/etc/apt/sources.list.d/", files: map[string][]string{
		"/etc/apt/sources.list":            {"deb http://a x main", "", "#deb   http://b x main # mine", "# deb is nice"},
		"/etc/apt/sources.list.d/one.list": {"deb http://c x main"},
		"/etc/apt/sources.list.d/new.list": nil,
	}}
	steps := []struct {
		change func(s sources)
		want   map[string][]string
	}{
		{func(s sources) { s.add("deb http://a x main", "/f") }, map[string][]string{}},
		{func(s sources) { s.add("deb http://b x main", "/f") }, map[string][]string{
			"/etc/apt/sources.list": {"deb http://a x main", "", "deb http://b x main # mine", "# deb is nice"},
		}},
		{func(s sources) { s.add("deb http://d x main", "/f") }, map[string][]string{"/f": {"deb http://d x main"}}},
		{func(s sources) { s.remove("deb http://c x main") }, map[string][]string{"/etc/apt/sources.list.d/one.list": nil}},
		{func(s sources) { s.remove("deb http://b x main") }, map[string][]string{}}, // it does not count already
		{func(s sources) { s.remove("deb http://a x main") }, map[string][]string{
			"/etc/apt/sources.list": {"", "#deb   http://b x main # mine", "# deb is nice"},
		}},
	}
	for i, step := range steps {
		got := s.clone()
		step.change(got)
		changed := map[string][]string{}
		for _, name := range append(s.names(), missing(got, s)...) {
			if got.text(name) != s.text(name) {
				changed[name] = got.files[name]
			}
		}
		if diff := cmp.Diff(step.want, changed); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestFileForSource(t *testing.T) {
	s := sources{parts: "/etc/apt/sources.list.d/"}
	for _, one := range [][3]string{
		{"deb http://archive.canonical.com/ubuntu hardy partner", "", "/etc/apt/sources.list.d/archive_canonical_com_ubuntu.list"},
		{"deb [arch=amd64 signed-by=/k.gpg] https://u:p@dl.example.com/linux/ stable main", "", "/etc/apt/sources.list.d/dl_example_com_linux.list"},
		{"deb-src cdrom:[Debian]/ bookworm", "", "/etc/apt/sources.list.d/cdrom.list"},
		{"ppa:nginx/stable_jammy", "", "/etc/apt/sources.list.d/ppa_nginx_stable_jammy.list"},
		{"deb http://x y z", "mine", "/etc/apt/sources.list.d/mine.list"},
		{"deb http://x y z", "/srv/mine", "/srv/mine.list"},
	} {
		if got := s.fileFor(one[0], one[1]); got != one[2] {
			t.Errorf("%s: %s, want %s", one[0], got, one[2])
		}
	}
}
