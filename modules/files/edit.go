package files

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hostlerhq/hostler/internal/pyre"
	"github.com/hostlerhq/hostler/modules"
)

// edit is a file of the host that a module changes in part: read whole, edited here, and written as any deployment is. Between
// the two nobody else of ours edits it, and what others changed meanwhile is read anew.
type edit struct {
	deployment
	create  bool
	parted  bool   // the diff tells content and attributes apart
	missing string // what to say of a file that is not there and is not to be made; %s is its path
	// change gives the new content. It is called again when the file changed meanwhile.
	change func(before string, exists bool) (edited, error)

	// look, when set, is more for the probe to look at, with its arguments after editScript's nine; told reads it.
	look     string
	lookMore []string
	told     func(*modules.Report) error
	// prepare, when set, gives what is to be done before the file is written, its folder included. It may set attributes.
	prepare func(*target) ([]modules.Action, error)
}

// edited is what a change came to.
type edited struct {
	content string
	msg     string
	// leave: there is nothing to do at all, not even about the file's attributes.
	leave bool
}

// maxEdit is the largest file that is edited.
const maxEdit = 8 << 20

// editScript: as deployScript, but the ninth argument is the largest content that is told in any case, also that of a link's target.
const editScript = "__noatime=0\n" + deployScript + `
if [ -L "$p" ]; then look real "$p" -L; fi
if [ -f "$p" ] && [ -r "$p" ]; then
	sized "$p"
	if [ "$size" -le "$9" ]; then show content "$p" "$size"; else say large "$size"; fi
elif [ ! -e "$p" ]; then
	me= my=
	while read -r key _ my _; do case $key in Uid:) me=$my ;; Gid:) break ;; esac; done 2>/dev/null </proc/self/status
	[ -n "$my" ] || { me=$(id -u); my=$(id -g); }
	say me "$me $my"
fi
`

// editOutcome is what became of an edit.
type editOutcome struct {
	outcome
	msg        string
	attributes bool // those of the file changed as well
}

// newEdit makes the edit of a file, through links to it.
func newEdit(path modules.Path, a Attributes, backup bool, validate string) *edit {
	return &edit{deployment: deployment{
		dest: string(path), attributes: a, force: true, backup: backup, follow: true, validate: validate, parents: true,
	}}
}

func (e *edit) parse(r *modules.Report) (target, error) {
	t, err := e.deployment.parse(r)
	if err != nil {
		return t, err
	}
	if r.Has("real") {
		if t.real, err = readInfo(r, "real", t.at.path); err != nil {
			return t, err
		}
	}
	t.me = info{path: t.at.path, exists: true, mode: typeFile | 0o666&^t.umask, uid: -1, gid: -1, nlink: 1}
	if r.Has("me") {
		if _, err := fmt.Sscanf(r.Text("me"), "%d %d", &t.me.uid, &t.me.gid); err != nil {
			return t, fmt.Errorf("look at %s: id printed %q", t.at.path, r.Text("me"))
		}
	}
	t.before, t.hasText = r.Bytes("content"), r.Has("content")
	if t.hasText && t.at.kind() == typeFile {
		t.at.sha1 = sumOf(t.before)
	}
	if e.told != nil {
		if err := e.told(r); err != nil {
			return t, err
		}
	}
	switch is := t.content(); {
	case is.exists && is.kind() == typeDir:
		return t, &editError{256, fmt.Sprintf("Path %s is a directory !", t.at.path)}
	case r.Has("large"):
		return t, fmt.Errorf("edit %s: it has %s bytes, more than %d", t.at.path, r.Text("large"), maxEdit)
	case is.exists && is.kind() != typeFile:
		return t, fmt.Errorf("%s is no regular file: it is not edited", t.at.path)
	case is.exists && !t.hasText:
		return t, fmt.Errorf("read %s: permission denied", t.at.path)
	}
	return t, nil
}

// content is the file that holds the content: what a link leads to.
func (t target) content() info {
	if t.at.kind() == typeLink {
		return t.real
	}
	return t.at
}

