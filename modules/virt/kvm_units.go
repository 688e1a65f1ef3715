package virt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// unit gives what is known of a service by its bare name, whatever the init system.
func (s kvmState) unit(name string) kvmUnit {
	if s.init == "openrc" {
		return s.units[name]
	}
	return s.units[name+".service"]
}

// either joins a daemon's service with its socket, which starts it on demand.
func (s kvmState) either(daemon string) kvmUnit {
	a, b := s.unit(daemon), s.units[daemon+".socket"]
	return kvmUnit{a.exists || b.exists, a.enabled || b.enabled, a.active || b.active}
}

// daemon tells which daemons run.
func (s kvmState) daemon() string {
	mono, modular := s.either("libvirtd").active, s.either("virtqemud").active
	switch {
	case mono && modular:
		return "both"
	case mono:
		return string(daemonMonolithic)
	case modular:
		return string(daemonModular)
	}
	return "none"
}

// assumed is the state as it will be when the packages are there: what check mode goes on from. Debian's packages start what they bring, the
// others' do not.
func (s kvmState) assumed() kvmState {
	s.bare = true
	groups := map[string]account{"libvirt": {}, "kvm": {}}
	maps.Copy(groups, s.groups)
	s.groups, s.units = groups, map[string]kvmUnit{}
	there := []string{"libvirtd", "libvirt-guests"}
	if s.modular() {
		there = []string{"libvirt-guests"}
		for _, d := range kvmDrivers() {
			there = append(there, "virt"+d+"d")
		}
	}
	on := s.family == familyDebian
	for _, name := range there {
		if s.init != "openrc" {
			s.units[name+".socket"] = kvmUnit{true, on, on}
			name += ".service"
		}
		s.units[name] = kvmUnit{true, on, on}
	}
	return s
}

// mode decides which daemons the host is to have.
func (j *kvmJob) mode(s kvmState) (DaemonMode, error) {
	mono, modular := s.either("libvirtd"), s.either("virtqemud")
	switch {
	case j.Daemon == daemonAuto && mono.enabled && modular.enabled:
		return "", errors.New("virtqemud and libvirtd are both enabled, and only one may own the guests: choose daemon: monolithic or daemon: modular")
	case j.Daemon == daemonMonolithic && !mono.exists:
		return "", errors.New("daemon: monolithic, and the host has no libvirtd: its distribution ships the modular daemons alone")
	case j.Daemon == daemonModular && !modular.exists:
		return "", errors.New("daemon: modular, and the host has no virtqemud: its distribution ships libvirtd alone")
	case j.Daemon != daemonAuto:
		return j.Daemon, nil
	case mono.enabled:
		return daemonMonolithic, nil
	case modular.enabled, modular.exists && (s.modular() || !mono.exists):
		return daemonModular, nil
	case mono.exists:
		return daemonMonolithic, nil
	}
	return "", errors.New("the host has neither libvirtd nor virtqemud, though its packages are installed")
}

// daemons enables and starts the ones, and ends the others.
func (j *kvmJob) daemons(s kvmState) ([]modules.Action, error) {
	if s.init == "none" {
		if !j.told {
			j.host.Warn("the host runs neither systemd nor OpenRC: libvirt's services are left as its packages set them")
		}
		return nil, nil
	}
	mode, err := j.mode(s)
	if err != nil {
		return nil, err
	}
	if s.init == "openrc" {
		if mode == daemonModular {
			return nil, errors.New("daemon: modular is not known for OpenRC")
		}
		return s.openrcOn("libvirtd"), nil
	}
	libvirtd := []string{"libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket", "libvirtd-tcp.socket", "libvirtd-tls.socket"}
	var modular []string
	for _, d := range kvmDrivers() {
		modular = append(modular, "virt"+d+"d.service", "virt"+d+"d.socket", "virt"+d+"d-ro.socket", "virt"+d+"d-admin.socket")
	}
	if mode == daemonMonolithic {
		return slices.Concat(s.systemdOff(modular), s.systemdOn("libvirtd", []string{"libvirtd.service"})), nil
	}
	actions := s.systemdOff(libvirtd)
	for _, d := range kvmDrivers() {
		name := "virt" + d + "d"
		if !s.either(name).exists {
			continue
		}
		units := slices.DeleteFunc([]string{name + ".socket", name + "-ro.socket", name + "-admin.socket"}, func(u string) bool { return !s.units[u].exists })
		if d == "qemu" {
			units = append(units, name+".service") // it starts guests at boot, which no socket does
		}
		actions = append(actions, s.systemdOn(name, units)...)
	}
	return actions, nil
}

