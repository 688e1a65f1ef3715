package run

import (
	"context"
	"errors"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
)

// ends opens the two ends of a task that goes from one host to another: from the controller, or where the task is delegated from that
// host, to the host that the task is for. Become is for the latter, or where both are one machine for that.
func (j *job) ends(ctx context.Context, s *vars.Scope, k *settings) (modules.Ends, error) {
	own := connector{j: j, h: j.h.hostVars, s: s, keys: s}
	near := connector{j: j, h: k.delegate, keys: s}
	if k.delegate != nil {
		own.s = j.b.scope(ctx, j.w, j.h.hostVars)
		near.s = j.b.scope(ctx, j.w, k.delegate)
	}
	far, err := own.endpoint(ctx)
	if err != nil {
		return modules.Ends{}, err
	}
	become, err := own.become(ctx)
	if err != nil {
		return modules.Ends{}, err
	}
	pool := j.b.r.o.Pool
	if k.delegate == nil && far.Kind == "local" || k.delegate != nil && k.delegate.name == j.h.name {
		one, err := pool.Open(ctx, far, become)
		return modules.Ends{Near: one, Controller: far.Kind == "local"}, err
	}
	from := transport.Endpoint{Name: "localhost", Kind: "local", Dir: j.b.play.dir}
	if k.delegate != nil {
		if from, err = near.endpoint(ctx); err != nil {
			return modules.Ends{}, err
		}
	}
	ends := modules.Ends{Controller: from.Kind == "local"}
	if ends.Near, err = pool.Open(ctx, from, transport.Become{}); err != nil {
		return modules.Ends{}, err
	}
	if ends.Far, err = pool.Open(ctx, far, become); err != nil {
		return modules.Ends{}, errors.Join(err, ends.Near.Close())
	}
	return ends, nil
}
