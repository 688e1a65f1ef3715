package jinja

import (
	"slices"
	"strings"
)

// parser turns tokens into nodes. Names are resolved when a template is parsed to its end.
type parser struct {
	env     *Env
	o       *Options
	tokens  []token
	i       int
	block   *block
	code    *code
	ids     map[string]int
	tags    []string
	ends    [][]string
	pending []*nameExpr
	strict  []unknown // filters and tests not found so far
	soft    int       // inside a condition, where an unknown filter may never be reached
	depth   int
	loops   int
}

// unknown is a filter or test that does not exist.
type unknown struct {
	kind, name string
	pos        int
}

// maxParseDepth bounds nested expressions and statements.
const maxParseDepth = 400

func (p *parser) cur() token { return p.tokens[p.i] }

func (p *parser) look() token {
	if p.i+1 < len(p.tokens) {
		return p.tokens[p.i+1]
	}
	return p.tokens[len(p.tokens)-1]
}

func (p *parser) next() token {
	t := p.tokens[p.i]
	if p.i+1 < len(p.tokens) {
		p.i++
	}
	return t
}

func (p *parser) is(k kind) bool { return p.tokens[p.i].kind == k }

func (p *parser) isName(name string) bool {
	t := &p.tokens[p.i]
	return t.kind == tName && t.text == name
}

func (p *parser) skip(k kind) bool {
	if p.is(k) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.isName(name) {
		p.next()
		return true
	}
	return false
}

func (p *parser) fail(pos int, format string, args ...any) error {
	return (&lexer{}).fail(pos, format, args...)
}

func (p *parser) expect(k kind) (token, error) {
	if !p.is(k) {
		return token{}, p.unexpected(words[k])
	}
	return p.next(), nil
}

func (p *parser) expectName(name string) error {
	if !p.isName(name) {
		return p.unexpected(name)
	}
	p.next()
	return nil
}

func (p *parser) unexpected(want string) error {
	t := p.cur()
	if t.kind == tEOF {
		return p.fail(t.pos, "unexpected end of template, expected '%s'.", want)
	}
	return p.fail(t.pos, "expected token '%s', got '%s'", want, t.describe())
}

func (p *parser) enter() error {
	p.depth++
	if p.depth > maxParseDepth {
		return p.fail(p.cur().pos, "the template nests more than %d levels deep", maxParseDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// id gives a name's place in the caches of names read.
func (p *parser) id(name string) int {
	if id, ok := p.ids[name]; ok {
		return id
	}
	id := len(p.code.names)
	p.ids[name] = id
	p.code.names = append(p.code.names, name)
	return id
}

// push opens a lexical scope; with own it gets a frame of its own.
func (p *parser) push(own bool) *block {
	b := &block{parent: p.block}
	if own || p.block == nil {
		b.fn = &fnScope{root: b}
	} else {
		b.fn = p.block.fn
	}
	p.block = b
	return b
}

// declare gives the slot of a name that the current block sets.
func (p *parser) declare(name string) int {
	p.code.binds = append(p.code.binds, name)
	return p.block.declare(name)
}

func (p *parser) pop() { p.block = p.block.parent }

// parse makes code of a whole template or of one expression.
func (e *Env) parse(text string, o *Options, expression bool) (*code, error) {
	c := &code{src: text, expression: expression}
	p := &parser{env: e, o: o, code: c, ids: map[string]int{}}
	var err error
	if expression {
		p.tokens, err = lexExpression(text, o)
	} else {
		c.src = normalize(text, o.KeepTrailingNewline)
		p.tokens, err = lexTemplate(c.src, o)
	}
	if err != nil {
		return c, err
	}
	c.root = p.push(true)
	if expression {
		err = p.wholeExpression()
	} else {
		c.body, err = p.statements(nil)
	}
	if err != nil {
		return c, err
	}
	c.slots = c.root.fn.slots
	if len(p.strict) > 0 {
		u := p.strict[0]
		return c, &syntaxError{
			pos: u.pos, text: "No " + u.kind + " named " + quote(u.name) + ".",
			name: u.name, near: p.env.namesOf(u.kind),
		}
	}
	p.resolve()
	c.plain = !expression && c.isPlain()
	return c, nil
}

func (p *parser) wholeExpression() error {
	x, err := p.expression()
	if err != nil {
		return err
	}
	if !p.is(tEOF) {
		return p.fail(p.cur().pos, "expected end of expression, got '%s'", p.cur().describe())
	}
	p.code.expr = x
	return nil
}

func (p *parser) resolve() {
	for _, n := range p.pending {
		n.refs = n.block.find(n.name)
	}
	p.code.reads = p.pending
}

// statements reads text and tags up to one of the end tags, whose name is then the current token.
func (p *parser) statements(ends []string) ([]node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if ends != nil {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	var body []node
	for {
		t := p.cur()
		switch t.kind {
		case tEOF:
			if ends != nil {
				return nil, p.unknownTag("", t.pos)
			}
			return body, nil
		case tData:
			p.next()
			body = append(body, &textNode{text: t.text})
		case tVariableBegin:
			p.next()
			x, err := p.tuple(true, nil)
			if err != nil {
				return nil, err
			}
			if _, err := p.expect(tVariableEnd); err != nil {
				return nil, err
			}
			body = append(body, &printNode{x: x, pos: x.at()})
		case tBlockBegin:
			p.next()
			if p.is(tName) && contains(ends, p.cur().text) {
				return body, nil
			}
			n, err := p.statement()
			if err != nil {
				return nil, err
			}
			if n != nil {
				body = append(body, n)
			}
			if _, err := p.expect(tBlockEnd); err != nil {
				return nil, err
			}
		default:
			return nil, p.fail(t.pos, "unexpected '%s'", t.describe())
		}
	}
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// bodyUntil reads the rest of a tag and what follows up to an end tag. Drop skips the end tag's name.
func (p *parser) bodyUntil(drop bool, ends ...string) ([]node, error) {
	p.skip(tColon)
	if _, err := p.expect(tBlockEnd); err != nil {
		return nil, err
	}
	body, err := p.statements(ends)
	if err == nil && drop {
		p.next()
	}
	return body, err
}

// unknownTag explains a tag that does not fit, or the end of the template inside one.
func (p *parser) unknownTag(name string, pos int) error {
	var b strings.Builder
	if name == "" {
		b.WriteString("Unexpected end of template.")
	} else {
		b.WriteString("Encountered unknown tag '" + name + "'.")
	}
	if len(p.ends) > 0 {
		looking := "'" + strings.Join(p.ends[len(p.ends)-1], "' or '") + "'"
		nested := false
		for _, e := range p.ends {
			nested = nested || name != "" && contains(e, name)
		}
		if nested {
			b.WriteString(" You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + looking + ".")
		} else {
			b.WriteString(" Jinja was looking for the following tags: " + looking + ".")
		}
	}
	if len(p.tags) > 0 {
		b.WriteString(" The innermost block that needs to be closed is '" + p.tags[len(p.tags)-1] + "'.")
	}
	err := &syntaxError{pos: pos, text: b.String()}
	if name != "" {
		err.name, err.near = name, tagNames[:]
	}
	return err
}

var tagNames = [...]string{
	"for", "endfor", "if", "elif", "else", "endif", "set", "endset", "macro", "endmacro", "block", "endblock",
	"include", "import", "from", "extends", "call", "endcall", "filter", "endfilter", "with", "endwith", "raw", "endraw",
	"do", "break", "continue", "autoescape", "endautoescape", "print",
}
