package run

import (
	"context"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// metaName gives what a meta task is to do.
func metaName(t *playbook.Task) string {
	for _, key := range []string{"_raw_params", "free_form"} {
		if s := t.Args.Values.Str(key); s != "" {
			return s
		}
	}
	return ""
}

// metaStep does a meta task for the hosts before it, and reports whether the play is over for all.
func (b *batch) metaStep(ctx context.Context, n *node, hosts []*hostState) bool {
	hosts = b.willing(n.task, hosts)
	if len(hosts) == 0 {
		return false
	}
	name := metaName(n.task)
	for _, h := range hosts {
		w := b.work(n)
		w.begin(ctx, b, h)
		b.r.events.emit(TaskStarted{Task: w.info, Hosts: 1})
		b.meta(ctx, w, name, h)
		if !forEach(name) {
			break
		}
	}
	return b.ended && name == "end_play"
}

// forEach reports whether a meta task is done for each host; the others concern all and are done, or skipped, once.
func forEach(name string) bool {
	switch name {
	case "noop", "reset_connection", "end_host", "end_role", "flush_handlers":
		return true
	}
	return false
}

// meta does it on one host.
func (b *batch) meta(ctx context.Context, w *work, name string, h *hostState) {
	conditions := w.task.When
	switch name {
	case "noop", "refresh_inventory", "reset_connection":
		if len(conditions) > 0 {
			b.r.warn(name + " task does not support when conditional")
			conditions = nil
		}
	}
	holds, err := all(ctx, b.scope(ctx, w, h.hostVars), conditions)
	if err != nil {
		b.metaFailed(w, h, message(err))
		return
	}
	if !holds {
		text := name + " conditional evaluated to False" + metaSkipped(name, h.name)
		b.r.events.emit(MetaDone{Host: h.name, Text: text, Skipped: true})
		msg := name
		if name == "end_host" {
			msg += " conditional evaluated to false" + metaSkipped(name, h.name)
		}
		r := &result{skipped: true, data: value.NewDict("skipped", true, "msg", msg, "skip_reason", text)}
		b.r.events.emit(HostFinished{Outcome: outcomeEvent(h, w, r)})
		return
	}
	text := b.metaDo(ctx, w, name, h)
	if text != "" {
		b.r.events.emit(MetaDone{Host: h.name, Text: text})
	}
}

func metaSkipped(name, host string) string {
	switch name {
	case "flush_handlers":
		return ", not running handlers for " + host
	case "clear_facts":
		return ", not clearing facts and fact cache for " + host
	case "clear_host_errors":
		return ", not clearing host error state for " + host
	case "end_batch":
		return ", continuing current batch"
	case "end_play":
		return ", continuing play"
	case "end_host":
		return ", continuing execution for " + host
	case "end_role":
		return ", continuing role for " + host
	}
	return ""
}

func (b *batch) metaFailed(w *work, h *hostState, msg string) {
	o := &outcome{h: h, w: w, res: failure(msg)}
	o.res.finish()
	b.process(o)
}

func (b *batch) metaDo(ctx context.Context, w *work, name string, h *hostState) string {
	switch name {
	case "noop":
		return "noop"
	case "flush_handlers":
		if w.task.Handler {
			b.fatalError(w, "flush_handlers cannot be used as a handler")
			return ""
		}
		h.flush(b.handlers)
		b.flushing = true
		return "triggered running handlers for " + h.name
	case "clear_facts":
		for _, each := range b.hosts {
			each.clearFacts()
		}
		return "facts cleared"
	case "clear_host_errors":
		b.clearErrors()
		return "cleared host errors"
	case "end_host":
		h.end()
		b.remove(h.name)
		return "ending play for " + h.name
	case "end_role":
		if w.task.Role == nil || w.task.Handler {
			b.fatalError(w, "end_role stands outside the tasks of a role")
			return ""
		}
		h.endRole(w.task.Role)
		return "ending role " + w.task.Role.Name + " for " + h.name
	case "end_batch", "end_play":
		for _, each := range b.hosts {
			if !each.unreachable && !each.failed() {
				each.end()
			}
		}
		if name == "end_batch" {
			return "ending batch"
		}
		b.play.ended = true
		return "ending play"
	case "refresh_inventory":
		return b.refresh(ctx, w)
	case "reset_connection":
		return b.resetConnection(ctx, w, h)
	}
	b.fatalError(w, "invalid meta action requested: "+name)
	return ""
}

func (b *batch) fatalError(w *work, text string) {
	if b.err == nil {
		b.err = diag.Errorf(w.task.Pos, "%s", text)
	}
}

// clearErrors lets unreachable hosts go on, and failed ones take part in further plays.
func (b *batch) clearErrors() {
	for _, h := range b.hosts {
		h.unreachable, h.lost = false, false
		h.next = nil
		if h.walk.failed {
			h.walk.failed = false
		}
		delete(b.r.unreachable, h.name)
		delete(b.r.lost, h.name)
		b.restore(h.name)
	}
}

func (b *batch) refresh(ctx context.Context, w *work) string {
	if b.r.o.RefreshInventory == nil {
		b.fatalError(w, "the inventory cannot be read again")
		return ""
	}
	inv, err := b.r.o.RefreshInventory(ctx)
	if err != nil {
		b.fatalError(w, "refresh the inventory: "+err.Error())
		return ""
	}
	if err := b.r.alter(func(*inventory.Inventory) (*inventory.Inventory, error) { return inv, nil }); err != nil {
		b.fatalError(w, err.Error())
	}
	return "inventory successfully refreshed"
}

// resetter is a Conn that can drop its connection, so that the next task logs in anew.
type resetter interface{ Reset() error }

func (b *batch) resetConnection(ctx context.Context, w *work, h *hostState) string {
	j := &job{b: b, w: w, h: h}
	s := b.scope(ctx, w, h.hostVars)
	conn, _, err := j.connect(ctx, s, &settings{})
	if err != nil {
		return "no connection, nothing to reset"
	}
	defer conn.Close()
	if r, ok := conn.(resetter); ok {
		if err := r.Reset(); err != nil {
			b.r.warn("reset connection: " + err.Error())
		}
	}
	return "reset connection"
}
