package cloudinit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/hostlerhq/hostler/internal/pyyaml"
	"github.com/hostlerhq/hostler/jinja/value"
)

// LookLib is a piece of a probe script about a seed's image on a host. It needs say of the probes, and v, which is virsh.
//
//	pool_folder POOL  sets $folder to the folder of an active pool; status 1 is that libvirt refuses, as $folder then tells, 2 that the pool is none
//	look_seed PATH    tells sum (SHA-256, ? when it may not be read) and mode of the image that is there, or orphan when not even the folder is; status 1 is that something
//	                  else lies there
const LookLib = `
pool_folder() {
	folder=$(v pool-dumpxml "$1" 2>&1) || return 1
	case $folder in
	*"<pool type='dir'"* | *"<pool type='fs'"* | *"<pool type='netfs'"*) ;;
	*) return 2 ;;
	esac
	folder=$(printf '%s\n' "$folder" | sed -n 's/^ *<path>\(.*\)<\/path>$/\1/p' | head -n 1)
}
look_seed() {
	if [ -d "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then return 1; fi
	if [ -f "$1" ] && [ ! -r "$1" ]; then say sum '?'; say mode "$(stat -c %a "$1")"
	elif [ -f "$1" ]; then __sum=$(sha256sum <"$1") || exit 1; say sum "${__sum%% *}"; say mode "$(stat -c %a "$1")"
	elif [ ! -d "${1%/*}" ]; then say orphan "${1%/*}"; fi
}
`

// WriteScript puts an image in its place, whole or not at all, readable for nobody else: $1 its path, $2 its SHA-256. The image comes by
// standard input.
const WriteScript = `umask 077
t=$(mktemp "${1%/*}/.hostler-seed.XXXXXX") || exit 1
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t" && sum=$(sha256sum <"$t") || exit 1
[ "${sum%% *}" = "$2" ] || { echo 'the image did not come whole' >&2; exit 1; }
mv -f -- "$t" "$1"`

// Sum is the SHA-256 of an image, as LookLib tells it.
func Sum(image []byte) string {
	sum := sha256.Sum256(image)
	return hex.EncodeToString(sum[:])
}

// Plain gives meta-data or network-config as cloud-init reads them: a dict as YAML, text as it is.
func Plain(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case *value.Dict:
		return pyyaml.Dump(v, pyyaml.Options{Width: -1})
	}
	return "", fmt.Errorf("must be a dict or YAML, not %v", v)
}
