package filters

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func timeFilters() []entry {
	return []entry{
		one("strftime", "second=None, utc=False", strftimeFilter),
		one("to_datetime", "format='%Y-%m-%d %H:%M:%S'", toDatetime),
	}
}

func strftimeFilter(c *jinja.Call) (any, error) {
	format, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	utc, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	t := time.Now()
	if c.Args[0] == nil {
		volatile(c)
	} else if t, err = secondsTime(c.Args[0]); err != nil {
		return nil, err
	}
	if utc {
		return strftime(format, t.In(time.FixedZone("GMT", 0))), nil
	}
	return strftime(format, t.Local()), nil
}

// secondsTime reads seconds since 1970.
func secondsTime(v any) (time.Time, error) {
	text, err := value.Str(v)
	if err != nil {
		return time.Time{}, err
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e12 {
		return time.Time{}, value.Errorf(value.ValueError, "Invalid value for epoch value (%s)", text)
	}
	whole := math.Floor(f)
	return time.Unix(int64(whole), int64((f-whole)*1e9)), nil
}

func toDatetime(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	format, err := c.Text(c.Args[0])
	if err != nil {
		return nil, err
	}
	t, hasZone, err := strptime(text, format)
	if err != nil {
		return nil, err
	}
	return datetime{t, hasZone}, nil
}

// now is Ansible's global: a datetime, or text with fmt.
func now(c *jinja.Call) (any, error) {
	volatile(c)
	t := time.Now()
	utc, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	if utc {
		t = t.UTC()
	}
	d := datetime{time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond()/1000*1000, time.UTC), false}
	if c.Args[1] == nil {
		return d, nil
	}
	format, err := c.Text(c.Args[1])
	if err != nil || format == "" {
		return d, err
	}
	return d.format(format), nil
}

// datetime is Python's. Without a zone it is a local time, held as if it were UTC.
type datetime struct {
	t       time.Time
	hasZone bool
}

// TypeName implements value.Custom.
func (d datetime) TypeName() string { return "datetime" }

// Truth implements value.Custom.
func (d datetime) Truth() (bool, error) { return true, nil }

// Repr implements value.Custom.
func (d datetime) Repr() (string, error) {
	s := fmt.Sprintf("datetime.datetime(%d, %d, %d, %d, %d", d.t.Year(), d.t.Month(), d.t.Day(), d.t.Hour(), d.t.Minute())
	if micro := d.t.Nanosecond() / 1000; micro != 0 {
		s += fmt.Sprintf(", %d, %d", d.t.Second(), micro)
	} else if d.t.Second() != 0 {
		s += fmt.Sprintf(", %d", d.t.Second())
	}
	return s + ")", nil
}

// Text is Python's str.
func (d datetime) Text() (string, error) { return d.iso(" "), nil }

// YAML is how PyYAML writes it.
func (d datetime) YAML() string { return d.iso(" ") }

// JSON is how Ansible writes it.
func (d datetime) JSON() string { return d.iso("T") }

func (d datetime) iso(sep string) string {
	s := d.t.Format("2006-01-02" + sep + "15:04:05")
	if micro := d.t.Nanosecond() / 1000; micro != 0 {
		s += fmt.Sprintf(".%06d", micro)
	}
	if d.hasZone {
		s += d.t.Format("-07:00")
	}
	return s
}

func (d datetime) format(f string) string {
	f = strings.ReplaceAll(f, "%f", fmt.Sprintf("%06d", d.t.Nanosecond()/1000))
	t := d.t
	if !d.hasZone {
		f = strings.NewReplacer("%z", "", "%Z", "", "%s", strconv.FormatInt(d.instant().Unix(), 10)).Replace(f)
	}
	return strftime(f, t)
}

// instant is the moment meant.
func (d datetime) instant() time.Time {
	if d.hasZone {
		return d.t
	}
	return time.Date(d.t.Year(), d.t.Month(), d.t.Day(), d.t.Hour(), d.t.Minute(), d.t.Second(), d.t.Nanosecond(), time.Local)
}

// Equal makes == compare moments.
func (d datetime) Equal(other any) (bool, error) {
	o, ok := other.(datetime)
	return ok && d.hasZone == o.hasZone && d.t.Equal(o.t), nil
}

// Order makes < and its like work.
func (d datetime) Order(other any) (int, bool) {
	o, ok := other.(datetime)
	if !ok || d.hasZone != o.hasZone {
		return 0, false
	}
	return d.t.Compare(o.t), true
}

