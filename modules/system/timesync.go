package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed timesync.go
var timesyncSource string

// Timesync sees to where the host has its time from, and waits until it has it.
var Timesync = modules.Define("timesync", timesyncSource, runTimesync, modules.Converges())

// TimesyncArgs see to the time servers of chrony, systemd-timesyncd or NTPsec, whichever the host has, and to its service: it runs and is enabled,
// and is started anew after a change. With wait or max_skew the task goes on once the clock follows a server, as is well before a cluster
// is made. The program itself comes by package; where nothing starts services, as in a chroot, only its file is written.
//
//	# The servers of the house.
//	- timesync:
//	    servers: [ntp1.lab.example, ntp2.lab.example]
//	    max_skew: 0.1
type TimesyncArgs struct {
	// Servers are names or addresses, each one server. Other sources in the program's own file are commented out; those of files that
	// chrony's includes are warned of. Without servers and pools the sources stay as they are.
	Servers []string `arg:"servers,alias=server"`
	// Pools are names behind each of which there are several servers. systemd-timesyncd takes them for servers.
	Pools []string `arg:"pools,alias=pool"`
	// Provider is the program; with auto the one that runs, else the first of these that is there: chrony, ntpsec, systemd-timesyncd.
	Provider timeProvider `arg:"provider" default:"auto"`
	// Makestep lets chrony set a clock at once that is off by more than a second, in the first three updates after it starts; with false it
	// never does. Without it what the file has stays. Other programs have no such setting.
	Makestep *bool `arg:"makestep"`
	// Wait until the clock follows a server.
	Wait bool `arg:"wait"`
	// MaxSkew is by how many seconds the clock may be off; the task waits until it is within.
	MaxSkew *float64 `arg:"max_skew"`
	// Timeout is for how many seconds to wait; 0 looks once.
	Timeout int `arg:"timeout" default:"300"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
}

type timeProvider string

// Choices lists the programs.
func (timeProvider) Choices() []string {
	return []string{"auto", string(chrony), string(ntpsec), string(timesyncd)}
}

const (
	chrony    timeProvider = "chrony"
	ntpsec    timeProvider = "ntpsec"
	timesyncd timeProvider = "systemd-timesyncd"
)

// TimesyncResult tells what has the host's time.
type TimesyncResult struct {
	// Provider is the program.
	Provider string `json:"provider"`
	// Path of the file that has its servers.
	Path string `json:"path"`
	// Synchronized is whether the clock follows a server; it is there with wait or max_skew, as the others below.
	Synchronized *bool `json:"synchronized,omitempty"`
	// Offset is by how many seconds the clock is off, as far as the program knows.
	Offset *float64 `json:"offset,omitempty"`
	// Source is the server that the clock follows.
	Source string `json:"source,omitempty"`
	// Stratum of the host.
	Stratum int `json:"stratum,omitempty"`
	// Backup is the copy of the old file.
	Backup string `json:"backup_file,omitempty"`
}

// Check refuses what cannot be a server's name, and settings that make no sense.
func (a TimesyncArgs) Check() error {
	for name, list := range map[string][]string{"servers": a.Servers, "pools": a.Pools} {
		seen := map[string]bool{}
		for i, server := range list {
			_, err := netip.ParseAddr(server)
			switch {
			case err != nil && (!hostsName.MatchString(server) || len(server) > 253):
				return &modules.ArgError{Path: []any{name, i}, Msg: fmt.Sprintf("%q cannot be a server's name or address", server)}
			case seen[server]:
				return &modules.ArgError{Path: []any{name, i}, Msg: fmt.Sprintf("%s has %s twice", name, server)}
			}
			seen[server] = true
		}
	}
	switch {
	case a.MaxSkew != nil && (*a.MaxSkew <= 0 || math.IsNaN(*a.MaxSkew) || math.IsInf(*a.MaxSkew, 0)):
		return &modules.ArgError{Path: []any{"max_skew"}, Msg: "max_skew must be more than 0 seconds"}
	case a.Timeout < 0:
		return &modules.ArgError{Path: []any{"timeout"}, Msg: "timeout must not be less than 0"}
	}
	return nil
}

func runTimesync(ctx context.Context, h *modules.Host, a TimesyncArgs) (TimesyncResult, error) {
	backup := ""
	before, _, err := modules.Reconcile(ctx, h, modules.Reconciler[timeService]{
		Probe: timesyncScript, Args: []string{string(a.Provider)}, Lock: "timesync", Parse: a.parse,
		Plan: func(s timeService) ([]modules.Action, error) {
			if a.Backup && s.exists && backup == "" && a.edit(s) != s.text {
				backup = modules.BackupName(s.file)
			}
			return a.plan(s, backup), nil
		},
		Want: func(s timeService) timeService {
			s.text = a.edit(s)
			return s
		},
		Diff: func(before, after timeService) []modules.Diff {
			if before.text == after.text {
				return nil
			}
			return []modules.Diff{{Before: before.text, After: after.text, BeforeHeader: before.file, AfterHeader: before.file}}
		},
	})
	res := TimesyncResult{Provider: string(before.provider), Path: before.file}
	if before.others != "" && len(a.Servers)+len(a.Pools) > 0 {
		h.Warn("chrony has sources from other files, too: %s", before.others)
	}
	if err != nil {
		return res, err
	}
	res.Backup = backup
	if !a.Wait && a.MaxSkew == nil {
		return res, nil
	}
	if !before.manages() {
		return res, errors.New("nothing on the host starts services, so no clock can be waited for: leave wait and max_skew out")
	}
	return res, a.await(ctx, h, before.provider, &res)
}

// await looks until the clock follows a server and is right enough.
func (a TimesyncArgs) await(ctx context.Context, h *modules.Host, p timeProvider, res *TimesyncResult) error {
	end := time.Now().Add(time.Duration(a.Timeout) * time.Second)
	for {
		c, err := lookAtClock(ctx, h, p)
		if err != nil {
			return err
		}
		res.Synchronized, res.Source, res.Stratum = &c.follows, c.source, c.stratum
		if res.Offset = nil; c.follows {
			res.Offset = &c.offset
		}
		late := ""
		switch {
		case !c.follows:
			late = "the clock follows no time server"
			if c.said != "" {
				late += ": " + c.said
			}
		case a.MaxSkew != nil && math.Abs(c.offset) > *a.MaxSkew:
			seconds := func(f float64) string { return strconv.FormatFloat(math.Abs(f), 'f', -1, 64) }
			late = fmt.Sprintf("the clock is off by %s seconds, which is more than max_skew (%s)", seconds(c.offset), seconds(*a.MaxSkew))
		default:
			return nil
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("%s, after %d seconds", late, a.Timeout)
		}
		if err := pause(ctx, 1); err != nil {
			return err
		}
	}
}

// edit gives the new text of the program's file.
func (a TimesyncArgs) edit(s timeService) string {
	if s.provider == timesyncd {
		if servers := append(append([]string{}, a.Servers...), a.Pools...); len(servers) > 0 {
			return "# Written by timesync.\n[Time]\nNTP=\nNTP=" + strings.Join(servers, " ") + "\n"
		}
		return s.text
	}
	text := s.text
	if len(a.Servers)+len(a.Pools) > 0 {
		var lines []string
		for _, server := range a.Servers {
			lines = append(lines, "server "+server+" iburst")
		}
		for _, pool := range a.Pools {
			lines = append(lines, "pool "+pool+" iburst")
		}
		text = setDirectives(text, []string{"server", "pool", "peer"}, lines)
	}
	if a.Makestep == nil {
		return text
	}
	var lines []string
	if *a.Makestep {
		lines = []string{"makestep 1 3"}
	}
	return setDirectives(text, []string{"makestep"}, lines)
}

// setDirectives gives a file the lines that it is to have of some directives. Those that are there stay where they are; others are commented
// out; new ones come before the first of the others, or else last.
func setDirectives(text string, words, lines []string) string {
	missing := map[string]bool{}
	for _, line := range lines {
		missing[line] = true
	}
	var out []string
	at := -1
	for old := range strings.Lines(text) {
		fields := strings.Fields(old)
		if len(fields) > 0 && hasName(words, fields[0]) {
			if line := strings.Join(fields, " "); missing[line] {
				delete(missing, line)
			} else {
				if at < 0 {
					at = len(out)
				}
				old = "#" + old
			}
		}
		out = append(out, old)
	}
	var added []string
	for _, line := range lines {
		if missing[line] {
			added = append(added, line+"\n")
		}
	}
	if at < 0 {
		at = len(out)
	}
	if at == len(out) && at > 0 && len(added) > 0 && !strings.HasSuffix(out[at-1], "\n") {
		out[at-1] += "\n"
	}
	return strings.Join(out[:at], "") + strings.Join(added, "") + strings.Join(out[at:], "")
}
