package run

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/vars"
)

// background is the jobs that work from here while the play goes on: modules with async and poll 0 that are no programs of their own.
type background struct {
	mu   sync.Mutex
	list []*backgroundJob
}

type backgroundJob struct {
	id, host, task string
	pos            diag.Pos
	asked          bool // somebody saw how it ended
	done           chan struct{}
	res            *result // set when done is closed
}

// background starts a module and leaves it. Its connection is made first, so that a host that is down is seen at once.
func (j *job) background(ctx context.Context, s *vars.Scope, k *settings, id string) *result {
	conn, address, err := j.connect(ctx, s, k)
	if err != nil {
		return j.lost(ctx, err)
	}
	theirs, err := j.ownScope(ctx, k)
	if err != nil {
		conn.Close()
		return failure(message(err))
	}
	b := &backgroundJob{id: id, host: j.h.name, task: j.w.info.Name, pos: j.w.task.Pos, done: make(chan struct{})}
	bg := &j.b.r.background
	bg.mu.Lock()
	bg.list = append(bg.list, b)
	bg.mu.Unlock()
	go func() {
		defer close(b.done)
		defer conn.Close()
		limited, cancel := context.WithTimeout(ctx, k.async)
		defer cancel()
		o := j.hostOptions(conn, theirs, k)
		o.Live = nil
		b.res = j.runModule(limited, modules.NewHost(o), k)
		if limited.Err() != nil && ctx.Err() == nil {
			b.res = failure("Timeout exceeded")
		}
	}()
	r := begun(id, "")
	r.address = address
	return r
}

// ownScope gives the task's variables once more, to be used while the task's own goroutine goes on.
func (j *job) ownScope(ctx context.Context, k *settings) (*vars.Scope, error) {
	var layers []vars.Layer
	for _, l := range k.base.Added() {
		if l.Vars != nil {
			l.Vars = l.Vars.Copy()
		}
		layers = append(layers, l)
	}
	s := j.b.scope(ctx, j.w, j.h.hostVars).With(layers...)
	if k.delegate == nil {
		return s, nil
	}
	return j.delegated(ctx, s, k)
}

// find gives a host's job; nil when there is none of that name.
func (bg *background) find(host, id string) *backgroundJob {
	bg.mu.Lock()
	defer bg.mu.Unlock()
	for _, b := range bg.list {
		if b.id == id && b.host == host {
			return b
		}
	}
	return nil
}

// forget takes a job out of the list; one that still works goes on.
func (bg *background) forget(b *backgroundJob) {
	bg.mu.Lock()
	defer bg.mu.Unlock()
	select {
	case <-b.done:
		bg.list = slices.DeleteFunc(bg.list, func(o *backgroundJob) bool { return o == b })
	default:
	}
}

// state is what async_status tells of the job.
func (b *backgroundJob) state(bg *background) *result {
	select {
	case <-b.done:
	default:
		return nil
	}
	bg.mu.Lock()
	defer bg.mu.Unlock()
	b.asked = true
	r := *b.res
	r.data = b.res.data.Copy()
	addJob(r.data, b.id, "")
	return &r
}

// finishJobs waits for the jobs that work from here, for they cannot outlive the run, and warns of those that failed without
// anybody having seen it.
func (r *runner) finishJobs() {
	r.background.mu.Lock()
	list := slices.Clone(r.background.list)
	r.background.list = nil
	r.background.mu.Unlock()
	for _, b := range list {
		select {
		case <-b.done:
		default:
			r.events.emit(JobPolled{Host: b.host, ID: b.id})
			<-b.done
		}
		if b.asked || !b.res.failed && !b.res.unreachable {
			continue
		}
		msg, _ := value.Str(valueOf(b.res.data, "msg"))
		if b.res.noLog {
			msg = censored
		}
		r.events.emit(Warning{Text: fmt.Sprintf("%s: the job %s (%s, %s) failed and no async_status asked for it: %s",
			b.host, b.id, b.task, b.pos, msg)})
	}
}
