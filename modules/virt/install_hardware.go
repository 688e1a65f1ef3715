package virt

// Hardware are the options of virt-install that describe the machine. Each takes virt-install's own text (vnc,port=5901), a dict of its suboptions,
// those of devices also a list of these. Suboptions in dicts may be written as community.libvirt does.
type Hardware struct {
	// MemoryOpts adds to memory: current_memory and max_memory in MiB, max_memory_opts with slots.
	MemoryOpts any `arg:"memory_opts"`
	// MemoryBacking is how the host backs the guest's memory: hugepages, hugepage_specs, locked, access, allocation, discard.
	MemoryBacking any `arg:"memorybacking"`
	// VCPUsOpts adds to vcpus: maxvcpus, sockets, dies, cores, threads, current, cpuset, placement, vcpu_specs.
	VCPUsOpts any `arg:"vcpus_opts"`
	// CPU is the processor: text such as host-passthrough, or model, model_opts, match, migratable, features by name with a policy, cache, numa.
	CPU any `arg:"cpu"`
	// Metadata of the domain: title, description, uuid, genid.
	Metadata any `arg:"metadata"`
	// Events are what follows when the guest turns off, reboots or crashes: on_poweroff, on_reboot, on_crash, on_lockfailure.
	Events any `arg:"events"`
	// Resource is the partition of resources (cgroups): partition.
	Resource any `arg:"resource"`
	// Sysinfo are the SMBIOS values that the guest sees, or host.
	Sysinfo any `arg:"sysinfo"`
	// NUMATune is where on a NUMA host the memory comes from: memory, memnode_specs.
	NUMATune any `arg:"numatune"`
	// MemTune are limits of memory: hard_limit, soft_limit.
	MemTune any `arg:"memtune"`
	// BlkioTune are shares of disk I/O: weight, devices.
	BlkioTune any `arg:"blkiotune"`
	// CPUTune are pinning and shares of processor time: vcpupin_specs, emulatorpin, iothreadpin_specs, shares, period, quota.
	CPUTune any `arg:"cputune"`
	// Security is the label by which the host confines the guest: type, label, relabel.
	Security any `arg:"security,alias=seclabel"`
	// Keywrap is the management of keys on S390: ciphers.
	Keywrap any `arg:"keywrap"`
	// IOThreads is the number of threads for disk I/O, or a dict.
	IOThreads any `arg:"iothreads"`
	// IOThreadsOpts adds to iothreads: iothread_specs, defaultiothread.
	IOThreadsOpts any `arg:"iothreads_opts"`
	// Features of the machine by name, {} for on: acpi, apic, hyperv.spinlocks, smm.
	Features any `arg:"features"`
	// Clock of the guest: offset, timers.
	Clock any `arg:"clock"`
	// PM is power management: suspend_to_mem, suspend_to_disk.
	PM any `arg:"pm"`
	// LaunchSecurity is encryption of the guest's memory: type, policy, cbitpos, reduced_phys_bits, dh_cert, session.
	LaunchSecurity any `arg:"launch_security"`
	// IDMap maps the users and groups of a container: uid and gid with start, target, count.
	IDMap any `arg:"idmap"`
	// BootOpts adds to boot: any suboption of --boot, for instance loader, nvram, kernel, menu.
	BootOpts any `arg:"boot_opts"`
	// Disks are the disks: path, or pool (and name of a new volume there), or vol; size in GiB or as 20G, format, bus, cache, io, discard, device, sparse, readonly, shareable, serial, boot_order, backing and further suboptions of --disk; none for no disk.
	Disks any `arg:"disks,alias=disk"`
	// Networks are the interfaces: network, bridge, direct (a device of the host), or type: user; model, mac (an address or random), portgroup, filter, mtu, boot_order and further suboptions of --network; none for no interface. Without it libvirt's network default.
	Networks any `arg:"networks,alias=network"`
	// Filesystems are folders of the host for the guest: source, target, type, accessmode, readonly, driver.
	Filesystems any `arg:"filesystems,alias=filesystem"`
	// Graphics is the display: vnc, spice, none, or a dict with type, listen, port, password. A password makes the result hidden.
	Graphics any `arg:"graphics"`
	// MoreGraphics are further ones, by community.libvirt's name for several.
	MoreGraphics any `arg:"graphics_devices"`
	// Video is the video card: model.
	Video any `arg:"video"`
	// MoreVideo are further ones, by community.libvirt's name for several.
	MoreVideo any `arg:"video_devices"`
	// Controllers are controllers: type, model, index.
	Controllers any `arg:"controller,alias=controllers"`
	// MoreControllers are further ones, by community.libvirt's name for several.
	MoreControllers any `arg:"controller_devices"`
	// Inputs are input devices: type, bus.
	Inputs any `arg:"input"`
	// MoreInputs are further ones, by community.libvirt's name for several.
	MoreInputs any `arg:"input_devices"`
	// Hostdevs are devices of the host that the guest gets: a name of virsh nodedev-list, or suboptions.
	Hostdevs any `arg:"hostdev,alias=hostdevs"`
	// MoreHostdevs are further ones, by community.libvirt's name for several.
	MoreHostdevs any `arg:"host_devices"`
	// Sounds are sound devices: model.
	Sounds any `arg:"sound"`
	// MoreSounds are further ones, by community.libvirt's name for several.
	MoreSounds any `arg:"sound_devices"`
	// Audios are what the host does with sound: type.
	Audios any `arg:"audio"`
	// MoreAudios are further ones, by community.libvirt's name for several.
	MoreAudios any `arg:"audio_devices"`
	// Watchdogs are watchdogs: model, action.
	Watchdogs any `arg:"watchdog"`
	// MoreWatchdogs are further ones, by community.libvirt's name for several.
	MoreWatchdogs any `arg:"watchdog_devices"`
	// Serials are serial ports: pty, or type, source, target.
	Serials any `arg:"serial"`
	// MoreSerials are further ones, by community.libvirt's name for several.
	MoreSerials any `arg:"serial_devices"`
	// Parallels are parallel ports.
	Parallels any `arg:"parallel"`
	// MoreParallels are further ones, by community.libvirt's name for several.
	MoreParallels any `arg:"parallel_devices"`
	// Channels are channels between host and guest: type, target.
	Channels any `arg:"channel,alias=channels"`
	// MoreChannels are further ones, by community.libvirt's name for several.
	MoreChannels any `arg:"channel_devices"`
	// Consoles are text consoles: type, target.
	Consoles any `arg:"console"`
	// MoreConsoles are further ones, by community.libvirt's name for several.
	MoreConsoles any `arg:"console_devices"`
	// Smartcards are smart cards: mode, type.
	Smartcards any `arg:"smartcard"`
	// MoreSmartcards are further ones, by community.libvirt's name for several.
	MoreSmartcards any `arg:"smartcard_devices"`
	// Redirdevs are redirected devices: bus, type.
	Redirdevs any `arg:"redirdev"`
	// MoreRedirdevs are further ones, by community.libvirt's name for several.
	MoreRedirdevs any `arg:"redirected_devices"`
	// Memballoons is the memory balloon: model, autodeflate, stats.
	Memballoons any `arg:"memballoon"`
	// MoreMemballoons are further ones, by community.libvirt's name for several.
	MoreMemballoons any `arg:"memballoon_devices"`
	// TPMs is the TPM: model, type, backend, version.
	TPMs any `arg:"tpm"`
	// MoreTPMs are further ones, by community.libvirt's name for several.
	MoreTPMs any `arg:"tpm_devices"`
	// RNGs are sources of random numbers: a device's path, or backend.
	RNGs any `arg:"rng"`
	// MoreRNGs are further ones, by community.libvirt's name for several.
	MoreRNGs any `arg:"rng_devices"`
	// Panics are panic notifiers: model.
	Panics any `arg:"panic"`
	// MorePanics are further ones, by community.libvirt's name for several.
	MorePanics any `arg:"panic_devices"`
	// Shmems are shared memory devices.
	Shmems any `arg:"shmem"`
	// MoreShmems are further ones, by community.libvirt's name for several.
	MoreShmems any `arg:"shmem_devices"`
	// Memdevs are memory modules: model, target.size in MiB.
	Memdevs any `arg:"memdev"`
	// Vsocks are vsock devices: cid.
	Vsocks any `arg:"vsock"`
	// MoreVsocks are further ones, by community.libvirt's name for several.
	MoreVsocks any `arg:"vsock_devices"`
	// IOMMUs are IOMMUs: model, driver.
	IOMMUs any `arg:"iommu"`
	// MoreIOMMUs are further ones, by community.libvirt's name for several.
	MoreIOMMUs any `arg:"iommu_devices"`
}

