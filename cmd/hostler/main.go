// Command hostler runs playbooks and single modules on hypervisors over SSH.
package main

import (
	"os"

	"github.com/hostlerhq/hostler/cmd"
)

func main() { os.Exit(cmd.Main(os.Args, cmd.SystemStreams())) }
