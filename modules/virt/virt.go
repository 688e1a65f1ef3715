package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt.go
var virtSource string

//go:embed domain.go
var domainSource string

// Virt sees to a domain.
var Virt = modules.Define("virt", virtSource+virshSource+domainSource, runVirt, modules.Aliases("community.libvirt.virt"), modules.Converges())

// Args define domains (virtual machines) from XML and bring them into a state, or run one command about them. A definition is compared
// by what the XML says and not by its text; what it does not speak of stays, and so do UUID, MAC addresses and machine version. Changes of
// state are waited for.
//
//	# A virtual machine that runs, also after a restart of the host.
//	- virt:
//	    name: web-01
//	    xml: "{{ lookup('template', 'web-01.xml.j2') }}"
//	    state: running
//	    autostart: true
type Args struct {
	// Name of the domain; with xml it may be left to that.
	Name string `arg:"name,alias=guest"`
	// State the domain shall be in. With list_vms: the state of the domains to list. absent turns it off and undefines it; its disks stay.
	State State `arg:"state"`
	// Command to run in place of state. define takes xml; create is start, stop is shutdown; status, get_xml, get_interfaces and uuid tell of a domain,
	// list_vms and info of all, freemem, nodeinfo and virttype of the host.
	Command Command `arg:"command"`
	// XML of the definition.
	XML string `arg:"xml" exclusive:"definition"`
	// XMLPatch changes the definition that the domain has, in this order. It is in place of xml.
	XMLPatch []PatchArgs `arg:"xml_patch" exclusive:"definition"`
	// Apply says what a change of the definition reaches of a domain that runs: config is the definition alone, which counts from the next start
	// on; live the running domain alone; both is both. What cannot change while it runs is told in pending_restart; with live it is an error.
	Apply Apply `arg:"apply" default:"config"`
	// RestartIfNeeded shuts a running domain down and starts it again when something of its definition waits for that.
	RestartIfNeeded bool `arg:"restart_if_needed"`
	// Plan is a name for what the domain is part of, noted in its metadata with xml: virt_info tells it, and the inventory libvirt: groups by it.
	Plan string `arg:"plan"`
	// Rescue starts the domain, which must be shut off, once from this ISO image of the host's; its definition stays as it is, and counts again from its next
	// start on.
	Rescue modules.Path `arg:"rescue"`
	// Autostart is whether the domain starts with the host.
	Autostart *bool `arg:"autostart"`
	// Flags say what else undefine takes away, or keeps.
	Flags []UndefineFlag `arg:"flags"`
	// Force makes undefine take everything away that belongs to the definition.
	Force bool `arg:"force"`
	// MutateFlags are what a definition takes over from the domain that is there; UUID and MAC addresses it always does.
	MutateFlags []MutateFlag `arg:"mutate_flags" default:"ADD_UUID"`
	// Timeout for shutting down, starting and saving; 0 does not wait for the guest to shut down.
	Timeout time.Duration `arg:"timeout" default:"120s"`
	// ShutdownMode are the ways to ask the guest to shut down; libvirt chooses when empty.
	ShutdownMode []ShutdownMode `arg:"shutdown_mode"`
	// ForceAfter is the time after which a guest that does not shut down is turned off; without it that is a failure.
	ForceAfter time.Duration `arg:"force_after"`
	// Snapshots says what absent does about their records: the data in the images stays in any case.
	Snapshots Leftover `arg:"snapshots" default:"remove"`
	// Checkpoints says what absent does about their records.
	Checkpoints Leftover `arg:"checkpoints" default:"remove"`
	// ManagedSave says what absent does about a saved memory.
	ManagedSave Leftover `arg:"managed_save" default:"remove"`
	// NVRAM says what absent does about the variables of the firmware.
	NVRAM Keeping `arg:"nvram" default:"remove"`
	// TPM says what absent does about the state of the emulated TPM.
	TPM Keeping `arg:"tpm" default:"remove"`
	// Storage says what absent does about the disks' data: keep leaves all of it; all removes the files and volumes of the domain's disks, but for CDs and
	// floppies, what is read-only or shareable, what they stand on, what is not on this host, and what another domain or volume uses.
	Storage StorageRule `arg:"storage" default:"keep"`
	// TwinCheck asks the play's other hosts, before a domain is started here, whether one of them runs a domain of the same UUID: started twice,
	// it would destroy its disks. A host that cannot be asked is a warning.
	TwinCheck bool `arg:"twin_check" default:"true"`
	// AcceptTransient lets a domain that is not defined be shut down or destroyed, although nothing then remains of it.
	AcceptTransient bool `arg:"accept_transient"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// State is the state of a domain.
type State string

// Choices lists the states.
func (State) Choices() []string {
	return []string{"running", "shutdown", "destroyed", "paused", "defined", "saved", "rebooted", "absent", "undefined"}
}

// Command is what to do once.
type Command string

// Choices lists the commands.
func (Command) Choices() []string {
	return []string{
		"create", "define", "destroy", "get_xml", "get_interfaces", "pause", "shutdown", "status", "start", "stop", "undefine", "unpause", "uuid",
		"freemem", "info", "list_vms", "nodeinfo", "virttype",
	}
}

// UndefineFlag is what undefine takes away or keeps.
type UndefineFlag string

// Choices lists the flags.
func (UndefineFlag) Choices() []string {
	return []string{"managed_save", "snapshots_metadata", "nvram", "keep_nvram", "checkpoints_metadata"}
}

// Apply is what a change reaches.
type Apply string

// Choices lists what it can.
func (Apply) Choices() []string { return []string{"config", "live", "both"} }

// PatchArgs are one change of a definition: set, append or remove.
type PatchArgs struct {
	// Path of the element or attribute, from the root on: vcpu, os/boot/@dev, devices/disk[vda]/driver/@cache, devices/graphics[@type='vnc']. In brackets
	// is what the diff names an element by, its number (#2) or a condition. A path that finds nothing is an error.
	Path string `arg:"path" required:"true"`
	// Set is the text of the element, or the attribute's value.
	Set *string `arg:"set" exclusive:"change"`
	// Append is an element for the one at path; one that is there already, by its name or place, is changed.
	Append string `arg:"append" exclusive:"change"`
	// Remove takes the element or attribute out.
	Remove bool `arg:"remove" exclusive:"change"`
}

// MutateFlag is what a definition takes over.
type MutateFlag string

// Choices lists the flags.
func (MutateFlag) Choices() []string {
	return []string{"ADD_UUID", "ADD_MAC_ADDRESSES", "ADD_MAC_ADDRESSES_FUZZY"}
}

// ShutdownMode is a way to ask a guest.
type ShutdownMode string

// Choices lists the ways.
func (ShutdownMode) Choices() []string {
	return []string{"acpi", "agent", "initctl", "signal", "paravirt"}
}

// Leftover is what becomes of something that libvirt keeps of a domain.
type Leftover string

// Choices lists what can be done.
func (Leftover) Choices() []string { return []string{"remove", "fail"} }

// Keeping is Leftover for what can outlive the domain.
type Keeping string

// Choices lists what can be done.
func (Keeping) Choices() []string { return []string{"remove", "keep", "fail"} }

// StorageRule is what becomes of a removed domain's disks.
type StorageRule string

// Choices lists what can be done.
func (StorageRule) Choices() []string { return []string{"keep", "all"} }

// Result tells of the domain.
type Result struct {
	// Msg is 0 after a change of state.
	Msg any `json:"msg,omitempty"`
	// Created is the name of a domain that was not there before.
	Created string `json:"created,omitempty"`
	// ChangeReason is why a definition changed something.
	ChangeReason string `json:"change_reason,omitempty"`
	// Domain as it is now.
	Domain *DomainResult `json:"domain,omitempty"`
	// PendingRestart are the fields of xml that the running domain takes up when it is started the next time.
	PendingRestart []string `json:"pending_restart,omitempty"`
	// RemovedStorage are the files and volumes that absent removed.
	RemovedStorage []string `json:"removed_storage,omitempty"`
	// KeptStorage says of the other disks, by target, why they were kept.
	KeptStorage map[string]string `json:"kept_storage,omitempty"`
	// what a command came to, under its own name (list_vms, status, get_xml, uuid, freemem, virttype, network_interfaces); info and nodeinfo
	// give their keys as they are
	*value.Dict
}

// hostCommands are about the host and need no name.
var hostCommands = []Command{"freemem", "info", "list_vms", "nodeinfo", "virttype"}

// Check refuses combinations that make no sense, in Ansible's words where it has some.
func (a Args) Check() error {
	if a.Command != "" && a.State != "" && a.Command != "list_vms" {
		return &modules.ArgError{Path: []any{"state"}, Msg: "state and command cannot be given together, but for list_vms"}
	}
	if slices.Contains(a.Flags, "nvram") && slices.Contains(a.Flags, "keep_nvram") {
		return &modules.ArgError{Path: []any{"flags"}, Msg: "Flags 'nvram' and 'keep_nvram' are mutually exclusive"}
	}
	if slices.Contains(hostCommands, a.Command) {
		return nil
	}
	switch {
	case a.Command == "define" && a.XML == "":
		return errors.New("define requires 'xml' argument")
	case a.Plan != "" && (a.XML == "" || !a.defines() || a.Apply == "live"):
		return &modules.ArgError{Path: []any{"plan"}, Msg: "plan is noted with a definition: it needs xml"}
	case a.Command == "" && a.State == "" && a.Autostart == nil && a.XML == "" && len(a.XMLPatch) == 0 && a.Rescue == "":
		return errors.New("expected state or command parameter to be specified")
	}
	if a.Storage == "all" && !a.gone() {
		return &modules.ArgError{Path: []any{"storage"}, Msg: "storage: all goes with state: absent"}
	}
	if a.Rescue != "" && (a.Command != "" || a.XML != "" || len(a.XMLPatch) > 0 || a.State != "" && a.State != "running") {
		return &modules.ArgError{Path: []any{"rescue"}, Msg: "rescue goes with state: running, or none, and with neither a command nor a definition"}
	}
	if a.Rescue != "" && !strings.HasPrefix(string(a.Rescue), "/") {
		return &modules.ArgError{Path: []any{"rescue"}, Msg: "rescue must be an absolute path, for libvirt opens it"}
	}
	if err := a.checkApply(); err != nil {
		return err
	}
	return a.checkName()
}

// checkApply sees to how a change of the definition is applied.
func (a Args) checkApply() error {
	bad := func(arg, msg string) error { return &modules.ArgError{Path: []any{arg}, Msg: msg} }
	switch {
	case len(a.XMLPatch) > 0 && (a.Command != "" || a.gone()):
		return bad("xml_patch", "xml_patch goes with neither a command nor state: absent")
	case a.Apply != "" && a.Apply != "config" && !a.shapes():
		return bad("apply", "apply: "+string(a.Apply)+" needs a definition to apply: xml or xml_patch")
	case a.Apply == "live" && a.RestartIfNeeded:
		return bad("restart_if_needed", "restart_if_needed goes with apply: config or both: what apply: live changes is gone after a restart")
	case a.RestartIfNeeded && !a.shapes():
		return bad("restart_if_needed", "restart_if_needed needs a definition that may wait for a restart: xml or xml_patch")
	case a.RestartIfNeeded && a.State != "" && a.State != "running" && a.State != "rebooted":
		return bad("restart_if_needed", "restart_if_needed goes with state: running, or none")
	}
	_, err := a.patches()
	return err
}

// shapes reports whether the definition is to be as the arguments say.
func (a Args) shapes() bool { return (a.XML != "" || len(a.XMLPatch) > 0) && a.defines() }

// patches reads xml_patch.
func (a Args) patches() ([]libvirt.Patch, error) {
	var all []libvirt.Patch
	for i, p := range a.XMLPatch {
		bad := func(format string, args ...any) error {
			return &modules.ArgError{Path: []any{"xml_patch", i}, Msg: fmt.Sprintf("xml_patch[%d]: ", i) + fmt.Sprintf(format, args...)}
		}
		one := libvirt.Patch{Path: p.Path, Set: p.Set, Remove: p.Remove}
		switch strings.TrimPrefix(strings.TrimPrefix(p.Path, "/"), "domain/") {
		case "name", "uuid":
			return nil, bad("%s is what the domain is known by: it cannot be changed", p.Path)
		}
		switch {
		case p.Append != "":
			doc, err := libvirt.Parse(p.Append)
			if err != nil {
				return nil, bad("append: %v", err)
			}
			one.Append = doc
		case p.Set == nil && !p.Remove:
			return nil, bad("set, append or remove must say what becomes of %s", p.Path)
		}
		all = append(all, one)
	}
	return all, nil
}

// checkName sees to name and xml together.
func (a Args) checkName() error {
	name := a.Name
	if a.XML != "" && a.defines() {
		doc, err := a.definition()
		if err != nil {
			return err
		}
		name = doc.Val("name")
	}
	switch {
	case name != "":
		return checkName("name", name, a.AllowOddName)
	case a.Command == "define":
		return errors.New("missing 'name' parameter and no name provided in XML")
	case a.Command != "":
		return fmt.Errorf("%s requires 1 argument: guest", a.Command)
	case a.State != "", a.Rescue != "":
		return errors.New("state change requires a guest specified")
	}
	return errors.New("autostart requires 1 argument: name")
}

// defines reports whether the XML is to be defined.
func (a Args) defines() bool {
	return a.Command == "define" || a.Command == "" && a.State != "absent" && a.State != "undefined"
}

// definition reads the XML and gives it the name.
func (a Args) definition() (*libvirt.Node, error) {
	doc, err := parseXML(a.XML, "domain")
	if err != nil {
		return nil, err
	}
	switch name := doc.Val("name"); {
	case name == "" && a.Name != "":
		doc.Set("name", a.Name)
	case name != "" && a.Name != "" && name != a.Name:
		return nil, &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("given 'name' parameter does not match name in XML: %q and %q", a.Name, name)}
	}
	if uuid := doc.Val("uuid"); uuid != "" {
		if _, err := libvirt.ParseUUID(uuid); err != nil {
			return nil, &modules.ArgError{Path: []any{"xml"}, Msg: "xml: uuid " + err.Error()}
		}
	}
	return doc, nil
}

func runVirt(ctx context.Context, h *modules.Host, a Args) (Result, error) {
	if slices.Contains(hostCommands, a.Command) {
		return a.runHostCommand(ctx, h)
	}
	job := virtJob{Args: a, host: h}
	if a.XML != "" && a.defines() {
		doc, err := a.definition()
		if err != nil {
			return Result{}, err
		}
		job.want, job.Name = doc, doc.Val("name")
	}
	patches, err := a.patches()
	if err != nil {
		return Result{}, err
	}
	job.patches = patches
	if a.Force && len(a.Flags) > 0 {
		h.Warn("Ignoring 'force', because 'flags' are provided.")
	}
	ask := ""
	switch {
	case a.gone() && a.Storage == "all":
		ask = "storage"
	case a.gone(), a.Command == "undefine":
		ask = "leftovers"
	case a.Command == "get_xml", a.Command == "get_interfaces":
		ask = "live"
	case a.shapes(), a.Rescue != "":
		ask = "hot"
	}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[domain]{
		Probe: domainProbe, Args: []string{string(a.URI), job.Name, ask}, Lock: job.lock(),
		Parse:  func(r *modules.Report) (domain, error) { return parseDomain(r, job.Name) },
		Plan:   job.plan,
		Before: job.alone,
		Diff:   job.diff,
	})
	return job.result(before, after, modules.IgnorePlanned(err) != nil), explain(err)
}

// lock names the lock for what is brought into a state. What is done once goes without, for under a lock it might be planned twice.
func (j *virtJob) lock() string {
	once := j.Command != "" && j.Command != "define" || j.State == "rebooted" || j.State == "shutdown" && j.Timeout == 0
	if once {
		return ""
	}
	return lockName("domain", j.Name)
}

// gone reports whether the domain is not to be there.
func (a Args) gone() bool { return a.State == "absent" || a.State == "undefined" }
