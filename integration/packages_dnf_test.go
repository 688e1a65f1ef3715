//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules/packages"
)

var dnfTasks = []fileTask{
	{packages.Dnf, a{"update_cache": true}},
	{packages.Dnf, a{"name": []any{"hp-one-1.0", "hp-two"}}},
	{packages.Dnf, a{"name": "hp-one,hp-two"}},
	{packages.Dnf, a{"name": "hp-one", "update_cache": true}},
	{packages.Dnf, a{"name": "hp-one-1.1"}},
	{packages.Dnf, a{"name": "hp-one-1.1-1.noarch"}},
	{packages.Dnf, a{"name": "hp-one-1.0-1"}},
	{packages.Dnf, a{"name": "hp-one-1.0-1", "allow_downgrade": true}},
	{packages.Dnf, a{"name": "hp-one >= 1.0"}},
	{packages.Dnf, a{"name": "hp-one >= 1.1"}},
	{packages.Dnf, a{"name": "hp-one > 9"}},
	{packages.Dnf, a{"name": []any{"hp-nothing", "hp-extra", "hp-neither"}}},
	{packages.Dnf, a{"name": "hp-broken"}},
	{packages.Dnf, a{"name": "hp-one", "state": "latest", "enablerepo": "hptesting,hpnosuch"}},
	{packages.Dnf, a{"name": "hp-one", "state": "latest"}},
	{packages.Dnf, a{"name": "hp-conf-1.0", "install_weak_deps": false}},
	{packages.Dnf, a{"name": "hp-conf,hp-provider", "state": "latest", "update_only": true}},
	{packages.Dnf, a{"name": "hp-virtual"}},
	{packages.Dnf, a{"name": "hp-virtual"}},
	{packages.Dnf, a{"name": "hp-extra", "disablerepo": "*", "enablerepo": "hptesting"}},
	{packages.Dnf, a{"name": "hp-e*"}},
	{packages.Dnf, a{"name": "hp-e*"}},
	{packages.Dnf, a{"name": "hp-z*"}},
	{packages.Dnf, a{"name": "hp-e*,hp-nothing", "state": "absent"}},
	{packages.Dnf, a{"name": "hp-e*", "state": "absent"}},
	{packages.Dnf, a{"name": "@hp-group"}},
	{packages.Dnf, a{"name": "@nogroup"}},
	{packages.Dnf, a{"name": "hp-one", "state": "removed"}},
	{packages.Dnf, a{"name": "hp-one-1.0"}},
	{packages.Dnf, a{"name": "*", "state": "latest", "exclude": "hp-one"}},
	{packages.Dnf, a{"name": "*", "state": "latest", "security": true}},
	{packages.Dnf, a{"name": "*", "state": "latest"}},
	{packages.Dnf, a{"name": "*", "state": "latest"}},
	{packages.Dnf, a{"name": "hp-lib", "state": "absent"}},
	{packages.Dnf, a{"name": "hp-two"}},
	{packages.Dnf, a{"name": "hp-two", "state": "absent"}},
	{packages.Dnf, a{"name": "hp-two", "state": "absent"}},
	{packages.Dnf, a{"autoremove": true}},
	{packages.Dnf, a{"autoremove": true}},
	{packages.Dnf, a{"name": "hp-two"}},
	{packages.Dnf, a{"name": "hp-two", "state": "absent", "autoremove": true}},
	{packages.Dnf, a{"name": "/var/repo/files/hp-file-1.0-1.noarch.rpm"}},
	{packages.Dnf, a{"name": "/var/repo/files/hp-file-1.0-1.noarch.rpm", "disable_gpg_check": true}},
	{packages.Dnf, a{"name": "/var/repo/files/hp-file-1.0-1.noarch.rpm", "disable_gpg_check": true}},
	{packages.Dnf, a{"name": "/var/repo/files/hp-one-1.0-1.noarch.rpm", "disable_gpg_check": true}},
	{packages.Dnf, a{"name": "/var/repo/files/hp-one-1.0-1.noarch.rpm", "disable_gpg_check": true, "allow_downgrade": true}},
	{packages.Dnf, a{"name": "/var/repo/files/nothing.rpm"}},
	{packages.Dnf, a{"name": "/var/repo/files/nothing.rpm", "state": "absent"}},
	{packages.Dnf, a{"name": "hp-two", "download_only": true, "download_dir": "/var/downloads"}},
	{packages.Dnf, a{"name": "hp-two", "installroot": "/var/other", "releasever": "9"}},
	{packages.Dnf, a{"name": "hp-two", "installroot": "/var/other", "releasever": "9"}},
	{packages.Dnf, a{"name": "hp-two hp-one"}},
	{packages.Dnf, a{"name": "hp-two", "autoremove": true, "state": "present"}},
	{packages.Dnf, a{"name": "hp-two", "conf_file": "/etc/nosuch.conf"}},
	{packages.Dnf, a{"list": "installed"}},
	{packages.Dnf, a{"list": "available"}},
	{packages.Dnf, a{"list": "updates"}},
	{packages.Dnf, a{"list": "repos"}},
	{packages.Dnf, a{"list": "hp-one"}},
	{packages.Dnf, a{"name": []any{}}},
}

