package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hostlerhq/hostler/transport"
)

// Program is a program of the user's, with the conditions on which it runs. All of it is one round trip.
type Program struct {
	// Argv is the program and its arguments; Raw in its place is text for the login shell, without any conditions.
	Argv []string
	Raw  string
	// Expand replaces $NAME, ${NAME}, ~ and ~user in Argv with what they mean on the host, as Ansible does for
	// the command module; paths below are always treated so.
	Expand bool
	Stdin  []byte // nil is /dev/null
	// Upload, when set, is a program's text: it is put into a temporary file named FileName, executable and removed afterwards,
	// whose path comes as one more argument after Argv. There is no Stdin then.
	Upload   []byte
	FileName string
	// ArgsFile, when set beside Upload, is the text of a second file, mode 0600, whose path comes after that.
	ArgsFile []byte
	// TellsCheck says that the program itself is told of check mode, and so runs in it.
	TellsCheck bool

	Chdir   string
	Creates string // a path or glob pattern: when it is there, the program does not run
	Removes string // a path or glob pattern: when it is not there, the program does not run
	Unless  string // a shell command: when it succeeds, the program does not run
	OnlyIf  string // a shell command: when it fails, the program does not run
}

// Ran is what became of a Program.
type Ran struct {
	transport.Output
	// Skip says why it did not run: "creates", "removes", "unless", "onlyif", or "check" in check mode; "" when it ran.
	Skip string
	// Errno and Path are why it could not be started: 2 no such file, 13 permission denied, 20 not a directory.
	// Chdir says that this was about the folder to run in.
	Errno int
	Path  string
	Chdir bool
}

// guardScript looks at a Program's conditions and becomes it. The first line that it prints says what it came to.
//
// Parameters: chdir, creates, removes, unless, onlyif, what to do ("check", "run", "expand", "upload", the last with the file's name and
// the length of the file of arguments, which comes first), argv.
const guardScript = `__dir=$1 __creates=$2 __removes=$3 __unless=$4 __onlyif=$5 __mode=$6 __file=$7 __args=$8; shift 8
unset CDPATH
` + ExpandLib + `
__glob() { (IFS=; set +f; for f in $1; do if [ -e "$f" ] || [ -L "$f" ]; then exit 0; fi; done; exit 1); }
__end() { printf '@@%s %s\n' "$1" "$2"; exit 0; }
if [ -n "$__dir" ]; then
	__expand "$__dir"; __dir=$__v
	case $__dir in /*) ;; *) __dir=./$__dir ;; esac
	if ! cd "$__dir" 2>/dev/null; then
		if [ -d "$__dir" ]; then __end chdir "13 $__v"; elif [ -e "$__dir" ]; then __end chdir "20 $__v"; else __end chdir "2 $__v"; fi
	fi
fi
if [ -n "$__creates" ]; then __expand "$__creates"; if __glob "$__v"; then __end skip creates; fi; fi
if [ -n "$__removes" ]; then __expand "$__removes"; if ! __glob "$__v"; then __end skip removes; fi; fi
if [ -n "$__unless" ]; then if (exec sh -c "$__unless") </dev/null >/dev/null 2>&1; then __end skip unless; fi; fi
if [ -n "$__onlyif" ]; then if ! (exec sh -c "$__onlyif") </dev/null >/dev/null 2>&1; then __end skip onlyif; fi; fi
[ "$__mode" != check ] || __end skip check
if [ "$__mode" = expand ]; then
	__i=$#
	while [ "$__i" -gt 0 ]; do __expand "$1"; shift; set -- "$@" "$__v"; __i=$((__i - 1)); done
fi
__where=
case $1 in
*/*) __where=$1 ;;
*)
	IFS=:; set -f
	for d in $PATH; do
		if [ -f "${d:-.}/$1" ] && [ -x "${d:-.}/$1" ]; then __where=${d:-.}/$1; break; fi
	done
	unset IFS; set +f ;;
esac
if [ -z "$__where" ] || [ ! -e "$__where" ]; then __end errno "2 $1"; fi
if [ -d "$__where" ] || [ ! -x "$__where" ]; then __end errno "13 $1"; fi
if [ "$__mode" != upload ]; then echo @@run; exec "$@"; fi
__tmp=
for d in "$TMPDIR" /tmp /var/tmp "$HOME"; do
	[ -d "$d" ] || continue
	__tmp=$(umask 077; mktemp -d "$d/hostler.XXXXXXXX" 2>/dev/null) || continue
	trap 'rm -rf -- "$__tmp"' EXIT
	trap 'exit 143' HUP INT TERM
	if : >"$__tmp/$__file" && chmod 700 "$__tmp/$__file" && [ -x "$__tmp/$__file" ]; then break; fi
	rm -rf -- "$__tmp"; __tmp=
done
[ -n "$__tmp" ] || __end upload "no folder for temporary files lets programs run"
cat >"$__tmp/$__file" || __end upload "cannot write $__tmp/$__file"
if [ "$__args" -gt 0 ]; then
	(umask 077; mv "$__tmp/$__file" "$__tmp/all" && head -c "$__args" "$__tmp/all" >"$__tmp/args" &&
		tail -c +"$((__args + 1))" "$__tmp/all" >"$__tmp/$__file" && chmod 700 "$__tmp/$__file" && rm "$__tmp/all") ||
		__end upload "cannot write $__tmp/$__file"
	echo @@run
	"$@" "$__tmp/$__file" "$__tmp/args" </dev/null
	exit
fi
echo @@run
"$@" "$__tmp/$__file" </dev/null
`

