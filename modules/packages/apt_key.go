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

//go:embed apt_key.go
var aptKeySource string

// AptKey sees to a key that apt trusts.
var AptKey = modules.Define("apt_key", aptKeySource, runAptKey, modules.Aliases("ansible.builtin.apt_key", "ansible.legacy.apt_key"), modules.Converges())

// AptKeyArgs add a key to those that apt trusts for every source, or remove it. The program apt-key is not needed: without keyring, a key gets a
// file of its own in trusted.gpg.d. A key other than id says is never written. Better than a key for every source is one for a single source:
// deb822_repository, or package_repository.
//
//	# The key of a mirror, from a file beside the playbook.
//	- apt_key:
//	    id: BDFD19145C183284B0B433580577B44413F1EA32
//	    data: "{{ lookup('file', 'mirror.asc') }}"
//	    keyring: /etc/apt/trusted.gpg.d/mirror.gpg
type AptKeyArgs struct {
	// ID of the key: its fingerprint, or the last 16 or 8 digits of it. Without, the first key of what is given is meant.
	ID string `arg:"id"`
	// URL that the host fetches the key from.
	URL string `arg:"url" exclusive:"source"`
	// Data is the key itself, armored.
	Data string `arg:"data" exclusive:"source"`
	// File on the host that holds the key.
	File modules.Path `arg:"file" exclusive:"source"`
	// Keyring is the one file to look at and to write to.
	Keyring modules.Path `arg:"keyring"`
	// Keyserver that the host fetches the key from.
	Keyserver string `arg:"keyserver" exclusive:"source"`
	// ValidateCerts is whether the server of an https: address must be who it says.
	ValidateCerts bool `arg:"validate_certs" default:"true"`
	// State is whether the key shall be trusted.
	State modules.Presence `arg:"state" default:"present"`
}

// Check holds the rules over several arguments.
func (a AptKeyArgs) Check() error {
	switch n := len(hexID(a.ID)); {
	case a.ID == "" && a.Keyserver != "":
		return &modules.ArgError{Path: []any{"keyserver"}, Missing: true, Msg: "Missing key_id, required with keyserver."}
	case a.ID == "" && a.URL == "" && a.Data == "" && a.File == "":
		return &modules.ArgError{Missing: true, Msg: "Invalid key_id", Hint: "give id, or a key by data, file or url"}
	case a.ID != "" && n != 8 && n < 16:
		return &modules.ArgError{Path: []any{"id"}, Msg: fmt.Sprintf("Invalid key_id: %q", a.ID), Hint: "it is 8, 16 or more hexadecimal digits, best the fingerprint's 40"}
	}
	return nil
}

// AptKeyResult is what became of the key.
type AptKeyResult struct {
	// ID as it was given, or that of the key given.
	ID string `json:"id"`
	// ShortID is its last 8 digits.
	ShortID string `json:"short_id"`
	// FP is its last 16 digits.
	FP string `json:"fp"`
	// KeyID is all of it.
	KeyID string `json:"key_id"`
	// Before are the ids of the keys that were trusted.
	Before []string `json:"before"`
	// After are those that are now, where that changed.
	After []string `json:"after,omitempty"`
}

// aptKeyScript: keyring; where the key whose id is not known comes from (data, file, url or nothing), what; whether certificates count.
const aptKeyScript = modules.ExpandLib + openpgpLib + `
__expand "$1"; ring=$__v
[ "$4" = 1 ] || insecure=1
eval "$(apt-config shell trusted Dir::Etc::trusted/f parts Dir::Etc::trustedparts/d 2>/dev/null)"
say parts "${parts:-/etc/apt/trusted.gpg.d/}"
say ring "$ring"
case $2 in
data) printf '%s\n' "$3" >"$h/given" ;;
file) __expand "$3"; cp "$__v" "$h/given" 2>"$h/err" || { say failed "$(cat "$h/err")"; exit 0; } ;;
url) why=$(fetch "$3" "$h/given" 2>&1) || { say refused "$why"; exit 0; } ;;
esac
if [ -n "$2" ]; then
	listed "$h/given" >"$h/told"
	show key "$h/told"
	show given "$h/given"
fi
i=0
if [ -n "$ring" ]; then set -- "$ring"; else set -- "$trusted" "$parts"*.gpg "$parts"*.asc; fi
for file; do
	[ -f "$file" ] || continue
	i=$((i + 1))
	say "name.$i" "$file"
	listed "$file" >"$h/told"
	show "keys.$i" "$h/told"
done
exit 0
`

