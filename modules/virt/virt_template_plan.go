package virt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// templateKey is the prefix that virsh metadata gives the mark.
const templateKey = "hostlertemplate"

// readOnly are the permissions of a template's images.
const readOnly = "440"

// ofUsers are operations of virt-sysprep that take away what users keep on a guest, their ways in included.
var ofUsers = []string{"cron-spool", "mail-spool", "ssh-userdir"}

// templateJob is one run of virt_template.
type templateJob struct {
	TemplateArgs
	host    *modules.Host
	want    string // operations as a mark has them
	renamed bool   // rename_to was given
}

// operationsOf gives operations as a mark has them.
func operationsOf(names []string) string {
	if names == nil {
		return defaultOperations
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

// plan leads to the template, or back to the domain.
func (j *templateJob) plan(s templateState) ([]modules.Action, error) {
	d := s.one()
	mark := templateOf(d.config)
	switch {
	case !d.exists && j.State == modules.Absent:
		return nil, nil
	case !d.exists:
		return nil, errNoDomain(j.Domain)
	case !s.domain.exists && (mark == nil || mark.from != j.Domain):
		if j.State == modules.Absent {
			return nil, nil
		}
		return nil, &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("virtual machine %s not found, and %s was not made of it", j.Domain, j.RenameTo)}
	case mark == nil && j.State == modules.Absent:
		if m := templateOf(s.template.config); m != nil && m.from == j.Domain {
			return nil, fmt.Errorf("template %s cannot have its name %s back: there is another domain of that name", j.RenameTo, j.Domain)
		}
		return nil, nil
	case s.domain.exists && s.template.exists && (mark == nil || mark.name != j.Domain):
		return nil, &libvirt.Error{Class: libvirt.Exists, Text: fmt.Sprintf("domain %s cannot be called %s: there is another domain of that name", j.Domain, j.RenameTo), Advice: "rename_to gives another name"}
	case d.active:
		return nil, fmt.Errorf("domain %s is %s: what it is writing would be spoiled, shut it down first (virt: state: shutdown)", d.name, d.state)
	case d.managedSave:
		return nil, fmt.Errorf("domain %s has its memory saved, and its disks are as in the middle of work: start it and shut it down first", d.name)
	case j.State == modules.Absent:
		return j.planBack(s, d, mark)
	}
	return j.planTemplate(s, d, mark)
}

// planTemplate does what is left to do. The mark comes before the new name, so that a run that was broken off goes on.
func (j *templateJob) planTemplate(s templateState, d *domain, have *templateMark) ([]modules.Action, error) {
	if err := j.checkDisks(s, d, have == nil); err != nil {
		return nil, err
	}
	want := j.wanted(s, d, have)
	var actions []modules.Action
	prepared := false // and for that the images were made writable
	if have == nil || have.operations != want.operations {
		prepare, err := j.prepare(s, d, have == nil)
		if err != nil {
			return nil, err
		}
		actions, prepared = prepare, len(prepare) > 0
	}
	if have == nil || have.text() != want.text() {
		actions = append(actions, virsh(j.Place, "mark domain "+d.name+" as a template", "metadata", "--domain", d.name, "--uri", templateSpace,
			"--key", templateKey, "--config", "--set", want.text()))
	}
	if j.Protect && d.autostart {
		actions = append(actions, virsh(j.Place, "do not start domain "+d.name+" with the host", "autostart", "--domain", d.name, "--disable"))
	}
	for _, f := range slices.Sorted(maps.Keys(want.modes)) {
		if j.Protect && (s.modes[f] != readOnly || prepared) {
			actions = append(actions, chmod(readOnly, f))
		}
	}
	if have != nil && !j.Protect {
		actions = append(actions, writable(s, have)...)
	}
	if d.name != want.name {
		actions = append(actions, virsh(j.Place, fmt.Sprintf("rename domain %s to %s", d.name, want.name), "domrename", "--domain", d.name, "--new-name", want.name))
	}
	if j.ExportXML != "" && (len(actions) > 0 || !s.exported) {
		actions = append(actions, modules.Action{
			Why: fmt.Sprintf("write the definition of %s to %s", want.name, j.ExportXML), Script: exportScript, Args: []string{string(j.URI), want.name, string(j.ExportXML)},
		})
	}
	return actions, nil
}

// checkDisks refuses a domain without its images. First says that it was no template so far.
func (j *templateJob) checkDisks(s templateState, d *domain, first bool) error {
	for _, disk := range d.config.At("devices").All("disk") {
		target, file := disk.At("target").Attr("dev"), disk.At("source").Attr("file")
		switch {
		case !writableDisk(disk):
		case file != "" && s.modes[file] == "":
			return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("disk %s of domain %s is not there: %s", target, d.name, file)}
		case file == "" && j.Protect && first:
			j.host.Warn("disk %s of domain %s is of type %s: only files are made read-only", target, d.name, disk.Attr("type"))
		}
	}
	return nil
}

