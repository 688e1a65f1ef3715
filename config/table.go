package config

import "strings"

// The settings that something here reads.
const (
	Inventory           Name = "defaults.inventory"
	RemoteUser          Name = "defaults.remote_user"
	RemotePort          Name = "defaults.remote_port"
	PrivateKeyFile      Name = "defaults.private_key_file"
	HostKeyChecking     Name = "defaults.host_key_checking"
	HostKeys            Name = "defaults.host_keys"
	Forks               Name = "defaults.forks"
	Timeout             Name = "defaults.timeout"
	Transport           Name = "defaults.transport"
	AskPass             Name = "defaults.ask_pass"
	ConnectionPassFile  Name = "defaults.connection_password_file"
	BecomePassFile      Name = "defaults.become_password_file"
	RolesPath           Name = "defaults.roles_path"
	CollectionsPath     Name = "defaults.collections_path"
	PlaybookDir         Name = "defaults.playbook_dir"
	ModuleName          Name = "defaults.module_name"
	ModuleArgs          Name = "defaults.module_args"
	Gathering           Name = "defaults.gathering"
	GatherSubset        Name = "defaults.gather_subset"
	GatherTimeout       Name = "defaults.gather_timeout"
	FactPath            Name = "defaults.fact_path"
	FactCaching         Name = "defaults.fact_caching"
	FactCachingFolder   Name = "defaults.fact_caching_connection"
	FactCachingPrefix   Name = "defaults.fact_caching_prefix"
	FactCachingTimeout  Name = "defaults.fact_caching_timeout" // seconds
	InjectFacts         Name = "defaults.inject_facts_as_vars"
	Strategy            Name = "defaults.strategy"
	AnyErrorsFatal      Name = "defaults.any_errors_fatal"
	ForceHandlers       Name = "defaults.force_handlers"
	MissingHandler      Name = "defaults.error_on_missing_handler"
	PollInterval        Name = "defaults.poll_interval"
	TaskTimeout         Name = "defaults.task_timeout"
	NoLog               Name = "defaults.no_log"
	HashBehaviour       Name = "defaults.hash_behaviour"
	Jinja2Native        Name = "defaults.jinja2_native"
	AnsibleManaged      Name = "defaults.ansible_managed"
	Verbosity           Name = "defaults.verbosity"
	VaultPasswordFile   Name = "defaults.vault_password_file"
	VaultIdentity       Name = "defaults.vault_identity"
	VaultIdentityList   Name = "defaults.vault_identity_list"
	VaultIDMatch        Name = "defaults.vault_id_match"
	VaultEncryptID      Name = "defaults.vault_encrypt_identity"
	AskVaultPass        Name = "defaults.ask_vault_pass"
	StdoutCallback      Name = "defaults.stdout_callback"
	CallbacksEnabled    Name = "defaults.callbacks_enabled"
	ResultFormat        Name = "defaults.callback_result_format"
	JSONIndent          Name = "defaults.json_indent"
	DisplaySkipped      Name = "defaults.display_skipped_hosts"
	DisplayOK           Name = "defaults.display_ok_hosts"
	DisplayFailedStderr Name = "defaults.display_failed_stderr"
	ShowCustomStats     Name = "defaults.show_custom_stats"
	CheckModeMarkers    Name = "defaults.check_mode_markers"
	PathOnFailure       Name = "defaults.show_task_path_on_failure"
	ActionWarnings      Name = "defaults.action_warnings"
	DeprecationWarnings Name = "defaults.deprecation_warnings"
	ForceColor          Name = "defaults.force_color"
	NoColor             Name = "defaults.nocolor"
	LogPath             Name = "defaults.log_path"
	RetryFiles          Name = "defaults.retry_files_enabled"
	RetryFilesPath      Name = "defaults.retry_files_save_path"
	UndefinedErrors     Name = "defaults.error_on_undefined_vars"
	GroupNames          Name = "defaults.force_valid_group_names"
	DiffAlways          Name = "diff.always"
	DiffContext         Name = "diff.context"
	TagsRun             Name = "tags.run"
	TagsSkip            Name = "tags.skip"
	Become              Name = "privilege_escalation.become"
	BecomeMethod        Name = "privilege_escalation.become_method"
	BecomeUser          Name = "privilege_escalation.become_user"
	BecomeExe           Name = "privilege_escalation.become_exe"
	BecomeFlags         Name = "privilege_escalation.become_flags"
	BecomeAskPass       Name = "privilege_escalation.become_ask_pass"
	SSHArgs             Name = "ssh_connection.ssh_args"
	SSHCommonArgs       Name = "ssh_connection.ssh_common_args"
	SSHExtraArgs        Name = "ssh_connection.ssh_extra_args"
	SSHRetries          Name = "ssh_connection.retries"
	InventoryEnabled    Name = "inventory.enable_plugins"
	InventoryExts       Name = "inventory.ignore_extensions"
	InventoryPatterns   Name = "inventory.ignore_patterns"
	UnparsedFailed      Name = "inventory.unparsed_is_failed"
	AnyUnparsedFailed   Name = "inventory.any_unparsed_is_failed"
	InventoryExport     Name = "inventory.export"
	ProfileTasksLimit   Name = "callback_profile_tasks.task_output_limit"
	ProfileTasksSort    Name = "callback_profile_tasks.sort_order"
)