// dnfChecked are tasks in check mode, after the others.
var dnfChecked = []fileTask{
	{packages.Dnf, a{"name": "hp-two", "update_cache": true}},
	{packages.Dnf, a{"name": "hp-one,hp-extra"}},
	{packages.Dnf, a{"name": "hp-one", "state": "latest", "enablerepo": "hptesting"}},
	{packages.Dnf, a{"name": "hp-one", "state": "absent"}},
	{packages.Dnf, a{"name": "hp-broken"}},
	{packages.Dnf, a{"name": "hp-nothing"}},
	{packages.Dnf, a{"name": "*", "state": "latest"}},
	{packages.Dnf, a{"autoremove": true}},
	{packages.Dnf, a{"name": "hp-two", "state": "absent"}},
}

func TestDnfIsAnsibles(t *testing.T) {
	repo := rpmRepository(t)
	theirs, ours := rpmHost(t, repo, hpRepos), rpmHost(t, repo, hpRepos)
	comparePackages(t, theirs, ours, dnfChecked, true, rpmsScript)
	comparePackages(t, theirs, ours, dnfTasks, false, rpmsScript)
	comparePackages(t, theirs, ours, dnfChecked, true, rpmsScript)
}

// TestDnfFails: what cannot be done is told, and nothing is left half done.
func TestDnfFails(t *testing.T) {
	repo := rpmRepository(t)
	conn := rpmHost(t, repo, hpRepos+"cp /etc/passwd /var/repo/passwd.rpm\n")
	run := func(args a) map[string]any { return ourResult(t, conn, fileTask{packages.Dnf, args}, "", "", false) }
	fails := func(want string, args a) {
		t.Helper()
		r := run(args)
		if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.Contains(msg, want) {
			t.Errorf("%v: failed %v: %s", args, r["failed"], msg)
		}
	}
	fails("No package hp-nothing available. No package hp-neither available.", a{"name": "hp-nothing,hp-one,hp-neither"})
	fails("nothing provides hp-nowhere needed by hp-broken-1.0-1.noarch", a{"name": "hp-one,hp-broken"})
	fails(`"--root=/x" is no name of a package`, a{"name": "--root=/x"})
	fails("it has a tab or a line's end", a{"name": []any{"hp-one\nhp-two"}})
	fails("No RPM file found on system: /root/x.rpm", a{"name": "/root/x.rpm"})
	fails("Error occurred attempting remote rpm install of package: /var/repo/passwd.rpm: ", a{"name": "/var/repo/passwd.rpm"})
	fails("Failure downloading http://127.0.0.1:1/x.rpm: curl: (7)", a{"name": "http://127.0.0.1:1/x.rpm"})
	fails("mutually exclusive", a{"name": "hp-one", "list": "installed"})
	fails("mutually exclusive", a{"name": "hp-one", "nobest": true, "best": true})
	fails("there is none of dnf5 on this host", a{"name": "hp-one", "use_backend": "dnf5"})
	// Signatures: none, no key, another's key.
	sh := func(script string) string { return onHost(t, conn, script) }
	sh("sed -i 's/gpgcheck=0/gpgcheck=1/' /etc/yum.repos.d/hp.repo")
	fails("Failed to validate GPG signature: ", a{"name": "hp-one"})
	sh("sed -i 's/gpgcheck=1/gpgcheck=0/' /etc/yum.repos.d/hp.repo")
	// A repository that is not there.
	sh(`printf '[broken]\nname=b\nbaseurl=file:///var/nowhere\ngpgcheck=0\nskip_if_unavailable=0\n' >/etc/yum.repos.d/broken.repo`)
	fails("Failed to download metadata for repo 'broken'", a{"name": "hp-one"})
	fails("Failed to download metadata for repo 'broken'", a{"update_cache": true})
	fails("Failed to download metadata for repo 'broken'", a{"name": "hp-o*"})
	fails("Failed to download metadata for repo 'broken'", a{"list": "available"})
	sh("rm /etc/yum.repos.d/broken.repo")
	if got := sh("rpm -qa"); got != "" {
		t.Errorf("it installed %s", got)
	}
	// dnf says no more than that there is no hp-nothing, and takes the rest.
	sh("echo strict=0 >>/etc/dnf/dnf.conf")
	fails("No package hp-nothing available.", a{"name": "hp-one,hp-nothing"})
}

