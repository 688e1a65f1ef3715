package virt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// tooSkewed is from when on the clocks of two hosts are told of: a guest's jumps by as much.
const tooSkewed = 30 * time.Second

// migrateJob is one run of virt_migrate.
type migrateJob struct {
	MigrateArgs
	host, dest *modules.Host
}

func (j *migrateJob) nameThere(name string) string {
	if j.Dname != "" {
		return j.Dname
	}
	return name
}

// preflight gives all that speaks against moving the domain.
func (j *migrateJob) preflight(m migration) error {
	if err := j.identity(m); err != nil {
		return err
	}
	findings := slices.Concat(j.stateFindings(m), j.linkFindings(m), j.storageFindings(m), j.hostFindings(m))
	if len(findings) == 0 {
		return nil
	}
	return fmt.Errorf("domain %s cannot be moved to %s: %s", m.name, j.Dest, strings.Join(findings, "; "))
}

// identity refuses a domain that is nowhere, or on both hosts.
func (j *migrateJob) identity(m migration) error {
	switch {
	case !m.here.exists:
		return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("virtual machine %s not found, neither on %s nor on %s", m.name, j.host.At(), j.Dest)}
	case m.there.exists && m.there.uuid != m.here.uuid:
		return &libvirt.Error{Class: libvirt.Exists, Text: fmt.Sprintf("host %s has another domain %s, with UUID %s", j.Dest, m.there.name, m.there.uuid), Advice: "dname gives another name there"}
	case m.there.exists && m.here.active && m.there.active && !m.there.persistent && m.there.state == "paused":
		return fmt.Errorf("domain %s is on its way from %s to %s, or was when a migration was broken off: wait until it is over (virsh domjobinfo %s, on %s); where there is no such job, take away what came there (virsh destroy, on %s)",
			m.name, j.host.At(), j.Dest, m.name, j.host.At(), j.Dest)
	case m.there.exists && m.here.active && m.there.active:
		return fmt.Errorf("domain %s runs twice, on %s (%s) and on %s (%s): if they share a disk it is being destroyed, turn one of them off now (virsh destroy) and look at its data",
			m.name, j.host.At(), m.here.state, j.Dest, m.there.state)
	case m.there.exists:
		return fmt.Errorf("domain %s is defined twice, on %s (%s) and on %s (%s): undefine the one that is not to be (virsh undefine --keep-nvram)",
			m.name, j.host.At(), m.here.state, j.Dest, m.there.state)
	case m.owner != "":
		return &libvirt.Error{Class: libvirt.ConflictUUID, Text: fmt.Sprintf("host %s has a domain %s with the UUID of %s", j.Dest, m.owner, m.name)}
	}
	return nil
}

// stateFindings are about the domain itself.
func (j *migrateJob) stateFindings(m migration) []string {
	var all []string
	add := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	devices := m.here.config.At("devices")
	offline := j.Mode == "offline"
	add(offline && m.here.active, "it is %s, and mode: offline is for one that is shut off (mode: live moves it as it runs)", m.here.state)
	add(!offline && !m.here.active, "it is %s (mode: offline moves its definition)", m.here.state)
	add(!offline && m.here.active && m.here.state != "running" && m.here.state != "paused" && m.here.state != "idle", "it is %s", m.here.state)
	add(m.here.managedSave, "its memory is saved here and would stay behind: start it first, or drop what is saved (virsh managedsave-remove)")
	add(m.here.snapshots > 0, "it has %d snapshots, whose records would stay behind: delete them first (virt_snapshot: state: absent)", m.here.snapshots)
	add(m.here.checkpoints > 0, "it has %d checkpoints, whose records would stay behind: delete them first (virsh checkpoint-delete --metadata)", m.here.checkpoints)
	add(offline && devices.At("tpm", "backend").Attr("type") == "emulator", "it has a TPM, whose state would stay behind: mode: live takes it along")
	for _, h := range devices.All("hostdev") {
		add(!offline, "it has a %s device of this host", h.Attr("type"))
		if offline {
			j.host.Warn("domain %s has a %s device of its host: see that %s has one at the same place", m.name, h.Attr("type"), j.Dest)
		}
	}
	return all
}

