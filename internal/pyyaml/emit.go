package pyyaml

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// emitter writes nodes as libyaml's does.
type emitter struct {
	o      Options
	out    strings.Builder
	column int
	indent int
	depth  int // of brackets
	// whitespace is true when white space was written last, indention when only indentation and dashes stand on the line.
	whitespace, indention bool
	openEnded             bool // the last scalar kept its final line ends
}

func (e *emitter) put(s string) {
	e.out.WriteString(s)
	e.column += utf8.RuneCountInString(s)
}

func (e *emitter) lineBreak() {
	e.out.WriteByte('\n')
	e.column = 0
}

func (e *emitter) writeIndent() {
	indent := max(e.indent, 0)
	if !e.indention || e.column > indent || e.column == indent && !e.whitespace {
		e.lineBreak()
	}
	if e.column < indent {
		e.put(strings.Repeat(" ", indent-e.column))
	}
	e.whitespace, e.indention = true, true
}

func (e *emitter) indicator(s string, needSpace, isSpace, isIndention bool) {
	if needSpace && !e.whitespace {
		e.put(" ")
	}
	e.put(s)
	e.whitespace = isSpace
	e.indention = e.indention && isIndention
}

// deeper raises the indentation and gives what to set it back to.
func (e *emitter) deeper(flow, indentless bool) (before int) {
	before = e.indent
	switch {
	case e.indent < 0 && flow:
		e.indent = e.o.Indent
	case e.indent < 0:
		e.indent = 0
	case !indentless:
		e.indent += e.o.Indent
	}
	return before
}

func (e *emitter) document(root *node) {
	if e.o.ExplicitStart {
		e.indicator("---", true, false, false)
	}
	e.node(root, false, false)
	e.writeIndent()
	if e.o.ExplicitEnd || e.openEnded {
		e.indicator("...", true, false, false)
		e.writeIndent()
	}
	if e.column > 0 {
		e.lineBreak()
	}
}

func (e *emitter) node(n *node, inMapping, key bool) {
	if n.anchor != "" {
		e.indicator(n.anchor, true, false, false)
	}
	switch {
	case n.kind == alias:
	case n.kind == scalar:
		e.scalar(n, key)
	case n.kind == sequence && (e.depth > 0 || n.flow || len(n.items) == 0):
		e.flowSequence(n)
	case n.kind == sequence:
		e.blockSequence(n, inMapping)
	case e.depth > 0 || n.flow || len(n.items) == 0:
		e.flowMapping(n)
	default:
		e.blockMapping(n)
	}
}

func (e *emitter) blockSequence(n *node, inMapping bool) {
	before := e.deeper(false, inMapping && !e.indention)
	for _, item := range n.items {
		e.writeIndent()
		e.indicator("-", true, false, true)
		e.node(item, false, false)
	}
	e.indent = before
}

func (e *emitter) blockMapping(n *node) {
	before := e.deeper(false, false)
	for i := 0; i < len(n.items); i += 2 {
		e.writeIndent()
		if simple(n.items[i]) {
			e.node(n.items[i], true, true)
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, true)
			e.node(n.items[i], true, false)
			e.writeIndent()
			e.indicator(":", true, false, true)
		}
		e.node(n.items[i+1], true, false)
	}
	e.indent = before
}

func (e *emitter) flowSequence(n *node) {
	e.indicator("[", true, true, false)
	before := e.deeper(true, false)
	e.depth++
	for i, item := range n.items {
		if i > 0 {
			e.indicator(",", false, false, false)
		}
		if e.column > e.o.Width {
			e.writeIndent()
		}
		e.node(item, false, false)
	}
	e.depth--
	e.indent = before
	e.indicator("]", false, false, false)
}

