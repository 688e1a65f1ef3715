package system

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// timeService is what a look told of the program that has the host's time.
type timeService struct {
	provider         timeProvider
	file, text       string
	exists           bool   // the file
	folder           bool   // that the file lies in
	checks           bool   // chronyd can look at a file (4.0)
	others           string // files besides, which chrony has sources from
	manager          string // systemd, openrc, init, or "" where nothing starts services
	unit             string
	running, enabled bool
}

// manages reports that something starts the service.
func (s timeService) manages() bool { return s.manager != "" && s.unit != "" }

// timeUnits are the names that the programs' services have in distributions.
var timeUnits = map[timeProvider][]string{
	chrony: {"chrony", "chronyd"}, ntpsec: {"ntpsec", "ntpd"}, timesyncd: {"systemd-timesyncd"},
}

const timesyncdFile = "/etc/systemd/timesyncd.conf.d/50-timesync.conf"

// timesyncScript tells which programs there are, their files and their services.
const timesyncScript = `has() { command -v "$1" >/dev/null 2>&1; }
if has chronyd; then
	say has.chrony yes
	if chronyd -p -f /dev/null >/dev/null 2>&1; then say checks yes; fi
	for f in /etc/chrony/chrony.conf /etc/chrony.conf; do
		[ -e "$f" ] || continue
		say file.chrony "$f"; show text.chrony "$f"
		say others "$(awk '$1 == "confdir" { for (i = 2; i <= NF; i++) print $i "/*.conf" }
			$1 == "sourcedir" { for (i = 2; i <= NF; i++) print $i "/*.sources" }
			$1 == "include" { print $2 }' "$f" | grep -v '^/run/' | while read -r p; do
				grep -lsE '^[[:space:]]*(server|pool|peer)[[:space:]]' $p </dev/null
			done)"
		break
	done
fi
if has ntpd; then case $(ntpd --version 2>&1) in *ntpsec*)
	say has.ntpsec yes
	for f in /etc/ntpsec/ntp.conf /etc/ntp.conf; do
		[ -e "$f" ] || continue
		say file.ntpsec "$f"; show text.ntpsec "$f"; break
	done ;;
esac; fi
if [ -x /lib/systemd/systemd-timesyncd ] || [ -x /usr/lib/systemd/systemd-timesyncd ]; then
	say has.systemd-timesyncd yes
	f=` + timesyncdFile + `
	if [ -d "${f%/*}" ]; then say folder yes; fi
	if [ -e "$f" ]; then show text.systemd-timesyncd "$f"; fi
fi
if [ -d /run/systemd/system ] && has systemctl; then
	say manager systemd
	say units "$(systemctl show -p Id,LoadState,ActiveState,UnitFileState -- chrony.service chronyd.service ntpsec.service ntpd.service systemd-timesyncd.service 2>/dev/null)"
elif has rc-service; then
	say manager openrc
	for s in chrony chronyd ntpsec ntpd; do
		rc-service -e "$s" || continue
		r=stopped e=disabled
		if rc-service "$s" status >/dev/null 2>&1; then r=running; fi
		if rc-update show default 2>/dev/null | grep -q "^ *$s *|"; then e=enabled; fi
		say "unit.$s" "$r $e"
	done
else
	for s in chrony chronyd ntpsec ntpd; do
		[ -x "/etc/init.d/$s" ] || continue
		say manager init
		r=stopped
		if "/etc/init.d/$s" status >/dev/null 2>&1; then r=running; fi
		say "unit.$s" "$r enabled"
	done
fi
exit 0
`

// unitState is what a service is.
type unitState struct{ running, enabled bool }

// units gives the services that there are by name.
func units(r *modules.Report) map[string]unitState {
	all := map[string]unitState{}
	for _, key := range r.Keys() {
		if name, ok := strings.CutPrefix(key, "unit."); ok {
			all[name] = unitState{strings.HasPrefix(r.Text(key), "running"), strings.HasSuffix(r.Text(key), "enabled")}
		}
	}
	for block := range strings.SplitSeq(r.Text("units"), "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(block) {
			key, text, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
			fields[key] = text
		}
		if load := fields["LoadState"]; load == "loaded" || load == "masked" {
			all[strings.TrimSuffix(fields["Id"], ".service")] = unitState{
				slices.Contains([]string{"active", "activating", "reloading"}, fields["ActiveState"]), strings.HasPrefix(fields["UnitFileState"], "enabled"),
			}
		}
	}
	return all
}

