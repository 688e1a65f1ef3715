package trees

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

//go:embed synchronize.go
var synchronizeSource string

// Synchronize copies trees by rsync.
var Synchronize = modules.Define("synchronize", synchronizeSource, runSynchronize, modules.Aliases("ansible.posix.synchronize"))

// Direction is which way files go.
type Direction string

// Choices lists the ways.
func (Direction) Choices() []string { return []string{"pull", "push"} }

// SynchronizeArgs copy trees between the controller and the host, or with delegate_to between two hosts, by the rsync of both. Theirs is
// the connection that the run has anyway: neither needs a key or a password for the other, and become holds on the host.
//
//	# Bring images to a hypervisor.
//	- synchronize:
//	    src: images/
//	    dest: /var/lib/libvirt/images/
//	    rsync_opts: [--exclude=*.tmp, --sparse]
type SynchronizeArgs struct {
	// Src is what is copied; with a slash at its end, what is in it.
	Src string `arg:"src" required:"true"`
	// Dest is where it is copied to.
	Dest string `arg:"dest" required:"true"`
	// Mode is push to the host or pull from it.
	Mode Direction `arg:"mode" default:"push"`
	// Archive copies folders, links, permissions, times, owner, group and devices.
	Archive bool `arg:"archive" default:"yes"`
	// Recursive goes into folders; as archive says unless given.
	Recursive *bool `arg:"recursive"`
	// Links copies symbolic links as such; as archive says unless given.
	Links *bool `arg:"links"`
	// Perms keeps permissions; as archive says unless given.
	Perms *bool `arg:"perms"`
	// Times keeps times of modification; as archive says unless given.
	Times *bool `arg:"times"`
	// Owner keeps the owner; as archive says unless given.
	Owner *bool `arg:"owner"`
	// Group keeps the group; as archive says unless given.
	Group *bool `arg:"group"`
	// Delete removes what src does not have.
	Delete bool `arg:"delete"`
	// Dirs copies folders without what is in them.
	Dirs bool `arg:"dirs"`
	// Checksum compares by content, not by time and size.
	Checksum bool `arg:"checksum"`
	// Compress compresses on the way.
	Compress bool `arg:"compress" default:"yes"`
	// ExistingOnly makes no new files.
	ExistingOnly bool `arg:"existing_only"`
	// CopyLinks copies what symbolic links lead to.
	CopyLinks bool `arg:"copy_links"`
	// DelayUpdates puts files in place at the end.
	DelayUpdates bool `arg:"delay_updates" default:"yes"`
	// Partial keeps files that came in part.
	Partial bool `arg:"partial"`
	// LinkDest are folders; files that are the same there are linked hard.
	LinkDest []string `arg:"link_dest"`
	// RsyncOpts are further options for rsync.
	RsyncOpts []string `arg:"rsync_opts"`
	// RsyncPath is the rsync of the host; it may be a command.
	RsyncPath string `arg:"rsync_path"`
	// RsyncTimeout is after how many seconds without any data rsync gives up; 0 is never.
	RsyncTimeout int `arg:"rsync_timeout"`
	// DestPort is taken for playbooks that set it; the connection is the run's own, as for all SSH options below.
	DestPort *int `arg:"dest_port"`
	// PrivateKey is taken for playbooks that set it; the connection has a key.
	PrivateKey modules.Path `arg:"private_key"`
	// SetRemoteUser is taken for playbooks that set it; the user is that of the connection.
	SetRemoteUser bool `arg:"set_remote_user" default:"yes"`
	// UseSSHArgs is taken for playbooks that set it; the connection has them.
	UseSSHArgs bool `arg:"use_ssh_args"`
	// SSHConnectionMultiplexing is taken for playbooks that set it; the connection is shared.
	SSHConnectionMultiplexing bool `arg:"ssh_connection_multiplexing"`
	// VerifyHost is taken for playbooks that set it; host keys are checked as for the connection.
	VerifyHost bool `arg:"verify_host"`
}

// SynchronizeResult is what rsync came to.
type SynchronizeResult struct {
	// Changed says whether anything was copied, altered or removed.
	Changed bool `json:"changed"`
	// Cmd is the command.
	Cmd string `json:"cmd,omitempty"`
	// RC is its status.
	RC *int `json:"rc,omitempty"`
	// Msg is what rsync said.
	Msg string `json:"msg"`
	// StdoutLines are its lines: how each path changed, as of rsync's -i.
	StdoutLines []string `json:"stdout_lines"`
}

