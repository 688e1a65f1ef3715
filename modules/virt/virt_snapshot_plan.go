package virt

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// snapshotMark is the last line of the description of those that keep and max_age may delete: libvirt keeps nothing else with a snapshot.
const snapshotMark = "made by hostler, which deletes it in its time (keep, max_age)"

// longChain is the number of external snapshots from which on reading through all of the overlays is felt.
const longChain = 8

// snapshotJob is one run of virt_snapshot.
type snapshotJob struct {
	SnapshotArgs
	host     *modules.Host
	reverted bool // it was planned, so it is done
}

// plan leads to what is asked, but for deleting.
func (j *snapshotJob) plan(s snapshots) ([]modules.Action, error) {
	one := s.find(j.Name)
	if one == nil && j.State != "present" {
		return nil, &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("domain %s has no snapshot %s%s", j.Domain, j.Name, hasInstead(s.names))}
	}
	switch j.State {
	case "reverted":
		return j.planRevert(s, one)
	case "current":
		if s.current == j.Name {
			return nil, nil
		}
		return []modules.Action{virsh(j.Place, fmt.Sprintf("make snapshot %s the current one of domain %s", j.Name, j.Domain),
			"snapshot-current", "--domain", j.Domain, "--snapshotname", j.Name)}, nil
	}
	var actions []modules.Action
	if one != nil {
		if err := j.same(s, one); err != nil {
			return nil, err
		}
	} else {
		create, err := j.planCreate(s)
		if err != nil {
			return nil, err
		}
		actions = append(actions, create)
	}
	for _, old := range j.expired(s) {
		del, err := j.planDelete(s, old)
		if err != nil {
			return nil, err
		}
		actions = append(actions, del)
	}
	return actions, nil
}

func hasInstead(names []string) string {
	if len(names) == 0 {
		return "; it has none"
	}
	return "; it has " + strings.Join(names, ", ")
}

// same refuses a snapshot of that name that is another one.
func (j *snapshotJob) same(s snapshots, one *snapshot) error {
	if j.Type != "auto" && one.kind() != string(j.Type) {
		return fmt.Errorf("domain %s has a snapshot %s already, and that is %s, not %s: delete it first (state: absent) or take another name", j.Domain, j.Name, one.kind(), j.Type)
	}
	if len(j.Disks) == 0 && len(j.Exclude) == 0 {
		return nil
	}
	in, _, err := j.choose(s)
	if err != nil {
		return err
	}
	want := targetsOf(in)
	if slices.Sort(want); !slices.Equal(want, one.targets()) {
		return fmt.Errorf("domain %s has a snapshot %s already, and that is of %s, not of %s: delete it first (state: absent) or take another name",
			j.Domain, j.Name, strings.Join(one.targets(), ", "), strings.Join(want, ", "))
	}
	return nil
}

func targetsOf(disks []*libvirt.Node) []string {
	var all []string
	for _, d := range disks {
		all = append(all, d.At("target").Attr("dev"))
	}
	return all
}

// choose gives the disks that are part of the snapshot and those that are not although they could be written.
func (j *snapshotJob) choose(s snapshots) (in, out []*libvirt.Node, err error) {
	var known []string
	for _, d := range s.domain.config.At("devices").All("disk") {
		target := d.At("target").Attr("dev")
		known = append(known, target)
		if !writableDisk(d) {
			if slices.Contains(j.Disks, target) {
				return nil, nil, fmt.Errorf("disk %s of domain %s cannot be part of a snapshot: it is not one that can be written", target, j.Domain)
			}
			continue
		}
		if slices.Contains(j.Exclude, target) || len(j.Disks) > 0 && !slices.Contains(j.Disks, target) {
			out = append(out, d)
		} else {
			in = append(in, d)
		}
	}
	for _, t := range slices.Concat(j.Disks, j.Exclude) {
		if !slices.Contains(known, t) {
			return nil, nil, fmt.Errorf("domain %s has no disk %s; it has %s", j.Domain, t, strings.Join(known, ", "))
		}
	}
	return in, out, nil
}

// writableDisk reports a disk that has data of the domain's own: no CD, no floppy, nothing read-only.
func writableDisk(d *libvirt.Node) bool {
	kind := d.Attr("device")
	return (kind == "" || kind == "disk" || kind == "lun") && d.At("readonly") == nil && diskSource(d) != ""
}

