package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

// deployment is one file that is to have a content: what copy and template have in common.
type deployment struct {
	dest string // as the user wrote it
	name string // the file's name when dest is a folder; "" when dest must not be one
	from string // for messages and the diff

	content []byte // or, when it is too large to hold, a file of the controller
	local   string
	remote  string // or a file of the host
	size    int64
	sha1    string

	attributes Attributes
	force      bool
	backup     bool
	follow     bool
	validate   string
	folderMode modules.FileMode
	parents    bool   // folders that are missing above dest are made
	label      string // what the diff says the file is: "/etc/fstab (content)"
	// planning: check mode. A folder that is missing may be what an earlier task would make.
	planning bool
}

// inCommand is up to which size content travels with the command that writes it.
const inCommand = 32 << 10

// maxDiff is the largest file of which a diff is shown.
const maxDiff = 104448

// target is what is at a deployment's destination.
type target struct {
	at      info
	missing []string // folders to make
	blocked string
	closed  string // where temporary files go instead when none can be made beside it
	slash   bool   // dest ended in a slash
	before  []byte
	hasText bool // before was read
	real    info // what a link leads to, for edits only
	me      info // whose a new file would be, for edits only
	ids     ids
	umask   uint32
}

// deployScript: dest, name, follow, owner, group, SELinux, chattr, largest content to tell, and not "" when no checksum is asked for.
const deployScript = lookLib + attributesLib + `
case $1 in */) slash=1 ;; *) slash= ;; esac
expand "$1"; p=$expanded
if [ -n "$2" ] && { [ -n "$slash" ] || [ -d "$p" ]; }; then p=${p%/}/$2; fi
if [ -n "$3" ] && [ -L "$p" ]; then p=$(cd "${p%/*}/" && readlink -f "./${p##*/}"); fi
say path "$p"
say slash "$slash"
look at "$p"
extras at "$p" "$6" "$7"
if [ -z "${9-}" ] && [ -f "$p" ] && [ -r "$p" ] && [ ! -L "$p" ]; then
	checksum sha1 "$p"
fi
line umask umask
ids "$4" "$5"
case $p in */*) up=${p%/*} ;; *) up=. ;; esac
[ -n "$up" ] || up=/
missing=
while [ ! -e "$up" ] && [ ! -L "$up" ]; do
	missing="$up
$missing"
	case $up in */*) up=${up%/*}; [ -n "$up" ] || up=/ ;; *) break ;; esac
done
say missing "$missing"
[ -d "$up" ] || [ ! -e "$up" ] || say blocked "$up"
[ -w "$up" ] || say closed "${TMPDIR:-/tmp}"
if [ "$8" -gt 0 ] && [ -f "$p" ] && [ -r "$p" ] && [ ! -L "$p" ] && sized "$p" && [ "$size" -le "$8" ]; then show before "$p" "$size"; fi
`

// newFileLib is a shell function that makes an empty file where there is none, for its owner alone, and says why it cannot.
//
//	new_file FILE
const newFileLib = `
nl='
'
new_file() {
	err=$( (umask 077; set -C; : >"$1") 2>&1) || { printf 'cannot create a file in %s: %s\n' "${1%/*}" "${err##*: }" >&2; return 1; }
}
`

