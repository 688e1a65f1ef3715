package files

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed file.go
var fileSource string

// attributesSource documents the arguments and return keys that modules share.
//
//go:embed attributes.go
var attributesSource string

// File sees to a file's or folder's kind and attributes.
var File = modules.Define("file", fileSource+attributesSource, runFile, modules.Aliases("ansible.builtin.file", "ansible.legacy.file"))

// FileState is what a path shall be.
type FileState string

// Choices lists the states.
func (FileState) Choices() []string {
	return []string{"absent", "directory", "file", "hard", "link", "touch"}
}

// FileArgs make folders, links and empty files, set owner and permissions, and remove what shall not be there.
type FileArgs struct {
	// Path that is seen to.
	Path modules.Path `arg:"path,alias=dest,alias=name" required:"true"`
	// State that the path shall have; without, what it is now, or a file. Folders above a directory are made too.
	State FileState `arg:"state"`
	// Src is what a link points to; that of a symbolic link may be relative to the link.
	Src string `arg:"src"`
	// Recurse sets the attributes of everything below a directory as well.
	Recurse bool `arg:"recurse"`
	// Force makes a link where its target is missing, or where something else is in the way.
	Force bool `arg:"force"`
	// Follow a symbolic link and set the attributes of what it points to.
	Follow bool `arg:"follow" default:"yes"`
	// ModificationTime is "preserve", "now" or a time; for touch it is "now" unless given.
	ModificationTime string `arg:"modification_time"`
	// ModificationTimeFormat is how modification_time is written, as for strptime.
	ModificationTimeFormat string `arg:"modification_time_format" default:"%Y%m%d%H%M.%S"`
	// AccessTime is "preserve", "now" or a time; for touch it is "now" unless given.
	AccessTime string `arg:"access_time"`
	// AccessTimeFormat is how access_time is written, as for strptime.
	AccessTimeFormat string `arg:"access_time_format" default:"%Y%m%d%H%M.%S"`
	Attributes

	// planning: check mode. A folder that is missing may be what an earlier task would make.
	planning bool
}

// Check holds the rules over several arguments.
func (a FileArgs) Check() error {
	switch {
	case a.Recurse && a.State != "" && a.State != "directory":
		return errors.New("recurse option requires state to be 'directory'")
	case a.Src != "" && a.State != "" && a.State != "link" && a.State != "hard":
		return errors.New("src option requires state to be 'link' or 'hard'")
	}
	if _, err := touchTime(a.ModificationTime, a.ModificationTimeFormat); err != nil {
		return fmt.Errorf("modification_time: %w", err)
	}
	if _, err := touchTime(a.AccessTime, a.AccessTimeFormat); err != nil {
		return fmt.Errorf("access_time: %w", err)
	}
	return nil
}

// FileResult is what became of the path.
type FileResult struct {
	// Path that was seen to.
	Path string `json:"path,omitempty"`
	// Dest is the path, for links and touched files.
	Dest string `json:"dest,omitempty"`
	// Src is what a link points to.
	Src string `json:"src,omitempty"`
	PathInfo
}

