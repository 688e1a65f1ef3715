package transport

// Statuses by which putScript and getScript say what was wrong.
const (
	putFailed   = 70
	putChanged  = 71
	putRefused  = 72
	putNoFolder = 73
	putIsFolder = 74
	getMissing  = 75
	getFolder   = 76
	getDenied   = 77
	getLarge    = 78
)

// putScript writes a file from its stdin. Arguments: path, name of the temporary file, way ("whole", with
// ":" and the content's SHA-256 in hex where it is known before; "summed", where the 64 digits follow
// the content; or "sparse"), size, mode, owner, group, SELinux context, hash that must be there; then the words of the
// check command. Temporary file and target are in one folder; only mv makes the new content visible.
const putScript = `set -u
path=$1 name=$2 way=$3 size=$4 mode=$5 owner=$6 group=$7 context=$8 hash=$9
shift 9
say() { s=$1; shift; printf '%s\n' "$*" >&2; exit "$s"; }
export LC_ALL=C
case $path in /*) ;; *) path=./$path;; esac
n=0
if [ -h "$path" ]; then
	# From its own folder: busybox 1.35 takes where a relative link leads from the working folder.
	real=$(cd "${path%/*}/" && readlink -f "./${path##*/}" && printf x) || say 70 "cannot follow the symbolic link $path"
	real=${real%x}
	path=${real%?}
fi
dir=${path%/*}
[ -n "$dir" ] || dir=/
[ ! -d "$path" ] || say 74 "$path is a directory"
[ -d "$dir" ] || say 73 "the directory $dir does not exist"
check() {
	[ -n "$hash" ] || return 0
	if [ "$hash" = absent ]; then
		[ ! -e "$path" ] || exit 71
		return 0
	fi
	[ -f "$path" ] || exit 71
	is=$(sha256sum <"$path") || exit 70
	[ "${is%% *}" = "$hash" ] || exit 71
}
check
tmp=$dir/$name
trap 'rm -f -- "$tmp"' EXIT
trap 'exit 70' HUP INT TERM PIPE
e=$( (umask 077; set -C; : >"$tmp") 2>&1 ) || say 70 "cannot create a file in $dir: ${e##*: }"
fill() {
	e=$(dd of="$tmp" bs=65536 "$@" 2>&1) || say 70 "write $tmp: ${e%%
*}"
}
cut() {
	is=$(wc -c <"$tmp") || exit 70
	[ "$is" -eq "$1" ] || say 70 "the transfer was cut off after $is of $1 bytes"
}
sum=
case $way in
whole*)
	fill conv=fsync
	sum=${way#whole} sum=${sum#:}
	;;
summed)
	fill
	cut $((size + 64))
	sum=$(tail -c 64 "$tmp")
	e=$(dd if=/dev/null of="$tmp" bs=1 count=0 seek="$size" conv=fsync 2>&1) || say 70 "write $tmp: $e"
	;;
sparse)
	while IFS=' ' read -r op seek count; do
		case $op in
		data) fill iflag=fullblock conv=notrunc seek="$seek" count="$count";;
		tail) fill conv=notrunc seek="$seek";;
		hole) e=$(dd if=/dev/null of="$tmp" bs=1 count=0 seek="$size" 2>&1) || say 70 "write $tmp: $e";;
		*) say 70 "the transfer was garbled";;
		esac
	done
	e=$(dd if=/dev/null of="$tmp" bs=1 count=0 conv=notrunc,fsync 2>&1) || say 70 "write $tmp: $e"
	;;
esac
cut "$size"
if [ -n "$sum" ] && is=$(sha256sum <"$tmp" 2>/dev/null) && [ "${is%% *}" != "$sum" ]; then
	say 70 "$tmp holds other bytes than were sent: is the disk or the file system of $dir damaged?"
fi
if [ -e "$path" ]; then
	old=$(stat -c '%a %u %g' -- "$path") || exit 70
	want=${old#* }
	have=$(stat -c '%u %g' -- "$tmp") || exit 70
	[ "$want" = "$have" ] || chown "${want% *}:${want#* }" "$tmp" 2>/dev/null || chgrp "${want#* }" "$tmp" 2>/dev/null
	[ -n "$mode" ] || mode=${old%% *}
	[ -n "$context" ] || [ ! -e /sys/fs/selinux/enforce ] || chcon --reference="$path" "$tmp" 2>/dev/null
fi
if [ -n "$owner" ] || [ -n "$group" ]; then
	e=$(chown -- "$owner${group:+:$group}" "$tmp" 2>&1) || say 70 "$e"
fi
e=$(chmod "${mode:-=rw}" "$tmp" 2>&1) || say 70 "$e"
if [ -n "$context" ]; then
	e=$(chcon -- "$context" "$tmp" 2>&1) || say 70 "$e"
fi
if [ $# -gt 0 ]; then
	for w; do
		shift
		new=
		while :; do
			case $w in
			*%s*) new=$new${w%%'%s'*}$tmp w=${w#*%s};;
			*) break;;
			esac
		done
		set -- "$@" "$new$w"
	done
	e=$("$@" </dev/null 2>&1) || { s=$?; printf '%s\n%s\n' "$s" "$e" >&2; exit 72; }
fi
check
e=$(mv -f -- "$tmp" "$path" 2>&1) || say 70 "$e"
trap - EXIT
sync -- "$dir" 2>/dev/null
exit 0`

// getScript prints a file, or says why not; with $2 it refuses one that is longer.
const getScript = `export LC_ALL=C
case $1 in /*) f=$1;; *) f=./$1;; esac
[ ! -d "$f" ] || exit 76
if [ ! -e "$f" ]; then
	e=$(cat "$f" 2>&1) && exit 75
	case $e in *ermission*) exit 77;; *) exit 75;; esac
fi
[ -r "$f" ] || exit 77
if [ -n "$2" ]; then
	[ -f "$f" ] || exit 78
	n=$(wc -c <"$f") || exit 70
	[ "$n" -le "$2" ] || exit 78
fi
exec cat "$f"`