// openSection reports the sections in which plugins find keys of their own.
func openSection(section string) bool {
	return strings.HasPrefix(section, "callback_") || section == "ssh_connection" || section == "galaxy" || section == "colors"
}

// Table gives every setting, the ones that work first.
func Table() []Setting {
	list := append(hostSettings(), runSettings()...)
	list = append(list, textSettings()...)
	return append(list, idle()...)
}

// env names the variables of a setting.
func env(names ...string) []string { return names }

// hostSettings say which hosts there are and how they are reached.
func hostSettings() []Setting {
	return []Setting{
		{Name: Inventory, Env: env("INVENTORY"), Kind: Files},
		{Name: InventoryEnabled, Env: env("INVENTORY_ENABLED"), Kind: List},
		{Name: InventoryExts, Also: []Name{"defaults.inventory_ignore_extensions"}, Env: env("INVENTORY_IGNORE"), Kind: List},
		{Name: InventoryPatterns, Also: []Name{"defaults.inventory_ignore_patterns"}, Env: env("INVENTORY_IGNORE_REGEX"), Kind: List},
		{Name: UnparsedFailed, Env: env("INVENTORY_UNPARSED_FAILED"), Kind: Bool, Default: "false"},
		{Name: AnyUnparsedFailed, Env: env("INVENTORY_ANY_UNPARSED_IS_FAILED"), Kind: Bool, Default: "true"},
		{Name: InventoryExport, Env: env("INVENTORY_EXPORT"), Kind: Bool, Default: "false"},
		{
			Name: GroupNames, Env: env("TRANSFORM_INVALID_GROUP_CHARS"), Kind: OneOf, Default: "never",
			Choices: []string{"never", "ignore", "always", "silently"},
		},
		{Name: RemoteUser, Env: env("REMOTE_USER")},
		{Name: RemotePort, Env: env("REMOTE_PORT"), Kind: Int},
		{Name: PrivateKeyFile, Env: env("PRIVATE_KEY_FILE"), Kind: Path},
		{Name: HostKeyChecking, Also: []Name{"ssh_connection.host_key_checking"}, Env: env("HOST_KEY_CHECKING", "SSH_HOST_KEY_CHECKING"), Kind: Bool, Default: "true"},
		{Name: HostKeys, Env: env("HOST_KEYS"), Kind: OneOf, Choices: []string{"", "strict", "accept-new", "off"}},
		{Name: Timeout, Env: env("TIMEOUT", "SSH_TIMEOUT"), Kind: Int, Default: "10"},
		{Name: Transport, Env: env("TRANSPORT"), Default: "smart"},
		{Name: AskPass, Env: env("ASK_PASS"), Kind: Bool, Default: "false"},
		{Name: ConnectionPassFile, Env: env("CONNECTION_PASSWORD_FILE"), Kind: Path},
		{Name: BecomePassFile, Env: env("BECOME_PASSWORD_FILE"), Kind: Path},
		{Name: Become, Env: env("BECOME"), Kind: Bool, Default: "false"},
		{Name: BecomeMethod, Env: env("BECOME_METHOD"), Default: "sudo"},
		{Name: BecomeUser, Also: []Name{"sudo_become_plugin.user"}, Env: env("BECOME_USER", "SUDO_USER"), Default: "root"},
		{Name: BecomeExe, Also: []Name{"sudo_become_plugin.executable"}, Env: env("BECOME_EXE", "SUDO_EXE")},
		{Name: BecomeFlags, Also: []Name{"sudo_become_plugin.flags"}, Env: env("BECOME_FLAGS", "SUDO_FLAGS")},
		{Name: BecomeAskPass, Env: env("BECOME_ASK_PASS"), Kind: Bool, Default: "false"},
		{Name: SSHArgs, Env: env("SSH_ARGS"), Note: "multiplexing (Control*) and compression are passed over: connections are kept anyhow"},
		{Name: SSHCommonArgs, Env: env("SSH_COMMON_ARGS")},
		{Name: SSHExtraArgs, Env: env("SSH_EXTRA_ARGS")},
		{Name: SSHRetries, Also: []Name{"connection.retries"}, Env: env("SSH_RETRIES"), Kind: Int, Default: "0"},
	}
}

