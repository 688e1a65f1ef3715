package packages

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed rpm_key.go
var rpmKeySource string

// RPMKey sees to a key that rpm trusts.
var RPMKey = modules.Define("rpm_key", rpmKeySource, runRPMKey, modules.Aliases("ansible.builtin.rpm_key", "ansible.legacy.rpm_key"), modules.Converges())

// RPMKeyArgs add a key to those that rpm trusts for packages, or remove it. The host needs gpg, which tells what key a file holds.
//
//	# The key of a repository, which is no other than this one.
//	- rpm_key:
//	    key: https://dl.fedoraproject.org/pub/epel/RPM-GPG-KEY-EPEL-9
//	    fingerprint: FF8A D134 4597 106E CE81 3B91 8A38 72BF 3228 467C
type RPMKeyArgs struct {
	// Key is a file on the host, a URL that the host fetches, or, for one that is there already, its id: the last 8 or 16 digits of its
	// fingerprint, or all of it.
	Key string `arg:"key" required:"true"`
	// State is whether the key shall be trusted.
	State modules.Presence `arg:"state" default:"present"`
	// Fingerprint that the key must have before it is added.
	Fingerprint []string `arg:"fingerprint"`
	// ValidateCerts is whether the server of an https: address must be who it says.
	ValidateCerts bool `arg:"validate_certs" default:"true"`
}

// Check refuses what can be no fingerprint.
func (a RPMKeyArgs) Check() error {
	if strings.TrimSpace(a.Key) == "" {
		return &modules.ArgError{Path: []any{"key"}, Msg: "Not a valid key " + a.Key}
	}
	for _, f := range a.Fingerprint {
		if n := len(hexID(f)); n != 40 && n != 64 {
			return &modules.ArgError{Path: []any{"fingerprint"}, Msg: fmt.Sprintf("%q is no fingerprint", f), Hint: "it has 40 hexadecimal digits"}
		}
	}
	return nil
}

// RPMKeyResult says nothing more.
type RPMKeyResult struct{}

// kind is what the key is given by, and that.
func (a RPMKeyArgs) kind() (kind, value string) {
	switch id := hexID(a.Key); {
	case strings.Contains(a.Key, "://"):
		return "url", a.Key
	case len(id) >= 8:
		return "id", id
	}
	return "file", a.Key
}

// rpmKeyScript: what the key is given by (url, file or id), that, whether certificates count. In rpm's database each key is a package.
const rpmKeyScript = modules.ExpandLib + openpgpLib + curlFetch + `
command -v rpm >/dev/null || { echo 'there is no rpm on this host' >&2; exit 1; }
[ "$3" = 1 ] || insecure=1
case $1 in
file) __expand "$2"; [ -f "$__v" ] || { say nofile 1; exit 0; }; cat "$__v" >"$h/given" || exit 1 ;;
url) why=$(fetch "$2" "$h/given" 2>&1) || { say refused "$why"; exit 0; } ;;
esac
if [ "$1" != id ]; then
	listed "$h/given" >"$h/told"
	show key "$h/told"
	show given "$h/given"
fi
i=0
for name in $(rpm -q gpg-pubkey --qf '%{NAME}-%{VERSION}-%{RELEASE}\n' 2>/dev/null | grep '^gpg-pubkey-' | sort); do
	i=$((i + 1))
	rpm -q --qf '%{DESCRIPTION}\n' "$name" >"$h/one" 2>/dev/null
	listed "$h/one" >"$h/told"
	say "name.$i" "$name"
	show "keys.$i" "$h/told"
done
exit 0
`

// rpmKeyAdd takes a key by standard input.
const rpmKeyAdd = dnfBusy + lockWait + `
timeout=60
cat >"$d/key" || exit 1
run rpm --import "$d/key" && rc=0 || rc=$?
cat "$d/err" >&2
exit $rc
`

// rpmKeyRemove: the name of the key's package.
const rpmKeyRemove = dnfBusy + lockWait + `
timeout=60
run rpm --erase --allmatches "$1" && rc=0 || rc=$?
cat "$d/err" >&2
exit $rc
`

// rpmKeys is what a look told: the keys given and those that rpm has.
type rpmKeys struct {
	given []pgpKey
	data  []byte
	has   []keyring // by the names of their packages
}

func (a RPMKeyArgs) read(r *modules.Report) (rpmKeys, error) {
	s := rpmKeys{given: parseKeys(r.Text("key")), data: r.Bytes("given")}
	switch {
	case r.Has("nofile"):
		return s, fmt.Errorf("Not a valid key %s: there is no such file", a.Key)
	case r.Has("refused"):
		return s, fmt.Errorf("failed to fetch key at %s , error was: %s", a.Key, r.Text("refused"))
	case r.Has("key") && len(s.given) == 0:
		return s, fmt.Errorf("Not a public key: %s", a.Key)
	}
	for _, key := range r.Keys() {
		if n, ok := strings.CutPrefix(key, "name."); ok {
			s.has = append(s.has, keyring{r.Text(key), parseKeys(r.Text("keys." + n))})
		}
	}
	return s, nil
}

// find gives the package of a key.
func (s rpmKeys) find(id string) (string, bool) {
	for _, one := range s.has {
		if slices.ContainsFunc(one.keys, func(k pgpKey) bool { return k.is(id) }) {
			return one.file, true
		}
	}
	return "", false
}

func (a RPMKeyArgs) plan(s rpmKeys) ([]modules.Action, error) {
	kind, id := a.kind()
	ids := []string{id}
	if kind != "id" {
		ids = nil
		for _, k := range s.given {
			ids = append(ids, k.fingerprint)
		}
	}
	var missing []string
	var actions []modules.Action
	for _, id := range ids {
		name, there := s.find(id)
		if !there {
			missing = append(missing, id)
		} else if a.State == modules.Absent {
			actions = append(actions, modules.Action{Why: "remove key " + id + " from rpm", Script: rpmKeyRemove, Args: []string{name}})
		}
	}
	if a.State == modules.Absent || len(missing) == 0 {
		return actions, nil
	}
	if kind == "id" {
		return nil, fmt.Errorf("When importing a key, a valid file must be given: rpm has no key %s", id)
	}
	for _, f := range a.Fingerprint {
		f = hexID(f)
		if !slices.ContainsFunc(s.given, func(k pgpKey) bool { return k.fingerprint == f || slices.Contains(k.subkeys, f) }) {
			return nil, fmt.Errorf("The specified fingerprint, '%s', does not match the key fingerprint '%s'", f, strings.Join(ids, ", "))
		}
	}
	return []modules.Action{{Why: fmt.Sprintf("add key %s from %s to rpm", strings.Join(missing, ", "), a.Key), Script: rpmKeyAdd, Stdin: s.data}}, nil
}

func runRPMKey(ctx context.Context, h *modules.Host, a RPMKeyArgs) (RPMKeyResult, error) {
	kind, value := a.kind()
	certs := "1"
	if !a.ValidateCerts {
		certs = ""
	}
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[rpmKeys]{
		Probe: rpmKeyScript, Args: []string{kind, value, certs}, Parse: a.read, Plan: a.plan, Lock: "rpm-keys",
	})
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		err = errors.New(one.Why + ": " + firstOf(string(one.Stderr), "rpm failed"))
	}
	return RPMKeyResult{}, err
}
