package virt

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// initLib sets $init to systemd, openrc or none, and gives the functions of all three:
//
//	active DAEMON   whether it runs
//	booted DAEMON   whether the boot starts it
const initLib = `if [ -d /run/systemd/system ]; then init=systemd; elif command -v rc-service >/dev/null 2>&1; then init=openrc; else init=none; fi
active() {
	case $init in
	systemd) systemctl is-active --quiet "$1.service" ;;
	openrc) rc-service -q "$1" status >/dev/null ;;
	none) [ -s "/run/$1.pid" ] && kill -0 "$(cat "/run/$1.pid")" ;;
	esac 2>/dev/null
}
booted() {
	case $init in
	systemd) systemctl is-enabled --quiet "$1.service" ;;
	openrc) [ -n "$(find /etc/runlevels -name "$1" 2>/dev/null)" ] ;;
	esac 2>/dev/null
}
`

// configProbe: the path, "" for that of libvirt-guests, then the daemons that read it.
const configProbe = initLib + `path=$1; shift
if [ -z "$path" ]; then
	for path in /etc/default /etc/sysconfig /etc/conf.d; do [ ! -e "$path/libvirt-guests" ] || break; done
	if [ ! -e "$path/libvirt-guests" ]; then
		if [ "$init" = openrc ]; then path=/etc/conf.d; elif [ -e /etc/debian_version ]; then path=/etc/default; else path=/etc/sysconfig; fi
	fi
	path=$path/libvirt-guests
	! booted libvirt-guests || say booted yes
	say path "$path"
fi
say init "$init"
[ -d "${path%/*}" ] || { say missing "${path%/*}"; exit 0; }
[ ! -e "$path" ] || show file "$path"
running= have=
for d do
	! command -v "$d" >/dev/null 2>&1 || have="$have $d"
	! active "$d" || running="$running $d"
	[ "$init" != systemd ] || ! systemctl is-active --quiet "$d.socket" 2>/dev/null || say socket yes
done
say active "$running"
say have "$have"
say guests "$(cd /run/libvirt/qemu 2>/dev/null && for g in *.xml; do [ ! -f "$g" ] || echo "${g%.xml}"; done)"
exit 0
`

// configScript: the path, the init system, what daemons are told (restart, reload), the daemons. The content comes by standard input.
// A new file is root's alone, for it may have passwords in it. What is broken off before the daemons are told puts the old file back: else nobody would
// tell them any more.
const configScript = `path=$1 init=$2 verb=$3; shift 3
umask 077
[ ! -L "$path" ] || path=$(readlink -f "$path") || exit 1
t=$path.hostler.$$ old=$path.hostler-old.$$ open=
back() {
	open=
	if [ -e "$old" ]; then mv -f -- "$old" "$path"; else rm -f -- "$path"; fi
}
trap '[ -z "$open" ] || back; rm -f -- "$t" "$old"' EXIT
trap 'exit 1' HUP INT TERM
if [ -e "$path" ]; then cp -p -- "$path" "$t" && cp -p -- "$path" "$old" || exit 1; fi
cat >"$t" || exit 1
open=1
mv -f -- "$t" "$path" || exit 1
if [ ! -e "$old" ] && [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null 2>&1; then restorecon "$path" || exit 1; fi
umask 022
again() {
	case $init in
	systemd) systemctl "$verb" "$1.service" ;;
	openrc) rc-service "$1" "$verb" ;;
	esac
}
since=$(date +%s)
for d do
	again "$d" && continue
	why=
	[ "$init" != systemd ] || why=$(journalctl -q -u "$d.service" --since "@$since" -o cat -n 20 2>/dev/null | grep -i error | head -n 3)
	back
	[ "$init" != systemd ] || systemctl reset-failed "$d.service" 2>/dev/null
	again "$d" || echo "$d does not start with the old file either" >&2
	echo "$d does not start with the new $path; the old one was put back${why:+: $why}" >&2
	exit 1
done
open=`

// configState is a file and those who read it.
type configState struct {
	text, init   string
	active, have []string // daemons that run, that are installed
	guests       []string // domains that run
	socket       bool     // systemd listens in the daemon's place
	booted       bool     // libvirt-guests comes with the boot
	missing      bool     // libvirt is not installed; check mode alone goes on
}

