package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed archive.go
var archiveSource string

// Archive packs files of the host.
var Archive = modules.Define("archive", archiveSource+attributesSource, runArchive, modules.Aliases("community.general.archive"))

// ArchiveFormat is how an archive is packed.
type ArchiveFormat string

// Choices lists the formats.
func (ArchiveFormat) Choices() []string { return []string{"bz2", "gz", "tar", "xz", "zip"} }

// ArchiveArgs pack files and folders of the host into an archive there, or a single file by itself. The host needs what packs: tar and
// gzip, bzip2 or xz, or zip. An archive of the same files with the same content stays as it is.
//
//	# Keep the logs of yesterday.
//	- archive:
//	    path: /var/log/app/*.log
//	    dest: /srv/backup/app.tgz
//	    remove: true
type ArchiveArgs struct {
	// Path are files and folders, also as patterns with * and ?.
	Path []string `arg:"path" required:"true"`
	// Format is how to pack.
	Format ArchiveFormat `arg:"format" default:"gz"`
	// Dest is the archive; without, a single file's name with the format behind it.
	Dest modules.Path `arg:"dest"`
	// ExcludePath are paths and patterns of path that are left out.
	ExcludePath []string `arg:"exclude_path"`
	// ExclusionPatterns are patterns of names in the archive (for zip, of whole paths) that are left out; * stands for slashes too.
	ExclusionPatterns []string `arg:"exclusion_patterns"`
	// ForceArchive makes an archive even of a single file.
	ForceArchive bool `arg:"force_archive"`
	// Remove removes what was packed, and the folders that are empty then.
	Remove bool `arg:"remove"`
	Attributes
}

// Check holds the rules over several arguments.
func (a ArchiveArgs) Check() error {
	if a.Dest == "" && (len(a.Path) > 1 || a.ForceArchive || slices.ContainsFunc(a.Path, isPattern)) {
		return &modules.ArgError{Path: []any{"dest"}, Key: true, Msg: `must specify "dest" when archiving multiple files or trees`}
	}
	return nil
}

func isPattern(p string) bool { return strings.ContainsAny(p, "*?") }

// ArchiveResult is what was packed.
type ArchiveResult struct {
	// Changed says whether the archive, its attributes or what was packed changed.
	Changed bool `json:"changed"`
	// Archived are the files that were packed.
	Archived []string `json:"archived"`
	// Arcroot is the folder that names in the archive begin below.
	Arcroot string `json:"arcroot"`
	// Dest is the archive.
	Dest string `json:"dest"`
	// DestState is archive, compress for a single file, incomplete when something was missing, or absent.
	DestState string `json:"dest_state"`
	// Missing are the paths that are not there.
	Missing []string `json:"missing"`
	// ExpandedPaths is path with its patterns expanded.
	ExpandedPaths []string `json:"expanded_paths"`
	// ExpandedExcludePaths is exclude_path with its patterns expanded.
	ExpandedExcludePaths []string `json:"expanded_exclude_paths"`
	PathInfo
}

// archiveLook: as deployScript with an empty ninth argument; how many paths, the paths, those to leave out.
const archiveLook = deployScript + `
shift 9
count=$1 nl='
'
shift
paths() {
	__expand "$1"
	case $__v in
	*[*?]*) (IFS=; set +f; for f in $__v; do if [ -e "$f" ] || [ -L "$f" ]; then printf '%s\n' "$f"; fi; done) ;;
	*) printf '%s\n' "$__v" ;;
	esac
}
all=
while [ "$count" -gt 0 ]; do all=$all$(paths "$1")$nl; shift; count=$((count - 1)); done
out=
for x; do out=$out$(paths "$x")$nl; done
say paths "$all"
say excluded "$out"
each() {
	printf %s "$all" | while IFS= read -r f; do
		[ -n "$f" ] || continue
		case $nl$out in *"$nl$f$nl"*) continue ;; esac
		"$@"
	done
}
kind() {
	if [ -d "$f" ]; then [ "$1" != d ] || printf '%s\n' "$f"
	elif [ -e "$f" ] || [ -L "$f" ]; then [ "$1" != f ] || printf '%s\n' "$f"
	else [ "$1" != - ] || printf '%s\n' "$f"; fi
}
below() { if [ -d "$f" ]; then find -H "$f" -mindepth 1 "$@"; fi; }
say tops "$(each kind d)"
say plain "$(each kind f)"
say missing.paths "$(each kind -)"
say odd "$(each below -name "*$nl*" | head -n 1)"
say dirs "$(each below -type d)"
say files "$(each below ! -type d)"
`

