package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/facts"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed hostname.go
var hostnameSource string

// Hostname sees to the host's own name.
var Hostname = modules.Define("hostname", hostnameSource, runHostname,
	modules.Aliases("ansible.builtin.hostname", "ansible.legacy.hostname"), modules.Converges())

// HostnameArgs see to the host's own name: under systemd by hostnamectl, the running name and the one for the next boot, elsewhere in the
// file that the distribution has for it, which on Alpine is read at once and elsewhere at the next boot.
//
//	# Each host has its name of the inventory.
//	- hostname:
//	    name: "{{ inventory_hostname }}"
//	    update_hosts: true
type HostnameArgs struct {
	// Name that the host shall have: at most 64 letters, digits, - and dots.
	Name string `arg:"name" required:"true"`
	// Use says how: systemd, or the file of a distribution; without it the host tells. Systems other than Linux are refused.
	Use hostnameUse `arg:"use"`
	// Pretty is a name for people, which may have blanks; without it hostnamectl makes it the name, and files leave it alone.
	Pretty *string `arg:"pretty"`
	// UpdateHosts sees that /etc/hosts has the name, in the place of the old one or else at 127.0.1.1. Live migration needs a name
	// that leads to an address of the network: see hosts_entry.
	UpdateHosts bool `arg:"update_hosts"`
}

type hostnameUse string

// Choices lists the ways.
func (hostnameUse) Choices() []string {
	return []string{
		"alpine", "debian", "freebsd", "generic", "macos", "macosx", "darwin", "openbsd", "openrc", "redhat", "sles", "solaris", "systemd",
	}
}

// HostnameResult tells of the name.
type HostnameResult struct {
	// Name that the host has.
	Name string `json:"name"`
	// AnsibleFacts has hostname, nodename, fqdn and domain.
	AnsibleFacts *value.Dict `json:"ansible_facts,omitempty"`
}

var hostLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

// checkHostname refuses what no tool takes for a host's name (hostname(7), HOST_NAME_MAX).
func checkHostname(name string) error {
	if len(name) > 64 {
		return &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("name cannot be longer than 64 characters, try a shorter name: it has %d", len(name))}
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > 63 || !hostLabel.MatchString(label) {
			return &modules.ArgError{
				Path: []any{"name"}, Msg: fmt.Sprintf("name cannot be a host's name: %q", name), Hint: "letters, digits and, between them, - and dots",
			}
		}
	}
	return nil
}

// Check refuses what cannot be a name.
func (a HostnameArgs) Check() error {
	switch a.Use {
	case "freebsd", "generic", "macos", "macosx", "darwin", "openbsd", "solaris":
		return &modules.ArgError{Path: []any{"use"}, Msg: fmt.Sprintf("use: %s is not supported: there are systemd, debian, redhat, sles, alpine and openrc", a.Use)}
	}
	if a.Pretty != nil && strings.ContainsAny(*a.Pretty, "\n\r\"\\$`") {
		return &modules.ArgError{Path: []any{"pretty"}, Msg: "pretty must be one line without quotes, $ and \\"}
	}
	return checkHostname(a.Name)
}

// hostnameScript: use. Everything that any of the ways looks at is told.
const hostnameScript = `has() { command -v "$1" >/dev/null 2>&1; }
use=$1
if [ -d /run/systemd/system ] && has systemctl; then say systemd yes; [ -n "$use" ] || use=systemd; fi
case $use in systemd | debian)
	if has hostnamectl; then
		tell transient hostnamectl --transient status
		tell static hostnamectl --static status
		tell pretty hostnamectl --pretty status
	fi
esac
node=$(cat /proc/sys/kernel/hostname)
say node "$node"
for f in /etc/os-release /etc/hostname /etc/HOSTNAME /etc/sysconfig/network /etc/conf.d/hostname /etc/machine-info /etc/hosts; do
	if [ -e "$f" ]; then show "file.$f" "$f"; fi
done
if ! grep -qsF -- "$node" /etc/hosts && has timeout && has getent; then say resolved "$(timeout 2 getent hosts "$node" </dev/null 2>/dev/null)"; fi
if [ -e /etc/cloud/cloud.cfg ] && ! grep -qsE '^[[:space:]]*preserve_hostname:[[:space:]]*[Tt]rue' /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg; then say cloud yes; fi
exit 0
`

// hostNames is what a look told.
type hostNames struct {
	way                        hostnameUse // systemd, or whose file
	current, permanent, pretty string
	node                       string // the running kernel's
	files                      map[string]string
	resolved                   []string
	cloud                      bool // cloud-init sets the name
}

