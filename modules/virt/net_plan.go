package virt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// netJob is one run of virt_net.
type netJob struct {
	NetArgs
	host      *modules.Host
	want      *libvirt.Node // nil when nothing is to be defined
	part      *netPiece     // of modify
	diffs     []libvirt.Difference
	pending   []string
	restarted bool
}

// plan leads from how a network is to what is asked.
func (j *netJob) plan(n network) ([]modules.Action, error) {
	switch {
	case j.State == "absent" || j.State == "undefined":
		return j.planAbsent(n), nil
	case j.Command == "undefine":
		if n.persistent {
			return []modules.Action{j.virsh("undefine", "net-undefine")}, nil
		}
		return nil, nil
	case j.State == "inactive" && !n.exists && j.want == nil:
		return nil, nil
	case !n.exists && j.State == "present" && j.want == nil:
		return nil, fmt.Errorf("network '%s' not present, but xml not specified", j.Name)
	case !n.exists && j.want == nil:
		return nil, errNoNet(j.Name)
	case j.part != nil:
		return j.part.plan(j, n)
	}
	actions, err := j.planDefine(n)
	if err != nil {
		return nil, err
	}
	switch up := j.State == "active" || j.Command == "create" || j.Command == "start"; {
	case up && !n.active:
		actions = append(actions, j.virsh("start", "net-start"))
	case n.active && (j.State == "inactive" || j.Command == "stop" || j.Command == "destroy"):
		actions = append(actions, j.virsh("stop", "net-destroy"))
	}
	if j.Autostart != nil && *j.Autostart != n.autostart {
		actions = append(actions, j.planAutostart(*j.Autostart))
	}
	if j.ReleaseLeases && j.State != "inactive" && (n.active || j.State == "active") {
		actions = append(actions, j.release(n)...)
	}
	return actions, nil
}

func (j *netJob) virsh(why, command string) modules.Action {
	return virsh(j.Place, why+" network "+j.Name, command, "--network", j.Name)
}

func (j *netJob) planAutostart(on bool) modules.Action {
	if on {
		return virsh(j.Place, "start network "+j.Name+" with the host", "net-autostart", "--network", j.Name)
	}
	return virsh(j.Place, "do not start network "+j.Name+" with the host", "net-autostart", "--network", j.Name, "--disable")
}

func (j *netJob) planAbsent(n network) []modules.Action {
	var actions []modules.Action
	if n.active {
		actions = append(actions, j.virsh("stop", "net-destroy"))
	}
	if n.persistent {
		actions = append(actions, j.virsh("undefine", "net-undefine"))
	}
	return actions
}

// planDefine brings the stored and the running definition to what is wanted.
func (j *netJob) planDefine(n network) ([]modules.Action, error) {
	if j.want == nil {
		return nil, nil
	}
	if err := checkXML(j.host, j.want, n.version, true); err != nil {
		return nil, err
	}
	if !n.exists {
		if len(j.diffs) == 0 {
			j.diffs = libvirt.Compare(j.want, libvirt.New("network", ""), nil)
		}
		return []modules.Action{j.define(n, j.want.Clone(), "define network "+j.Name)}, nil
	}
	if uuid := j.want.Val("uuid"); uuid != "" {
		if canon, err := libvirt.ParseUUID(uuid); err != nil || canon != n.uuid {
			return nil, fmt.Errorf("network %s has the UUID %s, the XML another one: %s", j.Name, n.uuid, uuid)
		}
	}
	record := libvirt.Recorded(n.config)
	stored := append(libvirt.Compare(j.want, n.config, record), j.surplus(n.config)...)
	var running []libvirt.Difference
	if n.live != nil {
		running = append(libvirt.Compare(j.want, withContainers(j.want, n.live), record), j.surplus(n.live)...)
	}
	if len(j.diffs) == 0 {
		j.diffs = unite(stored, running)
	}
	hard := slices.DeleteFunc(slices.Clone(running), soft)
	if len(hard) > 0 && j.Disrupt == "fail" && j.State != "inactive" {
		return nil, fmt.Errorf("network %s runs, and it must be stopped and started for a change of %s: "+
			"disrupt: restart does that and plugs the guests in again, disrupt: defer leaves it to the next start", j.Name, tell(hard))
	}
	var actions []modules.Action
	if len(stored) > 0 || !n.persistent {
		doc := libvirt.Merge(j.want, n.config, libvirt.MergeOptions{Record: record, KeepHosts: j.HostsMode == "merge"})
		j.dropSurplus(doc)
		actions = append(actions, j.define(n, doc, "define network "+j.Name+" anew: "+tell(stored)))
	}
	switch {
	case len(hard) > 0 && j.Disrupt == "restart" && j.State != "inactive":
		j.restarted = true
		return append(actions, j.restart(n)), nil
	case len(hard) > 0:
		j.pending = paths(hard)
		return actions, nil // what is soft waits too: an update may lean on what is not there yet
	}
	if j.State == "inactive" {
		return actions, nil
	}
	return append(actions, updates(j, n)...), nil
}

