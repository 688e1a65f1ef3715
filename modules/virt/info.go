package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed info.go
var infoSource string

// Info tells what libvirt has.
var Info = modules.Define("virt_info", infoSource+virshSource, runInfo)

// InfoArgs tell what libvirt has on a host, in one round trip, whatever there is. Nothing is changed.
//
//	# What runs, and where it is to be reached.
//	- virt_info:
//	    gather: [domains, addresses]
//	  register: libvirt
type InfoArgs struct {
	// Gather is what to tell of: addresses (of running domains), snapshots and stats belong to domains, leases to networks, volumes to pools;
	// what they belong to is told with them.
	Gather []InfoPart `arg:"gather" default:"host,domains,networks,pools"`
	// Names of the domains to tell of; all when empty.
	Names []string `arg:"names"`
	// Sources of addresses, the first that knows any counts: DHCP leases, the guest's agent, the host's ARP table.
	Sources []AddressSource `arg:"sources" default:"lease,agent,arp"`
	Place
}

// InfoPart is something to tell of.
type InfoPart string

// Choices lists the parts.
func (InfoPart) Choices() []string {
	return []string{"host", "domains", "networks", "pools", "volumes", "leases", "addresses", "stats", "snapshots"}
}

// AddressSource is where addresses are known.
type AddressSource string

// Choices lists the sources.
func (AddressSource) Choices() []string { return []string{"lease", "agent", "arp"} }

// InfoResult is what there is.
type InfoResult struct {
	// Host gives libvirt's version, the hypervisor's, and the host's figures (memory in KiB).
	Host *value.Dict `json:"host,omitempty"`
	// Domains by name: uuid, state, autostart, persistent, managed_save, memory and max_memory in KiB, vcpus, disks (target, source, format,
	// device, bus), interfaces (mac, type, source, model, target, addresses), graphics, snapshots, stats, plan, and whether we defined it (ours).
	Domains *value.Dict `json:"domains,omitempty"`
	// Networks by name, as virt_net's command info tells of them.
	Networks *value.Dict `json:"networks,omitempty"`
	// Pools by name, as virt_pool's command info tells of them.
	Pools *value.Dict `json:"pools,omitempty"`
	// Missing are the names that no domain has.
	Missing []string `json:"missing,omitempty"`
}

// Check refuses names that cannot be.
func (a InfoArgs) Check() error {
	for _, n := range a.Names {
		if err := checkName("names", n, true); err != nil {
			return err
		}
	}
	return nil
}

// addressLib is a piece of a probe: addresses NAME SOURCE prints the table of domifaddr. Before libvirt 10.6 the ARP table of Linux 6.10 and
// later is Greek to it ("wrong nlmsg len"); ip neigh then tells the same.
const addressLib = `addresses() {
	v domifaddr --domain "$1" --full --source "$2" 2>/dev/null && return
	[ "$2" = arp ] || return 1
	v dumpxml "$1" 2>/dev/null | sed -n "s/.*<mac address='\\([^']*\\)'.*/\\1/p" | while read -r m; do
		ip neigh show 2>/dev/null | while read -r ip _ dev word mac state; do
			[ "$word" = lladdr ] && [ "$mac" = "$m" ] || continue
			case $state/$ip in *FAILED*) ;; *:*) echo "$dev $mac ipv6 $ip/128" ;; *) echo "$dev $mac ipv4 $ip/32" ;; esac
		done
	done
}
`

