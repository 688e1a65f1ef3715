// Package system holds the modules about the system as a whole.
package system

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{
		Alternatives,
		GatherFacts,
		Hostname,
		HostsEntry,
		KernelCmdline,
		LocaleGen,
		Modprobe,
		MountFacts,
		PamLimits,
		Setup,
		Sysctl,
		Timesync,
		Timezone,
		WaitFor,
	}
}
