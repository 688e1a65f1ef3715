package images

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed place.go
var placeSource string

// Place is the folder that images lie in.
type Place struct {
	// Pool is the libvirt pool (dir, fs or netfs) of the images; it must be active.
	Pool string `arg:"pool" exclusive:"place"`
	// Dest is a folder, an absolute path, in place of a pool.
	Dest modules.Path `arg:"dest" exclusive:"place"`
	// URI of libvirt as the host sees it.
	URI string `arg:"uri" default:"qemu:///system"`
}

// check refuses places that cannot be.
func (p Place) check() error {
	switch {
	case p.Pool == "" && p.Dest == "":
		return errors.New("one of dest and pool is needed")
	case p.Dest != "" && !strings.HasPrefix(string(p.Dest), "/") && !strings.HasPrefix(string(p.Dest), "~"):
		return wrong("dest", "dest must be absolute: %s", p.Dest)
	case strings.HasPrefix(p.URI, "-") || !strings.Contains(p.URI, ":"):
		return wrong("uri", "uri must be a URI of libvirt such as qemu:///system, not %q", p.URI)
	}
	return checkName("pool", p.Pool)
}

// refresh is the action that shows libvirt what became of a pool's folder; none without a pool.
func (p Place) refresh() []modules.Action {
	if p.Pool == "" {
		return nil
	}
	return []modules.Action{{Why: "refresh pool " + p.Pool, Argv: []string{"virsh", "-q", "-c", p.URI, "pool-refresh", p.Pool}}}
}

func wrong(arg, format string, args ...any) error {
	return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
}

// checkName refuses an argument that cannot be the name of a pool or volume; an empty one passes.
func checkName(arg, name string) error {
	if name == "" {
		return nil
	}
	if err := libvirt.CheckName(name, false); err != nil {
		return wrong(arg, "%s: %v", arg, err)
	}
	return nil
}

// stateLib defines records, which sets $records to the folder with what is known of the images of the folder $1.
const stateLib = `
records() {
	records=$(printf %s "$1" | sha256sum) && records=hostler/images/${records%% *}
	if [ -n "$XDG_STATE_HOME" ]; then records=$XDG_STATE_HOME/$records
	elif [ "$(id -u)" = 0 ]; then records=/var/lib/$records
	else records=$HOME/.local/state/$records; fi
}
`

// placeProbe: dest, URI, pool. It goes on with $dir, which is there, and v for virsh.
const placeProbe = modules.ExpandLib + stateLib + `
v() { virsh -q -c "$uri" "$@"; }
uri=$2
if [ -n "$3" ]; then
	if ! command -v virsh >/dev/null 2>&1; then
		say fail 'the host has no program virsh; it comes with the package libvirt-clients (Debian, Ubuntu) or libvirt-client'; exit 0
	fi
	xml=$(v pool-dumpxml "$3" 2>&1) || { say virsh "$xml"; exit 0; }
	case $xml in
	*"<pool type='dir'"* | *"<pool type='fs'"* | *"<pool type='netfs'"*) ;;
	*) say fail "pool $3 is no folder (type dir, fs or netfs)"; exit 0 ;;
	esac
	dir=$(printf '%s\n' "$xml" | sed -n 's/^ *<path>\(.*\)<\/path>$/\1/p' | head -n 1 | sed -e "s/&apos;/'/g" -e 's/&quot;/"/g' -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&amp;/\&/g')
	v pool-list --name | sed 's/ *$//' | grep -Fqx -e "$3" || { say inactive "$3"; exit 0; }
else
	__expand "$1"; dir=${__v%/}
fi
say dir "$dir"
if [ ! -d "$dir" ]; then say orphan 1; exit 0; fi
command -v qemu-img >/dev/null 2>&1 || say toolless 1
records "$dir"
`

// file is an image in its place.
type file struct {
	name   string
	mode   string
	size   int64
	mtime  string
	record record
}

// record is what was noted of an image when it was published: advisory, for where it is missing nothing is concluded.
type record map[string]string

// altered reports that the image is no longer as it was published, by its size and time.
func (f file) altered() bool {
	return f.record["stat"] != "" && f.record["stat"] != fmt.Sprintf("%d %s", f.size, f.mtime)
}

// parseFiles reads what listLib told.
func parseFiles(r *modules.Report) ([]file, error) {
	var files []file
	for _, line := range r.Lines("files") {
		words := strings.SplitN(line, " ", 4)
		if len(words) != 4 {
			return nil, fmt.Errorf("the host told of an image: %q", line)
		}
		size, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("size of image %s: %w", words[3], err)
		}
		files = append(files, file{name: words[3], mode: words[0], size: size, mtime: words[2], record: parseRecord(r.Text("record." + words[3]))})
	}
	return files, nil
}

func parseRecord(text string) record {
	rec := record{}
	for line := range strings.SplitSeq(text, "\n") {
		if key, value, ok := strings.Cut(line, " "); ok {
			rec[key] = value
		}
	}
	return rec
}

// text is a record as it is written; values have no line ends.
func (r record) text() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(r)) {
		if v := strings.Map(func(c rune) rune {
			if c < ' ' {
				return ' '
			}
			return c
		}, r[key]); v != "" {
			b.WriteString(key + " " + v + "\n")
		}
	}
	return b.String()
}

