package system

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// hostClock is what the program tells of the clock.
type hostClock struct {
	follows bool // a time server, not only the host's own clock
	offset  float64
	source  string
	stratum int
	said    string // why it is not known
}

// timesyncClockScript: provider.
const timesyncClockScript = `case $1 in
chrony) tell clock chronyc -c tracking ;;
ntpsec) tell clock ntpq -c 'rv 0 leap,stratum,refid,offset' ;;
*) tell clock timedatectl timesync-status; say synchronized "$(timedatectl show --property=NTPSynchronized --value 2>/dev/null)" ;;
esac
exit 0
`

func lookAtClock(ctx context.Context, h *modules.Host, p timeProvider) (hostClock, error) {
	r, err := h.Probe(ctx, timesyncClockScript, string(p))
	if err != nil {
		return hostClock{}, err
	}
	text := r.Text("clock")
	if r.Status("clock") != 0 { // it may have been started a moment ago
		return hostClock{said: strings.TrimSpace(text + "\n" + r.Text("clock.err"))}, nil
	}
	switch p {
	case chrony:
		return chronyClock(text)
	case ntpsec:
		return ntpsecClock(text), nil
	}
	c := timesyncdClock(text)
	c.follows = c.follows && r.Text("synchronized") == "yes"
	return c, nil
}

// chronyClock reads chronyc -c tracking, the fields of which chronyc(1) has in this order.
func chronyClock(text string) (hostClock, error) {
	fields := strings.Split(text, ",")
	if len(fields) < 14 {
		return hostClock{}, fmt.Errorf("chronyc -c tracking: %q is not understood", text)
	}
	stratum, err1 := strconv.Atoi(fields[2])
	offset, err2 := strconv.ParseFloat(fields[4], 64)
	if err1 != nil || err2 != nil {
		return hostClock{}, fmt.Errorf("chronyc -c tracking: %q is not understood", text)
	}
	c := hostClock{offset: offset, source: fields[1], stratum: stratum}
	switch {
	case fields[0] == "7F7F0101": // the directive local
		c.said = "chrony gives out the host's own time"
	case fields[13] == "Not synchronised" || fields[0] == "00000000":
		c.said = "chrony has not chosen one yet"
	default:
		c.follows = true
	}
	return c, nil
}

// ntpsecClock reads ntpq -c 'rv 0 leap,stratum,refid,offset'. ntpq ends with 0 whatever happens; the offset is in milliseconds.
func ntpsecClock(text string) hostClock {
	fields := map[string]string{}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if key, val, ok := strings.Cut(strings.TrimSpace(part), "="); ok {
			fields[key] = val
		}
	}
	leap, err1 := strconv.ParseUint(fields["leap"], 2, 8)
	stratum, err2 := strconv.Atoi(fields["stratum"])
	offset, err3 := strconv.ParseFloat(fields["offset"], 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return hostClock{said: strings.Join(strings.Fields(text), " ")}
	}
	c := hostClock{offset: offset / 1000, source: fields["refid"], stratum: stratum}
	switch {
	case strings.HasPrefix(c.source, "LOCAL") || strings.HasPrefix(c.source, "127.127.1."):
		c.said = "ntpd gives out the host's own time"
	case leap == 3 || stratum == 0 || stratum > 15:
		c.said = "ntpd has not chosen one yet"
	default:
		c.follows = true
	}
	return c
}

var statusField = regexp.MustCompile(`(?m)^ *([A-Za-z ]+): *(.*)$`)

// timesyncdClock reads timedatectl timesync-status.
func timesyncdClock(text string) hostClock {
	fields := map[string]string{}
	for _, m := range statusField.FindAllStringSubmatch(text, -1) {
		fields[m[1]] = m[2]
	}
	c := hostClock{source: fields["Server"]}
	if name := firstGroup(serverName, c.source, ""); name != "" {
		c.source = name
	}
	stratum, err := strconv.Atoi(fields["Stratum"])
	offset, ok := parseSpan(fields["Offset"])
	if err != nil || !ok {
		c.said = "systemd-timesyncd has no answer yet"
		return c
	}
	c.follows, c.offset, c.stratum = fields["Leap"] != "not synchronized", offset, stratum
	return c
}

var (
	serverName = regexp.MustCompile(`^\S+ \((\S+)\)$`)
	spanPart   = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(y|month|w|d|h|min|s|ms|us)?$`)
)

// spanUnits are the units of systemd.time(7) in seconds, as systemd writes them.
var spanUnits = map[string]float64{
	"": 1, "y": 31557600, "month": 2629800, "w": 604800, "d": 86400, "h": 3600, "min": 60, "s": 1, "ms": 1e-3, "us": 1e-6,
}

// parseSpan gives the seconds of a time span such as -1min 2.5s.
func parseSpan(text string) (float64, bool) {
	sign := 1.0
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		sign, text = -1, rest
	}
	sum := 0.0
	words := strings.Fields(strings.TrimPrefix(text, "+"))
	for _, word := range words {
		m := spanPart.FindStringSubmatch(word)
		if m == nil {
			return 0, false
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, false
		}
		sum += n * spanUnits[m[2]]
	}
	return sign * sum, len(words) > 0
}