// fileScript: path, follow, owner, group, SELinux, chattr, src, state, recurse, 1 to tell the times, what starts each path of the tree, 1 when
// attributes are asked for. Where a link of plain letters leads comes with what stat tells of it.
const fileScript = lookLib + attributesLib + `
expand "$1"; p=$expanded
case $8 in
link | absent) ;;
*) if [ -n "$7" ] && [ -d "$p" ]; then p=$p/${7##*/}; fi ;;
esac
say path "$p"
[ ! -L "$p" ] || __look="$__look|%N"
look at "$p"
__look=${__look%"|%N"} named=${__s##*"|'$p' -> '"}
extras at "$p" "$5" "$6"
line umask umask
ids "$3" "$4"
if [ -L "$p" ]; then
	case ${named%"'"} in
	'' | *[!A-Za-z0-9./_-]*) say target "$(readlink "$p")" ;;
	*) say target "${named%"'"}" ;;
	esac
	case $2:$8:$7 in
	:* | 1:link:?*) ;;
	*)
		real=$(cd "${p%/*}/" && readlink -f "./${p##*/}")
		say real.path "$real"; look real "$real"; extras real "$real" "$5" "$6" ;;
	esac
fi
[ ! -d "$p" ] || [ "$8" != link ] || say children "$(ls -A "$p" | head -n 1)"
if [ -n "$7" ]; then
	s=$7
	case $8 in
	hard) expand "$s"; s=$expanded ;;
	*) case $s in
		/*) ;;
		*) if [ ! -L "$p" ] && [ -d "$p" ]; then s=$p/$s; else case $p in */*) s=${p%/*}/$s ;; esac; fi ;;
		esac ;;
	esac
	if [ -z "${12}" ] && [ "$8" = link ] && [ -e "$s" ]; then say src.exists 1; else look src "$s" -L; fi
	say src.path "$s"
fi
up=$p missing=
while [ ! -e "$up" ] && [ ! -L "$up" ]; do
	missing="$up
$missing"
	case $up in */*) up=${up%/*}; [ -n "$up" ] || up=/ ;; *) break ;; esac
done
say missing "$missing"
[ -d "$up" ] || [ ! -e "$up" ] || say blocked "$up"
if [ -n "${10}" ] && [ -e "$p" ]; then
	set -- "$@" $(stat -L -c '%X %Y' -- "$p")
	say times "$(date -d "@${13}" +%Y%m%d%H%M.%S) $(date -d "@${14}" +%Y%m%d%H%M.%S)"
fi
if [ -n "$9" ] && [ -d "$p" ]; then
	l=
	[ -z "$2" ] || l=-L
	say tree "$(find "$p/" ! -type l -exec stat -c "${11} %f %u %g %n" {} + ; find "$p/" -type l -exec stat $l -c "${11} %f %u %g %n" {} + 2>/dev/null
		echo "${11} ")"
fi
`

// fileNow is what the probe tells of a path and of what a link needs.
type fileNow struct {
	at, real info // of the path itself, and of what it points to when it is a link to follow
	src      info
	hasSrc   bool
	isEmpty  bool // a folder without entries
	missing  []string
	blocked  string // what is no folder on the way
	ids      ids
	umask    uint32
	times    []string // access and modification, as touch -t has them
	tree     []info
}

func parseFile(r *modules.Report, a FileArgs, mark string) (fileNow, error) {
	var n fileNow
	var err error
	if n.at, err = readInfo(r, "at", r.Text("path")); err != nil {
		return n, err
	}
	readExtras(r, "at", &n.at)
	n.at.target = r.Text("target")
	n.real = n.at
	if r.Has("real") {
		if n.real, err = readInfo(r, "real", r.Text("real.path")); err != nil {
			return n, err
		}
		readExtras(r, "real", &n.real)
	}
	if r.Has("src") {
		n.hasSrc = true
		if n.src, err = readInfo(r, "src", r.Text("src.path")); err != nil {
			return n, err
		}
	}
	if r.Has("src.exists") {
		n.src = info{path: r.Text("src.path"), exists: true}
		n.hasSrc = true
	}
	n.isEmpty = r.Has("children") && r.Text("children") == ""
	n.missing, n.blocked = r.Lines("missing"), r.Text("blocked")
	n.ids, n.umask = a.readIDs(r), readUmask(r)
	n.times = strings.Fields(r.Text("times"))
	n.tree = readTree(r.Bytes("tree"), mark)
	return n, nil
}

func readUmask(r *modules.Report) uint32 {
	mask, err := strconv.ParseUint(r.Text("umask"), 8, 32)
	if err != nil {
		return 0o077 // not told: better too narrow
	}
	return uint32(mask)
}

// newMark makes what starts each path that a probe tells of. Nobody on the host can foresee it, so that no name with a newline
// in it passes for another path.
func newMark() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails, crypto/rand says
	return hex.EncodeToString(raw[:])
}

// readTree reads mode, owner, group and path, each after the mark at the beginning of a line.
func readTree(text []byte, mark string) []info {
	var tree []info
	for _, part := range strings.Split("\n"+string(text), "\n"+mark+" ")[1:] {
		words := strings.SplitN(part, " ", 4)
		i := info{exists: true}
		if len(words) < 4 {
			continue // the mark after the last
		}
		if _, err := fmt.Sscanf(part, "%x %d %d", &i.mode, &i.uid, &i.gid); err == nil {
			i.path = words[3]
			tree = append(tree, i)
		}
	}
	return tree
}

