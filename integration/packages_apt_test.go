//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/packages"
	"github.com/hostlerhq/hostler/transport"
)

// oneApt runs the module once and gives its result.
type oneApt func(args a) map[string]any

// aptOf makes a host of its own and a way to run the module there.
func aptOf(t *testing.T, repo, setup string) (run oneApt, sh func(script string) string) {
	t.Helper()
	conn := aptHost(t, repo, setup)
	onHost(t, conn, "apt-get -qq update")
	return func(args a) map[string]any { return ourResult(t, conn, fileTask{packages.Apt, args}, "", "", false) },
		func(script string) string { return onHost(t, conn, script) }
}

// holdLock takes a lock as dpkg does, tells so by a file, and holds it until a file goes.
const holdLock = `import fcntl, os, sys, time
f = open(sys.argv[1], "w")
fcntl.lockf(f, fcntl.LOCK_EX)
open("/root/held", "w").close()
while os.path.exists("/root/held"): time.sleep(0.05)
f.close()
open("/root/freed", "w").close()
`

// TestAptLock: another program holds a lock of apt's; the module waits for it. Its first sleep is what makes the other let go, so that
// nothing here depends on time.
func TestAptLock(t *testing.T) {
	repo := debRepository(t)
	run, sh := aptOf(t, repo, `
printf '#!/bin/sh\nrm -f /root/held\nuntil [ -e /root/freed ]; do /usr/bin/sleep 0.05; done\n' >/usr/local/bin/sleep
chmod 755 /usr/local/bin/sleep
printf '%s' '`+holdLock+`' >/root/hold.py
`)
	hold := func(lock string) {
		sh(`rm -f /root/held /root/freed
setsid python3 /root/hold.py ` + lock + ` >/dev/null 2>&1 </dev/null &
until [ -e /root/held ]; do /usr/bin/sleep 0.05; done`)
	}
	for _, one := range []struct {
		lock string
		args a
	}{
		{"/var/lib/dpkg/lock-frontend", a{"name": "hp-one"}},
		{"/var/lib/apt/lists/lock", a{"update_cache": true}},
		{"/var/lib/dpkg/lock-frontend", a{"name": "hp-one", "state": "absent"}},
	} {
		hold(one.lock)
		got := one.args
		got["lock_timeout"] = 0
		r := run(got)
		msg := fmt.Sprint(r["msg"])
		if r["failed"] != true || !strings.HasPrefix(msg, "Failed to lock apt for exclusive operation: waited 0 s (lock_timeout): Could not get lock "+one.lock) {
			t.Errorf("%v, without waiting: %v", one.args, r)
		}
		got["lock_timeout"] = 60
		r = run(got)
		if r["failed"] == true {
			t.Errorf("%v: %v", one.args, r)
		}
		if w := fmt.Sprint(r["warnings"]); !strings.Contains(w, "waited 1 s for another program: Could not get lock "+one.lock) {
			t.Errorf("%v: warnings are %s", one.args, w)
		}
	}
	if got := sh("dpkg-query -W -f '${Version}' hp-one 2>/dev/null; :"); got != "" {
		t.Errorf("hp-one is there in version %s", got)
	}
}

// TestAptFails: what cannot be done is told, and nothing is left half done.
func TestAptFails(t *testing.T) {
	run, sh := aptOf(t, debRepository(t), "")
	for _, one := range []struct {
		args a
		msg  string
	}{
		{a{"name": "hp-nothing,hp-one,hp-neither"}, "No package matching 'hp-nothing' is available\nNo package matching 'hp-neither' is available"},
		{a{"name": "hp-one=3*,hp-conf>=2"}, "no available installation candidate for hp-one=3*\nno available installation candidate for hp-conf>=2"},
		{a{"name": "hp-broken"}, "you have held broken packages"},
		{a{"name": "hp-one; touch /root/x"}, `"hp-one; touch /root/x" is no name of a package`},
		{a{"name": "/root/x.deb"}, "a file is given by the argument deb"},
		{a{"name": "hp-one", "upgrade": "dist"}, "mutually exclusive"},
		{a{"name": "*,hp-one", "state": "latest"}, "unable to install additional packages"},
		{a{"deb": "/root/x.deb"}, "Unable to install /root/x.deb: dpkg-deb: error"},
		{a{"deb": "/root/x.deb", "state": "absent"}, "deb only supports state=present"},
		{a{"deb": "http://127.0.0.1:1/x.deb"}, "x.deb"},
		{a{"name": "hp-one", "dpkg_options": "force-nosuch"}, "force-nosuch"},
		{a{"name": "hp-one", "policy_rc_d": 300}, "policy_rc_d"},
	} {
		r := run(one.args)
		if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.Contains(msg, one.msg) {
			t.Errorf("%v: failed %v: %s", one.args, r["failed"], msg)
		}
	}
	sh("echo 'deb [trusted=yes] file:/var/repo/nowhere ./' >>/etc/apt/sources.list")
	r := run(a{"name": "hp-one", "update_cache": true, "update_cache_retries": 1})
	if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.HasPrefix(msg, "Failed to update apt cache: ") || !strings.Contains(msg, "nowhere") {
		t.Errorf("a broken repository: %v", r)
	}
	if got := sh("dpkg-query -W -f '${Version}' hp-one 2>/dev/null; :"); got != "" {
		t.Errorf("hp-one is there in version %s", got)
	}
}

