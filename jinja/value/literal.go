package value

import (
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/runenames"
)

// ParseLiteral is Python's ast.literal_eval: numbers, strings, bytes, tuples, lists, dicts, True, False and
// None. False when text is no literal. Sets and complex numbers are none here.
func ParseLiteral(text string) (any, bool) { return parseLiteral(text, false) }

// ParseLooseLiteral is ParseLiteral with JSON's true, false and null too, as Ansible reads text that
// looks like a list or dict.
func ParseLooseLiteral(text string) (any, bool) { return parseLiteral(text, true) }

func parseLiteral(text string, json bool) (any, bool) {
	text = skipBlankLines(text)
	if text == "" || text[0] == ' ' || text[0] == '\t' {
		return nil, false // Python takes white space before the first token as a wrong indentation
	}
	p := literalParser{s: text, json: json}
	v, ok := p.top()
	if !ok {
		return nil, false
	}
	end := p.i
	p.space(true)
	if p.i < len(p.s) {
		return nil, false
	}
	at := strings.LastIndexByte(text[end:], '\n')
	lastLine := text[end+at+1:]
	return v, at < 0 || lastLine == "" || strings.Trim(lastLine, " \t") != ""
}

// skipBlankLines takes lines away that are empty or comments.
func skipBlankLines(text string) string {
	for {
		end := strings.IndexByte(text, '\n')
		if end < 0 {
			return text
		}
		if line := strings.Trim(text[:end], " \t\f\r"); line != "" && line[0] != '#' {
			return text
		}
		text = text[end+1:]
	}
}

type literalParser struct {
	s     string
	i     int
	depth int
	json  bool
}

func (p *literalParser) space(newlines bool) {
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == ' ' || c == '\t' || c == '\f':
		case (c == '\n' || c == '\r') && newlines:
		case c == '#':
			for p.i+1 < len(p.s) && p.s[p.i+1] != '\n' {
				p.i++
			}
		default:
			return
		}
		p.i++
	}
}

// top reads an expression that may be a tuple without parentheses.
func (p *literalParser) top() (any, bool) {
	p.space(true)
	v, ok := p.value()
	if !ok {
		return nil, false
	}
	p.space(p.depth > 0)
	if p.peek() != ',' {
		return v, true
	}
	items, ok := p.rest(Tuple{v}, 0)
	return items, ok
}

// rest reads ", item, item" up to the byte end (0: the end of the text).
func (p *literalParser) rest(items Tuple, end byte) (Tuple, bool) {
	for p.peek() == ',' {
		p.i++
		p.space(p.depth > 0)
		if p.peek() == end || end == 0 && (p.i == len(p.s) || p.s[p.i] == '\n') {
			return items, true
		}
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		items = append(items, v)
		p.space(p.depth > 0)
	}
	return items, true
}

func (p *literalParser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *literalParser) value() (any, bool) {
	if p.depth > 180 {
		return nil, false
	}
	switch c := p.peek(); {
	case c == '[' || c == '(':
		return p.sequence()
	case c == '{':
		return p.dict()
	case c == '-' || c == '+':
		return p.signed()
	case c >= '0' && c <= '9' || c == '.':
		return p.number()
	case c == '\'' || c == '"':
		return p.strings()
	case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_':
		return p.word()
	}
	return nil, false
}

func (p *literalParser) sequence() (any, bool) {
	start := p.s[p.i]
	end := byte(']')
	if start == '(' {
		end = ')'
	}
	p.i++
	p.depth++
	p.space(true)
	items := Tuple{}
	comma := true
	if p.peek() != end {
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		p.space(true)
		comma = p.peek() == ','
		if items, ok = p.rest(Tuple{v}, end); !ok {
			return nil, false
		}
		p.space(true)
	}
	p.depth--
	if p.peek() != end {
		return nil, false
	}
	p.i++
	if start == '[' {
		return &List{Items: items}, true
	}
	if len(items) == 1 && !comma {
		return items[0], true
	}
	return items, true
}

