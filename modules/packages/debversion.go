package packages

import (
	"strings"
)

// compareDebian compares two versions of Debian packages as deb-version(7) says: below 0 when a is the older one.
func compareDebian(a, b string) int {
	ea, a := cutEpoch(a)
	eb, b := cutEpoch(b)
	if c := compareDigits(ea, eb); c != 0 {
		return c
	}
	ua, ra := cutRevision(a)
	ub, rb := cutRevision(b)
	if c := comparePart(ua, ub); c != 0 {
		return c
	}
	return comparePart(ra, rb)
}

func cutEpoch(v string) (epoch, rest string) {
	if before, after, ok := strings.Cut(v, ":"); ok {
		return before, after
	}
	return "", v
}

func cutRevision(v string) (upstream, revision string) {
	if at := strings.LastIndexByte(v, '-'); at >= 0 {
		return v[:at], v[at+1:]
	}
	return v, ""
}

// comparePart compares what is no number and numbers in turn.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		na, nb := digitsFrom(a), digitsFrom(b)
		for i := range max(na, nb) {
			if c := rank(a[:na], i) - rank(b[:nb], i); c != 0 {
				return c
			}
		}
		a, b = a[na:], b[nb:]
		ma, mb := digitsTo(a), digitsTo(b)
		if c := compareDigits(a[:ma], b[:mb]); c != 0 {
			return c
		}
		a, b = a[ma:], b[mb:]
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// digitsFrom is where the first digit stands, or the end.
func digitsFrom(s string) int {
	for i := range len(s) {
		if isDigit(s[i]) {
			return i
		}
	}
	return len(s)
}

// digitsTo is where the digits at the beginning end.
func digitsTo(s string) int {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return i
		}
	}
	return len(s)
}

// rank orders what is no digit: ~ before the end, the end before letters, letters before all else.
func rank(s string, i int) int {
	if i >= len(s) {
		return 0
	}
	switch c := s[i]; {
	case c == '~':
		return -1
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return int(c)
	default:
		return int(c) + 256
	}
}

// compareDigits compares numbers of any length.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
