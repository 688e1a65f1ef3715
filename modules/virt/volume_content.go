package virt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// contentHead is how much of the content is looked at: the header of qcow2 up to its virtual size.
const contentHead = 32

var sha256Sum = regexp.MustCompile(`^(sha256:)?[0-9a-fA-F]{64}$`)

// content is what a new volume is to hold.
type content struct {
	name   string // names it in messages
	local  string // a file of the controller; "" for one of the host
	known  bool   // size and head were looked at; not in check mode for a file that an earlier task would make
	size   int64
	head   []byte
	digest string // sha256; "" means that the host finds it out
}

// checkContent refuses what does not go with content_from.
func (a VolumeArgs) checkContent() error {
	bad := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	switch {
	case a.ContentFrom == "" && (a.Checksum != "" || a.RemoteSrc):
		return errors.New("checksum and remote_src go with content_from")
	case a.ContentFrom == "":
		return nil
	case a.State != "present" && a.Command != "create":
		return bad("content_from", "content_from goes with state: present")
	case a.Checksum != "" && !sha256Sum.MatchString(a.Checksum):
		return bad("checksum", "checksum must be sha256:DIGEST, 64 hexadecimal digits, not %q", a.Checksum)
	case a.RemoteSrc && !strings.HasPrefix(string(a.ContentFrom), "/"):
		return bad("content_from", "content_from must be an absolute path with remote_src, not %q", a.ContentFrom)
	case a.Preallocation == "metadata":
		return bad("preallocation", "preallocation: metadata does not go with content_from: the image has its own")
	}
	return nil
}

// wantDigest is the digest that checksum asks for, "" for none.
func (a VolumeArgs) wantDigest() string {
	return strings.ToLower(strings.TrimPrefix(a.Checksum, "sha256:"))
}

// content looks at what the new volume is to hold.
func (j *volumeJob) content(d volume) (content, error) {
	c := content{name: string(j.ContentFrom), known: true, size: d.source.size, head: d.source.head, digest: j.wantDigest()}
	switch {
	case !j.RemoteSrc:
		return c, j.localContent(&c)
	case d.source.found:
		return c, nil
	case j.host.Planning():
		c.known = false
		return c, nil
	}
	return c, fmt.Errorf("content_from: %s is no file of the host", c.name)
}

// localContent looks at a file of the controller. Unless in check mode its digest is made, which the host compares with what it wrote.
func (j *volumeJob) localContent(c *content) error {
	var err error
	if c.local, err = j.host.Local().Find("files", c.name); err != nil {
		return fmt.Errorf("content_from: %w", err)
	}
	stat, err := j.host.Local().Stat(c.local)
	if err != nil {
		return fmt.Errorf("look at %s: %w", c.local, err)
	}
	if !stat.Mode().IsRegular() {
		return fmt.Errorf("content_from: %s is no file", c.local)
	}
	r, err := j.host.Local().Open(c.local)
	if err != nil {
		return fmt.Errorf("open %s: %w", c.local, err)
	}
	defer r.Close()
	sum := sha256.New()
	c.head, err = io.ReadAll(io.TeeReader(io.LimitReader(r, contentHead), sum))
	if c.size = stat.Size(); err != nil || j.host.Planning() {
		return err
	}
	rest, err := io.Copy(sum, r)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.local, err)
	}
	c.size = int64(len(c.head)) + rest // a vaulted file is smaller when opened
	got := hex.EncodeToString(sum.Sum(nil))
	if c.digest != "" && c.digest != got {
		return fmt.Errorf("content_from: %s has the sha256 %s, wanted %s", c.local, got, c.digest)
	}
	c.digest = got
	return nil
}

// virtual gives the size of the disk in a qcow2 image; false for other content.
func (c content) virtual() (int64, bool) {
	if len(c.head) < contentHead || !bytes.HasPrefix(c.head, []byte("QFI\xfb")) {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(c.head[24:32])), true
}

// fit refuses content that would make no disk of the volume, and gives how large the volume is made and to what it grows afterwards, 0 where it
// does not.
func (c content) fit(a VolumeArgs, kind string) (size, grow int64, err error) {
	folder := slices.Contains([]string{"dir", "fs", "netfs", "gluster", "vstorage"}, kind)
	virtual, qcow := c.virtual()
	capacity := int64(a.Capacity)
	switch {
	case !c.known:
		return capacity, 0, nil
	case c.size == 0:
		return 0, 0, fmt.Errorf("content_from: %s is empty", c.name)
	case qcow && a.Format != "" && a.Format != "qcow2":
		return 0, 0, fmt.Errorf("content_from: %s is a qcow2 image, and format is %s: nothing would boot from it", c.name, a.Format)
	case !qcow && a.Format == "qcow2":
		return 0, 0, fmt.Errorf("content_from: %s is no qcow2 image, and format is qcow2 (virt_convert makes one)", c.name)
	case qcow && !folder:
		return 0, 0, fmt.Errorf("content_from: a volume of a pool of type %s is raw, and %s is a qcow2 image (virt_convert makes a raw one)", kind, c.name)
	case !qcow:
		virtual = c.size
	}
	if capacity != 0 && capacity < virtual {
		return 0, 0, fmt.Errorf("content_from: %s is a disk of %d bytes, more than the capacity of %d", c.name, virtual, capacity)
	}
	if qcow {
		if capacity > virtual {
			grow = capacity
		}
		return c.size, grow, nil
	}
	return max(c.size, capacity), 0, nil
}

