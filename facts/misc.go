package facts

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

func (o *output) misc(want func(string) bool, d *Distribution) *Misc {
	m := &Misc{}
	if want("service_mgr") {
		m.ServiceMgr = o.serviceMgr(d)
	}
	if want("pkg_mgr") {
		m.PkgMgr = o.pkgMgr(d)
	}
	if want("chroot") {
		m.IsChroot = new(o.line("chroot", 0) == "yes")
	}
	if want("cmdline") {
		m.Cmdline, m.ProcCmdline = o.cmdline()
	}
	if want("dns") {
		m.DNS = o.dns()
	}
	if want("lsb") {
		m.LSB = o.lsb()
	}
	if want("loadavg") {
		m.LoadAvg = map[string]float64{}
		words := strings.Fields(o.first("/proc/loadavg"))
		for i, span := range []string{"1m", "5m", "15m"}[:min(3, len(words))] {
			m.LoadAvg[span], _ = strconv.ParseFloat(words[i], 64)
		}
	}
	if want("nvme") {
		m.HostNQN = new(o.first("/etc/nvme/hostnqn"))
	}
	if want("iscsi") {
		m.ISCSI = new(assignments(o.files["/etc/iscsi/initiatorname.iscsi"])["InitiatorName"])
	}
	if want("fibre_channel_wwn") {
		m.FCWWN = []string{}
		for _, file := range o.matching("/sys/class/fc_host/*/port_name") {
			m.FCWWN = append(m.FCWWN, strings.TrimPrefix(o.first(file), "0x"))
		}
	}
	if want("python") {
		m.Python, m.PythonVer = o.python()
	}
	if want("ssh_pub_keys") {
		m.SSHKeys = o.sshKeys()
	}
	return m
}

// pid1Names are the service managers whose process is called otherwise.
var pid1Names = map[string]string{"procd": "openwrt_init", "runit-init": "runit", "svscan": "svc", "openrc-init": "openrc"}

// serviceMgr goes by the name of process 1 unless that says nothing.
func (o *output) serviceMgr(d *Distribution) string {
	if comm := path.Base(o.first("/proc/1/comm")); comm != "." && comm != "init" && !strings.HasSuffix(comm, "sh") {
		if name, ok := pid1Names[comm]; ok {
			return name
		}
		return comm
	}
	any := func(paths ...string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return o.exist[p] })
	}
	systemctl := any("/bin/systemctl", "/usr/bin/systemctl")
	switch {
	case d != nil && d.Name == "OpenWrt":
		return "openwrt_init"
	case systemctl && any("/run/systemd/system", "/dev/.run/systemd", "/dev/.systemd"):
		return "systemd"
	case any("/sbin/initctl", "/usr/sbin/initctl") && o.exist["/etc/init"]:
		return "upstart"
	case o.exist["/sbin/openrc"]:
		return "openrc"
	case systemctl && any("/usr/lib/systemd/systemd", "/lib/systemd/systemd"):
		return "systemd"
	case o.exist["/etc/init.d"]:
		return "sysvinit"
	}
	return "service"
}

// managers are the package managers by their program; a later one wins over an earlier one.
var managers = [][2]string{
	{"/usr/bin/rpm-ostree", "atomic_container"},
	{"/usr/bin/yum", "yum"},
	{"/usr/bin/dnf", "dnf"},
	{"/usr/bin/apt-get", "apt"},
	{"/usr/bin/zypper", "zypper"},
	{"/usr/sbin/urpmi", "urpmi"},
	{"/usr/bin/pacman", "pacman"},
	{"/bin/opkg", "opkg"},
	{"/usr/pkg/bin/pkgin", "pkgin"},
	{"/sbin/apk", "apk"},
	{"/usr/bin/emerge", "portage"},
	{"/usr/bin/xbps-install", "xbps"},
	{"/usr/bin/swupd", "swupd"},
}

