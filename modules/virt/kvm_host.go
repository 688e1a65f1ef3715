package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed kvm_host.go
var kvmHostSource string

//go:embed kvm_probe.go
var kvmProbeSource string

// KVMHost makes a machine a host of guests. Its packages come by the module that sees to packages of whatever kind.
func KVMHost(packages *modules.Module) *modules.Module {
	return modules.Define("kvm_host", kvmHostSource+kvmProbeSource+poolFieldsSource, func(ctx context.Context, h *modules.Host, a KVMHostArgs) (KVMHostResult, error) {
		j := kvmJob{KVMHostArgs: a, host: h, packages: packages}
		err := j.run(ctx)
		return j.result(), err
	}, modules.Converges())
}

// KVMHostArgs make a machine a host for KVM and libvirt: packages, modules of the kernel, daemons, groups, the default network and pool. It
// knows Debian, Ubuntu, Fedora, Red Hat and its kin, SUSE and Alpine. SELinux, AppArmor and firewalls are left alone.
//
//	# A bare machine becomes a hypervisor.
//	- kvm_host:
//	    users: [alice]
//	    default_network: present
//	    default_pool: {path: /var/lib/libvirt/images}
//	    shutdown_policy: shutdown
//	# What is there? Nothing is changed.
//	- kvm_host: {state: checked, require_vt: false}
//	  register: host
type KVMHostArgs struct {
	// State is present, or checked to look and tell only; what is required is required all the same.
	State KVMState `arg:"state" default:"present"`
	// RequireVT is whether to fail, before anything is changed, when the CPU cannot run guests by itself (VT-x, AMD-V).
	RequireVT bool `arg:"require_vt" default:"true"`
	// RequireIOMMU is whether to fail when there are no IOMMU groups, without which no device can be passed to a guest.
	RequireIOMMU bool `arg:"require_iommu"`
	// Nested is whether guests may have guests, now and at the next boot. While guests run the kernel keeps what it has, and reboot_required is true.
	Nested *bool `arg:"nested"`
	// Daemon is which of libvirt's daemons run: libvirtd alone (monolithic) or virtqemud and others (modular). auto keeps those that are
	// enabled, and takes the distribution's own where none are.
	Daemon DaemonMode `arg:"daemon" default:"auto"`
	// Features are further groups of packages.
	Features []Feature `arg:"features" default:"virt_install"`
	// Users who may use libvirt: they come into the groups libvirt (or libvirtd) and, where guests' devices are its, kvm. They must exist, and
	// are as good as root on the host.
	Users []string `arg:"users"`
	// DefaultNetwork is whether libvirt's network default (NAT, 192.168.122.0/24) is there and runs. One that is there keeps its definition.
	DefaultNetwork DefaultNetwork `arg:"default_network" default:"keep"`
	// DefaultPool is the folder of the storage pool default.
	DefaultPool *DefaultPool `arg:"default_pool"`
	// ShutdownPolicy is what becomes of guests when the host goes down: libvirt-guests suspends or shuts them down, or the daemon itself shuts
	// them down (libvirt 11.2 and later).
	ShutdownPolicy ShutdownPolicy `arg:"shutdown_policy" default:"keep"`
	// KSM is whether the kernel merges equal pages of guests, now and at the next boot. What is merged stays so when it is switched off.
	KSM *bool `arg:"ksm"`
	// HugePages is how many pages of the default size the kernel reserves, now and at the next boot.
	HugePages *int `arg:"hugepages"`
	// ExtraPackages are further packages, as the distribution calls them.
	ExtraPackages []string `arg:"extra_packages"`
}

// KVMState is what to do about a host.
type KVMState string

// Choices lists the states.
func (KVMState) Choices() []string { return []string{"present", "checked"} }

// DaemonMode is which daemons libvirt has.
type DaemonMode string

// The modes.
const (
	daemonAuto       DaemonMode = "auto"
	daemonMonolithic DaemonMode = "monolithic"
	daemonModular    DaemonMode = "modular"
)

// Choices lists the modes.
func (DaemonMode) Choices() []string {
	return []string{string(daemonAuto), string(daemonMonolithic), string(daemonModular)}
}

// DefaultNetwork is what to do about the network default.
type DefaultNetwork string

// Choices lists what can be done.
func (DefaultNetwork) Choices() []string { return []string{"present", "absent", "keep"} }

// ShutdownPolicy is what becomes of guests when the host goes down.
type ShutdownPolicy string

// Choices lists the policies.
func (ShutdownPolicy) Choices() []string { return []string{"keep", "suspend", "shutdown", "daemon"} }

