package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (o *output) platform() *Platform {
	p := &Platform{
		System:        o.first("/proc/sys/kernel/ostype"),
		Kernel:        o.first("/proc/sys/kernel/osrelease"),
		KernelVersion: o.first("/proc/sys/kernel/version"),
		Machine:       o.line("machine", 0),
		Nodename:      o.first("/proc/sys/kernel/hostname"),
		MachineID:     o.first("/var/lib/dbus/machine-id"),
	}
	if p.MachineID == "" {
		p.MachineID = o.first("/etc/machine-id")
	}
	p.Hostname, _, _ = strings.Cut(p.Nodename, ".")
	p.FQDN = o.fqdn(p.Nodename)
	_, p.Domain, _ = strings.Cut(p.FQDN, ".")
	p.Architecture = p.Machine
	switch {
	case p.Machine == "x86_64":
		p.UserspaceBits, p.UserspaceArch = "64", "x86_64"
	case i386.MatchString(p.Machine):
		p.Architecture, p.UserspaceBits, p.UserspaceArch = "i386", "32", "i386"
	case strings.HasSuffix(p.Machine, "64") || strings.HasSuffix(p.Machine, "64le") || p.Machine == "s390x":
		p.UserspaceBits = "64"
	default:
		p.UserspaceBits = "32"
	}
	return p
}

var i386 = regexp.MustCompile(`^(i[3456]86|i86pc)$`)

// fqdn is the name that the host's own one leads to.
func (o *output) fqdn(node string) string {
	return FQDN(node, append(slices.Clone(o.files["/etc/hosts"]), o.sections["resolved"]...))
}

// FQDN is what Python's socket.getfqdn gives: the first name with a dot of the address that the host's name has in lines as
// /etc/hosts has them, and the name itself when it has none.
func FQDN(node string, hosts []string) string {
	names := map[string][]string{}
	address := ""
	for _, line := range hosts {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		if _, seen := names[words[0]]; !seen {
			names[words[0]] = words[1:]
		}
		if address == "" && slices.Contains(words[1:], node) {
			address = words[0]
		}
	}
	if address == "" {
		return node
	}
	for _, name := range names[address] {
		if strings.Contains(name, ".") {
			return name
		}
	}
	return names[address][0]
}

func (o *output) user() *User {
	u := &User{}
	for _, file := range o.matching("/proc/*/status") {
		for _, line := range o.files[file] {
			words := strings.Fields(line)
			switch {
			case len(words) > 2 && words[0] == "Uid:":
				u.RealUID, u.EffectiveUID = atoi(words[1]), atoi(words[2])
			case len(words) > 2 && words[0] == "Gid:":
				u.RealGID, u.EffectiveGID = atoi(words[1]), atoi(words[2])
			}
		}
	}
	u.UID, u.GID = u.RealUID, u.RealGID
	u.ID = strconv.Itoa(u.UID)
	if entry := strings.Split(o.line("passwd", 0), ":"); len(entry) == 7 {
		u.ID, u.UID, u.GID = entry[0], atoi(entry[2]), atoi(entry[3])
		u.Gecos, u.Dir, u.Shell = entry[4], entry[5], entry[6]
	}
	return u
}

// dateTime puts the fields together from the epoch and the zone's name and offset.
func (o *output) dateTime() *DateTime {
	now, later := strings.Fields(o.line("date", 0)), strings.Fields(o.line("date", 1))
	if len(now) < 3 {
		return nil
	}
	sec, _ := strconv.ParseInt(now[0], 10, 64)
	nsec := 0
	if len(now) == 4 { // busybox prints no nanoseconds
		nsec = atoi(now[1])
	}
	zone, offset := now[len(now)-2], now[len(now)-1]
	t := time.Unix(sec, int64(nsec)).In(time.FixedZone(zone, offsetSeconds(offset)))
	dst := zone
	if n := len(later); n > 1 && offsetSeconds(later[n-1]) > offsetSeconds(offset) {
		dst = later[n-2]
	}
	utc := t.UTC()
	epoch := strconv.FormatInt(sec, 10)
	micro := fmt.Sprintf("%06d", nsec/1000)
	// Week of the year, Monday first; days before the first Monday are week 0.
	week := (t.YearDay() + 6 - (int(t.Weekday())+6)%7) / 7
	return &DateTime{
		Year: t.Format("2006"), Month: t.Format("01"), Weekday: t.Format("Monday"), Day: t.Format("02"),
		Hour: t.Format("15"), Minute: t.Format("04"), Second: t.Format("05"),
		WeekdayNumber: strconv.Itoa(int(t.Weekday())), WeekNumber: fmt.Sprintf("%02d", week),
		Epoch: epoch, EpochInt: epoch, Date: t.Format("2006-01-02"), Time: t.Format("15:04:05"),
		ISO8601Micro: utc.Format("2006-01-02T15:04:05.") + micro + "Z", ISO8601: utc.Format("2006-01-02T15:04:05Z"),
		ISO8601Basic: t.Format("20060102T150405") + micro, BasicTTY: t.Format("20060102T150405"),
		TZ: zone, TZDST: dst, TZOffset: offset,
	}
}

// offsetSeconds reads +hhmm.
func offsetSeconds(s string) int {
	n := atoi(s)
	return (n/100)*3600 + (n%100)*60
}

func (o *output) env() map[string]string {
	env := map[string]string{}
	for _, entry := range o.environ {
		if key, val, ok := strings.Cut(entry, "="); ok {
			env[key] = val
		}
	}
	return env
}
