package jinja

import (
	"strings"
)

func (p *parser) statement() (node, error) {
	t := p.cur()
	if t.kind != tName {
		return nil, p.fail(t.pos, "tag name expected")
	}
	parse := p.statementParser(t.text)
	if parse == nil {
		return nil, p.unknownTag(t.text, t.pos)
	}
	p.tags = append(p.tags, t.text)
	p.next()
	n, err := parse(t.pos)
	p.tags = p.tags[:len(p.tags)-1]
	return n, err
}

func (p *parser) statementParser(name string) func(pos int) (node, error) {
	switch name {
	case "for":
		return p.forStatement
	case "if":
		return p.ifStatement
	case "set":
		return p.setStatement
	case "macro":
		return p.macroStatement
	case "call":
		return p.callStatement
	case "filter":
		return p.filterStatement
	case "with":
		return p.withStatement
	case "block":
		return p.blockStatement
	case "extends":
		return p.extendsStatement
	case "include":
		return p.includeStatement
	case "import":
		return p.importStatement
	case "from":
		return p.fromStatement
	case "do":
		return p.doStatement
	case "print":
		return p.printStatement
	case "autoescape":
		return p.autoescapeStatement
	case "break", "continue":
		return p.loopControl
	}
	return nil
}

func (p *parser) forStatement(pos int) (node, error) {
	n := &forNode{pos: pos}
	outer := p.block
	body := p.push(false)
	n.body = body
	target, err := p.target([]string{"in"}, false)
	if err != nil {
		return nil, err
	}
	n.target = target
	if _, taken := body.names["loop"]; taken {
		return nil, p.fail(pos, "can't assign to the special variable 'loop' in the target of a for loop")
	}
	n.loopSlot = body.declare("loop")
	if err := p.expectName("in"); err != nil {
		return nil, err
	}
	p.block = outer
	if n.iter, err = p.tuple(false, []string{"recursive"}); err != nil {
		return nil, err
	}
	p.block = body
	if p.skipName("if") {
		if n.test, err = p.expression(); err != nil {
			return nil, err
		}
	}
	n.recursive = p.skipName("recursive")
	p.loops++
	n.stmts, err = p.bodyUntil(false, "endfor", "else")
	p.loops--
	p.pop()
	if err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		n.elseBlock = p.push(false)
		n.els, err = p.bodyUntil(true, "endfor")
		p.pop()
	}
	return n, err
}

func (p *parser) ifStatement(pos int) (node, error) {
	n := &ifNode{}
	p.soft++
	defer func() { p.soft-- }()
	for {
		test, err := p.tuple(false, nil)
		if err != nil {
			return nil, err
		}
		body, err := p.bodyUntil(false, "elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		n.arms = append(n.arms, arm{test, body})
		switch p.next().text {
		case "else":
			n.els, err = p.bodyUntil(true, "endif")
			return n, err
		case "endif":
			return n, nil
		}
	}
}

// target reads what may be assigned to: a name, a tuple of them, or with ns an attribute of a namespace.
func (p *parser) target(ends []string, ns bool) (target, error) {
	t := p.cur()
	if ns && p.look().kind == tDot {
		if _, err := p.expect(tName); err != nil {
			return nil, err
		}
		p.next()
		attr, err := p.expect(tName)
		return &attrTarget{pos: t.pos, ns: p.load(t), name: attr.text}, err
	}
	mark, names := len(p.pending), len(p.code.names)
	x, err := p.tupleOf(p.primary, ends, false)
	if err != nil {
		return nil, err
	}
	p.pending = p.pending[:mark] // they are written, not read
	_ = names
	return p.asTarget(x)
}

func (p *parser) asTarget(x expr) (target, error) {
	switch x := x.(type) {
	case *nameExpr:
		return p.nameTarget(x.pos, x.name)
	case *tupleExpr:
		t := &tupleTarget{pos: x.pos}
		for _, item := range x.items {
			sub, err := p.asTarget(item)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, sub)
		}
		return t, nil
	}
	return nil, p.fail(x.at(), "can't assign to '%s'", kindOf(x))
}

func (p *parser) nameTarget(pos int, name string) (*nameTarget, error) {
	switch name {
	case "true", "false", "none", "True", "False", "None":
		return nil, p.fail(pos, "can't assign to 'const'")
	}
	return &nameTarget{slot: p.declare(name)}, nil
}

// name reads a single name to be assigned to.
func (p *parser) name() (string, int, error) {
	t, err := p.expect(tName)
	if err != nil {
		return "", 0, err
	}
	switch t.text {
	case "true", "false", "none", "True", "False", "None":
		return "", 0, p.fail(t.pos, "can't assign to 'name'")
	}
	return t.text, t.pos, nil
}

