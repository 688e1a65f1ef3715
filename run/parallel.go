package run

import (
	"context"

	"github.com/hostlerhq/hostler/jinja/value"
)

// parallel does the items of a loop, up to c.parallel of them at once. Results are registered and told in the order of the
// items. No item sees what another gave. They share the host's connection, which bounds its sessions itself.
func (j *job) parallel(ctx context.Context, c loopSettings, items *value.List, o *outcome) {
	results := make([]*result, items.Len())
	ended := make([]bool, items.Len())
	done := make(chan int)
	next, running, told := 0, 0, 0
	for {
		for next < len(results) && running < c.parallel && ctx.Err() == nil {
			go func(i int) {
				results[i] = j.item(ctx, c, items, i)
				done <- i
			}(next)
			next++
			running++
		}
		if running == 0 {
			break
		}
		ended[<-done] = true
		running--
		for told < next && ended[told] {
			j.tellItem(results[told])
			told++
		}
	}
	o.items = results[:next]
	o.res = summary(o.items)
}

// item does one item with variables of its own: a scope is for one goroutine.
func (j *job) item(ctx context.Context, c loopSettings, items *value.List, i int) *result {
	s := j.itemScope(j.b.scope(ctx, j.w, j.h.hostVars), c, items, i, value.NewDict())
	r := j.single(ctx, s, nil)
	j.itemData(ctx, s, c, r, items.Items[i], i)
	return r
}
