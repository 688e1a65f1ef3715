package files

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

//go:embed unarchive.go
var unarchiveSource string

// Unarchive unpacks an archive.
var Unarchive = modules.Define("unarchive", unarchiveSource+attributesSource, runUnarchive,
	modules.Aliases("ansible.builtin.unarchive", "ansible.legacy.unarchive"))

// UnarchiveArgs unpack a tar or zip archive of the controller, or of the host, into a folder. The host needs GNU tar with what
// unpacks the compression, or unzip. An archive of which everything is there already is not unpacked again.
//
//	# Unpack a program, once.
//	- unarchive:
//	    src: app-1.2.tar.gz
//	    dest: /opt
//	    creates: /opt/app-1.2/bin/app
type UnarchiveArgs struct {
	// Src is the archive, on the controller beside the playbook or role, or with remote_src on the host; a URL is then fetched there.
	Src string `arg:"src" required:"true"`
	// Dest is the folder to unpack into; it must be there.
	Dest modules.Path `arg:"dest" required:"true"`
	// RemoteSrc says that src is on the host.
	RemoteSrc *bool `arg:"remote_src" exclusive:"place"`
	// Copy is the opposite of remote_src, of older versions.
	Copy *bool `arg:"copy" exclusive:"place"`
	// Creates is a path; when it is there, nothing is unpacked.
	Creates modules.Path `arg:"creates"`
	// ListFiles tells the names in the archive.
	ListFiles bool `arg:"list_files"`
	// KeepNewer leaves files that are newer than those in the archive.
	KeepNewer bool `arg:"keep_newer"`
	// Exclude are names and patterns that are not unpacked.
	Exclude []string `arg:"exclude" exclusive:"pick"`
	// Include are names and patterns of which alone to unpack.
	Include []string `arg:"include" exclusive:"pick"`
	// ExtraOpts are further options for tar or unzip.
	ExtraOpts []string `arg:"extra_opts"`
	// ValidateCerts verifies the certificate of a URL's server.
	ValidateCerts bool `arg:"validate_certs" default:"yes"`
	// IOBufferSize is taken for playbooks that set it and does nothing.
	IOBufferSize int `arg:"io_buffer_size" default:"65536"`
	// Decrypt opens a vaulted src.
	Decrypt bool `arg:"decrypt" default:"yes"`
	Attributes
}

// Check holds the rules over several arguments.
func (a UnarchiveArgs) Check() error {
	switch {
	case strings.Contains(a.Src, "://") && !a.remote():
		return &modules.ArgError{Path: []any{"src"}, Msg: "the controller fetches no archives: " + redacted(a.Src), Hint: "with remote_src: true the host does"}
	case strings.Contains(a.Src, "://"):
		return checkURL("src", a.Src)
	case a.Attributes.Attributes != "":
		return &modules.ArgError{Path: []any{"attributes"}, Msg: "attributes of the file system are not set on what an archive holds"}
	}
	return nil
}

func (a UnarchiveArgs) remote() bool {
	return a.RemoteSrc != nil && *a.RemoteSrc || a.Copy != nil && !*a.Copy
}

// UnarchiveResult is what became of the archive.
type UnarchiveResult struct {
	// Dest is the folder.
	Dest string `json:"dest,omitempty"`
	// Src is the archive.
	Src string `json:"src,omitempty"`
	// Handler is the kind of archive, as Ansible names it.
	Handler string `json:"handler,omitempty"`
	// Files are the names in the archive, with list_files.
	Files []string `json:"files,omitempty"`
	// Changed says whether anything was unpacked or got other attributes.
	Changed bool `json:"changed"`
	// Skipped says that nothing was looked at.
	Skipped bool `json:"skipped,omitempty"`
	// Msg says why nothing was done.
	Msg string `json:"msg,omitempty"`
	PathInfo
}