// define defines the network with a record of what is ours.
func (j *netJob) define(n network, doc *libvirt.Node, why string) modules.Action {
	libvirt.SetRecord(doc, libvirt.Owned(j.want))
	return withFile(j.Place, why, doc.String(), "--file", append([]string{"net-define"}, validate(n.version)...)...)
}

func unite(a, b []libvirt.Difference) []libvirt.Difference {
	all := slices.Clone(a)
	for _, d := range b {
		if !slices.ContainsFunc(all, func(o libvirt.Difference) bool { return o.Path == d.Path }) {
			all = append(all, d)
		}
	}
	return all
}

func paths(diffs []libvirt.Difference) []string {
	var all []string
	for _, d := range diffs {
		all = append(all, d.Path)
	}
	return all
}

// surplus are the reservations that nobody wants, with dhcp_hosts_mode: exact.
func (j *netJob) surplus(have *libvirt.Node) []libvirt.Difference {
	if j.HostsMode != "exact" {
		return nil
	}
	var diffs []libvirt.Difference
	for _, h := range surplusHosts(j.want, have) {
		diffs = append(diffs, libvirt.Difference{Path: "ip/dhcp/host[" + h.Attr("mac") + h.Attr("name") + "]", Before: h.Attr("ip")})
	}
	return diffs
}

func (j *netJob) dropSurplus(doc *libvirt.Node) {
	if j.HostsMode != "exact" {
		return
	}
	gone := surplusHosts(j.want, doc)
	for _, ip := range doc.All("ip") {
		if dhcp := ip.At("dhcp"); dhcp != nil {
			dhcp.Nodes = slices.DeleteFunc(dhcp.Nodes, func(n *libvirt.Node) bool { return slices.Contains(gone, n) })
		}
	}
}

// surplusHosts gives have's reservations that want has not.
func surplusHosts(want, have *libvirt.Node) []*libvirt.Node {
	var wanted, gone []*libvirt.Node
	for _, ip := range want.All("ip") {
		wanted = append(wanted, ip.At("dhcp").All("host")...)
	}
	for _, ip := range have.All("ip") {
		for _, h := range ip.At("dhcp").All("host") {
			if !slices.ContainsFunc(wanted, func(w *libvirt.Node) bool { return sameHost(w, h) }) {
				gone = append(gone, h)
			}
		}
	}
	return gone
}

// sameHost reports whether two reservations are for one host: by its MAC address, or where there is none by its name or address.
func sameHost(a, b *libvirt.Node) bool {
	if a.Attr("mac") != "" || b.Attr("mac") != "" {
		return strings.EqualFold(a.Attr("mac"), b.Attr("mac"))
	}
	return a.Attr("id") == b.Attr("id") && a.Attr("name") == b.Attr("name")
}

// restartScript: URI, name, bridge. Guests' interfaces that were on the bridge are plugged in again.
const restartScript = `uri=$1 name=$2 br=$3
v() { virsh -q -c "$uri" "$@"; }
ports=
if [ -n "$br" ] && [ -d "/sys/class/net/$br/brif" ]; then ports=$(ls "/sys/class/net/$br/brif"); fi
v net-destroy --network "$name" && v net-start --network "$name" || exit 1
now=$(v net-info --network "$name" | sed -n 's/^Bridge: *//p')
for p in $ports; do
	[ "$p" != "$br-nic" ] && [ -d "/sys/class/net/$p" ] || continue
	ip link set dev "$p" master "$now" || { echo "the network runs again, but $p could not be plugged into $now" >&2; exit 1; }
done`

func (j *netJob) restart(n network) modules.Action {
	return modules.Action{Why: "stop and start network " + j.Name, Script: restartScript, Args: []string{string(j.URI), j.Name, n.bridge}}
}

