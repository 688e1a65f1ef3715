package virt

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// kvmFileScript: path, content, mode or nothing. The file is ours alone, so that it is written whole.
const kvmFileScript = `mkdir -p -- "${1%/*}" || exit 1
umask 022
t=$1.hostler.$$
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
printf '%s\n' "$2" >"$t" || exit 1
[ -z "$3" ] || chmod "$3" "$t" || exit 1
mv -f -- "$t" "$1"`

// membersScript: user, groups with commas. Alpine has no usermod, and that of others knows no accounts of a directory, which gpasswd does.
const membersScript = `if ! command -v usermod >/dev/null 2>&1; then add=addgroup
elif awk -F: -v u="$1" '$1 == u { f = 1 } END { exit !f }' /etc/passwd; then usermod -aG "$2" "$1"; exit
else add='gpasswd -a'; fi
for g in $(echo "$2" | tr , ' '); do $add "$1" "$g" || exit 1; done`

// kernelScript: file of the kernel's, value.
const kernelScript = `printf '%s\n' "$2" >"$1"`

// plan gives what leads from a state to what is asked, but for the packages, the policy's file, network and pool.
func (j *kvmJob) plan(s kvmState) ([]modules.Action, error) {
	if s.bare {
		s = s.assumed()
	}
	var all []modules.Action
	for _, part := range []func(kvmState) ([]modules.Action, error){j.kernelModules, j.nesting, j.daemons, j.guests, j.members, j.merging, j.pages} {
		actions, err := part(s)
		if err != nil {
			return nil, err
		}
		all = append(all, actions...)
	}
	j.told = true
	return all, nil
}

// file writes one of our files, where it says something else.
func (s kvmState) file(path, text, mode string) []modules.Action {
	if strings.TrimRight(s.files[path], "\n") == text {
		return nil
	}
	return []modules.Action{{Why: "write " + path, Script: kvmFileScript, Args: []string{path, text, mode}}}
}

// cpuModule is the module of the CPU's kind, "" when it has none.
func (s kvmState) cpuModule() string {
	switch {
	case slices.Contains(s.flags, "vmx"):
		return "kvm_intel"
	case slices.Contains(s.flags, "svm"):
		return "kvm_amd"
	}
	return s.module
}

// kernelModules loads what no device or service loads by itself: KVM where the boot did not, tun on Alpine.
func (j *kvmJob) kernelModules(s kvmState) ([]modules.Action, error) {
	var names []string
	if m := s.cpuModule(); m != "" && !s.kvm {
		names = append(names, m)
	}
	if s.init == "openrc" && !s.tun {
		names = append(names, "tun")
	}
	if len(names) == 0 {
		return nil, nil
	}
	lines := strings.Fields(s.files[kvmLoad])
	var actions []modules.Action
	for _, name := range names {
		actions = append(actions, modules.Action{Why: "load module " + name, Argv: []string{"modprobe", name}})
		if !slices.Contains(lines, name) {
			lines = append(lines, name)
		}
	}
	return append(actions, s.file(kvmLoad, strings.Join(lines, "\n"), "")...), nil
}

// nestedOn reports whether the kernel lets guests have guests now.
func (s kvmState) nestedOn() bool { return s.nested == "Y" || s.nested == "1" }

// nesting stores the parameter and, when nobody uses the module, loads that anew.
func (j *kvmJob) nesting(s kvmState) ([]modules.Action, error) {
	if j.Nested == nil {
		return nil, nil
	}
	name, val := s.cpuModule(), strconv.Itoa(int(toInt(*j.Nested)))
	if name == "" {
		return nil, errors.New("nested: the CPU has neither vmx nor svm, so that no guest can have guests")
	}
	stored := false
	for _, line := range s.options {
		words := strings.Fields(strings.ReplaceAll(line.text, "-", "_"))
		if len(words) < 2 || words[1] != name || line.file == kvmModprobe {
			continue
		}
		for _, w := range words[2:] {
			if old, ok := strings.CutPrefix(w, "nested="); ok && kernelBool(old) != *j.Nested {
				return nil, fmt.Errorf("nested: %s line %s sets nested=%s for %s: take it out there first", line.file, line.number, old, name)
			} else if ok {
				stored = true
			}
		}
	}
	var actions []modules.Action
	if !stored {
		actions = s.file(kvmModprobe, "options "+name+" nested="+val, "")
	}
	if s.module != "" && s.nestedOn() != *j.Nested && !s.busy && len(s.guests) == 0 {
		actions = append(actions, modules.Action{Why: "load module " + name + " anew", Script: `modprobe -r "$1" && modprobe "$1"`, Args: []string{name}})
	}
	return actions, nil
}

