//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules/packages"
)

// hpZypper are the tests' repositories for zypper.
const hpZypper = `
printf '[hp]\nname=hp\nbaseurl=file:///var/repo/stable\ngpgcheck=0\nenabled=1\nautorefresh=0\n' >/etc/zypp/repos.d/hp.repo
printf '[hptesting]\nname=hptesting\nbaseurl=file:///var/repo/testing\ngpgcheck=0\nenabled=0\n' >/etc/zypp/repos.d/hptesting.repo
`

var zypperTasks = []fileTask{
	{packages.Zypper, a{"name": "hp-one", "update_cache": true}},
	{packages.Zypper, a{"name": "hp-one,hp-two"}},
	{packages.Zypper, a{"name": "hp-one,hp-two", "state": "installed"}},
	{packages.Zypper, a{"name": "hp-one=1.0"}},
	{packages.Zypper, a{"name": "hp-one=1.0"}},
	{packages.Zypper, a{"name": "hp-one>=1.1"}},
	{packages.Zypper, a{"name": "hp-one=9"}},
	{packages.Zypper, a{"name": "hp-nothing,hp-extra"}},
	{packages.Zypper, a{"name": "hp-broken"}},
	{packages.Zypper, a{"name": "hp-one", "state": "latest"}},
	{packages.Zypper, a{"name": "hp-conf=1.0"}},
	{packages.Zypper, a{"name": []any{"hp-provider", "-hp-conf"}}},
	{packages.Zypper, a{"name": []any{"hp-provider", "-hp-conf"}}},
	{packages.Zypper, a{"name": "hp-virtual"}},
	{packages.Zypper, a{"name": "hp-conf", "disable_recommends": false}},
	{packages.Zypper, a{"name": "hp-one=1.0"}},
	{packages.Zypper, a{"name": "*", "state": "latest"}},
	{packages.Zypper, a{"name": "*", "state": "latest"}},
	{packages.Zypper, a{"name": "*", "state": "dist-upgrade"}},
	{packages.Zypper, a{"name": "*", "state": "latest", "type": "patch"}},
	{packages.Zypper, a{"name": "hp-pattern", "type": "pattern"}},
	{packages.Zypper, a{"name": "hp-pattern", "type": "pattern", "state": "absent"}},
	{packages.Zypper, a{"name": "hp-two,hp-nothing", "state": "absent", "clean_deps": true}},
	{packages.Zypper, a{"name": "hp-two", "state": "removed"}},
	{packages.Zypper, a{"name": "/var/repo/files/hp-file-1.0-1.noarch.rpm"}},
	{packages.Zypper, a{"name": "/var/repo/files/hp-file-1.0-1.noarch.rpm", "disable_gpg_check": true}},
	{packages.Zypper, a{"name": "/var/repo/files/hp-file-1.0-1.noarch.rpm", "disable_gpg_check": true}},
	{packages.Zypper, a{"name": "/var/repo/files/nothing.rpm"}},
	{packages.Zypper, a{"name": "/var/repo/files/nothing.rpm", "state": "absent"}},
	{packages.Zypper, a{"name": "+hp-one", "state": "absent"}},
	{packages.Zypper, a{"name": "hp-one", "state": "dist-upgrade"}},
	{packages.Zypper, a{"name": "hp-one", "state": "absent", "type": "patch"}},
	{packages.Zypper, a{"name": "hp-one", "force": true}},
	{packages.Zypper, a{"name": "hp-extra", "state": "absent", "extra_args_precommand": "--no-refresh"}},
	{packages.Zypper, a{"name": ""}},
}

// zypperChecked are tasks in check mode, after the others.
var zypperChecked = []fileTask{
	{packages.Zypper, a{"name": "hp-two", "update_cache": true}},
	{packages.Zypper, a{"name": "hp-one=1.0,hp-extra"}},
	{packages.Zypper, a{"name": "hp-one", "state": "absent"}},
	{packages.Zypper, a{"name": "hp-broken"}},
	{packages.Zypper, a{"name": "*", "state": "latest"}},
}

func TestZypperIsAnsibles(t *testing.T) {
	repo := rpmRepository(t)
	theirs, ours := rpmHost(t, repo, hpZypper), rpmHost(t, repo, hpZypper)
	comparePackages(t, theirs, ours, zypperChecked, true, rpmsScript)
	comparePackages(t, theirs, ours, zypperTasks, false, rpmsScript)
	comparePackages(t, theirs, ours, zypperChecked, true, rpmsScript)
}

// TestZypperFails: what cannot be done is told, and nothing is left half done; a lock is waited for.
func TestZypperFails(t *testing.T) {
	conn := rpmHost(t, rpmRepository(t), hpZypper+`
printf '#!/bin/sh\nrm -f /run/zypp.pid\n' >/usr/local/bin/sleep
chmod 755 /usr/local/bin/sleep
cp /etc/passwd /var/repo/passwd.rpm
`)
	run := func(args a) map[string]any { return ourResult(t, conn, fileTask{packages.Zypper, args}, "", "", false) }
	fails := func(want string, args a) {
		t.Helper()
		r := run(args)
		if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.Contains(msg, want) {
			t.Errorf("%v: failed %v: %s", args, r["failed"], msg)
		}
	}
	fails("No provider of '+hp-nothing' found.", a{"name": "hp-nothing,hp-one"})
	fails("nothing provides hp-nowhere needed by hp-broken-1.0-1.noarch", a{"name": "hp-one,hp-broken"})
	fails(`"--root=/x" is no name of a package`, a{"name": "---root=/x"})
	fails("Signature verification failed", a{"name": "/var/repo/files/hp-file-1.0-1.noarch.rpm,hp-lib"})
	fails("Error occurred attempting remote rpm install of package: /var/repo/passwd.rpm: ", a{"name": "/var/repo/passwd.rpm"})
	if got := onHost(t, conn, "rpm -qa"); got != "" {
		t.Errorf("it installed %s", got)
	}
	onHost(t, conn, `printf '[broken]\nname=b\nbaseurl=file:///var/nowhere\ngpgcheck=0\nenabled=1\n' >/etc/zypp/repos.d/broken.repo`)
	fails("Zypper refresh run failed with return code 4: Repository 'b' is invalid.", a{"name": "hp-one", "update_cache": true})
	onHost(t, conn, "rm /etc/zypp/repos.d/broken.repo; mkdir -p /run; echo 1 >/run/zypp.pid")
	r := run(a{"name": "hp-one"})
	if r["failed"] == true || !strings.Contains(fmt.Sprint(r["warnings"]), "waited 1 s for another program: System management is locked") {
		t.Errorf("with a lock: %v", r)
	}
	// What is there in a version that will do is left alone.
	for _, one := range []struct {
		name    string
		changed bool
	}{{"hp-one=1.0", true}, {"hp-one>=1.0", false}, {"hp-one<1.1", false}, {"hp-one>1.0", true}, {"hp-one<1.1", true}} {
		if r := run(a{"name": one.name}); r["failed"] == true || r["changed"] != one.changed {
			t.Errorf("%s: %v", one.name, r)
		}
	}
	// A pattern removes what it matches.
	if r := run(a{"name": "hp-o*", "state": "absent"}); r["changed"] != true {
		t.Errorf("a pattern: %v", r)
	}
}
