package files

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed tempfile.go
var tempfileSource string

// Tempfile makes a temporary file or folder.
var Tempfile = modules.Define("tempfile", tempfileSource, runTempfile,
	modules.Aliases("ansible.builtin.tempfile", "ansible.legacy.tempfile"))

// TempKind is what is made.
type TempKind string

// Choices lists the kinds.
func (TempKind) Choices() []string { return []string{"file", "directory"} }

// TempfileArgs make a temporary file or folder that only its owner may read. The playbook removes it when it is no longer needed.
type TempfileArgs struct {
	// State is whether to make a file or a folder.
	State TempKind `arg:"state" default:"file"`
	// Path is the folder in which to make it; without, the host's folder for temporary files.
	Path modules.Path `arg:"path"`
	// Prefix of the name.
	Prefix string `arg:"prefix" default:"ansible."`
	// Suffix of the name.
	Suffix string `arg:"suffix"`
}

// Check refuses a name that cannot be made.
func (a TempfileArgs) Check() error {
	if strings.Contains(a.Suffix, "/") {
		return &modules.ArgError{Path: []any{"suffix"}, Msg: fmt.Sprintf("argument \"suffix\" cannot hold a slash: %q", a.Suffix)}
	}
	return nil
}

// TempfileResult is what was made.
type TempfileResult struct {
	// Path of what was made.
	Path string `json:"path,omitempty"`
	// State is what was made.
	State string `json:"state,omitempty"`
	// UID is the owner's number.
	UID int `json:"uid"`
	// GID is the group's number.
	GID int `json:"gid"`
	// Owner is the owner's name.
	Owner string `json:"owner,omitempty"` // name of the owner
	// Group is the group's name.
	Group string `json:"group,omitempty"` // name of the group
	// Mode is its permissions in octal.
	Mode string `json:"mode,omitempty"`
	// Size is how many bytes it has.
	Size int `json:"size"`
}

// tempfileScript: folder, prefix, suffix, -d for a folder. Busybox's mktemp takes no suffix, so the name with it is made here.
const tempfileScript = lookLib + `
expand "${1:-${TMPDIR:-/tmp}}"
[ -d "$expanded" ] || { echo "the folder $expanded does not exist" >&2; exit 1; }
n=0
while :; do
	t=$(mktemp -u "$expanded/$2XXXXXX") || exit 1
	p=$t$3
	if [ -n "$4" ]; then (umask 077; mkdir "$p") && break
	else (umask 077; set -C; : >"$p") && break; fi
	n=$((n + 1)); [ $n -lt 5 ] || exit 1
done
say path "$p"
look stat "$p"
`

func runTempfile(ctx context.Context, h *modules.Host, a TempfileArgs) (TempfileResult, error) {
	done, err := h.Change(ctx, modules.Action{
		Why: "make a temporary " + string(a.State), Script: tempfileScript,
		Args: []string{string(a.Path), a.Prefix, a.Suffix, given(a.State == "directory", "-d")},
	})
	if err != nil {
		return TempfileResult{}, err
	}
	r := modules.ParseReport(done[0].Stdout)
	i, err := readInfo(r, "stat", r.Text("path"))
	if err != nil {
		return TempfileResult{}, err
	}
	return TempfileResult{
		Path: i.path, State: string(a.State), UID: i.uid, GID: i.gid, Owner: i.owner, Group: i.group, Mode: i.modeText(), Size: i.size,
	}, nil
}