// DefaultPool is the storage pool default.
type DefaultPool struct {
	// Path of the folder.
	Path string `arg:"path" default:"/var/lib/libvirt/images"`
	// Permissions of the folder, as virt_pool has them.
	Permissions
}

// KVMHostResult tells what a host is.
type KVMHostResult struct {
	// Virt is what there is.
	Virt KVMReport `json:"virt"`
	// Packages that were installed.
	Packages []string `json:"packages"`
	// RebootRequired is whether a setting is stored which the kernel takes up at the next boot.
	RebootRequired bool `json:"reboot_required"`
}

// KVMReport is what there is on a host.
type KVMReport struct {
	// VMX is whether the CPU has Intel's VT-x.
	VMX bool `json:"vmx"`
	// SVM is whether the CPU has AMD-V.
	SVM bool `json:"svm"`
	// SLAT is whether the CPU translates guests' addresses itself (ept, npt).
	SLAT bool `json:"slat"`
	// KVM is whether there is /dev/kvm.
	KVM bool `json:"kvm"`
	// IOMMU is whether there are IOMMU groups.
	IOMMU bool `json:"iommu"`
	// Nested is whether guests may have guests.
	Nested bool `json:"nested"`
	// Libvirt is the daemon's version, empty when none answers.
	Libvirt string `json:"libvirt"`
	// QEMU is the version of QEMU.
	QEMU string `json:"qemu"`
	// Daemon is monolithic, modular or none.
	Daemon string `json:"daemon"`
	// URIOK is whether qemu:///system answers.
	URIOK bool `json:"uri_ok"`
	// Validate is what virt-host-validate says, line by line.
	Validate []ValidateLine `json:"validate"`
}

// packageName is a package's name without version or pattern.
var packageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*$`)

// userName is an account's name that fits in a list.
var userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?$`)

// Check refuses what makes no sense.
func (a KVMHostArgs) Check() error {
	for i, name := range a.ExtraPackages {
		if !packageName.MatchString(name) {
			return &modules.ArgError{Path: []any{"extra_packages", i}, Msg: fmt.Sprintf("%q is no name of a package", name)}
		}
	}
	for i, name := range a.Users {
		if !userName.MatchString(name) {
			return &modules.ArgError{Path: []any{"users", i}, Msg: fmt.Sprintf("%q is no name of an account", name)}
		}
	}
	if a.HugePages != nil && *a.HugePages < 0 {
		return &modules.ArgError{Path: []any{"hugepages"}, Msg: "hugepages must be 0 or more"}
	}
	if a.DefaultPool != nil {
		return a.pool().Check()
	}
	return nil
}

func (a KVMHostArgs) pool() PoolArgs {
	on := true
	return PoolArgs{
		Name: "default", State: "active", Autostart: &on, Type: "dir", Build: "auto", Place: Place{URI: "qemu:///system"},
		PoolFields: PoolFields{Path: a.DefaultPool.Path, Permissions: a.DefaultPool.Permissions},
	}
}

// kvmJob is a run of the module.
type kvmJob struct {
	KVMHostArgs
	host     *modules.Host
	packages *modules.Module

	now       kvmState
	installed []string
	told      bool // warnings that are given once
}

func (j *kvmJob) run(ctx context.Context) error {
	if err := j.look(ctx); err != nil {
		return err
	}
	if err := j.require(j.now); err != nil {
		return err
	}
	if j.State == "checked" {
		j.validate()
		return nil
	}
	bare, err := j.install(ctx)
	if err != nil {
		return err
	}
	if bare {
		j.now = j.now.assumed()
	}
	if err := j.settle(ctx, bare); err != nil {
		return err
	}
	j.validate()
	return nil
}

// look sees what there is.
func (j *kvmJob) look(ctx context.Context) error {
	r, err := j.host.Probe(ctx, kvmScript(), j.probeArgs()...)
	if err != nil {
		return fmt.Errorf("look at the host: %w", err)
	}
	j.now, err = parseKVM(r)
	return err
}

func (j *kvmJob) probeArgs() []string {
	return []string{strings.Join(j.ExtraPackages, " "), strings.Join(j.Users, " ")}
}