// packScript: temporary file, archive so far, folder, format, file to pack by itself or nothing. Names come by standard input. It tells
// the new file's checksum and size, or that the old one has the same in it.
const packScript = newFileLib + `t=$1 p=$2 root=$3 format=$4 single=$5
trap '[ -n "$keep" ] || rm -f -- "$t"; rm -f -- "$t.names"' EXIT
trap 'exit 1' HUP INT TERM
keep=
sha() { s=$(sha1sum); printf '%s\n' "${s%% *}"; }
case $format in gz) z=gzip ;; bz2) z=bzip2 ;; xz) z=xz ;; zip) z=zip ;; *) z=cat ;; esac
if ! command -v "$z" >/dev/null 2>&1; then echo "the host has no $z" >&2; exit 1; fi
new_file "$t" && (umask 077; cat >"$t.names") || exit 1
pack() { case $z in cat) cat ;; gzip) gzip -nc ;; *) "$z" -c ;; esac; }
unpack() { case $z in cat) cat ;; *) "$z" -dc 2>/dev/null ;; esac; }
if [ "$format" = zip ]; then
	rm -f -- "$t"
	(umask 077; cd -- "$root" && zip -q -X - -@ <"$t.names" >"$t") || exit 1
	sums() { unzip -v "$1" 2>/dev/null | awk '$7 ~ /^[0-9a-f]{8}$/ || length($7) == 8 { $1 = $2 = $3 = $4 = $5 = $6 = ""; print }' | sort | sha; }
elif [ -n "$single" ]; then
	pack <"$single" >"$t" || exit 1
	sums() { unpack <"$1" | sha; }
else
	case $(tar --version 2>/dev/null) in
	*GNU*) set -- --verbatim-files-from -T "$t.names" ;;
	*) # busybox may know no -T
		set -- --
		while IFS= read -r name; do set -- "$@" "$name"; done <"$t.names" ;;
	esac
	rc=$( { { tar -cf - -C "$root" --no-recursion "$@"; echo $? >&3; } | pack >"$t" || echo 9 >&3; } 3>&1)
	[ "$rc" = 0 ] || exit 1
	sums() { unpack <"$1" | sha; }
fi
if [ -f "$p" ] && [ -r "$p" ] && [ "$(sums "$p")" = "$(sums "$t")" ]; then say same 1; exit 0; fi
keep=1
say new "$(sha <"$t")"
say size "$(($(wc -c <"$t")))"
`

// packing is what there is to pack.
type packing struct {
	ArchiveResult
	at      target
	d       *deployment
	tops    []string // folders among the paths
	members []string // names below Arcroot
	dirs    []string // folders below the tops
	single  bool     // one file that is packed by itself
	from    string
}

