package packages

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed package_facts.go
var packageFactsSource string

// PackageFacts tells what is installed.
var PackageFacts = modules.Define("package_facts", packageFactsSource, runPackageFacts,
	modules.Aliases("ansible.builtin.package_facts", "ansible.legacy.package_facts"))

// FactsStrategy is whether to ask one manager or all.
type FactsStrategy string

// Choices lists the strategies.
func (FactsStrategy) Choices() []string { return []string{"first", "all"} }

// PackageFactsArgs tell what packages are installed, as facts: ansible_facts.packages is a dict of lists, by name. The package managers apt, rpm
// and apk are known.
type PackageFactsArgs struct {
	// Manager to ask; dnf, yum and zypper are rpm; auto is each that the host has, in the order apt, rpm, apk.
	Manager []string `arg:"manager" default:"auto"`
	// Strategy first asks only the first manager of those that the host has.
	Strategy FactsStrategy `arg:"strategy" default:"first"`
}

// factManagers are the managers in the order of auto.
var factManagers = [...]string{"apt", "rpm", "apk"}

// factManager gives the manager that knows what another name's manager installs.
func factManager(name string) string {
	switch name = strings.ToLower(name); name {
	case "dnf", "dnf5", "yum", "zypper":
		return "rpm"
	}
	return name
}

