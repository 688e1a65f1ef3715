package services

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed systemd.go
var systemdSource string

//go:embed look.go
var lookSource string

// Systemd controls systemd and its units.
var Systemd = modules.Define("systemd", systemdSource+lookSource, runSystemd, modules.Aliases(
	"ansible.builtin.systemd", "ansible.legacy.systemd", "systemd_service", "ansible.builtin.systemd_service", "ansible.legacy.systemd_service"))

// SystemdArgs control systemd's units: whether they run, start at boot or are masked. In a chroot, where no systemd answers, units are
// still enabled and masked. A service that was started and has failed by the time the task looks again fails the task.
//
//	# Libvirt is started when it is asked for.
//	- systemd:
//	    name: libvirtd.socket
//	    state: started
//	    enabled: true
//	    daemon_reload: true
type SystemdArgs struct {
	// Name of the unit; without a suffix it is a service. Patterns are not taken.
	Name string `arg:"name,alias=service,alias=unit"`
	// State is what the unit shall do. restarted and reloaded are done each time; a unit that does not run is started.
	State State `arg:"state" needs:"name" oneof:"what"`
	// Enabled is whether the unit starts at boot.
	Enabled *bool `arg:"enabled" needs:"name" oneof:"what"`
	// Masked is whether the unit is masked: it cannot be started at all.
	Masked *bool `arg:"masked" needs:"name" oneof:"what"`
	// DaemonReload lets systemd read its units anew before anything else. It does not count as a change.
	DaemonReload bool `arg:"daemon_reload,alias=daemon-reload" oneof:"what"`
	// DaemonReexec starts systemd itself anew before anything else. It does not count as a change.
	DaemonReexec bool `arg:"daemon_reexec,alias=daemon-reexec" oneof:"what"`
	// Force replaces links that are in the way.
	Force bool `arg:"force"`
	// NoBlock does not wait until the unit is in its state.
	NoBlock bool `arg:"no_block"`
	// Scope is whose manager: the system's, the user's own, or global for all users.
	Scope Scope `arg:"scope" default:"system"`
}

// Scope is whose manager of systemd is meant.
type Scope string

// Choices lists the scopes.
func (Scope) Choices() []string { return []string{"system", "user", "global"} }

// Check refuses patterns.
func (a SystemdArgs) Check() error { return checkUnit(a.Name) }

func checkUnit(name string) error {
	if at := strings.IndexAny(name, "*?["); at >= 0 {
		return &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf(
			"This module does not currently support using glob patterns, found '%s' in service name: %s", name[at:at+1], name)}
	}
	return nil
}

func runSystemd(ctx context.Context, h *modules.Host, a SystemdArgs) (Result, error) {
	w := wish{
		name: a.Name, state: a.State, enabled: a.Enabled, masked: a.Masked, reload: a.DaemonReload, reexec: a.DaemonReexec,
		force: a.Force, noBlock: a.NoBlock, scope: string(a.Scope),
	}
	res, before, err := w.run(ctx, h, systemd)
	warn(h, &w, before)
	return res, err
}

// warn tells of what Ansible warns of.
func warn(h *modules.Host, w *wish, s service) {
	if s.mgr != systemd || w.name == "" {
		return
	}
	if s.script != "" && !s.exists {
		h.Warn("The service (%s) is actually an init script but the system is managed by systemd", w.name)
	}
	if w.state != "" && s.unknown && s.offline {
		h.Warn("Target is a chroot or systemd is offline. This can lead to false positives or prevent the init system tools from working.")
	}
}