// aptKeyAdd: keyring, id, where the key comes from, what, whether certificates count. With data it comes by standard input.
const aptKeyAdd = modules.ExpandLib + openpgpLib + `
ring=$1 id=$2
[ "$5" = 1 ] || insecure=1
case $3 in
data) cat >"$h/given" ;;
file) __expand "$4"; cp "$__v" "$h/given" || exit 1 ;;
url) why=$(fetch "$4" "$h/given" 2>&1) || { echo "Failed to download key at $4: $why" >&2; exit 1; } ;;
keyserver)
	agent= # the one for the network
	pgp --no-default-keyring --keyring "$h/new" --keyserver "$4" --recv-keys "$id" >"$h/out" 2>"$h/err" </dev/null; rc=$?
	gpgconf --homedir "$h" --kill all >/dev/null 2>&1
	[ $rc = 0 ] || { echo "Error fetching key $id from keyserver: $4: $(grep -v 'no gpg-agent running' "$h/err")" >&2; exit 1; } ;;
esac
[ "$3" = keyserver ] || import new "$h/given" || exit 1
keys new >"$h/told" || exit 1
awk -F: -v id="$id" '$1 == "fpr" { if (substr($10, length($10) - length(id) + 1) == id) found = 1; else all = all " " $10 } END { if (!found) print all; exit !found }' "$h/told" >"$h/others" ||
	{ echo "the key that came is another:$(cat "$h/others")" >&2; exit 1; }
pgp --no-default-keyring --keyring "$h/new" --export >"$h/all" || exit 1
if [ -s "$ring" ]; then
	cp "$ring" "$h/old" || exit 1
	if grep -q -e '-----BEGIN PGP' "$ring"; then rm "$h/old"; import old "$ring" || exit 1; fi
	import old "$h/all" && pgp --no-default-keyring --keyring "$h/old" --export >"$h/all" || exit 1
fi
case $ring in *.asc) pgp --yes -o "$h/armored" --enarmor "$h/all" && sed 's/ARMORED FILE/PUBLIC KEY BLOCK/; /^Comment:/d' "$h/armored" >"$h/all" || exit 1 ;; esac
mkdir -p "${ring%/*}" && t=$(mktemp "${ring%/*}/.hostler.XXXXXX") || exit 1
trap 'rm -rf "$h" "$t"' EXIT
{ if [ -e "$ring" ]; then cp -p "$ring" "$t"; else chmod 644 "$t"; fi; } && cat "$h/all" >"$t" && mv -f "$t" "$ring" || exit 1
`

// aptKeyRemove: file, fingerprint. A file without any other key goes.
const aptKeyRemove = openpgpLib + `
armored=
if grep -q -e '-----BEGIN PGP' "$1"; then armored=1; import old "$1" || exit 1; else cp "$1" "$h/old" || exit 1; fi
pgp --no-default-keyring --keyring "$h/old" --yes --delete-keys "$2" </dev/null && pgp --no-default-keyring --keyring "$h/old" --export ${armored:+--armor} >"$h/all" || exit 1
if [ -z "$(keys old | grep ^pub)" ]; then rm -f "$1"; exit; fi
t=$(mktemp "${1%/*}/.hostler.XXXXXX") || exit 1
trap 'rm -rf "$h" "$t"' EXIT
cp -p "$1" "$t" && cat "$h/all" >"$t" && mv -f "$t" "$1" || exit 1
`

// keyring is one file of keys.
type keyring struct {
	file string
	keys []pgpKey
}

// trusted is what a look told.
type trusted struct {
	parts, ring string
	rings       []keyring
	given       []pgpKey // where the id was to be found out
	data        []byte
}

func (a AptKeyArgs) read(r *modules.Report) (trusted, error) {
	t := trusted{parts: r.Text("parts"), ring: r.Text("ring"), given: parseKeys(r.Text("key")), data: r.Bytes("given")}
	switch {
	case r.Has("refused"):
		return t, fmt.Errorf("Failed to download key at %s: %s", a.URL, r.Text("refused"))
	case r.Has("failed"):
		return t, fmt.Errorf("Unable to extract key from '%s': %s", a.File, r.Text("failed"))
	case r.Has("key") && len(t.given) == 0:
		return t, fmt.Errorf("Unable to extract key from '%s': it holds no OpenPGP public key", a.where())
	}
	for _, key := range r.Keys() {
		if n, ok := strings.CutPrefix(key, "name."); ok {
			t.rings = append(t.rings, keyring{r.Text(key), parseKeys(r.Text("keys." + n))})
		}
	}
	return t, nil
}