// linkFindings are about the way from one libvirt to the other.
func (j *migrateJob) linkFindings(m migration) []string {
	switch {
	case j.Mode == "offline":
		return nil
	case m.reachErr != "":
		return []string{fmt.Sprintf("from %s libvirt of %s cannot be reached at %s: %s", j.host.At(), j.Dest, j.destURI(), m.reachErr)}
	case m.reach != m.hostThere:
		return []string{fmt.Sprintf("%s leads to %s, and %s is %s", j.destURI(), m.reach, j.Dest, m.hostThere)}
	}
	return nil
}

// storageFindings are about the disks' files.
func (j *migrateJob) storageFindings(m migration) []string {
	var all []string
	writable := map[string]bool{}
	for _, d := range m.definition().At("devices").All("disk") {
		s := d.At("source")
		writable[s.Attr("file")+s.Attr("dev")] = writableDisk(d)
	}
	for _, f := range m.files {
		copied := j.CopyStorage == "all" && writable[f.path]
		for _, one := range f.chain {
			inode, there := m.inodes[one]
			top := one == f.path
			switch {
			case f.inode == "" && top:
				all = append(all, fmt.Sprintf("%s is not there on %s", one, j.host.At()))
			case (copied || j.CopyStorage == "inc" && writable[f.path]) && top:
				all = append(all, j.copyFindings(m, f, inode)...)
			case copied:
			case !there && j.Mode == "offline":
				all = append(all, fmt.Sprintf("%s is not there on %s, and an offline migration copies no disks: share the storage, or copy the images first and set verify_shared: false", one, j.Dest))
			case !there:
				all = append(all, fmt.Sprintf("%s is not there on %s: share the storage, or copy_storage: all", one, j.Dest))
			case top && j.VerifyShared && writable[f.path] && inode != f.inode:
				all = append(all, fmt.Sprintf("%s is another file on %s (verify_shared: false takes it for a copy of this one)", one, j.Dest))
			}
		}
	}
	return all
}

// copyFindings are about a disk that is to be copied.
func (j *migrateJob) copyFindings(m migration, f migrateFile, inode string) []string {
	dir := path.Dir(f.path)
	switch {
	case inode != "" && inode == f.inode:
		return []string{fmt.Sprintf("%s is the same file on %s: copied onto itself it would be destroyed (copy_storage: none)", f.path, j.Dest)}
	case inode == "" && !slices.Contains(m.pools, dir):
		return []string{fmt.Sprintf("there is no %s on %s, nor an active pool of the folder %s that libvirt could make it in", f.path, j.Dest, dir)}
	}
	return nil
}

// hostFindings are about what the other host has and can do.
func (j *migrateJob) hostFindings(m migration) []string {
	var all []string
	texts := map[string]string{
		"network": "network %s is not active on %s", "pool": "pool %s is not active on %s", "device": "there is no bridge or interface %s on %s", "secret": "there is no secret %s on %s",
	}
	for _, n := range m.needs {
		if text := texts[n.kind]; text != "" && !m.has[n] {
			all = append(all, fmt.Sprintf(text, n.name, j.Dest))
		}
	}
	for _, text := range []string{m.capsErr, m.cpuErr} {
		if text != "" {
			all = append(all, j.Dest+" cannot run it: "+text)
		}
	}
	if want, ok := libvirt.KiB(m.definition().At("memory")); ok && j.Mode != "offline" && m.memory > 0 && want > m.memory {
		all = append(all, fmt.Sprintf("%s has %d MiB of memory free, and it takes %d MiB", j.Dest, m.memory/1024, want/1024))
	}
	if m.there.version < m.here.version {
		j.host.Warn("%s has libvirt %s, older than %s of %s: that it takes domains over from there is not promised", j.Dest, m.there.version, m.here.version, j.host.At())
	}
	if m.skew.Abs() > tooSkewed {
		j.host.Warn("the clock of %s is off by %s from that of %s", j.Dest, m.skew.Round(time.Second), j.host.At())
	}
	return all
}

