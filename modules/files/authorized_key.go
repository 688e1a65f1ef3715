package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/web"
)

//go:embed authorized_key.go
var authorizedKeySource string

// AuthorizedKey sees to the keys by which somebody may log in.
var AuthorizedKey = modules.Define("authorized_key", authorizedKeySource+attributesSource, runAuthorizedKey, modules.Aliases("ansible.posix.authorized_key"))

// AuthorizedKeyArgs see to the SSH keys by which somebody may log in as a user. File and folder become the user's, and only the
// user's, when they are written.
//
//	# Deploy from the inner network alone.
//	- authorized_key:
//	    user: deploy
//	    key: "{{ lookup('file', 'keys/deploy.pub') }}"
//	    key_options: from="10.0.0.0/8",no-agent-forwarding
type AuthorizedKeyArgs struct {
	// User whose keys they are.
	User string `arg:"user" required:"true"`
	// Key is one public key or several, one a line, or the URL of such, which the host fetches.
	Key string `arg:"key" required:"true"`
	// Path of the file; without, .ssh/authorized_keys in the user's home.
	Path modules.Path `arg:"path"`
	// ManageDir makes the file's folder, and makes it the user's own.
	ManageDir bool `arg:"manage_dir" default:"yes"`
	// State is whether the keys shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// KeyOptions are the options before the key, in place of its own.
	KeyOptions *string `arg:"key_options"`
	// Exclusive removes all other keys.
	Exclusive bool `arg:"exclusive"`
	// Comment behind the key, in place of its own.
	Comment *string `arg:"comment"`
	// ValidateCerts verifies the certificate of a URL's server.
	ValidateCerts bool `arg:"validate_certs" default:"yes"`
	// Follow edits what a symbolic link leads to; without, the link is replaced by a file.
	Follow bool `arg:"follow"`
}

// Check holds the rules over several arguments.
func (a AuthorizedKeyArgs) Check() error {
	if a.isURL() {
		return nil
	}
	_, err := a.keys()
	return err
}

func (a AuthorizedKeyArgs) isURL() bool { return urlScheme.MatchString(a.Key) }

// fetch lets the host fetch the keys.
func (a AuthorizedKeyArgs) fetch(ctx context.Context, h *modules.Host) (string, error) {
	req, err := usualRequest(a.Key, a.ValidateCerts)
	if err != nil {
		return "", err
	}
	req.ReadOnly, req.Why = true, "get the keys of "+redacted(a.Key)
	resp, err := web.Do(ctx, h, req)
	switch {
	case err != nil:
		return "", err
	case resp.Status != 200 && resp.Status != 0:
		return "", fmt.Errorf("Error getting key from: %s: %s", redacted(a.Key), resp.Msg)
	}
	return string(resp.Body), nil
}

// AuthorizedKeyResult is what became of the keys.
type AuthorizedKeyResult struct {
	// Keyfile is the file of keys.
	Keyfile string `json:"keyfile,omitempty"`
	// User whose keys they are.
	User string `json:"user"`
	// Key is the argument.
	Key string `json:"key"`
	// KeyOptions is the argument.
	KeyOptions *string `json:"key_options"`
	// Path is the argument.
	Path *string `json:"path"`
	// Exclusive is the argument.
	Exclusive bool `json:"exclusive"`
	// ManageDir is the argument.
	ManageDir bool `json:"manage_dir"`
	// Comment is the argument.
	Comment *string `json:"comment"`
	// Follow is the argument.
	Follow bool `json:"follow"`
	// ValidateCerts is the argument.
	ValidateCerts bool `json:"validate_certs"`
	PathInfo
}

// authorizedScript tells of the user, the tenth argument, and of the folder.
const authorizedScript = `
say uid "$(id -u -- "${10}" 2>/dev/null)"
say gid "$(id -g -- "${10}" 2>/dev/null)"
expand "$1"
case $expanded in */*) dir=${expanded%/*} ;; *) dir=. ;; esac
say dir.path "${dir:-/}"
look dir "${dir:-/}" -L
`

// keyOwner is the user as the host knows him, and the folder.
type keyOwner struct {
	ids ids
	dir info
}

