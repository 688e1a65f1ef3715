package services

import (
	"context"
	_ "embed"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed service_facts.go
var serviceFactsSource string

// ServiceFacts tells of all services.
var ServiceFacts = modules.Define("service_facts", serviceFactsSource, runServiceFacts,
	modules.Aliases("ansible.builtin.service_facts", "ansible.legacy.service_facts"))

// ServiceFactsArgs gather the fact services: a dict from the names of services, under systemd with .service, to their name, state,
// status and source. It takes no arguments.
//
//	# What libvirt does.
//	- service_facts:
//	- debug:
//	    var: ansible_facts.services['libvirtd.service'].state
type ServiceFactsArgs struct{}

// ServiceFactsResult holds the facts.
type ServiceFactsResult struct {
	// AnsibleFacts has services.
	AnsibleFacts *value.Dict `json:"ansible_facts"`
}

// serviceFactsScript asks whichever managers there are. Units that only their files tell of are asked for in one go.
const serviceFactsScript = `has() { command -v "$1" >/dev/null 2>&1; }
if has service && ! has chkconfig && ! has rc-status; then tell sysv service --status-all; [ ! -e /etc/init.d ] || say initd yes; fi
if has chkconfig; then
	list=$(chkconfig 2>/dev/null </dev/null)
	case $list in *:o[nf]*) ;; *) list=$(chkconfig --list 2>/dev/null </dev/null) ;; esac
	say chkconfig "$list"
	i=0
	for s in $(printf '%s\n' "$list" | awk '/0:o[nf]/ { print $1 }'); do
		service "$s" status >/dev/null 2>&1 </dev/null && say "runs.$s" yes
	done
elif has rc-status && has rc-update; then
	tell rcstatus rc-status -a -s -m
	tell rcupdate rc-update show -v
fi
if has systemctl && { [ -d /run/systemd/system ] || grep -q systemd /proc/1/comm 2>/dev/null; }; then
	tell units systemctl list-units --no-pager --type service --all
	tell files systemctl list-unit-files --no-pager --type service --all
	loaded=" $(systemctl list-units --no-pager --no-legend --plain --type service --all 2>/dev/null | awk '{ printf "%s ", $1 }')"
	set --
	for f in $(systemctl list-unit-files --no-pager --no-legend --type service --all 2>/dev/null | awk '{ print $1 }'); do
		case $loaded in *" $f "*) ;; *) case $f in *@.service) ;; *) set -- "$@" "$f" ;; esac ;; esac
	done
	if [ $# -gt 0 ]; then say states "$(systemctl show --property=Id,Names,ActiveState -- "$@" 2>/dev/null)"; fi
fi
exit 0
`

func runServiceFacts(ctx context.Context, h *modules.Host, _ ServiceFactsArgs) (ServiceFactsResult, error) {
	r, err := h.Probe(ctx, serviceFactsScript)
	if err != nil {
		return ServiceFactsResult{}, err
	}
	all := map[string]*value.Dict{}
	listSysv(h, r, all)
	listChkconfig(r, all)
	listOpenRC(r, all)
	listUnits(h, r, all)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	services := value.NewDict()
	for _, name := range names {
		services.Set(name, all[name])
	}
	return ServiceFactsResult{value.NewDict("services", services)}, nil
}

var (
	sysvLine      = regexp.MustCompile(`(?m)^\s*\[ ([+-]) \]\s+(.+)$`)
	chkconfigLine = regexp.MustCompile(`^(.*?)\s+0:(?:on|off)\s+1:(?:on|off)\s+2:(?:on|off)\s+3:(on|off)\s+4:(?:on|off)\s+5:(?:on|off)\s+6:(?:on|off)`)
)

func listSysv(h *modules.Host, r *modules.Report, all map[string]*value.Dict) {
	if !r.Has("sysv") || r.Status("sysv") == 4 && !r.Has("initd") {
		return // service of RHEL 9 ends with 4 where there are no init scripts
	}
	if rc := r.Status("sysv"); rc != 0 {
		h.Warn("Unable to query 'service' tool (%d): %s", rc, r.Text("sysv.err"))
	}
	for _, m := range sysvLine.FindAllStringSubmatch(r.Text("sysv"), -1) {
		state := "stopped"
		if m[1] == "+" {
			state = "running"
		}
		all[m[2]] = value.NewDict("name", m[2], "state", state, "source", "sysv")
	}
}

func listChkconfig(r *modules.Report, all map[string]*value.Dict) {
	for _, line := range r.Lines("chkconfig") {
		m := chkconfigLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		state, status := "stopped", "disabled"
		if r.Has("runs." + m[1]) {
			state = "running"
		}
		if m[2] == "on" {
			status = "enabled"
		}
		all[m[1]] = value.NewDict("name", m[1], "state", state, "status", status, "source", "sysv")
	}
}

func listOpenRC(r *modules.Report, all map[string]*value.Dict) {
	levels := map[string]any{}
	for _, line := range r.Lines("rcupdate") {
		name, rest, ok := strings.Cut(line, "|")
		if !ok {
			continue
		}
		levels[strings.TrimSpace(name)] = nil
		if words := strings.Fields(rest); len(words) > 0 {
			list := value.NewList()
			for _, w := range words {
				list.Append(w)
			}
			levels[strings.TrimSpace(name)] = list
		}
	}
	brackets := strings.NewReplacer("[", "", "]", "")
	for _, line := range r.Lines("rcstatus") {
		words := strings.Fields(brackets.Replace(line))
		// " * Caching service dependencies ... [ ok ]" comes first where a script is newer than the cache.
		if !strings.HasPrefix(line, " ") || len(words) < 2 || words[0] == "*" {
			continue
		}
		all[words[0]] = value.NewDict("name", words[0], "runlevels", levels[words[0]], "state", words[1], "source", "openrc")
	}
}

// badStates are states of a unit that its file says nothing against.
var badStates = []string{"not-found", "masked", "failed"}

func listUnits(h *modules.Host, r *modules.Report, all map[string]*value.Dict) {
	if !r.Has("units") {
		return
	}
	if r.Status("units") != 0 {
		h.Warn("Could not list units from systemd: %s", r.Text("units.err"))
	}
	for _, line := range r.Lines("units") {
		fields := strings.Fields(strings.TrimLeft(line, " ●*○×↻"))
		if !strings.Contains(line, ".service") || len(fields) < 4 {
			continue
		}
		state, status := "stopped", fields[2]
		for _, bad := range badStates {
			if slices.Contains(fields, bad) {
				status = bad
				break
			}
		}
		if fields[3] == "running" {
			state = "running"
		}
		all[fields[0]] = value.NewDict("name", fields[0], "state", state, "status", status, "source", "systemd")
	}
	if r.Status("files") != 0 {
		h.Warn("Could not get unit files data from systemd: %s", r.Text("files.err"))
	}
	states := unitStates(r.Text("states"))
	for _, line := range r.Lines("files") {
		fields := strings.Fields(line)
		if !strings.Contains(line, ".service") || len(fields) < 2 {
			continue
		}
		name, status := fields[0], fields[1]
		known, ok := all[name]
		switch {
		case !ok:
			state := "unknown"
			if s, ok := states[name]; ok {
				state = s
			}
			all[name] = value.NewDict("name", name, "state", state, "status", status, "source", "systemd")
		case !slices.Contains(badStates, known.Str("status")):
			known.Set("status", status)
		}
	}
}

// unitStates reads what systemctl show told of several units, under each of their names.
func unitStates(text string) map[string]string {
	states := map[string]string{}
	for part := range strings.SplitSeq(text, "\n\n") {
		d := parseShow(part)
		for name := range strings.FieldsSeq(d.Str("Id") + " " + d.Str("Names")) {
			states[name] = d.Str("ActiveState")
		}
	}
	return states
}