// infoProbe: $1 the URI, $2 what to gather in commas, $3 the sources of addresses in spaces, then names of domains. All objects are asked for
// in one call of virsh, but for addresses: a running domain whose are asked for costs one more for each source.
const infoProbe = virshLib + addressLib + `want=,$1, sources=$2 TZ=UTC; shift 2
export TZ # of the leases' times
on() { case $want in *,"$1",*) return 0 ;; esac; return 1; }
names list --all --name
say version "$(virsh --version)"
if on host; then
	ask api version; ask node nodeinfo; ask free freecell; ask hostname hostname; tell kernel uname -r
fi
if on domains; then
	all=$names
	ask stats domstats
	ask autostart list --all --autostart --name
	ask saved list --all --with-managed-save --name
	ask transient list --all --transient --name
	[ $# -eq 0 ] || all=$(for n do if has "$all" "$n"; then printf '%s\n' "$n"; fi; done)
	! on addresses || running=$(v list --name)
	k=0
	while IFS= read -r n; do
		[ -n "$n" ] || continue
		k=$((k + 1))
		say "named$k" "$n"
		ask "xmld$k" dumpxml "$n"
		if on snapshots; then ask "snapshots$k" snapshot-list "$n" --name; fi
		on addresses && has "$running" "$n" || continue
		for s in $sources; do
			a=$(addresses "$n" "$s" </dev/null) && [ -n "$a" ] && { say "addresses$k" "$a"; break; }
		done
	done <<LIST
$all
LIST
fi
if on networks; then
	names=$(v net-list --all --name | sed 's/ *$//')
	k=0
	while IFS= read -r n; do
		[ -n "$n" ] || continue
		k=$((k + 1))
		say "namen$k" "$n"; ask "infon$k" net-info "$n"; ask "xmln$k" net-dumpxml "$n"
		if on leases; then ask "leasesn$k" net-dhcp-leases "$n"; fi
	done <<LIST
$names
LIST
fi
if on pools; then
	names=$(v pool-list --all --name | sed 's/ *$//')
	k=0
	while IFS= read -r n; do
		[ -n "$n" ] || continue
		k=$((k + 1))
		say "namep$k" "$n"; ask "infop$k" pool-info "$n" --bytes; ask "xmlp$k" pool-dumpxml "$n"
		if on volumes; then ask "volumesp$k" vol-list "$n"; fi
	done <<LIST
$names
LIST
fi
answers
exit 0
`

// parts gives what is asked for, with what it belongs to.
func (a InfoArgs) parts() []string {
	var parts []string
	add := func(p InfoPart) {
		if !slices.Contains(parts, string(p)) {
			parts = append(parts, string(p))
		}
	}
	for _, p := range a.Gather {
		add(p)
		switch p {
		case "addresses", "stats", "snapshots":
			add("domains")
		case "leases":
			add("networks")
		case "volumes":
			add("pools")
		}
	}
	return parts
}

func runInfo(ctx context.Context, h *modules.Host, a InfoArgs) (InfoResult, error) {
	var out InfoResult
	var sources []string
	for _, s := range a.Sources {
		sources = append(sources, string(s))
	}
	parts := a.parts()
	args := append([]string{string(a.URI), strings.Join(parts, ","), strings.Join(sources, " ")}, a.Names...)
	r, err := h.Probe(ctx, infoProbe, args...)
	if err == nil {
		err = reached(r)
	}
	if err != nil {
		return out, err
	}
	if slices.Contains(parts, "host") {
		out.Host = hostInfo(r)
	}
	if slices.Contains(parts, "domains") {
		if out.Domains, err = domainsInfo(r, slices.Contains(parts, "stats")); err != nil {
			return out, err
		}
		for _, n := range a.Names {
			if _, there := out.Domains.Get(n); !there {
				out.Missing = append(out.Missing, n)
			}
		}
	}
	if slices.Contains(parts, "networks") {
		if out.Networks, err = eachInfo(r, "n", netFacts); err != nil {
			return out, err
		}
	}
	if slices.Contains(parts, "pools") {
		out.Pools, err = eachInfo(r, "p", poolFacts)
	}
	return out, err
}

// eachInfo gives the facts of objects told under a letter and a number, by name.
func eachInfo(r *modules.Report, letter string, facts func(r *modules.Report, k, name string) (*value.Dict, error)) (*value.Dict, error) {
	all := value.NewDict()
	for i := 1; r.Has("name" + letter + strconv.Itoa(i)); i++ {
		k := letter + strconv.Itoa(i)
		name := r.Text("name" + k)
		one, err := facts(r, k, name)
		if err != nil {
			return nil, err
		}
		all.Set(name, one)
	}
	return all, nil
}

func hostInfo(r *modules.Report) *value.Dict {
	api, node := fields(answer(r, "api")), fields(answer(r, "node"))
	number := func(s string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(s, " KiB")) // 0 where virsh tells none
		return n
	}
	return value.NewDict("hostname", answer(r, "hostname"), "kernel", r.Text("kernel"), "libvirt", r.Text("version"), "hypervisor", api["Running hypervisor"],
		"cpu_model", node["CPU model"], "cpus", number(node["CPU(s)"]), "sockets", number(node["CPU socket(s)"]),
		"cores", number(node["Core(s) per socket"]), "threads", number(node["Thread(s) per core"]), "numa_cells", number(node["NUMA cell(s)"]),
		"memory", number(node["Memory size"]), "memory_free", number(fields(answer(r, "free"))["Total"]))
}