func (p *literalParser) dict() (any, bool) {
	p.i++
	p.depth++
	d := &Dict{}
	for {
		p.space(true)
		if p.peek() == '}' {
			p.i++
			p.depth--
			return d, true
		}
		k, ok := p.value()
		if !ok || Hashable(k) != nil {
			return nil, false
		}
		p.space(true)
		if p.peek() != ':' {
			return nil, false
		}
		p.i++
		p.space(true)
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		d.Set(k, v)
		p.space(true)
		switch p.peek() {
		case ',':
			p.i++
		case '}':
		default:
			return nil, false
		}
	}
}

func (p *literalParser) signed() (any, bool) {
	minus := p.s[p.i] == '-'
	p.i++
	p.space(p.depth > 0)
	if c := p.peek(); c != '.' && (c < '0' || c > '9') {
		return nil, false
	}
	v, ok := p.number()
	if !ok || !minus {
		return v, ok
	}
	switch x := v.(type) {
	case int:
		return -x, true
	case float64:
		return -x, true
	case *big.Int:
		return NormalInt(new(big.Int).Neg(x)), true
	}
	return nil, false
}

func (p *literalParser) number() (any, bool) {
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		isHex := strings.HasPrefix(p.s[start:], "0x") || strings.HasPrefix(p.s[start:], "0X")
		exponentSign := (c == '+' || c == '-') && !isHex && p.i > start && (p.s[p.i-1] == 'e' || p.s[p.i-1] == 'E')
		word := c == '.' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !word && !exponentSign {
			break
		}
		p.i++
	}
	return ParseNumber(p.s[start:p.i])
}

// ParseNumber reads a number as Python source writes it: 10, 1_000, 0x1f, 0o17, 0b1, 1.5, 1e3.
func ParseNumber(s string) (any, bool) {
	if s == "" || strings.HasSuffix(s, "_") || strings.Contains(s, "__") || s[0] == '_' {
		return nil, false
	}
	plain := strings.ReplaceAll(s, "_", "")
	if len(plain) > 1 && plain[0] == '0' && strings.ContainsRune("xXoObB", rune(plain[1])) {
		b, ok := new(big.Int).SetString(plain, 0)
		if !ok {
			return nil, false
		}
		return NormalInt(b), true
	}
	if strings.ContainsAny(plain, ".eE") {
		if strings.ContainsAny(plain, "xXpPiInN") {
			return nil, false
		}
		f, err := strconv.ParseFloat(plain, 64)
		if err != nil && f == 0 {
			return nil, false
		}
		return f, true
	}
	if plain[0] == '0' && strings.Trim(plain, "0") != "" || len(plain) > maxDigits {
		return nil, false
	}
	if i, err := strconv.Atoi(plain); err == nil {
		return i, true
	}
	b, ok := new(big.Int).SetString(plain, 10)
	if !ok {
		return nil, false
	}
	return NormalInt(b), true
}

// NormalInt gives b as an int when it fits, which is how integers are kept.
func NormalInt(b *big.Int) any {
	if b.IsInt64() {
		return int(b.Int64())
	}
	return b
}

func (p *literalParser) word() (any, bool) {
	start := p.i
	for p.i < len(p.s) && (p.s[p.i] == '_' || p.s[p.i] >= '0' && p.s[p.i] <= '9' || p.s[p.i]|32 >= 'a' && p.s[p.i]|32 <= 'z') {
		p.i++
	}
	word := p.s[start:p.i]
	if c := p.peek(); c == '\'' || c == '"' {
		p.i = start
		return p.strings()
	}
	switch {
	case word == "True" || p.json && word == "true":
		return true, true
	case word == "False" || p.json && word == "false":
		return false, true
	case word == "None" || p.json && word == "null":
		return nil, true
	}
	return nil, false
}

// strings reads adjacent string literals as one.
func (p *literalParser) strings() (any, bool) {
	var text strings.Builder
	isBytes, first := false, true
	for {
		at := p.i
		for p.i < len(p.s) && strings.IndexByte("bBrRuU", p.s[p.i]) >= 0 {
			p.i++
		}
		prefix := strings.ToLower(p.s[at:p.i])
		if c := p.peek(); c != '\'' && c != '"' || len(prefix) > 2 {
			p.i = at
			break
		}
		b := strings.Contains(prefix, "b")
		if !first && b != isBytes || prefix == "bu" || prefix == "ub" || prefix == "ur" || prefix == "ru" {
			return nil, false
		}
		isBytes, first = b, false
		s, ok := p.quoted(strings.Contains(prefix, "r"), b)
		if !ok {
			return nil, false
		}
		text.WriteString(s)
		p.space(p.depth > 0)
	}
	if first {
		return nil, false
	}
	if isBytes {
		return Bytes(text.String()), true
	}
	return text.String(), true
}

