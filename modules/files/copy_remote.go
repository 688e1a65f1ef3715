package files

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// remoteScript tells of a source on the host: path, kind, checksum, and of a folder what is in it. Its arguments: path, what starts each
// path of the tree, -L to follow symbolic links.
const remoteScript = lookLib + `
expand "$1"; p=$expanded
say path "$p"
look at "$p" -L
if [ -f "$p" ]; then say sum "$(sum sha1 "$p")"; fi
if [ -d "$p" ]; then
	cd "$p" || exit 1
	nl='
'
	say odd "$(find $3 . -name "*$nl*" | head -n 1)"
	say tree "$(find $3 . \( -type f -o -type d ! -name . \) -exec stat $3 -c "$2 %f %u %g %n" {} +; echo "$2 ")"
	say files "$(find $3 . -type f -exec sha1sum {} +)"
	say links "$(find $3 . -type l -exec sh -c 'm=$1; shift
		for f; do printf "%s %s\\n%s> %s\\n" "$m" "$f" "$m" "$(readlink "$f")"; done' sh "$2" {} +; echo "$2 ")"
	say others "$(find $3 . ! -type f ! -type d ! -type l)"
fi
`

// copyRemote copies within the host.
func copyRemote(ctx context.Context, h *modules.Host, a CopyArgs, d *deployment) (CopyResult, error) {
	mark := newMark()
	r, err := h.Probe(ctx, remoteScript, a.Src, mark, given(a.LocalFollow != nil && *a.LocalFollow, "-L"))
	if err != nil {
		return CopyResult{}, fmt.Errorf("look at %s: %w", a.Src, err)
	}
	src, err := readInfo(r, "at", r.Text("path"))
	if err != nil {
		return CopyResult{}, err
	}
	if !src.exists {
		return CopyResult{}, fmt.Errorf("source %s not found", src.path)
	}
	if src.kind() == typeDir {
		return copyRemoteFolder(ctx, h, a, src, r, mark)
	}
	d.from, d.remote, d.name = src.path, src.path, path.Base(src.path)
	d.sha1, d.size = firstWord(r.Text("sum")), int64(src.size)
	if d.sha1 == "" {
		return CopyResult{}, fmt.Errorf("source %s is not readable", src.path)
	}
	if a.Mode.Preserve() {
		d.attributes.Mode = octal(src.perm())
	}
	if a.Checksum != "" && a.Checksum != d.sha1 {
		return CopyResult{}, fmt.Errorf("copied file does not match the expected checksum: %s is %s, not %s", src.path, d.sha1, a.Checksum)
	}
	return d.copyResult(ctx, h)
}

// copyRemoteFolder copies a folder within the host, symbolic links as they are unless they are to be followed.
func copyRemoteFolder(ctx context.Context, h *modules.Host, a CopyArgs, from info, r *modules.Report, mark string) (CopyResult, error) {
	src := from.path
	dest := string(a.Dest)
	if !strings.HasSuffix(a.Src, "/") {
		dest = below(dest, path.Base(src))
	}
	if odd := r.Text("odd"); odd != "" {
		return CopyResult{}, fmt.Errorf("copy %s: a newline in a file's name is not supported: %q", src, odd)
	}
	if others := r.Lines("others"); len(others) > 0 {
		h.Warn("below %s, %d devices, pipes or sockets were not copied: %s", src, len(others), others[0])
	}
	sums := readSums(r.Lines("files"))
	var entries []entry
	for _, i := range readTree(r.Bytes("tree"), mark) {
		e := entry{rel: strings.TrimPrefix(i.path, "./"), dir: i.kind() == typeDir, perm: i.perm(), remote: true}
		if e.sha1 = sums[e.rel]; e.sha1 == "" && !e.dir {
			return CopyResult{}, fmt.Errorf("source %s is not readable", below(src, e.rel))
		}
		entries = append(entries, e)
	}
	links := readLinks(r.Bytes("links"), mark)
	for _, rel := range slices.Sorted(maps.Keys(links)) {
		entries = append(entries, entry{rel: rel, link: links[rel], remote: true})
	}
	root := entry{rel: src, dir: true, perm: from.perm(), remote: true}
	return deployTree(ctx, h, a, root, dest, entries, func(n treeNow, files []entry) ([]modules.Action, error) {
		return a.copies(src, n, files), nil
	})
}

// copyScript copies files within the host, five arguments each: file, place, temporary file, mode, backup.
const copyScript = newFileLib + placeLib + `t=
trap '[ -z "$t" ] || rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
while [ $# -gt 0 ]; do
	t=$3
	new_file "$t" && cp -- "$1" "$t" && place "$2" "$t" "$4" "$5" || exit 1
	shift 5
done
`

// copies are the actions that bring files and links of a folder of the host to their places.
func (a CopyArgs) copies(src string, n treeNow, files []entry) []modules.Action {
	var actions []modules.Action
	var plain []entry
	for _, e := range files {
		if e.link == "" {
			plain = append(plain, e)
			continue
		}
		to := below(n.root, e.rel)
		actions = append(actions, modules.Action{
			Why: fmt.Sprintf("link %s to %s", to, e.link), Script: linkScript, Args: []string{e.link, to, tempBeside(to), ""},
		})
	}
	for part := range slices.Chunk(plain, streamFiles) {
		action := modules.Action{Why: fmt.Sprintf("copy %d files to %s", len(part), n.root), Script: copyScript}
		if len(part) == 1 {
			action.Why = fmt.Sprintf("copy %s to %s", below(src, part[0].rel), below(n.root, part[0].rel))
		}
		for _, e := range part {
			target, mode, backup := a.placing(n, e)
			action.Args = append(action.Args, below(src, e.rel), target, tempBeside(target), mode, backup)
		}
		actions = append(actions, action)
	}
	return actions
}
