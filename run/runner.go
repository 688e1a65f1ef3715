package run

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run/actions"
)

// runner is one run: what outlives a play.
type runner struct {
	o      Options
	events *queue
	slots  chan struct{} // forks: a task on a host holds one while it works

	mu    sync.RWMutex // of inv and hosts
	inv   *inventory.Inventory
	hosts map[string]*hostVars
	// groupsDict is the variable groups, made when first read.
	groupsDict *value.Dict

	background background
	alone      keyed      // what modules keep to themselves
	asking     sync.Mutex // one host's debugger at a time
	quitting   chan struct{}
	quitOnce   sync.Once

	// The rest belongs to the goroutine that coordinates.
	stats       map[string]*HostStats
	custom      *value.Dict
	lost        map[string]bool // failed for good
	unreachable map[string]bool
	tasks       int // TaskInfo.ID
	broken      bool
	interrupted bool
	startAt     string // what is still to be found of --start-at-task
	warned      map[string]bool
}

func newRunner(ctx context.Context, o Options) *runner {
	if o.Forks <= 0 {
		o.Forks = DefaultForks
	}
	if o.Gathering == "" {
		o.Gathering = "implicit"
	}
	r := &runner{
		o: o, events: newQueue(ctx, o.Sink), slots: make(chan struct{}, o.Forks), inv: o.Inventory,
		hosts: make(map[string]*hostVars), stats: make(map[string]*HostStats), custom: value.NewDict(),
		lost: make(map[string]bool), unreachable: make(map[string]bool), warned: make(map[string]bool),
		startAt: o.StartAtTask, quitting: make(chan struct{}),
	}
	engine := *o.Engine
	engine.Warn = func(text string) { r.events.emit(Warning{Text: text}) }
	r.o.Engine = &engine
	return r
}

// Play runs the playbooks over their hosts, in order, and stops as Ansible does when every host is lost. It blocks
// until the end and leaves Sink and Pool open; failures of hosts are in the Result. The error is for what keeps the run itself from going
// on: a play's pattern or serial that does not render, a missing handler, a file that cannot be loaded.
func Play(ctx context.Context, opts Options) (Result, error) {
	r := newRunner(ctx, opts)
	defer r.events.close()
	defer r.finishJobs()
	err := r.playbooks(ctx)
	if err == nil && r.startAt != "" && !r.stopping(ctx) {
		err = fmt.Errorf("no task is named %q: --start-at-task finds those of plays, roles and static imports", r.startAt)
	}
	if err != nil {
		r.events.emit(Problem{Err: err})
	}
	return r.result(ctx), err
}

func (r *runner) playbooks(ctx context.Context) error {
	for _, pb := range r.o.Playbooks {
		r.events.emit(PlaybookStarted{Path: pb.Path, Plays: len(pb.Plays)})
		for _, p := range pb.Plays {
			goOn, err := r.play(ctx, pb, p)
			if err != nil {
				return err
			}
			if !goOn || r.stopping(ctx) {
				break
			}
		}
		r.finishJobs()
		r.writeRetryFile(pb.Path)
		r.finishStats()
		if len(r.lost) > 0 || len(r.unreachable) > 0 || r.interrupted {
			break
		}
	}
	return nil
}

// writeRetryFile writes down the hosts that were lost.
func (r *runner) writeRetryFile(playbook string) {
	lost := slices.Compact(slices.Sorted(slices.Values(append(sortedKeys(r.lost), sortedKeys(r.unreachable)...))))
	if r.o.RetryFile == nil || len(lost) == 0 {
		return
	}
	file, err := r.o.RetryFile(playbook, lost)
	if err != nil {
		r.warn(err.Error())
		return
	}
	r.events.emit(RetryFile{Path: file})
}

func (r *runner) finishStats() {
	r.events.emit(StatsFinished{Hosts: r.hostStats(), Custom: r.custom, Check: r.o.Check})
}

// stopping reports whether no further task may start.
func (r *runner) stopping(ctx context.Context) bool {
	select {
	case <-ctx.Done():
	case <-r.o.Stop:
	case <-r.quitting:
	default:
		return false
	}
	r.interrupted = true
	return true
}

func (r *runner) result(ctx context.Context) Result {
	r.stopping(ctx)
	return Result{
		Hosts: r.hostStats(), Failed: sortedKeys(r.lost), Unreachable: sortedKeys(r.unreachable),
		BrokenOff: r.broken, Interrupted: r.interrupted,
	}
}

func sortedKeys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (r *runner) hostStats() []HostStats {
	out := make([]HostStats, 0, len(r.stats))
	for _, s := range r.stats {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b HostStats) int { return strings.Compare(a.Host, b.Host) })
	return out
}

func (r *runner) stat(host string) *HostStats {
	s, ok := r.stats[host]
	if !ok {
		s = &HostStats{Host: host}
		r.stats[host] = s
	}
	return s
}

// varsOf gives a host's variables; nil when the inventory has no such host.
func (r *runner) varsOf(name string) *hostVars {
	r.mu.RLock()
	h, ok := r.hosts[name]
	r.mu.RUnlock()
	if ok {
		return h
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, ok = r.hosts[name]; ok {
		return h
	}
	host, ok := r.inv.Host(name)
	if !ok {
		return nil
	}
	h = r.newHostVars(name, host)
	r.hosts[name] = h
	return h
}

func (r *runner) newHostVars(name string, host *inventory.Host) *hostVars {
	return &hostVars{name: name, host: host, cache: r.o.Facts, warn: func(err error) { r.events.emit(Warning{Text: err.Error()}) }}
}

// inventory gives the inventory of the moment. add_host and group_by alter it while nothing else runs.
func (r *runner) inventory() *inventory.Inventory {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.inv
}

// alter changes the inventory, and makes every host read it anew.
func (r *runner) alter(change func(*inventory.Inventory) (*inventory.Inventory, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	inv, err := change(r.inv)
	if err != nil {
		return err
	}
	r.inv, r.groupsDict = inv, nil
	for name, h := range r.hosts {
		if host, ok := inv.Host(name); ok {
			h.inventoryChanged(host)
		}
	}
	return nil
}

func (r *runner) warn(text string) {
	if !r.warned[text] {
		r.warned[text] = true
		r.events.emit(Warning{Text: text})
	}
}

func (r *runner) warnAll(list diag.List) {
	for _, e := range list {
		r.warn(e.Error() + hint(e.Hint))
	}
}

// action finds an action of the run itself.
func action(name string) (*actions.Action, bool) { return actions.Find(name) }

// baseName is a name without the collections that stand for Ansible itself.
func baseName(name string) string {
	name = strings.TrimPrefix(name, "ansible.builtin.")
	return strings.TrimPrefix(name, "ansible.legacy.")
}
