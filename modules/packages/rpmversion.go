package packages

import (
	"cmp"
	"path"
	"strconv"
	"strings"
)

// rpmPackage is one package of rpm's, as rpmFormat prints it.
type rpmPackage struct{ name, epoch, version, release, arch string }

// rpmFormat is the line of a package: name, epoch, version, release, architecture.
const rpmFormat = `%{NAME} %|EPOCH?{%{EPOCH}}:{0}| %{VERSION} %{RELEASE} %{ARCH}\n`

// parseRPM reads such lines; what else rpm says (package x is not installed) is left out.
func parseRPM(lines []string) []rpmPackage {
	var list []rpmPackage
	for _, line := range lines {
		w := strings.Fields(line)
		if len(w) < 5 {
			continue
		}
		if _, err := strconv.Atoi(w[1]); err != nil || w[0] == "gpg-pubkey" {
			continue
		}
		list = append(list, rpmPackage{w[0], w[1], w[2], w[3], w[4]})
	}
	return list
}

// String gives name-epoch:version-release.arch, an epoch of 0 left out.
func (p rpmPackage) String() string {
	epoch := p.epoch + ":"
	if p.epoch == "0" {
		epoch = ""
	}
	return p.name + "-" + epoch + p.version + "-" + p.release + "." + p.arch
}

// compare is -1, 0 or 1 by epoch, version and release.
func (p rpmPackage) compare(q rpmPackage) int {
	a, _ := strconv.Atoi(p.epoch)
	b, _ := strconv.Atoi(q.epoch)
	return cmp.Or(cmp.Compare(a, b), compareRPM(p.version, q.version), compareRPM(p.release, q.release))
}

// matches reports whether a name as dnf takes it means the package: NAME, NAME.ARCH, NAME-VERSION[-RELEASE[.ARCH]], the version with or
// without its epoch; all of it may be a pattern.
func (p rpmPackage) matches(spec string) bool {
	for _, version := range []string{p.version, p.epoch + ":" + p.version} {
		full := p.name + "-" + version + "-" + p.release
		for _, form := range []string{p.name, p.name + "." + p.arch, p.name + "-" + version, full, full + "." + p.arch} {
			if ok, err := path.Match(spec, form); form == spec || ok && err == nil {
				return true
			}
		}
	}
	return p.epoch+":"+p.name+"-"+p.version+"-"+p.release+"."+p.arch == spec
}

// asked reads a name with a version as one of this package's: what it has of an epoch, a version and a release.
func (p rpmPackage) asked(spec string) (rpmPackage, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(spec, "."+p.arch), p.name+"-")
	if !ok || strings.ContainsAny(rest, "*?[") || rest == "" || rest[0] < '0' || rest[0] > '9' {
		return rpmPackage{}, false
	}
	q := rpmPackage{name: p.name, epoch: p.epoch, release: p.release, arch: p.arch}
	if epoch, version, ok := strings.Cut(rest, ":"); ok {
		q.epoch, rest = epoch, version
	}
	q.version, rest, ok = strings.Cut(rest, "-")
	if ok {
		q.release = rest
	}
	return q, true
}

// compareRPM compares two versions, or two releases, as rpm does: by runs of digits and of letters, with ~ before and ^ after what ends there.
func compareRPM(a, b string) int {
	for a != b {
		a, b = strings.TrimLeftFunc(a, rpmSeparator), strings.TrimLeftFunc(b, rpmSeparator)
		if c, done := compareMarks(a, b); done {
			return c
		}
		if a != "" && b != "" && (a[0] == '~' || a[0] == '^') {
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			break
		}
		kind := rpmLetter
		if rpmDigit(rune(a[0])) {
			kind = rpmDigit
		}
		x, y := leading(a, kind), leading(b, kind)
		if y == "" { // a number is newer than a word
			if kind('0') {
				return 1
			}
			return -1
		}
		a, b = a[len(x):], b[len(y):]
		if kind('0') {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Compare(len(x), len(y)); c != 0 {
				return c
			}
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareMarks compares where one of both has a ~ (older than the end) or a ^ (newer than the end, older than anything else).
func compareMarks(a, b string) (c int, done bool) {
	for _, mark := range []string{"~", "^"} {
		x, y := strings.HasPrefix(a, mark), strings.HasPrefix(b, mark)
		switch {
		case x && y:
			return 0, false
		case mark == "~" && x, mark == "^" && x && b != "", mark == "^" && y && a == "":
			return -1, true
		case mark == "~" && y, mark == "^" && y, mark == "^" && x:
			return 1, true
		}
	}
	return 0, false
}

func rpmDigit(c rune) bool     { return c >= '0' && c <= '9' }
func rpmLetter(c rune) bool    { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func rpmSeparator(c rune) bool { return !rpmDigit(c) && !rpmLetter(c) && c != '~' && c != '^' }

// leading gives the characters of a kind that a text begins with.
func leading(s string, kind func(rune) bool) string {
	return s[:len(s)-len(strings.TrimLeftFunc(s, kind))]
}