// plan edits the content and gives the actions that bring it to the host.
func (e *edit) plan(t target, o *editOutcome) ([]modules.Action, info, error) {
	is := t.content()
	if !is.exists && !e.create && e.missing != "" {
		return nil, t.at, &editError{257, fmt.Sprintf(e.missing, t.at.path)}
	}
	result, err := e.change(string(t.before), is.exists)
	if err != nil {
		return nil, t.at, err
	}
	o.msg = result.msg
	e.setContent([]byte(result.content))
	if result.leave {
		e.setContent(t.before)
		return nil, t.at, nil
	}
	e.label = t.at.path
	if e.parted {
		e.label += " (content)"
	}
	if is.exists && result.content == string(t.before) {
		// Nothing is written, so that a link stays one; attributes are those of the file behind it.
		is.path = t.at.path
		if err := e.refuse(t); err != nil {
			return nil, t.at, err
		}
		actions, then := e.attributes.plan(is, t.ids, t.umask, false)
		o.attributes = len(actions) > 0
		return actions, then, nil
	}
	if e.backup && o.backup == "" && is.exists {
		o.backup = modules.BackupName(t.at.path)
	}
	var first []modules.Action
	if e.prepare != nil {
		if first, err = e.prepare(&t); err != nil {
			return nil, t.at, err
		}
	}
	if !is.exists {
		is = t.me
	}
	changes, _ := e.attributes.plan(is, t.ids, t.umask, false)
	o.attributes = len(changes) > 0 && (t.content().exists || !e.planning)
	actions, then, err := e.deployment.plan(t, "", o.backup)
	if then.uid < 0 {
		then.uid, then.gid = t.me.uid, t.me.gid
	}
	return append(first, actions...), then, err
}

// editError is an error for which Ansible's modules have a number.
type editError struct {
	rc  int
	msg string
}

func (e *editError) Error() string { return e.msg }

// editCode gives the number of an error, 0 when it has none.
func editCode(err error) int {
	if one, ok := errors.AsType[*editError](err); ok {
		return one.rc
	}
	return 0
}

// run looks, edits and writes.
func (e *edit) run(ctx context.Context, h *modules.Host) (editOutcome, error) {
	var o editOutcome
	e.planning = h.Planning()
	if _, err := e.validator(); err != nil {
		return o, err
	}
	var err error
	o.before, o.after, err = modules.Reconcile(ctx, h, modules.Reconciler[target]{
		Probe: editScript + e.look,
		Args: slices.Concat([]string{e.dest, "", given(e.follow, "1")}, e.attributes.lookArgs(), []string{"0", fmt.Sprint(maxEdit)},
			e.lookMore),
		Parse: e.parse,
		// The first digits bound how many locks there are.
		LockFor: func(t target) string { return "files-" + sumOf([]byte(t.at.path))[:2] },
		Plan: func(t target) ([]modules.Action, error) {
			actions, _, err := e.plan(t, &o)
			return actions, err
		},
		Want: func(t target) target {
			var again editOutcome
			if _, then, err := e.plan(t, &again); err == nil {
				t.at = then
				t.before, t.hasText = e.content, true
			}
			return t
		},
		Diff: e.diffOf,
	})
	if errors.Is(err, modules.ErrPlanned) {
		o.backup = "" // there is none yet
	}
	if err != nil {
		return o, err
	}
	o.written = string(o.before.before) != string(e.content) || !o.before.content().exists && o.after.at.exists
	if string(o.after.before) != string(e.content) {
		return o, fmt.Errorf("did not converge: %s was written and yet has another content", o.after.at.path)
	}
	return o, nil
}

func (e *edit) diffOf(before, after target) []modules.Diff {
	was, is := before.content(), after.content()
	was.path, is.path = after.at.path, after.at.path
	before.at, after.at = was, is
	if was.exists && string(before.before) == string(e.content) {
		before.at.sha1 = e.sha1
	}
	diffs := e.diff(before, after)
	if n := len(diffs); e.parted && n > 0 && diffs[n-1].BeforeHeader == "" && diffs[n-1].Prepared == "" {
		diffs[n-1].BeforeHeader, diffs[n-1].AfterHeader = after.at.path+" (file attributes)", after.at.path+" (file attributes)"
	}
	return diffs
}

// pathInfo tells of the file; of one that is not there, no more than the state asked for.
func (o editOutcome) pathInfo(asked modules.Presence) PathInfo {
	if !o.after.content().exists {
		return PathInfo{State: string(asked)}
	}
	return pathInfo(o.after.content())
}

// message is what was done, with what became of the attributes.
func (o editOutcome) message() string {
	const attributes = "ownership, perms or SE linux context changed"
	switch {
	case !o.attributes:
		return o.msg
	case o.msg == "":
		return attributes
	}
	return o.msg + " and " + attributes
}

// compile compiles a regular expression that an argument holds. The error names both.
func compile(arg, pattern string, o pyre.Options) (*pyre.Regexp, error) {
	re, err := pyre.Compile(pattern, o)
	if err != nil {
		return nil, &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf("argument %q is no regular expression: %v: %s", arg, err, pattern)}
	}
	return re, nil
}

// checkValidate refuses a validating command that would not look at the file.
func checkValidate(command string) error {
	if command == "" {
		return nil
	}
	d := deployment{validate: command}
	_, err := d.validator()
	return err
}

// present is an optional text's value, "" when it was not given.
func present(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// errBoth is for arguments of which only one may be given.
func errBoth(a, b string) error {
	return errors.New("parameters are mutually exclusive: " + a + "|" + b)
}