func (p *parser) setStatement(pos int) (node, error) {
	t, err := p.target(nil, true)
	if err != nil {
		return nil, err
	}
	if p.skip(tAssign) {
		x, err := p.tuple(true, nil)
		return &setNode{pos: pos, target: t, x: x}, err
	}
	n := &setBlockNode{pos: pos, target: t}
	in := &capturedExpr{pos: pos}
	n.captured = in
	n.x = in
	for p.skip(tPipe) {
		if n.x, err = p.filter(n.x, len(p.pending)); err != nil {
			return nil, err
		}
	}
	n.body = p.push(false)
	n.stmts, err = p.bodyUntil(true, "endset")
	p.pop()
	return n, err
}

func (p *parser) signature(fn *macroCode) error {
	if _, err := p.expect(tLParen); err != nil {
		return err
	}
	for n := 0; !p.is(tRParen); n++ {
		if n > 0 {
			if _, err := p.expect(tComma); err != nil {
				return err
			}
		}
		name, pos, err := p.name()
		if err != nil {
			return err
		}
		arg := macroArg{name: name, slot: p.declare(name)}
		if p.skip(tAssign) {
			if arg.def, err = p.expression(); err != nil {
				return err
			}
		} else if n > 0 && fn.args[n-1].def != nil {
			return p.fail(pos, "non-default argument follows default argument")
		}
		fn.args = append(fn.args, arg)
	}
	_, err := p.expect(tRParen)
	return err
}

// macroBody reads the body of a macro or call block, whose scope is already open.
func (p *parser) macroBody(fn *macroCode, end string) error {
	mark := len(p.pending)
	loops, soft := p.loops, p.soft
	p.loops = 0
	var err error
	fn.stmts, err = p.bodyUntil(true, end)
	p.loops, p.soft = loops, soft
	if err != nil {
		return err
	}
	for _, n := range p.pending[mark:] {
		if _, declared := fn.scope.names[n.name]; declared {
			continue
		}
		switch n.name {
		case "varargs":
			fn.varargs = fn.scope.declare("varargs") + 1
		case "kwargs":
			fn.kwargs = fn.scope.declare("kwargs") + 1
		case "caller":
			fn.caller = fn.scope.declare("caller") + 1
		}
	}
	return nil
}

func (p *parser) macroStatement(pos int) (node, error) {
	name, _, err := p.name()
	if err != nil {
		return nil, err
	}
	n := &macroNode{pos: pos, slot: p.declare(name)}
	n.fn = &macroCode{name: name, pos: pos, code: p.code, scope: p.push(true)}
	if err := p.signature(n.fn); err != nil {
		return nil, err
	}
	err = p.macroBody(n.fn, "endmacro")
	p.pop()
	return n, err
}

func (p *parser) callStatement(pos int) (node, error) {
	n := &callNode{pos: pos}
	n.fn = &macroCode{name: "caller", pos: pos, code: p.code}
	outer := p.block
	n.fn.scope = p.push(true)
	if p.is(tLParen) {
		if err := p.signature(n.fn); err != nil {
			return nil, err
		}
	}
	inner := p.block
	p.block = outer
	at := p.cur().pos
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.block = inner
	call, ok := x.(*callExpr)
	if !ok {
		return nil, p.fail(at, "expected call")
	}
	n.call = call
	err = p.macroBody(n.fn, "endcall")
	p.pop()
	return n, err
}

func (p *parser) filterStatement(pos int) (node, error) {
	in := &capturedExpr{pos: pos}
	x, err := p.filter(in, len(p.pending))
	for err == nil && p.skip(tPipe) {
		x, err = p.filter(x, len(p.pending))
	}
	if err != nil {
		return nil, err
	}
	n := &filterNode{pos: pos, captured: in, x: x, body: p.push(false)}
	n.stmts, err = p.bodyUntil(true, "endfilter")
	p.pop()
	return n, err
}

func (p *parser) withStatement(pos int) (node, error) {
	n := &withNode{pos: pos}
	outer := p.block
	n.body = p.push(false)
	for i := 0; !p.is(tBlockEnd); i++ {
		if i > 0 {
			if _, err := p.expect(tComma); err != nil {
				return nil, err
			}
		}
		t, err := p.target(nil, false)
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(tAssign); err != nil {
			return nil, err
		}
		p.block = outer
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		p.block = n.body
		n.targets, n.values = append(n.targets, t), append(n.values, x)
	}
	var err error
	n.stmts, err = p.bodyUntil(true, "endwith")
	p.pop()
	return n, err
}

