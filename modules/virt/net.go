package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed net.go
var netSource string

//go:embed net_fields.go
var netFieldsSource string

// Net sees to a network of libvirt's.
var Net = modules.Define("virt_net", netSource+netFieldsSource+virshSource, runNet,
	modules.Aliases("community.libvirt.virt_net"), modules.Converges())

// NetArgs define networks, from XML or from fields, start and stop them, or run one command about them. A definition is compared by what it
// says, the stored one and the running one. Reservations, ranges, names and port groups change while the network runs; what does not is up
// to disrupt.
//
//	# A network behind the host, whose addresses libvirt gives out.
//	- virt_net:
//	    name: lab
//	    state: active
//	    autostart: true
//	    mode: nat
//	    ipv4:
//	      address: 10.77.0.1
//	      prefix: 24
//	      dhcp:
//	        ranges: [10.77.0.100-10.77.0.200]
//	        hosts: [{mac: '52:54:00:ab:00:01', ip: 10.77.0.2, name: one}]
type NetArgs struct {
	// Name of the network.
	Name string `arg:"name,alias=network"`
	// State the network shall be in: present is defined, active also started. With list_nets: the state of the networks to list.
	State NetState `arg:"state"`
	// Command to run in place of state. define and modify take xml; create is start, destroy is stop; status and get_xml tell of a network,
	// list_nets, facts and info of all.
	Command NetCommand `arg:"command"`
	// Autostart is whether the network starts with the host.
	Autostart *bool `arg:"autostart"`
	// XML of the definition; for modify the element to add or change: a DHCP reservation (<host mac=…>), a range, a name (<host ip=…>), <txt>,
	// <srv>, <portgroup> or an <interface> of <forward>.
	XML string `arg:"xml" exclusive:"source"`
	// Mode of a definition by fields: what becomes of packets to other networks.
	Mode NetMode `arg:"mode" exclusive:"source"`
	NetFields
	// HostsMode is whether DHCP reservations that are not listed stay.
	HostsMode HostsMode `arg:"dhcp_hosts_mode" default:"merge"`
	// ReleaseLeases lets go of the addresses (IPv4) that the network still lends to others than its reservations say, so that a guest gets the
	// reserved one when it next asks and not when the lease has run out. The host needs dhcp_release (package dnsmasq-utils or dnsmasq).
	ReleaseLeases bool `arg:"release_leases"`
	// Disrupt is what happens when a change needs the network to be stopped and started: fail refuses it before anything is changed, restart
	// does it and plugs running guests in again, defer leaves it to the next start.
	Disrupt Disruption `arg:"disrupt" default:"fail"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// NetState is the state of a network.
type NetState string

// Choices lists the states.
func (NetState) Choices() []string {
	return []string{"active", "inactive", "present", "absent", "undefined"}
}

// NetCommand is what to do once.
type NetCommand string

// Choices lists the commands.
func (NetCommand) Choices() []string {
	return []string{"define", "create", "start", "stop", "destroy", "undefine", "get_xml", "list_nets", "facts", "info", "status", "modify"}
}

// HostsMode is what becomes of other reservations.
type HostsMode string

// Choices lists what can.
func (HostsMode) Choices() []string { return []string{"merge", "exact"} }

// Disruption is what to do about a change that needs a restart.
type Disruption string

// Choices lists what can be done.
func (Disruption) Choices() []string { return []string{"fail", "restart", "defer"} }

// NetResult tells of the network.
type NetResult struct {
	// Msg is 0 after a change of state.
	Msg any `json:"msg,omitempty"`
	// Created is the name of a network that was not there before.
	Created string `json:"created,omitempty"`
	// Modified is the name of a network that modify was about.
	Modified string `json:"modified,omitempty"`
	// Network as it is now.
	Network *NetworkResult `json:"network,omitempty"`
	// Restarted says that the network was stopped and started.
	Restarted bool `json:"restarted,omitempty"`
	// PendingRestart are the fields that the network takes up when it is started the next time.
	PendingRestart []string `json:"pending_restart,omitempty"`
	// what a command came to, under its own name (list_nets, status, get_xml, networks, ansible_facts)
	*value.Dict
}

// NetworkResult is a network as the module left it.
type NetworkResult struct {
	// Name of the network.
	Name string `json:"name"`
	// UUID of the network.
	UUID string `json:"uuid"`
	// Bridge that it is on.
	Bridge string `json:"bridge"`
	// Active is whether it runs.
	Active bool `json:"active"`
	// Persistent is whether it is defined, so that it stays when it is stopped.
	Persistent bool `json:"persistent"`
	// Autostart is whether it starts with the host.
	Autostart bool `json:"autostart"`
}

// Check refuses combinations that make no sense, in Ansible's words where it has some.
func (a NetArgs) Check() error {
	switch {
	case a.Command == "list_nets", a.Command == "info":
		return nil
	case a.Command == "facts":
		if a.Name == "" {
			return nil
		}
	case a.Command != "" && a.State != "":
		return &modules.ArgError{Path: []any{"state"}, Msg: "state and command cannot be given together, but for list_nets"}
	case a.Command != "" && a.Name == "":
		return &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("command is %s but all of the following are missing: name", a.Command)}
	case a.Command == "" && a.State == "" && a.Autostart == nil:
		return errors.New("expected state or command parameter to be specified")
	case a.Name == "":
		return errors.New("state change requires a specified name")
	case a.Command == "define" && a.XML == "" && !a.byFields(), a.Command == "modify" && a.XML == "":
		return fmt.Errorf("%s requires xml argument", a.Command)
	}
	if err := checkName("name", a.Name, a.AllowOddName); err != nil {
		return err
	}
	if a.ReleaseLeases && (a.Command != "" && a.Command != "define" || a.State == "absent" || a.State == "undefined" || a.XML == "" && !a.byFields()) {
		return &modules.ArgError{Path: []any{"release_leases"}, Msg: "release_leases goes with a definition and its reservations"}
	}
	if a.Command == "modify" {
		_, err := a.piece()
		return err
	}
	_, err := a.definition()
	return err
}

// byFields reports whether the definition is given by fields.
func (a NetArgs) byFields() bool { return a.Mode != "" || a.given() }

// definition gives what is to be defined, nil when nothing is.
func (a NetArgs) definition() (*libvirt.Node, error) {
	if a.State == "absent" || a.State == "undefined" || a.Command != "" && a.Command != "define" {
		return nil, nil
	}
	if a.XML == "" {
		if !a.byFields() {
			return nil, nil
		}
		return a.build(a.Name, a.Mode)
	}
	doc, err := parseXML(a.XML, "network")
	if err != nil {
		return nil, err
	}
	return doc, named(doc, a.Name)
}

// named gives a definition the name, and refuses one of another object.
func named(doc *libvirt.Node, name string) error {
	switch got := doc.Val("name"); got {
	case "":
		doc.Set("name", name)
	case name:
	default:
		return &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("given 'name' parameter does not match name in XML: %q and %q", name, got)}
	}
	if uuid := doc.Val("uuid"); uuid != "" {
		if _, err := libvirt.ParseUUID(uuid); err != nil {
			return &modules.ArgError{Path: []any{"xml"}, Msg: "xml: uuid " + err.Error()}
		}
	}
	return nil
}

func runNet(ctx context.Context, h *modules.Host, a NetArgs) (NetResult, error) {
	if a.Command == "list_nets" || a.Command == "info" || a.Command == "facts" {
		return a.runAll(ctx, h)
	}
	job := netJob{NetArgs: a, host: h}
	var err error
	if job.want, err = a.definition(); err != nil {
		return NetResult{}, err
	}
	if a.Command == "modify" {
		if job.part, err = a.piece(); err != nil {
			return NetResult{}, err
		}
	}
	args := []string{string(a.URI), a.Name}
	if a.ReleaseLeases {
		args = append(args, "leases")
	}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[network]{
		Probe: netProbe, Args: args, Lock: lockName("network", a.Name),
		Parse: func(r *modules.Report) (network, error) { return parseNet(r, a.Name) },
		Plan:  job.plan,
		Diff:  job.diff,
	})
	return job.result(before, after, modules.IgnorePlanned(err) != nil), explain(err)
}

// netProbe tells of one network: $1 the URI, $2 the name; with a $3 also what addresses it lends.
const netProbe = virshLib + `ask list net-list --all --name; ask version version
ask info net-info "$1"; ask xml net-dumpxml "$1" --inactive; ask live net-dumpxml "$1"
[ -z "$2" ] || ask leases net-dhcp-leases "$1"
answers | one "$1"
exit 0
`

// network is what a look told of one.
type network struct {
	name                          string
	version                       libvirt.Version
	exists                        bool
	uuid, bridge                  string
	active, persistent, autostart bool
	config, live                  *libvirt.Node // live is nil when it does not run
	leases                        []lease
}

func parseNet(r *modules.Report, name string) (network, error) {
	n := network{name: name}
	if err := reached(r); err != nil {
		return n, err
	}
	var err error
	if n.version, err = libvirt.ParseVersion(r.Text("version")); err != nil || failed(r, "info") {
		return n, err
	}
	info := fields(r.Text("info"))
	if n.config, err = parseDump(r, "xml", "network", name); err != nil {
		return n, err
	}
	if info["Active"] == "yes" {
		if n.live, err = parseDump(r, "live", "network", name); err != nil {
			return n, err
		}
	}
	n.leases = parseLeases(answer(r, "leases"))
	n.exists, n.uuid, n.bridge = true, info["UUID"], info["Bridge"]
	n.active, n.persistent, n.autostart = info["Active"] == "yes", info["Persistent"] == "yes", info["Autostart"] == "yes"
	return n, nil
}

// parseDump reads a section with an object's XML. virsh takes a word for a UUID before it takes it for a name.
func parseDump(r *modules.Report, key, root, name string) (*libvirt.Node, error) {
	if failed(r, key) {
		return nil, refusal(r, key)
	}
	doc, err := libvirt.ParseRoot(r.Text(key), root)
	if err != nil {
		return nil, fmt.Errorf("read the definition of %s %s: %w", root, name, err)
	}
	if got := doc.Val("name"); got != name {
		return nil, fmt.Errorf("virsh takes the name %q for the UUID of %s %s, so nothing is done: give it another name", name, root, got)
	}
	return doc, nil
}

func (n network) status() string {
	if n.active {
		return "active"
	}
	return "inactive"
}

// validate is the option for definitions of all but domains.
func validate(v libvirt.Version) []string {
	if v >= libvirt.SinceValidate {
		return []string{"--validate"}
	}
	return nil
}

// runAll runs a command about all networks.
func (a NetArgs) runAll(ctx context.Context, h *modules.Host) (NetResult, error) {
	r, err := h.Probe(ctx, netsProbe, string(a.URI), string(a.Command), a.Name)
	if err == nil {
		err = reached(r)
	}
	if err != nil {
		return NetResult{}, err
	}
	names := slices.Clone(r.Lines("names"))
	if a.Command == "list_nets" {
		if active := r.Lines("active"); a.State == "active" || a.State == "inactive" {
			names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(active, n) != (a.State == "active") })
		} else if a.State != "" {
			names = nil
		}
		return NetResult{Dict: value.NewDict("list_nets", textList(names))}, nil
	}
	all := value.NewDict()
	for i, name := range names {
		if a.Name != "" && a.Command == "facts" && name != a.Name {
			continue
		}
		facts, err := netFacts(r, fmt.Sprint(i+1), name)
		if err != nil {
			return NetResult{}, err
		}
		all.Set(name, facts)
	}
	if a.Command == "info" {
		return NetResult{Dict: value.NewDict("networks", all)}, nil
	}
	if _, found := all.Get(a.Name); a.Name != "" && !found {
		return NetResult{}, errNoNet(a.Name)
	}
	return NetResult{Dict: value.NewDict("ansible_facts", value.NewDict("ansible_libvirt_networks", all))}, nil
}

func errNoNet(name string) error { return libvirt.NotThere("network", name) }