// move moves one domain and looks at both hosts again. In check mode it announces what it does, and gives ErrPlanned.
func (j *migrateJob) move(ctx context.Context, m *migration) error {
	if err := modules.IgnorePlanned(j.proveShared(ctx, *m)); err != nil {
		return err
	}
	var err error
	if j.Mode == "offline" {
		err = j.moveDefinition(ctx, *m)
	} else {
		err = j.moveGuest(ctx, *m)
	}
	if modules.IgnorePlanned(err) == nil {
		j.host.AddDiff(modules.Diff{Before: j.host.At() + "\n", After: j.Dest + "\n", BeforeHeader: "host of domain " + m.name, AfterHeader: "host of domain " + m.name})
	}
	if err != nil {
		return err
	}
	after, err := j.look(ctx, m.name)
	if err != nil {
		return fmt.Errorf("look at the hosts again: %w", err)
	}
	if left := j.left(*m, after); len(left) > 0 {
		return fmt.Errorf("domain %s did not arrive as it should: %s", m.name, strings.Join(left, "; "))
	}
	m.there = after.there
	return nil
}

// left gives what is not as it should be after the move.
func (j *migrateJob) left(before, after migration) []string {
	var all []string
	add := func(is bool, text string) {
		if is {
			all = append(all, text)
		}
	}
	add(!after.there.exists, "it is not on "+j.Dest)
	if !after.there.exists {
		return all
	}
	add(after.there.status() != before.here.status(), fmt.Sprintf("it was %s and is %s", before.here.state, after.there.state))
	add(after.there.persistent != j.Persistent, "it is defined where it should not be, or not where it should")
	add(j.Persistent && after.there.autostart != before.here.autostart, "its autostart was not taken along")
	add(len(libvirt.Recorded(before.here.config)) > 0 && j.Persistent && len(libvirt.Recorded(after.there.config)) == 0, "the note of what was set is gone from its definition")
	add(j.UndefineSource && after.here.exists, "it still is on "+j.host.At())
	add(after.here.active, "it still runs on "+j.host.At())
	return all
}

// proveScript: the secret, folders. It makes a file in each.
const proveScript = `umask 077
n=$1; shift
for d do ( set -C; printf '%s' "$n" >"$d/.hostler-$n" ) || { echo "a file in $d proves that it is the same on both hosts, and none can be made; verify_shared: false goes without" >&2; exit 1; }; done`

// unproveTime is how long the end of a run waits for that they are taken away.
const unproveTime = 10 * time.Second

// unproveScript takes them away.
const unproveScript = `n=$1; shift
for d do rm -f -- "$d/.hostler-$n"; done`

// provedProbe: the secret, folders. It tells of those that do not have it.
const provedProbe = `n=$1; shift
k=0
for d do k=$((k + 1)); [ "$(cat "$d/.hostler-$n" 2>/dev/null)" = "$n" ] || say "other.$k" "$d"; done
exit 0`

// proveShared writes a file beside the disks here and reads it there.
func (j *migrateJob) proveShared(ctx context.Context, m migration) error {
	if !j.VerifyShared || j.CopyStorage != "none" {
		return nil
	}
	var folders []string
	for _, d := range m.definition().At("devices").All("disk") {
		if f := d.At("source").Attr("file"); writableDisk(d) && f != "" && !slices.Contains(folders, path.Dir(f)) {
			folders = append(folders, path.Dir(f))
		}
	}
	if len(folders) == 0 {
		return nil
	}
	args := append([]string{strings.TrimLeft(modules.NewMark(), "@")}, folders...)
	_, err := j.host.Change(ctx, modules.Action{Why: "prove that " + strings.Join(folders, ", ") + " is the same on " + j.Dest, Script: proveScript, Args: args})
	var told *modules.Report
	if err == nil {
		told, err = j.dest.Probe(ctx, provedProbe, args...)
	}
	quit, end := context.WithTimeout(context.WithoutCancel(ctx), unproveTime) // also when the run is broken off
	defer end()
	_, undone := j.host.Change(quit, modules.Action{Why: "take the proof away", Script: unproveScript, Args: args})
	if errors.Is(err, modules.ErrPlanned) {
		return err
	}
	if err = errors.Join(err, undone); err != nil {
		return err
	}
	for _, key := range told.Keys() {
		err = errors.Join(err, fmt.Errorf("domain %s cannot be moved to %s: what is in %s here is not there, so its disks are other ones there (verify_shared: false takes them for copies)", m.name, j.Dest, told.Text(key)))
	}
	return err
}

