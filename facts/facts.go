// Package facts is what is known about a host: Script gathers it in one round trip, Parse
// makes typed Facts of what the script printed. It contacts nothing itself.
package facts

import (
	_ "embed"

	"github.com/hostlerhq/hostler/jinja/value"
)

// Script is POSIX sh that prints everything Parse reads. Its arguments: the parts wanted (Subset.Parts)
// separated by blanks, the seconds to wait for network file systems, the folder of local facts.
// It needs nothing but a shell, grep and ls; what further tools would tell is left out where they are missing.
//
//go:embed gather.sh
var Script string

// Facts are the facts of a host. A part that was not gathered is nil.
type Facts struct {
	Platform     *Platform
	Distribution *Distribution
	User         *User
	DateTime     *DateTime
	Network      *Network
	Hardware     *Hardware
	Virtual      *Virtual
	Security     *Security
	Misc         *Misc
	// Local are the facts of the folder of local facts: JSON, INI or what an executable printed, by file name.
	Local *value.Dict
	// Env is the environment of the commands that run on the host.
	Env map[string]string
	// Warnings are for the user: a mount that did not answer.
	Warnings []string
}

// Platform is the running kernel and the host's names.
type Platform struct {
	System        string `fact:"system"`
	Kernel        string `fact:"kernel"`
	KernelVersion string `fact:"kernel_version"`
	Machine       string `fact:"machine"`
	Architecture  string `fact:"architecture"`
	UserspaceBits string `fact:"userspace_bits"`
	UserspaceArch string `fact:"userspace_architecture,omitempty"`
	Nodename      string `fact:"nodename"`
	Hostname      string `fact:"hostname"`
	FQDN          string `fact:"fqdn"`
	Domain        string `fact:"domain"`
	MachineID     string `fact:"machine_id,omitempty"`
}

// Distribution is which Linux this is, in Ansible's words.
type Distribution struct {
	Name         string `fact:"distribution"`
	Version      string `fact:"distribution_version"`
	MajorVersion string `fact:"distribution_major_version"`
	MinorVersion string `fact:"distribution_minor_version,omitempty"`
	Release      string `fact:"distribution_release"`
	FilePath     string `fact:"distribution_file_path,omitempty"`
	FileVariety  string `fact:"distribution_file_variety,omitempty"`
	FileParsed   bool   `fact:"distribution_file_parsed,omitempty"`
	SearchString string `fact:"distribution_file_search_string,omitempty"`
	OSFamily     string `fact:"os_family"`
}

// User is whom the facts were gathered as.
type User struct {
	ID           string `fact:"user_id"`
	UID          int    `fact:"user_uid"`
	GID          int    `fact:"user_gid"`
	Gecos        string `fact:"user_gecos"`
	Dir          string `fact:"user_dir"`
	Shell        string `fact:"user_shell"`
	RealUID      int    `fact:"real_user_id"`
	EffectiveUID int    `fact:"effective_user_id"`
	RealGID      int    `fact:"real_group_id"`
	EffectiveGID int    `fact:"effective_group_id"`
}

// DateTime is the host's clock in the host's time zone, as strings.
type DateTime struct {
	Year, Month, Weekday, Day, Hour, Minute, Second           string
	WeekdayNumber, WeekNumber, Epoch, EpochInt                string
	Date, Time, ISO8601Micro, ISO8601, ISO8601Basic, BasicTTY string
	TZ, TZDST, TZOffset                                       string
}

// Virtual is what the host runs on and what it can run.
type Virtual struct {
	Type      string   `fact:"virtualization_type"`
	Role      string   `fact:"virtualization_role"`
	TechGuest []string `fact:"virtualization_tech_guest"`
	TechHost  []string `fact:"virtualization_tech_host"`
}

// Security is SELinux, AppArmor, FIPS and capabilities.
type Security struct {
	SELinux      *SELinux          `fact:"selinux,omitempty"`
	SELinuxLib   *bool             `fact:"selinux_python_present,omitempty"`
	AppArmor     map[string]string `fact:"apparmor,omitempty"`
	FIPS         *bool             `fact:"fips,omitempty"`
	Capabilities []string          `fact:"system_capabilities,omitempty"`
	Enforced     string            `fact:"system_capabilities_enforced,omitempty"`
}

// SELinux is its state; only Status where it is disabled.
type SELinux struct {
	Status        string `fact:"status"`
	PolicyVersion *int   `fact:"policyvers,omitempty"`
	ConfigMode    string `fact:"config_mode,omitempty"`
	Mode          string `fact:"mode,omitempty"`
	Type          string `fact:"type,omitempty"`
}

// Misc are the facts that stand alone.
type Misc struct {
	ServiceMgr  string             `fact:"service_mgr,omitempty"`
	PkgMgr      string             `fact:"pkg_mgr,omitempty"`
	IsChroot    *bool              `fact:"is_chroot,omitempty"`
	Cmdline     *value.Dict        `fact:"cmdline,omitempty"`
	ProcCmdline *value.Dict        `fact:"proc_cmdline,omitempty"`
	DNS         *value.Dict        `fact:"dns,omitempty"`
	LSB         *value.Dict        `fact:"lsb,omitempty"`
	LoadAvg     map[string]float64 `fact:"loadavg,omitempty"`
	HostNQN     *string            `fact:"hostnqn,omitempty"`
	ISCSI       *string            `fact:"iscsi_iqn,omitempty"`
	FCWWN       []string           `fact:"fibre_channel_wwn,omitempty"`
	Python      *value.Dict        `fact:"python,omitempty"`
	PythonVer   string             `fact:"python_version,omitempty"`
	SSHKeys     *value.Dict        `fact:",inline"`
}
