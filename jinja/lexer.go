package jinja

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// lexer splits a template into tokens. Its rules are those of Jinja 3.1: tags begin at the
// earliest delimiter, the longer one first, and end where brackets are balanced.
type lexer struct {
	src          string
	pos          int
	o            *Options
	d            delimiters
	tokens       []token
	brackets     []byte
	lineStarting bool // the text before pos ended a line
	rawStrings   bool // backslashes in strings stand for themselves here
}

type syntaxError struct {
	pos  int
	text string
	name string // the misspelt thing, for a near name
	near []string
}

func (e *syntaxError) Error() string { return e.text }

func (l *lexer) fail(pos int, format string, args ...any) error {
	return &syntaxError{pos: pos, text: fmt.Sprintf(format, args...)}
}

// normalize gives every line the same end, and drops the last one unless it is kept.
func normalize(src string, keepLast bool) string {
	if strings.IndexByte(src, '\r') >= 0 {
		src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	}
	if !keepLast {
		src = strings.TrimSuffix(src, "\n")
	}
	return src
}

// lexTemplate gives the tokens of a template; src is normalized.
func lexTemplate(src string, o *Options) ([]token, error) {
	l := lexer{src: src, o: o, d: delimitersOf(o), lineStarting: true}
	l.tokens = make([]token, 0, 16+len(src)/6)
	for l.pos < len(l.src) {
		if err := l.root(); err != nil {
			return nil, err
		}
	}
	l.add(token{kind: tEOF, pos: len(l.src)})
	return l.tokens, nil
}

// lexExpression gives the tokens of a bare expression.
func lexExpression(src string, o *Options) ([]token, error) {
	l := lexer{src: src, o: o, rawStrings: o.RawStrings}
	l.tokens = make([]token, 0, 8+len(src)/4)
	for l.pos < len(l.src) {
		if err := l.expressionToken(); err != nil {
			return nil, err
		}
	}
	l.add(token{kind: tEOF, pos: len(l.src)})
	return l.tokens, nil
}

func (l *lexer) add(t token) { l.tokens = append(l.tokens, t) }

// root reads text up to the next tag, and the tag.
func (l *lexer) root() error {
	start := l.pos
	tag := l.findTag()
	if tag.what == tagNone {
		l.data(start, l.src[start:])
		l.pos = len(l.src)
		return nil
	}
	text := l.src[start:tag.at]
	rest := tag.at + tag.size
	sign := byte(0)
	if rest < len(l.src) && (l.src[rest] == '-' || l.src[rest] == '+') && tag.what != tagRaw {
		sign = l.src[rest]
		rest++
	} else if tag.what == tagRaw {
		sign = tag.sign
	}
	l.data(start, l.stripBefore(text, sign, tag.what))
	l.lineStarting = strings.HasSuffix(l.src[start:rest], "\n")
	l.pos = rest
	switch tag.what {
	case tagComment:
		return l.comment(tag.at)
	case tagRaw:
		return l.raw(tag.at)
	case tagVariable:
		l.add(token{kind: tVariableBegin, pos: tag.at})
		return l.inside(tVariableEnd, l.d.variableEnd)
	case tagBlock:
		l.add(token{kind: tBlockBegin, pos: tag.at})
		return l.inside(tBlockEnd, l.d.blockEnd)
	case tagLine:
		l.add(token{kind: tBlockBegin, pos: tag.at})
		return l.lineStatement()
	case tagLineComment:
		if end := strings.IndexByte(l.src[l.pos:], '\n'); end >= 0 {
			l.pos += end
		} else {
			l.pos = len(l.src)
		}
		l.lineStarting = false
	}
	return nil
}

func (l *lexer) data(pos int, text string) {
	if text == "" {
		return
	}
	if l.o.NewlineSequence != "" && l.o.NewlineSequence != "\n" {
		text = strings.ReplaceAll(text, "\n", l.o.NewlineSequence)
	}
	l.add(token{kind: tData, pos: pos, text: text})
}

// stripBefore takes the white space before a tag away that its sign, or lstrip_blocks, says.
func (l *lexer) stripBefore(text string, sign byte, what tagKind) string {
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || !l.o.LstripBlocks || what == tagVariable:
		return text
	}
	lineAt := strings.LastIndexByte(text, '\n') + 1
	if (lineAt > 0 || l.lineStarting) && strings.TrimLeftFunc(text[lineAt:], isSpace) == "" {
		return text[:lineAt]
	}
	return text
}

// isSpace is Python's str.isspace for one character.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

// closing reports how a tag that ends at pos does so: the text consumed, or 0.
// Plus says that a + before the delimiter is allowed too.
func (l *lexer) closing(pos int, end string, trim, plus bool) int {
	s := l.src[pos:]
	if len(s) > 0 && s[0] == '-' && strings.HasPrefix(s[1:], end) {
		rest := strings.TrimLeftFunc(s[1+len(end):], isSpace)
		return len(s) - len(rest)
	}
	if plus && len(s) > 0 && s[0] == '+' && strings.HasPrefix(s[1:], end) {
		return 1 + len(end)
	}
	if strings.HasPrefix(s, end) {
		n := len(end)
		if trim && l.o.TrimBlocks && n < len(s) && s[n] == '\n' {
			n++
		}
		return n
	}
	return 0
}

