package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_snapshot.go
var snapshotSource string

// Snapshot sees to a domain's snapshots.
var Snapshot = modules.Define("virt_snapshot", snapshotSource+virshSource, runSnapshot, modules.Converges())

// SnapshotArgs make, delete and go back to snapshots of a domain. An internal snapshot lies in the qcow2 images themselves and holds the memory
// as well when the domain runs; an external one leaves the images as they are and goes on in overlays beside them. What this host's libvirt
// cannot do, and what would leave data that do not fit together, is refused before anything is done.
//
//	# Before an upgrade, and back again.
//	- virt_snapshot:
//	    domain: web-01
//	    name: before-upgrade
//	    description: before the upgrade to 2.0
//	- virt_snapshot:
//	    domain: web-01
//	    name: before-upgrade
//	    state: reverted
type SnapshotArgs struct {
	// Domain whose snapshots they are.
	Domain string `arg:"domain,alias=guest" required:"true"`
	// Name of the snapshot.
	Name string `arg:"name,alias=snapshot" required:"true"`
	// State: present makes the snapshot, absent deletes it (of an external one the data go into its base), reverted brings the domain back
	// to it, and current makes it the parent of the next one, without going back.
	State SnapshotState `arg:"state" default:"present"`
	// Type of a new snapshot. auto is internal where each disk is a qcow2 image and the firmware allows it, and external elsewhere.
	Type SnapshotType `arg:"type" default:"auto"`
	// Memory of a running domain is part of the snapshot. Of an internal one it is in any case.
	Memory bool `arg:"memory"`
	// MemoryFile of an external snapshot, readable for nobody but its owner; without it DOMAIN.NAME.mem beside the first disk.
	MemoryFile modules.Path `arg:"memory_file"`
	// Quiesce lets the guest's agent write the file systems out and hold them still meanwhile; auto does so where the agent answers. Only for
	// external snapshots without memory.
	Quiesce Quiesce `arg:"quiesce" default:"auto"`
	// Atomic leaves everything as it was when one of several disks fails.
	Atomic bool `arg:"atomic" default:"true"`
	// Disks that are part of the snapshot, by their targets (vda); all that can be written when there are none.
	Disks []string `arg:"disks" exclusive:"disks"`
	// Exclude names disks that are not part of the snapshot.
	Exclude []string `arg:"exclude" exclusive:"disks"`
	// OverlayDir is the folder for the overlays of an external snapshot; without it they lie beside the images.
	OverlayDir modules.Path `arg:"overlay_dir"`
	// Description of a new snapshot.
	Description string `arg:"description"`
	// Keep is how many of the snapshots that were made with keep or max_age stay, this one included; older ones are deleted.
	Keep int `arg:"keep"`
	// MaxAge is the age from which on snapshots that were made with keep or max_age are deleted.
	MaxAge time.Duration `arg:"max_age"`
	// RevertStart is how the domain is after reverted: as the snapshot was taken, running or paused.
	RevertStart RevertStart `arg:"revert_start" default:"as_was"`
	// OnlyIfNotCurrent leaves a domain alone whose current snapshot it is. Without that reverted goes back each time, for libvirt does not tell
	// whether anything was written since.
	OnlyIfNotCurrent bool `arg:"only_if_not_current"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// SnapshotState is what to do with a snapshot.
type SnapshotState string

// Choices lists the states.
func (SnapshotState) Choices() []string { return []string{"present", "absent", "reverted", "current"} }

// SnapshotType is where the data of a snapshot lie.
type SnapshotType string

// Choices lists the types.
func (SnapshotType) Choices() []string { return []string{"auto", "internal", "external"} }

// RevertStart is how a domain is after it was reverted.
type RevertStart string

// Choices lists the ways.
func (RevertStart) Choices() []string { return []string{"as_was", "running", "paused"} }

// Quiesce is whether the guest's agent holds the file systems still.
type Quiesce string

// DecodeArg implements the reading of an argument. YAML makes booleans of yes and no.
func (q *Quiesce) DecodeArg(v any) error {
	switch v {
	case true:
		*q = "yes"
	case false:
		*q = "no"
	case "yes", "no", "auto":
		*q = Quiesce(v.(string))
	default:
		return fmt.Errorf("must be one of auto, yes, no, not %q", fmt.Sprint(v))
	}
	return nil
}

// SnapshotResult tells of the snapshot.
type SnapshotResult struct {
	// Snapshot as it is now.
	Snapshot *SnapshotInfo `json:"snapshot,omitempty"`
	// Current is the name of the domain's current snapshot, "" where there is none.
	Current string `json:"current"`
	// Snapshots are the names of all of the domain's.
	Snapshots []string `json:"snapshots"`
	// DomainState is how the domain is.
	DomainState string `json:"domain_state"`
	// Pruned are the names of those that keep and max_age deleted.
	Pruned []string `json:"pruned,omitempty"`
	// FreedBytes is how much less room the images and overlays take after a deletion. An internal snapshot gives its room back to its image
	// only.
	FreedBytes *int64 `json:"freed_bytes,omitempty"`
}

// SnapshotInfo is one snapshot.
type SnapshotInfo struct {
	// Name of the snapshot.
	Name string `json:"name"`
	// Type is internal or external.
	Type string `json:"type"`
	// State that the domain was in: running, paused, shutoff, disk-snapshot.
	State string `json:"state"`
	// Memory is whether it holds the memory.
	Memory bool `json:"memory"`
	// Description that was given.
	Description string `json:"description"`
	// Parent is the snapshot before it.
	Parent string `json:"parent"`
	// Disks that are part of it, by target: their overlays, "" in an internal one.
	Disks map[string]string `json:"disks"`
}

// Check refuses what makes no sense.
func (a SnapshotArgs) Check() error {
	for _, n := range []struct{ arg, name string }{{"domain", a.Domain}, {"name", a.Name}} {
		if err := checkName(n.arg, n.name, a.AllowOddName); err != nil {
			return err
		}
	}
	bad := func(arg, msg string) error { return &modules.ArgError{Path: []any{arg}, Msg: msg} }
	switch {
	case a.Quiesce == "yes" && a.Type == "internal":
		return bad("quiesce", "quiesce: yes is for external snapshots: an internal one of a running domain holds its memory and needs none")
	case a.Quiesce == "yes" && a.Memory:
		return bad("quiesce", "quiesce: yes and memory cannot be given together: with the memory nothing needs to be written out")
	case a.MemoryFile != "" && (!a.Memory || a.Type == "internal"):
		return bad("memory_file", "memory_file needs memory: true and an external snapshot")
	case a.Keep < 0:
		return bad("keep", fmt.Sprintf("keep must be 1 or more, not %d", a.Keep))
	case a.MaxAge < 0:
		return bad("max_age", "max_age must not be negative")
	case a.State != "present" && (a.Keep > 0 || a.MaxAge > 0):
		return bad("state", "keep and max_age go with state: present only")
	case strings.ContainsFunc(a.Description, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }):
		return bad("description", "description has control characters in it")
	}
	for _, p := range []struct {
		arg  string
		path modules.Path
	}{{"memory_file", a.MemoryFile}, {"overlay_dir", a.OverlayDir}} {
		if p.path != "" && (!strings.HasPrefix(string(p.path), "/") || strings.ContainsFunc(string(p.path), unicode.IsControl)) {
			return bad(p.arg, fmt.Sprintf("%s must be an absolute path, not %q", p.arg, p.path))
		}
	}
	return nil
}

func runSnapshot(ctx context.Context, h *modules.Host, a SnapshotArgs) (SnapshotResult, error) {
	job := snapshotJob{SnapshotArgs: a, host: h}
	if a.State == "absent" {
		return job.delete(ctx)
	}
	lock := lockName("domain", a.Domain)
	if a.State == "reverted" {
		lock = "" // what is done once must not be planned twice
	}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[snapshots]{
		Probe: snapshotProbe, Args: job.probeArgs(), Lock: lock,
		Parse: job.parse, Plan: job.plan, Diff: job.diff, Want: job.foreseen,
	})
	r := after.result()
	r.Snapshot = after.find(a.Name).info()
	for _, n := range before.names {
		if modules.IgnorePlanned(err) == nil && !slices.Contains(after.names, n) {
			r.Pruned = append(r.Pruned, n)
		}
	}
	return r, explain(err)
}

// deleteScript: URI, domain, snapshot, the images whose room is counted, and after a word "--" the overlays that are to be gone. It tells
// the kibibytes that were freed.
const deleteScript = `uri=$1 domain=$2 snapshot=$3; shift 3
room() {
	__n=0
	for __f do
		[ "$__f" != -- ] && [ -e "$__f" ] || continue
		__k=$(du -k "$__f") || continue
		__n=$((__n + ${__k%%[!0-9]*}))
	done
	echo "$__n"
}
before=$(room "$@")
virsh -q -c "$uri" snapshot-delete --domain "$domain" --snapshotname "$snapshot" || exit 1
if virsh -q -c "$uri" snapshot-dumpxml --domain "$domain" --snapshotname "$snapshot" >/dev/null 2>&1; then
	echo "virsh says that it deleted the snapshot, and it is still there" >&2; exit 1
fi
after=$(room "$@")
overlay=
for f do
	if [ -n "$overlay" ] && [ -e "$f" ]; then echo "the snapshot is deleted, but its overlay $f is still there" >&2; exit 1; fi
	[ "$f" != -- ] || overlay=1
done
echo "$((before - after))"`

// delete deletes the snapshot. It is done outside of Reconcile because the room that is freed is to be told: how much room a running
// domain's images take changes by itself.
func (j *snapshotJob) delete(ctx context.Context) (SnapshotResult, error) {
	told, err := j.host.Probe(ctx, snapshotProbe, j.probeArgs()...)
	if err != nil {
		return SnapshotResult{}, err
	}
	s, err := j.parse(told)
	if err != nil {
		return SnapshotResult{}, err
	}
	found := s.find(j.Name)
	if found == nil {
		return s.result(), nil
	}
	action, err := j.planDelete(s, found)
	if err != nil {
		return s.result(), err
	}
	done, err := j.host.Change(ctx, action)
	if modules.IgnorePlanned(err) != nil {
		return s.result(), explain(err)
	}
	j.host.AddDiff(s.oneDiff(j.Name, found.show(), "absent"))
	r := s.without(j.Name).result()
	var kib int64
	if len(done) > 0 && !done[0].Planned {
		if _, scanErr := fmt.Sscan(string(done[0].Stdout), &kib); scanErr == nil {
			kib *= 1024
			r.FreedBytes = &kib
		}
	}
	return r, err
}

// planDelete deletes one snapshot where this libvirt can.
func (j *snapshotJob) planDelete(s snapshots, one *snapshot) (modules.Action, error) {
	if one.outside && s.domain.version < libvirt.SinceDeleteExternal {
		return modules.Action{}, &libvirt.Error{
			Class: libvirt.TooOld, Text: fmt.Sprintf("snapshot %s of domain %s is external, and libvirt %s cannot delete it", one.name, j.Domain, s.domain.version),
			Advice: "needs libvirt 9.0; virsh blockcommit --active --pivot merges the overlay of a running domain by hand",
		}
	}
	args := []string{string(j.URI), j.Domain, one.name}
	for _, d := range s.domain.config.At("devices").All("disk") {
		if f := d.At("source").Attr("file"); f != "" && !slices.Contains(one.overlays(), f) {
			args = append(args, f)
		}
	}
	args = append(append(args, "--"), one.overlays()...)
	return modules.Action{Why: fmt.Sprintf("delete snapshot %s of domain %s", one.name, j.Domain), Script: deleteScript, Args: args}, nil
}

// errManagedSave is about a memory that no longer fits its disks.
func errManagedSave(domain string) error {
	return errors.New("domain " + domain + " has its memory saved, which would not fit its disks any more after this: start it first (virt: state: running), or drop what is saved (virsh managedsave-remove)")
}