// writeScript: file, temporary file, 1 when it is there already, mode, owner and group for chown, owner and group that are kept if
// possible, SELinux context, chattr's word, backup, 1 to write in place where the new file cannot take it (unsafe_writes), then the words
// of the validating command. What fails leaves the old file whole and nothing beside it.
const writeScript = newFileLib + `p=$1 t=$2 there=$3 mode=$4 own=$5 keep=$6 context=$7 chattr=$8 backup=$9 unsafe=${10}
shift 10
kept= old=
trap '[ ! -e "$t" ] || rm -f -- "$t"; [ -z "$kept" ] || rm -f -- "$kept"; [ -z "$old" ] || rm -f -- "$old"' EXIT
trap 'exit 1' HUP INT TERM
if [ -z "$there" ]; then
	new_file "$t" || exit 1
	err=$(dd bs=65536 conv=fsync of="$t" 2>&1) || { printf '%s\n' "${err%%$nl*}" >&2; exit 1; }
fi
[ -z "$keep" ] || { [ -O "$p" ] && [ -G "$p" ] && [ -O "$t" ] && [ -G "$t" ]; } || chown "$keep" "$t" 2>/dev/null || :
[ -z "$own" ] || chown "$own" "$t" || exit 1
chmod "$mode" "$t" || exit 1
if [ -n "$context" ]; then chcon "$context" "$t" || exit 1
elif [ -e /sys/fs/selinux/enforce ] && [ -f "$p" ]; then chcon --reference="$p" "$t" 2>/dev/null || :; fi
if [ $# -gt 0 ]; then
	n=$#
	while [ $n -gt 0 ]; do
		w=$1; shift
		case $w in *%s*) w=${w%%'%s'*}$t${w#*'%s'} ;; esac
		set -- "$@" "$w"; n=$((n - 1))
	done
	said=$("$@" 2>&1 </dev/null); rc=$?
	if [ $rc -ne 0 ]; then printf 'failed to validate: %s: exit status %s: %s\n' "$*" "$rc" "$said" >&2; exit 1; fi
fi
if [ -n "$backup" ]; then kept=$backup; cp -p -- "$p" "$backup" || exit 1; fi
in_place() {
	old=$(mktemp "${TMPDIR:-/tmp}/hostler.XXXXXXXX") && cat <"$p" >"$old" || return 1
	if ! err=$(cat <"$t" 2>&1 >"$p"); then
		printf 'write in place: %s\n' "${err##*: }" >&2
		cmp -s "$old" "$p" || cat <"$old" >"$p" || kept= old=
		return 1
	fi
	[ -z "$own" ] || chown "$own" "$p" || return 1
	[ $((0$(stat -c %a -- "$p"))) = $((0$mode)) ] || chmod "$mode" "$p" || return 1
	[ -z "$context" ] || chcon "$context" "$p"
}
if [ -L "$p" ]; then mv -f -T -- "$t" "$p" || exit 1
elif [ -d "$p" ]; then echo "$p is a directory" >&2; exit 1
elif [ -z "$unsafe" ] || [ ! -f "$p" ]; then mv -f -- "$t" "$p" || exit 1
else mv -f -- "$t" "$p" 2>/dev/null || in_place || exit 1; fi
kept=
[ -z "$chattr" ] || chattr "$chattr" "$p"
`

// cpScript: file, temporary file.
const cpScript = newFileLib + `new_file "$2" || exit 1
cp -- "$1" "$2" || { rm -f -- "$2"; exit 1; }`

func (d *deployment) parse(r *modules.Report) (target, error) {
	var t target
	var err error
	if t.at, err = readInfo(r, "at", r.Text("path")); err != nil {
		return t, err
	}
	readExtras(r, "at", &t.at)
	t.at.sha1 = readSum(r)
	t.missing, t.blocked, t.slash, t.closed = r.Lines("missing"), r.Text("blocked"), r.Text("slash") != "", r.Text("closed")
	t.before, t.hasText = r.Bytes("before"), r.Has("before")
	t.ids, t.umask = d.attributes.readIDs(r), readUmask(r)
	return t, nil
}

// same reports that the content is already there.
func (d *deployment) same(t target) bool {
	return t.at.exists && t.at.kind() == typeFile && t.at.sha1 == d.sha1
}

// refuse gives the reasons not to write.
func (d *deployment) refuse(t target) error {
	switch {
	case t.at.exists && t.at.kind() == typeDir && d.name == "":
		return fmt.Errorf("can not use content with a dir as dest: %s", t.at.path)
	case t.at.exists && t.at.kind() == typeDir:
		return fmt.Errorf("can not overwrite directory %s with a file", t.at.path)
	case t.at.exists && t.at.kind() != typeFile && t.at.kind() != typeLink:
		return fmt.Errorf("%s is no regular file: it is not replaced", t.at.path)
	case t.blocked != "":
		return fmt.Errorf("destination %s: %s is not a directory", t.at.path, t.blocked)
	case len(t.missing) > 0 && !d.makesFolders(t) && !d.planning:
		return fmt.Errorf("destination directory %s does not exist", path.Dir(t.at.path))
	case t.ids.err != nil && t.at.exists:
		return t.ids.err
	}
	return nil
}

func (d *deployment) makesFolders(t target) bool { return t.slash || d.parents }

// kept reports that there is a file which force: no keeps from being replaced.
func (d *deployment) kept(t target) bool { return !d.force && t.at.exists }

// plan gives the actions that bring the content there, or only its attributes. Temp is where the content is already.
func (d *deployment) plan(t target, temp, backup string) ([]modules.Action, info, error) {
	if err := d.refuse(t); err != nil {
		return nil, t.at, err
	}
	if d.kept(t) {
		return nil, t.at, nil
	}
	if d.same(t) {
		actions, then := d.attributes.plan(t.at, t.ids, t.umask, true)
		return actions, then, nil
	}
	var actions []modules.Action
	for _, folder := range t.missing {
		if !d.makesFolders(t) {
			break
		}
		actions = append(actions, modules.Action{
			Why: "create directory " + folder, Script: `mkdir -- "$1" && { [ -z "$2" ] || chmod "$2" "$1"; }`,
			Args: []string{folder, d.chmodFolder(t.umask)},
		})
	}
	if d.remote != "" {
		temp = d.temp(t)
		actions = append(actions, modules.Action{
			Why: fmt.Sprintf("copy %s to %s", d.remote, t.at.path), Script: cpScript, Args: []string{d.remote, temp},
		})
	}
	write, then, err := d.write(t, temp, backup)
	return append(actions, write), then, err
}