func runArchive(ctx context.Context, h *modules.Host, a ArchiveArgs) (ArchiveResult, error) {
	dest := string(a.Dest)
	if dest == "" {
		dest = a.Path[0] + "." + string(a.Format)
	}
	p := packing{d: &deployment{dest: dest, attributes: a.Attributes, force: true, planning: h.Planning()}}
	args := append(append(append(p.d.lookAt(), "", fmt.Sprint(len(a.Path))), a.Path...), a.ExcludePath...)
	r, err := h.Probe(ctx, archiveLook, args...)
	if err != nil {
		return p.ArchiveResult, fmt.Errorf("look at %s: %w", strings.Join(a.Path, ", "), err)
	}
	if err := a.read(r, &p); err != nil {
		return p.ArchiveResult, err
	}
	if p.at.at.exists {
		p.PathInfo = pathInfo(p.at.at)
	}
	if len(p.members) == 0 && len(p.tops) == 0 {
		if p.at.at.exists {
			p.DestState = map[bool]string{true: "archive", false: "compress"}[isArchive(dest)]
		}
		return a.finish(ctx, h, &p, "")
	}
	if err := p.d.refuse(p.at); err != nil {
		return p.ArchiveResult, err
	}
	if err := p.at.ids.err; err != nil && !h.Planning() {
		return p.ArchiveResult, err
	}
	if h.Planning() {
		p.Changed = !p.single || !p.at.at.exists
		return p.ArchiveResult, nil
	}
	return a.pack(ctx, h, &p)
}

func isArchive(name string) bool {
	for _, end := range []string{".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".zip"} {
		if strings.HasSuffix(strings.ToLower(name), end) {
			return true
		}
	}
	return false
}

// read takes what the look told.
func (a ArchiveArgs) read(r *modules.Report, p *packing) error {
	var err error
	if p.at, err = p.d.parse(r); err != nil {
		return err
	}
	none := func(list []string) []string { return append([]string{}, list...) } // [] and not null
	p.Dest, p.DestState = p.at.at.path, "absent"
	p.ExpandedPaths, p.ExpandedExcludePaths, p.Missing = none(r.Lines("paths")), none(r.Lines("excluded")), none(r.Lines("missing.paths"))
	p.tops, p.dirs, p.Archived = r.Lines("tops"), r.Lines("dirs"), []string{}
	plain := r.Lines("plain")
	all := slices.Concat(p.tops, plain, p.Missing)
	slices.Sort(all)
	switch {
	case len(all) == 0:
		return fmt.Errorf("no source paths were found: %s", strings.Join(a.Path, ", "))
	case r.Text("odd") != "":
		return fmt.Errorf("a newline in a file's name is not supported: %q", r.Text("odd"))
	}
	p.Arcroot = commonRoot(all)
	archives := a.ForceArchive || slices.ContainsFunc(a.Path, isPattern) || len(all) > 1 || len(p.tops) > 0
	if archives && a.Dest == "" {
		return errors.New(`must specify "dest" when archiving multiple files or trees`)
	}
	if a.Remove {
		for _, top := range p.tops {
			if strings.HasPrefix(p.Dest, strings.TrimRight(top, "/")+"/") {
				return errors.New("created archive can not be contained in source paths when remove=true")
			}
		}
	}
	p.single = !archives && a.Format != "zip" && a.Format != "tar"
	names := slices.Concat(plain, p.dirs, r.Lines("files"))
	slices.Sort(names)
	for _, full := range slices.Compact(names) {
		name := strings.TrimPrefix(full, p.Arcroot)
		matched := strings.TrimPrefix(name, "/")
		if a.Format == "zip" {
			matched = full
		}
		if full == p.Dest || !p.single && slices.ContainsFunc(a.ExclusionPatterns, func(pattern string) bool { return fnmatch(pattern, matched) }) {
			continue
		}
		p.members, p.from = append(p.members, name), full
		if a.Format != "zip" || !slices.Contains(p.dirs, full) { // as Ansible, whose zip knows a folder by another name
			p.Archived = append(p.Archived, full)
		}
	}
	return nil
}

// commonRoot is the folder that all paths have in common, with a slash at its end.
func commonRoot(paths []string) string {
	prefix := ""
	for i, p := range paths {
		dir := p[:strings.LastIndexByte(p, '/')+1]
		if i == 0 {
			prefix = dir
		}
		for !strings.HasPrefix(dir, prefix) {
			prefix = prefix[:strings.LastIndexByte(strings.TrimSuffix(prefix, "/"), '/')+1]
		}
	}
	return prefix
}

