// Package examples carries the playbook of `hostler demo` inside the binary, so that it runs
// anywhere. The other folders here are to be read and copied.
package examples

import "embed"

// Demo is the folder demo: a playbook, its templates and group variables. The inventory is made by
// the demo itself, which knows the ports of its practice hosts.
//
//go:embed demo
var Demo embed.FS