// require fails where the machine itself will not do. It is asked before anything is changed.
func (j *kvmJob) require(s kvmState) error {
	has := func(flag string) bool { return slices.Contains(s.flags, flag) }
	x86 := strings.Contains(s.arch, "86")
	switch {
	case !j.RequireVT, x86 && (has("vmx") || has("svm")), !x86 && s.kvm:
	case x86 && has("hypervisor"):
		return errors.New("no hardware virtualisation: this machine is itself a guest without nested virtualisation (its CPU has the flag hypervisor and neither vmx nor svm); switch nested on in its hypervisor, or say require_vt: false")
	case x86:
		return errors.New("no hardware virtualisation: the CPU has neither vmx nor svm; switch VT-x or AMD-V on in the BIOS, or say require_vt: false")
	default:
		return errors.New("no hardware virtualisation: there is no /dev/kvm; or say require_vt: false")
	}
	if j.State == "checked" && j.RequireVT && !s.kvm {
		return errors.New("no hardware virtualisation: the CPU can, and there is no /dev/kvm: its module is not loaded, which state: present does, or the BIOS locks it")
	}
	if j.RequireIOMMU && !s.iommu {
		return errors.New("no IOMMU: /sys/kernel/iommu_groups is empty; switch VT-d or AMD-Vi on in the BIOS, and on Intel boot with intel_iommu=on (kernel_cmdline)")
	}
	for _, name := range j.Users {
		if _, ok := s.users[name]; ok || j.State == "checked" {
			continue
		}
		if !j.host.Planning() {
			return fmt.Errorf("users: there is no user %s on the host: make it first (module user)", name)
		}
		j.host.Warn("users: there is no user %s on the host, unless an earlier task makes it", name)
	}
	return nil
}

// missing gives the packages that are not there.
func (j *kvmJob) missing() ([]string, error) {
	want, err := j.wanted(j.now.osRelease)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(want, func(name string) bool { return slices.Contains(j.now.installed, name) }), nil
}

// install has the packages installed. Bare says that they are only announced.
func (j *kvmJob) install(ctx context.Context) (bare bool, err error) {
	missing, err := j.missing()
	if err != nil || len(missing) == 0 {
		return false, err
	}
	if err := j.root(); err != nil {
		return false, err
	}
	if j.host.Planning() && !j.now.lists && (j.now.family == familyDebian || j.now.family == familyAlpine) {
		j.host.Warn("whether the packages can be had is not known: the host has no lists of packages yet, and check mode fetches none")
		_, err := j.host.Change(ctx, modules.Action{Why: "install " + strings.Join(missing, ", ")})
		return j.now.virsh == "", modules.IgnorePlanned(err)
	}
	names := value.NewList()
	for _, name := range missing {
		names.Append(name)
	}
	manager, more := j.now.manager()
	args := append([]any{"use", manager, "name", names}, more...)
	if _, err := j.host.Delegate(ctx, j.packages, value.NewDict(args...)); err != nil {
		if j.now.family == familyAlpine && strings.Contains(err.Error(), "no such package") {
			err = fmt.Errorf("%w; libvirt is in Alpine's repository community, which /etc/apk/repositories must name", err)
		}
		return false, err
	}
	j.installed = missing
	if j.host.Planning() {
		return j.now.virsh == "", nil
	}
	if err := j.look(ctx); err != nil {
		return false, err
	}
	if left, err := j.missing(); err != nil || len(left) > 0 {
		return false, errors.Join(err, fmt.Errorf("did not converge: %s succeeded, and yet there is no package %s", manager, strings.Join(left, ", ")))
	}
	return false, nil
}

// settle brings everything but the packages to what is asked.
func (j *kvmJob) settle(ctx context.Context, bare bool) error {
	actions, err := j.plan(j.now)
	if err != nil {
		return err
	}
	if bare {
		_, err := j.host.Change(ctx, append(actions, j.later(true)...)...)
		return modules.IgnorePlanned(err)
	}
	if len(actions) > 0 {
		if err := j.root(); err != nil {
			return err
		}
		_, after, err := modules.Reconcile(ctx, j.host, modules.Reconciler[kvmState]{
			Probe: kvmScript(), Args: j.probeArgs(), Parse: parseKVM, Lock: "kvm-host", Plan: j.plan,
		})
		if err := modules.IgnorePlanned(err); err != nil {
			return explainKVM(err, after)
		}
		j.now = after
	}
	if err := j.policy(ctx); err != nil {
		return err
	}
	if j.host.Planning() && j.now.libvirt == "" { // its daemon does not answer yet
		_, err := j.host.Change(ctx, j.later(false)...)
		return modules.IgnorePlanned(err)
	}
	return j.defaults(ctx)
}

// root refuses to change anything as somebody else.
func (j *kvmJob) root() error {
	if j.now.user != "" {
		return fmt.Errorf("kvm_host has something to change, and %s cannot: say become: true", j.now.user)
	}
	return nil
}

