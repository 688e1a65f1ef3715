package config

import "strings"

// idle lists the settings of Ansible that nothing here reads, with the reason.
func idle() []Setting {
	var list []Setting
	for _, group := range []struct {
		support Support
		note    string
		rows    string // section.key VARIABLE, a line each
	}{
		{Unsupported, "plugins and modules in Python cannot run here; hostler doc lists the modules that are built in", pythonPlugins},
		{Unsupported, "leave it out: its default is what happens", notDone},
		{Ignored, "needs no Python on the hosts, leaves no files there, and keeps one connection a host in any case", onHosts},
		{Ignored, "there is nothing here that it could change", noEffect},
	} {
		for line := range strings.Lines(group.rows) {
			f := strings.Fields(line)
			if len(f) == 0 {
				continue
			}
			s := Setting{Name: Name(f[0]), Support: group.support, Note: group.note}
			for _, word := range f[1:] {
				switch {
				case strings.HasPrefix(word, "default="):
					s.Default = strings.TrimPrefix(word, "default=")
				case strings.Contains(word, "."):
					s.Also = append(s.Also, Name(word))
				default:
					s.Env = append(s.Env, word)
				}
			}
			list = append(list, s)
		}
	}
	return list
}

const pythonPlugins = `
defaults.library LIBRARY
defaults.module_utils MODULE_UTILS
defaults.action_plugins ACTION_PLUGINS
defaults.become_plugins BECOME_PLUGINS
defaults.cache_plugins CACHE_PLUGINS
defaults.callback_plugins CALLBACK_PLUGINS
defaults.cliconf_plugins CLICONF_PLUGINS
defaults.connection_plugins CONNECTION_PLUGINS
defaults.filter_plugins FILTER_PLUGINS
defaults.httpapi_plugins HTTPAPI_PLUGINS
defaults.inventory_plugins INVENTORY_PLUGINS
defaults.lookup_plugins LOOKUP_PLUGINS
defaults.netconf_plugins NETCONF_PLUGINS
defaults.strategy_plugins STRATEGY_PLUGINS
defaults.terminal_plugins TERMINAL_PLUGINS
defaults.test_plugins TEST_PLUGINS
defaults.vars_plugins VARS_PLUGINS
defaults.plugin_filters_cfg
`

const notDone = `
defaults.duplicate_dict_key DUPLICATE_YAML_DICT_KEY default=warn
defaults.max_diff_size MAX_DIFF_SIZE default=104448
defaults.allow_unsafe_lookups default=false
defaults.enable_task_debugger ENABLE_TASK_DEBUGGER default=false
defaults.null_representation NULL_REPRESENTATION
defaults.precedence PRECEDENCE
defaults.bin_ansible_callbacks LOAD_CALLBACK_PLUGINS default=false
defaults.callback_format_pretty CALLBACK_FORMAT_PRETTY
defaults.private_role_vars PRIVATE_ROLE_VARS default=false
defaults.playbook_vars_root PLAYBOOK_VARS_ROOT default=top
defaults.run_vars_plugins RUN_VARS_PLUGINS default=demand
defaults.vars_plugins_enabled VARS_ENABLED default=host_group_vars
defaults.facts_modules FACTS_MODULES default=smart
defaults.display_args_to_stdout DISPLAY_ARGS_TO_STDOUT default=false
defaults.log_filter LOG_FILTER
defaults.verbose_to_stderr VERBOSE_TO_STDERR default=false
defaults.yaml_valid_extensions YAML_FILENAME_EXT
defaults.executable EXECUTABLE default=/bin/sh
inventory.host_pattern_mismatch HOST_PATTERN_MISMATCH default=warning
inventory.cache INVENTORY_CACHE default=false
jinja2.dont_type_filters STRING_TYPE_FILTERS
ssh_connection.ssh_executable SSH_EXECUTABLE default=ssh
`

