package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_clone.go
var cloneSource string

// Clone copies a domain.
var Clone = modules.Define("virt_clone", cloneSource+virshSource+domainSource, runClone, modules.Converges())

// CloneArgs copy a domain that is shut off, with its disks, under a new name, UUID and MAC addresses. Copies are whole: they need nothing of the
// source's. When one of them fails, for want of room or else, nothing of the clone remains. A domain of the new name that is there already
// stays as it is.
//
//	# A new guest from one that is kept as it is.
//	- virt_clone:
//	    source: debian-12
//	    name: web-01
//	    mac: ['52:54:00:77:00:01']
//	    start: true
type CloneArgs struct {
	// Source is the domain that is copied.
	Source string `arg:"source,alias=original" required:"true"`
	// Name of the clone.
	Name string `arg:"name" required:"true"`
	// Dir is the folder for the copies of the disks, which are called NAME-TARGET and their format; without it they lie beside the source's.
	Dir modules.Path `arg:"dir"`
	// MAC addresses of the clone's interfaces, in their order. Those that are not given come from the name and are the same each time.
	MAC []string `arg:"mac"`
	// ResetIdentity takes the source's machine-id, SSH host keys, seeds of random numbers and DHCP leases out of the copies, by virt-sysprep. Without it the
	// guest is the same inside, its fixed addresses included.
	ResetIdentity bool `arg:"reset_identity" default:"true"`
	// Start the clone.
	Start bool `arg:"start"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// CloneResult tells of the clone.
type CloneResult struct {
	// Domain is the clone as it is now.
	Domain *DomainResult `json:"domain,omitempty"`
}

// Check refuses names and addresses that cannot be.
func (a CloneArgs) Check() error {
	for _, n := range []struct{ arg, name string }{{"source", a.Source}, {"name", a.Name}} {
		if err := checkName(n.arg, n.name, a.AllowOddName); err != nil {
			return err
		}
	}
	if a.Source == a.Name {
		return &modules.ArgError{Path: []any{"name"}, Msg: "name is the source's own"}
	}
	if d := string(a.Dir); d != "" && (!path.IsAbs(d) || strings.ContainsAny(d, "\x00\n")) {
		return &modules.ArgError{Path: []any{"dir"}, Msg: fmt.Sprintf("dir must be an absolute path, not %q", d)}
	}
	seen := map[string]bool{}
	for i, m := range a.MAC {
		mac, err := libvirt.ParseMAC(m)
		if err == nil && seen[mac] {
			err = fmt.Errorf("MAC address %s is given twice", mac)
		}
		if err != nil {
			return &modules.ArgError{Path: []any{"mac", i}, Msg: err.Error()}
		}
		seen[mac] = true
	}
	return nil
}

// cloneProbe: URI, source, clone, folder of the copies or "". It tells of both, and when there is no clone of every MAC address and of the
// files that are in the way.
const cloneProbe = virshLib + `names list --all --name
say version "$(virsh --version)"
say names "$names"
look() {
	i=$(v dominfo "$2") || return 0
	say "$1.info" "$(printf '%s\n' "$i" | sed -e '/^CPU time:/d' -e '/^Used memory:/d')"
	tell "$1.xml" v dumpxml "$2" --inactive --security-info
}
if has "$names" "$2"; then look clone "$2"; exit 0; fi
has "$names" "$1" || exit 0
look source "$1"
k=0
while IFS= read -r n; do
	[ -n "$n" ] || continue
	k=$((k + 1))
	say "macs.$k" "$n
$(v domiflist "$n" --inactive </dev/null 2>/dev/null | sed -n 's/.* \(..:..:..:..:..:..\)$/\1/p')"
done <<LIST
$names
LIST
dir=$3 name=$2
while IFS= read -r f; do
	[ -n "$f" ] || continue
	d=$dir; [ -n "$d" ] || d=${f%/*}
	for g in "$d/$name-"*; do [ ! -e "$g" ] || say "file.$g" yes; done
done <<LIST
$(v dumpxml "$1" --inactive | sed -n "s/.*<source file='\([^']*\)'.*/\1/p")
LIST
command -v virt-sysprep >/dev/null 2>&1 && say sysprep yes
exit 0
`

// cloneState is what a look told.
type cloneState struct {
	source, clone domain
	macs          map[string]string // whose a MAC address is
	files         []string          // that are there and might be in the way
	sysprep       bool
}

func (j *cloneJob) parse(r *modules.Report) (cloneState, error) {
	s := cloneState{macs: map[string]string{}}
	if err := reached(r); err != nil {
		return s, err
	}
	version, err := libvirt.ParseVersion(r.Text("version"))
	if err != nil {
		return s, err
	}
	s.clone.version, s.source.version = version, version
	if err = s.clone.read(r, "clone.", j.Name); err != nil {
		return s, err
	}
	if err = s.source.read(r, "source.", j.Source); err != nil {
		return s, err
	}
	for _, key := range r.Keys() {
		if f, ok := strings.CutPrefix(key, "file."); ok {
			s.files = append(s.files, f)
		}
		if lines := r.Lines(key); strings.HasPrefix(key, "macs.") && len(lines) > 0 {
			for _, mac := range lines[1:] {
				s.macs[strings.ToLower(mac)] = lines[0]
			}
		}
	}
	s.sysprep = r.Has("sysprep")
	return s, nil
}

// cloneJob is one run of virt_clone.
type cloneJob struct {
	CloneArgs
	host *modules.Host
}

func runClone(ctx context.Context, h *modules.Host, a CloneArgs) (CloneResult, error) {
	j := cloneJob{a, h}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[cloneState]{
		Probe: cloneProbe, Args: []string{string(a.URI), a.Source, a.Name, string(a.Dir)}, Lock: lockName("domain", a.Name),
		Parse: j.parse, Plan: j.plan,
		Diff: func(before, after cloneState) []modules.Diff {
			header := "domain " + a.Name
			return []modules.Diff{{Before: before.clone.state + "\n", After: after.clone.state + "\n", BeforeHeader: header, AfterHeader: header}}
		},
		Want: j.foreseen,
	})
	r := CloneResult{}
	if after.clone.exists {
		r.Domain = after.clone.result()
	}
	return r, explain(err)
}

func (j *cloneJob) plan(s cloneState) ([]modules.Action, error) {
	start := virsh(j.Place, "start domain "+j.Name, "start", "--domain", j.Name)
	switch {
	case s.clone.exists && (!j.Start || s.clone.active):
		return nil, nil
	case s.clone.exists:
		return []modules.Action{start}, nil
	case !s.source.exists:
		return nil, errNoDomain(j.Source)
	case s.source.active:
		return nil, fmt.Errorf("domain %s is %s: a copy of its disks would be of no one moment, shut it down first (virt: state: shutdown)", j.Source, s.source.state)
	case s.source.managedSave:
		return nil, fmt.Errorf("domain %s has its memory saved, and its disks are as in the middle of work: start it and shut it down first", j.Source)
	case j.ResetIdentity && !s.sysprep:
		return nil, errors.New("the host has no program virt-sysprep, which reset_identity needs; it comes with the package guestfs-tools; reset_identity: false leaves the guest as it is")
	}
	doc, copies, err := j.build(s)
	if err != nil {
		return nil, err
	}
	args := []string{string(j.URI), j.Name, map[bool]string{true: "reset"}[j.ResetIdentity]}
	for _, c := range copies {
		if slices.Contains(s.files, c.to) {
			return nil, &libvirt.Error{Class: libvirt.Exists, Text: fmt.Sprintf("file %s is there already, so nothing is copied", c.to), Advice: "another name or dir avoids it"}
		}
		args = append(args, c.format, c.from, c.to)
	}
	actions := []modules.Action{{
		Why: fmt.Sprintf("clone domain %s as %s", j.Source, j.Name), Script: cloneScript, Args: args, Stdin: []byte(doc.String()),
	}}
	if j.Start {
		actions = append(actions, start)
	}
	return actions, nil
}

// foreseen gives the state that the plan leads to, for check mode.
func (j *cloneJob) foreseen(s cloneState) cloneState {
	if !s.clone.exists {
		s.clone.state = "shut off"
	}
	if j.Start {
		s.clone.state = "running"
	}
	return s
}

// cloneCopy is one file to copy; format is "" for one that is no image.
type cloneCopy struct{ format, from, to string }

// build gives the clone's definition and what is to be copied for it.
func (j *cloneJob) build(s cloneState) (*libvirt.Node, []cloneCopy, error) {
	doc := s.source.config.Clone()
	doc.Set("name", j.Name)
	doc.Remove(doc.At("uuid"))
	var copies []cloneCopy
	for _, d := range doc.At("devices").All("disk") {
		if !writableDisk(d) || d.At("shareable") != nil {
			continue // the clone uses the same
		}
		target, file := d.At("target").Attr("dev"), d.At("source").Attr("file")
		if file == "" {
			return nil, nil, fmt.Errorf("disk %s of domain %s is of type %s, and only files are cloned", target, j.Source, d.Attr("type"))
		}
		format := d.At("driver").Attr("type")
		dir := string(j.Dir)
		if dir == "" {
			dir = path.Dir(file)
		}
		to := path.Join(dir, j.Name+"-"+target+"."+format)
		copies = append(copies, cloneCopy{format, file, to})
		d.At("source").SetAttr("file", to)
	}
	if n := doc.At("os", "nvram"); n != nil && strings.TrimSpace(n.Text) != "" {
		from := strings.TrimSpace(n.Text)
		n.Text = path.Join(path.Dir(from), j.Name+"_VARS"+path.Ext(from))
		copies = append(copies, cloneCopy{"", from, n.Text})
	}
	for _, c := range doc.At("devices").All("channel") {
		if c.Attr("type") == "unix" && c.At("source") != nil {
			c.Remove(c.At("source")) // libvirt chooses a socket for each domain
		}
	}
	for _, h := range doc.At("devices").All("hostdev") {
		j.host.Warn("the clone has the same %s device of the host: only one of the two can run", h.Attr("type"))
	}
	return doc, copies, j.readdress(s, doc)
}

// readdress gives the interfaces their MAC addresses.
func (j *cloneJob) readdress(s cloneState, doc *libvirt.Node) error {
	interfaces := doc.At("devices").All("interface")
	if len(j.MAC) > len(interfaces) {
		return fmt.Errorf("%d MAC addresses are given, and domain %s has %d interfaces", len(j.MAC), j.Source, len(interfaces))
	}
	taken := map[string]bool{}
	for i, n := range interfaces {
		mac := ""
		if i < len(j.MAC) {
			mac, _ = libvirt.ParseMAC(j.MAC[i]) // Check has read it
			if owner, ok := s.macs[mac]; ok {
				return &libvirt.Error{Class: libvirt.Exists, Text: fmt.Sprintf("MAC address %s is domain %s's already", mac, owner)}
			}
		} else {
			for round := 0; mac == "" || s.macs[mac] != "" || taken[mac]; round++ {
				mac = libvirt.AutoMAC("virt_clone", j.Name, i, round)
			}
		}
		taken[mac] = true
		if n.At("mac") == nil {
			n.Add(libvirt.New("mac", ""))
		}
		n.At("mac").SetAttr("address", mac)
		if t := n.At("target"); t != nil {
			n.Remove(t) // libvirt names the tap of each domain
		}
	}
	return nil
}

// cloneScript: URI, name, "reset" or "", and format, source and copy of each file. The definition comes by standard input. Whatever fails,
// the copies are taken away again.
const cloneScript = `umask 077
uri=$1 name=$2 reset=$3; shift 3
if [ -w /run ]; then base=/run; else base=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}; fi
t=$(mktemp -d "$base/hostler.XXXXXX") || exit 1
done=
undo() {
	status=$?
	trap - EXIT HUP INT TERM
	rm -rf -- "$t"
	if [ -z "$done" ]; then
		while [ $# -ge 3 ]; do
			case $made in *"
$3
"*) rm -f -- "$3" ;; esac
			shift 3
		done
	fi
	exit "$status"
}
made="
"
trap 'undo "$@"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t/f" || exit 1
copy() {
	( set -C; : >"$3" ) 2>/dev/null || { echo "$3 cannot be made: is its folder there, and nothing in its place?" >&2; return 1; }
	made="$made$3
"
	if [ -n "$1" ]; then
		qemu-img convert -f "$1" -O "$1" -- "$2" "$3"
	elif [ -e "$2" ]; then
		cat -- "$2" >"$3"
	else
		rm -f -- "$3" # libvirt makes it at the first start
	fi
}
all() { while [ $# -ge 3 ]; do copy "$1" "$2" "$3" || return 1; shift 3; done; }
all "$@" || exit 1
virsh -q -c "$uri" define --validate --file "$t/f" || exit 1
if [ -n "$reset" ]; then
	if ! virt-sysprep -q -c "$uri" -d "$name" --operations machine-id,ssh-hostkeys,random-seed,dhcp-client-state,udev-persistent-net; then
		virsh -q -c "$uri" undefine --domain "$name" --keep-nvram >/dev/null 2>&1 || virsh -q -c "$uri" undefine --domain "$name"
		exit 1
	fi
fi
done=1`