func runFile(ctx context.Context, h *modules.Host, a FileArgs) (FileResult, error) {
	a.planning = h.Planning()
	mark := newMark()
	times := a.ModificationTime+a.AccessTime != ""
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[fileNow]{
		Probe: fileScript,
		Args: append(append([]string{string(a.Path), given(a.Follow, "1")}, a.lookArgs()...),
			a.Src, string(a.State), given(a.Recurse, "1"), given(times, "1"), mark, given(a.asked(), "1")),
		Parse: func(r *modules.Report) (fileNow, error) { return parseFile(r, a, mark) },
		Plan: func(n fileNow) ([]modules.Action, error) {
			actions, _, err := a.plan(n)
			return actions, err
		},
		Want: func(n fileNow) fileNow {
			if _, then, err := a.plan(n); err == nil {
				n.at = then
			}
			return n
		},
		Diff: func(before, after fileNow) []modules.Diff {
			if d, ok := attributesDiff(a.subject(before), a.subject(after)); ok {
				return []modules.Diff{d}
			}
			return nil
		},
	})
	result := a.result(before, after)
	if err == nil && a.State != "touch" {
		if left, _, again := a.plan(after); again == nil && len(left) > 0 {
			return result, &modules.ConvergeError{Left: left}
		}
	}
	return result, err
}

// state is what is asked for, given what is there.
func (a FileArgs) state(n fileNow) string {
	switch {
	case a.State != "":
		return string(a.State)
	case n.at.exists:
		return n.at.state()
	case a.Recurse:
		return "directory"
	}
	return "file"
}

// subject is what attributes apply to: the path, or what it points to.
func (a FileArgs) subject(n fileNow) info {
	if a.Follow && n.at.kind() == typeLink {
		switch a.state(n) {
		case "file", "directory", "touch":
			return n.real
		}
	}
	return n.at
}

func (a FileArgs) result(before, after fileNow) FileResult {
	r := FileResult{PathInfo: pathInfo(after.at)}
	at := asGiven(after.at.path, a.Path)
	switch a.state(before) {
	case "link", "hard":
		r.Dest, r.Src = at, a.Src
		if r.Src == "" {
			r.Src = after.at.target
		}
	case "touch":
		r.Dest = at
	case "absent":
		r.Path = at
	default:
		i := a.subject(after)
		r.Path, r.PathInfo = asGiven(i.path, a.Path), pathInfo(i)
	}
	return r
}

// plan gives the actions to the state asked for and what the path is then.
func (a FileArgs) plan(n fileNow) ([]modules.Action, info, error) {
	state := a.state(n)
	if a.Recurse && state != "directory" {
		return nil, n.at, errors.New("recurse option requires state to be 'directory'")
	}
	if a.Src != "" && state != "link" && state != "hard" {
		return nil, n.at, errors.New("src option requires state to be 'link' or 'hard'")
	}
	if n.ids.err != nil && n.at.exists && state != "absent" {
		return nil, n.at, n.ids.err
	}
	switch state {
	case "absent":
		return planAbsent(n)
	case "directory":
		return a.planDirectory(n)
	case "link":
		return a.planLink(n)
	case "hard":
		return a.planHard(n)
	case "touch":
		return a.planTouch(n)
	}
	i := a.subject(n)
	if i.kind() != typeFile {
		is := i.state()
		return nil, i, fmt.Errorf("file (%s) is %s, cannot continue", i.path, is)
	}
	actions, then := a.attributesOf(n, i)
	return append(actions, a.timeActions(n, i.path, "preserve")...), then, nil
}

// attributesOf plans the attributes of what exists or is to be made.
func (a FileArgs) attributesOf(n fileNow, i info) ([]modules.Action, info) {
	return a.Attributes.plan(i, n.ids, n.umask, !a.Follow)
}

func planAbsent(n fileNow) ([]modules.Action, info, error) {
	if !n.at.exists {
		return nil, n.at, nil
	}
	argv := []string{"rm", "-f", "--", n.at.path}
	if n.at.kind() == typeDir {
		argv[1] = "-rf"
	}
	return []modules.Action{{Why: "remove " + n.at.path, Argv: argv}}, info{path: n.at.path}, nil
}

