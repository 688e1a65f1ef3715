package files

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// Attributes are whose a file is and who may do what; every module that makes files takes them.
type Attributes struct {
	// Mode is the permissions: octal in quotes ('0644') or symbolic (u=rwX,g=rX,o=rX).
	Mode modules.FileMode `arg:"mode"`
	// Owner by name or number.
	Owner string `arg:"owner"`
	// Group by name or number.
	Group string `arg:"group"`
	// Attributes of the file system as for chattr: i, +i, -i, =ai.
	Attributes string `arg:"attributes,alias=attr"`
	// SEUser is the user of the SELinux context.
	SEUser string `arg:"seuser"`
	// SERole is the role of the SELinux context.
	SERole string `arg:"serole"`
	// SEType is the type of the SELinux context.
	SEType string `arg:"setype"`
	// SELevel is the level of the SELinux context.
	SELevel string `arg:"selevel"`
	// UnsafeWrites writes a file in place where a new one cannot take its place, as where it is a mount point of its own; others may read half of it then.
	UnsafeWrites bool `arg:"unsafe_writes"`
}

// attributesLib are the shell functions that look up owner and group, and change a path's attributes.
//
//	ids OWNER GROUP                  tells their numbers
//	extras KEY PATH SELINUX CHATTR   tells SELinux context and attributes as far as asked
const attributesLib = `
ids() {
	case $1 in
	'') ;;
	*[!0-9]*) __o=$(id -u -- "$1" 2>/dev/null); say owner "$__o" "$?" ;;
	*) say owner "$1" ;;
	esac
	case $2 in
	'') ;;
	*[!0-9]*)
		if command -v getent >/dev/null 2>&1; then __g=$(getent group "$2" </dev/null)
		else __g=$(while IFS= read -r __l; do case $__l in "$2":*) printf '%s\n' "$__l"; exit 0 ;; esac; done </etc/group; exit 2); fi
		__rc=$?; __g=${__g#*:*:}; say group "${__g%%:*}" "$__rc" ;;
	*) say group "$2" ;;
	esac
}
extras() {
	if [ -n "$3" ] && [ -e /sys/fs/selinux/enforce ]; then say "$1.context" "$(stat -c %C -- "$2" 2>/dev/null)"; fi
	if [ -n "$4" ] && [ -e "$2" ]; then __a=$(lsattr -d "$2" 2>/dev/null); say "$1.attr" "$__a" "$?"; fi
}
`

// ids are the numbers of owner and group; -1 is not asked for. A name that the host does not know is kept as an error
// for when it matters.
type ids struct {
	uid, gid int
	err      error
}

func (a Attributes) readIDs(r *modules.Report) ids {
	n := ids{uid: -1, gid: -1}
	if a.Owner != "" {
		if n.uid = idOf(r, "owner"); n.uid < 0 {
			n.err = fmt.Errorf("chown failed: failed to look up user %s", a.Owner)
		}
	}
	if a.Group != "" {
		if n.gid = idOf(r, "group"); n.gid < 0 {
			n.err = fmt.Errorf("chgrp failed: failed to look up group %s", a.Group)
		}
	}
	return n
}

// idOf is an id that was told, -1 when there is none: what cannot be read must never become root's 0.
func idOf(r *modules.Report, key string) int {
	n, err := strconv.Atoi(r.Text(key))
	if err != nil || r.Status(key) != 0 {
		return -1
	}
	return n
}

func (a Attributes) wantsSELinux() bool {
	return a.SEUser+a.SERole+a.SEType+a.SELevel != ""
}

// asked reports whether there is any to see to.
func (a Attributes) asked() bool {
	return !a.Mode.IsZero() || a.Owner+a.Group+a.Attributes != "" || a.wantsSELinux()
}

// lookArgs are the arguments of ids and extras: owner, group, SELinux, chattr.
func (a Attributes) lookArgs() []string {
	return []string{a.Owner, a.Group, given(a.wantsSELinux(), "1"), given(a.Attributes != "", "1")}
}