func (e *emitter) flowMapping(n *node) {
	e.indicator("{", true, true, false)
	before := e.deeper(true, false)
	e.depth++
	for i := 0; i < len(n.items); i += 2 {
		if i > 0 {
			e.indicator(",", false, false, false)
		}
		if e.column > e.o.Width {
			e.writeIndent()
		}
		if simple(n.items[i]) {
			e.node(n.items[i], true, true)
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, false)
			e.node(n.items[i], true, false)
			if e.column > e.o.Width {
				e.writeIndent()
			}
			e.indicator(":", true, false, false)
		}
		e.node(n.items[i+1], true, false)
	}
	e.depth--
	e.indent = before
	e.indicator("}", false, false, false)
}

// simple tells whether a node may be a key without a question mark.
func simple(n *node) bool {
	switch n.kind {
	case alias:
		return true
	case scalar:
		return !strings.ContainsFunc(n.text, isBreak) && len(n.anchor)+len(n.tag)+len(n.text) <= 128
	}
	return len(n.items) == 0
}

func (e *emitter) scalar(n *node, key bool) {
	can := analyze(n.text, !e.o.ASCII)
	style, tag := e.style(n, can, key), n.tag
	if tag == "" && !n.quoted && style != 0 {
		tag = "!"
	}
	if tag != "" {
		e.indicator(tag, true, false, false)
	}
	before := e.deeper(true, false)
	switch style {
	case 0:
		e.plain(n.text, key)
	case '\'':
		e.single(n.text, key)
	case '"':
		e.double(n.text, key)
	default:
		e.block(n.text, style)
	}
	e.indent = before
}

// style chooses how a scalar is written: as wished, where that can be read back.
func (e *emitter) style(n *node, can allowed, key bool) byte {
	style := n.style
	if key && can.multiline {
		return '"'
	}
	if style == 0 {
		if e.depth > 0 && !can.flowPlain || e.depth == 0 && !can.blockPlain || n.text == "" && (e.depth > 0 || key) || !n.plain {
			style = '\''
		}
	}
	if style == '\'' && !can.single {
		style = '"'
	}
	if (style == '|' || style == '>') && (!can.block || e.depth > 0 || key) {
		style = '"'
	}
	return style
}

// allowed are the styles in which a text can be read back.
type allowed struct{ multiline, flowPlain, blockPlain, single, block bool }

func isBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || isBreak(r) || r == 0 }

// printable is libyaml's, which knows no character beyond U+FFFD.
func printable(r rune) bool {
	return r == '\n' || r >= ' ' && r <= '~' || r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd && r != 0xfeff
}

func analyze(s string, unicode bool) allowed {
	if s == "" {
		return allowed{blockPlain: true, single: true}
	}
	a := allowed{flowPlain: true, blockPlain: true, single: true, block: true}
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		a.flowPlain, a.blockPlain = false, false
	}
	runes := []rune(s)
	for i, r := range runes {
		followed := i+1 >= len(runes) || isBlank(runes[i+1])
		preceded := i == 0 || isBlank(runes[i-1])
		afterBreak := i > 0 && isBreak(runes[i-1])
		switch {
		case i == 0 && (strings.ContainsRune("#,[]{}&*!|>'\"%@`", r) || r == '-' && followed):
			a.flowPlain, a.blockPlain = false, false
		case (r == '?' && i == 0 || r == ':') && followed:
			a.flowPlain, a.blockPlain = false, false
		case r == '#' && preceded:
			a.flowPlain, a.blockPlain = false, false
		case strings.ContainsRune(",?[]{}:", r):
			a.flowPlain = false
		}
		if !printable(r) || !unicode && r > '~' {
			a.flowPlain, a.blockPlain, a.single, a.block = false, false, false, false
		}
		if isBreak(r) {
			a.multiline, a.flowPlain, a.blockPlain = true, false, false
			if i > 0 && runes[i-1] == ' ' {
				a.single, a.block = false, false
			}
		}
		if r == ' ' && afterBreak {
			a.single = false
		}
	}
	if first, last := runes[0], runes[len(runes)-1]; first == ' ' || last == ' ' {
		a.flowPlain, a.blockPlain = false, false
		a.block = a.block && last != ' '
	}
	return a
}