// unarchiveScript: dest, creates, owner, group, 1 for SELinux, mark, archive or nothing yet, kind that is expected (tar or zip),
// 1 to tell of the files even where a tar's own comparison does, then the words for tar or unzip, in which the mark is the archive.
const unarchiveScript = lookLib + attributesLib + `
expand "$1"; dest=$expanded
expand "$7"; src=$expanded
selinux=$5 mark=$6 kind=$8 all=$9
say dest "$dest"
if [ -n "$2" ]; then expand "$2"; if [ -e "$expanded" ]; then say creates "$expanded"; exit 0; fi; fi
line umask umask
say me "$(id -u) $(id -g)"
say tmp "${TMPDIR:-/tmp}"
ids "$3" "$4"
look at "$dest" -L
[ -d "$dest" ] || exit 0
[ -n "$7" ] || exit 0
say src "$src"
look archive "$src" -L
[ -f "$src" ] && [ -r "$src" ] && [ -s "$src" ] || exit 0
say readable 1
case $(head -c 6 "$src" | od -A n -t x1 | tr -d ' \n') in
504b*) is=ZipArchive ;; 1f8b*) is=TgzArchive ;; 425a68*) is=TarBzipArchive ;; fd377a585a00) is=TarXzArchive ;; 28b52ffd*) is=TarZstdArchive ;;
*) is=TarArchive ;;
esac
say handler "$is"
case $is in Zip*) [ "$kind" = zip ] || exit 0 ;; *) [ "$kind" = tar ] || exit 0 ;; esac
shift 9
n=$#
while [ $n -gt 0 ]; do
	w=$1; shift
	[ "$w" != "$mark" ] || w=$src
	set -- "$@" "$w"; n=$((n - 1))
done
stats() {
	tr '\n' '\0' | (cd "$dest" && xargs -0 stat -c "$1" 2>/dev/null; echo "$mark ")
}
if [ "$kind" = zip ]; then
	command -v unzip >/dev/null 2>&1 || { say tool unzip; exit 0; }
	names=$(unzip -Z1 "$@" 2>/dev/null)
	say names "$names"
	tell list unzip -Z -T -s "$@"
	all=1
else
	tar=tar
	if command -v gtar >/dev/null 2>&1; then tar=gtar; fi
	case $("$tar" --version 2>/dev/null) in *GNU*) ;; *) say tool 'GNU tar'; exit 0 ;; esac
	tell names "$tar" --list --quoting-style=escape -C "$dest" "$@"
	names=$("$tar" --list --quoting-style=literal -C "$dest" "$@" 2>/dev/null)
	say diff "$(cd "$dest" && "$tar" --diff -C "$dest" "$@" 2>&1 </dev/null)"
fi
[ -n "$all" ] || exit 0
names=$(printf '%s\n' "$names"; printf '%s\n' "$names" | grep / | cut -d / -f 1 | sort -u)
say stats "$(printf '%s\n' "$names" | stats "$mark $__look|%n")"
if [ -n "$selinux" ] && [ -e /sys/fs/selinux/enforce ]; then say contexts "$(printf '%s\n' "$names" | stats "$mark %C %n")"; fi
`

// unpacked is what the probe tells of an archive and of the folder.
type unpacked struct {
	dest, archive info
	created       string // what creates named
	src, tmp      string
	handler, tool string // tool is what the host lacks
	readable      bool
	failure       string // why the archive's names cannot be told
	names         []string
	files         []info
	at            map[string]info   // the same by their paths
	times         map[string]string // of files, as zipinfo writes them
	list          []string          // lines of zipinfo
	diff          []string          // lines of tar --diff
	uid, gid      int               // who unpacks
	ids           ids
	umask         uint32
}

func (a UnarchiveArgs) parse(r *modules.Report, mark string) (unpacked, error) {
	u := unpacked{
		created: r.Text("creates"), src: r.Text("src"), tmp: r.Text("tmp"), handler: r.Text("handler"), tool: r.Text("tool"),
		readable: r.Has("readable"), list: r.Lines("list"), diff: r.Lines("diff"), ids: a.readIDs(r), umask: readUmask(r),
	}
	u.dest.path = r.Text("dest")
	if r.Has("creates") {
		return u, nil
	}
	var err error
	if u.dest, err = readInfo(r, "at", u.dest.path); err != nil {
		return u, err
	}
	if r.Has("archive") {
		if u.archive, err = readInfo(r, "archive", u.src); err != nil {
			return u, err
		}
	}
	if _, err := fmt.Sscanf(r.Text("me"), "%d %d", &u.uid, &u.gid); err != nil {
		return u, fmt.Errorf("look at %s: id printed %q", u.dest.path, r.Text("me"))
	}
	for _, key := range []string{"names", "list"} {
		if r.Has(key) && r.Status(key) != 0 {
			u.failure = strings.TrimSpace(r.Text(key+".err") + " " + r.Text(key))
		}
	}
	for _, name := range r.Lines("names") {
		if u.handler != "ZipArchive" {
			name = unescape(name)
		}
		u.names = append(u.names, strings.TrimPrefix(name, "/"))
	}
	contexts := readContexts(r.Bytes("contexts"), mark, u.dest.path)
	if u.files, err = readFound(r.Bytes("stats"), mark, u.dest.path); err != nil {
		return u, err
	}
	u.times = readTimes(r.Bytes("stats"), mark, u.dest.path)
	u.at = map[string]info{}
	for i := range u.files {
		u.files[i].context = contexts[u.files[i].path]
		u.at[u.files[i].path] = u.files[i]
	}
	return u, nil
}

