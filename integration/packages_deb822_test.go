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

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/packages"
	"github.com/hostlerhq/hostler/transport"
)

// signedRepository is debRepository with its suite stable signed, served over HTTP beside the key.
func signedRepository(t *testing.T, key signer) (repo, url string) {
	t.Helper()
	repo = debRepository(t)
	stable := filepath.Join(repo, "stable")
	local(t, stable, "gpg", "--homedir", key.home, "--batch", "--quiet", "--passphrase", "", "--clearsign", "-o", "InRelease", "Release")
	mustWrite(t, repo+"/key.asc", key.asc, 0o644)
	mustWrite(t, repo+"/key.gpg", key.gpg, 0o644)
	mustWrite(t, repo+"/empty", "", 0o644)
	www := httptest.NewServer(http.FileServer(http.Dir(repo)))
	t.Cleanup(www.Close)
	return repo, www.URL
}

// bareHost is a host whose apt has no source at all, and trusts nothing.
func bareHost(t *testing.T, repo string) transport.Conn {
	t.Helper()
	return aptHost(t, repo, "rm -rf /etc/apt/sources.list /etc/apt/preferences /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d/* /etc/apt/keyrings\n")
}

// moduleOn runs a module on a host.
func moduleOn(t *testing.T, conn transport.Conn, m *modules.Module, check bool) oneApt {
	return func(args a) map[string]any {
		t.Helper()
		return ourResult(t, conn, fileTask{m, args}, "", "", check)
	}
}

// debTold tells the files of apt's sources and keys.
const debTold = `cd /etc/apt; find . -name '*.sources' -o -path './keyrings*' | sort | xargs -r stat -c '%a %U %n'; cat sources.list.d/*.sources 2>/dev/null; ls sources.list 2>/dev/null; :`

// TestDeb822Repository sees to a signed source with the real apt, in every way in which a key can be named.
func TestDeb822Repository(t *testing.T) {
	key, other := newSigner(t, "mirror", 0), newSigner(t, "other", 0)
	repo, url := signedRepository(t, key)
	conn := bareHost(t, repo)
	update := func() map[string]any {
		t.Helper()
		return moduleOn(t, conn, packages.Apt, false)(a{"update_cache": true, "update_cache_retries": 1})
	}
	onHost(t, conn, "mkdir /var/keys; cp /var/repo/key.gpg /var/keys/mirror.gpg; touch /var/keys/none.gpg")
	run, look := moduleOn(t, conn, packages.Deb822Repository, false), moduleOn(t, conn, packages.Deb822Repository, true)
	nothing := onHost(t, conn, debTold)
	for _, one := range []struct {
		name   string
		signed any
		key    any // what key_filename is
		fails  string
	}{
		{"armored_url", url + "/key.asc", "/etc/apt/keyrings/the-mirror.asc", ""},
		{"url", url + "/key.gpg", "/etc/apt/keyrings/the-mirror.gpg", ""},
		{"file", "/var/keys/mirror.gpg", "/var/keys/mirror.gpg", ""},
		{"text", key.asc, nil, ""},
		{"another", other.asc, nil, "NO_PUBKEY"},
		{"none", nil, nil, "NO_PUBKEY"},
	} {
		t.Run(one.name, func(t *testing.T) {
			args := a{"name": "The_Mirror!", "uris": url + "/stable", "suites": "./", "architectures": []any{"amd64", "i386"}, "check_valid_until": false, "mode": "0640"}
			if one.signed != nil {
				args["signed_by"] = one.signed
			}
			if r := look(args); r["changed"] != true || r["failed"] == true {
				t.Fatalf("check mode: %v", r)
			}
			if diff := cmp.Diff(nothing, onHost(t, conn, debTold)); diff != "" {
				t.Fatalf("check mode wrote (-before +after):\n%s", diff)
			}
			r := run(args)
			if r["failed"] == true || r["changed"] != true || r["dest"] != "/etc/apt/sources.list.d/the-mirror.sources" || r["key_filename"] != one.key {
				t.Fatalf("the result is %v", r)
			}
			if text := onHost(t, conn, "cat /etc/apt/sources.list.d/the-mirror.sources"); text != r["repo"] {
				t.Errorf("repo is %q, the file has %q", r["repo"], text)
			}
			if again := run(args); again["failed"] == true || again["changed"] != false || again["repo"] != r["repo"] || again["key_filename"] != r["key_filename"] {
				t.Errorf("again it is %v", again)
			}
			switch u := update(); {
			case one.fails == "" && u["failed"] == true, one.fails != "" && (u["failed"] != true || !strings.Contains(fmt.Sprint(u["msg"]), one.fails)):
				t.Errorf("apt says %v", u["msg"])
			case one.fails == "" && !strings.Contains(onHost(t, conn, "apt-cache policy hp-one"), "Candidate: 1.1"):
				t.Error("apt does not know what the source has")
			}
			args["mode"] = "0644"
			if r := run(args); r["changed"] != true || strings.TrimSpace(onHost(t, conn, "stat -c %a "+fmt.Sprint(r["dest"]))) != "644" {
				t.Errorf("another mode: %v", r)
			}
			gone := a{"name": "The_Mirror!", "state": "absent"}
			if r := run(gone); r["changed"] != true || r["failed"] == true || r["repo"] != nil {
				t.Errorf("absent: %v", r)
			}
			if r := run(gone); r["changed"] != false || r["failed"] == true {
				t.Errorf("absent again: %v", r)
			}
			onHost(t, conn, "rmdir /etc/apt/keyrings 2>/dev/null; :")
			if diff := cmp.Diff(nothing, onHost(t, conn, debTold)); diff != "" {
				t.Errorf("what is left (-before +after):\n%s", diff)
			}
		})
	}
}

