package virt

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"

	_ "embed"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// virshSource documents what is embedded in the arguments of all modules of the family; add it to a module's own source.
//
//go:embed virsh.go
var virshSource string

// The rules by which the family calls virsh:
//
//   - As a program with its own arguments (virsh -q -c URI dumpxml NAME), in a probe by v, in a change by virsh or withFile. A single
//     argument would be taken apart by virsh's own command language, where ; begins a second command.
//   - Several commands in one call only to look, by ask, which quotes each word for that language, for to start virsh takes longer than most
//     that it is asked. The status of such a call is that of the last command, so failed tells of each whether it was answered.
//   - One probe script a module, that starts with virshLib and tells the XML and "key: value" lines, never tables. Whether an object exists
//     is decided by the list of names (has), not by an error's text.
//   - What a probe tells does not change by itself (CPU time, memory used), for Reconcile compares it under its lock.
//   - XML and secrets go by standard input into a file that only the user can read (withFile), never in argv.
//   - Names were checked by libvirt.CheckName before; none begins with -.
//   - A changed definition is defined with --validate, and libvirt.Unknown finds what an older virsh would drop (checkXML).

// Place is where libvirt is: every module of the family embeds it.
type Place struct {
	// URI of libvirt as the host sees it: qemu:///system, qemu:///session, lxc:///, xen:///system.
	URI URI `arg:"uri" default:"qemu:///system"`
}

// URI is where virsh connects to.
type URI string

// DecodeArg implements the reading of an argument.
func (u *URI) DecodeArg(v any) error {
	s, ok := v.(string)
	s = strings.TrimSpace(s)
	// No regexp: defaults are decoded while the package's variables are still being made.
	scheme, _, colon := strings.Cut(s, ":")
	bad := func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }
	if !ok || !colon || scheme == "" || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != "" || s[0] == '-' || strings.ContainsFunc(s, bad) {
		return fmt.Errorf("must be a URI of libvirt such as qemu:///system, not %q", fmt.Sprint(v))
	}
	*u = URI(s)
	return nil
}

// virshLib begins every probe script; $1 is the URI and is shifted away.
//
//	v ARGS…        virsh
//	names ARGS…    sets $names to what virsh lists, or tells of the failure and ends the probe
//	has LIST NAME  whether a list has the name as a line
//	plain          passes text of XML on as it is meant
//	ask KEY ARGS…  notes a command of virsh's whose answer, or error, is to be told as KEY
//	answers        runs what was noted in one process (in some when that is much) and passes the answers on
//	one NAME       passes on the answers about one object: version, and when the answer to list has its name what else was asked, of info
//	               what does not change by itself; that libvirt does not answer at all it tells as names does
//
// virsh's words are quoted as a shell's, and its echo ends no line. Answers end with a random word, which no definition can hold.
const virshLib = `command -v virsh >/dev/null 2>&1 || { say fail "the host has no program virsh; it comes with the package libvirt-clients (Debian, Ubuntu) or libvirt-client"; exit 0; }
__uri=$1; shift
v() { virsh -q -c "$__uri" "$@"; }
names() {
	names=$(v "$@" 2>/dev/null) || { say fail "$(v "$@" 2>&1 >/dev/null)"; exit 0; }
	names=$(printf '%s\n' "$names" | sed 's/ *$//') # pool-list of libvirt 9.0 pads its names
}
plain() { sed -e "s/&apos;/'/g" -e 's/&quot;/"/g' -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&amp;/\&/g'; }
has() { case "
$1
" in *"
$2
"*) return 0 ;; esac; return 1; }
__asked=
IFS= read -r __mark </proc/sys/kernel/random/uuid
ask() {
	__asked="$__asked;echo '@@$1 =$__mark 0
';"; shift
	for __w do
		__q=
		while :; do
			case $__w in *\'*) __q=$__q${__w%%\'*}"'\\''" __w=${__w#*\'} ;; *) break ;; esac
		done
		__asked="$__asked '$__q$__w'"
	done
	__asked="$__asked;echo '
$__mark
'"
	[ ${#__asked} -lt 60000 ] || answers # Linux takes 128 KiB in an argument
}
answers() { [ -z "$__asked" ] || v "$__asked" 2>&1 </dev/null; __asked=; }
one() { __name=$1 __mark=$__mark awk '
BEGIN { name = ENVIRON["__name"]; mark = ENVIRON["__mark"] }
function tell(key, text) { sub(/\n+$/, "", text); printf "@@%s %d 0\n%s\n", key, length(text), text }
$0 == mark {
	if (fail) exit
	if (told) tell(key, text)
	key = text = told = ""; next
}
key == "" {
	if ($2 == "=" mark) { key = substr($1, 3); told = key == "version" || there && key != "list" }
	else if (/^error: /) fail = fail $0 "\n" # it could not connect, and did nothing
	next
}
key == "list" {
	sub(/ *$/, "")
	if ($0 == name) there = 1
	else if (/^error: /) fail = fail $0 "\n"
	next
}
key == "version" { if (sub(/^Using library: libvirt /, "")) text = $0; next }
key == "info" && /^(CPU time|Used memory|Capacity|Allocation|Available):/ { next }
told { text = text $0 "\n" }
END { if (fail) tell("fail", fail) }'; }
`

