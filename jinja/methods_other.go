package jinja

import (
	"encoding/hex"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

func (e *Env) addListMethods() {
	list := func(name, params string, fn func(c *Call, l *value.List) (any, error)) {
		e.addMethod("list", name, params, func(c *Call) (any, error) { return fn(c, c.Value.(*value.List)) })
	}
	list("append", "item", func(c *Call, l *value.List) (any, error) {
		l.Append(c.Args[0])
		c.rt.special = true
		return nil, c.rt.tooMany(len(l.Items))
	})
	e.methods["list"]["append"].undefined = true
	list("extend", "iterable", func(c *Call, l *value.List) (any, error) {
		items, err := c.Items(c.Args[0])
		if err == nil {
			err = c.rt.tooMany(len(l.Items) + len(items))
		}
		if err == nil {
			c.rt.special = true
			l.Append(items...)
		}
		return nil, err
	})
	list("insert", "index, item", func(c *Call, l *value.List) (any, error) {
		i, err := c.intArg(0)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			i += len(l.Items)
		}
		c.rt.special = true
		if err := c.rt.tooMany(len(l.Items) + 1); err != nil {
			return nil, err
		}
		l.Items = slices.Insert(l.Items, max(0, min(i, len(l.Items))), c.Args[1])
		return nil, nil
	})
	list("pop", "index=-1", listPop)
	list("remove", "item", func(c *Call, l *value.List) (any, error) {
		i, err := indexOf(l.Items, c.Args[0])
		if err != nil || i < 0 {
			return nil, cmpErr(err, value.Errorf(value.ValueError, "list.remove(x): x not in list"))
		}
		l.Items = slices.Delete(l.Items, i, i+1)
		return nil, nil
	})
	list("clear", "", func(_ *Call, l *value.List) (any, error) {
		l.Items = nil
		return nil, nil
	})
	list("copy", "", func(_ *Call, l *value.List) (any, error) {
		return &value.List{Items: append([]any(nil), l.Items...)}, nil
	})
	list("reverse", "", func(_ *Call, l *value.List) (any, error) {
		slices.Reverse(l.Items)
		return nil, nil
	})
	list("sort", "key=None, reverse=False", listSort)
	for _, typ := range []string{"list", "tuple"} {
		e.addMethod(typ, "index", "item, start=0, stop=9223372036854775807", sequenceIndex)
		e.addMethod(typ, "count", "item", func(c *Call) (any, error) {
			items, err := c.Items(c.Value)
			n := 0
			for _, item := range items {
				eq, err := value.Equal(item, c.Args[0])
				if err != nil {
					return nil, err
				}
				n += boolInt(eq)
			}
			return n, err
		})
		e.methods[typ]["count"].undefined = true
	}
	e.addMethod("range", "count", "item", func(c *Call) (any, error) {
		in, err := c.rt.contains(c.Value, c.Args[0])
		return boolInt(in), err
	})
	// What is only compared may be undefined.
	e.methods["range"]["count"].undefined = true
}

// cmpErr gives the first error that is one.
func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func indexOf(items []any, v any) (int, error) {
	for i, item := range items {
		if eq, err := value.Equal(item, v); err != nil || eq {
			return i, err
		}
	}
	return -1, nil
}

func listPop(c *Call, l *value.List) (any, error) {
	i, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	if len(l.Items) == 0 {
		return nil, value.Errorf(value.IndexError, "pop from empty list")
	}
	if i < 0 {
		i += len(l.Items)
	}
	if i < 0 || i >= len(l.Items) {
		return nil, value.Errorf(value.IndexError, "pop index out of range")
	}
	v := l.Items[i]
	l.Items = slices.Delete(l.Items, i, i+1)
	return v, nil
}

func listSort(c *Call, l *value.List) (any, error) {
	reverse, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	key := c.Args[0]
	out, err := c.sorted(l.Items, func(v any) (any, error) {
		if key == nil {
			return v, nil
		}
		return c.Invoke(key, []any{v}, nil)
	}, reverse)
	if err == nil {
		l.Items = out
	}
	return nil, err
}