// TestDeb822RepositoryRefuses what apt could not read, and a key that cannot be had: nothing is written.
func TestDeb822RepositoryRefuses(t *testing.T) {
	key := newSigner(t, "mirror", 0)
	repo, url := signedRepository(t, key)
	conn := bareHost(t, repo)
	before := onHost(t, conn, debTold)
	for _, one := range []struct {
		args a
		msg  string
	}{
		{a{"name": "x", "uris": url, "suites": "stable"}, `suites: "stable" needs components, or is a path and ends with a slash`},
		{a{"name": "x", "uris": url, "suites": "stable/", "components": "main"}, `suites: "stable/" is a path, which has no components`},
		{a{"name": "x", "suites": "./"}, "uris: a source needs an address"},
		{a{"name": "x", "uris": url}, "suites: a source needs a suite, or a path that ends with a slash"},
		{a{"name": "x", "uris": "deb.debian.org", "suites": "./"}, `uris: "deb.debian.org" is no address: it begins with http://, https:// or file:/`},
		{a{"name": "x", "uris": url, "suites": "./\nTrusted: yes"}, "suites must be one line"},
		{a{"name": "../..", "uris": url, "suites": "./"}, `name "../.." gives no name of a file: it needs a letter or a digit`},
		{a{"name": "x", "uris": url, "suites": "./", "types": "rpm"}, `argument "types[0]" must be one of deb, deb-src, not "rpm"`},
		{a{"name": "x", "uris": url, "suites": "./", "signed_by": url + "/no.asc"}, "Could not fetch signed_by key: Failed to fetch " + url + "/no.asc  404  Not Found"},
		{a{"name": "x", "uris": url, "suites": "./", "signed_by": url + "/empty"}, "Could not fetch signed_by key: the address gives an empty file"},
	} {
		for _, check := range []bool{true, false} {
			r := moduleOn(t, conn, packages.Deb822Repository, check)(one.args)
			if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.HasPrefix(msg, one.msg) {
				t.Errorf("%v, check %v: failed %v: %s", one.args, check, r["failed"], msg)
			}
		}
	}
	if diff := cmp.Diff(before, onHost(t, conn, debTold)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	r := moduleOn(t, conn, packages.Deb822Repository, false)(a{"name": "x", "uris": url, "suites": "./", "signed_by": "/var/none.gpg"})
	if w := fmt.Sprint(r["warnings"]); r["failed"] == true || w != "[signed_by: there is no file /var/none.gpg on the host, so that apt will not trust the source]" {
		t.Errorf("a file that is not there: %v", r)
	}
}