func (d *deployment) chmodFolder(umask uint32) string {
	if d.folderMode.IsZero() || d.folderMode.Preserve() {
		return ""
	}
	return chmodMode(d.folderMode.Apply(0o777&^umask, true, umask))
}

func (d *deployment) write(t target, temp, backup string) (modules.Action, info, error) {
	now := info{path: t.at.path, exists: true, mode: typeFile | 0o666&^t.umask, uid: -1, gid: -1, nlink: 1}
	keep := ""
	switch {
	case t.at.exists && t.at.kind() == typeFile:
		now = t.at
	case t.real.exists && t.real.kind() == typeFile:
		now = t.real
		now.path = t.at.path
	default:
		backup = ""
	}
	if now.uid >= 0 {
		keep = fmt.Sprintf("%d:%d", now.uid, now.gid)
	}
	then := now
	then.size, then.sha1 = int(d.size), d.sha1
	mode := now.perm()
	if !d.attributes.Mode.IsZero() && !d.attributes.Mode.Preserve() {
		mode = d.attributes.Mode.Apply(mode, false, t.umask)
	}
	then.mode = typeFile | mode
	own := ""
	if d.attributes.Owner != "" {
		own, then.uid, then.owner = number(t.ids.uid, d.attributes.Owner), t.ids.uid, d.attributes.Owner
	}
	if d.attributes.Group != "" {
		own += ":" + number(t.ids.gid, d.attributes.Group)
		then.gid, then.group = t.ids.gid, d.attributes.Group
	}
	context, chattr := "", ""
	if d.attributes.wantsSELinux() && t.at.context != "" {
		context = d.attributes.contextOf(t.at.context)
	}
	if d.attributes.Attributes != "" {
		chattr = chattrWord(d.attributes.Attributes)
	}
	validate, err := d.validator()
	if err != nil {
		return modules.Action{}, then, err
	}
	there, stdin := "1", []byte(nil)
	if temp == "" {
		temp, there, stdin = d.temp(t), "", append([]byte{}, d.content...)
	}
	return modules.Action{
		Why: "write " + t.at.path, Script: writeScript, Stdin: stdin,
		Args: append([]string{t.at.path, temp, there, chmodMode(mode), own, keep, context, chattr, backup, given(d.attributes.UnsafeWrites, "1")}, validate...),
	}, then, nil
}

// validator splits the validating command as a shell does.
func (d *deployment) validator() ([]string, error) {
	if d.validate == "" {
		return nil, nil
	}
	if !strings.Contains(d.validate, "%s") {
		return nil, fmt.Errorf("validate must contain %%s: %s", d.validate)
	}
	words, err := modules.SplitWords(d.validate)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	return words, nil
}

// tempBeside is a name for a new file in a file's folder.
func tempBeside(file string) string {
	var raw [6]byte
	_, _ = rand.Read(raw[:]) // never fails, crypto/rand says
	return file[:strings.LastIndexByte(file, '/')+1] + ".hostler." + hex.EncodeToString(raw[:])
}

// temp is a name for the new file: beside the old one, but where unsafe_writes allows to write in place and the folder takes no files.
func (d *deployment) temp(t target) string {
	if d.attributes.UnsafeWrites && t.closed != "" && t.at.exists {
		return tempBeside(t.closed + "/" + base(t.at.path))
	}
	return tempBeside(t.at.path)
}

// outcome is what became of a deployment.
type outcome struct {
	before, after target
	backup        string
	written       bool
}

// run brings the content to the host.
func (d *deployment) run(ctx context.Context, h *modules.Host) (outcome, error) {
	var o outcome
	d.planning = h.Planning()
	args := append(append([]string{d.dest, d.name, given(d.follow, "1")}, d.attributes.lookArgs()...),
		strconv.Itoa(map[bool]int{true: maxDiff}[h.WantDiff()]))
	temp, err := d.upload(ctx, h, args)
	if err != nil {
		return o, err
	}
	o.before, o.after, err = modules.Reconcile(ctx, h, modules.Reconciler[target]{
		Probe: deployScript, Args: args, Parse: d.parse,
		Plan: func(t target) ([]modules.Action, error) {
			if d.backup && o.backup == "" && t.at.exists && !d.same(t) && !d.kept(t) {
				o.backup = modules.BackupName(t.at.path)
			}
			actions, _, err := d.plan(t, temp, o.backup)
			return actions, err
		},
		Want: func(t target) target {
			if _, then, err := d.plan(t, temp, ""); err == nil {
				t.at = then
			}
			return t
		},
		Diff: d.diff,
	})
	o.written = !d.same(o.before) && !d.kept(o.before)
	if planned := errors.Is(err, modules.ErrPlanned); temp != "" && !planned && (err != nil || !o.written) {
		err = errors.Join(err, discard(ctx, h, temp))
	}
	if err == nil && !d.same(o.after) && !d.kept(o.after) {
		err = fmt.Errorf("did not converge: %s was written and yet has another checksum: %s, not %s", o.after.at.path, o.after.at.sha1, d.sha1)
	}
	return o, err
}

