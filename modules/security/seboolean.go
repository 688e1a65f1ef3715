package security

import (
	"context"
	_ "embed"
	"errors"
	"regexp"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed seboolean.go
var sebooleanSource string

// SEBoolean switches a boolean of SELinux.
var SEBoolean = modules.Define("seboolean", sebooleanSource, runSEBoolean, modules.Aliases("ansible.posix.seboolean"))

// SEBooleanArgs switch a boolean of SELinux.
//
//	# Images may lie on NFS.
//	- seboolean: {name: virt_use_nfs, state: true, persistent: true}
type SEBooleanArgs struct {
	// Name of the boolean.
	Name string `arg:"name" required:"true"`
	// State is its value.
	State bool `arg:"state" required:"true"`
	// Persistent keeps the value over a restart.
	Persistent bool `arg:"persistent"`
	// IgnoreSELinuxState goes on where SELinux is disabled, as in a chroot; only a persistent value can be set there.
	IgnoreSELinuxState bool `arg:"ignore_selinux_state"`
}

// SEBooleanResult tells what was asked for.
type SEBooleanResult struct {
	// Name of the boolean.
	Name string `json:"name"`
	// State that was asked for.
	State bool `json:"state"`
	// Persistent that was asked for.
	Persistent bool `json:"persistent"`
}

// Check refuses a name that cannot be.
func (a SEBooleanArgs) Check() error {
	if !selinuxName.MatchString(a.Name) {
		return &modules.ArgError{Path: []any{"name"}, Msg: "name cannot be the name of a boolean: " + a.Name}
	}
	if a.IgnoreSELinuxState && !a.Persistent {
		return errors.New("ignore_selinux_state goes with persistent only")
	}
	return nil
}

// sebooleanScript: name, yes when the persistent value counts. A boolean may have got another name: booleans.subs_dist. Without semanage
// the persistent value is what was set on this host, or what is now.
const sebooleanScript = `n=$(awk -v n="$1" '$1 == n { print $2; exit }' /etc/selinux/*/booleans.subs_dist 2>/dev/null)
[ -n "$n" ] || n=$1
say name "$n"
[ -e /sys/fs/selinux/enforce ] && say enabled yes
[ -e "/sys/fs/selinux/booleans/$n" ] && say now "$(cat "/sys/fs/selinux/booleans/$n")"
[ "$2" = yes ] || exit 0
command -v setsebool >/dev/null 2>&1 || { echo "the host has no program setsebool; it comes with policycoreutils" >&2; exit 1; }
if command -v semanage >/dev/null 2>&1; then
	list=$(semanage boolean -l -n) || exit 1
	say kept "$(printf '%s\n' "$list" | awk -v n="$n" '$1 == n { sub(/^[^(]*/, ""); sub(/[)].*/, ")"); gsub(/ /, ""); print; exit }')"
else
	say local "$(cat /var/lib/selinux/*/active/booleans.local /etc/selinux/*/modules/active/booleans.local 2>/dev/null | awk -F= -v n="$n" '$1 == n { v = $2 } END { print v }')"
fi
exit 0
`

// boolSeen is what a look told.
type boolSeen struct {
	name            string
	enabled, exists bool
	now, kept       bool
}

var keptBool = regexp.MustCompile(`^\((?:on|off),(on|off)\)$`)

func runSEBoolean(ctx context.Context, h *modules.Host, a SEBooleanArgs) (SEBooleanResult, error) {
	kept := ""
	if a.Persistent {
		kept = "yes"
	}
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[boolSeen]{
		Probe: sebooleanScript, Args: []string{a.Name, kept}, Parse: a.parse, Lock: "selinux",
		Plan: func(s boolSeen) ([]modules.Action, error) {
			if (!s.enabled || s.now == a.State) && (!a.Persistent || s.kept == a.State) {
				return nil, nil
			}
			argv, why := []string{"setsebool"}, "switch boolean "+s.name
			if a.Persistent {
				argv, why = append(argv, "-P"), why+" for good"
			}
			if !s.enabled {
				argv = append(argv, "-N")
			}
			val := map[bool]string{true: "on", false: "off"}[a.State]
			return []modules.Action{{Why: why + " " + val, Argv: append(argv, s.name, val)}}, nil
		},
	})
	return SEBooleanResult{Name: a.Name, State: a.State, Persistent: a.Persistent}, err
}

func (a SEBooleanArgs) parse(r *modules.Report) (boolSeen, error) {
	s := boolSeen{name: r.Text("name"), enabled: r.Has("enabled"), exists: r.Has("now")}
	s.now = len(r.Text("now")) > 0 && r.Text("now")[0] == '1'
	s.kept = s.now
	switch m := keptBool.FindStringSubmatch(r.Text("kept")); {
	case m != nil:
		s.kept, s.exists = m[1] == "on", true
	case r.Text("local") != "":
		s.kept, s.exists = r.Text("local") == "1", true
	}
	switch {
	case !s.enabled && !a.IgnoreSELinuxState:
		return s, errors.New("SELinux is disabled on this host.")
	case !s.exists:
		return s, errors.New("SELinux boolean " + a.Name + " does not exist.")
	}
	return s, nil
}
