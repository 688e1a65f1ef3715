package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// plan gives what is to be done about the user.
func (w *userWish) plan(s account) ([]modules.Action, error) {
	if w.State == modules.Absent {
		return w.planRemove(s), nil
	}
	if w.Local && !s.tools.Has("luseradd") {
		return nil, errors.New("local: the host has no luseradd; it comes with libuser")
	}
	var actions []modules.Action
	var err error
	switch {
	case !s.exists && !s.tools.Has("useradd") && !w.Local:
		actions, err = w.planAdduser(s)
	case !s.exists:
		actions = w.planCreate(s)
	default:
		actions, err = w.planModify(s)
	}
	if err != nil {
		return nil, err
	}
	actions = append(actions, w.planAges(s)...)
	return append(actions, w.planKey(s)...), nil
}

func (w *userWish) planRemove(s account) []modules.Action {
	if !s.exists {
		return nil
	}
	var argv []string
	switch {
	case w.Local:
		argv = []string{"luserdel"}
	case s.tools.Has("useradd"):
		argv = []string{"userdel"}
		if w.Force {
			argv = append(argv, "-f")
		}
	default:
		argv = []string{"deluser"}
		if w.Remove {
			argv = append(argv, "--remove-home")
		}
		return []modules.Action{{Why: "remove user " + w.Name, Argv: append(argv, w.Name)}}
	}
	if w.Remove {
		argv = append(argv, "-r")
	}
	return []modules.Action{{Why: "remove user " + w.Name, Argv: append(argv, w.Name)}}
}

// homeScript: name, home, skeleton, whose it shall be: "user" gives it to the user, "new" only when it was made. The mode is that of the skeleton, or what UMASK of login.defs says.
const homeScript = `name=$1 home=$2 skel=$3 own=$4
if [ -e "$home" ]; then [ "$own" != new ] || exit 0
else
	if [ -e "$skel" ]; then mkdir -p -- "$(dirname -- "$home")" && cp -RPp -- "$skel" "$home" || exit 1
	else mkdir -p -- "$home" || exit 1; fi
	mask=$(sed -n 's/^UMASK[[:space:]][[:space:]]*\([0-7][0-7]*\)$/\1/p' /etc/login.defs 2>/dev/null | tail -n 1)
	[ -z "$mask" ] || chmod "$(printf %o $((0777 & ~0$mask)))" "$home" || exit 1
fi
[ -z "$own" ] || chown -R -h "$(id -u "$name"):$(id -g "$name")" "$home"`

func (w *userWish) makeHome(home string, own string) modules.Action {
	skeleton := "/etc/skel"
	if w.Skeleton != nil {
		skeleton = *w.Skeleton
	}
	why := "create home folder " + home
	if own == "user" {
		why = "give home folder " + home + " to " + w.Name
	}
	return modules.Action{Why: why, Script: homeScript, Args: []string{w.Name, home, skeleton, own}}
}

// planCreate makes a user with useradd or luseradd. Its password is not among the arguments, which anybody sees.
func (w *userWish) planCreate(s account) []modules.Action {
	argv := []string{"useradd"}
	if w.Local {
		argv[0] = "luseradd"
	}
	if w.UID != nil {
		argv = append(argv, "-u", strconv.Itoa(*w.UID))
		if w.NonUnique {
			argv = append(argv, "-o")
		}
	}
	if w.SEUser != nil {
		argv = append(argv, "-Z", *w.SEUser)
	}
	switch {
	case w.Group != nil:
		argv = append(argv, "-g", *w.Group)
	case s.own && w.Local:
		argv = append(argv, "-n")
	case s.own:
		argv = append(argv, "-N")
	}
	if len(s.groups) > 0 && !w.Local {
		argv = append(argv, "-G", strings.Join(s.groups, ","))
	}
	if w.Comment != nil {
		argv = append(argv, "-c", *w.Comment)
	}
	if w.Home != nil {
		argv = append(argv, "-d", s.wantHome)
	}
	if w.Shell != nil {
		argv = append(argv, "-s", *w.Shell)
	}
	if w.Expires != nil && !w.Local {
		argv = append(argv, "-e", w.date())
	}
	argv = append(argv, w.homeOptions()...)
	if w.System {
		argv = append(argv, "-r")
	}
	apart := w.Home != nil && w.CreateHome && !s.parentThere
	var actions []modules.Action
	if apart {
		actions = append(actions, w.makeHome(s.wantHome, ""))
	}
	actions = append(actions, modules.Action{Why: "create user " + w.Name, Argv: append(argv, w.Name)})
	if w.Local {
		if w.Expires != nil {
			actions = append(actions, w.lchage())
		}
		for _, g := range s.groups {
			actions = append(actions, w.lgroupmod(g, true))
		}
	}
	if apart {
		actions = append(actions, w.makeHome(s.wantHome, "user"))
	}
	if !w.Password.IsZero() {
		actions = append(actions, w.chpasswd())
	}
	return actions
}

