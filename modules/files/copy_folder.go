package files

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

// entry is one file or folder of a tree to copy, by its path below the tree's root.
type entry struct {
	rel   string
	dir   bool
	local string // on the controller
	size  int64
	perm  uint32
	sha1  string
	// remote: it is on the host, and what is made of it gets its permissions.
	remote bool
	link   string // what a symbolic link holds, "" when it is none
}

// treeScript: dest, owner, group, SELinux, chattr, what starts each path; on standard input the paths below it, one a line.
const treeScript = lookLib + attributesLib + `
expand "$1"; p=$expanded
say path "$p"
line umask umask
ids "$2" "$3"
look at "$p" -L
list=$(cat)
if [ -d "$p" ] && cd "$p"; then
	say tree "$(printf '%s\n' "$list" | tr '\n' '\0' | xargs -0 stat -c "$6 %f %u %g %n" 2>/dev/null; echo "$6 ")"
	say sums "$(printf '%s\n' "$list" | tr '\n' '\0' | xargs -0 sha1sum 2>/dev/null)"
	say links "$(printf '%s\n' "$list" | while IFS= read -r f; do
		if [ -L "$f" ]; then printf '%s %s\n%s> %s\n' "$6" "$f" "$6" "$(readlink "$f")"; fi
	done; echo "$6 ")"
fi
`

// treeNow is what is at the destination of a tree.
type treeNow struct {
	root  string
	at    info
	have  map[string]info // by path below root
	ids   ids
	umask uint32
}

// lookTree looks at every destination of the entries in one round trip.
func lookTree(ctx context.Context, h *modules.Host, a CopyArgs, dest string, entries []entry) (treeNow, error) {
	var list strings.Builder
	for _, e := range entries {
		if strings.ContainsRune(e.rel, '\n') {
			return treeNow{}, fmt.Errorf("copy %q: a newline in a file's name is not supported", e.rel)
		}
		list.WriteString("./" + e.rel + "\n")
	}
	mark := newMark()
	r, err := h.ProbeInput(ctx, []byte(list.String()), treeScript, append(append([]string{dest}, a.lookArgs()...), mark)...)
	if err != nil {
		return treeNow{}, fmt.Errorf("look at %s: %w", dest, err)
	}
	n := treeNow{root: r.Text("path"), have: map[string]info{}, ids: a.readIDs(r), umask: readUmask(r)}
	if n.at, err = readInfo(r, "at", n.root); err != nil {
		return n, err
	}
	links := readLinks(r.Bytes("links"), mark)
	for _, i := range readTree(r.Bytes("tree"), mark) {
		rel := strings.TrimPrefix(i.path, "./")
		i.path, i.target = below(n.root, rel), links[rel]
		n.have[rel] = i
	}
	for rel, sum := range readSums(r.Lines("sums")) {
		i := n.have[rel]
		i.sha1 = sum
		n.have[rel] = i
	}
	return n, nil
}