// ExpandLib defines __expand, which sets __v to its argument with variables and ~ replaced as Python's expandvars and
// expanduser do: one that is not in the environment stays as it is. Only names of variables and users ever reach eval. What a
// shell has for itself, as bash has UID and HOSTNAME, counts only where printenv knows it.
const ExpandLib = `__expand() {
	__v=; __s=$1
	while :; do
		case $__s in *'$'*) ;; *) __v=$__v$__s; break ;; esac
		__v=$__v${__s%%\$*}; __s=${__s#*\$}
		case $__s in
		'{'*'}'*) __n=${__s#?}; __n=${__n%%\}*}; __s=${__s#*\}}; __w="\${$__n}" ;;
		*) __n=${__s%%[!A-Za-z0-9_]*}; __s=${__s#"$__n"}; __w="\$$__n" ;;
		esac
		case $__n in
		''|[0-9]*|*[!A-Za-z0-9_]*|_|__*|PPID|IFS|OPT*|PS[124]) ;;
		BASH*|UID|EUID|HOSTNAME|HOSTTYPE|MACHTYPE|OSTYPE|GROUPS|RANDOM|SRANDOM|SECONDS|LINENO|DIRSTACK|EPOCH*|FUNCNAME|SHELLOPTS)
			! printenv "$__n" >/dev/null 2>&1 || __w=$(printenv "$__n") ;;
		*) eval "[ -z \"\${$__n+x}\" ] || __w=\$$__n" ;;
		esac
		__v=$__v$__w
	done
	case $__v in
	'~'|'~/'*) __v=${HOME-'~'}${__v#?} ;;
	'~'*)
		__n=${__v#?}; __n=${__n%%/*}
		case $__n in
		*[!A-Za-z0-9_.-]*) ;;
		*) eval "__w=~$__n"; [ "$__w" = "~$__n" ] || __v=$__w${__v#"~$__n"} ;;
		esac ;;
	esac
}`

// maxStdin is how much input travels with a command; more gets a session of its own.
const maxStdin = 32 << 10

// RunUser runs a program of the user's once. In check mode it only looks at the conditions. A status other than 0 is in the
// Output and no error. Its output is also told to whoever watches, as it comes.
func (h *Host) RunUser(ctx context.Context, p Program) (Ran, error) {
	check := h.opts.Check && !p.TellsCheck
	if h.opts.Executor != nil {
		return h.opts.Executor.RunUser(ctx, p, check)
	}
	switch {
	case h.opts.Ended != nil:
		return readGuard(h.opts.Ended.Output)
	case h.opts.Job != nil:
		return Ran{}, h.opts.Job.start(ctx, h, p)
	}
	cmd := transport.Command{Env: h.opts.Env, User: true}
	switch {
	case p.Raw != "" && check:
		return Ran{Skip: "check"}, nil
	case p.Raw != "":
		cmd.Raw = p.Raw
	default:
		cmd.Script, cmd.Args, cmd.Header = guardScript, p.params(check), true
	}
	input := p.input(check)
	if len(input) > maxStdin {
		cmd.Input = bytes.NewReader(input)
	} else {
		cmd.Stdin = input
	}
	var live *liveOutput
	if h.opts.Live != nil && !check && !h.opts.NoLog {
		live = &liveOutput{tell: h.opts.Live, header: p.Raw == ""}
		cmd.Stdout, cmd.Stderr = writerFunc(live.stdout), writerFunc(live.stderr)
	}
	out, err := h.opts.Conn.Exec(ctx, cmd)
	if _, isExit := errors.AsType[*transport.ExitError](err); err != nil && !isExit {
		return Ran{Output: out}, err
	}
	if live != nil {
		out.Stdout, out.Stderr = live.out.Bytes(), live.errs.Bytes()
		if live.cut {
			h.Warn("the output is longer than %d MiB: only its beginning is registered", transport.DefaultLimit>>20)
		}
	}
	h.spilled("stdout", out.StdoutFile)
	h.spilled("stderr", out.StderrFile)
	if p.Raw != "" {
		return Ran{Output: out}, nil
	}
	return readGuard(out)
}

