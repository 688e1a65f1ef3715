package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

func (e *Env) addFilters() {
	e.addListFilters()
	e.addNumberFilters()
	e.addMarkupFilters()
	e.AddFilter("default", "default_value='', boolean=False", filterDefault, TakesUndefined())
	e.AddFilter("d", "default_value='', boolean=False", filterDefault, TakesUndefined())
	e.AddFilter("upper", "", onText(upper))
	e.AddFilter("lower", "", onText(strings.ToLower))
	e.AddFilter("capitalize", "", onText(capitalize))
	e.AddFilter("title", "", func(c *Call) (any, error) { // never HTML, as it puts pieces together
		s, err := c.Text(c.Value)
		return titleWords(s), err
	})
	e.AddFilter("trim", "chars=None", filterTrim)
	e.AddFilter("string", "", filterString)
	e.AddFilter("replace", "old, new, count=None", filterReplace)
	e.AddFilter("center", "width=80", filterCenter)
	e.AddFilter("indent", "width=4, first=False, blank=False", filterIndent)
	e.AddFilter("truncate", "length=255, killwords=False, end='...', leeway=None", filterTruncate)
	e.AddFilter("wordwrap", "width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True", filterWordwrap)
	e.AddFilter("wordcount", "", filterWordcount)
	e.AddFilter("format", "*args, **kwargs", filterFormat)
	e.AddFilter("attr", "name", filterAttr)
	e.AddFilter("pprint", "", filterPprint)
}

func filterDefault(c *Call) (any, error) {
	if _, missing := c.Value.(*Undefined); missing {
		return c.Args[0], nil
	}
	if c.Args[1] == false {
		return c.Value, nil
	}
	replaceFalse, err := c.Truth(c.Args[1])
	if err != nil || !replaceFalse {
		return c.Value, err
	}
	ok, err := c.Truth(c.Value)
	if err == nil && !ok {
		return c.Args[0], nil
	}
	return c.Value, err
}

// onText makes a filter of a function on text; what is no text is made text first.
func onText(do func(string) string) Func {
	return func(c *Call) (any, error) {
		s, err := c.Text(c.Value)
		if err != nil {
			return nil, err
		}
		return like(c.Value, do(s)), nil
	}
}

// upper is Python's, where ß becomes SS.
func upper(s string) string {
	if strings.Contains(s, "ß") {
		s = strings.ReplaceAll(s, "ß", "ss")
	}
	return strings.ToUpper(s)
}

func capitalize(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == 'ß' {
		return "Ss" + strings.ToLower(s[n:])
	}
	return string(unicode.ToTitle(r)) + strings.ToLower(s[n:])
}