// Binary does + and -.
func (d datetime) Binary(op string, other any, swapped bool) (any, bool, error) {
	switch o := other.(type) {
	case datetime:
		if op == "-" && !swapped {
			if d.hasZone != o.hasZone {
				return nil, false, value.Errorf(value.TypeError, "can't subtract offset-naive and offset-aware datetimes")
			}
			return timedelta(d.t.Sub(o.t)), true, nil
		}
	case timedelta:
		switch {
		case op == "+":
			return datetime{d.t.Add(time.Duration(o)), d.hasZone}, true, nil
		case op == "-" && !swapped:
			return datetime{d.t.Add(-time.Duration(o)), d.hasZone}, true, nil
		}
	}
	return nil, false, nil
}

// Attr implements jinja.Object.
func (d datetime) Attr(name string) (any, bool) {
	switch name {
	case "year":
		return d.t.Year(), true
	case "month":
		return int(d.t.Month()), true
	case "day":
		return d.t.Day(), true
	case "hour":
		return d.t.Hour(), true
	case "minute":
		return d.t.Minute(), true
	case "second":
		return d.t.Second(), true
	case "microsecond":
		return d.t.Nanosecond() / 1000, true
	case "strftime":
		return jinja.Method(name, "format", func(c *jinja.Call) (any, error) {
			f, err := c.Text(c.Args[0])
			return d.format(f), err
		}), true
	case "isoformat":
		return jinja.Method(name, "sep='T'", func(c *jinja.Call) (any, error) {
			sep, err := c.Text(c.Args[0])
			return d.iso(sep), err
		}), true
	case "timestamp":
		return constant(name, float64(d.instant().UnixMicro())/1e6), true
	case "weekday":
		return constant(name, (int(d.t.Weekday())+6)%7), true
	case "isoweekday":
		return constant(name, (int(d.t.Weekday())+6)%7+1), true
	case "date":
		return jinja.Method(name, "", func(*jinja.Call) (any, error) {
			return datetime{d.t.Truncate(24 * time.Hour), d.hasZone}, nil
		}), true
	}
	return nil, false
}

// constant is a method without arguments that gives a value.
func constant(name string, v any) any {
	return jinja.Method(name, "", func(*jinja.Call) (any, error) { return v, nil })
}

// timedelta is Python's.
type timedelta time.Duration

// TypeName implements value.Custom.
func (d timedelta) TypeName() string { return "timedelta" }

// Truth implements value.Custom.
func (d timedelta) Truth() (bool, error) { return d != 0, nil }

// parts are Python's days, seconds and microseconds: only the days may be negative.
func (d timedelta) parts() (days, seconds, micro int) {
	total := int64(d) / 1000
	const day = 24 * 3600 * 1_000_000
	days = int(math.Floor(float64(total) / day))
	rest := total - int64(days)*day
	return days, int(rest / 1_000_000), int(rest % 1_000_000)
}

// Repr implements value.Custom.
func (d timedelta) Repr() (string, error) {
	days, seconds, micro := d.parts()
	var parts []string
	for _, p := range []struct {
		name string
		n    int
	}{{"days", days}, {"seconds", seconds}, {"microseconds", micro}} {
		if p.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", p.name, p.n))
		}
	}
	if len(parts) == 0 {
		parts = []string{"0"}
	}
	return "datetime.timedelta(" + strings.Join(parts, ", ") + ")", nil
}

// Text is Python's str: "365 days, 2:00:12".
func (d timedelta) Text() (string, error) {
	days, seconds, micro := d.parts()
	s := fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	if micro != 0 {
		s += fmt.Sprintf(".%06d", micro)
	}
	switch {
	case days == 1 || days == -1:
		s = fmt.Sprintf("%d day, ", days) + s
	case days != 0:
		s = fmt.Sprintf("%d days, ", days) + s
	}
	return s, nil
}

// Equal makes == compare lengths.
func (d timedelta) Equal(other any) (bool, error) {
	o, ok := other.(timedelta)
	return ok && d == o, nil
}

// Order makes < and its like work.
func (d timedelta) Order(other any) (int, bool) {
	o, ok := other.(timedelta)
	return int(min(1, max(-1, d-o))), ok
}

// Binary does + and -.
func (d timedelta) Binary(op string, other any, swapped bool) (any, bool, error) {
	o, ok := other.(timedelta)
	switch {
	case !ok:
		return nil, false, nil
	case op == "+":
		return d + o, true, nil
	case op == "-" && !swapped:
		return d - o, true, nil
	}
	return nil, false, nil
}

// Attr implements jinja.Object.
func (d timedelta) Attr(name string) (any, bool) {
	days, seconds, micro := d.parts()
	switch name {
	case "days":
		return days, true
	case "seconds":
		return seconds, true
	case "microseconds":
		return micro, true
	case "total_seconds":
		return constant(name, time.Duration(d).Seconds()), true
	}
	return nil, false
}