// noInternal tells why a snapshot of these disks cannot be internal; "" when it can.
func noInternal(d domain, in, out []*libvirt.Node) string {
	for _, disk := range in {
		target, format := disk.At("target").Attr("dev"), disk.At("driver").Attr("type")
		switch {
		case format != "qcow2":
			return fmt.Sprintf("disk %s is %s, and only a qcow2 image can hold a snapshot", target, format)
		case disk.Attr("type") == "network":
			return fmt.Sprintf("disk %s comes over the network", target)
		}
	}
	if len(out) > 0 {
		return fmt.Sprintf("disk %s is left out, and an internal one is of all disks", out[0].At("target").Attr("dev"))
	}
	uefi := d.config.At("os").Attr("firmware") == "efi" || d.config.At("os", "loader").Attr("type") == "pflash"
	switch {
	case uefi && d.version < libvirt.SinceInternalUEFI:
		return fmt.Sprintf("the domain has UEFI, which libvirt %s cannot snapshot internally (10.9 can)", d.version)
	case uefi && d.config.At("os", "nvram").Attr("format") != "qcow2":
		return "the variables of the domain's UEFI are no qcow2 image"
	}
	return ""
}

// planCreate makes the snapshot.
func (j *snapshotJob) planCreate(s snapshots) (modules.Action, error) {
	none := modules.Action{}
	if s.domain.managedSave {
		return none, errManagedSave(j.Domain)
	}
	in, out, err := j.choose(s)
	if err != nil {
		return none, err
	}
	if len(in) == 0 {
		return none, fmt.Errorf("domain %s has no disk that a snapshot could be of", j.Domain)
	}
	why := noInternal(s.domain, in, out)
	if why != "" && j.Type == "internal" {
		return none, fmt.Errorf("domain %s cannot have an internal snapshot: %s; type: external can be made", j.Domain, why)
	}
	argv := []string{"snapshot-create-as", "--domain", j.Domain, "--name", j.Name}
	if text := j.describe(); text != "" {
		argv = append(argv, "--description", text)
	}
	what := "internal"
	if why != "" || j.Type == "external" {
		what = "external"
		more, err := j.externalFlags(s, in, out)
		if err != nil {
			return none, err
		}
		argv = append(argv, more...)
	} else if j.Quiesce == "yes" {
		return none, fmt.Errorf("quiesce: yes is for external snapshots, and that of domain %s would be internal: add type: external", j.Domain)
	}
	if j.Atomic {
		argv = append(argv, "--atomic")
	}
	return virsh(j.Place, fmt.Sprintf("make %s snapshot %s of domain %s", what, j.Name, j.Domain), argv...), nil
}

func (j *snapshotJob) describe() string {
	text := j.Description
	if j.Keep > 0 || j.MaxAge > 0 {
		text = strings.TrimPrefix(text+"\n"+snapshotMark, "\n")
	}
	return text
}

// externalFlags are what snapshot-create-as is told about overlays, memory and agent.
func (j *snapshotJob) externalFlags(s snapshots, in, out []*libvirt.Node) ([]string, error) {
	if s.chain >= longChain {
		j.host.Warn("domain %s has %d external snapshots already: each is one more overlay to read through; delete some", j.Domain, s.chain)
	}
	var argv []string
	for _, d := range in {
		target, spec := d.At("target").Attr("dev"), ",snapshot=external"
		switch {
		case j.OverlayDir != "":
			spec += ",file=" + comma(path.Join(string(j.OverlayDir), j.Domain+"."+j.Name+"."+target+".qcow2"))
		case d.At("source").Attr("file") == "":
			return nil, fmt.Errorf("disk %s of domain %s is no file, so its overlay cannot lie beside it: give overlay_dir", target, j.Domain)
		}
		argv = append(argv, "--diskspec", target+spec)
	}
	for _, t := range targetsOf(out) {
		argv = append(argv, "--diskspec", t+",snapshot=no")
	}
	if j.Memory && s.domain.active {
		file := string(j.MemoryFile)
		if file == "" {
			file = path.Join(path.Dir(in[0].At("source").Attr("file")), j.Domain+"."+j.Name+".mem")
		}
		if !path.IsAbs(file) {
			return nil, fmt.Errorf("the first disk of domain %s is no file, so its memory cannot lie beside it: give memory_file", j.Domain)
		}
		return append(argv, "--memspec", "file="+comma(file)+",snapshot=external"), nil
	}
	argv = append(argv, "--disk-only")
	switch {
	case j.Quiesce == "yes" && s.domain.state != "running":
		return nil, fmt.Errorf("quiesce: yes needs a running guest, and domain %s is %s", j.Domain, s.domain.state)
	case j.Quiesce == "yes" && !s.agent:
		return nil, &libvirt.Error{
			Class: libvirt.Agent, Text: "the agent of domain " + j.Domain + " does not answer, so its file systems cannot be held still",
			Advice: "the guest needs qemu-guest-agent and the channel org.qemu.guest_agent.0; quiesce: auto goes without",
		}
	case j.Quiesce != "no" && s.agent:
		argv = append(argv, "--quiesce")
	}
	return argv, nil
}

