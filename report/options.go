package report

import "io"

// Options are what text sinks share.
type Options struct {
	Out io.Writer // results, as Ansible's standard output
	Err io.Writer // warnings and errors
	// Width is the terminal's columns; 0 is no terminal (lines of 79).
	Width     int
	Color     bool
	Verbosity int
	// HideSkipped, HideOK, FailedToErr, CheckMarkers, ShowCustomStats, PathOnFailure are the default callback's settings
	// display_skipped_hosts=false, display_ok_hosts=false, display_failed_stderr, check_mode_markers,
	// show_custom_stats, show_task_path_on_failure.
	HideSkipped, HideOK, FailedToErr, CheckMarkers, ShowCustomStats, PathOnFailure bool
	// FoldSkipped is how many lines of a task tell of skipping before the rest is counted in one; 0 is all.
	FoldSkipped int
	// NoWarnings silences warnings of modules (action_warnings=false).
	NoWarnings bool
	// NoDeprecations silences warnings of what will go away (deprecation_warnings=false).
	NoDeprecations bool
	// YAML prints results as YAML, as the callback community.general.yaml does.
	YAML bool
	// PlainYAML prints results as YAML, as the callback default does with callback_result_format=yaml.
	PlainYAML bool
	// DiffContext is how many lines stand around a change; 0 is 3.
	DiffContext int
}