func (a AuthorizedKeyArgs) told(o *keyOwner, planning bool) func(*modules.Report) error {
	return func(r *modules.Report) error {
		o.ids = ids{uid: idOf(r, "uid"), gid: idOf(r, "gid")}
		var err error
		o.dir, err = readInfo(r, "dir", r.Text("dir.path"))
		switch {
		case err != nil || o.ids.uid >= 0 && o.ids.gid >= 0 || planning && a.Path != "":
			return err
		case planning:
			return fmt.Errorf("either user must exist or you must provide full path to key file in check mode: %s", a.User)
		}
		return fmt.Errorf("failed to lookup user %s: the host knows no such user", a.User)
	}
}

func runAuthorizedKey(ctx context.Context, h *modules.Host, a AuthorizedKeyArgs) (AuthorizedKeyResult, error) {
	asked := a.Key
	if a.isURL() {
		key, err := a.fetch(ctx, h)
		if err != nil {
			return AuthorizedKeyResult{User: a.User, Key: asked}, err
		}
		a.Key = key
		keys, err := a.keys()
		if err == nil && len(keys) == 0 { // with exclusive this would lock everybody out
			err = errors.New("there are none")
		}
		if err != nil {
			return AuthorizedKeyResult{User: a.User, Key: asked}, fmt.Errorf("the keys of %s: %w", redacted(asked), err)
		}
	}
	dest := a.Path
	if dest == "" {
		dest = modules.Path("~" + a.User + "/.ssh/authorized_keys")
	}
	var owner keyOwner
	e := newEdit(dest, Attributes{}, false, "")
	e.follow, e.look, e.lookMore, e.told = a.Follow, authorizedScript, []string{a.User}, a.told(&owner, h.Planning())
	e.change = func(before string, exists bool) (edited, error) {
		content, changed, err := a.edit(before)
		if !changed {
			return edited{content: before, leave: !exists}, err
		}
		return edited{content: content}, err
	}
	e.prepare = func(t *target) ([]modules.Action, error) {
		e.attributes = Attributes{Owner: fmt.Sprint(owner.ids.uid), Group: fmt.Sprint(owner.ids.gid), Mode: octal(0o600)}
		t.ids = owner.ids
		if owner.ids.uid < 0 { // in check mode, for a user still to be made
			e.attributes = Attributes{Mode: octal(0o600)}
		}
		return a.folder(owner, t)
	}
	o, err := e.run(ctx, h)
	result := AuthorizedKeyResult{
		Keyfile: o.after.at.path, User: a.User, Key: asked, KeyOptions: a.KeyOptions, Exclusive: a.Exclusive,
		ManageDir: a.ManageDir, Comment: a.Comment, Follow: a.Follow, ValidateCerts: a.ValidateCerts,
		PathInfo: PathInfo{State: string(a.State)},
	}
	if a.Path != "" {
		result.Path, result.PathInfo = new(string(a.Path)), o.pathInfo(a.State)
	}
	return result, err
}

// folderScript: folder, owner and group or nothing.
const folderScript = `(umask 077; mkdir -- "$1") || exit 1
if command -v restorecon >/dev/null 2>&1; then restorecon "$1" 2>/dev/null || :; fi
[ -z "$2" ] || chown "$2" "$1"`

// folder gives what makes the file's folder and makes it the user's own.
func (a AuthorizedKeyArgs) folder(o keyOwner, t *target) ([]modules.Action, error) {
	if !a.ManageDir {
		return nil, nil
	}
	missing := t.missing
	t.missing = nil
	own := ""
	if o.ids.uid >= 0 {
		own = fmt.Sprintf("%d:%d", o.ids.uid, o.ids.gid)
	}
	if !o.dir.exists {
		if len(missing) > 1 {
			return nil, fmt.Errorf("failed to create directory %s: %s does not exist", o.dir.path, path.Dir(o.dir.path))
		}
		return []modules.Action{{Why: "create directory " + o.dir.path, Script: folderScript, Args: []string{o.dir.path, own}}}, nil
	}
	attributes := Attributes{Mode: octal(0o700)}
	if own != "" {
		attributes.Owner, attributes.Group = fmt.Sprint(o.ids.uid), fmt.Sprint(o.ids.gid)
	}
	actions, _ := attributes.plan(o.dir, o.ids, t.umask, false)
	return actions, nil
}