// readExtras adds what extras told.
func readExtras(r *modules.Report, key string, i *info) {
	i.context = r.Text(key + ".context")
	if words := strings.Fields(r.Text(key + ".attr")); len(words) > 0 {
		i.attributes = strings.ReplaceAll(words[0], "-", "")
	}
}

// plan gives the actions that bring a path, as it is now, to the attributes asked for, and what it is then.
// With link the path itself is changed even if it is a symbolic link.
func (a Attributes) plan(now info, n ids, umask uint32, link bool) (actions []modules.Action, then info) {
	then = now
	noFollow := []string{}
	if link && now.kind() == typeLink {
		noFollow = []string{"-h"}
	}
	if a.Owner != "" && (n.uid != now.uid || now.fresh) {
		then.uid, then.owner = n.uid, a.Owner
		actions = append(actions, a.act("set the owner of %s to %s", now.path, a.Owner,
			append(append([]string{"chown"}, noFollow...), number(n.uid, a.Owner), now.path)...))
	}
	if a.Group != "" && (n.gid != now.gid || now.fresh) {
		then.gid, then.group = n.gid, a.Group
		actions = append(actions, a.act("set the group of %s to %s", now.path, a.Group,
			append(append([]string{"chgrp"}, noFollow...), number(n.gid, a.Group), now.path)...))
	}
	if !a.Mode.IsZero() && !a.Mode.Preserve() && now.kind() != typeLink {
		mode := a.Mode.Apply(now.perm(), now.kind() == typeDir, umask)
		// A change of owner clears setuid and setgid, so the mode is set again after one.
		cleared := len(actions) > 0 && mode&0o6000 != 0
		if mode != now.perm() || cleared || now.fresh {
			then.mode = now.kind() | mode
			actions = append(actions, a.act("set the mode of %s to %s", now.path, fmt.Sprintf("%04o", mode),
				"chmod", chmodMode(mode), now.path))
		}
	}
	if context := a.contextOf(now.context); context != now.context && now.context != "" {
		then.context = context
		actions = append(actions, a.act("set the SELinux context of %s to %s", now.path, context,
			append(append([]string{"chcon"}, noFollow...), context, now.path)...))
	}
	if a.Attributes != "" && attributesAfter(now.attributes, a.Attributes) != now.attributes {
		then.attributes = attributesAfter(now.attributes, a.Attributes)
		actions = append(actions, a.act("change the attributes of %s by %s", now.path, a.Attributes,
			"chattr", chattrWord(a.Attributes), now.path))
	}
	return actions, then
}

// number is an owner's number, or the name where the host did not know it when it was looked up.
func number(n int, name string) string {
	if n < 0 {
		return name
	}
	return strconv.Itoa(n)
}

func (Attributes) act(why, path, what string, argv ...string) modules.Action {
	return modules.Action{Why: fmt.Sprintf(why, path, what), Argv: argv}
}

// chmodMode writes permissions with five digits: with fewer, GNU chmod keeps a folder's setgid.
func chmodMode(mode uint32) string { return fmt.Sprintf("%05o", mode) }

