//go:build integration

package integration

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/packages"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// signer is a throw-away key: the folder that gpg has it in, its fingerprint, and its public half, armored and not.
type signer struct{ home, fingerprint, asc, gpg string }

// newSigner makes a key without a password, in a folder of its own. Days is when it expires; 0 is never.
func newSigner(t *testing.T, name string, days int) signer {
	t.Helper()
	transporttest.Installed(t, "gpg")
	// The path of the agent's socket must be short.
	home, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	s := signer{home: home}
	t.Cleanup(func() { local(t, "", "gpgconf", "--homedir", home, "--kill", "all") })
	gpg := func(args ...string) string {
		return local(t, "", append([]string{"gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", ""}, args...)...)
	}
	args := []string{"--quick-generate-key", name + " <" + name + "@example.com>", "ed25519", "sign", "never"}
	if days != 0 {
		args = append([]string{"--faked-system-time", "20200101T000000"}, args...)
		args[len(args)-1] = fmt.Sprintf("%dd", days)
	}
	gpg(args...)
	for line := range strings.Lines(gpg("--with-colons", "--list-keys")) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" && s.fingerprint == "" {
			s.fingerprint = fields[9]
		}
	}
	s.asc, s.gpg = gpg("--armor", "--export"), gpg("--export")
	return s
}

// keyHost is aptHost with two keys and the first of them in a keyring.
func keyHost(t *testing.T, repo string, one, two signer) transport.Conn {
	t.Helper()
	conn := aptHost(t, repo, "rm -rf /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d/* /etc/apt/keyrings; mkdir /var/keys\n")
	for _, s := range []struct {
		name string
		key  signer
	}{{"one", one}, {"two", two}} {
		onHost(t, conn, `printf %s "$2" >/var/keys/$1.asc; gpg --dearmor </var/keys/$1.asc >/var/keys/$1.gpg`, s.name, s.key.asc)
	}
	return conn
}

// keysTold tells what apt trusts, and the keyrings that the tests name.
const keysTold = `apt-key adv --list-public-keys --with-colons 2>/dev/null | grep ^fpr | sort
cd /etc/apt; for f in trusted.gpg.d/hp*.gpg; do [ -e "$f" ] || continue; stat -c '%a %U %n' "$f"; gpg --show-keys --with-colons "$f" | grep ^fpr | sort; done; :`

func TestAptKeyIsAnsibles(t *testing.T) {
	repo := debRepository(t)
	one, two := newSigner(t, "one", 0), newSigner(t, "two", 0)
	www := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/one.asc" {
			fmt.Fprint(w, one.asc)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(www.Close)
	hp := "/etc/apt/trusted.gpg.d/hp.gpg"
	list := []fileTask{
		{packages.AptKey, a{"data": one.asc}},
		{packages.AptKey, a{"data": one.asc}},
		{packages.AptKey, a{"file": "/var/keys/one.gpg"}},
		{packages.AptKey, a{"id": "0x" + strings.ToLower(one.fingerprint), "url": www.URL + "/nothing"}}, // it is there
		{packages.AptKey, a{"id": one.fingerprint[32:]}},
		{packages.AptKey, a{"id": two.fingerprint}},
		{packages.AptKey, a{"id": one.fingerprint, "state": "absent"}},
		{packages.AptKey, a{"id": one.fingerprint, "state": "absent"}},
		{packages.AptKey, a{"id": one.fingerprint[24:], "url": www.URL + "/one.asc"}},
		{packages.AptKey, a{"url": www.URL + "/one.asc"}},
		{packages.AptKey, a{"url": www.URL + "/nothing"}},
		{packages.AptKey, a{"id": two.fingerprint, "url": www.URL + "/nothing"}},
		{packages.AptKey, a{"file": "/var/keys/two.gpg", "keyring": hp}},
		{packages.AptKey, a{"file": "/var/keys/one.asc", "keyring": hp}},
		{packages.AptKey, a{"file": "/var/keys/one.asc", "keyring": hp}},
		{packages.AptKey, a{"id": one.fingerprint, "keyring": hp, "state": "absent"}},
		{packages.AptKey, a{"file": "/var/keys/nothing.asc"}},
		{packages.AptKey, a{"data": "no key"}},
		{packages.AptKey, a{"id": "12"}},
		{packages.AptKey, a{"id": "grape"}},
		{packages.AptKey, a{"keyserver": "hkp://127.0.0.1:1"}},
		{packages.AptKey, a{"state": "absent"}},
	}
	theirs, ours := keyHost(t, repo, one, two), keyHost(t, repo, one, two)
	for _, check := range []bool{true, false} {
		tasks := list
		if check {
			tasks = list[:1]
		}
		want := ansibleThere(t, theirs, tasks, check)
		for i, task := range tasks {
			got := ourResult(t, ours, task, "", "", check)
			what := fmt.Sprintf("task %d, %v, check %v", i, task.args, check)
			for _, key := range []string{"failed", "changed"} {
				if w, g := want[i][key] == true, got[key] == true; w != g && (key != "changed" || want[i]["failed"] != true) {
					t.Errorf("%s: %s is %v, Ansible's is %v: %v, %v", what, key, g, w, got["msg"], want[i]["msg"])
				}
			}
			if want[i]["failed"] == true {
				t.Logf("%s:\n  %v\n  %v", what, want[i]["msg"], got["msg"])
				continue
			}
			for _, key := range []string{"id", "short_id", "fp", "key_id", "before"} {
				if diff := cmp.Diff(fmt.Sprint(want[i][key]), fmt.Sprint(got[key])); diff != "" {
					t.Errorf("%s: %s (-Ansible +ours):\n%s", what, key, diff)
				}
			}
		}
		if diff := cmp.Diff(onHost(t, theirs, keysTold), onHost(t, ours, keysTold)); diff != "" {
			t.Errorf("keys (-Ansible +ours):\n%s", diff)
		}
	}
}

