package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
)

// GuestQuery names a libvirt whose domains are hosts: URI as Host sees it, or as this machine does when Host is "".
type GuestQuery struct{ URI, Host string }

// Guests are what a libvirt has.
type Guests struct {
	// Info is what the module virt_info tells of domains, networks, addresses and stats.
	Info *value.Dict
	// Hypervisor is the host of the inventory that has them, or this machine's name.
	Hypervisor string
	// Jump is what reaches them from here when they are behind the hypervisor (ssh -J); "" when they are reached directly.
	Jump string
}

// guestPrefix begins a source that is a libvirt: libvirt:URI, libvirt:HOST or libvirt:HOST:URI.
const guestPrefix = "libvirt:"

// IsGuests reports whether a source is a libvirt.
func IsGuests(source string) bool { return strings.HasPrefix(source, guestPrefix) }

func parseGuests(source string) GuestQuery {
	rest := strings.TrimPrefix(source, guestPrefix)
	head, after, _ := strings.Cut(rest, ":")
	switch {
	case strings.HasPrefix(after, "//"):
		return GuestQuery{URI: rest}
	case strings.Contains(after, "://"):
		return GuestQuery{URI: after, Host: head}
	}
	return GuestQuery{URI: "qemu:///system", Host: rest}
}

// guestForm is how domains become hosts.
type guestForm struct {
	byUUID bool // uuid is the host's name, and the domain's name a group
	all    bool // also those that do not run
	alias  bool // the other of name and UUID is a group, as Ansible's plugin has it
}

// readGuests makes hosts of the domains that a source on the command line names.
func (l *loader) readGuests(source string) error {
	q := parseGuests(source)
	if q.Host == "" && q.URI == "" {
		return diag.Errorf(diag.Pos{File: source}, "%s names no libvirt", source).
			WithHint("libvirt:qemu:///system is this machine's, libvirt:HOST a host's of the inventory")
	}
	_, err := l.guests(q, guestForm{}, diag.Pos{File: source})
	return err
}

// readLibvirt reads the configuration of Ansible's plugin community.libvirt.libvirt.
func (l *loader) readLibvirt(doc document.Document, config *value.Dict) error {
	c := constructed{loader: l, doc: doc, config: config}
	c.strict = c.flag("strict", false)
	known := []string{"plugin", "uri", "inventory_hostname", "hypervisor", "strict", "compose", "groups", "keyed_groups", "use_extra_vars", "leading_separator"}
	for key := range config.All() {
		name, _ := key.(string)
		if !slices.Contains(known, name) {
			err := diag.Errorf(c.at(name), "unknown option %q of the inventory plugin libvirt", name)
			if near := diag.Near(name, known); near != "" {
				return err.WithHint("did you mean %q?", near)
			}
			return err.WithHint("known are %s", strings.Join(known, ", "))
		}
	}
	uri, form := config.Str("uri"), guestForm{all: true, alias: true}
	if uri == "" {
		return diag.Errorf(doc.Pos(doc.Root), "the inventory plugin libvirt needs uri").WithHint("such as uri: qemu:///system")
	}
	switch name := config.Str("inventory_hostname"); name {
	case "", "name":
	case "uuid":
		form.byUUID = true
	default:
		return diag.Errorf(c.at("inventory_hostname"), "inventory_hostname must be name or uuid, not %q", name)
	}
	hosts, err := l.guests(GuestQuery{URI: uri, Host: config.Str("hypervisor")}, form, c.at("uri"))
	if err != nil {
		return err
	}
	var errs diag.List
	for _, h := range hosts {
		errs.Add(c.host(h, nil))
	}
	return errs.Err()
}

