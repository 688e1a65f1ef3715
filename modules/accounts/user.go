package accounts

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed user.go
var userSource string

// User sees to a user account.
var User = modules.Define("user", userSource, runUser,
	modules.Aliases("ansible.builtin.user", "ansible.legacy.user"), modules.Converges())

// UserArgs make a user account exist, as it is described, or not. What is not given is left as it is.
//
//	# Somebody who may manage virtual machines.
//	- user:
//	    name: alice
//	    groups: [libvirt, kvm]
//	    append: true
//	    password: "{{ password | password_hash('sha512') }}"
//	    generate_ssh_key: true
//	    ssh_key_type: ed25519
type UserArgs struct {
	// Name of the user.
	Name string `arg:"name,alias=user" required:"true"`
	// State is whether the user shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// UID of the user.
	UID *int `arg:"uid"`
	// NonUnique allows a uid that another user has.
	NonUnique bool `arg:"non_unique"`
	// Group is the name or number of the primary group.
	Group *string `arg:"group"`
	// Groups are the other groups; an empty list takes the user out of all.
	Groups *[]string `arg:"groups"`
	// Append adds to the groups that the user is in; otherwise groups are all of them.
	Append bool `arg:"append"`
	// Comment is the user's full name and the like (GECOS).
	Comment *string `arg:"comment"`
	// Home is the home folder.
	Home *modules.Path `arg:"home"`
	// Shell is the login shell.
	Shell *string `arg:"shell"`
	// Password is the hash of the password as in /etc/shadow; '*' and '!' are passwords that nothing matches.
	Password secret.Text `arg:"password"`
	// UpdatePassword is whether the password of a user who is there already is set too.
	UpdatePassword UpdatePassword `arg:"update_password" default:"always"`
	// PasswordLock locks the password or unlocks it.
	PasswordLock *bool `arg:"password_lock"`
	// PasswordExpireMax is after how many days a password must be changed.
	PasswordExpireMax *int `arg:"password_expire_max"`
	// PasswordExpireMin is for how many days a password cannot be changed.
	PasswordExpireMin *int `arg:"password_expire_min"`
	// PasswordExpireWarn is for how many days before that the user is warned.
	PasswordExpireWarn *int `arg:"password_expire_warn"`
	// Expires is when the account expires, in seconds since 1970; a negative number is never.
	Expires *float64 `arg:"expires"`
	// CreateHome makes the home folder where it is missing.
	CreateHome bool `arg:"create_home,alias=createhome" default:"true"`
	// MoveHome moves the home folder when home changes.
	MoveHome bool `arg:"move_home"`
	// Skeleton is the folder that a new home is a copy of.
	Skeleton *string `arg:"skeleton"`
	// Umask is that of a new home folder.
	Umask *string `arg:"umask"`
	// System makes a new user one of the system's.
	System bool `arg:"system"`
	// SEUser is the user of SELinux for a new account.
	SEUser *string `arg:"seuser"`
	// Force removes a user who is logged in, and replaces an SSH key.
	Force bool `arg:"force"`
	// Remove removes the home folder and mail with the user.
	Remove bool `arg:"remove"`
	// Local looks at and alters the host's own files only, with the tools of libuser; for hosts that know users of a directory.
	Local bool `arg:"local"`
	// GenerateSSHKey makes an SSH key for the user where none is.
	GenerateSSHKey bool `arg:"generate_ssh_key"`
	// SSHKeyBits is the key's size; 0 is what ssh-keygen takes.
	SSHKeyBits int `arg:"ssh_key_bits"`
	// SSHKeyType is the key's kind.
	SSHKeyType string `arg:"ssh_key_type" default:"rsa"`
	// SSHKeyFile is the key's file, relative to the home folder; .ssh/id_TYPE by default.
	SSHKeyFile *modules.Path `arg:"ssh_key_file"`
	// SSHKeyComment is the key's comment; "ansible-generated on HOST" by default.
	SSHKeyComment *string `arg:"ssh_key_comment"`
	// SSHKeyPassphrase encrypts the key.
	SSHKeyPassphrase secret.Text `arg:"ssh_key_passphrase"`
}

// UpdatePassword is when a password is set.
type UpdatePassword string

// Choices lists them.
func (UpdatePassword) Choices() []string { return []string{"always", "on_create"} }

