//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/packages"
)

// zyppRepos tells zypper's repositories.
const zyppRepos = "zypper --quiet --xmlout repos; cat /etc/zypp/repos.d/*.repo 2>/dev/null; :"

var zypperRepositoryTasks = []fileTask{
	{packages.ZypperRepository, a{"name": "hp", "repo": "file:/var/repo/stable", "disable_gpg_check": true}},
	{packages.ZypperRepository, a{"name": "hp", "repo": "file:/var/repo/stable", "disable_gpg_check": true}},
	{packages.ZypperRepository, a{"name": "hp", "repo": "file:/var/repo/stable/", "disable_gpg_check": true, "runrefresh": true}},
	{packages.ZypperRepository, a{"name": "hp", "repo": "file:/var/repo/stable", "disable_gpg_check": true, "description": "HP", "priority": 50}},
	{packages.ZypperRepository, a{"name": "hp", "repo": "file:/var/repo/stable", "disable_gpg_check": true, "enabled": false}},
	{packages.ZypperRepository, a{"name": "test", "repo": "file:/var/repo/testing", "autorefresh": false, "disable_gpg_check": true, "auto_import_keys": true}},
	{packages.ZypperRepository, a{"name": "hp", "repo": "file:/var/repo/testing"}},
	{packages.ZypperRepository, a{"name": "hp", "repo": "file:/var/repo/testing", "overwrite_multiple": true, "disable_gpg_check": true}},
	{packages.ZypperRepository, a{"repo": "/var/repo/one.repo"}},
	{packages.ZypperRepository, a{"repo": "/var/repo/one.repo"}},
	{packages.ZypperRepository, a{"repo": "/var/repo/two.repo"}},
	{packages.ZypperRepository, a{"repo": "/var/repo/none.repo"}},
	{packages.ZypperRepository, a{"repo": "/var/repo/bad.repo"}},
	{packages.ZypperRepository, a{"repo": "/var/repo/one.repo", "name": "x"}},
	{packages.ZypperRepository, a{"repo": "file:/var/repo/stable"}},
	{packages.ZypperRepository, a{"name": "hp"}},
	{packages.ZypperRepository, a{"state": "absent"}},
	{packages.ZypperRepository, a{"repo": "*"}},
	{packages.ZypperRepository, a{"repo": "*", "runrefresh": true}},
	{packages.ZypperRepository, a{"repo": "file:/var/repo/stable", "state": "absent"}},
	{packages.ZypperRepository, a{"name": "hp", "state": "absent"}},
	{packages.ZypperRepository, a{"name": "hp", "state": "absent"}},
}

func TestZypperRepositoryIsAnsibles(t *testing.T) {
	repo := rpmRepository(t)
	const setup = `
printf '[one]\nname=One\nbaseurl=file:/var/repo/stable\ngpgcheck=0\nenabled=1\n' >/var/repo/one.repo
cat /var/repo/one.repo /var/repo/one.repo | sed '6,$s/one/two/' >/var/repo/two.repo
echo text >/var/repo/bad.repo
`
	theirs, ours := rpmHost(t, repo, setup), rpmHost(t, repo, setup)
	for _, part := range [][]fileTask{zypperRepositoryTasks[:8], zypperRepositoryTasks[8:]} {
		comparePackages(t, theirs, ours, part, false, zyppRepos)
	}
}

// TestZypperRepositoryPutsBack: a repository that cannot be had leaves everything as it was, and says why.
func TestZypperRepositoryPutsBack(t *testing.T) {
	conn := rpmHost(t, rpmRepository(t), hpZypper)
	run := func(args a, check bool) map[string]any {
		return ourResult(t, conn, fileTask{packages.ZypperRepository, args}, "", "", check)
	}
	before := onHost(t, conn, zyppRepos)
	broken := a{"name": "hp", "repo": "file:/var/nowhere", "runrefresh": true}
	r := run(broken, false)
	if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.HasPrefix(msg, "Zypper failed with rc 4: Repository 'hp' is invalid.") {
		t.Errorf("%v", r)
	}
	if r := run(broken, true); r["failed"] == true || r["changed"] != true {
		t.Errorf("in check mode: %v", r)
	}
	if r := run(a{"name": "x\n[y]", "repo": "http://x"}, false); !strings.Contains(fmt.Sprint(r["msg"]), "is no name of a repository") {
		t.Errorf("%v", r)
	}
	if diff := cmp.Diff(before, onHost(t, conn, zyppRepos)); diff != "" {
		t.Errorf("repositories (-before +after):\n%s", diff)
	}
	// zypper drops two slashes of an address; that is no change.
	if r := run(a{"name": "hp", "repo": "file:///var/repo/stable", "autorefresh": false, "disable_gpg_check": true}, false); r["failed"] == true || r["changed"] != false {
		t.Errorf("%v", r)
	}
}
