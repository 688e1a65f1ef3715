package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/shell"
)

// passwordLimit is how long sudo, su or doas may take to let us in, as in Ansible.
const passwordLimit = 12 * time.Second

// maxSaid bounds how much of a tool's complaint is read.
const maxSaid = 4 << 10

// escalation is one call of sudo, su or doas.
type escalation struct {
	line   string // for the login shell
	prompt string // that we chose; "" where the tool has its own
	// marker is printed by our shell on each of its streams once it runs, with its number and a semicolon. It is "" where nobody will ask
	// for a password: what is sent at once then reaches our shell.
	marker string
}

// escalationFor is the command line that runs a line of ours as another user. It is constant but for
// random marks: no password, nothing of a command. wait asks for a marker in any case.
func escalationFor(b Become, req startRequest, wait bool) (escalation, error) {
	e := escalation{}
	flags := b.Flags
	switch b.Method {
	case "sudo":
		if len(flags) == 0 {
			flags = []string{"-H", "-S", "-n"}
		}
	case "doas":
		if len(flags) == 0 {
			flags = []string{"-n"}
		}
	case "su":
		wait = true
	default:
		return e, fmt.Errorf("unknown become method %q: sudo, su and doas are known", b.Method)
	}
	if !b.Password.IsZero() {
		flags = withoutFlag(flags, 'n')
	}
	line := "exec " + req.line
	if wait || b.Method == "su" || !hasFlag(flags, 'n') {
		e.marker = newToken()
		mark := "printf '%s%s;' " + e.marker + " $$"
		if !req.tty {
			mark += ";" + mark + " >&2"
		}
		line = mark + ";" + line
	}
	if b.Method == "sudo" && !hasFlag(flags, 'n') {
		e.prompt = "[sudo via hostler, key=" + newToken() + "] password:"
		flags = append(slices.Clip(flags), "-p", e.prompt)
	}
	joined, err := b.commandLine(flags, "unset LC_MESSAGES;"+line)
	if err != nil {
		return e, err
	}
	// The tool's messages in English, not those of the commands after it.
	e.line = "exec env LC_MESSAGES=C " + joined
	return e, nil
}

func (b Become) commandLine(flags []string, line string) (string, error) {
	argv := append([]string{b.exe()}, flags...)
	if b.Method != "su" {
		return shell.Join(append(argv, "-u", b.user(), "/bin/sh", "-c", line)...)
	}
	// The target's login shell gets the text after -c, whatever shell that is.
	inner, err := shell.Join("/bin/sh", "-c", line)
	if err != nil {
		return "", err
	}
	return shell.Join(append(argv, b.user(), "-c", "exec "+inner)...)
}

func (b Become) user() string {
	if b.User == "" {
		return "root"
	}
	return b.User
}

func (b Become) exe() string {
	if b.Exe == "" {
		return b.Method
	}
	return b.Exe
}

func hasFlag(flags []string, letter byte) bool {
	return slices.ContainsFunc(flags, func(f string) bool {
		return len(f) > 1 && f[0] == '-' && f[1] != '-' && strings.IndexByte(f, letter) > 0
	})
}

func withoutFlag(flags []string, letter byte) []string {
	var kept []string
	for _, f := range flags {
		if hasFlag([]string{f}, letter) {
			f = strings.ReplaceAll(f, string(letter), "")
		}
		if f != "-" {
			kept = append(kept, f)
		}
	}
	return kept
}

// escalate starts a line as another user and answers the tool's question for a password. Nothing is
// sent ahead where a tool may ask: su reads more of its stdin than the password.
func (m *machine) escalate(ctx context.Context, b Become, req startRequest, wait bool) (*worker, error) {
	e, err := escalationFor(b, req, wait)
	if err != nil {
		return nil, err
	}
	req.line = e.line
	w, err := m.start(ctx, req)
	if err != nil || e.marker == "" {
		return w, err
	}
	limit, cancel := context.WithTimeout(ctx, passwordLimit)
	defer cancel()
	stop := context.AfterFunc(limit, func() { _ = w.sess.kill() })
	defer stop()
	err = w.authenticate(b, e)
	if err == nil {
		return w, nil
	}
	w.retire()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case limit.Err() != nil:
		err = b.refused(fmt.Sprintf("Timeout (%s) waiting for privilege escalation prompt", passwordLimit), err.Error())
	}
	return nil, err
}

// ownPrompts are the questions of tools whose prompt we cannot choose, in the languages of a PAM that
// ignores the locale we ask for.
var ownPrompts = regexp.MustCompile(`(?i)(password|пароль|mot de passe|passwort|kennwort|contraseña|senha|wachtwoord|hasło|heslo|` +
	`parola|jelszó|salasana|lösenord|adgangskode|passord|密码|密碼|口令|パスワード|암호|şifre|סיסמה|كلمة)[^\n]*[:\x{ff1a}]\s*$`)