func (p *parser) blockStatement(pos int) (node, error) {
	t, err := p.expect(tName)
	if err != nil {
		return nil, err
	}
	if _, twice := p.code.blocks[t.text]; twice {
		return nil, p.fail(pos, "block %s defined twice", quote(t.text))
	}
	b := &blockCode{name: t.text, pos: pos, code: p.code}
	b.scoped = p.skipName("scoped")
	b.required = p.skipName("required")
	if p.is(tSub) {
		return nil, p.fail(p.cur().pos, "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	}
	if p.code.blocks == nil {
		p.code.blocks = map[string]*blockCode{}
	}
	p.code.blocks[t.text] = b
	n := &blockNode{pos: pos, b: b, outer: p.block}
	outer := p.block
	p.block = nil // a block sees the names of the template's top level through its scope only
	b.scope = p.push(true)
	loops := p.loops
	p.loops = 0
	b.stmts, err = p.bodyUntil(true, "endblock")
	p.loops = loops
	p.block = outer
	if err != nil {
		return nil, err
	}
	if b.required && !onlySpace(b.stmts) {
		return nil, p.fail(pos, "Required blocks can only contain comments or whitespace")
	}
	p.skipName(t.text)
	return n, nil
}

func onlySpace(stmts []node) bool {
	for _, s := range stmts {
		if t, ok := s.(*textNode); !ok || strings.TrimFunc(t.text, isSpace) != "" {
			return false
		}
	}
	return true
}

func (p *parser) extendsStatement(pos int) (node, error) {
	p.code.mutates = true // the other template may
	x, err := p.expression()
	p.taken(x, false)
	p.code.extends = true
	return &extendsNode{pos: pos, x: x}, err
}

// withContext reads "with context" or "without context".
func (p *parser) withContext(def bool) bool {
	if (p.isName("with") || p.isName("without")) && p.look().kind == tName && p.look().text == "context" {
		def = p.next().text == "with"
		p.next()
	}
	return def
}

func (p *parser) includeStatement(pos int) (node, error) {
	p.code.mutates = true // the other template may
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	n := &includeNode{pos: pos, x: x, block: p.block}
	if p.isName("ignore") && p.look().text == "missing" {
		p.next()
		p.next()
		n.ignoreMissing = true
	}
	n.withContext = p.withContext(true)
	p.taken(x, n.ignoreMissing)
	return n, nil
}

// taken notes a template that is included, imported or extended by a literal name.
func (p *parser) taken(x expr, guarded bool) {
	if name, ok := literal(x); ok {
		p.code.templates = append(p.code.templates, use{name, x.at(), guarded || p.soft > 0 || len(p.ends) > 0})
	}
}

func (p *parser) importStatement(pos int) (node, error) {
	p.code.mutates = true // the other template may
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.taken(x, false)
	if err := p.expectName("as"); err != nil {
		return nil, err
	}
	name, _, err := p.name()
	if err != nil {
		return nil, err
	}
	n := &importNode{pos: pos, x: x, slot: p.declare(name), block: p.block}
	n.withContext = p.withContext(false)
	return n, nil
}

func (p *parser) fromStatement(pos int) (node, error) {
	p.code.mutates = true // the other template may
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.taken(x, false)
	if err := p.expectName("import"); err != nil {
		return nil, err
	}
	n := &importNode{pos: pos, x: x, slot: -1, block: p.block}
	for {
		if len(n.names) > 0 {
			if _, err := p.expect(tComma); err != nil {
				return nil, err
			}
		}
		if !p.is(tName) {
			return nil, p.unexpected("name")
		}
		if before := p.i; len(n.names) > 0 || p.look().text == "context" {
			n.withContext = p.withContext(n.withContext)
			if p.i != before {
				break
			}
		}
		name, at, err := p.name()
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(name, "_") {
			return nil, p.fail(at, "names starting with an underline can not be imported")
		}
		alias := name
		if p.skipName("as") {
			if alias, _, err = p.name(); err != nil {
				return nil, err
			}
		}
		n.names = append(n.names, imported{name, p.declare(alias)})
		before := p.i
		n.withContext = p.withContext(n.withContext)
		if p.i != before || !p.is(tComma) {
			break
		}
	}
	return n, nil
}

func (p *parser) doStatement(pos int) (node, error) {
	x, err := p.tuple(true, nil)
	return &doNode{x: x}, err
}

func (p *parser) printStatement(pos int) (node, error) {
	n := &groupNode{}
	for !p.is(tBlockEnd) {
		if len(n.stmts) > 0 {
			if _, err := p.expect(tComma); err != nil {
				return nil, err
			}
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		n.stmts = append(n.stmts, &printNode{pos: x.at(), x: x})
	}
	return n, nil
}

func (p *parser) autoescapeStatement(pos int) (node, error) {
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	n := &autoescapeNode{pos: pos, x: x, body: p.push(false)}
	n.stmts, err = p.bodyUntil(true, "endautoescape")
	p.pop()
	return n, err
}

func (p *parser) loopControl(pos int) (node, error) {
	word := p.tokens[p.i-1].text
	if p.loops == 0 {
		return nil, p.fail(pos, "'%s' outside loop", word)
	}
	if word == "break" {
		return &controlNode{signal: sigBreak}, nil
	}
	return &controlNode{signal: sigContinue}, nil
}