// listLib tells of the files that are named on standard input, one a line; $dir and $records are set.
const listLib = `
list() {
	while IFS= read -r n; do
		[ -f "$dir/$n" ] && [ ! -L "$dir/$n" ] || continue
		files="$files$(stat -c '%a %s %Y' "$dir/$n") $n
"
		if [ -f "$records/$n" ]; then show "record.$n" "$records/$n"; fi
	done
	say files "$files"
}
`

// parsePlace gives the folder, or why there is none.
func (p Place) parse(r *modules.Report) (dir string, err error) {
	switch {
	case r.Has("fail"):
		return "", errors.New(r.Text("fail"))
	case r.Has("virsh"):
		return "", libvirt.Explain(r.Text("virsh"))
	case r.Has("inactive"):
		return "", fmt.Errorf("pool %s is not active: virt_pool: {name: %s, state: active} starts it", p.Pool, p.Pool)
	}
	return r.Text("dir"), nil
}

// publishScript: file to publish, folder, name, format to convert from ("" to take it as it is). The record comes by standard input.
// What is published has the mode 0444, for nobody may start a guest from it.
const publishScript = stateLib + `umask 077
dir=$2 to=$2/$3
records "$dir"
mkdir -p "$records" || exit 1
t=$(mktemp "$records/.new.XXXXXX") || exit 1
trap 'rm -f -- "$t" "$1.qcow2" "$1"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t" || exit 1
from=$1
if [ -n "$4" ]; then
	qemu-img convert -f "$4" -O qcow2 -- "$1" "$1.qcow2" || exit 1
	from=$1.qcow2
fi
touch -- "$from" && chmod 0444 -- "$from" || exit 1
sum=$(sha256sum <"$from") && s=$(stat -c '%s %Y' "$from") && printf 'sha256 %s\nstat %s\n' "${sum%% *}" "$s" >>"$t" || exit 1
mv -f -- "$from" "$to" && mv -f -- "$t" "$records/$3"`

// removeScript: folder, name of the image to remove with its record.
const removeScript = stateLib + `records "$1"
rm -f -- "$1/$2" "$records/$2"`

// usersProbe tells of the files that domains and volumes stand on: dest, URI, pool. Chains are told by qemu-img, for the definition of a domain
// that does not run names the first file only. A line "= NAME" is a file of the folder that is named by another path to it.
const usersProbe = placeProbe + `
chain() { qemu-img info -U --backing-chain --output=json -- "$1" 2>/dev/null; }
plain() { sed -e "s/&apos;/'/g" -e 's/&quot;/"/g' -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&amp;/\&/g'; }
here() { while IFS= read -r f; do case $f in /*) [ ! "${f%/*}/" -ef "$dir" ] || printf '= %s\n' "${f##*/}" ;; esac; done; }
domains= pools=
if command -v virsh >/dev/null 2>&1; then
	names=$(v list --all --name 2>&1) || { say unasked "$names"; exit 0; }
	domains=$(printf '%s\n' "$names" | while IFS= read -r d; do [ -z "$d" ] || { v dumpxml "$d"; v dumpxml --inactive "$d"; } 2>/dev/null </dev/null; done)
	pools=$(v pool-list --name 2>/dev/null | sed 's/ *$//' | while IFS= read -r p; do
		[ -z "$p" ] || v pool-dumpxml "$p" </dev/null | sed -n 's:^ *<path>\(.*\)</path>.*:\1:p'
	done | plain)
fi
say domains "$domains"
sources=$(printf '%s\n' "$domains" | sed -n "s/.*<source file='\([^']*\)'.*/\1/p" | plain)
chains=$(
	printf '%s\n' "$sources" | here
	{
		printf '%s\n' "$sources"
		printf '%s\n' "$dir" "$pools" | while IFS= read -r p; do
			for f in "$p"/*; do case $f in *.iso) ;; *) [ ! -f "$f" ] || printf '%s\n' "$f" ;; esac; done
		done
	} | sort -u | while IFS= read -r f; do
		case $(head -c 3 "$f" 2>/dev/null | tr -d '\000') in QFI | KDM | '# D') ;; *) continue ;; esac
		c=$(chain "$f")
		printf '%s\n' "$c"
		printf '%s\n' "$c" | sed -n 's/^ *"full-backing-filename": "\(.*\)",*$/\1/p' | here
	done
)
say chains "$chains"
`

var (
	sourceFile = regexp.MustCompile(`<source file='([^']*)'`)
	backedBy   = regexp.MustCompile(`"(?:full-)?backing-filename": "((?:[^"\\]|\\.)*)"`)
)

// parseUsers gives the files of a folder that something stands on, with the folder. It is an error when libvirt does not tell.
func parseUsers(r *modules.Report, dir string) (map[string]bool, error) {
	if r.Has("unasked") {
		return nil, fmt.Errorf("libvirt does not tell who uses them: %w", libvirt.Explain(r.Text("unasked")))
	}
	used := map[string]bool{}
	for _, line := range r.Lines("chains") {
		if name, ok := strings.CutPrefix(line, "= "); ok {
			used[dir+"/"+name] = true
		}
	}
	for _, m := range sourceFile.FindAllStringSubmatch(r.Text("domains"), -1) {
		used[unescapeXML(m[1])] = true
	}
	for _, m := range backedBy.FindAllStringSubmatch(r.Text("chains"), -1) {
		if name, err := strconv.Unquote(`"` + m[1] + `"`); err == nil {
			used[path.Clean(name)] = true
		}
	}
	return used, nil
}

func unescapeXML(s string) string {
	return strings.NewReplacer("&apos;", "'", "&quot;", `"`, "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}
