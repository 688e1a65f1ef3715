package packages

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// rpmVersions are in order; those of one list are equal.
var rpmVersions = [][]string{
	{"~1"},
	{"^a"},
	{"a"},
	{"fc9"},
	{"fc10"},
	{"0"},
	{"1.a"},
	{"1.0~rc1"},
	{"1.0~rc2"},
	{"1.0", "1_0", "1.0.", "01.00", "1..0"},
	{"1.0^"},
	{"1.0^a"},
	{"1.0^b"},
	{"1.0a"},
	{"1.0b"},
	{"1.0.1"},
	{"1.9"},
	{"1.10"},
	{"2.0^1"},
	{"2.0.1"},
	{"4.999.9"},
	{"5.0"},
	{"99999999999999999999999"},
}

func TestCompareRPM(t *testing.T) {
	for i, as := range rpmVersions {
		for j, bs := range rpmVersions {
			for _, a := range as {
				for _, b := range bs {
					if got := compareRPM(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
						t.Errorf("%q, %q: %d", a, b, got)
					}
				}
			}
		}
	}
}

// TestCompareRPMIsRPMs asks rpm for the same, where there is one.
func TestCompareRPMIsRPMs(t *testing.T) {
	rpm, err := exec.LookPath("rpm")
	if err != nil {
		t.Skip("no rpm on this machine")
	}
	var ask, want strings.Builder
	for i, as := range rpmVersions {
		for _, bs := range rpmVersions[i:] {
			fmt.Fprintf(&ask, "%%{lua:print(rpm.vercmp('%s','%s'))} ", as[0], bs[0])
			fmt.Fprintf(&want, "%d ", compareRPM(as[0], bs[0]))
		}
	}
	out, err := exec.Command(rpm, "--eval", ask.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(string(out)), " "); got != strings.TrimSpace(want.String()) {
		t.Errorf("rpm says %s\nwe say %s", got, want.String())
	}
}

// TestRPMMatches holds names as dnf takes them against one package.
func TestRPMMatches(t *testing.T) {
	p := rpmPackage{"foo-bar", "2", "1.0", "3.el9", "x86_64"}
	for spec, want := range map[string]bool{
		"foo-bar": true, "foo-bar.x86_64": true, "foo-bar-1.0": true, "foo-bar-2:1.0-3.el9": true, "foo-bar-1.0-3.el9.x86_64": true,
		"2:foo-bar-1.0-3.el9.x86_64": true, "foo-*": true, "foo-bar-1.*": true,
		"foo": false, "foo-bar-1": false, "foo-bar.i686": false, "foo-bar-1:1.0": false, "bar": false, "foo-bar-": false,
	} {
		if got := p.matches(spec); got != want {
			t.Errorf("%s: %v", spec, got)
		}
	}
	for version, want := range map[string]string{"1.0": "=", "1:9": ">", "2:1.0-2": ">", "1.0-4": "<", "1.0~rc1": ">", "2:1.0-3.el9": "="} {
		for _, op := range []string{"<", "=", ">"} {
			if got := p.fits(op, version); got != (op == want) {
				t.Errorf("%s %s %s: %v", p, op, version, got)
			}
		}
	}
}