func (w *userWish) homeOptions() []string {
	if !w.CreateHome {
		return []string{"-M"}
	}
	var argv []string
	if !w.Local {
		argv = append(argv, "-m")
	}
	if w.Skeleton != nil {
		argv = append(argv, "-k", *w.Skeleton)
	}
	if w.Umask != nil {
		argv = append(argv, "-K", "UMASK="+*w.Umask)
	}
	return argv
}

// chpasswd sets the hash, which goes by standard input.
func (w *userWish) chpasswd() modules.Action {
	hash := w.Password.Reveal()
	if w.PasswordLock != nil && *w.PasswordLock {
		hash = "!" + hash
	}
	return modules.Action{Why: "set the password of " + w.Name, Argv: []string{"chpasswd", "-e"}, Stdin: []byte(w.Name + ":" + hash + "\n")}
}

func (w *userWish) lchage() modules.Action {
	return modules.Action{Why: "set when user " + w.Name + " expires", Argv: []string{"lchage", "-E", strconv.Itoa(w.day()), w.Name}}
}

func (w *userWish) lgroupmod(group string, add bool) modules.Action {
	if add {
		return modules.Action{Why: "add " + w.Name + " to group " + group, Argv: []string{"lgroupmod", "-M", w.Name, group}}
	}
	return modules.Action{Why: "remove " + w.Name + " from group " + group, Argv: []string{"lgroupmod", "-m", w.Name, group}}
}

// planAdduser makes a user with busybox's adduser.
func (w *userWish) planAdduser(s account) ([]modules.Action, error) {
	for _, no := range []struct {
		given bool
		name  string
	}{
		{w.NonUnique, "non_unique"}, {w.Expires != nil, "expires"}, {w.Umask != nil, "umask"}, {w.SEUser != nil, "seuser"},
	} {
		if no.given {
			return nil, fmt.Errorf("%s: busybox's adduser does not know it; install the package shadow on the host first", no.name)
		}
	}
	argv := []string{"adduser", "-D"}
	if w.UID != nil {
		argv = append(argv, "-u", strconv.Itoa(*w.UID))
	}
	if w.Group != nil {
		argv = append(argv, "-G", s.primary.name)
	}
	if w.Comment != nil {
		argv = append(argv, "-g", *w.Comment)
	}
	if w.Home != nil {
		argv = append(argv, "-h", s.wantHome)
	}
	if w.Shell != nil {
		argv = append(argv, "-s", *w.Shell)
	}
	if !w.CreateHome {
		argv = append(argv, "-H")
	}
	if w.Skeleton != nil {
		argv = append(argv, "-k", *w.Skeleton)
	}
	if w.System {
		argv = append(argv, "-S")
	}
	actions := []modules.Action{{Why: "create user " + w.Name, Argv: append(argv, w.Name)}}
	if !w.Password.IsZero() {
		actions = append(actions, w.chpasswd())
	}
	for _, g := range s.groups {
		actions = append(actions, modules.Action{Why: "add " + w.Name + " to group " + g, Argv: []string{"adduser", w.Name, g}})
	}
	return actions, nil
}

