//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/packages"
)

// repoStep is one run of the module: what it is to be told of, and whether it changes anything; fails is what its message then has.
type repoStep struct {
	args    a
	changed bool
	fails   string
	warns   string
}

// repoSteps runs steps on a host, each in check mode first, which must alter nothing. One that fails alters nothing either.
func repoSteps(t *testing.T, run, look oneApt, told func() string, steps []repoStep) {
	t.Helper()
	for i, one := range steps {
		before := told()
		checked := look(one.args)
		if diff := cmp.Diff(before, told()); diff != "" {
			t.Fatalf("step %d, check mode wrote (-before +after):\n%s", i, diff)
		}
		r := run(one.args)
		msg := fmt.Sprint(r["msg"])
		switch {
		case one.fails != "":
			if r["failed"] != true || !strings.Contains(msg, one.fails) {
				t.Errorf("step %d, %v: failed %v: %s", i, one.args, r["failed"], msg)
			}
			if diff := cmp.Diff(before, told()); diff != "" {
				t.Errorf("step %d failed and wrote (-before +after):\n%s", i, diff)
			}
			continue
		case r["failed"] == true || checked["failed"] == true || r["changed"] != one.changed || checked["changed"] != one.changed:
			t.Fatalf("step %d, %v: failed %v, changed %v, in check mode %v: %s", i, one.args, r["failed"], r["changed"], checked["changed"], msg)
		}
		if w := fmt.Sprint(r["warnings"]); one.warns != "" && !strings.Contains(w, one.warns) {
			t.Errorf("step %d: warnings are %s", i, w)
		}
		if again := run(one.args); again["failed"] == true || again["changed"] != false {
			t.Errorf("step %d again: failed %v, changed %v: %v", i, again["failed"], again["changed"], again["msg"])
		}
	}
}

func TestPackageRepositoryOfApt(t *testing.T) {
	key, other, old := newSigner(t, "mirror", 0), newSigner(t, "other", 0), newSigner(t, "old", 1)
	repo, url := signedRepository(t, key)
	mustWrite(t, repo+"/both.asc", key.asc+other.asc, 0o644)
	mustWrite(t, repo+"/other.asc", other.asc, 0o644)
	mustWrite(t, repo+"/old.asc", old.asc, 0o644)
	conn := bareHost(t, repo)
	onHost(t, conn, "echo 'deb http://127.0.0.1:1/ x main' >/etc/apt/sources.list") // another source that cannot be had is none of ours
	told := func() string { return onHost(t, conn, keyFiles) }
	with := func(more ...any) a {
		args := a{"name": "mirror", "url": url + "/stable", "suite": "./"}
		for i := 0; i < len(more); i += 2 {
			args[more[i].(string)] = more[i+1]
		}
		return args
	}
	spaced := key.fingerprint[:4] + " " + strings.ToLower(key.fingerprint[4:])
	dest := "/etc/apt/keyrings/mirror.gpg"
	repoSteps(t, moduleOn(t, conn, packages.PackageRepository, false), moduleOn(t, conn, packages.PackageRepository, true), told, []repoStep{
		{args: with("key", url+"/other.asc", "fingerprint", key.fingerprint), fails: "the key " + url + "/other.asc has the fingerprint " + other.fingerprint + ", not " + key.fingerprint + ": nothing was written"},
		{args: with("key", url+"/old.asc", "fingerprint", old.fingerprint), fails: "the key " + old.fingerprint + " (old <old@example.com>) has expired: nothing was written"},
		{args: with("key", url+"/empty", "fingerprint", key.fingerprint), fails: "the key " + url + "/empty holds no OpenPGP public key"},
		{args: with("key", url+"/no.asc", "fingerprint", key.fingerprint), fails: "Could not fetch the key " + url + "/no.asc: Failed to fetch " + url + "/no.asc  404"},
		{args: with("key", "/var/none", "fingerprint", key.fingerprint), fails: "Could not fetch the key /var/none: cat: /var/none: No such file or directory"},
		{args: with("key", url+"/other.asc", "fingerprint", other.fingerprint), fails: "fetch the lists of mirror: "},
		{args: with("key", key.asc, "fingerprint", key.fingerprint, "suite", "nowhere/"), fails: "nowhere"},
		{args: with("key", key.asc, "fingerprint", key.fingerprint, "suite", "stable"), fails: `suites: "stable" needs components, or is a path and ends with a slash`},
		{args: with("key", key.asc), fails: `argument "fingerprint" is required by "key"`},
		{args: with("key", key.asc, "fingerprint", key.fingerprint[32:]), fails: fmt.Sprintf("%q is no fingerprint", key.fingerprint[32:])},
		{args: with("key", "grape", "fingerprint", key.fingerprint), fails: `key: "grape" is no URL, no absolute path and no key`},
		{args: with(), fails: "nothing says who signs the repository"},
		{args: with("trusted", true, "signed_by", "/x"), fails: "arguments are mutually exclusive: key, signed_by, trusted"},
		{args: with("key", url+"/both.asc", "fingerprint", spaced), changed: true, warns: "what " + url + "/both.asc gives holds further keys, which are left out: " + other.fingerprint},
		// With the key there it is not fetched, and one that is broken is replaced by nothing.
		{args: with("key", url+"/no.asc", "fingerprint", key.fingerprint)},
		{args: with("key", url+"/other.asc", "fingerprint", other.fingerprint), fails: "fetch the lists of mirror: "},
		{args: with("key", key.asc, "fingerprint", key.fingerprint, "description", "My mirror", "architectures", "amd64"), changed: true},
		{args: with("key", key.asc, "fingerprint", key.fingerprint, "enabled", false), changed: true},
		{args: with("signed_by", "/var/repo/key.gpg"), changed: true},
		{args: a{"name": "mirror", "state": "absent"}, changed: true},
		{args: with("trusted", true, "url", url+"/testing"), changed: true}, // which is not signed
		{args: with("key", url+"/key.gpg", "fingerprint", []any{key.fingerprint}), changed: true},
	})
	if got := onHost(t, conn, "gpg --show-keys --with-colons "+dest+" 2>/dev/null | grep ^fpr; apt-cache policy hp-one | grep Candidate"); got != "fpr:::::::::"+key.fingerprint+":\n  Candidate: 1.1\n" {
		t.Errorf("on the host: %s", got)
	}
}