func (p *literalParser) quoted(raw, isBytes bool) (string, bool) {
	q := p.s[p.i : p.i+1]
	triple := strings.HasPrefix(p.s[p.i:], q+q+q)
	if triple {
		q += q + q
	}
	p.i += len(q)
	start := p.i
	for p.i < len(p.s) && !strings.HasPrefix(p.s[p.i:], q) {
		if p.s[p.i] == '\n' && !triple {
			return "", false
		}
		if p.s[p.i] == '\\' {
			p.i++
		}
		p.i++
	}
	if p.i >= len(p.s) {
		return "", false
	}
	body := p.s[start:p.i]
	p.i += len(q)
	if raw {
		return body, true
	}
	s, err := Unescape(body, isBytes)
	return s, err == nil
}

// Unescape undoes the backslash escapes of a Python string; unknown ones stay as they
// are. With bytes, \u and \U are none and \xff is one byte.
func Unescape(s string, bytes bool) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", Errorf(ValueError, "\\ at end of string")
		}
		n, out, err := escapeAt(s[i:], bytes)
		if err != nil {
			return "", err
		}
		b = append(b, out...)
		i += n - 1
	}
	return string(b), nil
}

const (
	simpleEscapes = "\n\\'\"abfnrtv"
	simpleMeaning = "\x00\\'\"\a\b\f\n\r\t\v"
)

// escapeAt reads the escape after a backslash: how many bytes it takes and what it means.
func escapeAt(s string, bytes bool) (n int, out string, err error) {
	c := s[0]
	if c == '\n' {
		return 1, "", nil
	}
	if at := strings.IndexByte(simpleEscapes, c); at >= 0 {
		return 1, simpleMeaning[at : at+1], nil
	}
	switch {
	case c >= '0' && c <= '7':
		n = 1
		for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint(s[:n], 8, 32)
		return n, charText(rune(v), bytes), nil
	case c == 'x':
		return hexEscape(s, 2, "\\xXX", bytes)
	case c == 'u' && !bytes:
		return hexEscape(s, 4, "\\uXXXX", false)
	case c == 'U' && !bytes:
		return hexEscape(s, 8, "\\UXXXXXXXX", false)
	case c == 'N' && !bytes:
		return namedEscape(s)
	}
	_, size := utf8.DecodeRuneInString(s)
	return size, "\\" + s[:size], nil
}

// namedEscape reads N{EURO SIGN}.
func namedEscape(s string) (int, string, error) {
	end := strings.IndexByte(s, '}')
	if end < 3 || s[1] != '{' {
		return 0, "", Errorf(ValueError, "malformed \\N character escape")
	}
	name := strings.ToUpper(s[2:end])
	if code, ok := strings.CutPrefix(name, "CJK UNIFIED IDEOGRAPH-"); ok {
		if v, err := strconv.ParseUint(code, 16, 32); err == nil && unicode.Is(unicode.Unified_Ideograph, rune(v)) {
			return end + 1, string(rune(v)), nil
		}
	}
	// The table goes from characters to names; going through all takes some 50 ms, once for a template.
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if n := runenames.Name(r); n == name && n[0] != '<' {
			return end + 1, string(r), nil
		}
	}
	return 0, "", Errorf(ValueError, "unknown Unicode character name")
}

func hexEscape(s string, digits int, form string, bytes bool) (int, string, error) {
	if len(s) < digits+1 {
		return 0, "", Errorf(ValueError, "truncated %s escape", form)
	}
	v, err := strconv.ParseUint(s[1:digits+1], 16, 32)
	if err != nil {
		return 0, "", Errorf(ValueError, "truncated %s escape", form)
	}
	if v > utf8.MaxRune {
		return 0, "", Errorf(ValueError, "illegal Unicode character")
	}
	return digits + 1, charText(rune(v), bytes), nil
}

func charText(r rune, bytes bool) string {
	if bytes {
		return string([]byte{byte(r)})
	}
	return string(r)
}