// UserResult tells of the user.
type UserResult struct {
	// Name of the user.
	Name string `json:"name"`
	// State that was asked for.
	State string `json:"state"`
	// Append is what was asked for, of a user who was there.
	Append *bool `json:"append,omitempty"`
	// MoveHome is what was asked for, of a user who was there.
	MoveHome *bool `json:"move_home,omitempty"`
	// System is what was asked for, of a new user.
	System *bool `json:"system,omitempty"`
	// CreateHome is what was asked for, of a new user.
	CreateHome *bool `json:"create_home,omitempty"`
	// Force is what was asked for, of a user removed.
	Force *bool `json:"force,omitempty"`
	// Remove is what was asked for, of a user removed.
	Remove *bool `json:"remove,omitempty"`
	// Password says that one was given.
	Password string `json:"password,omitempty"`
	// UID of the user.
	UID *int `json:"uid,omitempty"`
	// Group is the number of the primary group.
	Group *int `json:"group,omitempty"`
	// Groups are those asked for, with commas.
	Groups *string `json:"groups,omitempty"`
	// Comment of the user.
	Comment *string `json:"comment,omitempty"`
	// Home folder of the user.
	Home *string `json:"home,omitempty"`
	// Shell of the user.
	Shell *string `json:"shell,omitempty"`
	// SSHFingerprint is that of the key.
	SSHFingerprint string `json:"ssh_fingerprint,omitempty"`
	// SSHKeyFile is the key's file.
	SSHKeyFile string `json:"ssh_key_file,omitempty"`
	// SSHPublicKey is the key's public half.
	SSHPublicKey string `json:"ssh_public_key,omitempty"`
}

// Check holds the rules over several arguments.
func (a UserArgs) Check() error {
	if err := checkName("name", a.Name); err != nil {
		return err
	}
	if a.Umask != nil && a.Local {
		return errors.New("'umask' can not be used with 'local'")
	}
	if strings.ContainsAny(a.Password.Reveal(), ":\n") {
		return &modules.ArgError{Path: []any{"password"}, Msg: "a hash of a password holds no colon and no newline"}
	}
	for arg, text := range map[string]*string{"comment": a.Comment, "shell": a.Shell} {
		if text != nil && strings.ContainsAny(*text, ":\n") {
			return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf("argument %q cannot hold a colon or a newline: %q", arg, *text)}
		}
	}
	if e := a.Expires; e != nil && (math.IsNaN(*e) || math.Abs(*e) > 1e12) {
		return &modules.ArgError{Path: []any{"expires"}, Msg: fmt.Sprintf("Invalid value for 'expires': %v", *e)}
	}
	return nil
}

// hashed is a word of a hash as crypt(3) makes them, checked only as far as its kind is known.
var hashed = regexp.MustCompile(`[^a-zA-Z0-9./=]`)

// warnOfPassword tells of a password that probably is no hash.
func (a UserArgs) warnOfPassword(h *modules.Host) {
	p := a.Password.Reveal()
	if p == "" || p == "*" || p == "!" || p == "*************" {
		return
	}
	fields := strings.Split(p, "$")
	last := fields[len(fields)-1]
	bad := strings.ContainsAny(p, ":*!") || len(fields) < 3 || hashed.MatchString(last)
	if !bad {
		size, known := map[string]int{"1": 22, "5": 43, "6": 86}[fields[1]]
		bad = known && len(last) != size
	}
	if bad {
		h.Warn("The input password appears not to have been hashed. The 'password' argument must be encrypted for this module to work properly.")
	}
}

func runUser(ctx context.Context, h *modules.Host, a UserArgs) (UserResult, error) {
	a.warnOfPassword(h)
	if a.Groups == nil && a.Append {
		h.Warn("'append' is set, but no 'groups' are specified. Use 'groups' for appending new groups.")
	}
	res := UserResult{Name: a.Name, State: string(a.State)}
	w := &userWish{UserArgs: a}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[account]{
		Probe: userScript, Args: w.probeArgs(), Lock: "accounts", Parse: w.parse, Plan: w.plan,
	})
	for _, text := range w.warnings {
		h.Warn("%s", text)
	}
	if modules.IgnorePlanned(err) != nil {
		return res, explain(err)
	}
	w.tell(&res, before, after)
	return res, err
}

// tell fills in what Ansible tells of the user.
func (w *userWish) tell(res *UserResult, before, after account) {
	switch {
	case w.State == modules.Absent:
		if before.exists {
			res.Force, res.Remove = &w.Force, &w.Remove
		}
		return
	case before.exists:
		res.Append, res.MoveHome = &w.Append, &w.MoveHome
	default:
		res.System, res.CreateHome = &w.System, &w.CreateHome
	}
	if !w.Password.IsZero() {
		res.Password = "NOT_LOGGING_PASSWORD"
	}
	if w.Groups != nil {
		groups := strings.Join(*w.Groups, ",")
		res.Groups = &groups
	}
	if !after.exists {
		return
	}
	res.UID, res.Group, res.Comment, res.Home, res.Shell = &after.uid, &after.gid, &after.comment, &after.home, &after.shell
	if w.GenerateSSHKey {
		res.SSHFingerprint, res.SSHKeyFile, res.SSHPublicKey = after.fingerprint, after.keyFile, after.public
	}
}

// date is the day that Expires falls on, as useradd takes it; "" is never.
func (a UserArgs) date() string {
	day := a.day()
	if day < 0 {
		return ""
	}
	return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly)
}

// day is the day that Expires falls on, counted from 1970; -1 is never.
func (a UserArgs) day() int {
	if *a.Expires < 0 {
		return -1
	}
	return int(math.Floor(*a.Expires)) / 86400
}
