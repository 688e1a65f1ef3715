package facts

import (
	"strconv"
	"strings"
)

func (o *output) security(want func(string) bool) *Security {
	s := &Security{}
	if want("selinux") {
		s.SELinux, s.SELinuxLib = o.selinux(), new(true)
	}
	if want("apparmor") {
		s.AppArmor = map[string]string{"status": "disabled"}
		if o.exist["/sys/kernel/security/apparmor"] {
			s.AppArmor["status"] = "enabled"
		}
	}
	if want("fips") {
		s.FIPS = new(o.first("/proc/sys/crypto/fips_enabled") == "1")
	}
	if want("caps") {
		s.Capabilities, s.Enforced = o.capabilities()
	}
	return s
}

func (o *output) selinux() *SELinux {
	enforce := o.first("/sys/fs/selinux/enforce")
	if enforce == "" {
		return &SELinux{Status: "disabled"}
	}
	config := assignments(o.files["/etc/selinux/config"])
	s := &SELinux{
		Status: "enabled", PolicyVersion: intOf(o.first("/sys/fs/selinux/policyvers")), Mode: "permissive",
		ConfigMode: config["SELINUX"], Type: config["SELINUXTYPE"],
	}
	if enforce == "1" {
		s.Mode = "enforcing"
	}
	if s.ConfigMode == "" {
		s.ConfigMode = "unknown"
	}
	if s.Type == "" {
		s.Type = "unknown"
	}
	return s
}

// capabilityNames are in the order of the kernel's numbers (capability.h, Linux 6.12).
var capabilityNames = strings.Fields(`cap_chown cap_dac_override cap_dac_read_search cap_fowner cap_fsetid cap_kill cap_setgid
	cap_setuid cap_setpcap cap_linux_immutable cap_net_bind_service cap_net_broadcast cap_net_admin cap_net_raw cap_ipc_lock
	cap_ipc_owner cap_sys_module cap_sys_rawio cap_sys_chroot cap_sys_ptrace cap_sys_pacct cap_sys_admin cap_sys_boot
	cap_sys_nice cap_sys_resource cap_sys_time cap_sys_tty_config cap_mknod cap_lease cap_audit_write cap_audit_control
	cap_setfcap cap_mac_override cap_mac_admin cap_syslog cap_wake_alarm cap_block_suspend cap_audit_read cap_perfmon
	cap_bpf cap_checkpoint_restore`)

// capabilities names those in effect; with all of them nothing is enforced and the list is empty.
func (o *output) capabilities() ([]string, string) {
	names := []string{}
	for _, file := range o.matching("/proc/*/status") {
		for _, line := range o.files[file] {
			hex, ok := strings.CutPrefix(line, "CapEff:")
			if !ok {
				continue
			}
			set, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			if set == 1<<len(capabilityNames)-1 {
				return names, "False"
			}
			for i, name := range capabilityNames {
				if set&(1<<i) != 0 {
					names = append(names, name)
				}
			}
		}
	}
	return names, "True"
}
