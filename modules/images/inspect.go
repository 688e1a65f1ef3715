package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// examineLib defines examine, which looks at a file $1 that came: with $alg and $want, the digest that it must have ("" for any), and
// $member, what to take out of an archive. It unpacks what is packed, in place, and tells of what there is then. A file that has another digest,
// or cannot be unpacked, is removed.
const examineLib = `
reject() { say "$1" "$2"; rm -f -- "$f" "$f.un"; }
unpack() {
	case $(od -An -tx1 -N6 <"$f" | tr -d ' \n') in
	1f8b*) with=gzip ;;
	fd377a585a00) with=xz ;;
	28b52ffd*) with=zstd ;;
	425a68*) with=bzip2 ;;
	504b0304*) with=unzip ;;
	*)
		[ "$(tail -c +258 "$f" | head -c 5 | tr -d '\000')" = ustar ] || return 1
		with=tar ;;
	esac
	command -v "$with" >/dev/null 2>&1 || { reject lacks "$with"; return 2; }
	case $with in
	unzip) names=$(unzip -Z1 "$f" 2>/dev/null) || names=$(unzip -l "$f" | awk 'NR > 3 && NF > 3 { print $4 }') ;;
	tar) names=$(tar -tf "$f" 2>/dev/null) ;;
	*) names=- ;;
	esac
	pick=$member
	if [ "$names" != - ] && [ -z "$member" ]; then
		pick=$(printf '%s\n' "$names" | grep -E '(^|/)box\.img$')
		[ -n "$pick" ] || pick=$(printf '%s\n' "$names" | grep -iE '\.(qcow2|img|raw|vmdk|vdi|vhdx?|iso)$')
		case $pick in
		'') reject nomember "$(printf '%s\n' "$names" | head -n 20)"; return 2 ;;
		*'
'*) reject members "$pick"; return 2 ;;
		esac
	fi
	case $with in
	unzip) unzip -p "$f" "$pick" >"$f.un" 2>"$f.err" ;;
	tar) tar -xOf "$f" -- "$pick" >"$f.un" 2>"$f.err" ;;
	*) "$with" -dc <"$f" >"$f.un" 2>"$f.err" ;;
	esac
	rc=$?
	err=$(head -n 3 "$f.err"); rm -f -- "$f.err"
	if [ "$rc" != 0 ]; then reject broken "$with: $err"; return 2; fi
	mv -f -- "$f.un" "$f"
}
examine() {
	f=$1
	d=$("${alg:-sha256}sum" <"$f") || exit 1
	d=${d%% *}
	say digest "$d"
	if [ -n "$want" ] && [ "$d" != "$want" ]; then reject mismatch "$(($(wc -c <"$f")))"; return 0; fi
	if [ -n "$packed" ]; then mv -f -- "$f" "$packed" && say file "$packed"; return 0; fi
	rounds=0
	while [ "$rounds" -lt 3 ]; do
		unpack
		case $? in 0) rounds=$((rounds + 1)) ;; 1) break ;; *) return 0 ;; esac
	done
	[ "$rounds" = 0 ] || fallocate -d "$f" 2>/dev/null
	[ "$rounds" = 0 ] || say unpacked "$rounds"
	say file "$f"
	say size "$(($(wc -c <"$f")))"
	say start "$(head -c 80 "$f" | tr -cd ' -~')"
	say volume "$(tail -c +32770 "$f" | head -c 5 | tr -d '\000')"
	tell info qemu-img info -U --output=json -- "$f"
}
`

// inspectScript: file, algorithm, digest, member.
const inspectScript = examineLib + `alg=$2 want=$3 member=$4 packed=
examine "$1"`

var errNoQemuImg = errors.New("the host has no program qemu-img; it comes with the package qemu-utils (Debian, Ubuntu), qemu-img or qemu-tools")

// staged is an image that came, beside its place and not yet in it.
type staged struct {
	path   string
	digest string // of what came, before it was unpacked
	size   int64
	start  string // its first bytes, as far as they can be printed
	iso    bool
	packed bool // it was, and no longer is what the digest is of
	info   info
}