// titleWords makes the first letter of words big: behind white space and any of -({[<.
func titleWords(s string) string {
	var b strings.Builder
	start := true
	for _, r := range s {
		switch {
		case isSpace(r) || strings.ContainsRune("-({[<", r):
			start = true
			b.WriteRune(r)
		case start:
			start = false
			b.WriteString(upper(string(r)))
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func filterTrim(c *Call) (any, error) {
	s, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	r, err := stripText(s, c.Args[0], true, true)
	if _, ok := c.Value.(Markup); ok {
		return asMarkup(r), err
	}
	return r, err
}

// stripText is Python's strip, lstrip and rstrip.
func stripText(s string, chars any, left, right bool) (any, error) {
	in := isSpace
	if chars != nil {
		set, ok := value.AsString(chars)
		if !ok {
			return nil, value.Errorf(value.TypeError, "strip arg must be None or str")
		}
		in = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s, nil
}

func filterString(c *Call) (any, error) {
	if m, ok := c.Value.(Markup); ok {
		return m, nil
	}
	return orNil(c.Text(c.Value))
}

func filterReplace(c *Call) (any, error) {
	var t [3]string
	for i, v := range [3]any{c.Value, c.Args[0], c.Args[1]} {
		var err error
		if t[i], err = c.Text(v); err != nil {
			return nil, err
		}
	}
	count := -1
	if c.Args[2] != nil {
		var err error
		if count, err = c.intArg(2); err != nil {
			return nil, err
		}
	}
	if c.rt.autoescape {
		return c.replaceMarkup(t, count)
	}
	return c.rt.replace(t[0], t[1], t[2], count)
}

// replace is strings.Replace within the limit on output.
func (rt *runtime) replace(s, old, with string, count int) (any, error) {
	if grow := len(with) - len(old); grow > 0 {
		n := strings.Count(s, old)
		if count >= 0 {
			n = min(n, count)
		}
		if len(s)+n*grow > rt.maxOutput {
			return nil, rt.tooBig()
		}
	}
	return strings.Replace(s, old, with, count), nil
}

func filterCenter(c *Call) (any, error) {
	s, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	width, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	r, err := c.rt.pad(s, width, " ", "center")
	if _, ok := c.Value.(Markup); ok {
		return asMarkup(r), err
	}
	return r, err
}

// pad is Python's center, ljust and rjust.
func (rt *runtime) pad(s string, width int, fill, how string) (any, error) {
	missing := width - utf8.RuneCountInString(s)
	if missing <= 0 {
		return s, nil
	}
	if missing > rt.maxOutput/4 {
		return nil, rt.tooBig()
	}
	left, right := 0, 0
	switch how {
	case "ljust":
		right = missing
	case "rjust":
		left = missing
	default:
		left = missing/2 + missing&width&1
		right = missing - left
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, right), nil
}

func filterIndent(c *Call) (any, error) {
	s, ok := value.AsString(c.Value)
	if !ok {
		return nil, value.Errorf(value.TypeError, "unsupported operand type(s) for +=: '%s' and 'str'", value.TypeName(c.Value))
	}
	indent, ok := value.AsString(c.Args[0])
	if !ok {
		n, err := c.intArg(0)
		if err != nil {
			return nil, err
		}
		spaces, _, err := c.rt.repeat(" ", n)
		if err != nil {
			return nil, err
		}
		indent = spaces.(string)
	}
	first, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	blank, err := c.Truth(c.Args[2])
	if err != nil {
		return nil, err
	}
	lines := splitLines(s+"\n", false)
	if len(lines)*len(indent)+len(s) > c.rt.maxOutput {
		return nil, c.rt.tooBig()
	}
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && first || i > 0 && (blank || line != "") {
			b.WriteString(indent)
		}
		b.WriteString(line)
	}
	return like(c.Value, b.String()), nil
}

// splitLines is Python's str.splitlines.
func splitLines(s string, keep bool) []string {
	var lines []string
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch r {
		case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
			if r == '\r' && i+1 < len(s) && s[i+1] == '\n' {
				n = 2
			}
			end := i
			if keep {
				end += n
			}
			lines = append(lines, s[start:end])
			start = i + n
		}
		i += n
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}

func filterTruncate(c *Call) (any, error) {
	s, ok := value.AsString(c.Value)
	if !ok {
		n, err := c.rt.length(c.Value)
		if err != nil {
			return nil, err
		}
		if limit, isInt := index(c.Args[0]); isInt && n <= limit+5 {
			return c.Value, nil
		}
		return nil, value.Errorf(value.TypeError, "truncate needs text, not %s", value.TypeName(c.Value))
	}
	length, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	end, err := c.Text(c.Args[2])
	if err != nil {
		return nil, err
	}
	leeway := 5
	if c.Args[3] != nil {
		if leeway, err = c.intArg(3); err != nil {
			return nil, err
		}
	}
	endLen := utf8.RuneCountInString(end)
	if length < endLen {
		return nil, value.Errorf(value.ValueError, "expected length >= %d, got %d", endLen, length)
	}
	if leeway < 0 {
		return nil, value.Errorf(value.ValueError, "expected leeway >= 0, got %d", leeway)
	}
	r := []rune(s)
	if len(r) <= length+leeway {
		return c.Value, nil
	}
	kill, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	cut := string(r[:length-endLen])
	if !kill {
		if at := strings.LastIndexByte(cut, ' '); at >= 0 {
			cut = cut[:at]
		}
	}
	if _, ok := c.Value.(Markup); ok {
		m, err := c.rt.escape(c.Args[2])
		return Markup(cut) + m, err
	}
	return cut + end, nil
}

func isWordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

func filterWordcount(c *Call) (any, error) {
	s, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	return len(strings.FieldsFunc(s, func(r rune) bool { return !isWordRune(r) })), nil
}

func filterFormat(c *Call) (any, error) {
	s, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	if len(c.Rest) > 0 && c.Kwargs.Len() > 0 {
		return nil, value.Errorf(value.TypeError, "can't handle positional and keyword arguments at the same time")
	}
	args := any(value.Tuple(c.Rest))
	if c.Kwargs.Len() > 0 {
		args = c.Kwargs
	}
	return c.rt.binary(tMod, like(c.Value, s), args)
}

func filterAttr(c *Call) (any, error) {
	name, ok := value.AsString(c.Args[0])
	if !ok {
		return nil, value.Errorf(value.TypeError, "attribute name must be string, not '%s'", value.TypeName(c.Args[0]))
	}
	if m := c.Env.method(c.Value, name); m != nil {
		return &boundMethod{c.Value, m}, nil
	}
	if o, ok := c.Value.(object); ok {
		if v, found, err := o.attr(c.rt, name); found || err != nil {
			return v, err
		}
	}
	u := absent(missingAttr(c.Value, name))
	u.Name = name
	return u, nil
}
