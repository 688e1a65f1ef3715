package run

import (
	"strings"

	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
)

// process takes a host's result in: state, counts, variables, notifications, events.
func (b *batch) process(o *outcome) {
	h, w, r := o.h, o.w, o.res
	b.look.end(h)
	st := b.r.stat(h.name)
	rescued := false
	if !r.skipped && !r.unreachable && w.task.Role != nil {
		mark(&h.ran, w.task.Role.Key)
	}
	switch {
	case r.unreachable && !r.ignoreUnreachable && w.rescue && h.walk.rescuable():
		rescued = b.failed(o, st)
		r.rescued = true
	case r.unreachable:
		b.unreachable(o, st)
	case r.failed && !r.ignoreErrors:
		rescued = b.failed(o, st)
	case r.failed:
		st.OK++
		st.Ignored++
		if r.changed {
			st.Changed++
		}
	case r.skipped:
		st.Skipped++
	default:
		b.succeeded(o, st)
	}
	b.register(o)
	b.tellJob(h, r)
	b.note(o, rescued)
	e := HostFinished{Outcome: outcomeEvent(h, w, r), Rescued: rescued, Items: o.looped && !r.noItems && !r.noLog}
	e.Start, e.Duration = o.start, o.duration
	b.r.events.emit(e)
}

func (b *batch) unreachable(o *outcome, st *HostStats) {
	if o.res.ignoreUnreachable {
		st.OK++
		st.Ignored++
		return
	}
	o.h.unreachable = true
	b.r.unreachable[o.h.name] = true
	b.remove(o.h.name)
	st.Unreachable++
}

// failed moves the host, or with run_once every host, to what deals with the failure.
func (b *batch) failed(o *outcome, st *HostStats) (rescued bool) {
	h := o.h
	rescued = h.walk.rescuable()
	o.stranded = h.walk.stranded()
	if o.w.once && !b.ownPace() {
		for _, each := range b.hosts {
			if !each.unreachable && !each.walk.done {
				if !each.walk.rescuable() {
					b.remove(each.name)
				}
				each.fail()
			}
		}
	} else {
		h.fail()
	}
	if h.failed() {
		b.lose(h)
	}
	if !rescued {
		b.remove(h.name)
		st.Failed++
		return false
	}
	st.Rescued++
	h.setVar("ansible_failed_task", failedTask(o))
	told := registered(o.res.data)
	if o.res.unreachable {
		told.Set("unreachable", true) // a loop's own result does not say it
	}
	h.setVar("ansible_failed_result", told)
	return true
}

// failedTask is what a rescue section may know of the task that failed; of a task with no_log no arguments.
func failedTask(o *outcome) *value.Dict {
	t := o.w.task
	name := rawText(t.Name.Value)
	if t.Name.Set && t.Role != nil {
		name = strings.TrimPrefix(o.w.info.Name, t.Role.Name+" : ")
	} else if t.Name.Set {
		name = o.w.info.Name
	}
	args := o.res.args
	if args == nil || o.res.noLog {
		args = value.NewDict()
	}
	tags := value.NewList()
	for _, tag := range t.Tags {
		tags.Append(tag)
	}
	var register, delegated any
	if t.Register != "" {
		register = t.Register
	}
	if o.res.delegated != "" {
		delegated = o.res.delegated
	}
	return value.NewDict("name", name, "action", t.Action, "args", args, "register", register, "delegate_to", delegated,
		"tags", tags, "no_log", o.res.noLog, "check_mode", o.w.info.Check)
}

func (b *batch) succeeded(o *outcome, st *HostStats) {
	results := o.items
	if !o.looped {
		results = []*result{o.res}
	}
	for _, r := range results {
		if o.res.changed { // the loop as a whole: an item that changed nothing notifies with the others, as in Ansible
			for _, n := range r.notify {
				b.notify(o.h, n.name, n.pos)
			}
		}
		b.alterInventory(o, r)
		b.keep(o, r)
		b.customStats(o, r)
	}
	if o.w.info.Include {
		return
	}
	st.OK++
	if o.res.changed {
		st.Changed++
	}
}