func sequenceIndex(c *Call) (any, error) {
	items, err := c.Items(c.Value)
	if err != nil {
		return nil, err
	}
	from, err := c.intArg(1)
	if err != nil {
		return nil, err
	}
	to, err := c.intArg(2)
	if err != nil {
		return nil, err
	}
	from, to = clampIndex(from, len(items)), clampIndex(to, len(items))
	if from < to {
		i, err := indexOf(items[from:to], c.Args[0])
		if err != nil {
			return nil, err
		}
		if i >= 0 {
			return from + i, nil
		}
	}
	r, err := value.Repr(c.Args[0])
	if _, isTuple := c.Value.(value.Tuple); isTuple {
		r = "tuple.index(x): x"
		return nil, cmpErr(err, value.Errorf(value.ValueError, "%s not in tuple", r))
	}
	return nil, cmpErr(err, value.Errorf(value.ValueError, "%s is not in list", r))
}

func clampIndex(i, n int) int {
	if i < 0 {
		i += n
	}
	return max(0, min(i, n))
}

// mappingDict reads a Mapping, its values only where they are wanted: reading them renders them.
func (rt *runtime) mappingDict(v any, values bool) (*value.Dict, error) {
	m := v.(value.Mapping)
	keys, err := m.Keys(rt.ctx)
	if err != nil {
		return nil, err
	}
	d := value.NewDictSize(len(keys))
	for _, k := range keys {
		var item any
		if values {
			if item, _, err = rt.mapped(m, k); err != nil {
				return nil, err
			}
		}
		d.Set(k, item)
	}
	return d, nil
}

func (e *Env) addDictMethods() {
	dict := func(name, params string, fn func(c *Call, d *value.Dict) (any, error)) {
		e.addMethod("dict", name, params, func(c *Call) (any, error) { return fn(c, c.Value.(*value.Dict)) })
	}
	for _, kind := range []string{"keys", "values", "items"} {
		dict(kind, "", func(c *Call, d *value.Dict) (any, error) {
			c.rt.special = true
			return &dictView{d, kind}, nil
		})
		e.addMethod("mapping", kind, "", func(c *Call) (any, error) {
			c.rt.special = true
			d, err := c.rt.mappingDict(c.Value, kind != "keys")
			return &dictView{d, kind}, err
		})
	}
	get := func(c *Call) (any, error) {
		if err := value.Hashable(c.Args[0]); err != nil {
			return nil, err
		}
		v, found, err := c.rt.plainItem(c.Value, c.Args[0])
		if err == nil && !found {
			v = c.Args[1]
		}
		return v, err
	}
	e.addMethod("dict", "get", "key, default=None", get)
	e.addMethod("mapping", "get", "key, default=None", get)
	e.methods["dict"]["get"].undefined, e.methods["mapping"]["get"].undefined = true, true
	dict("update", "*args, **kwargs", func(c *Call, d *value.Dict) (any, error) {
		c.rt.special = true
		if len(c.Rest) > 1 {
			return nil, value.Errorf(value.TypeError, "update expected at most 1 argument, got %d", len(c.Rest))
		}
		if len(c.Rest) == 1 {
			if err := c.rt.update(d, c.Rest[0]); err != nil {
				return nil, err
			}
		}
		if c.Kwargs != nil {
			d.Update(c.Kwargs)
		}
		return nil, nil
	})
	dict("pop", "key, default=None", func(c *Call, d *value.Dict) (any, error) {
		if err := value.Hashable(c.Args[0]); err != nil && d.Len() > 0 {
			return nil, err
		}
		if v, found := d.Get(c.Args[0]); found {
			d.Delete(c.Args[0])
			return v, nil
		}
		if c.Given(1) {
			return c.Args[1], nil
		}
		r, err := value.Repr(c.Args[0])
		return nil, cmpErr(err, value.Errorf(value.KeyError, "%s", r))
	})
	dict("popitem", "", func(_ *Call, d *value.Dict) (any, error) {
		if d.Len() == 0 {
			return nil, value.Errorf(value.KeyError, "'popitem(): dictionary is empty'")
		}
		k, v := d.At(d.Len() - 1)
		d.Delete(k)
		return value.Tuple{k, v}, nil
	})
	dict("setdefault", "key, default=None", func(c *Call, d *value.Dict) (any, error) {
		if v, found := d.Get(c.Args[0]); found {
			return v, nil
		}
		if err := value.Hashable(c.Args[0]); err != nil {
			return nil, err
		}
		c.rt.special = true
		d.Set(c.Args[0], c.Args[1])
		return c.Args[1], nil
	})
	dict("clear", "", func(_ *Call, d *value.Dict) (any, error) {
		d.Clear()
		return nil, nil
	})
	dict("copy", "", func(_ *Call, d *value.Dict) (any, error) { return d.Copy(), nil })
	dict("fromkeys", "iterable, value=None", func(c *Call, _ *value.Dict) (any, error) {
		keys, err := c.Items(c.Args[0])
		out := &value.Dict{}
		for _, k := range keys {
			if err := value.Hashable(k); err != nil {
				return nil, err
			}
			out.Set(k, c.Args[1])
		}
		return out, err
	})
	dict("__setitem__", "key, value", func(c *Call, d *value.Dict) (any, error) {
		if err := value.Hashable(c.Args[0]); err != nil {
			return nil, err
		}
		c.rt.special = true
		d.Set(c.Args[0], c.Args[1])
		return nil, nil
	})
}