// spilled warns of output that was too long to register, and says where the whole is.
func (h *Host) spilled(stream, file string) {
	if file != "" {
		h.Warn("%s is longer than %d MiB: only its beginning is registered. The whole is in %s until the run ends",
			stream, transport.DefaultLimit>>20, file)
	}
}

// params are guardScript's parameters.
func (p Program) params(check bool) []string {
	mode := "run"
	switch {
	case check:
		mode = "check"
	case p.Upload != nil:
		mode = "upload"
	case p.Expand && needsExpansion(p.Argv):
		mode = "expand"
	}
	length := strconv.Itoa(len(p.ArgsFile))
	return append([]string{p.Chdir, p.Creates, p.Removes, p.Unless, p.OnlyIf, mode, p.FileName, length}, p.Argv...)
}

// input is what guardScript reads, or the program itself.
func (p Program) input(check bool) []byte {
	if p.Upload != nil && !check {
		return slices.Concat(p.ArgsFile, p.Upload)
	}
	return p.Stdin
}

func needsExpansion(argv []string) bool {
	for _, a := range argv {
		if strings.HasPrefix(a, "~") || strings.Contains(a, "$") {
			return true
		}
	}
	return false
}

// readGuard reads the first line of guardScript's output.
func readGuard(out transport.Output) (Ran, error) {
	line, rest, _ := bytes.Cut(out.Stdout, []byte("\n"))
	word, detail, _ := strings.Cut(string(line), " ")
	r := Ran{Output: out}
	r.Stdout = rest
	switch word {
	case "@@run":
	case "@@skip":
		r.Skip = detail
	case "@@chdir", "@@errno":
		number, path, _ := strings.Cut(detail, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return r, fmt.Errorf("start the program: %q is not understood", line)
		}
		r.Errno, r.Path, r.Chdir = n, path, word == "@@chdir"
	case "@@upload":
		return r, fmt.Errorf("upload the script: %s: %s", detail, strings.TrimSpace(Clean(out.Stderr)))
	default:
		return r, fmt.Errorf("start the program: the host's shell answered %q, exit status %d: %s", line, out.Status, strings.TrimSpace(Clean(out.Stderr)))
	}
	return r, nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

var _ io.Writer = writerFunc(nil)

// liveOutput passes a program's output on as it comes, without guardScript's first line, and keeps its beginning.
type liveOutput struct {
	mu        sync.Mutex // the two streams come from two goroutines
	tell      func(stderr bool, chunk []byte)
	header    bool // the first line of stdout is still to come
	cut       bool
	out, errs bytes.Buffer
}

func (l *liveOutput) stdout(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(&l.out, p)
	body := p
	if l.header {
		_, after, found := bytes.Cut(p, []byte("\n"))
		l.header = !found
		body = after
	}
	if len(body) > 0 {
		l.tell(false, body)
	}
	return len(p), nil
}

func (l *liveOutput) stderr(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(&l.errs, p)
	l.tell(true, p)
	return len(p), nil
}

func (l *liveOutput) keep(to *bytes.Buffer, p []byte) {
	room := transport.DefaultLimit - to.Len()
	if len(p) > room {
		l.cut = true
		p = p[:room]
	}
	to.Write(p)
}

// Times gives when a program started and ended, in this machine's time zone, and how long it took, as Ansible writes them.
func (r Ran) Times() (start, end, delta string) {
	from := r.Start.Local()
	return pyTime(from), pyTime(from.Add(r.Duration)), pyDelta(r.Duration)
}

// pyTime is Python's str of a datetime, pyDelta that of a timedelta: microseconds only where there are any.
func pyTime(t time.Time) string {
	if t.Nanosecond()/1000 == 0 {
		return t.Format(time.DateTime)
	}
	return t.Format("2006-01-02 15:04:05.000000")
}

func pyDelta(d time.Duration) string {
	us := d.Microseconds()
	s := us / 1e6
	text := fmt.Sprintf("%d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if us%1e6 != 0 {
		text += fmt.Sprintf(".%06d", us%1e6)
	}
	switch days := s / 86400; {
	case days == 1:
		text = "1 day, " + text
	case days > 1:
		text = fmt.Sprintf("%d days, %s", days, text)
	}
	return text
}