// Check refuses options that take the way out of our hands.
func (a SynchronizeArgs) Check() error {
	for i, opt := range a.RsyncOpts {
		for _, no := range []string{"--rsh", "-e", "--rsync-path", "--server", "--daemon"} {
			if opt == no || strings.HasPrefix(opt, no+"=") || no == "-e" && strings.HasPrefix(opt, no) {
				return &modules.ArgError{
					Path: []any{"rsync_opts", i}, Msg: fmt.Sprintf("rsync_opts cannot have %s", no),
					Hint: "rsync goes over the connection of the run; rsync_path names the program on the host",
				}
			}
		}
	}
	switch {
	case a.Src == "" || a.Dest == "":
		return errors.New("src and dest cannot be empty")
	case strings.ContainsAny(a.Src+a.Dest, "\n\x00"):
		return errors.New("src and dest cannot have line ends in them")
	case daemon(a.Src) && daemon(a.Dest):
		return errors.New("either src or dest must be a localhost")
	case a.RsyncTimeout < 0:
		return &modules.ArgError{Path: []any{"rsync_timeout"}, Msg: "rsync_timeout must not be negative"}
	}
	return nil
}

// daemon reports that a place is a server of rsync's own protocol.
func daemon(place string) bool { return strings.HasPrefix(place, "rsync://") }

// changedMark stands before each line that tells of a change.
const changedMark = "<<CHANGED>>"

// options are rsync's words before the places.
func (a SynchronizeArgs) options(check bool) []string {
	var words []string
	add := func(on bool, more ...string) {
		if on {
			words = append(words, more...)
		}
	}
	add(a.DelayUpdates, "--delay-updates", "-F")
	add(a.Compress, "--compress")
	add(a.RsyncTimeout > 0, "--timeout="+strconv.Itoa(a.RsyncTimeout))
	add(check, "--dry-run")
	add(a.Delete, "--delete-after")
	add(a.ExistingOnly, "--existing")
	add(a.Checksum, "--checksum")
	add(a.CopyLinks, "--copy-links")
	add(a.Archive, "--archive")
	for _, part := range []struct {
		name string
		set  *bool
	}{
		{"recursive", a.Recursive}, {"links", a.Links}, {"perms", a.Perms}, {"times", a.Times}, {"owner", a.Owner}, {"group", a.Group},
	} {
		switch {
		case part.set == nil:
		case a.Archive && !*part.set:
			words = append(words, "--no-"+part.name)
		case !a.Archive && *part.set:
			words = append(words, "--"+part.name)
		}
	}
	add(a.Dirs, "--dirs")
	words = append(words, a.RsyncOpts...)
	add(a.Partial, "--partial")
	add(len(a.LinkDest) > 0, "-H", "-vv") // a new hard link is told of with -vv only
	for _, dir := range a.LinkDest {
		words = append(words, "--link-dest="+dir)
	}
	return append(words, "--out-format="+changedMark+"%i %n%L")
}

// remoteShell is what rsync runs in place of ssh, its script in the environment: it asks for the other program and passes bytes on.
// When the other end is done it ends at once, and a moment after rsync closed its side.
const (
	remoteShell       = `/bin/sh -c 'eval "$HOSTLER_RSH"'`
	remoteShellScript = `printf '%s\n' "$#" >&4; printf '%s\0' "$@" >&4
exec 6<&0
{ cat <&6; n=0; while [ $n -lt 20 ] && kill -0 $$; do sleep 0.1 || n=$((n + 10)); n=$((n + 1)); done; kill $$; } 3<&- >&4 2>/dev/null &
exec cat <&3 6<&- 4>&-`
)

// syncScript: mark, script of the remote shell, then rsync's words, of which those that begin with ~/ are below the home. The output goes to
// standard error as it comes, at the end the mark, the status and what rsync itself said on standard error.
const syncScript = `mark=$1 HOSTLER_RSH=$2
shift 2
export HOSTLER_RSH
n=$#
while [ $n -gt 0 ]; do
	w=$1; shift
	case $w in '~') w=$HOME ;; '~/'*) w=$HOME${w#'~'} ;; --link-dest='~/'*) w=--link-dest=$HOME${w#*'~'} ;; esac
	set -- "$@" "$w"; n=$((n - 1))
done
command -v rsync >/dev/null 2>&1 || { printf '\n%s 127 ' "$mark" >&2; exit 0; }
exec 3<&0 4>&1 5>&2
said=$(rsync "$@" </dev/null 2>&1 >&5 5>&-); rc=$?
printf '\n%s %s %s' "$mark" "$rc" "$said" >&2`

// farName stands for the host in rsync's words; which host it is, is settled.
const farName = "host"

func runSynchronize(ctx context.Context, h *modules.Host, a SynchronizeArgs) (result SynchronizeResult, err error) {
	ends, err := h.Ends(ctx)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, ends.Close()) }()
	src, dest, err := a.places(h, ends)
	if err != nil {
		return result, err
	}
	if err := a.recursion(); err != nil {
		return result, err
	}
	words := a.options(h.Planning())
	if ends.Far != nil {
		// rsync gives its remote shell a pipe that does not block, which cat cannot write to. -s keeps paths out of the command line.
		words = append(words, "--rsh="+remoteShell, "--blocking-io", "-s")
	}
	words = append(words, "--", src, dest)
	if result.Cmd, err = shell.Join(append([]string{"rsync"}, words...)...); err != nil {
		return result, err
	}
	mark := modules.NewMark()
	near := transport.Command{Script: syncScript, Args: append([]string{mark, remoteShellScript}, words...)}
	here, there, err := h.Bridge(ctx, ends, near, a.server)
	if err != nil {
		return result, err
	}
	out, said, rc, err := readSync(string(here.Stderr), mark)
	if err != nil {
		return result, err
	}
	result.RC = &rc
	h.Ran("synchronize "+src+" to "+dest, result.Cmd, rc)
	if rc != 0 {
		return result, a.failure(ends, rc, said, there)
	}
	result.read(out, len(a.LinkDest) > 0)
	if out = strings.ReplaceAll(out, changedMark, ""); h.WantDiff() {
		h.AddDiff(modules.Diff{Prepared: out})
	}
	return result, nil
}

