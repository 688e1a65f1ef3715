package transport

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
)

// Some tools insist on a terminal: sudo with requiretty, doas and old su for the password. A terminal would mix
// stdout with stderr and is not binary, so it does the authenticating only. Our shell's streams go through
// FIFOs to a second, plain session.

// wantsTerminal reports whether an escalation failed for want of a terminal.
func wantsTerminal(said string) bool {
	for _, text := range []string{
		"must have a tty", "a tty is required", "must be run from a terminal", "no tty present", "a terminal is required",
	} {
		if strings.Contains(said, text) {
			return true
		}
	}
	return false
}

// bridgeScript makes FIFOs under the name $1 in the new folder $2 and carries bytes between them and its own session,
// once it is told to by an empty line; $3 marks that the FIFOs are there. The folder cannot be listed and the name is random, so that the other user may open
// them and nobody else can; they are gone as soon as both ends are open.
const bridgeScript = `umask 077
mkdir -m 711 -- "$2" || exit
o= e=
trap 'rm -rf -- "$2"; [ -z "$o" ] || kill $o $e 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
mkfifo -m 666 -- "$1.i" "$1.o" "$1.e" || exit
cat <"$1.o" & o=$!
cat <"$1.e" >&2 & e=$!
printf "$3R;" >&2
IFS= read -r go || exit
(sleep 20; [ -d "$2" ] && { rm -rf -- "$2"; kill "$$"; }) >/dev/null 2>&1 </dev/null & # the other end never came
exec 5>"$1.i"
rm -rf -- "$2"
cat >&5
exec 5>&-
wait "$o" "$e"
o= e=`

// escalateOnTerminal is escalate with a terminal for the tool's questions.
func (m *machine) escalateOnTerminal(ctx context.Context, b Become, req startRequest) (_ *worker, err error) {
	folder := "/tmp/.hostler-" + newToken()
	name := folder + "/" + newToken()
	done, err := m.pairs.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	w, err := m.openBridge(ctx, folder, name)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = w.sess.close() })
	defer stop()
	defer func() {
		if err != nil {
			w.retire()
		}
	}()
	// The FIFOs' name comes by the terminal: in a command line all users could read it.
	line, err := shell.Join("/bin/sh", "-c", "stty -echo;IFS= read -r h_f;exec "+req.line+` >"$h_f.o" 2>"$h_f.e" <"$h_f.i"`)
	if err != nil {
		return nil, err
	}
	req.line, req.tty = line, true
	tool, err := m.escalate(ctx, b, req, true)
	if err != nil {
		return nil, err
	}
	plain := w.sess
	w.sess = &bridged{session: plain, tool: tool.sess}
	go func() {
		_, _ = io.Copy(io.Discard, tool.out.all())
		_ = tool.sess.wait()
		_ = plain.stdin().Close() // the shell is gone, however it ended: the bridge passes on what it said, and ends
	}()
	if _, err := io.WriteString(tool.sess.stdin(), name+"\n"); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	if _, err := io.WriteString(w.sess.stdin(), "\n"); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	return w, nil
}

// openBridge starts the plain session and waits until its FIFOs are there.
func (m *machine) openBridge(ctx context.Context, folder, name string) (*worker, error) {
	line, err := shell.Join("/bin/sh", "-c", bootstrap)
	if err != nil {
		return nil, err
	}
	w, err := m.start(ctx, startRequest{line: "exec " + line})
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = w.sess.close() })
	defer stop()
	args, err := shell.Join(name, folder, w.token)
	if err != nil {
		return nil, err
	}
	end := w.token + "P"
	text := "set -- " + args + "\nprintf '" + w.token + "R;'\n" + bridgeScript + "\n"
	if _, err := io.WriteString(w.sess.stdin(), loader(end)+text+end+"\n"); err != nil {
		w.retire()
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	before := &tail{}
	for _, f := range []*frames{&w.out, &w.errs} {
		if _, err := f.next(before); err != nil {
			w.retire()
			return nil, &helloError{said: before.String(), err: err}
		}
	}
	return w, nil
}

// bridged is a session whose streams and whose program are in two sessions.
type bridged struct {
	session
	tool session // holds the terminal
}

func (b *bridged) wait() error { return b.tool.wait() }

func (b *bridged) kill() error {
	err := b.tool.kill()
	_ = b.session.close()
	return err
}

func (b *bridged) close() error {
	err := b.session.close()
	_ = b.tool.close()
	return err
}
