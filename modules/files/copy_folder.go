package files

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
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
}

// treeScript: dest, owner, group, SELinux, chattr; on standard input the paths below it, one a line.
const treeScript = lookLib + attributesLib + `
expand "$1"; p=$expanded
say path "$p"
say umask "$(umask)"
ids "$2" "$3"
look at "$p" -L
list=$(cat)
if [ -d "$p" ] && cd "$p"; then
	say tree "$(printf '%s\n' "$list" | tr '\n' '\0' | xargs -0 stat -c '%f %u %g %n' 2>/dev/null)"
	say sums "$(printf '%s\n' "$list" | tr '\n' '\0' | xargs -0 sha1sum 2>/dev/null)"
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
	r, err := h.ProbeInput(ctx, []byte(list.String()), treeScript, append([]string{dest}, a.lookArgs()...)...)
	if err != nil {
		return treeNow{}, fmt.Errorf("look at %s: %w", dest, err)
	}
	n := treeNow{root: r.Text("path"), have: map[string]info{}, ids: a.readIDs(r), umask: readUmask(r)}
	if n.at, err = readInfo(r, "at", n.root); err != nil {
		return n, err
	}
	for _, i := range readTree(r.Lines("tree")) {
		rel := strings.TrimPrefix(i.path, "./")
		i.path = path.Join(n.root, rel)
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
	return deployTree(ctx, h, a, found, dest, entries, func(n treeNow, files []entry) ([]modules.Action, error) {
		return a.streams(ctx, h, n, files)
	})
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
		e := entry{rel: path.Join(rel, item.Name()), local: full, dir: stat.IsDir(), size: stat.Size(), perm: uint32(stat.Mode().Perm())}
		if !e.dir {
			if e.sha1, err = localSum(l, full, sha1.New()); err != nil {
				return nil, err
			}
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

// deployTree makes folders and files below dest. Bring gives the actions that bring files' contents.
func deployTree(ctx context.Context, h *modules.Host, a CopyArgs, src, dest string, entries []entry,
	bring func(treeNow, []entry) ([]modules.Action, error),
) (CopyResult, error) {
	n, err := lookTree(ctx, h, a, dest, entries)
	if err != nil {
		return CopyResult{}, err
	}
	result := CopyResult{Dest: n.root + "/", Src: src}
	if n.at.exists && n.at.kind() != typeDir {
		return result, fmt.Errorf("cannot copy the folder %s over %s, which is a %s", src, n.root, n.at.state())
	}
	actions, differing, err := a.planEntries(n, entries)
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
		if have := n.have[e.rel]; !e.dir && a.Force && have.sha1 != e.sha1 {
			return fmt.Errorf("did not converge: %s was written and yet has another checksum", path.Join(n.root, e.rel))
		}
	}
	return nil
}

// planEntries makes missing folders, sets attributes of what is there, and picks the files whose content differs.
func (a CopyArgs) planEntries(n treeNow, entries []entry) (actions []modules.Action, differing []entry, err error) {
	folder := a.Attributes
	folder.Mode = a.DirectoryMode
	makeFolder := func(p string) {
		actions = append(actions, modules.Action{Why: "create directory " + p, Argv: []string{"mkdir", "-p", "--", p}})
		more, _ := folder.plan(info{path: p, exists: true, fresh: true, mode: typeDir | 0o777&^n.umask}, n.ids, n.umask, true)
		actions = append(actions, more...)
	}
	if !n.at.exists {
		makeFolder(n.root)
	}
	for _, e := range entries {
		have, ok := n.have[e.rel]
		switch {
		case e.dir && !ok:
			makeFolder(path.Join(n.root, e.rel))
		case e.dir && have.kind() != typeDir && have.kind() != typeLink, !e.dir && ok && have.kind() == typeDir:
			return nil, nil, fmt.Errorf("%s is in the way: it is a %s", have.path, have.state())
		case e.dir:
			more, _ := folder.plan(have, n.ids, n.umask, true)
			actions = append(actions, more...)
		case ok && !a.Force:
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
		attributes.Mode = modules.FileMode{} // within the host cp keeps it
		if e.local != "" {
			attributes.Mode = octal(e.perm)
		}
	}
	return attributes
}

// finishEntries sets the attributes of files that were written.
func (a CopyArgs) finishEntries(n treeNow, files []entry) []modules.Action {
	var actions []modules.Action
	for _, e := range files {
		now, ok := n.have[e.rel]
		if !ok || now.kind() == typeLink {
			now = info{path: path.Join(n.root, e.rel), exists: true, fresh: true, mode: typeFile | 0o666&^n.umask}
		}
		more, _ := a.ofFile(e).plan(now, n.ids, n.umask, true)
		actions = append(actions, more...)
	}
	return actions
}

// The largest stream, and the most files, that go in one request.
const (
	streamBytes = 4 << 20
	streamFiles = 200
)

// untarScript: folder, then the files' places below it. The stream's members are numbered in the same order; each file
// takes its place by a rename. One that was there keeps its mode and, where possible, its owner.
const untarScript = `root=$1; shift
t=$root/.hostler.$$
trap 'rm -rf -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
(umask 077; mkdir -- "$t") || exit 1
tar -xof - -C "$t" || exit 1
i=0
for f; do
	if [ -f "$root/$f" ] && [ ! -L "$root/$f" ]; then
		set -- $(stat -c '%u:%g %a' -- "$root/$f")
		chown "$1" "$t/$i" 2>/dev/null
		chmod "$2" "$t/$i" || exit 1
	fi
	mv -f -- "$t/$i" "$root/$f" || exit 1
	i=$((i + 1))