// rebootRequired reports that nesting is stored and not in force.
func (j *kvmJob) rebootRequired(s kvmState) bool {
	if j.State == "checked" || j.Nested == nil || s.module == "" || s.nestedOn() == *j.Nested {
		return false
	}
	return slices.ContainsFunc(s.options, func(l fileLine) bool {
		_, val, ok := strings.Cut(l.text, "nested=")
		return ok && kernelBool(strings.TrimSpace(val)) == *j.Nested
	})
}

func kernelBool(text string) bool { return text == "1" || strings.EqualFold(text, "y") }

func toInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// members puts users into groups.
func (j *kvmJob) members(s kvmState) ([]modules.Action, error) {
	if len(j.Users) == 0 {
		return nil, nil
	}
	group := "libvirt"
	if _, ok := s.groups[group]; !ok {
		group = "libvirtd"
	}
	if _, ok := s.groups[group]; !ok {
		return nil, errors.New("users: the host has neither group libvirt nor libvirtd, which libvirt's packages make")
	}
	groups := []string{group}
	if _, ok := s.groups["kvm"]; ok && (s.family == familyDebian || s.family == familyAlpine) {
		groups = append(groups, "kvm")
	}
	var actions []modules.Action
	for _, user := range j.Users {
		left := slices.DeleteFunc(slices.Clone(groups), func(g string) bool {
			return slices.Contains(s.groups[g].members, user) || s.users[user].gid != "" && s.users[user].gid == s.groups[g].gid
		})
		if len(left) == 0 {
			continue
		}
		list := strings.Join(left, ",")
		actions = append(actions, modules.Action{Why: "put user " + user + " into " + list, Script: membersScript, Args: []string{user, list}})
		if !j.told && slices.Contains(left, group) {
			j.host.Warn("user %s comes into group %s, whose members are as good as root on the host; it holds from the next login on", user, group)
		}
	}
	return actions, nil
}

// merging sets KSM.
func (j *kvmJob) merging(s kvmState) ([]modules.Action, error) {
	if j.KSM == nil {
		return nil, nil
	}
	if s.ksm == "" {
		return nil, errors.New("ksm: the kernel has no KSM (/sys/kernel/mm/ksm)")
	}
	if s.unit("ksmtuned").active {
		return nil, errors.New("ksm: the service ksmtuned runs and sets KSM as it likes: stop and disable it first (module service)")
	}
	val := strconv.Itoa(int(toInt(*j.KSM)))
	const knob = "/sys/kernel/mm/ksm/run"
	var actions []modules.Action
	if (s.ksm == "1") != *j.KSM {
		actions = append(actions, modules.Action{Why: "set KSM to " + val, Script: kernelScript, Args: []string{knob, val}})
	}
	if s.init != "openrc" {
		return append(actions, s.file(kvmTmpfiles, "w "+knob+" - - - - "+val, "")...), nil
	}
	actions = append(actions, s.file(kvmLocal, "#!/bin/sh\necho "+val+" >"+knob, "755")...)
	return append(actions, s.openrcOn("local")...), nil
}

// reserveWhy begins the words of the action that reserves huge pages.
const reserveWhy = "reserve "

// pages reserves huge pages. The kernel gives as many as it can and says nothing of the others.
func (j *kvmJob) pages(s kvmState) ([]modules.Action, error) {
	if j.HugePages == nil {
		return nil, nil
	}
	want := strconv.Itoa(*j.HugePages)
	if s.hugepages == "" {
		return nil, errors.New("hugepages: the kernel has none (/proc/sys/vm/nr_hugepages)")
	}
	stored := false
	for _, line := range s.pagesSet {
		_, old, _ := strings.Cut(line.text, "=")
		old = strings.TrimSpace(old)
		switch {
		case line.file == kvmSysctl:
		case old != want:
			return nil, fmt.Errorf("hugepages: %s line %s sets vm.nr_hugepages to %s: take it out there first", line.file, line.number, old)
		default:
			stored = true
		}
	}
	var actions []modules.Action
	if !stored {
		actions = s.file(kvmSysctl, "vm.nr_hugepages = "+want, "")
	}
	if s.hugepages == want {
		return actions, nil
	}
	return append(actions, modules.Action{
		Why: reserveWhy + want + " huge pages", Script: kernelScript, Args: []string{"/proc/sys/vm/nr_hugepages", want},
	}), nil
}