// fnmatch matches as Python's fnmatch does: * and ? stand for slashes too.
func fnmatch(pattern, name string) bool {
	const slash = "\x01" // path.Match stops at slashes alone
	ok, err := path.Match(strings.ReplaceAll(strings.ReplaceAll(pattern, "[!", "[^"), "/", slash), strings.ReplaceAll(name, "/", slash))
	return err == nil && ok
}

// pack makes the archive and brings it to its place.
func (a ArchiveArgs) pack(ctx context.Context, h *modules.Host, p *packing) (ArchiveResult, error) {
	temp := tempBeside(p.Dest)
	single := ""
	if p.single {
		single = p.from
	}
	root := p.Arcroot
	if root == "" {
		root = "."
	}
	done, err := h.Change(ctx, modules.Action{
		Why: "pack " + p.Dest, Script: packScript, Args: []string{temp, p.Dest, root, string(a.Format), single},
		Stdin: []byte(lines(p.members)),
	})
	if err != nil {
		return p.ArchiveResult, fmt.Errorf("Error when writing %s archive at %s: %w", a.Format, p.Dest, err)
	}
	told := modules.ParseReport(done[0].Stdout)
	switch {
	case p.single:
		p.DestState = "compress"
	case len(p.Missing) > 0:
		p.DestState = "incomplete"
	default:
		p.DestState = "archive"
	}
	if told.Has("same") {
		return a.finish(ctx, h, p, "")
	}
	p.d.sha1, p.d.size = told.Text("new"), int64(told.Int("size"))
	return a.finish(ctx, h, p, temp)
}

// lines are texts with a line end behind each.
func lines(texts []string) string {
	var b strings.Builder
	for _, text := range texts {
		b.WriteString(text + "\n")
	}
	return b.String()
}

// removeScript: how many files, the files, the folders, which go when they are empty.
const removeScript = `n=$1; shift
while [ "$n" -gt 0 ]; do rm -f -- "$1" || exit 1; shift; n=$((n - 1)); done
for d; do rmdir -- "$d" 2>/dev/null || :; done`

// finish brings a new archive to its place, sees to its attributes and removes what was packed.
func (a ArchiveArgs) finish(ctx context.Context, h *modules.Host, p *packing, temp string) (ArchiveResult, error) {
	var actions []modules.Action
	var err error
	switch {
	case temp != "":
		actions, _, err = p.d.plan(p.at, temp, "")
	case p.at.at.exists:
		err = p.at.ids.err
		actions, _ = a.plan(p.at.at, p.at.ids, p.at.umask, true)
	}
	if a.Remove && err == nil && len(p.Archived) > 0 {
		files := slices.DeleteFunc(slices.Clone(p.Archived), func(f string) bool { return slices.Contains(p.dirs, f) })
		folders := slices.Concat(p.tops, p.dirs)
		slices.Sort(folders)
		slices.Reverse(folders) // what is deeper first
		actions = append(actions, modules.Action{
			Why: "remove what was packed", Script: removeScript, Args: slices.Concat([]string{fmt.Sprint(len(files))}, files, folders),
		})
	}
	if err != nil || len(actions) == 0 {
		return p.ArchiveResult, err
	}
	p.Changed = true
	told, err := h.ChangeAndProbe(ctx, actions, deployScript, p.d.lookAt()...)
	if errors.Is(err, modules.ErrPlanned) {
		return p.ArchiveResult, err
	}
	if err != nil {
		if temp != "" {
			err = errors.Join(err, discard(ctx, h, temp))
		}
		return p.ArchiveResult, err
	}
	after, err := p.d.parse(told)
	p.PathInfo = pathInfo(after.at)
	return p.ArchiveResult, err
}