// runSettings say what a run does.
func runSettings() []Setting {
	return []Setting{
		{Name: Forks, Env: env("FORKS"), Kind: Int, Default: "64"},
		{Name: RolesPath, Env: env("ROLES_PATH"), Kind: Paths, Default: "~/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles"},
		{
			Name: CollectionsPath, Also: []Name{"defaults.collections_paths"}, Env: env("COLLECTIONS_PATH", "COLLECTIONS_PATHS"), Kind: Paths,
			Default: "~/.ansible/collections:/usr/share/ansible/collections",
		},
		{Name: PlaybookDir, Env: env("PLAYBOOK_DIR"), Kind: Path},
		{Name: ModuleName, Env: env("MODULE_NAME"), Default: "command"},
		{Name: ModuleArgs, Env: env("MODULE_ARGS")},
		{Name: Gathering, Env: env("GATHERING"), Kind: OneOf, Default: "implicit", Choices: []string{"implicit", "explicit", "smart"}},
		{Name: GatherSubset, Env: env("GATHER_SUBSET"), Kind: List},
		{Name: GatherTimeout, Env: env("GATHER_TIMEOUT"), Kind: Int},
		{Name: FactPath, Env: env("FACT_PATH")},
		{Name: FactCaching, Env: env("CACHE_PLUGIN"), Default: "memory", Note: "memory, or jsonfile; others are warned of and stand for memory"},
		{Name: FactCachingFolder, Env: env("CACHE_PLUGIN_CONNECTION"), Kind: Path},
		{Name: FactCachingPrefix, Env: env("CACHE_PLUGIN_PREFIX")},
		{Name: FactCachingTimeout, Env: env("CACHE_PLUGIN_TIMEOUT"), Kind: Int, Default: "86400"},
		{Name: InjectFacts, Env: env("INJECT_FACT_VARS"), Kind: Bool, Default: "true"},
		{Name: Strategy, Env: env("STRATEGY"), Default: "linear"},
		{Name: AnyErrorsFatal, Env: env("ANY_ERRORS_FATAL"), Kind: Bool, Default: "false"},
		{Name: ForceHandlers, Env: env("FORCE_HANDLERS"), Kind: Bool, Default: "false"},
		{Name: MissingHandler, Env: env("ERROR_ON_MISSING_HANDLER"), Kind: Bool, Default: "true"},
		{Name: TaskTimeout, Env: env("TASK_TIMEOUT"), Kind: Int, Default: "0"},
		{Name: PollInterval, Env: env("POLL_INTERVAL"), Kind: Int, Default: "15"},
		{Name: NoLog, Env: env("NO_LOG"), Kind: Bool, Default: "false"},
		{Name: HashBehaviour, Env: env("HASH_BEHAVIOUR"), Kind: OneOf, Default: "replace", Choices: []string{"replace", "merge"}},
		{Name: Jinja2Native, Env: env("JINJA2_NATIVE"), Kind: Bool, Default: "true"},
		{Name: UndefinedErrors, Env: env("ERROR_ON_UNDEFINED_VARS"), Kind: Bool, Default: "true"},
		{Name: AnsibleManaged, Env: env("MANAGED_STR"), Default: "Ansible managed"},
		{Name: VaultPasswordFile, Env: env("VAULT_PASSWORD_FILE"), Kind: Path},
		{Name: VaultIdentity, Env: env("VAULT_IDENTITY"), Default: "default"},
		{Name: VaultIdentityList, Env: env("VAULT_IDENTITY_LIST"), Kind: List},
		{Name: VaultIDMatch, Env: env("VAULT_ID_MATCH"), Kind: Bool, Default: "false"},
		{Name: VaultEncryptID, Env: env("VAULT_ENCRYPT_IDENTITY")},
		{Name: AskVaultPass, Env: env("ASK_VAULT_PASS"), Kind: Bool, Default: "false"},
		{Name: TagsRun, Env: env("RUN_TAGS"), Kind: List},
		{Name: TagsSkip, Env: env("SKIP_TAGS"), Kind: List},
		{Name: DiffAlways, Env: env("DIFF_ALWAYS"), Kind: Bool, Default: "false"},
		{Name: RetryFiles, Env: env("RETRY_FILES_ENABLED"), Kind: Bool, Default: "false"},
		{Name: RetryFilesPath, Env: env("RETRY_FILES_SAVE_PATH"), Kind: Path},
	}
}

