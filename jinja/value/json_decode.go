package value

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// DecodeJSON reads JSON as Python's json.loads does: order kept, integers of any size, the
// last of equal keys, NaN and Infinity allowed. Errors have Python's words and place.
func DecodeJSON(text string) (any, error) {
	d := jsonDecoder{s: text}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.i < len(d.s) {
		return nil, d.fail("Extra data", d.i)
	}
	return v, nil
}

type jsonDecoder struct {
	s string
	i int
}

func (d *jsonDecoder) fail(what string, at int) error {
	before := d.s[:min(at, len(d.s))]
	line := strings.Count(before, "\n") + 1
	col := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return Errorf(ValueError, "%s: line %d column %d (char %d)", what, line, col, utf8.RuneCountInString(before))
}

func (d *jsonDecoder) space() {
	for d.i < len(d.s) && strings.IndexByte(" \t\n\r", d.s[d.i]) >= 0 {
		d.i++
	}
}

func (d *jsonDecoder) value(depth int) (any, error) {
	if depth > maxNesting {
		return nil, Errorf(RecursionError, "maximum recursion depth exceeded while decoding a JSON document")
	}
	if d.i >= len(d.s) {
		return nil, d.fail("Expecting value", d.i)
	}
	switch c := d.s[d.i]; {
	case c == '"':
		return d.text()
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.array(depth)
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	}
	for _, w := range jsonWords {
		if strings.HasPrefix(d.s[d.i:], w.text) {
			d.i += len(w.text)
			return w.val, nil
		}
	}
	return nil, d.fail("Expecting value", d.i)
}

var jsonWords = [...]struct {
	text string
	val  any
}{{"true", true}, {"false", false}, {"null", nil}, {"NaN", math.NaN()}, {"Infinity", math.Inf(1)}}

func (d *jsonDecoder) number() (any, error) {
	start := d.i
	if strings.HasPrefix(d.s[d.i:], "-Infinity") {
		d.i += len("-Infinity")
		return math.Inf(-1), nil
	}
	if d.s[d.i] == '-' {
		d.i++
	}
	whole := d.digits()
	if whole == 0 {
		return nil, d.fail("Expecting value", start)
	}
	if first := d.i - whole; d.s[first] == '0' {
		d.i = first + 1 // JSON has no leading zeros: the rest is extra data
	}
	isFloat := false
	if mark := d.i; d.peek() == '.' {
		d.i++
		if isFloat = d.digits() > 0; !isFloat {
			d.i = mark
		}
	}
	if mark := d.i; d.peek()|32 == 'e' {
		d.i++
		if d.peek() == '+' || d.peek() == '-' {
			d.i++
		}
		if d.digits() > 0 {
			isFloat = true
		} else {
			d.i = mark
		}
	}
	text := d.s[start:d.i]
	if isFloat {
		f, _ := strconv.ParseFloat(text, 64)
		return f, nil
	}
	if i, err := strconv.Atoi(text); err == nil {
		return i, nil
	}
	if len(text) > maxDigits {
		return nil, Errorf(ValueError, "Exceeds the limit (%d) for integer string conversion", maxDigits)
	}
	b, _ := new(big.Int).SetString(text, 10)
	return b, nil
}

func (d *jsonDecoder) peek() byte {
	if d.i < len(d.s) {
		return d.s[d.i]
	}
	return 0
}

func (d *jsonDecoder) digits() int {
	start := d.i
	for d.i < len(d.s) && d.s[d.i] >= '0' && d.s[d.i] <= '9' {
		d.i++
	}
	return d.i - start
}

func (d *jsonDecoder) array(depth int) (any, error) {
	l := &List{}
	d.i++
	d.space()
	if d.peek() == ']' {
		d.i++
		return l, nil
	}
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l.Items = append(l.Items, v)
		d.space()
		switch d.peek() {
		case ']':
			d.i++
			return l, nil
		case ',':
			d.i++
			d.space()
		default:
			return nil, d.fail("Expecting ',' delimiter", d.i)
		}
	}
}

func (d *jsonDecoder) object(depth int) (any, error) {
	m := &Dict{}
	d.i++
	d.space()
	if d.peek() == '}' {
		d.i++
		return m, nil
	}
	for {
		if d.peek() != '"' {
			return nil, d.fail("Expecting property name enclosed in double quotes", d.i)
		}
		k, err := d.text()
		if err != nil {
			return nil, err
		}
		d.space()
		if d.peek() != ':' {
			return nil, d.fail("Expecting ':' delimiter", d.i)
		}
		d.i++
		d.space()
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m.Set(k, v)
		d.space()
		switch d.peek() {
		case '}':
			d.i++
			return m, nil
		case ',':
			d.i++
			d.space()
		default:
			return nil, d.fail("Expecting ',' delimiter", d.i)
		}
	}
}

func (d *jsonDecoder) text() (string, error) {
	start := d.i
	d.i++
	for j := d.i; j < len(d.s); j++ {
		switch c := d.s[j]; {
		case c == '"':
			s := d.s[d.i:j]
			d.i = j + 1
			return s, nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", d.fail("Invalid control character at", j)
		}
	}
	return "", d.fail("Unterminated string starting at", start)
}

func (d *jsonDecoder) escaped(start int) (string, error) {
	var b []byte
	for d.i < len(d.s) {
		c := d.s[d.i]
		switch {
		case c == '"':
			d.i++
			return string(b), nil
		case c < ' ':
			return "", d.fail("Invalid control character at", d.i)
		case c != '\\':
			b = append(b, c)
			d.i++
			continue
		}
		d.i++
		if d.i >= len(d.s) {
			break
		}
		if at := strings.IndexByte(`"\/bfnrt`, d.s[d.i]); at >= 0 {
			b = append(b, "\"\\/\b\f\n\r\t"[at])
			d.i++
			continue
		}
		if d.s[d.i] != 'u' {
			return "", d.fail("Invalid \\escape", d.i-1)
		}
		r, err := d.unicode()
		if err != nil {
			return "", err
		}
		b = utf8.AppendRune(b, r)
	}
	return "", d.fail("Unterminated string starting at", start)
}

func (d *jsonDecoder) unicode() (rune, error) {
	hex := func() (rune, bool) {
		if d.i+5 > len(d.s) {
			return 0, false
		}
		v, err := strconv.ParseUint(d.s[d.i+1:d.i+5], 16, 32)
		if err == nil {
			d.i += 5
		}
		return rune(v), err == nil
	}
	r, ok := hex()
	if !ok {
		return 0, d.fail("Invalid \\uXXXX escape", d.i)
	}
	if utf16.IsSurrogate(r) && strings.HasPrefix(d.s[d.i:], `\u`) {
		mark := d.i
		d.i++
		if lo, ok := hex(); ok {
			if full := utf16.DecodeRune(r, lo); full != utf8.RuneError {
				return full, nil
			}
		}
		d.i = mark
	}
	return r, nil
}
