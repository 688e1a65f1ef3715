package storage

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// mountProbe: path, fstab, source, file of the secret. The lines of mountinfo (proc(5)) of the mount point are told, the last one being
// what is seen there; what may differ from look to look is not.
const mountProbe = modules.ExpandLib + `
__expand "$2"; fstab=$__v
show fstab "$fstab"
[ -e "$fstab" ] || say nofstab yes
__expand "$1"; p=$__v
say path "$p"
if [ -L "$p" ]; then say link yes; p=$(readlink -f -- "$p") || p=$1; fi
if [ -d "$p" ]; then say kind dir; ls=$(ls -A -- "$p" 2>/dev/null | head -n 1); [ -z "$ls" ] || say full yes
elif [ -e "$p" ]; then say kind file; fi
live=$(P=$p awk 'BEGIN { p = ENVIRON["P"] }
{ m = $5; gsub(/\\040/, " ", m); gsub(/\\011/, "\t", m); gsub(/\\012/, "\n", m); gsub(/\\134/, "\\", m) }
m == p { for (i = 6; $i != "-"; i++); print $4, $(i + 1), $(i + 2), $6 }' /proc/self/mountinfo)
say live "$live"
src=$3
case $src in
UUID=*|LABEL=*|PARTUUID=*|PARTLABEL=*) src=$(findfs "$src" 2>/dev/null) || src= ;;
esac
case $src in /dev/*) say device "$(readlink -f -- "$src")" ;; esac
if [ -n "$live" ]; then
	last=${live##*
}
	from=${last#* * }; from=${from% *}
	case $from in
	/dev/loop*) show loop "/sys/block/${from#/dev/}/loop/backing_file" ;;
	/dev/*) say from "$(readlink -f -- "$from")" ;;
	esac
	case $3 in /*) [ ! "$3" -ef "$p" ] 2>/dev/null || say bound yes ;; esac
fi
if [ -e "$4" ]; then show secret "$4"; fi
if [ -d /run/systemd/system ]; then say systemd yes; fi
exit 0
`

// mounted is what a look told.
type mounted struct {
	text               string
	path               string
	nofstab, link      bool
	kind               string // dir, file or nothing
	full               bool
	live               []liveMount
	device, from, loop string // the devices behind src and behind what is mounted, and the file behind a loop device
	bound              bool   // src and the mount point are the same folder
	secret             string
	systemd            bool
}

// liveMount is one that is mounted.
type liveMount struct{ root, fstype, source, opts string }

func parseMounted(r *modules.Report, fstab string) (mounted, error) {
	s := mounted{
		path: r.Text("path"), nofstab: r.Has("nofstab"), link: r.Has("link"), kind: r.Text("kind"), full: r.Has("full"),
		device: r.Text("device"), from: r.Text("from"), loop: r.Text("loop"), bound: r.Has("bound"), secret: string(r.Bytes("secret")), systemd: r.Has("systemd"),
	}
	if !s.nofstab {
		text, _, err := r.ReadText("fstab", fstab)
		if err != nil {
			return s, err
		}
		s.text = text
	}
	for _, line := range r.Lines("live") {
		if words := strings.Fields(line); len(words) == 4 {
			s.live = append(s.live, liveMount{unescapeField(words[0]), words[1], unescapeField(words[2]), words[3]})
		}
	}
	return s, nil
}

// mountPlan is what is asked, ready to be compared.
type mountPlan struct {
	MountArgs
	want   fstabEntry
	backup string
}

// isBind reports whether the options bind a folder to another place.
func isBind(opts string) bool {
	return slices.ContainsFunc(splitOptions(opts), func(o string) bool { return o == "bind" || o == "rbind" })
}

// fromSource reports whether what is mounted is of the source asked for. Where that cannot be told (overlays, FUSE, a device that is not
// there) it counts as being so.
func (p mountPlan) fromSource(s mounted) bool {
	last := s.live[len(s.live)-1]
	switch {
	case isBind(p.want.opts):
		return s.bound
	case slices.Contains(namedSources(), p.FSType):
		return plainSource(last.source) == plainSource(p.Src)
	case s.device != "" && s.from != "":
		return s.device == s.from
	case s.loop != "" && strings.HasPrefix(p.Src, "/") && !strings.HasPrefix(p.Src, "/dev/"):
		return s.loop == p.Src
	}
	return last.fstype == p.FSType || p.FSType == "auto" || p.FSType == "none" || strings.HasPrefix(last.fstype, "fuse")
}

// namedSources are the file systems whose source the kernel tells as it was given.
func namedSources() []string {
	return []string{"nfs", "nfs4", "glusterfs", "cifs", "smb3", "9p", "virtiofs"}
}