// undefineIdleScript: URI, domain, flags. A domain that somebody started meanwhile keeps its definition.
const undefineIdleScript = `uri=$1 name=$2; shift 2
s=$(virsh -q -c "$uri" domstate --domain "$name") || exit 1
[ "$s" = "shut off" ] || { echo "it is $s by now" >&2; exit 1; }
virsh -q -c "$uri" undefine --domain "$name" "$@"`

// moveDefinition defines the domain there and undefines it here. When the latter fails the former is taken back.
func (j *migrateJob) moveDefinition(ctx context.Context, m migration) error {
	doc := m.here.config.Clone()
	name := j.nameThere(m.name)
	doc.Set("name", name)
	copied, isNew, err := j.copyNVRAM(ctx, m)
	if modules.IgnorePlanned(err) != nil {
		return err
	}
	actions := []modules.Action{withFile(j.Place, "define domain "+name, doc.String(), "--file", "define", "--validate")}
	if m.here.autostart {
		actions = append(actions, virsh(j.Place, "start domain "+name+" with the host", "autostart", "--domain", name))
	}
	hasNVRAM := doc.At("os", "nvram") != nil
	_, err = j.dest.Change(ctx, actions...)
	flags := undefineFlags{nvram: hasNVRAM && copied, keepNVRAM: hasNVRAM && !copied}
	if modules.IgnorePlanned(err) == nil {
		_, err = j.host.Change(ctx, j.leave(m, flags)...)
	}
	if _, told := errors.AsType[*modules.ActionError](err); !told {
		return err // when a connection broke nobody knows what was done: two definitions are better than none
	}
	made := ""
	if isNew {
		made = m.nvram
	}
	_, undone := j.dest.Change(ctx, modules.Action{
		Why: "take the definition of " + name + " back", Script: takeBackScript, Args: append([]string{string(j.URI), name, made}, flags.argv(m.there.version)...),
	})
	return errors.Join(explain(err), undone)
}

// takeBackScript: URI, domain, the file that was made for it or "", flags.
const takeBackScript = `uri=$1 name=$2 made=$3; shift 3
if virsh -q -c "$uri" dominfo --domain "$name" >/dev/null 2>&1; then virsh -q -c "$uri" undefine --domain "$name" "$@" || exit 1; fi
[ -z "$made" ] || rm -f -- "$made"`

// leave ends the domain's definition here, or its autostart.
func (j *migrateJob) leave(m migration, flags undefineFlags) []modules.Action {
	switch {
	case j.UndefineSource:
		return []modules.Action{{
			Why: "undefine domain " + m.name, Script: undefineIdleScript, Args: append([]string{string(j.URI), m.name}, flags.argv(m.here.version)...),
		}}
	case m.here.autostart:
		return []modules.Action{virsh(j.Place, "do not start domain "+m.name+" with the host", "autostart", "--domain", m.name, "--disable")}
	}
	return nil
}

// nvramLimit is more than any firmware's variables take.
const nvramLimit = 256 << 20

// copyNVRAM copies the firmware's variables, unless both hosts have the same. Made says that there were none before: others may be there since the
// domain was on that host the last time, for a live migration leaves them.
func (j *migrateJob) copyNVRAM(ctx context.Context, m migration) (copied, made bool, err error) {
	if m.nvram == "" {
		return false, false, nil
	}
	told, err := j.dest.Probe(ctx, `[ ! -e "$1" ] || say there "$(sha256sum <"$1")"
exit 0`, m.nvram)
	if err != nil {
		return false, false, err
	}
	data, err := j.host.ReadFile(ctx, m.nvram, nvramLimit)
	if err != nil {
		return false, false, err
	}
	if sum, _, _ := strings.Cut(told.Text("there"), " "); sum == fmt.Sprintf("%x", sha256.Sum256(data)) {
		return false, false, nil
	}
	opts := modules.FileOptions{}
	opts.Mode, opts.HasMode = 0o600, true
	return true, !told.Has("there"), j.dest.WriteFile(ctx, "copy the variables of the firmware", m.nvram, data, opts)
}

