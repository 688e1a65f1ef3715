package jinja

import (
	"math/big"
	"math/rand/v2"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// maxRange bounds range(), as Jinja's sandbox does.
const maxRange = 100000

// farAway stands for the bounds of ranges beyond it: such a range is empty, too long or one step.
const farAway = 1 << 60

func (e *Env) addGlobals() {
	e.AddFunction("range", "*args", globalRange)
	e.AddFunction("dict", "*args, **kwargs", globalDict, TakesUndefined())
	e.AddFunction("namespace", "*args, **kwargs", func(c *Call) (any, error) {
		d, err := globalDict(c)
		if err != nil {
			return nil, err
		}
		return &namespace{d.(*value.Dict)}, nil
	}, TakesUndefined())
	e.AddFunction("cycler", "*items", func(c *Call) (any, error) {
		if len(c.Rest) == 0 {
			return nil, value.Errorf(value.RuntimeError, "at least one item has to be provided")
		}
		return &cycler{items: c.Rest}, nil
	})
	e.AddFunction("joiner", "sep=', '", func(c *Call) (any, error) { return &joiner{sep: c.Args[0]}, nil })
	e.AddFunction("lipsum", "n=5, html=True, min=20, max=100", globalLipsum)
}

func globalRange(c *Call) (any, error) {
	if len(c.Rest) < 1 || len(c.Rest) > 3 {
		return nil, value.Errorf(value.TypeError, "range expected 1 to 3 arguments, got %d", len(c.Rest))
	}
	var n [3]int
	for i, v := range c.Rest {
		var ok bool
		if n[i], ok = index(v); !ok {
			b, isBig := v.(*big.Int)
			if !isBig {
				return nil, value.Errorf(value.TypeError, "'%s' object cannot be interpreted as an integer", value.TypeName(v))
			}
			n[i] = b.Sign() * farAway
		}
		n[i] = max(-farAway, min(n[i], farAway))
	}
	r := rangeValue{stop: n[0], step: 1}
	if len(c.Rest) > 1 {
		r.start, r.stop = n[0], n[1]
	}
	if len(c.Rest) == 3 {
		if r.step = n[2]; r.step == 0 {
			return nil, value.Errorf(value.ValueError, "range() arg 3 must not be zero")
		}
	}
	if n := r.length(); n > 0 && (r.start == farAway || r.start == -farAway) || n == 0 && r.start == r.stop && max(r.start, -r.start) == farAway {
		if order, err := value.Compare(c.Rest[0], c.Rest[1]); n > 0 || err != nil || order*r.step < 0 {
			return nil, value.Errorf(value.OverflowError, "range() of integers beyond 64 bits")
		}
	}
	if r.length() > maxRange {
		return nil, value.Errorf(value.OverflowError, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	if max(n[0], -n[0], n[1], -n[1]) >= farAway {
		args := c.Rest
		if len(args) == 1 {
			args = []any{0, args[0]}
		}
		if n[2] == 1 {
			args = args[:2]
		}
		var err error
		if r.bounds, err = value.Repr(value.Tuple(args)); err != nil {
			return nil, err
		}
	}
	c.rt.special = true
	return r, nil
}

// globalDict is Python's dict(): of a mapping or of pairs, and of named values.
func globalDict(c *Call) (any, error) {
	d := &value.Dict{}
	if len(c.Rest) > 1 {
		return nil, value.Errorf(value.TypeError, "dict expected at most 1 argument, got %d", len(c.Rest))
	}
	if len(c.Rest) == 1 {
		if err := c.rt.update(d, c.Rest[0]); err != nil {
			return nil, err
		}
	}
	for k, v := range c.Kwargs.All() {
		d.Set(k, v)
	}
	return d, nil
}

// update is Python's d.update(from).
func (rt *runtime) update(d *value.Dict, from any) error {
	switch x := from.(type) {
	case *value.Dict:
		d.Update(x)
		return nil
	case *namespace:
		return value.Errorf(value.TypeError, "'Namespace' object is not iterable")
	case value.Mapping:
		keys, err := x.Keys(rt.ctx)
		if err != nil {
			return err
		}
		for _, k := range keys {
			v, _, err := x.Lookup(rt.ctx, k)
			if err != nil {
				return err
			}
			d.Set(k, v)
		}
		return nil
	}
	items, err := rt.items(from)
	if err != nil {
		return err
	}
	for i, item := range items {
		pair, err := rt.items(item)
		if err != nil {
			return value.Errorf(value.TypeError, "cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		if len(pair) != 2 {
			return value.Errorf(value.ValueError, "dictionary update sequence element #%d has length %d; 2 is required", i, len(pair))
		}
		if err := value.Hashable(pair[0]); err != nil {
			return err
		}
		d.Set(pair[0], pair[1])
	}
	return nil
}

// globalLipsum gives paragraphs of random words.
func globalLipsum(c *Call) (any, error) {
	var n [3]int
	for i, at := range [3]int{0, 2, 3} {
		var err error
		if n[i], err = c.intArg(at); err != nil {
			return nil, err
		}
	}
	html, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	if n[1] >= n[2] {
		return nil, value.Errorf(value.ValueError, "empty range for lipsum's min and max")
	}
	if n[0] > 0 && (n[2] > c.rt.maxOutput || n[0]*n[2]*12 > c.rt.maxOutput) {
		return nil, c.rt.tooBig()
	}
	words := strings.Fields(lipsumWords)
	var paragraphs []string
	for range n[0] {
		var p []string
		for range n[1] + rand.IntN(n[2]-n[1]) {
			p = append(p, words[rand.IntN(len(words))])
		}
		text := capitalize(strings.Join(p, " ")) + "."
		if html {
			text = "<p>" + text + "</p>"
		}
		paragraphs = append(paragraphs, text)
	}
	if html {
		return Markup(strings.Join(paragraphs, "\n")), nil
	}
	return strings.Join(paragraphs, "\n\n"), nil
}

const lipsumWords = `lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore
et dolore magna aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo
consequat duis aute irure in reprehenderit voluptate velit esse cillum eu fugiat nulla pariatur`