done
`

// streams packs files into actions; a large one is uploaded by itself.
func (a CopyArgs) streams(ctx context.Context, h *modules.Host, n treeNow, files []entry) ([]modules.Action, error) {
	var actions []modules.Action
	var part []entry
	var size int64
	flush := func() error {
		if len(part) == 0 {
			return nil
		}
		action, err := pack(h, n, part)
		actions, part, size = append(actions, action), nil, 0
		return err
	}
	for _, e := range files {
		if size+e.size > streamBytes || len(part) == streamFiles {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		if e.size > streamBytes && !h.Planning() {
			temp, err := a.uploadOne(ctx, h, n, e)
			if err != nil {
				return nil, err
			}
			target := path.Join(n.root, e.rel)
			actions = append(actions, modules.Action{
				Why: "write " + target, Script: `chmod "$1" "$2" && mv -f -- "$2" "$3"`, Args: []string{chmodMode(0o666 &^ n.umask), temp, target},
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
		if _, err := h.Change(ctx, modules.Action{Why: "create directory " + n.root, Argv: []string{"mkdir", "-p", "--", n.root}}); err != nil {
			return "", err
		}
	}
	temp := tempBeside(path.Join(n.root, "x"))
	opts := modules.FileOptions{PutOptions: transport.PutOptions{Mode: 0o600, HasMode: true, Size: e.size}}
	return temp, h.PutLocal(ctx, "upload "+e.local, temp, e.local, opts)
}

// pack makes one action of several files.
func pack(h *modules.Host, n treeNow, files []entry) (modules.Action, error) {
	action := modules.Action{Why: fmt.Sprintf("write %d files below %s", len(files), n.root), Script: untarScript, Args: []string{n.root}}
	if len(files) == 1 {
		action.Why = "write " + path.Join(n.root, files[0].rel)
	}
	for _, e := range files {
		action.Args = append(action.Args, e.rel)
	}
	if h.Planning() {
		return action, nil
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, e := range files {
		if err := addMember(h.Local(), w, fmt.Sprint(i), e, int64(0o666&^n.umask)); err != nil {
			return action, err
		}
	}
	if err := w.Close(); err != nil {
		return action, fmt.Errorf("pack files: %w", err)
	}
	action.Stdin = b.Bytes()
	return action, nil
}

func addMember(l modules.Local, w *tar.Writer, name string, e entry, mode int64) error {
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
	sum := sha1.Sum(data)
	if hex.EncodeToString(sum[:]) != e.sha1 {
		return fmt.Errorf("%s changed while it was being copied", e.local)
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(data)), Format: tar.FormatGNU}); err != nil {
		return fmt.Errorf("pack %s: %w", e.local, err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("pack %s: %w", e.local, err)
	}
	return nil
}

// copyRemoteFolder copies a folder within the host.
func copyRemoteFolder(ctx context.Context, h *modules.Host, a CopyArgs, src string, r *modules.Report) (CopyResult, error) {
	dest := string(a.Dest)
	if !strings.HasSuffix(a.Src, "/") {
		dest = path.Join(dest, path.Base(src))
	}
	var entries []entry
	for _, folder := range r.Lines("folders") {
		entries = append(entries, entry{rel: strings.TrimPrefix(folder, "./"), dir: true})
	}
	sums := readSums(r.Lines("files"))
	for _, rel := range slices.Sorted(maps.Keys(sums)) {
		entries = append(entries, entry{rel: rel, sha1: sums[rel]})
	}
	if links := r.Lines("links"); len(links) > 0 {
		h.Warn("%d symbolic links below %s were not copied", len(links), src)
	}
	return deployTree(ctx, h, a, src, dest, entries, func(n treeNow, files []entry) ([]modules.Action, error) {
		var actions []modules.Action
		for _, e := range files {
			from, to := path.Join(src, e.rel), path.Join(n.root, e.rel)
			actions = append(actions, modules.Action{
				Why: fmt.Sprintf("copy %s to %s", from, to), Script: `cp ${3:+-p} -- "$1" "$2.hostler.$$" && mv -f -- "$2.hostler.$$" "$2"`,
				Args: []string{from, to, given(a.Mode.Preserve(), "1")},
			})
		}
		return actions, nil
	})
}
