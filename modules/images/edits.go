package images

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed edits.go
var editsSource string

// Edits is what libguestfs does to a system that does not run. They are made in the order in which they stand here.
type Edits struct {
	// Hostname of the system.
	Hostname string `arg:"hostname"`
	// Timezone of the system: Europe/Berlin.
	Timezone string `arg:"timezone"`
	// RootPassword of the system. It reaches the tool by a file that only the user may read.
	RootPassword secret.Text `arg:"root_password"`
	// Update brings the packages up to date.
	Update bool `arg:"update"`
	// Packages to install.
	Packages []string `arg:"packages"`
	// SSHInject are public keys and whom they let in.
	SSHInject []InjectedKey `arg:"ssh_inject"`
	// RunCommands are commands of a shell in the system.
	RunCommands []string `arg:"run_commands"`
	// Firstboot are commands of a shell that run when the system starts for the first time.
	Firstboot []string `arg:"firstboot"`
	// SELinuxRelabel has SELinux label the files anew, which systems with SELinux need after any edit.
	SELinuxRelabel bool `arg:"selinux_relabel"`
}

// InjectedKey is a public key for a user of the system.
type InjectedKey struct {
	// User who is let in; he must be there.
	User string `arg:"user" default:"root"`
	// Key as it stands in authorized_keys.
	Key string `arg:"key" required:"true"`
}

var (
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+:@/~=-]*$`)
	guestName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	guestHost = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$`)
)

func hasNewlines(s string) bool { return strings.ContainsAny(s, "\r\n\x00") }

// check refuses what the tool's file of commands could not hold.
func (e Edits) check() error {
	switch {
	case e.Hostname != "" && !guestHost.MatchString(e.Hostname):
		return wrong("hostname", "hostname %q is no name of a host", e.Hostname)
	case e.Timezone != "" && (!plainWord.MatchString(e.Timezone) || strings.Contains(e.Timezone, "..")):
		return wrong("timezone", "timezone %q is none such as Europe/Berlin", e.Timezone)
	case hasNewlines(e.RootPassword.Reveal()):
		return wrong("root_password", "root_password has a line end in it")
	}
	for _, p := range e.Packages {
		if !plainWord.MatchString(p) {
			return wrong("packages", "packages: %q is no name of a package", p)
		}
	}
	for _, k := range e.SSHInject {
		if !guestName.MatchString(k.User) {
			return wrong("ssh_inject", "ssh_inject: %q is no name of a user", k.User)
		}
		if hasNewlines(strings.TrimSpace(k.Key)) || strings.TrimSpace(k.Key) == "" {
			return wrong("ssh_inject", "ssh_inject: the key of %s must be one line", k.User)
		}
	}
	for arg, commands := range map[string][]string{"run_commands": e.RunCommands, "firstboot": e.Firstboot} {
		for _, c := range commands {
			if hasNewlines(c) || strings.HasSuffix(c, `\`) || strings.TrimSpace(c) == "" {
				return wrong(arg, "%s: %q must be one line, and not end in a backslash", arg, c)
			}
		}
	}
	return nil
}

// commands gives the tool's file of commands, and the files that it names.
func (e Edits) commands() (text string, files []string) {
	var b strings.Builder
	add := func(name, value string) { fmt.Fprintf(&b, "%s %s\n", name, value) }
	file := func(content string) string {
		files = append(files, content+"\n")
		return "file:" + strconv.Itoa(len(files))
	}
	if e.Hostname != "" {
		add("hostname", e.Hostname)
	}
	if e.Timezone != "" {
		add("timezone", e.Timezone)
	}
	if p := e.RootPassword.Reveal(); p != "" {
		add("root-password", file(p))
	}
	if e.Update {
		b.WriteString("update\n")
	}
	if len(e.Packages) > 0 {
		add("install", strings.Join(e.Packages, ","))
	}
	for _, k := range e.SSHInject {
		add("ssh-inject", k.User+":"+file(strings.TrimSpace(k.Key)))
	}
	for _, c := range e.RunCommands {
		add("run-command", c)
	}
	for _, c := range e.Firstboot {
		add("firstboot-command", c)
	}
	if e.SELinuxRelabel {
		b.WriteString("selinux-relabel\n")
	}
	return b.String(), files
}

// input gives what editLib reads: lengths as its first argument, and the parts in one. Rec is the record.
func (e Edits) input(rec record) (lengths string, stdin []byte) {
	text, files := e.commands()
	var words []string
	for _, part := range append([]string{rec.text(), text}, files...) {
		words = append(words, strconv.Itoa(len(part)))
		stdin = append(stdin, part...)
	}
	return strings.Join(words, " "), stdin
}

// seal gives the fields of a record that tell whether the same was asked for before: a salted hash of everything, secrets too.
func (e Edits) seal(salt string, more ...string) record {
	if salt == "" {
		salt = rand.Text()
	}
	text, files := e.commands()
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", append(append([]string{salt, text}, files...), more...)))
	return record{"salt": salt, "asked": hex.EncodeToString(sum[:])}
}

// asked reports whether a record is of the same.
func (e Edits) asked(rec record, more ...string) bool {
	return rec["salt"] != "" && e.seal(rec["salt"], more...)["asked"] == rec["asked"]
}

// editLib: the lengths of the record, the commands and the files, which come by standard input. It goes on in a folder of its own, $t, that has
// them as record, commands, 1, 2 …; $1 is shifted away.
const editLib = stateLib + `umask 077
t=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") && part= || exit 1
trap 'cd /; rm -rf -- "$t" ${part:+"$part"}' EXIT
trap 'exit 1' HUP INT TERM
cd "$t" && cat >all || exit 1
at=1 n=-1
for length in $1; do
	case $n in -1) name=record ;; 0) name=commands ;; *) name=$n ;; esac
	tail -c +"$at" all | head -c "$length" >"$name" || exit 1
	at=$((at + length)) n=$((n + 1))
done
rm -f all
shift
export LIBGUESTFS_BACKEND="${LIBGUESTFS_BACKEND:-direct}"
`

var errNoGuestfs = errors.New("the host has no such program; it comes with the package guestfs-tools (older: libguestfs-tools)")

// missing is the error of a host without one of libguestfs's tools.
func missing(r *modules.Report) error {
	if r.Has("lacks") {
		return fmt.Errorf("%s: %w", r.Text("lacks"), errNoGuestfs)
	}
	return nil
}
