package jinja

import (
	"github.com/hostlerhq/hostler/jinja/value"
)

// Object is a value of another package with attributes and methods of its own; see also value.Custom. It may
// also have Binary(op string, other any, swapped bool) (v any, ok bool, err error) for the operators + and -, and
// Order(other any) (c int, ok bool) for < and its like.
type Object interface {
	Attr(name string) (v any, found bool)
}

// Method makes a callable value, such as an Attr gives. Params is a signature as in AddFilter.
func Method(name, params string, fn Func) any { return newFunction(name, params, fn, nil) }

// rangeValue is Python's range object.
type rangeValue struct {
	start, stop, step int
	bounds            string // as written, when they are beyond what start and stop hold
}

func (r rangeValue) length() int {
	if r.step > 0 {
		return max(0, (r.stop-r.start+r.step-1)/r.step)
	}
	return max(0, (r.start-r.stop-r.step-1)/-r.step)
}

// TypeName implements value.Custom.
func (r rangeValue) TypeName() string { return "range" }

// Repr implements value.Custom.
func (r rangeValue) Repr() (string, error) {
	if r.bounds != "" {
		return "range" + r.bounds, nil
	}
	t := value.Tuple{r.start, r.stop}
	if r.step != 1 {
		t = append(t, r.step)
	}
	s, err := value.Repr(t)
	return "range" + s, err
}

// Truth implements value.Custom.
func (r rangeValue) Truth() (bool, error) { return r.length() > 0, nil }

// dictView is what keys(), values() and items() of a dict give.
type dictView struct {
	d    *value.Dict
	kind string // keys, values or items
}

func (v *dictView) items() []any {
	switch v.kind {
	case "keys":
		return v.d.Keys()
	case "values":
		return v.d.Values()
	}
	out := make([]any, 0, v.d.Len())
	for k, item := range v.d.All() {
		out = append(out, value.Tuple{k, item})
	}
	return out
}

// TypeName implements value.Custom.
func (v *dictView) TypeName() string { return "dict_" + v.kind }

// Repr implements value.Custom.
func (v *dictView) Repr() (string, error) { return value.Repr(v) }

// Wraps implements value.Wrapper.
func (v *dictView) Wraps() (before string, inner any, after string) {
	return "dict_" + v.kind + "(", &value.List{Items: v.items()}, ")"
}

// Truth implements value.Custom.
func (v *dictView) Truth() (bool, error) { return v.d.Len() > 0, nil }

// EqualAt compares keys and items as sets; values only with themselves.
func (v *dictView) EqualAt(other any, depth int) (bool, error) {
	if u, ok := other.(*Undefined); ok {
		return u.Equal(v)
	}
	w, ok := other.(*dictView)
	if !ok || v.kind != w.kind || v.kind == "values" {
		return ok && v == w, nil
	}
	if v.kind == "items" {
		return value.EqualAt(v.d, w.d, depth)
	}
	if v.d.Len() != w.d.Len() {
		return false, nil
	}
	for k := range v.d.All() {
		if _, found := w.d.Get(k); !found {
			return false, nil
		}
	}
	return true, nil
}

// namespace is what namespace() makes: attributes that {% set ns.x %} changes.
type namespace struct{ d *value.Dict }

func (n *namespace) attr(_ *runtime, name string) (any, bool, error) { //nolint:unparam // loop has errors
	v, found := n.d.Get(name)
	return v, found, nil
}

// TypeName implements value.Custom.
func (n *namespace) TypeName() string { return "Namespace" }

// Repr implements value.Custom.
func (n *namespace) Repr() (string, error) { return value.Repr(n) }

// Wraps implements value.Wrapper.
func (n *namespace) Wraps() (before string, inner any, after string) { return "<Namespace ", n.d, ">" }

// Truth implements value.Custom.
func (n *namespace) Truth() (bool, error) { return true, nil }

// cycler is what cycler() makes.
type cycler struct {
	items []any
	at    int
}

func (c *cycler) attr(_ *runtime, name string) (any, bool, error) { //nolint:unparam // loop has errors
	switch name {
	case "current":
		return c.items[c.at], true, nil
	case "next":
		return method("next", func() (any, error) {
			v := c.items[c.at]
			c.at = (c.at + 1) % len(c.items)
			return v, nil
		}), true, nil
	case "reset":
		return method("reset", func() (any, error) {
			c.at = 0
			return nil, nil
		}), true, nil
	}
	return nil, false, nil
}

// method makes a callable value without parameters.
func method(name string, do func() (any, error)) *function {
	return &function{name: name, fn: func(*Call) (any, error) { return do() }}
}

// TypeName implements value.Custom.
func (c *cycler) TypeName() string { return "Cycler" }

// Repr implements value.Custom.
func (c *cycler) Repr() (string, error) { return "<Cycler object>", nil }

// Truth implements value.Custom.
func (c *cycler) Truth() (bool, error) { return true, nil }

// joiner is what joiner() makes: nothing the first time it is called, then its separator.
type joiner struct {
	sep  any
	used bool
}

func (j *joiner) call(_ *frame, _ int, g given) (any, error) {
	if len(g.pos)+len(g.names) > 0 {
		return nil, value.Errorf(value.TypeError, "a joiner takes no arguments")
	}
	if !j.used {
		j.used = true
		return "", nil
	}
	return j.sep, nil
}

// TypeName implements value.Custom.
func (j *joiner) TypeName() string { return "Joiner" }

// Repr implements value.Custom.
func (j *joiner) Repr() (string, error) { return "<Joiner object>", nil }

// Truth implements value.Custom.
func (j *joiner) Truth() (bool, error) { return true, nil }

// groupTuple is an item of what groupby gives: a tuple whose parts also have names.
type groupTuple struct {
	grouper any
	list    *value.List
}

// Tuple gives the parts.
func (g *groupTuple) Tuple() value.Tuple { return value.Tuple{g.grouper, g.list} }

func (g *groupTuple) attr(_ *runtime, name string) (any, bool, error) { //nolint:unparam // loop has errors
	switch name {
	case "grouper":
		return g.grouper, true, nil
	case "list":
		return g.list, true, nil
	}
	return nil, false, nil
}

// TypeName implements value.Custom.
func (g *groupTuple) TypeName() string { return "_GroupTuple" }

// Repr implements value.Custom.
func (g *groupTuple) Repr() (string, error) { return value.Repr(g) }

// Wraps implements value.Wrapper.
func (g *groupTuple) Wraps() (before string, inner any, after string) { return "", g.Tuple(), "" }

// Truth implements value.Custom.
func (g *groupTuple) Truth() (bool, error) { return true, nil }

// Hashable is an error: the list is not.
func (g *groupTuple) Hashable() error { return value.Hashable(g.list) }