func (a FileArgs) planDirectory(n fileNow) ([]modules.Action, info, error) {
	i := a.subject(n)
	if i.exists && i.kind() != typeDir {
		return nil, i, fmt.Errorf("%s already exists as a %s", i.path, i.state())
	}
	if !i.exists {
		if n.blocked != "" {
			return nil, i, fmt.Errorf("there was an issue creating %s as requested: %s is not a directory", n.at.path, n.blocked)
		}
		return a.makeFolders(n)
	}
	actions, then := a.attributesOf(n, i)
	if a.Recurse {
		actions = append(actions, a.planTree(n)...)
	}
	return append(actions, a.timeActions(n, i.path, "preserve")...), then, nil
}

// makeFolder: folder, mode or nothing. It takes it well when somebody else makes the folder at the same time. Coreutils' mkdir and busybox's
// see to exactly that mode, whatever the folder above hands down.
const makeFolder = `if [ -d "$1" ] || ! mkdir ${2:+-m "$2"} -- "$1" 2>/dev/null; then
	[ -d "$1" ] || exec mkdir ${2:+-m "$2"} -- "$1"
	[ -z "$2" ] || chmod "$2" "$1"
fi`

// makeFolders makes a folder and those missing above it, all with the attributes asked for, as Ansible does.
func (a FileArgs) makeFolders(n fileNow) (actions []modules.Action, then info, err error) {
	mode, word := 0o777&^n.umask, ""
	if !a.Mode.IsZero() && !a.Mode.Preserve() && a.Owner+a.Group == "" {
		// It comes with the folder, if no change of owner is to take bits of it away.
		mode = a.Mode.Apply(mode, true, n.umask)
		word, a.Mode = chmodMode(mode), modules.FileMode{}
	}
	for _, folder := range n.missing {
		actions = append(actions, modules.Action{
			Why: "create directory " + folder, Script: makeFolder, Args: []string{folder, word},
		})
		more, made := a.attributesOf(n, info{path: folder, exists: true, fresh: true, mode: typeDir | mode})
		actions, then = append(actions, more...), made
	}
	return append(actions, a.timeActions(n, n.at.path, "preserve")...), then, nil
}

// maxArgs is how many bytes of paths go with a command; more take its standard input, and a round trip of their own.
const maxArgs = 32 << 10

// planTree groups what lies below a folder by what it needs, one action for each group.
func (a FileArgs) planTree(n fileNow) []modules.Action {
	type need struct{ verb, word string }
	groups := map[need][]string{}
	var order []need
	for _, i := range n.tree {
		if strings.TrimSuffix(i.path, "/") == n.real.path || strings.TrimSuffix(i.path, "/") == n.at.path {
			continue
		}
		actions, _ := a.Attributes.plan(i, n.ids, n.umask, !a.Follow)
		for _, action := range actions {
			argv := action.Argv
			key := need{strings.Join(argv[:len(argv)-2], " "), argv[len(argv)-2]}
			if groups[key] == nil {
				order = append(order, key)
			}
			groups[key] = append(groups[key], i.path)
		}
	}
	var actions []modules.Action
	for _, key := range order {
		action := modules.Action{Why: fmt.Sprintf("%s %s for %d paths below %s", key.verb, key.word, len(groups[key]), n.at.path)}
		paths := strings.Join(groups[key], "\x00") + "\x00"
		if len(paths) < maxArgs {
			action.Argv = append(append(strings.Fields(key.verb), key.word), groups[key]...)
		} else {
			action.Script, action.Args, action.Stdin = `exec xargs -0 $1 "$2"`, []string{key.verb, key.word}, []byte(paths)
		}
		actions = append(actions, action)
	}
	return actions
}

// Swapping in a link that is made beside it, the path is never missing; where there is nothing, a link is made at once.
const (
	linkScript = `if [ -n "$4" ]; then rmdir -- "$2" || exit 1; fi
if [ ! -e "$2" ] && [ ! -L "$2" ] && ln -s -T -- "$1" "$2" 2>/dev/null; then exit; fi
t=$3; ln -s -- "$1" "$t" && mv -f -T -- "$t" "$2" 2>/dev/null || { rm -f -- "$t"; ln -sfn -- "$1" "$2"; }`
	hardScript = `t=$3; ln -- "$1" "$t" && mv -f -- "$t" "$2" || { rc=$?; rm -f -- "$t"; exit $rc; }
[ ! -e "$t" ] || rm -f -- "$t"`
)

