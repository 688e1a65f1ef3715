package inventory

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
)

// iniValue reads the value of k=v as Ansible does: a Python literal when it is
// one, else text. Text with Jinja becomes a template.
func iniValue(s string, pos diag.Pos) any {
	v, ok := pythonLiteral(s)
	if !ok {
		v = s
	}
	return templates(v, pos)
}

// templates makes templates of the strings with Jinja in a value.
func templates(v any, pos diag.Pos) any {
	switch x := v.(type) {
	case string:
		if document.HasTemplate(x) {
			return &value.Template{Text: x, Pos: pos}
		}
	case *value.List:
		for i, item := range x.Items {
			x.Items[i] = templates(item, pos)
		}
	case value.Tuple:
		for i, item := range x {
			x[i] = templates(item, pos)
		}
	case *value.Dict:
		for k, item := range x.All() {
			x.Set(k, templates(item, pos))
		}
	}
	return v
}

// errLiteral says that text is no literal; it never reaches a user.
var errLiteral = errors.New("not a literal")

// maxNesting bounds brackets within brackets.
const maxNesting = 90

// pythonLiteral is Python's ast.literal_eval for what an inventory may hold.
func pythonLiteral(s string) (v any, ok bool) {
	p := literal{text: strings.TrimLeft(s, " \t")}
	v, err := p.items()
	if err != nil {
		return nil, false
	}
	p.space()
	return v, p.at == len(p.text)
}

// literal reads Python literals from text.
type literal struct {
	text  string
	at    int
	depth int
}

// space skips blanks, and a comment, which ends the text.
func (p *literal) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t' || p.text[p.at] == '\f') {
		p.at++
	}
	if p.at < len(p.text) && p.text[p.at] == '#' {
		p.at = len(p.text)
	}
}

func (p *literal) peek() byte {
	p.space()
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// items reads a value, or a tuple without parentheses.
func (p *literal) items() (any, error) {
	v, err := p.value()
	if err != nil || p.peek() != ',' {
		return v, err
	}
	tuple := value.Tuple{v}
	for p.peek() == ',' {
		p.at++
		if c := p.peek(); c == 0 || c == ')' {
			break
		}
		if v, err = p.value(); err != nil {
			return nil, err
		}
		tuple = append(tuple, v)
	}
	return tuple, nil
}

func (p *literal) value() (any, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, errLiteral
	}
	defer func() { p.depth-- }()
	switch c := p.peek(); {
	case c == '[':
		p.at++
		items, err := p.list(']')
		return value.NewList(items...), err
	case c == '{':
		p.at++
		return p.braces()
	case c == '(':
		p.at++
		if p.peek() == ')' {
			p.at++
			return value.Tuple{}, nil
		}
		v, err := p.items()
		if err != nil || p.peek() != ')' {
			return nil, errLiteral
		}
		p.at++
		return v, nil
	case c == '\'' || c == '"':
		return p.strings()
	case c >= '0' && c <= '9' || c == '.':
		return p.number(false)
	case c == '-' || c == '+':
		return p.signed()
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return p.name()
	}
	return nil, errLiteral
}

