package services

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed service.go
var serviceSource string

// Service controls services under whatever manager the host has.
var Service = modules.Define("service", serviceSource+lookSource, runService,
	modules.Aliases("ansible.builtin.service", "ansible.legacy.service"))

// ServiceArgs control a service under the host's service manager: systemd, OpenRC, or init scripts with update-rc.d, insserv or
// chkconfig. With systemd it is the module systemd and takes that one's arguments too.
//
//	# The clock is kept right, now and after a restart.
//	- service:
//	    name: chronyd
//	    state: started
//	    enabled: true
type ServiceArgs struct {
	// Name of the service.
	Name string `arg:"name,alias=service,alias=unit" required:"true"`
	// State is what the service shall do. restarted and reloaded are done each time; a service that does not run is started.
	State State `arg:"state" oneof:"what"`
	// Enabled is whether the service starts at boot.
	Enabled *bool `arg:"enabled" oneof:"what"`
	// Sleep is how many seconds to wait between stop and start of an init script.
	Sleep *int `arg:"sleep"`
	// Pattern is a text in the process list that says that the service runs, for init scripts that know no status.
	Pattern *string `arg:"pattern"`
	// RunLevel is the runlevel of OpenRC in which the service starts.
	RunLevel string `arg:"runlevel" default:"default"`
	// Arguments are further words for the init script.
	Arguments string `arg:"arguments,alias=args"`
	// Use is the service manager; auto takes the fact service_mgr or looks.
	Use string `arg:"use" default:"auto"`
	// Masked is whether the unit is masked; with systemd only.
	Masked *bool `arg:"masked" oneof:"what"`
	// DaemonReload lets systemd read its units anew first; with systemd only.
	DaemonReload bool `arg:"daemon_reload,alias=daemon-reload" oneof:"what"`
	// DaemonReexec starts systemd itself anew first; with systemd only.
	DaemonReexec bool `arg:"daemon_reexec,alias=daemon-reexec" oneof:"what"`
	// Force replaces links that are in the way; with systemd only.
	Force bool `arg:"force"`
	// NoBlock does not wait until the unit is in its state; with systemd only.
	NoBlock bool `arg:"no_block"`
	// Scope is whose manager: the system's, the user's own, or global for all users; with systemd only.
	Scope Scope `arg:"scope" default:"system"`
}

// Check refuses what no manager can do.
func (a ServiceArgs) Check() error {
	switch strings.ToLower(a.Use) {
	case "auto", systemd, openrc, initScripts, "sysvinit", "systemd_service":
		return checkUnit(a.Name)
	}
	return &modules.ArgError{Path: []any{"use"}, Msg: fmt.Sprintf("service manager %q is not known", a.Use), Hint: "auto, systemd, openrc and service are"}
}

func runService(ctx context.Context, h *modules.Host, a ServiceArgs) (Result, error) {
	w := wish{
		name: a.Name, state: a.State, enabled: a.Enabled, masked: a.Masked, reload: a.DaemonReload, reexec: a.DaemonReexec,
		force: a.Force, noBlock: a.NoBlock, scope: string(a.Scope), runlevel: a.RunLevel, arguments: strings.Fields(a.Arguments),
	}
	if a.Sleep != nil {
		w.sleep = *a.Sleep
	}
	mgr := a.manager(h)
	if a.Pattern != nil {
		w.pattern = *a.Pattern
	}
	res, before, err := w.run(ctx, h, mgr)
	if before.mgr == systemd {
		for _, unused := range []struct {
			given bool
			name  string
		}{{a.Pattern != nil, "pattern"}, {a.RunLevel != "default", "runlevel"}, {a.Sleep != nil, "sleep"}, {a.Arguments != "", "arguments"}} {
			if unused.given {
				h.Warn("Ignoring %q as it is not used in %q", unused.name, systemd)
			}
		}
	}
	warn(h, &w, before)
	return res, err
}

// manager is the service manager that the task or the facts name, auto when the host is to be asked.
func (a ServiceArgs) manager(h *modules.Host) string {
	use := strings.ToLower(a.Use)
	if use == "auto" && h.Facts() != nil {
		use = h.Facts().Str("service_mgr")
	}
	switch use {
	case systemd, openrc, "auto":
		return use
	case "systemd_service":
		return systemd
	case "":
		return "auto"
	}
	return initScripts
}