// systemdOn enables a daemon's units and starts them where neither service nor socket runs.
func (s kvmState) systemdOn(daemon string, units []string) []modules.Action {
	is := s.either(daemon)
	enabled := is.enabled
	if slices.Contains(units, daemon+".service") {
		enabled = s.unit(daemon).enabled
	}
	argv := []string{"systemctl", "enable", "--now"}
	switch {
	case enabled && is.active:
		return nil
	case enabled:
		argv = []string{"systemctl", "start"}
	case is.active:
		argv = []string{"systemctl", "enable"}
	}
	return []modules.Action{{Why: "enable and start " + daemon, Argv: append(argv, units...)}}
}

// systemdOff disables and stops those of the units that are on. Guests run on.
func (s kvmState) systemdOff(units []string) []modules.Action {
	on := slices.DeleteFunc(slices.Clone(units), func(u string) bool { return !s.units[u].enabled && !s.units[u].active })
	if len(on) == 0 {
		return nil
	}
	return []modules.Action{{Why: "disable and stop " + strings.Join(on, ", "), Argv: append([]string{"systemctl", "disable", "--now"}, on...)}}
}

// openrcOn puts a service into the default runlevel and starts it.
func (s kvmState) openrcOn(name string) []modules.Action {
	var actions []modules.Action
	if !s.units[name].enabled {
		actions = append(actions, modules.Action{Why: "enable " + name, Argv: []string{"rc-update", "add", name, "default"}})
	}
	if !s.units[name].active {
		actions = append(actions, modules.Action{Why: "start " + name, Argv: []string{"rc-service", name, "start"}})
	}
	return actions
}

// guests sees to the service libvirt-guests: it acts when it is stopped, so that it must run.
func (j *kvmJob) guests(s kvmState) ([]modules.Action, error) {
	const name = "libvirt-guests"
	is := s.unit(name)
	switch {
	case j.ShutdownPolicy == "keep" || s.init == "none":
		return nil, nil
	case j.ShutdownPolicy == "daemon":
		if err := s.since112(); err != nil && !s.bare {
			return nil, err
		}
		if !is.enabled {
			return nil, nil
		}
		if !j.told && is.active {
			j.host.Warn("libvirt-guests is disabled and still runs, since to stop it would shut guests down: the daemon's own way holds from the next boot on")
		}
		if s.init == "openrc" {
			return []modules.Action{{Why: "disable " + name, Argv: []string{"rc-update", "del", name, "default"}}}, nil
		}
		return []modules.Action{{Why: "disable " + name, Argv: []string{"systemctl", "disable", name + ".service"}}}, nil
	case !is.exists:
		return nil, fmt.Errorf("shutdown_policy: the host has no service %s", name)
	case s.init == "openrc":
		return s.openrcOn(name), nil
	}
	return s.systemdOn(name, []string{name + ".service"}), nil
}

// later are the changes that check mode can only announce, since libvirt is not there to be asked.
func (j *kvmJob) later(bare bool) []modules.Action {
	var list []modules.Action
	if bare && j.ShutdownPolicy != "keep" {
		list = append(list, modules.Action{Why: "store the shutdown policy " + string(j.ShutdownPolicy)})
	}
	switch j.DefaultNetwork {
	case "present":
		list = append(list, modules.Action{Why: "start network default, and define it unless libvirt has it"})
	case "absent":
		list = append(list, modules.Action{Why: "remove network default if libvirt has it"})
	}
	if j.DefaultPool != nil {
		list = append(list, modules.Action{Why: "start pool default, and define it unless libvirt has it"})
	}
	return list
}