// parse finds the program that is meant and what it has.
func (a TimesyncArgs) parse(r *modules.Report) (timeService, error) {
	all := units(r)
	found := map[timeProvider]timeService{}
	var there, run []timeProvider
	for _, p := range []timeProvider{chrony, ntpsec, timesyncd} {
		if !r.Has("has." + string(p)) {
			continue
		}
		s := timeService{provider: p, manager: r.Text("manager")}
		for _, name := range timeUnits[p] {
			if u, ok := all[name]; ok && s.unit == "" {
				s.unit, s.running, s.enabled = name, u.running, u.enabled
			}
		}
		there = append(there, p)
		if s.running {
			run = append(run, p)
		}
		found[p] = s
	}
	p := a.Provider
	switch {
	case p == "auto" && len(there) == 0:
		return timeService{}, errors.New("the host has none of chrony, ntpsec and systemd-timesyncd: install one by package")
	case p == "auto":
		p = slices.Concat(run, there)[0]
	case !slices.Contains(there, p):
		return timeService{}, fmt.Errorf("the host has no %s: install it by package", p)
	}
	for _, other := range run {
		if other != p {
			return found[p], fmt.Errorf("%s runs beside %s, and both would set the clock: stop and disable service %s first", other, p, found[other].unit)
		}
	}
	if a.Makestep != nil && p != chrony {
		return found[p], fmt.Errorf("makestep is a setting of chrony, and the host has its time from %s", p)
	}
	return a.parseFile(r, found[p])
}

func (a TimesyncArgs) parseFile(r *modules.Report, s timeService) (timeService, error) {
	p := string(s.provider)
	s.file, s.checks = r.Text("file."+p), s.provider == chrony && r.Has("checks")
	if s.provider == chrony {
		s.others = strings.ReplaceAll(r.Text("others"), "\n", ", ")
	}
	if s.provider == timesyncd {
		s.file, s.folder = timesyncdFile, r.Has("folder")
	}
	if s.file == "" {
		return s, fmt.Errorf("%s has no file of its own on the host: install its package anew", p)
	}
	var err error
	s.text, s.exists, err = r.ReadText("text."+p, s.file)
	return s, err
}

// plan writes the file and sees to the service.
func (a TimesyncArgs) plan(s timeService, backup string) []modules.Action {
	var actions []modules.Action
	text := a.edit(s)
	if text != s.text {
		if dir := path.Dir(s.file); s.provider == timesyncd && !s.folder {
			actions = append(actions, modules.Action{Why: "create directory " + dir, Argv: []string{"mkdir", "-p", "--", dir}})
		}
		file := modules.TextFile{Path: s.file, Text: text, Backup: backup}
		if s.checks {
			file.Validate = []string{"chronyd", "-p", "-f"}
		}
		actions = append(actions, file.Write("set the sources of time in "+s.file))
	}
	if !s.manages() {
		return actions
	}
	if !s.enabled {
		argv := []string{"systemctl", "enable", "--", s.unit}
		if s.manager == "openrc" {
			argv = []string{"rc-update", "add", s.unit, "default"}
		}
		actions = append(actions, modules.Action{Why: "enable service " + s.unit, Argv: argv})
	}
	verb := ""
	switch {
	case !s.running:
		verb = "start"
	case text != s.text:
		verb = "restart"
	default:
		return actions
	}
	argv := map[string][]string{
		"systemd": {"systemctl", verb, "--", s.unit}, "openrc": {"rc-service", s.unit, verb}, "init": {"/etc/init.d/" + s.unit, verb},
	}[s.manager]
	return append(actions, modules.Action{Why: verb + " service " + s.unit, Argv: argv})
}
