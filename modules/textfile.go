package modules

import (
	"fmt"
	"time"
)

// TextFile is a file of the host that is pulled whole, edited here and put back: what modules have in common that keep a line
// or an entry of one of the system's files.
type TextFile struct {
	Path string
	Text string
	// Mode is what permissions the file shall have, for chmod; "" keeps those that it has, and a new file gets 0644.
	Mode string
	// Backup is where the old file is copied to first; "" is nowhere, and one that is there already is an error.
	Backup string
	// Validate, when set, is a program that looks at the new file, whose name is its last argument, before that takes its place.
	Validate []string
	// Empty removes the file.
	Empty bool
}

// textFileScript: file, mode, backup, what validates it; the content comes by standard input. Owner, mode and context stay, a link stays one. A file
// that is a mount point of its own, as /etc/hosts is in a container, cannot be replaced and is written in place.
const textFileScript = `p=$1 mode=$2 backup=$3; shift 3
if [ -L "$p" ]; then p=$(readlink -f "$p") || exit 1; fi
t= kept=
trap '[ -z "$t" ] || rm -f -- "$t"; [ -z "$kept" ] || rm -f -- "$kept"' EXIT
trap 'exit 1' HUP INT TERM
if [ -n "$backup" ]; then
	(umask 077; set -C; : >"$backup") || exit 1
	kept=$backup
	[ ! -e "$p" ] || cp -p -- "$p" "$backup" || exit 1
fi
t=$(mktemp "$(dirname -- "$p")/.hostler.XXXXXX") || exit 1
new=
if [ -e "$p" ]; then cp -a -- "$p" "$t"; else new=1; chmod 644 "$t"; fi && cat >"$t" || exit 1
[ -z "$mode" ] || chmod "$mode" "$t" || exit 1
[ $# -eq 0 ] || "$@" "$t" >/dev/null || exit 1
if awk -v p="$p" '$5 == p { f = 1 } END { exit !f }' /proc/self/mountinfo 2>/dev/null; then kept=; cat "$t" >"$p" || exit 1
else mv -f -- "$t" "$p" || exit 1; fi
kept=
if [ -n "$new" ] && [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null 2>&1; then restorecon "$p" || exit 1; fi`

// textFileRemove: file, backup.
const textFileRemove = `[ -z "$2" ] || { (umask 077; set -C; : >"$2") && { cp -p -- "$1" "$2" || { rm -f -- "$2"; exit 1; }; }; } || exit 1
rm -f -- "$1"`

// Write gives the action that puts the file in its place, all of it or nothing.
func (f TextFile) Write(why string) Action {
	if f.Empty {
		return Action{Why: why, Script: textFileRemove, Args: []string{f.Path, f.Backup}}
	}
	return Action{Why: why, Script: textFileScript, Args: append([]string{f.Path, f.Mode, f.Backup}, f.Validate...), Stdin: []byte(f.Text)}
}

// ReadText gives the file that a probe showed under a key, and whether it is there; one that cannot be read is an error.
func (r *Report) ReadText(key, path string) (text string, exists bool, err error) {
	if r.Has(key) && r.Status(key) != 0 {
		return "", true, fmt.Errorf("read %s: permission denied, or it is no file", path)
	}
	return string(r.Bytes(key)), r.Has(key), nil
}

// BackupName is the name that Ansible gives to a copy of an old file.
func BackupName(file string) string {
	now := time.Now()
	return fmt.Sprintf("%s.%d.%s~", file, now.UnixNano()%100000, now.Format("2006-01-02@15:04:05"))
}
