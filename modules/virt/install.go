package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed install.go
var installSource string

//go:embed install_hardware.go
var installHardwareSource string

// Install makes a domain by virt-install.
var Install = modules.Define("virt_install", installSource+installHardwareSource+virshSource+domainSource, runInstall,
	modules.Aliases("community.libvirt.virt_install"), modules.Converges())

// InstallArgs create a domain (virtual machine or container) by virt-install, from a disk that is there (import), a CD (cdrom), a tree on the
// network (location), PXE or as an LXC container. A domain that is there already stays as it is; what differs from the arguments is reported as
// drift. No password gets into an argument of a program: contents of cloud-init and password files go by files that only the user can read.
//
//	# A guest from an image that is there.
//	- virt_install:
//	    name: web-01
//	    memory: 2G
//	    vcpus: 2
//	    osinfo: debian11
//	    import: true
//	    disks: [{path: /var/lib/libvirt/images/web-01.qcow2, bus: virtio}]
//	    networks: [{network: default, model: virtio}]
//	    graphics: none
type InstallArgs struct {
	// Name of the domain.
	Name string `arg:"name" required:"true"`
	// State present creates the domain where there is none; absent turns it off and undefines it, and its disks stay.
	State modules.Presence `arg:"state" default:"present"`
	// Memory of the guest: MiB, or with a unit (2G).
	Memory MemorySize `arg:"memory,alias=ram"`
	// VCPUs is the number of processors, or a dict with count, maximum, sockets, cores, threads, cpuset.
	VCPUs any `arg:"vcpus"`
	// OSInfo is the system in the guest: a short ID such as debian11, text such as detect=on,require=off, or a dict with name, id, detect, require.
	OSInfo any `arg:"osinfo,alias=os_variant"`
	// Cdrom is the ISO or device on the host to install from.
	Cdrom string `arg:"cdrom" exclusive:"source"`
	// Location is the tree (URL, folder or ISO on the host) whose kernel is booted to install.
	Location modules.Address `arg:"location" exclusive:"source"`
	// LocationOpts names kernel and initrd below location where virt-install does not find them.
	LocationOpts any `arg:"location_opts" needs:"location"`
	// PXE boots from the network.
	PXE bool `arg:"pxe"`
	// Import takes the first disk as an installed system.
	Import bool `arg:"import"`
	// InstallOpts are fine grained ones of --install: os, kernel, initrd, kernel_args, kernel_args_overwrite, bootdev, no_install.
	InstallOpts any `arg:"install"`
	// Boot is the order of devices after installation (hd,cdrom), uefi, or a dict of suboptions of --boot; with it alone nothing is installed.
	Boot any `arg:"boot"`
	// ExtraArgs are parameters for the kernel of location: a list, or text. They stay in the guest's /proc/cmdline: no place for passwords.
	ExtraArgs any `arg:"extra_args"`
	// InitrdInject are files for the root of the initrd of location: absolute paths on the host, others are files of the controller.
	InitrdInject []string `arg:"initrd_inject"`
	// Unattended is for an installation by libosinfo's scripts.
	Unattended *Unattended `arg:"unattended"`
	// CloudInit is what cloud-init gets to read: a seed (NAME-seed.iso, mode 0600) that is made beside the first disk or in its pool, stays in a drive
	// of the domain, and goes with the domain.
	CloudInit *CloudInit `arg:"cloud_init"`
	Hardware
	// VirtType is the hypervisor: kvm, qemu, xen, lxc.
	VirtType string `arg:"virt_type"`
	// Arch is another processor architecture than the host's.
	Arch string `arg:"arch"`
	// Machine is the type of machine: q35, pc.
	Machine string `arg:"machine"`
	// HVM asks for full virtualization.
	HVM bool `arg:"hvm" exclusive:"kind"`
	// Paravirt asks for a paravirtualized guest (Xen).
	Paravirt bool `arg:"paravirt" exclusive:"kind"`
	// Container asks for a container (uri: lxc:///).
	Container bool `arg:"container" exclusive:"kind"`
	// Init is the first program of a container.
	Init string `arg:"init" needs:"container"`
	// QEMUCommandline are arguments for QEMU itself.
	QEMUCommandline string `arg:"qemu_commandline"`
	// Autostart is whether the domain starts with the host.
	Autostart *bool `arg:"autostart"`
	// Transient makes a domain that is gone when it is turned off.
	Transient bool `arg:"transient"`
	// DestroyOnExit turns the domain off when its console is closed, which without a console is when virt-install ends.
	DestroyOnExit bool `arg:"destroy_on_exit"`
	// Wait is how long to wait for the installation to end: 0 does not, -1 without limit. virt-install counts minutes: it is rounded up.
	Wait InstallWait `arg:"wait" default:"0"`
	// RebootAfterInstall starts the guest when it is installed.
	RebootAfterInstall bool `arg:"reboot_after_install" default:"true"`
	// NoReboot is the contrary of reboot_after_install.
	NoReboot bool `arg:"noreboot"`
	// ExtraOptions are further arguments of virt-install, one an item: --xml=./title=Web.
	ExtraOptions []string `arg:"extra_options"`
	// Recreate removes the domain that is there and creates it anew. Disks stay; one that is there is used again.
	Recreate bool `arg:"recreate"`
	// ConfirmRecreate is the name of the domain once more, without which recreate is refused.
	ConfirmRecreate string `arg:"confirm_recreate"`
	// CleanupFailed removes a domain that an installation by this module left half-made, with the disks that were made for it at their paths, and
	// installs anew; without it such a domain is an error.
	CleanupFailed bool `arg:"cleanup_failed"`
	// OnDrift is what happens when a domain that is there differs from the arguments; apply sets memory, number of processors and autostart.
	OnDrift OnDrift `arg:"on_drift" default:"warn"`
	// DeepCheck lets check mode ask virt-install for the XML (--dry-run --print-xml all), which may download install media.
	DeepCheck bool `arg:"deep_check"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// Unattended are the suboptions of --unattended.
type Unattended struct {
	// Profile of libosinfo: jeos, desktop.
	Profile string `arg:"profile"`
	// AdminPassword of the administrator.
	AdminPassword secret.Text `arg:"admin_password" exclusive:"admin"`
	// AdminPasswordFile is a file on the host with it.
	AdminPasswordFile string `arg:"admin_password_file" exclusive:"admin"`
	// UserLogin is the name of a user to make.
	UserLogin string `arg:"user_login"`
	// UserPassword of that user.
	UserPassword secret.Text `arg:"user_password" exclusive:"user"`
	// UserPasswordFile is a file on the host with it.
	UserPasswordFile string `arg:"user_password_file" exclusive:"user"`
	// ProductKey of Windows.
	ProductKey secret.Text `arg:"product_key"`
	// RegLogin is the account to register the system with.
	RegLogin string `arg:"reg_login"`
}

// CloudInit is what a guest's cloud-init reads.
type CloudInit struct {
	// Native leaves it to virt-install's --cloud-init: the guest is then off after its first reboot unless wait is -1, and the CD is gone.
	Native bool `arg:"native"`
	// Folder on the host for the seed, where it is not to lie beside the first disk, in its pool, or in the pool default.
	Folder modules.Path `arg:"folder"`

	// RootPassword of root.
	RootPassword secret.Text `arg:"root_password" exclusive:"root"`
	// RootPasswordFile is a file on the host with it.
	RootPasswordFile string `arg:"root_password_file" exclusive:"root"`
	// RootPasswordGenerate is refused: virt-install draws passwords that can be guessed, and prints them.
	RootPasswordGenerate bool `arg:"root_password_generate"`
	// Disable turns cloud-init off after the first boot.
	Disable bool `arg:"disable"`
	// RootSSHKey is a public key for root, or a file on the host with it.
	RootSSHKey string `arg:"root_ssh_key"`
	// CloudUserSSHKey is a public key for the image's own user, or a file on the host with it.
	CloudUserSSHKey string `arg:"clouduser_ssh_key"`
	// UserData is the content of user-data, as text or dict (which becomes a cloud-config), or a file on the host. It stands alone: what the
	// arguments above say belongs into it.
	UserData any `arg:"user_data" secret:"true"`
	// MetaData is the content of meta-data, as text or dict, or a file on the host. Without it local-hostname is the domain's name. An instance-id that
	// is missing is one of the content, so that cloud-init takes a guest with another seed for a new one.
	MetaData any `arg:"meta_data"`
	// NetworkConfig is the content of network-config, as text or dict, or a file on the host.
	NetworkConfig any `arg:"network_config" secret:"true"`
}

// OnDrift is what to do about a difference.
type OnDrift string

// Choices lists what can be done.
func (OnDrift) Choices() []string { return []string{"warn", "ignore", "fail", "apply"} }

// InstallWait is a number of seconds; negative is without limit.
type InstallWait time.Duration

// DecodeArg implements the reading of an argument.
func (w *InstallWait) DecodeArg(v any) error {
	d, err := modules.Duration(v)
	if err != nil {
		return fmt.Errorf("must be a duration (30m, a number of seconds) or -1, not %q", fmt.Sprint(v))
	}
	*w = InstallWait(d)
	return nil
}

// MemorySize is a size in MiB.
type MemorySize int

// DecodeArg implements the reading of an argument: a bare number is MiB.
func (m *MemorySize) DecodeArg(v any) error {
	const mib = 1 << 20
	text, err := modules.Str(v)
	if err != nil {
		return errors.New("must be a size (2048 are MiB, 2G)")
	}
	z, err := modules.ParseSize(text)
	if err != nil {
		return err
	}
	if strings.Trim(strings.TrimSpace(text), "0123456789.") == "" {
		z *= mib
	}
	if z <= 0 || z > math.MaxInt32*mib {
		return fmt.Errorf("must be a size (2048 are MiB, 2G), not %q", text)
	}
	*m = MemorySize((z + mib - 1) / mib)
	return nil
}

// InstallResult tells of the domain.
type InstallResult struct {
	// Msg is what was done, in the words of community.libvirt.
	Msg string `json:"msg,omitempty"`
	// Message says that there was nothing to do.
	Message string `json:"message,omitempty"`
	// Phase is install while an installation runs, done otherwise.
	Phase string `json:"phase,omitempty"`
	// Domain as it is now.
	Domain *DomainResult `json:"domain,omitempty"`
	// Drift is what differs between the arguments and a domain that was there.
	Drift []Drift `json:"drift,omitempty"`
	// XML is what virt-install would define, with deep_check in check mode; two documents where there are two phases.
	XML string `json:"xml,omitempty"`
}

// Drift is one difference.
type Drift struct {
	// Path is the argument.
	Path string `json:"path"`
	// Wanted is what was asked for.
	Wanted string `json:"wanted"`
	// Found is what the domain has.
	Found string `json:"found"`
}

// Check refuses combinations that make no sense.
func (a InstallArgs) Check() error {
	if err := checkName("name", a.Name, a.AllowOddName); err != nil {
		return err
	}
	if a.State == modules.Absent {
		return nil
	}
	if err := a.checkSource(); err != nil {
		return err
	}
	for _, c := range []struct {
		wrong bool
		arg   string
		msg   string
	}{
		{a.Memory == 0, "name", "memory is required"},
		{a.Recreate && a.ConfirmRecreate != a.Name, "recreate", fmt.Sprintf("recreate destroys domain %s as it is: say confirm_recreate: %s", a.Name, a.Name)},
		{a.CloudInit != nil && a.CloudInit.RootPasswordGenerate, "cloud_init", "cloud_init.root_password_generate: virt-install draws a password that can be guessed, and prints it; give root_password"},
		{a.OSInfo == nil && !a.Container && !a.Paravirt && a.Cdrom == "" && a.Location == "" && !a.installs("os"), "name", "osinfo is required: a short ID such as debian11, or detect=on,require=off (virt-install --osinfo list on the host knows all)"},
	} {
		if c.wrong {
			return &modules.ArgError{Path: []any{c.arg}, Msg: c.msg}
		}
	}
	for i, o := range a.ExtraOptions {
		if !strings.HasPrefix(o, "-") || strings.ContainsAny(o, "\n\x00") {
			return &modules.ArgError{Path: []any{"extra_options", i}, Msg: fmt.Sprintf("extra_options[%d] is one argument of virt-install and begins with -, as --xml=./title=Web does, not %q", i, o)}
		}
	}
	_, err := a.command()
	return err
}

// installs reports whether a suboption of install is given.
func (a InstallArgs) installs(key string) bool {
	switch v := a.InstallOpts.(type) {
	case *value.Dict:
		return v.Str(key) != ""
	case string:
		return strings.Contains(","+v, ","+key+"=")
	}
	return false
}

// checkSource sees to where the system comes from.
func (a InstallArgs) checkSource() error {
	var sources []string
	for _, s := range []struct {
		is   bool
		name string
	}{
		{a.Cdrom != "", "cdrom"},
		{a.Location != "", "location"},
		{a.PXE, "pxe"},
		{a.Import, "import"},
	} {
		if s.is {
			sources = append(sources, s.name)
		}
	}
	switch {
	case len(sources) > 1:
		return &modules.ArgError{Path: []any{sources[1]}, Msg: "arguments are mutually exclusive: " + strings.Join(sources, ", ")}
	case len(sources) == 0 && !a.Container && a.InstallOpts == nil && a.Boot == nil && a.CloudInit == nil && a.Unattended == nil:
		return errors.New("one of these arguments is required: cdrom, location, pxe, import, install, boot, container")
	case a.PXE && isNone(a.Networks):
		return &modules.ArgError{Path: []any{"pxe"}, Msg: "pxe needs an interface, and networks is none"}
	case a.ExtraArgs != nil && a.Location == "" && !a.installs("kernel"):
		return &modules.ArgError{Path: []any{"extra_args"}, Msg: "extra_args are for the kernel of location, and there is none"}
	case len(a.InitrdInject) > 0 && a.Location == "" && !a.installs("kernel"):
		return &modules.ArgError{Path: []any{"initrd_inject"}, Msg: "initrd_inject is for the initrd of location, and there is none"}
	case a.Container && !strings.HasPrefix(string(a.URI), "lxc:") && !strings.HasPrefix(string(a.URI), "test:"):
		return &modules.ArgError{Path: []any{"container"}, Msg: fmt.Sprintf("container needs uri: lxc:///, not %s", a.URI)}
	}
	return nil
}

func runInstall(ctx context.Context, h *modules.Host, a InstallArgs) (InstallResult, error) {
	job := installJob{InstallArgs: a, host: h}
	if a.State == modules.Present {
		if a.ownSeed() {
			seed, err := a.readSeed(ctx, h)
			if err != nil {
				return InstallResult{}, err
			}
			job.seed = seed
		}
		cmd, err := a.command()
		if err != nil {
			return InstallResult{}, err
		}
		if err := cmd.fetch(h); err != nil {
			return InstallResult{}, err
		}
		if job.cmd = cmd; cmd.secret {
			h.Hide()
		}
	}
	return job.run(ctx)
}