// plainSource is a source without what makes no difference.
func plainSource(src string) string {
	return strings.TrimRight(strings.ReplaceAll(strings.ReplaceAll(src, `\`, "/"), ":/", ":"), "/")
}

// umountScript: mount point. A failure names who is there.
const umountScript = `err=$(umount -- "$1" 2>&1) && exit 0
printf '%s\n' "$err" >&2
who=
for d in /proc/[0-9]*; do
	for l in "$d/cwd" "$d/root" "$d/exe" "$d"/fd/*; do
		t=$(readlink "$l" 2>/dev/null) || continue
		case $t in "$1"|"$1"/*) who="$who ${d#/proc/} ($(cat "$d/comm" 2>/dev/null))"; break ;; esac
	done
done
[ -z "$who" ] || echo "in use by process$who: end them first" >&2
exit 1`

// mountScript: options, type, source, mount point. Folders that it made go away when the mount fails.
const mountScript = `made= d=$4
while [ ! -e "$d" ]; do made="$d
$made"; d=$(dirname -- "$d"); done
mkdir -p -- "$4" || exit 1
case ,$1, in *,bind,*|*,rbind,*) set -- "$1" none "$3" "$4" ;; esac
err=$(mount -t "$2" -o "$1" -- "$3" "$4" 2>&1) && { [ -z "$err" ] || printf '%s\n' "$err"; exit 0; }
rc=$?
printf '%s' "$made" | sort -r | while IFS= read -r d; do [ -z "$d" ] || rmdir -- "$d"; done
printf '%s\n' "$err" >&2
case $err in
*'unknown filesystem type'*) echo "the kernel lacks it, or the program mount.$2 is missing: install nfs-common, nfs-utils, glusterfs-client or cifs-utils" >&2 ;;
*'bad option'*) [ -e "/sbin/mount.$2" ] || echo "the program mount.$2 is missing: install nfs-common, nfs-utils, glusterfs-client or cifs-utils" >&2 ;;
esac
exit $rc`

// remountScript: options, type, source, mount point. What cannot be remounted is mounted anew.
const remountScript = `err=$(mount -t "$2" -o "remount,$1" -- "$3" "$4" 2>&1) && exit 0
umount -- "$4" && mount -t "$2" -o "$1" -- "$3" "$4" && exit 0
printf '%s\n' "$err" >&2
exit 1`

// liveOptions are the options for mount(8): without those that only fstab has a use for, which not every mount passes over.
func liveOptions(opts string) string {
	set := slices.DeleteFunc(splitOptions(opts), func(o string) bool {
		return slices.Contains([]string{"noauto", "auto", "nofail", "_netdev"}, o) || strings.HasPrefix(o, "x-") || strings.HasPrefix(o, "comment=")
	})
	if len(set) == 0 {
		return "defaults"
	}
	return strings.ReplaceAll(strings.Join(set, ","), `"`, "")
}

// secretScript: the file; the text comes by standard input.
const secretScript = `umask 077
mkdir -p -- "$(dirname -- "$1")" || exit 1
t=
trap '[ -z "$t" ] || rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
t=$(mktemp "$1.XXXXXX") && cat >"$t" && mv -f -- "$t" "$1"`

func (p mountPlan) plan(s mounted) ([]modules.Action, error) {
	old, there, err := fstabFind(s.text, p.want.path, p.want.src)
	if err != nil {
		return nil, errors.New(string(p.Fstab) + ": " + err.Error())
	}
	var actions []modules.Action
	act := func(why, script string, args ...string) {
		actions = append(actions, modules.Action{Why: why, Script: script, Args: args})
	}
	at := s.path
	switch p.State {
	case "unmounted":
		for range s.live {
			act("unmount "+at, umountScript, at)
		}
	case "absent":
		for range s.live {
			act("unmount "+at, umountScript, at)
		}
		if there {
			actions = append(actions, p.forget(s, old)...)
		}
		if len(actions) > 0 && s.kind == "dir" && (len(s.live) > 0 || !s.full) {
			act("remove the folder "+at+" when it is empty", `[ ! -d "$1" ] || [ -n "$(ls -A -- "$1")" ] || rmdir -- "$1"`, at)
		}
	case "absent_from_fstab":
		if there {
			actions = p.forget(s, old)
		}
	case "present":
		actions = append(p.writeSecret(s), actions...)
		if !there || !old.same(p.want) {
			actions = append(actions, p.writeFstab(s)...)
		}
	case "remounted":
		if len(s.live) == 0 {
			return nil, errors.New("nothing is mounted there: state mounted mounts it")
		}
		if p.Opts != "" {
			act("remount "+at+" with "+string(p.Opts), `mount -o "remount,$1" -- "$2"`, string(p.Opts), at)
		} else {
			act("remount "+at, `mount -o remount -- "$1" || { umount -- "$1" && mount -- "$1"; }`, at)
		}
	default:
		actions, err = p.mount(s, old, there)
	}
	return actions, err
}

// mount plans states mounted and ephemeral.
func (p mountPlan) mount(s mounted, old fstabEntry, there bool) ([]modules.Action, error) {
	if s.kind == "file" && !isBind(p.want.opts) {
		return nil, errors.New("it is a file, not a folder")
	}
	actions := p.writeSecret(s)
	at, args := s.path, []string{liveOptions(p.want.opts), p.FSType, p.Src, s.path}
	act := func(why, script string, args ...string) {
		actions = append(actions, modules.Action{Why: why, Script: script, Args: args})
	}
	mount := func() { act("mount "+p.Src+" at "+at, mountScript, args...) }
	ephemeral := p.State == "ephemeral"
	switch {
	case len(s.live) == 0:
		mount()
	case !p.fromSource(s) && ephemeral:
		return nil, errors.New("Ephemeral mount point is already mounted with a different source than the specified one: " +
			s.live[len(s.live)-1].source + " is mounted there (state unmounted takes it away)")
	case !p.fromSource(s):
		if path.Clean(at) == "/" {
			return nil, errors.New("another source cannot take the place of the root file system while it runs: state present changes the entry alone")
		}
		act("unmount "+s.live[len(s.live)-1].source+" from "+at, umountScript, at)
		mount()
	case ephemeral, !there, !slices.Equal(optionSet(liveOptions(old.opts)), optionSet(liveOptions(p.want.opts))), len(actions) > 0:
		act("remount "+at+" with "+p.want.opts, remountScript, args...)
	}
	if !ephemeral && (!there || !old.same(p.want)) {
		actions = append(actions, p.writeFstab(s)...)
	}
	return actions, nil
}

// writeSecret writes the file of the secret where it is not as asked.
func (p mountPlan) writeSecret(s mounted) []modules.Action {
	if p.Secret.IsZero() || s.secret == p.secretText() {
		return nil
	}
	return []modules.Action{{Why: "write " + p.secretFile(), Script: secretScript, Args: []string{p.secretFile()}, Stdin: []byte(p.secretText())}}
}

// forget takes the entry out, and the secret that nothing but the entry names.
func (p mountPlan) forget(s mounted, old fstabEntry) []modules.Action {
	actions := p.writeFstab(s)
	if file := p.secretFile(); s.secret != "" && strings.Contains(old.opts, "="+file) {
		actions = append(actions, modules.Action{Why: "remove " + file, Argv: []string{"rm", "-f", "--", file}})
	}
	return actions
}

// writeFstab writes the file and lets systemd read it.
func (p mountPlan) writeFstab(s mounted) []modules.Action {
	why := "write the entry of " + p.want.path + " to " + string(p.Fstab)
	if strings.HasPrefix(string(p.State), "absent") {
		why = "remove the entry of " + p.want.path + " from " + string(p.Fstab)
	}
	actions := []modules.Action{modules.TextFile{Path: string(p.Fstab), Text: p.wanted(s).text, Backup: p.backup}.Write(why)}
	if s.systemd && p.Fstab == "/etc/fstab" {
		actions = append(actions, modules.Action{Why: "let systemd read it", Argv: []string{"systemctl", "daemon-reload"}})
	}
	return actions
}

// wanted gives the state that the plan leads to, as far as it shows.
func (p mountPlan) wanted(s mounted) mounted {
	old, there, err := fstabFind(s.text, p.want.path, p.want.src)
	switch p.State {
	case "absent", "absent_from_fstab":
		if there {
			s.text = fstabRemove(s.text, p.want)
		}
	case "present", "mounted":
		if err == nil && (!there || !old.same(p.want)) {
			s.text = fstabSet(s.text, p.want)
		}
	}
	return s
}

// warn tells what works but is seldom meant.
func (p mountPlan) warn(h *modules.Host, s mounted) {
	if _, there, _ := fstabFind(s.text, p.want.path, p.want.src); p.State == "absent" && len(s.live) == 0 && s.full && there {
		h.Warn("%s is not empty and stays", p.Path)
	}
	if len(s.live) == 0 && s.full && (p.State == "mounted" || p.State == "ephemeral") {
		h.Warn("%s is not empty: what is in it cannot be seen below the mount", p.Path)
	}
}