// hardwareOption is one option of virt-install and what was given for it.
type hardwareOption struct {
	arg, flag string
	given     any
	many      bool
	more      string // the argument for several
	rest      any
}

// options lists the options about the machine in the order in which virt-install gets them. Those that add to another argument are not here.
func (a Hardware) options() []hardwareOption {
	return []hardwareOption{
		{arg: "memorybacking", flag: "memorybacking", given: a.MemoryBacking},
		{arg: "metadata", flag: "metadata", given: a.Metadata},
		{arg: "events", flag: "events", given: a.Events},
		{arg: "resource", flag: "resource", given: a.Resource},
		{arg: "sysinfo", flag: "sysinfo", given: a.Sysinfo},
		{arg: "numatune", flag: "numatune", given: a.NUMATune},
		{arg: "memtune", flag: "memtune", given: a.MemTune},
		{arg: "blkiotune", flag: "blkiotune", given: a.BlkioTune},
		{arg: "cputune", flag: "cputune", given: a.CPUTune},
		{arg: "security", flag: "security", given: a.Security},
		{arg: "keywrap", flag: "keywrap", given: a.Keywrap},
		{arg: "features", flag: "features", given: a.Features},
		{arg: "clock", flag: "clock", given: a.Clock},
		{arg: "pm", flag: "pm", given: a.PM},
		{arg: "launch_security", flag: "launchSecurity", given: a.LaunchSecurity},
		{arg: "idmap", flag: "idmap", given: a.IDMap},
		{arg: "filesystems", flag: "filesystem", given: a.Filesystems, many: true},
		{arg: "video", flag: "video", given: a.Video, many: true, more: "video_devices", rest: a.MoreVideo},
		{arg: "controller", flag: "controller", given: a.Controllers, many: true, more: "controller_devices", rest: a.MoreControllers},
		{arg: "input", flag: "input", given: a.Inputs, many: true, more: "input_devices", rest: a.MoreInputs},
		{arg: "hostdev", flag: "hostdev", given: a.Hostdevs, many: true, more: "host_devices", rest: a.MoreHostdevs},
		{arg: "sound", flag: "sound", given: a.Sounds, many: true, more: "sound_devices", rest: a.MoreSounds},
		{arg: "audio", flag: "audio", given: a.Audios, many: true, more: "audio_devices", rest: a.MoreAudios},
		{arg: "watchdog", flag: "watchdog", given: a.Watchdogs, many: true, more: "watchdog_devices", rest: a.MoreWatchdogs},
		{arg: "serial", flag: "serial", given: a.Serials, many: true, more: "serial_devices", rest: a.MoreSerials},
		{arg: "parallel", flag: "parallel", given: a.Parallels, many: true, more: "parallel_devices", rest: a.MoreParallels},
		{arg: "channel", flag: "channel", given: a.Channels, many: true, more: "channel_devices", rest: a.MoreChannels},
		{arg: "console", flag: "console", given: a.Consoles, many: true, more: "console_devices", rest: a.MoreConsoles},
		{arg: "smartcard", flag: "smartcard", given: a.Smartcards, many: true, more: "smartcard_devices", rest: a.MoreSmartcards},
		{arg: "redirdev", flag: "redirdev", given: a.Redirdevs, many: true, more: "redirected_devices", rest: a.MoreRedirdevs},
		{arg: "memballoon", flag: "memballoon", given: a.Memballoons, many: true, more: "memballoon_devices", rest: a.MoreMemballoons},
		{arg: "tpm", flag: "tpm", given: a.TPMs, many: true, more: "tpm_devices", rest: a.MoreTPMs},
		{arg: "rng", flag: "rng", given: a.RNGs, many: true, more: "rng_devices", rest: a.MoreRNGs},
		{arg: "panic", flag: "panic", given: a.Panics, many: true, more: "panic_devices", rest: a.MorePanics},
		{arg: "shmem", flag: "shmem", given: a.Shmems, many: true, more: "shmem_devices", rest: a.MoreShmems},
		{arg: "memdev", flag: "memdev", given: a.Memdevs, many: true},
		{arg: "vsock", flag: "vsock", given: a.Vsocks, many: true, more: "vsock_devices", rest: a.MoreVsocks},
		{arg: "iommu", flag: "iommu", given: a.IOMMUs, many: true, more: "iommu_devices", rest: a.MoreIOMMUs},
	}
}