// migrateScript: URI, where to, domain, seconds, flags of virsh migrate. A migration that is broken off leaves the guest here.
const migrateScript = `uri=$1 to=$2 name=$3 limit=$4; shift 4
stop() { virsh -q -c "$uri" domjobabort --domain "$name" >/dev/null 2>&1; wait "$pid"; }
virsh -q -c "$uri" migrate --domain "$name" --desturi "$to" "$@" &
pid=$!
trap 'stop; exit 1' HUP INT TERM
end=$(( $(date +%s) + limit ))
while kill -0 "$pid" 2>/dev/null; do
	if [ "$(date +%s)" -ge "$end" ]; then
		if stop; then exit 0; fi # it was over meanwhile, or could not be broken off any more
		echo "it was not over within $limit seconds and was broken off" >&2; exit 1
	fi
	sleep 0.2 2>/dev/null || sleep 1
done
wait "$pid"`

// moveGuest lets libvirt move a guest that runs.
func (j *migrateJob) moveGuest(ctx context.Context, m migration) error {
	actions := []modules.Action{{
		Why:    fmt.Sprintf("move domain %s to %s", m.name, j.Dest),
		Script: migrateScript, Args: append([]string{string(j.URI), j.destURI(), m.name, strconv.Itoa(int(j.Timeout.Seconds()))}, j.flags()...),
	}}
	if !j.UndefineSource && m.here.persistent {
		actions = append(actions, j.leave(m, undefineFlags{})...)
	}
	_, err := j.host.Change(ctx, actions...)
	if modules.IgnorePlanned(err) != nil || !m.here.autostart || !j.Persistent {
		return err
	}
	name := j.nameThere(m.name)
	_, err = j.dest.Change(ctx, virsh(j.Place, "start domain "+name+" with the host", "autostart", "--domain", name))
	return err
}

// flags are what virsh migrate is told.
func (j *migrateJob) flags() []string {
	argv := []string{"--abort-on-error"}
	add := func(is bool, flags ...string) {
		if is {
			argv = append(argv, flags...)
		}
	}
	add(j.Mode == "live", "--live")
	add(j.Persistent, "--persistent")
	add(j.UndefineSource, "--undefinesource")
	add(j.Transport != "direct", "--p2p")
	add(j.Transport == "tunnelled", "--tunnelled")
	add(j.CopyStorage != "none", "--copy-storage-"+string(j.CopyStorage))
	add(j.TLS, "--tls")
	add(j.Compressed, "--compressed")
	add(j.AcceptUnsafe, "--unsafe")
	add(j.Mode == "live" && j.Converge.Auto, "--auto-converge")
	add(j.Converge.Postcopy, "--postcopy", "--postcopy-after-precopy")
	add(j.Converge.Timeout > 0, "--timeout", strconv.Itoa(int(j.Converge.Timeout.Seconds())), "--timeout-"+string(j.Converge.TimeoutAction))
	add(j.Parallel > 0, "--parallel", "--parallel-connections", strconv.Itoa(j.Parallel))
	add(j.Bandwidth > 0, "--bandwidth", strconv.Itoa(j.Bandwidth))
	add(j.MigrateURI != "", "--migrateuri", j.MigrateURI)
	add(j.ListenAddress != "", "--listen-address", j.ListenAddress)
	add(j.Dname != "", "--dname", j.Dname)
	return argv
}

// foreseen is the domain as it is there, or would be.
func (m migration) foreseen(planned bool) domain {
	if !planned || m.done() {
		return m.there
	}
	return m.here
}
