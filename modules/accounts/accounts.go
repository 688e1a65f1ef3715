// Package accounts holds the modules about users, groups and what sudo lets them do. They work with the tools of shadow-utils and libuser, and with busybox's as
// far as those go; hashes of passwords and passphrases go by standard input.
package accounts

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// All are the family's modules.
func All() []*modules.Module { return []*modules.Module{Getent, Group, Sudoers, User} }

// lookLib are shell functions for looks at accounts.
//
//	has PROGRAM           whether it is there
//	entry DATABASE NAME   the line of passwd, group or shadow with that name (group: or number), of the host's own files when
//	                      $local is set, and where no getent tells
const lookLib = `has() { command -v "$1" >/dev/null 2>&1; }
entry() {
	{ [ -z "$local" ] && has getent && getent "$1" "$2"; } || awk -F: 'BEGIN { n = ARGV[1] ""; d = ARGV[2]; ARGV[1] = "" }
		$1 "" == n || d == "/etc/group" && $3 "" == n { print; exit }' "$2" "/etc/$1"
} 2>/dev/null
`

// failure is an error with the words of the program that it came of.
type failure struct {
	msg string
	err error
}

func (e *failure) Error() string { return e.msg }

func (e *failure) Unwrap() error { return e.err }

// explain gives a failed action the message that the program wrote.
func explain(err error) error {
	one, ok := errors.AsType[*modules.ActionError](err)
	if !ok {
		return err
	}
	if text := strings.TrimSpace(modules.Clean(one.Stderr)); text != "" {
		return &failure{text, err}
	}
	return err
}

// checkName refuses names that the files of accounts or the tools' options cannot hold.
func checkName(arg, name string) error {
	if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, ":\n/ ,") {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf("%q is no name of an account", name)}
	}
	return nil
}

// groupEntry is a line of the group database.
type groupEntry struct {
	name    string
	gid     int
	members []string
}

// readGroup reads a line of the group database, nil when it is none or, with a name, another's.
func readGroup(line, name string) *groupEntry {
	f := strings.Split(strings.TrimSpace(line), ":")
	if len(f) < 3 || name != "" && f[0] != name {
		return nil
	}
	gid, err := strconv.Atoi(f[2])
	if err != nil {
		return nil
	}
	g := &groupEntry{name: f[0], gid: gid}
	if len(f) > 3 && f[3] != "" {
		g.members = strings.Split(f[3], ",")
	}
	return g
}
