package check

import "strings"

// magic are the variables that a run makes itself, and those that template files have besides.
func magic() []string {
	return strings.Fields(`
inventory_hostname inventory_hostname_short inventory_file inventory_dir group_names groups hostvars vars omit environment
playbook_dir play_hosts role_path role_name role_names ansible_facts ansible_play_name ansible_play_hosts
ansible_play_hosts_all ansible_play_batch ansible_play_role_names ansible_dependent_role_names ansible_role_names
ansible_role_name ansible_collection_name ansible_parent_role_names ansible_parent_role_paths ansible_search_path
ansible_check_mode ansible_diff_mode ansible_verbosity ansible_forks ansible_version ansible_run_tags ansible_skip_tags
ansible_limit ansible_config_file ansible_inventory_sources ansible_playbook_python ansible_failed_task
ansible_failed_result ansible_delegated_vars ansible_loop ansible_loop_var ansible_index_var ansible_managed
template_host template_path template_fullpath template_run_date template_mtime template_uid
true false none True False None loop caller varargs kwargs self super`)
}

// facts are the variables that gathering makes.
func facts() []string {
	return strings.Fields(`
ansible_all_ipv4_addresses ansible_all_ipv6_addresses ansible_apparmor ansible_architecture ansible_bios_date
ansible_bios_vendor ansible_bios_version ansible_board_name ansible_board_serial ansible_board_vendor
ansible_chassis_serial ansible_chassis_vendor ansible_cmdline ansible_date_time ansible_default_ipv4
ansible_default_ipv6 ansible_device_links ansible_devices ansible_distribution ansible_distribution_file_variety
ansible_distribution_major_version ansible_distribution_release ansible_distribution_version ansible_dns ansible_domain
ansible_effective_group_id ansible_effective_user_id ansible_env ansible_fips ansible_form_factor ansible_fqdn
ansible_hostname ansible_hostnqn ansible_interfaces ansible_is_chroot ansible_iscsi_iqn ansible_kernel
ansible_kernel_version ansible_loadavg ansible_local ansible_lsb ansible_lvm ansible_machine ansible_machine_id
ansible_memfree_mb ansible_memory_mb ansible_memtotal_mb ansible_mounts ansible_nodename ansible_os_family
ansible_pkg_mgr ansible_proc_cmdline ansible_processor ansible_processor_cores ansible_processor_count
ansible_processor_nproc ansible_processor_threads_per_core ansible_processor_vcpus ansible_product_name
ansible_product_serial ansible_product_uuid ansible_product_version ansible_python ansible_python_version
ansible_real_group_id ansible_real_user_id ansible_selinux ansible_service_mgr ansible_swapfree_mb ansible_swaptotal_mb
ansible_system ansible_system_capabilities ansible_system_vendor ansible_uptime_seconds ansible_user_dir
ansible_user_gecos ansible_user_gid ansible_user_id ansible_user_shell ansible_user_uid
ansible_userspace_architecture ansible_userspace_bits ansible_virtualization_role ansible_virtualization_type`)
}

// isFact reports whether a name may be that of a fact which some module or program makes.
func isFact(name string) bool {
	for _, prefix := range []string{"facter_", "ohai_", "getent_", "packages", "services"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// connection are the variables by which hosts are reached.
func connection() []string {
	return strings.Fields(`
ansible_host ansible_port ansible_user ansible_password ansible_connection ansible_timeout ansible_connection_timeout
ansible_become ansible_become_user ansible_become_method ansible_become_password ansible_become_pass ansible_become_exe
ansible_become_flags ansible_private_key_file ansible_ssh_private_key_file ansible_ssh_common_args ansible_ssh_extra_args
ansible_ssh_args ansible_ssh_retries ansible_ssh_timeout ansible_ssh_pipelining ansible_pipelining ansible_ssh_host
ansible_ssh_port ansible_ssh_user ansible_ssh_pass ansible_ssh_password ansible_ssh_executable ansible_ssh_transfer_method
ansible_ssh_host_key_checking ansible_host_key_checking ansible_python_interpreter ansible_shell_type
ansible_shell_executable ansible_sftp_extra_args ansible_scp_extra_args ansible_scp_if_ssh ansible_remote_tmp
ansible_network_os ansible_group_priority ansible_sudo_pass ansible_su_pass ansible_become_plugin ansible_winrm_transport
ansible_perl_interpreter ansible_ruby_interpreter ansible_doas_pass ansible_ssh_pipelining ansible_async_dir`)
}

// lookups are the lookups that there are, for hints.
func lookups() []string {
	return strings.Fields(`
cartesian config csvfile dict env file fileglob first_found flattened indexed_items ini inventory_hostnames items lines list
nested password pipe random_choice sequence subelements template together unvault url varnames vars`)
}

// renamedVars are old names of variables, each with the one to write.
func renamedVars() map[string]string {
	return map[string]string{
		"ansible_ssh_host": "ansible_host", "ansible_ssh_port": "ansible_port", "ansible_ssh_user": "ansible_user",
		"ansible_sudo": "ansible_become", "ansible_sudo_user": "ansible_become_user", "ansible_sudo_pass": "ansible_become_password",
		"ansible_su": "ansible_become", "ansible_su_user": "ansible_become_user", "ansible_su_pass": "ansible_become_password",
		"ansible_become_pass_file": "ansible_become_password",
	}
}