func TestPackageRepositoryOfRPM(t *testing.T) {
	key, other := newSigner(t, "mirror", 0), newSigner(t, "other", 0)
	repo := rpmRepository(t)
	mustWrite(t, repo+"/key.asc", key.asc, 0o644)
	local(t, repo+"/stable/repodata", "gpg", "--homedir", key.home, "--batch", "--quiet", "--passphrase", "", "--detach-sign", "--armor", "repomd.xml")
	www := httptest.NewServer(http.FileServer(http.Dir(repo)))
	t.Cleanup(www.Close)
	for _, kind := range []struct{ name, folder, tell string }{
		{"yum", "yum.repos.d", "dnf -q -C list --available hp-one 2>/dev/null | grep -c hp-one"},
		{"zypper", "zypp/repos.d", "zypper -q --no-refresh search hp-one | grep -c hp-one"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			conn := rpmHost(t, repo, "rm -rf /etc/pki/rpm-gpg\n")
			told := func() string {
				return onHost(t, conn, `cd /etc; find `+kind.folder+` pki/rpm-gpg -type f 2>/dev/null | sort | xargs -r sha1sum; ls -d /root/.gnupg 2>/dev/null; :`)
			}
			with := func(more ...any) a {
				args := a{"name": "My Mirror", "type": kind.name, "url": "file:///var/repo/stable", "key": www.URL + "/key.asc", "fingerprint": key.fingerprint}
				for i := 0; i < len(more); i += 2 {
					args[more[i].(string)] = more[i+1]
				}
				return args
			}
			repoSteps(t, moduleOn(t, conn, packages.PackageRepository, false), moduleOn(t, conn, packages.PackageRepository, true), told, []repoStep{
				{args: with("fingerprint", other.fingerprint), fails: "the key " + www.URL + "/key.asc has the fingerprint " + key.fingerprint + ", not " + other.fingerprint + ": nothing was written"},
				{args: with("key", www.URL+"/no.asc"), fails: "Could not fetch the key " + www.URL + "/no.asc: HTTP Error 404: Not Found"},
				{args: with("suite", "x"), fails: "suite is for apt; the host has " + kind.name},
				{args: with("url", "file:///var/repo/nowhere"), fails: "fetch the lists of My Mirror: "},
				{args: with("url", "no address"), fails: `"no address" is no address: it begins with http://, https:// or file:/`},
				{args: with("url", []any{}), fails: "url: a repository needs an address"},
				{args: with(), changed: true},
				{args: with("description", "Another", "key", key.asc), changed: true},
			})
			got := strings.TrimSpace(onHost(t, conn, "head -n 1 /etc/pki/rpm-gpg/RPM-GPG-KEY-my-mirror; "+kind.tell))
			if head, count, _ := strings.Cut(got, "\n"); head != "-----BEGIN PGP PUBLIC KEY BLOCK-----" || count == "0" || count == "" {
				t.Errorf("on the host: %s", got)
			}
			repoSteps(t, moduleOn(t, conn, packages.PackageRepository, false), moduleOn(t, conn, packages.PackageRepository, true), told, []repoStep{
				{args: a{"name": "My Mirror", "type": kind.name, "state": "absent"}, changed: true},
			})
			if left := told(); left != "" {
				t.Errorf("what is left: %s", left)
			}
		})
	}
}