// hostnameFile is where each way keeps the name.
func hostnameFile(way hostnameUse) string {
	switch way {
	case "sles":
		return "/etc/HOSTNAME"
	case "redhat":
		return "/etc/sysconfig/network"
	case "openrc":
		return "/etc/conf.d/hostname"
	}
	return "/etc/hostname"
}

const (
	machineInfo = "/etc/machine-info"
	hostsPath   = "/etc/hosts"
)

func (a HostnameArgs) parse(r *modules.Report) (hostNames, error) {
	n := hostNames{
		way: a.Use, node: r.Text("node"), files: map[string]string{}, resolved: r.Lines("resolved"), cloud: r.Has("cloud"),
		pretty: strings.TrimSpace(r.Text("pretty")),
	}
	for _, key := range r.Keys() {
		if file, ok := strings.CutPrefix(key, "file."); ok {
			text, _, err := r.ReadText(key, file)
			if err != nil {
				return n, err
			}
			n.files[file] = text
		}
	}
	switch {
	case n.way == "" && r.Has("systemd"), n.way == "debian":
		n.way = "systemd"
	case n.way == "":
		if n.way = distributionWay(n.files["/etc/os-release"]); n.way == "" {
			return n, fmt.Errorf("hostname module cannot be used on platform Linux (%s)", releaseField(n.files["/etc/os-release"], "ID"))
		}
	}
	if n.way == "systemd" {
		if !r.Has("static") {
			return n, errors.New(`Failed to find required executable "hostnamectl" in paths`)
		}
		for _, key := range []string{"transient", "static"} {
			if rc := r.Status(key); rc != 0 {
				return n, fmt.Errorf("Command failed rc=%d, out=%s, err=%s", rc, r.Text(key), r.Text(key+".err"))
			}
		}
		n.current, n.permanent = strings.TrimSpace(r.Text("transient")), strings.TrimSpace(r.Text("static"))
		return n, nil
	}
	if n.pretty, _ = setting(n.files[machineInfo], "PRETTY_HOSTNAME"); n.pretty != "" {
		n.pretty = strings.Trim(n.pretty, `"'`)
	}
	text := n.files[hostnameFile(n.way)]
	switch n.way {
	case "redhat":
		var found bool
		if n.permanent, found = setting(text, "HOSTNAME"); !found {
			return n, errors.New("Unable to locate HOSTNAME entry in /etc/sysconfig/network")
		}
	case "openrc":
		n.permanent, _ = setting(text, "hostname")
		n.permanent = strings.Trim(n.permanent, `"`)
	default:
		n.permanent = strings.TrimSpace(text)
	}
	n.current = n.permanent
	return n, nil
}

// releaseField gives a field of os-release.
func releaseField(text, key string) string {
	v, _ := setting(text, key)
	return strings.Trim(v, `"'`)
}

// distributionWay gives whose file a distribution without systemd reads; "" when that is not known.
func distributionWay(release string) hostnameUse {
	ids := append([]string{releaseField(release, "ID")}, strings.Fields(releaseField(release, "ID_LIKE"))...)
	for _, id := range ids {
		switch id {
		case "alpine":
			return "alpine"
		case "gentoo":
			return "openrc"
		case "sles":
			return "sles"
		case "rhel", "centos", "fedora", "rocky", "almalinux", "ol", "amzn", "altlinux", "virtuozzo":
			return "redhat"
		case "debian", "ubuntu", "devuan", "void", "neon", "cumulus-linux", "kylin", "uos", "deepin":
			return "file"
		}
	}
	return ""
}

// setting gives the last value of KEY=… in a file of such lines.
func setting(text, key string) (string, bool) {
	found, last := false, ""
	for _, line := range modules.SplitLines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			found, last = true, strings.TrimSpace(v)
		}
	}
	return last, found
}

// setSetting puts a line in the place of all that set KEY, or at the end.
func setSetting(text, key, line string) string {
	var out []string
	found := false
	for old := range strings.Lines(text) {
		ours := strings.HasPrefix(strings.TrimSpace(old), key+"=")
		switch {
		case !ours:
			out = append(out, old)
		case !found:
			out = append(out, line+"\n")
		}
		found = found || ours
	}
	if !found {
		if n := len(out); n > 0 && !strings.HasSuffix(out[n-1], "\n") {
			out[n-1] += "\n"
		}
		out = append(out, line+"\n")
	}
	return strings.Join(out, "")
}