func (j *netJob) diff(before, after network) []modules.Diff {
	var diffs []modules.Diff
	if len(j.diffs) > 0 {
		diffs = differences("network "+j.Name, j.diffs)
	}
	if before.exists != after.exists || before.active != after.active {
		diffs = append(diffs, modules.Diff{
			Before: before.shown() + "\n", After: after.shown() + "\n", BeforeHeader: "state of " + j.Name, AfterHeader: "state of " + j.Name,
		})
	}
	return diffs
}

func (n network) shown() string {
	if !n.exists {
		return "absent"
	}
	return n.status()
}

// result makes the register's keys.
func (j *netJob) result(before, after network, failed bool) NetResult {
	r := NetResult{}
	if after.exists && (j.Command == "" || j.Command == "define") {
		r.Network = &NetworkResult{
			Name: j.Name, UUID: after.uuid, Bridge: after.bridge, Active: after.active, Persistent: after.persistent, Autostart: after.autostart,
		}
	}
	if failed {
		return r
	}
	r.Restarted, r.PendingRestart = j.restarted, j.pending
	if j.want != nil && !before.exists {
		r.Created = j.Name
	}
	switch j.Command {
	case "", "define":
		if j.State != "" && before.exists && before.active != after.active {
			r.Msg = 0
		}
	case "modify":
		r.Modified = j.Name
	case "status":
		r.Dict = value.NewDict("status", after.status())
	case "get_xml":
		doc := after.config
		if after.live != nil {
			doc = after.live
		}
		r.Dict = value.NewDict("get_xml", doc.String())
	case "create", "start":
		r.Dict = value.NewDict(string(j.Command), outcome(!before.active))
	case "stop", "destroy":
		r.Dict = value.NewDict(string(j.Command), outcome(before.active))
	case "undefine":
		r.Dict = value.NewDict("undefine", outcome(before.exists))
	}
	return r
}

// outcome is what libvirt's Python gives: 0 when something was done, nothing otherwise.
func outcome(done bool) any {
	if done {
		return 0
	}
	return nil
}

// netsProbe tells of all networks: $1 the URI, $2 the command, $3 a name or "". Leases virsh gives as a table only; their times are UTC.
const netsProbe = virshLib + `export TZ=UTC
names net-list --all --name
say names "$names"
if [ "$1" = list_nets ]; then names net-list --name; say active "$names"; exit 0; fi
k=0
while IFS= read -r n; do
	[ -n "$n" ] || continue
	k=$((k + 1))
	[ -z "$2" ] || [ "$2" = "$n" ] || continue
	ask "info$k" net-info "$n"; ask "xml$k" net-dumpxml "$n"; ask "leases$k" net-dhcp-leases "$n"
done <<LIST
$names
LIST
answers
exit 0
`

// netFacts are a network's, as community.libvirt names them.
func netFacts(r *modules.Report, k, name string) (*value.Dict, error) {
	doc, err := parseDump(r, "xml"+k, "network", name)
	if err != nil {
		return nil, err
	}
	info := fields(answer(r, "info"+k))
	state := "inactive"
	if info["Active"] == "yes" {
		state = "active"
	}
	d := value.NewDict("autostart", info["Autostart"], "persistent", info["Persistent"], "state", state, "bridge", info["Bridge"], "uuid", info["UUID"],
		"dhcp_leases", leases(answer(r, "leases"+k), info["Bridge"]))
	for _, f := range []struct{ key, element, attr string }{
		{"forward_mode", "forward", "mode"}, {"domain", "domain", "name"}, {"macaddress", "mac", "address"},
	} {
		if n := doc.At(f.element); n != nil {
			d.Set(f.key, n.Attr(f.attr))
		}
	}
	return d, nil
}

// leases reads the table of net-dhcp-leases: date, time, MAC address, protocol, address/prefix, host name, client ID.
func leases(text, bridge string) *value.List {
	list := value.NewList()
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 7 {
			continue
		}
		at, err := time.Parse(time.DateTime, f[0]+" "+f[1])
		if err != nil {
			continue // a heading
		}
		ip, prefix, _ := strings.Cut(f[4], "/")
		length, _ := strconv.Atoi(prefix) // 0 where libvirt gives none
		kind := map[string]int{"ipv4": 0, "ipv6": 1}[f[3]]
		list.Append(value.NewDict("iface", bridge, "expirytime", int(at.Unix()), "type", kind, "mac", dash(f[2]), "ipaddr", ip, "prefix", length,
			"hostname", dash(f[5]), "clientid", dash(f[6])))
	}
	return list
}

// dash gives nil for the - that stands for nothing.
func dash(s string) any {
	if s == "-" {
		return nil
	}
	return s
}