func (l *lexer) leave(n int) {
	l.lineStarting = n > 0 && l.src[l.pos+n-1] == '\n'
	l.pos += n
}

func (l *lexer) comment(at int) error {
	for i := l.pos; i < len(l.src); i++ {
		if n := l.closing(i, l.d.commentEnd, true, true); n > 0 {
			l.pos = i
			l.leave(n)
			return nil
		}
	}
	return l.fail(at, "Missing end of comment tag")
}

func (l *lexer) raw(at int) error {
	start := l.pos
	for i := l.pos; i < len(l.src); i++ {
		step := strings.Index(l.src[i:], l.d.blockStart)
		if step < 0 {
			break
		}
		i += step
		sign, end := l.wordTag(i, "endraw")
		if end == 0 {
			continue
		}
		if n := l.closing(end, l.d.blockEnd, true, true); n > 0 {
			l.data(start, l.stripBefore(l.src[start:i], sign, tagRaw))
			l.pos = end
			l.leave(n)
			return nil
		}
	}
	return l.fail(at, "Missing end of raw directive")
}

// wordTag recognizes a block tag of one word at i: its sign and where the word and the space behind it end.
func (l *lexer) wordTag(i int, word string) (sign byte, end int) {
	j := i + len(l.d.blockStart)
	if j < len(l.src) && (l.src[j] == '-' || l.src[j] == '+') {
		sign = l.src[j]
		j++
	}
	rest := strings.TrimLeftFunc(l.src[j:], isSpace)
	if !strings.HasPrefix(rest, word) {
		return sign, 0
	}
	rest = strings.TrimLeftFunc(rest[len(word):], isSpace)
	return sign, len(l.src) - len(rest)
}

// inside reads the tokens of a tag up to its end.
func (l *lexer) inside(end kind, delimiter string) error {
	l.brackets = l.brackets[:0]
	l.rawStrings = l.o.RawStrings && end != tBlockEnd
	for l.pos < len(l.src) {
		if len(l.brackets) == 0 {
			if n := l.closing(l.pos, delimiter, end == tBlockEnd, end == tBlockEnd); n > 0 {
				l.add(token{kind: end, pos: l.pos})
				l.leave(n)
				return nil
			}
		}
		if err := l.expressionToken(); err != nil {
			return err
		}
	}
	return nil
}

// lineStatement reads tokens up to the end of the line, or of the brackets open there.
func (l *lexer) lineStatement() error {
	l.brackets = l.brackets[:0]
	for {
		if len(l.brackets) == 0 {
			rest := strings.TrimLeftFunc(l.src[l.pos:], isSpace)
			space := l.src[l.pos : len(l.src)-len(rest)]
			at := strings.LastIndexByte(space, '\n')
			if rest == "" && at < 0 {
				at = len(space) - 1
			}
			if rest == "" || at >= 0 {
				l.add(token{kind: tBlockEnd, pos: l.pos})
				l.leave(at + 1)
				return nil
			}
		}
		if l.pos >= len(l.src) {
			return nil
		}
		if err := l.expressionToken(); err != nil {
			return err
		}
	}
}

// expressionToken reads one token of an expression, or white space.
func (l *lexer) expressionToken() error {
	c := l.src[l.pos]
	switch {
	case c == ' ' || c >= '\t' && c <= '\r' || c >= 0x1c && c <= 0x1f:
		l.pos++
		return nil
	case c >= '0' && c <= '9':
		return l.number()
	case c == '"' || c == '\'':
		return l.quoted(c)
	case c == '_' || c|32 >= 'a' && c|32 <= 'z':
		l.name()
		return nil
	case c >= utf8.RuneSelf:
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if isSpace(r) {
			l.pos += n
			return nil
		}
		if unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) {
			l.name()
			return nil
		}
		return l.fail(l.pos, "unexpected char %s at %d", quote(string(r)), l.pos)
	}
	return l.operator(c)
}

func (l *lexer) name() {
	start := l.pos
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if c == '_' || c >= '0' && c <= '9' || c|32 >= 'a' && c|32 <= 'z' {
			l.pos++
			continue
		}
		if c < utf8.RuneSelf {
			break
		}
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.In(r, unicode.Nl, unicode.Mn, unicode.Mc, unicode.Pc) {
			break
		}
		l.pos += n
	}
	l.add(token{kind: tName, pos: start, text: l.src[start:l.pos]})
}

func (l *lexer) quoted(q byte) error {
	start := l.pos
	for i := start + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\\':
			i++
		case q:
			s, err := l.unescape(l.src[start+1:i], q)
			if err != nil {
				return l.fail(start, "%s", err.Error())
			}
			l.add(token{kind: tString, pos: start, text: s})
			l.pos = i + 1
			return nil
		}
	}
	return l.fail(start, "unexpected char %s at %d", quote(string(q)), start)
}

