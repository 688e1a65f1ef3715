package virt

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// virtJob is one run of virt.
type virtJob struct {
	Args
	host     *modules.Host
	want     *libvirt.Node // nil when nothing is to be defined
	planned  bool          // the first plan was made: what is done once is done
	starting bool          // the plan starts the domain
	diffs    []libvirt.Difference
	pending  []string // fields that wait for the next start of a domain that runs on
	patches  []libvirt.Patch
	removed  []string          // paths of disks whose data go
	kept     map[string]string // of the others: why they stay
}

// plan leads from how a domain is to what is asked.
func (j *virtJob) plan(d domain) ([]modules.Action, error) {
	first := !j.planned
	j.planned, j.starting = true, false
	if j.gone() {
		return j.planAbsent(d)
	}
	if !first && j.Command != "" && j.Command != "define" {
		return nil, nil // it was done
	}
	define, restarts, err := j.planDefinition(d, first)
	if err != nil {
		return nil, err
	}
	exists := d.exists || j.want != nil
	if !exists && j.Autostart != nil && j.State == "" && j.Command == "" {
		return nil, &libvirt.Error{Class: libvirt.NotFound, Text: "domain " + j.Name + " not found"}
	}
	if !exists {
		return nil, errNoDomain(j.Name)
	}
	if protectedTemplate(d.config) && j.starts(d) {
		return nil, errTemplate(j.Name)
	}
	actions := define
	if on := j.Autostart; on != nil && *on != d.autostart {
		actions = append(actions, j.planAutostart(*on))
	}
	var more []modules.Action
	switch {
	case j.Command != "" && j.Command != "define":
		if more, err = j.planCommand(d); err != nil {
			return nil, err
		}
	case j.Rescue != "":
		if more, err = j.planRescue(d); err != nil {
			return nil, err
		}
	case j.State != "" && !restarts:
		if more, err = j.planState(d, first); err != nil {
			return nil, err
		}
	}
	return append(actions, more...), nil
}

// starts reports whether a domain that is shut off is asked to run, now or with the host.
func (j *virtJob) starts(d domain) bool {
	if j.Autostart != nil && *j.Autostart {
		return true
	}
	runs := j.Rescue != "" || j.State == "running" || j.State == "paused" || j.State == "rebooted" || j.Command == "create" || j.Command == "start"
	return runs && !d.active
}

func (j *virtJob) planAutostart(on bool) modules.Action {
	if on {
		return virsh(j.Place, "start domain "+j.Name+" with the host", "autostart", "--domain", j.Name)
	}
	return virsh(j.Place, "do not start domain "+j.Name+" with the host", "autostart", "--domain", j.Name, "--disable")
}

// planDefine gives the definition that is wanted, when it is another one.
func (j *virtJob) planDefine(d domain) []modules.Action {
	doc, why := j.want.Clone(), "define domain "+j.Name
	owned := libvirt.Owned(j.want)
	if d.exists && d.persistent {
		record := libvirt.Recorded(d.config)
		diffs := libvirt.Compare(j.want, d.config, record)
		if had := libvirt.Plan(d.config); j.Plan != "" && had != j.Plan {
			diffs = append(diffs, libvirt.Difference{Path: "plan", Before: had, After: j.Plan})
		}
		if len(diffs) == 0 {
			return nil
		}
		if len(j.diffs) == 0 {
			j.diffs = diffs
		}
		doc, why = libvirt.Merge(j.want, d.config, libvirt.MergeOptions{Record: record}), "define domain "+j.Name+" anew: "+tell(diffs)
		if d.live != nil {
			owned = append(owned, libvirt.StillLive(j.want, d.live, libvirt.RecordedLive(d.config))...)
		}
	} else if d.exists && doc.Val("uuid") == "" {
		doc.Set("uuid", d.uuid) // a transient domain becomes a persistent one
	}
	libvirt.SetRecord(doc, owned)
	if j.Plan != "" {
		libvirt.SetPlan(doc, j.Plan)
	}
	return []modules.Action{withFile(j.Place, why, doc.String(), "--file", "define", "--validate")}
}