// domainsInfo gives every domain told of.
func domainsInfo(r *modules.Report, withStats bool) (*value.Dict, error) {
	stats := parseStats(answer(r, "stats"))
	listed := func(key string) map[string]bool {
		m := map[string]bool{}
		for n := range strings.SplitSeq(answer(r, key), "\n") {
			m[n] = true
		}
		return m
	}
	autostart, saved, transient := listed("autostart"), listed("saved"), listed("transient")
	all := value.NewDict()
	for i := 1; r.Has(fmt.Sprint("named", i)); i++ {
		name := r.Text(fmt.Sprint("named", i))
		doc, err := parseDump(r, fmt.Sprint("xmld", i), "domain", name)
		if err != nil {
			if e, ok := errors.AsType[*libvirt.Error](err); ok && e.Class == libvirt.NotFound {
				continue // it went away meanwhile
			}
			return nil, err
		}
		memory, _ := libvirt.KiB(doc.At("currentMemory"))
		most, _ := libvirt.KiB(doc.At("memory"))
		vcpus, _ := strconv.Atoi(stats[name]["vcpu.current"]) // 0 where libvirt tells none
		if vcpus == 0 {
			vcpus, _ = strconv.Atoi(doc.Val("vcpu"))
		}
		d := value.NewDict("uuid", doc.Val("uuid"), "state", statusWord(stats[name]["state.state"]), "autostart", autostart[name], "persistent", !transient[name],
			"managed_save", saved[name], "memory", int(memory), "max_memory", int(most), "vcpus", vcpus, "title", doc.Val("title"),
			"ours", libvirt.Recorded(doc) != nil, "plan", libvirt.Plan(doc), "disks", disksInfo(doc), "interfaces", interfacesInfo(doc, r.Text(fmt.Sprint("addresses", i))),
			"graphics", graphicsInfo(doc))
		if key := fmt.Sprint("snapshots", i); r.Has(key) {
			d.Set("snapshots", textList(strings.FieldsFunc(answer(r, key), func(c rune) bool { return c == '\n' })))
		}
		if withStats {
			one := value.NewDict()
			for _, key := range slices.Sorted(maps.Keys(stats[name])) {
				one.Set(key, stats[name][key])
			}
			d.Set("stats", one)
		}
		all.Set(name, d)
	}
	return all, nil
}

// statusWord is a state of libvirt's (virDomainState) as virsh says it.
func statusWord(n string) string {
	words := []string{"no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended"}
	if i, err := strconv.Atoi(n); err == nil && i >= 0 && i < len(words) {
		return words[i]
	}
	return "unknown"
}

func disksInfo(doc *libvirt.Node) *value.List {
	list := value.NewList()
	for _, d := range doc.At("devices").All("disk") {
		list.Append(value.NewDict("target", d.At("target").Attr("dev"), "source", diskSource(d), "format", d.At("driver").Attr("type"),
			"device", d.Attr("device"), "bus", d.At("target").Attr("bus")))
	}
	return list
}

// interfacesInfo gives a domain's interfaces; addresses is the table of domifaddr --full: interface, MAC address, protocol, address/prefix.
func interfacesInfo(doc *libvirt.Node, addresses string) *value.List {
	known := map[string][]string{}
	for line := range strings.Lines(addresses) {
		if f := strings.Fields(line); len(f) == 4 && strings.Contains(f[3], "/") {
			mac := strings.ToLower(f[1])
			known[mac] = append(known[mac], f[3])
		}
	}
	list := value.NewList()
	for _, n := range doc.At("devices").All("interface") {
		source := ""
		for _, a := range []string{"network", "bridge", "dev"} {
			if source == "" {
				source = n.At("source").Attr(a)
			}
		}
		mac := strings.ToLower(n.At("mac").Attr("address"))
		list.Append(value.NewDict("mac", mac, "type", n.Attr("type"), "source", source, "model", n.At("model").Attr("type"),
			"target", n.At("target").Attr("dev"), "addresses", textList(known[mac])))
	}
	return list
}

func graphicsInfo(doc *libvirt.Node) *value.List {
	list := value.NewList()
	for _, g := range doc.At("devices").All("graphics") {
		port, _ := strconv.Atoi(g.Attr("port")) // 0 where there is none
		list.Append(value.NewDict("type", g.Attr("type"), "listen", g.Attr("listen"), "port", port))
	}
	return list
}
