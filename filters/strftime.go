package filters

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hostlerhq/hostler/jinja/value"
)

// strftime is glibc's in the C locale.
func strftime(format string, t time.Time) string {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.WriteByte(format[i])
			continue
		}
		start := i
		i++
		first := i
		for i < len(format) && strings.IndexByte("_-0^#", format[i]) >= 0 {
			i++
		}
		flags := format[first:i]
		width := 0
		for i < len(format) && format[i] >= '0' && format[i] <= '9' && width < 100 {
			width = width*10 + int(format[i]-'0')
			i++
		}
		if i < len(format) && (format[i] == 'E' || format[i] == 'O') {
			i++
		}
		if i == len(format) {
			out.WriteString(format[start:])
			break
		}
		text, ok := conversion(format[i], flags, width, t)
		if !ok {
			text = format[start : i+1]
		}
		out.WriteString(text)
	}
	return out.String()
}

// composed are the conversions that stand for others.
func composed(c byte) string {
	switch c {
	case 'c':
		return "%a %b %e %H:%M:%S %Y"
	case 'x', 'D':
		return "%m/%d/%y"
	case 'X', 'T':
		return "%H:%M:%S"
	case 'r':
		return "%I:%M:%S %p"
	case 'R':
		return "%H:%M"
	case 'F':
		return "%Y-%m-%d"
	case '+':
		return "%a %b %e %H:%M:%S %Z %Y"
	}
	return ""
}

func conversion(c byte, flags string, width int, t time.Time) (string, bool) {
	if format := composed(c); format != "" {
		return padded(strftime(format, t), flags, width, ' '), true
	}
	number, digits, pad := numeric(c, t)
	if digits > 0 {
		return paddedNumber(number, flags, max(digits, width), pad), true
	}
	text := ""
	switch c {
	case 'a':
		text = t.Format("Mon")
	case 'A':
		text = t.Format("Monday")
	case 'b', 'h':
		text = t.Format("Jan")
	case 'B':
		text = t.Format("January")
	case 'p':
		text = t.Format("PM")
	case 'P':
		text = t.Format("pm")
	case 'Z':
		text = t.Format("MST")
	case 'z':
		text = t.Format("-0700")
	case 's':
		text = strconv.FormatInt(t.Unix(), 10)
	case 'n':
		text = "\n"
	case 't':
		text = "\t"
	case '%':
		text = "%"
	default:
		return "", false
	}
	return padded(text, flags, width, ' '), true
}

// numeric gives a number, how many digits it has and what it is filled with; no digits: it is no number.
func numeric(c byte, t time.Time) (n, digits int, pad byte) {
	isoYear, isoWeek := t.ISOWeek()
	switch c {
	case 'Y':
		return t.Year(), 1, '0'
	case 'C':
		return t.Year() / 100, 2, '0'
	case 'y':
		return t.Year() % 100, 2, '0'
	case 'G':
		return isoYear, 1, '0'
	case 'g':
		return isoYear % 100, 2, '0'
	case 'V':
		return isoWeek, 2, '0'
	case 'm':
		return int(t.Month()), 2, '0'
	case 'd':
		return t.Day(), 2, '0'
	case 'e':
		return t.Day(), 2, ' '
	case 'H':
		return t.Hour(), 2, '0'
	case 'k':
		return t.Hour(), 2, ' '
	case 'I', 'l':
		h := t.Hour() % 12
		if h == 0 {
			h = 12
		}
		if c == 'l' {
			return h, 2, ' '
		}
		return h, 2, '0'
	case 'M':
		return t.Minute(), 2, '0'
	case 'S':
		return t.Second(), 2, '0'
	case 'j':
		return t.YearDay(), 3, '0'
	case 'U':
		return (t.YearDay() + 6 - int(t.Weekday())) / 7, 2, '0'
	case 'W':
		return (t.YearDay() + 6 - (int(t.Weekday())+6)%7) / 7, 2, '0'
	case 'w':
		return int(t.Weekday()), 1, '0'
	case 'u':
		return (int(t.Weekday())+6)%7 + 1, 1, '0'
	}
	return 0, 0, 0
}

func paddedNumber(n int, flags string, width int, pad byte) string {
	for _, f := range flags {
		switch f {
		case '-':
			width = 0
		case '_':
			pad = ' '
		case '0':
			pad = '0'
		}
	}
	text := strconv.Itoa(n)
	return strings.Repeat(string(pad), max(0, width-len(text))) + text
}

func padded(text, flags string, width int, pad byte) string {
	for _, f := range flags {
		switch f {
		case '^':
			text = strings.ToUpper(text)
		case '#':
			if text == strings.ToUpper(text) {
				text = strings.ToLower(text)
			} else {
				text = strings.ToUpper(text)
			}
		case '0':
			pad = '0'
		case '-':
			width = 0
		}
	}
	return strings.Repeat(string(pad), max(0, width-len(text))) + text
}

// strptime is Python's datetime.strptime. The zone is UTC when the text has none; hasZone tells.
func strptime(text, format string) (t time.Time, hasZone bool, err error) {
	p := timeParser{rest: text, year: 1900, month: 1, day: 1}
	if err := p.parse(format); err != nil {
		return t, false, value.Errorf(value.ValueError, "time data '%s' does not match format '%s'%s", text, format, err.Error())
	}
	if p.rest != "" {
		return t, false, value.Errorf(value.ValueError, "unconverted data remains: %s", p.rest)
	}
	if p.pm && p.hour < 12 {
		p.hour += 12
	} else if p.am && p.hour == 12 {
		p.hour = 0
	}
	zone := time.UTC
	if p.hasOffset {
		zone = time.FixedZone("", p.offset)
	}
	if p.yearDay > 0 {
		first := time.Date(p.year, 1, p.yearDay, p.hour, p.minute, p.second, p.nano, zone)
		return first, p.hasOffset, nil
	}
	t = time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.nano, zone)
	if t.Day() != p.day {
		return t, false, value.Errorf(value.ValueError, "day is out of range for month")
	}
	return t, p.hasOffset, nil
}

