package virt

import (
	"context"
	"fmt"
	"regexp"

	"github.com/hostlerhq/hostler/modules"
)

var (
	ownerNumber = regexp.MustCompile(`^-?[0-9]+$`)
	ownerName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@-]*[$]?$`)
)

// check refuses what is no mode, user or group. The example is of a mode.
func (p Permissions) check(example string) error {
	bad := func(format string, args ...any) error {
		return &modules.ArgError{Path: []any{"permissions"}, Msg: fmt.Sprintf(format, args...)}
	}
	if p.Mode != "" && !octal.MatchString(p.Mode) {
		return bad("permissions.mode must be octal ('%s'), not %q", example, p.Mode)
	}
	for _, one := range []struct{ key, val string }{{"owner", p.Owner}, {"group", p.Group}} {
		if one.val != "" && !ownerNumber.MatchString(one.val) && !ownerName.MatchString(one.val) {
			return bad("permissions.%s must be a number or a name, not %q", one.key, one.val)
		}
	}
	return nil
}

// ownerProbe: name of a user, name of a group; either may be "".
const ownerProbe = `if [ -n "$1" ] && n=$(id -u -- "$1" 2>/dev/null); then say owner "$n"; fi
if [ -n "$2" ]; then
	line=$(getent group "$2" 2>/dev/null) || line=$(grep -F -e "$2:" /etc/group | grep -e "^$2:")
	if [ -n "$line" ]; then say group "$(printf '%s\n' "$line" | cut -d: -f3)"; fi
fi
exit 0
`

// numbers gives the permissions with the numbers of users and groups that are named, for libvirt takes no names. In check mode one that an
// earlier task would make is left out.
func (p Permissions) numbers(ctx context.Context, h *modules.Host) (Permissions, error) {
	name := func(s string) string {
		if ownerNumber.MatchString(s) {
			return ""
		}
		return s
	}
	owner, group := name(p.Owner), name(p.Group)
	if owner == "" && group == "" {
		return p, nil
	}
	r, err := h.Probe(ctx, ownerProbe, owner, group)
	if err != nil {
		return p, fmt.Errorf("look for the owner: %w", err)
	}
	if owner != "" {
		p.Owner = r.Text("owner")
	}
	if group != "" {
		p.Group = r.Text("group")
	}
	switch {
	case h.Planning():
	case owner != "" && p.Owner == "":
		return p, fmt.Errorf("permissions.owner: the host has no user %s", owner)
	case group != "" && p.Group == "":
		return p, fmt.Errorf("permissions.group: the host has no group %s", group)
	}
	return p, nil
}
