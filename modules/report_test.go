package modules_test

import (
	"testing"

	"github.com/hostlerhq/hostler/modules"
)

func TestReportOfOneLine(t *testing.T) {
	r := modules.ParseReport([]byte("@@before 2 0\nab\n@@umask line 0\n0022\n@@after 1 3\nx\n@@cut line 0\n"))
	for key, want := range map[string]string{"before": "ab", "umask": "0022", "after": "x", "cut": ""} {
		if got := r.Text(key); got != want || !r.Has(key) {
			t.Errorf("%s: got %q, told %v; want %q", key, got, r.Has(key), want)
		}
	}
	if got := r.Status("after"); got != 3 {
		t.Errorf("status of after: %d, want 3", got)
	}
}

func TestReportUpToAWord(t *testing.T) {
	r := modules.ParseReport([]byte("@@one =w1 0\n@@no 1 0\nx\n\nw1\n@@two =w1 0\n\nw1\n@@cut =w1 0\nrest"))
	for key, want := range map[string]string{"one": "@@no 1 0\nx", "two": ""} {
		if got := r.Text(key); got != want || !r.Has(key) {
			t.Errorf("%s: got %q, told %v; want %q", key, got, r.Has(key), want)
		}
	}
	if r.Has("no") || r.Has("cut") {
		t.Errorf("told are %q; want one and two", r.Keys())
	}
}
