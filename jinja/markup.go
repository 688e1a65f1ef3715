package jinja

import (
	"maps"

	"github.com/hostlerhq/hostler/jinja/value"
)

// addMarkupMethods gives HTML the methods of text: what they cut, pad or change stays HTML, and text
// that they are given becomes HTML first, as in Python's markupsafe.
func (e *Env) addMarkupMethods() {
	set := maps.Clone(e.methods["str"])
	for _, name := range []string{
		"capitalize", "title", "lower", "upper", "replace", "ljust", "rjust", "lstrip", "rstrip", "center", "strip",
		"translate", "expandtabs", "swapcase", "zfill", "partition", "rpartition", "split", "rsplit", "splitlines",
	} {
		set[name] = onMarkup(set[name], name != "split" && name != "rsplit")
	}
	e.methods["markup"] = set
	e.addMethod("markup", "join", "iterable", func(c *Call) (any, error) { return c.rt.joinMarkup(c.self(), c.Args[0]) })
	e.addMethod("markup", "format", "*args, **kwargs", func(c *Call) (any, error) {
		s, err := c.rt.formatMarkup(c.self(), c.Rest, c.Kwargs)
		return Markup(s), err
	})
	set["format"].undefined = true
	e.addMethod("markup", "striptags", "", filterStriptags)
	e.addMethod("markup", "unescape", "", func(c *Call) (any, error) { return unescape(c.self()), nil })
}

// onMarkup is a method of text for HTML.
func onMarkup(fn *function, escapes bool) *function {
	method := *fn
	method.fn = func(c *Call) (any, error) {
		for i, a := range c.Args {
			if s, ok := a.(string); ok && escapes && c.Given(i) {
				c.Args[i] = escapeText(s)
			}
		}
		r, err := fn.fn(c)
		return asMarkup(r), err
	}
	return &method
}

// asMarkup makes a text, or texts in a container of its own, HTML.
func asMarkup(v any) any {
	switch x := v.(type) {
	case string:
		return Markup(x)
	case *value.List:
		for i, item := range x.Items {
			x.Items[i] = asMarkup(item)
		}
	case value.Tuple:
		for i, item := range x {
			x[i] = asMarkup(item)
		}
	}
	return v
}

// like makes a text made of another what that one is.
func like(of any, s string) any {
	if _, ok := of.(Markup); ok {
		return Markup(s)
	}
	return s
}

// joinMarkup joins what becomes HTML of any value.
func (rt *runtime) joinMarkup(sep string, iterable any) (any, error) {
	items, err := rt.items(iterable)
	if err != nil {
		return nil, err
	}
	var b []byte
	for i, item := range items {
		if i > 0 {
			b = append(b, sep...)
		}
		m, err := rt.escape(item)
		if err != nil {
			return nil, err
		}
		if b = append(b, m...); len(b) > rt.maxOutput {
			return nil, rt.tooBig()
		}
	}
	return Markup(b), nil
}

// joinEscaped is the filter join under autoescape: of HTML as soon as one item or the separator is.
func (rt *runtime) joinEscaped(items []any, sep any, g getter) (any, error) {
	list := make([]any, len(items))
	_, markup := sep.(Markup)
	for i, v := range items {
		if g.parts != nil {
			var err error
			if v, err = g.get(rt, v); err != nil {
				return nil, err
			}
		}
		_, is := v.(Markup)
		markup = markup || is
		list[i] = v
	}
	m, err := rt.escape(sep)
	if err != nil {
		return nil, err
	}
	if markup {
		return rt.joinMarkup(string(m), &value.List{Items: list})
	}
	var b []byte
	for i, v := range list {
		if i > 0 {
			if b, err = value.AppendStr(b, sep, rt.maxOutput); err != nil {
				return nil, err
			}
		}
		if b, err = value.AppendStr(b, v, rt.maxOutput); err != nil {
			return nil, err
		}
		if len(b) > rt.maxOutput {
			return nil, rt.tooBig()
		}
	}
	return string(b), nil
}

// replaceMarkup is the filter replace under autoescape, of the texts t.
func (c *Call) replaceMarkup(t [3]string, count int) (any, error) {
	_, is := c.Value.(Markup)
	_, old := c.Args[0].(Markup)
	_, with := c.Args[1].(Markup)
	s := t[0]
	if !is && !old && !with {
		return c.rt.replace(s, t[1], t[2], count)
	}
	if !is {
		s = string(escapeText(s))
	}
	if !old {
		t[1] = string(escapeText(t[1]))
	}
	if !with {
		t[2] = string(escapeText(t[2]))
	}
	r, err := c.rt.replace(s, t[1], t[2], count)
	return asMarkup(r), err
}