// tell gives the paths of differences, the first few of them.
func tell(diffs []libvirt.Difference) string {
	const most = 4
	text := ""
	for i, d := range diffs {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(diffs)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += d.Path
	}
	return text
}

// sameUUID refuses a definition that is of another domain of that name.
func (j *virtJob) sameUUID(d domain) error {
	uuid := j.want.Val("uuid")
	if uuid == "" {
		if !slices.Contains(j.MutateFlags, "ADD_UUID") {
			return &libvirt.Error{Class: libvirt.ConflictUUID, Text: fmt.Sprintf("domain '%s' already exists with uuid %s", j.Name, d.uuid), Advice: "mutate_flags has no ADD_UUID"}
		}
		return nil
	}
	canon, err := libvirt.ParseUUID(uuid)
	if err == nil && canon != d.uuid {
		err = fmt.Errorf("attempting to re-define domain %s/%s with a different UUID: %s", j.Name, d.uuid, uuid)
	}
	return err
}

// planState brings a domain that is there, or is being defined, into a state.
func (j *virtJob) planState(d domain, first bool) ([]modules.Action, error) {
	switch j.State {
	case "running":
		return j.planRunning(d), nil
	case "shutdown", "destroyed":
		return j.planOff(d, j.State == "shutdown", first)
	case "paused":
		switch {
		case d.state == "paused":
			return nil, nil
		case d.active && d.status() == "running":
			return []modules.Action{virsh(j.Place, "pause domain "+j.Name, "suspend", "--domain", j.Name)}, nil
		}
		return append(j.clear(d), j.start("start domain "+j.Name+" paused", "--paused")), nil
	case "saved":
		switch {
		case d.active && !d.persistent:
			return nil, fmt.Errorf("domain %s is transient: it cannot be saved, define it first", j.Name)
		case d.active:
			return []modules.Action{virsh(j.Place, "save the memory of domain "+j.Name, "managedsave", "--domain", j.Name)}, nil
		case !d.managedSave:
			return nil, fmt.Errorf("domain %s is shut off: there is no memory to save", j.Name)
		}
		return nil, nil
	case "rebooted":
		switch {
		case !first && d.active:
			return nil, nil
		case d.active && d.status() == "running":
			return []modules.Action{virsh(j.Place, "reboot domain "+j.Name, append([]string{"reboot", "--domain", j.Name}, j.modes()...)...)}, nil
		}
		return j.planRunning(d), nil
	}
	return nil, nil // defined
}

func (j *virtJob) modes() []string {
	if len(j.ShutdownMode) == 0 {
		return nil
	}
	return []string{"--mode", string(j.ShutdownMode[0])}
}

// clear turns off what is neither running nor off.
func (j *virtJob) clear(d domain) []modules.Action {
	switch {
	case d.state == "in shutdown":
		return []modules.Action{awaitState(j.Place, j.Name, j.Timeout, "shut off")}
	case d.active:
		return []modules.Action{virsh(j.Place, "turn off domain "+j.Name+", which is "+d.state, "destroy", "--domain", j.Name)}
	}
	return nil
}

func (j *virtJob) planRunning(d domain) []modules.Action {
	switch {
	case d.active && d.status() == "running":
		return nil
	case d.state == "paused":
		return []modules.Action{virsh(j.Place, "resume domain "+j.Name, "resume", "--domain", j.Name)}
	case d.state == "pmsuspended":
		return []modules.Action{virsh(j.Place, "wake domain "+j.Name, "dompmwakeup", "--domain", j.Name), awaitState(j.Place, j.Name, j.Timeout, "running")}
	}
	if !d.exists && j.want.Val("uuid") == "" {
		// A memory that was saved under its name is that of another domain, which is gone: libvirt would try to go on with it, and refuse.
		return []modules.Action{j.start("start domain "+j.Name, "--force-boot")}
	}
	return append(j.clear(d), j.start("start domain "+j.Name))
}

