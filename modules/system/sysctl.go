package system

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed sysctl.go
var sysctlSource string

// Sysctl sees to a setting of the kernel.
var Sysctl = modules.Define("sysctl", sysctlSource, runSysctl, modules.Aliases("ansible.posix.sysctl"))

// SysctlArgs see to an entry of a file of kernel settings, and to the running kernel.
//
//	# Packets are passed on.
//	- sysctl:
//	    name: net.ipv4.ip_forward
//	    value: '1'
//	    sysctl_file: /etc/sysctl.d/90-hypervisor.conf
//	    sysctl_set: true
type SysctlArgs struct {
	// Name of the setting.
	Name string `arg:"name,alias=key" required:"true"`
	// Value that it shall have; yes, true and on are 1, no, false and off are 0.
	Value *string `arg:"value,alias=val"`
	// State is whether the file shall have the entry.
	State modules.Presence `arg:"state" default:"present"`
	// Reload makes the kernel read the file when something was changed, or when the running value is another.
	Reload bool `arg:"reload" default:"true"`
	// SysctlSet sets the running value too.
	SysctlSet bool `arg:"sysctl_set"`
	// IgnoreErrors passes over settings that the kernel does not know.
	IgnoreErrors bool `arg:"ignoreerrors"`
	// File that holds the entry.
	File modules.Path `arg:"sysctl_file" default:"/etc/sysctl.conf"`
}

// SysctlResult says nothing more.
type SysctlResult struct{}

// Check refuses a name or value that cannot be.
func (a SysctlArgs) Check() error {
	name := strings.TrimSpace(a.Name)
	switch {
	case name == "":
		return errors.New("name cannot be blank")
	case strings.HasPrefix(name, "-") || strings.ContainsAny(name, "=#;\n\x00"):
		return &modules.ArgError{Path: []any{"name"}, Msg: "name cannot be the name of a kernel setting: " + name}
	case a.State == modules.Absent:
		return nil
	case a.Value == nil:
		return errors.New("state is present but all of the following are missing: value")
	case strings.TrimSpace(*a.Value) == "":
		return errors.New("value cannot be blank")
	case strings.ContainsAny(strings.TrimSpace(*a.Value), "\n\x00"):
		return &modules.ArgError{Path: []any{"value"}, Msg: "value must be one line"}
	}
	return nil
}

// sysctlScript: name, file.
const sysctlScript = modules.ExpandLib + `
command -v sysctl >/dev/null 2>&1 || { echo "the host has no program sysctl; it comes with procps" >&2; exit 1; }
say now "$(sysctl -e -n "$1" 2>/dev/null)"
__expand "$2"
say file "$__v"
if [ -f "$__v" ]; then show text "$__v"; fi
exit 0
`

// sysctlRun: arguments of sysctl. It may end with 0 although the kernel refused a value.
const sysctlRun = `out=$(sysctl "$@" 2>&1) || { printf '%s\n' "$out" >&2; exit 1; }
case $out in *'": Invalid argument'*|*'": Read-only file system'*) printf '%s\n' "$out" >&2; exit 1 ;; esac`

// kernelSetting is what a look told.
type kernelSetting struct {
	now    string
	file   string
	text   string
	exists bool
}

func runSysctl(ctx context.Context, h *modules.Host, a SysctlArgs) (SysctlResult, error) {
	a.Name = strings.TrimSpace(a.Name)
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[kernelSetting]{
		Probe: sysctlScript, Args: []string{a.Name, string(a.File)}, Lock: "sysctl",
		Parse: func(r *modules.Report) (kernelSetting, error) {
			s := kernelSetting{now: r.Text("now"), file: r.Text("file"), text: string(r.Bytes("text")), exists: r.Has("text")}
			if s.exists && r.Status("text") != 0 {
				return s, errors.New("Failed to open " + s.file)
			}
			return s, nil
		},
		Plan: func(s kernelSetting) ([]modules.Action, error) { return a.plan(s), nil },
		Want: func(s kernelSetting) kernelSetting {
			s.text, _ = a.edit(s.text)
			return s
		},
		Diff: func(before, after kernelSetting) []modules.Diff {
			if before.text == after.text {
				return nil
			}
			return []modules.Diff{{Before: before.text, After: after.text, BeforeHeader: before.file, AfterHeader: before.file}}
		},
	})
	return SysctlResult{}, err
}

// wanted is the value as it stands in the file.
func (a SysctlArgs) wanted() string {
	if a.Value == nil {
		return ""
	}
	v := strings.TrimSpace(*a.Value)
	switch strings.ToLower(v) {
	case "y", "yes", "on", "1", "true", "t", "1.0":
		return "1"
	case "n", "no", "off", "0", "false", "f", "0.0":
		return "0"
	}
	return v
}

func (a SysctlArgs) plan(s kernelSetting) []modules.Action {
	var actions []modules.Action
	text, write := a.edit(s.text)
	runs := slices.Equal(strings.Fields(s.now), strings.Fields(a.wanted()))
	present := a.State == modules.Present
	var flags []string
	if a.IgnoreErrors {
		flags = []string{"-e"}
	}
	if present && a.SysctlSet && !runs {
		args := append(slices.Clone(flags), "-w", a.Name+"="+a.wanted())
		actions = append(actions, modules.Action{Why: "set " + a.Name + " to " + a.wanted(), Script: sysctlRun, Args: args})
	}
	if write {
		why := "write " + a.Name + " to " + s.file
		if !present {
			why = "remove " + a.Name + " from " + s.file
		}
		actions = append(actions, modules.TextFile{Path: s.file, Text: text}.Write(why))
	}
	if a.Reload && (len(actions) > 0 || present && !runs) {
		actions = append(actions, modules.Action{Why: "load " + s.file, Script: sysctlRun, Args: append(flags, "-p", s.file)})
	}
	return actions
}

// edit gives the file's new text and whether it is to be written. As Ansible's does, it writes all entries without spaces around
// the equal sign and leaves out those that are there a second time.
func (a SysctlArgs) edit(text string) (string, bool) {
	var out strings.Builder
	seen := map[string]bool{}
	last, there := "", false
	for _, line := range modules.SplitLines(text) {
		line = strings.TrimSpace(line)
		key, val, ok := strings.Cut(line, "=")
		if !ok || line[0] == '#' || line[0] == ';' {
			out.WriteString(line + "\n")
			continue
		}
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		ours := key == a.Name
		if ours {
			last, there = val, true
		}
		if seen[key] || ours && a.State == modules.Absent {
			continue
		}
		seen[key] = true
		if ours {
			val = a.wanted()
		}
		out.WriteString(key + "=" + val + "\n")
	}
	if a.State == modules.Absent {
		if !there {
			return text, false
		}
		return out.String(), true
	}
	if there && last == a.wanted() {
		return text, false
	}
	if !there {
		out.WriteString(a.Name + "=" + a.wanted() + "\n")
	}
	return out.String(), true
}