func (e *Env) addNumberMethods() {
	e.addMethod("int", "bit_length", "", func(c *Call) (any, error) {
		n, _ := integer(c.Value)
		return toBig(n).BitLen(), nil
	})
	e.addMethod("int", "bit_count", "", func(c *Call) (any, error) {
		n, _ := integer(c.Value)
		return strings.Count(new(big.Int).Abs(toBig(n)).Text(2), "1"), nil
	})
	e.addMethod("int", "conjugate", "", func(c *Call) (any, error) { return c.Value, nil })
	e.addMethod("int", "as_integer_ratio", "", func(c *Call) (any, error) {
		n, _ := integer(c.Value)
		return value.Tuple{n, 1}, nil
	})
	e.addMethod("float", "conjugate", "", func(c *Call) (any, error) { return c.Value, nil })
	e.addMethod("float", "is_integer", "", func(c *Call) (any, error) {
		f := c.Value.(float64)
		return f == math.Trunc(f) && !math.IsInf(f, 0), nil
	})
	e.addMethod("float", "as_integer_ratio", "", func(c *Call) (any, error) {
		f := c.Value.(float64)
		if f != f || math.IsInf(f, 0) {
			return nil, value.Errorf(value.OverflowError, "cannot convert Infinity or NaN to integer ratio")
		}
		r := new(big.Rat).SetFloat64(f)
		return value.Tuple{value.NormalInt(r.Num()), value.NormalInt(r.Denom())}, nil
	})
}

func (e *Env) addBytesMethods() {
	e.addMethod("bytes", "decode", "encoding='utf-8', errors='strict'", func(c *Call) (any, error) {
		b := string(c.Value.(value.Bytes))
		name, err := c.textArg(0)
		if err != nil {
			return nil, err
		}
		switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name)) {
		case "utf8", "ascii":
			if !utf8.ValidString(b) {
				return nil, value.Errorf(value.ValueError, "'utf-8' codec can't decode the bytes")
			}
			return b, nil
		case "latin1", "iso88591":
			r := make([]rune, len(b))
			for i := range len(b) {
				r[i] = rune(b[i])
			}
			return string(r), nil
		}
		return nil, value.Errorf(value.ValueError, "unknown encoding: %s", name)
	})
	e.addMethod("bytes", "hex", "", func(c *Call) (any, error) { return hex.EncodeToString(c.Value.(value.Bytes)), nil })
}