func (o *output) pkgMgr(d *Distribution) string {
	name := "unknown"
	for _, m := range managers {
		if o.exist[m[0]] {
			name = m[1]
		}
	}
	if d == nil {
		return name
	}
	switch d.OSFamily {
	case "RedHat":
		return o.redHatPkgMgr(d)
	case "Debian":
		return "apt"
	case "Altlinux":
		return "apt_rpm"
	}
	return name
}

func (o *output) redHatPkgMgr(d *Distribution) string {
	major := atoi(d.MajorVersion)
	switch {
	case o.exist["/run/ostree-booted"]:
		return "atomic_container"
	case d.Name == "Fedora" && major >= 41 && o.exist["/usr/bin/dnf5"]:
		return "dnf5"
	case d.Name == "Fedora" && major < 23, d.Name == "Amazon" && major < 2022, d.Name != "Fedora" && major < 8:
		return "yum"
	}
	return "dnf"
}

// cmdline gives the kernel's arguments twice: the last of each name, and lists where a name is given twice.
func (o *output) cmdline() (last, all *value.Dict) {
	last, all = value.NewDict(), value.NewDict()
	for _, word := range shellWords(o.first("/proc/cmdline")) {
		name, text, ok := strings.Cut(word, "=")
		var val any = true
		if ok {
			val = text
		}
		last.Set(name, val)
		before, twice := all.Get(name)
		switch list, isList := before.(*value.List); {
		case !twice:
			all.Set(name, val)
		case isList:
			list.Append(val)
		default:
			all.Set(name, value.NewList(before, val))
		}
	}
	return last, all
}

// shellWords splits at blanks outside double quotes, which stay.
func shellWords(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t')
	})
}

func (o *output) dns() *value.Dict {
	d := value.NewDict()
	for _, line := range o.files["/etc/resolv.conf"] {
		words := strings.Fields(line)
		if len(words) < 2 || strings.HasPrefix(words[0], "#") || strings.HasPrefix(words[0], ";") {
			continue
		}
		list := value.NewList()
		for _, w := range words[1:] {
			list.Append(w)
		}
		switch words[0] {
		case "nameserver":
			servers, _ := d.Get("nameservers")
			if old, ok := servers.(*value.List); ok {
				old.Append(list.Items...)
			} else {
				d.Set("nameservers", list)
			}
		case "domain":
			d.Set("domain", words[1])
		case "search", "sortlist":
			d.Set(words[0], list)
		case "options":
			options := value.NewDict()
			for _, w := range words[1:] {
				name, val, ok := strings.Cut(w, ":")
				if ok {
					options.Set(name, val)
				} else {
					options.Set(name, true)
				}
			}
			d.Set("options", options)
		}
	}
	return d
}

// lsb is what lsb_release would print, from the files it reads; empty on a system without either.
func (o *output) lsb() *value.Dict {
	d := value.NewDict()
	rel := assignments(o.files["/etc/lsb-release"])
	if o.exist["/usr/bin/lsb_release"] && rel["DISTRIB_ID"] == "" {
		rel = map[string]string{}
		osRel := assignments(o.files["/etc/os-release"])
		name := byID[osRel["ID"]]
		if name == "" {
			name = osRel["NAME"]
		}
		rel["DISTRIB_ID"], rel["DISTRIB_RELEASE"] = name, osRel["VERSION_ID"]
		rel["DISTRIB_DESCRIPTION"], rel["DISTRIB_CODENAME"] = osRel["PRETTY_NAME"], osRel["VERSION_CODENAME"]
	}
	for _, pair := range [][2]string{{"id", "ID"}, {"release", "RELEASE"}, {"description", "DESCRIPTION"}, {"codename", "CODENAME"}} {
		if val, ok := rel["DISTRIB_"+pair[1]]; ok && val != "" {
			d.Set(pair[0], val)
		}
	}
	if release := d.Str("release"); release != "" {
		major, _, _ := strings.Cut(release, ".")
		d.Set("major_release", major)
	}
	return d
}