// start starts the domain, which alone must allow first.
func (j *virtJob) start(why string, options ...string) modules.Action {
	j.starting = true
	return virsh(j.Place, why, append(append([]string{"start"}, options...), "--domain", j.Name)...)
}

// planOff turns a domain off, by its guest or at once.
func (j *virtJob) planOff(d domain, gently, first bool) ([]modules.Action, error) {
	if !d.active {
		return nil, nil
	}
	if !d.persistent && j.want == nil && !j.AcceptTransient {
		return nil, fmt.Errorf("domain %s is transient: turned off, nothing of it remains; accept_transient: true accepts that", j.Name)
	}
	switch {
	case !gently || d.state == "crashed":
		return []modules.Action{virsh(j.Place, "turn off domain "+j.Name, "destroy", "--domain", j.Name)}, nil
	case !first && j.Timeout == 0:
		return nil, nil // the guest was asked, and nobody wants to wait
	case d.state == "in shutdown" && j.Timeout > 0:
		return []modules.Action{awaitState(j.Place, j.Name, j.Timeout, "shut off")}, nil
	case d.state == "paused":
		// a paused guest hears nothing
		return []modules.Action{virsh(j.Place, "resume domain "+j.Name, "resume", "--domain", j.Name), j.shutdown()}, nil
	}
	return []modules.Action{j.shutdown()}, nil
}

func (j *virtJob) shutdown() modules.Action {
	var modes []string
	for _, m := range j.ShutdownMode {
		modes = append(modes, string(m))
	}
	return shutdown(j.Place, j.Name, j.Timeout, j.ForceAfter, modes)
}

// planAbsent turns a domain off and undefines it. What would stop libvirt from undefining it is said before anything is done.
func (j *virtJob) planAbsent(d domain) ([]modules.Action, error) {
	if !d.exists {
		return nil, nil
	}
	hasNVRAM, hasTPM := d.config.At("os", "nvram") != nil, d.config.At("devices", "tpm") != nil
	for _, c := range []struct {
		stands    bool
		what, arg string
	}{
		{j.Snapshots == "fail" && d.snapshots > 0, fmt.Sprintf("%d snapshots", d.snapshots), "snapshots"},
		{j.Checkpoints == "fail" && d.checkpoints > 0, fmt.Sprintf("%d checkpoints", d.checkpoints), "checkpoints"},
		{j.ManagedSave == "fail" && d.managedSave, "a saved memory", "managed_save"},
		{j.NVRAM == "fail" && hasNVRAM, "variables of its firmware", "nvram"},
		{j.TPM == "fail" && hasTPM, "a TPM with state", "tpm"},
	} {
		if c.stands {
			return nil, fmt.Errorf("domain %s has %s; %s: remove takes them away with it", j.Name, c.what, c.arg)
		}
	}
	var actions []modules.Action
	switch {
	case d.active && j.ForceAfter > 0:
		if d.state == "paused" {
			actions = append(actions, virsh(j.Place, "resume domain "+j.Name, "resume", "--domain", j.Name))
		}
		actions = append(actions, j.shutdown())
	case d.active:
		actions = append(actions, virsh(j.Place, "turn off domain "+j.Name, "destroy", "--domain", j.Name))
	}
	// The data go before the definition does: what stops half-way goes on with the next run, which still knows what there is.
	if j.Storage == "all" {
		actions = append(actions, j.planStorage(d)...)
	}
	if !d.persistent {
		return actions, nil // and with that it is gone
	}
	flags := undefineFlags{
		managedSave: d.managedSave, snapshots: d.snapshots > 0, checkpoints: d.checkpoints > 0,
		nvram: hasNVRAM && j.NVRAM == "remove", keepNVRAM: hasNVRAM && j.NVRAM == "keep", tpm: hasTPM && j.TPM == "remove", keepTPM: hasTPM && j.TPM == "keep",
	}
	return append(actions, virsh(j.Place, "undefine domain "+j.Name, append([]string{"undefine", "--domain", j.Name}, flags.argv(d.version)...)...)), nil
}