// failed reports whether what was asked under a key was not answered. Neither definitions nor "key: value" lines begin so.
func failed(r *modules.Report, key string) bool {
	return r.Status(key) != 0 || strings.HasPrefix(r.Text(key), "error: ")
}

// answer is the text that was answered to what was asked under a key, "" for a failure.
func answer(r *modules.Report, key string) string {
	if failed(r, key) {
		return ""
	}
	return r.Text(key)
}

// refusal is the error of what was asked and not answered.
func refusal(r *modules.Report, key string) error {
	if r.Status(key) != 0 {
		return libvirt.Explain(r.Text(key + ".err"))
	}
	return libvirt.Explain(r.Text(key))
}

// reached gives the error for a host without virsh, or for a libvirt that does not answer.
func reached(r *modules.Report) error {
	if !r.Has("fail") {
		return nil
	}
	return libvirt.Explain(r.Text("fail"))
}

// virsh is a change by one call of virsh.
func virsh(p Place, why string, args ...string) modules.Action {
	return modules.Action{Why: why, Argv: append([]string{"virsh", "-q", "-c", string(p.URI)}, args...)}
}

// withFileScript: the URI, the option that takes the file, the other arguments. The content comes by standard input.
const withFileScript = `umask 077
if [ -w /run ]; then base=/run; else base=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}; fi
t=$(mktemp -d "$base/hostler.XXXXXX") || exit 1
trap 'rm -rf -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t/f" || exit 1
uri=$1 option=$2; shift 2
virsh -q -c "$uri" "$@" "$option" "$t/f"`

// withFile is virsh with a file of the content given as an option (--file, --xml).
func withFile(p Place, why, content, option string, args ...string) modules.Action {
	return modules.Action{
		Why: why, Script: withFileScript, Args: append([]string{string(p.URI), option}, args...), Stdin: []byte(content),
	}
}

// Failure is a change that virsh refused, with libvirt's class of error and advice.
type Failure struct {
	Why    string
	Reason *libvirt.Error
	action *modules.ActionError
}

func (f *Failure) Error() string { return f.Why + ": " + f.Reason.Error() }

// Unwrap gives both: the class, and the command that failed.
func (f *Failure) Unwrap() []error { return []error{f.Reason, f.action} }

// explain gives a failed change of virsh its class and advice; other errors pass.
func explain(err error) error {
	a, ok := errors.AsType[*modules.ActionError](err)
	if !ok {
		return err
	}
	reason := libvirt.Explain(string(a.Stderr))
	if reason.Text == "" {
		return err
	}
	return &Failure{a.Why, reason, a}
}

// lockName is the lock of one object of a class ("domain"), so that a change of one that takes its time keeps nobody from the others.
func lockName(class, name string) string {
	return "libvirt-" + class + "-" + hex.EncodeToString([]byte(name))
}

// checkName is libvirt.CheckName as an error of an argument.
func checkName(arg, name string, odd bool) error {
	if err := libvirt.CheckName(name, odd); err != nil {
		return &modules.ArgError{Path: []any{arg}, Msg: err.Error()}
	}
	return nil
}

// parseXML reads the argument xml.
func parseXML(text, root string) (*libvirt.Node, error) {
	n, err := libvirt.ParseRoot(text, root)
	if err != nil {
		return nil, &modules.ArgError{Path: []any{"xml"}, Msg: "xml: " + err.Error()}
	}
	return n, nil
}

// checkXML refuses what this libvirt would drop from the user's XML without a word. Where libvirt is newer than what we know, --validate
// decides, and a warning is all where nothing is validated, as in check mode.
func checkXML(h *modules.Host, doc *libvirt.Node, v libvirt.Version, validated bool) error {
	problems, certain := libvirt.Unknown(doc, v)
	if len(problems) == 0 {
		return nil
	}
	text := "xml: " + strings.Join(problems, "; ")
	if certain {
		return errors.New(text)
	}
	if h.Planning() || !validated {
		h.Warn("%s (seen by the schema of libvirt 9.0; this host's is %s)", text, v)
	}
	return nil
}

// differences gives what a definition is to become as one diff, a field a line.
func differences(header string, diffs []libvirt.Difference) []modules.Diff {
	var before, after strings.Builder
	for _, d := range diffs {
		if d.Before != "" {
			fmt.Fprintf(&before, "%s: %s\n", d.Path, d.Before)
		}
		if d.After != "" {
			fmt.Fprintf(&after, "%s: %s\n", d.Path, d.After)
		}
	}
	return []modules.Diff{{Before: before.String(), After: after.String(), BeforeHeader: header, AfterHeader: header}}
}

// fields reads "Key:   value" lines.
func fields(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if key, val, ok := strings.Cut(line, ":"); ok {
			m[strings.TrimSpace(key)] = strings.TrimSpace(val)
		}
	}
	return m
}

// textList makes a list of texts.
func textList(items []string) *value.List {
	l := value.NewList()
	for _, s := range items {
		l.Append(s)
	}
	return l
}
