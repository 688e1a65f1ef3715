package inventory

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The shapes of addresses in inventories, with [x:y:z] ranges anywhere, as Ansible
// takes them.
const (
	numericRange = `\[(?:[0-9]+:[0-9]+)(?::[0-9]+)?\]`
	hexRange     = `\[(?:[0-9a-f]+:[0-9a-f]+)(?::[0-9]+)?\]`
	alnumRange   = `\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]`
	ipv4Part     = `(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5]|` + numericRange + `)`
	ipv6Part     = `(?:[0-9a-f]{1,4}|` + hexRange + `)`
)

var (
	bracketedPort = regexp.MustCompile(`^\[(.+)\]:([0-9]+)$`)
	hostPort      = regexp.MustCompile(`^((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)$`)
	ipv4Form      = regexp.MustCompile(`(?i)^(?:` + ipv4Part + `\.){3}` + ipv4Part + `$`)
	ipv6Form      = regexp.MustCompile(`(?i)^(?:` + ipv6Alternatives() + `)`)
	labelForm     = regexp.MustCompile(`(?i)^(?:[\p{L}\p{N}_]|` + alnumRange + `)(?:[\p{L}\p{N}_-]|` + alnumRange + `)*$`)
)

// ipv6Alternatives are the ways to write an IPv6 address. As in Ansible only the last is
// held to the end of the text.
func ipv6Alternatives() string {
	forms := []string{
		`(?:@:){7}@`, `(?:@:){1,6}:`, `(?:@:)(?::@){1,6}`, `(?:@:){2}(?::@){1,5}`, `(?:@:){3}(?::@){1,4}`,
		`(?:@:){4}(?::@){1,3}`, `(?:@:){5}(?::@){1,2}`, `(?:@:){6}(?::@)`, `:(?::@){1,6}`, `@?::`,
		`(?:0:){6}(?:@\.){3}@`, `::(?:ffff:)?(?:@\.){3}@`, `(?:0:){5}ffff:(?:@\.){3}@$`,
	}
	return strings.ReplaceAll(strings.Join(forms, "|"), "@", ipv6Part)
}

// parseAddress splits host:port and [host]:port; ok is false when the text is no
// host name, address or range of them.
func parseAddress(s string) (host string, port int, ok bool) {
	for _, form := range []*regexp.Regexp{bracketedPort, hostPort} {
		if m := form.FindStringSubmatch(s); m != nil {
			p, err := strconv.Atoi(m[2])
			if err != nil {
				return "", 0, false
			}
			s, port = m[1], p
		}
	}
	if ipv4Form.MatchString(s) || ipv6Form.MatchString(s) || isHostname(s) {
		return s, port, true
	}
	return "", 0, false
}

func isHostname(s string) bool {
	if s == "" {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !labelForm.MatchString(label) || strings.HasSuffix(label, "-") || strings.HasSuffix(label, "_") {
			return false
		}
	}
	return true
}

// expandPattern gives the host names of a host line's first word, its ranges
// expanded, and its port (0 for none).
func expandPattern(s string) (names []string, port int, err error) {
	host, port, ok := parseAddress(s)
	if !ok {
		host, port = s, 0
	}
	if strings.HasSuffix(s, ":") && port == 0 {
		return nil, 0, fmt.Errorf("host pattern %q must not end in a colon", s)
	}
	if host == "---" {
		return nil, 0, fmt.Errorf("--- is no host name: this looks like YAML")
	}
	if !strings.Contains(host, "[") {
		return []string{host}, port, nil
	}
	names, err = expandRanges(host, nil)
	return names, port, err
}

// maxRange bounds the hosts of one line; a larger range is a slip of the finger.
const maxRange = 1_000_000

// expandRanges expands the first range of a pattern and goes on with the rest.
func expandRanges(s string, names []string) ([]string, error) {
	head, rest, _ := strings.Cut(s, "[")
	bounds, tail, ok := strings.Cut(rest, "]")
	if !ok {
		return nil, fmt.Errorf("host range %q lacks its ]", s)
	}
	steps, err := rangeOf(bounds)
	if err != nil {
		return nil, fmt.Errorf("host range %q: %w", s, err)
	}
	for _, step := range steps {
		if len(names) > maxRange {
			return nil, fmt.Errorf("host range %q gives more than %d hosts", s, maxRange)
		}
		name := head + step + tail
		if !strings.Contains(tail, "[") {
			names = append(names, name)
			continue
		}
		if names, err = expandRanges(name, names); err != nil {
			return nil, err
		}
	}
	return names, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// rangeOf expands begin:end and begin:end:step, of numbers or letters. A
// leading zero of begin sets the width.
func rangeOf(bounds string) ([]string, error) {
	parts := strings.Split(bounds, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return nil, fmt.Errorf("it must be begin:end or begin:end:step")
	}
	begin, end, step := parts[0], parts[1], 1
	if len(parts) == 3 {
		var err error
		if step, err = strconv.Atoi(parts[2]); err != nil || step < 1 {
			return nil, fmt.Errorf("its step %q must be a positive number", parts[2])
		}
	}
	if begin == "" {
		begin = "0"
	}
	if end == "" {
		return nil, fmt.Errorf("it must have an end")
	}
	if len(begin) == 1 && len(end) == 1 && strings.Contains(letters, begin) && strings.Contains(letters, end) {
		return letterRange(strings.Index(letters, begin), strings.Index(letters, end), step)
	}
	width := 0
	if begin[0] == '0' && len(begin) > 1 {
		if width = len(begin); width != len(end) {
			return nil, fmt.Errorf("its begin and end must have equal lengths when begin has leading zeros")
		}
	}
	from, err := strconv.Atoi(begin)
	if err != nil {
		return nil, fmt.Errorf("its begin %q is no number or letter", begin)
	}
	to, err := strconv.Atoi(end)
	if err != nil {
		return nil, fmt.Errorf("its end %q is no number or letter", end)
	}
	if (to-from)/step > maxRange {
		return nil, fmt.Errorf("it gives more than %d hosts", maxRange)
	}
	var out []string
	for i := from; i <= to; i += step {
		out = append(out, fmt.Sprintf("%0*d", width, i))
	}
	return out, nil
}

func letterRange(from, to, step int) ([]string, error) {
	if from > to {
		return nil, fmt.Errorf("its begin must not come after its end")
	}
	var out []string
	for i := from; i <= to; i += step {
		out = append(out, letters[i:i+1])
	}
	return out, nil
}