func runHostname(ctx context.Context, h *modules.Host, a HostnameArgs) (HostnameResult, error) {
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[hostNames]{
		Probe: hostnameScript, Args: []string{string(a.Use)}, Lock: "hostname", Parse: a.parse,
		Plan: func(n hostNames) ([]modules.Action, error) { return a.plan(n), nil },
		Diff: func(before, _ hostNames) []modules.Diff {
			old := before.permanent
			if a.Name != before.current {
				old = before.current
			}
			if old == a.Name {
				return nil
			}
			return []modules.Diff{{Before: "hostname = " + old + "\n", After: "hostname = " + a.Name + "\n"}}
		},
	})
	if modules.IgnorePlanned(err) != nil {
		return HostnameResult{Name: a.Name}, err
	}
	if before.cloud && (before.current != a.Name || before.permanent != a.Name) {
		h.Warn("cloud-init sets the name of a new instance again unless preserve_hostname is true in /etc/cloud/cloud.cfg.d")
	}
	short, _, _ := strings.Cut(a.Name, ".")
	fqdn := facts.FQDN(after.node, append(modules.SplitLines(after.files[hostsPath]), after.resolved...))
	_, domain, _ := strings.Cut(fqdn, ".")
	return HostnameResult{Name: a.Name, AnsibleFacts: value.NewDict(
		"ansible_hostname", short, "ansible_nodename", a.Name, "ansible_fqdn", fqdn, "ansible_domain", domain)}, err
}

func (a HostnameArgs) plan(n hostNames) []modules.Action {
	var actions []modules.Action
	if n.way == "systemd" {
		// The permanent name goes first, lest NetworkManager takes the other one for somebody else's.
		if n.permanent != a.Name {
			argv := []string{"hostnamectl", "--pretty", "--static", "set-hostname", a.Name}
			if a.Pretty != nil {
				argv = slices.Delete(argv, 1, 2)
			}
			actions = append(actions, modules.Action{Why: "name the host " + a.Name, Argv: argv})
		}
		if n.current != a.Name {
			actions = append(actions, modules.Action{Why: "name the running system " + a.Name, Argv: []string{"hostnamectl", "--transient", "set-hostname", a.Name}})
		}
		if a.Pretty != nil && n.pretty != *a.Pretty {
			actions = append(actions, modules.Action{Why: "set the pretty name", Argv: []string{"hostnamectl", "--pretty", "set-hostname", *a.Pretty}})
		}
	} else {
		actions = a.planFiles(n)
	}
	if text := a.hosts(n); a.UpdateHosts && text != n.files[hostsPath] {
		actions = append(actions, modules.TextFile{Path: hostsPath, Text: text}.Write("put "+a.Name+" into "+hostsPath))
	}
	return actions
}

// planFiles is plan where the name stands in a file.
func (a HostnameArgs) planFiles(n hostNames) []modules.Action {
	var actions []modules.Action
	if n.permanent != a.Name {
		file := modules.TextFile{Path: hostnameFile(n.way), Text: a.Name + "\n"}
		switch n.way {
		case "redhat":
			file.Text = setSetting(n.files[file.Path], "HOSTNAME", "HOSTNAME="+a.Name)
		case "openrc":
			file.Text = setSetting(n.files[file.Path], "hostname", `hostname="`+a.Name+`"`)
		}
		actions = append(actions, file.Write("name the host "+a.Name+" in "+file.Path))
		if n.way == "alpine" {
			actions = append(actions, modules.Action{Why: "name the running system " + a.Name, Argv: []string{"hostname", "-F", file.Path}})
		}
	}
	if a.Pretty != nil && n.pretty != *a.Pretty {
		actions = append(actions, modules.TextFile{
			Path: machineInfo, Text: setSetting(n.files[machineInfo], "PRETTY_HOSTNAME", `PRETTY_HOSTNAME="`+*a.Pretty+`"`),
		}.Write("set the pretty name in "+machineInfo))
	}
	return actions
}

// hosts gives the text of /etc/hosts with the name in it: in the line of the old one, or in one for 127.0.1.1.
func (a HostnameArgs) hosts(n hostNames) string {
	text := n.files[hostsPath]
	short, _, dotted := strings.Cut(a.Name, ".")
	names := []string{a.Name}
	if dotted {
		names = append(names, short)
	}
	lines := readHosts(text)
	if slices.ContainsFunc(lines, func(l hostsLine) bool { return hasName(l.names, a.Name) }) {
		return text
	}
	var old []string
	for _, name := range []string{n.permanent, n.current} {
		if short, _, _ := strings.Cut(name, "."); short != "localhost" {
			old = append(old, name, short)
		}
	}
	changed := false
	var b strings.Builder
	for _, line := range lines {
		if slices.ContainsFunc(line.names, func(name string) bool { return hasName(old, name) }) {
			line.set(slices.Concat(names, without(line.names, slices.Concat(old, names))))
			changed = true
		}
		b.WriteString(line.raw)
	}
	if changed {
		return b.String()
	}
	return HostsEntryArgs{Address: "127.0.1.1", Names: names, State: modules.Present}.edit(text)
}