func readContexts(text []byte, mark, top string) map[string]string {
	contexts := map[string]string{}
	for _, part := range strings.Split("\n"+string(text), "\n"+mark+" ")[1:] {
		if context, name, ok := strings.Cut(part, " "); ok {
			contexts[path.Join(top, name)] = context
		}
	}
	return contexts
}

// readTimes gives when files were modified, in the host's time zone, as zipinfo writes it.
func readTimes(text []byte, mark, top string) map[string]string {
	times := map[string]string{}
	for _, part := range strings.Split("\n"+string(text), "\n"+mark+" ")[1:] {
		fields := strings.SplitN(part, "|", 7)
		if len(fields) == 7 && len(fields[4]) >= len("2006-01-02 15:04:05") {
			times[path.Join(top, fields[6])] = strings.NewReplacer("-", "", ":", "", " ", ".").Replace(fields[4][:19])
		}
	}
	return times
}

// refuse gives the reasons not to unpack.
func (u unpacked) refuse() error {
	switch {
	case !u.dest.exists || u.dest.kind() != typeDir:
		return fmt.Errorf("dest '%s' must be an existing dir", u.dest.path)
	case u.src == "":
		return nil
	case !u.archive.exists:
		return fmt.Errorf("source '%s' does not exist", u.src)
	case u.archive.kind() == typeFile && u.archive.size == 0:
		return fmt.Errorf("invalid archive '%s', the file is 0 bytes", u.src)
	case !u.readable:
		return fmt.Errorf("source '%s' not readable", u.src)
	case u.tool != "":
		return fmt.Errorf("failed to find handler for %q: the host has no %s", u.src, u.tool)
	case u.failure != "":
		return fmt.Errorf("failed to find handler for %q: %s", u.src, u.failure)
	case len(u.names) == 0:
		return fmt.Errorf("failed to find handler for %q: no files in archive. Empty archive files are not supported", u.src)
	case u.ids.err != nil:
		return u.ids.err
	}
	return nil
}

// words are tar's or unzip's arguments behind what they are to do; the mark stands for the archive.
func (a UnarchiveArgs) words(zip bool, mark string) []string {
	if zip {
		words := append([]string{mark}, a.Include...)
		if len(a.Exclude) > 0 {
			words = append(append(words, "-x"), a.Exclude...)
		}
		return words
	}
	var words []string
	if len(a.ExtraOpts) > 0 {
		words = append([]string{"--show-transformed-names"}, a.ExtraOpts...)
	}
	if a.KeepNewer {
		words = append(words, "--keep-newer-files")
	}
	for _, name := range a.Exclude {
		words = append(words, "--exclude="+strings.TrimRight(name, "/"))
	}
	return append(append(words, "-f", mark), a.Include...)
}

// extract is the action that unpacks.
func (a UnarchiveArgs) extract(u unpacked) modules.Action {
	zip := u.handler == "ZipArchive"
	words := a.words(zip, u.src)
	action := modules.Action{Why: fmt.Sprintf("unpack %s to %s", u.src, u.dest.path), Dir: u.dest.path}
	if zip {
		action.Argv = slices.Concat([]string{"unzip", "-o"}, a.ExtraOpts, words, []string{"-d", u.dest.path})
		if len(a.Exclude) > 0 { // -d must not be taken for a name to exclude
			action.Argv = slices.Concat([]string{"unzip", "-o", "-d", u.dest.path}, a.ExtraOpts, words)
		}
		return action
	}
	action.Script = `t=tar; if command -v gtar >/dev/null 2>&1; then t=gtar; fi; exec "$t" --extract -C "$@"`
	action.Args = append([]string{u.dest.path}, words...)
	return action
}