// upload streams large content to a file beside the destination, if it is to be written at all. It tells where.
func (d *deployment) upload(ctx context.Context, h *modules.Host, args []string) (string, error) {
	if d.size <= inCommand || d.remote != "" {
		return "", nil
	}
	r, err := h.Probe(ctx, deployScript, args...)
	if err != nil {
		return "", err
	}
	t, err := d.parse(r)
	if err != nil {
		return "", err
	}
	if d.same(t) || d.kept(t) || d.refuse(t) != nil {
		return "", nil
	}
	temp := d.temp(t)
	if len(t.missing) > 0 {
		// The folder is made by the same plan that moves the file, so the upload waits in the folder above.
		temp = tempBeside(t.missing[0])
	}
	opts := modules.FileOptions{PutOptions: transport.PutOptions{Mode: 0o600, HasMode: true, Size: d.size}}
	why := "upload " + d.from
	if d.local == "" {
		err = h.WriteFile(ctx, why, temp, d.content, opts)
	} else {
		err = h.PutLocal(ctx, why, temp, d.local, opts)
	}
	if err = modules.IgnorePlanned(err); err != nil {
		return temp, fmt.Errorf("upload to %s: %w", t.at.path, err)
	}
	return temp, nil
}

// discard removes an upload that did not get to its place: the change that should have moved it failed, or was not needed any
// more. A host that cannot be reached keeps it.
func discard(ctx context.Context, h *modules.Host, temp string) error {
	if _, err := h.Change(ctx, modules.Action{Why: "remove the upload " + temp, Argv: []string{"rm", "-f", "--", temp}}); err != nil {
		return fmt.Errorf("remove the upload %s: %w", temp, err)
	}
	return nil
}

// diff shows content where it is text, and attributes.
func (d *deployment) diff(before, after target) []modules.Diff {
	var diffs []modules.Diff
	if !d.same(before) {
		switch {
		case d.size > maxDiff || d.remote != "" || before.at.exists && before.at.kind() == typeFile && !before.hasText:
			diffs = append(diffs, modules.Diff{Prepared: fmt.Sprintf("diff skipped: %s or what replaces it is not at hand or larger than %d bytes\n", after.at.path, maxDiff)})
		case bytes.IndexByte(d.content, 0) >= 0 || bytes.IndexByte(before.before, 0) >= 0:
			diffs = append(diffs, modules.Diff{Prepared: fmt.Sprintf("diff skipped: %s is binary\n", after.at.path)})
		default:
			one := modules.Diff{Before: modules.Clean(before.before), After: modules.Clean(d.content), AfterHeader: d.from}
			if before.at.exists {
				one.BeforeHeader = after.at.path
			}
			if d.label != "" {
				one.BeforeHeader, one.AfterHeader = d.label, d.label
			}
			diffs = append(diffs, one)
		}
	}
	if one, ok := attributesDiff(before.at, after.at); ok && before.at.exists {
		diffs = append(diffs, one)
	}
	return diffs
}

// setContent takes content that is in memory.
func (d *deployment) setContent(data []byte) {
	d.content, d.size, d.sha1 = data, int64(len(data)), sumOf(data)
}

// sumOf is the checksum by which contents are compared.
func sumOf(data []byte) string {
	sum := sha1.Sum(data)
	return hex.EncodeToString(sum[:])
}

// setLocal takes a file of the controller; small ones are read, others summed up.
func (d *deployment) setLocal(l modules.Local, file string) error {
	r, err := l.Open(file)
	if err != nil {
		return fmt.Errorf("could not find or access %s: %w", file, err)
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, maxDiff+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	d.setContent(head)
	if len(head) <= maxDiff {
		return nil
	}
	hash := sha1.New()
	n, err := io.Copy(hash, io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	d.content, d.local, d.size, d.sha1 = nil, file, n, hex.EncodeToString(hash.Sum(nil))
	return nil
}

// errNoController says that a module needs what only a run has.
var errNoController = errors.New("this module needs files of the controller, and there are none here")
