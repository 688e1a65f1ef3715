package virt

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_clone.go
var cloneSource string

// Clone copies a domain.
var Clone = modules.Define("virt_clone", cloneSource+virshSource+domainSource, runClone, modules.Converges())

// CloneArgs copy a domain that is shut off, with its disks, under a new name, UUID and MAC addresses. Copies are whole: they need nothing of the
// source's, unless they are linked. When one of them fails, for want of room or else, nothing of the clone remains. A domain of the new name
// that is there already stays as it is.
//
//	# A new guest from one that is kept as it is.
//	- virt_clone:
//	    source: debian-12
//	    name: web-01
//	    mac: ['52:54:00:77:00:01']
//	    start: true
//
//	# Overlays on a template, in a pool of their own.
//	- virt_clone:
//	    source: debian-12-template
//	    name: web-02
//	    linked: true
//	    disks: {vda: {pool: fast, name: web-02.qcow2}}
type CloneArgs struct {
	// Source is the domain that is copied.
	Source string `arg:"source,alias=original" required:"true"`
	// Name of the clone.
	Name string `arg:"name" required:"true"`
	// Dir is the folder for the copies of the disks, which are called NAME-TARGET and their format; without it they lie beside the source's.
	Dir modules.Path `arg:"dir"`
	// Linked makes overlays that stand on the source's disks in place of copies: at once, and with little room. The source must be a template (virt_template),
	// or shut off with disks that are read-only: what is written to a disk spoils all that stands on it.
	Linked bool `arg:"linked"`
	// Disks say by target (vda) where a disk's copy goes: a dict with pool and name (a volume; without name it is called as in dir), or with path. Others
	// go to dir. Pools are those of files: dir, fs, netfs.
	Disks *value.Dict `arg:"disks"`
	// MAC addresses of the clone's interfaces, in their order. Those that are not given come from the name and are the same each time.
	MAC []string `arg:"mac"`
	// ResetIdentity takes the source's machine-id, SSH host keys, seeds of random numbers and DHCP leases out of the copies, by virt-sysprep. Without it the
	// guest is the same inside, its fixed addresses included. Nothing is taken out of clones of a template that virt-sysprep prepared.
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
	_, err := a.places()
	return err
}

// cloneProbe: URI, source, clone, folder of the copies or "", and pool and name, or "" and path, of copies that go elsewhere. It tells of both domains, and
// when there is no clone of every MAC address, of the pools, of the permissions of the source's files, and of the files that are in the way.
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
source=$1 dir=$3 name=$2; shift 3
there() { [ ! -e "$1" ] || { k=$((k + 1)); say "file.$k" "$1"; }; }
while IFS= read -r f; do
	[ -n "$f" ] || continue
	k=$((k + 1))
	say "mode.$k" "$f