// list reads values up to a closing bracket.
func (p *literal) list(end byte) ([]any, error) {
	items := []any{}
	for {
		if p.peek() == end {
			p.at++
			return items, nil
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		switch p.peek() {
		case ',':
			p.at++
		case end:
		default:
			return nil, errLiteral
		}
	}
}

// braces reads a dict, or a set, which becomes a list.
func (p *literal) braces() (any, error) {
	dict := value.NewDict()
	if p.peek() == '}' {
		p.at++
		return dict, nil
	}
	var set []any
	for first := true; ; first = false {
		if p.peek() == '}' && !first {
			p.at++
			break
		}
		k, err := p.value()
		if err != nil || !hashable(k) {
			return nil, errLiteral
		}
		isDict := p.peek() == ':'
		if !first && isDict != (set == nil) {
			return nil, errLiteral
		}
		if isDict {
			p.at++
			v, err := p.value()
			if err != nil {
				return nil, err
			}
			dict.Set(k, v)
		} else {
			set = append(set, k)
		}
		if c := p.peek(); c == ',' {
			p.at++
		} else if c != '}' {
			return nil, errLiteral
		}
	}
	if set != nil {
		return value.NewList(set...), nil
	}
	return dict, nil
}

func hashable(k any) bool {
	switch k.(type) {
	case *value.List, *value.Dict, value.Tuple, value.Bytes:
		return false
	}
	return true
}

// signed reads a number with its sign.
func (p *literal) signed() (any, error) {
	negative := p.text[p.at] == '-'
	p.at++
	if c := p.peek(); (c < '0' || c > '9') && c != '.' {
		return nil, errLiteral
	}
	return p.number(negative)
}

func (p *literal) number(negative bool) (any, error) {
	start := p.at
	hex := strings.HasPrefix(strings.ToLower(p.text[p.at:]), "0x")
	for p.at < len(p.text) {
		c := p.text[p.at]
		exponentSign := (c == '-' || c == '+') && !hex && p.at > start && (p.text[p.at-1]|0x20) == 'e'
		if !isWordByte(c) && c != '.' && !exponentSign {
			break
		}
		p.at++
	}
	text := p.text[start:p.at]
	if strings.HasPrefix(text, "_") || strings.HasSuffix(text, "_") || strings.Contains(text, "__") {
		return nil, errLiteral
	}
	sign := ""
	if negative {
		sign = "-"
	}
	if n, ok := new(big.Int).SetString(sign+text, 0); ok && !legacyOctal(text) {
		if n.IsInt64() {
			return int(n.Int64()), nil
		}
		return n, nil
	}
	if strings.Trim(text, "0_") == "" {
		return 0, nil
	}
	if strings.ContainsAny(text, "xXpP") || !strings.ContainsAny(text, ".eE") {
		return nil, errLiteral
	}
	f, err := strconv.ParseFloat(sign+strings.ReplaceAll(text, "_", ""), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, errLiteral
	}
	return f, nil
}

// legacyOctal recognises 0644, which Go takes and Python refuses.
func legacyOctal(s string) bool {
	return len(s) > 1 && s[0] == '0' && (s[1] >= '0' && s[1] <= '9' || s[1] == '_')
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// name reads True, False, None, or a string with a prefix.
func (p *literal) name() (any, error) {
	start := p.at
	for p.at < len(p.text) && isWordByte(p.text[p.at]) {
		p.at++
	}
	word := p.text[start:p.at]
	if p.at < len(p.text) && (p.text[p.at] == '\'' || p.text[p.at] == '"') {
		switch strings.ToLower(word) {
		case "r", "u", "b", "br", "rb":
			p.at = start
			return p.strings()
		}
		return nil, errLiteral
	}
	switch word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	}
	return nil, errLiteral
}

// strings reads one or more string literals, which Python joins.
func (p *literal) strings() (any, error) {
	var b strings.Builder
	for {
		start := p.at
		raw := false
		for p.at < len(p.text) && strings.IndexByte("rRuUbB", p.text[p.at]) >= 0 {
			raw = raw || p.text[p.at]|0x20 == 'r'
			p.at++
		}
		if p.at >= len(p.text) || p.text[p.at] != '\'' && p.text[p.at] != '"' {
			if start == p.at && b.Len() == 0 {
				return nil, errLiteral
			}
			p.at = start
			return b.String(), nil
		}
		if err := p.oneString(&b, raw); err != nil {
			return nil, err
		}
		if p.peek() == 0 {
			return b.String(), nil
		}
	}
}

func (p *literal) oneString(b *strings.Builder, raw bool) error {
	quote := p.text[p.at : p.at+1]
	if strings.HasPrefix(p.text[p.at:], quote+quote+quote) {
		quote += quote + quote
	}
	p.at += len(quote)
	for p.at < len(p.text) {
		if strings.HasPrefix(p.text[p.at:], quote) {
			p.at += len(quote)
			return nil
		}
		c := p.text[p.at]
		if c != '\\' {
			b.WriteByte(c)
			p.at++
			continue
		}
		if p.at+1 >= len(p.text) {
			return errLiteral
		}
		if raw {
			b.WriteString(p.text[p.at : p.at+2])
			p.at += 2
			continue
		}
		p.at++
		if err := p.escape(b); err != nil {
			return err
		}
	}
	return errLiteral
}

// escape reads what follows a backslash.
func (p *literal) escape(b *strings.Builder) error {
	c := p.text[p.at]
	p.at++
	const from, to = `\'"abfnrtv`, "\\'\"\a\b\f\n\r\t\v"
	if i := strings.IndexByte(from, c); i >= 0 {
		b.WriteByte(to[i])
		return nil
	}
	digits, base := 0, 16
	switch c {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case '0', '1', '2', '3', '4', '5', '6', '7':
		p.at--
		base = 8
		for digits < 3 && p.at+digits < len(p.text) && p.text[p.at+digits] >= '0' && p.text[p.at+digits] <= '7' {
			digits++
		}
	case 'N':
		return errLiteral
	default:
		b.WriteByte('\\')
		b.WriteByte(c)
		return nil
	}
	if p.at+digits > len(p.text) {
		return errLiteral
	}
	n, err := strconv.ParseUint(p.text[p.at:p.at+digits], base, 32)
	if err != nil || n > utf8.MaxRune {
		return errLiteral
	}
	p.at += digits
	b.WriteRune(rune(n))
	return nil
}
