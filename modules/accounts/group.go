package accounts

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed group.go
var groupSource string

// Group sees to a group.
var Group = modules.Define("group", groupSource, runGroup,
	modules.Aliases("ansible.builtin.group", "ansible.legacy.group"), modules.Converges())

// GroupArgs make a group exist or not.
//
//	# A group of the system.
//	- group:
//	    name: libvirt
//	    system: true
type GroupArgs struct {
	// Name of the group.
	Name string `arg:"name" required:"true"`
	// State is whether the group shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// GID of the group.
	GID *int `arg:"gid"`
	// System takes the number of a new group from the system's range.
	System bool `arg:"system"`
	// Local looks at and alters the host's own files only, with the tools of libuser; for hosts that know groups of a directory.
	Local bool `arg:"local"`
	// NonUnique allows a gid that another group has.
	NonUnique bool `arg:"non_unique"`
}

// GroupResult tells of the group.
type GroupResult struct {
	// Name of the group.
	Name string `json:"name"`
	// State that was asked for.
	State string `json:"state"`
	// System is what was asked for.
	System *bool `json:"system,omitempty"`
	// GID of the group.
	GID *int `json:"gid,omitempty"`
}

// groupScript: name, local, gid.
const groupScript = lookLib + `name=$1 local=$2
say group "$(entry group "$name")"
say there "$(entry group "$3")"
for t in groupadd addgroup groupmod lgroupadd; do if has "$t"; then say "$t" yes; fi; done
[ ! -e /etc/group ] || say file yes
`

// groupState is what a look told.
type groupState struct {
	entry *groupEntry
	other *groupEntry // the one that has the gid asked for
	tools *modules.Report
}

// Check refuses names that no group can have, and non_unique alone.
func (a GroupArgs) Check() error {
	if a.NonUnique && a.GID == nil {
		return errors.New("non_unique is True but all of the following are missing: gid")
	}
	return checkName("name", a.Name)
}

func runGroup(ctx context.Context, h *modules.Host, a GroupArgs) (GroupResult, error) {
	gid, local := "", ""
	if a.GID != nil {
		gid = strconv.Itoa(*a.GID)
	}
	if a.Local {
		local = "1"
	}
	res := GroupResult{Name: a.Name, State: string(a.State)}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[groupState]{
		Probe: groupScript, Args: []string{a.Name, local, gid}, Lock: "accounts",
		Parse: func(r *modules.Report) (groupState, error) {
			s := groupState{entry: readGroup(r.Text("group"), a.Name), other: readGroup(r.Text("there"), ""), tools: r}
			if a.Local && !r.Has("file") {
				return s, errors.New("'local: true' specified but unable to find local group file /etc/group to parse")
			}
			return s, nil
		},
		Plan: a.plan,
	})
	if a.Local && before.entry == nil && before.tools != nil {
		h.Warn("'local: true' specified and group was not found in /etc/group. " +
			"The local group may already exist if the local group database exists somewhere other than /etc/group.")
	}
	if err != nil {
		return res, explain(err)
	}
	if after.entry != nil {
		res.System, res.GID = &a.System, &after.entry.gid
	}
	return res, nil
}

func (a GroupArgs) plan(s groupState) ([]modules.Action, error) {
	if a.State == modules.Absent {
		return a.planRemove(s), nil
	}
	if s.entry != nil && (a.GID == nil || *a.GID == s.entry.gid) {
		return nil, nil
	}
	if a.Local && s.other != nil && s.other.name != a.Name {
		return nil, fmt.Errorf("GID '%d' already exists with group '%s'", *a.GID, s.other.name)
	}
	var argv []string
	if a.GID != nil {
		argv = append(argv, "-g", strconv.Itoa(*a.GID))
		if a.NonUnique {
			argv = append(argv, "-o")
		}
	}
	if s.entry != nil {
		return a.planModify(s, argv)
	}
	command := "groupadd"
	switch {
	case a.Local:
		command = "lgroupadd"
		if !s.tools.Has(command) {
			return nil, errors.New("local: the host has no lgroupadd; it comes with libuser")
		}
	case !s.tools.Has(command):
		command = "addgroup"
		if a.NonUnique {
			return nil, errors.New("non_unique: busybox's addgroup cannot give a gid twice")
		}
	}
	if a.System && command == "addgroup" {
		argv = append(argv, "-S")
	} else if a.System {
		argv = append(argv, "-r")
	}
	return []modules.Action{{Why: "create group " + a.Name, Argv: append(append([]string{command}, argv...), a.Name)}}, nil
}

func (a GroupArgs) planModify(s groupState, argv []string) ([]modules.Action, error) {
	command := "groupmod"
	switch {
	case a.Local:
		command = "lgroupmod"
	case !s.tools.Has(command):
		return nil, fmt.Errorf("gid: group %s has gid %d, and the host has no groupmod to change it; it comes with shadow", a.Name, s.entry.gid)
	}
	why := fmt.Sprintf("change the gid of group %s from %d to %d", a.Name, s.entry.gid, *a.GID)
	return []modules.Action{{Why: why, Argv: append(append([]string{command}, argv...), a.Name)}}, nil
}

func (a GroupArgs) planRemove(s groupState) []modules.Action {
	if s.entry == nil {
		return nil
	}
	command := "groupdel"
	switch {
	case a.Local:
		command = "lgroupdel"
	case !s.tools.Has("groupadd"):
		command = "delgroup"
	}
	return []modules.Action{{Why: "remove group " + a.Name, Argv: []string{command, a.Name}}}
}