// textSettings say what is printed.
func textSettings() []Setting {
	return []Setting{
		{Name: StdoutCallback, Env: env("STDOUT_CALLBACK"), Default: "default"},
		{Name: CallbacksEnabled, Also: []Name{"defaults.callback_whitelist"}, Env: env("CALLBACKS_ENABLED", "CALLBACK_WHITELIST"), Kind: List},
		{Name: ResultFormat, Env: env("CALLBACK_RESULT_FORMAT"), Kind: OneOf, Default: "json", Choices: []string{"json", "yaml"}},
		{Name: JSONIndent, Env: env("JSON_INDENT"), Kind: Int, Default: "4"},
		{Name: DisplaySkipped, Env: env("DISPLAY_SKIPPED_HOSTS"), Kind: Bool, Default: "true"},
		{Name: DisplayOK, Env: env("DISPLAY_OK_HOSTS"), Kind: Bool, Default: "true"},
		{Name: DisplayFailedStderr, Env: env("DISPLAY_FAILED_STDERR"), Kind: Bool, Default: "false"},
		{Name: ShowCustomStats, Env: env("SHOW_CUSTOM_STATS"), Kind: Bool, Default: "false"},
		{Name: CheckModeMarkers, Env: env("CHECK_MODE_MARKERS"), Kind: Bool, Default: "false"},
		{Name: PathOnFailure, Env: env("SHOW_TASK_PATH_ON_FAILURE"), Kind: Bool, Default: "false"},
		{Name: ActionWarnings, Env: env("ACTION_WARNINGS"), Kind: Bool, Default: "true"},
		{Name: DeprecationWarnings, Env: env("DEPRECATION_WARNINGS"), Kind: Bool, Default: "true"},
		{Name: Verbosity, Env: env("VERBOSITY"), Kind: Int, Default: "0"},
		{Name: DiffContext, Env: env("DIFF_CONTEXT"), Kind: Int, Default: "3"},
		{Name: ForceColor, Env: env("FORCE_COLOR"), Kind: Bool, Default: "false"},
		{Name: NoColor, Env: env("NOCOLOR"), Kind: Bool, Default: "false"},
		{Name: LogPath, Env: env("LOG_PATH"), Kind: Path},
		{Name: ProfileTasksLimit, Env: env("=PROFILE_TASKS_TASK_OUTPUT_LIMIT"), Default: "20"},
		{Name: ProfileTasksSort, Env: env("=PROFILE_TASKS_SORT_ORDER"), Kind: OneOf, Default: "descending", Choices: []string{"descending", "ascending", "none"}},
	}
}
