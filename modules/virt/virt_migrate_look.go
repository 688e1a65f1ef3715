package virt

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// migrateFromProbe: URI, domain, where the other libvirt is, or "". It tells of the domain, its files with all that they stand on, and of
// what answers there.
const migrateFromProbe = virshLib + `names list --all --name
say version "$(virsh --version)"
say time "$(date +%s)"
has "$names" "$1" || exit 0
say info "$(v dominfo "$1")"
tell xml v dumpxml "$1" --inactive --security-info
[ "$(v domid "$1")" = - ] || tell live v dumpxml "$1" --migratable
tell snapshots v snapshot-list "$1" --name
tell checkpoints v checkpoint-list "$1" --name
x=$(v dumpxml "$1" --inactive)
k=0
while IFS= read -r f; do
	[ -n "$f" ] || continue
	k=$((k + 1))
	say "file.$k" "$f
$(stat -L -c %i "$f" 2>/dev/null)
$(qemu-img info -U --backing-chain "$f" </dev/null 2>/dev/null | sed -n 's/^image: //p')"
done <<LIST
$(printf '%s\n' "$x" | sed -n -e "s/.*<source file='\([^']*\)'.*/\1/p" -e "s/.*<source dev='\([^']*\)'.*/\1/p")
LIST
n=$(printf '%s\n' "$x" | sed -n 's:.*<nvram[^>]*>\([^<]*\)</nvram>.*:\1:p')
[ -z "$n" ] || [ ! -f "$n" ] || say nvram "$n"
[ -z "$2" ] || tell reach timeout 60 virsh -q -c "$2" hostname
exit 0
`

// migrateToProbe: URI, the domain's name there, its UUID, virttype, emulator, arch and machine of it, and what it needs as pairs of a kind and a name.
// By standard input comes its CPU, or nothing.
const migrateToProbe = virshLib + `cpu=$(cat)
names list --all --name
say version "$(virsh --version)"
say host "$(v hostname)"
say time "$(date +%s)"
if has "$names" "$1"; then
	say info "$(v dominfo "$1")"
	tell xml v dumpxml "$1" --inactive --security-info
fi
[ -n "$2" ] || exit 0
say owner "$(v domname "$2" 2>/dev/null)"
if [ -n "$3" ]; then
	kind=$3 emulator=$4 arch=$5 machine=$6
	tell caps v domcapabilities --virttype "$kind" --emulatorbin "$emulator" --arch "$arch" --machine "$machine"
	if [ -n "$cpu" ]; then
		compare() { printf '%s\n' "$cpu" | v hypervisor-cpu-compare /dev/stdin --error --virttype "$kind" --emulator "$emulator" --arch "$arch" --machine "$machine"; }
		tell cpu compare
	fi
fi
shift 6
k=0
while [ $# -ge 2 ]; do
	k=$((k + 1)) ok=
	case $1 in
	file)
		[ ! -e "$2" ] || say "file.$k" "$2
$(stat -L -c %i "$2")"
		[ ! -d "${2%/*}" ] || ok=yes ;;
	network) v net-info "$2" 2>/dev/null | grep '^Active: *yes' >/dev/null && ok=yes ;;
	pool) v pool-info "$2" 2>/dev/null | grep '^State: *running' >/dev/null && ok=yes ;;
	device) [ ! -d "/sys/class/net/$2" ] || ok=yes ;;
	secret) v secret-dumpxml "$2" >/dev/null 2>&1 && ok=yes ;;
	esac
	[ -z "$ok" ] || say "has.$k" "$1 $2"
	shift 2
done
say memory "$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
say pools "$(v pool-list --name 2>/dev/null | sed 's/ *$//' | while IFS= read -r n; do [ -z "$n" ] || v pool-dumpxml "$n" </dev/null | sed -n 's:^ *<path>\(.*\)</path>.*:\1:p'; done)"
exit 0
`

// migration is one domain on its way.
type migration struct {
	name        string
	here, there domain
	files       []migrateFile
	needs       []need
	nvram       string // file with the firmware's variables, where there is one
	reach       string // what the other libvirt says when it is asked from here
	reachErr    string
	hostThere   string // what it says of itself
	capsErr     string
	cpuErr      string
	owner       string // who has the UUID there
	has         map[need]bool
	inodes      map[string]string // of files there
	memory      int64             // free there, KiB; 0 is unknown
	pools       []string          // folders of active pools there
	skew        time.Duration
}

// migrateFile is a file or device of a disk.
type migrateFile struct {
	path, inode string
	chain       []string // what it stands on, itself first
}

// need is something that the other host must have.
type need struct{ kind, name string }

// done reports that the domain is where it is to be.
func (m migration) done() bool { return !m.here.exists && m.there.exists }

