package jinja

import (
	"math/big"
	"strings"
	"unicode"

	"github.com/hostlerhq/hostler/jinja/value"
)

func (e *Env) addTests() {
	plain := map[string]func(c *Call) (any, error){
		"odd":      func(c *Call) (any, error) { return c.remainderIs(2, 1) },
		"even":     func(c *Call) (any, error) { return c.remainderIs(2, 0) },
		"none":     func(c *Call) (any, error) { return c.Value == nil, nil },
		"boolean":  isType[bool],
		"true":     func(c *Call) (any, error) { return c.Value == true, nil },
		"false":    func(c *Call) (any, error) { return c.Value == false, nil },
		"float":    isType[float64],
		"integer":  func(c *Call) (any, error) { return isInteger(c.Value), nil },
		"number":   func(c *Call) (any, error) { return value.IsNumber(c.Value), nil },
		"string":   func(c *Call) (any, error) { _, ok := value.AsString(c.Value); return ok, nil },
		"mapping":  func(c *Call) (any, error) { return isMapping(c.Value), nil },
		"sequence": func(c *Call) (any, error) { return isSequence(c.Value), nil },
		"iterable": func(c *Call) (any, error) { return isIterable(c.Value), nil },
		"callable": func(c *Call) (any, error) { return isCallable(c.Value), nil },
		"escaped":  isType[Markup],
		"lower":    func(c *Call) (any, error) { return c.cased(unicode.IsLower, unicode.IsUpper) },
		"upper":    func(c *Call) (any, error) { return c.cased(unicode.IsUpper, unicode.IsLower) },
		"filter":   func(c *Call) (any, error) { s, ok := value.AsString(c.Value); return ok && c.Env.HasFilter(s), nil },
		"test":     func(c *Call) (any, error) { s, ok := value.AsString(c.Value); return ok && c.Env.HasTest(s), nil },
	}
	for name, fn := range plain {
		e.AddTest(name, "", fn)
	}
	for _, name := range []string{"none", "boolean", "true", "false", "float", "integer", "number", "string", "mapping", "callable", "escaped", "sequence"} {
		e.tests[name].undefined = true
	}
	e.AddTest("defined", "", func(c *Call) (any, error) { _, undefined := c.Value.(*Undefined); return !undefined, nil }, TakesUndefined())
	e.AddTest("undefined", "", func(c *Call) (any, error) { _, undefined := c.Value.(*Undefined); return undefined, nil }, TakesUndefined())
	e.AddTest("divisibleby", "num", func(c *Call) (any, error) { return c.divisible(c.Args[0]) })
	e.AddTest("sameas", "other", func(c *Call) (any, error) { return value.Same(c.Value, c.Args[0]), nil }, TakesUndefined())
	e.AddTest("in", "seq", func(c *Call) (any, error) { return c.rt.contains(c.Args[0], c.Value) }, TakesUndefined())
	for op, names := range map[string][]string{
		"==": {"==", "eq", "equalto"}, "!=": {"!=", "ne"}, ">": {">", "gt", "greaterthan"}, ">=": {">=", "ge"},
		"<": {"<", "lt", "lessthan"}, "<=": {"<=", "le"},
	} {
		for _, name := range names {
			e.AddTest(name, "other", func(c *Call) (any, error) { return c.rt.compare(op, c.Value, c.Args[0]) }, TakesUndefined())
		}
	}
}

func isType[T any](c *Call) (any, error) {
	_, ok := c.Value.(T)
	return ok, nil
}

func isInteger(v any) bool {
	switch v.(type) {
	case int, *big.Int:
		return true
	}
	return false
}

func isMapping(v any) bool {
	switch v.(type) {
	case *value.Dict, value.Mapping:
		return true
	}
	return false
}

func isSequence(v any) bool {
	switch x := v.(type) {
	case *Undefined:
		return x.lenient()
	case string, Markup, *value.List, *value.Dict, value.Tuple, value.Bytes, rangeValue, *groupTuple, value.Mapping:
		return true
	}
	return false
}

func isIterable(v any) bool {
	if u, ok := v.(*Undefined); ok {
		return u.lenient()
	}
	_, isView := v.(*dictView)
	_, isLoop := v.(*loop)
	return isView || isLoop || isSequence(v)
}

func isCallable(v any) bool {
	switch v.(type) {
	case *function, *boundMethod, callable, *Undefined:
		return true
	}
	return false
}

func (c *Call) remainderIs(n, want int) (any, error) {
	r, err := c.rt.binary(tMod, c.Value, n)
	if err != nil {
		return nil, err
	}
	return value.Equal(r, want)
}

func (c *Call) divisible(num any) (any, error) {
	r, err := c.rt.binary(tMod, c.Value, num)
	if err != nil {
		return nil, err
	}
	return value.Equal(r, 0)
}

// cased reports whether the text has letters of one case and none of the other.
func (c *Call) cased(want, not func(rune) bool) (any, error) {
	s, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	return strings.IndexFunc(s, want) >= 0 && strings.IndexFunc(s, not) < 0 && strings.IndexFunc(s, unicode.IsTitle) < 0, nil
}
