package modules

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Reconciler is look, decide, change, look again for a state S, which Parse makes of what Probe tells. Most
// modules that bring something into a state are one Reconciler.
type Reconciler[S any] struct {
	// First are actions that are done each time before the host is looked at, in the same round trip, because what there is to see
	// may depend on them (daemon-reload). They do not go with Lock.
	First []Action
	// Probe is a constant script that only looks, run with Args; it tells by say, tell and show (Report). What it prints
	// must not change by itself (no clocks, no counters) when Lock is set.
	Probe string
	Args  []string
	// Parse makes the state of what the probe told.
	Parse func(*Report) (S, error)
	// Plan gives the actions that lead from a state to what is asked; none when nothing is to do. It has no other effects
	// and is called again on the state after the change.
	Plan func(S) ([]Action, error)
	// Before, when set, is asked once there is something to do and before it is done, in check mode too: it may look elsewhere, at
	// other hosts, and refuse. It changes nothing.
	Before func(context.Context, S) error
	// Diff, when set, gives the difference between the states before and after, in check mode to what Want makes of the
	// state before.
	Diff func(before, after S) []Diff
	// Want, when set, gives the state that the plan leads to, for the diff and the result of check mode.
	Want func(S) S
	// Lock, when set, names a lock on the host ("libvirt", "fstab") that is held while it changes. Under it the probe runs
	// once more, and when it tells something else than before, the plan is made anew.
	Lock string
	// LockFor, when set, gives the lock by what was found, so that those who work on different things do not wait for each other.
	LockFor func(S) string
}

// maxReplans is how often a plan is made anew because somebody else changed the host meanwhile. Of several that change the same
// thing at once, as the items of a parallel loop may, one gets through each time.
const maxReplans = 32

// errStale says that the host is no longer as it was probed.
var errStale = errors.New("the host changed while it was being looked at")

// ConvergeError says that all changes ran well and that the host still is not as asked.
type ConvergeError struct {
	Left []Action // what would still be to do
}

func (e *ConvergeError) Error() string {
	whys := make([]string, len(e.Left))
	for i, a := range e.Left {
		whys[i] = a.Why
	}
	return "did not converge: every change succeeded, and yet it remains to " + strings.Join(whys, ", ")
}

// Reconcile brings the host to the state that Plan leads to: one round trip when nothing is to do, two
// otherwise. For a module that Converges the plan on the state after must be empty (*ConvergeError).
// In check mode it returns ErrPlanned and the state that Want gives.
func Reconcile[S any](ctx context.Context, h *Host, r Reconciler[S]) (before, after S, err error) {
	for range maxReplans {
		before, after, err = reconcileOnce(ctx, h, r)
		if !errors.Is(err, errStale) {
			return before, after, err
		}
	}
	return before, after, err
}

func reconcileOnce[S any](ctx context.Context, h *Host, r Reconciler[S]) (before, after S, err error) {
	seen, err := r.look(ctx, h)
	if err != nil {
		return before, after, err
	}
	if before, err = r.Parse(seen); err != nil {
		return before, before, err
	}
	actions, err := r.Plan(before)
	if err != nil || len(actions) == 0 {
		return before, before, err
	}
	if r.Before != nil {
		if err := r.Before(ctx, before); err != nil {
			return before, before, err
		}
	}
	if h.opts.Check {
		h.plan(actions)
		after = before
		if r.Want != nil {
			after = r.Want(before)
		}
		r.diff(h, before, after)
		return before, after, ErrPlanned
	}
	lock := r.Lock
	if r.LockFor != nil {
		lock = r.LockFor(before)
	}
	told, err := h.changeAndProbe(ctx, actions, request{lock: lock, probe: r.Probe, args: r.Args}, seen)
	if err != nil {
		return before, before, err
	}
	if after, err = r.Parse(told); err != nil {
		return before, after, fmt.Errorf("look at the host again: %w", err)
	}
	r.diff(h, before, after)
	if !h.converge {
		return before, after, nil
	}
	left, err := r.Plan(after)
	if err == nil && len(left) > 0 {
		err = &ConvergeError{left}
	}
	return before, after, err
}

// look does what is to be done first and probes.
func (r Reconciler[S]) look(ctx context.Context, h *Host) (*Report, error) {
	if len(r.First) > 0 && !h.opts.Check {
		return h.changeAndProbe(ctx, r.First, request{probe: r.Probe, args: r.Args}, nil)
	}
	if len(r.First) > 0 {
		h.plan(r.First)
	}
	return h.Probe(ctx, r.Probe, r.Args...)
}

func (r Reconciler[S]) diff(h *Host, before, after S) {
	if r.Diff == nil || !h.opts.Diff {
		return
	}
	h.diffs = append(h.diffs, r.Diff(before, after)...)
}

// changeAndProbe runs the actions, and the probe after the last of them, in as many requests as there are actions with
// standard input, which mostly is one. The first compares with what was seen, the last probes.
func (h *Host) changeAndProbe(ctx context.Context, actions []Action, req request, seen *Report) (*Report, error) {
	var parts [][]Action
	for part := range batches(actions) {
		parts = append(parts, part)
	}
	for i, part := range parts {
		this := request{lock: req.lock}
		if i == len(parts)-1 {
			this.probe, this.args = req.probe, req.args
		}
		if i == 0 && req.lock != "" {
			this.seen, this.probe, this.args = seen, req.probe, req.args
		}
		_, told, err := h.apply(ctx, part, this)
		if err != nil {
			return nil, err
		}
		if i == len(parts)-1 {
			if told == nil {
				return nil, errors.New("look at the host again: the probe told nothing")
			}
			return told, nil
		}
	}
	return nil, nil
}

// lockScript takes the lock named __lock, with flock where there is one and a folder otherwise, for at most a minute. Locks lie in
// a folder of the user's own, for in one that everybody may write to a link could lead us to make any file.
const lockScript = `if [ -w /run ]; then __dir=/run/hostler; else __dir=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/hostler-$(id -u); fi
[ -d "$__dir" ] || (umask 077; mkdir "$__dir" 2>/dev/null) || :
if [ ! -d "$__dir" ] || [ -L "$__dir" ] || [ ! -O "$__dir" ]; then
	echo "lock $__lock: $__dir must be a folder of the user's own: remove what is there" >&2; exit 76
fi
if command -v flock >/dev/null 2>&1; then
	exec 9>>"$__dir/hostler-$__lock.lock" && flock -w 60 9 || { echo "lock $__lock: somebody else holds it for a minute now" >&2; exit 76; }
else
	__n=0
	until mkdir "$__dir/hostler-$__lock.d" 2>/dev/null; do
		__n=$((__n + 1)); [ "$__n" -lt 60 ] || { echo "lock $__lock: somebody else holds $__dir/hostler-$__lock.d for a minute now" >&2; exit 76; }
		sleep 1
	done
	trap 'rmdir "$__dir/hostler-$__lock.d"' EXIT
	trap 'exit 1' HUP INT TERM
fi
`

// digest is what sha1sum prints for data on standard input. Busybox may be built without cksum.
func digest(data []byte) string {
	sum := sha1.Sum(data)
	return hex.EncodeToString(sum[:]) + "  -"
}