// readSums reads what sha1sum prints, by path below the folder.
func readSums(lines []string) map[string]string {
	sums := map[string]string{}
	for _, line := range lines {
		sum, file, ok := strings.Cut(line, "  ./")
		if escaped := strings.HasPrefix(sum, `\`); escaped {
			// GNU marks and escapes a name with a backslash in it.
			sum, file = sum[1:], strings.ReplaceAll(file, `\\`, `\`)
		}
		if ok {
			sums[file] = sum
		}
	}
	return sums
}

// readLinks reads names and targets of symbolic links, each after the mark at the beginning of a line.
func readLinks(text []byte, mark string) map[string]string {
	links, name := map[string]string{}, ""
	for _, part := range strings.Split("\n"+string(text), "\n"+mark)[1:] {
		if target, is := strings.CutPrefix(part, "> "); is {
			links[name] = target
		}
		name = strings.TrimPrefix(strings.TrimPrefix(part, " "), "./")
	}
	return links
}

// below is a path in a folder; the folder's name stays as it is, with a ./ that keeps a - from its beginning.
func below(root, rel string) string { return strings.TrimSuffix(root, "/") + "/" + rel }

// copyFolder copies a folder of the controller: one look, and few streams for all that differs.
func copyFolder(ctx context.Context, h *modules.Host, a CopyArgs, found string) (CopyResult, error) {
	dest := string(a.Dest)
	if !strings.HasSuffix(a.Src, "/") {
		dest = path.Join(dest, path.Base(found))
	}
	entries, err := walkLocal(h.Local(), strings.TrimSuffix(found, "/"), "")
	if err != nil {
		return CopyResult{}, err
	}
	var uploads []string
	result, err := deployTree(ctx, h, a, entry{rel: found, dir: true}, dest, entries, func(n treeNow, files []entry) ([]modules.Action, error) {
		return a.streams(ctx, h, n, files, &uploads)
	})
	if modules.IgnorePlanned(err) != nil {
		for _, temp := range uploads {
			err = errors.Join(err, discard(ctx, h, temp))
		}
	}
	return result, err
}

func walkLocal(l modules.Local, dir, rel string) ([]entry, error) {
	list, err := l.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	var entries []entry
	for _, item := range list {
		full := path.Join(dir, item.Name())
		stat, err := l.Stat(full)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", full, err)
		}
		e := entry{rel: path.Join(rel, item.Name()), local: full, dir: stat.IsDir(), perm: uint32(stat.Mode().Perm())}
		if !e.dir {
			var d deployment // it opens a vaulted file, whose content has another size
			if err := d.setLocal(l, full); err != nil {
				return nil, err
			}
			e.sha1, e.size = d.sha1, d.size
		}
		entries = append(entries, e)
		if e.dir {
			below, err := walkLocal(l, full, e.rel)
			if err != nil {
				return nil, err
			}
			entries = append(entries, below...)
		}
	}
	return entries, nil
}

// deployTree makes folders and files below dest; src is the folder that they come from. Bring gives the actions that bring files' contents.
func deployTree(ctx context.Context, h *modules.Host, a CopyArgs, src entry, dest string, entries []entry,
	bring func(treeNow, []entry) ([]modules.Action, error),
) (CopyResult, error) {
	switch {
	case a.Validate != "":
		return CopyResult{}, fmt.Errorf("validate is not supported where src is a folder: %s", src.rel)
	case a.Checksum != "":
		return CopyResult{}, fmt.Errorf("checksum is not supported where src is a folder: %s", src.rel)
	}
	n, err := lookTree(ctx, h, a, dest, entries)
	if err != nil {
		return CopyResult{}, err
	}
	result := CopyResult{Dest: n.root + "/", Src: src.rel}
	if n.at.exists && n.at.kind() != typeDir {
		return result, fmt.Errorf("cannot copy the folder %s over %s, which is a %s", src.rel, n.root, n.at.state())
	}
	actions, differing, err := a.planEntries(n, src, entries)
	if err != nil {
		return result, err
	}
	if len(actions)+len(differing) == 0 {
		return result, nil
	}
	if len(differing) > 0 {
		contents, err := bring(n, differing)
		if err != nil {
			return result, err
		}
		actions = append(actions, contents...)
	}
	// What is new needs its attributes after its content; the rest of the plan made folders and set attributes.
	actions = append(actions, a.finishEntries(n, differing)...)
	if _, err := h.Change(ctx, actions...); err != nil {
		return result, err
	}
	return result, a.verify(ctx, h, dest, entries)
}

// verify looks again: every content must be there.
func (a CopyArgs) verify(ctx context.Context, h *modules.Host, dest string, entries []entry) error {
	n, err := lookTree(ctx, h, a, dest, entries)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if have := n.have[e.rel]; !e.dir && a.Force && (have.sha1 != e.sha1 && e.link == "" || have.target != e.link) {
			return fmt.Errorf("did not converge: %s was written and yet is another", below(n.root, e.rel))
		}
	}
	return nil
}

// planEntries makes missing folders, sets attributes of what is there, and picks the files whose content differs.
func (a CopyArgs) planEntries(n treeNow, src entry, entries []entry) (actions []modules.Action, differing []entry, err error) {
	folder := a.Attributes
	folder.Mode = a.DirectoryMode
	makeFolder := func(p string, like entry) {
		actions = append(actions, modules.Action{Why: "create directory " + p, Argv: []string{"mkdir", "-p", "--", p}})
		folder := folder
		if like.remote && folder.Mode.IsZero() {
			folder.Mode = octal(like.perm)
		}
		more, _ := folder.plan(info{path: p, exists: true, fresh: true, mode: typeDir | 0o777&^n.umask}, n.ids, n.umask, true)
		actions = append(actions, more...)
	}
	if !n.at.exists {
		makeFolder(n.root, src)
	}
	for _, e := range entries {
		have, ok := n.have[e.rel]
		switch {
		case e.dir && !ok:
			makeFolder(below(n.root, e.rel), e)
		case e.dir && have.kind() != typeDir && have.kind() != typeLink, !e.dir && ok && have.kind() == typeDir:
			return nil, nil, fmt.Errorf("%s is in the way: it is a %s", have.path, have.state())
		case e.dir:
			more, _ := folder.plan(have, n.ids, n.umask, true)
			actions = append(actions, more...)
		case ok && !a.Force, e.link != "" && have.target == e.link:
		case a.Follow && have.kind() == typeLink:
			return nil, nil, fmt.Errorf("follow is not supported where src is a folder: %s is a symbolic link", have.path)
		case !ok || have.sha1 != e.sha1 || have.kind() == typeLink:
			differing = append(differing, e)
		default:
			more, _ := a.ofFile(e).plan(have, n.ids, n.umask, true)
			actions = append(actions, more...)
		}
	}
	return actions, differing, nil
}

// ofFile are the attributes of one file: mode preserve is its own.
func (a CopyArgs) ofFile(e entry) Attributes {
	attributes := a.Attributes
	if attributes.Mode.Preserve() {
		attributes.Mode = octal(e.perm)
	}
	return attributes
}

// modeOf is what permissions a file that is written gets.
func (a CopyArgs) modeOf(n treeNow, e entry) uint32 {
	now, there := n.have[e.rel]
	mode := 0o666 &^ n.umask
	if there && now.kind() == typeFile {
		mode = now.perm()
	}
	if asked := a.ofFile(e).Mode; !asked.IsZero() {
		return asked.Apply(mode, false, n.umask)
	}
	if e.remote {
		return e.perm
	}
	return mode
}

// finishEntries sets the attributes of files that were written.
func (a CopyArgs) finishEntries(n treeNow, files []entry) []modules.Action {
	var actions []modules.Action
	for _, e := range files {
		now, ok := n.have[e.rel]
		attributes := a.ofFile(e)
		switch {
		case !ok || now.kind() == typeLink:
			now = info{path: below(n.root, e.rel), exists: true, fresh: true, mode: typeFile | 0o666&^n.umask}
			if e.link != "" {
				now.mode = typeLink | 0o777
			}
		default:
			// It was written with its mode, which needs to be set again only where a new owner clears parts of it.
			now.mode = typeFile | a.modeOf(n, e)
		}
		more, _ := attributes.plan(now, n.ids, n.umask, true)
		actions = append(actions, more...)
	}
	return actions
}

// The largest stream, and the most files, that go in one request.
const (
	streamBytes = 4 << 20
	streamFiles = 200
)

// placeLib defines place PATH TEMP MODE BACKUP: a new file takes its place by a rename, with its mode from the start. One that
// was there leaves it its owner where that is possible, and is kept as BACKUP.
const placeLib = `
place() {
	if [ -f "$1" ] && [ ! -L "$1" ]; then
		chown "$(stat -c '%u:%g' -- "$1")" "$2" 2>/dev/null
		[ -z "$4" ] || cp -p -- "$1" "$4" || { rm -f -- "$4"; return 1; }
	fi
	chmod "$3" "$2" || return 1
	if [ -L "$1" ]; then mv -f -T -- "$2" "$1"; else mv -f -- "$2" "$1"; fi
}
`

// untarScript: a folder to be made for the stream's members, which are numbered; then place, mode and backup of each.
const untarScript = placeLib + `t=$1; shift
trap 'rm -rf -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
(umask 077; mkdir -- "$t") || exit 1
err=$(tar -xof - -C "$t" 2>&1) || { err=${err%%"
"*}; printf '%s\n' "${err##*: }" >&2; exit 1; }
i=0
while [ $# -gt 0 ]; do
	place "$1" "$t/$i" "$2" "$3" || exit 1
	shift 3; i=$((i + 1))
done
`

// placeScript: place, temporary file, mode, backup.
const placeScript = placeLib + `t=$2
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
place "$1" "$t" "$3" "$4"
`

// placing are the arguments for one file that is written: its place, and mode and backup.
func (a CopyArgs) placing(n treeNow, e entry) (target, mode, backup string) {
	target = below(n.root, e.rel)
	if now := n.have[e.rel]; a.Backup && now.kind() == typeFile {
		backup = modules.BackupName(target)
	}
	return target, chmodMode(a.modeOf(n, e)), backup
}

// streams packs files into actions; a large one is uploaded by itself.
func (a CopyArgs) streams(ctx context.Context, h *modules.Host, n treeNow, files []entry, uploads *[]string) ([]modules.Action, error) {
	var actions []modules.Action
	var part []entry
	var size int64
	flush := func() error {
		if len(part) == 0 {
			return nil
		}
		action, err := a.pack(h, n, part)
		actions, part, size = append(actions, action), nil, 0
		return err
	}
	for _, e := range files {
		if size+e.size > streamBytes || len(part) == streamFiles {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		if e.size > streamBytes {
			temp, err := a.uploadOne(ctx, h, n, e)
			if err != nil {
				return nil, err
			}
			*uploads = append(*uploads, temp)
			target, mode, backup := a.placing(n, e)
			actions = append(actions, modules.Action{
				Why: "write " + target, Script: placeScript, Args: []string{target, temp, mode, backup},
			})
			continue
		}
		part, size = append(part, e), size+e.size
	}
	return actions, flush()
}

// uploadOne streams a large file to the nearest folder above its place that is there already.
func (a CopyArgs) uploadOne(ctx context.Context, h *modules.Host, n treeNow, e entry) (string, error) {
	if !n.at.exists {
		if _, err := h.Change(ctx, modules.Action{Why: "create directory " + n.root, Argv: []string{"mkdir", "-p", "--", n.root}}); modules.IgnorePlanned(err) != nil {
			return "", err
		}
	}
	temp := tempBeside(below(n.root, ""))
	opts := modules.FileOptions{PutOptions: transport.PutOptions{Mode: 0o600, HasMode: true, Size: e.size}}
	return temp, modules.IgnorePlanned(h.PutLocal(ctx, "upload "+e.local, temp, e.local, opts))
}

// pack makes one action of several files.
func (a CopyArgs) pack(h *modules.Host, n treeNow, files []entry) (modules.Action, error) {
	action := modules.Action{
		Why: fmt.Sprintf("write %d files below %s", len(files), n.root), Script: untarScript, Args: []string{tempBeside(below(n.root, ""))},
	}
	if len(files) == 1 {
		action.Why = "write " + below(n.root, files[0].rel)
	}
	for _, e := range files {
		target, mode, backup := a.placing(n, e)
		action.Args = append(action.Args, target, mode, backup)
	}
	if h.Planning() {
		return action, nil
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, e := range files {
		if err := addMember(h.Local(), w, fmt.Sprint(i), e); err != nil {
			return action, err
		}
	}
	if err := w.Close(); err != nil {
		return action, fmt.Errorf("pack files: %w", err)
	}
	action.Stdin = b.Bytes()
	return action, nil
}

func addMember(l modules.Local, w *tar.Writer, name string, e entry) error {
	r, err := l.Open(e.local)
	if err != nil {
		return fmt.Errorf("open %s: %w", e.local, err)
	}
	defer r.Close()
	// A vaulted file's content has another size than the file.
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read %s: %w", e.local, err)
	}
	if sumOf(data) != e.sha1 {
		return fmt.Errorf("%s changed while it was being copied", e.local)
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(data)), Format: tar.FormatGNU}); err != nil {
		return fmt.Errorf("pack %s: %w", e.local, err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("pack %s: %w", e.local, err)
	}
	return nil
}