// look tells of a domain on both hosts.
func (j *migrateJob) look(ctx context.Context, name string) (migration, error) {
	m := migration{name: name, has: map[need]bool{}, inodes: map[string]string{}}
	told, err := j.host.Probe(ctx, migrateFromProbe, string(j.URI), name, j.destURI())
	if err != nil {
		return m, err
	}
	asked := time.Now()
	if m.here, err = parseDomain(told, name); err != nil {
		return m, err
	}
	m.readFrom(told)
	args := []string{string(j.URI), j.nameThere(name), m.here.uuid, "", "", "", ""}
	var cpu string
	if m.here.exists {
		doc := m.definition()
		t := doc.At("os", "type")
		copy(args[3:], []string{doc.Attr("type"), doc.Val("devices", "emulator"), t.Attr("arch"), t.Attr("machine")})
		m.needs = needsOf(doc, m.files)
		for _, n := range m.needs {
			args = append(args, n.kind, n.name)
		}
		if c := doc.At("cpu"); c != nil && j.Mode != "offline" && c.Attr("mode") != "host-passthrough" && c.Attr("mode") != "maximum" {
			cpu = c.String()
		}
	}
	there, err := j.dest.ProbeInput(ctx, []byte(cpu), migrateToProbe, args...)
	if err != nil {
		return m, err
	}
	if m.there, err = parseDomain(there, j.nameThere(name)); err != nil {
		return m, fmt.Errorf("host %s: %w", j.Dest, err)
	}
	m.readThere(there)
	if from, to := seconds(told), seconds(there); from > 0 && to > 0 {
		m.skew = time.Duration(to-from)*time.Second - time.Since(asked)
	}
	return m, nil
}

func seconds(r *modules.Report) int64 {
	n, _ := strconv.ParseInt(r.Text("time"), 10, 64) // 0 where a host tells none
	return n
}

// definition is that of the domain as it runs, or will.
func (m *migration) definition() *libvirt.Node {
	if m.here.live != nil {
		return m.here.live
	}
	return m.here.config
}

func (m *migration) readFrom(r *modules.Report) {
	for _, key := range r.Keys() {
		if !strings.HasPrefix(key, "file.") {
			continue
		}
		lines := strings.Split(r.Text(key), "\n")
		f := migrateFile{path: lines[0], chain: []string{lines[0]}}
		if len(lines) > 1 {
			f.inode = lines[1]
		}
		if len(lines) > 3 {
			f.chain = append(f.chain, lines[3:]...)
		}
		m.files = append(m.files, f)
	}
	m.nvram, m.reach = r.Text("nvram"), r.Text("reach")
	if r.Has("reach") && r.Status("reach") != 0 {
		m.reachErr = libvirt.Explain(r.Text("reach.err")).Error()
	}
}

func (m *migration) readThere(r *modules.Report) {
	m.hostThere, m.owner, m.pools = r.Text("host"), r.Text("owner"), r.Lines("pools")
	m.memory, _ = strconv.ParseInt(r.Text("memory"), 10, 64)
	for _, c := range []struct {
		key string
		err *string
	}{{"caps", &m.capsErr}, {"cpu", &m.cpuErr}} {
		if r.Has(c.key) && r.Status(c.key) != 0 {
			*c.err = libvirt.Explain(r.Text(c.key + ".err")).Error()
		}
	}
	for _, key := range r.Keys() {
		text := r.Text(key)
		if strings.HasPrefix(key, "has.") {
			kind, name, _ := strings.Cut(text, " ")
			m.has[need{kind, name}] = true
		}
		if strings.HasPrefix(key, "file.") {
			path, inode, _ := strings.Cut(text, "\n")
			m.inodes[path] = inode
		}
	}
}

// needsOf gives what a definition wants of its host.
func needsOf(doc *libvirt.Node, files []migrateFile) []need {
	var all []need
	seen := map[need]bool{}
	add := func(kind, name string) {
		if n := (need{kind, name}); name != "" && !seen[n] {
			seen[n] = true
			all = append(all, n)
		}
	}
	for _, f := range files {
		for _, path := range f.chain {
			add("file", path)
		}
	}
	for _, i := range doc.At("devices").All("interface") {
		s := i.At("source")
		add("network", s.Attr("network"))
		add("device", s.Attr("bridge"))
		add("device", s.Attr("dev"))
	}
	for _, d := range doc.At("devices").All("disk") {
		add("pool", d.At("source").Attr("pool"))
	}
	var secrets func(*libvirt.Node)
	secrets = func(n *libvirt.Node) {
		if n.Name == "secret" {
			add("secret", n.Attr("uuid"))
		}
		for _, c := range n.Nodes {
			secrets(c)
		}
	}
	secrets(doc.At("devices"))
	return all
}
