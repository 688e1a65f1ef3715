package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed hosts_entry.go
var hostsEntrySource string

// HostsEntry sees to one address of /etc/hosts.
var HostsEntry = modules.Define("hosts_entry", hostsEntrySource, runHostsEntry, modules.Converges())

// HostsEntryArgs see to the names that one address has in /etc/hosts. All other lines stay as they are.
//
//	# All hypervisors know each other.
//	- hosts_entry:
//	    address: "{{ hostvars[item].ansible_host }}"
//	    names: ["{{ item }}.lab.example", "{{ item }}"]
//	  loop: "{{ groups.hypervisors }}"
type HostsEntryArgs struct {
	// Address of the host.
	Address string `arg:"address,alias=ip"`
	// Names of the host, the full one first. A name that another address of the same kind (IPv4 or IPv6) has is taken from it.
	Names []string `arg:"names,alias=name"`
	// State is whether the address shall have the names. With absent, no names means all that the address has, and no
	// address means wherever the names are.
	State modules.Presence `arg:"state" default:"present"`
	// Exclusive takes other names from the address, and puts its names in the order of names.
	Exclusive bool `arg:"exclusive"`
	// Path of the file.
	Path modules.Path `arg:"path,alias=dest" default:"/etc/hosts"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
}

// HostsEntryResult is what the address has.
type HostsEntryResult struct {
	// Address that was asked for.
	Address string `json:"address"`
	// Names that the address has now.
	Names []string `json:"names"`
	// Backup is the copy of the old file.
	Backup string `json:"backup_file,omitempty"`
}

var hostsName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

// Check refuses what a line of /etc/hosts cannot say.
func (a HostsEntryArgs) Check() error {
	if a.Address != "" {
		if _, err := netip.ParseAddr(a.Address); err != nil {
			return &modules.ArgError{Path: []any{"address"}, Msg: fmt.Sprintf("address is none: %q", a.Address)}
		}
	}
	seen := map[string]bool{}
	for i, name := range a.Names {
		switch low := strings.ToLower(name); {
		case !hostsName.MatchString(name) || len(name) > 253:
			return &modules.ArgError{Path: []any{"names", i}, Msg: fmt.Sprintf("%q cannot be a host's name", name)}
		case seen[low]:
			return &modules.ArgError{Path: []any{"names", i}, Msg: fmt.Sprintf("names has %s twice", name)}
		default:
			seen[low] = true
		}
	}
	switch {
	case a.State == modules.Present && (a.Address == "" || len(a.Names) == 0):
		return errors.New("state is present but not all of the following are there: address, names")
	case a.Address == "" && len(a.Names) == 0:
		return errors.New("state is absent but all of the following are missing: address, names")
	case a.State == modules.Absent && a.Exclusive:
		return errors.New("exclusive goes with state present only")
	}
	return nil
}

// hostsEntryScript: file. cloud-init writes the file anew at each boot when it is told to.
const hostsEntryScript = modules.ExpandLib + `
__expand "$1"; say file "$__v"
if [ -d "$__v" ]; then say folder yes; fi
if [ -e "$__v" ]; then show text "$__v"; fi
say cloud "$(grep -hsE '^[[:space:]]*manage_etc_hosts:[[:space:]]*.?([Tt]rue|template|localhost)' /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg)"
`

// hostsFile is what a look told.
type hostsFile struct {
	file, text string
	exists     bool
	cloud      bool // cloud-init writes it anew
}

func runHostsEntry(ctx context.Context, h *modules.Host, a HostsEntryArgs) (HostsEntryResult, error) {
	backup := ""
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[hostsFile]{
		Probe: hostsEntryScript, Args: []string{string(a.Path)}, Lock: "hosts",
		Parse: func(r *modules.Report) (hostsFile, error) {
			f := hostsFile{file: r.Text("file"), cloud: r.Text("cloud") != ""}
			var err error
			if f.text, f.exists, err = r.ReadText("text", f.file); r.Has("folder") {
				err = fmt.Errorf("%s is a directory", f.file)
			}
			return f, err
		},
		Plan: func(f hostsFile) ([]modules.Action, error) {
			text := a.edit(f.text)
			if text == f.text {
				return nil, nil
			}
			if a.Backup && f.exists && backup == "" {
				backup = modules.BackupName(f.file)
			}
			return []modules.Action{modules.TextFile{Path: f.file, Text: text, Backup: backup}.Write(a.why(f.file))}, nil
		},
		Want: func(f hostsFile) hostsFile {
			f.text = a.edit(f.text)
			return f
		},
		Diff: func(before, after hostsFile) []modules.Diff {
			return []modules.Diff{{Before: before.text, After: after.text, BeforeHeader: before.file, AfterHeader: before.file}}
		},
	})
	res := HostsEntryResult{Address: a.Address, Names: []string{}}
	if modules.IgnorePlanned(err) != nil {
		return res, err
	}
	if err == nil {
		res.Backup = backup
	}
	if before.cloud && before.text != after.text {
		h.Warn("cloud-init is told to write %s anew at each boot (manage_etc_hosts)", before.file)
	}
	for _, line := range readHosts(after.text) {
		if line.is(a.Address) {
			res.Names = append(res.Names, line.names...)
		}
	}
	return res, err
}

func (a HostsEntryArgs) why(file string) string {
	what := strings.TrimSpace(strings.Join(a.Names, " "))
	switch {
	case a.State == modules.Present:
		return fmt.Sprintf("give %s the names %s in %s", a.Address, what, file)
	case what == "":
		return fmt.Sprintf("remove %s from %s", a.Address, file)
	case a.Address == "":
		return fmt.Sprintf("remove %s from %s", what, file)
	}
	return fmt.Sprintf("remove %s of %s from %s", what, a.Address, file)
}

// hostsLine is a line of the file. Raw is how it stands there; a line that changed has none.
type hostsLine struct {
	raw     string
	address string
	names   []string
	note    string // from the # on
}

func readHosts(text string) []hostsLine {
	var lines []hostsLine
	for raw := range strings.Lines(text) {
		entry, note, commented := strings.Cut(strings.TrimRight(raw, "\r\n"), "#")
		line := hostsLine{raw: raw}
		if words := strings.Fields(entry); len(words) > 1 {
			line.address, line.names = words[0], words[1:]
			if commented {
				line.note = " #" + note
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// is reports that the line is about an address, however that is written.
func (l hostsLine) is(address string) bool {
	one, err1 := netip.ParseAddr(l.address)
	other, err2 := netip.ParseAddr(address)
	return err1 == nil && err2 == nil && one == other
}

// rivals reports that a name in the line would be found in place of that of the address.
func (l hostsLine) rivals(address string) bool {
	one, err1 := netip.ParseAddr(l.address)
	other, err2 := netip.ParseAddr(address)
	return err1 == nil && err2 == nil && one != other && one.Unmap().Is4() == other.Unmap().Is4()
}

// set gives the line other names, and takes it away when there are none.
func (l *hostsLine) set(names []string) {
	if slices.Equal(l.names, names) {
		return
	}
	l.names = names
	l.raw = ""
	if len(names) > 0 {
		l.raw = l.address + "\t" + strings.Join(names, " ") + l.note + "\n"
	}
}

// without gives names but for some.
func without(names, some []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return hasName(some, name) })
}

func hasName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(one string) bool { return strings.EqualFold(one, name) })
}

// edit gives the file's new text.
func (a HostsEntryArgs) edit(text string) string {
	lines := readHosts(text)
	own := -1 // the address's first line
	missing := slices.Clone(a.Names)
	for i := range lines {
		line := &lines[i]
		switch mine := line.is(a.Address); {
		case a.State == modules.Absent && mine && len(a.Names) == 0:
			line.set(nil)
		case a.State == modules.Absent && (mine || a.Address == ""):
			line.set(without(line.names, a.Names))
		case a.State == modules.Absent:
		case mine && a.Exclusive && own >= 0:
			line.set(nil)
		case mine:
			if own < 0 {
				own = i
			}
			missing = without(missing, line.names)
		case line.rivals(a.Address):
			line.set(without(line.names, a.Names))
		}
	}
	switch {
	case a.State == modules.Absent:
	case own < 0:
		if n := len(lines); n > 0 && lines[n-1].raw != "" && !strings.HasSuffix(lines[n-1].raw, "\n") {
			lines[n-1].raw += "\n"
		}
		line := hostsLine{address: a.Address}
		line.set(a.Names)
		lines = append(lines, line)
	case a.Exclusive:
		lines[own].set(a.Names)
	case len(missing) > 0:
		lines[own].set(slices.Concat(lines[own].names, missing))
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line.raw)
	}
	return b.String()
}