$(stat -L -c %a "$f" 2>/dev/null)"
	d=$dir; [ -n "$d" ] || d=${f%/*}
	for g in "$d/$name-"*; do there "$g"; done
done <<LIST
$(v dumpxml "$source" --inactive | sed -n "s/.*<source file='\([^']*\)'.*/\1/p" | plain)
LIST
while [ $# -ge 2 ]; do
	if [ -z "$1" ]; then there "$2"
	elif x=$(v pool-dumpxml "$1" 2>/dev/null | sed -e '/<allocation/d' -e '/<available/d'); [ -n "$x" ]; then
		k=$((k + 1))
		say "pool.$k" "$x"
		v pool-info "$1" | grep '^State: *running' >/dev/null || say "idle.$k" "$1"
		[ -z "$2" ] || there "$(printf '%s\n' "$x" | sed -n 's/^ *<path>\(.*\)<.*/\1/p' | plain)/$2"
	fi
	shift 2
done
command -v virt-sysprep >/dev/null 2>&1 && say sysprep yes
exit 0
`

// cloneState is what a look told.
type cloneState struct {
	source, clone domain
	macs          map[string]string // whose a MAC address is
	files         []string          // that are there and might be in the way
	modes         map[string]string // of the source's files, octal
	pools         map[string]*libvirt.Node
	idle          map[string]bool // pools that are not active
	sysprep       bool
}

func (j *cloneJob) parse(r *modules.Report) (cloneState, error) {
	s := cloneState{macs: map[string]string{}, modes: map[string]string{}, pools: map[string]*libvirt.Node{}, idle: map[string]bool{}}
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
		kind, _, _ := strings.Cut(key, ".")
		first, rest, _ := strings.Cut(r.Text(key), "\n")
		switch kind {
		case "file":
			s.files = append(s.files, first)
		case "mode":
			s.modes[first] = rest
		case "idle":
			s.idle[first] = true
		case "pool":
			doc, err := libvirt.ParseRoot(r.Text(key), "pool")
			if err != nil {
				return s, fmt.Errorf("read the definition of a pool: %w", err)
			}
			s.pools[doc.Val("name")] = doc
		case "macs":
			for mac := range strings.FieldsSeq(rest) {
				s.macs[strings.ToLower(mac)] = first
			}
		}
	}
	s.sysprep = r.Has("sysprep")
	return s, nil
}

// cloneJob is one run of virt_clone.
type cloneJob struct {
	CloneArgs
	host  *modules.Host
	where map[string]clonePlace // of the disks that are told of, by target
}

func runClone(ctx context.Context, h *modules.Host, a CloneArgs) (CloneResult, error) {
	where, err := a.places()
	if err != nil {
		return CloneResult{}, err
	}
	j := cloneJob{a, h, where}
	probe := []string{string(a.URI), a.Source, a.Name, string(a.Dir)}
	for _, target := range slices.Sorted(maps.Keys(where)) {
		p := where[target]
		probe = append(probe, p.pool, cmp.Or(p.path, p.name))
	}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[cloneState]{
		Probe: cloneProbe, Args: probe, Lock: lockName("domain", a.Name),
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
	case s.clone.exists && protectedTemplate(s.clone.config):
		return nil, errTemplate(j.Name)
	case s.clone.exists:
		return []modules.Action{start}, nil
	case !s.source.exists:
		return nil, errNoDomain(j.Source)
	case s.source.active:
		return nil, fmt.Errorf("domain %s is %s: a copy of its disks would be of no one moment, shut it down first (virt: state: shutdown)", j.Source, s.source.state)
	case s.source.managedSave:
		return nil, fmt.Errorf("domain %s has its memory saved, and its disks are as in the middle of work: start it and shut it down first", j.Source)
	case j.resets(s) && !s.sysprep:
		return nil, errors.New("the host has no program virt-sysprep, which reset_identity needs; it comes with the package guestfs-tools; reset_identity: false leaves the guest as it is")
	}
	doc, copies, err := j.build(s)
	if err != nil {
		return nil, err
	}
	args := []string{string(j.URI), j.Name, map[bool]string{true: "reset"}[j.resets(s)]}
	for _, c := range copies {
		if strings.Contains(c.to, "\n") {
			return nil, fmt.Errorf("the copy of %q would be %q, which has a line break in it: dir or disks gives another place", c.from, c.to)
		}
		if slices.Contains(s.files, c.to) {
			return nil, &libvirt.Error{Class: libvirt.Exists, Text: fmt.Sprintf("file %s is there already, so nothing is copied", c.to), Advice: "another name or dir avoids it"}
		}
		args = append(args, c.how, c.format, c.from, c.to, c.pool)
	}
	why := fmt.Sprintf("clone domain %s as %s", j.Source, j.Name)
	if j.Linked {
		why += ", on overlays"
	}
	actions := []modules.Action{{
		Why: why, Script: cloneScript, Args: args, Stdin: []byte(doc.String()),
	}}
	if j.Start {
		actions = append(actions, start)
	}
	return actions, nil
}