// planModify alters a user who is there.
func (w *userWish) planModify(s account) ([]modules.Action, error) {
	options := w.changes(s)
	add, remove := w.groupChanges(s)
	password := w.UpdatePassword == "always" && !w.Password.IsZero() &&
		strings.TrimLeft(s.hash, "!") != strings.TrimLeft(w.Password.Reveal(), "!")
	if !password {
		options = append(options, w.lockChange(s)...)
	}
	var actions []modules.Action
	switch {
	case w.Local:
		actions = w.modifyLocal(s, options, add, remove)
	case s.tools.Has("usermod"):
		actions = w.usermod(s, options, add, remove)
	case len(options) > 0:
		return nil, fmt.Errorf("user %s needs usermod %s, which the host has not; install the package shadow first", w.Name, strings.Join(options, " "))
	default:
		for _, g := range add {
			actions = append(actions, modules.Action{Why: "add " + w.Name + " to group " + g, Argv: []string{"adduser", w.Name, g}})
		}
		for _, g := range remove {
			actions = append(actions, modules.Action{Why: "remove " + w.Name + " from group " + g, Argv: []string{"delgroup", w.Name, g}})
		}
	}
	if password {
		actions = append(actions, w.chpasswd())
	}
	if w.CreateHome && !s.homeThere {
		home := s.home
		if s.wantHome != "" {
			home = s.wantHome
		}
		actions = append(actions, w.makeHome(home, "new"))
	}
	return actions, nil
}

// changes are usermod's options for what differs, but for groups and the lock.
func (w *userWish) changes(s account) []string {
	var argv []string
	if w.UID != nil && *w.UID != s.uid {
		argv = append(argv, "-u", strconv.Itoa(*w.UID))
		if w.NonUnique {
			argv = append(argv, "-o")
		}
	}
	if s.primary != nil && s.primary.gid != s.gid {
		argv = append(argv, "-g", strconv.Itoa(s.primary.gid))
	}
	if w.Comment != nil && *w.Comment != s.comment {
		argv = append(argv, "-c", *w.Comment)
	}
	if s.wantHome != "" && s.wantHome != s.home {
		argv = append(argv, "-d", s.wantHome)
		if w.MoveHome {
			argv = append(argv, "-m")
		}
	}
	if w.Shell != nil && *w.Shell != s.shell {
		argv = append(argv, "-s", *w.Shell)
	}
	if w.expiryDiffers(s) && !w.Local {
		argv = append(argv, "-e", w.date())
	}
	return argv
}

// expiryDiffers: only who may read the shadow file knows.
func (w *userWish) expiryDiffers(s account) bool {
	return w.Expires != nil && s.known && w.day() != s.expires
}

// lockChange is usermod's option for the lock. Somebody without a password cannot be unlocked.
func (w *userWish) lockChange(s account) []string {
	if w.PasswordLock == nil {
		return nil
	}
	locked := strings.HasPrefix(s.hash, "!")
	switch {
	case *w.PasswordLock && !locked:
		return []string{"-L"}
	case !*w.PasswordLock && locked && strings.Trim(s.hash, "!") == "":
		w.warnings = []string{fmt.Sprintf("user %s has no password: there is nothing to unlock", w.Name)}
	case !*w.PasswordLock && locked:
		return []string{"-U"}
	}
	return nil
}

// groupChanges are the groups to add to and to remove from.
func (w *userWish) groupChanges(s account) (add, remove []string) {
	if w.Groups == nil {
		return nil, nil
	}
	for _, g := range s.groups {
		if !slices.Contains(s.member, g) {
			add = append(add, g)
		}
	}
	for _, g := range s.member {
		if !w.Append && !slices.Contains(s.groups, g) {
			remove = append(remove, g)
		}
	}
	return add, remove
}

func (w *userWish) usermod(s account, options, add, remove []string) []modules.Action {
	if len(add)+len(remove) > 0 {
		if w.Append {
			options = append(options, "-a")
		}
		options = append(options, "-G", strings.Join(s.groups, ","))
	}
	if len(options) == 0 {
		return nil
	}
	return []modules.Action{{Why: "change user " + w.Name, Argv: slices.Concat([]string{"usermod"}, options, []string{w.Name})}}
}

func (w *userWish) modifyLocal(s account, options, add, remove []string) []modules.Action {
	var actions []modules.Action
	if len(options) > 0 {
		actions = append(actions, modules.Action{Why: "change user " + w.Name, Argv: slices.Concat([]string{"lusermod"}, options, []string{w.Name})})
	}
	if w.expiryDiffers(s) {
		actions = append(actions, w.lchage())
	}
	for _, g := range add {
		actions = append(actions, w.lgroupmod(g, true))
	}
	for _, g := range remove {
		actions = append(actions, w.lgroupmod(g, false))
	}
	return actions
}

