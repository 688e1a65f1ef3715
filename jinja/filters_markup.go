package jinja

import (
	"html"
	"net/url"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

func (e *Env) addMarkupFilters() {
	e.AddFilter("escape", "", func(c *Call) (any, error) { return c.rt.escape(c.Value) })
	e.AddFilter("e", "", func(c *Call) (any, error) { return c.rt.escape(c.Value) })
	e.AddFilter("forceescape", "", filterForceescape)
	e.AddFilter("safe", "", filterSafe)
	e.AddFilter("striptags", "", filterStriptags)
	e.AddFilter("xmlattr", "autospace=True", filterXmlattr)
	e.AddFilter("urlencode", "", filterUrlencode)
	e.AddFilter("urlize", "trim_url_limit=None, nofollow=False, target=None, rel=None, extra_schemes=None", filterUrlize)
	e.AddFilter("tojson", "indent=None", filterTojson)
}

func escapeText(s string) Markup {
	if !strings.ContainsAny(s, `&<>'"`) {
		return Markup(s)
	}
	return Markup(strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;").Replace(s))
}

// escape makes text fit for HTML; Markup is already.
func (rt *runtime) escape(v any) (Markup, error) {
	if m, ok := v.(Markup); ok {
		return m, nil
	}
	s, err := rt.str(v)
	return escapeText(s), err
}

func filterForceescape(c *Call) (any, error) {
	s, err := c.Text(c.Value)
	return escapeText(s), err
}

func filterSafe(c *Call) (any, error) {
	s, err := c.Text(c.Value)
	return Markup(s), err
}

// filterStriptags takes comments and tags away and makes white space single.
func filterStriptags(c *Call) (any, error) {
	s, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	s = cutBetween(s, "<!--", "-->")
	s = cutBetween(s, "<", ">")
	return unescape(strings.Join(strings.FieldsFunc(s, isSpace), " ")), nil
}

func unescape(s string) string { return html.UnescapeString(s) }

func cutBetween(s, open, end string) string {
	for at := 0; ; {
		i := strings.Index(s[at:], open)
		if i < 0 {
			return s
		}
		i += at
		j := strings.Index(s[i:], end)
		if j < 0 {
			return s
		}
		s = s[:i] + s[i+j+len(end):]
		at = i
	}
}

func filterXmlattr(c *Call) (any, error) {
	pairs, err := c.pairs(c.Value)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, p := range pairs {
		t := p.(value.Tuple)
		if _, missing := t[1].(*Undefined); missing || t[1] == nil {
			continue
		}
		key, err := c.Text(t[0])
		if err != nil {
			return nil, err
		}
		if _, ok := value.AsString(t[0]); !ok {
			return nil, value.Errorf(value.TypeError, "expected string or bytes-like object, got '%s'", value.TypeName(t[0]))
		}
		if strings.ContainsAny(key, " \t\n\r\f\v/>=") {
			return nil, value.Errorf(value.ValueError, "Invalid character in attribute name: %s", quote(key))
		}
		v, err := c.rt.escape(t[1])
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(escapeText(key))+`="`+string(v)+`"`)
	}
	out := strings.Join(parts, " ")
	space, err := c.Truth(c.Args[0])
	if space && out != "" {
		out = " " + out
	}
	if c.rt.autoescape {
		return Markup(out), err
	}
	return out, err
}

// urlQuote quotes like Python's urllib.parse.quote, for a query with / and + quoted too.
func (c *Call) urlQuote(v any, query bool) (string, error) {
	var s string
	if b, ok := v.(value.Bytes); ok {
		s = string(b)
	} else {
		var err error
		if s, err = c.Text(v); err != nil {
			return "", err
		}
	}
	s = strings.ReplaceAll(url.QueryEscape(s), "%7E", "~")
	if query {
		return s, nil
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "+", "%20"), "%2F", "/"), nil
}

func filterUrlencode(c *Call) (any, error) {
	if _, ok := value.AsString(c.Value); ok || !isIterable(c.Value) {
		return orNil(c.urlQuote(c.Value, false))
	}
	pairs, err := c.Items(c.Value)
	if isMapping(c.Value) {
		pairs, err = c.pairs(c.Value)
	}
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		kv, err := c.Items(p)
		if err != nil {
			return nil, err
		}
		if len(kv) != 2 {
			return nil, value.Errorf(value.ValueError, "urlencode needs pairs, not %d items", len(kv))
		}
		k, err := c.urlQuote(kv[0], true)
		if err != nil {
			return nil, err
		}
		v, err := c.urlQuote(kv[1], true)
		if err != nil {
			return nil, err
		}
		parts[i] = k + "=" + v
	}
	return strings.Join(parts, "&"), nil
}

func filterTojson(c *Call) (any, error) {
	o := value.JSONOptions{SortKeys: true, Limit: c.rt.maxOutput}
	if c.Args[0] != nil {
		o.Multiline = true
		if s, ok := value.AsString(c.Args[0]); ok {
			o.Indent = s
		} else {
			n, err := c.intArg(0)
			if err != nil {
				return nil, err
			}
			o.Indent = strings.Repeat(" ", max(0, min(n, 1000)))
		}
	}
	s, err := value.EncodeJSON(c.Value, o)
	if err != nil {
		return nil, err
	}
	return Markup(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(s)), nil
}