type timeParser struct {
	rest                                         string
	year, month, day, hour, minute, second, nano int
	yearDay, offset                              int
	pm, am, hasOffset                            bool
}

func (p *timeParser) parse(format string) error {
	for i := 0; i < len(format); i++ {
		c := format[i]
		switch {
		case c == '%' && i+1 < len(format):
			i++
			if inner := composed(format[i]); inner != "" && strings.IndexByte("cxX", format[i]) >= 0 {
				if err := p.parse(inner); err != nil {
					return err
				}
				continue
			}
			if err := p.field(format[i]); err != nil {
				return err
			}
		case unicode.IsSpace(rune(c)):
			p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
		default:
			if p.rest == "" || !strings.EqualFold(p.rest[:1], string(c)) {
				return fmt.Errorf("")
			}
			p.rest = p.rest[1:]
		}
	}
	return nil
}

// number reads up to most digits.
func (p *timeParser) number(most, low, high int) (int, error) {
	n := 0
	for n < most && n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' {
		n++
	}
	for ; n > 0; n-- {
		v, err := strconv.Atoi(p.rest[:n])
		if err == nil && v >= low && v <= high {
			p.rest = p.rest[n:]
			return v, nil
		}
	}
	return 0, fmt.Errorf("")
}

// name reads one of the names, the longest first, and gives its place.
func (p *timeParser) name(names []string) (int, error) {
	best := -1
	for i, n := range names {
		if len(p.rest) >= len(n) && strings.EqualFold(p.rest[:len(n)], n) && (best < 0 || len(n) > len(names[best])) {
			best = i
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("")
	}
	p.rest = p.rest[len(names[best]):]
	return best, nil
}

func monthNames(layout string) []string {
	out := make([]string, 12)
	for i := range out {
		out[i] = time.Date(2000, time.Month(i+1), 1, 0, 0, 0, 0, time.UTC).Format(layout)
	}
	return out
}

func dayNames(layout string) []string {
	out := make([]string, 7)
	for i := range out {
		out[i] = time.Date(2000, 1, 3+i, 0, 0, 0, 0, time.UTC).Format(layout)
	}
	return out
}

func (p *timeParser) field(c byte) (err error) {
	switch c {
	case 'Y':
		p.year, err = p.number(4, 1, 9999)
	case 'y':
		if p.year, err = p.number(2, 0, 99); p.year < 69 {
			p.year += 100
		}
		p.year += 1900
	case 'm':
		p.month, err = p.number(2, 1, 12)
	case 'd':
		p.day, err = p.number(2, 1, 31)
	case 'e':
		p.rest = strings.TrimLeft(p.rest, " ")
		p.day, err = p.number(2, 1, 31)
	case 'H':
		p.hour, err = p.number(2, 0, 23)
	case 'I':
		p.hour, err = p.number(2, 1, 12)
	case 'M':
		p.minute, err = p.number(2, 0, 59)
	case 'S':
		p.second, err = p.number(2, 0, 61)
	case 'j':
		p.yearDay, err = p.number(3, 1, 366)
	case 'f':
		before := len(p.rest)
		var n int
		if n, err = p.number(6, 0, 999999); err == nil {
			for range 9 - (before - len(p.rest)) {
				n *= 10
			}
			p.nano = n
		}
	case 'b':
		p.month, err = p.name(monthNames("Jan"))
		p.month++
	case 'B':
		p.month, err = p.name(monthNames("January"))
		p.month++
	case 'a':
		_, err = p.name(dayNames("Mon"))
	case 'A':
		_, err = p.name(dayNames("Monday"))
	case 'w':
		_, err = p.number(1, 0, 6)
	case 'p':
		var which int
		which, err = p.name([]string{"am", "pm"})
		p.am, p.pm = err == nil && which == 0, err == nil && which == 1
	case 'Z':
		_, err = p.name([]string{"utc", "gmt", strings.ToLower(time.Now().Format("MST"))})
	case 'z':
		err = p.zone()
	case '%':
		_, err = p.name([]string{"%"})
	default:
		err = fmt.Errorf(": '%c' is a bad directive", c)
	}
	return err
}

// zone reads Z, +hhmm, +hh:mm or +hhmmss.
func (p *timeParser) zone() error {
	if strings.HasPrefix(p.rest, "Z") {
		p.rest, p.hasOffset = p.rest[1:], true
		return nil
	}
	if p.rest == "" || p.rest[0] != '+' && p.rest[0] != '-' {
		return fmt.Errorf("")
	}
	sign := 1
	if p.rest[0] == '-' {
		sign = -1
	}
	p.rest = p.rest[1:]
	h, err := p.number(2, 0, 23)
	if err != nil {
		return err
	}
	p.rest = strings.TrimPrefix(p.rest, ":")
	m, err := p.number(2, 0, 59)
	if err != nil {
		return err
	}
	p.offset, p.hasOffset = sign*(h*3600+m*60), true
	return nil
}