func (a FileArgs) planLink(n fileNow) ([]modules.Action, info, error) {
	src := a.Src
	if src == "" {
		if n.at.kind() != typeLink {
			return nil, n.at, errors.New("src is required for creating new links")
		}
		src = n.at.target
	}
	switch {
	case a.Src != "" && !a.Force && !n.src.exists:
		return nil, n.at, fmt.Errorf("src file does not exist, use \"force=yes\" if you really want to create the link: %s", n.src.path)
	case n.at.kind() == typeDir && !a.Force:
		return nil, n.at, fmt.Errorf("refusing to convert from directory to symlink for %s", n.at.path)
	case n.at.kind() == typeDir && !n.isEmpty:
		return nil, n.at, fmt.Errorf("the directory %s is not empty, refusing to convert it", n.at.path)
	case n.at.exists && n.at.kind() != typeLink && !a.Force:
		return nil, n.at, fmt.Errorf("refusing to convert from %s to symlink for %s", n.at.state(), n.at.path)
	}
	var actions []modules.Action
	then := n.at
	if n.at.kind() != typeLink || n.at.target != src {
		actions = append(actions, modules.Action{
			Why: fmt.Sprintf("link %s to %s", n.at.path, src), Script: linkScript,
			Args: []string{src, n.at.path, tempBeside(n.at.path), given(n.at.kind() == typeDir, "1")},
		})
		then.exists, then.mode, then.target, then.nlink = true, typeLink|0o777, src, 1
	}
	// Attributes are those of the target when the link is followed and leads somewhere.
	subject := then
	if a.Follow && n.hasSrc && n.src.exists {
		subject = n.src
	} else if a.Follow && !n.hasSrc && n.real.exists {
		subject = n.real
	}
	if subject.exists && (subject.kind() != typeLink || !a.Follow) {
		more, _ := a.Attributes.plan(subject, n.ids, n.umask, !a.Follow)
		actions = append(actions, more...)
	}
	return actions, then, nil
}

func (a FileArgs) planHard(n fileNow) ([]modules.Action, info, error) {
	switch {
	case a.Src == "" && n.at.exists && n.at.state() == "hard":
		actions, then := a.attributesOf(n, n.at)
		return actions, then, nil
	case a.Src == "":
		return nil, n.at, errors.New("src is required for creating new hardlinks")
	case !n.src.exists:
		return nil, n.at, fmt.Errorf("src does not exist: %s", n.src.path)
	}
	same := n.at.exists && n.at.inode == n.src.inode && n.at.dev == n.src.dev
	switch {
	case same:
		actions, then := a.attributesOf(n, n.at)
		return actions, then, nil
	case n.at.state() == "hard" && !a.Force:
		return nil, n.at, errors.New("cannot link, different hard link exists at destination")
	case n.at.exists && n.at.kind() == typeDir, n.at.state() == "file" && !a.Force:
		return nil, n.at, fmt.Errorf("cannot link, %s exists at destination", n.at.state())
	}
	then := n.src
	then.path = n.at.path
	actions := []modules.Action{{
		Why: fmt.Sprintf("make %s a hard link to %s", n.at.path, n.src.path), Script: hardScript,
		Args: []string{n.src.path, n.at.path, tempBeside(n.at.path)},
	}}
	more, then := a.attributesOf(n, then)
	return append(actions, more...), then, nil
}

func (a FileArgs) planTouch(n fileNow) ([]modules.Action, info, error) {
	i := a.subject(n)
	var actions []modules.Action
	if n.at.exists && !i.exists {
		return nil, i, fmt.Errorf("could not touch target: %s is a symbolic link to %s, which does not exist", n.at.path, i.path)
	}
	if !i.exists {
		switch parent := path.Dir(i.path); {
		case n.blocked != "":
			return nil, i, fmt.Errorf("could not touch target: %s is not a directory", parent)
		case len(n.missing) > 1 && !a.planning:
			return nil, i, fmt.Errorf("could not touch target: the directory %s does not exist", parent)
		}
		actions = append(actions, modules.Action{Why: "create " + i.path, Script: `: >>"$1"`, Args: []string{i.path}})
		i = info{path: i.path, exists: true, fresh: true, nlink: 1, mode: typeFile | 0o666&^n.umask}
	}
	more, then := a.attributesOf(n, i)
	actions = append(actions, more...)
	return append(actions, a.timeActions(n, i.path, "now")...), then, nil
}