// unescape gives the text of a string between its quotes.
func (l *lexer) unescape(s string, q byte) (string, error) {
	if l.rawStrings {
		return strings.ReplaceAll(s, `\`+string(q), string(q)), nil
	}
	return value.Unescape(s, false)
}

// number reads 1_000, 0x1f, 1.5, 1e3; after a dot only whole decimals, so that a.0.1 works.
func (l *lexer) number() error {
	start := l.pos
	n := floatLength(l.src[start:])
	if n == 0 || start > 0 && l.src[start-1] == '.' {
		n = integerLength(l.src[start:])
		v, ok := value.ParseNumber(l.src[start : start+n])
		if !ok {
			return l.fail(start, "invalid number %s", quote(l.src[start:start+n]))
		}
		l.add(token{kind: tInteger, pos: start, text: l.src[start : start+n], val: v})
	} else {
		v, ok := value.ParseNumber(l.src[start : start+n])
		if !ok {
			return l.fail(start, "invalid number %s", quote(l.src[start:start+n]))
		}
		l.add(token{kind: tFloat, pos: start, text: l.src[start : start+n], val: v})
	}
	l.pos += n
	return nil
}

// digitsLength measures digits of a base with single underscores between them.
func digitsLength(s string, isDigit func(byte) bool) int {
	n := 0
	for n < len(s) {
		switch {
		case isDigit(s[n]):
			n++
		case s[n] == '_' && n > 0 && n+1 < len(s) && isDigit(s[n+1]):
			n++
		default:
			return n
		}
	}
	return n
}

func isDecimal(c byte) bool { return c >= '0' && c <= '9' }
func isOctal(c byte) bool   { return c >= '0' && c <= '7' }
func isBinary(c byte) bool  { return c == '0' || c == '1' }
func isZero(c byte) bool    { return c == '0' }
func isHex(c byte) bool     { return isDecimal(c) || c|32 >= 'a' && c|32 <= 'f' }

// floatLength is 0 when s does not begin with a float.
func floatLength(s string) int {
	n := digitsLength(s, isDecimal)
	end := 0
	if n < len(s) && s[n] == '.' {
		if d := digitsLength(s[n+1:], isDecimal); d > 0 {
			n += 1 + d
			end = n
		}
	}
	if n < len(s) && s[n]|32 == 'e' {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if d := digitsLength(s[m:], isDecimal); d > 0 {
			end = m + d
		}
	}
	return end
}

func integerLength(s string) int {
	if s[0] == '0' {
		if len(s) > 2 {
			isDigit := map[byte]func(byte) bool{'x': isHex, 'o': isOctal, 'b': isBinary}[s[1]|32]
			if isDigit != nil {
				body := strings.TrimPrefix(s[2:], "_")
				if d := digitsLength(body, isDigit); d > 0 {
					return len(s) - len(body) + d
				}
			}
		}
		return digitsLength(s, isZero)
	}
	return digitsLength(s, isDecimal)
}

func (l *lexer) operator(c byte) error {
	next := byte(0)
	if l.pos+1 < len(l.src) {
		next = l.src[l.pos+1]
	}
	k, n := operatorOf(c, next)
	if n == 0 {
		return l.fail(l.pos, "unexpected char %s at %d", quote(string(c)), l.pos)
	}
	switch c {
	case '(':
		l.brackets = append(l.brackets, ')')
	case '[':
		l.brackets = append(l.brackets, ']')
	case '{':
		l.brackets = append(l.brackets, '}')
	case ')', ']', '}':
		if len(l.brackets) == 0 {
			return l.fail(l.pos, "unexpected '%c'", c)
		}
		want := l.brackets[len(l.brackets)-1]
		if want != c {
			return l.fail(l.pos, "unexpected '%c', expected '%c'", c, want)
		}
		l.brackets = l.brackets[:len(l.brackets)-1]
	}
	l.add(token{kind: k, pos: l.pos})
	l.pos += n
	return nil
}

func operatorOf(c, next byte) (kind, int) {
	switch {
	case c == '/' && next == '/':
		return tFloorDiv, 2
	case c == '*' && next == '*':
		return tPow, 2
	case c == '=' && next == '=':
		return tEq, 2
	case c == '!' && next == '=':
		return tNe, 2
	case c == '>' && next == '=':
		return tGtEq, 2
	case c == '<' && next == '=':
		return tLtEq, 2
	}
	if k := singles[c]; k != tEOF {
		return k, 1
	}
	return tEOF, 0
}

var singles = [256]kind{
	'+': tAdd, '-': tSub, '/': tDiv, '*': tMul, '%': tMod, '~': tTilde,
	'[': tLBracket, ']': tRBracket, '(': tLParen, ')': tRParen, '{': tLBrace, '}': tRBrace,
	'>': tGt, '<': tLt, '=': tAssign, '.': tDot, ':': tColon, '|': tPipe, ',': tComma, ';': tSemicolon,
}

// quote gives Python's repr of a string, for messages.
func quote(s string) string {
	r, _ := value.Repr(s)
	return r
}