// places gives src and dest for rsync: relative ones of the controller lie beside the playbook or role.
func (a SynchronizeArgs) places(h *modules.Host, ends modules.Ends) (src, dest string, err error) {
	src, dest = a.Src, a.Dest
	near, far := &src, &dest
	if a.Mode == "pull" {
		near, far = &dest, &src
	}
	if ends.Controller && !daemon(*near) {
		if *near, err = here(h.Local(), *near, near == &src); err != nil {
			return "", "", err
		}
	}
	switch {
	case ends.Far != nil && !daemon(*far):
		*far = farName + ":" + belowHome(*far)
	case ends.Far == nil && ends.Controller && !daemon(*far):
		*far, err = here(h.Local(), *far, far == &src)
	}
	return src, dest, err
}

// here finds a place of the controller. A slash at the end stays.
func here(local modules.Local, place string, exists bool) (string, error) {
	if path.IsAbs(place) || strings.HasPrefix(place, "~") || local == nil {
		return place, nil
	}
	found, err := local.Find("files", place)
	switch {
	case err != nil && exists:
		return "", err
	case err != nil:
		found = local.Dest(place)
	}
	if strings.HasSuffix(place, "/") && !strings.HasSuffix(found, "/") {
		found += "/"
	}
	return found, nil
}

// belowHome makes a place below the home one relative to it, where rsync starts on the host.
func belowHome(place string) string {
	switch {
	case place == "~", place == "~/":
		return "./"
	case strings.HasPrefix(place, "~/"):
		return "./" + strings.TrimLeft(place[2:], "/")
	}
	return place
}

// recursion refuses to link into what is linked to.
func (a SynchronizeArgs) recursion() error {
	parent := path.Dir(a.Dest)
	for _, dir := range a.LinkDest {
		if path.IsAbs(dir) && strings.HasPrefix(parent+"/", path.Clean(dir)+"/") {
			return fmt.Errorf("Hardlinking into a subdirectory of the source would cause recursion. %s and %s", parent, a.Dest)
		}
	}
	return nil
}

// server makes the command of the far end of the words that rsync asked for.
func (a SynchronizeArgs) server(words []string) (transport.Command, error) {
	if len(words) < 2 || words[0] != "rsync" || words[1] != "--server" {
		return transport.Command{}, fmt.Errorf("rsync asked for %q on the host, which is no rsync", words)
	}
	if a.RsyncPath == "" {
		return transport.Command{Argv: words}, nil
	}
	return transport.Command{Argv: append([]string{"/bin/sh", "-c", a.RsyncPath + ` "$@"`, "sh"}, words[1:]...)}, nil
}

// readSync takes apart what syncScript said: rsync's output, what it said on standard error, its status.
func readSync(text, mark string) (out, said string, rc int, err error) {
	out, rest, ok := strings.Cut(text, "\n"+mark+" ")
	status, said, _ := strings.Cut(rest, " ")
	if rc, err = strconv.Atoi(status); !ok || err != nil {
		return "", "", 0, fmt.Errorf("run rsync: it did not say how it ended: %s", strings.TrimSpace(text))
	}
	return out, said, rc, nil
}

// read reads how paths changed.
func (r *SynchronizeResult) read(out string, linking bool) {
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		told, is := strings.CutPrefix(line, changedMark)
		r.Changed = r.Changed || is && (!linking || !strings.HasPrefix(told, "."))
		if line = strings.ReplaceAll(line, changedMark, ""); line != "" {
			r.StdoutLines = append(r.StdoutLines, line)
		}
	}
	r.Msg = strings.ReplaceAll(out, changedMark, "")
}

// failure says why rsync failed.
func (a SynchronizeArgs) failure(ends modules.Ends, rc int, said string, there transport.Output) error {
	where := "the host that the task is delegated to"
	if ends.Controller {
		where = "the controller"
	} else if ends.Far == nil {
		where = "the host"
	}
	theirs := strings.TrimSpace(modules.Clean(there.Stderr))
	switch {
	case rc == 127 && there.Status < 0:
		return fmt.Errorf("%s has no rsync: install it there", where)
	case there.Status == 126 || there.Status == 127:
		return fmt.Errorf("the host has no rsync: install it there: %s", theirs)
	}
	return errors.New(strings.TrimSpace(strings.TrimSpace(said) + "\n" + theirs))
}
