package virt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// snapshotProbe: URI, domain, the snapshot that is told of, or "" for all, the seconds from which on one is old, or "", and whether the
// agent is asked ("agent").
const snapshotProbe = domainLook + `domain=$1 name=$2 age=$3 agent=$4
[ -z "$age" ] || limit=$(( $(date +%s) - age ))
names snapshot-list "$domain" --name
say names "$names"
say current "$(v snapshot-current "$domain" --name 2>/dev/null)"
say chain "$(v snapshot-list "$domain" --name --external 2>/dev/null | grep -c .)"
i=0
while IFS= read -r n; do
	[ -n "$n" ] || continue
	[ -z "$name" ] || [ "$n" = "$name" ] || continue
	x=$(v snapshot-dumpxml --domain "$domain" --snapshotname "$n" </dev/null 2>/dev/null) || continue
	i=$((i + 1))
	say "snapshot.$i" "$x"
	[ -n "$age" ] || continue
	t=$(printf '%s\n' "$x" | sed -n 's/^ *<creationTime>\([0-9]*\)<.*/\1/p')
	[ -z "$t" ] || [ "$t" -gt "$limit" ] || say "old.$i" "$n"
done <<LIST
$names
LIST
[ -z "$agent" ] || ! v qemu-agent-command "$domain" '{"execute":"guest-ping"}' --timeout 3 >/dev/null 2>&1 || say agent yes
exit 0
`

// snapshots is what a look told of a domain's.
type snapshots struct {
	domain  domain
	names   []string
	told    []*snapshot // those that were asked for
	current string
	chain   int // of external snapshots
	agent   bool
}

// snapshot is one of them.
type snapshot struct {
	name, state, description, parent string
	created                          int64 // seconds since 1970
	memory                           string
	outside                          bool              // it is external
	disks                            map[string]string // of those that are part of it: target to overlay, "" inside of the image
	old, ours                        bool
}

// overlays are the files that an external snapshot made.
func (s *snapshot) overlays() []string {
	var files []string
	for _, f := range s.disks {
		if f != "" {
			files = append(files, f)
		}
	}
	slices.Sort(files)
	return files
}

func (s *snapshot) kind() string {
	if s.outside {
		return "external"
	}
	return "internal"
}

func (s *snapshot) show() string { return s.kind() + " of " + strings.Join(s.targets(), ", ") }

func (s *snapshot) targets() []string {
	var all []string
	for t := range s.disks {
		all = append(all, t)
	}
	slices.Sort(all)
	return all
}

// find gives a snapshot by its name, nil when it is not there.
func (s snapshots) find(name string) *snapshot {
	i := slices.IndexFunc(s.told, func(one *snapshot) bool { return one.name == name })
	if i < 0 {
		return nil
	}
	return s.told[i]
}

// without gives the state in which one is gone.
func (s snapshots) without(name string) snapshots {
	gone := s.find(name)
	s.told = slices.DeleteFunc(slices.Clone(s.told), func(one *snapshot) bool { return one.name == name })
	s.names = slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return n == name })
	if s.current == name && gone != nil {
		s.current = gone.parent
	}
	return s
}

// depth is the number of a snapshot's ancestors.
func (s snapshots) depth(one *snapshot) int {
	n := 0
	for one = s.find(one.parent); one != nil && n <= len(s.told); one = s.find(one.parent) {
		n++
	}
	return n
}

func (j *snapshotJob) probeArgs() []string {
	name, age, agent := j.Name, "", ""
	if j.Keep > 0 || j.MaxAge > 0 {
		name = "" // all are asked for
	}
	if j.MaxAge > 0 {
		age = strconv.Itoa(int(j.MaxAge.Seconds()))
	}
	if j.State == "present" && j.Quiesce != "no" && j.Type != "internal" && !j.Memory {
		agent = "agent"
	}
	return []string{string(j.URI), j.Domain, name, age, agent}
}

// parse reads what snapshotProbe told.
func (j *snapshotJob) parse(r *modules.Report) (snapshots, error) {
	s := snapshots{}
	var err error
	if s.domain, err = parseDomain(r, j.Domain); err != nil {
		return s, err
	}
	if !s.domain.exists {
		if j.State == "absent" {
			return s, nil
		}
		return s, errNoDomain(j.Domain)
	}
	s.names, s.current, s.chain, s.agent = r.Lines("names"), r.Text("current"), r.Int("chain"), r.Has("agent")
	for i := 1; r.Has(fmt.Sprintf("snapshot.%d", i)); i++ {
		doc, err := libvirt.ParseRoot(r.Text(fmt.Sprintf("snapshot.%d", i)), "domainsnapshot")
		if err != nil {
			return s, fmt.Errorf("read a snapshot of domain %s: %w", j.Domain, err)
		}
		one := readSnapshot(doc)
		one.old = r.Has(fmt.Sprintf("old.%d", i))
		s.told = append(s.told, one)
	}
	return s, nil
}

func readSnapshot(doc *libvirt.Node) *snapshot {
	s := &snapshot{
		name: doc.Val("name"), state: doc.Val("state"), description: doc.Val("description"), parent: doc.Val("parent", "name"), disks: map[string]string{},
	}
	s.created, _ = strconv.ParseInt(doc.Val("creationTime"), 10, 64) // 0 where libvirt does not say
	if m := doc.At("memory").Attr("snapshot"); m != "no" {
		s.memory = m
	}
	s.outside = s.memory == "external"
	if text, ok := strings.CutSuffix(s.description, snapshotMark); ok {
		s.description, s.ours = strings.TrimSuffix(text, "\n"), true
	}
	for _, d := range doc.At("disks").All("disk") {
		switch d.Attr("snapshot") {
		case "internal":
			s.disks[d.Attr("name")] = ""
		case "external":
			s.disks[d.Attr("name")], s.outside = diskSource(d), true
		}
	}
	return s
}

// result gives the register's keys, but for the snapshot itself.
func (s snapshots) result() SnapshotResult {
	return SnapshotResult{Current: s.current, Snapshots: append([]string{}, s.names...), DomainState: s.domain.state}
}

// info gives one snapshot for the register.
func (s *snapshot) info() *SnapshotInfo {
	if s == nil {
		return nil
	}
	return &SnapshotInfo{Name: s.name, Type: s.kind(), State: s.state, Memory: s.memory != "", Description: s.description, Parent: s.parent, Disks: s.disks}
}