// explainKVM says what a refusal of the kernel means.
func explainKVM(err error, after kvmState) error {
	if a, ok := errors.AsType[*modules.ActionError](err); ok && strings.HasPrefix(a.Why, "load module kvm") {
		return fmt.Errorf("%w; the CPU can and the BIOS does not let it, or the kernel has no KVM (dmesg tells)", err)
	}
	c, ok := errors.AsType[*modules.ConvergeError](err)
	if ok && slices.ContainsFunc(c.Left, func(a modules.Action) bool { return strings.HasPrefix(a.Why, reserveWhy) }) {
		return fmt.Errorf("hugepages: the kernel gave but %s: memory is too small, or too scattered, which a reboot mends since the number is stored", after.hugepages)
	}
	return err
}

// policy stores what becomes of guests.
func (j *kvmJob) policy(ctx context.Context) error {
	c := ConfigArgs{File: configGuests, Restart: "if_needed"}
	openrc := j.now.init == "openrc"
	switch {
	case j.ShutdownPolicy == "keep":
		return nil
	case j.ShutdownPolicy == "daemon":
		c.File, c.Settings = "qemu", value.NewDict("auto_shutdown_try_save", "none", "auto_shutdown_try_shutdown", "all")
	case openrc:
		c.Settings = value.NewDict("LIBVIRT_SHUTDOWN", map[ShutdownPolicy]string{"suspend": "managedsave", "shutdown": "shutdown"}[j.ShutdownPolicy])
	case j.ShutdownPolicy == "suspend":
		c.Settings = value.NewDict("ON_SHUTDOWN", "suspend", "ON_BOOT", "start")
	default:
		c.Settings = value.NewDict("ON_SHUTDOWN", "shutdown")
	}
	_, err := setConfig(ctx, j.host, c, true)
	return modules.IgnorePlanned(err)
}

// defaults sees to the network and the pool called default.
func (j *kvmJob) defaults(ctx context.Context) error {
	there := slices.Contains(j.now.nets, "default")
	n := NetArgs{Name: "default", Place: Place{URI: "qemu:///system"}, HostsMode: "merge", Disrupt: "fail"}
	on := true
	switch {
	case j.DefaultNetwork == "present" && there && j.now.netActive && j.now.netOn, j.DefaultNetwork == "absent" && !there, j.DefaultNetwork == "keep":
		n.Name = ""
	case j.DefaultNetwork == "absent":
		n.State = "absent"
	case there:
		n.State, n.Autostart = "active", &on
	default:
		n.State, n.Autostart, n.XML = "active", &on, defaultNetworkXML
	}
	if n.Name != "" {
		if _, err := runNet(ctx, j.host, n); modules.IgnorePlanned(err) != nil {
			return fmt.Errorf("default_network: %w", err)
		}
	}
	if j.DefaultPool == nil {
		return nil
	}
	if _, err := runPool(ctx, j.host, j.pool()); modules.IgnorePlanned(err) != nil {
		return fmt.Errorf("default_pool: %w", err)
	}
	return nil
}

// defaultNetworkXML is the network that libvirt itself brings.
const defaultNetworkXML = `<network><name>default</name><forward mode='nat'/><bridge name='virbr0' stp='on' delay='0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>`

// validate warns of what virt-host-validate calls a failure.
func (j *kvmJob) validate() {
	for _, line := range j.now.validate {
		if line.Status == "FAIL" {
			j.host.Warn("virt-host-validate: %s: %s", line.Check, line.Hint)
		}
	}
	if j.now.failure != "" {
		j.host.Warn("qemu:///system does not answer: %s", j.now.failure)
	}
}

func (j *kvmJob) result() KVMHostResult {
	s := j.now
	has := func(flag string) bool { return slices.Contains(s.flags, flag) }
	r := KVMHostResult{Packages: j.installed, RebootRequired: j.rebootRequired(s), Virt: KVMReport{
		VMX: has("vmx"), SVM: has("svm"), SLAT: has("ept") || has("npt"), KVM: s.kvm, IOMMU: s.iommu, Nested: s.nestedOn(),
		Libvirt: s.libvirt, QEMU: s.qemu, Daemon: s.daemon(), URIOK: s.libvirt != "" && s.failure == "", Validate: s.validate,
	}}
	if r.Packages == nil {
		r.Packages = []string{}
	}
	if r.Virt.Validate == nil {
		r.Virt.Validate = []ValidateLine{}
	}
	return r
}

// since112 refuses the daemon's own handling of the host's shutdown where it is too old.
func (s kvmState) since112() error {
	v, err := libvirt.ParseVersion(s.virsh)
	if err == nil && v < libvirt.SinceAutoShutdown {
		err = fmt.Errorf("shutdown_policy: daemon needs libvirt 11.2, and the host has %s", s.virsh)
	}
	return err
}