// contextOf is a context with the parts that are asked for.
func (a Attributes) contextOf(now string) string {
	parts := strings.SplitN(now, ":", 4)
	for i, part := range []string{a.SEUser, a.SERole, a.SEType, a.SELevel} {
		if part == "" || part == "_default" {
			continue
		}
		if i < len(parts) {
			parts[i] = part
		} else if len(parts) == i {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ":")
}

// chattrWord is an argument for chattr; letters without an operator mean exactly those.
func chattrWord(asked string) string {
	if strings.HasPrefix(asked, "+") || strings.HasPrefix(asked, "-") || strings.HasPrefix(asked, "=") {
		return asked
	}
	return "=" + asked
}

// attributesAfter applies chattr's argument to letters; the order of letters that stay is kept.
func attributesAfter(now, asked string) string {
	word := chattrWord(asked)
	letters := word[1:]
	has := func(c rune) bool { return strings.ContainsRune(letters, c) }
	switch word[0] {
	case '-':
		return strings.Map(func(c rune) rune {
			if has(c) {
				return -1
			}
			return c
		}, now)
	case '=':
		// Extents (e) cannot be taken away.
		if sameLetters(strings.ReplaceAll(now, "e", ""), strings.ReplaceAll(letters, "e", "")) {
			return now
		}
		return letters
	}
	for _, c := range letters {
		if !strings.ContainsRune(now, c) {
			now += string(c)
		}
	}
	return now
}

func sameLetters(a, b string) bool {
	return len(a) == len(b) && strings.Trim(a, b) == "" && strings.Trim(b, a) == ""
}

// PathInfo are the keys by which every module tells what became of a path.
type PathInfo struct {
	// UID is the owner's number.
	UID *int `json:"uid,omitempty"` // Owner's number
	// GID is the group's number.
	GID *int `json:"gid,omitempty"` // group's number
	// Owner is the owner's name.
	Owner string `json:"owner,omitempty"` // name of the owner
	// Group is the group's name.
	Group string `json:"group,omitempty"` // name of the group
	// Mode is its permissions in octal.
	Mode string `json:"mode,omitempty"` // permissions in octal
	// State is what it is: file, directory, link, hard or absent.
	State string `json:"state,omitempty"` // file, directory, link, hard or absent
	// Size is how many bytes it has.
	Size *int `json:"size,omitempty"` // bytes
	// SEContext is its SELinux context.
	SEContext string `json:"secontext,omitempty"` // SELinux context, when it was asked for
}

// pathInfo tells of a path; of one that is not there, its absence.
func pathInfo(i info) PathInfo {
	if !i.exists {
		return PathInfo{State: "absent"}
	}
	p := PathInfo{
		UID: &i.uid, GID: &i.gid, Owner: i.owner, Group: i.group, Mode: i.modeText(), State: i.state(), Size: &i.size,
		SEContext: i.context,
	}
	if i.fresh { // in check mode: only what was asked for is known
		p.UID, p.GID, p.Size = nil, nil, nil
		return p
	}
	if p.Owner == "" {
		p.Owner = strconv.Itoa(i.uid)
	}
	if p.Group == "" {
		p.Group = strconv.Itoa(i.gid)
	}
	return p
}

// attributesDiff shows what differs as JSON texts, as Ansible prints them.
func attributesDiff(before, after info) (modules.Diff, bool) {
	var b, a []string
	add := func(key, was, is string) {
		if was != is {
			b, a = append(b, fmt.Sprintf("    %q: %s", key, was)), append(a, fmt.Sprintf("    %q: %s", key, is))
		}
	}
	if before.exists && after.exists {
		add("group", strconv.Itoa(before.gid), strconv.Itoa(after.gid))
		add("mode", strconv.Quote(before.modeText()), strconv.Quote(after.modeText()))
		add("owner", strconv.Itoa(before.uid), strconv.Itoa(after.uid))
	}
	add("state", strconv.Quote(before.state()), strconv.Quote(after.state()))
	if len(b) == 0 {
		return modules.Diff{}, false
	}
	path := fmt.Sprintf("    %q: %q", "path", after.path)
	return modules.Diff{Before: jsonText(b, path), After: jsonText(a, path)}, true
}

// jsonText puts the line about the path where the order of keys wants it.
func jsonText(lines []string, path string) string {
	at := len(lines)
	if strings.HasPrefix(lines[at-1], `    "state"`) {
		at--
	}
	all := append(append(append([]string{}, lines[:at]...), path), lines[at:]...)
	return "{\n" + strings.Join(all, ",\n") + "\n}\n"
}