// TestAptDoes what Ansible's module does otherwise, or not at all.
func TestAptDoes(t *testing.T) {
	repo := debRepository(t)
	www := httptest.NewServer(http.FileServer(http.Dir(repo)))
	t.Cleanup(www.Close)
	run, sh := aptOf(t, repo, "printf '#!/bin/sh\nexit 42\n' >/usr/sbin/policy-rc.d; chmod 700 /usr/sbin/policy-rc.d\n")
	changed := func(want bool, args a) map[string]any {
		t.Helper()
		r := run(args)
		if r["failed"] == true || r["changed"] != want {
			t.Errorf("%v: failed %v, changed %v: %v", args, r["failed"], r["changed"], r["msg"])
		}
		return r
	}
	says := func(want, script string) {
		t.Helper()
		if got := strings.TrimSpace(sh(script)); got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
	file := a{"deb": www.URL + "/files/hp-service_1.0_all.deb", "policy_rc_d": 101}
	changed(true, file)
	says("101", "cat /var/policy.status")
	says("700 42", "/usr/sbin/policy-rc.d; s=$?; echo $(stat -c %a /usr/sbin/policy-rc.d) $s")
	changed(false, file)
	changed(true, a{"name": "hp-service", "state": "absent", "purge": true})
	// What a file needs is not wanted for itself; autoremove goes with autoclean, and both with other packages.
	changed(true, a{"deb": "/var/repo/files/hp-file_1.0_all.deb"})
	changed(true, a{"name": "hp-file", "state": "absent"})
	changed(true, a{"autoremove": true, "autoclean": true, "update_cache": true})
	says("", "dpkg-query -W -f '${Package} ${db:Status-Status}' hp-lib 2>/dev/null | grep ' installed'; :")
	// One that came along becomes wanted for itself.
	changed(true, a{"name": "hp-two"})
	changed(false, a{"name": "hp-lib:all,hp-two"})
	changed(false, a{"name": "hp-lib"})
	says("hp-lib", "apt-mark showmanual hp-lib")
	// A configuration file that was changed stays.
	changed(true, a{"name": "hp-conf=1.0", "install_recommends": false})
	says("", "dpkg-query -W -f '${Package} ${db:Status-Status}' hp-extra 2>/dev/null | grep ' installed'; :")
	sh("echo mine >/etc/hp.conf")
	r := changed(true, a{"name": "hp-conf", "state": "latest"})
	says("mine", "cat /etc/hp.conf")
	if out := fmt.Sprint(r["stdout"]); !strings.Contains(out, "Setting up hp-conf (1.1)") {
		t.Errorf("stdout is %s", out)
	}
	// Held packages.
	sh("apt-mark hold hp-conf >/dev/null")
	if r := run(a{"name": "hp-conf=1.0", "allow_downgrade": true}); r["failed"] != true {
		t.Errorf("a held package: %v", r)
	}
	changed(true, a{"name": "hp-conf=1.0", "allow_downgrade": true, "allow_change_held_packages": true})
	// Removed, its configuration is left; purged, it is not.
	changed(true, a{"name": "hp-conf", "state": "absent", "allow_change_held_packages": true})
	changed(true, a{"name": "hp-conf", "state": "absent", "purge": true})
	says("", "cat /etc/hp.conf 2>/dev/null; :")
	says("", "ls /tmp | grep hostler.......$; :")
	if got, _ := filepath.Glob("/usr/share/doc/hp-*"); got != nil {
		t.Errorf("this machine has %v", got)
	}
}

// uncategorized takes the categories away: ours are the packages' own, Ansible's those of the archive.
func uncategorized(t *testing.T, facts any) any {
	t.Helper()
	all, _ := facts.(map[string]any)["packages"].(map[string]any)
	if len(all) == 0 {
		t.Fatal("no packages are told")
	}
	for name, list := range all {
		for _, one := range list.([]any) {
			if _, ok := one.(map[string]any)["category"].(string); !ok {
				t.Errorf("%s has no category", name)
			}
			delete(one.(map[string]any), "category")
		}
	}
	return all
}

// TestPackageFactsAreAnsibles compares what is installed, on this machine itself.
func TestPackageFactsAreAnsibles(t *testing.T) {
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "localhost", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	tasks := []fileTask{
		{packages.PackageFacts, a{"manager": "apt"}},
		{packages.PackageFacts, a{}},
	}
	want := ansibleResults(t, tasks, "", "", false)
	for i, task := range tasks {
		if diff := cmp.Diff(uncategorized(t, want[i]["ansible_facts"]), uncategorized(t, ourResult(t, conn, task, "", "", false)["ansible_facts"])); diff != "" {
			t.Errorf("%v (-Ansible +ours):\n%s", task.args, diff)
		}
	}
}
