package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed timezone.go
var timezoneSource string

// Timezone sees to the zone of the host's clocks.
var Timezone = modules.Define("timezone", timezoneSource, runTimezone, modules.Aliases("community.general.timezone"), modules.Converges())

// TimezoneArgs see to the zone of the system's clock, and to whether the hardware clock has UTC: by timedatectl where that answers, else in
// the distribution's files. Programs that run read the zone when they start; cron wants a restart.
//
//	# The clock of Berlin.
//	- timezone:
//	    name: Europe/Berlin
type TimezoneArgs struct {
	// Name of the zone, as in /usr/share/zoneinfo.
	Name string `arg:"name" oneof:"what"`
	// HWClock is what the hardware clock has.
	HWClock clockIn `arg:"hwclock,alias=rtc" oneof:"what"`
}

type clockIn string

// Choices lists what a hardware clock can have.
func (clockIn) Choices() []string { return []string{"local", "UTC"} }

// TimezoneResult says nothing more.
type TimezoneResult struct{}

var zoneName = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`)

// Check refuses what cannot be a zone's name.
func (a TimezoneArgs) Check() error {
	if a.Name != "" && !zoneName.MatchString(a.Name) {
		return &modules.ArgError{Path: []any{"name"}, Msg: noZone(a.Name)}
	}
	return nil
}

func noZone(name string) string {
	return fmt.Sprintf("Error message:\ngiven timezone %q is not available", name)
}

// timezoneScript: name. Of timedatectl only what stays the same from second to second is told.
const timezoneScript = `has() { command -v "$1" >/dev/null 2>&1; }
if [ -n "$1" ] && [ ! -f "/usr/share/zoneinfo/$1" ]; then say unknown yes; fi
if has timedatectl && status=$(timedatectl 2>/dev/null); then
	say status "$(printf '%s\n' "$status" | grep -E '^ *(Time ?zone|RTC in local TZ) *:')"
	exit 0
fi
if has dpkg-reconfigure; then say debian yes; fi
if has tzdata-update; then say update yes; fi
if has hwclock; then say hwclock yes; fi
for f in /etc/os-release /etc/timezone /etc/sysconfig/clock /etc/default/rcS /etc/conf.d/hwclock /etc/adjtime; do
	if [ -e "$f" ]; then show "file.$f" "$f"; fi
done
if [ -L /etc/localtime ]; then
	if [ -e /etc/localtime ]; then say link "$(readlink /etc/localtime)"; else say link broken; fi
elif [ -n "$1" ] && cmp -s /etc/localtime "/usr/share/zoneinfo/$1"; then say same yes; fi
exit 0
`

// clocks is what a look told.
type clocks struct {
	systemd       bool
	zone, hwclock string // "n/a" when that is not known
	files         map[string]string
	zoneFile      string // that has the zone's name
	zoneKey       string // "" when it stands there alone
	clockFile     string
	update        []string // what makes the system take the zone
	noClock       bool     // there is no program hwclock
}

var (
	statusZone  = regexp.MustCompile(`(?m)^\s*Time ?zone\s*:\s*(\S+)`)
	statusClock = regexp.MustCompile(`(?m)^\s*RTC in local TZ\s*:\s*(\S+)`)
	zoneOfLink  = regexp.MustCompile(`/(?:usr/share|etc)/zoneinfo/(.*)`)
	zoneAlone   = regexp.MustCompile(`(?m)^(\S+)`)
	clockUTC    = regexp.MustCompile(`(?m)^UTC\s*=\s*(\S+)`)
	adjtime     = regexp.MustCompile(`(?m)^(UTC|LOCAL)$`)
)

// firstGroup gives what the expression's group matches, or else what is told for nothing.
func firstGroup(re *regexp.Regexp, text, nothing string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return nothing
}

func (a TimezoneArgs) parse(r *modules.Report) (clocks, error) {
	c := clocks{files: map[string]string{}}
	if r.Has("unknown") {
		return c, errors.New(noZone(a.Name))
	}
	if r.Has("status") {
		c.systemd, c.zone, c.hwclock = true, firstGroup(statusZone, r.Text("status"), "n/a"), "UTC"
		if firstGroup(statusClock, r.Text("status"), "no") == "yes" {
			c.hwclock = "local"
		}
		return c, nil
	}
	for _, key := range r.Keys() {
		if file, ok := strings.CutPrefix(key, "file."); ok {
			text, _, err := r.ReadText(key, file)
			if err != nil {
				return c, err
			}
			c.files[file] = text
		}
	}
	c.noClock = !r.Has("hwclock")
	a.distribution(&c, r)
	c.zone = firstGroup(c.zoneLine(), c.files[c.zoneFile], "n/a")
	if c.zone == a.Name {
		switch link := r.Text("link"); {
		case link != "":
			c.zone = firstGroup(zoneOfLink, link, "n/a")
		case !r.Has("same"):
			c.zone = "n/a"
		}
	}
	c.hwclock = "n/a"
	if utc := firstGroup(clockUTC, c.files[c.clockFile], ""); utc != "" {
		c.hwclock = "local"
		if on, err := modules.Bool(strings.Trim(utc, `"'`)); err == nil && on {
			c.hwclock = "UTC"
		}
	}
	if c.hwclock == string(a.HWClock) {
		c.hwclock = map[string]string{"UTC": "UTC", "LOCAL": "local"}[firstGroup(adjtime, c.files["/etc/adjtime"], "UTC")]
	}
	return c, nil
}

