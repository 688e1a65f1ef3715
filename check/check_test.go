package check

import (
	"errors"
	"testing"

	"github.com/hostlerhq/hostler/internal/diag"
)

func TestSlip(t *testing.T) {
	known := []string{"http_port", "ansible_host", "document_root", "nginx_sites", "db_host_1", "ansible_distribution", "user_name", "users"}
	for name, want := range map[string]string{
		"http_prot": "http_port", "documnet_root": "document_root", "ansible_distributon": "ansible_distribution", "ngnix_sites": "nginx_sites",
		"http_ports": "", "db_host_2": "", "port": "", "user_names": "", "http_post": "http_port", "ansible_eth0": "", "sites": "", "user": "",
		"nginx_site": "", "https_port": "", "ansible_hots": "ansible_host",
	} {
		if got := slip(name, known); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestWaived(t *testing.T) {
	for line, want := range map[string]bool{
		"a: b  # noqa": true, "a: b  # noqa: mode": true, "a: b # noqa mode, other": true, "a: b #noqa:other,mode": true,
		"a: b  # noqa: other": false, "a: b": false, "a: noqa": false, "a: b # noqa: mode # because": true, "# noqa:  ": true,
	} {
		if got := waived(line, "mode"); got != want {
			t.Errorf("%s: got %v, want %v", line, got, want)
		}
	}
}

func TestSkipper(t *testing.T) {
	read := func(path string) ([]byte, error) {
		if path != "f" {
			return nil, errors.New("no such file")
		}
		return []byte("one\n# noqa: mode\ntwo\nthree # noqa: yaml\n"), nil
	}
	s := newSkipper([]string{"tag"}, read)
	for _, c := range []struct {
		rule     string
		file     string
		line     int
		severity diag.Severity
		want     bool
	}{
		{"tag", "", 0, diag.Warning, true},
		{"mode", "f", 3, diag.Warning, true},
		{"mode", "f", 4, diag.Warning, false},
		{"mode", "f", 9, diag.Warning, false},
		{"mode", "g", 1, diag.Warning, false},
		{"yaml", "f", 4, diag.Warning, true},
		{"yaml", "f", 4, diag.Fatal, false},
	} {
		e := &diag.Error{Rule: c.rule, Pos: diag.Pos{File: c.file, Line: c.line}, Severity: c.severity}
		if got := s.skips(e); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}
