package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// worker is one shell on the host that runs commands one after the other, as one identity. It
// reads program text from its stdin, so the login shell and sudo are paid once and nothing of a
// command shows in ps. The shell of a command that needs a session of its own is the same
// thing with another beginning.
type worker struct {
	sess  session
	link  link
	token string
	out   frames
	errs  frames
	pid   atomic.Int64 // of the shell; 0 until its hello was read
	pipes bool         // its printf is a builtin, so that stdin may travel in the text
	once  bool         // the shell of one command
	flows bool         // its stdout is the command's up to the end, and only stderr has a mark there
	tty   bool         // both streams are one

	greeted bool
	dead    atomic.Bool
}

// errNotStarted says for sure that a command never began: the shell was gone before. errSpoilt is the same of a shell
// that takes no more since the command before left a process behind.
var (
	errNotStarted = errors.New("the remote shell ended before the command began")
	errSpoilt     = fmt.Errorf("a process was left behind: %w", errNotStarted)
)

// helloError is a shell that never came up.
type helloError struct {
	said string // what came instead
	err  error
}

func (e *helloError) Error() string { return fmt.Sprintf("start a shell: %v: %s", e.err, e.said) }
func (e *helloError) Unwrap() error { return errNotStarted }

func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// bootstrap is the constant text of a shell that runs once: it takes one line of program from its
// stdin, and no byte more, so that what follows is left to the command.
const bootstrap = `IFS= read -r h_l;eval "$h_l"`

// loader is that line: it reads a program up to the line end and runs it.
func loader(end string) string {
	return `h_n=$(printf '\nx');h_n=${h_n%x};h_p=;while IFS= read -r h_l&&[ "$h_l" != ` + end +
		` ];do h_p=$h_p$h_l$h_n;done;eval "$h_p"` + "\n"
}

// greeting makes the shell ready and lets it say what it can do. What rc files printed comes before it and is dropped.
func greeting(token string) string {
	return setUp +
		"h_c=p;case $(command -v printf) in /*) h_c=;;esac\n" + leftovers +
		"printf '" + token + "H%s:%s;' \"$$\" \"$h_c\" >&3;printf '" + token + "H;' >&4\n"
}

// startLimit bounds how long a login shell may take before its first answer: heavy rc files take seconds.
const startLimit = 60 * time.Second

// leftovers defines h_left, which runs after the answer and lets the shell take no more when the command that ran since h_a was read left a
// process behind, whose output must not mix with a later command's: one of the
// shell's session (proc(5)) that is neither the shell nor what started it. Mostly no other process began meanwhile, or few did: the
// last field of /proc/loadavg is the number of the newest one. Where it did not even count the command itself (lxcfs keeps old
// numbers), or many began, all are looked at. It forks nothing. Without /proc a command counts as having left something.
const leftovers = `h_stat(){ h_x=;read -r h_x <"/proc/$1/stat"||return 1;h_x=${h_x##*) };set -- $h_x;h_z=$1 h_u=$2 h_i=$4;}
h_last(){ h_b=;read -r h_x h_x h_x h_x h_b </proc/loadavg;}
h_k=" $$ ";h_d=;if h_stat $$;then h_d=$h_i;while h_stat "$h_u"&&[ "$h_i" = "$h_d" ];do h_k="$h_k$h_u ";done;fi
h_mine(){ case $h_k in *" $1 "*) return 1;;esac;h_stat "$1"&&[ "$h_i" = "$h_d" ]&&[ "$h_z" != Z ]&&h_l=1;}
h_left(){ h_l=;[ "$h_d" ]||h_l=1;h_last
if [ "$h_a" -lt "$h_b" ]&&[ $((h_b-h_a)) -le 300 ];then
while [ -z "$h_l" ]&&[ "$h_a" -lt "$h_b" ];do h_a=$((h_a+1));[ ! -e "/proc/$h_a" ]||h_mine "$h_a";done
else for h_y in /proc/[0-9]*;do [ -z "$h_l" ]||break;h_mine "${h_y#/proc/}";done
fi;[ -z "$h_l" ]||{ printf '%sR;' "$1" >&3;while read -r h_x;do :;done;exit;};}
`

// hello reads the answer to greeting.
func (w *worker) hello() error {
	if w.greeted {
		return nil
	}
	patience := time.AfterFunc(startLimit, func() { _ = w.sess.kill() })
	defer patience.Stop()
	before := &tail{}
	m, err := w.out.next(before)
	switch {
	case err != nil && !w.tty:
		_, _ = io.Copy(before, io.MultiReader(bytes.NewReader(w.errs.buf), w.errs.r))
	case err == nil && w.tty:
		_, err = w.out.next(nil)
	case err == nil:
		_, err = w.errs.next(before)
	}
	pid, caps, _ := strings.Cut(m.text, ":")
	n, convErr := strconv.ParseInt(pid, 10, 64)
	if err == nil {
		err = convErr
	}
	if err != nil {
		w.dead.Store(true)
		return &helloError{said: before.String(), err: err}
	}
	w.pid.Store(n)
	w.pipes = strings.Contains(caps, "p")
	w.greeted = true
	return nil
}

// result is how a command ended.
type result struct {
	status int
}