type configJob struct {
	ConfigArgs
	host      *modules.Host
	path      string
	planned   bool
	quiet     bool
	restarted []string
}

func (j *configJob) parse(r *modules.Report) (configState, error) {
	if r.Has("path") {
		j.path = r.Text("path")
	}
	if r.Has("missing") && j.host.Planning() {
		return configState{init: r.Text("init"), missing: true}, nil // an earlier task may be what installs it
	}
	if r.Has("missing") {
		return configState{}, fmt.Errorf("the host has no folder %s: libvirt is not installed, which kvm_host does", r.Text("missing"))
	}
	text, _, err := r.ReadText("file", j.path)
	return configState{
		text: text, init: r.Text("init"), active: strings.Fields(r.Text("active")), have: strings.Fields(r.Text("have")),
		guests: r.Lines("guests"), socket: r.Has("socket"), booted: r.Has("booted"),
	}, err
}

// plan gives the file as it is to be.
func (j *configJob) plan(s configState) ([]modules.Action, error) {
	first := !j.planned
	j.planned = true
	text, err := j.edit(s.text)
	if err != nil {
		return nil, err
	}
	if first && !j.quiet {
		if err := j.warn(s); err != nil {
			return nil, err
		}
	}
	changed := text != s.text
	if !changed && (!first || j.Restart != "always") {
		return nil, nil
	}
	if changed {
		if err := j.locks(s); err != nil {
			return nil, err
		}
	}
	j.restarted = nil
	if j.Restart == "never" || j.File == configGuests {
		s.active = nil
	}
	if s.init != "none" {
		j.restarted = s.active
	} else if first && len(s.active) > 0 {
		j.host.Warn("%s must be restarted by hand: the host has neither systemd nor OpenRC", strings.Join(s.active, ", "))
	}
	var whys []string
	if changed {
		whys = append(whys, "write "+j.path)
	}
	if len(j.restarted) > 0 {
		whys = append(whys, j.File.verb()+" "+strings.Join(j.restarted, ", "))
	}
	if len(whys) == 0 {
		return nil, nil
	}
	return []modules.Action{{
		Why: strings.Join(whys, " and "), Script: configScript, Stdin: []byte(text),
		Args: append([]string{j.path, s.init, j.File.verb()}, j.restarted...),
	}}, nil
}

// locks refuses to move the locks from under running domains.
func (j *configJob) locks(s configState) error {
	if len(s.guests) == 0 {
		return nil
	}
	keys := map[ConfigFile][]string{
		"qemu":       {"lock_manager"},
		"qemu-lockd": {"file_lockspace_dir", "lvm_lockspace_dir", "scsi_lockspace_dir", "auto_disk_leases"},
	}
	for _, key := range keys[j.File] {
		if j.sets(s.text, key) {
			return fmt.Errorf("%s cannot change while domains run (%s): their locks would be missing; shut them down or migrate them away first", key, strings.Join(s.guests, ", "))
		}
	}
	return nil
}

// sets reports whether a setting is to become another one.
func (j *configJob) sets(text, key string) bool {
	v, ok := j.Settings.Get(key)
	if !ok {
		return false
	}
	one := configJob{ConfigArgs: ConfigArgs{File: j.File, Settings: value.NewDict(key, v)}, path: j.path}
	after, err := one.edit(text)
	return err == nil && after != text
}

