package virt

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// virtHostProbe: URI, command.
const virtHostProbe = virshLib + `case $1 in
list_vms|info)
	names list --all --name
	say names "$names"
	tell stats v domstats --state --cpu-total --balloon --vcpu
	[ "$1" = list_vms ] || tell autostart v list --all --autostart --name ;;
freemem) tell out v freecell ;;
nodeinfo) tell out v nodeinfo ;;
virttype) tell out v version ;;
esac
exit 0
`

// runHostCommand runs a command that is about the host or about all domains.
func (a Args) runHostCommand(ctx context.Context, h *modules.Host) (Result, error) {
	r, err := h.Probe(ctx, virtHostProbe, string(a.URI), string(a.Command))
	if err == nil {
		err = reached(r)
	}
	if err != nil {
		return Result{}, err
	}
	for _, key := range []string{"out", "stats", "autostart"} {
		if r.Has(key) && r.Status(key) != 0 {
			return Result{}, libvirt.Explain(r.Text(key + ".err"))
		}
	}
	out := value.NewDict()
	switch a.Command {
	case "list_vms":
		var names []string
		stats := parseStats(r.Text("stats"))
		for _, name := range r.Lines("names") {
			if a.State == "" || statusNumber(stats[name]["state.state"]) == string(a.State) {
				names = append(names, name)
			}
		}
		out.Set("list_vms", textList(names))
	case "info":
		out = allInfo(r)
	case "freemem":
		kib, err := strconv.Atoi(strings.TrimSuffix(fields(r.Text("out"))["Total"], " KiB"))
		if err != nil {
			return Result{}, fmt.Errorf("read what virsh freecell prints: %w", err)
		}
		out.Set("freemem", kib*1024)
	case "nodeinfo":
		out = nodeInfo(r)
	case "virttype":
		kind, _, _ := strings.Cut(fields(r.Text("out"))["Using API"], " ")
		out.Set("virttype", kind)
	}
	return Result{Dict: out}, nil
}

// parseStats reads domstats: by domain, key=value.
func parseStats(text string) map[string]map[string]string {
	all := map[string]map[string]string{}
	var one map[string]string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "Domain: '"); ok {
			one = map[string]string{}
			all[strings.TrimSuffix(name, "'")] = one
			continue
		}
		if key, val, ok := strings.Cut(strings.TrimSpace(line), "="); ok && one != nil {
			one[key] = val
		}
	}
	return all
}

// statusNumber is a state of libvirt's (virDomainState) in the words of community.libvirt.
func statusNumber(n string) string {
	switch n {
	case "0", "1", "2":
		return "running"
	case "3":
		return "paused"
	case "4", "5":
		return "shutdown"
	case "6":
		return "crashed"
	}
	return "unknown"
}

// allInfo gives the figures of every domain by its name.
func allInfo(r *modules.Report) *value.Dict {
	stats := parseStats(r.Text("stats"))
	starts := map[string]bool{}
	for _, name := range r.Lines("autostart") {
		starts[name] = true
	}
	out := value.NewDict()
	for _, name := range r.Lines("names") {
		s := stats[name]
		autostart := 0
		if starts[name] {
			autostart = 1
		}
		vcpus, _ := strconv.Atoi(s["vcpu.current"]) // 0 where there are none
		out.Set(name, value.NewDict("state", statusNumber(s["state.state"]), "maxMem", s["balloon.maximum"], "memory", s["balloon.current"],
			"nrVirtCpu", vcpus, "cpuTime", orZero(s["cpu.time"]), "autostart", autostart))
	}
	return out
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// nodeInfo gives the host's figures, memory in MiB.
func nodeInfo(r *modules.Report) *value.Dict {
	f := fields(r.Text("out"))
	kib, _ := strconv.Atoi(strings.TrimSuffix(f["Memory size"], " KiB"))
	return value.NewDict("cpumodel", f["CPU model"], "phymemory", strconv.Itoa(kib/1024), "cpus", f["CPU(s)"],
		"cpumhz", orZero(strings.TrimSuffix(f["CPU frequency"], " MHz")), "numanodes", f["NUMA cell(s)"],
		"sockets", f["CPU socket(s)"], "cpucores", f["Core(s) per socket"], "cputhreads", f["Thread(s) per core"])
}

// shownXML is the definition that get_xml gives: as it runs, or will.
func (d domain) shownXML() string {
	doc := d.config
	if d.live != nil {
		doc = d.live
	}
	if doc == nil {
		return ""
	}
	return doc.String()
}

// interfaces are a domain's, as community.libvirt counts them.
func (d domain) interfaces() *value.Dict {
	out := value.NewDict()
	doc := d.config
	if d.live != nil {
		doc = d.live
	}
	kinds := map[string]string{"network": "NAT", "direct": "macvtap"}
	sources := map[string]string{"bridge": "bridge", "direct": "dev", "network": "network"}
	for i, n := range doc.At("devices").All("interface") {
		kind := n.Attr("type")
		word := kinds[kind]
		if word == "" {
			word = kind
		}
		out.Set("interface_"+strconv.Itoa(i+1), value.NewDict("type", word, "mac", n.At("mac").Attr("address"),
			"pci_bus", n.At("address").Attr("bus"), "source", n.At("source").Attr(sources[kind])))
	}
	return out
}