// where names the key's source.
func (a AptKeyArgs) where() string {
	if a.Data != "" {
		return "inline data"
	}
	return firstOf(string(a.File), a.URL, a.Keyserver)
}

// source gives the kind of the key's source, and what it is.
func (a AptKeyArgs) source() (kind, value string) {
	switch {
	case a.Data != "":
		return "data", a.Data
	case a.File != "":
		return "file", string(a.File)
	case a.URL != "":
		return "url", a.URL
	case a.Keyserver != "":
		return "keyserver", a.Keyserver
	}
	return "", ""
}

// find gives the key that is meant, where a file holds it.
func (t trusted) find(id string) (in []keyring) {
	for _, ring := range t.rings {
		if slices.ContainsFunc(ring.keys, func(k pgpKey) bool { return k.is(id) && !k.expired }) {
			in = append(in, ring)
		}
	}
	return in
}

// ids gives the long or short ids of all keys and subkeys that have not expired.
func (t trusted) ids(short bool) []string {
	n := 16
	if short {
		n = 8
	}
	ids := []string{}
	for _, ring := range t.rings {
		for _, k := range ring.keys {
			if k.expired {
				continue
			}
			for _, fpr := range append([]string{k.fingerprint}, k.subkeys...) {
				ids = append(ids, last(fpr, n))
			}
		}
	}
	return ids
}

func runAptKey(ctx context.Context, h *modules.Host, a AptKeyArgs) (AptKeyResult, error) {
	kind, from := a.source()
	certs := "1"
	if !a.ValidateCerts {
		certs = ""
	}
	probe := []string{string(a.Keyring), "", "", certs}
	if a.ID == "" {
		probe[1], probe[2] = kind, from
	}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[trusted]{
		Probe: aptKeyScript, Args: probe, Parse: a.read, Lock: "apt-keys",
		Plan: func(t trusted) ([]modules.Action, error) { return a.plan(t, certs) },
	})
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		err = errors.New(one.Why + ": " + firstOf(string(one.Stderr), "gpg failed"))
	}
	id := a.id(before)
	if id == "" {
		return AptKeyResult{ID: a.ID}, err
	}
	r := AptKeyResult{ID: firstOf(a.ID, last(id, 16)), ShortID: last(id, 8), FP: last(id, 16), KeyID: id, Before: before.ids(len(id) == 8)}
	if a.ID == "" {
		r.KeyID = r.FP
	}
	if list := after.ids(len(id) == 8); err == nil && !slices.Equal(list, r.Before) {
		r.After = list
	}
	return r, err
}

// id gives the digits of the key that is meant.
func (a AptKeyArgs) id(t trusted) string {
	if a.ID == "" && len(t.given) > 0 {
		return t.given[0].fingerprint
	}
	return hexID(a.ID)
}

func (a AptKeyArgs) plan(t trusted, certs string) ([]modules.Action, error) {
	id := a.id(t)
	in := t.find(id)
	if a.State == modules.Absent {
		var actions []modules.Action
		for _, ring := range in {
			at := slices.IndexFunc(ring.keys, func(k pgpKey) bool { return k.is(id) })
			actions = append(actions, modules.Action{
				Why: "remove key " + id + " from " + ring.file, Script: aptKeyRemove, Args: []string{ring.file, ring.keys[at].fingerprint},
			})
		}
		return actions, nil
	}
	if len(in) > 0 {
		return nil, nil
	}
	kind, from := a.source()
	if kind == "" {
		return nil, fmt.Errorf("key %s is not there, and none of data, file, keyserver and url says where to get it", id)
	}
	if len(t.given) > 0 && t.given[0].expired {
		return nil, fmt.Errorf("key %s (%s) has expired: apt would not trust it", id, t.given[0].user)
	}
	ring := firstOf(t.ring, strings.TrimSuffix(t.parts, "/")+"/"+id+".gpg")
	action := modules.Action{Why: fmt.Sprintf("add key %s from %s to %s", id, a.where(), ring), Script: aptKeyAdd, Args: []string{ring, id, kind, from, certs}}
	switch {
	case a.ID == "":
		action.Args[2], action.Args[3], action.Stdin = "data", "", t.data
	case kind == "data":
		action.Args[3], action.Stdin = "", []byte(from)
	}
	return []modules.Action{action}, nil
}
