package filters

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

var strictForm = regexp.MustCompile(`^(\d+)\.(\d+)(?:\.(\d+))?(?:([ab])(\d+))?$`)

// compareStrict is distutils' StrictVersion: two or three numbers, then a or b with a number for what comes before it.
func compareStrict(a, b string) (int, error) {
	x, err := strictParts(a)
	if err != nil {
		return 0, err
	}
	y, err := strictParts(b)
	return slices.Compare(x, y), err
}

func strictParts(v string) ([]int, error) {
	m := strictForm.FindStringSubmatch(v)
	if m == nil {
		return nil, value.Errorf(value.ValueError, "Version comparison failed: invalid version number '%s'", v)
	}
	number := func(s string) int {
		n, _ := strconv.Atoi(s)
		return n
	}
	stage := map[string]int{"a": -2, "b": -1, "": 0}[m[4]]
	return []int{number(m[1]), number(m[2]), number(m[3]), stage, number(m[5])}, nil
}

// semanticForm is that of semver.org 2.0.0.
var semanticForm = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$`)

func compareSemantic(a, b string) (int, error) {
	x, y := semanticForm.FindStringSubmatch(a), semanticForm.FindStringSubmatch(b)
	for i, m := range [2][]string{x, y} {
		if m == nil {
			return 0, value.Errorf(value.ValueError, "Version comparison failed: invalid semantic version '%s'", [2]string{a, b}[i])
		}
	}
	for i := 1; i <= 3; i++ {
		if c := compareDigits(x[i], y[i]); c != 0 {
			return c, nil
		}
	}
	switch {
	case x[4] == y[4]:
		return 0, nil
	case x[4] == "":
		return 1, nil
	case y[4] == "":
		return -1, nil
	}
	return slices.CompareFunc(strings.Split(x[4], "."), strings.Split(y[4], "."), func(p, q string) int {
		pNumber, qNumber := isDigits(p), isDigits(q)
		switch {
		case pNumber && qNumber:
			return compareDigits(p, q)
		case pNumber:
			return -1
		case qNumber:
			return 1
		}
		return strings.Compare(p, q)
	}), nil
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// compareDigits compares numbers of any length.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// pep440Form is that of PEP 440, with the spellings that packaging.version takes.
var pep440Form = regexp.MustCompile(`^\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)` +
	`(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d+)?)?` +
	`(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d+)?)?` +
	`(?:[-_.]?(dev)[-_.]?(\d+)?)?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$`)

// pep440 is a version taken apart; what has no such part sorts by the rules of PEP 440.
type pep440 struct {
	epoch          int
	release        []int
	stage          string
	pre, post, dev int
	local          []string
}

func parsePEP440(v string) (pep440, error) {
	m := pep440Form.FindStringSubmatch(strings.ToLower(v))
	if m == nil {
		return pep440{}, value.Errorf(value.ValueError, "Version comparison failed: Invalid version: '%s'", v)
	}
	number := func(s string, otherwise int) int {
		if n, err := strconv.Atoi(s); err == nil {
			return n
		}
		return otherwise
	}
	p := pep440{epoch: number(m[1], 0), post: math.MinInt, dev: math.MaxInt}
	for part := range strings.SplitSeq(m[2], ".") {
		p.release = append(p.release, number(part, 0))
	}
	for len(p.release) > 1 && p.release[len(p.release)-1] == 0 {
		p.release = p.release[:len(p.release)-1]
	}
	if m[5] != "" || m[6] != "" {
		p.post = number(m[5]+m[7], 0)
	}
	if m[8] != "" {
		p.dev = number(m[9], 0)
	}
	switch m[3] {
	case "":
		p.stage = "~" // after all stages
		if m[8] != "" && p.post == math.MinInt {
			p.stage = "" // 1.0.dev1 comes before 1.0a1
		}
	case "a", "alpha":
		p.stage = "a"
	case "b", "beta":
		p.stage = "b"
	default:
		p.stage = "rc"
	}
	p.pre = number(m[4], 0)
	if m[10] != "" {
		p.local = strings.FieldsFunc(m[10], func(r rune) bool { return strings.ContainsRune("-_.", r) })
	}
	return p, nil
}

func comparePEP440(a, b string) (int, error) {
	x, err := parsePEP440(a)
	if err != nil {
		return 0, err
	}
	y, err := parsePEP440(b)
	if err != nil {
		return 0, err
	}
	return cmp.Or(cmp.Compare(x.epoch, y.epoch), slices.Compare(x.release, y.release), strings.Compare(x.stage, y.stage),
		cmp.Compare(x.pre, y.pre), cmp.Compare(x.post, y.post), cmp.Compare(x.dev, y.dev),
		slices.CompareFunc(x.local, y.local, func(p, q string) int {
			pNumber, qNumber := isDigits(p), isDigits(q)
			switch {
			case pNumber && qNumber:
				return compareDigits(p, q)
			case pNumber:
				return 1
			case qNumber:
				return -1
			}
			return strings.Compare(p, q)
		})), nil
}