// keyFiles tells apt's files of keys with their content, and whether root has a keyring now.
const keyFiles = `cd /etc/apt; find trusted.gpg* keyrings sources.list.d preferences -type f -exec sha1sum {} + 2>/dev/null | sort -k 2; ls -d /root/.gnupg 2>/dev/null; :`

// TestAptKeyRefuses: what is not the key that was asked for is not written, and no keyring of the user is touched.
func TestAptKeyRefuses(t *testing.T) {
	one, two, old := newSigner(t, "one", 0), newSigner(t, "two", 0), newSigner(t, "old", 1)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A keyserver answers under one path whatever key is asked for (draft-shaw-openpgp-hkp, 3).
		if r.URL.Path == "/one.asc" || r.URL.Query().Get("search") == "0x"+one.fingerprint {
			fmt.Fprint(w, one.asc)
			return
		}
		http.NotFound(w, r)
	}))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of the client that does not trust it
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(secure.Config.Handler)
	t.Cleanup(plain.Close)
	hkp := strings.Replace(plain.URL, "http", "hkp", 1)
	conn := keyHost(t, debRepository(t), one, two)
	onHost(t, conn, "rm -rf /root/.gnupg; printf %s \"$1\" >/var/keys/old.asc", old.asc)
	run := func(args a) map[string]any { return ourResult(t, conn, fileTask{packages.AptKey, args}, "", "", false) }
	before := onHost(t, conn, keyFiles)
	file := func(fpr string) string { return "/etc/apt/trusted.gpg.d/" + fpr + ".gpg" }
	for _, one := range []struct {
		args a
		msg  string
	}{
		{
			a{"id": two.fingerprint, "data": one.asc},
			"add key " + two.fingerprint + " from inline data to " + file(two.fingerprint) + ": the key that came is another: " + one.fingerprint,
		},
		{
			a{"id": two.fingerprint, "file": "/var/keys/one.gpg", "keyring": "/etc/apt/hp.gpg"},
			"add key " + two.fingerprint + " from /var/keys/one.gpg to /etc/apt/hp.gpg: the key that came is another: " + one.fingerprint,
		},
		{
			a{"id": two.fingerprint, "keyserver": hkp},
			"Error fetching key " + two.fingerprint + " from keyserver: " + hkp + ": gpg: keyserver receive failed: No data",
		},
		{a{"url": secure.URL + "/one.asc"}, "Failed to download key at " + secure.URL + "/one.asc: Failed to fetch"},
		{a{"file": "/var/keys/old.asc"}, "key " + old.fingerprint + " (old <old@example.com>) has expired: apt would not trust it"},
		{a{"id": two.fingerprint}, "key " + two.fingerprint + " is not there, and none of data, file, keyserver and url says where to get it"},
		{a{"data": "a", "url": "b"}, "arguments are mutually exclusive: url, data, file, keyserver"},
		{a{"id": two.fingerprint, "file": "/var/keys/two.gpg", "keyring": "/proc/hp.gpg"}, "/proc/.hostler.XXXXXX"},
	} {
		r := run(one.args)
		if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.Contains(msg, one.msg) {
			t.Errorf("%v: failed %v: %s", one.args, r["failed"], msg)
		}
	}
	if diff := cmp.Diff(before, onHost(t, conn, keyFiles)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	for _, args := range []a{
		{"url": secure.URL + "/one.asc", "validate_certs": false},
		{"id": one.fingerprint, "state": "absent"},
		{"id": one.fingerprint, "keyserver": hkp},
		{"id": one.fingerprint, "state": "absent"},
		// An armored keyring stays one, with both keys.
		{"file": "/var/keys/one.gpg", "keyring": "/etc/apt/trusted.gpg.d/hp.asc"},
		{"id": two.fingerprint, "file": "/var/keys/two.asc", "keyring": "/etc/apt/trusted.gpg.d/hp.asc"},
	} {
		if r := run(args); r["failed"] == true || r["changed"] != true {
			t.Errorf("%v: failed %v, changed %v: %v", args, r["failed"], r["changed"], r["msg"])
		}
		if r := run(args); r["failed"] == true || r["changed"] != false {
			t.Errorf("%v again: failed %v, changed %v: %v", args, r["failed"], r["changed"], r["msg"])
		}
	}
	if got := onHost(t, conn, keyFiles); strings.Contains(got, "gnupg") {
		t.Errorf("root has a keyring: %s", got)
	}
	trusts := onHost(t, conn, "head -n 1 /etc/apt/trusted.gpg.d/hp.asc; apt-key adv --list-public-keys --with-colons 2>/dev/null | grep -c ^pub")
	if trusts != "-----BEGIN PGP PUBLIC KEY BLOCK-----\n2\n" {
		t.Errorf("apt trusts: %s", trusts)
	}
}