// python tells of the target's Python for playbooks that ask; nothing here needs it.
func (o *output) python() (*value.Dict, string) {
	executable, version := "", []int{0, 0}
	for _, line := range o.sections["python"] {
		if v, ok := strings.CutPrefix(path.Base(line), "python3."); ok && strings.Contains(line, "/lib/") {
			version = []int{3, max(version[1], atoi(v))}
		} else if executable == "" {
			executable = line
		}
	}
	d := value.NewDict(
		"version", value.NewDict("major", version[0], "minor", version[1], "micro", 0, "releaselevel", "final", "serial", 0),
		"version_info", value.NewList(version[0], version[1], 0, "final", 0),
		"executable", executable, "has_sslcontext", executable != "", "type", "cpython")
	return d, fmt.Sprintf("%d.%d.0", version[0], version[1])
}

// sshKeys are the host's public keys. Of several folders the first with keys counts.
func (o *output) sshKeys() *value.Dict {
	d := value.NewDict()
	for _, dir := range []string{"/etc/ssh", "/etc/openssh", "/etc"} {
		for _, file := range o.matching(dir + "/ssh_host_*_key.pub") {
			words := strings.Fields(o.first(file))
			if len(words) < 2 {
				continue
			}
			kind := strings.TrimSuffix(strings.TrimPrefix(path.Base(file), "ssh_host_"), "_key.pub")
			d.Set("ssh_host_key_"+kind+"_public", words[1])
			d.Set("ssh_host_key_"+kind+"_public_keytype", words[0])
		}
		if d.Len() > 0 {
			break
		}
	}
	return d
}

// local reads the facts of the folder: JSON, else INI, else an error as text, as Ansible does.
func (o *output) local() *value.Dict {
	d := value.NewDict()
	for _, file := range o.locals {
		name := strings.TrimSuffix(file.name, ".fact")
		if len(file.lines) < 2 {
			continue
		}
		// The script ends each with an empty line and the exit status, then the section's last newline.
		lines := file.lines
		for len(lines) > 1 && lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		status := strings.TrimSpace(lines[len(lines)-1])
		text := strings.Join(lines[:len(lines)-1], "\n")
		if status != "0" {
			d.Set(name, fmt.Sprintf("Failure executing fact script (%s), rc: %s, err: ", file.name, status))
			continue
		}
		d.Set(name, parseLocal(text, file.name))
	}
	return d
}

func parseLocal(text, name string) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if v, err := decodeJSON(decoder); err == nil && !decoder.More() {
		return v
	}
	if d, ok := parseINI(text); ok {
		return d
	}
	return fmt.Sprintf("error loading facts as JSON or ini - please check content: %s", name)
}

// decodeJSON reads one value, keeping the order of keys.
func decodeJSON(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("read a local fact: %w", err)
	}
	switch t := token.(type) {
	case json.Number:
		if n, err := strconv.Atoi(t.String()); err == nil {
			return n, nil
		}
		return t.Float64()
	case json.Delim:
		if t == '{' {
			return decodeObject(d)
		}
		list := value.NewList()
		for d.More() {
			v, err := decodeJSON(d)
			if err != nil {
				return nil, err
			}
			list.Append(v)
		}
		_, err := d.Token()
		return list, err
	}
	return token, nil
}

func decodeObject(d *json.Decoder) (any, error) {
	dict := value.NewDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read a local fact: %w", err)
		}
		v, err := decodeJSON(d)
		if err != nil {
			return nil, err
		}
		dict.Set(key, v)
	}
	_, err := d.Token()
	return dict, err
}

// parseINI reads sections of key = value or key: value; keys are lower case as in Python's ConfigParser.
func parseINI(text string) (*value.Dict, bool) {
	d := value.NewDict()
	var section *value.Dict
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = value.NewDict()
			d.Set(line[1:len(line)-1], section)
		default:
			at := strings.IndexAny(line, "=:")
			if section == nil || at < 1 {
				return nil, false
			}
			section.Set(strings.ToLower(strings.TrimSpace(line[:at])), strings.TrimSpace(line[at+1:]))
		}
	}
	return d, true
}