// distribution finds the files that a distribution without timedatectl reads.
func (a TimezoneArgs) distribution(c *clocks, r *modules.Report) {
	id := releaseField(c.files["/etc/os-release"], "ID")
	zone := "/usr/share/zoneinfo/" + a.Name
	c.zoneFile = "/etc/timezone"
	switch {
	case r.Has("debian"):
		c.clockFile = "/etc/default/rcS"
		c.update = []string{"sh", "-c", `ln -sf -- "$1" /etc/localtime && dpkg-reconfigure --frontend noninteractive tzdata >/dev/null`, "sh", zone}
	case id == "alpine":
		c.clockFile, c.update = "/etc/conf.d/hwclock", []string{"setup-timezone", "-z", a.Name}
	case id == "gentoo":
		c.clockFile = "/etc/conf.d/hwclock"
	default:
		c.zoneFile, c.clockFile, c.zoneKey = "/etc/sysconfig/clock", "/etc/sysconfig/clock", "ZONE"
		text := c.files[c.zoneFile]
		if strings.Contains("\n"+text, "\nTIMEZONE") || text == "" && (id == "sles" || strings.HasPrefix(id, "opensuse")) {
			c.zoneKey = "TIMEZONE"
		}
		if r.Has("update") && !r.Has("link") {
			c.update = []string{"tzdata-update"}
		}
	}
	if c.update == nil {
		// A link would be followed, so it goes first.
		c.update = []string{"sh", "-c", `rm -f /etc/localtime && cp -- "$1" /etc/localtime`, "sh", zone}
	}
}

// zoneLine finds the zone in its file.
func (c clocks) zoneLine() *regexp.Regexp {
	if c.zoneKey == "" {
		return zoneAlone
	}
	return regexp.MustCompile(`(?m)^` + c.zoneKey + `\s*=\s*"?([^"\s]+)"?`)
}

// setLine puts a line in the place of the first that matches and removes the others, or puts it first.
func setLine(text string, re *regexp.Regexp, line string) string {
	var out strings.Builder
	found := false
	for old := range strings.Lines(text) {
		if !re.MatchString(old) {
			out.WriteString(old)
			continue
		}
		if !found {
			out.WriteString(line + "\n")
		}
		found = true
	}
	if !found {
		return line + "\n" + text
	}
	return out.String()
}

func runTimezone(ctx context.Context, h *modules.Host, a TimezoneArgs) (TimezoneResult, error) {
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[clocks]{
		Probe: timezoneScript, Args: []string{a.Name}, Lock: "timezone", Parse: a.parse, Plan: a.plan,
		Want: func(c clocks) clocks {
			if a.Name != "" {
				c.zone = a.Name
			}
			if a.HWClock != "" {
				c.hwclock = string(a.HWClock)
			}
			return c
		},
		Diff: func(before, after clocks) []modules.Diff {
			return []modules.Diff{{Before: a.show(before), After: a.show(after)}}
		},
	})
	return TimezoneResult{}, err
}

func (a TimezoneArgs) show(c clocks) string {
	text := ""
	if a.Name != "" {
		text = "name: " + c.zone + "\n"
	}
	if a.HWClock != "" {
		text += "hwclock: " + c.hwclock + "\n"
	}
	return text
}

func (a TimezoneArgs) plan(c clocks) ([]modules.Action, error) {
	var actions []modules.Action
	if a.Name != "" && c.zone != a.Name {
		why := "set the zone " + a.Name
		if c.systemd {
			actions = append(actions, modules.Action{Why: why, Argv: []string{"timedatectl", "set-timezone", a.Name}})
		} else {
			line := a.Name
			if c.zoneKey != "" {
				line = fmt.Sprintf("%s=%q", c.zoneKey, a.Name)
			}
			text := setLine(c.files[c.zoneFile], c.zoneLine(), line)
			actions = append(actions, modules.TextFile{Path: c.zoneFile, Text: text}.Write(why+" in "+c.zoneFile), modules.Action{Why: why, Argv: c.update})
		}
	}
	if a.HWClock == "" || c.hwclock == string(a.HWClock) {
		return actions, nil
	}
	why := "let the hardware clock have " + string(a.HWClock)
	local, option, utc := "no", "--utc", "UTC=yes"
	if a.HWClock == "local" {
		local, option, utc = "yes", "--localtime", "UTC=no"
	}
	switch {
	case c.systemd:
		return append(actions, modules.Action{Why: why, Argv: []string{"timedatectl", "set-local-rtc", local}}), nil
	case c.noClock:
		return nil, errors.New(`Failed to find required executable "hwclock" in paths`)
	}
	text := setLine(c.files[c.clockFile], clockUTC, utc)
	return append(actions, modules.TextFile{Path: c.clockFile, Text: text}.Write(why+" in "+c.clockFile),
		modules.Action{Why: why, Argv: []string{"hwclock", "--systohc", option}}), nil
}
