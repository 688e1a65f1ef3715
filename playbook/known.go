package playbook

import "strings"

// foreign are modules that playbooks for Ansible use under a short name; those among them that exist here are found
// before this list is asked.
var foreign = strings.Fields(`
acl add_host alternatives apk apt apt_key apt_repository archive assemble assert async_status authorized_key blockinfile
capabilities cloudformation command composer copy cron cronvar crypttab deb822_repository debconf debug
digital_ocean_droplet dnf dnf5 docker_container docker_image docker_network dpkg_divert dpkg_selections ec2 expect fail
fetch file filesystem find firewalld gather_facts gem get_url getent git git_config gluster_peer gluster_volume group
group_by haproxy helm hostname htpasswd include_vars ini_file interfaces_file ip_netns iptables k8s kernel_blacklist
known_hosts lineinfile locale_gen lvg lvol mail maven_artifact modprobe mount mount_facts mysql_db mysql_user nmcli npm
open_iscsi openssh_keypair openssl_csr openssl_privatekey openvswitch_bridge openvswitch_port osx_defaults package
package_facts pacman pam_limits pamd parted patch pause pip postgresql_db postgresql_user pip_package_info ping raw
read_csv reboot redhat_subscription replace rhsm_repository rpm_key script seboolean selinux seport sefcontext service
service_facts set_fact set_stats setup shell slurp snap stat statd subversion sudoers supervisorctl synchronize sysctl
systemd systemd_service sysvinit tempfile template timezone ufw unarchive uri user virt virt_net virt_pool wait_for
wait_for_connection win_command win_copy win_feature win_file win_package win_ping win_service win_shell win_template
x509_certificate xattr xfs_quota xml yum yum_repository zfs zypper zypper_repository`)

// isForeign reports whether a full name is one of a collection's: those we lack are Ansible's all the same.
func isForeign(name string) bool {
	parts := strings.Split(name, ".")
	if len(parts) < 3 || parts[0] == "ansible" && (parts[1] == "builtin" || parts[1] == "legacy") {
		return false
	}
	for _, part := range parts {
		if !validName(part) {
			return false
		}
	}
	return true
}
