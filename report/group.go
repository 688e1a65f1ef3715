package report

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/run"
)

// Group prints each different result of an ad-hoc command once, below the names of the hosts that gave it, most hosts
// first, hosts in the play's order. It prints at the end, when all have answered.
type Group struct {
	AdHoc
	order []string
	rank  map[string]int // of a host in the play
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
	case run.PlayStarted:
		g.rank = make(map[string]int, len(e.Hosts))
		for i, h := range e.Hosts {
			g.rank[h] = i
		}
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
	byRank := func(a, b string) int { return cmp.Compare(g.rank[a], g.rank[b]) }
	for _, hosts := range g.hosts {
		slices.SortFunc(hosts, byRank)
	}
	slices.SortFunc(g.order, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(g.hosts[b]), len(g.hosts[a])), byRank(g.hosts[a][0], g.hosts[b][0]))
	})
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
