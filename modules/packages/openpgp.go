package packages

import (
	"strconv"
	"strings"
)

// fetchLib makes a folder of its own, $h, and downloads by apt's own helper, which is there wherever apt is.
//
//	fetch URL FILE   what went wrong goes to standard error; with $insecure, certificates do not count
const fetchLib = `
umask 022
h=$(umask 077; mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") || exit 1
trap 'rm -rf "$h"' EXIT
trap 'exit 1' HUP INT TERM
insecure=
fetch() {
	case $1 in file:///*) cp "${1#file://}" "$2"; return ;; esac
	/usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=1 \
		${insecure:+-o Acquire::https::Verify-Peer=false -o Acquire::https::Verify-Host=false} \
		download-file "$1" "$2" >"$h/out" 2>"$h/err" </dev/null && return 0
	grep '^E: ' "$h/err" | grep -v '^E: Download Failed' | head -n 1 | sed 's/^E: //' | grep . >&2 || cat "$h/out" "$h/err" >&2
	return 1
}
`

// openpgpLib are functions about OpenPGP keys, and those of fetchLib. They work in that folder, so that no keyring of a user is looked at
// or touched, and start no agent.
//
//	pgp ARGS…        gpg, in that folder
//	import NAME FILE takes the keys of a file, armored or not, into a new or known keyring of that folder
//	keys NAME        tells what a keyring of that folder holds, with colons
//	listed FILE      the same of any file; one that holds no key gives nothing and status 0
const openpgpLib = `
command -v gpg >/dev/null 2>&1 || { echo 'there is no gpg on this host, which tells what key a file holds: install the package gpg (gnupg2)' >&2; exit 1; }
` + fetchLib + `
agent=--no-autostart
pgp() { gpg --homedir "$h" --batch --no-tty --no-options --lock-never $agent --no-auto-check-trustdb --no-permission-warning -q "$@"; }
import() { pgp --no-default-keyring --keyring "$h/$1" --import "$2" 2>"$h/err" </dev/null || { grep -v 'no gpg-agent running' "$h/err" >&2; return 1; }; }
keys() { pgp --no-default-keyring --keyring "$h/$1" --with-colons --with-fingerprint --list-keys 2>"$h/err" || { cat "$h/err" >&2; return 1; }; }
listed() {
	[ -s "$1" ] || return 0
	rm -f "$h/listed" "$h/listed~"
	if grep -q -e '-----BEGIN PGP' "$1"; then
		import listed "$1" 2>/dev/null && keys listed
	else
		cp "$1" "$h/listed" && keys listed 2>/dev/null
	fi
	return 0
}
`

// pgpKey is one key as gpg lists it. Fingerprints are in capital hexadecimal digits.
type pgpKey struct {
	fingerprint string
	subkeys     []string // fingerprints
	user        string   // the first user id
	expired     bool
	revoked     bool
}

// parseKeys reads what gpg lists with colons (its file doc/DETAILS).
func parseKeys(text string) []pgpKey {
	var keys []pgpKey
	sub := false
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if fields[0] == "pub" && len(fields) > 1 {
			keys = append(keys, pgpKey{expired: fields[1] == "e", revoked: fields[1] == "r"})
			sub = false
			continue
		}
		if len(keys) == 0 || len(fields) < 10 {
			continue
		}
		k := &keys[len(keys)-1]
		switch {
		case fields[0] == "sub":
			sub = true
		case fields[0] == "fpr" && sub:
			k.subkeys = append(k.subkeys, fields[9])
		case fields[0] == "fpr" && k.fingerprint == "":
			k.fingerprint = fields[9]
		case fields[0] == "uid" && k.user == "":
			k.user = unescapeColons(fields[9])
		}
	}
	return keys
}

// unescapeColons reads \x3a, as gpg writes what would part the fields.
func unescapeColons(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, `\x`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		s = after
		if len(after) < 2 {
			continue
		}
		if n, err := strconv.ParseUint(after[:2], 16, 8); err == nil {
			b.WriteByte(byte(n))
			s = after[2:]
		}
	}
}

// is reports whether an id, whose digits are the last ones of a fingerprint, means the key or one of its subkeys.
func (k pgpKey) is(id string) bool {
	if strings.HasSuffix(k.fingerprint, id) {
		return true
	}
	for _, sub := range k.subkeys {
		if strings.HasSuffix(sub, id) {
			return true
		}
	}
	return false
}

// last gives the last n digits of a fingerprint.
func last(fingerprint string, n int) string { return fingerprint[max(0, len(fingerprint)-n):] }

// hexID gives the digits of an id or a fingerprint: without 0x and blanks, in capitals; "" when it is none.
func hexID(id string) string {
	id = strings.ToUpper(strings.Join(strings.Fields(id), ""))
	id = strings.TrimPrefix(id, "0X")
	if id == "" || strings.Trim(id, "0123456789ABCDEF") != "" {
		return ""
	}
	return id
}