// asks reports whether what the tool said since the last answer ends in its question.
func (e escalation) asks(said []byte) bool {
	if e.prompt != "" {
		return bytes.Contains(said, []byte(e.prompt))
	}
	return ownPrompts.Match(said)
}

// through reports whether the whole mark is in what was said: the number of our shell and what it said since.
func (e escalation) through(said []byte) (pid int64, rest []byte, ok bool) {
	_, said, _ = bytes.Cut(said, []byte(e.marker))
	number, rest, _ := bytes.Cut(said, []byte(";"))
	pid, err := strconv.ParseInt(string(number), 10, 64)
	return pid, rest, err == nil
}

// authenticate reads until our shell runs, and answers one question for the password.
func (w *worker) authenticate(b Become, e escalation) error {
	streams := []*frames{&w.out}
	if !w.tty {
		streams = append(streams, &w.errs)
	}
	said := make(chan saying, len(streams))
	for i, f := range streams {
		go hear(i, f.r, said)
	}
	var all []byte
	fresh := make([][]byte, len(streams))
	answered, passed := false, 0
	for open := len(streams); open > 0; {
		c := <-said
		fresh[c.stream] = append(fresh[c.stream], c.data...)
		if pid, rest, ok := e.through(fresh[c.stream]); ok {
			w.pid.Store(pid)
			streams[c.stream].buf = bytes.Clone(rest)
			passed++
			open--
			continue
		}
		all = append(all, c.data...)
		if e.asks(fresh[c.stream]) {
			if answered || b.Password.IsZero() {
				return b.wrongOrMissing(answered, string(all))
			}
			answered = true
			fresh[c.stream] = nil
			_, _ = io.WriteString(w.sess.stdin(), b.Password.Reveal()+"\n") // a tool that is gone ends the streams
		}
		if c.err != nil {
			open--
			continue
		}
		go hear(c.stream, streams[c.stream].r, said)
	}
	if passed == len(streams) {
		return nil
	}
	if w.tty { // a server that gives no terminal keeps what the tool says on stderr
		rest, _ := io.ReadAll(io.LimitReader(w.errs.r, maxSaid))
		all = append(all, rest...)
	}
	text := strings.TrimSpace(string(all))
	if e.prompt != "" {
		text = strings.TrimSpace(strings.ReplaceAll(text, e.prompt, "\n"))
	}
	if refused := b.refusal(text, answered); refused != nil {
		return refused
	}
	return &helloError{said: text, err: io.ErrUnexpectedEOF}
}

// saying is what one read of a stream gave.
type saying struct {
	stream int
	data   []byte
	err    error
}

// hear reads once, so that nothing after the marker is read beside its later reader.
func hear(stream int, r io.Reader, said chan<- saying) {
	buf := make([]byte, smallRead)
	n, err := r.Read(buf)
	said <- saying{stream, buf[:n], err}
}

// wrongOrMissing is a question that we cannot answer, or not again.
func (b Become) wrongOrMissing(answered bool, said string) error {
	if answered {
		return b.refused(incorrectPassword(b.Method), said)
	}
	return b.refused(missingPassword(b.Method), said)
}

func (b Become) refused(reason, said string) *BecomeError {
	return &BecomeError{Method: b.Method, User: b.user(), Reason: reason, Output: strings.TrimSpace(said)}
}

// refusal reads what came in place of a shell; nil when that was nothing, or nobody had to let us in.
func (b Become) refusal(said string, answered bool) error {
	if b.Method == "" || said == "" && !answered {
		return nil
	}
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(said, p) })
	}
	switch {
	case wantsTerminal(said):

	case has("a password is required", "Authorization required", "Authentication required", "no password was provided"):
		return b.wrongOrMissing(answered, said)
	case has("Sorry, try again", "incorrect password attempt", "Authentication failure", "Authentication failed", "Authorization failed"):
		return b.wrongOrMissing(true, said)
	case has("command not found", b.exe()+": not found", "env: '"+b.exe()+"'", "env: ‘"+b.exe()+"’", "can't execute '"+b.exe()+"'"):
		return b.refused(b.exe()+": command not found", said)
	}
	if reason := b.complaint(said); reason != "" {
		return b.refused(reason, said)
	}
	return b.wrongOrMissing(answered, said)
}

// complaint is the line that says why: the tool's first, or else the last that is no question.
func (b Become) complaint(said string) string {
	last := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, path.Base(b.exe())+": ") {
			return line
		}
		if line != "" && !ownPrompts.MatchString(line) {
			last = line
		}
	}
	return last
}
