package jinja

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// addMethod registers a method of a type.
func (e *Env) addMethod(typ, name, params string, fn Func) {
	set := e.methods[typ]
	if set == nil {
		set = map[string]*function{}
		e.methods[typ] = set
	}
	set[name] = newFunction(name, params, fn, nil)
}

func (e *Env) addMethods() {
	e.addTextMethods()
	e.addTextSearch()
	e.addListMethods()
	e.addDictMethods()
	e.addNumberMethods()
	e.addBytesMethods()
	e.addMarkupMethods()
	// What is only put into a container may be undefined.
	e.methods["dict"]["setdefault"].undefined = true
	e.methods["list"]["insert"].undefined = true
	e.methods["dict"]["pop"].undefined = true
	e.methods["dict"]["fromkeys"].undefined = true
	e.methods["dict"]["__setitem__"].undefined = true
}

// self is the text that a method of str was called on.
func (c *Call) self() string {
	s, _ := value.AsString(c.Value)
	return s
}

// textArg gives an argument that must be text.
func (c *Call) textArg(i int) (string, error) {
	if s, ok := value.AsString(c.Args[i]); ok {
		return s, nil
	}
	return "", value.Errorf(value.TypeError, "%s() argument %d must be str, not %s", c.Name, i+1, value.TypeName(c.Args[i]))
}

func (e *Env) addTextMethods() {
	for name, do := range map[string]func(string) string{
		"upper": upper, "lower": strings.ToLower, "capitalize": capitalize, "title": titleLetters,
		"swapcase": swapCase, "casefold": caseFold,
	} {
		e.addMethod("str", name, "", func(c *Call) (any, error) { return do(c.self()), nil })
	}
	for name, side := range map[string][2]bool{"strip": {true, true}, "lstrip": {true, false}, "rstrip": {false, true}} {
		e.addMethod("str", name, "chars=None", func(c *Call) (any, error) { return stripText(c.self(), c.Args[0], side[0], side[1]) })
	}
	for name, is := range map[string]func(rune) bool{
		"isalpha": unicode.IsLetter, "isspace": isSpace,
		"isdecimal": func(r rune) bool { return unicode.Is(unicode.Nd, r) },
		"isdigit":   func(r rune) bool { return unicode.Is(unicode.Nd, r) || isSuperscript(r) },
		"isnumeric": unicode.IsNumber,
		"isalnum":   func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) },
	} {
		e.addMethod("str", name, "", func(c *Call) (any, error) {
			return c.self() != "" && strings.IndexFunc(c.self(), func(r rune) bool { return !is(r) }) < 0, nil
		})
	}
	e.addMethod("str", "isascii", "", func(c *Call) (any, error) { return isASCII(c.self()), nil })
	e.addMethod("str", "isprintable", "", func(c *Call) (any, error) {
		return strings.IndexFunc(c.self(), func(r rune) bool { return !unicode.IsPrint(r) }) < 0, nil
	})
	e.addMethod("str", "islower", "", func(c *Call) (any, error) { return c.cased(unicode.IsLower, unicode.IsUpper) })
	e.addMethod("str", "isupper", "", func(c *Call) (any, error) { return c.cased(unicode.IsUpper, unicode.IsLower) })
	e.addMethod("str", "istitle", "", func(c *Call) (any, error) { return isTitle(c.self()), nil })
	e.addMethod("str", "isidentifier", "", func(c *Call) (any, error) { return isIdentifier(c.self()), nil })
	for _, how := range []string{"center", "ljust", "rjust"} {
		e.addMethod("str", how, "width, fillchar=' '", func(c *Call) (any, error) {
			width, err := c.intArg(0)
			if err != nil {
				return nil, err
			}
			fill, ok := value.AsString(c.Args[1])
			if !ok || utf8.RuneCountInString(fill) != 1 {
				return nil, value.Errorf(value.TypeError, "The fill character must be exactly one character long")
			}
			return c.rt.pad(c.self(), width, fill, how)
		})
	}
	e.addMethod("str", "zfill", "width", func(c *Call) (any, error) {
		width, err := c.intArg(0)
		if err != nil {
			return nil, err
		}
		s, sign := c.self(), ""
		if s != "" && (s[0] == '-' || s[0] == '+') {
			sign, s = s[:1], s[1:]
		}
		r, err := c.rt.pad(s, width-len(sign), "0", "rjust")
		if err != nil {
			return nil, err
		}
		return sign + r.(string), nil
	})
	e.addMethod("str", "expandtabs", "tabsize=8", methodExpandtabs)
	e.addMethod("str", "format", "*args, **kwargs", func(c *Call) (any, error) {
		return orNil(c.rt.format(c.self(), c.Rest, c.Kwargs))
	})
	e.methods["str"]["format"].undefined = true
	e.addMethod("str", "format_map", "mapping", func(c *Call) (any, error) {
		d, ok := c.Args[0].(*value.Dict)
		if !ok {
			return nil, value.Errorf(value.TypeError, "format_map() needs a mapping, not %s", value.TypeName(c.Args[0]))
		}
		return orNil(c.rt.format(c.self(), nil, d))
	})
	e.addMethod("str", "encode", "encoding='utf-8', errors='strict'", methodEncode)
	e.addMethod("str", "translate", "table", methodTranslate)
}