// planCommand does a command once, as libvirt does it: what is so already is libvirt's error.
func (j *virtJob) planCommand(d domain) ([]modules.Action, error) {
	one := func(why string, args ...string) ([]modules.Action, error) {
		return []modules.Action{virsh(j.Place, why+" domain "+j.Name, append(args, "--domain", j.Name)...)}, nil
	}
	switch j.Command {
	case "create", "start":
		return []modules.Action{j.start("start domain " + j.Name)}, nil
	case "destroy":
		return one("turn off", "destroy")
	case "shutdown", "stop":
		return []modules.Action{shutdown(j.Place, j.Name, 0, 0, nil)}, nil
	case "pause":
		return one("pause", "suspend")
	case "unpause":
		return one("resume", "resume")
	case "undefine":
		if !d.persistent {
			return nil, errors.New("domain " + j.Name + " is transient: there is nothing to undefine; state: absent turns it off")
		}
		if d.active {
			j.host.Warn("domain %s runs on: without its definition it is gone when it is turned off; state: absent turns it off first", j.Name)
		}
		return one("undefine", append([]string{"undefine"}, j.undefineFlags(d).argv(d.version)...)...)
	}
	return nil, nil // it only asks
}

func (j *virtJob) undefineFlags(d domain) undefineFlags {
	if len(j.Flags) == 0 {
		f := j.Force
		return undefineFlags{managedSave: f, snapshots: f, checkpoints: f, nvram: f, tpm: f && d.config.At("devices", "tpm") != nil}
	}
	has := func(f UndefineFlag) bool { return slices.Contains(j.Flags, f) }
	return undefineFlags{
		managedSave: has("managed_save"), snapshots: has("snapshots_metadata"), checkpoints: has("checkpoints_metadata"),
		nvram: has("nvram"), keepNVRAM: has("keep_nvram"),
	}
}

// diff is what is told with --diff.
func (j *virtJob) diff(before, after domain) []modules.Diff {
	var diffs []modules.Diff
	if len(j.diffs) > 0 {
		diffs = differences("domain "+j.Name, j.diffs)
	}
	if before.state != after.state {
		diffs = append(diffs, modules.Diff{
			Before: before.state + "\n", After: after.state + "\n", BeforeHeader: "state of " + j.Name, AfterHeader: "state of " + j.Name,
		})
	}
	return diffs
}

// result makes the register's keys.
func (j *virtJob) result(before, after domain, failed bool) Result {
	r := Result{}
	if after.exists {
		r.Domain = after.result()
	}
	if failed {
		return r
	}
	r.RemovedStorage, r.KeptStorage = j.removed, j.kept
	changed := before.exists && before.state != after.state
	switch {
	case j.Command == "define" || j.want != nil || len(j.patches) > 0:
		if !before.exists {
			r.Created = j.Name
		} else if len(j.diffs) > 0 {
			r.ChangeReason = "domain definition changed"
		} else if before.autostart != after.autostart {
			r.ChangeReason = "autostart"
		}
	case j.Command != "":
		r.Domain = nil
		r.Dict = j.commandResult(after)
	}
	if j.State != "" && changed {
		r.Msg = 0
	}
	if after.active && !j.turnsOff() {
		r.PendingRestart = j.pending
	}
	return r
}

// commandResult is what a command about a domain gives.
func (j *virtJob) commandResult(d domain) *value.Dict {
	switch j.Command {
	case "status":
		return value.NewDict("status", d.status())
	case "uuid":
		return value.NewDict("uuid", d.uuid)
	case "get_xml":
		return value.NewDict("get_xml", d.shownXML())
	case "get_interfaces":
		return value.NewDict("network_interfaces", d.interfaces())
	}
	return value.NewDict(string(j.Command), 0)
}
