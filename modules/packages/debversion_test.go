package packages

import (
	"os/exec"
	"testing"
)

// versions are in order; those of one list are equal.
var versions = [][]string{
	{"~~"},
	{"~"},
	{"0", "", "00", "0:0", "0-0"},
	{"1.0~rc1"},
	{"1.0", "1.00", "1.0-0", "0:1.0"},
	{"1.0-1~bpo12+1"},
	{"1.0-1"},
	{"1.0-1+b1"},
	{"1.0a"},
	{"1.0+dfsg-1"},
	{"1.0.1"},
	{"1.9"},
	{"1.10"},
	{"20240101"},
	{"99999999999999999999999"},
	{"1:0.1"},
	{"1:0.1-2-1"},
	{"2:0"},
}

func TestCompareDebian(t *testing.T) {
	for i, as := range versions {
		for j, bs := range versions {
			for _, a := range as {
				for _, b := range bs {
					if got := compareDebian(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
						t.Errorf("%q, %q: %d", a, b, got)
					}
				}
			}
		}
	}
}

// TestCompareDebianIsDpkgs asks dpkg for the same, where there is one.
func TestCompareDebianIsDpkgs(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("no dpkg on this machine")
	}
	for i, as := range versions {
		for _, bs := range versions[i:] {
			for _, a := range as {
				for _, b := range bs {
					if a == "" || b == "" || a[0] == '~' || b[0] == '~' {
						continue // dpkg warns of versions that do not begin with a digit
					}
					older := exec.Command(dpkg, "--compare-versions", a, "lt", b).Run() == nil
					if older != (compareDebian(a, b) < 0) {
						t.Errorf("%q, %q: dpkg says otherwise", a, b)
					}
				}
			}
		}
	}
}