// exportScript: URI, domain, file.
const exportScript = `umask 077
t=
trap '[ -z "$t" ] || rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
t=$(mktemp "$3.XXXXXX") && virsh -q -c "$1" dumpxml --domain "$2" --inactive >"$t" && mv -f -- "$t" "$3"`

// wanted is the mark as it is to be.
func (j *templateJob) wanted(s templateState, d *domain, have *templateMark) templateMark {
	want := templateMark{name: j.RenameTo, from: j.Domain, operations: j.want, protected: j.Protect, modes: map[string]string{}}
	if have != nil {
		want.from = have.from
		if !j.renamed && have.from != j.Domain {
			want.name = have.name // the domain was told of by its name as a template
		}
		if j.want == "" {
			want.operations = have.operations // what was done stays done
		}
	}
	for _, disk := range d.config.At("devices").All("disk") {
		file := disk.At("source").Attr("file")
		if !j.Protect || !writableDisk(disk) || file == "" || s.modes[file] == "" {
			continue
		}
		want.modes[file] = s.modes[file]
		if have != nil && have.modes[file] != "" {
			want.modes[file] = have.modes[file]
		}
	}
	return want
}

// prepare takes out of the guest what is its own. First says that the domain was no template so far.
func (j *templateJob) prepare(s templateState, d *domain, first bool) ([]modules.Action, error) {
	operations, err := j.chosen(s)
	if err != nil {
		return nil, err
	}
	sparsify := j.Sparsify && (first || len(operations) > 0)
	if s.snapshots > 0 {
		return nil, fmt.Errorf("domain %s has %d snapshots, which no clone would have and which keep what is taken out: delete them first (virt_snapshot: state: absent)", d.name, s.snapshots)
	}
	if len(operations) == 0 && !sparsify {
		return nil, nil
	}
	if err := j.childless(s, d, "virt-sysprep and virt-sparsify would change what they stand on"); err != nil {
		return nil, err
	}
	var actions []modules.Action
	for _, f := range slices.Sorted(maps.Keys(j.wanted(s, d, nil).modes)) {
		if s.modes[f] == readOnly {
			actions = append(actions, chmod("u+w", f))
		}
	}
	if len(operations) > 0 {
		actions = append(actions, modules.Action{
			Why: "take what is its own out of domain " + d.name, Argv: []string{"virt-sysprep", "-q", "-c", string(j.URI), "-d", d.name, "--operations", strings.Join(operations, ",")},
		})
	}
	if !sparsify {
		return actions, nil
	}
	if !s.sparsify {
		return nil, errNoGuestfs("virt-sparsify", "sparsify", "sparsify: false goes without")
	}
	for _, disk := range d.config.At("devices").All("disk") {
		if f := disk.At("source").Attr("file"); writableDisk(disk) && f != "" {
			actions = append(actions, modules.Action{
				Why: "make " + f + " sparse", Argv: []string{"virt-sparsify", "-q", "--in-place", "--format", disk.At("driver").Attr("type"), f},
			})
		}
	}
	return actions, nil
}