// run sends one program and reads its answer. It blocks until the answer is whole or the session is
// closed; started is called when the command began. Errors: errSpoilt, errNotStarted, ErrLost, or *sinkError
// with a result that holds all the same.
func (w *worker) run(text string, stdout, stderr io.Writer, started func()) (result, error) {
	if err := w.begin(text); err != nil {
		return result{}, err
	}
	started()
	var errErr error
	var errMark mark
	errDone := make(chan struct{})
	if w.tty {
		close(errDone)
	} else {
		go func() {
			defer close(errDone)
			errMark, errErr = w.errs.next(stderr)
		}()
	}
	m, outErr := w.output(stdout)
	if w.tty && (outErr == nil || isSink(outErr)) {
		_, errErr = w.out.next(nil)
	}
	if outErr != nil && !isSink(outErr) {
		_ = w.sess.close() // the other stream cannot come to its mark either
	}
	<-errDone
	if w.flows {
		m = errMark
	}
	w.out.rest()
	w.errs.rest()
	for _, err := range []error{outErr, errErr} {
		if err != nil && !isSink(err) {
			return result{}, w.fail(ErrLost, err)
		}
	}
	n, err := strconv.Atoi(m.text)
	if m.kind != 'E' || err != nil {
		return result{}, w.fail(ErrLost, fmt.Errorf("unexpected mark %q", m.kind))
	}
	return result{status: n}, errors.Join(outErr, errErr)
}

// output copies the command's stdout up to its end.
func (w *worker) output(stdout io.Writer) (mark, error) {
	if w.flows {
		return mark{}, w.out.flow(stdout)
	}
	return w.out.next(stdout)
}

// begin sends the program and reads that it began. The first one does not wait for the shell's hello.
func (w *worker) begin(text string) error {
	if _, err := io.WriteString(w.sess.stdin(), text); err != nil && w.greeted {
		return w.fail(errNotStarted, err)
	}
	if err := w.hello(); err != nil {
		return err
	}
	m, err := w.out.next(nil)
	if err != nil {
		return w.fail(errNotStarted, err)
	}
	if m.kind == 'R' {
		return w.fail(errSpoilt, io.EOF)
	}
	if m.kind != 'S' {
		return w.fail(ErrLost, fmt.Errorf("unexpected mark %q", m.kind))
	}
	return nil
}

// fail marks the worker as useless. How its shell ended is part of the message when that is known.
func (w *worker) fail(what, why error) error {
	w.dead.Store(true)
	if errors.Is(why, io.EOF) {
		return what
	}
	return fmt.Errorf("%w: %w", what, why)
}

func isSink(err error) bool {
	_, ok := errors.AsType[*sinkError](err)
	return ok
}

// retire ends the shell. A child that was left behind keeps running; what it prints from
// now on goes nowhere.
func (w *worker) retire() {
	w.dead.Store(true)
	_ = w.sess.close()
}

// tail keeps the last 2 KiB of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p[max(0, len(p)-2048):]...)
	t.b = t.b[max(0, len(t.b)-2048):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}

// Ending a command: the signal TERM, then KILL after killGrace, then the whole session. killLimit bounds how long sending
// a signal may take: on a busy host sudo alone needs seconds.
const (
	killGrace = 2 * time.Second
	killLimit = 15 * time.Second
)

// killScript sends signal $2 to everything below the shell $1 and to everything else of its session, but for what started
// the shell (sudo), with $3 to the shell itself too. KILL is sent until nothing new is found, since a process may fork
// meanwhile; TERM once, since what begins after it may be clearing up. $4 is how many seconds it waits first for all to be gone.
// It reads /proc with builtins and forks nothing but that wait.
const killScript = `look() { read -r line <"/proc/$1/stat" || return 1; set -- ${line##*) }; state=$1 parent=$2 session=$4; }
find() {
	tree=" $1 " found= more=1
	while [ -n "$more" ]; do
		more=
		for f in /proc/[0-9]*; do
			pid=${f#/proc/}
			case $tree$kin in *" $pid "*) continue;; esac
			look "$pid" || continue
			[ "$state" != Z ] || continue
			if [ "$session" != "$own" ]; then case $tree in *" $parent "*) ;; *) continue;; esac; fi
			tree="$tree$pid " found="$found $pid" more=1
		done
	done
}
exec 2>/dev/null
kin=" $1 " own=$1
if look "$1"; then
	own=$session
	while look "$parent" && [ "$session" = "$own" ]; do kin="$kin${line%% *} "; done
fi
wait=$4
while [ "$wait" -gt 0 ]; do
	find "$1"
	[ -n "$found" ] || { [ -n "$3" ] && look "$1"; } || exit 0
	sleep 1
	wait=$((wait-1))
done
seen=" "
[ -z "$3" ] || kill "-$2" "$1"
while :; do
	find "$1"
	new=
	for pid in $found; do
		case $seen in *" $pid "*) continue;; esac
		seen="$seen$pid " new=1
		kill "-$2" "$pid"
	done
	[ -n "$new" ] && [ "$2" = 9 ] || exit 0
done`

// killer runs killScript as the worker's identity, in another session.
type killer func(ctx context.Context, pid int64, signal int, wait time.Duration) error

// interrupt ends what the worker runs, gently first, and returns when it ended or was cut off. What the command started
// besides ends with it. It reports whether it did anything: a command may have ended at the same moment.
func (w *worker) interrupt(ctx context.Context, ended <-chan struct{}, kill killer) bool {
	select {
	case <-ended:
		return false
	default:
	}
	ctx, stop := context.WithTimeout(ctx, killLimit)
	defer stop()
	pid := w.pid.Load()
	if pid == 0 || kill == nil || kill(ctx, pid, 15, 0) != nil {
		w.cut()
		return true
	}
	if w.once {
		_ = w.sess.stdin().Close() // whoever started to read just now sees the end
	}
	wait := killGrace
	select {
	case <-ended:
	case <-time.After(killGrace):
		wait = 0
	}
	if kill(ctx, pid, 9, wait) != nil {
		w.cut()
		return true
	}
	select {
	case <-ended:
	case <-time.After(killGrace):
		w.cut()
	}
	return true
}

// cut ends the session with whatever it still runs.
func (w *worker) cut() {
	w.dead.Store(true)
	_ = w.sess.kill()
}