// warn tells of what the daemon would not heed; a file that nobody on the host reads is an error.
func (j *configJob) warn(s configState) error {
	if s.missing {
		j.host.Warn("libvirt is not installed yet, so that %s cannot be looked at", j.path)
		return nil
	}
	if j.File == configGuests {
		if !s.booted && s.init != "none" {
			j.host.Warn("the service libvirt-guests is not enabled, and nobody else reads %s: kvm_host's shutdown_policy enables it", j.path)
		}
	} else if len(s.have) == 0 {
		return fmt.Errorf("nothing on the host reads %s: it has no %s", j.path, strings.Join(j.File.daemons(), " and no "))
	}
	entries, samples, err := j.File.syntax().parse(s.text)
	if err != nil {
		return fmt.Errorf("read %s: %w", j.path, err)
	}
	var known []string
	for _, e := range append(entries, samples...) {
		known = append(known, e.key)
	}
	if j.File == configGuests {
		known = slices.AppendSeq(known, maps.Keys(guestSettings(s.init)))
	}
	for k := range j.Settings.All() {
		key := fmt.Sprint(k)
		if s.socket && isSocketSetting(key) {
			j.host.Warn("settings.%s has no effect while systemd listens for %s: change the unit %[2]s.socket, or use %[2]s-tcp.socket and %[2]s-tls.socket", key, j.File)
		}
		if len(known) == 0 || slices.Contains(known, key) {
			continue
		}
		hint := ""
		if near := diag.Near(key, known); near != "" {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		j.host.Warn("%s does not speak of %s%s", j.path, key, hint)
	}
	return nil
}

// isSocketSetting reports whether a setting of a daemon is one that it leaves to systemd's sockets where they are active (libvirtd.conf
// says so of each).
func isSocketSetting(key string) bool {
	return strings.HasPrefix(key, "listen_") || strings.HasPrefix(key, "unix_sock_") || key == "tls_port" || key == "tcp_port"
}

// edit gives the file with the settings.
func (j *configJob) edit(text string) (string, error) {
	syntax := j.File.syntax()
	for k, given := range j.Settings.All() {
		key := fmt.Sprint(k)
		entries, samples, err := syntax.parse(text)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", j.path, err)
		}
		val, err := confValue(given)
		if err != nil {
			return "", err
		}
		is := func(e confEntry) bool { return e.key == key }
		at, sample := slices.IndexFunc(entries, is), slices.IndexFunc(samples, is)
		if sample >= 0 && j.File != configGuests {
			if val, err = likeSample(key, val, samples[sample].val); err != nil {
				return "", err
			}
		}
		if at >= 0 {
			if next := slices.IndexFunc(entries[at+1:], is); next >= 0 {
				return "", fmt.Errorf("read %s: %s stands there twice, in lines %d and %d", j.path, key, entries[at].line, entries[at+1+next].line)
			}
		}
		line := syntax.write(key, val)
		switch {
		case at >= 0 && val == nil:
			e := entries[at]
			text = text[:e.start] + "#" + strings.ReplaceAll(text[e.start:e.end], "\n", "\n#") + text[e.end:]
		case val == nil:
		case at >= 0 && syntax.write(key, entries[at].val) == line:
		case at >= 0:
			text = text[:entries[at].start] + line + text[entries[at].end:]
		case sample >= 0:
			text = text[:samples[sample].end] + "\n" + line + text[samples[sample].end:]
		default:
			if text != "" && !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			text += line + "\n"
		}
	}
	if _, _, err := syntax.parse(text); err != nil {
		return "", fmt.Errorf("%s would not be read again: %w", j.path, err)
	}
	return text, nil
}

// likeSample makes a value of the kind that the sample has: a template's number is text, YAML's port is a number, and a daemon does not start
// with the one for the other.
func likeSample(key string, val, sample any) (any, error) {
	not := func(kind string) error { return fmt.Errorf("settings.%s is %s, not %s", key, kind, writeConf(val)) }
	eitherWay := slices.Contains([]string{"max_core", "security_driver", "hugetlbfs_mount"}, key)
	sampleText, isText := sample.(string)
	switch val := val.(type) {
	case string:
		if _, number := sample.(int64); number || key == "max_core" && val != "unlimited" {
			s := confScanner{text: strings.TrimSpace(val)}
			v, err := s.value()
			if n, ok := v.(int64); ok && err == nil && s.at == len(s.text) {
				return n, nil
			}
			return nil, not("a number")
		}
		if _, list := sample.([]any); list && !eitherWay {
			return nil, not("a list")
		}
	case int64:
		if isText && sampleText != "" && strings.Trim(sampleText, "0123456789") == "" {
			return confText(val), nil
		}
		if isText && !eitherWay {
			return nil, not("text, to be put in quotes")
		}
	case []any:
		if isText && !eitherWay {
			return nil, not("text")
		}
		if _, number := sample.(int64); number {
			return nil, not("a number")
		}
	}
	return val, nil
}

// hidePasswords keeps the passwords of a file out of its diff.
func hidePasswords(text string) string {
	return regexp.MustCompile(`(?m)^([ \t#]*\w*password[ \t]*=[ \t]*).*$`).ReplaceAllString(text, "$1********")
}
