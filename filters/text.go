package filters

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func textFilters() []entry {
	return []entry{
		one("quote", "", quote),
		one("split", "sep=None, maxsplit=-1", split),
		one("comment", "style='plain', **options", comment),
	}
}

func quote(c *jinja.Call) (any, error) {
	if c.Value == nil {
		return "''", nil
	}
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	return shell.Quote(text)
}

func split(c *jinja.Call) (any, error) {
	text, ok := c.Value.(string)
	if !ok {
		return nil, value.Errorf(value.AttributeError, "'%s' object has no attribute 'split'", value.TypeName(c.Value))
	}
	most, ok := c.Args[1].(int)
	if !ok {
		return nil, value.Errorf(value.TypeError, "split: maxsplit must be a whole number")
	}
	out := value.NewList()
	if c.Args[0] == nil {
		for most != 0 {
			text = strings.TrimLeft(text, " \t\n\r\v\f")
			end := strings.IndexAny(text, " \t\n\r\v\f")
			if end < 0 {
				break
			}
			if err := c.Room(out.Len() + 1); err != nil {
				return nil, err
			}
			out.Append(text[:end])
			text = text[end:]
			most--
		}
		if text = strings.TrimLeft(text, " \t\n\r\v\f"); text != "" {
			if most < 0 {
				text = strings.TrimRight(text, " \t\n\r\v\f")
			}
			out.Append(text)
		}
		return out, nil
	}
	sep, ok := c.Args[0].(string)
	if !ok || sep == "" {
		return nil, value.Errorf(value.ValueError, "empty separator")
	}
	n := -1
	if most >= 0 {
		n = most + 1
	}
	if err := c.Room(strings.Count(text, sep)); err != nil {
		return nil, err
	}
	for _, part := range strings.SplitN(text, sep, n) {
		out.Append(part)
	}
	return out, nil
}

// commentStyles are Ansible's: what begins the block, each line, and ends it.
func commentStyles(name string) (begin, line, end string, ok bool) {
	switch name {
	case "plain":
		return "", "# ", "", true
	case "erlang":
		return "", "% ", "", true
	case "c":
		return "", "// ", "", true
	case "cblock":
		return "/*", " * ", " */", true
	case "xml":
		return "<!--", " - ", "-->", true
	}
	return "", "", "", false
}

func comment(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	style, _ := c.Args[0].(string)
	begin, line, end, ok := commentStyles(style)
	if !ok {
		return nil, value.Errorf(value.KeyError, "Invalid style '%s'. Available styles: plain, erlang, c, cblock, xml", style)
	}
	option := func(name, fallback string) string {
		if v, ok := c.Kwargs.Get(name); ok {
			if s, err := c.Text(v); err == nil {
				return s
			}
		}
		return fallback
	}
	count := func(name string) int {
		n := 1
		if v, ok := c.Kwargs.Get(name); ok {
			n, _ = v.(int)
		}
		return max(0, min(n, maxCombined))
	}
	line = option("decoration", line)
	begin, end = option("beginning", begin), option("end", end)
	newline := option("newline", "\n")
	prefix := option("prefix", strings.TrimRight(line, " "))
	postfix := option("postfix", strings.TrimRight(line, " "))
	var out strings.Builder
	if begin != "" {
		out.WriteString(begin + newline)
	}
	switch prefix {
	case "":
	case newline:
		out.WriteString(strings.Repeat(newline, count("prefix_count")))
	default:
		out.WriteString(strings.Repeat(prefix+newline, count("prefix_count")))
	}
	lines := strings.Split(text, newline)
	for i, l := range lines {
		lines[i] = line + l
		if l == "" && i < len(lines)-1 {
			lines[i] = strings.TrimRight(line, " ")
		}
	}
	out.WriteString(strings.Join(lines, newline))
	out.WriteString(strings.Repeat(newline+postfix, count("postfix_count")))
	if end != "" {
		out.WriteString(newline + end)
	}
	return out.String(), nil
}

const sizeLetters = "KMGTPEZY"

func humanReadable(c *jinja.Call) (any, error) {
	size, err := number(c.Value)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "human_readable() failed on bad input: %v", err)
	}
	bits, err := c.Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	base := "Bytes"
	if bits {
		base = "bits"
	}
	unit, _ := c.Args[1].(string)
	factor, suffix := 1.0, ""
	for i := len(sizeLetters); i > 0; i-- {
		f := math.Pow(1024, float64(i))
		if unit == "" && size >= f || unit != "" && strings.EqualFold(unit[:1], sizeLetters[i-1:i]) {
			factor, suffix = f, sizeLetters[i-1:i]
			break
		}
	}
	if suffix != "" {
		base = base[:1]
	}
	return strconv.FormatFloat(size/factor, 'f', 2, 64) + " " + suffix + base, nil
}

var humanSize = regexp.MustCompile(`^\s*([0-9]*\.?[0-9]*)\s*([A-Za-z]+)?`)

func humanToBytes(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	m := humanSize.FindStringSubmatch(text)
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "human_to_bytes() can't interpret following string: %s", text)
	}
	unit := m[2]
	if unit == "" {
		unit, _ = c.Args[0].(string)
	}
	if unit == "" {
		return int(math.RoundToEven(n)), nil
	}
	power := strings.IndexByte(sizeLetters+"B", unit[0]&^0x20)
	if power < 0 {
		return nil, value.Errorf(value.ValueError, "human_to_bytes() failed to convert %s (unit = %s). The suffix must be one of K, M, G, T, P, E, Z, Y or B", text, unit)
	}
	class, className := "B", "byte"
	if truth, err := c.Truth(c.Args[1]); err != nil {
		return nil, err
	} else if truth {
		class, className = "b", "bit"
	}
	if len(unit) > 1 && !strings.Contains(strings.ToLower(unit), className) && unit[1:2] != class {
		return nil, value.Errorf(value.ValueError, "human_to_bytes() failed to convert %s. Value is not a valid string (expect %s%s or %s)",
			text, strings.ToUpper(unit[:1]), class, strings.ToUpper(unit[:1]))
	}
	if power == len(sizeLetters) {
		return int(math.RoundToEven(n)), nil
	}
	return int(math.RoundToEven(n * math.Pow(1024, float64(power+1)))), nil
}
