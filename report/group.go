package report

import (
	"context"
	"strings"

	"github.com/hostlerhq/hostler/run"
)

// Group prints each different result of an ad-hoc command once, below the names of the hosts that gave it, most hosts
// first in the order of their first answer. It prints at the end, when all have answered.
type Group struct {
	AdHoc
	order []string
	hosts map[string][]string
	state map[string]run.Status
}

// NewGroup makes a Group.
func NewGroup(opts Options) *Group {
	return &Group{
		AdHoc: AdHoc{display: display{opts: opts}},
		hosts: make(map[string][]string), state: make(map[string]run.Status),
	}
}

// Emit keeps results; the end of the run prints them.
func (g *Group) Emit(ctx context.Context, e run.Event) {
	switch e := e.(type) {
	case run.HostFinished:
		host := e.Host
		e.Host = "\x00"
		key := g.result(&e.Outcome)
		if _, ok := g.hosts[key]; !ok {
			g.order = append(g.order, key)
			g.state[key] = e.Status
		}
		g.hosts[key] = append(g.hosts[key], host)
	case run.StatsFinished:
		g.flush()
	default:
		g.AdHoc.Emit(ctx, e)
	}
}

func (g *Group) flush() {
	rule := strings.Repeat("-", 15)
	for _, key := range g.order {
		hosts := g.hosts[key]
		head := strings.Join(hosts, ",")
		if len(hosts) > 1 {
			head += " (" + text(len(hosts)) + ")"
		}
		body := strings.TrimPrefix(key, "\x00 | ")
		g.line(rule+"\n"+head+"\n"+rule, "")
		g.line(body, statusColor(g.state[key]))
	}
	g.order = nil
	clear(g.hosts)
}
