package run

import (
	"slices"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run/journal"
)

// inner are the actions that touch nothing but the run: a resumed run does them again.
var inner = []string{
	"debug", "assert", "fail", "add_host", "group_by", "include_vars", "set_stats", "include_tasks", "include_role", "validate_argument_spec",
}

// tracked reports whether the journal keeps how the task went.
func (b *batch) tracked(t *playbook.Task) bool {
	return b.r.o.Journal != nil && !slices.Contains(inner, t.BaseAction())
}

// journalName is whose list in the journal a task belongs to.
func journalName(w *work, h *hostState) string {
	if w.once {
		return "once " + w.info.Path // hosts that go their own pace may come by several such tasks in any order
	}
	return h.name
}

// replay gives what a task came to in the run that broke; nil when it is to run. Again says that it was done then already.
func (b *batch) replay(w *work, h *hostState) (o *outcome, again bool) {
	if !b.tracked(w.task) {
		return nil, false
	}
	e, found, strayed := b.r.o.Journal.Next(journalName(w, h), w.info.Path, w.task.Action)
	if strayed {
		b.r.events.emit(Warning{Text: h.name + ": its way through the playbook is another one than in the run that broke; from \"" +
			w.info.Name + "\" on everything is done again"})
	}
	if !found || e.Again {
		return nil, found
	}
	res, ok := resumed(&e.Result, w.task)
	if !ok {
		return nil, true
	}
	o = &outcome{h: h, w: w, res: res, looped: e.Looped, start: time.Now()}
	for i := range e.Items {
		item, ok := resumed(&e.Items[i], w.task)
		if !ok {
			return nil, true
		}
		o.items = append(o.items, item)
	}
	return o, true
}

// resumed makes a result of one in the journal.
func resumed(e *journal.Result, t *playbook.Task) (*result, bool) {
	r := &result{
		changed: e.Changed, skipped: e.Skipped, failed: e.Failed, unreachable: e.Unreachable, noItems: e.NoItems,
		ignoreErrors: e.Ignored, ignoreUnreachable: e.Ignored, cacheable: e.Cacheable, resumed: true,
	}
	for _, name := range e.Notify {
		r.notify = append(r.notify, notice{name: name, pos: t.Pos})
	}
	r.data = value.NewDict("changed", e.Changed)
	if e.Data != "" {
		v, err := value.DecodeJSON(e.Data)
		d, ok := v.(*value.Dict)
		if err != nil || !ok {
			return nil, false
		}
		r.data = d
	}
	if e.Set != "" {
		v, err := value.DecodeJSON(e.Set)
		d, ok := v.(*value.Dict)
		if err != nil || !ok {
			return nil, false
		}
		r.set = d
	}
	return r, true
}

// note keeps how a task went, for a run that goes on after this one broke.
func (b *batch) note(o *outcome, rescued bool) {
	if !b.tracked(o.w.task) || !o.ran {
		return
	}
	r := o.res
	if r.losesHost() || r.failed && !r.ignoreErrors && !rescued {
		b.stopNotes(o)
		return
	}
	if o.again || r.resumed {
		return // the journal has it
	}
	e := journal.Entry{Host: journalName(o.w, o.h), Path: o.w.info.Path, Action: o.w.task.Action}
	kept, ok := kept(r, o.w.task.Register != "" || rescued)
	kept.Looped = o.looped
	for _, item := range o.items {
		one, can := keptItem(item)
		ok = ok && can
		kept.Items = append(kept.Items, one)
	}
	if ok {
		e.Result = kept
	} else {
		e.Again = true
	}
	b.r.o.Journal.Add(e)
}

// stopNotes says that what follows the failure is to be done again, on every host where run_once made it fail.
func (b *batch) stopNotes(o *outcome) {
	hosts := []string{o.h.name}
	if o.w.once {
		hosts = append(hosts, journalName(o.w, o.h))
		if !b.ownPace() {
			hosts = append(hosts, b.names...)
		}
	}
	b.r.o.Journal.Stop(hosts...)
}

// kept is what the journal keeps of a result; false where the task has to run again: it gave facts, which may be others by
// now, something no_log hides, what has no form in JSON, or much.
func kept(r *result, withData bool) (e journal.Result, ok bool) {
	e, ok = keptItem(r)
	if !ok || !withData {
		return e, ok
	}
	if r.noLog {
		return e, false
	}
	e.Data, ok = asJSON(registered(r.data))
	return e, ok
}

func keptItem(r *result) (e journal.Result, ok bool) {
	e = journal.Result{
		Changed: r.changed, Skipped: r.skipped, Failed: r.failed, Unreachable: r.unreachable, NoItems: r.noItems,
		Ignored: r.failed && r.ignoreErrors || r.unreachable && r.ignoreUnreachable, Cacheable: r.cacheable,
	}
	for _, n := range r.notify {
		e.Notify = append(e.Notify, n.name)
	}
	if r.facts != nil || r.included != nil || r.stats != nil || r.inclusion != nil || r.altersInventory() {
		return e, false
	}
	if r.set == nil {
		return e, true
	}
	if r.noLog {
		return e, false
	}
	e.Set, ok = asJSON(r.set)
	return e, ok
}

// maxKept bounds what the journal keeps of a result, in bytes of its texts; a task that gave more runs again.
const maxKept = 1 << 20

// size adds up the texts in a value, and a little for what else there is, until it is beyond maxKept.
func size(v any) int {
	n := 8
	switch v := v.(type) {
	case string:
		n += len(v)
	case *value.List:
		for _, item := range v.Items {
			if n += size(item); n > maxKept {
				break
			}
		}
	case *value.Dict:
		for k, item := range v.All() {
			if n += size(k) + size(item); n > maxKept {
				break
			}
		}
	}
	return n
}

// asJSON gives the text of a dict that comes out of it as it went in.
func asJSON(d *value.Dict) (string, bool) {
	if size(d) > maxKept {
		return "", false
	}
	text, err := value.EncodeJSON(d, value.JSONOptions{})
	if err != nil {
		return "", false
	}
	back, err := value.DecodeJSON(text)
	if err != nil {
		return "", false
	}
	same, err := value.Equal(d, back)
	return text, err == nil && same
}
