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
	"github.com/hostlerhq/hostler/transport"
)

// rpmKeyHost is rpmHost with the public keys of signers as /var/keys/1.asc and so on.
func rpmKeyHost(t *testing.T, keys ...signer) transport.Conn {
	t.Helper()
	conn := rpmHost(t, "", "mkdir /var/keys; echo text >/var/keys/text\n")
	for i, key := range keys {
		onHost(t, conn, `printf %s "$2" >/var/keys/$1.asc; cat /var/keys/*.asc >/var/keys/all`, fmt.Sprint(i+1), key.asc)
	}
	return conn
}

func TestRPMKeyIsAnsibles(t *testing.T) {
	one, two := newSigner(t, "one", 0), newSigner(t, "two", 0)
	www := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/two.asc":
			fmt.Fprint(w, two.asc)
		case "/text":
			fmt.Fprint(w, "text")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(www.Close)
	grouped := one.fingerprint[:4] + " " + one.fingerprint[4:20] + " " + one.fingerprint[20:]
	key := func(key, state string) fileTask { return fileTask{packages.RPMKey, a{"key": key, "state": state}} }
	tasks := []fileTask{
		key("/var/keys/1.asc", "absent"),
		{packages.RPMKey, a{"key": "/var/keys/1.asc", "fingerprint": two.fingerprint}},
		{packages.RPMKey, a{"key": "/var/keys/1.asc", "fingerprint": strings.ToLower(grouped)}},
		key("/var/keys/1.asc", "present"),
		key(one.fingerprint[24:], "present"),
		key("0x"+strings.ToLower(one.fingerprint[32:]), "present"),
		key(two.fingerprint[24:], "present"),
		key(www.URL+"/two.asc", "present"),
		key(www.URL+"/two.asc", "present"),
		key(www.URL+"/text", "present"),
		key(www.URL+"/nothing", "present"),
		key("/var/keys/text", "present"),
		key("/var/keys/nothing", "present"),
		key(two.fingerprint[24:], "absent"),
		key(two.fingerprint[24:], "absent"),
		key(www.URL+"/two.asc", "present"),
		key("/var/keys/2.asc", "absent"),
	}
	const told = `rpm -q gpg-pubkey --qf '%{VERSION}-%{RELEASE}\n' | sort`
	theirs, ours := rpmKeyHost(t, one, two), rpmKeyHost(t, one, two)
	comparePackages(t, theirs, ours, tasks[:4], true, told+";:")
	comparePackages(t, theirs, ours, tasks, false, told)
	comparePackages(t, theirs, ours, tasks, true, told)
}

// TestRPMKeyDoes what Ansible's module does otherwise: all keys of a file count, and an id may be a whole fingerprint.
func TestRPMKeyDoes(t *testing.T) {
	one, two := newSigner(t, "one", 0), newSigner(t, "two", 0)
	conn := rpmKeyHost(t, one, two)
	for i, task := range []struct {
		args    a
		changed bool
		msg     string
	}{
		{a{"key": "/var/keys/all"}, true, ""},
		{a{"key": "/var/keys/all"}, false, ""},
		{a{"key": two.fingerprint, "state": "absent"}, true, ""},
		{a{"key": "/var/keys/all", "fingerprint": []any{one.fingerprint, "ABC"}}, false, `"ABC" is no fingerprint (it has 40 hexadecimal digits)`},
		{a{"key": two.fingerprint}, false, "When importing a key, a valid file must be given: rpm has no key " + two.fingerprint},
		{a{"key": "http://127.0.0.1:1/key"}, false, "failed to fetch key at http://127.0.0.1:1/key , error was: curl: (7)"},
		{a{"key": "/var/keys/all", "state": "absent"}, true, ""},
	} {
		r := ourResult(t, conn, fileTask{packages.RPMKey, task.args}, "", "", false)
		if got := fmt.Sprint(r["msg"]); r["changed"] != task.changed || task.msg != "" && !strings.HasPrefix(got, task.msg) || (r["failed"] == true) != (task.msg != "") {
			t.Errorf("task %d, %v: %v", i, task.args, r)
		}
	}
	if diff := cmp.Diff("package gpg-pubkey is not installed\n", onHost(t, conn, "rpm -q gpg-pubkey; :")); diff != "" {
		t.Errorf("keys are left:\n%s", diff)
	}
}
