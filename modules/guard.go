package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/transport"
)

// Guard takes a change back that cuts the way by which we came, as a rule of a firewall can. The host keeps what was, and takes the
// change back by itself unless it hears from us within twenty seconds. After the change we connect anew, as the next run will, and only
// then tell it to leave the change. Where there is no connection that could be lost a Guard does nothing.
type Guard struct {
	// Why says in a few words what is guarded: "the rules of table filter".
	Why string
	// Save and Undo are constant scripts that run with Args in a folder of their own: Save before the change, Undo to take it back.
	Save, Undo string
	Args       []string

	name string
}

const (
	// guardSeconds is how long the host waits for us, guardConnect how long we try to reach it meanwhile. What TCP sends again after
	// a cut of this length comes before the 45 seconds of silence after which a connection counts as lost.
	guardSeconds = "20"
	guardConnect = 10 * time.Second
)

// guardPlace sets d, the folder of the guard named $1. It is made anew each time, so that nobody can have laid it out before.
const guardPlace = `if [ -w /run ]; then d=/run; else d=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}; fi
d=$d/hostler-guard-$1; shift
`

// guardArm begins the script that arms; save, guardUndo, undo and guardWatch follow. The watcher ends soon after its folder is gone.
const (
	guardArm  = guardPlace + "seconds=$1; shift\numask 077\nmkdir -- \"$d\" && cd -- \"$d\" || exit 1\n(\n"
	guardUndo = "\n) || { rm -rf -- \"$d\"; echo 'keep what there is for the way back' >&2; exit 1; }\ncat >undo <<'END_OF_UNDO'\n"
	// mkdir tells apart who came first, we or the watcher.
	guardWatch = `
END_OF_UNDO
own=
if command -v setsid >/dev/null 2>&1; then own=setsid; else trap '' HUP; fi
$own sh -c 'n=$1; shift
while [ "$n" -gt 0 ]; do [ -d "$0" ] || exit 0; sleep 1; n=$((n - 1)); done
cd -- "$0" && mkdir claimed 2>/dev/null && sh ./undo "$@" >said 2>&1 && mkdir undone' "$d" "$seconds" "$@" </dev/null >/dev/null 2>&1 &
`
	// guardSettle: name, what to do ("keep" or "undo"), the arguments of undo.
	guardSettle = guardPlace + `what=$1; shift
cd -- "$d" 2>/dev/null || exit 4
if ! mkdir claimed 2>/dev/null; then
	n=30
	until [ -d undone ] || [ "$n" = 0 ]; do sleep 1; n=$((n - 1)); done
	[ -d undone ] || { echo "it could not be taken back: $(cat said 2>/dev/null)" >&2; exit 1; }
	rm -rf -- "$d"
	exit 3
fi
if [ "$what" = undo ]; then sh ./undo "$@"; else :; fi
rc=$?
rm -rf -- "$d"
exit $rc
`
)

// Arm puts the guard before actions. It gives them as they are when there are none, or no connection that could be lost.
func (g *Guard) Arm(h *Host, actions []Action) []Action {
	if c, ok := h.opts.Conn.(transport.Reconnecter); !ok || !c.Remote() || len(actions) == 0 {
		return actions
	}
	if g.name == "" {
		g.name = strings.TrimLeft(NewMark(), "@")
	}
	arm := Action{
		Why: "be ready to take back " + g.Why, Script: guardArm + g.Save + guardUndo + g.Undo + guardWatch,
		Args: append([]string{g.name, guardSeconds}, g.Args...),
	}
	return append([]Action{arm}, actions...)
}

// CutError says that a change was taken back because it cut the way to the host.
type CutError struct {
	Why   string
	Cause error
}

func (e *CutError) Error() string {
	return fmt.Sprintf("%s: with this change the host cannot be reached any more (%v), so it was taken back; let the port of the SSH session in first, or set accept_lockout: true",
		e.Why, e.Cause)
}

// Settle ends what Arm began: it connects anew and keeps the change, or takes it back and gives a *CutError. It also takes the change
// back when err is one of the change itself. Without Arm, and in check mode, it gives err.
func (g *Guard) Settle(ctx context.Context, h *Host, err error) error {
	again, ok := h.opts.Conn.(transport.Reconnecter)
	if g.name == "" || !ok || h.opts.Check || errors.Is(err, ErrPlanned) {
		return err
	}
	if err != nil {
		return errors.Join(err, g.settle(ctx, h, "undo"))
	}
	limited, cancel := context.WithTimeout(ctx, guardConnect)
	defer cancel()
	if cut := again.Reconnect(limited); cut != nil {
		if ctx.Err() != nil {
			return cut
		}
		return errors.Join(&CutError{g.Why, errors.New(cut.Error())}, g.settle(ctx, h, "undo"))
	}
	return g.settle(ctx, h, "keep")
}

// settle tells the host what shall become of the change.
func (g *Guard) settle(ctx context.Context, h *Host, what string) error {
	cmd := transport.Command{Script: prelude + guardSettle, Args: append([]string{g.name, what}, g.Args...), Env: h.toolEnv(nil)}
	out, err := h.opts.Conn.Exec(ctx, cmd)
	switch {
	case err == nil:
		return nil
	case out.Status == 3 && what == "undo", out.Status == 4 && what == "undo":
		return nil // the host was faster, or never was ready
	case out.Status == 3:
		return &CutError{g.Why, errors.New("the host heard nothing for " + guardSeconds + " seconds")}
	}
	return fmt.Errorf("%s: tell the host to %s the change: %w", g.Why, what, err)
}