const onHosts = `
defaults.interpreter_python PYTHON_INTERPRETER
defaults.module_compression
defaults.python_module_rlimit_nofile PYTHON_MODULE_RLIMIT_NOFILE
defaults.keep_remote_files KEEP_REMOTE_FILES
defaults.remote_tmp REMOTE_TEMP REMOTE_TMP
defaults.local_tmp LOCAL_TEMP
defaults.system_tmpdirs SYSTEM_TMPDIRS
defaults.allow_world_readable_tmpfiles SHELL_ALLOW_WORLD_READABLE_TEMP
defaults.common_remote_group COMMON_REMOTE_GROUP
defaults.admin_users ADMIN_USERS
defaults.async_dir ASYNC_DIR
defaults.no_target_syslog NO_TARGET_SYSLOG
defaults.syslog_facility SYSLOG_FACILITY
defaults.module_ignore_exts MODULE_IGNORE_EXTS
defaults.use_persistent_connections USE_PERSISTENT_CONNECTIONS
defaults.pipelining ssh_connection.pipelining connection.pipelining PIPELINING SSH_PIPELINING
ssh_connection.control_path SSH_CONTROL_PATH
ssh_connection.control_path_dir SSH_CONTROL_PATH_DIR
ssh_connection.transfer_method SSH_TRANSFER_METHOD
ssh_connection.scp_if_ssh SCP_IF_SSH
ssh_connection.sftp_batch_mode SFTP_BATCH_MODE
ssh_connection.sftp_executable SFTP_EXECUTABLE
ssh_connection.scp_executable SCP_EXECUTABLE
ssh_connection.sftp_extra_args SFTP_EXTRA_ARGS
ssh_connection.scp_extra_args SCP_EXTRA_ARGS
ssh_connection.usetty SSH_USETTY
ssh_connection.sshpass_prompt SSHPASS_PROMPT
selinux.libvirt_lxc_noseclabel LIBVIRT_LXC_NOSECLABEL
selinux.special_context_filesystems SELINUX_SPECIAL_FS
`

const noEffect = `
defaults.home HOME
defaults.nocows NOCOWS
defaults.cowpath COW_PATH
defaults.cow_selection COW_SELECTION
defaults.cow_whitelist defaults.cowsay_enabled_stencils COW_ACCEPTLIST COW_WHITELIST
defaults.jinja2_extensions JINJA2_EXTENSIONS
defaults.debug DEBUG
defaults.module_lang MODULE_LANG
defaults.module_set_locale MODULE_SET_LOCALE
defaults.internal_poll_interval
defaults.show_per_host_start SHOW_PER_HOST_START
defaults.pretty_results PRETTY_RESULTS
defaults.command_warnings COMMAND_WARNINGS
defaults.system_warnings SYSTEM_WARNINGS
defaults.devel_warning DEVEL_WARNING
defaults.localhost_warning LOCALHOST_WARNING
defaults.jinja2_native_warning JINJA2_NATIVE_WARNING
defaults.docsite_root_url
defaults.invalid_task_attribute_failed INVALID_TASK_ATTRIBUTE_FAILED
defaults.old_plugin_cache_clear OLD_PLUGIN_CACHE_CLEAR
defaults.string_conversion_action STRING_CONVERSION_ACTION
defaults.task_debugger_ignore_errors TASK_DEBUGGER_IGNORE_ERRORS
defaults.validate_action_group_metadata VALIDATE_ACTION_GROUP_METADATA
defaults.win_async_startup_timeout WIN_ASYNC_STARTUP_TIMEOUT
defaults.collections_on_ansible_version_mismatch COLLECTIONS_ON_VERSION_MISMATCH
defaults.collections_scan_sys_path COLLECTIONS_SCAN_SYS_PATH
defaults.squash_actions SQUASH_ACTIONS
defaults.network_group_modules NETWORK_GROUP_MODULES
defaults.su SU
defaults.sudo SUDO
inventory.inventory_unparsed_warning INVENTORY_UNPARSED_WARNING
inventory.cache_plugin INVENTORY_CACHE_PLUGIN
inventory.cache_connection INVENTORY_CACHE_CONNECTION
inventory.cache_prefix INVENTORY_CACHE_PLUGIN_PREFIX
inventory.cache_timeout INVENTORY_CACHE_TIMEOUT
privilege_escalation.agnostic_become_prompt AGNOSTIC_BECOME_PROMPT
privilege_escalation.become_allow_same_user BECOME_ALLOW_SAME_USER
galaxy.server_list GALAXY_SERVER_LIST
`
