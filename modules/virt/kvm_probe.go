package virt

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// Files that kvm_host writes: the whole of each is its own.
const (
	kvmModprobe = "/etc/modprobe.d/hostler-kvm.conf"
	kvmLoad     = "/etc/modules-load.d/hostler-kvm.conf"
	kvmSysctl   = "/etc/sysctl.d/90-hostler-kvm.conf"
	kvmTmpfiles = "/etc/tmpfiles.d/hostler-kvm.conf"
	kvmLocal    = "/etc/local.d/hostler-kvm.start"
)

// kvmFiles are all of them.
func kvmFiles() []string {
	return []string{kvmModprobe, kvmLoad, kvmSysctl, kvmTmpfiles, kvmLocal}
}

// kvmDrivers are libvirt's modular daemons that a host of QEMU's guests needs: virtqemud …
func kvmDrivers() []string {
	return []string{"qemu", "network", "nodedev", "nwfilter", "secret", "storage", "interface", "proxy"}
}

// kvmUnits are the units that the probe asks for.
func kvmUnits() []string {
	units := []string{"libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket", "libvirtd-tcp.socket", "libvirtd-tls.socket"}
	for _, d := range kvmDrivers() {
		units = append(units, "virt"+d+"d.service", "virt"+d+"d.socket", "virt"+d+"d-ro.socket", "virt"+d+"d-admin.socket")
	}
	return append(units, "libvirt-guests.service", "ksmtuned.service", "local")
}

// kvmScript is the probe, with the names of our table: further packages and users come as arguments, each a list of words without patterns in
// one. What it tells does not change by itself. virsh comes before the units, since its question may start a daemon by its socket.
func kvmScript() string {
	return initLib + "names='" + strings.Join(kvmNames(), " ") + "'\nfiles='" + strings.Join(kvmFiles(), " ") +
		"'\nunits='" + strings.Join(kvmUnits(), " ") + "'\n" + kvmProbe
}

// kvmProbe: further packages, users.
const kvmProbe = `say init "$init"
set -f
show os /etc/os-release
say arch "$(uname -m)"
[ "$(id -u)" = 0 ] || say user "$(id -un)"
family=
case " $(. /etc/os-release 2>/dev/null; echo "$ID $ID_LIKE") " in
*' alpine '*) family=alpine ;;
*suse*) family=suse ;;
*' fedora '* | *' rhel '* | *' centos '*) family=redhat ;;
*' debian '* | *' ubuntu '*) family=debian ;;
esac
say family "$family"
all=$names names=$1
for p in $all; do case $p in "$family":*) names="$names ${p#*:}" ;; esac; done
is=
case $family in
debian) is=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $names 2>/dev/null | sed -n 's/^installed //p') ;;
alpine) is=$(apk info -e $names 2>/dev/null) ;;
redhat | suse)
	gone=" $(rpm -q --whatprovides $names 2>/dev/null | sed -n 's/^no package provides //p' | tr '\n' ' ') "
	for p in $names; do case $gone in *" $p "*) ;; *) is="$is $p" ;; esac; done ;;
esac
say installed "$is"
say cpu "$(awk '/^(flags|Features)/ { print; exit }' /proc/cpuinfo)"
[ ! -c /dev/kvm ] || say kvm yes
[ ! -d /sys/kernel/iommu_groups ] || say iommu "$(ls /sys/kernel/iommu_groups | wc -l)"
for m in kvm_intel kvm_amd; do
	[ -d "/sys/module/$m" ] || continue
	say module "$m"
	say nested "$(cat "/sys/module/$m/parameters/nested" 2>/dev/null)"
	say refs "$(cat "/sys/module/$m/refcnt" 2>/dev/null)"
done
[ ! -d /sys/module/tun ] && [ ! -c /dev/net/tun ] || say tun yes
set +f
for f in /var/lib/apt/lists/*Packages* /var/cache/apk/APKINDEX*; do [ ! -e "$f" ] || { say lists yes; break; }; done
say options "$(grep -En '^[[:blank:]]*options[[:blank:]]+kvm[_-](intel|amd)[[:blank:]]' /dev/null /etc/modprobe.d/*.conf /lib/modprobe.d/*.conf 2>/dev/null)"
say pages "$(grep -En '^[[:blank:]]*-?[[:blank:]]*vm[./]nr_hugepages[[:blank:]]*=' /dev/null /etc/sysctl.conf /etc/sysctl.d/*.conf 2>/dev/null)"
set -f
say hugepages "$(cat /proc/sys/vm/nr_hugepages 2>/dev/null)"
[ ! -r /sys/kernel/mm/ksm/run ] || say ksm "$(cat /sys/kernel/mm/ksm/run)"
entry() { if command -v getent >/dev/null 2>&1; then getent "$1" "$2"; else grep "^$2:" "/etc/$1"; fi; }
for g in libvirt libvirtd kvm; do say "group.$g" "$(entry group "$g")"; done
for u in $2; do say "user.$u" "$(entry passwd "$u")"; done
for f in $files; do [ ! -e "$f" ] || show "file.$f" "$f"; done
if command -v virsh >/dev/null 2>&1; then
	say virsh "$(virsh --version)"
	tell version virsh -q -c qemu:///system version
	say nets "$(virsh -q -c qemu:///system net-list --all --name 2>/dev/null | sed 's/ *$//')"
	say default "$(virsh -q -c qemu:///system net-info default 2>/dev/null | grep -E '^(Active|Autostart):')"
fi
! command -v virt-host-validate >/dev/null 2>&1 || say validate "$(virt-host-validate qemu 2>/dev/null)"
case $init in
systemd) say units "$(systemctl show -p Id,LoadState,UnitFileState,ActiveState $units)" ;;
openrc)
	for u in $units; do
		u=${u%.service}
		[ -e "/etc/init.d/$u" ] || continue
		say "service.$u" "$(! booted "$u" || echo booted) $(! active "$u" || echo active)"
	done ;;
esac
set +f
say guests "$(cd /run/libvirt/qemu 2>/dev/null && for g in *.xml; do [ ! -f "$g" ] || echo "${g%.xml}"; done)"
exit 0
`

