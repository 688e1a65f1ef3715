package filters

import (
	"math/big"
	"math/rand/v2"
	"slices"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func randomFilters() []entry {
	return []entry{
		one("random", "start=None, step=None, seed=None", random),
		one("shuffle", "seed=None", shuffle),
	}
}

// chooser gives a function that chooses a number below n: with a seed the same as Python would.
func chooser(c *jinja.Call, seed any) (func(n int) int, error) {
	if seed == nil {
		volatile(c)
		return func(n int) int { return rand.IntN(max(n, 1)) }, nil
	}
	t, err := newTwister(seed)
	if err != nil {
		return nil, err
	}
	return t.below, nil
}

func random(c *jinja.Call) (any, error) {
	below, err := chooser(c, c.Args[2])
	if err != nil {
		return nil, err
	}
	switch end := c.Value.(type) {
	case int:
		return randomBelow(c, end, below)
	case bool, float64, *big.Int, nil:
		return nil, value.Errorf(value.TypeError, "random can only be used on sequences and integers")
	case *value.Dict:
		return nil, value.Errorf(value.TypeError, "random can only be used on sequences and integers, not on a dict")
	}
	if c.Args[0] != nil || c.Args[1] != nil {
		return nil, value.Errorf(value.ValueError, "start and step can only be used with integer values")
	}
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, value.Errorf(value.IndexError, "Cannot choose from an empty sequence")
	}
	return items[below(len(items))], nil
}

// randomBelow is Python's randrange(start, end, step).
func randomBelow(c *jinja.Call, end int, below func(int) int) (any, error) {
	start, step := 0, 1
	for i, to := range []*int{&start, &step} {
		if c.Args[i] == nil {
			continue
		}
		n, ok := c.Args[i].(int)
		if !ok {
			return nil, value.Errorf(value.TypeError, "random: start and step must be whole numbers")
		}
		if *to = n; i == 1 && n == 0 {
			return nil, value.Errorf(value.ValueError, "zero step for randrange()")
		}
	}
	width := end - start
	count := width
	switch {
	case step > 1:
		count = (width + step - 1) / step
	case step < 0:
		count = (width + step + 1) / step
	}
	if width <= 0 && step > 0 || count <= 0 {
		return nil, value.Errorf(value.ValueError, "empty range for randrange(%d, %d, %d)", start, end, step)
	}
	return start + step*below(count), nil
}

func shuffle(c *jinja.Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return c.Value, nil //nolint:nilerr // Ansible gives back what cannot be shuffled
	}
	below, err := chooser(c, c.Args[0])
	if err != nil {
		return nil, err
	}
	out := slices.Clone(items)
	for i := len(out) - 1; i > 0; i-- {
		j := below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return value.NewList(out...), nil
}
