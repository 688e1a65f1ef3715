// Package services holds the modules about services: starting, stopping and enabling them under systemd, OpenRC or init scripts, and
// telling which there are. One look and at most one change is what a task costs.
package services

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{Cron, Service, ServiceFacts, Systemd, SystemdTimer}
}