// kvmState is what a look told of a host.
type kvmState struct {
	osRelease
	init             string
	user             string // who looks, when that is not root
	installed        []string
	flags            []string
	kvm, iommu, tun  bool
	module           string     // kvm_intel or kvm_amd, when it is loaded
	nested           string     // its parameter, as the kernel writes it
	busy             bool       // somebody uses it
	options          []fileLine // of KVM's modules in modprobe.d
	pagesSet         []fileLine // of nr_hugepages in sysctl.d
	hugepages, ksm   string
	groups           map[string]account
	users            map[string]account
	files            map[string]string
	lists            bool   // the package manager has its lists, which apt and apk fetch only when they are told to
	virsh            string // the version of the programs, "" without them
	libvirt, qemu    string // versions that the daemon tells of
	failure          string // what virsh said when no daemon answered
	nets             []string
	netActive, netOn bool // the default network runs, starts with the host
	validate         []ValidateLine
	units            map[string]kvmUnit
	guests           []string // domains that run
	bare             bool     // nothing is installed yet: check mode goes on from what will be
}

// account is an entry of passwd or group.
type account struct {
	gid     string
	members []string
}

// fileLine is a line of one of the system's files, by FILE:NUMBER.
type fileLine struct{ file, number, text string }

// kvmUnit is what the init system knows of a unit or service.
type kvmUnit struct{ exists, enabled, active bool }

// ValidateLine is one line of virt-host-validate.
type ValidateLine struct {
	// Check is what was looked at.
	Check string `json:"check"`
	// Status is PASS, WARN, FAIL or NOTE.
	Status string `json:"status"`
	// Hint says what to do.
	Hint string `json:"hint"`
}