// targets are the hosts that a result's variables are for: the one, or with run_once all.
func (b *batch) targets(o *outcome) []*hostVars {
	if !o.w.once {
		return []*hostVars{o.h.hostVars}
	}
	var out []*hostVars
	for _, h := range b.hosts {
		if !h.unreachable {
			out = append(out, h.hostVars)
		}
	}
	return out
}

// keep stores facts and variables.
func (b *batch) keep(o *outcome, r *result) {
	if r.facts == nil && r.set == nil && r.included == nil {
		return
	}
	hosts := b.targets(o)
	if r.factsHost != nil {
		hosts = []*hostVars{r.factsHost}
	}
	for _, h := range hosts {
		if r.facts != nil {
			h.addFacts(r.facts, r.gathered)
		}
		for k, v := range r.set.All() {
			if name, ok := k.(string); ok {
				h.setVar(name, v)
			}
		}
		if r.cacheable {
			h.addFacts(r.set, false)
		}
		if r.included != nil {
			h.include(r.included)
		}
	}
}

func (b *batch) register(o *outcome) {
	name := o.w.task.Register
	if name == "" {
		return
	}
	data := registered(o.res.data)
	for _, h := range b.targets(o) {
		if o.w.keep && o.res.skipped && h.isSet(name) {
			continue // a task before it was not skipped
		}
		h.setVar(name, data)
	}
}

// alterInventory does what add_host and group_by ask.
func (b *batch) alterInventory(o *outcome, r *result) {
	if !r.altersInventory() {
		return
	}
	if o.looped {
		defer func() { b.r.events.emit(itemEvent(o.h, o.w, r)) }()
	}
	err := b.r.alter(func(inv *inventory.Inventory) (*inventory.Inventory, error) {
		var changed bool
		var err error
		if r.addHost != nil {
			changed, err = inv.AddHost(r.addHost.Name, r.addHost.Groups, r.addHost.Vars)
		} else {
			changed, err = inv.AddToGroup(o.h.host, r.addGroup.Name, r.addGroup.Parents...)
		}
		if changed && len(o.w.task.ChangedWhen) == 0 {
			r.changed, o.res.changed = true, true
			r.data.Set("changed", true)
			o.res.data.Set("changed", true)
		}
		return inv, err
	})
	if err != nil && b.err == nil {
		b.err = err
	}
}

// customStats adds what set_stats gave.
func (b *batch) customStats(o *outcome, r *result) {
	if r.stats == nil {
		return
	}
	names := []string{"_run"}
	if r.stats.PerHost {
		names = nil
		for _, h := range b.targets(o) {
			names = append(names, h.name)
		}
	}
	for _, name := range names {
		d, ok := valueOf(b.r.custom, name).(*value.Dict)
		if !ok {
			d = value.NewDict()
			b.r.custom.Set(name, d)
		}
		for k, v := range r.stats.Data.All() {
			if old, ok := d.Get(k); ok && r.stats.Aggregate {
				v = aggregate(old, v)
			}
			d.Set(k, v)
		}
	}
}

// aggregate adds numbers, joins text and lists, and merges dicts; of other kinds the new one stays.
func aggregate(old, more any) any {
	switch a := old.(type) {
	case int:
		if n, ok := more.(int); ok {
			return a + n
		}
	case float64:
		if n, ok := more.(float64); ok {
			return a + n
		}
	case string:
		if t, ok := more.(string); ok {
			return a + t
		}
	case *value.List:
		if l, ok := more.(*value.List); ok {
			return value.NewList(append(append([]any(nil), a.Items...), l.Items...)...)
		}
	case *value.Dict:
		if d, ok := more.(*value.Dict); ok {
			c := cloneDict(a)
			merge(c, d)
			return c
		}
	}
	return more
}