// info is what qemu-img tells of an image.
type info struct {
	Format      string `json:"format"`
	VirtualSize int64  `json:"virtual-size"`
	Backing     string `json:"backing-filename"`
	Specific    struct {
		Data struct {
			DataFile   string   `json:"data-file"`
			Corrupt    bool     `json:"corrupt"`
			CreateType string   `json:"create-type"`
			Extents    []extent `json:"extents"`
		} `json:"data"`
	} `json:"format-specific"`
}

type extent struct {
	Filename string `json:"filename"`
}

// parseStaged reads what examine told. What names the image in errors.
func parseStaged(r *modules.Report, what, want string) (staged, error) {
	s := staged{path: r.Text("file"), digest: r.Text("digest"), start: r.Text("start"), iso: r.Text("volume") == "CD001", size: int64(r.Int("size")), packed: r.Has("unpacked")}
	switch {
	case r.Has("mismatch"):
		return s, fmt.Errorf("%s is not what was asked for: its checksum is %s, not %s (%s bytes came)", what, s.digest, want, r.Text("mismatch"))
	case r.Has("lacks"):
		return s, fmt.Errorf("%s is packed, and the host has no program %s to unpack it", what, r.Text("lacks"))
	case r.Has("broken"):
		return s, fmt.Errorf("%s cannot be unpacked: %s", what, r.Text("broken"))
	case r.Has("nomember"):
		return s, fmt.Errorf("%s is an archive without an image in it: it has %s", what, strings.Join(r.Lines("nomember"), ", "))
	case r.Has("members"):
		return s, fmt.Errorf("%s is an archive with several images in it: member names the one (%s)", what, strings.Join(r.Lines("members"), ", "))
	case s.path == "":
		return s, fmt.Errorf("the host told nothing of %s", what)
	case !r.Has("info"):
		return s, nil // it stays packed
	case r.Status("info") == 127:
		return s, errNoQemuImg
	case r.Status("info") != 0:
		return s, fmt.Errorf("%s is no image: %s", what, r.Text("info.err"))
	}
	if err := json.Unmarshal(r.Bytes("info"), &s.info); err != nil {
		return s, fmt.Errorf("read what qemu-img tells of %s: %w", what, err)
	}
	return s, nil
}

// smallest is the size below which what has no format of its own is taken for no image at all: messages of servers are that small.
const smallest = 1 << 20

// formats are those of images that hold all their data themselves.
func formats() []string { return []string{"qcow2", "raw", "vmdk", "vdi", "vpc", "vhdx"} }

// check refuses what is no image, what would read other files of the host, and another format than the one expected ("" is any).
func (s staged) check(what, format string) error {
	start := strings.TrimSpace(s.start)
	for _, page := range []string{"<!doctype html", "<html", "<?xml"} {
		if strings.HasPrefix(strings.ToLower(start), page) {
			return fmt.Errorf("%s is no image but a page of the server's: it begins with %q", what, start)
		}
	}
	data := s.info.Specific.Data
	switch {
	case s.info.Backing != "":
		return fmt.Errorf("%s has a backing file in it (%s): with that it would show the guest a file of the host", what, s.info.Backing)
	case data.DataFile != "":
		return fmt.Errorf("%s keeps its data in another file (%s): with that it would show the guest a file of the host", what, data.DataFile)
	case s.info.Format == "vmdk" && (data.CreateType != "monolithicSparse" && data.CreateType != "streamOptimized" || len(data.Extents) > 1):
		return fmt.Errorf("%s is a vmdk of type %s, whose data may lie in other files", what, data.CreateType)
	case data.Corrupt:
		return fmt.Errorf("%s is marked as corrupt", what)
	case !slices.Contains(formats(), s.info.Format):
		return fmt.Errorf("%s is of format %s, which is none of %s", what, s.info.Format, strings.Join(formats(), ", "))
	case s.info.Format == "raw" && s.size < smallest && !s.iso:
		return fmt.Errorf("%s is no image: it has %d bytes of no known format (%q)", what, s.size, s.start)
	case format == "iso" && !s.iso:
		return fmt.Errorf("%s is no ISO 9660 image", what)
	case format != "" && format != "iso" && format != s.info.Format:
		return fmt.Errorf("%s is of format %s, not %s", what, s.info.Format, format)
	}
	return nil
}