// comma doubles the commas in a part of virsh's lists, as it wants them.
func comma(s string) string { return strings.ReplaceAll(s, ",", ",,") }

// expired gives those that keep and max_age delete, oldest first.
func (j *snapshotJob) expired(s snapshots) []*snapshot {
	var ours []*snapshot
	for _, one := range s.told {
		if one.ours && one.name != j.Name {
			ours = append(ours, one)
		}
	}
	// Several may be of one second; then the ancestors are the older ones.
	slices.SortStableFunc(ours, func(a, b *snapshot) int {
		if a.created != b.created {
			return int(a.created - b.created)
		}
		return s.depth(a) - s.depth(b)
	})
	var gone []*snapshot
	for i, one := range ours {
		if one.old || j.Keep > 0 && i < len(ours)-(j.Keep-1) {
			gone = append(gone, one)
		}
	}
	return gone
}

// planRevert goes back to the snapshot, once.
func (j *snapshotJob) planRevert(s snapshots, one *snapshot) ([]modules.Action, error) {
	if (j.reverted || j.OnlyIfNotCurrent) && s.current == j.Name {
		return nil, nil
	}
	j.reverted = true
	v := s.domain.version
	switch {
	case one.outside && v < libvirt.SinceRevertExternal:
		return nil, &libvirt.Error{
			Class: libvirt.TooOld, Text: fmt.Sprintf("snapshot %s of domain %s is external, and libvirt %s cannot go back to it", j.Name, j.Domain, v), Advice: "needs libvirt 9.9",
		}
	case !one.outside && v.RevertBroken():
		return nil, &libvirt.Error{
			Class: libvirt.TooOld, Text: fmt.Sprintf("libvirt %s destroys an internal snapshot that it goes back to", v), Advice: "11.2 and 11.3 do; take another release",
		}
	}
	var actions []modules.Action
	if s.domain.managedSave {
		// libvirt 9.0 keeps it, and the next start would go on with a memory that does not fit the disks.
		actions = append(actions, virsh(j.Place, "drop the saved memory of domain "+j.Domain+", which is not of the snapshot", "managedsave-remove", "--domain", j.Domain))
	}
	argv := []string{"snapshot-revert", "--domain", j.Domain, "--snapshotname", j.Name}
	if j.RevertStart != "as_was" {
		argv = append(argv, "--"+string(j.RevertStart))
	}
	return append(actions, virsh(j.Place, fmt.Sprintf("bring domain %s back to snapshot %s", j.Domain, j.Name), argv...)), nil
}

// foreseen gives the state that the plan leads to, for check mode.
func (j *snapshotJob) foreseen(s snapshots) snapshots {
	if j.State == "present" {
		for _, old := range j.expired(s) {
			s = s.without(old.name)
		}
	}
	if s.find(j.Name) == nil {
		in, out, _ := j.choose(s) // the plan was made, so there is no mistake
		one := &snapshot{name: j.Name, description: j.Description, parent: s.current, disks: map[string]string{}}
		for _, t := range targetsOf(in) {
			one.disks[t] = ""
		}
		one.outside = noInternal(s.domain, in, out) != "" || j.Type == "external"
		s.told, s.names = append(slices.Clone(s.told), one), append(slices.Clone(s.names), j.Name)
	}
	s.current = j.Name
	return s
}

// diff tells of the snapshots that came and went.
func (j *snapshotJob) diff(before, after snapshots) []modules.Diff {
	var all []modules.Diff
	for _, one := range before.told {
		if after.find(one.name) == nil {
			all = append(all, before.oneDiff(one.name, one.show(), "absent"))
		}
	}
	for _, one := range after.told {
		if before.find(one.name) == nil {
			all = append(all, before.oneDiff(one.name, "absent", one.show()))
		}
	}
	if before.current != after.current && j.State != "present" {
		header := "current snapshot of " + j.Domain
		all = append(all, modules.Diff{Before: before.current + "\n", After: after.current + "\n", BeforeHeader: header, AfterHeader: header})
	}
	return all
}

func (s snapshots) oneDiff(name, before, after string) modules.Diff {
	header := "snapshot " + name + " of " + s.domain.name
	return modules.Diff{Before: before + "\n", After: after + "\n", BeforeHeader: header, AfterHeader: header}
}