// chosen gives the operations to do, and refuses those that this virt-sysprep does not have.
func (j *templateJob) chosen(s templateState) ([]string, error) {
	if j.want == "" {
		return nil, nil
	}
	if s.operations == nil {
		return nil, errNoGuestfs("virt-sysprep", "operations", "operations: [] leaves the guest as it is")
	}
	known := slices.Sorted(maps.Keys(s.operations))
	if j.want == defaultOperations {
		return slices.DeleteFunc(known, func(o string) bool { return !s.operations[o] || slices.Contains(ofUsers, o) }), nil
	}
	var wrong []string
	names := strings.Split(j.want, ",")
	for _, o := range names {
		if slices.Contains(known, o) {
			continue
		}
		text := fmt.Sprintf("%q", o)
		if near := diag.Near(o, known); near != "" {
			text += fmt.Sprintf(" (did you mean %q?)", near)
		}
		wrong = append(wrong, text)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("operations: the host's virt-sysprep has no %s; it has %s", strings.Join(wrong, ", "), strings.Join(known, ", "))
	}
	if slices.Contains(names, "fs-uuids") {
		j.host.Warn("operation fs-uuids: a guest whose file systems are mounted by their UUIDs, or lie in LVM or on an encrypted disk, may not boot after it")
	}
	return names, nil
}

func errNoGuestfs(program, arg, without string) error {
	return fmt.Errorf("the host has no program %s, which %s needs; it comes with the package guestfs-tools; %s", program, arg, without)
}

// childless refuses to touch disks that other images stand on.
func (j *templateJob) childless(s templateState, d *domain, why string) error {
	if len(s.children) == 0 {
		return nil
	}
	return &libvirt.Error{
		Class: libvirt.WrongState, Text: fmt.Sprintf("images stand on the disks of %s: %s; %s", d.name, strings.Join(s.children, ", "), why),
		Advice: "remove those clones first, or make whole copies of them",
	}
}

// planBack makes a domain of the template again.
func (j *templateJob) planBack(s templateState, d *domain, mark *templateMark) ([]modules.Action, error) {
	if err := j.childless(s, d, "a domain that writes to them would spoil these"); err != nil {
		return nil, err
	}
	actions := append(writable(s, mark), virsh(j.Place, "take the mark of a template from domain "+d.name, "metadata", "--domain", d.name,
		"--uri", templateSpace, "--config", "--remove"))
	if d.name != mark.from {
		// The mark goes last but for the name: without it nothing says what the name was, so both are one action.
		last := &actions[len(actions)-1]
		last.Why += fmt.Sprintf(" and call it %s again", mark.from)
		last.Argv, last.Script, last.Args = nil, backScript, []string{string(j.URI), d.name, mark.from, templateSpace}
	}
	return actions, nil
}

// backScript: URI, template, the name that it had, the mark's namespace.
const backScript = `virsh -q -c "$1" domrename --domain "$2" --new-name "$3" && virsh -q -c "$1" metadata --domain "$3" --uri "$4" --config --remove`

func chmod(mode, file string) modules.Action {
	return modules.Action{Why: "set the permissions of " + file + " to " + mode, Argv: []string{"chmod", mode, "--", file}}
}

// writable gives the files their permissions back that a mark remembers.
func writable(s templateState, mark *templateMark) []modules.Action {
	var actions []modules.Action
	for _, f := range slices.Sorted(maps.Keys(mark.modes)) {
		if s.modes[f] == readOnly && mark.modes[f] != readOnly {
			actions = append(actions, chmod(mark.modes[f], f))
		}
	}
	return actions
}

// foreseen gives the state that the plan leads to, for check mode.
func (j *templateJob) foreseen(s templateState) templateState {
	d := *s.one()
	have := templateOf(d.config)
	want := j.wanted(s, &d, have)
	d.config = d.config.Clone()
	unmark(d.config)
	d.name = want.from
	if j.State == modules.Present {
		d.name, d.autostart = want.name, d.autostart && !j.Protect
		n := want.node()
		n.SetAttr("xmlns", templateSpace)
		if d.config.At("metadata") == nil {
			d.config.Add(libvirt.New("metadata", ""))
		}
		d.config.At("metadata").Add(n)
	}
	s.domain = d
	return s
}

// diff tells of the name and the mark.
func (j *templateJob) diff(before, after templateState) []modules.Diff {
	show := func(s templateState) string {
		d := s.one()
		text := "name: " + d.name + "\n"
		if m := templateOf(d.config); m != nil {
			text += fmt.Sprintf("template: %t\noperations: %s\n", m.protected, m.operations)
		}
		return text
	}
	header := "domain " + j.Domain
	return []modules.Diff{{Before: show(before), After: show(after), BeforeHeader: header, AfterHeader: header}}
}