// planAges sets the ages of the password.
func (w *userWish) planAges(s account) []modules.Action {
	var argv []string
	for _, one := range []struct {
		option string
		want   *int
		is     int
	}{{"-m", w.PasswordExpireMin, s.least}, {"-M", w.PasswordExpireMax, s.most}, {"-W", w.PasswordExpireWarn, s.ask}} {
		if one.want != nil && *one.want != one.is && (s.known || !s.exists) {
			argv = append(argv, one.option, strconv.Itoa(*one.want))
		}
	}
	if argv == nil {
		return nil
	}
	return []modules.Action{{Why: "set the ages of " + w.Name + "'s password", Argv: slices.Concat([]string{"chage"}, argv, []string{w.Name})}}
}

// keyScript: name, file, kind, bits, comment, 1 when a passphrase comes by standard input. ssh-keygen asks a program for it, which
// reads it from a file that nobody else may read.
const keyScript = `name=$1 file=$2 kind=$3 bits=$4 comment=$5 phrase=$6
case $file in /*) ;; *) file=$(awk -F: 'BEGIN { n = ARGV[1]; ARGV[1] = "" } $1 == n { print $6 }' "$name" /etc/passwd)/$file ;; esac
own=$(id -u "$name"):$(id -g "$name")
dir=$(dirname -- "$file")
if [ ! -e "$dir" ]; then mkdir -m 700 -- "$dir" && chown "$own" "$dir" || exit 1; fi
rm -f -- "$file" "$file.pub"
set -- -q -t "$kind" -C "$comment" -f "$file"
[ "$bits" = 0 ] || set -- "$@" -b "$bits"
if [ -z "$phrase" ]; then ssh-keygen "$@" -N '' || exit 1
else
	ask=$(mktemp -d) || exit 1
	trap 'rm -rf "$ask"' EXIT
	trap 'exit 1' HUP INT TERM
	(umask 077; cat >"$ask/phrase")
	printf '#!/bin/sh\nexec cat "${0%%/*}/phrase"\n' >"$ask/ask"
	chmod 700 "$ask/ask"
	DISPLAY=none SSH_ASKPASS=$ask/ask SSH_ASKPASS_REQUIRE=force ssh-keygen "$@" </dev/null || exit 1
fi
chown "$own" "$file" "$file.pub"`

// planKey makes an SSH key where none is, or in place of one with force, once.
func (w *userWish) planKey(s account) []modules.Action {
	if !w.GenerateSSHKey {
		return nil
	}
	if s.private || s.public != "" {
		what := "private file \"" + s.keyFile
		if !s.private {
			what = "public file \"" + s.keyFile + ".pub"
		}
		if !w.Force {
			if w.replaced == nil && s.exists {
				w.keyWarning("Found existing ssh key " + what + "\", no force, so skipping ssh-keygen generation")
			}
			return nil
		}
		if w.replaced != nil && *w.replaced != s.fingerprint {
			return nil
		}
		w.keyWarning("Overwriting existing ssh key " + what + `"`)
	}
	if w.replaced == nil {
		old := s.fingerprint
		w.replaced = &old
	}
	file, comment, stdin, phrase := s.keyFile, "ansible-generated on "+s.host, []byte(nil), ""
	if !s.exists && w.Home == nil {
		file = ".ssh/id_" + w.SSHKeyType // where the home folder will be is not known yet
		if w.SSHKeyFile != nil {
			file = string(*w.SSHKeyFile)
		}
	}
	if w.SSHKeyComment != nil {
		comment = *w.SSHKeyComment
	}
	if !w.SSHKeyPassphrase.IsZero() {
		stdin, phrase = []byte(w.SSHKeyPassphrase.Reveal()), "1"
	}
	return []modules.Action{{
		Why: "generate an SSH key for " + w.Name, Script: keyScript, Stdin: stdin,
		Args: []string{w.Name, file, w.SSHKeyType, strconv.Itoa(w.SSHKeyBits), comment, phrase},
	}}
}

func (w *userWish) keyWarning(text string) {
	if !slices.Contains(w.warnings, text) {
		w.warnings = append(w.warnings, text)
	}
}