func runUnarchive(ctx context.Context, h *modules.Host, a UnarchiveArgs) (UnarchiveResult, error) {
	switch {
	case strings.Contains(a.Src, "://"):
		return a.download(ctx, h)
	case a.remote():
		return a.run(ctx, h, a.Src, strings.HasSuffix(a.Src, ".zip"))
	}
	if !a.Decrypt {
		h.KeepSealed()
	}
	local := h.Local()
	if local == nil {
		return UnarchiveResult{}, errNoController
	}
	found, err := local.Find("files", a.Src)
	if err != nil {
		return UnarchiveResult{}, err
	}
	var d deployment
	if err := d.setLocal(local, found); err != nil {
		return UnarchiveResult{}, err
	}
	zip, err := isZip(local, found)
	if err != nil {
		return UnarchiveResult{}, err
	}
	u, err := a.look(ctx, h, "", zip)
	switch {
	case err != nil:
		return UnarchiveResult{Src: found}, err
	case u.created != "":
		return skipped(u), nil
	case u.refuse() != nil:
		return UnarchiveResult{Src: found}, u.refuse()
	case h.Planning():
		return UnarchiveResult{Skipped: true, Msg: "in check mode, an archive of the controller is not taken to the host for a comparison"}, nil
	}
	temp := tempBeside(strings.TrimRight(u.tmp, "/") + "/x")
	opts := modules.FileOptions{PutOptions: transport.PutOptions{Mode: 0o600, HasMode: true, Size: d.size}}
	if d.local == "" {
		err = h.WriteFile(ctx, "upload "+found, temp, d.content, opts)
	} else {
		err = h.PutLocal(ctx, "upload "+found, temp, found, opts)
	}
	if err != nil {
		return UnarchiveResult{Src: found}, errors.Join(fmt.Errorf("upload %s: %w", found, err), discard(ctx, h, temp))
	}
	result, err := a.run(ctx, h, temp, zip)
	result.Src = found
	return result, errors.Join(err, discard(ctx, h, temp))
}

// isZip looks at how a file of the controller begins.
func isZip(l modules.Local, file string) (bool, error) {
	r, err := l.Open(file)
	if err != nil {
		return false, fmt.Errorf("open %s: %w", file, err)
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, 2))
	if err != nil {
		return false, fmt.Errorf("read %s: %w", file, err)
	}
	return bytes.Equal(head, []byte("PK")), nil
}

func skipped(u unpacked) UnarchiveResult {
	return UnarchiveResult{Skipped: true, Msg: "skipped, since " + u.created + " exists"}
}

func (a UnarchiveArgs) lookAt(src string, zip bool, mark string) []string {
	kind := "tar"
	if zip {
		kind = "zip"
	}
	all := a.Owner+a.Group+a.Mode.Text != "" || a.wantsSELinux()
	return append([]string{
		string(a.Dest), string(a.Creates), a.Owner, a.Group, given(a.wantsSELinux(), "1"), mark, src, kind, given(all, "1"),
	}, a.words(zip, mark)...)
}

func (a UnarchiveArgs) look(ctx context.Context, h *modules.Host, src string, zip bool) (unpacked, error) {
	mark := newMark()
	r, err := h.Probe(ctx, unarchiveScript, a.lookAt(src, zip, mark)...)
	if err != nil {
		return unpacked{}, fmt.Errorf("look at %s: %w", a.Dest, err)
	}
	return a.parse(r, mark)
}

// errOtherKind says that the archive is not of the kind that its name tells.
var errOtherKind = errors.New("the archive is of another kind")

// run unpacks an archive of the host.
func (a UnarchiveArgs) run(ctx context.Context, h *modules.Host, src string, zip bool) (UnarchiveResult, error) {
	mark := newMark()
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[unpacked]{
		Probe: unarchiveScript, Args: a.lookAt(src, zip, mark),
		Parse: func(r *modules.Report) (unpacked, error) { return a.parse(r, mark) },
		Plan: func(u unpacked) ([]modules.Action, error) {
			switch {
			case u.created != "":
				return nil, nil
			case u.handler != "" && (u.handler == "ZipArchive") != zip:
				return nil, errOtherKind
			case u.refuse() != nil:
				return nil, u.refuse()
			case a.unpacked(u):
				return nil, nil
			}
			return []modules.Action{a.extract(u)}, nil
		},
	})
	switch planned := errors.Is(err, modules.ErrPlanned); {
	case errors.Is(err, errOtherKind):
		return a.run(ctx, h, src, !zip)
	case err != nil && !planned:
		return UnarchiveResult{Dest: before.dest.path, Src: src, Handler: before.handler}, err
	case before.created != "":
		return skipped(before), nil
	}
	unpacks := !a.unpacked(before)
	result := UnarchiveResult{Dest: after.dest.path, Src: src, Handler: after.handler, Changed: unpacks, PathInfo: pathInfo(after.dest)}
	if a.ListFiles {
		result.Files = after.names
	}
	set := FileArgs{Attributes: a.Attributes}.planTree(fileNow{at: info{path: "\x00"}, real: info{path: "\x00"}, tree: unique(after.files), ids: after.ids, umask: after.umask})
	if len(set) == 0 {
		return result, err
	}
	result.Changed = true
	_, err = h.Change(ctx, set...)
	return result, err
}

// unique leaves out files that were told of before.
func unique(files []info) []info {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(files), func(i info) bool {
		was := seen[i.path]
		seen[i.path] = true
		return was
	})
}