func isSuperscript(r rune) bool {
	return r == '²' || r == '³' || r == '¹' || r >= 0x2070 && r <= 0x2089 || r >= 0x2460 && r <= 0x2468
}

// titleLetters is Python's str.title: a letter behind no letter is big.
func titleLetters(s string) string {
	var b strings.Builder
	inWord := false
	for _, r := range s {
		switch {
		case inWord:
			b.WriteRune(unicode.ToLower(r))
		case r == 'ß':
			b.WriteString("Ss")
		default:
			b.WriteRune(unicode.ToTitle(r))
		}
		inWord = unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
	}
	return b.String()
}

func isTitle(s string) bool {
	inWord, found := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			if inWord {
				return false
			}
			inWord, found = true, true
		case unicode.IsLower(r):
			if !inWord {
				return false
			}
			found = true
		default:
			inWord = false
		}
	}
	return found
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

func swapCase(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsUpper(r):
			return unicode.ToLower(r)
		case r == 'ß':
			return r
		}
		return unicode.ToUpper(r)
	}, s)
	return strings.ReplaceAll(s, "ß", "SS")
}

func caseFold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "ß", "ss") }

func methodExpandtabs(c *Call) (any, error) {
	size, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	if size > math.MaxInt32 || size < math.MinInt32 {
		return nil, value.Errorf(value.OverflowError, "Python int too large to convert to C int")
	}
	if size > 0 && strings.Count(c.self(), "\t")*size > c.rt.maxOutput {
		return nil, c.rt.tooBig()
	}
	var b strings.Builder
	col := 0
	for _, r := range c.self() {
		switch r {
		case '\t':
			if size > 0 {
				n := size - col%size
				b.WriteString(strings.Repeat(" ", n))
				col += n
			}
			continue
		case '\n', '\r':
			col = -1
		}
		b.WriteRune(r)
		col++
	}
	return b.String(), nil
}

func methodEncode(c *Call) (any, error) {
	name, err := c.textArg(0)
	if err != nil {
		return nil, err
	}
	switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name)) {
	case "utf8":
		return value.Bytes(c.self()), nil
	case "ascii":
		if !isASCII(c.self()) {
			return nil, value.Errorf(value.ValueError, "'ascii' codec can't encode characters: ordinal not in range(128)")
		}
		return value.Bytes(c.self()), nil
	case "latin1", "iso88591":
		var b value.Bytes
		for _, r := range c.self() {
			if r > 0xff {
				return nil, value.Errorf(value.ValueError, "'latin-1' codec can't encode characters: ordinal not in range(256)")
			}
			b = append(b, byte(r))
		}
		return b, nil
	}
	return nil, value.Errorf(value.ValueError, "unknown encoding: %s", name)
}

func methodTranslate(c *Call) (any, error) {
	d, ok := c.Args[0].(*value.Dict)
	if !ok {
		return nil, value.Errorf(value.TypeError, "translate() needs a dict of character codes, not %s", value.TypeName(c.Args[0]))
	}
	var b strings.Builder
	for _, r := range c.self() {
		v, found := d.Get(int(r))
		if !found {
			b.WriteRune(r)
			continue
		}
		switch x := v.(type) {
		case nil:
		case int:
			b.WriteRune(rune(x))
		case string:
			b.WriteString(x)
		default:
			return nil, value.Errorf(value.TypeError, "character mapping must return integer, None or str")
		}
	}
	return b.String(), nil
}