// guests asks a libvirt and makes hosts of its domains.
func (l *loader) guests(q GuestQuery, form guestForm, pos diag.Pos) ([]*Host, error) {
	if l.opts.Guests == nil {
		return nil, diag.Errorf(pos, "libvirt cannot be asked here")
	}
	found, err := l.opts.Guests(l.ctx, q)
	if err != nil {
		if d, ok := err.(*diag.Error); ok && d.Pos == (diag.Pos{}) { //nolint:errorlint // what is wrapped has a place of its own
			d.Pos = pos
		}
		return nil, err
	}
	domains, networks := dictOf(found.Info, "domains"), dictOf(found.Info, "networks")
	var hosts []*Host
	for key, v := range domains.All() {
		name, _ := key.(string)
		d, ok := v.(*value.Dict)
		if !ok || !form.all && slices.Contains([]string{"shut off", "crashed"}, d.Str("state")) {
			continue
		}
		h := l.guestHost(name, d, form, found.Hypervisor, pos)
		l.guestVars(h, name, d, q, form, found, networks)
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// guestHost makes the host of a domain with its groups. Where another libvirt's domain has the name already, or the hypervisor itself, the UUID is
// the host's name: what is meant for a hypervisor must not reach its guest.
func (l *loader) guestHost(name string, d *value.Dict, form guestForm, hypervisor string, pos diag.Pos) *Host {
	hostName, alias, uuid := name, d.Str("uuid"), d.Str("uuid")
	if had, there := l.inv.hostByName[name]; there && !form.byUUID {
		if before, is := l.inv.layerVars(had.Vars).Get("libvirt_uuid"); is && before != uuid {
			l.warn(pos, "", "two domains are named %q: host %s is the second", name, uuid)
			form.byUUID, form.alias = true, true
		}
	}
	if name == hypervisor && !form.byUUID {
		l.warn(pos, "", "a domain is named %q, as its hypervisor is: its host is %s", name, uuid)
		form.byUUID, form.alias = true, false
	}
	if form.byUUID {
		hostName, alias = uuid, name
	}
	h := l.host(hostName, 0, pos)
	groups := []string{"state_" + d.Str("state")}
	for _, n := range interfacesOf(d) {
		if n.Str("type") == "network" && n.Str("source") != "" {
			groups = append(groups, "network_"+n.Str("source"))
		}
	}
	if plan := d.Str("plan"); plan != "" {
		groups = append(groups, "plan_"+plan)
	}
	for _, g := range groups {
		made, _ := l.inv.addGroup(safeName(g), pos)
		l.inv.addMember(made, h)
	}
	if form.alias { // as it is, also where that is an odd name of a group
		made, _ := l.inv.addGroup(alias, pos)
		l.inv.addMember(made, h)
	}
	return h
}

// guestVars gives a host the variables of its domain. All of it is text of somebody else's, none of which is ever rendered.
func (l *loader) guestVars(h *Host, name string, d *value.Dict, q GuestQuery, form guestForm, found Guests, networks *value.Dict) {
	for _, v := range []struct {
		key string
		val any
	}{
		{"libvirt_name", name},
		{"libvirt_uuid", d.Str("uuid")},
		{"libvirt_state", d.Str("state")},
		{"libvirt_title", d.Str("title")},
		{"libvirt_hypervisor", found.Hypervisor},
		{"libvirt_uri", q.URI},
		{"libvirt_memory_kib", valueOf(d, "memory")},
		{"libvirt_vcpus", valueOf(d, "vcpus")},
	} {
		l.setHostVar(h, v.key, v.val)
	}
	if form.all {
		l.setHostVar(h, "info", guestInfo(d))
	}
	all := value.NewList()
	chosen, behind := "", false
	for _, n := range interfacesOf(d) {
		addresses, _ := valueOf(n, "addresses").(*value.List)
		if addresses == nil {
			continue
		}
		for _, item := range addresses.Items {
			text, _ := item.(string)
			p, err := netip.ParsePrefix(text)
			if err != nil || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() {
				continue
			}
			all.Append(p.Addr().String())
			if chosen == "" || p.Addr().Is4() && strings.Contains(chosen, ":") {
				mode := dictOf(networks, n.Str("source")).Str("forward_mode")
				chosen, behind = p.Addr().String(), n.Str("type") == "network" && mode != "bridge" && mode != "open"
			}
		}
	}
	l.setHostVar(h, "libvirt_addresses", all)
	if chosen == "" {
		return
	}
	l.setHostVar(h, "ansible_host", chosen)
	if behind && found.Jump != "" {
		l.setHostVar(h, "ansible_ssh_proxy_jump", found.Jump)
	}
}

// guestInfo is the variable info of Ansible's plugin.
func guestInfo(d *value.Dict) *value.Dict {
	stats, number := dictOf(d, "stats"), 0
	if n, ok := toInt(valueOf(stats, "state.state")); ok {
		number = n
	}
	words := []string{"nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended", "last"}
	time, _ := toInt(valueOf(stats, "cpu.time")) // none when it does not run
	return value.NewDict("state_number", number, "state", words[max(0, min(number, len(words)-1))], "maxMem_kb", valueOf(d, "max_memory"),
		"memory_kb", valueOf(d, "memory"), "nrVirtCpu", valueOf(d, "vcpus"), "cpuTime_ns", time)
}

func interfacesOf(d *value.Dict) []*value.Dict {
	list, _ := valueOf(d, "interfaces").(*value.List)
	if list == nil {
		return nil
	}
	var all []*value.Dict
	for _, item := range list.Items {
		if n, ok := item.(*value.Dict); ok {
			all = append(all, n)
		}
	}
	return all
}

func valueOf(d *value.Dict, key string) any {
	v, _ := d.Get(key)
	return v
}

func dictOf(d *value.Dict, key string) *value.Dict {
	inner, ok := valueOf(d, key).(*value.Dict)
	if !ok {
		return value.NewDict()
	}
	return inner
}
