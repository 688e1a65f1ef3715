package jinja

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

type tagKind uint8

const (
	tagNone tagKind = iota
	tagComment
	tagBlock
	tagVariable
	tagLine
	tagLineComment
	tagRaw
)

// delimiters are an Options' delimiters with Jinja's own filled in.
type delimiters struct {
	blockStart, blockEnd, variableStart, variableEnd, commentStart, commentEnd string
	starts                                                                     []delimiter // longest first
	first                                                                      [256]bool   // bytes that can begin one
}

type delimiter struct {
	text string
	what tagKind
}

func delimitersOf(o *Options) delimiters {
	d := delimiters{
		blockStart: cmp.Or(o.BlockStart, "{%"), blockEnd: cmp.Or(o.BlockEnd, "%}"),
		variableStart: cmp.Or(o.VariableStart, "{{"), variableEnd: cmp.Or(o.VariableEnd, "}}"),
		commentStart: cmp.Or(o.CommentStart, "{#"), commentEnd: cmp.Or(o.CommentEnd, "#}"),
	}
	d.starts = []delimiter{{d.variableStart, tagVariable}, {d.commentStart, tagComment}, {d.blockStart, tagBlock}}
	if o.LineStatementPrefix != "" {
		d.starts = append(d.starts, delimiter{o.LineStatementPrefix, tagLine})
	}
	if o.LineCommentPrefix != "" {
		d.starts = append(d.starts, delimiter{o.LineCommentPrefix, tagLineComment})
	}
	slices.SortStableFunc(d.starts, func(a, b delimiter) int { return cmp.Compare(len(b.text), len(a.text)) })
	for _, s := range d.starts {
		d.first[s.text[0]] = true
		if s.what == tagLine || s.what == tagLineComment {
			d.first[' '], d.first['\t'], d.first['\v'] = true, true, true
		}
	}
	return d
}

type tag struct {
	what     tagKind
	at, size int
	sign     byte // of a raw tag
}

// findTag finds the next tag from l.pos on.
func (l *lexer) findTag() tag {
	for i := l.pos; i < len(l.src); i++ {
		if !l.d.first[l.src[i]] {
			continue
		}
		if t, ok := l.tagAt(i); ok {
			return t
		}
	}
	return tag{}
}

func (l *lexer) tagAt(i int) (tag, bool) {
	s := l.src[i:]
	if strings.HasPrefix(s, l.d.blockStart) {
		if t, ok := l.rawAt(i); ok {
			return t, true
		}
	}
	for _, d := range l.d.starts {
		switch d.what {
		case tagLine:
			if i > 0 && l.src[i-1] != '\n' {
				continue
			}
			body := strings.TrimLeft(s, " \t\v")
			if strings.HasPrefix(body, d.text) {
				return tag{what: tagLine, at: i, size: len(s) - len(body) + len(d.text)}, true
			}
		case tagLineComment:
			if i > 0 && l.src[i-1] != '\n' {
				if r, _ := utf8.DecodeLastRuneInString(l.src[:i]); isSpace(r) {
					continue
				}
			}
			body := strings.TrimLeftFunc(s, func(r rune) bool { return isSpace(r) && r != '\n' })
			if strings.HasPrefix(body, d.text) {
				return tag{what: tagLineComment, at: i, size: len(s) - len(body) + len(d.text)}, true
			}
		default:
			if strings.HasPrefix(s, d.text) {
				return tag{what: d.what, at: i, size: len(d.text)}, true
			}
		}
	}
	return tag{}, false
}

// rawAt recognizes {% raw %} at i. The white space behind -%} belongs to the tag.
func (l *lexer) rawAt(i int) (tag, bool) {
	sign, end := l.wordTag(i, "raw")
	if end == 0 {
		return tag{}, false
	}
	n := l.closing(end, l.d.blockEnd, false, false)
	if n == 0 {
		return tag{}, false
	}
	return tag{what: tagRaw, at: i, size: end + n - i, sign: sign}, true
}