// planContent makes a volume with content. It is made raw, for of a qcow2 one the end would stay behind shorter content; libvirt finds the
// format when it reads the pool again.
func (j *volumeJob) planContent(d volume) ([]modules.Action, error) {
	c, err := j.content(d)
	if err != nil {
		return nil, err
	}
	size, grow, err := c.fit(j.VolumeArgs, d.kind)
	if err != nil {
		return nil, err
	}
	doc, err := j.build(d, size)
	if err != nil {
		return nil, err
	}
	if f := doc.At("target", "format"); f != nil {
		f.SetAttr("type", "raw")
	}
	source := ""
	if j.RemoteSrc {
		source = c.name
	}
	return []modules.Action{{
		Why: "create volume " + j.Name + " in pool " + j.Pool + " with the content of " + c.name, Script: contentScript, Local: c.local,
		Args: []string{string(j.URI), j.Pool, j.Name, doc.String(), strconv.FormatInt(c.size, 10), c.digest, source, strconv.FormatInt(grow, 10)},
	}}, nil
}

// contentLib: unfinished URI POOL VOLUME sets $unfinished to a file that is there while the volume gets its content; it names the volume's
// file (of a device only that it is one), so that it says nothing of another volume of that name.
const contentLib = `unfinished() {
	unfinished=$(printf '%s\n' "$@" | sha256sum) && unfinished=hostler/volumes/${unfinished%% *}
	if [ -n "$XDG_STATE_HOME" ]; then unfinished=$XDG_STATE_HOME/$unfinished
	elif [ "$(id -u)" = 0 ]; then unfinished=/var/lib/$unfinished
	else unfinished=$HOME/.local/state/$unfinished; fi
}
identity() { if [ -f "$1" ]; then stat -c %i -- "$1"; else echo device; fi; }
`

// contentProbe is the end of volumeProbe where there is content: $1 pool, $2 volume, $6 a file of the host or "".
const contentProbe = contentLib + `if [ $# -gt 5 ]; then
	unfinished "$__uri" "$1" "$2"
	if [ -f "$unfinished" ] && [ "$(cat "$unfinished")" = "$(identity "$(v vol-path --pool "$1" --vol "$2" 2>/dev/null)")" ]; then say unfinished 1; fi
	if [ -f "$6" ]; then
		say size "$(stat -L -c %s -- "$6")"
		say head "$(head -c 32 -- "$6" | od -An -v -tx1 | tr -d ' \n')"
	fi
fi
`

// contentScript: URI, pool, volume, its XML, the content's size, its sha256 or "", a file of the host or "" for standard input, the capacity to
// grow to or 0. What an earlier one left unfinished goes, and so does the volume when anything fails. What is compared is read from the volume.
const contentScript = contentLib + `uri=$1 pool=$2 vol=$3 xml=$4 size=$5 want=$6 src=$7 grow=$8
v() { virsh -q -c "$uri" "$@"; }
unfinished "$uri" "$pool" "$vol"
old=$unfinished
if [ -f "$old" ]; then
	if [ "$(cat "$old")" = "$(identity "$(v vol-path --pool "$pool" --vol "$vol" 2>/dev/null)")" ]; then v vol-delete --pool "$pool" --vol "$vol" >/dev/null 2>&1; fi
	rm -f -- "$old"
fi
if [ -n "$src" ] && [ -z "$want" ]; then want=$(sha256sum <"$src") && want=${want%% *} || exit 1; fi
umask 077
mkdir -p -- "${old%/*}" || exit 1
made=
undo() { [ -z "$made" ] || v vol-delete --pool "$pool" --vol "$vol" >/dev/null 2>&1; rm -f -- "$old"; }
trap undo EXIT
trap 'exit 1' HUP INT TERM
printf '%s' "$xml" | v vol-create --pool "$pool" --file /dev/stdin >/dev/null || exit 1
made=yes
path=$(v vol-path --pool "$pool" --vol "$vol") && identity "$path" >"$old" || exit 1
if [ -n "$src" ]; then v vol-upload --pool "$pool" --vol "$vol" --file "$src" || exit 1
else cat | v vol-upload --pool "$pool" --vol "$vol" --file /dev/stdin || exit 1; fi
got=$(v vol-download --pool "$pool" --vol "$vol" --file /dev/stdout --length "$size" | sha256sum) && got=${got%% *}
if [ "$got" != "$want" ]; then echo "the volume got content of sha256 $got, wanted $want: it was removed again" >&2; exit 1; fi
if [ -f "$path" ]; then fallocate -d -- "$path" 2>/dev/null; fi
v pool-refresh --pool "$pool" >/dev/null || exit 1
if [ "$grow" != 0 ]; then v vol-resize --pool "$pool" --vol "$vol" --capacity "$grow" >/dev/null || exit 1; fi
made=`

// volumeSourceFile is what a look told of content that is a file of the host.
type volumeSourceFile struct {
	found bool
	size  int64
	head  []byte
}

func parseSourceFile(r *modules.Report) (volumeSourceFile, error) {
	var s volumeSourceFile
	if !r.Has("size") {
		return s, nil
	}
	var err error
	if s.size, err = strconv.ParseInt(r.Text("size"), 10, 64); err != nil {
		return s, fmt.Errorf("read the size of the content: %w", err)
	}
	if s.head, err = hex.DecodeString(r.Text("head")); err != nil {
		return s, fmt.Errorf("read the beginning of the content: %w", err)
	}
	s.found = true
	return s, nil
}

// sameFormat reports whether a volume of format have is what was asked: libvirt tells an ISO image from other raw content by itself.
func (j *volumeJob) sameFormat(have, want string) bool {
	flat := []string{"raw", "iso"}
	return have == want || j.ContentFrom != "" && slices.Contains(flat, have) && slices.Contains(flat, want)
}