// TestDnfLock: another program holds dnf's lock; the module waits for it. Its first sleep is what makes the other let go, so that nothing
// here depends on time.
func TestDnfLock(t *testing.T) {
	conn := rpmHost(t, rpmRepository(t), hpRepos+`
printf '#!/bin/sh\nrm -f /var/cache/dnf/metadata_lock.pid\n' >/usr/local/bin/sleep
chmod 755 /usr/local/bin/sleep
`)
	sh := func(script string) string { return onHost(t, conn, script) }
	sh(`mkdir -p /var/cache/dnf; printf %s "$(cat /var/run/sshd.pid 2>/dev/null || echo 1)" >/var/cache/dnf/metadata_lock.pid`)
	run := func(timeout int) map[string]any {
		return ourResult(t, conn, fileTask{packages.Dnf, a{"name": "hp-one", "lock_timeout": timeout}}, "", "", false)
	}
	r := run(0)
	if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.HasPrefix(msg, "dnf lockfile is held by another process: waited 0 s (lock_timeout): metadata already locked by ") {
		t.Errorf("without waiting: %v", r)
	}
	r = run(60)
	if r["failed"] == true || !strings.Contains(fmt.Sprint(r["warnings"]), "waited 1 s for another program: metadata already locked by ") {
		t.Errorf("with waiting: %v", r)
	}
}

// TestDnfDoes what Ansible's module does otherwise, or not at all.
func TestDnfDoes(t *testing.T) {
	repo := rpmRepository(t)
	www := httptest.NewServer(http.FileServer(http.Dir(repo)))
	t.Cleanup(www.Close)
	conn := rpmHost(t, repo, hpRepos)
	changed := func(want bool, args a) map[string]any {
		t.Helper()
		r := ourResult(t, conn, fileTask{packages.Package, args}, "", "", false)
		if r["failed"] == true || r["changed"] != want {
			t.Errorf("%v: failed %v, changed %v: %v", args, r["failed"], r["changed"], r["msg"])
		}
		return r
	}
	file := a{"name": www.URL + "/files/hp-file-1.0-1.noarch.rpm", "disable_gpg_check": true, "use": "yum"}
	changed(true, file)
	changed(false, file)
	// A version that is older is left alone, with a warning.
	changed(true, a{"name": "hp-one", "use": "dnf"})
	r := changed(false, a{"name": "hp-one-1.0", "use": "dnf"})
	if w := fmt.Sprint(r["warnings"]); !strings.Contains(w, "hp-one-1.0 is left alone: hp-one-1.1-1.noarch is installed, which is newer") {
		t.Errorf("warnings are %s", w)
	}
	changed(true, a{"name": "hp-one-1.0", "use": "dnf", "allow_downgrade": true})
	// A pattern does not upgrade what is there.
	changed(false, a{"name": "hp-on*", "use": "dnf"})
	changed(true, a{"name": "hp-nothing,hp-extra", "use": "dnf", "skip_broken": true})
	r = changed(true, a{"name": "/var/repo/files/hp-fails-1.0-1.noarch.rpm", "use": "dnf", "disable_gpg_check": true})
	if w := fmt.Sprint(r["warnings"]); !strings.Contains(w, "hp-fails-1.0-1.noarch) scriptlet failed, exit status 3") {
		t.Errorf("warnings are %s", w)
	}
	download := a{"name": "hp-two", "use": "dnf", "download_only": true, "download_dir": "/var/downloads"}
	changed(true, download)
	changed(false, download)
}
