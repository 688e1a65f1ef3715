package virt

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

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

// clonePlace is where a disk's copy goes: a volume of a pool, or a path.
type clonePlace struct{ pool, name, path string }

// places reads the argument disks.
func (a CloneArgs) places() (map[string]clonePlace, error) {
	places := map[string]clonePlace{}
	for target, v := range a.Disks.All() {
		p, err := readPlace(v, a.AllowOddName)
		if err != nil {
			return nil, &modules.ArgError{Path: []any{"disks", target}, Msg: fmt.Sprintf("disks[%v]: %s", target, err)}
		}
		places[fmt.Sprint(target)] = p
	}
	return places, nil
}

func readPlace(v any, odd bool) (p clonePlace, err error) {
	d, ok := v.(*value.Dict)
	if !ok {
		return p, fmt.Errorf("must be a dict with pool and name, or with path, not %v", v)
	}
	for key, v := range d.All() {
		into := map[any]*string{"pool": &p.pool, "name": &p.name, "path": &p.path}[key]
		text, err := modules.Str(v)
		if into == nil || v == nil || err != nil {
			return p, fmt.Errorf("must be a dict with pool and name, or with path, and %v: %v is neither", key, v)
		}
		*into = text
	}
	switch {
	case (p.pool == "") == (p.path == ""):
		return p, errors.New("give either pool or path")
	case p.path != "" && p.name != "":
		return p, errors.New("name goes with pool")
	case p.path != "" && (!path.IsAbs(p.path) || strings.ContainsAny(p.path, "\x00\n")):
		return p, fmt.Errorf("path must be an absolute path, not %q", p.path)
	}
	for _, name := range []string{p.pool, p.name} {
		if err = libvirt.CheckName(name, odd); name != "" && err != nil {
			return p, err
		}
	}
	return p, nil
}

// resets tells whether the clone's identity is to be taken out: that of a prepared template is out already.
func (j *cloneJob) resets(s cloneState) bool {
	mark := templateOf(s.source.config)
	return j.ResetIdentity && (mark == nil || !mark.forgets())
}

// cloneCopy is one file to make.
type cloneCopy struct {
	how      string // copy, link (an overlay), or file (one that is no image)
	format   string // of what it is made from
	from, to string
	pool     string // that is to know of it, or ""
}

