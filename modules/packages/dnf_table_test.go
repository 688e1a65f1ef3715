package packages

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/modules"
)

// TestTransaction reads what dnf prints of what it would do.
func TestTransaction(t *testing.T) {
	before := []rpmPackage{{"mutter", "0", "43~beta", "1.fc36", "x86_64"}, {"hp-one", "0", "1.0", "1", "noarch"}}
	for name, one := range map[string]struct {
		text               string
		installed, removed []string
	}{
		// dnf 4.14.0 of Debian 12, --assumeno install hp-conf hp-one @hp-group, and a name that is too long for its column.
		"dnf4": {`Dependencies resolved.
================================================================================
 Package            Architecture     Version          Repository           Size
================================================================================
Installing:
 hp-conf            noarch           1.1-1            hp                  6.0 k
Upgrading:
 hp-one             noarch           1:2.0-1          hptesting           5.4 k
Installing weak dependencies:
 hp-a-name-that-is-too-long-for-its-column-in-the-table
                    noarch           1.0-1            hp                  5.4 k
Removing dependent packages:
 hp-two             noarch           1:1.0-1          @hp                   0  
Installing Groups:
 HP Group with four words

Transaction Summary
================================================================================
Install  2 Packages
`, []string{"hp-conf-1.1-1.noarch", "hp-one-1:2.0-1.noarch", "hp-a-name-that-is-too-long-for-its-column-in-the-table-1.0-1.noarch"}, []string{"hp-one-1.0-1.noarch", "hp-two-1:1.0-1.noarch"}},
		// dnf5 of Fedora 36, as in issue 36 of rpm-software-management/dnf5.
		"dnf5": {`Package                                          Arch         Version                                          Repository                   Size
Upgrading:                                                                                                                                      
 mutter                                          x86_64       43~rc-1.fc36                                     @commandline             12.5 MiB
  replacing mutter                               x86_64       43~beta-1.fc36                                   <unknown>                12.4 MiB

Transaction Summary:
 Upgrading:         2 packages
 Replacing:         2 packages
`, []string{"mutter-43~rc-1.fc36.x86_64"}, []string{"mutter-43~beta-1.fc36.x86_64"}},
		"nothing": {"Dependencies resolved.\nNothing to do.\nComplete!\n", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			installed, removed := transaction(strings.Split(one.text, "\n"), before)
			if diff := cmp.Diff([][]string{one.installed, one.removed}, [][]string{installed, removed}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDnfFailure words what programs print that fail.
func TestDnfFailure(t *testing.T) {
	for name, one := range map[string]struct {
		out, errs string
		status    int
		want      string
	}{
		// dnf 4.14.0 of Debian 12.
		"unknown":    {"Last metadata expiration check: 0:00:01 ago.\nNo match for argument: hp-nothing\n", "Error: Unable to find a match: hp-nothing\n", 1, "Failed to install some of the specified packages: No package hp-nothing available."},
		"left out":   {"No match for argument: hp-nothing\nNothing to do.\nComplete!\n", "", 0, "Failed to install some of the specified packages: No package hp-nothing available."},
		"group":      {"Module or Group 'nogroup' is not available.\n", "Error: Nothing to do.\n", 1, "No group nogroup available."},
		"unsigned":   {"Package hp-extra-1.0-1.noarch.rpm is not signed\n", "Error: GPG check FAILED\n", 1, "Failed to validate GPG signature: Package hp-extra-1.0-1.noarch.rpm is not signed"},
		"repository": {"", "Errors during downloading metadata for repository 'b':\n  - Curl error (37)\nError: Failed to download metadata for repo 'b': Cannot download repomd.xml\n", 1, "Failed to download metadata for repo 'b': Cannot download repomd.xml"},
		"depsolve": {
			"", "Error: \n Problem: conflicting requests\n  - nothing provides hp-nowhere needed by hp-broken-1.0-1.noarch\n(try to add '--skip-broken' to skip uninstallable packages)\n", 1,
			"Depsolve Error occurred: \n Problem: conflicting requests\n  - nothing provides hp-nowhere needed by hp-broken-1.0-1.noarch",
		},
		// dnf5 of Fedora 41 and 43, as in audinux/fedora-spec issue 68 and linuxgamerlife/lgl-system-loadout issue 26.
		"dnf5": {
			"", "Updating and loading repositories:\nRepositories loaded.\nFailed to resolve the transaction:\nNo match for argument: nosuch\nYou can try to add to command line:\n  --skip-unavailable to skip unavailable packages\n", 1,
			"Failed to install some of the specified packages: No package nosuch available.",
		},
		"silent": {"", "", 3, "exit status 3"},
		"fine":   {"Complete!\n", "Unable to detect release version\n", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			told := modules.ParseReport(fmt.Appendf(nil, "@@out %d 0\n%s\n@@err %d 0\n%s\n", len(one.out), one.out, len(one.errs), one.errs))
			got := ""
			if err := (&dnfRun{}).failure(dnfStep{}, told, one.status, ""); err != nil {
				got = err.Error()
			}
			if got != one.want {
				t.Errorf("%q, want %q", got, one.want)
			}
		})
	}
}
