package document

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// The forms of plain scalars, as PyYAML's resolver has them. 0o644 and 1e3
// match none and are strings, as in Ansible.
var (
	intForm = regexp.MustCompile(`^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$`)
	// base60Form also matches a MAC address of decimal digits: see macForm.
	base60Form = regexp.MustCompile(`^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$`)
	macForm    = regexp.MustCompile(`^[0-9]{2}(?::[0-9]{2}){5}$`)
	floatForm  = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// Scalar resolves a plain scalar as Ansible does: nil, bool, int, *big.Int,
// float64 or string. Timestamps stay strings, and so does a MAC address, which
// PyYAML would at times take for a number in base 60.
func Scalar(s string) any {
	if s == "" {
		return nil
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9', c == '-', c == '+', c == '.':
		if v, ok := parseInt(s); ok {
			return v
		}
		if v, ok := parseFloat(s); ok {
			return v
		}
	default:
		if s == "~" || s == "null" || s == "Null" || s == "NULL" {
			return nil
		}
		if v, ok := parseBool(s); ok {
			return v
		}
	}
	return s
}

func parseBool(s string) (v, ok bool) {
	switch s {
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true, true
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

// parseInt reads an integer of any size: int, or *big.Int when it does not fit.
func parseInt(s string) (any, bool) {
	if base60(s) {
		return parseBase60(s)
	}
	if !intForm.MatchString(s) {
		return nil, false
	}
	digits := strings.ReplaceAll(s, "_", "")
	sign := ""
	if digits[0] == '-' || digits[0] == '+' {
		sign, digits = strings.TrimPrefix(digits[:1], "+"), digits[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(digits, "0b"):
		base, digits = 2, digits[2:]
	case strings.HasPrefix(digits, "0x"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, digits = 8, digits[1:]
	}
	return bigOrInt(sign+digits, base)
}

func bigOrInt(digits string, base int) (any, bool) {
	if i, err := strconv.ParseInt(digits, base, 0); err == nil {
		return int(i), true
	}
	n, ok := new(big.Int).SetString(digits, base)
	return n, ok
}

// base60 reports whether s is a number in base 60 as YAML 1.1 has it, such as 1:30.
func base60(s string) bool {
	return strings.Contains(s, ":") && base60Form.MatchString(s) && !macForm.MatchString(s)
}

func parseBase60(s string) (any, bool) {
	negative := s[0] == '-'
	total := new(big.Int)
	for part := range strings.SplitSeq(strings.TrimLeft(strings.ReplaceAll(s, "_", ""), "+-"), ":") {
		n, ok := new(big.Int).SetString(part, 10)
		if !ok {
			return nil, false
		}
		total.Add(total.Mul(total, big.NewInt(60)), n)
	}
	if negative {
		total.Neg(total)
	}
	if total.IsInt64() {
		return int(total.Int64()), true
	}
	return total, true
}

func parseFloat(s string) (float64, bool) {
	if !floatForm.MatchString(s) {
		return 0, false
	}
	text := strings.ToLower(strings.ReplaceAll(s, "_", ""))
	sign := 1.0
	if text[0] == '-' {
		sign = -1
	}
	text = strings.TrimLeft(text, "+-")
	switch text {
	case ".inf":
		return math.Inf(int(sign)), true
	case ".nan":
		return math.NaN(), true
	}
	total := 0.0
	for part := range strings.SplitSeq(text, ":") {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil && !math.IsInf(f, 0) {
			return 0, false
		}
		total = total*60 + f
	}
	return sign * total, true
}

func toFloat(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(n).Float64()
		return f, true
	}
	return 0, false
}