// build gives the clone's definition and what is to be made for it.
func (j *cloneJob) build(s cloneState) (*libvirt.Node, []cloneCopy, error) {
	doc := s.source.config.Clone()
	doc.Set("name", j.Name)
	doc.Remove(doc.At("uuid"))
	unmark(doc)
	copies, err := j.placeDisks(s, doc)
	if err != nil {
		return nil, nil, err
	}
	if n := doc.At("os", "nvram"); n != nil && strings.TrimSpace(n.Text) != "" {
		from := strings.TrimSpace(n.Text)
		n.Text = path.Join(path.Dir(from), j.Name+"_VARS"+path.Ext(from))
		copies = append(copies, cloneCopy{how: "file", from: from, to: n.Text})
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

// placeDisks leads the clone's disks to their copies, and gives those.
func (j *cloneJob) placeDisks(s cloneState, doc *libvirt.Node) ([]cloneCopy, error) {
	var copies []cloneCopy
	var targets []string
	for _, d := range doc.At("devices").All("disk") {
		if !writableDisk(d) || d.At("shareable") != nil {
			continue // the clone uses the same
		}
		target, file := d.At("target").Attr("dev"), d.At("source").Attr("file")
		targets = append(targets, target)
		if file == "" {
			return nil, fmt.Errorf("disk %s of domain %s is of type %s, and only files are cloned", target, j.Source, d.Attr("type"))
		}
		c := cloneCopy{how: "copy", format: d.At("driver").Attr("type"), from: file}
		made := c.format
		if j.Linked {
			if err := j.canLink(s, target, file); err != nil {
				return nil, err
			}
			c.how, made = "link", "qcow2"
		}
		if err := j.place(s, &c, j.Name+"-"+target+"."+made, target); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(copies, func(o cloneCopy) bool { return o.to == c.to }) {
			return nil, fmt.Errorf("disk %s would go to %s, where another disk of the clone goes", target, c.to)
		}
		copies = append(copies, c)
		d.At("source").SetAttr("file", c.to)
		d.At("driver").SetAttr("type", made)
		if chain := d.At("backingStore"); chain != nil {
			d.Remove(chain) // the source's: a copy has none, and of an overlay libvirt reads it in the image
		}
	}
	for target := range j.where {
		if !slices.Contains(targets, target) {
			return nil, fmt.Errorf("disks: domain %s has no disk %s that is cloned; it has %s", j.Source, target, strings.Join(targets, ", "))
		}
	}
	return copies, nil
}

// place says where a copy goes; name is what it is called unless said otherwise.
func (j *cloneJob) place(s cloneState, c *cloneCopy, name, target string) error {
	where := j.where[target]
	switch {
	case where.path != "":
		c.to = where.path
	case where.pool != "":
		doc := s.pools[where.pool]
		switch {
		case doc == nil:
			return libvirt.NotThere("pool", where.pool)
		case s.idle[where.pool]:
			return fmt.Errorf("disks: pool %s is not active: start it first (virt_pool: state: active)", where.pool)
		case !slices.Contains([]string{"dir", "fs", "netfs"}, doc.Attr("type")):
			return fmt.Errorf("disks: pool %s is of type %s, and copies are files: pools for them are of type dir, fs or netfs", where.pool, doc.Attr("type"))
		}
		c.pool, c.to = where.pool, path.Join(doc.Val("target", "path"), cmp.Or(where.name, name))
	default:
		c.to = path.Join(cmp.Or(string(j.Dir), path.Dir(c.from)), name)
	}
	return nil
}

// canLink refuses an overlay on a disk that could change.
func (j *cloneJob) canLink(s cloneState, target, file string) error {
	if protectedTemplate(s.source.config) {
		return nil
	}
	mode, err := strconv.ParseUint(s.modes[file], 8, 32)
	if err != nil {
		return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("disk %s of domain %s is not there: %s", target, j.Source, file)}
	}
	if mode&0o222 != 0 {
		return fmt.Errorf("domain %s is no template, and its disk %s (%s) can be written, which would spoil every clone that stands on it: make it a template (virt_template), or the file read-only (mode 0440)",
			j.Source, target, file)
	}
	return nil
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

// cloneScript: URI, name, "reset" or "", and how, format, source, copy and pool of each file. The definition comes by standard input. Whatever
// fails, what was made is taken away again.
const cloneScript = `umask 077
uri=$1 name=$2 reset=$3; shift 3
if [ -w /run ]; then base=/run; else base=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}; fi
t=$(mktemp -d "$base/hostler.XXXXXX") || exit 1
made= pools= defined= done=
nl='
'
v() { virsh -q -c "$uri" "$@"; }
undo() {
	status=$?
	trap - EXIT HUP INT TERM
	rm -rf -- "$t"
	[ -z "$done" ] || exit "$status"
	[ -z "$defined" ] || v undefine --domain "$name" --keep-nvram >/dev/null 2>&1 || v undefine --domain "$name"
	while IFS= read -r f; do [ -z "$f" ] || rm -f -- "$f"; done <<MADE
$made
MADE
	while IFS= read -r f; do [ -z "$f" ] || v pool-refresh "$f" >/dev/null 2>&1 </dev/null; done <<POOLS
$pools
POOLS
	exit "$status"
}
trap undo EXIT
trap 'exit 1' HUP INT TERM
cat >"$t/f" || exit 1
make() {
	( set -C; : >"$4" ) 2>/dev/null || { echo "$4 cannot be made: is its folder there, and nothing in its place?" >&2; return 1; }
	made=$made$4$nl
	[ -z "$5" ] || pools=$pools$5$nl
	case $1 in
	copy) qemu-img convert -f "$2" -O "$2" -- "$3" "$4" || return 1 ;;
	link) qemu-img create -q -f qcow2 -F "$2" -b "$3" -- "$4" || return 1 ;;
	*)
		if [ -e "$3" ]; then
			cat -- "$3" >"$4" || return 1
		else
			rm -f -- "$4" # libvirt makes it at the first start
		fi ;;
	esac
	[ -z "$5" ] || v pool-refresh "$5"
}
all() { while [ $# -ge 5 ]; do make "$1" "$2" "$3" "$4" "$5" || return 1; shift 5; done; }
all "$@" || exit 1
defined=1
v define --validate --file "$t/f" || { defined=; exit 1; }
[ -z "$reset" ] || virt-sysprep -q -c "$uri" -d "$name" --operations ` + identityOperations + ` || exit 1
done=1`