func (e *emitter) plain(s string, key bool) {
	if !e.whitespace && (s != "" || e.depth > 0) {
		e.put(" ")
	}
	spaces := false
	for i, r := range s {
		if r == ' ' {
			if !key && !spaces && e.column > e.o.Width && !strings.HasPrefix(s[i+1:], " ") {
				e.writeIndent()
			} else {
				e.put(" ")
			}
			spaces = true
			continue
		}
		e.put(string(r))
		e.indention, spaces = false, false
	}
	e.whitespace, e.indention = false, false
}

func (e *emitter) single(s string, key bool) {
	e.indicator("'", true, false, false)
	spaces, breaks := false, false
	for i, r := range s {
		switch {
		case r == ' ':
			if !key && !spaces && e.column > e.o.Width && i > 0 && i < len(s)-1 && s[i+1] != ' ' {
				e.writeIndent()
			} else {
				e.put(" ")
			}
			spaces = true
		case isBreak(r):
			if !breaks && r == '\n' {
				e.lineBreak()
			}
			e.lineBreak()
			e.indention, breaks = true, true
		default:
			if breaks {
				e.writeIndent()
			}
			if r == '\'' {
				e.put("'")
			}
			e.put(string(r))
			e.indention, spaces, breaks = false, false, false
		}
	}
	if breaks {
		e.writeIndent()
	}
	e.indicator("'", false, false, false)
	e.whitespace, e.indention = false, false
}

func (e *emitter) double(s string, key bool) {
	e.indicator(`"`, true, false, false)
	spaces := false
	for i, r := range s {
		switch {
		case r == ' ':
			if !key && !spaces && e.column > e.o.Width && i > 0 && i < len(s)-1 {
				e.writeIndent()
				if s[i+1] == ' ' {
					e.put(`\`)
				}
			} else {
				e.put(" ")
			}
			spaces = true
		case !printable(r) || e.o.ASCII && r > '~' || isBreak(r) || r == '"' || r == '\\':
			e.put(escape(r))
			spaces = false
		default:
			e.put(string(r))
			spaces = false
		}
	}
	e.indicator(`"`, false, false, false)
	e.whitespace, e.indention = false, false
}

func escape(r rune) string {
	const from, to = "\x00\a\b\t\n\v\f\r\x1b\"\\\u0085\u00a0\u2028\u2029", `0abtnvfre"\N_LP`
	at := 0
	for _, c := range from {
		if c == r {
			return `\` + to[at:at+1]
		}
		at++
	}
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}

// block writes a literal or folded scalar.
func (e *emitter) block(s string, style byte) {
	e.indicator(string(style), true, false, false)
	if s != "" && (s[0] == ' ' || s[0] == '\n') {
		e.put(fmt.Sprint(e.o.Indent))
	}
	e.openEnded = false
	switch {
	case !strings.HasSuffix(s, "\n"):
		e.put("-")
	case s == "\n" || strings.HasSuffix(s, "\n\n"):
		e.put("+")
		e.openEnded = true
	}
	e.lineBreak()
	e.indention, e.whitespace = true, true
	breaks, leading := true, true
	for i, r := range s {
		if isBreak(r) {
			if style == '>' && !breaks && !leading && r == '\n' && foldsBefore(s[i:]) {
				e.lineBreak()
			}
			e.lineBreak()
			e.indention, breaks = true, true
			continue
		}
		if breaks {
			e.writeIndent()
			leading = r == ' ' || r == '\t'
		}
		if style == '>' && !breaks && r == ' ' && e.column > e.o.Width && !strings.HasPrefix(s[i+1:], " ") {
			e.writeIndent()
		} else {
			e.put(string(r))
		}
		e.indention, breaks = false, false
	}
}

// foldsBefore tells whether a reader would fold the line ends that begin s into a blank.
func foldsBefore(s string) bool {
	rest := strings.TrimLeft(s, "\n")
	return rest != "" && rest[0] != ' ' && rest[0] != '\t'
}
