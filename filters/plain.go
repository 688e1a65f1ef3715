package filters

import (
	"math"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func plainFilters() []entry {
	return []entry{
		one("bool", "", toBool),
		one("ternary", "true_val, false_val, none_val=None", ternary),
		one("mandatory", "msg=None", mandatory, jinja.TakesUndefined()),
		one("type_debug", "", typeDebug, jinja.TakesUndefined()),
		one("log", "base=2.718281828459045", logarithm),
		one("pow", "y", power),
		one("root", "base=2", root),
		one("human_readable", "isbits=False, unit=None", humanReadable),
		one("human_to_bytes", "default_unit=None, isbits=False", humanToBytes),
	}
}

// toBool is Ansible's: a few words are true, None stays None, everything else is false.
func toBool(c *jinja.Call) (any, error) {
	switch v := c.Value.(type) {
	case nil, bool:
		return v, nil
	case string:
		switch strings.ToLower(v) {
		case "yes", "on", "1", "true":
			return true, nil
		}
		return false, nil
	default:
		same, err := value.Equal(v, 1)
		return err == nil && same, nil
	}
}

func ternary(c *jinja.Call) (any, error) {
	if c.Value == nil && c.Given(2) {
		return c.Args[2], nil
	}
	truth, err := c.Truth(c.Value)
	if err != nil {
		return nil, err
	}
	if truth {
		return c.Args[0], nil
	}
	return c.Args[1], nil
}

func mandatory(c *jinja.Call) (any, error) {
	u, ok := c.Value.(*jinja.Undefined)
	if !ok {
		return c.Value, nil
	}
	if msg, ok := c.Args[0].(string); ok && msg != "" {
		return nil, value.Errorf(value.ValueError, "%s", msg)
	}
	name := ""
	if u.Name != "" {
		name = "'" + u.Name + "' "
	}
	return nil, value.Errorf(value.ValueError, "Mandatory variable %s not defined.", name)
}

// typeDebug names the type as Python does. Ansible's own text type is reported as AnsibleUnicode where it
// comes from a file; here all text is str.
func typeDebug(c *jinja.Call) (any, error) {
	if _, ok := c.Value.(*jinja.Undefined); ok {
		return "AnsibleUndefined", nil
	}
	return value.TypeName(c.Value), nil
}

func number(v any) (float64, error) {
	switch v := v.(type) {
	case int:
		return float64(v), nil
	case float64:
		return v, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	}
	return 0, value.Errorf(value.TypeError, "must be real number, not %s", value.TypeName(v))
}

// numberPair reads the value and the first argument.
func numberPair(c *jinja.Call) (v, arg float64, err error) {
	if v, err = number(c.Value); err != nil {
		return 0, 0, err
	}
	arg, err = number(c.Args[0])
	return v, arg, err
}

func logarithm(c *jinja.Call) (any, error) {
	x, base, err := numberPair(c)
	if err != nil {
		return nil, err
	}
	if x <= 0 || base <= 0 {
		return nil, value.Errorf(value.ValueError, "math domain error")
	}
	if base == 10 {
		return math.Log10(x), nil
	}
	if base == math.E {
		return math.Log(x), nil
	}
	return math.Log(x) / math.Log(base), nil
}

func power(c *jinja.Call) (any, error) {
	x, y, err := numberPair(c)
	if err != nil {
		return nil, err
	}
	return mathPow(x, y)
}

// mathPow is Python's math.pow.
func mathPow(x, y float64) (any, error) {
	finite := !math.IsInf(x, 0) && !math.IsInf(y, 0)
	r := jinja.Pow(x, y)
	switch {
	case x == 0 && y < 0, finite && r != r && x == x && y == y:
		return nil, value.Errorf(value.ValueError, "math domain error")
	case finite && math.IsInf(r, 0):
		return nil, value.Errorf(value.OverflowError, "math range error")
	}
	return r, nil
}

func root(c *jinja.Call) (any, error) {
	x, base, err := numberPair(c)
	if err != nil {
		return nil, err
	}
	if base == 2 {
		if x < 0 {
			return nil, value.Errorf(value.ValueError, "math domain error")
		}
		return math.Sqrt(x), nil
	}
	if base == 0 {
		return nil, value.Errorf(value.ZeroDivisionError, "float division by zero")
	}
	return mathPow(x, 1/base)
}