func parseKVM(r *modules.Report) (kvmState, error) {
	s := kvmState{
		init: r.Text("init"), user: r.Text("user"), installed: strings.Fields(r.Text("installed")), kvm: r.Has("kvm"), iommu: r.Int("iommu") > 0, tun: r.Has("tun"),
		module: r.Text("module"), nested: r.Text("nested"), busy: r.Text("refs") != "0", hugepages: r.Text("hugepages"), ksm: r.Text("ksm"),
		options: fileLines(r.Lines("options")), pagesSet: fileLines(r.Lines("pages")), virsh: r.Text("virsh"), nets: r.Lines("nets"),
		groups: map[string]account{}, users: map[string]account{}, files: map[string]string{}, guests: r.Lines("guests"),
		validate: parseValidate(r.Lines("validate")), osRelease: parseOSRelease(r.Lines("os")),
	}
	s.family, s.arch, s.lists = r.Text("family"), r.Text("arch"), r.Has("lists")
	if _, flags, ok := strings.Cut(r.Text("cpu"), ":"); ok {
		s.flags = strings.Fields(flags)
	}
	for _, key := range r.Keys() {
		kind, name, _ := strings.Cut(key, ".")
		fields := strings.Split(r.Text(key), ":")
		switch {
		case kind == "file":
			s.files[name] = string(r.Bytes(key))
		case kind == "group" && len(fields) > 3:
			s.groups[name] = account{fields[2], strings.FieldsFunc(fields[3], func(c rune) bool { return c == ',' })}
		case kind == "user" && len(fields) > 3:
			s.users[name] = account{gid: fields[3]}
		}
	}
	s.units = parseUnits(r)
	if r.Has("version") {
		s.libvirt, s.qemu = field(r.Text("version"), "Using library: libvirt "), field(r.Text("version"), "Running hypervisor: QEMU ")
		if r.Status("version") != 0 {
			s.failure = libvirt.Explain(r.Text("version.err")).Error()
		}
	}
	is := fields(r.Text("default"))
	s.netActive, s.netOn = is["Active"] == "yes", is["Autostart"] == "yes"
	if s.init == "" {
		return s, fmt.Errorf("look at the host: the probe told nothing: %s", strings.TrimSpace(string(r.Stderr)))
	}
	return s, nil
}

// field gives what follows a word at the beginning of a line.
func field(text, word string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// parseOSRelease reads os-release(5).
func parseOSRelease(lines []string) osRelease {
	is := map[string]string{}
	for _, line := range lines {
		if key, val, ok := strings.Cut(line, "="); ok {
			is[key] = strings.Trim(val, `"'`)
		}
	}
	return osRelease{id: is["ID"], like: is["ID_LIKE"], version: is["VERSION_ID"], pretty: is["PRETTY_NAME"]}
}

// fileLines reads what grep -n prints of several files.
func fileLines(lines []string) []fileLine {
	var list []fileLine
	for _, line := range lines {
		if p := strings.SplitN(line, ":", 3); len(p) == 3 {
			list = append(list, fileLine{p[0], p[1], strings.TrimSpace(p[2])})
		}
	}
	return list
}

// parseUnits reads systemctl show, or what the probe tells of OpenRC's services.
func parseUnits(r *modules.Report) map[string]kvmUnit {
	units := map[string]kvmUnit{}
	for block := range strings.SplitSeq(r.Text("units"), "\n\n") {
		is := map[string]string{}
		for line := range strings.Lines(block) {
			key, val, _ := strings.Cut(strings.TrimSpace(line), "=")
			is[key] = val
		}
		units[is["Id"]] = kvmUnit{
			exists: is["LoadState"] == "loaded" || is["LoadState"] == "masked", active: is["ActiveState"] == "active",
			enabled: slices.Contains([]string{"enabled", "alias", "generated"}, is["UnitFileState"]),
		}
	}
	for _, key := range r.Keys() {
		if name, ok := strings.CutPrefix(key, "service."); ok {
			words := strings.Fields(r.Text(key))
			units[name] = kvmUnit{true, slices.Contains(words, "booted"), slices.Contains(words, "active")}
		}
	}
	return units
}

var validateLine = regexp.MustCompile(`^\s*\w+: Checking (?:for |if )?(.*?)\s*: (PASS|WARN|FAIL|NOTE)(?: \((.*)\))?$`)

// parseValidate reads virt-host-validate, whose status is 1 when any line fails and so tells nothing.
func parseValidate(lines []string) []ValidateLine {
	list := []ValidateLine{}
	for _, line := range lines {
		if m := validateLine.FindStringSubmatch(line); m != nil {
			list = append(list, ValidateLine{m[1], m[2], m[3]})
		}
	}
	return list
}
