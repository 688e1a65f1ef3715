// Package report turns what a run tells into text: Ansible's default output, its ad-hoc output, a live last
// line on a terminal, JSON lines. Each form is a run.Sink.
package report