// managers gives the managers to ask, each once.
func (a PackageFactsArgs) managers() []string {
	var list []string
	add := func(name string) {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	for _, m := range a.Manager {
		if m != "auto" {
			add(factManager(m))
		}
	}
	if slices.Contains(a.Manager, "auto") {
		for _, m := range factManagers {
			add(m)
		}
	}
	return list
}

// Check holds the managers to those that are known.
func (a PackageFactsArgs) Check() error {
	for _, m := range a.managers() {
		if !slices.Contains(factManagers[:], m) {
			return &modules.ArgError{Path: []any{"manager"}, Msg: "Unsupported package managers requested: " + m, Hint: "known are " + strings.Join(factManagers[:], ", ")}
		}
	}
	return nil
}

// PackageFactsResult is what is installed.
type PackageFactsResult struct {
	// AnsibleFacts holds packages: by name, a list of what is installed by it: name, version, arch, source and what else the manager knows.
	AnsibleFacts *value.Dict `json:"ansible_facts,omitempty"`
}

// packageFactsScript asks the managers it is given; its first argument is first or all. A manager without any packages is a tool that
// was installed on another manager's host.
const packageFactsScript = `
strategy=$1
shift
for manager; do
	found=
	case $manager in
	apt)
		[ -s /var/lib/dpkg/status ] && command -v dpkg-query >/dev/null && found=1 || continue
		say arch "$(dpkg --print-architecture)"
		tell apt dpkg-query -W -f '${Package}\t${db:Status-Status}\t${Version}\t${Architecture}\t${Section}\n'
		if command -v apt-cache >/dev/null; then
			tell files apt-cache policy
			tell policy apt-cache policy $(dpkg-query -W -f '${binary:Package} ')
		fi
		;;
	rpm)
		command -v rpm >/dev/null && [ -n "$(rpm -qa 2>/dev/null | head -n 1)" ] && found=1 || continue
		tell rpm rpm -qa --qf '%{NAME}\t%{VERSION}\t%{RELEASE}\t%{EPOCH}\t%{ARCH}\n'
		;;
	apk)
		command -v apk >/dev/null && found=1 || continue
		tell apk apk info -v
		;;
	esac
	[ "$strategy" = all ] || [ -z "$found" ] || break
done
`

func runPackageFacts(ctx context.Context, h *modules.Host, a PackageFactsArgs) (PackageFactsResult, error) {
	managers := a.managers()
	told, err := h.Probe(ctx, packageFactsScript, append([]string{string(a.Strategy)}, managers...)...)
	if err != nil {
		return PackageFactsResult{}, fmt.Errorf("ask for packages: %w", err)
	}
	found, some := value.NewDict(), false
	for _, m := range managers {
		switch {
		case !told.Has(m):
			if slices.Contains(a.Manager, m) && a.Strategy == "all" {
				h.Warn("Requested package manager %s was not usable by this module: the host has none", m)
			}
			continue
		case told.Status(m) != 0:
			return PackageFactsResult{}, fmt.Errorf("Unable to list packages rc=%d : %s", told.Status(m), told.Text(m+".err"))
		}
		some = true
		list := value.NewDict()
		switch m {
		case "apt":
			aptFacts(list, told)
		case "rpm":
			rpmFacts(list, told.Lines("rpm"))
		case "apk":
			apkFacts(list, told.Lines("apk"))
		}
		for name, one := range list.All() {
			found.Set(name, one)
		}
	}
	if !some {
		return PackageFactsResult{}, fmt.Errorf("Could not detect a supported package manager from the following list: %s", strings.Join(managers, ", "))
	}
	return PackageFactsResult{AnsibleFacts: value.NewDict("packages", found)}, nil
}

// addPackage adds one to the list of those with its name.
func addPackage(d *value.Dict, name string, one *value.Dict) {
	if old, ok := d.Get(name); ok {
		old.(*value.List).Append(one)
		return
	}
	list := value.NewList()
	list.Append(one)
	d.Set(name, list)
}

// aptFacts reads dpkg-query, and apt-cache policy for where a version comes from.
func aptFacts(d *value.Dict, told *modules.Report) {
	arch := told.Text("arch")
	origins := aptOrigins(told, arch)
	for _, line := range told.Lines("apt") {
		w := strings.Split(line, "\t")
		if len(w) < 5 || w[1] == "not-installed" || w[1] == "config-files" {
			continue
		}
		name := w[0]
		if w[3] != arch && w[3] != "all" {
			name += ":" + w[3]
		}
		addPackage(d, name, value.NewDict("name", name, "version", w[2], "arch", w[3], "category", w[4], "origin", origins[name], "source", "apt"))
	}
}

// aptOrigins gives the origin, as its Release file has it, of the first source of each version installed; a version that is in no source has none.
func aptOrigins(told *modules.Report, arch string) map[string]string {
	files := map[string]string{}
	file := ""
	for _, line := range told.Lines("files") {
		if release, ok := strings.CutPrefix(line, "     release "); ok {
			files[file] = releaseOrigin(release)
			continue
		}
		file = withoutPriority(line)
	}
	origins := map[string]string{}
	name, current := "", false
	for _, line := range told.Lines("policy") {
		switch {
		case !strings.HasPrefix(line, " "):
			name, current = strings.TrimSuffix(strings.TrimSuffix(line, ":"), ":"+arch), false
		case strings.HasPrefix(line, " *** "):
			current = true
		case current && strings.HasPrefix(line, "      "):
			origins[name] = files[withoutPriority(line)]
			current = false
		}
	}
	return origins
}

// withoutPriority takes the number away that a source's line begins with.
func withoutPriority(line string) string {
	_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	return rest
}

func releaseOrigin(release string) string {
	for field := range strings.SplitSeq(release, ",") {
		if o, ok := strings.CutPrefix(field, "o="); ok {
			return o
		}
	}
	return ""
}

// rpmFacts reads rpm -qa; what a package has not is (none).
func rpmFacts(d *value.Dict, lines []string) {
	for _, line := range lines {
		w := strings.Split(line, "\t")
		if len(w) < 5 {
			continue
		}
		var epoch, arch any
		if n, err := strconv.Atoi(w[3]); err == nil {
			epoch = n
		}
		if w[4] != "(none)" {
			arch = w[4]
		}
		addPackage(d, w[0], value.NewDict("name", w[0], "version", w[1], "release", w[2], "epoch", epoch, "arch", arch, "source", "rpm"))
	}
}

// apkFacts reads apk info -v: name-version-release, and warnings between them.
func apkFacts(d *value.Dict, lines []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, "WARNING") {
			continue
		}
		rest, release, ok := cutDash(line)
		name, version, ok2 := cutDash(rest)
		if !ok || !ok2 {
			name, version, release = line, "", ""
		}
		addPackage(d, name, value.NewDict("name", name, "version", version, "release", release, "source", "apk"))
	}
}

// cutDash cuts at the last dash.
func cutDash(s string) (before, after string, ok bool) {
	at := strings.LastIndexByte(s, '-')
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+1:], true
}
